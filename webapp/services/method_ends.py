"""Cards that expire and mandates that die: announced before, then put out of service on the day (D2).

Each announcement leaves once, whoever runs the command and how often; a day that was missed is caught up.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Select, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp.domain.payment_methods import (
    ANNOUNCED_DAYS_BEFORE,
    UNUSED_MONTHS,
    MandateLife,
    announcements_due,
)
from webapp.domain.periods import boundary
from webapp.models.payments import Mandate, MethodAnnouncement, PaymentMethod
from webapp.models.subscriptions import Subscription
from webapp.services import payment_methods

MONTH_END = timedelta(days=3)  # 29, 30 and 31 of a month may all come to the 28th, 36 months later


@dataclass(frozen=True, slots=True)
class Due:
    """A primary method whose end comes near: the announcements whose day has come, the closest to the end first."""

    method_id: uuid.UUID
    subscription_id: uuid.UUID  # one of its account's that runs: where the mail leads
    stops_on: date  # the first day without it
    days_before: tuple[int, ...]


def due(session: Session, today: date, days: tuple[int, ...] = ANNOUNCED_DAYS_BEFORE) -> list[Due]:
    """What is to be announced on `today` and was not yet, of the methods that pay the invoices of a running contract."""
    subscription = (
        select(Subscription.id)
        .where(Subscription.account_id == PaymentMethod.account_id, Subscription.status == "active")
        .order_by(Subscription.starts_on, Subscription.id)
        .limit(1)
        .scalar_subquery()
    )
    rows = session.execute(
        _ending_by(today + timedelta(days=max(days)))
        .add_columns(subscription.label("subscription_id"))
        .where(PaymentMethod.is_primary.is_(True), PaymentMethod.state == "active", subscription.is_not(None))
        .order_by(PaymentMethod.id)
    )
    found = []
    for row in rows:
        stops_on = _stops_on(row.expires_on, row.signed_on, row.last_used_on)
        steps = announcements_due(stops_on, today, days)
        if steps:
            found.append(Due(row.id, row.subscription_id, stops_on, steps))
    said = _said(session, [each.method_id for each in found])
    return [
        each
        for each in found
        if any((each.method_id, each.stops_on, step) not in said for step in each.days_before)
    ]


def announce(session: Session, each: Due, today: date, now: datetime, link: str) -> bool:
    """Announce one end to the owners, in their language: one mail, even when several days were missed.

    Answers whether a mail was written. Two runs at once write one: the unique key refuses the other. Flushes.
    """
    said = _said(session, [each.method_id])
    closest = each.days_before[0]
    is_said = (each.method_id, each.stops_on, closest) in said
    try:
        with session.begin_nested():
            for step in each.days_before:
                if (each.method_id, each.stops_on, step) not in said:
                    session.add(
                        MethodAnnouncement(
                            method_id=each.method_id,
                            stops_on=each.stops_on,
                            days_before=step,
                            noted_at=now,
                            sent_at=now if step == closest else None,
                        )
                    )
            session.flush()
    except IntegrityError:
        return False
    if is_said:
        return False
    method = session.get_one(PaymentMethod, each.method_id)
    payment_methods.tell_end(session, method, each.stops_on, today, now, link)
    return True


def to_end(session: Session, today: date) -> list[uuid.UUID]:
    """The methods whose last day has passed and that still pass for usable."""
    rows = session.execute(
        _ending_by(today).where(PaymentMethod.state.in_(("pending", "active"))).order_by(PaymentMethod.id)
    )
    return [row.id for row in rows if _stops_on(row.expires_on, row.signed_on, row.last_used_on) <= today]


def end(session: Session, method_id: uuid.UUID, now: datetime) -> None:
    """Put it out of service: invoices ask for a transfer until it is replaced. Flushes."""
    payment_methods.expire(session, session.get_one(PaymentMethod, method_id), now)


def _ending_by(
    day: date,
) -> "Select[uuid.UUID, date | None, date | None, date | None]":
    """Methods that may have stopped by `day`: a few mandates too many, whose exact day Python counts."""
    unused_since = boundary(day, -UNUSED_MONTHS) + MONTH_END
    return (
        select(PaymentMethod.id, PaymentMethod.expires_on, Mandate.signed_on, Mandate.last_used_on)
        .outerjoin(Mandate, Mandate.method_id == PaymentMethod.id)
        .where(
            or_(
                PaymentMethod.expires_on <= day,
                func.coalesce(Mandate.last_used_on, Mandate.signed_on) <= unused_since,
            )
        )
    )


def _stops_on(expires_on: date | None, signed_on: date | None, last_used_on: date | None) -> date:
    ends = [expires_on] if expires_on is not None else []
    if signed_on is not None:
        ends.append(MandateLife(signed_on, last_used_on).dead_on)
    return min(ends)


def _said(session: Session, method_ids: Sequence[uuid.UUID]) -> set[tuple[uuid.UUID, date, int]]:
    rows = session.execute(
        select(
            MethodAnnouncement.method_id, MethodAnnouncement.stops_on, MethodAnnouncement.days_before
        ).where(MethodAnnouncement.method_id.in_(method_ids))
    )
    return {(row.method_id, row.stops_on, row.days_before) for row in rows}
