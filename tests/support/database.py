"""The database of one test worker: made once by the real migrations, clean again before each test."""

import shutil
from pathlib import Path

from alembic import command
from alembic.config import Config
from flask import Flask
from sqlalchemy import Engine, text

from webapp.extensions import db
from webapp.models import Base

MIGRATIONS = Path(__file__).resolve().parents[2] / "webapp" / "migrations"


def create_schema(app: Flask) -> None:
    """Bring an empty database to the newest revision."""
    with app.app_context():
        command.upgrade(alembic_config(app), "head")
        db.engine.dispose()


def alembic_config(app: Flask) -> Config:
    config: Config = app.extensions["migrate"].migrate.get_config(str(MIGRATIONS))
    config.print_stdout = lambda *_: None  # type: ignore[method-assign, assignment]
    return config


FILLED = " UNION ALL ".join(
    f"SELECT '{table.name}' WHERE EXISTS (SELECT 1 FROM \"{table.name}\")"
    for table in Base.metadata.sorted_tables
)
LENGTH, ONE_PAGE = text("SELECT pg_relation_size(CAST(:name AS regclass))"), 8192
USED_SEQUENCES = """
    SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)
    FROM pg_sequences WHERE last_value IS NOT NULL
"""


class Cleaner:
    """Takes the database back to its empty schema: a file copied on SQLite, tables emptied on PostgreSQL.

    On PostgreSQL the triggers and foreign keys sleep meanwhile, which only a superuser may ask for.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.template: Path | None = None
        if engine.dialect.name == "sqlite":
            with engine.connect() as connection:
                connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
            engine.dispose()
            self.template = self.file.with_suffix(".template")
            shutil.copyfile(self.file, self.template)

    @property
    def file(self) -> Path:
        assert self.engine.url.database is not None
        return Path(self.engine.url.database)

    def clean(self) -> None:
        if self.template is not None:
            self.engine.dispose()
            for leftover in ("-wal", "-shm"):
                Path(f"{self.file}{leftover}").unlink(missing_ok=True)
            shutil.copyfile(self.template, self.file)
            return
        with self.engine.begin() as connection:
            # Emptying what was filled costs a hundredth of a TRUNCATE of every table, which makes new files for each.
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            filled = connection.scalars(text(FILLED)).all()
            for name in filled:
                connection.execute(text(f'DELETE FROM "{name}"'))
            connection.execute(text(USED_SEQUENCES))
            long = [name for name in filled if connection.scalar(LENGTH, {"name": f'"{name}"'}) > ONE_PAGE]
        if long:
            # So that rows lie again in the order in which a test writes them, as they do in a new table.
            with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("VACUUM " + ", ".join(f'"{name}"' for name in long)))
