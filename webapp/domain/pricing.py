"""What a contract costs: its charges for a period, its price per month, and drafts made of both.

A `Charge` says what is asked for; a `DraftLine` is one visible amount, rounded once (M2); a `Draft` is the
document that would be issued, totals included. The page's preview, the next invoice, the billing run and the
tests all come from here: there is no second calculation.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from webapp.domain.contract import Contract, OptionKind
from webapp.domain.discounts import Discount, in_force, offs
from webapp.domain.money import Money, total
from webapp.domain.periods import Period
from webapp.domain.vat import VatGroup, VatRate, vat_groups

DISCOUNT = "discount"


class Item(NamedTuple):
    """What a line charges. `item` is plan, option, one_off, establishment or discount; `ref` the plan's or option's
    code, the establishment's id, or for a discount "number/item/ref" of what it lessens. Two lines of one key and one
    unit price charge the same thing."""

    item: str
    ref: str
    establishment_id: str | None = None


@dataclass(frozen=True, slots=True)
class Charge:
    """`quantity` units of `unit` for `service`, as a share of the whole billing period `whole`. VAT excluded."""

    key: Item
    unit: Money
    quantity: int
    service: Period
    whole: Period

    @property
    def net(self) -> Money:
        price = self.unit * self.quantity
        return price if self.service == self.whole else price.share(self.service.share_of(self.whole))


@dataclass(frozen=True, slots=True)
class DraftLine:
    """One visible amount, signed by its effect on what the customer owes: giving back is negative.

    `root_id` names the billed line that a negative amount gives back, or whose giving back is undone. The share
    shown is `service` over `whole`, in days.
    """

    key: Item
    unit: Money
    quantity: int
    service: Period
    whole: Period
    net: Money
    vat: VatRate
    root_id: int | None = None

    @property
    def is_whole(self) -> bool:
        return self.service == self.whole


@dataclass(frozen=True)
class Draft:
    """A document not yet issued: an invoice, or a credit note when it gives back more than it charges."""

    lines: tuple[DraftLine, ...]
    period: Period
    currency: str = "EUR"

    @cached_property
    def net(self) -> Money:
        return total((line.net for line in self.lines), self.currency)

    @cached_property
    def vat_groups(self) -> tuple[VatGroup, ...]:
        return vat_groups(((line.vat, line.net) for line in self.lines), self.currency)

    @cached_property
    def vat(self) -> Money:
        return total((group.vat for group in self.vat_groups), self.currency)

    @cached_property
    def total(self) -> Money:
        return self.net + self.vat

    @property
    def is_credit_note(self) -> bool:
        return self.total.cents < 0


def recurring_charges(
    contract: Contract, day: date, whole: Period, until: date | None = None
) -> list[Charge]:
    """What the contract, as it is on `day`, asks for from `day` to the end of `whole`, a billing period.

    Nothing is asked for what is free: included establishments, options that the plan includes. An establishment
    not yet charged on `day` is left to its own monthly renewal (E1). Nothing either once the contract has ended.
    """
    rest = whole.overlap(day, until)
    if rest is None or (contract.ended_on is not None and contract.ended_on <= day):
        return []
    charges = [Charge(Item("plan", contract.plan_code), contract.tariff.price, 1, rest, whole)]
    for number, establishment in enumerate(contract.establishments_charged_on(day), start=1):
        service = rest.overlap(day, establishment.charged_until)
        if service is not None:
            unit = contract.tariff.establishment_price(number)
            key = Item("establishment", establishment.id, establishment.id)
            charges.append(Charge(key, unit, 1, service, whole))
    for option in contract.options_until(rest.end):
        service = rest.overlap(option.starts_on, option.ends_on) if option.is_recurring else None
        if service is not None:
            key = Item("option", option.code, option.establishment_id)
            charges.append(Charge(key, option.unit_under(contract.tariff), option.quantity, service, whole))
    charges = [charge for charge in charges if charge.unit]
    return charges + _discount_charges(contract, charges) if contract.discounts else charges


def _discount_charges(contract: Contract, charges: Iterable[Charge]) -> list[Charge]:
    """What discounts take off these charges: negative prices, for the days that they share (S2).

    Cut where a discount begins or ends, because only those of one day share a price: what is free in December takes
    nothing off the discount of January.
    """
    found = []
    for charge in charges:
        key, months = charge.key, contract.frequency.months
        spans: dict[tuple[int, Money], list[Period]] = {}
        for days in _same_discounts(charge.service, contract.discounts):
            of_then = in_force(contract.discounts, days.start)
            for discount, off in offs(of_then, key.item, key.ref, charge.unit, months):
                mine = spans.setdefault((discount.id, off), [])
                if mine and mine[-1].end == days.start:
                    mine[-1] = Period(mine[-1].start, days.end)
                else:
                    mine.append(days)
        for (number, off), services in spans.items():
            less = Item(DISCOUNT, f"{number}/{key.item}/{key.ref}", key.establishment_id)
            found += [Charge(less, -off, charge.quantity, service, charge.whole) for service in services]
    return found


def _same_discounts(service: Period, discounts: Iterable[Discount]) -> list[Period]:
    """`service` cut into stretches in which no discount begins or ends."""
    edges = {day for each in discounts for day in (each.from_on, each.until_on) if day is not None}
    days = [service.start, *sorted(day for day in edges if service.start < day < service.end), service.end]
    return [Period(start, end) for start, end in pairwise(days)]


def discounted(key: Item) -> Item:
    """What a discount's line lessens. Raises ValueError for a line of another kind."""
    if key.item != DISCOUNT:
        raise ValueError(f"{key} is no discount")
    _, item, ref = key.ref.split("/", 2)
    return Item(item, ref, key.establishment_id)


def discount_number(key: Item) -> int:
    """The number of the discount that a line is, as `Discount.id`."""
    return int(key.ref.partition("/")[0])


def charge_line(charge: Charge, vat: VatRate) -> DraftLine:
    return DraftLine(charge.key, charge.unit, charge.quantity, charge.service, charge.whole, charge.net, vat)


def one_off_charges(contract: Contract, day: date) -> list[Charge]:
    """One-off options added on `day`: charged once, that day (O3)."""
    once = Period(day, day + timedelta(days=1))
    return [
        Charge(Item("one_off", option.code), option.once, option.quantity, once, once)
        for option in contract.options
        if option.kind is OptionKind.ONE_OFF
        and option.starts_on == day
        and option.once
        and contract.plan_code not in option.included_by
    ]


def period_draft(contract: Contract, vat: VatRate) -> Draft | None:
    """The invoice of the first period not yet invoiced, scheduled changes up to its start applied (B1).

    None when the contract stops before that period.
    """
    contract = contract.on(contract.signature.billed_until)
    period = contract.signature.next_period
    if contract.ended_on is not None and contract.ended_on <= period.start:
        return None
    charges = recurring_charges(contract, period.start, period)
    return Draft(
        tuple(charge_line(charge, vat) for charge in charges), period, contract.tariff.price.currency
    )


def monthly_price(contract: Contract, day: date) -> Fraction:
    """The list price per month in exact cents, VAT excluded, with the options and establishments in use on `day`
    (M4), those added and not yet charged included. A year counts for twelve months."""
    units = [contract.tariff.price]
    units += [
        contract.tariff.establishment_price(number)
        for number, _ in enumerate(contract.establishments_active_on(day), start=1)
    ]
    units += [option.unit_under(contract.tariff) * option.quantity for option in contract.options_on(day)]
    return Fraction(total(units, contract.tariff.price.currency).cents, contract.frequency.months)


class LineGroup(NamedTuple):
    """Lines of one thing at one price, as a summary shows them: "2 × 24,00 €"."""

    lines: tuple[DraftLine, ...]
    quantity: int
    net: Money


def grouped(lines: Iterable[DraftLine]) -> list[LineGroup]:
    """Lines of one kind and price together, in order of appearance: extra establishments, options by code.

    Only sums rounded amounts that are already visible: nothing is rounded again.
    """
    groups: dict[tuple[object, ...], list[DraftLine]] = {}
    for line in lines:
        what = line.key.ref
        if line.key.item == "establishment":
            what = ""
        elif line.key.item == DISCOUNT and discounted(line.key).item == "establishment":
            what = line.key.ref.rpartition("/")[0]
        groups.setdefault((line.key.item, what, line.unit, line.service, line.net.cents < 0), []).append(line)
    return [
        LineGroup(
            tuple(same),
            sum(line.quantity for line in same),
            total((line.net for line in same), same[0].net.currency),
        )
        for same in groups.values()
    ]
