"""Charges: invoices that fall due are taken from the card, or the provider's mandate, that the account has chosen (D1).

The sibling of the direct debit files, on the same rows. A charge is noted as sent before it is asked for, so that a
crash in between is seen: the provider is then asked whether it has it, before anything is asked again.
"""

import logging
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from webapp.adapters.payment_provider import (
    FAILED,
    PENDING,
    AskedCharge,
    Outcome,
    PaymentProvider,
    ProviderError,
    ProviderRefused,
)
from webapp.domain.money import Money
from webapp.models.accounts import Account
from webapp.models.invoices import Invoice
from webapp.models.payments import Collection, PaymentMethod
from webapp.services import checkout, collections, payment_methods, standing
from webapp.services.collections import Links

Transaction = Callable[[], AbstractContextManager[Session]]
PAGE = 200
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Report:
    """What a run did. `waiting` have no answer yet; `unsure` could not be asked and are looked up by the next run."""

    paid: int = 0
    refused: int = 0
    waiting: int = 0
    unsure: int = 0

    def __add__(self, other: "Report") -> "Report":
        return Report(
            self.paid + other.paid,
            self.refused + other.refused,
            self.waiting + other.waiting,
            self.unsure + other.unsure,
        )


def run(
    transaction: Transaction,
    provider: PaymentProvider,
    today: date,
    clock: Callable[[], datetime],
    notices_to: Callable[[str], str],
    *,
    links: Links | None = None,
    reached: Callable[[str], None] = lambda name: None,
) -> Report:
    """Charge what is due by `today`. Killed and started again, or started twice, it takes no invoice twice.

    `notices_to` makes the address of notices from the key. One account that fails keeps no other from being charged.
    """
    done, last = Report(), uuid.UUID(int=0)
    while True:
        with transaction() as session:
            accounts = _accounts(session, provider.name, today, last)
        if not accounts:
            return done
        for account_id in accounts:
            try:
                with transaction() as session:
                    ids = _plan(session, account_id, provider.name, today, clock())
                for collection_id in ids:
                    done += _charge(
                        transaction, provider, collection_id, today, clock, notices_to, links, reached
                    )
            except Exception:  # one account keeps no other from paying in time
                log.exception("account %s was not charged", account_id)
                done += Report(unsure=1)
        last = accounts[-1]


def rehearse(transaction: Transaction, provider: str, today: date, now: datetime) -> tuple[int, int]:
    """How many charges a run would ask for, and their cents. `transaction` keeps nothing of what is done in it."""
    count, cents, last = 0, 0, uuid.UUID(int=0)
    while True:
        with transaction() as session:
            accounts = _accounts(session, provider, today, last)
        if not accounts:
            return count, cents
        for account_id in accounts:
            with transaction() as session:
                planned = Collection.id.in_(_plan(session, account_id, provider, today, now))
                amounts = session.scalars(select(Collection.amount_cents).where(planned)).all()
                count, cents = count + len(amounts), cents + sum(amounts)
        last = accounts[-1]


def _accounts(session: Session, provider: str, today: date, after: uuid.UUID) -> list[uuid.UUID]:
    """Those whose primary method is the provider's with an invoice due, or with a charge that waits to be asked."""
    due = exists().where(
        Invoice.account_id == PaymentMethod.account_id,
        Invoice.kind == "invoice",
        Invoice.paid_cents < Invoice.total_cents,
        Invoice.payable_until <= today,
    )
    unasked = exists().where(
        Collection.account_id == PaymentMethod.account_id,
        Collection.method_id == PaymentMethod.id,
        Collection.is_open.is_(True),
        Collection.provider_reference.is_(None),
    )
    primary = PaymentMethod.is_primary.is_(True) & (PaymentMethod.state == "active") & due
    statement = (
        select(PaymentMethod.account_id)
        .where(PaymentMethod.provider == provider, PaymentMethod.account_id > after, or_(primary, unasked))
        .distinct()
        .order_by(PaymentMethod.account_id)
        .limit(PAGE)
    )
    return list(session.scalars(statement))


def _plan(session: Session, account_id: uuid.UUID, provider: str, today: date, now: datetime) -> list[int]:
    """The charges of this account to ask for today: first attempts of what is due, retries, and what a crash left.

    A way to pay that was tried for an invoice is not tried again unless the reason of its refusal allowed it: that
    attempt is planned already. What is disputed, on hold or announced by transfer is left alone. Flushes.
    """
    account = standing.lock(session, account_id)
    method = payment_methods.primary(session, account_id)
    if method is not None and method.provider == provider and method.state == "active":
        if method.expires_on is not None and method.expires_on <= today:
            payment_methods.expire(session, method, now)
        else:
            _plan_first_attempts(session, account, method, today, now)
    statement = (
        select(Collection.id)
        .join(PaymentMethod, PaymentMethod.id == Collection.method_id)
        .where(
            Collection.account_id == account_id,
            PaymentMethod.provider == provider,
            Collection.is_open.is_(True),
            Collection.provider_reference.is_(None),
            Collection.requested_on <= today,
        )
        .order_by(Collection.id)
    )
    return list(session.scalars(statement))


def _plan_first_attempts(
    session: Session, account: Account, method: PaymentMethod, today: date, now: datetime
) -> None:
    clear = {
        debt.number
        for debt in standing.read(session, account, today).debts
        if not debt.is_disputed and (debt.announced_until is None or debt.announced_until < today)
    }
    tried = exists().where(
        Collection.invoice_id == Invoice.id,
        Collection.method_id == method.id,
        Collection.state != "cancelled",
    )
    due = select(Invoice).where(
        Invoice.account_id == account.id,
        Invoice.kind == "invoice",
        Invoice.paid_cents < Invoice.total_cents,
        Invoice.payable_until <= today,
        ~tried,
    )
    for invoice in session.scalars(due.order_by(Invoice.payable_until, Invoice.id)).all():
        if invoice.number in clear:
            collections.plan(session, invoice, method, today, now)


def _charge(
    transaction: Transaction,
    provider: PaymentProvider,
    collection_id: int,
    today: date,
    clock: Callable[[], datetime],
    notices_to: Callable[[str], str],
    links: Links | None,
    reached: Callable[[str], None],
) -> Report:
    with transaction() as session:
        prepared = _prepare(session, collection_id, provider.name, today, clock(), notices_to)
    if prepared is None:
        return Report()
    asked, was_asked = prepared
    reached("sent")
    try:
        outcome = provider.find_charge(asked) if was_asked else None
        outcome = outcome or provider.charge(asked)
    except ProviderRefused as error:
        log.error("%s refused charge %s: %s", provider.name, asked.key, error)
        outcome = Outcome(asked.key, "", FAILED, failure="processing_error")
    except ProviderError as error:
        log.error("%s did not answer about charge %s: %s", provider.name, asked.key, error)
        return Report(unsure=1)
    reached("charged")
    with transaction() as session:
        collection = session.get_one(Collection, collection_id)
        if outcome.reference:
            collection.provider_reference = outcome.reference
        checkout.apply(session, provider.name, outcome, today, clock(), links=links)
        reached("before_commit")
    reached("after_commit")
    if outcome.paid is not None:
        return Report(paid=1)
    return Report(waiting=1) if outcome.state == PENDING else Report(refused=1)


def _prepare(
    session: Session,
    collection_id: int,
    provider: str,
    today: date,
    now: datetime,
    notices_to: Callable[[str], str],
) -> tuple[AskedCharge, bool] | None:
    """Note it as sent, with what is left of the invoice now; None when there is nothing left to take.

    The second value says that it was noted before, without an answer: it may have been asked already.
    """
    collection = session.get_one(Collection, collection_id)
    account = standing.lock(session, collection.account_id)
    session.refresh(collection, with_for_update=True)
    method = session.get_one(PaymentMethod, collection.method_id)
    invoice = session.get_one(Invoice, collection.invoice_id)
    if not collection.is_open or collection.provider_reference is not None:
        return None
    was_asked = collection.state == "sent"
    if not was_asked:
        left = invoice.total_cents - invoice.paid_cents
        if left <= 0 or method.state != "active":
            collections.cancel(collection, now)
            return None
        collection.amount_cents, collection.state = left, "sent"
    session.flush()
    asked = AskedCharge(
        collection.end_to_end_id,
        replace(checkout.payer_of(session, account.id, provider), customer=method.provider_customer),
        Money(collection.amount_cents, collection.currency),
        invoice.number,
        method.provider_reference,
        today,
        notices_to(collection.end_to_end_id),
    )
    return asked, was_asked
