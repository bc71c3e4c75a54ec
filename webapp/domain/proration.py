"""What a change inside a paid period costs or gives back (spec P2, O3-O5, M2, M5, M6).

What has been billed is a set of `BilledLine`s. What the contract asks for from a day on is a list of charges.
`settlement` is the difference: what is covered already stays, what is no longer asked for is given back as a
share of the very line that was billed, what is not covered is charged. A second change on the same day is worked
out from the morning of that day, then what the day has billed so far is taken off: the day is rewritten, and
nothing that cancels out is ever shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction

from webapp.domain.contract import Contract
from webapp.domain.money import Money, total
from webapp.domain.periods import Period
from webapp.domain.pricing import (
    DISCOUNT,
    Charge,
    Draft,
    DraftLine,
    Item,
    charge_line,
    one_off_charges,
    period_draft,
    recurring_charges,
)
from webapp.domain.vat import VatRate


@dataclass(frozen=True, slots=True)
class Correction:
    """A later line that gives part of a billed line back (negative), or undoes that (positive).

    `service` is the part of the billed service it concerns, None for a correction by amount only; `quantity` is how
    many units it gives back.
    """

    net: Money
    service: Period | None
    quantity: int
    is_of_today: bool

    @property
    def units_back(self) -> int:
        """Units no longer covered; negative when the giving back was undone."""
        return self.quantity if self.net.cents < 0 else -self.quantity


@dataclass(frozen=True, slots=True)
class BilledLine:
    """A line of an issued document that charged something, with what later lines corrected.

    `is_of_today` when a change of the present day billed it: such lines are rewritten, not built upon (M5).
    """

    id: int
    key: Item
    unit: Money
    quantity: int
    service: Period
    whole: Period
    net: Money
    vat: VatRate
    is_of_today: bool = False
    corrections: tuple[Correction, ...] = ()

    @property
    def left(self) -> Money:
        """What is billed and not given back: between nothing and `net` (M6)."""
        return self.net + total((each.net for each in self.corrections), self.net.currency)

    @property
    def left_this_morning(self) -> Money:
        before = (each.net for each in self.corrections if not each.is_of_today)
        return self.net + total(before, self.net.currency)

    @property
    def quantity_left(self) -> int:
        """Units billed and not given back, for lines of today: those are only ever given back whole in time."""
        return self.quantity - sum(
            each.units_back for each in self.corrections if each.service == self.service
        )

    def quantity_covered_this_morning(self, day: date) -> int:
        """Units that this line covers on `day`, before the present day's corrections."""
        if day not in self.service:
            return 0
        return self.quantity - sum(
            each.units_back
            for each in self.corrections
            if not each.is_of_today and each.service is not None and day in each.service
        )

    def given_back_today(self) -> dict[Period, tuple[Money, int]]:
        """What the present day gave back, net of what it took again: amount and units, by service."""
        sums: dict[Period, tuple[Money, int]] = {}
        for each in self.corrections:
            if each.is_of_today and each.service is not None:
                net, units = sums.get(each.service, (Money(0, self.net.currency), 0))
                sums[each.service] = (net - each.net, units + each.units_back)
        return {service: (net, units) for service, (net, units) in sums.items() if net.cents > 0}


def unused_days_credit(paid: Money, period: Period, ends_on: date) -> Money:
    """What we owe back when a service paid for `period` stops on `ends_on`, the first day without it.

    Calendar days, VAT excluded, rounded half up to the cent; the used part is `paid` minus this result.
    `ends_on` may be either edge of `period`. Raises DateOutsidePeriod if it falls elsewhere.
    Source: spec P2 and M6.

    >>> unused_days_credit(Money(12000), Period(date(2026, 4, 1), date(2026, 5, 1)), ends_on=date(2026, 4, 11))
    Money(80.00, EUR)
    """
    if ends_on == period.end:
        return Money(0, paid.currency)
    return paid.share(Period(ends_on, period.end).share_of(period))


def used_days_charge(paid: Money, period: Period, ends_on: date) -> Money:
    """The other side of `unused_days_credit`, by subtraction: the two always make the price."""
    return paid - unused_days_credit(paid, period, ends_on)


@dataclass(slots=True)
class _Covered:
    """A billed line that covers the day, or days that come, from `since` on, and how many of its units nobody has
    asked for yet."""

    line: BilledLine
    spare: int
    since: date


def settlement(contract: Contract, billed: Sequence[BilledLine], on: date, vat: VatRate) -> Draft:
    """The document that makes `billed` fit `contract`, from `on` to the end of the paid period.

    `contract` is the contract after the change, with nothing unbilled before `on`. The draft has no line when
    nothing changes hands. Amounts given back never exceed what is left of their line (M6).
    """
    whole = contract.signature.paid_period
    wanted = [*recurring_charges(contract, on, whole), *one_off_charges(contract, on)]
    lines = _settled(
        [charge for charge in wanted if charge.key.item != DISCOUNT],
        [line for line in billed if line.key.item != DISCOUNT],
        on,
        vat,
    )
    # A discount is a charge below zero: seen in a mirror it is one like the others, and settled by the same rules.
    lines += [
        _mirrored_line(line)
        for line in _settled(
            [replace(charge, unit=-charge.unit) for charge in wanted if charge.key.item == DISCOUNT],
            [mirrored(line) for line in billed if line.key.item == DISCOUNT],
            on,
            vat,
        )
    ]
    return Draft(tuple(lines), Period(on, whole.end), contract.tariff.price.currency)


def _settled(
    wanted: Sequence[Charge], billed: Sequence[BilledLine], on: date, vat: VatRate
) -> list[DraftLine]:
    mornings = [line for line in billed if not line.is_of_today and line.key.item != "one_off"]
    target = _target(wanted, mornings, on, vat)
    evening = [line for line in billed if line.is_of_today and line.left]
    return [
        *_charges_after(target.charges, evening),
        *_given_back_after(target.given_back, mornings, evening),
    ]


def mirrored(line: BilledLine) -> BilledLine:
    """A discount's line as the charge it is in a mirror, its corrections too."""
    corrections = tuple(replace(each, net=-each.net) for each in line.corrections)
    return replace(line, unit=-line.unit, net=-line.net, corrections=corrections)


def _mirrored_line(line: DraftLine) -> DraftLine:
    return replace(line, unit=-line.unit, net=-line.net)


@dataclass(frozen=True, slots=True)
class _Target:
    """What the day comes to, counted from its morning."""

    charges: list[DraftLine]
    given_back: list[DraftLine]


def _target(wanted: Sequence[Charge], mornings: Sequence[BilledLine], on: date, vat: VatRate) -> _Target:
    covered = _covered(mornings, on)
    alike: dict[tuple[Item, Money, Period, date], list[_Covered]] = {}
    for cover in covered:
        line = cover.line
        alike.setdefault((line.key, line.unit, line.whole, cover.since), []).append(cover)
    charges: list[DraftLine] = []
    for charge in wanted:
        missing = charge.quantity
        for cover in alike.get((charge.key, charge.unit, charge.whole, charge.service.start), ()):
            taken = min(missing, cover.spare)
            cover.spare -= taken
            missing -= taken
        if missing:
            rest = Charge(charge.key, charge.unit, missing, charge.service, charge.whole)
            charges.append(charge_line(rest, vat))
    given_back = [_give_back(cover.line, cover.spare, on) for cover in covered if cover.spare]
    return _Target(charges, [line for line in given_back if line.net])


def _covered(mornings: Sequence[BilledLine], on: date) -> list[_Covered]:
    """The billed lines that serve on `on` or later: served even if their money was given back as a gesture."""
    found = []
    for line in mornings:
        if line.service.end > on:
            since = max(on, line.service.start)
            units = line.quantity_covered_this_morning(since)
            if units > 0:
                found.append(_Covered(line, units, since))
    return found


def _give_back(line: BilledLine, quantity: int, on: date) -> DraftLine:
    """A share of the billed line, by its own dates and amount, never more than what is left of it (M6)."""
    service = Period(max(on, line.service.start), line.service.end)
    if service == line.service and quantity == line.quantity_covered_this_morning(service.start):
        amount = line.left_this_morning
    else:
        share = service.share_of(line.service) * Fraction(quantity, line.quantity)
        amount = min(line.net.share(share), line.left_this_morning)
    return DraftLine(line.key, line.unit, quantity, service, line.whole, -amount, line.vat, line.id)


def _charges_after(target: Sequence[DraftLine], evening: Sequence[BilledLine]) -> list[DraftLine]:
    """The day's charges less those that the day has billed: only the difference is shown."""
    rest = list(evening)
    lines: list[DraftLine] = []
    for line in target:
        same = [
            each
            for each in rest
            if (each.key, each.unit, each.service, each.whole)
            == (line.key, line.unit, line.service, line.whole)
        ]
        for each in same:
            rest.remove(each)
        lines += _difference(line, same)
    return lines + [_take_back(each) for each in rest]


def _difference(line: DraftLine, billed: Sequence[BilledLine]) -> list[DraftLine]:
    if not billed:
        return [line]
    quantity = line.quantity - sum(each.quantity_left for each in billed)
    net = line.net - total((each.left for each in billed), line.net.currency)
    if net.cents > 0:
        return [DraftLine(line.key, line.unit, max(quantity, 1), line.service, line.whole, net, line.vat)]
    lines: list[DraftLine] = []
    excess, surplus = -net, -quantity
    for each in reversed(billed):
        back, units = min(excess, each.left), min(surplus, each.quantity_left)
        if back:
            lines.append(
                DraftLine(
                    each.key, each.unit, max(1, units), each.service, each.whole, -back, each.vat, each.id
                )
            )
            excess, surplus = excess - back, surplus - units
    return lines


def _take_back(line: BilledLine) -> DraftLine:
    return DraftLine(
        line.key, line.unit, line.quantity, line.service, line.whole, -line.left, line.vat, line.id
    )


def _given_back_after(
    target: Sequence[DraftLine], mornings: Sequence[BilledLine], evening: Sequence[BilledLine]
) -> list[DraftLine]:
    """What the day gives back less what it has given back; what it no longer does is charged again, to the cent."""
    wanted = {(line.root_id, line.service): line for line in target}
    lines: list[DraftLine] = []
    for billed in mornings:
        for service, (done, units) in billed.given_back_today().items():
            line = wanted.pop((billed.id, service), None)
            net = done + line.net if line is not None else done
            if line is not None:
                units = abs(units - line.quantity)
            if net:
                lines.append(
                    DraftLine(
                        billed.key,
                        billed.unit,
                        max(1, units),
                        service,
                        billed.whole,
                        net,
                        billed.vat,
                        billed.id,
                    )
                )
    return [*wanted.values(), *lines]


def upcoming(contract: Contract, billed: Sequence[BilledLine], vat: VatRate) -> Draft | None:
    """The next document that the billing run will issue: the next period, or before it, inside a paid year, the
    monthly renewal at which an establishment begins or ends to be charged (E1, M10). None when the contract ends
    before. Changes scheduled up to that day are applied."""
    ends_on = contract.ends_on()
    for renewal in contract.renewals_to_settle():
        if ends_on is not None and ends_on <= renewal:
            break
        draft = settlement(contract.on(renewal), billed, renewal, vat)
        if draft.lines:
            return draft
    return period_draft(contract, vat)


def with_draft(billed: Sequence[BilledLine], draft: Draft) -> list[BilledLine]:
    """What will be billed once `draft` is issued: for looking ahead. The new lines have negative ids."""
    first = min([0, *(line.id for line in billed)]) - 1
    corrections: dict[int, list[Correction]] = {}
    charges: list[BilledLine] = []
    for line in draft.lines:
        if line.root_id is not None:
            corrections.setdefault(line.root_id, []).append(
                Correction(line.net, line.service, line.quantity, is_of_today=False)
            )
            continue
        charges.append(
            BilledLine(
                first - len(charges),
                line.key,
                line.unit,
                line.quantity,
                line.service,
                line.whole,
                line.net,
                line.vat,
            )
        )
    corrected = [
        replace(line, corrections=(*line.corrections, *corrections.get(line.id, ()))) for line in billed
    ]
    return [*corrected, *charges]
