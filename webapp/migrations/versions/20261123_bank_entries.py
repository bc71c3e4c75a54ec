"""bank entries: read before they are matched, found by what the bank names; an invoice found by its communication

Revision a90c5be27d14, after 93e1c4d70a2b.
"""

import sqlalchemy as sa
from alembic import op

revision = "a90c5be27d14"
down_revision = "93e1c4d70a2b"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("bank_files", sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("update bank_files set finished_at = received_at")
    op.add_column("collections", sa.Column("amendment", sa.JSON(), nullable=True))
    with op.batch_alter_table("bank_entries") as batch:
        batch.add_column(
            sa.Column("is_direct_debit", sa.Boolean(), server_default=sa.false(), nullable=False)
        )
        batch.add_column(sa.Column("note", sa.Text(), server_default="", nullable=False))
        batch.drop_index("ix_bank_entries_file_id")
        batch.drop_constraint(op.f("ck_bank_entries_known_state"), type_="check")
        batch.create_check_constraint(
            op.f("ck_bank_entries_known_state"),
            "state in ('new', 'matched', 'unmatched', 'ignored', 'alert')",
        )
        batch.create_index("ix_bank_entries_in_order", ["file_id", "booked_on", "key"])
        batch.create_index("ix_bank_entries_end_to_end_id", ["end_to_end_id"])
    with op.batch_alter_table("bank_entries") as batch:
        batch.alter_column("is_direct_debit", server_default=None)
    op.create_index("ix_invoices_ogm", "invoices", ["ogm"])


def downgrade() -> None:
    op.drop_index("ix_invoices_ogm", table_name="invoices")
    op.execute("update bank_entries set state = 'unmatched' where state = 'new'")
    with op.batch_alter_table("bank_entries") as batch:
        batch.drop_index("ix_bank_entries_end_to_end_id")
        batch.drop_index("ix_bank_entries_in_order")
        batch.drop_constraint(op.f("ck_bank_entries_known_state"), type_="check")
        batch.create_check_constraint(
            op.f("ck_bank_entries_known_state"),
            "state in ('matched', 'unmatched', 'ignored', 'alert')",
        )
        batch.create_index("ix_bank_entries_file_id", ["file_id"])
        batch.drop_column("note")
        batch.drop_column("is_direct_debit")
    op.drop_column("collections", "amendment")
    op.drop_column("bank_files", "finished_at")
