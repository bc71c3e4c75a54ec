"""Documents of real invoices: made once, checked, held or sent, and saying the same as their rows."""

import inspect
import io
import re
from base64 import b64decode
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pypdf
import pytest
from lxml import etree
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.builders import a_subscription, an_account
from webapp import filters
from webapp.adapters.ubl import CAC, CBC
from webapp.domain import einvoice
from webapp.domain.einvoice import problems
from webapp.domain.money import Money
from webapp.domain.periods import Period
from webapp.domain.pricing import Draft, DraftLine, Item, period_draft
from webapp.domain.vat import STANDARD, VatRate
from webapp.models.documents import InvoiceDocument
from webapp.models.invoices import Invoice
from webapp.services import contracts, documents, invoicing, printed
from webapp.services.subscriptions import NewOption

NOW = datetime(2026, 11, 16, 10, tzinfo=UTC)
NAMES = {"cac": CAC, "cbc": CBC}


def an_invoice(session: Session, **values: object) -> Invoice:
    """The first invoice of a subscription signed on 1 November, four e-mail boxes and a second establishment in it."""
    details = {
        name: values.pop(name)
        for name in list(values)
        if name in ("language", "payment_method", "payment_label", "payment_reference", "kind", "country",
                    "vat_number", "enterprise_number", "peppol_id", "vat_treatment")
    }  # fmt: skip
    kind = details.pop("kind", None)
    account = an_account(session, **details)
    if kind:
        account.kind = str(kind)
    signed = a_subscription(
        session,
        starts_on=date(2026, 11, 1),
        billed_through=date(2026, 11, 1),
        account=account,
        options=[NewOption("emails", 4)],
        **{"establishments": 3, **values},  # type: ignore[arg-type]
    )
    return session.scalars(select(Invoice).where(Invoice.account_id == signed.account_id)).one()


def numbers_of_the_ubl(xml: bytes) -> dict[str, int]:
    root = etree.fromstring(xml)

    def cents(path: str) -> int:
        [found] = root.xpath(path, namespaces=NAMES)
        return int(Decimal(found.text) * 100)

    return {
        "net": cents("cac:LegalMonetaryTotal/cbc:TaxExclusiveAmount"),
        "vat": cents("cac:TaxTotal/cbc:TaxAmount"),
        "total": cents("cac:LegalMonetaryTotal/cbc:TaxInclusiveAmount"),
        "payable": cents("cac:LegalMonetaryTotal/cbc:PayableAmount"),
    }


def text_of(pdf: bytes) -> str:
    reader = pypdf.PdfReader(io.BytesIO(pdf))
    return " ".join(" ".join(page.extract_text() for page in reader.pages).split())


@pytest.mark.parametrize("language", ["fr", "nl", "en"])
def test_pdf_ubl_and_rows_say_the_same_amounts(session, language):
    invoice = an_invoice(session, language=language)
    found = documents.stored(session, invoice, NOW)
    ubl = numbers_of_the_ubl(found.ubl)
    assert ubl == {
        "net": invoice.net_cents, "vat": invoice.vat_cents,
        "total": invoice.total_cents, "payable": invoice.total_cents,
    }  # fmt: skip
    said = text_of(found.pdf)
    for cents in (*ubl.values(), *(line.net_cents for line in invoice.lines)):
        assert filters.money(cents, language).replace("\u202f", " ").replace("\xa0", " ") in said
    assert sum(line.net_cents for line in invoice.lines) == invoice.net_cents


def test_real_invoices_have_no_problem(session):
    assert problems(documents.document_of(session, an_invoice(session))) == ()


def test_the_files_are_made_once_and_stay_the_same(session):
    invoice = an_invoice(session)
    first = documents.pdf_of(session, invoice, NOW)
    establishment_line = next(line for line in invoice.lines if line.establishment_id)
    establishment_line.description = "changed by mistake"
    session.flush()
    assert documents.pdf_of(session, invoice, NOW + timedelta(days=400)) == first
    assert len(session.scalars(select(InvoiceDocument)).all()) == 1
    kept = documents.stored(session, invoice, NOW)
    assert kept.retain_until == date(2037, 1, 1)


def test_the_pdf_inside_the_ubl_is_the_one_kept(session):
    invoice = an_invoice(session)
    root = etree.fromstring(documents.ubl_of(session, invoice, NOW))
    [embedded] = root.xpath("//cbc:EmbeddedDocumentBinaryObject", namespaces=NAMES)
    assert b64decode(embedded.text) == documents.pdf_of(session, invoice, NOW)


def a_credit_note(session: Session, invoice: Invoice) -> Invoice:
    """All of `invoice` given back."""
    lines = tuple(
        DraftLine(
            Item(line.item, line.ref, line.establishment_id.hex if line.establishment_id else None),
            Money(line.unit_cents),
            line.quantity,
            Period(line.period_start, line.period_end),
            Period(line.whole_start, line.whole_end),
            Money(-line.net_cents),
            VatRate(line.vat_category, line.vat_rate),
            line.id,
        )
        for line in invoice.lines
    )
    draft = Draft(lines, Period(invoice.period_start, invoice.period_end))
    situation = contracts.load(session, invoice.subscription_id)
    return invoicing.issue(session, draft, situation, "correction", date(2026, 11, 16), NOW)


def test_a_credit_note_names_the_invoice_it_corrects(session):
    invoice = an_invoice(session)
    note = a_credit_note(session, invoice)
    document = documents.document_of(session, note)
    assert document.corrects == ((invoice.number, invoice.issued_on),)
    assert problems(document) == ()
    found = documents.stored(session, note, NOW)
    assert numbers_of_the_ubl(found.ubl)["payable"] == -note.total_cents
    said = text_of(found.pdf)
    assert f"{invoice.number} du 1er novembre 2026" in said
    assert "TVA à reverser à l’État" in said


def test_credit_used_at_issue_is_prepaid_and_what_came_later_is_not(session):
    invoice = an_invoice(session)
    invoicing.settle(session, invoice, invoice.total_cents)
    a_credit_note(session, invoice)
    situation = contracts.load(session, invoice.subscription_id)
    draft = period_draft(situation.contract, situation.customer.vat)
    assert draft is not None
    next_one = invoicing.issue(session, draft, situation, "period", date(2026, 12, 1), NOW, date(2026, 12, 1))
    document = documents.document_of(session, next_one)
    assert document.prepaid == document.total
    assert numbers_of_the_ubl(documents.ubl_of(session, next_one, NOW))["payable"] == 0
    assert "Rien à payer : votre crédit couvre cette facture." in text_of(
        documents.pdf_of(session, next_one, NOW)
    )


REAL = {
    "domestic": {},
    "dutch": {"language": "nl"},
    "direct debit": {
        "payment_method": "direct_debit", "payment_label": "BE21 0012 •••• 7803", "payment_reference": "CAPP000418",
    },
    "annual": {"frequency": "annual"},
    "reverse charge": {
        "country": "LU", "vat_number": "LU26375245", "enterprise_number": None, "vat_treatment": "reverse_charge",
        "language": "en",
    },
    "franchise": {"vat_treatment": "franchise"},
    "exempt": {"vat_treatment": "exempt", "language": "nl"},
}  # fmt: skip


@pytest.mark.parametrize("values", REAL.values(), ids=REAL.keys())
def test_invoices_of_the_billing_are_valid(session, peppol_rules, values):
    invoice = an_invoice(session, **values)
    for issued in (invoice, a_credit_note(session, invoice)):
        assert peppol_rules.check(documents.ubl_of(session, issued, NOW)) == ()


def test_a_consumer_is_sent_a_mail_and_its_pdf_is_no_copy(session):
    invoice = an_invoice(session, kind="consumer", vat_number=None, enterprise_number=None)
    assert documents.stored(session, invoice, NOW).channel == "mail"
    assert "Copie" not in text_of(documents.pdf_of(session, invoice, NOW))


def test_a_draft_with_wrong_details_tells_each_field_before_any_number_is_drawn(session):
    invoice = an_invoice(session)
    situation = contracts.load(session, invoice.subscription_id)
    draft = period_draft(situation.contract, situation.customer.vat)
    assert draft is not None
    proposed = documents.before_issue(
        draft,
        seller=invoice.seller,
        buyer=invoice.buyer | {"street": "", "vat_number": "BE0876543271"},
        payment=invoice.payment,
        language="fr",
        issued_on=date(2026, 12, 1),
        due_on=date(2026, 12, 15),
        descriptions=["Formule Pro"] * len(draft.lines),
    )
    assert [printed.explain(problem, "fr") for problem in problems(proposed)] == [
        "Client, rue et numéro\xa0: à compléter.",
        "Client, numéro de TVA\xa0: les chiffres de contrôle ne correspondent pas, vérifiez chaque chiffre.",
    ]


def test_the_run_asks_the_same_of_an_account_before_it_works_anything_out(session):
    invoice = an_invoice(session)
    asked = {
        "seller": documents.party(invoice.seller),
        "seller_details": invoice.seller,
        "payment": invoice.payment,
    }
    assert documents.account_problems(buyer=invoice.buyer, rate=STANDARD, **asked) == ()
    wrong = invoice.buyer | {"enterprise_number": "0876543271", "city": ""}
    assert documents.account_problems(buyer=wrong, rate=STANDARD, **asked) == (
        einvoice.Problem("buyer", "city", "missing"),
        einvoice.Problem("buyer", "enterprise_number", "wrong_number"),
    )


def test_a_number_from_outside_the_union_is_taken_as_given(session):
    swiss = an_invoice(session).buyer | {
        "country": "CH",
        "vat_number": "CHE123456788",
        "enterprise_number": None,
    }
    assert not documents.party(swiss | {"peppol_id": None}).wrong_numbers


def test_the_sentence_of_each_problem_exists():
    source = inspect.getsource(einvoice)
    told = set(re.findall(r'Problem\((?:subject|"\w+"), (?:field|"(\w+)"), "(\w+)"\)', source))
    assert told and all(field in printed.FIELDS for field, _ in told if field)
    assert {code for _, code in told} == set(printed.PROBLEMS)
