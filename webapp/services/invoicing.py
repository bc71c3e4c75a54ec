"""Issuing: a draft becomes a document that nobody changes any more (B2).

Number, dates, parties, totals and lines are written in the transaction of the act that asked for them: if that
fails, the number was never drawn. What a credit note gives back pays open invoices first, oldest first; the rest
is the account's credit, which the next invoice uses (M6).
"""

import uuid
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from webapp.domain import resale
from webapp.domain.money import Money
from webapp.domain.pricing import Draft, DraftLine
from webapp.domain.refusals import IncompleteDetails
from webapp.models.invoices import CreditBalanceEntry, Invoice, InvoiceLine, Issuer, Payment, Series
from webapp.models.subscriptions import Establishment
from webapp.services import documents, dunning, standing
from webapp.services.contracts import Customer, Situation
from webapp.services.resale import record as record_resale
from webapp.services.wording import line_description

PREFIXES = {"invoice": "F", "credit_note": "NC"}
# What a document freezes of its parties, as its JSON names it.
SELLER_FIELDS = [
    "brand",
    "legal_name",
    "street",
    "postcode",
    "city",
    "country",
    "enterprise_number",
    "vat_number",
    "register",
    "iban",
    "bic",
    "creditor_id",
    "email",
    "phone",
]
BUYER_FIELDS = [
    "name",
    "reference",
    "kind",
    "legal_name",
    "street",
    "postcode",
    "city",
    "country",
    "vat_number",
    "enterprise_number",
    "invoice_email",
    "buyer_reference",
    "peppol_id",
]
PLACE_FIELDS = ["name", "street", "postcode", "city", "number"]


class NoIssuer(RuntimeError):
    """No selling company is recorded: nothing can be invoiced. `flask seed demo`, or the operator's own issuer file."""


def issue(
    session: Session,
    draft: Draft,
    situation: Situation,
    reason: str,
    today: date,
    now: datetime,
    run_on: date | None = None,
) -> Invoice | None:
    """Issue `draft`: an invoice, or a credit note when it gives back more than it charges. Flushes.

    `reason` says what asked for it; `run_on` is the day whose billing it is, for the documents of the billing run:
    the database refuses a second one. The credit of the account is used at once. What the client's reseller is billed
    instead is recorded for its next document (`services.resale`): None when that is all of it.
    """
    if not draft.lines:
        raise ValueError("a document needs a line")
    is_resold = situation.partner is not None and situation.partner.is_billed
    own, resold = resale.parts(draft, is_resold)
    if resold is not None:
        record_resale(session, resold, situation, reason, today, now, run_on)
    if own is None:
        return None
    customer = situation.customer
    words = [line_description(line, situation, customer.language) for line in own.lines]
    return issue_to(session, own, customer, words, reason, today, now, situation.subscription_id, run_on)


def issue_to(
    session: Session,
    draft: Draft,
    customer: Customer,
    descriptions: Sequence[str],
    reason: str,
    today: date,
    now: datetime,
    subscription_id: uuid.UUID | None = None,
    run_on: date | None = None,
    places: dict[str, dict[str, str | None]] | None = None,
) -> Invoice:
    """Issue `draft` to a customer, each line under its description, as `issue`. Flushes.

    Without `subscription_id` it belongs to the account alone. `places` are the establishments of its lines, if they are
    to be called otherwise than `places_of` says. Raises NoIssuer, IncompleteDetails.
    """
    issuer = the_issuer(session)
    _ensure_complete(issuer, customer)
    kind = "credit_note" if draft.is_credit_note else "invoice"
    series_id, series_number, issued_on = draw_number(session, issuer.id, PREFIXES[kind], today)
    number = printed_number(PREFIXES[kind], issued_on.year, series_number)
    invoice = Invoice(
        account_id=customer.account_id,
        subscription_id=subscription_id,
        issuer_id=issuer.id,
        series_id=series_id,
        series_number=series_number,
        number=number,
        kind=kind,
        reason=reason,
        run_kind=reason if run_on is not None else None,
        run_on=run_on,
        issued_on=issued_on,
        due_on=issued_on if kind == "credit_note" else issued_on + timedelta(days=customer.payment_term_days),
        period_start=draft.period.start,
        period_end=draft.period.end,
        currency=draft.currency,
        language=customer.language,
        net_cents=draft.net.cents,
        vat_cents=draft.vat.cents,
        total_cents=draft.total.cents,
        paid_cents=0,
        ogm=structured_communication(issued_on.year, kind, series_number),
        seller=frozen_seller(issuer),
        buyer=_buyer(customer),
        vat_breakdown=_vat_breakdown(draft, customer.language),
        payment=_payment(customer),
        places=places_of(session, draft) if places is None else places,
        created_at=now,
    )
    session.add(invoice)
    session.flush()
    written = zip(draft.lines, descriptions, strict=True)
    session.execute(
        insert(InvoiceLine),
        [_line(line, words, position, invoice) for position, (line, words) in enumerate(written, start=1)],
    )
    if kind == "credit_note":
        _give_credit(session, invoice, now)
    else:
        _use_credit(session, invoice, now)
    session.flush()
    return invoice


def the_issuer(session: Session) -> Issuer:
    """The company that sells. Raises NoIssuer."""
    issuer = session.scalars(select(Issuer).order_by(Issuer.id).limit(1)).first()
    if issuer is None:
        raise NoIssuer()
    return issuer


def printed_number(prefix: str, year: int, number: int) -> str:
    return f"{prefix}{year}-{number:05d}"


def _ensure_complete(issuer: Issuer, customer: Customer) -> None:
    """Refuse details that cannot give a valid document, before a number is drawn (B4). Raises IncompleteDetails."""
    seller = frozen_seller(issuer)
    wrong = documents.account_problems(
        seller=documents.party(seller),
        seller_details=seller,
        buyer=_buyer(customer),
        payment=_payment(customer),
        rate=customer.vat,
    )
    if wrong:
        raise IncompleteDetails(tuple(f"{each.subject}.{each.field}" for each in wrong))


def _payment(customer: Customer) -> dict[str, str]:
    return {
        "method": customer.payment_method,
        "label": customer.payment_label,
        "reference": customer.payment_reference,
    }


def draw_number(
    session: Session, issuer_id: int, prefix: str, today: date, count: int = 1
) -> tuple[int, int, date]:
    """The series of the year, the first of its next `count` numbers, and the date those documents bear.

    Locks the series until the commit.

    Numbers have no gap, because one that is rolled back is given again, and dates follow the numbers: a run asked
    for a day already passed dates its documents like the last one (the rule of Belgian numbering).
    """
    insert_one = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    for is_last_try in (False, True):
        rows = list(
            session.scalars(
                select(Series)
                .where(Series.issuer_id == issuer_id, Series.prefix == prefix)
                .with_for_update()
                .execution_options(populate_existing=True)
            )
        )
        issued_on = max([today, *(row.last_issued_on for row in rows if row.last_issued_on is not None)])
        series = next((row for row in rows if row.year == issued_on.year), None)
        if series is not None:
            first = series.last_number + 1
            series.last_number += count
            series.last_issued_on = issued_on
            session.flush()
            return series.id, first, issued_on
        if is_last_try:
            break
        # The first document of the year; another transaction may be adding the same row.
        new = {"issuer_id": issuer_id, "prefix": prefix, "year": issued_on.year, "last_number": 0}
        session.execute(insert_one(Series).values(**new).on_conflict_do_nothing())
    raise RuntimeError(f"no series {prefix} for {today.year}")


def structured_communication(year: int, kind: str, number: int) -> str:
    """Twelve digits of a Belgian structured communication (OGM): the year, the kind of document, its number."""
    base = f"{year % 100:02d}{'1' if kind == 'invoice' else '2'}{number:07d}"
    return f"{base}{int(base) % 97 or 97:02d}"


def settle(session: Session, invoice: Invoice, cents: int) -> None:
    """Count `cents` as settled on an invoice. Raises ValueError beyond what is left of it."""
    if not 0 < cents <= abs(invoice.total_cents) - invoice.paid_cents:
        raise ValueError(f"{invoice.number} has {abs(invoice.total_cents) - invoice.paid_cents} cents left")
    invoice.paid_cents += cents
    session.flush()


def reopen(session: Session, invoice: Invoice, cents: int) -> None:
    """Count `cents` as no longer settled. Raises ValueError beyond what was settled."""
    if not 0 < cents <= invoice.paid_cents:
        raise ValueError(f"{invoice.number} has {invoice.paid_cents} cents settled")
    invoice.paid_cents -= cents
    session.flush()


def open_invoices(session: Session, account_id: Any) -> list[Invoice]:
    """Invoices with an amount left, oldest first, locked."""
    statement = (
        select(Invoice)
        .where(
            Invoice.account_id == account_id,
            Invoice.kind == "invoice",
            Invoice.paid_cents < Invoice.total_cents,
        )
        .order_by(Invoice.due_on, Invoice.id)
        .with_for_update()
    )
    # What was read before the lock may be behind what another hand has settled meanwhile.
    return list(session.scalars(statement.execution_options(populate_existing=True)))


def credit_of(session: Session, account_id: Any, currency: str) -> Money:
    """The account's credit, VAT included."""
    entries = select(func.coalesce(func.sum(CreditBalanceEntry.amount_cents), 0)).where(
        CreditBalanceEntry.account_id == account_id, CreditBalanceEntry.currency == currency
    )
    return Money(int(session.scalar(entries) or 0), currency)


def _give_credit(session: Session, note: Invoice, now: datetime) -> None:
    left = -note.total_cents
    standing.lock(session, note.account_id)  # the account before its invoices, as every movement of money
    for invoice in open_invoices(session, note.account_id):
        amount = min(left, invoice.total_cents - invoice.paid_cents)
        if not amount:
            break
        settle(session, invoice, amount)
        settle(session, note, amount)
        session.add(_credit_payment(invoice, amount, note.id, note.issued_on, now))
        left -= amount
    if note.paid_cents:
        dunning.after_settlement(session, note.account_id, note.issued_on, now)
    if left:
        session.add(
            CreditBalanceEntry(
                account_id=note.account_id,
                amount_cents=left,
                currency=note.currency,
                invoice_id=note.id,
                created_at=now,
            )
        )


def _use_credit(session: Session, invoice: Invoice, now: datetime) -> None:
    amount = min(credit_of(session, invoice.account_id, invoice.currency).cents, invoice.total_cents)
    if amount <= 0:
        return
    settle(session, invoice, amount)
    session.add(
        CreditBalanceEntry(
            account_id=invoice.account_id,
            amount_cents=-amount,
            currency=invoice.currency,
            invoice_id=invoice.id,
            created_at=now,
        )
    )
    session.add(_credit_payment(invoice, amount, None, invoice.issued_on, now))


def _credit_payment(invoice: Invoice, cents: int, note_id: int | None, on: date, now: datetime) -> Payment:
    return Payment(
        account_id=invoice.account_id,
        invoice_id=invoice.id,
        credit_note_id=note_id,
        amount_cents=cents,
        currency=invoice.currency,
        method="credit",
        received_on=on,
        created_at=now,
    )


def _line(line: DraftLine, description: str, position: int, invoice: Invoice) -> dict[str, Any]:
    establishment = line.key.establishment_id
    return {
        "invoice_id": invoice.id,
        "subscription_id": invoice.subscription_id,
        "position": position,
        "item": line.key.item,
        "ref": line.key.ref,
        "establishment_id": uuid.UUID(establishment) if establishment else None,
        "description": description,
        "quantity": line.quantity,
        "unit_cents": line.unit.cents,
        "period_start": line.service.start,
        "period_end": line.service.end,
        "whole_start": line.whole.start,
        "whole_end": line.whole.end,
        "net_cents": line.net.cents,
        "vat_rate": line.vat.percent,
        "vat_category": line.vat.category,
        "root_id": line.root_id,
    }


def places_of(session: Session, draft: Draft) -> dict[str, dict[str, str | None]]:
    """The establishments that the lines name, as they are called today."""
    ids = {uuid.UUID(line.key.establishment_id) for line in draft.lines if line.key.establishment_id}
    if not ids:
        return {}
    found = session.execute(
        select(Establishment.id, *(getattr(Establishment, name) for name in PLACE_FIELDS)).where(
            Establishment.id.in_(ids)
        )
    )
    return {ident.hex: dict(zip(PLACE_FIELDS, shown, strict=True)) for ident, *shown in found}


def _vat_breakdown(draft: Draft, language: str) -> list[dict[str, Any]]:
    return [
        {
            "category": group.rate.category,
            "rate": group.rate.percent,
            "base_cents": group.base.cents,
            "vat_cents": group.vat.cents,
            **documents.exemption(group.rate, language),
        }
        for group in draft.vat_groups
    ]


def frozen_seller(issuer: Issuer) -> dict[str, str]:
    return {name: getattr(issuer, name) for name in SELLER_FIELDS}


def _buyer(customer: Customer) -> dict[str, Any]:
    return {name: getattr(customer, name) for name in BUYER_FIELDS}
