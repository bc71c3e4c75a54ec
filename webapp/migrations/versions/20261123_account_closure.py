"""account closure: when an account's personal data were erased

Revision d9f4a2b7063c, after b18e6d30f5a4.
"""

import sqlalchemy as sa
from alembic import op

revision = "d9f4a2b7063c"
down_revision = "b18e6d30f5a4"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("accounts", sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("accounts") as batch:
        batch.drop_column("closed_at")
