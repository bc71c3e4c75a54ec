"""jobs: work done by a process of its own, and the billing runs that each made

Revision b8e4d27f60a1, after f05b2e91c7d4.
"""

import sqlalchemy as sa
from alembic import op

revision = "b8e4d27f60a1"
down_revision = "f05b2e91c7d4"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True)
UNDER_WAY = sa.text("state in ('queued', 'running', 'paused')")


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=60), nullable=False),
        sa.Column("args", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=60), nullable=False),
        sa.Column("must_pause", sa.Boolean(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.Column("parent_id", NUMBER, nullable=True),
        sa.Column("preview_id", NUMBER, nullable=True),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=True),
        sa.Column("started_by", sa.String(), nullable=False),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("started_at", INSTANT, nullable=True),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.CheckConstraint(
            "state in ('queued', 'running', 'paused', 'done', 'failed')", name=op.f("ck_jobs_known_state")
        ),
        sa.ForeignKeyConstraint(["parent_id"], ["jobs.id"], name=op.f("fk_jobs_parent_id")),
        sa.ForeignKeyConstraint(["preview_id"], ["jobs.id"], name=op.f("fk_jobs_preview_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        sa.UniqueConstraint("preview_id", name=op.f("uq_jobs_preview_id")),
    )
    op.create_index("ix_jobs_kind", "jobs", ["kind", "id"])
    op.create_index("ix_jobs_parent_id", "jobs", ["parent_id"])
    op.create_index(
        "uq_jobs_under_way", "jobs", ["kind"], unique=True, postgresql_where=UNDER_WAY, sqlite_where=UNDER_WAY
    )
    op.create_table(
        "job_runs",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("job_id", NUMBER, nullable=False),
        sa.Column("run_id", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_runs_job_id")),
        sa.ForeignKeyConstraint(["run_id"], ["billing_runs.id"], name=op.f("fk_job_runs_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_runs")),
        sa.UniqueConstraint("run_id", name=op.f("uq_job_runs_run_id")),
    )
    op.create_index("ix_job_runs_job_id", "job_runs", ["job_id"])


def downgrade() -> None:
    op.drop_table("job_runs")
    op.drop_table("jobs")
