"""Work that takes longer than a page: asked for by the team, done by a process of its own, followed while it runs."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.models.base import Base, BigInt, Code, NumberKey


class Job(Base):
    """One piece of work. `state` is queued, running, paused, done or failed.

    A process that was killed leaves its row "running": whether it still lives is asked of the lock that it holds, or,
    from another machine, of `seen_at` (services.jobs.is_dead). Only one of a kind is under way at a time.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint("state in ('queued', 'running', 'paused', 'done', 'failed')", name="known_state"),
        Index("ix_jobs_kind", "kind", "id"),
        Index(
            "uq_jobs_under_way",
            "kind",
            unique=True,
            postgresql_where=text("state in ('queued', 'running', 'paused')"),
            sqlite_where=text("state in ('queued', 'running', 'paused')"),
        ),
    )

    id: Mapped[NumberKey]
    kind: Mapped[Code]  # as services.jobs.KINDS
    args: Mapped[dict[str, Any]] = mapped_column(JSON)  # {on, account}, or {migration}
    state: Mapped[Code] = mapped_column(default="queued")
    must_pause: Mapped[bool] = mapped_column(default=False)  # read by the process between two pages
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    message: Mapped[str] = mapped_column(Text, default="")  # what it said, or what stopped it
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    # The job of which this one mends the failures: both are read on one page.
    parent_id: Mapped[int | None] = mapped_column(BigInt, ForeignKey("jobs.id"), index=True)
    # The preview that was confirmed: once.
    preview_id: Mapped[int | None] = mapped_column(BigInt, ForeignKey("jobs.id"), unique=True)
    host: Mapped[str] = mapped_column(default="")
    pid: Mapped[int | None]
    started_by: Mapped[str]
    asked_at: Mapped[datetime]
    started_at: Mapped[datetime | None]  # of the process at work, or of the last one
    seen_at: Mapped[datetime]  # of its last page
    ended_at: Mapped[datetime | None]


class JobRun(Base):
    """A billing run that a job made: several when it was paused, killed, or tried again."""

    __tablename__ = "job_runs"

    id: Mapped[NumberKey]
    job_id: Mapped[int] = mapped_column(BigInt, ForeignKey("jobs.id"), index=True)
    run_id: Mapped[int] = mapped_column(BigInt, ForeignKey("billing_runs.id"), unique=True)
