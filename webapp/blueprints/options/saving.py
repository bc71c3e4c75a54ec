"""A save of options: what it changes before it is confirmed, and what it did."""

import uuid
from dataclasses import dataclass
from datetime import date, timedelta

from webapp.amounts import NamedLine, due_now, named_lines
from webapp.blueprints.options.cards import DAY
from webapp.blueprints.options.forms import write
from webapp.domain.contract import Frequency
from webapp.domain.money import Money
from webapp.domain.option_change import MoveKind
from webapp.domain.pricing import Draft
from webapp.models.invoices import Invoice
from webapp.services.contracts import Customer, PendingChange, Situation
from webapp.services.options import OptionsPreview
from webapp.services.wording import option_name, units


@dataclass(frozen=True, slots=True)
class MoveRow:
    kind: MoveKind
    name: str
    before: str
    after: str
    is_counted: bool
    last_day: date


@dataclass(frozen=True, slots=True)
class PreviewPage:
    subscription_id: uuid.UUID
    moves: list[MoveRow]
    today: date
    frequency: Frequency
    due: Draft
    due_lines: list[NamedLine]
    arrears: tuple[Draft, ...]
    next_before: Draft | None
    next_after: Draft | None
    pay_by: date
    customer: Customer
    fingerprint: str
    wishes: list[str]
    later: list[date]  # days on which something stops

    @property
    def has_now(self) -> bool:
        return any(move.kind not in (MoveKind.REMOVED, MoveKind.DECREASED) for move in self.moves)

    @property
    def due_now(self) -> Money:
        return due_now(self.due, self.arrears)


def preview_page(shown: OptionsPreview, locale: str) -> PreviewPage:
    change, situation = shown.change, shown.situation
    rows = []
    for move in change.moves:
        words = situation.options[move.code]
        rows.append(
            MoveRow(
                move.kind,
                option_name(move.code, move.establishment_id, situation, locale),
                units(words, move.before, locale) if move.before else "",
                units(words, move.after, locale) if move.after else "",
                bool(words.unit_names.get(locale)),
                move.effective_on - DAY,
            )
        )
    return PreviewPage(
        subscription_id=situation.subscription_id,
        moves=rows,
        today=change.today,
        frequency=change.contract_before.frequency,
        due=change.due_now,
        due_lines=named_lines(change.due_now, situation, locale),
        arrears=shown.arrears,
        next_before=change.next_before,
        next_after=change.next_after,
        pay_by=change.today + timedelta(days=situation.customer.payment_term_days),
        customer=situation.customer,
        fingerprint=shown.fingerprint,
        wishes=[write((move.code, move.establishment_id), move.after) for move in change.moves],
        later=sorted({move.effective_on for move in change.moves if move.effective_on > change.today}),
    )


@dataclass(frozen=True, slots=True)
class Leaving:
    name: str
    change: PendingChange
    units: str


@dataclass(frozen=True, slots=True)
class DonePage:
    subscription_id: uuid.UUID
    document: Invoice | None
    leaving: list[Leaving]
    customer: Customer


def done(situation: Situation, document: Invoice | None, locale: str) -> DonePage:
    held = {option.id: option for option in situation.contract.options}
    leaving = []
    for change in situation.pending:
        option = held.get(change.facts.get("option_id", 0))
        if option is not None:
            name = option_name(option.code, option.establishment_id, situation, locale)
            quantity = change.facts.get("quantity", 0)
            left = units(situation.options[option.code], quantity, locale) if quantity else ""
            leaving.append(Leaving(name, change, left))
    return DonePage(situation.subscription_id, document, leaving, situation.customer)
