"""The page of options: its switches as they stand, its cards, and the price of the draft."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from webapp.amounts import NamedLine, due_now, named_lines
from webapp.blueprints.options.cards import MOST_BOXES, Card, Cards
from webapp.blueprints.options.forms import Choice, Control, drawn_text, saved_text
from webapp.domain.catalogue import OptionOffer, PlanOffer
from webapp.domain.contract import Frequency, OptionKind
from webapp.domain.money import Money
from webapp.domain.option_change import MoveKind, Place, standing
from webapp.domain.pricing import Draft
from webapp.domain.refusals import QuantityOutOfRange, Refusal
from webapp.i18n import explain
from webapp.models.subscriptions import Quotation
from webapp.services.contracts import Situation
from webapp.services.options import OptionsPreview, terms_of
from webapp.services.wording import moves_in_words, text

WITHOUT_LINE = (MoveKind.REMOVED, MoveKind.DECREASED, MoveKind.KEPT)


@dataclass(frozen=True, slots=True)
class OptionsPage:
    subscription_id: uuid.UUID
    cards: list[Card]
    frequency: Frequency
    may_change: bool
    why_not: str  # the sentence, when a rule and not the role forbids
    moves: int
    refused: list[Card]  # cards with an error: the draft cannot be saved
    due: Draft
    due_lines: list[NamedLine]
    later: list[str]  # what the draft keeps or stops, which has no line of its own
    arrears: tuple[Draft, ...]
    next_before: Draft | None
    next_after: Draft | None
    saved: str
    drawn: str
    is_stale: bool

    @property
    def held(self) -> list[Card]:
        return [card for card in self.cards if card.is_held]

    @property
    def more(self) -> list[Card]:
        return [card for card in self.cards if not card.is_held]

    @property
    def is_draft(self) -> bool:
        return bool(self.moves or self.refused)

    @property
    def due_now(self) -> Money:
        """Everything the save issues, VAT included."""
        return due_now(self.due, self.arrears)


def controls(situation: Situation, offers: Sequence[OptionOffer], today: date) -> list[Control]:
    """Every switch that the page may show, as it stands: the places of the draft."""
    contract, found = situation.contract, []
    terms = {offer.code: terms_of(offer) for offer in offers}
    held = {option.code: option for option in contract.options}
    active = [each.id for each in contract.establishments_active_on(today)]
    for code in [*terms, *(code for code in held if code not in terms)]:
        option = terms.get(code)
        kind = option.kind if option else held[code].kind
        places: list[Place] = [(code, None)]
        if kind is OptionKind.PER_ESTABLISHMENT:
            places = [(code, each) for each in active] if len(active) <= MOST_BOXES else []
        for place in places:
            stands = standing(contract, place, today)
            if stands.now is None and (option is None or not option.is_sold_under(contract.tariff)):
                continue
            quantity = stands.quantity_chosen
            idle = quantity or stands.quantity_now or (option.min_quantity if option else 1)
            least, most = (option.min_quantity, option.max_quantity) if option else (1, stands.quantity_now)
            found.append(Control(place, kind, quantity, idle, least, most))
    return found


def options_page(
    shown: OptionsPreview,
    refusals: Mapping[str, Refusal],
    draft: Mapping[Place, Choice],
    switches: Sequence[Control],
    plans: Sequence[PlanOffer],
    quotations: Mapping[str, Quotation],
    locale: str,
    may_change: bool,
    forbids: Refusal | None,
    is_stale: bool = False,
) -> OptionsPage:
    """`shown` is worked out from the wishes that no rule refuses, `refusals` are the others, by option."""
    situation, change = shown.situation, shown.change
    names = {plan.code: text(plan.names, locale) for plan in plans}
    names |= {code: text(texts, locale) for code, texts in situation.plans.items()}
    names |= {code: text(words.names, locale) for code, words in situation.options.items()}
    maker = Cards(shown, refusals, draft, switches, plans, quotations, names, locale, may_change)
    cards = maker.cards()
    return OptionsPage(
        subscription_id=situation.subscription_id,
        cards=cards,
        frequency=change.contract_before.frequency,
        may_change=may_change,
        why_not=explain(forbids, locale, names) if forbids else "",
        moves=len(change.moves),
        refused=[card for card in cards if card.error],
        due=change.due_now,
        due_lines=named_lines(change.due_now, situation, locale),
        later=moves_in_words([move for move in change.moves if move.kind in WITHOUT_LINE], situation, locale),
        arrears=shown.arrears if change.moves else (),
        next_before=change.next_before,
        next_after=change.next_after,
        saved=saved_text(switches),
        drawn=drawn_text(draft),
        is_stale=is_stale,
    )


def field_refusals(draft: Mapping[Place, Choice], switches: Sequence[Control]) -> dict[str, Refusal]:
    """Quantities that are none: said beside their field, and nothing is worked out for them."""
    return {
        control.place[0]: QuantityOutOfRange(control.place[0], control.least, control.most)
        for control in switches
        if draft[control.place].quantity is None
    }
