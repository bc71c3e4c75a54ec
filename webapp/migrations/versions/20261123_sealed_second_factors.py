"""second factors: their secrets are sealed, so that a copy of the database signs nobody in

Revision c41f7e08b2da, after d9f4a2b7063c.
"""

import sqlalchemy as sa
from alembic import op
from flask import current_app

revision = "c41f7e08b2da"
down_revision = "d9f4a2b7063c"
branch_labels = None
depends_on = None

FACTORS = sa.table("second_factors", sa.column("user_id", sa.Uuid()), sa.column("secret", sa.String()))


def upgrade() -> None:
    with op.batch_alter_table("second_factors") as batch:
        batch.alter_column(
            "secret", existing_type=sa.String(64), type_=sa.String(255), existing_nullable=False
        )
    _rewrite(current_app.extensions["portal_vault"].seal)


def downgrade() -> None:
    _rewrite(current_app.extensions["portal_vault"].open)
    with op.batch_alter_table("second_factors") as batch:
        batch.alter_column(
            "secret", existing_type=sa.String(255), type_=sa.String(64), existing_nullable=False
        )


def _rewrite(how) -> None:
    connection = op.get_bind()
    for user_id, secret in connection.execute(sa.select(FACTORS.c.user_id, FACTORS.c.secret)).all():
        connection.execute(FACTORS.update().where(FACTORS.c.user_id == user_id).values(secret=how(secret)))
