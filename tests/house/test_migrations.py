"""The migrations build what the models say, and can be taken back."""

import pytest
from alembic import command

from tests.support.database import alembic_config


@pytest.mark.usefixtures("empty_database")
def test_the_migrations_build_what_the_models_say(built_app):
    with built_app.app_context():
        command.check(alembic_config(built_app))


def test_there_is_one_line_of_migrations(built_app):
    from alembic.script import ScriptDirectory

    with built_app.app_context():
        heads = ScriptDirectory.from_config(alembic_config(built_app)).get_heads()
    assert len(heads) == 1, "two people wrote a migration: make one follow the other (down_revision)"
