"""requests: what clients ask of the team, what was said about it, replies kept ready; mails that belong together

Revision f05b2e91c7d4, after a7d3f15c9e20.
"""

import sqlalchemy as sa
from alembic import op

revision = "f05b2e91c7d4"
down_revision = "a7d3f15c9e20"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "client_requests",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.String(length=60), nullable=False),
        sa.Column("state", sa.String(length=60), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("quotation_id", NUMBER, nullable=True),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("asked_by_id", sa.Uuid(), nullable=True),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("language", sa.String(length=60), nullable=False),
        sa.Column("assignee_id", sa.Uuid(), nullable=True),
        sa.Column("opened_at", INSTANT, nullable=False),
        sa.Column("last_at", INSTANT, nullable=False),
        sa.Column("waiting_since", INSTANT, nullable=True),
        sa.Column("closed_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_client_requests_account_id")),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscriptions.id"], name=op.f("fk_client_requests_subscription_id")
        ),
        sa.ForeignKeyConstraint(
            ["quotation_id"], ["quotations.id"], name=op.f("fk_client_requests_quotation_id")
        ),
        sa.ForeignKeyConstraint(["asked_by_id"], ["users.id"], name=op.f("fk_client_requests_asked_by_id")),
        sa.ForeignKeyConstraint(["assignee_id"], ["users.id"], name=op.f("fk_client_requests_assignee_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_requests")),
    )
    op.create_index("ix_client_requests_account_id", "client_requests", ["account_id", "id"])
    op.create_index("ix_client_requests_assignee_id", "client_requests", ["assignee_id"])
    op.create_index("ix_client_requests_quotation_id", "client_requests", ["quotation_id"])
    op.create_index("ix_client_requests_state_last_at", "client_requests", ["state", "last_at"])
    op.create_index("ix_client_requests_waiting_since", "client_requests", ["waiting_since"])
    op.create_table(
        "request_entries",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("request_id", NUMBER, nullable=False),
        sa.Column("side", sa.String(length=60), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("written_by", sa.String(), nullable=False),
        sa.Column("written_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"], ["client_requests.id"], name=op.f("fk_request_entries_request_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_request_entries")),
    )
    op.create_index("ix_request_entries_request_id", "request_entries", ["request_id", "id"])
    op.create_table(
        "saved_replies",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("texts", sa.JSON(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_replies")),
        sa.UniqueConstraint("name", name=op.f("uq_saved_replies_name")),
    )
    with op.batch_alter_table("outbox_messages") as batch:
        batch.add_column(sa.Column("thread", sa.String(length=60), nullable=True))
        batch.add_column(sa.Column("reply_to", sa.String(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("outbox_messages") as batch:
        batch.drop_column("reply_to")
        batch.drop_column("thread")
    op.drop_table("saved_replies")
    op.drop_table("request_entries")
    op.drop_table("client_requests")
