"""The documents of an invoice: its PDF and its UBL, and what keeps one from being issued.

Both files are made from the frozen rows when first asked for, kept with their hash, and never made again. Their check by
the official rules and their way out are in `dispatch`.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from webapp import filters
from webapp.adapters import invoice_pdf, numbers, ubl
from webapp.adapters.qr import payment_qr
from webapp.adapters.ubl import structured
from webapp.domain.einvoice import (
    Document,
    Group,
    Line,
    Means,
    Party,
    Place,
    Problem,
    Reference,
    channel_for,
    detail_problems,
    endpoint_for,
)
from webapp.domain.money import Money, total
from webapp.domain.periods import Period
from webapp.domain.pricing import Draft
from webapp.domain.vat import VatRate
from webapp.i18n import _, gettext
from webapp.models.documents import InvoiceDocument
from webapp.models.invoices import Invoice, InvoiceLine, Payment
from webapp.services import printed

# Why a rate is zero (B3), by category: the code of the VATEX list, when there is one, and the mention the law asks for.
EXEMPTIONS = {
    "AE": ("VATEX-EU-AE", _("Autoliquidation : article 21, § 2 du Code de la TVA, article 196 de la directive 2006/112/CE.")),
    "E": ("", _("Régime particulier de la franchise de taxe.")),
    "EX": ("VATEX-EU-151", _("Exonération de TVA : article 42, § 3 du Code de la TVA, article 151 de la directive 2006/112/CE.")),
}  # fmt: skip


# ── From the rows to the document ────────────────────────────────────────────────────────────────────────────────


def document_of(session: Session, invoice: Invoice) -> Document:
    """An issued invoice as both its forms show it, from its frozen rows alone. Three statements."""
    locale = invoice.language
    lines = _lines(session, invoice)
    return _finished(
        kind=invoice.kind,
        number=invoice.number,
        issued_on=invoice.issued_on,
        due_on=invoice.due_on,
        period=Period(invoice.period_start, invoice.period_end),
        language=locale,
        seller=party(invoice.seller),
        buyer=party(invoice.buyer),
        buyer_kind=str(invoice.buyer.get("kind", "business")),
        has_peppol_address=bool(invoice.buyer.get("peppol_id")),
        buyer_reference=invoice.buyer.get("buyer_reference") or invoice.buyer["reference"],
        lines=tuple(lines),
        groups=groups(invoice.vat_breakdown, invoice.currency),
        net=Money(invoice.net_cents, invoice.currency),
        vat=Money(invoice.vat_cents, invoice.currency),
        total=Money(invoice.total_cents, invoice.currency),
        prepaid=_prepaid(session, invoice),
        means=means(invoice.payment, invoice.seller, invoice.ogm),
        corrects=_corrected(session, invoice),
    )


def _finished(*, buyer_kind: str, has_peppol_address: bool, **values: Any) -> Document:
    """The document, with the sentences that depend on the rest of it."""
    channel = channel_for(buyer_kind, values["buyer"].country, has_peppol_address)
    plain = Document(channel=channel, note=printed.note(values["kind"], values["language"]), **values)
    return Document(channel=channel, note=plain.note, terms=printed.terms(plain), **values)


def party(frozen: Mapping[str, Any]) -> Party:
    """The seller or the buyer of an invoice, as its JSON keeps them; wrong check digits are named, not refused."""
    country = str(frozen.get("country") or "")
    enterprise, vat = frozen.get("enterprise_number") or None, frozen.get("vat_number") or None
    peppol_id = frozen.get("peppol_id") or None
    return Party(
        name=str(frozen.get("brand") or frozen.get("name") or ""),
        legal_name=str(frozen.get("legal_name") or ""),
        street=str(frozen.get("street") or ""),
        postcode=str(frozen.get("postcode") or ""),
        city=str(frozen.get("city") or ""),
        country=country,
        vat_number=vat,
        enterprise_number=enterprise,
        endpoint=endpoint_for(peppol_id, country, enterprise, vat),
        register=str(frozen.get("register") or ""),
        email=str(frozen.get("email") or frozen.get("invoice_email") or ""),
        phone=str(frozen.get("phone") or ""),
        wrong_numbers=frozenset(_wrong_numbers(country, enterprise, vat, peppol_id)),
    )


def _wrong_numbers(
    country: str, enterprise: str | None, vat: str | None, peppol_id: str | None
) -> Iterable[str]:
    checks: list[tuple[str, str | None, Callable[[str], str]]] = []
    if country == "BE":
        checks.append(("enterprise_number", enterprise, numbers.enterprise_number))
    # The usual Belgian customer has one number under three names: checked once, the billing run asks it of everybody.
    if country != "BE" or vat != f"BE{enterprise}":
        checks.append(("vat_number", vat, lambda text: numbers.vat_number(text, country)))
    if country != "BE" or peppol_id != f"0208:{enterprise}":
        checks.append(("peppol_id", peppol_id, numbers.peppol_id))
    for field, value, check in checks:
        if value:
            try:
                check(value)
            except numbers.WrongNumber:
                yield field
            except KeyError:  # outside the Union: nothing to check it by
                continue


def exemption(rate: VatRate, locale: str) -> dict[str, str]:
    """Why a rate is zero, as an invoice freezes it beside its VAT; nothing for a rate that is charged."""
    if rate.category not in EXEMPTIONS:
        return {}
    code, mention = EXEMPTIONS[rate.category]
    return {"exemption_code": code, "exemption": gettext(mention, locale)}


def groups(breakdown: Sequence[Mapping[str, Any]], currency: str) -> tuple[Group, ...]:
    """The VAT of the document by rate, with the mention frozen beside each rate of zero."""
    return tuple(
        Group(
            VatRate(each["category"], each["rate"]),
            Money(each["base_cents"], currency),
            Money(each["vat_cents"], currency),
            each.get("exemption_code", ""),
            each.get("exemption", ""),
        )
        for each in breakdown
    )


def means(payment: Mapping[str, Any], seller: Mapping[str, Any], ogm: str) -> Means:
    method = str(payment.get("method") or "transfer")
    is_debit = method == "direct_debit"
    return Means(
        method=method,
        communication=ogm,
        iban=str(seller.get("iban") or "") if method == "transfer" else "",
        bic=str(seller.get("bic") or "") if method == "transfer" else "",
        mandate=str(payment.get("reference") or "") if is_debit else "",
        creditor_id=str(seller.get("creditor_id") or "") if is_debit else "",
        label=str(payment.get("label") or ""),
    )


def _lines(session: Session, invoice: Invoice) -> list[Line]:
    rows = session.execute(
        select(*InvoiceLine.__table__.c)
        .where(InvoiceLine.invoice_id == invoice.id)
        .order_by(InvoiceLine.position)
    )
    lines = []
    for row in rows:
        service, whole = Period(row.period_start, row.period_end), Period(row.whole_start, row.whole_end)
        unit, net = Money(row.unit_cents, invoice.currency), Money(row.net_cents, invoice.currency)
        where = _place(invoice, row.establishment_id.hex) if row.establishment_id else None
        lines.append(
            Line(
                position=row.position,
                item=row.item,
                name=row.description,
                calculation=printed.calculation(
                    row.quantity, unit, service.days, whole.days, net, invoice.language
                ),
                quantity=row.quantity,
                unit=unit,
                service=service,
                whole=whole,
                net=net,
                vat=VatRate(row.vat_category, row.vat_rate),
                place=where,
            )
        )
    return lines


def _place(invoice: Invoice, establishment_id: str) -> Place:
    """An establishment as the invoice froze it when it was issued."""
    frozen = invoice.places[establishment_id]
    address = f"{frozen['street']}, {frozen['postcode']} {frozen['city']}"
    return Place(establishment_id, frozen["name"], address, frozen["number"])


def _prepaid(session: Session, invoice: Invoice) -> Money:
    """The account's credit that paid a part when the invoice was issued; what came later is no part of it."""
    used = select(func.coalesce(func.sum(Payment.amount_cents), 0)).where(
        Payment.invoice_id == invoice.id,
        Payment.method == "credit",
        Payment.credit_note_id.is_(None),
        Payment.created_at <= invoice.created_at,
    )
    return Money(int(session.scalar(used) or 0), invoice.currency)


def _corrected(session: Session, invoice: Invoice) -> tuple[Reference, ...]:
    """The documents whose lines this one gives back, specifically and unambiguously (art. 53 § 2 of the VAT code)."""
    root = aliased(InvoiceLine)
    rows = session.execute(
        select(Invoice.number, Invoice.issued_on)
        .join(root, root.invoice_id == Invoice.id)
        .join(InvoiceLine, InvoiceLine.root_id == root.id)
        .where(InvoiceLine.invoice_id == invoice.id, Invoice.id != invoice.id)
        .distinct()
        .order_by(Invoice.issued_on, Invoice.number)
    )
    return tuple(Reference(row.number, row.issued_on) for row in rows)


# ── The files ────────────────────────────────────────────────────────────────────────────────────────────────────


def make(document: Document) -> tuple[bytes, bytes]:
    """The PDF and the UBL of a document: the UBL without the PDF is attached to it, then the PDF goes inside the UBL."""
    pdf = invoice_pdf.render(printed.printed(document), ubl.build(document), qr_of(document))
    return pdf, ubl.build(document, pdf)


def qr_of(document: Document) -> bytes | None:
    """The code to pay by transfer, when something is to be paid that way."""
    means = document.means
    if means.method != "transfer" or document.is_credit_note or document.payable.cents <= 0:
        return None
    name, communication = document.seller.legal_name, structured(means.communication)
    return payment_qr(name, means.iban, means.bic, document.payable, communication)


def stored(session: Session, invoice: Invoice, now: datetime) -> InvoiceDocument:
    """The files of an invoice, made now if they never were. Flushes: the door that asks keeps them by committing."""
    return _find(session, invoice.id) or _keep(session, _made(session, invoice, now))


def files(
    session: Session,
    invoice: Invoice,
    now: datetime,
    transaction: Callable[[], AbstractContextManager[Session]],
) -> tuple[bytes, bytes]:
    """The PDF and the UBL for whoever only reads. Made from `session`, then kept in a short `transaction` of their
    own: no lock is held while they are drawn. They hold nothing that the frozen invoice does not say."""
    found = _find(session, invoice.id)
    if found is not None:
        return found.pdf, found.ubl
    made = _made(session, invoice, now)
    with transaction() as writing:
        kept = _keep(writing, made)
        return kept.pdf, kept.ubl


def _made(session: Session, invoice: Invoice, now: datetime) -> InvoiceDocument:
    with filters.amounts(said=True):  # whoever asks for it
        document = document_of(session, invoice)
        pdf, xml = make(document)
    return InvoiceDocument(
        invoice_id=invoice.id,
        channel=document.channel,
        state="ready",
        pdf=pdf,
        pdf_sha256=hashlib.sha256(pdf).hexdigest(),
        ubl=xml,
        ubl_sha256=hashlib.sha256(xml).hexdigest(),
        findings=[],
        attempts=0,
        made_at=now,
        retain_until=date(invoice.issued_on.year + 11, 1, 1),
    )


def _keep(session: Session, made: InvoiceDocument) -> InvoiceDocument:
    invoice_id = made.invoice_id
    try:
        with session.begin_nested():
            session.add(made)
    except IntegrityError:  # made meanwhile by somebody else: those are the files
        other = _find(session, invoice_id)
        if other is None:
            raise
        return other
    return made


def pdf_of(session: Session, invoice: Invoice, now: datetime) -> bytes:
    """The PDF, the same bytes each time. Flushes."""
    return stored(session, invoice, now).pdf


def ubl_of(session: Session, invoice: Invoice, now: datetime) -> bytes:
    """The UBL with its PDF inside, the same bytes each time. Flushes."""
    return stored(session, invoice, now).ubl


def without_files(session: Session, after: int = 0, limit: int = 100) -> list[int]:
    """The ids of the invoices and credit notes whose files were not made yet, oldest first, those `after` an id."""
    made = select(InvoiceDocument.id).where(InvoiceDocument.invoice_id == Invoice.id).exists()
    statement = select(Invoice.id).where(Invoice.id > after, ~made)
    return list(session.scalars(statement.order_by(Invoice.id).limit(limit)))


def _find(session: Session, invoice_id: int) -> InvoiceDocument | None:
    return session.scalars(
        select(InvoiceDocument).where(InvoiceDocument.invoice_id == invoice_id)
    ).one_or_none()


# ── Before issue ─────────────────────────────────────────────────────────────────────────────────────────────────


def account_problems(
    *,
    seller: Party,
    seller_details: Mapping[str, Any],
    buyer: Mapping[str, Any],
    payment: Mapping[str, Any],
    rate: VatRate,
) -> tuple[Problem, ...]:
    """What keeps an account from being billed, before anything is worked out: the quick question of the billing run.

    `seller` is `party(seller_details)`, made once for the whole run; the mappings are those an invoice freezes.
    """
    bought_by = party(buyer)
    channel = channel_for(str(buyer.get("kind", "business")), bought_by.country, bool(buyer.get("peppol_id")))
    reference = buyer.get("buyer_reference") or buyer["reference"]
    found = detail_problems(
        seller, bought_by, (rate,), channel, reference, means(payment, seller_details, "")
    )
    return tuple(found)


def before_issue(
    draft: Draft,
    *,
    seller: Mapping[str, Any],
    buyer: Mapping[str, Any],
    payment: Mapping[str, Any],
    language: str,
    issued_on: date,
    due_on: date,
    descriptions: Sequence[str],
) -> Document:
    """A draft as the document it would be, for `einvoice.problems`; the mappings are those the invoice will freeze."""
    lines = [
        Line(
            position=position,
            item=line.key.item,
            name=name,
            calculation="",
            quantity=line.quantity,
            unit=line.unit,
            service=line.service,
            whole=line.whole,
            net=line.net,
            vat=line.vat,
        )
        for position, (line, name) in enumerate(zip(draft.lines, descriptions, strict=True), start=1)
    ]
    breakdown = [
        {
            "category": group.rate.category,
            "rate": group.rate.percent,
            "base_cents": group.base.cents,
            "vat_cents": group.vat.cents,
            **exemption(group.rate, language),
        }
        for group in draft.vat_groups
    ]
    bought_by = party(buyer)
    return Document(
        kind="credit_note" if draft.is_credit_note else "invoice",
        number="",
        issued_on=issued_on,
        due_on=due_on,
        period=draft.period,
        language=language,
        channel=channel_for(
            str(buyer.get("kind", "business")), bought_by.country, bool(buyer.get("peppol_id"))
        ),
        seller=party(seller),
        buyer=bought_by,
        buyer_reference=buyer.get("buyer_reference") or buyer["reference"],
        lines=tuple(lines),
        groups=groups(breakdown, draft.currency),
        net=draft.net,
        vat=draft.vat,
        total=draft.total,
        prepaid=total([], draft.currency),
        means=means(payment, seller, ""),
    )
