"""billing details: why the payment method chosen does not pay these days

Revision e2f58b0c47d1, after a90c5be27d14.
"""

import sqlalchemy as sa
from alembic import op

revision = "e2f58b0c47d1"
down_revision = "a90c5be27d14"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("billing_details", sa.Column("payment_problem", sa.String(length=60), nullable=True))


def downgrade() -> None:
    op.drop_column("billing_details", "payment_problem")
