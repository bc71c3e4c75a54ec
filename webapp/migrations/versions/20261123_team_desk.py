"""team: words to find accounts by, notes for colleagues, reading an account as its client

`flask reindex` fills the words of the accounts that are there already.

Revision e4c7a90b13d8, after d15c0a7e4b92.
"""

import sqlalchemy as sa
from alembic import op

revision = "e4c7a90b13d8"
down_revision = "d15c0a7e4b92"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "search_terms",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=60), nullable=False),
        sa.Column(
            "term",
            sa.String(length=120).with_variant(sa.String(length=120, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("shown", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_search_terms_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_terms")),
    )
    op.create_index("ix_search_terms_term", "search_terms", ["term"])
    op.create_index("ix_search_terms_account_term", "search_terms", ["account_id", "term"])
    op.create_table(
        "account_notes",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("written_by", sa.String(), nullable=False),
        sa.Column("written_by_id", sa.Uuid(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_account_notes_account_id")),
        sa.ForeignKeyConstraint(["written_by_id"], ["users.id"], name=op.f("fk_account_notes_written_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_notes")),
    )
    op.create_index("ix_account_notes_account", "account_notes", ["account_id", "id"])
    with op.batch_alter_table("login_sessions") as batch:
        batch.add_column(sa.Column("viewing_account_id", sa.Uuid(), nullable=True))
        batch.add_column(sa.Column("viewing_role", sa.String(length=60), nullable=True))
        batch.add_column(sa.Column("viewing_since", sa.DateTime(timezone=True), nullable=True))
        batch.create_foreign_key(
            op.f("fk_login_sessions_viewing_account_id"), "accounts", ["viewing_account_id"], ["id"]
        )


def downgrade() -> None:
    with op.batch_alter_table("login_sessions") as batch:
        batch.drop_constraint(op.f("fk_login_sessions_viewing_account_id"), type_="foreignkey")
        batch.drop_column("viewing_since")
        batch.drop_column("viewing_role")
        batch.drop_column("viewing_account_id")
    op.drop_table("account_notes")
    op.drop_table("search_terms")
