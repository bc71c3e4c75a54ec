"""Establishments: added, renamed, removed, brought back the same day, imported from a file (spec E1-E6)."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy.orm import Session

from webapp.domain.access import Actor
from webapp.domain.contract import Contract, HeldEstablishment
from webapp.domain.establishment_change import EstablishmentsChange, change_of_establishments, removal_undone
from webapp.domain.option_change import Wish, change_of_options
from webapp.domain.pricing import Draft
from webapp.domain.proration import with_draft
from webapp.domain.refusals import NothingToSave, StalePreview, UnknownEstablishment
from webapp.models.invoices import Invoice
from webapp.models.subscriptions import Establishment, Subscription
from webapp.services import audit, billing, contracts, invoicing, notices, previews, scheduling
from webapp.services.contracts import Address, Situation
from webapp.services.subscriptions import NewEstablishment, ensure_self_service, issued_as_told
from webapp.services.wording import text

CHANGE_ESTABLISHMENTS = "establishments"  # the action, as a reseller's policy names it


@dataclass(frozen=True, slots=True)
class EstablishmentsPreview:
    """Establishments that come and go, as they would be confirmed now."""

    situation: Situation
    change: EstablishmentsChange
    adding: tuple[NewEstablishment, ...]
    option_wishes: tuple[Wish, ...]  # options of the account that go with what is removed
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
    change = change_of_establishments(situation.contract, coming, removing, billed, today, vat)
    if option_wishes:
        along = change_of_options(
            change.contract_after, {}, option_wishes, with_draft(billed, change.due_now), today, vat
        )
        change = replace(change, contract_after=along.contract_after, next_after=along.next_after)
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
    return EstablishmentsPreview(situation, change, tuple(adding), tuple(option_wishes), arrears)


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
        billing.bill_due(session, subscription_id, today, now)
        shown = preview(session, subscription_id, adding, removing, today, option_wishes)
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
            "added": [each.name for each in shown.adding],
            "charged_from": change.renewal_on.isoformat(),
            "document": issued.number if issued else None,
        },
        now,
    )
    notices.tell_owners(
        session,
        situation.customer,
        "establishments_changed",
        now,
        lambda language: {
            "options_ending": sorted(
                {text(situation.options[each.code].names, language) for each in change.options_ending}
            )
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
    """Bring an establishment back the day it was removed (E5). Raises UnknownEstablishment, TooLateToUndo."""
    subscription = scheduling.lock(session, subscription_id)
    situation = contracts.load(session, subscription_id)
    ensure_self_service(situation, CHANGE_ESTABLISHMENTS)
    after = removal_undone(situation.contract, establishment_id.hex, today)
    row = _row(session, subscription_id, establishment_id)
    row.active_until, row.charged_until = None, None
    scheduling.write_choices(session, subscription, situation.contract, after, actor, now)
    scheduling.touch(session, subscription, now)
    facts = {"establishment": row.name}
    audit.record(
        session, actor, subscription.account_id, "establishment.brought_back", row.name, {}, facts, now
    )
    session.flush()


def edit(
    session: Session,
    subscription_id: uuid.UUID,
    establishment_id: uuid.UUID,
    details: NewEstablishment,
    now: datetime,
    actor: Actor,
) -> None:
    """Correct a name or an address; issued documents keep theirs. Raises UnknownEstablishment."""
    subscription = scheduling.lock(session, subscription_id)
    ensure_self_service(contracts.load(session, subscription_id), CHANGE_ESTABLISHMENTS)
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
    session.flush()


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
