"""Invoices and credit notes as values, without a database: say what matters, the rest is a plain domestic invoice."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from webapp.domain.einvoice import Document, Endpoint, Group, Line, Means, Party, Place
from webapp.domain.money import Money, euros, total
from webapp.domain.periods import Period
from webapp.domain.vat import STANDARD, VatRate, vat_groups
from webapp.services.documents import EXEMPTIONS

NOVEMBER = Period(date(2026, 11, 1), date(2026, 12, 1))
REDUCED = VatRate("S", "6")
SELLER = Party(
    name="CentralApp",
    legal_name="CentralApp SA",
    street="Rue du Marché aux Herbes 61",
    postcode="1000",
    city="Bruxelles",
    country="BE",
    vat_number="BE0765432146",
    enterprise_number="0765432146",
    endpoint=Endpoint("0208", "0765432146"),
    register="RPM Bruxelles",
    email="facturation@centralapp.example",
    phone="+32 2 555 01 00",
)
BUYER = Party(
    name="Brasserie du Parc",
    legal_name="Parc Horeca SRL",
    street="Avenue du Parc 12",
    postcode="1060",
    city="Saint-Gilles",
    country="BE",
    vat_number="BE0876543270",
    enterprise_number="0876543270",
    endpoint=Endpoint("0208", "0876543270"),
    email="compta@exemple.example",
)
DUTCH_BUYER = Party(
    name="Tulp",
    legal_name="Tulp BV",
    street="Herengracht 1",
    postcode="1015 AA",
    city="Amsterdam",
    country="NL",
    vat_number="NL123456782B01",
    endpoint=Endpoint("9944", "NL123456782B01"),
)
TRANSFER = Means("transfer", "090933755493", iban="BE68539007547034")
DIRECT_DEBIT = Means(
    "direct_debit",
    "090933755493",
    mandate="CAPP000418",
    creditor_id="BE16ZZZ0765432146",
    label="BE21 0012 •••• 7803",
)
UCCLE = Place("b7", "Le Petit Parc", "Chaussée d’Alsemberg 418, 1180 Uccle", "2.123.456.718")


def a_line(
    net: str,
    *,
    quantity: int = 1,
    unit: str | None = None,
    vat: VatRate = STANDARD,
    name: str = "Formule Pro",
    item: str = "plan",
    place: Place | None = None,
    service: Period = NOVEMBER,
    whole: Period = NOVEMBER,
) -> Line:
    amount = euros(net)
    price = euros(unit) if unit else Money(abs(amount.cents) // quantity)
    return Line(0, item, name, "", quantity, price, service, whole, amount, vat, place)


def a_document(lines: Sequence[Line] | None = None, **changes: object) -> Document:
    """An issued document whose totals are those of its lines."""
    lines = lines or [a_line("79.00"), a_line("6.00", quantity=4, unit="1.50", item="option", name="E-mails")]
    counted = tuple(replace(line, position=place) for place, line in enumerate(lines, start=1))
    found = vat_groups((line.vat, line.net) for line in counted)
    groups = tuple(
        Group(each.rate, each.base, each.vat, *EXEMPTIONS.get(each.rate.category, ("", ""))) for each in found
    )
    net, vat = total(line.net for line in counted), total(group.vat for group in groups)
    is_credit_note = (net + vat).cents < 0
    values: dict[str, object] = {
        "kind": "credit_note" if is_credit_note else "invoice",
        "number": "NC2026-00001" if is_credit_note else "F2026-00042",
        "issued_on": date(2026, 11, 1),
        "due_on": date(2026, 11, 15),
        "period": NOVEMBER,
        "language": "fr",
        "channel": "peppol",
        "seller": SELLER,
        "buyer": BUYER,
        "buyer_reference": "CA-10234",
        "lines": counted,
        "groups": groups,
        "net": net,
        "vat": vat,
        "total": net + vat,
        "prepaid": Money(0),
        "means": TRANSFER,
        "terms": "À payer pour le 15 novembre 2026 au plus tard.",
    }
    return Document(**(values | changes))  # type: ignore[arg-type]
