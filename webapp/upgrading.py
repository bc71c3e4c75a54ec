"""`flask db`, made when somebody asks for it: only migrations need Alembic, which takes megabytes of every process."""

import logging
from functools import cached_property
from typing import Any

import click
from flask import Flask

from webapp.extensions import db

KEY = "migrate"  # where Flask-Migrate and our `env.py` look


class _Later:
    """Stands where Flask-Migrate keeps its settings, and gives way to them at the first question."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    @cached_property
    def _made(self) -> Any:
        _keep_alembic_quiet()
        from flask_migrate import Migrate

        Migrate().init_app(
            self._app,
            db,
            directory=str(self._app.root_path) + "/migrations",
            # SQLite alters a table by copying it.
            render_as_batch=self._app.config["SQLALCHEMY_DATABASE_URI"].startswith("sqlite"),
            compare_type=True,
        )
        return self._app.extensions[KEY]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._made, name)


class _LaterGroup(click.Group):
    """The group of commands `db`, which is the real one as soon as it is called."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        _keep_alembic_quiet()
        from flask_migrate.cli import db as group

        context: click.Context = group.make_context(info_name, args, parent, **extra)
        return context


def _keep_alembic_quiet() -> None:
    """It names each of its parts when it is loaded."""
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)


def init_app(app: Flask) -> None:
    app.extensions[KEY] = _Later(app)
    app.cli.add_command(_LaterGroup("db", help="Perform database migrations."))
