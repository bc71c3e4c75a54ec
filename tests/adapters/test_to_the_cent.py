"""Every kind of document, its two files read back by other readers: VAT right to the cent, and one total for both.

The official rules accept VAT wrong by 0.99 per rate: these accept nothing.
"""

import io
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal

import pypdf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from tests.adapters.test_peppol_rules import OURS
from tests.support.documents import REDUCED, a_document, a_line
from webapp import filters
from webapp.adapters import ubl
from webapp.adapters.ubl import CAC, CBC
from webapp.domain.einvoice import Document, problems
from webapp.domain.money import Money
from webapp.domain.vat import FRANCHISE, REVERSE_CHARGE, STANDARD
from webapp.services import documents

NAMES = {"cac": CAC, "cbc": CBC}
CENT = Decimal("0.01")
KINDS = pytest.mark.parametrize("document", OURS.values(), ids=OURS.keys())


def decimals(node: etree._Element, path: str) -> list[Decimal]:
    return [Decimal(each.text) for each in node.xpath(path, namespaces=NAMES)]


def check_ubl(xml: bytes) -> dict[str, Decimal]:
    """Add the whole document up again, in decimals; gives its totals."""
    root = etree.fromstring(xml)
    lines = root.xpath("cac:InvoiceLine | cac:CreditNoteLine", namespaces=NAMES)
    by_rate: dict[tuple[str, str], Decimal] = {}
    for line in lines:
        [net], [price] = (
            decimals(line, "cbc:LineExtensionAmount"),
            decimals(line, "cac:Price/cbc:PriceAmount"),
        )
        [quantity] = decimals(line, "cbc:InvoicedQuantity | cbc:CreditedQuantity")
        assert (price * quantity).quantize(CENT, ROUND_HALF_UP) == net
        [category] = line.xpath("cac:Item/cac:ClassifiedTaxCategory", namespaces=NAMES)
        rate = (
            category.findtext("cbc:ID", namespaces=NAMES),
            category.findtext("cbc:Percent", namespaces=NAMES),
        )
        by_rate[rate] = by_rate.get(rate, Decimal(0)) + net
    found = {}
    for group in root.xpath("cac:TaxTotal/cac:TaxSubtotal", namespaces=NAMES):
        category, percent = (
            group.findtext(f"cac:TaxCategory/cbc:{name}", namespaces=NAMES) for name in ("ID", "Percent")
        )
        [base], [vat] = decimals(group, "cbc:TaxableAmount"), decimals(group, "cbc:TaxAmount")
        assert vat == (base * Decimal(percent) / 100).quantize(CENT, ROUND_HALF_UP), (category, percent)
        if category != "S":
            assert vat == 0 and group.findtext("cac:TaxCategory/cbc:TaxExemptionReason", namespaces=NAMES)
        found[category, percent] = base
    assert found == by_rate
    [net], [total], [payable] = (
        decimals(root, f"cac:LegalMonetaryTotal/cbc:{name}Amount")
        for name in ("TaxExclusive", "TaxInclusive", "Payable")
    )
    [vat] = decimals(root, "cac:TaxTotal/cbc:TaxAmount")
    prepaid = sum(decimals(root, "cac:LegalMonetaryTotal/cbc:PrepaidAmount"))
    assert net == sum(by_rate.values())
    assert vat == sum(decimals(root, "cac:TaxTotal/cac:TaxSubtotal/cbc:TaxAmount"))
    assert (total, payable) == (net + vat, net + vat - prepaid)
    return {"net": net, "vat": vat, "total": total, "payable": payable}


@KINDS
def test_the_ubl_adds_up_to_the_cent(document: Document):
    assert problems(document) == ()
    totals = check_ubl(ubl.build(document))
    assert {name: int(amount * 100) for name, amount in totals.items()} == {
        "net": document.net.cents * document.sign,
        "vat": document.vat.cents * document.sign,
        "total": document.total.cents * document.sign,
        "payable": document.payable.cents,
    }


@KINDS
def test_the_pdf_says_the_totals_of_the_ubl_inside_and_around_it(document: Document):
    pdf, xml = documents.make(document)
    totals = check_ubl(xml)
    reader = pypdf.PdfReader(io.BytesIO(pdf))
    said = " ".join(" ".join(page.extract_text() for page in reader.pages).split())
    for amount in totals.values():
        shown = filters.money(int(amount * 100), document.language)
        assert shown.replace("\u202f", " ").replace("\xa0", " ") in said
    [(_name, [attached])] = reader.attachments.items()
    assert check_ubl(attached) == totals


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(
            st.integers(-500_000, 500_000), st.sampled_from([STANDARD, REDUCED, REVERSE_CHARGE, FRANCHISE])
        ),
        min_size=1,
        max_size=12,
    )
)
def test_any_lines_at_any_rates_add_up_to_the_cent(charged):
    lines = [replace(a_line("0.00", vat=rate), net=Money(cents)) for cents, rate in charged]
    check_ubl(ubl.build(a_document(lines)))
