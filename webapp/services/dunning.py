"""Reminders (D4): the ladders that are published, the case of each account that is late, and the nightly round.

A round looks at many accounts in few statements and opens a transaction only for those with something to do, one each:
an account's failure is reported and stops no other. Under the account's lock everything is decided again, so that a
payment which arrived meanwhile, or a second round at the same time, changes what is done and never does it twice.
"""

import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, func, select, union
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp.adapters import bank_days
from webapp.adapters.dunning_file import DunningFile, PolicyKey, RateKey, read_dunning
from webapp.domain import dunning, dunning_ladder, late_costs
from webapp.domain.access import SYSTEM, Actor
from webapp.domain.dunning import Debt
from webapp.domain.dunning_ladder import Climb
from webapp.domain.late_costs import Claim, Late, Rate
from webapp.models.accounts import Account, Reseller
from webapp.models.dunning import (
    DunningCase,
    DunningPolicy,
    DunningStep,
    LateInterestRate,
    Suspension,
)
from webapp.models.invoices import IS_OPEN, Invoice
from webapp.models.payments import BankFile
from webapp.services import audit, dunning_mails, standing
from webapp.services.standing import Standing

PAGE = 500
MOST_FAILURES_TOLD = 100
BANK_FILE_LATE = 2  # bank days without a statement, after which nobody is suspended for what it may hold

Transaction = Callable[[], AbstractContextManager[Session]]
log = logging.getLogger(__name__)


class UnknownAccount(LookupError):
    """No account has that reference."""


# ── What is published ────────────────────────────────────────────────────────────────────────────────────────────


def check(session: Session, path: Path) -> DunningFile:
    """Read the file of ladders against what is published. Raises BrokenFile."""
    slugs = {row.id: row.slug for row in session.execute(select(Reseller.id, Reseller.slug))}
    return read_dunning(path, list(slugs.values()), _published(session, slugs), _published_rates(session))


def publish(session: Session, file: DunningFile, actor: Actor, now: datetime) -> int:
    """Write what is not published yet; answers how many entries that were. Flushes."""
    ids = {row.slug: row.id for row in session.execute(select(Reseller.id, Reseller.slug))}
    known = _published(session, {ident: slug for slug, ident in ids.items()})
    rates = _published_rates(session)
    added = 0
    for policy in file.policies:
        if policy.key in known:
            continue
        session.add(
            DunningPolicy(
                account_kind=policy.account_kind,
                reseller_id=ids[policy.reseller] if policy.reseller else None,
                valid_from=policy.valid_from,
                ladder=policy.ladder,
                created_at=now,
            )
        )
        added += 1
    for rate in file.rates:
        if rate.key in rates:
            continue
        session.add(
            LateInterestRate(
                account_kind=rate.account_kind,
                valid_from=rate.valid_from,
                percent=rate.percent,
                source=rate.source,
            )
        )
        added += 1
    if added:
        facts = {"policies": len(file.policies), "rates": len(file.rates), "added": added}
        audit.record(session, actor, None, "dunning.published", "", {}, facts, now)
    session.flush()
    return added


def _published(session: Session, slugs: Mapping[uuid.UUID, str]) -> dict[PolicyKey, dict[str, Any]]:
    return {
        (row.account_kind, slugs[row.reseller_id] if row.reseller_id else None, row.valid_from): row.ladder
        for row in session.scalars(select(DunningPolicy))
    }


def _published_rates(session: Session) -> dict[RateKey, str]:
    return {
        (row.account_kind, row.valid_from): row.percent for row in session.scalars(select(LateInterestRate))
    }


# ── One account ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Done:
    """What a round did for one account."""

    reminder: str | None = None  # the text that was sent
    is_suspended: bool = False
    is_restored: bool = False
    is_closed: bool = False


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """The open case of an account, with what was sent in it."""

    id: int
    opened_on: date
    anchored_on: date
    round: int
    sent_on: tuple[date, ...]  # of this round, in order


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the nightly round decides from."""

    standing: Standing
    case: CaseFacts | None
    last_sent_on: date | None  # of any case; a suspension and a restoration have their mail, and count

    def late(self, today: date) -> list[Debt]:
        """Everything past due, what does not count included."""
        return [debt for debt in self.standing.debts if dunning.is_past_due(debt, today)]

    def position(self, today: date) -> int | None:
        """The reminder that leaves on `today`; None when none does, or when all is contested or announced."""
        climb = self.climb()
        if climb is None:
            return None
        return dunning_ladder.due_step(self.standing.policy.steps, climb, today, bank_days.is_bank_day)

    def next_on(self) -> date | None:
        """The day of the next reminder if nothing is paid."""
        climb = self.climb()
        steps = self.standing.policy.steps
        return dunning_ladder.next_on(steps, climb, bank_days.is_bank_day) if climb is not None else None

    def climb(self) -> Climb | None:
        unpaid = self.standing.unpaid
        if not unpaid:
            return None
        oldest = unpaid[0].due_on
        if self.case is None:
            return Climb(oldest, (), self.last_sent_on)
        return Climb(max(self.case.anchored_on, oldest), self.case.sent_on, self.last_sent_on)

    def has_something_to_do(self, today: date) -> bool:
        standing = self.standing
        if self.case is not None and not self.late(today):
            return True
        is_by_rule = standing.suspension_cause == "unpaid"
        should = (
            standing.is_served
            and standing.passed_until is None
            and dunning.should_be_suspended(len(standing.unpaid), is_by_rule, standing.thresholds)
        )
        if standing.suspension_cause != "staff" and should != is_by_rule:
            return True
        return self.position(today) is not None


def remind(
    session: Session, account_id: uuid.UUID, today: date, now: datetime, *, may_suspend: bool = True
) -> Done:
    """Do for one account what the day asks: suspend or restore, then one reminder at most, of one step. Flushes.

    A suspension or a restoration has its own mail, and no reminder leaves beside it. Twice on a day changes nothing.
    """
    account = standing.lock(session, account_id)
    if account.closed_at is not None:
        return Done()
    before = account.suspended_on
    standing.review(session, account_id, today, now, may_suspend=may_suspend)
    facts = facts_of(session, [account_id], today)[account_id]
    is_suspended = before is None and account.suspended_on is not None
    is_restored = before is not None and account.suspended_on is None
    if not facts.late(today):
        is_closed = _close(session, account_id, now)
        return Done(None, is_suspended, is_restored, is_closed)
    position = facts.position(today)
    if position is None:
        return Done(None, is_suspended, is_restored)
    return Done(_send(session, account, facts, position, today, now))


def after_settlement(
    session: Session, account_id: uuid.UUID, today: date, now: datetime, actor: Actor = SYSTEM
) -> None:
    """What money received, or a credit note, changes at once: the sites are back if it is enough, and the ladder begins
    again from what is then the oldest, or ends. Flushes."""
    found = standing.review(session, account_id, today, now, actor)
    case = _open_case(session, account_id)
    if case is None:
        return
    late = [debt for debt in found.debts if dunning.is_past_due(debt, today)]
    if not late:
        case.closed_at = now
    else:
        case.round += 1
        case.anchored_on = max(today, min(debt.due_on for debt in late))
    session.flush()


def facts_of(session: Session, account_ids: Sequence[uuid.UUID], today: date) -> dict[uuid.UUID, Facts]:
    """Where each of these accounts stands and how far it has climbed. Four statements."""
    standings = standing.of_accounts(session, account_ids, today)
    cases = {
        row.account_id: row
        for row in session.execute(
            select(
                DunningCase.account_id,
                DunningCase.id,
                DunningCase.opened_on,
                DunningCase.anchored_on,
                DunningCase.round,
            ).where(DunningCase.account_id.in_(account_ids), DunningCase.closed_at.is_(None))
        )
    }
    sent: dict[tuple[int, int], list[date]] = {}
    last: dict[uuid.UUID, date] = {}
    rows = session.execute(
        select(DunningStep.account_id, DunningStep.case_id, DunningStep.round, DunningStep.sent_on)
        .where(DunningStep.account_id.in_(account_ids))
        .order_by(DunningStep.case_id, DunningStep.round, DunningStep.position)
    )
    for row in rows:
        sent.setdefault((row.case_id, row.round), []).append(row.sent_on)
        last[row.account_id] = max(row.sent_on, last.get(row.account_id, row.sent_on))
    turns = session.execute(
        select(Suspension.account_id, Suspension.from_on, Suspension.lifted_on).where(
            Suspension.account_id.in_(account_ids)
        )
    )
    for account_id, from_on, lifted_on in turns:
        turned_on = max(from_on, lifted_on or from_on)
        last[account_id] = max(turned_on, last.get(account_id, turned_on))
    found = {}
    for account_id, each in standings.items():
        case = cases.get(account_id)
        climbed = None
        if case is not None:
            steps = tuple(sent.get((case.id, case.round), ()))
            climbed = CaseFacts(case.id, case.opened_on, case.anchored_on, case.round, steps)
        found[account_id] = Facts(each, climbed, last.get(account_id))
    return found


def _send(
    session: Session, account: Account, facts: Facts, position: int, today: date, now: datetime
) -> str | None:
    """Note the step, which the unique key allows once, then write its mails."""
    policy, unpaid = facts.standing.policy, facts.standing.unpaid
    step = policy.steps[position - 1]
    case = _open_case(session, account.id)
    if case is None:
        case = DunningCase(
            account_id=account.id, opened_on=today, anchored_on=unpaid[0].due_on, round=1, closed_at=None
        )
        session.add(case)
        session.flush()
    claim, legal = _claim(session, account, case, facts.standing, today) if step.may_cost else (None, {})
    delay_ends_on = (
        today + timedelta(days=policy.costs.free_days) if position == 1 and policy.costs.free_first else None
    )
    if delay_ends_on is not None:
        legal = legal | {"free_until": delay_ends_on.isoformat()}
    row = DunningStep(
        case_id=case.id,
        account_id=account.id,
        round=case.round,
        position=position,
        template=step.template,
        sent_on=today,
        sent_at=now,
        invoices=[
            {"number": debt.number, "due_on": debt.due_on.isoformat(), "left_cents": debt.left.cents}
            for debt in unpaid
        ],
        fee_cents=claim.compensation.cents if claim else 0,
        interest_cents=claim.interest.cents if claim else 0,
        legal=legal,
    )
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except IntegrityError:
        return None  # another hand has just sent it
    dunning_mails.reminder(
        session,
        account,
        step.template,
        unpaid,
        facts.standing.suspends_on,
        claim,
        policy.costs,
        delay_ends_on,
        now,
    )
    told = {"template": step.template, "position": position, "invoices": [debt.number for debt in unpaid]}
    audit.record(session, SYSTEM, account.id, "dunning.reminded", account.reference, {}, told, now)
    session.flush()
    return step.template


def _claim(
    session: Session, account: Account, case: DunningCase, found: Standing, today: date
) -> tuple[Claim | None, dict[str, Any]]:
    """What this reminder may claim, and the rule that was applied. Nothing is read when costs are off."""
    costs = found.policy.costs
    if costs.is_off:
        return None, {}
    first = session.scalars(
        select(DunningStep).where(
            DunningStep.case_id == case.id, DunningStep.round == case.round, DunningStep.position == 1
        )
    ).first()
    # Only what the free reminder named has had its delay.
    named = {each["number"] for each in first.invoices} if first is not None else set()
    late = [
        Late(debt.left, debt.due_on) for debt in found.unpaid if not costs.free_first or debt.number in named
    ]
    kind = "consumer" if account.kind == "consumer" else "business"
    rows = session.execute(
        select(LateInterestRate.valid_from, LateInterestRate.percent).where(
            LateInterestRate.account_kind == kind
        )
    )
    rates = [Rate(row.valid_from, Fraction(row.percent)) for row in rows]
    sent_this_year = session.scalar(
        select(func.count())
        .select_from(DunningStep)
        .where(DunningStep.account_id == account.id, DunningStep.sent_on >= today.replace(month=1, day=1))
    )
    claimed = late_costs.claim(
        costs,
        late,
        today,
        rates,
        first_reminder_on=first.sent_on if first is not None else None,
        sent_this_year=int(sent_this_year or 0),
    )
    if claimed is None:
        return None, {}
    rate = max(
        (each for each in rates if each.valid_from <= today), key=lambda each: each.valid_from, default=None
    )
    return claimed, {
        "percent": str(float(rate.percent)) if rate else None,
        "free_days": costs.free_days,
        "capped": bool(costs.caps),
    }


def _open_case(session: Session, account_id: uuid.UUID) -> DunningCase | None:
    statement = select(DunningCase).where(
        DunningCase.account_id == account_id, DunningCase.closed_at.is_(None)
    )
    return session.scalars(statement).first()


def _close(session: Session, account_id: uuid.UUID, now: datetime) -> bool:
    case = _open_case(session, account_id)
    if case is None:
        return False
    case.closed_at = now
    session.flush()
    return True


# ── The round ────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Failure:
    account: str  # its reference
    detail: str


@dataclass(slots=True)
class Report:
    """How a round went, in accounts; the first failures are told."""

    on: date
    looked_at: int = 0
    reminded: int = 0
    suspended: int = 0
    restored: int = 0
    closed: int = 0
    failed: int = 0
    is_bank_late: bool = False  # no statement for days: nobody was suspended for what it may hold
    failures: list[Failure] = field(default_factory=list)

    def facts(self) -> dict[str, Any]:
        return asdict(self) | {"on": self.on.isoformat()}


def run(
    transaction: Transaction,
    on: date,
    now: Callable[[], datetime],
    *,
    reference: str | None = None,
    page_size: int = PAGE,
    moved: Callable[[int], None] = lambda _done: None,
) -> Report:
    """One round over every account that is late, in a case or suspended, page by page in the order of their keys.

    `transaction` keeps what is done in it, once left; a rehearsal is given those that keep nothing. Raises
    UnknownAccount. What goes wrong with one account is told in the report.
    """
    report = Report(on)
    with transaction() as session:
        only = _account(session, reference)
        report.is_bank_late = is_bank_late(session, on)
    after: uuid.UUID | None = None
    while True:
        with transaction() as session:
            ids = accounts_to_look_at(session, on, after, page_size, only)
            try:
                found = facts_of(session, ids, on)
                waiting = [ident for ident in ids if found[ident].has_something_to_do(on)]
            except (KeyError, TypeError, ValueError):
                waiting = ids  # one of them cannot be read: each is tried alone, and that one is told
        for account_id in waiting:
            _one(transaction, account_id, report, now)
        report.looked_at += len(ids)
        moved(report.looked_at)
        if len(ids) < page_size or only is not None:
            return report
        after = ids[-1]


def _one(
    transaction: Transaction, account_id: uuid.UUID, report: Report, now: Callable[[], datetime]
) -> None:
    try:
        with transaction() as session:
            done = remind(session, account_id, report.on, now(), may_suspend=not report.is_bank_late)
    except Exception as fault:  # whatever it is, it stops this account and no other
        log.exception("account %s was not reminded", account_id)
        report.failed += 1
        if len(report.failures) < MOST_FAILURES_TOLD:
            with transaction() as session:
                named = session.scalar(select(Account.reference).where(Account.id == account_id))
            report.failures.append(Failure(str(named), f"{type(fault).__name__} {fault}"[:500]))
        return
    report.reminded += done.reminder is not None
    report.suspended += done.is_suspended
    report.restored += done.is_restored
    report.closed += done.is_closed


def accounts_to_look_at(
    session: Session, on: date, after: uuid.UUID | None, size: int, only: uuid.UUID | None = None
) -> list[uuid.UUID]:
    """The next accounts with an invoice past due, an open case or a suspension, in the order of their keys."""

    def next_of(column: Any, *conditions: ColumnElement[bool]) -> Any:
        statement = select(column.label("id")).where(*conditions).distinct()
        if after is not None:
            statement = statement.where(column > after)
        if only is not None:
            statement = statement.where(column == only)
        return select(statement.order_by(column).limit(size).subquery().c.id)

    every = union(
        next_of(Invoice.account_id, IS_OPEN, Invoice.due_on < on),
        next_of(DunningCase.account_id, DunningCase.closed_at.is_(None)),
        next_of(Account.id, Account.suspended_on.is_not(None)),
    ).subquery()
    return list(session.scalars(select(every.c.id).order_by(every.c.id).limit(size)))


def is_bank_late(session: Session, on: date) -> bool:
    """Whether the last bank statement is too old to suspend by. Where no statement was ever read, there is none to wait
    for: money is then told by a provider or by hand."""
    last: datetime | None = session.scalar(select(func.max(BankFile.received_at)))
    return last is not None and bank_days.after(last.date(), BANK_FILE_LATE) < on


def _account(session: Session, reference: str | None) -> uuid.UUID | None:
    if reference is None:
        return None
    found = session.scalar(select(Account.id).where(Account.reference == reference))
    if found is None:
        raise UnknownAccount(reference)
    return found
