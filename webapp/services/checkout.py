"""Paying now, and giving a card, on the page of a payment provider (D1, D4).

Three steps, and no transaction is open while the provider works: the row with its key, the page, the note of its
address. Killed anywhere and started again, or asked twice at once, the key leads to the same page. What the provider
then says is believed only when it is asked: `apply` writes the whole of it, once, in one transaction with what follows
(the invoice settled, the service restored). Money beyond what is due settles the oldest other invoices, then stays as
the account's credit, as M6 says of any other: nothing is sent back without a person deciding it.
"""

import logging
import secrets
import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.adapters.payment_provider import (
    EXPIRED,
    FAILED,
    OPEN,
    PAID,
    PENDING,
    AskedPayment,
    AskedSetUp,
    Back,
    MethodKind,
    Opened,
    Outcome,
    Payer,
    PaymentProvider,
    ProviderError,
    ReferenceUnknown,
    SavedMethod,
    Way,
)
from webapp.domain.access import SYSTEM, Actor
from webapp.domain.money import Money, total
from webapp.domain.refusals import NothingToPay, PaymentUnderWay, ProviderSilent
from webapp.models.accounts import Account, BillingDetails
from webapp.models.invoices import Invoice
from webapp.models.payments import CheckoutSession, Collection, PaymentMethod
from webapp.models.subscriptions import Subscription
from webapp.services import (
    audit,
    collections,
    invoicing,
    payment_methods,
    payments,
    provider_refunds,
    receipts,
    standing,
)
from webapp.services.collections import Links
from webapp.services.payments import Receipt, TakenBack

Transaction = Callable[[], AbstractContextManager[Session]]
PAY, SET_UP = "pay", "set_up"
DONE = "done"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """A page wanted at the provider's, as kept before it is asked for. `amount` includes VAT."""

    id: uuid.UUID
    key: str
    account_id: uuid.UUID
    amount: Money
    numbers: tuple[str, ...]
    payer: Payer
    reference: str | None  # the provider's own, once it has answered


@dataclass(frozen=True, slots=True)
class Page:
    """A page that was opened, as its visitor sees it. `state` is open, pending, done, failed or expired."""

    id: uuid.UUID
    account_id: uuid.UUID
    purpose: str
    state: str
    amount: Money
    numbers: tuple[str, ...]
    failure: str
    address: str
    is_late: bool  # whether the account is still suspended


# --- Asking for a page -----------------------------------------------------------------------------------------


def start_payment(
    transaction: Transaction,
    provider: PaymentProvider,
    account_id: uuid.UUID,
    numbers: Sequence[str],
    way: Callable[[uuid.UUID, str], Way],
    describe: Callable[[Sequence[str]], str],
    today: date,
    clock: Callable[[], datetime],
    actor: Actor,
    *,
    links: Links | None = None,
) -> uuid.UUID:
    """Open a page on which what is left of these invoices is paid, or find the one that is open already.

    An earlier page for one of them is closed first; if its payment went through it is settled here, and what is left is
    asked. `way` makes the addresses from the id and the key. Raises NothingToPay, PaymentUnderWay, ProviderSilent.
    """
    for earlier in _earlier(transaction, provider, account_id, numbers):
        state = _follow(transaction, provider, earlier, today, clock, links)
        if state == PENDING:
            raise PaymentUnderWay()
        with transaction() as session:
            is_same = state == OPEN and _is_still_asked(session, earlier, numbers)
        if is_same:
            return earlier
        if state == OPEN:
            _abandon(transaction, provider, earlier, clock)
    with transaction() as session:
        asked = _ask_payment(session, provider.name, account_id, numbers, clock(), actor)
    return _open(
        transaction,
        asked,
        lambda: provider.start_payment(
            AskedPayment(
                asked.key, asked.payer, asked.amount, describe(asked.numbers), way(asked.id, asked.key)
            )
        ),
    )


def start_set_up(
    transaction: Transaction,
    provider: PaymentProvider,
    account_id: uuid.UUID,
    kind: MethodKind,
    way: Callable[[uuid.UUID, str], Way],
    description: str,
    clock: Callable[[], datetime],
    actor: Actor,
) -> uuid.UUID:
    """Open a page on which a card, or a Bancontact account, is given for later invoices. Raises ProviderSilent."""
    cost = Money(provider.capabilities.set_up_cents[kind])
    with transaction() as session:
        standing.lock(session, account_id)
        row = _row(session, account_id, SET_UP, provider.name, [], cost, clock(), actor)
        asked = _asked(session, row, [])
    return _open(
        transaction,
        asked,
        lambda: provider.start_setup(
            AskedSetUp(asked.key, asked.payer, kind, cost, description, way(asked.id, asked.key))
        ),
    )


def _ask_payment(
    session: Session,
    provider: str,
    account_id: uuid.UUID,
    numbers: Sequence[str],
    now: datetime,
    actor: Actor,
) -> Asked:
    """The row, under the account's lock: of two clicks at once, the second finds what the first has written."""
    standing.lock(session, account_id)
    due = _due(session, account_id, numbers)
    if not due:
        raise NothingToPay()
    amount = total((_left(each) for each in due), due[0].currency)
    ids = [each.id for each in due]
    for row in _open_rows(session, account_id, provider):
        if row.invoice_ids == ids and row.amount_cents == amount.cents:
            return _asked(session, row, due)
    return _asked(session, _row(session, account_id, PAY, provider, ids, amount, now, actor), due)


def _row(
    session: Session,
    account_id: uuid.UUID,
    purpose: str,
    provider: str,
    invoice_ids: list[int],
    amount: Money,
    now: datetime,
    actor: Actor,
) -> CheckoutSession:
    row = CheckoutSession(
        account_id=account_id,
        purpose=purpose,
        provider=provider,
        key=f"{purpose}-{secrets.token_hex(16)}",
        invoice_ids=invoice_ids,
        amount_cents=amount.cents,
        currency=amount.currency,
        opened_by=actor.name,
        opened_at=now,
    )
    session.add(row)
    session.flush()
    return row


def _asked(session: Session, row: CheckoutSession, due: Sequence[Invoice]) -> Asked:
    return Asked(
        row.id,
        row.key,
        row.account_id,
        Money(row.amount_cents, row.currency),
        tuple(each.number for each in due),
        payer_of(session, row.account_id, row.provider),
        row.provider_reference,
    )


def _open(transaction: Transaction, asked: Asked, start: Callable[[], Opened]) -> uuid.UUID:
    try:
        opened = start()
    except ProviderError as error:
        log.error("the payment page %s was not opened: %s", asked.key, error)
        raise ProviderSilent() from error
    with transaction() as session:
        row = session.get_one(CheckoutSession, asked.id)
        row.provider_reference, row.address = opened.reference, opened.address
    return asked.id


def payer_of(session: Session, account_id: uuid.UUID, provider: str) -> Payer:
    """The account as a provider needs to know it, under the name that the provider gave it before, if any."""
    account = session.get_one(Account, account_id)
    details = session.get_one(BillingDetails, account_id)
    known = session.scalars(
        select(PaymentMethod.provider_customer)
        .where(
            PaymentMethod.account_id == account_id,
            PaymentMethod.provider == provider,
            PaymentMethod.provider_customer != "",
        )
        .order_by(PaymentMethod.created_at.desc())
        .limit(1)
    ).first()
    return Payer(
        account.reference, details.legal_name, details.invoice_email, account.language, customer=known or ""
    )


# --- Earlier pages for the same invoices -----------------------------------------------------------------------


def _earlier(
    transaction: Transaction, provider: PaymentProvider, account_id: uuid.UUID, numbers: Sequence[str]
) -> list[uuid.UUID]:
    with transaction() as session:
        wanted = {each.id for each in _due(session, account_id, numbers)}
        return [
            row.id
            for row in _open_rows(session, account_id, provider.name)
            if row.provider_reference and wanted & set(row.invoice_ids)
        ]


def _open_rows(session: Session, account_id: uuid.UUID, provider: str) -> list[CheckoutSession]:
    statement = select(CheckoutSession).where(
        CheckoutSession.account_id == account_id,
        CheckoutSession.provider == provider,
        CheckoutSession.purpose == PAY,
        CheckoutSession.state == OPEN,
    )
    return list(session.scalars(statement.order_by(CheckoutSession.opened_at)))


def _is_still_asked(session: Session, checkout_id: uuid.UUID, numbers: Sequence[str]) -> bool:
    """Whether that page asks for exactly what is left of these invoices now."""
    row = session.get_one(CheckoutSession, checkout_id)
    due = _due(session, row.account_id, numbers)
    return row.invoice_ids == [each.id for each in due] and row.amount_cents == sum(
        _left(each).cents for each in due
    )


def _follow(
    transaction: Transaction,
    provider: PaymentProvider,
    checkout_id: uuid.UUID,
    today: date,
    clock: Callable[[], datetime],
    links: Links | None,
) -> str:
    """What an earlier page has become; a provider that does not answer leaves it under way."""
    try:
        outcome = check(transaction, provider, checkout_id, today, clock, links=links)
    except ProviderError:
        raise ProviderSilent() from None
    return outcome.state if outcome is not None else EXPIRED


def _abandon(
    transaction: Transaction,
    provider: PaymentProvider,
    checkout_id: uuid.UUID,
    clock: Callable[[], datetime],
) -> None:
    with transaction() as session:
        reference = session.get_one(CheckoutSession, checkout_id).provider_reference
    try:
        provider.abandon(reference or "")
    except ProviderError:
        raise ProviderSilent() from None
    with transaction() as session:
        row = session.get_one(CheckoutSession, checkout_id)
        if row.state == OPEN:
            row.state, row.closed_at = EXPIRED, clock()


def _due(session: Session, account_id: uuid.UUID, numbers: Sequence[str]) -> list[Invoice]:
    """Of these, the invoices of the account with an amount left, oldest first. One currency: that of the oldest."""
    found = [each for each in invoicing.open_invoices(session, account_id) if each.number in numbers]
    return [each for each in found if each.currency == found[0].currency]


def _left(invoice: Invoice) -> Money:
    return Money(invoice.total_cents - invoice.paid_cents, invoice.currency)


# --- What the provider says ------------------------------------------------------------------------------------


def page(session: Session, account_id: uuid.UUID, checkout_id: uuid.UUID) -> Page | None:
    """A page that this account opened; None when it has none of that id."""
    row = session.get(CheckoutSession, checkout_id)
    if row is None or row.account_id != account_id:
        return None
    numbers = session.scalars(
        select(Invoice.number).where(Invoice.id.in_(row.invoice_ids)).order_by(Invoice.due_on, Invoice.id)
    )
    return Page(
        row.id,
        row.account_id,
        row.purpose,
        row.state,
        Money(row.amount_cents, row.currency),
        tuple(numbers),
        row.failure or "",
        row.address or "",
        session.get_one(Account, account_id).suspended_on is not None,
    )


def check(
    transaction: Transaction,
    provider: PaymentProvider,
    checkout_id: uuid.UUID,
    today: date,
    clock: Callable[[], datetime],
    *,
    links: Links | None = None,
    reached: Callable[[str], None] = lambda name: None,
) -> Outcome | None:
    """Ask the provider what a page has become, and write it. None when it never opened one. Raises ProviderError."""
    with transaction() as session:
        row = session.get_one(CheckoutSession, checkout_id)
        reference = row.provider_reference
    if not reference:
        return None
    return learn(transaction, provider, reference, today, clock, links=links, reached=reached)


def learn(
    transaction: Transaction,
    provider: PaymentProvider,
    reference: str,
    today: date,
    clock: Callable[[], datetime],
    *,
    links: Links | None = None,
    reached: Callable[[str], None] = lambda name: None,
) -> Outcome | None:
    """Ask the provider about a payment or a set-up, and write it. None when it knows none. Raises ProviderError."""
    try:
        outcome = provider.fetch(reference)
    except ReferenceUnknown:
        log.warning("%s knows nothing of %s", provider.name, reference)
        return None
    reached("fetched")
    with transaction() as session:
        apply(session, provider.name, outcome, today, clock(), links=links)
        reached("before_commit")
    reached("after_commit")
    return outcome


def apply(
    session: Session,
    provider: str,
    outcome: Outcome,
    today: date,
    now: datetime,
    *,
    links: Links | None = None,
    actor: Actor = SYSTEM,
) -> bool:
    """Write the whole of what a provider said, once: money in, money back, the card given. Flushes.

    Told again, or told less, it changes nothing. False when the key is none of ours: a payment of another system.
    """
    collection = collections.by_end_to_end(session, [outcome.key]).get(outcome.key)
    if collection is not None:
        standing.lock(session, collection.account_id)
        _apply_to_charge(session, provider, collection, outcome, today, now, links, actor)
        return True
    row = session.scalars(select(CheckoutSession).where(CheckoutSession.key == outcome.key)).first()
    if row is None:
        log.warning("%s told of %s, whose key %r is none of ours", provider, outcome.reference, outcome.key)
        return False
    standing.lock(session, row.account_id)
    session.refresh(row)
    if outcome.paid is not None:
        _receive(session, provider, row, outcome, today, now, actor)
    if outcome.saved is not None and row.state != DONE:
        _save(session, provider, row.account_id, outcome.saved, links, now, _giver(row))
    if outcome.state == PAID:
        row.state, row.failure, row.closed_at = DONE, None, row.closed_at or now
    elif row.state != DONE and outcome.state in (FAILED, EXPIRED):
        row.state, row.failure, row.closed_at = outcome.state, outcome.failure or None, now
    session.flush()
    return True


def _receive(
    session: Session,
    provider: str,
    row: CheckoutSession,
    outcome: Outcome,
    today: date,
    now: datetime,
    actor: Actor,
) -> None:
    assert outcome.paid is not None
    source = f"{provider}:{outcome.payment}"
    receipt = Receipt(row.account_id, outcome.paid, outcome.method_kind, source, outcome.paid_on or today)
    account = session.get_one(Account, row.account_id)
    was_suspended, is_new = account.suspended_on is not None, not payments.of_source(session, source)
    rows = payments.receive(session, receipt, today, now, actor, first=row.invoice_ids)
    if is_new and row.purpose == PAY:
        is_restored = was_suspended and account.suspended_on is None
        receipts.tell_owners(session, account, receipt, rows, row.invoice_ids, now, is_restored=is_restored)
    _take_back(session, provider, row.account_id, source, outcome, today, now, actor)


def _take_back(
    session: Session,
    provider: str,
    account_id: uuid.UUID,
    source: str,
    outcome: Outcome,
    today: date,
    now: datetime,
    actor: Actor,
) -> None:
    """Refunds and chargebacks, each once; a contested amount that came back after all is money received."""
    for back in sorted(outcome.back, key=lambda each: (each.on, each.reference)):
        name = f"{provider}:{back.reference}"
        payments.take_back(
            session, TakenBack(source, back.amount, name, back.reason, back.on), today, now, actor
        )
        provider_refunds.told(session, provider, outcome.payment, back, now)
        if back.regained_on is not None:
            again = Receipt(account_id, back.amount, outcome.method_kind, f"{name}:won", back.regained_on)
            payments.receive(session, again, today, now, actor)


def _apply_to_charge(
    session: Session,
    provider: str,
    collection: Collection,
    outcome: Outcome,
    today: date,
    now: datetime,
    links: Links | None,
    actor: Actor,
) -> None:
    if collection.provider_reference is None and collection.state == "planned":
        collections.sent(collection, outcome.reference)  # killed after the asking, before its note
    if outcome.paid is not None:
        source = f"{provider}:{outcome.payment}"
        collections.settled(
            session,
            collection,
            outcome.paid_on or today,
            today,
            now,
            amount=outcome.paid,
            method=outcome.method_kind,
            source=source,
            actor=actor,
        )
        whole = _whole(outcome)
        if whole is not None:
            collections.failed(
                session,
                collection,
                whole.reason,
                whole.on,
                today,
                now,
                source=f"{provider}:{whole.reference}",
                links=links,
                actor=actor,
            )
            provider_refunds.told(session, provider, outcome.payment, whole, now)
        else:
            _take_back(session, provider, collection.account_id, source, outcome, today, now, actor)
    elif outcome.state in (FAILED, EXPIRED):
        collections.failed(
            session,
            collection,
            outcome.failure or "processing_error",
            today,
            today,
            now,
            links=links,
            actor=actor,
        )


def _whole(outcome: Outcome) -> Back | None:
    """The one movement that gave everything back, for good: then the attempt itself came to nothing."""
    if len(outcome.back) == 1 and outcome.back[0].amount == outcome.paid:
        back = outcome.back[0]
        return back if back.regained_on is None else None
    return None


def _save(
    session: Session,
    provider: str,
    account_id: uuid.UUID,
    saved: SavedMethod,
    links: Links | None,
    now: datetime,
    actor: Actor,
) -> None:
    """The way to pay that was given becomes the primary one: its owner has just chosen it. Told again, nothing more."""
    method = payment_methods.by_provider_reference(session, provider, saved.reference)
    if method is None or method.account_id != account_id:
        method = payment_methods.add(
            session,
            account_id,
            saved.kind,
            saved.label,
            now,
            actor,
            state="active",
            last_four=saved.last_four,
            provider=provider,
            provider_customer=saved.customer,
            provider_reference=saved.reference,
            expires_on=saved.expires_on,
        )
        method.provider_mandate = saved.mandate[:35]
        session.flush()
        facts = {"kind": method.kind, "label": method.label}
        audit.record(session, actor, account_id, "payment_method.added", method.label, {}, facts, now)
    if method.state == "active" and not method.is_primary:
        subscription_id = session.scalars(
            select(Subscription.id)
            .where(Subscription.account_id == account_id)
            .order_by(Subscription.starts_on.desc())
            .limit(1)
        ).first()
        link = links.method(subscription_id) if links is not None and subscription_id else ""
        payment_methods.make_primary(session, method, now, actor, link)


def _giver(row: CheckoutSession) -> Actor:
    return replace(SYSTEM, kind="user", id="", name=row.opened_by)
