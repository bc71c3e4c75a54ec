"""VAT of a document: per rate, on the sum of the rounded net lines, rounded half up once (spec M3)."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from webapp.domain.money import Money, total


@dataclass(frozen=True, slots=True, order=True)
class VatRate:
    """A category with its percentage as printed. Categories are those of EN 16931 (S standard, AE reverse charge,
    E exempt), but for EX: exempt for what the customer is, while E is the scheme of small businesses."""

    category: str
    percent: str

    @property
    def code(self) -> str:
        """The category as EN 16931 writes it."""
        return category_code(self.category)

    @property
    def fraction(self) -> Fraction:
        return Fraction(self.percent) / 100


STANDARD = VatRate("S", "21")
REVERSE_CHARGE = VatRate("AE", "0")
FRANCHISE = VatRate("E", "0")
EXEMPT = VatRate("EX", "0")

_BY_TREATMENT = {
    "domestic": STANDARD, "reverse_charge": REVERSE_CHARGE, "franchise": FRANCHISE, "exempt": EXEMPT
}  # fmt: skip


def category_code(category: str) -> str:
    """The category of a rate, as files that leave the portal name it.

    >>> category_code("EX"), category_code("S")
    ('E', 'S')
    """
    return "E" if category == EXEMPT.category else category


def rate_for(treatment: str) -> VatRate:
    """The rate a customer's treatment asks for (B3). Raises KeyError on a treatment that is not known."""
    return _BY_TREATMENT[treatment]


@dataclass(frozen=True, slots=True)
class VatGroup:
    rate: VatRate
    base: Money
    vat: Money


def vat_groups(lines: Iterable[tuple[VatRate, Money]], currency: str = "EUR") -> tuple[VatGroup, ...]:
    """One group per rate, in a stable order.

    >>> from webapp.domain.money import euros
    >>> [group.vat for group in vat_groups([(STANDARD, euros("1.45"))] * 4)]
    [Money(1.22, EUR)]
    """
    bases: dict[VatRate, list[Money]] = {}
    for rate, net in lines:
        bases.setdefault(rate, []).append(net)
    groups = []
    for rate in sorted(bases):
        base = total(bases[rate], currency)
        groups.append(VatGroup(rate, base, base.share(rate.fraction)))
    return tuple(groups)


def with_vat(net: Money, rate: VatRate) -> Money:
    """A price VAT included, for display beside its net; a document's VAT never comes from a sum of these."""
    return net + net.share(rate.fraction)
