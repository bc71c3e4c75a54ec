"""Reading plain rows: a statement made once, on tables rather than entities, costs a third of an ORM query."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import CompoundSelect, Connection, Row, Select, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

AnyRow = Row[*tuple[Any, ...]]  # columns by name: what each is stands in the statement it came from


def read(
    session: Session,
    statement: Select[*tuple[Any, ...]] | CompoundSelect[*tuple[Any, ...]],
    values: Mapping[str, Any],
) -> Sequence[AnyRow]:
    """The rows of a statement on tables, in the transaction of the session, what it holds written first."""
    session.flush()
    return _connection(session).execute(statement, values).all()


def _connection(session: Session) -> Connection:
    """The connection of the transaction at hand, which SQLAlchemy looks for at each call."""
    transaction = session.get_transaction()
    kept = session.info.get("reading")
    if kept is None or transaction is None or kept[0] is not transaction:
        connection = session.connection()
        kept = session.info["reading"] = (session.get_transaction(), connection)
    found: Connection = kept[1]
    return found


class rows_as_json(FunctionElement[str]):  # noqa: N801  # an SQL function is named like one
    """All rows of these columns as one JSON text, an array of arrays in no order: a second list in one statement."""

    type = Text()
    inherit_cache = True


@compiles(rows_as_json, "sqlite")
def _rows_as_json_sqlite(element: rows_as_json, compiler: SQLCompiler, **kw: Any) -> str:
    return f"json_group_array(json_array({compiler.process(element.clauses, **kw)}))"


@compiles(rows_as_json, "postgresql")
def _rows_as_json_postgresql(element: rows_as_json, compiler: SQLCompiler, **kw: Any) -> str:
    return f"coalesce(json_agg(json_build_array({compiler.process(element.clauses, **kw)}))::text, '[]')"
