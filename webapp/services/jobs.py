"""Work done by a process of its own: asked for once, followed, paused, taken up again after a death.

What a job does is the door's affair (`webapp.executing`): here is what is written about it. Each kind of work may be
killed and started again, or started twice, without doing anything twice; that only one of a kind is under way keeps
people from waiting for each other, and is the database's to hold.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp.domain.access import Actor
from webapp.models.jobs import Job, JobRun
from webapp.services import audit

BILL, BILL_ONE, PREVIEW, INVARIANTS = "bill", "bill_account", "bill_preview", "invariants"
MIGRATE = "migrate"
# The other commands of the operator, in the order of a night.
COMMANDS = (
    "renew",
    "announce",
    "send-invoices",
    "collect",
    "charge",
    "remind",
    "send-documents",
    "send-mail",
)
# What a command would do, in figures, before it is started: each has its own, so that nobody waits for another's.
COMMAND_PREVIEWS = {f"preview-{command}": command for command in COMMANDS}
KINDS = (BILL, BILL_ONE, PREVIEW, INVARIANTS, MIGRATE, *COMMANDS, *COMMAND_PREVIEWS)
UNDER_WAY = ("queued", "running", "paused")
LONG_SILENT = timedelta(minutes=10)  # without a page, on another machine: as a billing run
TIME_TO_START = timedelta(seconds=60)  # a process that has not begun by then never will
LONGEST_MESSAGE = 4000

# Whether a living process of this machine does the job, or has ended it since its row was read.
IsHeld = Callable[[Job], bool]


class AlreadyUnderWay(Exception):
    """One of this kind is not over: it is `job_id`."""

    def __init__(self, job_id: int) -> None:
        super().__init__(job_id)
        self.job_id = job_id


class JobNotFound(LookupError):
    """No such job: the door answers 404."""


# ── What people ask ──────────────────────────────────────────────────────────────────────────────────────────────


def ask(
    session: Session,
    kind: str,
    args: dict[str, Any],
    actor: Actor,
    now: datetime,
    *,
    parent_id: int | None = None,
    preview_id: int | None = None,
) -> Job:
    """Write down what is asked; its process is the caller's to start, after the commit.

    Confirming a preview again answers the job that it began. Raises AlreadyUnderWay.
    """
    if preview_id is not None:
        begun = session.scalars(select(Job).where(Job.preview_id == preview_id)).first()
        if begun is not None:
            return begun
    _ensure_free(session, kind)
    job = Job(
        kind=kind,
        args=args,
        parent_id=parent_id,
        preview_id=preview_id,
        started_by=actor.name,
        asked_at=now,
        seen_at=now,
    )
    try:
        with session.begin_nested():
            session.add(job)
            session.flush()
    except IntegrityError:  # at the same moment, by somebody else
        if preview_id is not None:
            begun = session.scalars(select(Job).where(Job.preview_id == preview_id)).first()
            if begun is not None:
                return begun
        _ensure_free(session, kind)
        raise
    _note(session, actor, job, "asked", now)
    return job


def pause(session: Session, job_id: int, actor: Actor, now: datetime) -> Job:
    """Ask the process to stop after the page at hand. Nothing happens to what is not under way."""
    job = _locked(session, job_id)
    if job.state in ("queued", "running") and not job.must_pause:
        job.must_pause = True
        _note(session, actor, job, "paused", now)
    return job


def resume(
    session: Session, job_id: int, actor: Actor, now: datetime, is_held: IsHeld, host: str
) -> tuple[Job, bool]:
    """Take up again what was paused, interrupted, or stopped by a fault. Answers whether a process must be started.

    Raises AlreadyUnderWay when another of its kind has begun since.
    """
    job = _locked(session, job_id)
    if job.state == "running" and job.must_pause and not is_dead(job, now, is_held, host):
        job.must_pause = False  # not paused yet: it goes on
        return job, False
    if not may_be_resumed(job, now, is_held, host):
        return job, False
    if job.state == "failed":
        _ensure_free(session, job.kind)
    job.state, job.must_pause, job.message, job.ended_at, job.seen_at = "queued", False, "", None, now
    session.flush()
    _note(session, actor, job, "resumed", now)
    return job, True


# ── What the process says ────────────────────────────────────────────────────────────────────────────────────────


def claim(session: Session, job_id: int, host: str, pid: int, now: datetime) -> Job | None:
    """Take the job in hand, or None: another process has."""
    taken = session.execute(
        update(Job)
        .where(Job.id == job_id, Job.state == "queued")
        .values(state="running", host=host, pid=pid, started_at=now, seen_at=now)
    )
    return get(session, job_id) if taken.rowcount else None  # type: ignore[attr-defined]


def progress(session: Session, job_id: int, done: int, total: int, now: datetime) -> bool:
    """Note how far the process is, and that it lives. Answers whether it is asked to pause."""
    session.execute(update(Job).where(Job.id == job_id).values(done=done, total=total, seen_at=now))
    return bool(session.scalar(select(Job.must_pause).where(Job.id == job_id)))


def link_run(session: Session, job_id: int, run_id: int) -> None:
    """A billing run of this job has begun: in the transaction that writes its row."""
    session.add(JobRun(job_id=job_id, run_id=run_id))
    session.flush()


def finish(
    session: Session, job_id: int, state: str, now: datetime, message: str = "", result: Any = None
) -> None:
    """The process is at its end: done, failed or paused."""
    job = _locked(session, job_id)
    job.state, job.message, job.must_pause = state, message[:LONGEST_MESSAGE], False
    job.seen_at = now
    job.ended_at = None if state == "paused" else now
    if result is not None:
        job.result = result
    session.flush()


# ── What pages read ──────────────────────────────────────────────────────────────────────────────────────────────


def get(session: Session, job_id: int) -> Job:
    """Raises JobNotFound."""
    job = session.get(Job, job_id, populate_existing=True)
    if job is None:
        raise JobNotFound(job_id)
    return job


def family(session: Session, job: Job) -> list[Job]:
    """The job and those that mend its failures, oldest first."""
    statement = select(Job).where(Job.parent_id == job.id).order_by(Job.id)
    return [job, *session.scalars(statement)]


def latest(session: Session, kinds: Sequence[str]) -> dict[str, Job]:
    """The last of each kind, in one statement."""
    newest = select(func.max(Job.id)).where(Job.kind.in_(kinds)).group_by(Job.kind)
    found = session.scalars(select(Job).where(Job.id.in_(newest)))
    return {job.kind: job for job in found}


def is_dead(job: Job, now: datetime, is_held: IsHeld, host: str) -> bool:
    """Whether the process that should be at work is not there any more, or never came."""
    if job.state == "queued":
        return now - job.seen_at > TIME_TO_START and not is_held(job)
    if job.state != "running":
        return False
    return not is_held(job) if job.host == host else now - job.seen_at > LONG_SILENT


def may_be_resumed(job: Job, now: datetime, is_held: IsHeld, host: str) -> bool:
    return job.state in ("paused", "failed") or is_dead(job, now, is_held, host)


def _ensure_free(session: Session, kind: str) -> None:
    other = session.scalar(select(Job.id).where(Job.kind == kind, Job.state.in_(UNDER_WAY)))
    if other is not None:
        raise AlreadyUnderWay(other)


def _locked(session: Session, job_id: int) -> Job:
    statement = select(Job).where(Job.id == job_id).with_for_update()
    job = session.scalars(statement.execution_options(populate_existing=True)).first()
    if job is None:
        raise JobNotFound(job_id)
    return job


def _note(session: Session, actor: Actor, job: Job, what: str, now: datetime) -> None:
    audit.record(session, actor, None, f"job.{what}", job.kind, {}, {"job": job.id, **job.args}, now)
