"""Establishments: added, renamed, removed, brought back the same day, imported from a file (spec E1-E6)."""

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy.orm import Session
from stdnum.be import vat as enterprise_number
from stdnum.exceptions import ValidationError

from webapp.domain.access import Actor
from webapp.domain.contract import Contract, HeldEstablishment
from webapp.domain.establishment_change import EstablishmentsChange, change_of_establishments, removal_undone
from webapp.domain.option_change import Move, Wish, change_of_options
from webapp.domain.pricing import Draft, period_draft
from webapp.domain.proration import settlement
from webapp.domain.refusals import NothingToSave, ReturnCosts, StalePreview, UnknownEstablishment
from webapp.models.invoices import Invoice
from webapp.models.subscriptions import Establishment, Subscription
from webapp.services import audit, billing, contracts, events, invoicing, notices, previews, scheduling
from webapp.services.contracts import Address, OptionWords, Situation
from webapp.services.options import tell_moves, terms_of
from webapp.services.subscriptions import (
    NewEstablishment,
    ensure_running,
    ensure_self_service,
    issued_as_told,
    options_on_sale,
)
from webapp.services.wording import moves_in_words, text

CHANGE_ESTABLISHMENTS = "establishments"  # the action, as a reseller's policy names it
LONGEST = 120  # characters of a name, a street, a city


# ── What is typed, in a form or in a file ────────────────────────────────────────────────────────────────────────


def checked(cells: Mapping[str, str]) -> tuple[NewEstablishment, tuple[str, ...]]:
    """The details as they will be kept, and the names of the fields that cannot be. One rule for forms and files."""
    details = NewEstablishment(
        name=_tidy(cells.get("name", "")),
        street=_tidy(cells.get("street", "")),
        postcode=_tidy(cells.get("postcode", "")),
        city=_tidy(cells.get("city", "")),
        number=_tidy(cells.get("number", "")) or None,
    )
    wrong = [each for each in ("name", "street", "city") if not 0 < len(getattr(details, each)) <= LONGEST]
    if not re.fullmatch(r"[1-9][0-9]{3}", details.postcode):
        wrong.append("postcode")
    if details.number is not None:
        try:
            details = replace(details, number=establishment_number(details.number))
        except ValidationError:
            wrong.append("number")
    return details, tuple(each for each in _DETAILS if each in wrong)


def _tidy(typed: str) -> str:
    return " ".join("".join(sign if sign.isprintable() else " " for sign in typed).split())


def establishment_number(typed: str) -> str:
    """The ten digits of the number that the Crossroads Bank for Enterprises gives an establishment unit.

    2.xxx.xxx.xxx: the first digit is 2 to 8, the last two are 97 less the rest of the eight others, as for the
    enterprise number (royal decree of 24 June 2003). Raises ValidationError.

    >>> establishment_number("2.123.456.791")
    '2123456791'
    """
    compact = re.sub(r"[ .]", "", typed)
    if not re.fullmatch(r"[2-8][0-9]{9}", compact) or enterprise_number.checksum(compact) != 0:
        raise ValidationError()
    return compact


def same_place(name: str, street: str, postcode: str) -> tuple[str, ...]:
    """What makes two lines the same establishment: name, street and postcode, however they are typed."""
    return tuple(" ".join(each.casefold().split()) for each in (name, street, postcode))


@dataclass(frozen=True, slots=True)
class ImportedLine:
    """What becomes of one line of a file: it is added, known already, or refused for the fields in `problems`."""

    number: int
    details: NewEstablishment
    outcome: str  # added, known, twice or refused
    problems: tuple[str, ...] = ()


def sort_lines(
    situation: Situation, lines: Sequence[tuple[int, Mapping[str, str]]], today: date
) -> list[ImportedLine]:
    """Read numbered lines against what is in service today. Nothing is written."""
    active = (situation.addresses[each.id] for each in situation.contract.establishments_active_on(today))
    known = {same_place(each.name, each.street, each.postcode) for each in active}
    seen: set[tuple[str, ...]] = set()
    sorted_lines = []
    for number, cells in lines:
        details, problems = checked(cells)
        place = same_place(details.name, details.street, details.postcode)
        if problems:
            outcome = "refused"
        else:
            outcome = "known" if place in known else "twice" if place in seen else "added"
            seen.add(place)
        sorted_lines.append(ImportedLine(number, details, outcome, problems))
    return sorted_lines


# ── Coming and going ─────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class EstablishmentsPreview:
    """Establishments that come and go, as they would be confirmed now."""

    situation: Situation
    change: EstablishmentsChange
    adding: tuple[NewEstablishment, ...]
    option_wishes: tuple[Wish, ...]  # options of the account that go with what is removed
    moves: tuple[Move, ...]  # what these wishes do
    arrears: tuple[Draft, ...]

    @property
    def fingerprint(self) -> str:
        change = self.change
        return previews.fingerprint(
            self.situation,
            change.today,
            [change.due_now, *self.arrears, change.next_after],
            change.renewal_on,
            *self.adding,
            *(each.id for each in change.removed),
            *self.option_wishes,
        )


def preview(
    session: Session,
    subscription_id: uuid.UUID,
    adding: Sequence[NewEstablishment],
    removing: Sequence[str],
    today: date,
    option_wishes: Sequence[Wish] = (),
) -> EstablishmentsPreview:
    """Work out what comes and goes without writing anything. `removing` holds ids, as 32 hexadecimal digits.

    `option_wishes` are options of the account to remove along, each with quantity 0. Raises the refusals of
    `change_of_establishments` and `change_of_options`, and ContactPartner.
    """
    situation = contracts.load(session, subscription_id)
    ensure_self_service(situation, CHANGE_ESTABLISHMENTS)
    billed = contracts.billed_lines(session, subscription_id, today, since=today)
    situation, billed, arrears = previews.caught_up(situation, billed, today)
    # A new address has no id before it is written; its place in the list stands for it in the preview.
    coming = [(f"new-{number}", each.name) for number, each in enumerate(adding, start=1)]
    vat = situation.customer.vat
    contract, next_before = situation.contract, None
    moves: tuple[Move, ...] = ()
    if option_wishes:
        offers = options_on_sale(session, situation, today)
        terms = {offer.code: terms_of(offer) for offer in offers}
        words = {offer.code: OptionWords(offer.names, offer.unit_names, offer.icon) for offer in offers}
        situation = replace(situation, options={**words, **situation.options})
        along = change_of_options(contract, terms, option_wishes, billed, today, vat)
        contract, moves, next_before = along.contract_after, along.moves, along.next_before
    # One settlement for both: what the options give back today is in it.
    change = change_of_establishments(contract, coming, removing, billed, today, vat)
    if moves:
        change = replace(
            change,
            contract_before=situation.contract,
            next_before=next_before,
            period_before=period_draft(situation.contract, vat),
        )
    situation = replace(
        situation,
        addresses={
            **situation.addresses,
            **{
                each_id: Address(each.name, each.street, each.postcode, each.city)
                for (each_id, _), each in zip(coming, adding, strict=True)
            },
        },
    )
    return EstablishmentsPreview(situation, change, tuple(adding), tuple(option_wishes), moves, arrears)


@dataclass(frozen=True, slots=True)
class SavedEstablishments:
    preview: EstablishmentsPreview
    document: Invoice | None
    added: tuple[Establishment, ...]


def save(
    session: Session,
    subscription_id: uuid.UUID,
    adding: Sequence[NewEstablishment],
    removing: Sequence[str],
    fingerprint: str,
    today: date,
    now: datetime,
    actor: Actor,
    link: str,
    option_wishes: Sequence[Wish] = (),
) -> SavedEstablishments:
    """Do what was previewed, or StalePreview and nothing. Flushes. One audit entry and one mail for the lot."""
    subscription = scheduling.lock(session, subscription_id)
    shown = preview(session, subscription_id, adding, removing, today, option_wishes)
    if shown.fingerprint != fingerprint:
        raise StalePreview()
    if not adding and not removing:
        raise NothingToSave()
    if shown.arrears:
        previewed = shown.change.due_now.total
        billing.bill_due(session, subscription_id, today, now)
        shown = preview(session, subscription_id, adding, removing, today, option_wishes)
        if shown.change.due_now.total != previewed:
            raise StalePreview()
    change, situation = shown.change, shown.situation
    issued = None
    if change.due_now.lines:
        issued = invoicing.issue(session, change.due_now, situation, "establishments", today, now)
    rows = _write(session, subscription, change, shown.adding)
    scheduling.write_choices(session, subscription, change.contract_before, change.contract_after, actor, now)
    scheduling.touch(session, subscription, now)
    audit.record(
        session,
        actor,
        subscription.account_id,
        "subscription.establishments_changed",
        "",
        {"removed": [each.name for each in change.removed]},
        {
            "options": {move.code: move.after for move in shown.moves},
            "added": [each.name for each in shown.adding],
            "charged_from": change.renewal_on.isoformat(),
            "document": issued.number if issued else None,
        },
        now,
    )
    tell_moves(session, subscription, shown.moves, now)
    _tell(
        session,
        subscription,
        today,
        now,
        added=[_told(row.id, row.name) for row in rows],
        removed=[_told(uuid.UUID(each.id), each.name) for each in change.removed],
    )
    notices.tell_owners(
        session,
        situation.customer,
        "establishments_changed",
        now,
        lambda language: {
            "options_ending": sorted(
                {text(situation.options[each.code].names, language) for each in change.options_ending}
            ),
            "moves": moves_in_words(shown.moves, situation, language),
        },
        added=[each.name for each in shown.adding],
        removed=[each.name for each in change.removed],
        renewal_on=change.renewal_on,
        document=issued_as_told(issued),
        link=link,
    )
    session.flush()
    return SavedEstablishments(shown, issued, tuple(rows))


def undo_removal(
    session: Session,
    subscription_id: uuid.UUID,
    establishment_id: uuid.UUID,
    today: date,
    now: datetime,
    actor: Actor,
) -> None:
    """Bring an establishment back the day it was removed (E5), when that costs nothing.

    Raises UnknownEstablishment, TooLateToUndo, ReturnCosts, SubscriptionEnded.
    """
    subscription = scheduling.lock(session, subscription_id)
    situation = contracts.load(session, subscription_id)
    ensure_self_service(situation, CHANGE_ESTABLISHMENTS)
    ensure_running(situation, today)
    after = removal_undone(situation.contract, establishment_id.hex, today)
    billed = contracts.billed_lines(session, subscription_id, today, since=today)
    due = settlement(after, billed, today, situation.customer.vat)
    if due.lines:
        raise ReturnCosts(due.total)
    row = _row(session, subscription_id, establishment_id)
    row.active_until, row.charged_until = None, None
    scheduling.write_choices(session, subscription, situation.contract, after, actor, now)
    scheduling.touch(session, subscription, now)
    facts = {"establishment": row.name}
    audit.record(
        session, actor, subscription.account_id, "establishment.brought_back", row.name, {}, facts, now
    )
    _tell(session, subscription, today, now, added=[_told(row.id, row.name)])
    session.flush()


def edit(
    session: Session,
    subscription_id: uuid.UUID,
    establishment_id: uuid.UUID,
    details: NewEstablishment,
    today: date,
    now: datetime,
    actor: Actor,
) -> None:
    """Correct a name or an address; issued documents keep theirs. Raises UnknownEstablishment, SubscriptionEnded."""
    subscription = scheduling.lock(session, subscription_id)
    situation = contracts.load(session, subscription_id)
    ensure_self_service(situation, CHANGE_ESTABLISHMENTS)
    ensure_running(situation, today)
    row = _row(session, subscription_id, establishment_id)
    if row.active_until is not None:
        raise UnknownEstablishment()
    before = {name: getattr(row, name) for name in _DETAILS}
    for name in _DETAILS:
        setattr(row, name, getattr(details, name))
    after = {name: getattr(row, name) for name in _DETAILS}
    if before != after:
        scheduling.touch(session, subscription, now)
        audit.record(
            session, actor, subscription.account_id, "establishment.edited", row.name, before, after, now
        )
        _tell(session, subscription, today, now, edited=[_told(row.id, row.name)])
    session.flush()


def find(session: Session, subscription_id: uuid.UUID, establishment_id: uuid.UUID) -> NewEstablishment:
    """What is known of an establishment in service, to be corrected. Raises UnknownEstablishment."""
    row = _row(session, subscription_id, establishment_id)
    if row.active_until is not None:
        raise UnknownEstablishment()
    return NewEstablishment(**{name: getattr(row, name) for name in _DETAILS})


def _told(establishment_id: uuid.UUID, name: str) -> dict[str, str]:
    return {"id": str(establishment_id), "name": name}


def _tell(
    session: Session,
    subscription: Subscription,
    today: date,
    now: datetime,
    *,
    added: Sequence[dict[str, str]] = (),
    removed: Sequence[dict[str, str]] = (),
    edited: Sequence[dict[str, str]] = (),
) -> None:
    """Tell other systems which establishments came, went, or changed their name or address."""
    events.of_subscription(
        session, "subscription.establishments_changed", subscription, now,
        added=list(added), removed=list(removed), edited=list(edited), on=today.isoformat(),
    )  # fmt: skip


_DETAILS = ("name", "street", "postcode", "city", "number")


def _row(session: Session, subscription_id: uuid.UUID, establishment_id: uuid.UUID) -> Establishment:
    row = session.get(Establishment, establishment_id)
    if row is None or row.subscription_id != subscription_id:
        raise UnknownEstablishment()
    return row


def _write(
    session: Session,
    subscription: Subscription,
    change: EstablishmentsChange,
    adding: Sequence[NewEstablishment],
) -> list[Establishment]:
    for removed in change.removed:
        gone = _held(change.contract_after, removed.id)
        row = session.get_one(Establishment, uuid.UUID(removed.id))
        row.active_until, row.charged_until = gone.active_until, gone.charged_until
    rows = [
        Establishment(
            subscription_id=subscription.id,
            position=priced.establishment.position,
            active_from=priced.establishment.active_from,
            charged_from=priced.establishment.charged_from,
            **{name: getattr(details, name) for name in _DETAILS},
        )
        for priced, details in zip(change.added, adding, strict=True)
    ]
    session.add_all(rows)
    session.flush()
    return rows


def _held(contract: Contract, establishment_id: str) -> HeldEstablishment:
    return next(each for each in contract.establishments if each.id == establishment_id)
