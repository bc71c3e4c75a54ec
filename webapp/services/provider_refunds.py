"""Money that the team gives back through a payment provider: asked once, sent once, believed when the provider tells it.

Three steps, and no transaction is open while the provider works: the row with its key, beside the gesture; the asking;
the note of its answer. The payment itself is taken back when the provider tells of the refund, as for one made on its
own pages (`checkout.apply`), and the owners are mailed then.
"""

import logging
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.adapters.payment_provider import (
    AskedRefund,
    Back,
    PaymentProvider,
    ProviderError,
    ProviderRefused,
)
from webapp.domain.access import SYSTEM
from webapp.domain.money import Money
from webapp.models.gestures import Gesture
from webapp.models.payments import ProviderRefund
from webapp.services import audit, contracts, gesture_words, history, notices

Transaction = Callable[[], AbstractContextManager[Session]]
QUEUED = "provider_refunds_queued"  # in session.info: this transaction has asked for one
WAITING = ("asked", "unsure", "sent")
# Providers forget an idempotency key after a day: later, asking again could give the money back twice.
ASKED_AGAIN_FOR = timedelta(hours=20)
log = logging.getLogger(__name__)


def waiting_cents(session: Session, provider: str, payment: str) -> int:
    """What was asked to be given back of a payment and that the provider has not told yet."""
    statement = select(func.coalesce(func.sum(ProviderRefund.amount_cents), 0)).where(
        ProviderRefund.provider == provider,
        ProviderRefund.payment == payment,
        ProviderRefund.state.in_(WAITING),
    )
    return int(session.scalar(statement) or 0)


def states(session: Session, account_id: uuid.UUID) -> dict[int, str]:
    """What each refund of the account has become, by gesture."""
    statement = select(ProviderRefund.gesture_id, ProviderRefund.state)
    rows = session.execute(statement.where(ProviderRefund.account_id == account_id)).all()
    return {row.gesture_id: row.state for row in rows}


def ask(session: Session, gesture: Gesture, key: str, link: str, now: datetime) -> None:
    """Keep what is asked, to be sent after the commit. `link` is that of the mail, empty when nobody is told. Flushes."""
    facts = gesture.facts
    session.add(
        ProviderRefund(
            account_id=gesture.account_id,
            gesture_id=gesture.id,
            provider=facts["provider"],
            payment=facts["payment"],
            key=f"refund-{key}",
            amount_cents=facts["amount_cents"],
            currency=facts["currency"],
            link=link,
            asked_at=now,
        )
    )
    session.flush()
    session.info[QUEUED] = True


def send_waiting(
    transaction: Transaction,
    provider: PaymentProvider,
    today: date,
    clock: Callable[[], datetime],
    learn: Callable[[str], object],
) -> int:
    """Send those that wait, oldest first, each with its own key; answers how many got no answer.

    `learn` asks the provider what a payment has become, and writes it. Killed anywhere and started again, the key makes
    it one refund. One that fails keeps no other from being sent.
    """
    with transaction() as session:
        statement = select(ProviderRefund.id).where(
            ProviderRefund.provider == provider.name, ProviderRefund.state == "asked"
        )
        ids = list(session.scalars(statement.order_by(ProviderRefund.id)))
    return sum(not _send(transaction, provider, each, today, clock, learn) for each in ids)


def _send(
    transaction: Transaction,
    provider: PaymentProvider,
    refund_id: int,
    today: date,
    clock: Callable[[], datetime],
    learn: Callable[[str], object],
) -> bool:
    with transaction() as session:
        row = session.get_one(ProviderRefund, refund_id, with_for_update=True)
        if row.state != "asked":
            return True
        if clock() - row.asked_at > ASKED_AGAIN_FOR:
            row.state = "unsure"
            log.error("nobody knows whether %s gave %s back: look at its pages", provider.name, row.payment)
            return False
        asked = AskedRefund(row.key, row.payment, Money(row.amount_cents, row.currency), today)
    try:
        back = provider.refund(asked)
    except ProviderRefused as error:
        log.error("%s refused to give %s back: %s", provider.name, asked.payment, error)
        with transaction() as session:
            _refused(session, refund_id, str(error), clock())
        return True
    except ProviderError as error:
        log.error("%s did not answer about the refund %s: %s", provider.name, asked.key, error)
        return False
    with transaction() as session:
        row = session.get_one(ProviderRefund, refund_id, with_for_update=True)
        row.provider_reference = back.reference
        if row.state == "asked":
            row.state = "sent"
    try:
        learn(asked.payment)
    except ProviderError as error:  # its notice tells it later
        log.warning("%s did not say what became of %s: %s", provider.name, asked.payment, error)
    return True


def _refused(session: Session, refund_id: int, failure: str, now: datetime) -> None:
    row = session.get_one(ProviderRefund, refund_id, with_for_update=True)
    row.state, row.failure, row.closed_at = "refused", failure[:1000], now
    facts = {"amount_cents": row.amount_cents, "currency": row.currency}
    audit.record(session, SYSTEM, row.account_id, "provider_refund.refused", row.payment, {}, facts, now)
    session.flush()


def told(session: Session, provider: str, payment: str, back: Back, now: datetime) -> None:
    """The provider tells of money given back: the refund that asked for it is done, and the owners are mailed. Flushes.

    Nothing when nobody here asked for it, or when it was told before. A refund whose answer was lost is known by its
    payment and amount.
    """
    rows = session.scalars(
        select(ProviderRefund)
        .where(
            ProviderRefund.provider == provider,
            ProviderRefund.payment == payment,
            ProviderRefund.amount_cents == back.amount.cents,
        )
        .order_by(ProviderRefund.id)
    ).all()
    if any(row.provider_reference == back.reference and row.state == "done" for row in rows):
        return
    waiting = [row for row in rows if row.state in WAITING]
    named = [row for row in waiting if row.provider_reference == back.reference]
    unnamed = [row for row in waiting if not row.provider_reference]
    row = next(iter(named or unnamed), None)
    if row is None or back.reason != "refund":
        return
    row.state, row.provider_reference, row.closed_at = "done", back.reference, now
    session.flush()
    if row.link:
        _tell(session, row, now)


def _tell(session: Session, row: ProviderRefund, now: datetime) -> None:
    gesture = session.get_one(Gesture, row.gesture_id)
    customer = contracts.load(session, gesture.subscription_id).customer
    notices.tell_owners(
        session,
        customer,
        "gesture",
        now,
        lambda language: {
            "sentence": gesture_words.sentence(
                gesture.kind, gesture.facts, language, history.names(session, language)
            )
        },
        is_undone=False,
        reason=gesture.reason,
        documents=[],
        link=row.link,
    )
