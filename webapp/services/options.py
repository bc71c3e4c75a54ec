"""Options: previewed and saved as one change, and quoted when they have no list price (spec O1-O6, C4)."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy.orm import Session

from webapp.domain.access import Actor
from webapp.domain.catalogue import OptionOffer
from webapp.domain.contract import Frequency, OptionKind
from webapp.domain.money import Money
from webapp.domain.option_change import Move, OptionsChange, OptionTerms, Wish, change_of_options
from webapp.domain.pricing import Draft
from webapp.domain.proration import BilledLine
from webapp.domain.refusals import ContactPartner, NothingToSave, Refusal, StalePreview, SubscriptionEnded
from webapp.models.invoices import Invoice
from webapp.models.subscriptions import Subscription
from webapp.services import audit, billing, contracts, events, invoicing, notices, previews, scheduling
from webapp.services.contracts import OptionWords, Situation
from webapp.services.subscriptions import (
    ensure_running,
    ensure_self_service,
    issued_as_told,
    options_on_sale,
)
from webapp.services.wording import moves_in_words

CHANGE_OPTIONS = "options"  # the action, as a reseller's policy names it


@dataclass(frozen=True, slots=True)
class OptionsPreview:
    """One save as it would be confirmed now."""

    situation: Situation
    offers: tuple[OptionOffer, ...]
    change: OptionsChange
    arrears: tuple[Draft, ...]

    @property
    def fingerprint(self) -> str:
        change = self.change
        drafts = [change.due_now, *self.arrears, change.next_after]
        return previews.fingerprint(self.situation, change.today, drafts, *change.moves)


def terms_of(offer: OptionOffer) -> OptionTerms:
    """What the catalogue says of an option, as the rules read it."""
    cents = {price.frequency: Money(price.amount_cents, price.currency) for price in offer.prices}
    return OptionTerms(
        code=offer.code,
        kind=OptionKind(offer.kind),
        version_id=offer.version_id,
        units={often: cents[often.value] for often in Frequency if often.value in cents},
        once=cents.get("once"),
        offered_by=frozenset(offer.offered_by),
        included_by=frozenset(offer.included_by),
        requires=frozenset(offer.requires),
        excludes=frozenset(offer.excludes),
        min_quantity=offer.min_quantity,
        max_quantity=offer.max_quantity,
    )


@dataclass(frozen=True, slots=True)
class Basis:
    """What a save is worked out from, read once: the subscription as it is once today's billing has passed."""

    situation: Situation
    offers: tuple[OptionOffer, ...]
    terms: Mapping[str, OptionTerms]
    billed: Sequence[BilledLine]
    arrears: tuple[Draft, ...]
    today: date


def read(
    session: Session, subscription_id: uuid.UUID, today: date, quoted: OptionTerms | None = None
) -> Basis:
    """Read what saves are worked out from. `quoted` is the terms of an option on quotation, at the price accepted."""
    situation = contracts.load(session, subscription_id)
    offers = options_on_sale(session, situation, today)
    words = {offer.code: OptionWords(offer.names, offer.unit_names, offer.icon) for offer in offers}
    situation = replace(situation, options={**words, **situation.options})
    terms = {offer.code: terms_of(offer) for offer in offers}
    if quoted is not None:
        terms[quoted.code] = quoted
    billed = contracts.billed_lines(session, situation.subscription_id, today, since=today)
    situation, billed, arrears = previews.caught_up(situation, billed, today)
    return Basis(situation, tuple(offers), terms, billed, arrears, today)


def work_out(basis: Basis, wishes: Sequence[Wish]) -> OptionsPreview:
    """One save without writing anything. Raises the refusals of `change_of_options`, and ContactPartner."""
    situation = basis.situation
    if wishes:
        ensure_self_service(situation, CHANGE_OPTIONS)
    change = change_of_options(
        situation.contract, basis.terms, wishes, basis.billed, basis.today, situation.customer.vat
    )
    return OptionsPreview(situation, basis.offers, change, basis.arrears)


def preview(
    session: Session,
    subscription_id: uuid.UUID,
    wishes: Sequence[Wish],
    today: date,
    quoted: OptionTerms | None = None,
) -> OptionsPreview:
    """`work_out` from what is recorded now. Raises SubscriptionEnded, whatever is wished."""
    basis = read(session, subscription_id, today, quoted)
    ensure_running(basis.situation, today)
    return work_out(basis, wishes)


def forbidding(situation: Situation, today: date) -> Refusal | None:
    """The rule that keeps anybody from changing options here today, if there is one: pages say it beforehand."""
    ended = situation.contract.on(today).ended_on
    if ended is not None and ended <= today:
        return SubscriptionEnded(ended)
    try:
        ensure_self_service(situation, CHANGE_OPTIONS)
    except ContactPartner as refusal:
        return refusal
    return None


@dataclass(frozen=True, slots=True)
class SavedOptions:
    preview: OptionsPreview
    document: Invoice | None


def save(
    session: Session,
    subscription_id: uuid.UUID,
    wishes: Sequence[Wish],
    fingerprint: str,
    today: date,
    now: datetime,
    actor: Actor,
    link: str,
    quoted: OptionTerms | None = None,
) -> SavedOptions:
    """Save a draft of options: exactly what was previewed, or StalePreview and nothing (O2). Flushes.

    One save is one change: one document, one audit entry, one mail per owner. Raises NothingToSave.
    """
    subscription = scheduling.lock(session, subscription_id)
    shown = preview(session, subscription_id, wishes, today, quoted)
    if shown.fingerprint != fingerprint:
        raise StalePreview()
    if not shown.change.moves:
        raise NothingToSave()
    if shown.arrears:
        previewed = shown.change.due_now.total
        billing.bill_due(session, subscription_id, today, now)
        shown = preview(session, subscription_id, wishes, today, quoted)
        if shown.change.due_now.total != previewed:
            raise StalePreview()
    change, situation = shown.change, shown.situation
    issued = None
    if change.due_now.lines:
        issued = invoicing.issue(session, change.due_now, situation, "options", today, now)
    scheduling.write_choices(session, subscription, change.contract_before, change.contract_after, actor, now)
    scheduling.touch(session, subscription, now)
    audit.record(
        session,
        actor,
        subscription.account_id,
        "subscription.options_changed",
        "",
        {"options": {_place(move): move.before for move in change.moves}},
        {
            "options": {_place(move): move.after for move in change.moves},
            "moves": [
                {"kind": move.kind.value, "code": move.code, "effective_on": move.effective_on.isoformat()}
                for move in change.moves
            ],
            "document": issued.number if issued else None,
        },
        now,
    )
    tell_moves(session, subscription, change.moves, now)
    notices.tell_owners(
        session,
        situation.customer,
        "options_changed",
        now,
        lambda language: {"moves": moves_in_words(change.moves, situation, language)},
        document=issued_as_told(issued),
        link=link,
    )
    session.flush()
    return SavedOptions(shown, issued)


def tell_moves(session: Session, subscription: Subscription, moves: Sequence[Move], now: datetime) -> None:
    """Tell other systems what was chosen, each option with the quantity it has from its day."""
    told = [
        scheduling.option_told(move.code, move.establishment_id, move.after, move.effective_on)
        for move in moves
    ]
    if told:
        events.of_subscription(session, "subscription.options_changed", subscription, now, options=told)


def _place(move: Move) -> str:
    return f"{move.code}@{move.establishment_id}" if move.establishment_id else move.code
