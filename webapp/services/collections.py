"""Collections: each attempt to take the amount of an invoice, by direct debit file or from a provider (D3).

The database allows one open attempt per invoice. What became of it is told here once, by the bank's statement or by
the provider, in any order and as often as they like: one attempt brings money in once and gives it back once.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp.adapters import bank_days
from webapp.domain.access import SYSTEM, Actor
from webapp.domain.collection_codes import REFUNDS, NextStep, Step, next_step, retry_day
from webapp.domain.money import Money
from webapp.models.accounts import Account
from webapp.models.dunning import DunningHold
from webapp.models.invoices import Invoice, Issuer, Payment
from webapp.models.payments import Collection, Mandate, PaymentMethod
from webapp.models.subscriptions import Subscription
from webapp.services import audit, notices, outbox, payment_methods, payments, standing
from webapp.services.bank_reasons import reason_text
from webapp.services.payments import Receipt, TakenBack
from webapp.services.support import DESK_LANGUAGE

OPEN = ("planned", "sent")
LEAD = 1  # bank days between the file and the day it asks for (SEPA Core)


@dataclass(frozen=True, slots=True)
class Links:
    """Where the mails lead, as whole addresses: paying one invoice, changing the way to pay, the team's own list."""

    pay: Callable[[uuid.UUID, str], str]  # of the subscription and of the invoice's number
    method: Callable[[uuid.UUID], str]  # of the subscription
    team: str = ""


def plan(
    session: Session, invoice: Invoice, method: PaymentMethod, requested_on: date, now: datetime
) -> Collection | None:
    """Intend to collect what is left of an invoice on a day. None when nothing is left or another attempt is open.

    Flushes. The end-to-end id is the invoice's number, then with -2, -3 … for later attempts.
    """
    left = invoice.total_cents - invoice.paid_cents
    if invoice.kind != "invoice" or left <= 0:
        return None
    attempt = 1 + int(
        session.scalar(
            select(func.count()).select_from(Collection).where(Collection.invoice_id == invoice.id)
        )
        or 0
    )
    collection = Collection(
        account_id=invoice.account_id,
        invoice_id=invoice.id,
        method_id=method.id,
        mandate_id=method.mandate.id if method.mandate is not None else None,
        end_to_end_id=invoice.number if attempt == 1 else f"{invoice.number}-{attempt}",
        attempt=attempt,
        amount_cents=left,
        currency=invoice.currency,
        requested_on=requested_on,
        created_at=now,
    )
    try:
        with session.begin_nested():
            session.add(collection)
    except IntegrityError:  # one is open, or another hand has just planned this very attempt
        return None
    return collection


def sent(collection: Collection, provider_reference: str) -> None:
    """A provider has been asked for it, under that name of its own."""
    collection.state, collection.provider_reference = "sent", provider_reference


def cancel(collection: Collection, now: datetime) -> None:
    """Nothing was or will be asked: the invoice is free for another attempt."""
    collection.state, collection.is_open, collection.closed_at = "cancelled", False, now


def by_end_to_end(session: Session, end_to_end_ids: Sequence[str]) -> dict[str, Collection]:
    found = session.scalars(select(Collection).where(Collection.end_to_end_id.in_(end_to_end_ids)))
    return {each.end_to_end_id: each for each in found}


def settled(
    session: Session,
    collection: Collection,
    on: date,
    today: date,
    now: datetime,
    *,
    amount: Money | None = None,
    method: str = "direct_debit",
    source: str = "",
    actor: Actor = SYSTEM,
) -> list[Payment]:
    """The money of this attempt came in on `on`; told again, by whatever file or notice, it changes nothing. Flushes.

    What the bank told first as refused, and now as collected, came in and left again: both are written. `method` is
    direct_debit or card; without `source`, the attempt itself names the money.
    """
    _lock(session, collection)
    known = _money_of(session, collection)
    if known:
        return known
    rows = payments.receive(
        session,
        receipt(
            collection, amount or Money(collection.amount_cents, collection.currency), on, method, source
        ),
        today,
        now,
        actor,
        first=[collection.invoice_id],
    )
    if collection.state == "refused" and collection.reason_code is not None:
        _give_back(session, collection, collection.reason_code, on, today, now, actor)
    else:
        _close(collection, "settled", now)
    session.flush()
    return rows


def receipt(
    collection: Collection, amount: Money, on: date, method: str = "direct_debit", source: str = ""
) -> Receipt:
    """The money of an attempt. Without `source`, the attempt itself names it: it comes in once, whoever tells it."""
    return Receipt(collection.account_id, amount, method, source or _source(collection), on, collection.id)


def note_settled(collection: Collection, now: datetime) -> None:
    """For who has written the receipt of a sent attempt with many others."""
    _close(collection, "settled", now)


def failed(
    session: Session,
    collection: Collection,
    reason_code: str,
    on: date,
    today: date,
    now: datetime,
    *,
    source: str = "",
    links: Links | None = None,
    actor: Actor = SYSTEM,
) -> NextStep:
    """This attempt was refused, returned or refunded on `on`: reopen what it paid, and do what the reason asks for.

    Told again, it changes nothing. Answers what the reason asks for. Flushes.
    """
    step = next_step(reason_code)
    _lock(session, collection)
    if collection.state in ("refused", "returned", "refunded"):
        return step
    was_settled = bool(_money_of(session, collection))
    if was_settled:
        _give_back(session, collection, reason_code, on, today, now, actor, source)
    else:
        _close(collection, "refused", now)
        collection.reason_code = reason_code
        _undo_use(session, collection)
    session.flush()
    _follow(session, collection, step, reason_code, on, now, links, actor)
    session.flush()
    return step


# ── What follows a refusal ───────────────────────────────────────────────────────────────────────────────────────


def _follow(
    session: Session,
    collection: Collection,
    step: NextStep,
    reason_code: str,
    on: date,
    now: datetime,
    links: Links | None,
    actor: Actor,
) -> None:
    invoice = session.get_one(Invoice, collection.invoice_id)
    method = session.get_one(PaymentMethod, collection.method_id)
    account = session.get_one(Account, collection.account_id)
    if step.mandate:
        payment_methods.block(session, method, reason_code, now, actor)
    if step.step is Step.STOP:
        _hold(session, collection, reason_code, on, now)
    day = retry_day(reason_code, collection.attempt, on)
    if day is not None and method.state == "active":
        collection.retry_on = bank_days.bank_day(day)
        following = plan(session, invoice, method, collection.retry_on, now)
        if following is not None:
            following.notified_at = now  # by the mail below, which says the day and the amount
        else:
            collection.retry_on = None
    facts = {
        "invoice": invoice.number,
        "amount_cents": collection.amount_cents,
        "reason_code": reason_code,
        "on": on.isoformat(),
        "retry_on": collection.retry_on.isoformat() if collection.retry_on else None,
    }
    audit.record(session, actor, account.id, "collection.failed", invoice.number, {}, facts, now)
    if step.tells_customer and links is not None:
        _tell_customer(session, account, invoice, collection, reason_code, step, now, links)
    if step.tells_staff:
        _tell_staff(session, account, invoice, collection, reason_code, now, links)


def _undo_use(session: Session, collection: Collection) -> None:
    """Refused before any money moved: the mandate's next debit is again its first, and tells again what it was."""
    mandate = session.get(Mandate, collection.mandate_id) if collection.mandate_id is not None else None
    if mandate is None:
        return
    if collection.sequence == "FRST" and mandate.first_used_on == collection.requested_on:
        mandate.first_used_on = mandate.last_used_on = None
    if collection.amendment is not None and mandate.amendment is None:
        mandate.amendment = collection.amendment


def _hold(session: Session, collection: Collection, reason_code: str, on: date, now: datetime) -> None:
    """Reminders stop for the whole account until a person lifts it."""
    session.add(
        DunningHold(
            account_id=collection.account_id,
            kind="hold",
            from_on=on,
            reason=reason_code,
            made_by="",
            made_at=now,
        )
    )


def _tell_customer(
    session: Session,
    account: Account,
    invoice: Invoice,
    collection: Collection,
    reason_code: str,
    step: NextStep,
    now: datetime,
    links: Links,
) -> None:
    subscription_id = subscription_of(session, invoice)
    if subscription_id is None:
        return
    for owner in notices.owners(session, account.id):
        language = owner.language or account.language
        outbox.queue(
            session,
            "collection_failed",
            recipient=owner.email,
            language=language,
            account_id=account.id,
            now=now,
            full_name=owner.full_name,
            account=account.name,
            number=invoice.number,
            amount=Money(collection.amount_cents, collection.currency),
            left=Money(invoice.total_cents - invoice.paid_cents, invoice.currency),
            reason=reason_text(reason_code, language),
            step=step.step.value,
            retry_on=collection.retry_on,
            pay_link=links.pay(subscription_id, invoice.number),
            method_link=links.method(subscription_id),
        )


def _tell_staff(
    session: Session,
    account: Account,
    invoice: Invoice,
    collection: Collection,
    reason_code: str,
    now: datetime,
    links: Links | None,
) -> None:
    address = session.scalar(select(Issuer.email).order_by(Issuer.id).limit(1))
    if not address:
        return
    outbox.queue(
        session,
        "collection_for_staff",
        recipient=address,
        language=DESK_LANGUAGE,
        account_id=account.id,
        now=now,
        account=account.name,
        reference=account.reference,
        number=invoice.number,
        amount=Money(collection.amount_cents, collection.currency),
        code=reason_code,
        reason=reason_text(reason_code, DESK_LANGUAGE),
        link=links.team if links is not None else "",
    )


def subscription_of(session: Session, invoice: Invoice) -> uuid.UUID | None:
    """That whose pages the mails about an invoice lead to."""
    if invoice.subscription_id is not None:
        return invoice.subscription_id
    statement = select(Subscription.id).where(Subscription.account_id == invoice.account_id)
    return session.scalars(statement.order_by(Subscription.status, Subscription.id).limit(1)).first()


# ── The money of an attempt ──────────────────────────────────────────────────────────────────────────────────────


def _give_back(
    session: Session,
    collection: Collection,
    reason_code: str,
    on: date,
    today: date,
    now: datetime,
    actor: Actor,
    source: str = "",
) -> None:
    rows = _money_of(session, collection)
    reversals = select(func.coalesce(func.sum(Payment.amount_cents), 0)).where(
        Payment.reversal_of_id.in_([row.id for row in rows])
    )
    # A provider may have given part of it back before.
    left = sum(row.amount_cents for row in rows) + int(session.scalar(reversals) or 0)
    if left > 0:
        amount = Money(left, collection.currency)
        back = source or f"{_source(collection)}:back"
        taken = TakenBack(str(rows[0].source), amount, back, reason_code, on)
        payments.take_back(session, taken, today, now, actor)
    _close(collection, "refunded" if reason_code in REFUNDS else "returned", now)
    collection.reason_code = reason_code


def _money_of(session: Session, collection: Collection) -> list[Payment]:
    """The rows by which this attempt brought money in, in the order they were written."""
    statement = select(Payment).where(
        Payment.collection_id == collection.id, Payment.reversal_of_id.is_(None)
    )
    return list(session.scalars(statement.order_by(Payment.id)))


def _close(collection: Collection, state: str, now: datetime) -> None:
    collection.state, collection.is_open = state, False
    collection.closed_at = collection.closed_at or now


def _source(collection: Collection) -> str:
    return f"collection:{collection.end_to_end_id}"


def _lock(session: Session, collection: Collection) -> None:
    """The account first, as everything that moves money does; then what the row has become meanwhile."""
    session.flush()
    standing.lock(session, collection.account_id)
    session.refresh(collection, with_for_update=True)


# A planned attempt that nobody sent in time is moved, never sent for a day already past.
def earliest(today: date, days: int) -> date:
    """The first bank day at least `days` calendar days and one bank day after `today`."""
    return bank_days.bank_day(max(today + timedelta(days=days), bank_days.after(today, LEAD)))
