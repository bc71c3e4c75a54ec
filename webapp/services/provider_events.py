"""What a payment provider pushes: kept raw as it came, then handled once, by asking the provider what became of it.

A notice is only a hint. Two of them, late, in another order or never: the provider is asked for the whole present state
each time, and what is known already changes nothing. `catch_up` asks about what no notice has told.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import and_, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp.adapters.payment_provider import OPEN, Notice, PaymentProvider, ProviderError, ReferenceUnknown
from webapp.models.payments import CheckoutSession, Collection, PaymentMethod, ProviderEvent
from webapp.services import checkout
from webapp.services.collections import Links

Transaction = Callable[[], AbstractContextManager[Session]]
QUEUED = "provider_events_queued"  # in session.info: this transaction has kept a notice
PAGE = 50
# A page nobody came back from is asked about after this long; the visitor's own browser asks sooner.
LOST_AFTER = timedelta(minutes=2)
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Round:
    """How a round went: `failed` will be tried again by the next one."""

    handled: int = 0
    failed: int = 0

    def __add__(self, other: "Round") -> "Round":
        return Round(self.handled + other.handled, self.failed + other.failed)


def keep(session: Session, provider: str, notice: Notice, body: bytes, now: datetime) -> bool:
    """Keep a notice whose signature is right. False when it was kept already. Flushes.

    From a provider that says every change under one name, the same notice is to be handled again.
    """
    statement = select(ProviderEvent).where(
        ProviderEvent.provider == provider, ProviderEvent.event_id == notice.event_id
    )
    known = session.scalars(statement.with_for_update()).first()
    if known is not None and notice.repeats:
        known.handled_at, known.received_at, known.body = None, now, body
        session.info[QUEUED] = True
    if known is not None:
        return False
    event = ProviderEvent(
        provider=provider,
        event_id=notice.event_id,
        reference=notice.reference or "",
        body=body,
        received_at=now,
    )
    try:
        with session.begin_nested():
            session.add(event)
    except IntegrityError:  # the same notice, in another process at the same moment
        return False
    session.info[QUEUED] = True
    return True


def handle_waiting(
    transaction: Transaction,
    provider: PaymentProvider,
    today: date,
    clock: Callable[[], datetime],
    *,
    links: Links | None = None,
    reached: Callable[[str], None] = lambda name: None,
) -> Round:
    """Handle the notices that wait, oldest first. One that fails keeps no other from being handled."""
    done, last = Round(), 0
    while True:
        with transaction() as session:
            ids = session.scalars(
                select(ProviderEvent.id)
                .where(
                    ProviderEvent.provider == provider.name,
                    ProviderEvent.handled_at.is_(None),
                    ProviderEvent.id > last,
                )
                .order_by(ProviderEvent.id)
                .limit(PAGE)
            ).all()
        if not ids:
            return done
        for event_id in ids:
            done += _handle(transaction, provider, event_id, today, clock, links, reached)
        last = ids[-1]


def _handle(
    transaction: Transaction,
    provider: PaymentProvider,
    event_id: int,
    today: date,
    clock: Callable[[], datetime],
    links: Links | None,
    reached: Callable[[str], None],
) -> Round:
    with transaction() as session:
        event = session.get_one(ProviderEvent, event_id)
        reference, received_at = event.reference, event.received_at
    reached("kept")
    try:
        outcome = provider.fetch(reference) if reference else None
        reached("fetched")
        with transaction() as session:
            if outcome is not None:
                checkout.apply(session, provider.name, outcome, today, clock(), links=links)
            reached("applied")
            _handled(session, event_id, received_at, clock())
            reached("before_commit")
    except ReferenceUnknown:
        log.warning("%s told of %s and knows nothing of it", provider.name, reference)
        with transaction() as session:
            _handled(session, event_id, received_at, clock())
    except Exception as error:  # whatever is wrong with one notice, the others tell of other customers' money
        log.exception("notice %s of %s was not handled", event_id, provider.name)
        with transaction() as session:
            event = session.get_one(ProviderEvent, event_id)
            event.attempts += 1
            event.last_error = f"{type(error).__name__}: {error}"[:1000]
        return Round(failed=1)
    reached("after_commit")
    return Round(handled=1)


def _handled(session: Session, event_id: int, received_at: datetime, now: datetime) -> None:
    """Unless it came again meanwhile: the provider was asked before that, so it is asked once more."""
    event = session.get_one(ProviderEvent, event_id, with_for_update=True)
    event.attempts += 1
    if event.received_at == received_at:
        event.handled_at, event.last_error = now, None


def catch_up(
    transaction: Transaction,
    provider: PaymentProvider,
    today: date,
    clock: Callable[[], datetime],
    *,
    look_back: timedelta = timedelta(0),
    links: Links | None = None,
) -> Round:
    """Ask about the pages still open and the charges still unanswered: their notice may never come.

    With `look_back`, ask again about what was paid since then: a refund or a chargeback whose notice was lost.
    """
    since = clock() - look_back
    with transaction() as session:
        pages = session.scalars(
            select(CheckoutSession.provider_reference).where(
                CheckoutSession.provider == provider.name,
                CheckoutSession.provider_reference.is_not(None),
                or_(
                    and_(CheckoutSession.state == OPEN, CheckoutSession.opened_at < clock() - LOST_AFTER),
                    CheckoutSession.closed_at > since,
                ),
            )
        ).all()
        charges = session.scalars(
            select(Collection.provider_reference)
            .join(PaymentMethod, PaymentMethod.id == Collection.method_id)
            .where(
                PaymentMethod.provider == provider.name,
                Collection.provider_reference.is_not(None),
                or_(Collection.state == "sent", Collection.closed_at > since),
            )
        ).all()
    done = Round()
    for reference in (*pages, *charges):
        try:
            checkout.learn(transaction, provider, str(reference), today, clock, links=links)
        except ProviderError as error:
            log.error("%s did not say what became of %s: %s", provider.name, reference, error)
            done += Round(failed=1)
        else:
            done += Round(handled=1)
    return done
