"""Discounts that the operator grants until a date (S2): each takes something off what a contract asks for.

A discount is a charge of its own with a negative price, beside the charge it lessens and for the same days: it is
billed, given back and shared out by the same rules, so that whoever changes plan in the middle of a discounted month
is given back what was paid, not the list price. It never makes a price negative, and never changes which of two plans
is dearer: that is decided on list prices (M4).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from webapp.domain.money import Money


@dataclass(frozen=True, slots=True)
class Discount:
    """Off what is charged from `from_on` to `until_on`, the first day at full price (None: until it is ended).

    Either a `share` of the price, above 0 up to 1 (1 is free), or `monthly` off each unit, twelve times that on a yearly
    price. `item` and `ref` say off what, as `pricing.Item` does: a plan, an option; None for any of that kind, and
    without `item` for everything that recurs. Amounts VAT excluded.
    """

    id: int
    from_on: date
    until_on: date | None
    share: Fraction | None = None
    monthly: Money | None = None
    item: str | None = None
    ref: str | None = None

    def __post_init__(self) -> None:
        if (self.share is None) == (self.monthly is None):
            raise ValueError("a discount is a share or an amount")
        if self.share is not None and not 0 < self.share <= 1:
            raise ValueError(f"a share of {self.share}")
        if self.monthly is not None and self.monthly.cents <= 0:
            raise ValueError("an amount off is positive")
        if self.until_on is not None and self.until_on <= self.from_on:
            raise ValueError("a discount needs at least one day")

    def lessens(self, item: str, ref: str) -> bool:
        return self.item in (None, item) and self.ref in (None, ref)

    def off(self, unit: Money, months: int) -> Money:
        """What it takes off one unit of a whole period of `months` months, never more than the price.

        >>> Discount(1, date(2026, 1, 1), None, share=Fraction(1, 5)).off(Money(7900), 1)
        Money(15.80, EUR)
        >>> Discount(1, date(2026, 1, 1), None, monthly=Money(1000)).off(Money(79000), 12)
        Money(120.00, EUR)
        """
        if self.share is not None:
            return unit.share(self.share)
        if self.monthly is None:
            raise ValueError("a discount is a share or an amount")
        return min(unit, self.monthly * months)


def offs(
    discounts: Iterable[Discount], item: str, ref: str, unit: Money, months: int
) -> list[tuple[Discount, Money]]:
    """What each discount takes off one unit, in their order: together never more than the price."""
    left, found = unit, []
    for discount in discounts:
        if discount.lessens(item, ref):
            off = min(discount.off(unit, months), left)
            if off:
                found.append((discount, off))
                left = left - off
    return found


def in_force(discounts: Sequence[Discount], day: date) -> tuple[Discount, ...]:
    return tuple(
        each for each in discounts if each.from_on <= day and (each.until_on is None or day < each.until_on)
    )
