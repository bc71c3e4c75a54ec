"""Whether PostgreSQL answers, and a database of its own for each test worker.

`python -m tests.support.postgres URL` exits with 0 when it can be used.
"""

import sys

from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import OperationalError


def _as_psycopg(url: str) -> URL:
    return make_url(url).set(drivername="postgresql+psycopg")


def is_reachable(url: str) -> bool:
    engine = create_engine(_as_psycopg(url), connect_args={"connect_timeout": 3})
    try:
        with engine.connect():
            return True
    except OperationalError:
        return False
    finally:
        engine.dispose()


def fresh_database(url: str, name: str) -> str:
    """Drop and create the database `name` on the server of `url`, and give its address."""
    drop_database(url, name)
    _on_server(url, f'CREATE DATABASE "{name}"')
    # What a test wrote need not survive a power cut: no commit waits for the disk.
    _on_server(url, f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    return _as_psycopg(url).set(database=name).render_as_string(hide_password=False)


def drop_database(url: str, name: str) -> None:
    _on_server(url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _on_server(url: str, statement: str) -> None:
    engine = create_engine(_as_psycopg(url), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


if __name__ == "__main__":
    sys.exit(0 if is_reachable(sys.argv[1]) else 1)
