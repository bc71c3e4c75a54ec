"""revenue: how it moved between measured days, kept

Revision d2f7b6a0e915, after 7d2c94b1e6f8.
"""

import sqlalchemy as sa
from alembic import op

revision = "d2f7b6a0e915"
down_revision = "7d2c94b1e6f8"
branch_labels = None
depends_on = None


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "revenue_moves",
        sa.Column("id", big, autoincrement=True, nullable=False),
        sa.Column("since_on", sa.Date(), nullable=False),
        sa.Column("until_on", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(length=60), nullable=False),
        sa.Column("reseller_id", sa.Uuid(), nullable=True),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("before", big, nullable=False),
        sa.Column("after", big, nullable=False),
        sa.ForeignKeyConstraint(
            ["since_on"], ["revenue_days.on_day"], name=op.f("fk_revenue_moves_since_on_revenue_days")
        ),
        sa.ForeignKeyConstraint(
            ["until_on"], ["revenue_days.on_day"], name=op.f("fk_revenue_moves_until_on_revenue_days")
        ),
        sa.ForeignKeyConstraint(
            ["reseller_id"], ["resellers.id"], name=op.f("fk_revenue_moves_reseller_id_resellers")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revenue_moves")),
    )
    op.create_index("ix_revenue_moves_days", "revenue_moves", ["since_on", "until_on"])
    op.create_index("ix_revenue_moves_until_on", "revenue_moves", ["until_on"])


def downgrade() -> None:
    op.drop_table("revenue_moves")
