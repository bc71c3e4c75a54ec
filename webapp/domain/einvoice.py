"""What an invoice must hold before it is issued: present, printable, and right to the cent.

A `Document` is an invoice or a credit note as its two forms show it, the PDF and the Peppol UBL. `problems` is asked
before a number is drawn (B3): a field to mend is told as a fact, put into words elsewhere. It is not the official
check: that one accepts VAT wrong by 0.99 per rate, this one accepts nothing.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from webapp.domain.money import Money, total
from webapp.domain.periods import Period
from webapp.domain.vat import REVERSE_CHARGE, VatRate, vat_groups

UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ufffe\uffff]")
# Electronic addresses made of a VAT number, by country: the schemes of Peppol that begin with the country's code.
VAT_SCHEMES = {
    "AT": "9914", "BE": "9925", "BG": "9926", "CY": "9928", "CZ": "9929", "DE": "9930", "EE": "9931", "GR": "9933",
    "ES": "9920", "FR": "9957", "HR": "9934", "HU": "9910", "IE": "9935", "LT": "9937", "LU": "9938", "LV": "9939",
    "MT": "9943", "NL": "9944", "PL": "9945", "PT": "9946", "RO": "9947", "SI": "9949", "SK": "9950",
}  # fmt: skip


class Endpoint(NamedTuple):
    """An address on Peppol: 0208 and the ten digits of a Belgian enterprise, never its establishment number."""

    scheme: str
    number: str


@dataclass(frozen=True, slots=True)
class Party:
    """Seller or buyer as frozen on the document. `wrong_numbers` names the fields whose check digits do not hold."""

    name: str
    legal_name: str
    street: str
    postcode: str
    city: str
    country: str
    vat_number: str | None = None
    enterprise_number: str | None = None
    endpoint: Endpoint | None = None
    register: str = ""
    email: str = ""
    phone: str = ""
    wrong_numbers: frozenset[str] = frozenset()


class Place(NamedTuple):
    """The establishment a line serves."""

    id: str
    name: str
    address: str
    number: str | None


@dataclass(frozen=True, slots=True)
class Line:
    """One amount. `net` is signed by its effect on what is owed; `calculation` is how it was worked out, in words."""

    position: int
    item: str
    name: str
    calculation: str
    quantity: int
    unit: Money
    service: Period
    whole: Period
    net: Money
    vat: VatRate
    place: Place | None = None


class Group(NamedTuple):
    """VAT at one rate. A rate of zero says why, with a code of the VATEX list when there is one."""

    rate: VatRate
    base: Money
    vat: Money
    exemption_code: str = ""
    exemption: str = ""


class Means(NamedTuple):
    """How it is paid. `method` is transfer, direct_debit or card; `communication` the twelve digits of the OGM."""

    method: str
    communication: str
    iban: str = ""
    bic: str = ""
    mandate: str = ""
    creditor_id: str = ""
    label: str = ""


class Reference(NamedTuple):
    number: str
    issued_on: date


@dataclass(frozen=True, slots=True)
class Document:
    """An invoice or a credit note. Amounts are those of the rows: those of a credit note are negative.

    `number` is empty before issue. `prepaid` is the account's credit used when it was issued.
    """

    kind: str
    number: str
    issued_on: date
    due_on: date
    period: Period
    language: str
    channel: str
    seller: Party
    buyer: Party
    buyer_reference: str
    lines: tuple[Line, ...]
    groups: tuple[Group, ...]
    net: Money
    vat: Money
    total: Money
    prepaid: Money
    means: Means
    terms: str = ""
    note: str = ""
    corrects: tuple[Reference, ...] = ()

    @property
    def is_credit_note(self) -> bool:
        return self.kind == "credit_note"

    @property
    def sign(self) -> int:
        """What turns a row's amount into the one that is shown: a credit note shows positive amounts."""
        return -1 if self.is_credit_note else 1

    @property
    def payable(self) -> Money:
        return self.total * self.sign - self.prepaid

    @property
    def covered(self) -> Period:
        """The document's period, wide enough for each line's: Peppol asks for it (R110, R111)."""
        return Period(
            min([self.period.start, *(line.service.start for line in self.lines)]),
            max([self.period.end, *(line.service.end for line in self.lines)]),
        )


@dataclass(frozen=True, slots=True)
class Problem:
    """What must be mended. `subject` is seller, buyer, document or line; `code` is missing, wrong_number,
    unprintable, not_the_sum or not_allowed."""

    subject: str
    field: str
    code: str


def channel_for(kind: str, country: str, has_peppol_address: bool) -> str:
    """peppol or mail. Between Belgian businesses the law asks for Peppol; elsewhere it takes an address given."""
    if kind == "consumer":
        return "mail"
    return "peppol" if country == "BE" or has_peppol_address else "mail"


def endpoint_for(
    peppol_id: str | None, country: str, enterprise_number: str | None, vat_number: str | None
) -> Endpoint | None:
    """The address given (0208:0876543270), else the enterprise number in Belgium, else the VAT number elsewhere.

    >>> endpoint_for(None, "BE", "0876543270", "BE0876543270")
    Endpoint(scheme='0208', number='0876543270')
    """
    if peppol_id and ":" in peppol_id:
        return Endpoint(*peppol_id.split(":", 1))
    if country == "BE":
        return Endpoint("0208", enterprise_number) if enterprise_number else None
    scheme = VAT_SCHEMES.get(country)
    return Endpoint(scheme, vat_number) if scheme and vat_number else None


def problems(document: Document) -> tuple[Problem, ...]:
    """Everything that keeps this document from being issued, in reading order; empty when it may be."""
    details = detail_problems(
        document.seller,
        document.buyer,
        {group.rate for group in document.groups},
        document.channel,
        document.buyer_reference,
        document.means,
    )
    return (*details, *_line_problems(document), *_sum_problems(document))


def detail_problems(
    seller: Party, buyer: Party, rates: Collection[VatRate], channel: str, buyer_reference: str, means: Means
) -> Iterator[Problem]:
    """What is wrong with the details of an account or of the seller, whatever is billed: known before any draft."""
    yield from party_problems("seller", seller)
    yield from party_problems("buyer", buyer)
    yield from _rate_problems(seller, buyer, rates)
    if channel == "peppol":
        yield from _peppol_problems(seller, buyer, buyer_reference)
    yield from _means_problems(means)


def party_problems(subject: str, party: Party) -> Iterator[Problem]:
    """Address and numbers of the seller or the buyer: what can be mended before any invoice is due."""
    for field in ("legal_name", "street", "postcode", "city", "country"):
        text = getattr(party, field)
        if not text.strip():
            yield Problem(subject, field, "missing")
        elif UNPRINTABLE.search(text):
            yield Problem(subject, field, "unprintable")
    for field in sorted(party.wrong_numbers):
        yield Problem(subject, field, "wrong_number")
    if subject == "seller" and not party.enterprise_number:
        yield Problem(subject, "enterprise_number", "missing")


def _rate_problems(seller: Party, buyer: Party, rates: Collection[VatRate]) -> Iterator[Problem]:
    """Who must show a VAT number, and where reverse charge stops."""
    if not seller.vat_number:
        yield Problem("seller", "vat_number", "missing")
    if REVERSE_CHARGE in rates:
        if not buyer.vat_number:
            yield Problem("buyer", "vat_number", "missing")
        if buyer.country == seller.country:
            yield Problem("buyer", "vat_treatment", "not_allowed")


def _peppol_problems(seller: Party, buyer: Party, buyer_reference: str) -> Iterator[Problem]:
    if buyer.endpoint is None:
        yield Problem("buyer", "enterprise_number", "missing")
    if seller.endpoint is None:
        yield Problem("seller", "enterprise_number", "missing")
    if not buyer_reference.strip():
        yield Problem("buyer", "buyer_reference", "missing")


def _means_problems(means: Means) -> Iterator[Problem]:
    if means.method == "direct_debit":
        if not means.mandate:
            yield Problem("buyer", "payment_reference", "missing")
        if not means.creditor_id:
            yield Problem("seller", "creditor_id", "missing")
    elif means.method == "transfer" and not means.iban:
        yield Problem("seller", "iban", "missing")


def _line_problems(document: Document) -> Iterator[Problem]:
    if not document.lines:
        yield Problem("document", "lines", "missing")
    for line in document.lines:
        if not line.name.strip():
            yield Problem("line", "description", "missing")
        elif UNPRINTABLE.search(line.name):
            yield Problem("line", "description", "unprintable")
        if line.quantity < 1:
            yield Problem("line", "quantity", "not_allowed")
    if any(
        group.vat.cents == 0 and group.rate.fraction == 0 and not group.exemption for group in document.groups
    ):
        yield Problem("document", "exemption", "missing")


def _sum_problems(document: Document) -> Iterator[Problem]:
    """The totals, added again from the lines: VAT once per rate, half up (M3)."""
    currency = document.total.currency
    groups = vat_groups(((line.vat, line.net) for line in document.lines), currency)
    if document.net != total((line.net for line in document.lines), currency):
        yield Problem("document", "net", "not_the_sum")
    if [
        (group.rate, group.base, group.vat) for group in sorted(document.groups, key=lambda each: each.rate)
    ] != [(group.rate, group.base, group.vat) for group in groups]:
        yield Problem("document", "vat_breakdown", "not_the_sum")
    if document.vat != total((group.vat for group in groups), currency):
        yield Problem("document", "vat", "not_the_sum")
    if document.total != document.net + document.vat:
        yield Problem("document", "total", "not_the_sum")
    if document.total.cents * document.sign < 0:
        yield Problem("document", "kind", "not_allowed")
    if not 0 <= document.prepaid.cents <= abs(document.total.cents):
        yield Problem("document", "prepaid", "not_allowed")
