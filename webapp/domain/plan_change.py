"""A change of plan: when it takes effect and why, what it does to the rest, what it costs (spec P1-P8, M4, M5, M7)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from webapp.domain.contract import ChangeKind, Contract, Frequency, HeldOption, PlanTariff, ScheduledChange
from webapp.domain.periods import boundary_on_or_after
from webapp.domain.pricing import Draft, monthly_price, period_draft
from webapp.domain.proration import BilledLine, settlement, upcoming, with_draft
from webapp.domain.refusals import OptionsNotOffered, SamePlan, SubscriptionEnded, TerminationPending
from webapp.domain.vat import VatRate


class Reason(StrEnum):
    """Why a change takes effect when it does, to be said in the preview."""

    DEARER = "dearer"  # P2: now
    SAME_PRICE = "same_price"  # not cheaper: now
    TO_ANNUAL = "to_annual"  # P5, M7: now, the year starts today
    BACK = "back"  # M5: back to this morning's plan, now
    CHEAPER = "cheaper"  # P3: at the end of the paid period
    CHEAPER_COMMITTED = "cheaper_committed"  # P4: at the end of the commitment
    TO_MONTHLY = "to_monthly"  # P5: at the end of the commitment, or of the paid year


@dataclass(frozen=True, slots=True)
class Timing:
    effective_on: date
    reason: Reason

    def is_now(self, today: date) -> bool:
        return self.effective_on <= today


def timing(contract: Contract, tariff: PlanTariff, today: date) -> Timing:
    """When a change to `tariff`, confirmed today, takes effect.

    Compared with what was signed this morning: several changes of one day count as the last one (M5).
    """
    signature = contract.signature_before(today)
    morning = replace(contract, signature=signature)
    if tariff == signature.tariff:
        return Timing(today, Reason.BACK)
    if signature.frequency is Frequency.MONTHLY and tariff.frequency is Frequency.ANNUAL:
        return Timing(today, Reason.TO_ANNUAL)
    term = signature.commitment.term_on(today)
    at_the_end = signature.billed_until
    if term is not None:
        at_the_end = max(at_the_end, boundary_on_or_after(signature.anchor_on, term.end, 1))
    if signature.frequency is Frequency.ANNUAL and tariff.frequency is Frequency.MONTHLY:
        return Timing(at_the_end, Reason.TO_MONTHLY)
    before, after = monthly_price(morning, today), monthly_price(_if_under(morning, tariff, today), today)
    if after > before:
        return Timing(today, Reason.DEARER)
    if after == before:
        return Timing(today, Reason.SAME_PRICE)
    return Timing(at_the_end, Reason.CHEAPER_COMMITTED if term else Reason.CHEAPER)


def _if_under(contract: Contract, tariff: PlanTariff, today: date) -> Contract:
    """The same establishments and the options it sells under the other tariff, for the comparison of M4 only."""
    options = tuple(each for each in contract.options_on(today) if each.is_sold_under(tariff))
    return replace(contract, signature=replace(contract.signature, tariff=tariff), options=options)


@dataclass(frozen=True, slots=True)
class PlanChange:
    """A change of plan worked out: the preview, and what the confirmation does."""

    tariff: PlanTariff
    timing: Timing
    today: date
    contract_before: Contract
    contract_after: Contract  # as signed tonight: with the new plan, or with the change scheduled
    due_now: Draft  # no line when nothing changes hands today
    next_before: Draft | None  # the next invoice if nothing changed
    next_after: Draft | None
    settled: Draft | None  # a whole period once the new plan is in force: "then, each month"
    options_ending: tuple[HeldOption, ...]  # not offered by the new plan
    options_included: tuple[HeldOption, ...]  # paid until now, free with the new plan
    options_charged: tuple[HeldOption, ...]  # free until now, paid with the new plan

    @property
    def is_now(self) -> bool:
        return self.timing.is_now(self.today)


def change_of_plan(
    contract: Contract, tariff: PlanTariff, billed: Sequence[BilledLine], today: date, vat: VatRate
) -> PlanChange:
    """Work out a change of plan to `tariff`. `contract` and `billed` have nothing due and unbilled before today.

    Raises SubscriptionEnded, TerminationPending, SamePlan, or OptionsNotOffered when options in use stand in the
    way of a change that would take effect now (P7).
    """
    if contract.ended_on is not None and contract.ended_on <= today:
        raise SubscriptionEnded(contract.ended_on)
    termination = contract.termination()
    if termination is not None:
        raise TerminationPending(termination.effective_on)
    switch = contract.plan_switch()
    if tariff == contract.tariff and (switch is None or switch.is_migration):
        raise SamePlan()
    when = timing(contract, tariff, today)
    standing = replace(
        contract, changes=tuple(each for each in contract.changes if each.kind is not ChangeKind.PLAN)
    )
    morning = _this_morning(standing, today)
    plan_before = contract.plan_code
    at_change = morning.on(when.effective_on)
    in_use = at_change.options_on(max(when.effective_on, today))
    ending = tuple(each for each in in_use if not each.is_sold_under(tariff))
    if when.is_now(today):
        staying = [each for each in ending if each.ends_on is None and not _is_leaving(standing, each)]
        if staying and when.reason is not Reason.BACK:
            raise OptionsNotOffered(tuple(dict.fromkeys(each.code for each in staying)), tariff.plan_code)
        after = morning if when.reason is Reason.BACK else morning.under(tariff, today)
    else:
        scheduled = ScheduledChange(0, ChangeKind.PLAN, when.effective_on, tariff=tariff)
        after = replace(morning, changes=(*morning.changes, scheduled))
    due_now = settlement(after, billed, today, vat)
    return PlanChange(
        tariff=tariff,
        timing=when,
        today=today,
        contract_before=contract,
        contract_after=after,
        due_now=due_now,
        next_before=upcoming(contract, billed, vat),
        next_after=upcoming(after, with_draft(billed, due_now), vat),
        settled=_settled(after, when.effective_on, vat),
        options_ending=ending,
        options_included=tuple(
            each
            for each in in_use
            if tariff.plan_code in each.included_by and plan_before not in each.included_by
        ),
        options_charged=tuple(
            each
            for each in in_use
            if plan_before in each.included_by and tariff.plan_code not in each.included_by
        ),
    )


def _settled(after: Contract, effective_on: date, vat: VatRate) -> Draft | None:
    """The first whole period under the new plan, with every change scheduled before it."""
    first = max(effective_on, after.signature.billed_until)
    later = after.on(first)
    return period_draft(replace(later, signature=replace(later.signature, billed_until=first)), vat)


def _is_leaving(contract: Contract, option: HeldOption) -> bool:
    return any(each.option_id == option.id and each.quantity == 0 for each in contract.changes)


def _this_morning(contract: Contract, today: date) -> Contract:
    """The contract with this morning's plan, this day's options and establishments."""
    signature = contract.signature_before(today)
    return contract if signature is contract.signature else replace(contract, signature=signature)
