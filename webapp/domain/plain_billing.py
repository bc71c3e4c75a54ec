"""The billing of one whole period in plain whole numbers, for the run that bills hundreds of thousands of them.

Most subscriptions ask for the same thing every period: their plan, their options, their establishments, each for a
whole period, nothing rounded. `plain_period` says so in integers, or says None and leaves the contract to
`services.billing`, which knows every case. It is not a second calculation: a property test holds it to
`pricing.period_draft`, line by line and to the cent, and to `Contract.next_due_on` for the day that follows.
"""

from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from webapp.domain.einvoice import UNPRINTABLE
from webapp.domain.periods import boundary
from webapp.domain.vat import VatRate

# As the rows hold them, in the order that lines take: (id, charged_from, charged_until), by position, and
# (code, establishment id, price of one unit, quantity, starts_on, ends_on), recurring ones only, prices in cents.
PlainEstablishment = tuple[str, date, date | None]
PlainOption = tuple[str, str | None, int | None, int, date, date | None]


class PlainTariff(NamedTuple):
    """A plan at its price, as `contract.PlanTariff`. `tiers` are (from which establishment, cents)."""

    plan_code: str
    months: int
    cents: int
    included_establishments: int
    tiers: tuple[tuple[int, int], ...]


class PlainContract(NamedTuple):
    """`may_end` when the terms end the contract by themselves; `next_change_on` is the first scheduled change."""

    tariff: PlainTariff
    anchor_on: date
    billed_until: date
    settled_on: date
    may_end: bool
    next_change_on: date | None


class PlainLine(NamedTuple):
    """One whole period of `quantity` units: the amount is their product, without VAT."""

    item: str
    ref: str
    establishment_id: str | None
    unit_cents: int
    quantity: int


class PlainPeriod(NamedTuple):
    """`due_on` is the next day with something to bill or to apply, once this period is billed."""

    start: date
    end: date
    due_on: date
    lines: list[PlainLine]
    net_cents: int
    vat_cents: int


def plain_period(
    contract: PlainContract,
    establishments: Iterable[PlainEstablishment],
    options: Iterable[PlainOption],
    rate: VatRate,
    on: date,
) -> PlainPeriod | None:
    """The one period due up to `on`, or None when it takes more than whole amounts to say it.

    That is: something scheduled before the end of the period, a renewal to settle inside a paid year, a line for a
    part of the period, several periods due, a contract that ends by itself, an option without price, nothing to ask.
    """
    tariff, anchor_on, start, settled_on, may_end, next_change_on = contract
    end = period_end(anchor_on, start, tariff.months)
    if start > on or end <= on or may_end or (next_change_on is not None and next_change_on < end):
        return None
    due_on = end
    lines = [PlainLine("plan", tariff.plan_code, None, tariff.cents, 1)] if tariff.cents else []
    net = tariff.cents
    number = 0
    for establishment_id, charged_from, charged_until in establishments:
        if settled_on < charged_from < start:
            return None
        if charged_until is not None:
            if settled_on < charged_until < start or start < charged_until < end:
                return None
            if charged_until <= start:
                continue
        if charged_from <= start:
            number += 1
            unit = establishment_cents(tariff, number)
            if unit:
                lines.append(PlainLine("establishment", establishment_id, establishment_id, unit, 1))
                net += unit
        elif charged_from < due_on:
            due_on = charged_from
    if due_on <= on:
        return None
    for code, establishment, price, quantity, starts_on, ends_on in options:
        if starts_on >= end or (ends_on is not None and ends_on <= start):
            continue
        if starts_on > start or (ends_on is not None and ends_on < end) or price is None:
            return None
        if price:
            lines.append(PlainLine("option", code, establishment, price, quantity))
            net += price * quantity
    if not lines:
        return None
    return PlainPeriod(start, end, due_on, lines, net, vat_of(net, rate.percent))


def has_plain_details(
    kind: str,
    legal_name: str | None,
    street: str | None,
    postcode: str | None,
    city: str | None,
    country: str | None,
    vat_number: str | None,
    enterprise_number: str | None,
    peppol_id: str | None,
) -> bool:
    """Whether a customer's details are those of nearly everybody: a Belgian address that prints, one number that is right.

    Then `einvoice.detail_problems` finds nothing wrong with the buyer, which a property test holds it to. A "no" says
    nothing: the rules decide. The columns of the rows, in the order of the parameters.

    >>> has_plain_details("business", "Parc SRL", "Rue 1", "9000", "Gand", "BE", "BE0876543270", "0876543270", None)
    True
    """
    if country != "BE" or not (legal_name and street and postcode and city):
        return False
    if not (legal_name.strip() and street.strip() and postcode.strip() and city.strip()):
        return False
    if UNPRINTABLE.search(legal_name + street + postcode + city):
        return False
    if not enterprise_number:
        return kind == "consumer" and not vat_number and not peppol_id
    if vat_number and vat_number != "BE" + enterprise_number:
        return False
    if peppol_id and peppol_id != "0208:" + enterprise_number:
        return False
    # Ten digits, the last two 97 minus the first eight modulo 97 (the Belgian enterprise number).
    return (
        len(enterprise_number) == 10
        and enterprise_number[0] in "01"
        and enterprise_number.isascii()
        and enterprise_number.isdigit()
        and (int(enterprise_number[:8]) + int(enterprise_number[8:])) % 97 == 0
    )


@lru_cache(maxsize=4096)
def period_end(anchor_on: date, start: date, months: int) -> date:
    """The boundary that ends the period which starts on `start`, counted from the anchor (M1)."""
    distance = (start.year - anchor_on.year) * 12 + start.month - anchor_on.month
    return boundary(anchor_on, distance + months)


@lru_cache(maxsize=65536)
def establishment_cents(tariff: PlainTariff, number: int) -> int:
    """The price of the `number`-th establishment, counted from 1, as `contract.PlanTariff.establishment_price`."""
    if number <= tariff.included_establishments:
        return 0
    unit = 0
    for from_unit, cents in tariff.tiers:
        if from_unit <= number:
            unit = cents
    return unit or (tariff.tiers[0][1] if tariff.tiers else 0)


def vat_of(net_cents: int, percent: str) -> int:
    """VAT of a document of one rate, rounded half up once (M3).

    >>> vat_of(145, "21"), vat_of(50, "21")
    (30, 11)
    """
    numerator, denominator = _hundredths(percent)
    return (2 * net_cents * numerator + denominator) // (2 * denominator)


@lru_cache
def _hundredths(percent: str) -> tuple[int, int]:
    fraction = VatRate("", percent).fraction
    return fraction.numerator, fraction.denominator
