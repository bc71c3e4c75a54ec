"""plan migrations: subscribers moved together to another version, and where each of them is

Revision 9d3b71e4c6f2, after 4fd81b6a92ce.
"""

import sqlalchemy as sa
from alembic import op

revision = "9d3b71e4c6f2"
down_revision = "4fd81b6a92ce"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "plan_migrations",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("from_version_id", NUMBER, nullable=False),
        sa.Column("to_version_id", NUMBER, nullable=False),
        sa.Column("wished_on", sa.Date(), nullable=False),
        sa.Column("notice_days", sa.Integer(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=60), nullable=False),
        sa.Column("published_by", sa.String(), nullable=False),
        sa.Column("published_at", INSTANT, nullable=False),
        sa.Column("cancelled_by", sa.String(), nullable=True),
        sa.Column("cancelled_at", INSTANT, nullable=True),
        sa.Column("job_id", NUMBER, nullable=True),
        sa.CheckConstraint("state in ('published', 'cancelled')", name=op.f("ck_plan_migrations_known_state")),
        sa.ForeignKeyConstraint(
            ["from_version_id"],
            ["plan_versions.id"],
            name=op.f("fk_plan_migrations_from_version_id_plan_versions"),
        ),
        sa.ForeignKeyConstraint(
            ["to_version_id"], ["plan_versions.id"], name=op.f("fk_plan_migrations_to_version_id_plan_versions")
        ),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_plan_migrations_job_id_jobs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_migrations")),
        sa.UniqueConstraint("key", name=op.f("uq_plan_migrations_key")),
    )
    op.create_table(
        "plan_moves",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("migration_id", NUMBER, nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(length=60), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=True),
        sa.Column("leave_until", sa.Date(), nullable=True),
        sa.Column("to_price_id", NUMBER, nullable=True),
        sa.Column("months", sa.Integer(), nullable=True),
        sa.Column("before_cents", sa.Integer(), nullable=True),
        sa.Column("after_cents", sa.Integer(), nullable=True),
        sa.Column("stays", sa.String(length=60), nullable=True),
        sa.Column("stays_until", sa.Date(), nullable=True),
        sa.Column("change_id", NUMBER, nullable=True),
        sa.Column("told_at", INSTANT, nullable=True),
        sa.Column("taken_back_at", INSTANT, nullable=True),
        sa.CheckConstraint(
            "state in ('planned', 'told', 'stays', 'taken_back')", name=op.f("ck_plan_moves_known_state")
        ),
        sa.ForeignKeyConstraint(
            ["migration_id"], ["plan_migrations.id"], name=op.f("fk_plan_moves_migration_id_plan_migrations")
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscriptions.id"], name=op.f("fk_plan_moves_subscription_id_subscriptions")
        ),
        sa.ForeignKeyConstraint(
            ["to_price_id"], ["plan_prices.id"], name=op.f("fk_plan_moves_to_price_id_plan_prices")
        ),
        sa.ForeignKeyConstraint(
            ["change_id"], ["scheduled_changes.id"], name=op.f("fk_plan_moves_change_id_scheduled_changes")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_moves")),
        sa.UniqueConstraint(
            "migration_id", "subscription_id", name=op.f("uq_plan_moves_migration_id_subscription_id")
        ),
    )
    op.create_index("ix_plan_moves_state", "plan_moves", ["migration_id", "state", "id"])
    op.create_index("ix_plan_moves_subscription_id", "plan_moves", ["subscription_id"])


def downgrade() -> None:
    op.drop_index("ix_plan_moves_subscription_id", "plan_moves")
    op.drop_index("ix_plan_moves_state", "plan_moves")
    op.drop_table("plan_moves")
    op.drop_table("plan_migrations")
