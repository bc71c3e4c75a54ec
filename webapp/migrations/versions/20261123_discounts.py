"""discounts: what the operator takes off a subscription's prices

Revision d15c0a7e4b92, after e2f58b0c47d1.
"""

import sqlalchemy as sa
from alembic import op

revision = "d15c0a7e4b92"
down_revision = "e2f58b0c47d1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("subscriptions") as batch_op:
        batch_op.add_column(sa.Column("discounts", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("subscriptions") as batch_op:
        batch_op.drop_column("discounts")
