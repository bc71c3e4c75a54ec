"""events: give each its place in the feed, count the requests of a key, note which endpoint fails

Revision 93e1c4d70a2b, after b4d71c96e830.
"""

import sqlalchemy as sa
from alembic import op

revision = "93e1c4d70a2b"
down_revision = "b4d71c96e830"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
UNPUBLISHED = sa.text("position is null")


def upgrade() -> None:
    op.create_table(
        "publishing_marks",
        sa.Column("key", sa.String(length=60), nullable=False),
        sa.Column("last", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_publishing_marks")),
    )
    with op.batch_alter_table("events") as table:
        table.add_column(sa.Column("position", NUMBER, nullable=True))
        table.create_unique_constraint(op.f("uq_events_position"), ["position"])
    op.create_index(
        "ix_events_unpublished", "events", ["id"], sqlite_where=UNPUBLISHED, postgresql_where=UNPUBLISHED
    )
    op.add_column("api_keys", sa.Column("window_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("api_keys", sa.Column("window_count", sa.Integer(), server_default="0", nullable=False))
    op.add_column("webhook_endpoints", sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("webhook_endpoints", sa.Column("flagged_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("webhook_endpoints", "flagged_at")
    op.drop_column("webhook_endpoints", "failing_since")
    op.drop_column("api_keys", "window_count")
    op.drop_column("api_keys", "window_at")
    op.drop_index("ix_events_unpublished", "events")
    with op.batch_alter_table("events") as table:
        table.drop_constraint(op.f("uq_events_position"), type_="unique")
        table.drop_column("position")
    op.drop_table("publishing_marks")
