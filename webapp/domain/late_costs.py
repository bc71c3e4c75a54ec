"""What lateness may cost: interest, compensation, and what a consumer cannot be asked (Belgian law).

Every amount and rate is data with a date; here is only how they are applied. Costs are off unless a policy asks for
them, and are told apart from the invoices: they never change an issued document.

Sources, as read in November 2026 (research for developers, to be read by an accountant before costs are switched on):
- between businesses: law of 2 August 2002, art. 5 and 6: interest at the ECB's rate plus eight points, set each
  half-year, from the day after the due date; 40 EUR of compensation for each late invoice;
- consumers: Book XIX of the Code of economic law (1 September 2023): a first reminder free of charge, then fourteen
  calendar days from the day after an e-mail before anything may be asked; art. XIX.4 caps the lump sum by the balance;
  for recurring deliveries three reminders a year are free.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from webapp.domain.money import Money, round_half_up


@dataclass(frozen=True, slots=True)
class Slice:
    """Up to `up_to_cents` of the balance, or without end: `base_cents`, and a share of what is above the slice before."""

    up_to_cents: int | None
    base_cents: int
    percent: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True)
class Costs:
    """What a policy charges. All of it is off by default."""

    charges_compensation: bool = False
    charges_interest: bool = False
    compensation_cents: int = 0  # for each late invoice, between businesses
    caps: tuple[
        Slice, ...
    ] = ()  # for a consumer, the lump sum at most by balance, instead of the compensation
    cap_most_cents: int | None = None
    free_first: bool = False  # nothing may be asked before the delay after a first, free reminder has run out
    free_days: int = 0  # that delay, in calendar days from the day after the e-mail
    free_reminders_per_year: int = 0  # of a calendar year

    @property
    def is_off(self) -> bool:
        return not (self.charges_compensation or self.charges_interest)


@dataclass(frozen=True, slots=True)
class Rate:
    """A yearly rate in force from a day on, in percent."""

    valid_from: date
    percent: Fraction


@dataclass(frozen=True, slots=True)
class Late:
    """An invoice past due, VAT included."""

    left: Money
    due_on: date


@dataclass(frozen=True, slots=True)
class Claim:
    """What a reminder claims beside the invoices."""

    compensation: Money
    interest: Money


def interest(left: Money, due_on: date, until: date, rates: Sequence[Rate]) -> Money:
    """Simple interest on `left` from the day after `due_on` to `until`, included, at the rate of each day.

    Actual days over 365, rounded half up once. A day before the first rate bears none.

    >>> ten_and_a_half = [Rate(date(2026, 1, 1), Fraction(21, 2))]
    >>> interest(Money(121_00), date(2026, 3, 15), date(2026, 4, 14), ten_and_a_half)
    Money(1.04, EUR)
    """
    total = Fraction(0)
    ordered = sorted(rates, key=lambda rate: rate.valid_from)
    for rate, following in zip(ordered, [*ordered[1:], None], strict=True):
        first = max(due_on + timedelta(days=1), rate.valid_from)
        after = until + timedelta(days=1)
        if following is not None:
            after = min(after, following.valid_from)
        total += max(0, (after - first).days) * rate.percent / 100 / 365
    return Money(round_half_up(left.cents * total), left.currency)


def lump_sum(balance: Money, caps: Sequence[Slice], most_cents: int | None) -> Money:
    """The most that a consumer may be asked for a balance (art. XIX.4): by slices, then a ceiling.

    >>> caps = (Slice(150_00, 20_00), Slice(500_00, 30_00, Fraction(10)), Slice(None, 65_00, Fraction(5)))
    >>> [lump_sum(Money(euros * 100), caps, 2000_00).cents // 100 for euros in (100, 150, 300, 500, 1000, 50_000)]
    [20, 20, 45, 65, 90, 2000]
    """
    from_cents = 0
    for each in caps:
        if each.up_to_cents is None or balance.cents <= each.up_to_cents:
            above = max(0, balance.cents - from_cents)
            cents = each.base_cents + round_half_up(above * each.percent / 100)
            return Money(min(cents, most_cents) if most_cents is not None else cents, balance.currency)
        from_cents = each.up_to_cents
    return Money(most_cents or 0, balance.currency)


def costs_may_begin_on(first_reminder_on: date, free_days: int) -> date:
    """The first day on which a consumer may be asked for more than the invoice: the delay runs from the day after the
    e-mail was sent.

    >>> costs_may_begin_on(date(2026, 11, 2), 14)
    datetime.date(2026, 11, 17)
    """
    return first_reminder_on + timedelta(days=free_days + 1)


def claim(
    costs: Costs,
    late: Sequence[Late],
    today: date,
    rates: Sequence[Rate],
    *,
    first_reminder_on: date | None,
    sent_this_year: int,
) -> Claim | None:
    """What a reminder of today may claim beside `late`; None when nothing: costs are off, or the law says not yet.

    `first_reminder_on` is the day of the free reminder of this round, `sent_this_year` how many reminders left since
    1 January. Interest on what a consumer owes runs from the end of the free delay.
    """
    if costs.is_off or not late:
        return None
    starts_on: date | None = None
    if costs.free_first:
        if first_reminder_on is None:
            return None
        starts_on = costs_may_begin_on(first_reminder_on, costs.free_days)
        if today < starts_on:
            return None
    if sent_this_year < costs.free_reminders_per_year:
        return None
    currency = late[0].left.currency
    balance = Money(sum(each.left.cents for each in late), currency)
    compensation = Money(0, currency)
    if costs.charges_compensation and costs.caps:
        compensation = lump_sum(balance, costs.caps, costs.cap_most_cents)
    elif costs.charges_compensation:
        compensation = Money(costs.compensation_cents * len(late), currency)
    owed = Money(0, currency)
    if costs.charges_interest:
        for each in late:
            since = each.due_on if starts_on is None else max(each.due_on, starts_on - timedelta(days=1))
            owed += interest(each.left, since, today, rates)
    return Claim(compensation, owed)


def costs_from(facts: Mapping[str, Any]) -> Costs:
    """What a policy's row says of costs. Raises KeyError and ValueError for what is none."""
    return Costs(
        charges_compensation=bool(facts.get("charges_compensation", False)),
        charges_interest=bool(facts.get("charges_interest", False)),
        compensation_cents=int(facts.get("compensation_cents", 0)),
        caps=tuple(
            Slice(each["up_to_cents"], int(each["base_cents"]), Fraction(str(each["percent"])))
            for each in facts.get("caps", ())
        ),
        cap_most_cents=facts.get("cap_most_cents"),
        free_first=bool(facts.get("free_first", False)),
        free_days=int(facts.get("free_days", 0)),
        free_reminders_per_year=int(facts.get("free_reminders_per_year", 0)),
    )
