"""How the embed of a reseller is used: sessions a day, openings refused by cause, and what it still lacks to open."""

import uuid
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import case, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp.domain.embedding import AssertionRefused
from webapp.models.accounts import Account, Membership, Reseller
from webapp.models.embedding import EmbedRefusal, EmbedSession
from webapp.models.resellers import ResellerKey

DAYS = 30  # shown, and kept of refusals


def count_refusal(
    session: Session, reseller_id: uuid.UUID, refusal: AssertionRefused, today: date, now: datetime
) -> None:
    """One more of this cause today: a row for each, however often a stranger tries. Flushes."""
    mine = EmbedRefusal.reseller_id == reseller_id
    session.execute(delete(EmbedRefusal).where(mine, EmbedRefusal.on_day <= today - timedelta(days=DAYS)))
    of_today = (mine, EmbedRefusal.on_day == today, EmbedRefusal.why == refusal.why.value)
    more = (
        update(EmbedRefusal)
        .where(*of_today)
        .values(times=EmbedRefusal.times + 1, last_at=now, last_claim=refusal.claim)
        .returning(EmbedRefusal.id)
    )
    if session.execute(more).first() is not None:
        return
    first = EmbedRefusal(
        reseller_id=reseller_id,
        on_day=today,
        why=refusal.why.value,
        times=1,
        last_at=now,
        last_claim=refusal.claim,
    )
    try:
        with session.begin_nested():
            session.add(first)
    except IntegrityError:  # another request was the first of the day
        session.execute(more)


def refusals(session: Session, reseller_id: uuid.UUID, since: date) -> list[EmbedRefusal]:
    """By day and cause, the last first."""
    found = select(EmbedRefusal).where(EmbedRefusal.reseller_id == reseller_id, EmbedRefusal.on_day >= since)
    return list(session.scalars(found.order_by(EmbedRefusal.last_at.desc(), EmbedRefusal.id.desc())))


def sessions_by_day(session: Session, reseller_id: uuid.UUID, starts: Sequence[datetime]) -> list[int]:
    """How many were opened from each start to the next, and from the last one on. One statement."""
    opened = EmbedSession.created_at
    day = case(*((opened >= start, number) for number, start in reversed(list(enumerate(starts)))))
    rows = session.execute(
        select(day.label("day"), func.count())
        .where(EmbedSession.reseller_id == reseller_id, opened >= starts[0])
        .group_by("day")
    )
    counts = {int(number): int(count) for number, count in rows}
    return [counts.get(number, 0) for number in range(len(starts))]


def lacking(session: Session, reseller: Reseller) -> list[str]:
    """What the embed waits for before it can open: suspended, key, origin, person. Empty when nothing."""
    key = select(ResellerKey.id).where(
        ResellerKey.reseller_id == reseller.id, ResellerKey.revoked_at.is_(None)
    )
    person = (
        select(Membership.id)
        .join(Account, Account.id == Membership.account_id)
        .where(Account.reseller_id == reseller.id, Account.closed_at.is_(None))
    )
    missing = {
        "suspended": reseller.suspended_at is not None,
        "key": session.scalar(key.limit(1)) is None,
        "origin": not reseller.allowed_origins,
        "person": session.scalar(person.limit(1)) is None,
    }
    return [name for name, is_missing in missing.items() if is_missing]
