"""Reading documents: what pages list and show. Nothing here is ever written: see `invoicing`."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Integer, and_, bindparam, case, extract, func, or_, select
from sqlalchemy.orm import Session, aliased, selectinload

from webapp.domain.money import Money, total
from webapp.domain.periods import Period, boundary
from webapp.models.invoices import CreditBalanceEntry, Invoice, InvoiceLine, Payment
from webapp.models.payments import Collection
from webapp.models.reading import read, rows_as_json

PAGE_SIZE = 25


class State(StrEnum):
    """Where a document stands. What is late stays late while a part of it is missing."""

    PAID = "paid"
    OPEN = "open"
    PARTLY_PAID = "partly_paid"
    OVERDUE = "overdue"
    CREDIT_NOTE = "credit_note"


@dataclass(frozen=True, slots=True)
class Summary:
    """A document as lists show it; amounts signed by their effect on what the customer owes."""

    number: str
    kind: str
    reason: str
    issued_on: date
    due_on: date  # the last day to pay it in time
    printed_due_on: date  # another, when the team gave more time (S2)
    period_start: date
    period_end: date
    net: Money
    vat: Money
    total: Money
    left: Money  # still to be paid; zero on a credit note
    state: State
    days_late: int

    @property
    def is_of_a_month(self) -> bool:
        """Whether its period is one calendar month, which has a name."""
        return self.period_start.day == 1 and self.period_end == boundary(self.period_start, 1)


@dataclass(frozen=True, slots=True)
class Unpaid:
    """What is past due, VAT included."""

    count: int
    left: Money
    oldest_due_on: date


@dataclass(frozen=True, slots=True)
class Glance:
    """What the overview shows: the latest documents, what is past due, the credit that the next invoice uses, and
    what the last whole period charged."""

    latest: tuple[Summary, ...]
    unpaid: Unpaid | None
    credit: Money
    last: "BilledPeriod | None" = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of documents, newest first. `count` counts those of every page; `first` and `last` from 1."""

    rows: tuple[Summary, ...]
    count: int
    number: int

    @property
    def pages(self) -> int:
        return max(1, -(-self.count // PAGE_SIZE))

    @property
    def first(self) -> int:
        return (self.number - 1) * PAGE_SIZE + 1

    @property
    def last(self) -> int:
        return self.first + len(self.rows) - 1


@dataclass(frozen=True, slots=True)
class Settlement:
    """What paid a document, or what a credit note paid: `document` is the one at the other end, if any."""

    method: str
    amount: Money
    on: date
    document: str | None
    reason_code: str | None = None  # why it was taken back


@dataclass(frozen=True, slots=True)
class Attempt:
    """A collection of this invoice that did not end in a payment that stayed, or has not ended yet.

    `state` is planned, sent, refused, returned or refunded.
    """

    state: str
    amount: Money
    on: date
    reason_code: str | None
    retry_on: date | None


@dataclass(frozen=True, slots=True)
class Document:
    """A document with its lines, as issued."""

    invoice: Invoice
    summary: Summary
    lines: tuple[InvoiceLine, ...]
    settled_by: tuple[Settlement, ...]
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True)
class BilledAmount:
    """What a past document charged for one thing, to compare the next one with it. `ref` as in `pricing.Item`."""

    item: str
    ref: str
    quantity: int
    net: Money


@dataclass(frozen=True, slots=True)
class BilledPeriod:
    """The last whole billing period that was invoiced."""

    period: Period
    amounts: tuple[BilledAmount, ...]

    @property
    def net(self) -> Money:
        return total((each.net for each in self.amounts), self.amounts[0].net.currency)


def state_of(kind: str, total_cents: int, paid_cents: int, due_on: date, today: date) -> State:
    if kind == "credit_note":
        return State.CREDIT_NOTE
    if paid_cents >= total_cents:
        return State.PAID
    if due_on < today:
        return State.OVERDUE
    return State.PARTLY_PAID if paid_cents else State.OPEN


def _is(state: State, today: date) -> ColumnElement[bool]:
    """`state_of`, for the database."""
    is_open = and_(Invoice.kind == "invoice", Invoice.paid_cents < Invoice.total_cents)
    match state:
        case State.CREDIT_NOTE:
            return Invoice.kind == "credit_note"
        case State.PAID:
            return and_(Invoice.kind == "invoice", Invoice.paid_cents >= Invoice.total_cents)
        case State.OVERDUE:
            return and_(is_open, Invoice.payable_until < today)
        case State.PARTLY_PAID:
            return and_(is_open, Invoice.payable_until >= today, Invoice.paid_cents > 0)
        case _:
            return and_(is_open, Invoice.payable_until >= today, Invoice.paid_cents == 0)


def in_states(states: Sequence[State], today: date) -> ColumnElement[bool]:
    """Whether a document is in any of these states."""
    return or_(*(_is(state, today) for state in states))


_COLUMNS = (
    Invoice.number,
    Invoice.kind,
    Invoice.reason,
    Invoice.issued_on,
    Invoice.due_on,
    Invoice.extended_until,
    Invoice.period_start,
    Invoice.period_end,
    Invoice.currency,
    Invoice.net_cents,
    Invoice.vat_cents,
    Invoice.total_cents,
    Invoice.paid_cents,
)
_NEWEST_FIRST = (Invoice.issued_on.desc(), Invoice.id.desc())


def _summary(row: Any, today: date) -> Summary:
    due_on = row.extended_until or row.due_on
    state = state_of(row.kind, row.total_cents, row.paid_cents, due_on, today)
    return Summary(
        number=row.number,
        kind=row.kind,
        reason=row.reason,
        issued_on=row.issued_on,
        due_on=due_on,
        printed_due_on=row.due_on,
        period_start=row.period_start,
        period_end=row.period_end,
        net=Money(row.net_cents, row.currency),
        vat=Money(row.vat_cents, row.currency),
        total=Money(row.total_cents, row.currency),
        left=Money(row.total_cents - row.paid_cents if row.kind == "invoice" else 0, row.currency),
        state=state,
        days_late=(today - due_on).days if state is State.OVERDUE else 0,
    )


# The overview asks for these two at every visit: made once, on tables.
_DOCUMENT, _LINE, _CREDIT = Invoice.__table__.c, InvoiceLine.__table__.c, CreditBalanceEntry.__table__.c
_THIS = bindparam("subscription_id", type_=_DOCUMENT.subscription_id.type)
_payable_until = func.coalesce(_DOCUMENT.extended_until, _DOCUMENT.due_on)
_LATE = and_(
    _DOCUMENT.kind == "invoice",
    _DOCUMENT.paid_cents < _DOCUMENT.total_cents,
    _payable_until < bindparam("today", type_=_DOCUMENT.due_on.type),
)
_NEWEST = Invoice.__table__.alias("newest")
_LAST_PERIOD = (
    select(
        _LINE.item,
        _LINE.ref,
        func.sum(_LINE.quantity).label("quantity"),
        func.sum(_LINE.net_cents).label("net_cents"),
        _NEWEST.c.currency,
        _NEWEST.c.period_start,
        _NEWEST.c.period_end,
        func.min(_LINE.position).label("position"),
    )
    .join_from(InvoiceLine.__table__, _NEWEST, _NEWEST.c.id == _LINE.invoice_id)
    .where(
        _NEWEST.c.id
        == select(_DOCUMENT.id)
        .where(_DOCUMENT.subscription_id == _THIS, _DOCUMENT.run_kind == "period")
        .order_by(_DOCUMENT.run_on.desc())
        .limit(1)
        .scalar_subquery()
    )
    .group_by(_LINE.item, _LINE.ref, _NEWEST.c.currency, _NEWEST.c.period_start, _NEWEST.c.period_end)
    .subquery("last_period")
)
_LAST_PERIOD_AS_JSON = select(rows_as_json(*_LAST_PERIOD.c)).scalar_subquery().label("last_period")
_GLANCE = (
    select(
        *(_DOCUMENT[column.key] for column in _COLUMNS),
        func.sum(case((_LATE, 1), else_=0)).over().label("late_count"),
        func.sum(case((_LATE, _DOCUMENT.total_cents - _DOCUMENT.paid_cents), else_=0))
        .over()
        .label("late_cents"),
        func.min(case((_LATE, _payable_until))).over().label("oldest_due_on"),
        select(func.coalesce(func.sum(_CREDIT.amount_cents), 0))
        .where(_CREDIT.account_id == _DOCUMENT.account_id, _CREDIT.currency == _DOCUMENT.currency)
        .correlate(Invoice.__table__)
        .scalar_subquery()
        .label("credit_cents"),
        _LAST_PERIOD_AS_JSON,
    )
    .where(_DOCUMENT.subscription_id == _THIS)
    .order_by(_DOCUMENT.issued_on.desc(), _DOCUMENT.id.desc())
    .limit(bindparam("limit", type_=Integer))
)


def glance(session: Session, subscription_id: uuid.UUID, today: date, limit: int = 3) -> Glance:
    """The latest documents of a subscription, all of it that is past due, the account's credit and the last period
    billed, in one statement."""
    rows = read(session, _GLANCE, {"subscription_id": subscription_id, "today": today, "limit": limit})
    if not rows:
        return Glance((), None, Money(0))
    first = rows[0]
    unpaid = None
    if first.late_count:
        unpaid = Unpaid(
            int(first.late_count), Money(int(first.late_cents), first.currency), first.oldest_due_on
        )
    credit_left = Money(max(0, int(first.credit_cents)), first.currency)
    return Glance(
        tuple(_summary(row, today) for row in rows), unpaid, credit_left, _billed_period(first.last_period)
    )


def last_period(session: Session, subscription_id: uuid.UUID) -> BilledPeriod | None:
    """What the last invoice of a whole period charged; None before the first."""
    rows = read(session, select(_LAST_PERIOD_AS_JSON), {"subscription_id": subscription_id})
    return _billed_period(rows[0].last_period)


def _billed_period(text: str) -> BilledPeriod | None:
    lines = sorted(json.loads(text), key=lambda line: line[-1])
    if not lines:
        return None
    amounts = tuple(
        BilledAmount(item, ref, quantity, Money(net_cents, currency))
        for item, ref, quantity, net_cents, currency, *_rest in lines
    )
    start, end = (date.fromisoformat(each) for each in lines[0][5:7])
    return BilledPeriod(Period(start, end), amounts)


def years(session: Session, account_id: uuid.UUID) -> list[int]:
    """The years with a document, latest first."""
    year = extract("year", Invoice.issued_on)
    found = session.scalars(select(year).where(Invoice.account_id == account_id).distinct())
    return sorted((int(each) for each in found), reverse=True)


def listed(
    session: Session,
    account_id: uuid.UUID,
    today: date,
    *,
    states: Sequence[State] = (),
    year: int | None = None,
    also: Sequence[ColumnElement[bool]] = (),
    page: int = 1,
) -> Page:
    """The documents of an account in any of these states, or in all, one page of them. Beyond the last, the last.

    `also` is what they must match besides, such as a search.
    """
    matches = [Invoice.account_id == account_id, *also]
    if states:
        matches.append(in_states(states, today))
    if year is not None:
        matches.append(Invoice.issued_on.between(date(year, 1, 1), date(year, 12, 31)))
    count = session.scalar(select(func.count()).select_from(Invoice).where(*matches)) or 0
    number = min(max(page, 1), max(1, -(-count // PAGE_SIZE)))
    rows = session.execute(
        select(*_COLUMNS)
        .where(*matches)
        .order_by(*_NEWEST_FIRST)
        .limit(PAGE_SIZE)
        .offset((number - 1) * PAGE_SIZE)
    )
    return Page(tuple(_summary(row, today) for row in rows), count, number)


def by_number(session: Session, account_id: uuid.UUID, number: str, today: date) -> Document | None:
    """A document of this account, None when it has none of that number."""
    statement = select(Invoice).where(Invoice.account_id == account_id, Invoice.number == number)
    invoice = session.scalars(statement.options(selectinload(Invoice.lines))).first()
    if invoice is None:
        return None
    return Document(
        invoice,
        _summary(invoice, today),
        tuple(invoice.lines),
        _settlements(session, invoice),
        _attempts(session, invoice) if invoice.kind == "invoice" else (),
    )


def _attempts(session: Session, invoice: Invoice) -> tuple[Attempt, ...]:
    rows = session.scalars(
        select(Collection)
        .where(Collection.invoice_id == invoice.id, Collection.state.not_in(("settled", "cancelled")))
        .order_by(Collection.id)
    )
    return tuple(
        Attempt(
            row.state,
            Money(row.amount_cents, row.currency),
            row.requested_on,
            row.reason_code,
            row.retry_on,
        )
        for row in rows
    )


def _settlements(session: Session, invoice: Invoice) -> tuple[Settlement, ...]:
    """What paid this invoice, or the invoices that this credit note paid, oldest first."""
    note, paid = aliased(Invoice), aliased(Invoice)
    rows = session.execute(
        select(
            Payment.method,
            Payment.amount_cents,
            Payment.currency,
            Payment.received_on,
            Payment.invoice_id,
            Payment.reason_code,
            note.number.label("note_number"),
            paid.number.label("paid_number"),
        )
        .join(paid, paid.id == Payment.invoice_id)
        .outerjoin(note, note.id == Payment.credit_note_id)
        .where(or_(Payment.invoice_id == invoice.id, Payment.credit_note_id == invoice.id))
        .order_by(Payment.received_on, Payment.id)
    )
    return tuple(
        Settlement(
            row.method,
            Money(row.amount_cents, row.currency),
            row.received_on,
            row.note_number if row.invoice_id == invoice.id else row.paid_number,
            row.reason_code,
        )
        for row in rows
    )
