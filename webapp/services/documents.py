"""The documents of an invoice: its PDF and its UBL, the official check, and their way to the customer.

Both files are made from the frozen rows when first asked for, kept with their hash, and never made again. What the
rules refuse is held and never sent. Between two Belgian businesses the UBL sent over Peppol is the original: when the
receiver is not found, people are told; an e-mail never takes its place by itself.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from webapp.adapters import invoice_pdf, numbers, ubl
from webapp.adapters.access_point import AccessPoint, NotSent
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
from webapp.models.subscriptions import Establishment
from webapp.services import printed

if TYPE_CHECKING:  # the rules bring 200 MB with them: only those who check documents load them
    from webapp.adapters.peppol_rules import Rules

MOST_ATTEMPTS = 8
OPEN_STATES = ("ready", "validated", "failed", "held")
# Why a rate is zero (B3): the code of the VATEX list, when there is one, and the mention the law asks for.
EXEMPTIONS = {
    "AE": ("VATEX-EU-AE", _("Autoliquidation : article 21, § 2 du Code de la TVA, article 196 de la directive 2006/112/CE.")),
    "E": ("", _("Régime particulier de la franchise de taxe.")),
}  # fmt: skip


class WrongState(ValueError):
    """The document cannot do that where it stands. The text is for the people who run the portal."""


@dataclass(frozen=True)
class Round:
    """How a round of sending or of asking went."""

    moved: int = 0
    waiting: int = 0
    closed: int = 0


# ── From the rows to the document ────────────────────────────────────────────────────────────────────────────────


def document_of(session: Session, invoice: Invoice) -> Document:
    """An issued invoice as both its forms show it, from its frozen rows. Four statements."""
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
        groups=groups(invoice.vat_breakdown, invoice.currency, locale),
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


def groups(breakdown: Sequence[Mapping[str, Any]], currency: str, locale: str) -> tuple[Group, ...]:
    """The VAT of the document by rate, with the mention of each rate of zero."""
    found = []
    for each in breakdown:
        code, mention = EXEMPTIONS.get(each["category"], ("", ""))
        found.append(
            Group(
                VatRate(each["category"], each["rate"]),
                Money(each["base_cents"], currency),
                Money(each["vat_cents"], currency),
                each.get("exemption_code") or code,
                each.get("exemption") or (gettext(mention, locale) if mention else ""),
            )
        )
    return tuple(found)


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
    place = Establishment.__table__.c
    rows = session.execute(
        select(
            *InvoiceLine.__table__.c,
            place.name.label("place_name"),
            place.street.label("place_street"),
            place.postcode.label("place_postcode"),
            place.city.label("place_city"),
            place.number.label("place_number"),
        )
        .outerjoin(Establishment, Establishment.id == InvoiceLine.establishment_id)
        .where(InvoiceLine.invoice_id == invoice.id)
        .order_by(InvoiceLine.position)
    )
    lines = []
    for row in rows:
        service, whole = Period(row.period_start, row.period_end), Period(row.whole_start, row.whole_end)
        unit, net = Money(row.unit_cents, invoice.currency), Money(row.net_cents, invoice.currency)
        where = None
        if row.establishment_id is not None:
            address = f"{row.place_street}, {row.place_postcode} {row.place_city}"
            where = Place(row.establishment_id.hex, row.place_name, address, row.place_number)
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
        groups=groups(breakdown, draft.currency, language),
        net=draft.net,
        vat=draft.vat,
        total=draft.total,
        prepaid=total([], draft.currency),
        means=means(payment, seller, ""),
    )


# ── The check, and the way out ───────────────────────────────────────────────────────────────────────────────────


def validate(session: Session, invoice: Invoice, rules: "Rules | None", now: datetime) -> InvoiceDocument:
    """Check the UBL against the official rules and note what they say: validated, or held with its findings. Flushes.

    Without rules nothing is noted, and `rules_version` stays empty: not checked. What has left is not checked again.
    """
    document = stored(session, invoice, now)
    if rules is None or document.state not in OPEN_STATES:
        return document
    findings = rules.check(document.ubl)
    document.rules_version = rules.version
    document.findings = [asdict(finding) for finding in findings]
    document.checked_at = now
    document.state = "held" if any(finding.is_fatal for finding in findings) else "validated"
    session.flush()
    return document


def queue(session: Session, invoice: Invoice, now: datetime) -> InvoiceDocument:
    """Put a document in line for Peppol. Flushes. Raises WrongState for one that is held, gone, or not for Peppol."""
    document = stored(session, invoice, now)
    if document.channel != "peppol":
        raise WrongState(f"{invoice.number} goes by mail: its receiver has no address on Peppol")
    if document.state not in ("ready", "validated", "failed"):
        raise WrongState(f"{invoice.number} is {document.state}")
    document.state = "queued"
    document.queued_at = now
    document.attempts = 0
    document.last_error = None
    document.closed_at = None
    session.flush()
    return document


def to_send(session: Session, limit: int = 100) -> list[int]:
    """The ids of the documents in line, oldest first; those tried most often last."""
    return _ids(session, "queued", limit)


def to_ask_about(session: Session, limit: int = 100) -> list[int]:
    """The ids of the documents that left and whose end is not known."""
    return _ids(session, "sent", limit)


def _ids(session: Session, state: str, limit: int) -> list[int]:
    statement = select(InvoiceDocument.id).where(InvoiceDocument.state == state)
    return list(
        session.scalars(statement.order_by(InvoiceDocument.attempts, InvoiceDocument.id).limit(limit))
    )


def send(
    transaction: Callable[[], AbstractContextManager[Session]],
    access_point: AccessPoint,
    clock: Callable[[], datetime],
    limit: int = 100,
) -> Round:
    """Hand over what is in line. `transaction` opens a short writing transaction, committed on leaving it.

    Each try is counted before it is made, and no lock is held while the access point answers. A crash after it took the
    document sends it again under the same key, which it knows. Eight tries, then failed: people decide.
    """
    with transaction() as session:
        waiting = to_send(session, limit)
    sent = again = failed = 0
    for document_id in waiting:
        with transaction() as session:
            claimed = _claim(session, document_id)
        if claimed is None:
            continue
        xml, key, attempts = claimed
        try:
            transmission_id = access_point.send(xml, key)
        except NotSent as wrong:
            given_up = wrong.is_final or attempts >= MOST_ATTEMPTS
            noted: dict[str, Any] = {"last_error": str(wrong)[:1000]}
            if given_up:
                noted |= {"state": "failed", "closed_at": clock()}
            failed += given_up
            again += not given_up
        else:
            noted = {
                "state": "sent",
                "sent_at": clock(),
                "transmission_id": transmission_id,
                "last_error": None,
            }
            sent += 1
        with transaction() as session:
            session.execute(update(InvoiceDocument).where(InvoiceDocument.id == document_id).values(**noted))
    return Round(moved=sent, waiting=again, closed=failed)


def _claim(session: Session, document_id: int) -> tuple[bytes, str, int] | None:
    """Count the try about to be made: the UBL, the key it leaves under and the number of the try; None if it left."""
    row = session.execute(
        update(InvoiceDocument)
        .where(InvoiceDocument.id == document_id, InvoiceDocument.state == "queued")
        .values(attempts=InvoiceDocument.attempts + 1)
        .returning(
            InvoiceDocument.ubl,
            InvoiceDocument.ubl_sha256,
            InvoiceDocument.attempts,
            InvoiceDocument.invoice_id,
        )
    ).one_or_none()
    if row is None:
        return None
    number = session.scalar(select(Invoice.number).where(Invoice.id == row.invoice_id))
    return row.ubl, f"{number}-{row.ubl_sha256[:12]}", row.attempts


def poll(
    transaction: Callable[[], AbstractContextManager[Session]],
    access_point: AccessPoint,
    clock: Callable[[], datetime],
    limit: int = 100,
) -> Round:
    """Ask what became of the documents that left: delivered, rejected by their receiver, or failed on the way."""
    with transaction() as session:
        rows = session.execute(
            select(InvoiceDocument.id, InvoiceDocument.transmission_id)
            .where(InvoiceDocument.id.in_(to_ask_about(session, limit)))
            .order_by(InvoiceDocument.id)
        ).all()
    delivered = waiting = refused = 0
    for document_id, transmission_id in rows:
        try:
            status = access_point.status(transmission_id or "")
        except NotSent as wrong:
            noted: dict[str, Any] = {"last_error": str(wrong)[:1000]}
            waiting += 1
        else:
            if status.state == "sent":
                waiting += 1
                continue
            noted = {"state": status.state, "closed_at": clock(), "last_error": status.reason[:1000] or None}
            delivered += status.state == "delivered"
            refused += status.state != "delivered"
        with transaction() as session:
            session.execute(
                update(InvoiceDocument)
                .where(InvoiceDocument.id == document_id, InvoiceDocument.state == "sent")
                .values(**noted)
            )
    return Round(moved=delivered, waiting=waiting, closed=refused)


def without_files(session: Session, limit: int = 100) -> list[int]:
    """The ids of the invoices and credit notes whose files were not made yet, oldest first."""
    made = select(InvoiceDocument.id).where(InvoiceDocument.invoice_id == Invoice.id).exists()
    return list(session.scalars(select(Invoice.id).where(~made).order_by(Invoice.id).limit(limit)))


def prepare(
    session: Session, invoice: Invoice, rules: "Rules | None", now: datetime, *, is_sent: bool
) -> InvoiceDocument:
    """What a worker does with a new invoice: make its files, check them, put them in line for Peppol. Flushes.

    `is_sent` is whether an access point is set; without one, what is right waits to be downloaded.
    """
    document = validate(session, invoice, rules, now)
    if is_sent and document.channel == "peppol" and document.state in ("ready", "validated"):
        queue(session, invoice, now)
    return document
