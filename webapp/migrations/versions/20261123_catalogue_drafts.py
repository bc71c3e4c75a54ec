"""catalogue drafts: what the team prepares before publishing it

Revision 4fd81b6a92ce, after 7b1d4e9a60f2.
"""

import sqlalchemy as sa
from alembic import op

revision = "4fd81b6a92ce"
down_revision = "7b1d4e9a60f2"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "catalogue_drafts",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("state", sa.String(length=60), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=True),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("base", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("started_by", sa.String(), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.Column("closed_by", sa.String(), nullable=True),
        sa.Column("closed_at", INSTANT, nullable=True),
        sa.Column("closing_key", sa.String(), nullable=True),
        sa.CheckConstraint(
            "state in ('open', 'published', 'abandoned')", name=op.f("ck_catalogue_drafts_known_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalogue_drafts")),
    )
    op.create_index(
        "ix_catalogue_drafts_state_changed_at", "catalogue_drafts", ["state", "changed_at"], unique=False
    )


def downgrade() -> None:
    op.drop_table("catalogue_drafts")
