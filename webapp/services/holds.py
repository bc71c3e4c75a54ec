"""What the team decides about a late account: a pause, a dispute, more time, a suspension of its own (D5, S2).

Each act has a reason, is shown before it is done with what it changes, and is told in the account's history.
"""

import uuid
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.domain import dunning as rules
from webapp.domain.access import Actor
from webapp.models.accounts import Account
from webapp.models.dunning import DunningHold, DunningStep, RestorationPass, Suspension
from webapp.models.invoices import IS_OPEN, Invoice
from webapp.services import audit, dunning_mails, standing
from webapp.services.dunning import Facts, facts_of
from webapp.services.standing import STAFF, Standing

PAGE = 25
HOLD, DISPUTE, PASS, SUSPEND, LIFT, RESUME = "hold", "dispute", "pass", "suspend", "lift", "resume"
ACTS = (HOLD, DISPUTE, PASS, SUSPEND, LIFT, RESUME)


class NothingToDo(Exception):
    """The account is so already, or no such invoice, pause or suspension is there any more."""


@dataclass(frozen=True, slots=True)
class Wish:
    """An act: `until_on` for a pause and for more time, `number` for a dispute, `hold_id` for the end of either."""

    act: str
    until_on: date | None = None
    number: str | None = None
    hold_id: int | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """Where the account stands, and where it would after the act."""

    before: Standing
    after: Standing


@dataclass(frozen=True, slots=True)
class LateAccount:
    reference: str
    name: str
    count: int
    left_cents: int
    currency: str
    oldest_due_on: date
    suspended_on: date | None
    cause: str | None


@dataclass(frozen=True, slots=True)
class File:
    """All that the team reads of a late account."""

    account: Account
    facts: Facts
    holds: tuple[
        tuple[DunningHold, str | None], ...
    ]  # in force or to come, with the number of a contested invoice
    steps: tuple[DunningStep, ...]  # latest first
    suspensions: tuple[Suspension, ...]


def by_reference(session: Session, reference: str) -> Account | None:
    return session.scalars(select(Account).where(Account.reference == reference)).first()


def late_accounts(session: Session, today: date, page: int = 1) -> tuple[list[LateAccount], int]:
    """Those with an invoice past due or whose sites are suspended, the oldest debt first; and how many in all."""
    late = (
        select(
            Invoice.account_id,
            func.count().label("count"),
            func.sum(Invoice.total_cents - Invoice.paid_cents).label("left_cents"),
            func.min(Invoice.currency).label("currency"),
            func.min(Invoice.payable_until).label("oldest_due_on"),
        )
        .where(IS_OPEN, Invoice.payable_until < today)
        .group_by(Invoice.account_id)
        .subquery()
    )
    count = session.scalar(select(func.count()).select_from(late)) or 0
    rows = session.execute(
        select(
            Account.reference,
            Account.name,
            late.c.count,
            late.c.left_cents,
            late.c.currency,
            late.c.oldest_due_on,
            Account.suspended_on,
            Account.suspension_cause,
        )
        .join(late, late.c.account_id == Account.id)
        .order_by(late.c.oldest_due_on, Account.reference)
        .limit(PAGE)
        .offset((max(page, 1) - 1) * PAGE)
    )
    return [LateAccount(*row) for row in rows], int(count)


def file_of(session: Session, account: Account, today: date) -> File:
    holds = session.execute(
        select(DunningHold, Invoice.number)
        .outerjoin(Invoice, Invoice.id == DunningHold.invoice_id)
        .where(
            DunningHold.account_id == account.id,
            DunningHold.lifted_at.is_(None),
            (DunningHold.until_on.is_(None)) | (DunningHold.until_on >= today),
        )
        .order_by(DunningHold.id)
    )
    steps = select(DunningStep).where(DunningStep.account_id == account.id).order_by(DunningStep.id.desc())
    turns = select(Suspension).where(Suspension.account_id == account.id).order_by(Suspension.id.desc())
    return File(
        account,
        facts_of(session, [account.id], today)[account.id],
        tuple((row[0], row[1]) for row in holds),
        tuple(session.scalars(steps.limit(PAGE))),
        tuple(session.scalars(turns.limit(PAGE))),
    )


def preview(session: Session, account: Account, wish: Wish, today: date) -> Effect:
    """What the act would change, without writing. Raises NothingToDo."""
    before = standing.read(session, account, today)
    debts, passed_until = list(before.debts), before.passed_until
    match wish.act:
        case "hold":
            debts = [replace(debt, is_disputed=True) for debt in debts]
        case "dispute":
            _open_invoice(session, account.id, wish.number)
            debts = [
                replace(debt, is_disputed=debt.is_disputed or debt.number == wish.number) for debt in debts
            ]
        case "resume":
            _hold(session, account.id, wish.hold_id)
            debts = _without(session, account, wish.hold_id, before, today)
        case "pass":
            passed_until = wish.until_on
        case "suspend":
            _ensure_not_by_staff(session, account.id)
            return Effect(
                before, replace(before, suspended_on=today, suspension_cause=STAFF, suspends_on=None)
            )
        case "lift":
            _staff_suspension(session, account.id)
            before_rule = replace(before, suspension_cause=None, suspended_on=None)
            by_rule = [s for s in standing.open_suspensions(session, account.id) if s.cause != STAFF]
            if by_rule:
                before_rule = replace(before, suspension_cause="unpaid", suspended_on=by_rule[0].from_on)
            return Effect(before, standing.simulated(before_rule, debts, today, passed_until))
        case _:
            raise NothingToDo(wish.act)
    return Effect(before, standing.simulated(before, debts, today, passed_until))


def do(
    session: Session,
    account_id: uuid.UUID,
    wish: Wish,
    reason: str,
    today: date,
    now: datetime,
    actor: Actor,
) -> None:
    """Do it, and what follows for the sites, in the transaction at hand. Flushes. Raises NothingToDo."""
    account = standing.lock(session, account_id)
    told: dict[str, Any] = {"reason": reason}
    subject = account.reference
    match wish.act:
        case "hold" | "dispute":
            invoice = _open_invoice(session, account_id, wish.number) if wish.act == DISPUTE else None
            session.add(
                DunningHold(
                    account_id=account_id,
                    invoice_id=invoice.id if invoice else None,
                    kind=wish.act,
                    from_on=today,
                    until_on=wish.until_on,
                    reason=reason,
                    made_by=actor.name,
                    made_at=now,
                )
            )
            subject = invoice.number if invoice else subject
            told |= {"until": wish.until_on.isoformat()} if wish.until_on else {}
        case "resume":
            hold = _hold(session, account_id, wish.hold_id)
            hold.lifted_by, hold.lifted_at = actor.name, now
        case "pass":
            if wish.until_on is None:
                raise NothingToDo(wish.act)
            session.add(
                RestorationPass(
                    account_id=account_id,
                    until_on=wish.until_on,
                    reason=reason,
                    made_by=actor.name,
                    made_at=now,
                )
            )
            told |= {"until": wish.until_on.isoformat()}
        case "suspend" | "lift":
            _turn(session, account, wish.act, reason, today, now, actor)
            return
        case _:
            raise NothingToDo(wish.act)
    audit.record(session, actor, account_id, f"dunning.{wish.act}", subject, {}, told, now)
    standing.review(session, account_id, today, now, actor)


def _turn(
    session: Session, account: Account, act: str, reason: str, today: date, now: datetime, actor: Actor
) -> None:
    """Suspend or lift by hand: told as the rule would tell it, unless the sites stay as they are."""
    was_suspended = account.suspended_on is not None
    late = standing.read(session, account, today)
    numbers = [debt.number for debt in late.unpaid]
    if act == SUSPEND:
        _ensure_not_by_staff(session, account.id)
        standing.suspend(session, account, STAFF, numbers, reason, today, now, actor)
        if not was_suspended:
            dunning_mails.suspended(session, account, late.unpaid, late.thresholds, STAFF, today, now)
    else:
        standing.lift(_staff_suspension(session, account.id), today, now, actor, reason)
        standing.project(session, account)
        if account.suspended_on is None:
            dunning_mails.restored(session, account, late.unpaid, late.passed_until, now)
    if was_suspended != (account.suspended_on is not None):
        turn = "suspended" if act == SUSPEND else "restored"
        standing.say(session, account, turn, STAFF, numbers, today, now, actor, reason)
    else:
        facts = {"reason": reason}
        audit.record(session, actor, account.id, f"dunning.{act}", account.reference, {}, facts, now)
    session.flush()


def _without(
    session: Session, account: Account, hold_id: int | None, before: Standing, today: date
) -> list[rules.Debt]:
    """The debts as they would be without this pause: what another one still stops stays stopped."""
    others = session.execute(
        select(DunningHold.invoice_id, Invoice.number)
        .outerjoin(Invoice, Invoice.id == DunningHold.invoice_id)
        .where(
            DunningHold.account_id == account.id,
            DunningHold.id != hold_id,
            DunningHold.lifted_at.is_(None),
            DunningHold.from_on <= today,
            (DunningHold.until_on.is_(None)) | (DunningHold.until_on >= today),
        )
    ).all()
    is_all = any(row.invoice_id is None for row in others)
    numbers = {row.number for row in others}
    return [replace(debt, is_disputed=is_all or debt.number in numbers) for debt in before.debts]


def _open_invoice(session: Session, account_id: uuid.UUID, number: str | None) -> Invoice:
    statement = select(Invoice).where(Invoice.account_id == account_id, Invoice.number == number, IS_OPEN)
    invoice = session.scalars(statement).first()
    if invoice is None:
        raise NothingToDo(DISPUTE)
    return invoice


def _hold(session: Session, account_id: uuid.UUID, hold_id: int | None) -> DunningHold:
    statement = select(DunningHold).where(
        DunningHold.account_id == account_id, DunningHold.id == hold_id, DunningHold.lifted_at.is_(None)
    )
    hold = session.scalars(statement).first()
    if hold is None:
        raise NothingToDo(RESUME)
    return hold


def _staff_suspension(session: Session, account_id: uuid.UUID) -> Suspension:
    for each in standing.open_suspensions(session, account_id):
        if each.cause == STAFF:
            return each
    raise NothingToDo(LIFT)


def _ensure_not_by_staff(session: Session, account_id: uuid.UUID) -> None:
    if any(each.cause == STAFF for each in standing.open_suspensions(session, account_id)):
        raise NothingToDo(SUSPEND)
