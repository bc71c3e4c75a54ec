"""Money received, what it settles, and what is taken back (D3, D5).

A movement of money has a `source`, told once for all: seen again, it changes nothing. What it settles, the account's
standing and the event that tells it are one transaction: a payment restores the account inside its own handling.
"""

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.orm import Session, aliased
from sqlalchemy.orm.util import identity_key

from webapp.domain.access import SYSTEM, Actor
from webapp.domain.money import Money
from webapp.models.accounts import Account
from webapp.models.dunning import DunningCase
from webapp.models.invoices import CreditBalanceEntry, Invoice, Payment
from webapp.services import audit, dunning, events, invoicing, standing


@dataclass(frozen=True, slots=True)
class Receipt:
    """Money that came in. `method` is transfer, direct_debit or card; `source` names the movement, for ever the same."""

    account_id: uuid.UUID
    amount: Money
    method: str
    source: str
    received_on: date
    collection_id: int | None = None


@dataclass(frozen=True, slots=True)
class TakenBack:
    """Money of an earlier receipt that left again: a return by the bank, a refund, a chargeback."""

    receipt_source: str
    amount: Money
    source: str
    reason_code: str
    on: date


class ReceiptNotFound(LookupError):
    """No money came in from that source."""


def receive(
    session: Session,
    receipt: Receipt,
    today: date,
    now: datetime,
    actor: Actor = SYSTEM,
    *,
    first: Sequence[int] = (),
) -> list[Payment]:
    """Settle invoices with money received: those of ids `first` in that order, then the oldest due; the rest is credit.

    The same source again answers the same rows and changes nothing. Raises ValueError for an amount that is not
    positive, standing.AccountNotFound. Flushes.
    """
    if receipt.amount.cents <= 0:
        raise ValueError("money received is positive")
    account = standing.lock(session, receipt.account_id)
    known = of_source(session, receipt.source)
    if known:
        return known
    left, rows = receipt.amount.cents, []
    for invoice in _in_order(invoicing.open_invoices(session, account.id), first):
        cents = min(left, invoice.total_cents - invoice.paid_cents)
        if cents <= 0 or invoice.currency != receipt.amount.currency:
            continue
        invoicing.settle(session, invoice, cents)
        rows.append(_row(receipt, cents, invoice.id, now))
        left -= cents
    if left:
        rows.append(_row(receipt, left, None, now))
    session.add_all(rows)
    session.flush()
    if left:
        currency = receipt.amount.currency
        session.add(_credit_entry(account.id, left, currency, now, payment_id=rows[-1].id))
    facts = _facts_of(receipt, _numbers(session, rows), left)
    _say(session, account.id, account.reference, "received", facts, now, actor)
    dunning.after_settlement(session, account.id, today, now, actor)
    return rows


@dataclass(frozen=True, slots=True)
class Arrival:
    """A receipt of a bank file, and the invoice that it names."""

    receipt: Receipt
    invoice_id: int


def receive_all(
    session: Session, arrivals: Sequence[Arrival], today: date, now: datetime, actor: Actor = SYSTEM
) -> None:
    """`receive` for many at once, in their order: the same rows, in a few statements. Flushes.

    What is more than settling goes through `receive`, account by account: money beyond what is due, an account that is
    suspended or being reminded, money already known. An account that is neither has nothing to be restored to.
    """
    by_account: dict[uuid.UUID, list[Arrival]] = {}
    for arrival in arrivals:
        by_account.setdefault(arrival.receipt.account_id, []).append(arrival)
    session.flush()
    # Plain rows, read once the accounts are locked: an object read before would keep the amount that it had then.
    locked = (
        select(Account.id, Account.reference, Account.suspended_on)
        .where(Account.id.in_(by_account))
        .order_by(Account.id)
        .with_for_update()
    )
    accounts = {each.id: each for each in session.execute(locked)}
    apart = _to_be_reviewed(session, accounts.values())
    known = set(
        session.scalars(
            select(Payment.source).where(Payment.source.in_([a.receipt.source for a in arrivals]))
        )
    )
    open_ones: dict[uuid.UUID, list[Any]] = {}
    for invoice in session.execute(
        select(
            Invoice.id,
            Invoice.account_id,
            Invoice.number,
            Invoice.currency,
            (Invoice.total_cents - Invoice.paid_cents).label("left_cents"),
        )
        .where(
            Invoice.account_id.in_(by_account),
            Invoice.kind == "invoice",
            Invoice.paid_cents < Invoice.total_cents,
        )
        .order_by(Invoice.due_on, Invoice.id)
        .with_for_update()
    ):
        open_ones.setdefault(invoice.account_id, []).append(invoice)
    plain: list[tuple[Arrival, list[dict[str, Any]]]] = []
    for account_id, theirs in by_account.items():
        is_known = any(each.receipt.source in known for each in theirs)
        settled_by = None
        if account_id not in apart and not is_known:
            settled_by = _settled_by(theirs, open_ones.get(account_id, []), now)
        if settled_by is not None:
            plain.extend(zip(theirs, settled_by, strict=True))
            continue
        for each in theirs:
            receive(session, each.receipt, today, now, actor, first=[each.invoice_id])
    references = {each.id: each.reference for each in accounts.values()}
    numbers = {each.id: each.number for theirs in open_ones.values() for each in theirs}
    _write(session, plain, references, numbers, now, actor)


def _write(
    session: Session,
    plain: Sequence[tuple[Arrival, list[dict[str, Any]]]],
    references: Mapping[uuid.UUID, str],
    numbers: Mapping[int, str],
    now: datetime,
    actor: Actor,
) -> None:
    """The rows of `receive` for many, a table at a time: the objects of each would cost more than all the rest."""
    if not plain:
        return
    session.flush()
    told, noted, paid = [], [], []
    settled: Counter[int] = Counter()
    for arrival, rows in plain:
        account_id = arrival.receipt.account_id
        reference = references[account_id]
        facts = _facts_of(
            arrival.receipt, [numbers[row["invoice_id"]] for row in sorted(rows, key=_invoice)], 0
        )
        paid.extend(rows)
        for row in rows:
            settled[row["invoice_id"]] += row["amount_cents"]
        told.append((account_id, {"account": reference, **facts}))
        noted.append((account_id, reference, facts))
    session.connection().execute(insert(Payment), paid)
    invoices = Invoice.__table__
    session.connection().execute(
        update(Invoice)
        .where(invoices.c.id == bindparam("which"))
        .values(paid_cents=invoices.c.paid_cents + bindparam("cents")),
        [{"which": invoice_id, "cents": cents} for invoice_id, cents in settled.items()],
    )
    for invoice_id in settled:
        at_hand = session.identity_map.get(identity_key(Invoice, invoice_id))
        if at_hand is not None:
            session.expire(at_hand, ["paid_cents"])
    events.record_all(session, "payment.received", told, now)
    audit.record_all(session, actor, "payment.received", noted, now)


def _invoice(row: Mapping[str, Any]) -> int:
    return int(row["invoice_id"])


def _to_be_reviewed(session: Session, accounts: Iterable[Any]) -> set[uuid.UUID]:
    """Those for which a payment may do more than settle: their sites are suspended, or they are being reminded."""
    found = {each.id for each in accounts if each.suspended_on is not None}
    cases = select(DunningCase.account_id).where(
        DunningCase.account_id.in_([each.id for each in accounts]), DunningCase.closed_at.is_(None)
    )
    return found | set(session.scalars(cases))


def _settled_by(
    arrivals: Sequence[Arrival], invoices: Sequence[Any], now: datetime
) -> list[list[dict[str, Any]]] | None:
    """What each arrival settles of invoices in the order of their due dates; None when money is left over."""
    left = {invoice.id: invoice.left_cents for invoice in invoices}
    settled: list[list[dict[str, Any]]] = []
    for arrival in arrivals:
        receipt, cents, theirs = arrival.receipt, arrival.receipt.amount.cents, list[dict[str, Any]]()
        for invoice in sorted(invoices, key=lambda each: each.id != arrival.invoice_id):
            part = min(cents, left[invoice.id])
            if part <= 0 or invoice.currency != receipt.amount.currency:
                continue
            theirs.append(_values(receipt, part, invoice.id, now))
            left[invoice.id] -= part
            cents -= part
        if cents:
            return None
        settled.append(theirs)
    return settled


def take_back(
    session: Session, taken: TakenBack, today: date, now: datetime, actor: Actor = SYSTEM
) -> list[Payment]:
    """Reopen what a receipt had settled, latest first, with negative rows: the first rows are never touched (D3).

    What had become credit goes first; when that credit was used since, the invoices it settled are reopened. Credit
    that the account still has then pays what was reopened, so that nobody owes an invoice and is owed its amount. The
    same source again answers the same rows. Raises ReceiptNotFound, ValueError beyond what is left of the receipt.
    Flushes.
    """
    paid = of_source(session, taken.receipt_source)
    if not paid:
        raise ReceiptNotFound(taken.receipt_source)
    account = standing.lock(session, paid[0].account_id)
    known = of_source(session, taken.source)
    if known:
        return known
    back = _taken_back(session, paid)
    left = taken.amount.cents
    if not 0 < left <= sum(row.amount_cents - back.get(row.id, 0) for row in paid):
        raise ValueError(f"more than is left of {taken.receipt_source}")
    rows = []
    for row in sorted(paid, key=_taken_back_first):
        cents = min(left, row.amount_cents - back.get(row.id, 0))
        if cents <= 0:
            continue
        if row.invoice_id is None:
            rows.extend(_unspend(session, account.id, cents, taken, now))
            session.add(_credit_entry(row.account_id, -cents, row.currency, now, payment_id=row.id))
        else:
            invoicing.reopen(session, _locked(session, row.invoice_id), cents)
        rows.append(_reversal(row, cents, taken, now))
        left -= cents
    session.add_all(rows)
    session.flush()
    _spend(session, account.id, taken.amount.currency, taken.on, now)
    facts = {
        "amount_cents": taken.amount.cents,
        "reason_code": taken.reason_code,
        "on": taken.on.isoformat(),
        "reopened": _numbers(session, rows),
    }
    _say(session, account.id, account.reference, "returned", facts, now, actor)
    standing.review(session, account.id, today, now, actor)
    return rows


@dataclass(frozen=True, slots=True)
class MovementLeft:
    """Money that came in at once, and what has not been taken back of it."""

    source: str
    method: str
    received_on: date
    amount: Money
    left: Money


def movements(session: Session, account_id: uuid.UUID) -> list[MovementLeft]:
    """What came in and has not all left again, latest first. One statement."""
    back = aliased(Payment)
    given = (
        select(func.coalesce(func.sum(-back.amount_cents), 0))
        .where(back.reversal_of_id == Payment.id)
        .scalar_subquery()
    )
    rows = session.execute(
        select(
            Payment.source,
            Payment.method,
            Payment.received_on,
            Payment.currency,
            func.sum(Payment.amount_cents),
            func.sum(Payment.amount_cents - given),
        )
        .where(Payment.account_id == account_id, Payment.source.is_not(None), Payment.amount_cents > 0)
        .group_by(Payment.source, Payment.method, Payment.received_on, Payment.currency)
        .order_by(Payment.received_on.desc(), func.max(Payment.id).desc())
    )
    found = [
        MovementLeft(str(source), method, on, Money(int(cents), currency), Money(int(left), currency))
        for source, method, on, currency, cents, left in rows
    ]
    return [each for each in found if each.left.cents > 0]


def left_of(session: Session, source: str) -> list[tuple[int | None, int]]:
    """The invoice (None for credit) and the cents of each part not taken back, in the order of `take_back`."""
    paid = [row for row in of_source(session, source) if row.amount_cents > 0]
    back = _taken_back(session, paid)
    paid.sort(key=_taken_back_first)
    return [(row.invoice_id, row.amount_cents - back.get(row.id, 0)) for row in paid]


def pay_credit_out(
    session: Session,
    account_id: uuid.UUID,
    amount: Money,
    method: str,
    source: str,
    on: date,
    now: datetime,
    actor: Actor,
) -> None:
    """Note that credit of the account was paid to the customer. The same source again changes nothing (D3). Flushes.

    Raises ValueError for more than the account has.
    """
    account = standing.lock(session, account_id)
    if of_source(session, source):
        return
    if not 0 < amount.cents <= invoicing.credit_of(session, account_id, amount.currency).cents:
        raise ValueError("more than the credit of the account")
    row = Payment(
        account_id=account_id,
        amount_cents=-amount.cents,
        currency=amount.currency,
        method=method,
        source=source,
        reason_code="refund",
        received_on=on,
        created_at=now,
    )
    session.add(row)
    session.flush()
    session.add(_credit_entry(account_id, -amount.cents, amount.currency, now, payment_id=row.id))
    facts: dict[str, object] = {
        "amount_cents": amount.cents,
        "reason_code": "refund",
        "on": on.isoformat(),
        "reopened": [],
    }
    _say(session, account.id, account.reference, "returned", facts, now, actor)
    session.flush()


def _taken_back_first(row: Payment) -> tuple[bool, int]:
    """The part that became credit goes first, because giving it back reopens nothing; then what was settled last."""
    return (row.invoice_id is not None, -row.id)


def _unspend(
    session: Session, account_id: uuid.UUID, cents: int, taken: TakenBack, now: datetime
) -> list[Payment]:
    """Take credit out of the invoices that it settled, latest first, until the account has `cents` of it again."""
    currency = taken.amount.currency
    missing = cents - invoicing.credit_of(session, account_id, currency).cents
    rows: list[Payment] = []
    if missing <= 0:
        return rows
    used = list(
        session.scalars(
            select(Payment)
            .where(
                Payment.account_id == account_id,
                Payment.method == "credit",
                Payment.credit_note_id.is_(None),
                Payment.reversal_of_id.is_(None),
                Payment.currency == currency,
            )
            .order_by(Payment.id.desc())
        )
    )
    back = _taken_back(session, used)
    for row in used:
        part = min(missing, row.amount_cents - back.get(row.id, 0))
        if part <= 0 or row.invoice_id is None:
            continue
        invoicing.reopen(session, _locked(session, row.invoice_id), part)
        session.add(_credit_entry(account_id, part, currency, now, invoice_id=row.invoice_id))
        reversal = _reversal(row, part, taken, now)
        reversal.source = None  # credit is no movement of money: only the row of the surplus names the bank's
        rows.append(reversal)
        missing -= part
    return rows


def _spend(session: Session, account_id: uuid.UUID, currency: str, on: date, now: datetime) -> None:
    """Settle open invoices with the account's credit, oldest due first. Flushes."""
    for invoice in invoicing.open_invoices(session, account_id):
        credit = invoicing.credit_of(session, account_id, currency).cents
        if credit <= 0:
            return
        if invoice.currency != currency:
            continue
        cents = min(credit, invoice.total_cents - invoice.paid_cents)
        invoicing.settle(session, invoice, cents)
        session.add(_credit_entry(account_id, -cents, currency, now, invoice_id=invoice.id))
        session.add(
            Payment(
                account_id=account_id,
                invoice_id=invoice.id,
                amount_cents=cents,
                currency=currency,
                method="credit",
                received_on=on,
                created_at=now,
            )
        )
        session.flush()


def _credit_entry(
    account_id: uuid.UUID,
    cents: int,
    currency: str,
    now: datetime,
    *,
    invoice_id: int | None = None,
    payment_id: int | None = None,
) -> CreditBalanceEntry:
    return CreditBalanceEntry(
        account_id=account_id,
        amount_cents=cents,
        currency=currency,
        invoice_id=invoice_id,
        payment_id=payment_id,
        created_at=now,
    )


def _facts_of(receipt: Receipt, settled: list[str], credit_cents: int) -> dict[str, object]:
    return {
        "amount_cents": receipt.amount.cents,
        "method": receipt.method,
        "on": receipt.received_on.isoformat(),
        "settled": settled,
        "credit_cents": credit_cents,
    }


def of_source(session: Session, source: str) -> list[Payment]:
    """The rows of one movement of money, in the order they were written."""
    return list(session.scalars(select(Payment).where(Payment.source == source).order_by(Payment.id)))


def _in_order(invoices: list[Invoice], first: Sequence[int]) -> list[Invoice]:
    rank = {invoice_id: position for position, invoice_id in enumerate(first)}
    return sorted(invoices, key=lambda invoice: (rank.get(invoice.id, len(rank)), invoice.due_on, invoice.id))


def _taken_back(session: Session, paid: Sequence[Payment]) -> dict[int, int]:
    """Cents already taken back of each row, by its id."""
    rows = session.execute(
        select(Payment.reversal_of_id, func.sum(-Payment.amount_cents))
        .where(Payment.reversal_of_id.in_([row.id for row in paid]))
        .group_by(Payment.reversal_of_id)
    )
    return {int(payment_id): int(cents) for payment_id, cents in rows if payment_id is not None}


def _locked(session: Session, invoice_id: int) -> Invoice:
    statement = select(Invoice).where(Invoice.id == invoice_id).with_for_update()
    return session.scalars(statement.execution_options(populate_existing=True)).one()


def _row(receipt: Receipt, cents: int, invoice_id: int | None, now: datetime) -> Payment:
    return Payment(**_values(receipt, cents, invoice_id, now))


def _values(receipt: Receipt, cents: int, invoice_id: int | None, now: datetime) -> dict[str, Any]:
    return {
        "account_id": receipt.account_id,
        "invoice_id": invoice_id,
        "amount_cents": cents,
        "currency": receipt.amount.currency,
        "method": receipt.method,
        "source": receipt.source,
        "collection_id": receipt.collection_id,
        "received_on": receipt.received_on,
        "created_at": now,
    }


def _reversal(row: Payment, cents: int, taken: TakenBack, now: datetime) -> Payment:
    return Payment(
        account_id=row.account_id,
        invoice_id=row.invoice_id,
        amount_cents=-cents,
        currency=row.currency,
        method=row.method,
        source=taken.source,
        collection_id=row.collection_id,
        reversal_of_id=row.id,
        reason_code=taken.reason_code,
        received_on=taken.on,
        created_at=now,
    )


def _numbers(session: Session, rows: Sequence[Payment]) -> list[str]:
    ids = [row.invoice_id for row in rows if row.invoice_id is not None]
    return list(session.scalars(select(Invoice.number).where(Invoice.id.in_(ids)).order_by(Invoice.id)))


def _say(
    session: Session,
    account_id: uuid.UUID,
    reference: str,
    verb: str,
    facts: dict[str, object],
    now: datetime,
    actor: Actor,
) -> None:
    events.record(session, f"payment.{verb}", account_id, {"account": reference, **facts}, now)
    audit.record(session, actor, account_id, f"payment.{verb}", reference, {}, facts, now)
