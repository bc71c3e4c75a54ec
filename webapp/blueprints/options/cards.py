"""The options as cards: what each is, how it is switched, and what switching it costs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from webapp.blueprints.options.forms import Choice, Control
from webapp.domain.catalogue import PlanOffer
from webapp.domain.contract import Contract, HeldOption, OptionKind
from webapp.domain.money import Money, total
from webapp.domain.option_change import Move, MoveKind, OptionTerms, Place, Standing, standing
from webapp.domain.pricing import period_draft
from webapp.domain.refusals import Refusal
from webapp.i18n import explain
from webapp.models.subscriptions import Quotation
from webapp.services.options import OptionsPreview, terms_of
from webapp.services.wording import text, units

MOST_BOXES = 12  # establishments with a box each on a card; beyond, the page of establishments is the place
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Box:
    """One establishment of an option per establishment."""

    establishment_id: str
    name: str
    is_on: bool
    ends_on: date | None  # being removed: the first day without it


@dataclass(frozen=True, slots=True)
class Note:
    """One sentence of a card: `kind` says which, in `_card.html`."""

    kind: str
    amount: Money | None = None
    days: int = 0
    until: date | None = None  # a last day
    since: date | None = None
    per_period: Money | None = None
    units: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """An option as one card. `control` is switch, stepper, boxes, matrix, quotation or none."""

    code: str
    kind: OptionKind
    icon: str
    name: str
    about: str
    is_held: bool
    state: str  # "", included, unavailable
    control: str
    price: Money | None
    unit: str  # "boîte", for a price per unit
    unit_plural: str
    choice: Choice | None
    least: int
    most: int
    boxes: tuple[Box, ...]
    draft: str  # "", added, changed, kept, removed
    badge_before: str
    badge_after: str
    ends_on: date | None
    plan: str
    plans: tuple[str, ...]  # those that offer what this one does not
    notes: tuple[Note, ...]
    error: str
    quotation: Quotation | None = None
    place: str = ""  # the only establishment, for an option per establishment

    @property
    def is_on(self) -> bool:
        return self.choice is not None and self.choice.is_on

    @property
    def asked_on(self) -> date | None:
        return self.quotation.requested_at.date() if self.quotation else None


class Cards:
    """The cards of one page. What they share is read once."""

    def __init__(
        self,
        shown: OptionsPreview,
        refusals: Mapping[str, Refusal],
        draft: Mapping[Place, Choice],
        switches: Sequence[Control],
        plans: Sequence[PlanOffer],
        quotations: Mapping[str, Quotation],
        names: Mapping[str, str],
        locale: str,
        may_change: bool,
    ) -> None:
        self.situation = shown.situation
        self.contract: Contract = shown.change.contract_before
        self.change = shown.change
        self.today = shown.change.today
        self.offers = {offer.code: offer for offer in shown.offers}
        self.terms = {offer.code: terms_of(offer) for offer in shown.offers}
        self.refusals, self.draft, self.plans = refusals, draft, plans
        self.switches: dict[str, list[Control]] = {}
        for each in switches:
            self.switches.setdefault(each.place[0], []).append(each)
        self.quotations, self.names, self.locale, self.may_change = quotations, names, locale, may_change
        self.active = self.contract.establishments_active_on(self.today)
        self.requested = {
            change.facts["option_id"]: change
            for change in self.situation.pending
            if "option_id" in change.facts
        }
        period = period_draft(self.change.contract_after, self.situation.customer.vat)
        self.later = period.lines if period else ()

    def cards(self) -> list[Card]:
        held = {option.code for option in self.contract.options if self.is_now(option)}
        codes = [*self.offers, *sorted(held - set(self.offers))]
        return [card for code in codes if (card := self.card(code)) is not None]

    def is_now(self, option: HeldOption) -> bool:
        return standing(self.contract, (option.code, option.establishment_id), self.today).now is not None

    def card(self, code: str) -> Card | None:
        offer, terms = self.offers.get(code), self.terms.get(code)
        held = [each for each in self.contract.options if each.code == code and self.is_now(each)]
        words = self.situation.options[code]
        kind = terms.kind if terms else held[0].kind
        plan = self.contract.plan_code
        is_included = terms.is_included_in(self.contract.tariff) if terms else False
        switches = self.switches.get(code, [])
        is_sold = bool(switches) or bool(terms and terms.is_sold_under(self.contract.tariff))
        is_quoted = kind is OptionKind.ON_QUOTATION and not held
        offered = bool(terms and plan in terms.offered_by)
        sellers = tuple(
            self.names[each.code]
            for each in self.plans
            if terms and each.code in terms.offered_by | terms.included_by
        )
        state = "included" if is_included else "" if is_sold or (is_quoted and offered) else "unavailable"
        if state == "unavailable" and not sellers:
            return None
        if state == "included" and not held:
            switches = []
        refusal = self.refusals.get(code)
        choice = self.draft.get(switches[0].place) if switches else None
        moves = [move for move in self.change.moves if move.code == code]
        unit = words.unit_names.get(self.locale) or ("", "")
        control = self.control(kind, state, bool(held), switches, is_quoted)
        stands = [standing(self.contract, each.place, self.today) for each in switches]
        before = sum(each.quantity_chosen for each in stands)
        after = sum(self.draft[each.place].quantity or 0 for each in switches)
        return Card(
            code=code,
            kind=kind,
            icon=words.icon,
            name=text(words.names, self.locale),
            about=text(offer.descriptions, self.locale) if offer else "",
            is_held=bool(held) or is_included,
            state=state,
            control=control,
            price=self.price(held, terms),
            unit=unit[0],
            unit_plural=unit[1],
            choice=choice,
            least=switches[0].least if switches else 1,
            most=switches[0].most if switches else 1,
            boxes=tuple(self.box(each) for each in switches) if control == "boxes" else (),
            draft=self.drafted(before, after, moves) if not refusal else "",
            badge_before=str(before),
            badge_after=units(words, after, self.locale) if unit[0] else str(after),
            ends_on=self.ends_on(stands),
            plan=self.names[plan],
            plans=sellers,
            notes=tuple(self.notes(code, kind, terms, held, stands, moves, choice, is_included)),
            error=explain(refusal, self.locale, self.names) if refusal else "",
            quotation=self.quotations.get(code) if is_quoted else None,
            place=switches[0].place[1] or "" if control == "place" and switches else "",
        )

    def control(
        self, kind: OptionKind, state: str, is_held: bool, switches: Sequence[Control], is_quoted: bool
    ) -> str:
        if state == "included" and not is_held:
            return "none"
        if state == "unavailable":
            return "off"
        if is_quoted:
            return "quotation"
        match kind:
            case OptionKind.PER_UNIT:
                return "stepper"
            case OptionKind.PER_ESTABLISHMENT if len(self.active) > MOST_BOXES:
                return "matrix"
            case OptionKind.PER_ESTABLISHMENT if len(switches) > 1:
                return "boxes"
            case OptionKind.PER_ESTABLISHMENT:
                return "place"
        return "switch"

    def price(self, held: Sequence[HeldOption], terms: OptionTerms | None) -> Money | None:
        """Per unit and whole period: the price signed if there is one."""
        for option in held:
            if option.kind is OptionKind.ONE_OFF:
                return option.once
            if option.is_sold_under(self.contract.tariff):
                return option.unit_under(self.contract.tariff)
        if terms is None:
            return None
        return terms.once if terms.kind is OptionKind.ONE_OFF else terms.units.get(self.contract.frequency)

    def box(self, control: Control) -> Box:
        establishment_id = control.place[1] or ""
        stands = standing(self.contract, control.place, self.today)
        return Box(
            establishment_id,
            self.situation.addresses[establishment_id].name,
            self.draft[control.place].is_on,
            stands.pending.effective_on if stands.pending else None,
        )

    def drafted(self, before: int, after: int, moves: Sequence[Move]) -> str:
        if not moves:
            return ""
        if not after:
            return "removed"
        if not before and all(move.kind is MoveKind.KEPT for move in moves):
            return "kept"
        return "added" if not before else "changed"

    def ends_on(self, stands: Sequence[Standing]) -> date | None:
        """The first day without it, when all of it is being removed."""
        ends = [each.pending.effective_on for each in stands if each.pending and not each.pending.quantity]
        here = [each for each in stands if each.now]
        return max(ends) if ends and len(ends) == len(here) else None

    def notes(
        self,
        code: str,
        kind: OptionKind,
        terms: OptionTerms | None,
        held: Sequence[HeldOption],
        stands: Sequence[Standing],
        moves: Sequence[Move],
        choice: Choice | None,
        is_included: bool,
    ) -> Iterable[Note]:
        if moves:
            yield self.cost(code, kind, moves)
        elif self.situation.contract.options:
            yield from self.standing_notes(code, kind, stands)
        if kind is OptionKind.ONE_OFF and not moves:
            yield from self.orders(code)
        if not held and not is_included and terms is not None:
            for needed in sorted(terms.requires):
                has = any(each.code == needed and self.is_now(each) for each in self.contract.options)
                has = has or (
                    needed in self.terms and self.terms[needed].is_included_in(self.contract.tariff)
                )
                yield Note("requires_held" if has else "requires", names=(self.names.get(needed, needed),))
            for other in sorted(terms.excludes):
                yield Note("excludes", names=(self.names.get(other, other),))

    def standing_notes(self, code: str, kind: OptionKind, stands: Sequence[Standing]) -> Iterable[Note]:
        for each in stands:
            if each.pending is None or each.now is None:
                continue
            asked = self.requested.get(each.now.id)
            place = self.situation.addresses.get(each.now.establishment_id or "")
            yield Note(
                "leaving" if not each.pending.quantity else "decreasing",
                until=each.pending.effective_on - DAY,
                since=asked.requested_at.date() if asked else None,
                units=units(self.situation.options[code], each.pending.quantity, self.locale)
                if each.pending.quantity
                else "",
                names=(place.name,) if place and len(stands) > 1 else (),
            )

    def orders(self, code: str) -> Iterable[Note]:
        rows = [each for each in self.contract.options if each.code == code]
        earlier = [each.starts_on for each in rows if each.starts_on < self.today]
        if any(each.starts_on == self.today for each in rows):
            yield Note("ordered_today")
        elif earlier:
            yield Note("ordered", since=max(earlier))

    def cost(self, code: str, kind: OptionKind, moves: Sequence[Move]) -> Note:
        """What saving the moves of one option costs today, and what the option costs from then on."""
        lines = [
            line
            for line in self.change.due_now.lines
            if line.key.item in ("option", "one_off") and line.key.ref == code
        ]
        currency = self.situation.currency
        amount = total((line.net for line in lines), currency)
        per_period = total(
            (line.net for line in self.later if line.key.item == "option" and line.key.ref == code), currency
        )
        kinds = {move.kind for move in moves}
        more = sum(move.after - move.before for move in moves)
        note = Note(
            "cost",
            amount=amount,
            days=lines[0].service.days if lines else 0,
            until=lines[0].service.end - DAY if lines else None,
            per_period=per_period,
            units=units(self.situation.options[code], abs(more), self.locale) if more else "",
        )
        later = [move for move in moves if move.effective_on > self.today]
        if kind is OptionKind.ONE_OFF:
            return replace(note, kind="once" if amount.cents > 0 else "cancelled")
        if amount.cents < 0:
            return replace(note, kind="cancelled")
        if not lines and later:
            kind_of_note = "removed" if kinds == {MoveKind.REMOVED} and not per_period else "less"
            return replace(note, kind=kind_of_note, until=later[0].effective_on - DAY)
        if not lines:
            return replace(note, kind="kept" if MoveKind.KEPT in kinds else "free")
        if kind is OptionKind.PER_UNIT and kinds != {MoveKind.ADDED}:
            return replace(note, kind="more_units")
        return note
