"""An invoice or a credit note as Peppol BIS Billing 3.0 writes it: UBL 2.1, one element after the other in its order.

Amounts come from the document, never worked out again, but for the price of a unit: our lines are rounded once on
quantity × price × days, so the price written is the line's amount over its quantity, exact enough to give it back.
"""

import re
from base64 import b64encode
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from lxml import etree

from webapp.domain.einvoice import Document, Group, Line, Party
from webapp.domain.money import Money
from webapp.domain.periods import Period
from webapp.domain.vat import VatRate

CUSTOMIZATION = "urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0"
PROFILE = "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"
UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
CBC, CAC = f"{UBL}CommonBasicComponents-2", f"{UBL}CommonAggregateComponents-2"
MEANS_CODES = {"transfer": "30", "card": "48", "direct_debit": "59"}
ESTABLISHMENT = {"fr": "Établissement", "nl": "Vestiging", "en": "Establishment"}
ESTABLISHMENT_NUMBER = {
    "fr": "Numéro d’établissement",
    "nl": "Vestigingsnummer",
    "en": "Establishment number",
}
CARD = re.compile(r"^(?P<network>[^•]*?)\s*•+\s*(?P<last>\d{4})$")
PRICE_STEP, CENT = Decimal("0.00000001"), Decimal("0.01")

Element = etree._Element


def build(document: Document, pdf: bytes | None = None) -> bytes:
    """The UBL of `document`, UTF-8. `pdf`, its printed form, travels inside it: Belgian customers expect it."""
    name = "CreditNote" if document.is_credit_note else "Invoice"
    prefixes: dict[Any, str] = {None: f"{UBL}{name}-2", "cac": CAC, "cbc": CBC}
    root: Element = etree.Element(f"{{{UBL}{name}-2}}{name}", nsmap=prefixes)
    _head(root, document)
    for reference in document.corrects:
        invoice = _group(_group(root, "BillingReference"), "InvoiceDocumentReference")
        _text(invoice, "ID", reference.number)
        _text(invoice, "IssueDate", reference.issued_on)
    if pdf is not None:
        _attachment(root, document, pdf)
    _party(_group(root, "AccountingSupplierParty"), document.seller, document.means.creditor_id)
    _party(_group(root, "AccountingCustomerParty"), document.buyer)
    if not document.is_credit_note:
        _means(root, document)
    if document.terms:
        _text(_group(root, "PaymentTerms"), "Note", document.terms)
    _tax_total(root, document)
    _totals(root, document)
    for line in document.lines:
        _line(root, line, document)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True))


def _head(root: Element, document: Document) -> None:
    _text(root, "CustomizationID", CUSTOMIZATION)
    _text(root, "ProfileID", PROFILE)
    _text(root, "ID", document.number)
    _text(root, "IssueDate", document.issued_on)
    if document.is_credit_note:
        _text(root, "CreditNoteTypeCode", "381")
    else:
        _text(root, "DueDate", document.due_on)
        _text(root, "InvoiceTypeCode", "380")
    _text(root, "Note", document.note)  # one at most (R002)
    _text(root, "DocumentCurrencyCode", document.total.currency)
    _text(root, "BuyerReference", document.buyer_reference)
    _period(root, document.covered)


def _attachment(root: Element, document: Document, pdf: bytes) -> None:
    reference = _group(root, "AdditionalDocumentReference")
    _text(reference, "ID", document.number)
    _text(reference, "DocumentDescription", "PDF")
    binary = _text(
        _group(reference, "Attachment"), "EmbeddedDocumentBinaryObject", b64encode(pdf).decode("ascii")
    )
    binary.set("mimeCode", "application/pdf")
    binary.set("filename", f"{document.number}.pdf")


def _party(parent: Element, party: Party, creditor_id: str = "") -> None:
    node = _group(parent, "Party")
    if party.endpoint is not None:
        _text(node, "EndpointID", party.endpoint.number, schemeID=party.endpoint.scheme)
    if creditor_id:
        _text(_group(node, "PartyIdentification"), "ID", creditor_id, schemeID="SEPA")
    if party.name:
        _text(_group(node, "PartyName"), "Name", party.name)
    address = _group(node, "PostalAddress")
    _text(address, "StreetName", party.street)
    _text(address, "CityName", party.city)
    _text(address, "PostalZone", party.postcode)
    _text(_group(address, "Country"), "IdentificationCode", party.country)
    if party.vat_number:
        scheme = _group(node, "PartyTaxScheme")
        _text(scheme, "CompanyID", party.vat_number)
        _text(_group(scheme, "TaxScheme"), "ID", "VAT")
    entity = _group(node, "PartyLegalEntity")
    _text(entity, "RegistrationName", party.legal_name)
    if party.enterprise_number:
        is_belgian = {"schemeID": "0208"} if party.country == "BE" else {}
        _text(entity, "CompanyID", party.enterprise_number, **is_belgian)
    _text(entity, "CompanyLegalForm", party.register)
    if party.email or party.phone:
        contact = _group(node, "Contact")
        _text(contact, "Telephone", party.phone)
        _text(contact, "ElectronicMail", party.email)


def _means(root: Element, document: Document) -> None:
    means = document.means
    node = _group(root, "PaymentMeans")
    _text(node, "PaymentMeansCode", MEANS_CODES[means.method])
    _text(node, "PaymentID", structured(means.communication))
    if means.method == "card":
        card = CARD.match(means.label)
        if card is not None:
            account = _group(node, "CardAccount")
            _text(account, "PrimaryAccountNumberID", card["last"])
            _text(account, "NetworkID", card["network"] or "card")
    elif means.method == "direct_debit":
        _text(_group(node, "PaymentMandate"), "ID", means.mandate)
    else:
        account = _group(node, "PayeeFinancialAccount")
        _text(account, "ID", means.iban)
        if means.bic:
            _text(_group(account, "FinancialInstitutionBranch"), "ID", means.bic)


def _tax_total(root: Element, document: Document) -> None:
    total = _group(root, "TaxTotal")
    _amount(total, "TaxAmount", document.vat * document.sign)
    for group in document.groups:
        subtotal = _group(total, "TaxSubtotal")
        _amount(subtotal, "TaxableAmount", group.base * document.sign)
        _amount(subtotal, "TaxAmount", group.vat * document.sign)
        _category(subtotal, "TaxCategory", group.rate, group)


def _category(parent: Element, name: str, rate: VatRate, group: Group | None = None) -> None:
    category = _group(parent, name)
    _text(category, "ID", rate.code)
    _text(category, "Percent", rate.percent)
    if group is not None:
        _text(category, "TaxExemptionReasonCode", group.exemption_code)
        _text(category, "TaxExemptionReason", group.exemption)
    _text(_group(category, "TaxScheme"), "ID", "VAT")


def _totals(root: Element, document: Document) -> None:
    totals = _group(root, "LegalMonetaryTotal")
    _amount(totals, "LineExtensionAmount", document.net * document.sign)
    _amount(totals, "TaxExclusiveAmount", document.net * document.sign)
    _amount(totals, "TaxInclusiveAmount", document.total * document.sign)
    if document.prepaid:
        _amount(totals, "PrepaidAmount", document.prepaid)
    _amount(totals, "PayableAmount", document.payable)


def _line(root: Element, line: Line, document: Document) -> None:
    kind, counted = ("CreditNote", "Credited") if document.is_credit_note else ("Invoice", "Invoiced")
    net = line.net * document.sign
    node = _group(root, f"{kind}Line")
    _text(node, "ID", str(line.position))
    # A price is never negative (BR-27): what goes the other way is a negative quantity.
    quantity = -line.quantity if net.cents < 0 else line.quantity
    _text(node, f"{counted}Quantity", str(quantity), unitCode=unit_code(line))
    _amount(node, "LineExtensionAmount", net)
    _period(node, line.service)
    item = _group(node, "Item")
    _text(item, "Description", line.calculation)
    _text(item, "Name", line.name)
    _category(item, "ClassifiedTaxCategory", line.vat)
    if line.place is not None:
        _property(item, ESTABLISHMENT[document.language], line.place.name)
        _property(item, ESTABLISHMENT_NUMBER[document.language], line.place.number or "")
    price = _text(_group(node, "Price"), "PriceAmount", unit_price(line))
    price.set("currencyID", net.currency)


def _property(item: Element, name: str, value: str) -> None:
    if value.strip():
        node = _group(item, "AdditionalItemProperty")
        _text(node, "Name", name)
        _text(node, "Value", value)


def unit_code(line: Line) -> str:
    """MON or ANN for one whole month or year of plan or establishment; C62, one, for what is counted or shared."""
    if line.item in ("plan", "establishment") and line.quantity == 1 and line.service == line.whole:
        months = (
            (line.whole.end.year - line.whole.start.year) * 12 + line.whole.end.month - line.whole.start.month
        )
        return {1: "MON", 12: "ANN"}.get(months, "C62")
    return "C62"


def unit_price(line: Line) -> str:
    """What one unit cost on this line, without sign: times the quantity, it rounds to the line's amount.

    12.50 for 150 units is 0.08333333; a whole period at its list price is the list price.
    """
    exact = Decimal(abs(line.net.cents)) / 100 / line.quantity
    price, cents = exact.quantize(PRICE_STEP, ROUND_HALF_UP), exact.quantize(CENT, ROUND_HALF_UP)
    return f"{cents if cents == price else price.normalize():f}"


def structured(digits: str) -> str:
    """+++090/9337/55493+++ of its twelve digits."""
    return f"+++{digits[:3]}/{digits[3:7]}/{digits[7:]}+++"


def _period(parent: Element, period: Period) -> None:
    node = _group(parent, "InvoicePeriod")
    _text(node, "StartDate", period.start)
    _text(node, "EndDate", period.end - timedelta(days=1))


def _group(parent: Element, name: str) -> Element:
    return etree.SubElement(parent, f"{{{CAC}}}{name}")


def _text(parent: Element, name: str, value: str | date, **attributes: str) -> Element:
    """A simple element. Nothing is added for an empty text: Peppol refuses empty elements (R008)."""
    text = value.isoformat() if isinstance(value, date) else " ".join(value.split())
    node = etree.Element(f"{{{CBC}}}{name}", dict(attributes))
    if text:
        node.text = text
        parent.append(node)
    return node


def _amount(parent: Element, name: str, amount: Money) -> None:
    _text(parent, name, f"{Decimal(amount.cents).scaleb(-2):.2f}", currencyID=amount.currency)
