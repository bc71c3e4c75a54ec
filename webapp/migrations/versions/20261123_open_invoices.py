"""dunning: the cause of a suspension beside its day, and an index of what is still to be paid

Revision 3f7c1d92ab54, after 5d20e8b1f7a4.
"""

import sqlalchemy as sa
from alembic import op

revision = "3f7c1d92ab54"
down_revision = "5d20e8b1f7a4"
branch_labels = None
depends_on = None

OPEN = "kind = 'invoice' and paid_cents < total_cents"


def upgrade() -> None:
    op.add_column("accounts", sa.Column("suspension_cause", sa.String(length=60), nullable=True))
    op.execute("update accounts set suspension_cause = 'unpaid' where suspended_on is not null")
    op.create_index(
        "ix_invoices_open",
        "invoices",
        ["account_id", "due_on"],
        sqlite_where=sa.text(OPEN),
        postgresql_where=sa.text(OPEN),
    )


def downgrade() -> None:
    op.drop_index("ix_invoices_open", table_name="invoices")
    with op.batch_alter_table("accounts") as batch:
        batch.drop_column("suspension_cause")
