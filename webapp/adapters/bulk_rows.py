"""Many rows in and out of a transaction at the speed of the driver, past the ORM and its types.

Statements are SQLAlchemy's, so that names of tables and columns stay those of the models; values are plain: ids as
text, dates as dates, the rest as the driver gives it. PostgreSQL is written by COPY, SQLite by executemany. A fault
of the driver is raised as SQLAlchemy would raise it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
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
    column,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import ClauseElement, ColumnElement

Plain = tuple[Any, ...]


class Days(dict[str, date]):
    """The dates that ISO texts say, each read once: a run meets the same ones over and over."""

    def __missing__(self, text: str) -> date:
        day = self[text] = date.fromisoformat(text)
        return day


class IsoDays(dict[date, str]):
    def __missing__(self, day: date) -> str:
        text = self[day] = day.isoformat()
        return text


# On SQLite: a checkpoint after many pages, not at each commit, and no map of the file, which counts as memory.
FOR_BULK = ("PRAGMA wal_autocheckpoint = 20000", "PRAGMA mmap_size = 0")


class BulkRows:
    """The rows of one transaction. Works on the connection of a session that has begun."""

    days = Days()
    iso_days = IsoDays()

    def __init__(self, connection: Connection) -> None:
        self.dialect = connection.dialect
        self.is_postgres = connection.dialect.name == "postgresql"
        self._driver: Any = connection.connection.dbapi_connection

    def widen(self) -> None:
        """Prepare this connection for much writing; it stays so until it is closed."""
        if not self.is_postgres:
            for pragma in FOR_BULK:
                self._driver.execute(pragma)

    # ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────

    def read(self, statement: Select[Any], dates: Sequence[int] = (), **values: Any) -> list[Plain]:
        """The rows as plain tuples; `dates` are the places of the columns that hold one."""
        sql, names, defaults = _compiled(statement, self.dialect)
        filled = {name: self._sent(value) for name, value in {**defaults, **values}.items()}
        with self._told(sql):
            cursor = self._driver.cursor()
            if self.is_postgres:
                return list(cursor.execute(sql, filled))
            found = cursor.execute(sql, [filled[name] for name in names]).fetchall()
        return list(self._with_dates(found, dates)) if dates else found

    def _sent(self, value: Any) -> Any:
        return value.isoformat() if type(value) is date and not self.is_postgres else value

    def _with_dates(self, rows: Iterable[Plain], places: Sequence[int]) -> Iterator[Plain]:
        days = self.days
        for row in rows:
            values = list(row)
            for place in places:
                if values[place] is not None:
                    values[place] = days[values[place]]
            yield tuple(values)

    # ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────

    def day(self, value: date) -> Any:
        """A date as the driver takes it fast."""
        return value if self.is_postgres else self.iso_days[value]

    def stored(self, of: ColumnElement[Any], value: Any) -> Any:
        """One value as its column keeps it: worth it for what a whole run repeats."""
        process = of.type.dialect_impl(self.dialect).bind_processor(self.dialect)
        return process(value) if process else value

    def take_ids(self, table: Table, count: int) -> Sequence[int]:
        """Keys for `count` new rows. On SQLite the transaction holds the only pen."""
        if not self.is_postgres:
            [[last]] = self.read(select(func.coalesce(func.max(table.c.id), 0)))
            return range(last + 1, last + 1 + count)
        following = func.nextval(func.pg_get_serial_sequence(table.name, "id"))
        numbers = select(following).select_from(func.generate_series(1, bindparam("count")))
        return [number for (number,) in self.read(numbers, count=count)]

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

    def update(self, table: Table, columns: Sequence[str], rows: Sequence[Plain]) -> None:
        """Set `columns` of rows found by their id; each tuple holds the values, then the id."""
        sql, names, _defaults = _compiled(_update(table, tuple(columns), self.is_postgres), self.dialect)
        with self._told(sql):
            if self.is_postgres:
                values = zip(*rows, strict=True)
                self._driver.cursor().execute(sql, dict(zip(_binds(columns), map(list, values), strict=True)))
            else:
                self._driver.cursor().executemany(sql, _in_order(_binds(columns), names, rows))

    @contextmanager
    def _told(self, sql: str) -> Iterator[None]:
        driver = self.dialect.loaded_dbapi
        try:
            yield
        except driver.Error as error:
            raise DBAPIError.instance(sql, None, error, driver.Error, dialect=self.dialect) from error


def among(of: ColumnElement[Any], dialect: Dialect) -> ColumnElement[bool]:
    """Whether a column of ids is one of the bound `ids`: a list on PostgreSQL, JSON text of it on SQLite."""
    if dialect.name == "postgresql":
        return of == func.any(bindparam("ids", type_=ARRAY(of.type)))
    values = func.json_each(bindparam("ids")).table_valued("value")
    return of.in_(select(values.c.value))


def as_text(of: Any, dialect: Dialect) -> ColumnElement[Any]:
    """An id as text, which is how SQLite keeps it already."""
    return cast(of, String).label(of.name) if dialect.name == "postgresql" else of


def _binds(columns: Sequence[str]) -> list[str]:
    return [*(f"new_{name}" for name in columns), "key"]


def _in_order(given: Sequence[str], wanted: Sequence[str], rows: Iterable[Plain]) -> Iterable[Plain]:
    if list(given) == list(wanted):
        return rows
    return map(itemgetter(*(list(given).index(name) for name in wanted)), rows)


@lru_cache
def _insertion(table: Table, columns: tuple[str, ...]) -> ClauseElement:
    return insert(table).values({name: bindparam(name) for name in columns})


@lru_cache
def _update(table: Table, columns: tuple[str, ...], is_postgres: bool) -> ClauseElement:
    if not is_postgres:
        new: dict[str, Any] = {name: bindparam(f"new_{name}") for name in columns}
        return update(table).where(table.c.id == bindparam("key")).values(new)
    names = [*columns, "id"]
    lists = [
        bindparam(bind, type_=ARRAY(table.c[name].type))
        for bind, name in zip(_binds(columns), names, strict=True)
    ]
    given = func.unnest(*lists).table_valued(
        *(column(name, table.c[name].type) for name in names), name="given"
    )
    given = given.render_derived()
    return update(table).where(table.c.id == given.c.id).values({name: given.c[name] for name in columns})


@lru_cache(maxsize=128)
def _compiled(statement: ClauseElement, dialect: Dialect) -> tuple[str, list[str], Mapping[str, Any]]:
    """The statement as the driver takes it, the order of its values, and those it came with."""
    compiled: Any = statement.compile(dialect=dialect)
    return (
        str(compiled),
        list(compiled.positiontup or ()),
        {name: value for name, value in compiled.params.items() if value is not None},
    )
