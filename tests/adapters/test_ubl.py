"""The UBL says the same as the document: signs, prices, units, and one place for each fact."""

from base64 import b64decode
from dataclasses import replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from tests.support.documents import DIRECT_DEBIT, NOVEMBER, UCCLE, a_document, a_line
from webapp.adapters.ubl import CAC, CBC, build, unit_code, unit_price
from webapp.domain.einvoice import Document, Means, Reference
from webapp.domain.money import Money, euros
from webapp.domain.periods import Period

NAMES = {"cac": CAC, "cbc": CBC}


class Read:
    """A UBL read back by XPath."""

    def __init__(self, document: Document, pdf: bytes | None = None) -> None:
        self.root = etree.fromstring(build(document, pdf))

    def texts(self, path: str) -> list[str]:
        return [
            each if isinstance(each, str) else each.text for each in self.root.xpath(path, namespaces=NAMES)
        ]

    def text(self, path: str) -> str:
        [found] = self.texts(path)
        return found


def test_a_credit_note_shows_positive_amounts_and_names_what_it_corrects():
    reference = Reference("F2026-00042", date(2026, 11, 1))
    note = Read(
        a_document([a_line("-39.50", unit="79.00"), a_line("12.00", unit="24.00")], corrects=(reference,))
    )
    assert etree.QName(note.root).localname == "CreditNote"
    assert note.text("cbc:CreditNoteTypeCode") == "381"
    assert note.texts("cac:CreditNoteLine/cbc:LineExtensionAmount") == ["39.50", "-12.00"]
    assert note.texts("cac:CreditNoteLine/cbc:CreditedQuantity") == ["1", "-1"]
    assert note.texts("cac:CreditNoteLine/cac:Price/cbc:PriceAmount") == ["39.50", "12.00"]
    assert (
        note.text("cac:LegalMonetaryTotal/cbc:PayableAmount") == "33.28"
    )  # 27.50 and 21 % of it, 5.775 rounded half up
    assert note.text("cac:BillingReference/cac:InvoiceDocumentReference/cbc:ID") == "F2026-00042"
    assert not note.texts("cbc:DueDate")


def test_what_gives_back_on_an_invoice_is_a_negative_quantity_at_a_positive_price():
    invoice = Read(a_document([a_line("79.00"), a_line("-24.00")]))
    assert invoice.texts("cac:InvoiceLine/cbc:InvoicedQuantity") == ["1", "-1"]
    assert invoice.texts("cac:InvoiceLine/cac:Price/cbc:PriceAmount") == ["79.00", "24.00"]


@given(cents=st.integers(-10_000_000, 10_000_000), quantity=st.integers(1, 5000))
def test_quantity_times_price_gives_the_line_back(cents, quantity):
    line = replace(a_line("0.00", quantity=quantity), net=Money(cents))
    shown = (Decimal(unit_price(line)) * quantity).quantize(Decimal("0.01"), ROUND_HALF_UP)
    assert shown == Decimal(abs(cents)) / 100


def test_a_price_is_written_in_cents_unless_it_needs_more():
    assert unit_price(a_line("790.00")) == "790.00"
    assert unit_price(a_line("12.50", quantity=150)) == "0.08333333"
    assert unit_price(a_line("0.50", quantity=8)) == "0.0625"


def test_whole_months_and_years_have_their_unit_and_shares_are_counted():
    year = Period(date(2026, 11, 1), date(2027, 11, 1))
    assert unit_code(a_line("79.00")) == "MON"
    assert unit_code(a_line("790.00", service=year, whole=year)) == "ANN"
    assert unit_code(a_line("6.00", item="option", quantity=4)) == "C62"
    assert unit_code(a_line("39.50", service=Period(date(2026, 11, 16), NOVEMBER.end))) == "C62"


def test_a_direct_debit_names_its_mandate_and_its_creditor():
    invoice = Read(a_document(means=DIRECT_DEBIT))
    assert invoice.text("cac:PaymentMeans/cbc:PaymentMeansCode") == "59"
    assert invoice.text("cac:PaymentMeans/cac:PaymentMandate/cbc:ID") == "CAPP000418"
    creditor = "cac:AccountingSupplierParty/cac:Party/cac:PartyIdentification/cbc:ID[@schemeID='SEPA']"
    assert invoice.text(creditor) == "BE16ZZZ0765432146"


def test_a_transfer_bears_the_structured_communication_and_a_card_its_last_digits_only():
    transfer = Read(a_document())
    assert transfer.text("cac:PaymentMeans/cbc:PaymentID") == "+++090/9337/55493+++"
    assert transfer.text("cac:PaymentMeans/cac:PayeeFinancialAccount/cbc:ID") == "BE68539007547034"
    card = Read(a_document(means=Means("card", "090933755493", label="Bancontact •••• 4412")))
    assert card.text("cac:PaymentMeans/cbc:PaymentMeansCode") == "48"
    assert card.text("cac:PaymentMeans/cac:CardAccount/cbc:PrimaryAccountNumberID") == "4412"
    assert card.text("cac:PaymentMeans/cac:CardAccount/cbc:NetworkID") == "Bancontact"


def test_credit_used_is_prepaid():
    invoice = Read(a_document([a_line("100.00")], prepaid=euros("21.00")))
    assert invoice.text("cac:LegalMonetaryTotal/cbc:PrepaidAmount") == "21.00"
    assert invoice.text("cac:LegalMonetaryTotal/cbc:PayableAmount") == "100.00"


def test_a_line_says_its_establishment_and_its_number():
    invoice = Read(a_document([a_line("20.00", item="establishment", place=UCCLE)]))
    properties = "cac:InvoiceLine/cac:Item/cac:AdditionalItemProperty/"
    assert invoice.texts(properties + "cbc:Name") == ["Établissement", "Numéro d’établissement"]
    assert invoice.texts(properties + "cbc:Value") == ["Le Petit Parc", "2.123.456.718"]


def test_the_pdf_travels_inside_and_nothing_is_empty():
    invoice = Read(a_document(), pdf=b"%PDF-1.7 bytes")
    binary = "cac:AdditionalDocumentReference/cac:Attachment/cbc:EmbeddedDocumentBinaryObject"
    assert b64decode(invoice.text(binary)) == b"%PDF-1.7 bytes"
    assert invoice.texts(binary + "/@filename") == ["F2026-00042.pdf"]
    assert not invoice.root.xpath("//*[not(*) and not(normalize-space())]")
