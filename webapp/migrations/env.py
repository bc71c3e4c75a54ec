"""How Alembic reaches the database: the models' metadata, the application's engine, tables copied on SQLite."""

from alembic import context
from flask import current_app
from sqlalchemy import Connection

from webapp.models import Base
from webapp.models.base import Instant

migrate = current_app.extensions["migrate"]
engine = migrate.db.engine


def leave_out_empty(_context, _revision, directives) -> None:
    """`flask db migrate` writes no file when the models have not changed."""
    script = directives[0]
    if getattr(context.config.cmd_opts, "autogenerate", False) and script.upgrade_ops.is_empty():
        directives[:] = []
        print("The models have not changed: no migration written.")


def plain_types(kind, item, _autogen_context):
    """A migration names the database's types, not our own, which may change after it."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, Instant) else False


def run(connection: Connection) -> None:
    options = {
        "process_revision_directives": leave_out_empty,
        "render_item": plain_types,
        **migrate.configure_args,
    }
    options["render_as_batch"] = connection.dialect.name == "sqlite"
    options["transactional_ddl"] = True  # both databases undo a migration that fails half-way
    context.configure(connection=connection, target_metadata=Base.metadata, **options)
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    context.configure(
        url=engine.url.render_as_string(hide_password=False),
        target_metadata=Base.metadata,
        literal_binds=True,
    )
    with context.begin_transaction():
        context.run_migrations()
else:
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            # A table that is copied is dropped for a moment: what refers to it must not go with it.
            # The driver is asked directly, because inside a transaction this pragma does nothing.
            connection.connection.cursor().execute("PRAGMA foreign_keys = OFF")
        run(connection)
        connection.commit()
        connection.invalidate()  # the next user of the pool gets a connection with the usual settings
