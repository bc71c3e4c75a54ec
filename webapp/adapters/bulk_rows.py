"""Many rows in and out of a transaction at the speed of the driver, past the ORM and its types.

Statements are SQLAlchemy's, so that names of tables and columns stay those of the models; values are plain: ids as
text, the rest as the driver gives it. PostgreSQL is written by COPY, SQLite by executemany. A fault
of the driver is raised as SQLAlchemy would raise it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    ARRAY,
    Connection,
    Dialect,
    Select,
    String,
    Table,
    bindparam,
    cast,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import ClauseElement, ColumnElement

Plain = tuple[Any, ...]


class Days(dict[Any, Any]):
    """The dates that ISO texts say, each read once: a run meets the same ones over and over. A date says itself."""

    def __missing__(self, told: str | date | None) -> date | None:
        day = self[told] = date.fromisoformat(told) if isinstance(told, str) else told
        return day


class IsoDays(dict[date, str]):
    def __missing__(self, day: date) -> str:
        text = self[day] = day.isoformat()
        return text


FOR_BULK = {
    # A checkpoint after many pages, not at each commit; no map of the file, and a small cache (KiB), because both
    # count as memory and the system keeps the file's pages anyway.
    "sqlite": ("PRAGMA wal_autocheckpoint = 20000", "PRAGMA mmap_size = 0", "PRAGMA cache_size = -8000"),
    # A thousand rows found by their key, not by reading the whole of their table as the default of 4 makes it seem.
    "postgresql": ("SET LOCAL random_page_cost = 1.1",),
}


class BulkRows:
    """The rows of one transaction. Works on the connection of a session that has begun."""

    days = Days()
    iso_days = IsoDays()

    def __init__(self, connection: Connection) -> None:
        self.dialect = connection.dialect
        self.is_postgres = connection.dialect.name == "postgresql"
        self._driver: Any = connection.connection.dbapi_connection

    def widen(self) -> None:
        """Prepare for much reading and writing: on PostgreSQL this transaction, on SQLite the connection for its life."""
        for setting in FOR_BULK[self.dialect.name]:
            with self._told(setting):
                self._driver.execute(setting)

    # ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────

    def read(self, statement: Select[Any], **values: Any) -> list[Plain]:
        """The rows as plain tuples, as the driver gives them: `days` says the dates that SQLite keeps as text."""
        sql, names, defaults = _compiled(statement, self.dialect)
        filled = {name: self._sent(value) for name, value in {**defaults, **values}.items()}
        with self._told(sql):
            cursor = self._driver.cursor()
            cursor.execute(sql, filled if self.is_postgres else [filled[name] for name in names])
            rows: list[Plain] = cursor.fetchall()
        return rows

    def _sent(self, value: Any) -> Any:
        return value.isoformat() if type(value) is date and not self.is_postgres else value

    def ids(self, ids: Sequence[str]) -> str:
        """Ids as `among` takes them, in one text: a driver that is given a list looks at each of them."""
        if self.is_postgres:
            return "{" + ",".join(ids) + "}"
        return '["' + '","'.join(ids) + '"]' if ids else "[]"

    # ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────

    def day(self, value: date) -> str:
        """A date as both drivers take it fast: as text."""
        return self.iso_days[value]

    def stored(self, of: ColumnElement[Any], value: Any) -> Any:
        """One value as its column keeps it: worth it for what a whole run repeats."""
        process = of.type.dialect_impl(self.dialect).bind_processor(self.dialect)
        stored = process(value) if process else value
        return stored.isoformat() if isinstance(stored, datetime) else stored

    def take_ids(self, table: Table, count: int) -> Sequence[int]:
        """Keys for `count` new rows. On SQLite the transaction holds the only pen."""
        if not self.is_postgres:
            [[last]] = self.read(_last_id(table))
            return range(last + 1, last + 1 + count)
        return [number for (number,) in self.read(_next_ids(table), count=count)]

    def insert(self, table: Table, columns: Sequence[str], rows: Iterable[Plain]) -> None:
        if self.is_postgres:
            self._copy(table, columns, rows)
            return
        sql, names, _defaults = _compiled(_insertion(table, tuple(columns)), self.dialect)
        with self._told(sql):
            self._driver.cursor().executemany(sql, _in_order(columns, names, rows))

    def _copy(self, table: Table, columns: Sequence[str], rows: Iterable[Plain]) -> None:
        from psycopg import sql  # an installation on SQLite may not have it

        into = sql.SQL("COPY {} ({}) FROM STDIN").format(
            sql.Identifier(table.name), sql.SQL(", ").join(map(sql.Identifier, columns))
        )
        with self._told("COPY"), self._driver.cursor() as cursor, cursor.copy(into) as copy:
            write_row = copy.write_row
            for row in rows:
                write_row(row)

    def update(self, table: Table, values: Mapping[str, Any], ids: Sequence[str]) -> None:
        """Set the same `values`, by column, on the rows of `ids`; a value may be an expression of the row."""
        said = {name: value for name, value in values.items() if isinstance(value, ClauseElement)}
        statement = _update(table, tuple(values), tuple(said.items()), self.dialect)
        sql, names, defaults = _compiled(statement, self.dialect)
        filled = {**defaults, "ids": self.ids(ids)}
        filled |= {f"new_{name}": value for name, value in values.items() if name not in said}
        with self._told(sql):
            self._driver.cursor().execute(
                sql, filled if self.is_postgres else [filled[name] for name in names]
            )

    @contextmanager
    def _told(self, sql: str) -> Iterator[None]:
        driver = self.dialect.loaded_dbapi
        try:
            yield
        except driver.Error as error:
            raise DBAPIError.instance(sql, None, error, driver.Error, dialect=self.dialect) from error


def among(of: ColumnElement[Any], dialect: Dialect) -> ColumnElement[bool]:
    """Whether a column of ids is one of the bound `ids`, as `BulkRows.ids` writes them."""
    if dialect.name == "postgresql":
        return of == func.any(bindparam("ids", type_=ARRAY(of.type)))
    values = func.json_each(bindparam("ids")).table_valued("value")
    return of.in_(select(values.c.value))


def as_text(of: Any, dialect: Dialect) -> ColumnElement[Any]:
    """An id as text, which is how SQLite keeps it already."""
    return cast(of, String).label(of.name) if dialect.name == "postgresql" else of


def _in_order(given: Sequence[str], wanted: Sequence[str], rows: Iterable[Plain]) -> Iterable[Plain]:
    if list(given) == list(wanted):
        return rows
    return map(itemgetter(*(list(given).index(name) for name in wanted)), rows)


@lru_cache
def _last_id(table: Table) -> Select[Any]:
    return select(func.coalesce(func.max(table.c.id), 0))


@lru_cache
def _next_ids(table: Table) -> Select[Any]:
    following = func.nextval(func.pg_get_serial_sequence(table.name, "id"))
    return select(following).select_from(func.generate_series(1, bindparam("count")))


@lru_cache
def _insertion(table: Table, columns: tuple[str, ...]) -> ClauseElement:
    return insert(table).values({name: bindparam(name) for name in columns})


@lru_cache
def _update(
    table: Table, columns: tuple[str, ...], said: tuple[tuple[str, ColumnElement[Any]], ...], dialect: Dialect
) -> ClauseElement:
    values: dict[str, Any] = {
        name: bindparam(f"new_{name}", type_=table.c[name].type) for name in columns
    } | dict(said)
    return update(table).where(among(table.c.id, dialect)).values(values)


@lru_cache(maxsize=128)
def _compiled(statement: ClauseElement, dialect: Dialect) -> tuple[str, list[str], Mapping[str, Any]]:
    """The statement as the driver takes it, the order of its values, and those it came with.

    Known by the object itself: a statement made anew for each page would be compiled, and kept, as many times.
    """
    compiled: Any = statement.compile(dialect=dialect)
    return (
        str(compiled),
        list(compiled.positiontup or ()),
        {name: value for name, value in compiled.params.items() if value is not None},
    )
