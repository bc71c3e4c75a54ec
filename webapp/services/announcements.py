"""Announcing the last day to give notice, before it comes (spec T5): each announcement leaves once."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp.domain.contract import ChangeKind
from webapp.domain.periods import Period
from webapp.domain.terms import Commitment, Notice, NoticeUnit, Renewal, Terms
from webapp.models.subscriptions import ScheduledChange, Subscription
from webapp.models.terminations import Announcement
from webapp.services import contracts, notices
from webapp.services.wording import text

DAYS_BEFORE = (60, 30, 7)
NOTICE = "notice"


@dataclass(frozen=True, slots=True)
class Due:
    """A deadline to announce: the announcements whose day has come, the closest to the deadline first."""

    subscription_id: uuid.UUID
    term: Period
    deadline_on: date
    days_before: tuple[int, ...]


def due(session: Session, today: date, days: Sequence[int] = DAYS_BEFORE) -> list[Due]:
    """What is to be announced on `today` and was not yet. A day that was missed is caught up until the deadline.

    Nothing is announced of a contract that ends anyway, and nothing whose day came before the term began.
    """
    ending = select(ScheduledChange.id).where(
        ScheduledChange.subscription_id == Subscription.id,
        ScheduledChange.kind == ChangeKind.TERMINATION.value,
        ScheduledChange.status == "pending",
    )
    rows = session.execute(
        select(
            Subscription.id,
            Subscription.commitment_starts_on,
            Subscription.commitment_months,
            Subscription.notice_count,
            Subscription.notice_unit,
            Subscription.renewal,
        )
        .where(
            Subscription.status == "active",
            Subscription.commitment_months > 0,
            Subscription.renewal != Renewal.ENDS.value,
            ~ending.exists(),
        )
        .order_by(Subscription.id)
    ).all()
    found = []
    for row in rows:
        notice = Notice(row.notice_count, NoticeUnit(row.notice_unit))
        commitment = Commitment(
            row.commitment_starts_on, Terms(row.commitment_months, notice, Renewal(row.renewal))
        )
        term, deadline = commitment.term_on(today), commitment.last_notice_day(today)
        if term is None or deadline is None or deadline < today:
            continue
        steps = tuple(_steps(term, deadline, today, days))
        if steps:
            found.append(Due(row.id, term, deadline, steps))
    said = _said(session, [each.subscription_id for each in found])
    return [
        each
        for each in found
        if any((each.subscription_id, each.deadline_on, step) not in said for step in each.days_before)
    ]


def _steps(term: Period, deadline: date, today: date, days: Sequence[int]) -> Iterator[int]:
    for step in sorted(set(days)):
        on = deadline - timedelta(days=step)
        if term.start <= on <= today:
            yield step


def _said(session: Session, subscription_ids: Sequence[uuid.UUID]) -> set[tuple[uuid.UUID, date, int]]:
    rows = session.execute(
        select(Announcement.subscription_id, Announcement.deadline_on, Announcement.days_before).where(
            Announcement.kind == NOTICE, Announcement.subscription_id.in_(subscription_ids)
        )
    )
    return {(row.subscription_id, row.deadline_on, row.days_before) for row in rows}


def announce(session: Session, each: Due, today: date, now: datetime, link: str) -> bool:
    """Announce one deadline to the owners, in their language: one mail, even when several days were missed.

    Flushes. Answers whether a mail was written: nothing leaves when a closer announcement left before. Two runs at
    once write one: the unique key refuses the other.
    """
    said = _said(session, [each.subscription_id])
    closest = each.days_before[0]
    is_said = (each.subscription_id, each.deadline_on, closest) in said
    try:
        with session.begin_nested():
            for step in each.days_before:
                if (each.subscription_id, each.deadline_on, step) not in said:
                    note(session, each.subscription_id, NOTICE, each.deadline_on, step, now, step == closest)
            session.flush()
    except IntegrityError:
        return False
    if is_said:
        return False
    situation = contracts.load(session, each.subscription_id)
    terms = situation.contract.signature.commitment.terms
    notices.tell_owners(
        session,
        situation.customer,
        "notice_last_day",
        now,
        lambda language: {"plan": text(situation.plans[situation.contract.plan_code], language)},
        deadline_on=each.deadline_on,
        days_left=(each.deadline_on - today).days,
        term_end=each.term.end,
        last_day=each.term.last_day,
        renews_monthly=terms.renewal is Renewal.MONTHLY,
        months=terms.commitment_months,
        is_consumer=situation.customer.kind == "consumer",
        link=link,
    )
    return True


def note(
    session: Session,
    subscription_id: uuid.UUID,
    kind: str,
    deadline_on: date,
    days_before: int,
    now: datetime,
    is_sent: bool,
) -> None:
    session.add(
        Announcement(
            subscription_id=subscription_id,
            kind=kind,
            deadline_on=deadline_on,
            days_before=days_before,
            noted_at=now,
            sent_at=now if is_sent else None,
        )
    )
