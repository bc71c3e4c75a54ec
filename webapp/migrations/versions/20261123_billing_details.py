"""billing details: several invoice addresses, the register's answer, the accountant's address to confirm

Revision 8a41c0d7be15, after 6d1584d756a6.
"""

import sqlalchemy as sa
from alembic import op

revision = "8a41c0d7be15"
down_revision = "6d1584d756a6"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("billing_details") as batch:
        batch.add_column(sa.Column("other_invoice_emails", sa.JSON(), server_default="[]", nullable=False))
        batch.add_column(sa.Column("vat_check", sa.String(length=60), nullable=True))
        batch.add_column(sa.Column("vat_checked_at", sa.DateTime(timezone=True), nullable=True))
        batch.add_column(sa.Column("vat_consultation", sa.String(), nullable=True))
    op.create_table(
        "email_checks",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_email_checks_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_email_checks")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_email_checks_token_hash")),
    )
    op.create_index(op.f("ix_email_checks_account_id"), "email_checks", ["account_id"])


def downgrade() -> None:
    op.drop_table("email_checks")
    with op.batch_alter_table("billing_details") as batch:
        for name in ("vat_consultation", "vat_checked_at", "vat_check", "other_invoice_emails"):
            batch.drop_column(name)
