"""Moving a subscriber to another version or price of a plan: on which day, at which price, and who may leave (spec S3).

The operator decides it alone, so the client is told before, with the reason, and may leave when it is a disadvantage:
Belgian code of economic law, art. VI.83, 2° and 3° (consumers: no rise without the right to leave free of charge, and
reasonable time for it) and VI.91/5 (businesses: a change without a valid reason is presumed unfair). The terms signed,
commitment, notice and renewal, are never changed that way: nobody is bound anew without agreeing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction

from webapp.domain.contract import ChangeKind, Contract, PlanTariff, ScheduledChange
from webapp.domain.discounts import in_force
from webapp.domain.money import Money, total
from webapp.domain.periods import Period, boundary, boundary_on_or_after
from webapp.domain.pricing import monthly_price, recurring_charges

SHORTEST_NOTICE_DAYS = 30


class Staying(StrEnum):
    """Why a subscriber is left where they are."""

    ENDED = "ended"
    TERMINATION = "termination"  # notice was given
    OWN_CHANGE = "own_change"  # a plan that the client has chosen is still to come
    MIGRATION = "migration"  # another migration is still to come
    RESELLER = "reseller"  # its prices are those of a reseller
    NO_PRICE = "no_price"  # the version has none at this frequency and currency
    NOTHING = "nothing"  # it is what they have
    ENDS_FIRST = "ends_first"  # the contract is not renewed, and is over by then
    SPECIAL_PRICE = "special_price"  # a price promised until a day that comes later
    OPTIONS = "options"  # they use an option that the version does not sell


class Waits(StrEnum):
    """What decides on which day a subscriber is moved."""

    WISH = "wish"  # the first billing day on or after the wished one
    NOTICE = "notice"  # the time to be told comes first
    COMMITMENT = "commitment"  # the commitment that runs is kept to its end


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked: nobody moves before `wished_on`; who loses something is told `notice_days` before, at least.

    `told_on` is the day on which the mails leave.
    """

    told_on: date
    wished_on: date
    notice_days: int = SHORTEST_NOTICE_DAYS


@dataclass(frozen=True, slots=True)
class Stay:
    """A subscriber who is not moved. `on` is the day of what keeps them, when it has one."""

    reason: Staying
    on: date | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """A subscriber who is moved to `tariff` on `effective_on`, a billing day.

    `before` and `after` are what a whole billing period of `months` costs that day, discounts taken off, VAT excluded.
    `leave_until` is the last day on which the client may still leave on `effective_on` instead; None without that right.
    """

    tariff: PlanTariff
    effective_on: date
    waits: Waits
    months: int
    before: Money
    after: Money
    leave_until: date | None = None

    @property
    def monthly_before(self) -> Fraction:
        """In cents, exactly: what `services.revenue` counts."""
        return Fraction(self.before.cents, self.months)

    @property
    def monthly_after(self) -> Fraction:
        return Fraction(self.after.cents, self.months)

    @property
    def difference(self) -> Fraction:
        """Per month, in cents."""
        return self.monthly_after - self.monthly_before


def move(
    contract: Contract,
    tariff: PlanTariff | None,
    asked: Plan,
    *,
    has_reseller: bool = False,
    takes_away: bool = False,
) -> Move | Stay:
    """What becomes of one subscriber. `contract` is as recorded, `tariff` what the version asks at its frequency.

    `takes_away`: the version serves less than the one signed. Dearer is decided as for any change of plan, on list
    prices (M4); a price that does not apply today, that of a further establishment, counts too.
    """
    standing = _kept(contract, tariff, has_reseller)
    if standing is not None:
        return standing
    assert tariff is not None  # _kept has said so
    is_worse = takes_away or _has_dearer_price(contract.tariff, tariff)
    found = _day(contract, asked, is_worse)
    if found is not None and not is_worse and _is_dearer(contract, tariff, found[0]):
        is_worse, found = True, _day(contract, asked, is_worse=True)
    ends_on = contract.ends_by_itself_on()
    if found is None or (ends_on is not None and ends_on <= found[0]):
        return Stay(Staying.ENDS_FIRST, ends_on)
    effective_on, waits = found
    then = contract.on(effective_on)
    promised = _special_price(then, effective_on)
    if promised is not None:
        return promised
    if any(not each.is_sold_under(tariff) for each in then.options_on(effective_on)):
        return Stay(Staying.OPTIONS)
    return Move(
        tariff,
        effective_on,
        waits,
        contract.frequency.months,
        before=period_price(then, effective_on),
        after=period_price(then.under(tariff, effective_on, keeps_terms=True), effective_on),
        leave_until=effective_on - timedelta(days=1) if is_worse else None,
    )


def as_change(moved: Move, change_id: int = 0) -> ScheduledChange:
    """The change to come that a move writes down."""
    return ScheduledChange(
        change_id,
        ChangeKind.PLAN,
        moved.effective_on,
        tariff=moved.tariff,
        is_migration=True,
        leave_until=moved.leave_until,
    )


def monthly_totals(moves: Iterable[Move]) -> tuple[Fraction, Fraction]:
    """What they all bring in per month before and after, in cents, exactly."""
    before = after = Fraction(0)
    for each in moves:
        before += each.monthly_before
        after += each.monthly_after
    return before, after


def period_price(contract: Contract, day: date) -> Money:
    """What a whole billing period costs as things are on `day`: everything that recurs, discounts taken off."""
    whole = Period(day, boundary(day, contract.frequency.months))
    charges = recurring_charges(replace(contract, changes=()), day, whole)
    running = [each.unit * each.quantity for each in charges if each.service.start == day]
    return total(running, contract.tariff.price.currency)


def _kept(contract: Contract, tariff: PlanTariff | None, has_reseller: bool) -> Stay | None:
    """What keeps a subscriber where they are, whatever the day."""
    if contract.ended_on is not None:
        return Stay(Staying.ENDED, contract.ended_on)
    if has_reseller:
        return Stay(Staying.RESELLER)
    termination, switch = contract.termination(), contract.plan_switch()
    if termination is not None:
        return Stay(Staying.TERMINATION, termination.effective_on)
    if switch is not None:
        reason = Staying.MIGRATION if switch.is_migration else Staying.OWN_CHANGE
        return Stay(reason, switch.effective_on)
    if tariff is None:
        return Stay(Staying.NO_PRICE)
    return Stay(Staying.NOTHING) if tariff == contract.tariff else None


def _day(contract: Contract, asked: Plan, is_worse: bool) -> tuple[date, Waits] | None:
    """The day of the move and what decides it; None when the contract is over before."""
    signature, months = contract.signature, contract.frequency.months
    wished = max(asked.wished_on, asked.told_on + timedelta(days=1), signature.billed_until)
    on_wish = boundary_on_or_after(signature.anchor_on, wished, months)
    if not is_worse:
        return on_wish, Waits.WISH
    told = asked.told_on + timedelta(days=asked.notice_days)
    floor = max(wished, told)
    on_notice = boundary_on_or_after(signature.anchor_on, floor, months)
    for possible in signature.commitment.possible_ends(asked.told_on, signature.anchor_on, months):
        if possible.ends_on >= floor:
            if possible.ends_on > on_notice:
                return possible.ends_on, Waits.COMMITMENT
            return possible.ends_on, Waits.NOTICE if possible.ends_on > on_wish else Waits.WISH
    return None


def _is_dearer(contract: Contract, tariff: PlanTariff, day: date) -> bool:
    then = contract.on(day)
    options = tuple(each for each in then.options_on(day) if each.is_sold_under(tariff))
    after = replace(then.under(tariff, day, keeps_terms=True), options=options)
    return monthly_price(after, day) > monthly_price(replace(then, options=options), day)


def _has_dearer_price(before: PlanTariff, after: PlanTariff) -> bool:
    """Whether the plan, or an establishment of any rank, costs more than what was signed."""
    ranks = range(1, 2 + max((each.from_unit for each in (*before.tiers, *after.tiers)), default=0))
    return after.price > before.price or any(
        after.establishment_price(rank) > before.establishment_price(rank) for rank in ranks
    )


def _special_price(contract: Contract, day: date) -> Stay | None:
    """A price promised for the plan itself: a new list price would change what was promised."""
    for each in in_force(contract.discounts, day):
        if each.item == "plan":
            return Stay(Staying.SPECIAL_PRICE, each.until_on)
    return None
