"""embed: how often an opening was refused, by day and cause

Revision c58e20a7d1f4, after 9d3b71e4c6f2.
"""

import sqlalchemy as sa
from alembic import op

revision = "c58e20a7d1f4"
down_revision = "9d3b71e4c6f2"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "embed_refusals",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("reseller_id", sa.Uuid(), nullable=False),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("why", sa.String(length=60), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_claim", sa.String(length=60), nullable=False),
        sa.ForeignKeyConstraint(
            ["reseller_id"], ["resellers.id"], name=op.f("fk_embed_refusals_reseller_id_resellers")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_embed_refusals")),
        sa.UniqueConstraint(
            "reseller_id", "on_day", "why", name=op.f("uq_embed_refusals_reseller_id_on_day_why")
        ),
    )


def downgrade() -> None:
    op.drop_table("embed_refusals")
