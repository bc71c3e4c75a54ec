"""How the portal talks to its database, with or without Flask.

A transaction writes unless it says otherwise. On SQLite it therefore starts with BEGIN IMMEDIATE: the
write lock is taken at the door, where waiting is possible, instead of at the first write, where SQLite can
only refuse. A reading transaction opens with a plain BEGIN and never waits for a writer; on PostgreSQL it
needs no transaction at all. See docs/decisions/0002-transactions.md.
"""

import sqlite3
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url

READING = "portal_reading"

PRAGMAS = (
    "PRAGMA busy_timeout = 5000",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -20000",
    "PRAGMA mmap_size = 268435456",
)


def engine_options(url: str) -> dict[str, Any]:
    """Options for `create_engine`, by kind of database."""
    if make_url(url).get_backend_name() == "sqlite":
        return {"connect_args": {"isolation_level": None, "timeout": 5}}
    return {"pool_size": 2, "max_overflow": 4, "pool_recycle": 1800, "skip_autocommit_rollback": True}


def prepare(engine: Engine) -> Engine:
    """Attach the connection settings to an engine made with `engine_options`."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_pragmas)
        event.listen(engine, "begin", _begin)
    return engine


def make_engine(url: str, **more: Any) -> Engine:
    """The engine of commands, workers and tests. `more` goes to `create_engine`."""
    return prepare(create_engine(url, **engine_options(url) | more))


def reading(engine: Engine) -> Engine:
    """The same engine and pool, for reading only."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(**{READING: True})
    return engine.execution_options(isolation_level="AUTOCOMMIT")


def _set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _begin(connection: Connection) -> None:
    reads = connection.get_execution_options().get(READING)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
