"""revenue: recurring revenue at the ends of months, and the lines that serve on a day

`flask measure` fills the months that are over.

Revision c3f96d1e8b27, after b8e4d27f60a1.
"""

import sqlalchemy as sa
from alembic import op

revision = "c3f96d1e8b27"
down_revision = "b8e4d27f60a1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "revenue_days",
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("twelfths", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("subscriptions", sa.Integer(), nullable=False),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("on_day", name=op.f("pk_revenue_days")),
    )
    op.create_table(
        "revenue_points",
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("twelfths", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["on_day"], ["revenue_days.on_day"], name=op.f("fk_revenue_points_on_day_revenue_days")
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscriptions.id"],
            name=op.f("fk_revenue_points_subscription_id_subscriptions"),
        ),
        sa.PrimaryKeyConstraint("on_day", "subscription_id", name=op.f("pk_revenue_points")),
    )
    op.create_index("ix_revenue_points_subscription_id", "revenue_points", ["subscription_id"])
    op.create_index("ix_invoice_lines_period_end", "invoice_lines", ["period_end"])


def downgrade() -> None:
    op.drop_index("ix_invoice_lines_period_end", table_name="invoice_lines")
    op.drop_table("revenue_points")
    op.drop_table("revenue_days")
