"""Gestures on money: a payment recorded by hand, a refund noted or asked of a provider, a later due date (S2, D3, M6, M9).

Each is worked out before it is done, without writing: which invoices it settles or reopens, what credit stays, and
whether the sites are served.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain.access import Actor
from webapp.domain.dunning import Debt
from webapp.domain.money import Money
from webapp.domain.refusals import (
    CannotUndo,
    DebitSent,
    DueDateOutOfRange,
    MoreThanCanBeRefunded,
    NothingToPay,
)
from webapp.models.gestures import Gesture
from webapp.models.invoices import IS_OPEN, Invoice
from webapp.models.payments import Collection
from webapp.services import collections, contracts, invoicing, payments, provider_refunds, standing
from webapp.services.contracts import Situation
from webapp.services.gesture_effects import Effect, Row
from webapp.services.payments import MovementLeft, Receipt, TakenBack

LONGEST_EXTENSION = timedelta(days=180)  # from today
CREDIT = "credit"  # what a refund takes from, when it is no payment


@dataclass(frozen=True, slots=True)
class Paid:
    """Money that came in and that no file told. `number` is the invoice to settle first, if any."""

    amount: Money
    method: str  # transfer or card
    on: date
    reference: str = ""
    number: str | None = None


@dataclass(frozen=True, slots=True)
class Refund:
    """Money that left: of the account's credit, or of one payment, by its source. `reference` is that of the transfer."""

    amount: Money
    of: str
    method: str
    on: date
    reference: str


@dataclass(frozen=True, slots=True)
class GiveBack:
    """Money that a provider is asked to give back of a payment that it took: `of` is its source, such as stripe:pi_1."""

    amount: Money
    of: str


@dataclass(frozen=True, slots=True)
class MoreTime:
    """A later last day to pay one open invoice."""

    number: str
    until: date


def preview_payment(session: Session, subscription_id: uuid.UUID, paid: Paid, today: date) -> Effect:
    """What it settles, as `payments.receive` will. Raises NothingToPay for an invoice that is not open."""
    situation = contracts.load(session, subscription_id)
    account_id = situation.customer.account_id
    invoices = _open(session, account_id)
    if paid.number is not None and all(each.number != paid.number for each in invoices):
        raise NothingToPay()
    order = sorted(invoices, key=lambda each: (each.number != paid.number, each.due_on, each.id))
    left, after, rows = paid.amount.cents, {each.number: _left(each) for each in invoices}, []
    for invoice in order:
        part = min(left, after[invoice.number]) if invoice.currency == paid.amount.currency else 0
        if part:
            rows.append(_left_row(invoice, part))
            after[invoice.number] -= part
            left -= part
    credit = invoicing.credit_of(session, account_id, paid.amount.currency)
    if left:
        rows.append(Row("credit", credit, credit + Money(left, credit.currency)))
    facts = {
        "amount_cents": paid.amount.cents,
        "currency": paid.amount.currency,
        "method": paid.method,
        "on": paid.on.isoformat(),
        "reference": paid.reference,
        "invoice": paid.number,
    }
    return Effect(situation, today, facts, (*rows, *_sites(session, account_id, today, after)))


def receive(
    session: Session, effect: Effect, key: str, today: date, now: datetime, actor: Actor
) -> dict[str, Any]:
    """Record it. Answers what its row keeps besides. Flushes."""
    facts, account_id = effect.facts, effect.situation.customer.account_id
    source = f"staff:{key}"
    receipt = Receipt(
        account_id, Money(facts["amount_cents"], facts["currency"]), facts["method"], source,
        date.fromisoformat(facts["on"]),
    )  # fmt: skip
    first = select(Invoice.id).where(Invoice.account_id == account_id, Invoice.number == facts["invoice"])
    payments.receive(session, receipt, today, now, actor, first=list(session.scalars(first)))
    return {"source": source}


def preview_payment_undo(session: Session, gesture: Gesture, today: date) -> Effect:
    """What taking all of it back would reopen. Raises CannotUndo when some of it left already."""
    facts = gesture.facts
    left = next(
        (each for each in payments.movements(session, gesture.account_id) if each.source == facts["source"]),
        None,
    )
    if left is None or left.left.cents != facts["amount_cents"]:
        raise CannotUndo()
    situation = contracts.load(session, gesture.subscription_id)
    return Effect(situation, today, facts, _reopened(session, situation, facts["source"], left.left, today))


def take_payment_back(
    session: Session, effect: Effect, key: str, today: date, now: datetime, actor: Actor
) -> None:
    facts = effect.facts
    taken = TakenBack(
        facts["source"], Money(facts["amount_cents"], facts["currency"]), f"staff:{key}", "recorded_in_error",
        today,
    )  # fmt: skip
    payments.take_back(session, taken, today, now, actor)


def preview_refund(session: Session, subscription_id: uuid.UUID, refund: Refund, today: date) -> Effect:
    """Raises MoreThanCanBeRefunded, also for a payment that is not the account's."""
    situation = contracts.load(session, subscription_id)
    account_id = situation.customer.account_id
    credit = invoicing.credit_of(session, account_id, refund.amount.currency)
    if refund.of == CREDIT:
        if refund.amount.cents > credit.cents:
            raise MoreThanCanBeRefunded(credit)
        rows: tuple[Row, ...] = (Row("credit", credit, credit - refund.amount),)
    else:
        found = next(
            (each for each in payments.movements(session, account_id) if each.source == refund.of), None
        )
        left = found.left if found is not None else Money(0, refund.amount.currency)
        if refund.amount.cents > left.cents:
            raise MoreThanCanBeRefunded(left)
        rows = _reopened(session, situation, refund.of, refund.amount, today)
    facts = {
        "amount_cents": refund.amount.cents,
        "currency": refund.amount.currency,
        "of": refund.of,
        "method": refund.method,
        "on": refund.on.isoformat(),
        "reference": refund.reference,
    }
    return Effect(situation, today, facts, rows)


def refund(session: Session, effect: Effect, key: str, today: date, now: datetime, actor: Actor) -> None:
    facts, account_id = effect.facts, effect.situation.customer.account_id
    amount, on = Money(facts["amount_cents"], facts["currency"]), date.fromisoformat(facts["on"])
    source = f"staff:{key}"
    if facts["of"] == CREDIT:
        payments.pay_credit_out(session, account_id, amount, facts["method"], source, on, now, actor)
        return
    taken = TakenBack(facts["of"], amount, source, "refund", on)
    payments.take_back(session, taken, today, now, actor)


def preview_give_back(session: Session, subscription_id: uuid.UUID, asked: GiveBack, today: date) -> Effect:
    """What it will change once the provider has done it. Raises MoreThanCanBeRefunded beyond what is left of the payment
    and not asked for already, also for a payment that is not the account's."""
    situation = contracts.load(session, subscription_id)
    found = refundable(session, situation.customer.account_id, asked.of.partition(":")[0])
    left = next((each.left for each in found if each.source == asked.of), Money(0, asked.amount.currency))
    if asked.amount.cents > left.cents:
        raise MoreThanCanBeRefunded(left)
    provider, _colon, payment = asked.of.partition(":")
    facts = {
        "amount_cents": asked.amount.cents,
        "currency": asked.amount.currency,
        "of": asked.of,
        "provider": provider,
        "payment": payment,
    }
    return Effect(situation, today, facts, _reopened(session, situation, asked.of, asked.amount, today))


def refundable(session: Session, account_id: uuid.UUID, provider: str) -> list[MovementLeft]:
    """The payments that this provider took and can give back, latest first, less what was asked of it already.

    A contested amount that came back (its source ends with :won) is given back under the payment's own name.
    """
    found = []
    for each in payments.movements(session, account_id):
        name, _colon, payment = each.source.partition(":")
        if name != provider or ":" in payment:
            continue
        left = each.left.cents - provider_refunds.waiting_cents(session, name, payment)
        if left > 0:
            found.append(replace(each, left=Money(left, each.left.currency)))
    return found


def preview_more_time(session: Session, subscription_id: uuid.UUID, asked: MoreTime, today: date) -> Effect:
    """Raises NothingToPay, DueDateOutOfRange, and DebitSent once the bank or the provider was asked for it."""
    situation = contracts.load(session, subscription_id)
    invoice = _open_one(session, situation, asked.number)
    first = max(invoice.payable_until + timedelta(days=1), today)
    last = today + LONGEST_EXTENSION
    if not first <= asked.until <= last:
        raise DueDateOutOfRange(first, last)
    sent = next((each for each in _collections(session, invoice) if each.state == "sent"), None)
    if sent is not None:
        raise DebitSent(sent.requested_on)
    facts = {
        "invoice": invoice.number,
        "until": asked.until.isoformat(),
        "from": invoice.payable_until.isoformat(),
        "printed": invoice.due_on.isoformat(),
        "extended_until": invoice.extended_until.isoformat() if invoice.extended_until else None,
    }
    return _due_effect(session, situation, invoice, asked.until, facts, today)


def give_time(session: Session, effect: Effect, today: date, now: datetime, actor: Actor) -> None:
    """The printed date stays; a collection that was only planned is planned anew for the later day. Flushes."""
    until = date.fromisoformat(effect.facts["until"])
    _set_due(session, effect, until, today, now, actor)


def preview_time_undo(session: Session, gesture: Gesture, today: date) -> Effect:
    """Raises CannotUndo when the invoice is paid or has another due date since."""
    situation, facts = contracts.load(session, gesture.subscription_id), gesture.facts
    try:
        invoice = _open_one(session, situation, facts["invoice"])
    except NothingToPay:
        raise CannotUndo() from None
    if invoice.extended_until is None or invoice.extended_until.isoformat() != facts["until"]:
        raise CannotUndo()
    return _due_effect(session, situation, invoice, date.fromisoformat(facts["from"]), facts, today)


def take_time_back(session: Session, effect: Effect, today: date, now: datetime, actor: Actor) -> None:
    former = effect.facts["extended_until"]
    _set_due(session, effect, date.fromisoformat(former) if former else None, today, now, actor)


def _due_effect(
    session: Session,
    situation: Situation,
    invoice: Invoice,
    until: date,
    facts: Mapping[str, Any],
    today: date,
) -> Effect:
    before = standing.of_account(session, invoice.account_id, today)
    debts = [replace(each, due_on=until) if each.number == invoice.number else each for each in before.debts]
    after = standing.simulated(before, debts, today, before.passed_until)
    return Effect(
        situation,
        today,
        facts,
        (
            Row("due_on", invoice.payable_until, until, invoice.number),
            Row("unpaid", len(before.unpaid), len(after.unpaid)),
            Row("suspended_on", before.suspended_on, after.suspended_on),
            Row("suspends_on", before.suspends_on, after.suspends_on),
        ),
    )


def _set_due(
    session: Session, effect: Effect, until: date | None, today: date, now: datetime, actor: Actor
) -> None:
    account_id = effect.situation.customer.account_id
    standing.lock(session, account_id)
    invoice = _open_one(session, effect.situation, effect.facts["invoice"])
    invoice.extended_until = until
    for each in _collections(session, invoice):
        if each.state == "planned" and each.requested_on < invoice.payable_until:
            collections.cancel(each, now)
    session.flush()
    standing.review(session, account_id, today, now, actor)


def open_invoices(session: Session, account_id: uuid.UUID) -> list[Invoice]:
    """Those with an amount left, the first to pay first; nothing is locked."""
    return _open(session, account_id)


def _open(session: Session, account_id: uuid.UUID) -> list[Invoice]:
    statement = select(Invoice).where(Invoice.account_id == account_id, IS_OPEN)
    return list(session.scalars(statement.order_by(Invoice.payable_until, Invoice.id)))


def _open_one(session: Session, situation: Situation, number: str) -> Invoice:
    invoices = _open(session, situation.customer.account_id)
    found = next((each for each in invoices if each.number == number), None)
    if found is None:
        raise NothingToPay()
    return found


def _collections(session: Session, invoice: Invoice) -> list[Collection]:
    statement = select(Collection).where(Collection.invoice_id == invoice.id, Collection.is_open)
    return list(session.scalars(statement))


def _left(invoice: Invoice) -> int:
    return invoice.total_cents - invoice.paid_cents


def _left_row(invoice: Invoice, less: int) -> Row:
    before = Money(_left(invoice), invoice.currency)
    return Row("left", before, before - Money(less, invoice.currency), invoice.number)


def _reopened(
    session: Session, situation: Situation, source: str, amount: Money, today: date
) -> tuple[Row, ...]:
    """What `payments.take_back` will do: credit first, then the invoices settled last; then credit pays what it can.

    Raises MoreThanCanBeRefunded when the credit that it became has been used since: that credit is in paid invoices,
    which are credited instead.
    """
    account_id, currency = situation.customer.account_id, amount.currency
    before = invoicing.credit_of(session, account_id, currency)
    credit, left, opened = before.cents, amount.cents, dict[int, int]()
    for invoice_id, cents in payments.left_of(session, source):
        part = min(left, cents)
        left -= part
        if invoice_id is None:
            if part > credit:
                raise MoreThanCanBeRefunded(before)
            credit -= part
        elif part:
            opened[invoice_id] = opened.get(invoice_id, 0) + part
    concerned = {each.id: each for each in _open(session, account_id)}
    concerned |= {each: session.get_one(Invoice, each) for each in opened}
    rows, after = [], dict[str, int]()
    for invoice in sorted(concerned.values(), key=lambda each: (each.due_on, each.id)):
        to_pay = _left(invoice) + opened.get(invoice.id, 0)
        spent = min(credit, to_pay) if invoice.currency == currency else 0
        credit -= spent
        after[invoice.number] = to_pay - spent
        if to_pay - spent != _left(invoice):
            rows.append(_left_row(invoice, spent - opened.get(invoice.id, 0)))
    if credit != before.cents:
        rows.append(Row("credit", before, Money(credit, currency)))
    return (*rows, *_sites(session, account_id, today, after))


def _sites(session: Session, account_id: uuid.UUID, today: date, after: Mapping[str, int]) -> Sequence[Row]:
    """Whether the sites are served, before and with what will be left of each invoice; nothing when that stays so."""
    before = standing.of_account(session, account_id, today)
    known = {each.number: each for each in before.debts}
    debts = [
        replace(each, left=Money(after.get(each.number, each.left.cents), each.left.currency))
        for each in known.values()
    ]
    for number in after.keys() - known.keys():
        invoice = session.scalars(select(Invoice).where(Invoice.number == number)).one()
        debts.append(Debt(number, invoice.payable_until, Money(after[number], invoice.currency)))
    debts = sorted(
        (each for each in debts if each.left.cents > 0), key=lambda each: (each.due_on, each.number)
    )
    then = standing.simulated(before, debts, today, before.passed_until)
    pairs = (
        Row("unpaid", len(before.unpaid), len(then.unpaid)),
        Row("suspended_on", before.suspended_on, then.suspended_on),
    )
    return [row for row in pairs if row.before != row.after]
