"""help answers: whether an article answered a question

Revision b18e6d30f5a4, after a7c2f85e41d9.
"""

import sqlalchemy as sa
from alembic import op

revision = "b18e6d30f5a4"
down_revision = "a7c2f85e41d9"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "help_answers",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("article", sa.String(length=60), nullable=False),
        sa.Column("language", sa.String(length=60), nullable=False),
        sa.Column("has_helped", sa.Boolean(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_help_answers_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_help_answers")),
    )
    op.create_index(op.f("ix_help_answers_account_id"), "help_answers", ["account_id"])
    op.create_index("ix_help_answers_article_at", "help_answers", ["article", "created_at"])


def downgrade() -> None:
    op.drop_table("help_answers")
