"""gestures: what the team did for an account, and a later due date

Revision a7d3f15c9e20, after e4c7a90b13d8.
"""

import sqlalchemy as sa
from alembic import op

revision = "a7d3f15c9e20"
down_revision = "e4c7a90b13d8"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "gestures",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=60), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("documents", sa.JSON(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_by", sa.String(), nullable=True),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_gestures_account_id_accounts")
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscriptions.id"], name=op.f("fk_gestures_subscription_id_subscriptions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gestures")),
    )
    with op.batch_alter_table("gestures") as batch_op:
        batch_op.create_index("ix_gestures_account_made", ["account_id", "made_at"])
        batch_op.create_index(batch_op.f("ix_gestures_subscription_id"), ["subscription_id"])
    op.add_column("invoices", sa.Column("extended_until", sa.Date(), nullable=True))


def downgrade() -> None:
    op.drop_column("invoices", "extended_until")
    with op.batch_alter_table("gestures") as batch_op:
        batch_op.drop_index(batch_op.f("ix_gestures_subscription_id"))
        batch_op.drop_index("ix_gestures_account_made")
    op.drop_table("gestures")
