"""mandates: the texts that were signed; announcements of cards and mandates that end

Revision b4d71c96e830, after 3f7c1d92ab54.
"""

import sqlalchemy as sa
from alembic import op

from webapp.models.base import BigInt

revision = "b4d71c96e830"
down_revision = "3f7c1d92ab54"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mandate_documents",
        sa.Column("id", BigInt, autoincrement=True, nullable=False),
        sa.Column("mandate_id", BigInt, nullable=False),
        sa.Column("kind", sa.String(length=60), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("text_sealed", sa.Text(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["mandate_id"], ["mandates.id"], name="fk_mandate_documents_mandate_id"),
        sa.PrimaryKeyConstraint("id", name="pk_mandate_documents"),
    )
    op.create_index("ix_mandate_documents_mandate_id", "mandate_documents", ["mandate_id"])
    op.create_table(
        "method_announcements",
        sa.Column("id", BigInt, autoincrement=True, nullable=False),
        sa.Column("method_id", sa.Uuid(), nullable=False),
        sa.Column("stops_on", sa.Date(), nullable=False),
        sa.Column("days_before", sa.Integer(), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["method_id"], ["payment_methods.id"], name="fk_method_announcements_method_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_method_announcements"),
        sa.UniqueConstraint(
            "method_id",
            "stops_on",
            "days_before",
            name="uq_method_announcements_method_id_stops_on_days_before",
        ),
    )


def downgrade() -> None:
    op.drop_table("method_announcements")
    op.drop_index("ix_mandate_documents_mandate_id", "mandate_documents")
    op.drop_table("mandate_documents")
