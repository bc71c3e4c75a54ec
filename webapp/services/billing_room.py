"""What the team reads of the billing: its runs and whom they set aside, the series, and what waits elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import func, literal, select, union_all
from sqlalchemy.orm import Session

from webapp.models.accounts import Account
from webapp.models.billing_runs import BillingRun, BillingRunFailure
from webapp.models.documents import InvoiceDocument
from webapp.models.invoices import Invoice, Issuer, Series
from webapp.models.jobs import Job, JobRun
from webapp.models.payments import BankEntry, DebitBatch
from webapp.models.records import OutboxMessage
from webapp.models.subscriptions import Subscription
from webapp.services import jobs
from webapp.services.billing_run import LONG_SILENT
from webapp.services.jobs import IsHeld

MOST_FAILURES = 200  # told on one page
PAGE = 20  # runs of the list
DOCUMENTS = ("ready", "validated", "queued", "held", "failed", "rejected")  # that have not arrived


class RunNotFound(LookupError):
    """No such run: the door answers 404."""


@dataclass(frozen=True, slots=True)
class Failing:
    """An account that could not be billed and still is not. `facts` are {subject, field, code}."""

    account: str  # its reference
    name: str
    code: str
    facts: tuple[dict[str, str], ...]
    detail: str
    is_tried: bool = False  # a new try is under way


@dataclass(frozen=True, slots=True)
class Progress:
    """A billing run as people follow it: paused, taken up again and mended, it stays one run to them.

    `state` is queued, running, pausing, paused, interrupted, failed or done; counts are of subscriptions.
    """

    on: date
    account: str | None
    state: str
    total: int
    done: int
    documents: int
    total_cents: int
    failing: tuple[Failing, ...]
    failed: int  # how many, told or not
    message: str
    started_by: str
    started_at: datetime
    ended_at: datetime | None
    left: timedelta | None  # about how long it still takes
    last_id: int | None  # the job to pause or to take up again

    @property
    def is_live(self) -> bool:
        return self.state in ("queued", "running", "pausing")

    @property
    def percent(self) -> int:
        return 100 * self.done // self.total if self.total else 100 if self.state == "done" else 0


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the list: a run that was asked for here (`job_id`), or by the command (`run_id`)."""

    job_id: int | None
    run_id: int | None
    on: date
    account: str | None
    state: str
    documents: int
    total_cents: int
    failed: int
    started_at: datetime
    started_by: str


@dataclass(frozen=True, slots=True)
class Numbered:
    """A series of one year: `missing` numbers were drawn and are not there, none in any sound database."""

    issuer: str
    prefix: str
    year: int
    last_number: int
    last_issued_on: date | None
    count: int

    @property
    def missing(self) -> int:
        return self.last_number - self.count


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits elsewhere, in numbers."""

    due: int = 0  # subscriptions
    unmatched: int = 0
    alerts: int = 0
    batches: int = 0
    mails: int = 0
    documents: dict[str, int] = field(default_factory=dict)  # by state

    @property
    def documents_to_send(self) -> int:
        return sum(self.documents.get(state, 0) for state in ("ready", "validated", "queued"))

    @property
    def documents_to_see(self) -> int:
        return sum(self.documents.get(state, 0) for state in ("held", "failed", "rejected"))


def due_count(session: Session, on: date, account: str | None = None) -> int:
    """How many subscriptions a run up to `on` would find due."""
    wanted = select(func.count()).select_from(Subscription)
    wanted = wanted.where(Subscription.status == "active", Subscription.due_on <= on)
    if account is not None:
        wanted = wanted.join(Account).where(Account.reference == account)
    return session.scalar(wanted) or 0


def account_exists(session: Session, reference: str) -> bool:
    return session.scalar(select(Account.id).where(Account.reference == reference)) is not None


# ── Runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def of_job(session: Session, job: Job, now: datetime, is_held: IsHeld, host: str) -> Progress:
    """The run that this job began, with all that took it up or mended it."""
    members = jobs.family(session, job)
    runs = list(
        session.scalars(
            select(BillingRun)
            .join(JobRun, JobRun.run_id == BillingRun.id)
            .where(JobRun.job_id.in_([each.id for each in members]))
            .order_by(BillingRun.id)
        )
    )
    on = date.fromisoformat(job.args["on"])
    live = [
        each
        for each in members
        if each.state in ("queued", "running") and not jobs.is_dead(each, now, is_held, host)
    ]
    last = (
        live[-1] if live else next((each for each in reversed(members) if each.state != "done"), members[-1])
    )
    tried = {str(each.args.get("account")) for each in live if each.id != job.id}
    failing, failed = _failing(session, [run.id for run in runs], on, tried)
    dead = jobs.is_dead(last, now, is_held, host)
    state = (
        "interrupted" if dead else "pausing" if last.state == "running" and last.must_pause else last.state
    )
    total = max([run.due for run in runs[:1]] + [job.total])
    billed = sum(run.billed + run.skipped for run in runs)
    done = min(total, billed + failed)
    return Progress(
        on=on,
        account=job.args.get("account"),
        state=state,
        total=total,
        done=total if state == "done" else done,
        documents=sum(run.documents for run in runs),
        total_cents=sum(run.total_cents for run in runs),
        failing=failing,
        failed=failed,
        message=last.message,
        started_by=job.started_by,
        started_at=job.started_at or job.asked_at,
        ended_at=max((each.ended_at for each in members if each.ended_at), default=None),
        left=_left(runs[-1], now) if runs and state == "running" else None,
        last_id=last.id,
    )


def of_run(session: Session, run_id: int, now: datetime) -> Progress:
    """A run that the command made. Raises RunNotFound."""
    run = session.get(BillingRun, run_id)
    if run is None:
        raise RunNotFound(run_id)
    failing, failed = _failing(session, [run.id], run.run_on, set())
    state = _state_of(run, now)
    return Progress(
        on=run.run_on,
        account=run.account_reference,
        state=state,
        total=run.due,
        done=run.billed + run.skipped + run.failed,
        documents=run.documents,
        total_cents=run.total_cents,
        failing=failing,
        failed=failed,
        message=f"other\n{run.error}" if run.error else "",
        started_by="",
        started_at=run.started_at,
        ended_at=run.finished_at,
        left=_left(run, now) if state == "running" else None,
        last_id=None,
    )


def job_of_run(session: Session, run_id: int) -> int | None:
    """The job that a run belongs to: the first of its family."""
    statement = select(func.coalesce(Job.parent_id, Job.id)).join(JobRun, JobRun.job_id == Job.id)
    return session.scalar(statement.where(JobRun.run_id == run_id))


def listed(session: Session, now: datetime, is_held: IsHeld, host: str) -> list[Listed]:
    """The latest runs, newest first: two statements whatever their number."""
    of_jobs = (
        select(
            func.coalesce(Job.parent_id, Job.id).label("job_id"),
            func.sum(BillingRun.documents).label("documents"),
            func.sum(BillingRun.total_cents).label("total_cents"),
        )
        .join(JobRun, JobRun.job_id == Job.id)
        .join(BillingRun, BillingRun.id == JobRun.run_id)
        .group_by(func.coalesce(Job.parent_id, Job.id))
        .subquery()
    )
    found: list[Listed] = []
    statement = (
        select(Job, of_jobs.c.documents, of_jobs.c.total_cents)
        .outerjoin(of_jobs, of_jobs.c.job_id == Job.id)
        .where(Job.kind.in_((jobs.BILL, jobs.BILL_ONE)), Job.parent_id.is_(None))
        .order_by(Job.id.desc())
        .limit(PAGE)
    )
    for job, documents, total_cents in session.execute(statement):
        state = "interrupted" if jobs.is_dead(job, now, is_held, host) else job.state
        found.append(
            Listed(
                job.id,
                None,
                date.fromisoformat(job.args["on"]),
                job.args.get("account"),
                state,
                int(documents or 0),
                int(total_cents or 0),  # a sum is a Decimal on PostgreSQL
                int((job.result or {}).get("failed", 0)),
                job.started_at or job.asked_at,
                job.started_by,
            )
        )
    by_command = (
        select(BillingRun)
        .where(~select(JobRun.id).where(JobRun.run_id == BillingRun.id).exists())
        .order_by(BillingRun.id.desc())
        .limit(PAGE)
    )
    for run in session.scalars(by_command):
        found.append(
            Listed(
                None,
                run.id,
                run.run_on,
                run.account_reference,
                _state_of(run, now),
                run.documents,
                run.total_cents,
                run.failed,
                run.started_at,
                "",
            )
        )
    return sorted(found, key=lambda each: each.started_at, reverse=True)[:PAGE]


def _state_of(run: BillingRun, now: datetime) -> str:
    if run.status == "running":
        return "interrupted" if now - run.seen_at > LONG_SILENT else "running"
    return "done" if run.status == "done" else "failed" if run.error else "interrupted"


def _failing(
    session: Session, run_ids: Sequence[int], on: date, tried: set[str]
) -> tuple[tuple[Failing, ...], int]:
    """Whom these runs set aside and who still is not billed, each with its last cause."""
    if not run_ids:
        return (), 0
    newest = (
        select(func.max(BillingRunFailure.id).label("id"))
        .where(BillingRunFailure.run_id.in_(run_ids))
        .group_by(BillingRunFailure.subscription_id)
        .subquery()
    )
    statement = (
        select(BillingRunFailure, Account.reference, Account.name)
        .join(newest, newest.c.id == BillingRunFailure.id)
        .join(Subscription, Subscription.id == BillingRunFailure.subscription_id)
        .join(Account, Account.id == Subscription.account_id)
        .where(Subscription.status == "active", Subscription.due_on <= on)
        .order_by(Account.name, BillingRunFailure.id)
    )
    count = session.scalar(select(func.count()).select_from(statement.order_by(None).subquery())) or 0
    told = [
        Failing(
            reference,
            name,
            failure.code,
            tuple(failure.facts),
            failure.detail,
            reference in tried or "None" in tried,
        )
        for failure, reference, name in session.execute(statement.limit(MOST_FAILURES))
    ]
    return tuple(told), count


def of_preview(session: Session, result: dict[str, Any]) -> tuple[Failing, ...]:
    """Whom a dry run would set aside."""
    found = result.get("failures", [])
    references = {each["account"] for each in found}
    names = dict(
        session.execute(
            select(Account.reference, Account.name).where(Account.reference.in_(references))
        ).all()
    )
    return tuple(
        Failing(
            each["account"],
            names.get(each["account"], ""),
            each["code"],
            tuple(each["facts"]),
            each["detail"],
        )
        for each in found
    )


def _left(run: BillingRun, now: datetime) -> timedelta | None:
    """At the pace so far; None until there is one."""
    done = run.billed + run.skipped + run.failed
    elapsed = now - run.started_at
    if not done or elapsed <= timedelta(0):
        return None
    return elapsed * (run.due - done) / done if run.due > done else timedelta(0)


def is_confirmed(session: Session, preview_id: int) -> bool:
    """Whether this preview has begun a run."""
    return session.scalar(select(Job.id).where(Job.preview_id == preview_id)) is not None


# ── What waits, and the numbers ──────────────────────────────────────────────────────────────────────────────────


def waiting(session: Session, today: date) -> Waiting:
    """What waits on the other pages: one statement."""
    parts = [
        select(literal("due"), literal(""), func.count())
        .select_from(Subscription)
        .where(Subscription.status == "active", Subscription.due_on <= today),
        select(literal("entry"), BankEntry.state, func.count())
        .where(BankEntry.state.in_(("unmatched", "alert")))
        .group_by(BankEntry.state),
        select(literal("batch"), literal(""), func.count())
        .select_from(DebitBatch)
        .where(DebitBatch.downloaded_at.is_(None)),
        select(literal("mail"), literal(""), func.count())
        .select_from(OutboxMessage)
        .where(OutboxMessage.sent_at.is_(None)),
        select(literal("document"), InvoiceDocument.state, func.count())
        .where(InvoiceDocument.state.in_(DOCUMENTS))
        .group_by(InvoiceDocument.state),
    ]
    counts = {(what, state): count for what, state, count in session.execute(union_all(*parts))}
    return Waiting(
        counts.get(("due", ""), 0),
        counts.get(("entry", "unmatched"), 0),
        counts.get(("entry", "alert"), 0),
        counts.get(("batch", ""), 0),
        counts.get(("mail", ""), 0),
        {state: count for (what, state), count in counts.items() if what == "document"},
    )


def series(session: Session) -> list[Numbered]:
    """Each series, the latest year first, with how many of its numbers are documents: one statement."""
    statement = (
        select(
            Issuer.legal_name,
            Series.prefix,
            Series.year,
            Series.last_number,
            Series.last_issued_on,
            func.count(Invoice.id),
        )
        .join(Issuer, Issuer.id == Series.issuer_id)
        .outerjoin(Invoice, Invoice.series_id == Series.id)
        .group_by(Series.id, Issuer.id)
        .order_by(Series.year.desc(), Issuer.legal_name, Series.prefix)
    )
    return [Numbered(*row) for row in session.execute(statement)]
