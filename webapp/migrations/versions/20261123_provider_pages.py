"""checkout: keep the address of a provider's page, which payment a notice names, and the mandate that a provider holds

Revision 5d20e8b1f7a4, after 7be2f4a9c610.
"""

import sqlalchemy as sa
from alembic import op

revision = "5d20e8b1f7a4"
down_revision = "7be2f4a9c610"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("checkout_sessions", sa.Column("address", sa.Text(), nullable=True))
    op.add_column(
        "provider_events",
        sa.Column("reference", sa.String(length=255), server_default="", nullable=False),
    )
    op.add_column(
        "payment_methods",
        sa.Column("provider_mandate", sa.String(length=35), server_default="", nullable=False),
    )


def downgrade() -> None:
    op.drop_column("payment_methods", "provider_mandate")
    op.drop_column("provider_events", "reference")
    op.drop_column("checkout_sessions", "address")
