"""Adding and removing options (spec O1-O6): one save is one change, worked out whole before anything is written.

A wish says the state asked for. More than this morning is active at once and charged by day for the rest of the
paid period; less is kept until the end of what is paid, then goes. What was chosen earlier the same day is
rewritten: on and off and on again the same day bills once (O5, M5).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from webapp.domain.contract import (
    ChangeKind,
    Contract,
    Frequency,
    HeldOption,
    OptionKind,
    PlanTariff,
    ScheduledChange,
)
from webapp.domain.money import Money
from webapp.domain.pricing import Draft
from webapp.domain.proration import BilledLine, settlement, upcoming, with_draft
from webapp.domain.refusals import (
    OptionAlreadyIncluded,
    OptionExcluded,
    OptionNotOffered,
    OptionRequired,
    OptionRequires,
    QuantityOutOfRange,
    SubscriptionEnded,
    UnknownOption,
)
from webapp.domain.vat import VatRate

MOST_ADDED = 10_000  # rows of one save: beyond that, somebody is playing


@dataclass(frozen=True, slots=True)
class OptionTerms:
    """An option as it may be taken today: what the catalogue says of it. Prices as in `HeldOption`."""

    code: str
    kind: OptionKind
    version_id: int
    units: Mapping[Frequency, Money]
    once: Money | None
    offered_by: frozenset[str]
    included_by: frozenset[str]
    requires: frozenset[str]
    excludes: frozenset[str]
    min_quantity: int
    max_quantity: int

    def is_included_in(self, tariff: PlanTariff) -> bool:
        return tariff.plan_code in self.included_by

    def is_sold_under(self, tariff: PlanTariff) -> bool:
        has_price = (
            self.once is not None if self.kind is OptionKind.ONE_OFF else tariff.frequency in self.units
        )
        return tariff.plan_code in self.offered_by and has_price


Place = tuple[str, str | None]  # an option's code, and the establishment's id when it is per establishment


@dataclass(frozen=True, slots=True)
class Wish:
    """The quantity asked for at one place; 0 is "not any more"."""

    code: str
    quantity: int
    establishment_id: str | None = None

    @property
    def place(self) -> Place:
        return (self.code, self.establishment_id)


class MoveKind(StrEnum):
    ADDED = "added"  # active at once
    INCREASED = "increased"
    KEPT = "kept"  # its removal is undone
    CANCELLED = "cancelled"  # what was added today is taken back
    DECREASED = "decreased"  # from the end of the paid period
    REMOVED = "removed"  # at the end of the paid period


@dataclass(frozen=True, slots=True)
class Move:
    """What one wish does, for the preview, the mail and the audit trail."""

    kind: MoveKind
    code: str
    establishment_id: str | None
    before: int
    after: int
    effective_on: date


@dataclass(frozen=True, slots=True)
class OptionsChange:
    today: date
    contract_before: Contract
    contract_after: Contract
    moves: tuple[Move, ...]
    due_now: Draft
    next_before: Draft | None
    next_after: Draft | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How an option stands at one place: now, this morning, and at the end of the paid period."""

    now: HeldOption | None
    morning: HeldOption | None
    pending: ScheduledChange | None

    @property
    def quantity_now(self) -> int:
        return self.now.quantity if self.now else 0

    @property
    def quantity_this_morning(self) -> int:
        return self.morning.quantity if self.morning else 0

    @property
    def quantity_chosen(self) -> int:
        """What was last asked for: the scheduled quantity if a change is pending."""
        return self.pending.quantity if self.pending else self.quantity_now


def standing(contract: Contract, place: Place, today: date) -> Standing:
    code, establishment_id = place
    rows = [
        each for each in contract.options if (each.code, each.establishment_id) == (code, establishment_id)
    ]
    now = next((each for each in rows if _is_held_on(each, today)), None)
    morning = now
    if now is not None and now.chosen_on == today and now.starts_on == today:
        morning = next((each for each in rows if each.id == now.replaces_id), None)
    pending = next((each for each in contract.changes if now is not None and each.option_id == now.id), None)
    return Standing(now, morning, pending)


def _is_held_on(option: HeldOption, today: date) -> bool:
    if option.kind is OptionKind.ONE_OFF:
        # Delivered once: only what was ordered this very day can still be taken back.
        return option.starts_on == today and option.chosen_on == today
    return option.is_in_use_on(today)


def change_of_options(
    contract: Contract,
    terms: Mapping[str, OptionTerms],
    wishes: Sequence[Wish],
    billed: Sequence[BilledLine],
    today: date,
    vat: VatRate,
) -> OptionsChange:
    """Work out one save. `contract` and `billed` have nothing due and unbilled before today.

    Wishes that ask for what already stands do nothing. Raises SubscriptionEnded, UnknownOption, OptionNotOffered,
    OptionAlreadyIncluded, QuantityOutOfRange, OptionRequires, OptionRequired, OptionExcluded.
    """
    if contract.ended_on is not None and contract.ended_on <= today:
        if wishes:
            raise SubscriptionEnded(contract.ended_on)
        nothing = Draft((), contract.signature.paid_period, contract.tariff.price.currency)
        return OptionsChange(today, contract, contract, (), nothing, None, None)
    after = contract
    moves: list[Move] = []
    for wish in {wish.place: wish for wish in wishes}.values():
        stands = standing(after, wish.place, today)
        if wish.quantity == stands.quantity_chosen:
            continue
        _check_wish(after, terms, wish, stands, today)
        after, move = _fulfil(after, terms, wish, stands, today, temporary_id=-1 - len(moves))
        moves.append(move)
    if moves:
        _check_together(after, terms, moves, today)
    due_now = settlement(after, billed, today, vat)
    return OptionsChange(
        today=today,
        contract_before=contract,
        contract_after=after,
        moves=tuple(moves),
        due_now=due_now,
        next_before=upcoming(contract, billed, vat),
        next_after=upcoming(after, with_draft(billed, due_now), vat),
    )


def _check_wish(
    contract: Contract, terms: Mapping[str, OptionTerms], wish: Wish, stands: Standing, today: date
) -> None:
    if wish.quantity < 0:
        raise QuantityOutOfRange(wish.code, 0, terms[wish.code].max_quantity if wish.code in terms else 0)
    if wish.quantity == 0 or wish.quantity <= stands.quantity_now:
        return  # taking less never needs the catalogue: O1
    option = terms.get(wish.code)
    if option is None:
        raise UnknownOption(wish.code)
    if option.is_included_in(contract.tariff):
        raise OptionAlreadyIncluded(wish.code)
    if not option.is_sold_under(contract.tariff):  # without a quotation, what is quoted has no price
        raise OptionNotOffered(wish.code, contract.plan_code)
    is_per_unit = option.kind is OptionKind.PER_UNIT
    least, most = (option.min_quantity, option.max_quantity) if is_per_unit else (1, 1)
    if not least <= wish.quantity <= most:
        raise QuantityOutOfRange(wish.code, least, most)
    if (option.kind is OptionKind.PER_ESTABLISHMENT) != (wish.establishment_id is not None):
        raise UnknownOption(wish.code)
    if wish.establishment_id is not None:
        active = {each.id for each in contract.establishments_active_on(today)}
        if wish.establishment_id not in active:
            raise UnknownOption(wish.code)


def _fulfil(
    contract: Contract,
    terms: Mapping[str, OptionTerms],
    wish: Wish,
    stands: Standing,
    today: date,
    temporary_id: int,
) -> tuple[Contract, Move]:
    """The contract once the wish is granted: rows of the day rewritten, the pending change of this place replaced."""
    before, this_morning = stands.quantity_chosen, stands.quantity_this_morning
    quantity_tonight = max(wish.quantity, this_morning)
    changes = tuple(each for each in contract.changes if each is not stands.pending)
    options = list(contract.options)
    if quantity_tonight != stands.quantity_now:
        if stands.now is not None and stands.now is not stands.morning:
            options.remove(stands.now)
        if stands.morning is not None:
            place = options.index(stands.morning)
            ends_on = None if quantity_tonight == this_morning else today
            options[place] = replace(stands.morning, ends_on=ends_on)
        if quantity_tonight > this_morning:
            options.append(_chosen_today(terms, wish, stands, quantity_tonight, today, temporary_id))
    effective_on = today
    if wish.quantity < this_morning and stands.morning is not None:
        effective_on = contract.signature.billed_until
        scheduled = ScheduledChange(
            temporary_id, ChangeKind.OPTION, effective_on, option_id=stands.morning.id, quantity=wish.quantity
        )
        changes = (*changes, scheduled)
    kind = _kind_of(before, wish.quantity, stands, effective_on > today)
    move = Move(kind, wish.code, wish.establishment_id, before, wish.quantity, effective_on)
    return replace(contract, options=tuple(options), changes=changes), move


def _kind_of(before: int, after: int, stands: Standing, is_later: bool) -> MoveKind:
    if is_later:
        return MoveKind.REMOVED if after == 0 else MoveKind.DECREASED
    if after < before:
        return MoveKind.CANCELLED
    if stands.pending is not None and after <= stands.quantity_now:
        return MoveKind.KEPT
    return MoveKind.ADDED if before == 0 and stands.quantity_now == 0 else MoveKind.INCREASED


def _chosen_today(
    terms: Mapping[str, OptionTerms],
    wish: Wish,
    stands: Standing,
    quantity: int,
    today: date,
    temporary_id: int,
) -> HeldOption:
    """A row of today. More of what one has keeps the price signed; what is new takes the catalogue's."""
    known = stands.morning or stands.now
    if known is not None:
        replaced = stands.morning.id if stands.morning else None
        return replace(
            known, id=temporary_id, quantity=quantity, starts_on=today, ends_on=None, chosen_on=today,
            replaces_id=replaced,
        )  # fmt: skip
    option = terms[wish.code]
    return HeldOption(
        id=temporary_id,
        code=option.code,
        kind=option.kind,
        units=option.units,
        quantity=quantity,
        starts_on=today,
        establishment_id=wish.establishment_id,
        included_by=option.included_by,
        offered_by=option.offered_by,
        version_id=option.version_id,
        once=option.once,
        chosen_on=today,
    )


def _check_together(
    contract: Contract, terms: Mapping[str, OptionTerms], moves: Sequence[Move], today: date
) -> None:
    """Requirements and exclusions of what will be held, once every wish is granted (O6).

    Checked only where a move touches them: a contract signed under other rules is not refused for its past.
    """
    held = _held_in_the_end(contract, today)
    codes = {code for code, _ in held} | {
        code for code, option in terms.items() if option.is_included_in(contract.tariff)
    }
    more = {(move.code, move.establishment_id) for move in moves if move.after > move.before}
    less = {move.code for move in moves if move.after == 0}
    for code, place in held:
        option = terms.get(code)
        if option is None:
            continue
        for needed in sorted(option.requires):
            if _is_there(needed, place, held, codes, terms):
                continue
            if needed in less and (code, place) not in more:
                raise OptionRequired(needed, by=code)
            if (code, place) in more:
                raise OptionRequires(code, needed)
        for other in sorted(option.excludes & codes):
            if (code, place) in more or any(added == other for added, _ in more):
                raise OptionExcluded(code, other)


def _held_in_the_end(contract: Contract, today: date) -> set[Place]:
    leaving = {
        each.option_id for each in contract.changes if each.option_id is not None and each.quantity == 0
    }
    return {
        (each.code, each.establishment_id)
        for each in contract.options
        if _is_held_on(each, today) and each.id not in leaving
    }


def _is_there(
    needed: str, place: str | None, held: set[Place], codes: set[str], terms: Mapping[str, OptionTerms]
) -> bool:
    option = terms.get(needed)
    at_each = option is not None and option.kind is OptionKind.PER_ESTABLISHMENT
    if place is not None and at_each and (needed, place) not in held:
        return needed in codes and not any(code == needed for code, _ in held)  # included by the plan
    return needed in codes
