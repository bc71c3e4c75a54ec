"""The turn of the terms: changes take effect on their date, and a renewal is written down once (spec P6, T2, T5)."""

import uuid
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from webapp.domain.access import SYSTEM
from webapp.domain.contract import Contract
from webapp.domain.periods import boundary, period_containing
from webapp.domain.terms import Commitment, Notice, NoticeUnit, Renewal, Terms
from webapp.models.accounts import Account
from webapp.models.subscriptions import ScheduledChange, Subscription
from webapp.models.terminations import Announcement
from webapp.services import announcements, audit, billing, contracts, events, notices, scheduling
from webapp.services.contracts import Situation
from webapp.services.wording import text

RENEWAL = "renewal"
STILL_NEWS = timedelta(days=14)  # a renewal found later is written down, and nobody is disturbed for it


@dataclass(frozen=True, slots=True)
class Turned:
    """What one subscription went through. `waits` when its billing is late: changes follow the invoices before them."""

    applied: int = 0
    renewed_on: date | None = None
    ended_on: date | None = None
    waits: bool = False


def subscriptions_to_turn(session: Session, on: date, reference: str | None = None) -> list[uuid.UUID]:
    """The subscriptions with a change due up to `on`, or a term that ended by then and was not written down."""
    pending = exists().where(
        ScheduledChange.subscription_id == Subscription.id,
        ScheduledChange.status == "pending",
        ScheduledChange.effective_on <= on,
    )
    statement = (
        select(
            Subscription.id,
            Subscription.commitment_starts_on,
            Subscription.commitment_months,
            Subscription.notice_count,
            Subscription.notice_unit,
            Subscription.renewal,
            pending.label("has_changes"),
        )
        .where(Subscription.status == "active", or_(pending, Subscription.commitment_months > 0))
        .order_by(Subscription.id)
    )
    if reference is not None:
        statement = statement.join(Account, Account.id == Subscription.account_id).where(
            Account.reference == reference
        )
    written = {
        (row.subscription_id, row.deadline_on)
        for row in session.execute(
            select(Announcement.subscription_id, Announcement.deadline_on).where(Announcement.kind == RENEWAL)
        )
    }
    found = []
    for row in session.execute(statement):
        terms = Terms(
            row.commitment_months, Notice(row.notice_count, NoticeUnit(row.notice_unit)), Renewal(row.renewal)
        )
        turned_on = _turned_on(Commitment(row.commitment_starts_on, terms), on)
        if row.has_changes or (turned_on is not None and (row.id, turned_on) not in written):
            found.append(row.id)
    return found


def _turned_on(commitment: Commitment, on: date) -> date | None:
    """The last day up to `on` on which a term ended: renewed, or over for a contract that is not."""
    months = commitment.terms.commitment_months
    if months == 0 or boundary(commitment.starts_on, months) > on:
        return None
    if commitment.terms.renewal is Renewal.SAME_TERM:
        return period_containing(commitment.starts_on, on, months).start
    return boundary(commitment.starts_on, months)


def turn(session: Session, subscription_id: uuid.UUID, on: date, now: datetime, link: str) -> Turned:
    """Apply what is due up to `on`, then write down the term that has begun, if one has. Flushes.

    Running it again changes nothing. A change never overtakes the billing of a period before it.
    """
    subscription = scheduling.lock(session, subscription_id)
    situation = contracts.load(session, subscription_id)
    before = {each.id for each in situation.contract.changes if each.effective_on <= on}
    situation = _apply(session, subscription, situation, on, now)
    contract = situation.contract
    left = {each.id for each in contract.changes}
    if contract.ended_on is not None:
        return Turned(applied=len(before), ended_on=contract.ended_on)
    renewed_on = renewal_on(contract, on)
    if before & left:
        return Turned(applied=len(before - left), waits=True)
    if renewed_on is None or _is_written(session, subscription_id, renewed_on):
        return Turned(applied=len(before))
    is_news = on - renewed_on <= STILL_NEWS
    announcements.note(session, subscription_id, RENEWAL, renewed_on, 0, now, is_news)
    _write_down(session, subscription, situation, renewed_on, now, link if is_news else None)
    session.flush()
    return Turned(applied=len(before), renewed_on=renewed_on)


def _apply(
    session: Session, subscription: Subscription, situation: Situation, on: date, now: datetime
) -> Situation:
    contract = situation.contract
    first_unbilled = min([contract.signature.billed_until, *contract.renewals_to_settle()])
    ends_on = contract.ends_on()
    if ends_on is not None and ends_on <= min(first_unbilled, on):
        billing.bill_due(session, subscription.id, ends_on, now)  # gives back what was paid beyond the end
        return contracts.load(session, subscription.id)
    return scheduling.apply_due(session, subscription, situation, min(first_unbilled, on), now)


def renewal_on(contract: Contract, on: date) -> date | None:
    """The day on which the commitment was last renewed tacitly, up to `on`; None if it never was."""
    commitment = contract.signature.commitment
    return None if commitment.terms.renewal is Renewal.ENDS else _turned_on(commitment, on)


def _is_written(session: Session, subscription_id: uuid.UUID, renewed_on: date) -> bool:
    statement = select(Announcement.id).where(
        Announcement.subscription_id == subscription_id,
        Announcement.kind == RENEWAL,
        Announcement.deadline_on == renewed_on,
    )
    return session.scalars(statement).first() is not None


def _write_down(
    session: Session,
    subscription: Subscription,
    situation: Situation,
    renewed_on: date,
    now: datetime,
    link: str | None,
) -> None:
    contract = situation.contract
    commitment = contract.signature.commitment
    term = commitment.term_on(renewed_on)
    last_notice = commitment.last_notice_day(renewed_on)
    audit.record(
        session,
        SYSTEM,
        subscription.account_id,
        "subscription.renewed",
        contract.plan_code,
        {},
        {
            "renewed_on": renewed_on.isoformat(),
            "until": term.end.isoformat() if term else None,
            "scheme": commitment.terms.renewal.value,
        },
        now,
    )
    events.of_subscription(session, "subscription.renewed", subscription, now, on=renewed_on.isoformat())
    if link is None:
        return
    notices.tell_owners(
        session,
        situation.customer,
        "renewal_done",
        now,
        lambda language: {"plan": text(situation.plans[contract.plan_code], language)},
        renewed_on=renewed_on,
        last_day=term.last_day if term else None,
        last_notice_day=last_notice,
        months=commitment.terms.commitment_months,
        is_consumer=situation.customer.kind == "consumer",
        link=link,
    )
