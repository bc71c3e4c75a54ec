"""The document of a reseller: what its clients used in a month, on one invoice at wholesale prices, with its CSV (R1).

Issued in arrears by the first billing run of the month that follows. Every act of the month is a resale line already:
the document only gathers those that wait, so that none is billed twice, and none is forgotten.
"""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, exists, select
from sqlalchemy.orm import Session, aliased

from webapp.adapters.sheet import sheet
from webapp.domain.access import SYSTEM, Actor
from webapp.domain.money import Money
from webapp.domain.periods import Period
from webapp.domain.pricing import Draft, DraftLine, Item
from webapp.domain.vat import VatRate
from webapp.i18n import gettext
from webapp.models.accounts import Account, Reseller
from webapp.models.invoices import Invoice, InvoiceLine
from webapp.models.resellers import ResaleLine, ResellerAccount, ResellerInvoice
from webapp.models.subscriptions import Establishment
from webapp.services import audit, contracts, invoicing

REASON = "resale"
# The names of the columns are read by programs: they never change, new ones are added at the end.
COLUMNS = (
    "document", "charged_on", "client", "client_name", "establishment", "item", "code", "description", "quantity",
    "period_start", "period_end", "days", "period_days", "currency", "wholesale_unit", "wholesale_net",
    "client_unit", "client_net",
)  # fmt: skip


class NobodyToBill(LookupError):
    """The reseller has no account of its own: nobody would receive its document."""


class Waiting(NamedTuple):
    """A line with the words that go with it."""

    line: ResaleLine
    client: str  # reference of the account
    client_name: str
    establishment: str | None
    root_line_id: int | None  # of the document that charged what this gives back, if it is issued


@dataclass(frozen=True, slots=True)
class Bill:
    """A document of a reseller, for lists."""

    number: str
    month: date
    issued_on: date
    net: Money
    total: Money


def set_account(
    session: Session, reseller: Reseller, account_id: uuid.UUID, now: datetime, actor: Actor
) -> None:
    """Name the account that receives its documents; the same again changes nothing. Flushes."""
    present = session.get(ResellerAccount, reseller.id)
    if present is not None and present.account_id == account_id:
        return
    before = {} if present is None else {"account": str(present.account_id)}
    if present is None:
        session.add(ResellerAccount(reseller_id=reseller.id, account_id=account_id))
    else:
        present.account_id = account_id
    after = {"account": str(account_id)}
    audit.record(session, actor, None, "reseller.account_named", reseller.slug, before, after, now)
    session.flush()


def account_of(session: Session, reseller_id: uuid.UUID) -> uuid.UUID | None:
    """The account that receives the documents of a reseller."""
    statement = select(ResellerAccount.account_id).where(ResellerAccount.reseller_id == reseller_id)
    return session.scalar(statement)


def waiting(session: Session, on: date) -> list[uuid.UUID]:
    """The resellers with something to bill on the first run of the month of `on`."""
    statement = select(ResaleLine.reseller_id).where(*_waits(on)).distinct().order_by(ResaleLine.reseller_id)
    return list(session.scalars(statement))


def issue(session: Session, reseller_id: uuid.UUID, on: date, now: datetime) -> Invoice | None:
    """The document of the month before `on`: everything that waits from before this month. Flushes.

    None when nothing waits, or when the document of that month is issued already: what comes late waits for the next.
    Raises NobodyToBill, NoIssuer, IncompleteDetails.
    """
    reseller = session.scalars(select(Reseller).where(Reseller.id == reseller_id).with_for_update()).one()
    month = _month_before(on)
    done = exists().where(ResellerInvoice.reseller_id == reseller_id, ResellerInvoice.month == month)
    found = (
        []
        if session.scalar(select(done))
        else _lines(session, ResaleLine.reseller_id == reseller_id, *_waits(on))
    )
    if not found:
        return None
    account_id = account_of(session, reseller_id)
    if account_id is None:
        raise NobodyToBill(reseller.slug)
    customer = contracts.customer(session, account_id)
    draft = _draft(found, customer.vat)
    words = [_described(each, customer.language) for each in found]
    places = _called(invoicing.places_of(session, draft), found)
    invoice = invoicing.issue_to(session, draft, customer, words, REASON, on, now, places=places)
    ids = session.scalars(
        select(InvoiceLine.id).where(InvoiceLine.invoice_id == invoice.id).order_by(InvoiceLine.position)
    )
    for each, line_id in zip(found, ids, strict=True):
        each.line.invoice_line_id = line_id
    session.add(ResellerInvoice(reseller_id=reseller_id, month=month, invoice_id=invoice.id))
    facts = {"document": invoice.number, "lines": len(found), "net_cents": invoice.net_cents}
    audit.record(session, SYSTEM, account_id, "reseller.billed", reseller.slug, {}, facts, now)
    session.flush()
    return invoice


def bills(session: Session, reseller_id: uuid.UUID) -> list[Bill]:
    """Its documents, latest first."""
    rows = session.execute(
        select(ResellerInvoice.month, Invoice)
        .join(Invoice, Invoice.id == ResellerInvoice.invoice_id)
        .where(ResellerInvoice.reseller_id == reseller_id)
        .order_by(ResellerInvoice.month.desc())
    )
    return [
        Bill(
            invoice.number,
            month,
            invoice.issued_on,
            Money(invoice.net_cents, invoice.currency),
            Money(invoice.total_cents, invoice.currency),
        )
        for month, invoice in rows
    ]


def bill(session: Session, reseller_id: uuid.UUID, number: str) -> Invoice | None:
    """The document of that number, if it is one of this reseller's own."""
    statement = (
        select(Invoice)
        .join(ResellerInvoice, ResellerInvoice.invoice_id == Invoice.id)
        .where(ResellerInvoice.reseller_id == reseller_id, Invoice.number == number)
    )
    return session.scalars(statement).first()


def is_of_a_reseller(session: Session, invoice_id: int) -> bool:
    """Whether a document is the monthly one of a reseller, which has a CSV."""
    return bool(session.scalar(select(exists().where(ResellerInvoice.invoice_id == invoice_id))))


def csv_of(session: Session, invoice: Invoice) -> Iterator[str]:
    """The CSV of a reseller's document: a row for each of its lines, in its order, with the client's own amounts."""
    found = _lines(session, InvoiceLine.invoice_id == invoice.id)
    return sheet(COLUMNS, [_row(invoice.number, each) for each in found])


def _month_before(on: date) -> date:
    first = on.replace(day=1)
    return date(first.year - 1, 12, 1) if first.month == 1 else first.replace(month=first.month - 1)


def _waits(on: date) -> Sequence[ColumnElement[bool]]:
    return ResaleLine.invoice_line_id.is_(None), ResaleLine.charged_on < on.replace(day=1)


def _lines(session: Session, *conditions: ColumnElement[bool]) -> list[Waiting]:
    """By client, what is for the whole account first, then by establishment, in the order of their days."""
    root = aliased(ResaleLine)
    rows = session.execute(
        select(ResaleLine, Account.reference, Account.name, Establishment.name, root.invoice_line_id)
        .outerjoin(root, root.id == ResaleLine.root_id)
        .join(Account, Account.id == ResaleLine.account_id)
        .outerjoin(Establishment, Establishment.id == ResaleLine.establishment_id)
        .outerjoin(InvoiceLine, InvoiceLine.id == ResaleLine.invoice_line_id)
        .where(and_(*conditions))
        .order_by(
            Account.reference,
            Establishment.position.is_not(None),
            Establishment.position,
            ResaleLine.id,
        )
    )
    return [Waiting(*row) for row in rows]


def _draft(found: Sequence[Waiting], vat: VatRate) -> Draft:
    rows = [each.line for each in found]
    return Draft(
        tuple(_draft_line(each.line, each.root_line_id, vat) for each in found),
        Period(min(row.period_start for row in rows), max(row.period_end for row in rows)),
        rows[0].currency,
    )


def _draft_line(row: ResaleLine, root_line_id: int | None, vat: VatRate) -> DraftLine:
    return DraftLine(
        key=Item(row.item, row.ref, row.establishment_id.hex if row.establishment_id else None),
        unit=Money(row.wholesale_unit_cents, row.currency),
        quantity=row.quantity,
        service=Period(row.period_start, row.period_end),
        whole=Period(row.whole_start, row.whole_end),
        net=Money(row.wholesale_cents, row.currency),
        vat=vat,
        root_id=root_line_id,
    )


def _described(each: Waiting, locale: str) -> str:
    return gettext(
        "%(client)s (%(reference)s) : %(line)s",
        locale,
        client=each.client_name,
        reference=each.client,
        line=each.line.description,
    )


def _called(
    places: dict[str, dict[str, str | None]], found: Sequence[Waiting]
) -> dict[str, dict[str, str | None]]:
    """The establishments under the name of their client: one document speaks of several."""
    owners = {
        each.line.establishment_id.hex: each.client_name for each in found if each.line.establishment_id
    }
    return {key: place | {"name": f"{owners[key]}, {place['name']}"} for key, place in places.items()}


def _row(number: str, each: Waiting) -> list[str | int | date | Money | None]:
    line = each.line
    service, whole = Period(line.period_start, line.period_end), Period(line.whole_start, line.whole_end)
    amounts = (line.wholesale_unit_cents, line.wholesale_cents, line.unit_cents, line.net_cents)
    return [
        number,
        line.charged_on,
        each.client,
        each.client_name,
        each.establishment,
        line.item,
        line.ref if line.item != "establishment" else "",
        line.description,
        line.quantity,
        service.start,
        service.end,
        service.days,
        whole.days,
        line.currency,
        *(Money(cents, line.currency) for cents in amounts),
    ]
