"""refunds asked of a payment provider

Revision b81d4f60a2c7, after 5e8f20c7a3d1.
"""

import sqlalchemy as sa
from alembic import op

revision = "b81d4f60a2c7"
down_revision = "5e8f20c7a3d1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "provider_refunds",
        sa.Column("id", big, autoincrement=True, nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("gesture_id", big, nullable=False),
        sa.Column("provider", sa.String(length=60), nullable=False),
        sa.Column("payment", sa.String(length=255), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("amount_cents", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("state", sa.String(length=60), nullable=False),
        sa.Column("provider_reference", sa.String(length=255), server_default="", nullable=False),
        sa.Column("failure", sa.Text(), server_default="", nullable=False),
        sa.Column("link", sa.Text(), server_default="", nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state in ('asked', 'unsure', 'sent', 'done', 'refused')",
            name=op.f("ck_provider_refunds_known_state"),
        ),
        sa.CheckConstraint("amount_cents > 0", name=op.f("ck_provider_refunds_amount_positive")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_provider_refunds_account_id_accounts")
        ),
        sa.ForeignKeyConstraint(
            ["gesture_id"], ["gestures.id"], name=op.f("fk_provider_refunds_gesture_id_gestures")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_refunds")),
        sa.UniqueConstraint("gesture_id", name=op.f("uq_provider_refunds_gesture_id")),
        sa.UniqueConstraint("key", name=op.f("uq_provider_refunds_key")),
    )
    with op.batch_alter_table("provider_refunds") as batch_op:
        batch_op.create_index("ix_provider_refunds_state", ["state", "id"])
        batch_op.create_index(batch_op.f("ix_provider_refunds_account_id"), ["account_id"])
        batch_op.create_index(batch_op.f("ix_provider_refunds_payment"), ["payment"])


def downgrade() -> None:
    op.drop_table("provider_refunds")
