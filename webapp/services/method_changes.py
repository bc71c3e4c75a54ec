"""Changing the way to pay: what it means for the invoices that are open and for the next one, then the change (D2)."""

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.adapters import bank_days
from webapp.domain.access import Actor
from webapp.domain.money import Money
from webapp.domain.refusals import MethodNotUsable, StalePreview
from webapp.models.invoices import Invoice
from webapp.models.payments import Collection, PaymentMethod
from webapp.services import collections, contracts, payment_methods, standing, subscriptions
from webapp.services.contracts import Situation

PAYMENT = "payment"  # the action, in a reseller's policy


@dataclass(frozen=True, slots=True)
class OpenInvoice:
    """An invoice that is not paid yet, and what the change makes of it.

    `collected_on` is the day on which it will be asked of the bank or of the card; None for a transfer and for an
    invoice whose payment is on hold. `is_under_way`: the bank or the provider was asked already, by the former method.
    """

    number: str
    left: Money
    due_on: date
    is_late: bool
    is_under_way: bool
    collected_on: date | None


@dataclass(frozen=True, slots=True)
class Consequences:
    """What changes. `next_invoice_on` is None when no invoice is to come."""

    kind: str
    invoices: tuple[OpenInvoice, ...]
    next_invoice_on: date | None


@dataclass(frozen=True, slots=True)
class MethodPreview:
    """A method to choose or to take back. `method` is None for transfers that were never chosen before."""

    situation: Situation
    method: PaymentMethod | None
    former: PaymentMethod | None
    after: Consequences
    fingerprint: str

    @property
    def is_chosen(self) -> bool:
        """Whether it is what pays already: there is nothing to confirm."""
        if self.former is None:
            return self.method is None and self.situation.customer.payment_method == "transfer"
        is_same = self.former.kind == "transfer" if self.method is None else self.former.id == self.method.id
        return is_same and self.former.state == "active"


def load(session: Session, subscription_id: uuid.UUID, today: date) -> Situation:
    """The subscription, if its owner may change how it is paid. Raises ContactPartner, SubscriptionEnded."""
    situation = contracts.load(session, subscription_id)
    subscriptions.ensure_running(situation, today)
    subscriptions.ensure_self_service(situation, PAYMENT)
    return situation


def consequences(
    session: Session, situation: Situation, kind: str, notice_days: int, today: date
) -> Consequences:
    """What paying by `kind` means from today on. `notice_days` is the pre-notification, for a direct debit."""
    account_id = situation.customer.account_id
    asked = set(
        session.scalars(
            select(Invoice.number)
            .join(Collection, Collection.invoice_id == Invoice.id)
            .where(Collection.account_id == account_id, Collection.state == "sent")
        )
    )
    invoices = []
    for debt in standing.debts_of(session, account_id, today):
        collected_on = None
        if not debt.is_disputed and debt.number not in asked:
            collected_on = _collected_on(kind, debt.due_on, notice_days, today)
        invoices.append(
            OpenInvoice(
                debt.number, debt.left, debt.due_on, debt.due_on < today, debt.number in asked, collected_on
            )
        )
    draft = subscriptions.next_invoice(session, situation, today)
    return Consequences(kind, tuple(invoices), draft.period.start if draft is not None else None)


def _collected_on(kind: str, due_on: date, notice_days: int, today: date) -> date | None:
    if kind == "direct_debit":
        return max(bank_days.bank_day(due_on), collections.earliest(today, notice_days))
    return max(due_on, today) if kind == "card" else None


# --- Choosing one ----------------------------------------------------------------------------------------------


def preview_choice(
    session: Session, subscription_id: uuid.UUID, method_id: uuid.UUID | None, today: date
) -> MethodPreview:
    """What making a method primary changes; None for transfers. Raises MethodNotUsable, ContactPartner, SubscriptionEnded."""
    situation = load(session, subscription_id, today)
    account_id = situation.customer.account_id
    method = _of_account(session, account_id, method_id) if method_id is not None else None
    if method_id is not None and (method is None or method.state != "active"):
        raise MethodNotUsable()
    kind = method.kind if method is not None else "transfer"
    notice = method.mandate.pre_notification_days if method is not None and method.mandate is not None else 0
    return _preview(session, situation, method, kind, notice, today)


def choose(
    session: Session,
    subscription_id: uuid.UUID,
    method_id: uuid.UUID | None,
    fingerprint: str,
    today: date,
    now: datetime,
    actor: Actor,
    link: str,
) -> PaymentMethod:
    """Make it primary as it was shown, and mail the owners. Raises StalePreview if something moved. Flushes."""
    standing.lock(session, contracts.load(session, subscription_id).customer.account_id)
    shown = preview_choice(session, subscription_id, method_id, today)
    if shown.fingerprint != fingerprint:
        raise StalePreview()
    if shown.method is None:
        return payment_methods.choose_transfer(session, shown.situation.customer.account_id, now, actor, link)
    payment_methods.make_primary(session, shown.method, now, actor, link)
    return shown.method


# --- Taking one back -------------------------------------------------------------------------------------------


def preview_removal(
    session: Session, subscription_id: uuid.UUID, method_id: uuid.UUID, today: date
) -> MethodPreview:
    """What taking a mandate or a card back changes. Raises MethodNotUsable when it is closed already or not theirs."""
    situation = load(session, subscription_id, today)
    method = _of_account(session, situation.customer.account_id, method_id)
    if method is None or method.state == "closed" or method.kind == "transfer":
        raise MethodNotUsable()
    return _preview(session, situation, method, "transfer", 0, today)


def remove(
    session: Session,
    subscription_id: uuid.UUID,
    method_id: uuid.UUID,
    fingerprint: str,
    today: date,
    now: datetime,
    actor: Actor,
    link: str,
) -> None:
    """Take it back as it was shown, and mail the owners. Raises StalePreview if something moved. Flushes."""
    standing.lock(session, contracts.load(session, subscription_id).customer.account_id)
    shown = preview_removal(session, subscription_id, method_id, today)
    if shown.fingerprint != fingerprint:
        raise StalePreview()
    assert shown.method is not None
    payment_methods.close(session, shown.method, now, actor, link)


# --- Machinery -------------------------------------------------------------------------------------------------


def _preview(
    session: Session,
    situation: Situation,
    method: PaymentMethod | None,
    kind: str,
    notice_days: int,
    today: date,
) -> MethodPreview:
    former = payment_methods.primary(session, situation.customer.account_id)
    after = consequences(session, situation, kind, notice_days, today)
    facts = [kind, str(method.id) if method else "", method.label if method else ""]
    return MethodPreview(situation, method, former, after, fingerprint(after, former, today, facts))


def fingerprint(after: Consequences, former: PaymentMethod | None, today: date, facts: Sequence[str]) -> str:
    """A short text that stands for all that a preview shows: it changes when a figure, a date or the method does."""
    told = [
        today.isoformat(),
        [str(former.id), former.state, former.label] if former is not None else [],
        [
            [each.number, each.left.cents, str(each.collected_on), each.is_under_way]
            for each in after.invoices
        ],
        str(after.next_invoice_on),
        list(facts),
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]


def _of_account(session: Session, account_id: uuid.UUID, method_id: uuid.UUID) -> PaymentMethod | None:
    statement = select(PaymentMethod).where(
        PaymentMethod.id == method_id, PaymentMethod.account_id == account_id
    )
    return session.scalars(statement).first()
