"""Adding and removing establishments (spec E1-E5, M10): in service at once, at the matching rate from the next
monthly renewal; inside a paid year, that renewal bills the months left, or gives them back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from webapp.domain.contract import Contract, HeldEstablishment, HeldOption
from webapp.domain.money import Money
from webapp.domain.pricing import Draft, period_draft
from webapp.domain.proration import BilledLine, settlement, upcoming, with_draft
from webapp.domain.refusals import LastEstablishment, SubscriptionEnded, TooLateToUndo, UnknownEstablishment
from webapp.domain.vat import VatRate


@dataclass(frozen=True, slots=True)
class Priced:
    """An establishment that comes, and what it will cost per whole billing period: nothing while included."""

    establishment: HeldEstablishment
    unit: Money


@dataclass(frozen=True, slots=True)
class EstablishmentsChange:
    today: date
    renewal_on: date  # the monthly renewal from which the rate applies
    contract_before: Contract
    contract_after: Contract
    added: tuple[Priced, ...]
    removed: tuple[HeldEstablishment, ...]
    options_ending: tuple[HeldOption, ...]  # at the establishments removed
    due_now: Draft  # only when options chosen today go away with their establishment
    next_before: Draft | None
    next_after: Draft | None
    period_before: Draft | None  # the first whole period not billed yet: what it comes to from then on
    period_after: Draft | None


def change_of_establishments(
    contract: Contract,
    added: Sequence[tuple[str, str]],
    removed: Sequence[str],
    billed: Sequence[BilledLine],
    today: date,
    vat: VatRate,
) -> EstablishmentsChange:
    """Work out establishments that come, as (id, name), and go, as ids. Nothing is due and unbilled before today.

    Raises SubscriptionEnded, UnknownEstablishment, LastEstablishment.
    """
    if contract.ended_on is not None and contract.ended_on <= today:
        raise SubscriptionEnded(contract.ended_on)
    renewal_on = contract.next_monthly_renewal(today)
    active = {each.id: each for each in contract.establishments_active_on(today)}
    if any(each not in active for each in removed):
        raise UnknownEstablishment()
    last = max((each.position for each in contract.establishments), default=0)
    coming = tuple(
        HeldEstablishment(each_id, last + number, name, active_from=today, charged_from=renewal_on)
        for number, (each_id, name) in enumerate(added, start=1)
    )
    if len(active) + len(coming) <= len(set(removed)):
        raise LastEstablishment()
    establishments = tuple(
        _removed(each, today, renewal_on) if each.id in removed else each for each in contract.establishments
    )
    after = replace(contract, establishments=(*establishments, *coming))
    after, ending = _without_their_options(after, set(removed), today, renewal_on)
    due_now = settlement(after, billed, today, vat)
    positions = {
        each.id: place for place, each in enumerate(after.establishments_charged_on(renewal_on), start=1)
    }
    tariff = after.on(renewal_on).tariff
    return EstablishmentsChange(
        today=today,
        renewal_on=renewal_on,
        contract_before=contract,
        contract_after=after,
        added=tuple(Priced(each, tariff.establishment_price(positions[each.id])) for each in coming),
        removed=tuple(active[each] for each in dict.fromkeys(removed)),
        options_ending=ending,
        due_now=due_now,
        next_before=upcoming(contract, billed, vat),
        next_after=upcoming(after, with_draft(billed, due_now), vat),
        period_before=period_draft(contract, vat),
        period_after=period_draft(after, vat),
    )


def _removed(establishment: HeldEstablishment, today: date, renewal_on: date) -> HeldEstablishment:
    """Out of service at once; one that is not charged yet never will be."""
    charged_until = max(establishment.charged_from, renewal_on)
    if establishment.charged_from > today:
        charged_until = establishment.charged_from
    return replace(establishment, active_until=today, charged_until=charged_until)


def _without_their_options(
    contract: Contract, removed: set[str], today: date, renewal_on: date
) -> tuple[Contract, tuple[HeldOption, ...]]:
    """The options of the establishments removed end with them, at the same renewal; those chosen today are undone.

    A removal that was scheduled already stays so: it counts again if the establishment is brought back.
    """
    options: list[HeldOption] = []
    ending: list[HeldOption] = []
    undone: set[int] = set()
    for option in contract.options:
        if option.establishment_id not in removed or not option.is_in_use_on(today):
            options.append(option)
            continue
        ending.append(option)
        if option.chosen_on == today and option.replaces_id is None:
            undone.add(option.id)
            continue
        options.append(replace(option, ends_on=renewal_on))
    changes = tuple(
        each for each in contract.changes if each.option_id is None or each.option_id not in undone
    )
    return replace(contract, options=tuple(options), changes=changes), tuple(ending)


def removal_undone(contract: Contract, establishment_id: str, today: date) -> Contract:
    """The establishment back as it was, the same day only (E5), with the options that left with it.

    What was both chosen and removed with it today is not held any more. When the plan went to annual billing in
    between, the year was charged without the establishment: the caller settles, or refuses.

    Raises UnknownEstablishment, TooLateToUndo.
    """
    establishment = next((each for each in contract.establishments if each.id == establishment_id), None)
    if establishment is None or establishment.active_until is None:
        raise UnknownEstablishment()
    if establishment.active_until != today:
        raise TooLateToUndo()
    back = replace(establishment, active_until=None, charged_until=None)
    return replace(
        contract,
        establishments=tuple(back if each is establishment else each for each in contract.establishments),
        options=tuple(
            replace(each, ends_on=None)
            if each.establishment_id == establishment_id and each.ends_on is not None and each.ends_on > today
            else each
            for each in contract.options
        ),
    )
