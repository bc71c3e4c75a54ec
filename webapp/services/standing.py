"""The standing of an account: what it owes past due, and whether its sites are served (D5, M9).

`review` is called inside every act that moves money or time: a payment, a return, an announcement, a hold, the
reminders. Suspension and restoration are thus part of the transaction of what caused them, with their event, their
line of history and their mail.
"""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import ScalarSelect, Select, Text, bindparam, cast, func, or_, select
from sqlalchemy.orm import Session

from webapp.domain import dunning
from webapp.domain.access import SYSTEM, Actor
from webapp.domain.dunning import Debt, Thresholds
from webapp.domain.dunning_ladder import Policy, policy_from
from webapp.domain.money import Money
from webapp.models.accounts import Account, BillingDetails
from webapp.models.dunning import DunningHold, DunningPolicy, RestorationPass, Suspension
from webapp.models.invoices import IS_OPEN, Invoice
from webapp.models.payments import TransferAnnouncement
from webapp.models.subscriptions import ScheduledChange, Subscription
from webapp.services import audit, dunning_mails, events

UNPAID, STAFF = "unpaid", "staff"


class AccountNotFound(LookupError):
    """No account of that key."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What an account owes. `debts` holds every open invoice, due or not; `unpaid` those that count."""

    debts: tuple[Debt, ...]
    unpaid: tuple[Debt, ...]
    policy: Policy
    suspended_on: date | None
    suspension_cause: str | None
    suspends_on: date | None  # if nothing is paid; None when suspended already or when nothing leads there
    passed_until: date | None  # staff let it be served until then, included
    is_served: bool  # a subscription runs: without one there is nothing to suspend
    would_suspend_on: date | None = None  # as suspends_on, the next invoice to come counted with those issued

    @property
    def thresholds(self) -> Thresholds:
        return self.policy.thresholds


def lock(session: Session, account_id: uuid.UUID) -> Account:
    """The account's row, locked until the end of the transaction: money and standing move one hand at a time.

    On SQLite the transaction itself is the lock. Raises AccountNotFound.
    """
    statement = select(Account).where(Account.id == account_id).with_for_update()
    account = session.scalars(statement.execution_options(populate_existing=True)).first()
    if account is None:
        raise AccountNotFound(account_id)
    return account


def read(session: Session, account: Account, today: date) -> Standing:
    """Where the account stands on `today`, without changing anything."""
    return of_account(session, account.id, today)


def of_account(session: Session, account_id: uuid.UUID, today: date) -> Standing:
    """As `read`, by the account's key. One statement. Raises AccountNotFound."""
    found = of_accounts(session, [account_id], today)
    if account_id not in found:
        raise AccountNotFound(account_id)
    return found[account_id]


def of_accounts(session: Session, account_ids: Sequence[uuid.UUID], today: date) -> dict[uuid.UUID, Standing]:
    """Where each of these accounts stands on `today`. One statement for all of them; unknown ones are left out."""
    found = session.execute(_statement(), {"account_ids": list(account_ids), "today": today})
    rows: dict[uuid.UUID, list[Any]] = {}
    for row in found:
        rows.setdefault(row.account_id, []).append(row)
    return {account_id: _standing(each, today) for account_id, each in rows.items()}


def simulated(standing: Standing, debts: Sequence[Debt], today: date, passed_until: date | None) -> Standing:
    """The standing as it would be with these debts and this pass: what a preview shows. Suspended or not, as the next
    review would leave it."""
    late = tuple(dunning.unpaid(debts, today))
    suspended_on, cause = standing.suspended_on, standing.suspension_cause
    if cause != STAFF:
        is_suspended = suspended_on is not None
        should = dunning.should_be_suspended(len(late), is_suspended, standing.thresholds)
        if passed_until is not None or not standing.is_served or not should:
            suspended_on = cause = None
        elif not is_suspended:
            suspended_on, cause = today, UNPAID
    return Standing(
        tuple(debts),
        late,
        standing.policy,
        suspended_on,
        cause,
        _suspends_on(debts, today, standing.thresholds, passed_until)
        if suspended_on is None and standing.is_served
        else None,
        passed_until,
        standing.is_served,
    )


def review(
    session: Session,
    account_id: uuid.UUID,
    today: date,
    now: datetime,
    actor: Actor = SYSTEM,
    *,
    may_suspend: bool = True,
) -> Standing:
    """Suspend or restore the account as its unpaid invoices say, in the transaction at hand. Flushes.

    What staff suspended stays so. Nothing moves while neither threshold is crossed (D5). `may_suspend` is false when
    what was paid may not be known yet: restoring is always allowed. The event, the history and the mail say what
    happens to the sites: nothing when they stay suspended for the other reason. Raises AccountNotFound.
    """
    session.flush()
    account = lock(session, account_id)
    standing = read(session, account, today)
    open_ones = open_suspensions(session, account_id)
    by_rule = next((each for each in open_ones if each.cause == UNPAID), None)
    is_alone = len(open_ones) == (by_rule is not None)
    is_passed = standing.passed_until is not None
    should = (
        standing.is_served
        and not is_passed
        and dunning.should_be_suspended(len(standing.unpaid), by_rule is not None, standing.thresholds)
    )
    if should and by_rule is None and may_suspend:
        numbers = [debt.number for debt in standing.unpaid]
        suspend(session, account, UNPAID, numbers, "", today, now, actor)
        if is_alone:
            say(session, account, "suspended", UNPAID, numbers, today, now, actor)
            dunning_mails.suspended(
                session, account, standing.unpaid, standing.thresholds, UNPAID, today, now
            )
    elif by_rule is not None and not should:
        why = "ended" if not standing.is_served else "pass" if is_passed else "paid"
        lift(by_rule, today, now, actor, why)
        project(session, account)
        if is_alone and standing.is_served:
            say(session, account, "restored", UNPAID, by_rule.unpaid, today, now, actor)
            dunning_mails.restored(session, account, standing.unpaid, standing.passed_until, now)
    else:
        return standing
    session.flush()
    return read(session, account, today)


def suspend(
    session: Session,
    account: Account,
    cause: str,
    numbers: Sequence[str],
    reason: str,
    today: date,
    now: datetime,
    actor: Actor,
) -> None:
    """Write the suspension and show it on the account. Flushes."""
    session.add(
        Suspension(
            account_id=account.id,
            cause=cause,
            from_on=today,
            started_at=now,
            started_by=actor.name,
            reason=reason,
            unpaid=list(numbers),
        )
    )
    project(session, account)


def lift(suspension: Suspension, today: date, now: datetime, actor: Actor, reason: str) -> None:
    suspension.lifted_on, suspension.lifted_at = today, now
    suspension.lifted_by, suspension.lifted_reason = actor.name, reason


def project(session: Session, account: Account) -> None:
    """Copy onto the account the first day of the suspensions that are open, and their cause. Flushes."""
    session.flush()
    open_ones = open_suspensions(session, account.id)
    account.suspended_on = min((each.from_on for each in open_ones), default=None)
    causes = {each.cause for each in open_ones}
    account.suspension_cause = STAFF if STAFF in causes else next(iter(causes), None)
    session.flush()


def open_suspensions(session: Session, account_id: uuid.UUID) -> list[Suspension]:
    statement = select(Suspension).where(Suspension.account_id == account_id, Suspension.lifted_at.is_(None))
    return list(session.scalars(statement.order_by(Suspension.id)))


def debts_of(session: Session, account_id: uuid.UUID, today: date) -> list[Debt]:
    """Every open invoice of the account, oldest due date first, with what stops its clock today. One statement."""
    found = of_accounts(session, [account_id], today).get(account_id)
    return list(found.debts) if found else []


def thresholds_for(session: Session, account: Account, today: date) -> Thresholds:
    """Those of the most precise policy in force for this account; the domain's own when there is none."""
    policy = policy_for(session, account, today)
    return policy_from(policy.ladder).thresholds if policy else Thresholds()


def policy_for(session: Session, account: Account, today: date) -> DunningPolicy | None:
    """Reseller and kind, then reseller, then kind, then neither; of each, the last that is in force."""
    rows: Sequence[DunningPolicy] = session.scalars(
        select(DunningPolicy).where(
            DunningPolicy.valid_from <= today,
            or_(DunningPolicy.account_kind.is_(None), DunningPolicy.account_kind == account.kind),
            or_(DunningPolicy.reseller_id.is_(None), DunningPolicy.reseller_id == account.reseller_id),
        )
    ).all()
    return max(
        rows,
        key=lambda row: (row.reseller_id is not None, row.account_kind is not None, row.valid_from),
        default=None,
    )


@lru_cache
def _statement() -> Select[*tuple[Any, ...]]:
    """One row per open invoice of the accounts asked for, at least one per account, with all that decides."""
    today = bindparam("today", type_=Invoice.due_on.type)
    in_force = (
        DunningHold.account_id == Account.id,
        DunningHold.lifted_at.is_(None),
        DunningHold.from_on <= today,
        or_(DunningHold.until_on.is_(None), DunningHold.until_on >= today),
        or_(DunningHold.invoice_id.is_(None), DunningHold.invoice_id == Invoice.id),
    )
    ladder = (
        select(cast(DunningPolicy.ladder, Text))  # as text: read once for all the rows that repeat it
        .where(
            DunningPolicy.valid_from <= today,
            or_(DunningPolicy.account_kind.is_(None), DunningPolicy.account_kind == Account.kind),
            or_(DunningPolicy.reseller_id.is_(None), DunningPolicy.reseller_id == Account.reseller_id),
        )
        .order_by(
            DunningPolicy.reseller_id.is_(None),
            DunningPolicy.account_kind.is_(None),
            DunningPolicy.valid_from.desc(),
        )
        .limit(1)
    )
    return (
        select(
            Account.id.label("account_id"),
            Account.suspended_on,
            Account.suspension_cause,
            Invoice.number,
            Invoice.payable_until.label("due_on"),
            (Invoice.total_cents - Invoice.paid_cents).label("left_cents"),
            Invoice.currency,
            select(DunningHold.id).where(*in_force).exists().label("is_disputed"),
            select(func.max(TransferAnnouncement.until_on))
            .where(TransferAnnouncement.invoice_id == Invoice.id)
            .scalar_subquery()
            .label("announced_until"),
            select(func.max(RestorationPass.until_on))
            .where(RestorationPass.account_id == Account.id, RestorationPass.until_on >= today)
            .scalar_subquery()
            .label("passed_until"),
            select(Subscription.id)
            .where(Subscription.account_id == Account.id, Subscription.status == "active")
            .exists()
            .label("is_served"),
            ladder.scalar_subquery().label("ladder"),
            _next_billing().label("next_billing_on"),
            BillingDetails.payment_term_days,
        )
        .join_from(Account, Invoice, (Invoice.account_id == Account.id) & IS_OPEN, isouter=True)
        .outerjoin(BillingDetails, BillingDetails.account_id == Account.id)
        .where(Account.id.in_(bindparam("account_ids", expanding=True)))
        .order_by(Account.id, Invoice.payable_until, Invoice.id)
    )


@lru_cache(maxsize=64)
def _policy(ladder: str) -> Policy:
    return policy_from(json.loads(ladder))


def _next_billing() -> ScalarSelect[Any]:
    """The day of the next invoice of a period; none when the subscription is to end."""
    ends = select(ScheduledChange.id).where(
        ScheduledChange.subscription_id == Subscription.id,
        ScheduledChange.kind == "termination",
        ScheduledChange.status == "pending",
    )
    return (
        select(func.min(Subscription.billed_until))
        .where(Subscription.account_id == Account.id, Subscription.status == "active", ~ends.exists())
        .scalar_subquery()
    )


def _standing(rows: Sequence[Any], today: date) -> Standing:
    first = rows[0]
    debts = tuple(
        Debt(
            row.number,
            row.due_on,
            Money(row.left_cents, row.currency),
            is_disputed=row.is_disputed,
            announced_until=row.announced_until,
        )
        for row in rows
        if row.number is not None
    )
    policy = _policy(first.ladder) if first.ladder else Policy()
    is_open = first.suspended_on is None and first.is_served
    return Standing(
        debts,
        tuple(dunning.unpaid(debts, today)),
        policy,
        first.suspended_on,
        first.suspension_cause,
        _suspends_on(debts, today, policy.thresholds, first.passed_until) if is_open else None,
        first.passed_until,
        first.is_served,
        _suspends_on([*debts, *_expected(first, today)], today, policy.thresholds, first.passed_until)
        if is_open
        else None,
    )


def _expected(row: Any, today: date) -> list[Debt]:
    """The next invoice, as it will be due if nothing is paid."""
    if row.next_billing_on is None or row.payment_term_days is None:
        return []
    due_on = max(today, row.next_billing_on) + timedelta(days=row.payment_term_days)
    return [Debt("", due_on, Money(1, row.currency or "EUR"))]


def _suspends_on(
    debts: Sequence[Debt], today: date, thresholds: Thresholds, passed_until: date | None
) -> date | None:
    day = dunning.suspension_day(debts, today, thresholds)
    if day is not None and passed_until is not None and day <= passed_until:
        return date.fromordinal(passed_until.toordinal() + 1)
    return day


def say(
    session: Session,
    account: Account,
    turn: str,
    cause: str,
    numbers: Sequence[str],
    today: date,
    now: datetime,
    actor: Actor,
    reason: str = "",
) -> None:
    """The event for other systems and the line of history: `turn` is suspended or restored."""
    facts = {"cause": cause, "invoices": list(numbers), "on": today.isoformat()}
    events.record(session, f"account.{turn}", account.id, {"account": account.reference, **facts}, now)
    told = facts | ({"reason": reason} if reason else {})
    audit.record(session, actor, account.id, f"account.{turn}", account.reference, {}, told, now)
