"""A subscription as plain values: what was signed, what is held, what is scheduled.

Everything here is immutable. `Contract.on(day)` answers "how will it be on that day?" by applying the scheduled
changes in their order; pricing, previews, the next invoice and the billing run all read the same value.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from webapp.domain.discounts import Discount
from webapp.domain.money import Money
from webapp.domain.periods import Period, boundary, boundary_on_or_after, next_boundary
from webapp.domain.terms import Commitment, Renewal, Terms


class Frequency(StrEnum):
    MONTHLY = "monthly"
    ANNUAL = "annual"

    @property
    def months(self) -> int:
        return 1 if self is Frequency.MONTHLY else 12


class OptionKind(StrEnum):
    ONE_OFF = "one_off"
    RECURRING = "recurring"
    PER_UNIT = "per_unit"
    PER_ESTABLISHMENT = "per_establishment"
    ON_QUOTATION = "on_quotation"


@dataclass(frozen=True, slots=True)
class Tier:
    """The price of one establishment from the `from_unit`-th on, counted from 1, per whole period, VAT excluded."""

    from_unit: int
    unit: Money


@dataclass(frozen=True, slots=True)
class PlanTariff:
    """A plan version at a price: what a customer signs. `price` is for one whole period, VAT excluded."""

    price_id: int
    plan_code: str
    rank: int
    frequency: Frequency
    price: Money
    included_establishments: int
    tiers: tuple[Tier, ...]
    terms: Terms

    def establishment_price(self, position: int) -> Money:
        """The price of the `position`-th establishment, counted from 1 (C5, E2): nothing while it is included.

        Beyond the last tier the last price goes on; without tiers every establishment is included.
        """
        if position <= self.included_establishments:
            return Money(0, self.price.currency)
        unit = Money(0, self.price.currency)
        for tier in self.tiers:
            if tier.from_unit <= position:
                unit = tier.unit
        if not unit and self.tiers:
            unit = self.tiers[0].unit
        return unit


@dataclass(frozen=True, slots=True)
class HeldOption:
    """An option in use, at the prices signed: per unit and whole period of each frequency, VAT excluded.

    A frequency without a price is one under which the option is not sold.
    """

    id: int
    code: str
    kind: OptionKind
    units: Mapping[Frequency, Money]
    quantity: int
    starts_on: date
    ends_on: date | None = None
    establishment_id: str | None = None
    included_by: frozenset[str] = frozenset()
    offered_by: frozenset[str] = frozenset()
    version_id: int = 0  # of the catalogue, whose terms and texts were taken
    once: Money | None = None  # the price of a one-off option
    chosen_on: date | None = None  # the day somebody chose it; a further choice that day rewrites it (M5)
    replaces_id: int | None = None  # what it was that morning, if anything

    def unit_under(self, tariff: PlanTariff) -> Money:
        """Free when the plan includes it (O6). Raises KeyError when it is not sold under this tariff."""
        if tariff.plan_code in self.included_by:
            return Money(0, tariff.price.currency)
        return self.units[tariff.frequency]

    def is_sold_under(self, tariff: PlanTariff) -> bool:
        if tariff.plan_code in self.included_by:
            return True
        return tariff.plan_code in self.offered_by and tariff.frequency in self.units

    @property
    def is_recurring(self) -> bool:
        return self.kind is not OptionKind.ONE_OFF

    def is_in_use_on(self, day: date) -> bool:
        """Recurring and active on `day`; a one-off option is delivered, never in use."""
        return self.is_recurring and self.starts_on <= day and (self.ends_on is None or day < self.ends_on)


@dataclass(frozen=True, slots=True)
class HeldEstablishment:
    """An address. It serves from `active_from`, and is charged from the next monthly renewal (E1, M10)."""

    id: str
    position: int
    name: str
    active_from: date
    charged_from: date
    active_until: date | None = None
    charged_until: date | None = None

    def is_charged_on(self, day: date) -> bool:
        return self.charged_from <= day and (self.charged_until is None or day < self.charged_until)

    def is_active_on(self, day: date) -> bool:
        return self.active_from <= day and (self.active_until is None or day < self.active_until)


@dataclass(frozen=True, slots=True)
class Signature:
    """What is signed and how far it is paid: the part of a contract that a change of plan replaces.

    `billed_until` is the first day not yet invoiced: a boundary counted from `anchor_on`. `settled_on` is the last
    monthly renewal whose establishments are settled; later ones, inside a paid year, are still to come (E1).
    """

    tariff: PlanTariff
    anchor_on: date
    billed_until: date
    commitment: Commitment
    settled_on: date

    @property
    def frequency(self) -> Frequency:
        return self.tariff.frequency

    @property
    def paid_period(self) -> Period:
        """The whole billing period that ends on `billed_until`."""
        return Period(self.period_start_before(self.billed_until), self.billed_until)

    def period_start_before(self, end: date) -> date:
        """The boundary one billing period before `end`, itself a boundary, counted from the anchor (M1)."""
        distance = (end.year - self.anchor_on.year) * 12 + end.month - self.anchor_on.month
        return boundary(self.anchor_on, distance - self.frequency.months)

    @property
    def next_period(self) -> Period:
        """The first period not yet invoiced, which starts on `billed_until`.

        Not `period_containing` years from the anchor: after a switch from annual to monthly billing and back,
        a boundary of the month need not be one of the year counted from the anchor.
        """
        distance = (
            (self.billed_until.year - self.anchor_on.year) * 12
            + self.billed_until.month
            - self.anchor_on.month
        )
        return Period(self.billed_until, boundary(self.anchor_on, distance + self.frequency.months))


class ChangeKind(StrEnum):
    """In the order in which changes of one date are applied (M5)."""

    TERMINATION = "termination"
    PLAN = "plan"
    OPTION = "option"
    ESTABLISHMENT = "establishment"


@dataclass(frozen=True, slots=True)
class ScheduledChange:
    """A change to come. `tariff` for a plan, `option_id` (with `quantity`, 0 to remove) for an option.

    A plan `is_migration` when the operator moves its subscribers to it: the terms signed stay, it is not the client's to
    undo, and until `leave_until`, that day included, the client may leave on its day instead, free of charge.
    """

    id: int
    kind: ChangeKind
    effective_on: date
    tariff: PlanTariff | None = None
    option_id: int | None = None
    quantity: int = 0
    is_migration: bool = False
    leave_until: date | None = None

    @property
    def order(self) -> tuple[date, int, int]:
        return (self.effective_on, list(ChangeKind).index(self.kind), self.id)


@dataclass(frozen=True, slots=True)
class Contract:
    """One subscription. `day_start` is what was signed when the present day began, if it changed today (M5)."""

    starts_on: date
    signature: Signature
    options: tuple[HeldOption, ...] = ()
    establishments: tuple[HeldEstablishment, ...] = ()
    changes: tuple[ScheduledChange, ...] = ()
    ended_on: date | None = None
    day_start: tuple[date, Signature] | None = None
    discounts: tuple[Discount, ...] = ()

    @property
    def tariff(self) -> PlanTariff:
        return self.signature.tariff

    @property
    def frequency(self) -> Frequency:
        return self.signature.frequency

    @property
    def plan_code(self) -> str:
        return self.signature.tariff.plan_code

    def signature_before(self, today: date) -> Signature:
        """What was signed before today's own changes: a further change of the same day rewrites that day (M5)."""
        if self.day_start is not None and self.day_start[0] == today:
            return self.day_start[1]
        return self.signature

    def options_on(self, day: date) -> tuple[HeldOption, ...]:
        """Recurring options in use on `day`."""
        return tuple(option for option in self.options if option.is_in_use_on(day))

    def establishments_charged_on(self, day: date) -> tuple[HeldEstablishment, ...]:
        """In the order of arrival, which decides who is included and who pays which tier (E2)."""
        charged = [each for each in self.establishments if each.is_charged_on(day)]
        return tuple(sorted(charged, key=lambda each: each.position))

    def establishments_active_on(self, day: date) -> tuple[HeldEstablishment, ...]:
        active = [each for each in self.establishments if each.is_active_on(day)]
        return tuple(sorted(active, key=lambda each: each.position))

    def next_monthly_renewal(self, day: date) -> date:
        """The next monthly boundary after `day`, on annual billing too: new establishments are charged from there."""
        return next_boundary(self.signature.anchor_on, day, 1)

    def renewals_to_settle(self) -> list[date]:
        """Monthly renewals inside the paid year at which an establishment begins or ends to be charged (E1, M10)."""
        signature = self.signature
        edges = {each.charged_from for each in self.establishments}
        edges |= {each.charged_until for each in self.establishments if each.charged_until is not None}
        return sorted(edge for edge in edges if signature.settled_on < edge < signature.billed_until)

    def next_due_on(self) -> date | None:
        """The first day on which there is something to bill or to apply; None once the contract has ended."""
        if self.ended_on is not None:
            return None
        days = [change.effective_on for change in self.changes]
        own_end = self.ends_by_itself_on()
        if own_end is not None:
            days.append(own_end)
        return min([self.signature.billed_until, *days, *self.renewals_to_settle()])

    def termination(self) -> ScheduledChange | None:
        return next((change for change in self.changes if change.kind is ChangeKind.TERMINATION), None)

    def ends_by_itself_on(self) -> date | None:
        """The first day without service of a contract that is not renewed (C3), at the end of a paid period.

        A plan chosen for that day, or for an earlier one, brings its own terms: then those say. A migration brings none.
        """
        commitment = self.signature.commitment
        months = commitment.terms.commitment_months
        if commitment.terms.renewal is not Renewal.ENDS or months == 0:
            return None
        term_end = boundary(commitment.starts_on, months)
        end = boundary_on_or_after(self.signature.anchor_on, term_end, self.frequency.months)
        switch = self.plan_switch()
        brings_terms = switch is not None and not switch.is_migration and switch.effective_on <= end
        return None if brings_terms else end

    def ends_on(self) -> date | None:
        """The first day without service, when it is known: ended, given notice, or at the end of itself."""
        if self.ended_on is not None:
            return self.ended_on
        termination = self.termination()
        own_end = self.ends_by_itself_on()
        days = [termination.effective_on] if termination is not None else []
        days += [own_end] if own_end is not None else []
        return min(days, default=None)

    def stops_inside_a_paid_period(self) -> bool:
        ends_on = self.ends_on()
        return ends_on is not None and ends_on < self.signature.billed_until

    def plan_switch(self) -> ScheduledChange | None:
        return next((change for change in self.changes if change.kind is ChangeKind.PLAN), None)

    def on(self, day: date) -> "Contract":
        """The contract as it will be on `day`, every scheduled change up to that day applied in its order."""
        contract = self
        for change in sorted(self.changes, key=lambda change: change.order):
            if change.effective_on <= day:
                contract = contract.applying(change)
        own_end = contract.ends_by_itself_on()
        if contract.ended_on is None and own_end is not None and own_end <= day:
            contract = replace(contract, ended_on=own_end, changes=())
        return contract

    def applying(self, change: ScheduledChange) -> "Contract":
        left = tuple(each for each in self.changes if each is not change)
        contract = replace(self, changes=left)
        if change.kind is ChangeKind.TERMINATION:
            return replace(contract, ended_on=change.effective_on, changes=())
        if change.kind is ChangeKind.PLAN:
            if change.tariff is None:
                raise ValueError("a change of plan needs its tariff")
            return contract.under(change.tariff, change.effective_on, keeps_terms=change.is_migration)
        if change.kind is ChangeKind.OPTION:
            options = []
            for option in self.options:
                has_ended = option.ends_on is not None and option.ends_on <= change.effective_on
                if option.id != change.option_id or has_ended:  # it left earlier, with its establishment
                    options.append(option)
                    continue
                options.append(replace(option, ends_on=change.effective_on))
                if change.quantity > 0:
                    options.append(
                        replace(option, starts_on=change.effective_on, ends_on=None, quantity=change.quantity)
                    )
            return replace(contract, options=tuple(options))
        raise ValueError(f"{change.kind} has nothing scheduled")

    def under(self, tariff: PlanTariff, day: date, *, keeps_terms: bool = False) -> "Contract":
        """The contract once `tariff` is signed on `day`; options it does not sell end with the old plan.

        A commitment that still runs is kept whole (P2): its dates, notice and renewal; only a switch to annual
        billing, or a day without commitment, starts the terms of the new tariff, and never a shorter commitment.
        With `keeps_terms` those signed stay whatever the day: nobody is bound anew by what the operator decides.
        """
        signature = self.signature
        to_annual = signature.frequency is Frequency.MONTHLY and tariff.frequency is Frequency.ANNUAL
        running = signature.commitment.term_on(day)
        commitment = signature.commitment
        started = Commitment(day, tariff.terms)
        if running is None or day == running.start:
            commitment = commitment if keeps_terms else started
        elif to_annual:
            new_term = started.term_on(day)
            if new_term is not None and new_term.end >= running.end:
                commitment = started
        anchor = day if to_annual else signature.anchor_on
        billed_until = next_boundary(day, day, 12) if to_annual else signature.billed_until
        settled_on = day if to_annual else signature.settled_on
        options = tuple(
            replace(option, ends_on=day)
            if option.is_in_use_on(day) and not option.is_sold_under(tariff)
            else option
            for option in self.options
        )
        return replace(
            self, signature=Signature(tariff, anchor, billed_until, commitment, settled_on), options=options
        )

    def options_until(self, end: date) -> tuple[HeldOption, ...]:
        """The options with every scheduled change before `end` written into their dates."""
        contract = self
        for change in sorted(self.changes, key=lambda change: change.order):
            if change.kind is ChangeKind.OPTION and change.effective_on < end:
                contract = contract.applying(change)
        return contract.options
