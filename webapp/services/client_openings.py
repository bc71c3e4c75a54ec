"""A reseller opens the account of a new client: details, first addresses, one of its plans on sale, its owner invited (R1).

What is shown before is what `add` does, undone: there is no second calculation for the screen (P1).
"""

import hashlib
import json
import secrets
import uuid
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.adapters.vies import CheckVat
from webapp.domain.access import Actor, Role
from webapp.domain.catalogue import PlanOffer
from webapp.domain.money import Money, total
from webapp.domain.pricing import Draft
from webapp.domain.refusals import PlanNotForSale, StalePreview
from webapp.domain.resale import charged
from webapp.models.accounts import Account, Reseller
from webapp.services import (
    audit,
    billing,
    billing_details,
    catalogue,
    contracts,
    memberships,
    resale,
    subscriptions,
)
from webapp.services.billing_details import Details
from webapp.services.contracts import Situation
from webapp.services.invitations import AddressOf
from webapp.services.subscriptions import NewEstablishment

MOST_ESTABLISHMENTS = 10  # the others are added afterwards, or by a file


@dataclass(frozen=True, slots=True)
class NewClient:
    """What the form asks for; `establishments` holds at least one."""

    details: Details
    owner_email: str
    establishments: tuple[NewEstablishment, ...]
    plan_code: str
    frequency: str


@dataclass(frozen=True, slots=True)
class Opening:
    """The client as it would be from today. `draft` is its first period: what the client, or its reseller, is billed."""

    situation: Situation
    today: date
    draft: Draft

    @property
    def fingerprint(self) -> str:
        """Stands for the tariff, its day and every amount; ids are those of a trial, and stand for nothing."""
        lines = [
            [*map(str, (line.unit, line.quantity, line.service, line.net, line.vat))]
            for line in self.draft.lines
        ]
        told = [self.today.isoformat(), self.situation.contract.tariff.price_id, lines]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]


def plans(session: Session, reseller_id: uuid.UUID, today: date) -> list[PlanOffer]:
    """Those that its clients may sign today, at its own tariffs."""
    return catalogue.plans_for_sale(session, reseller_id, today)


def preview(
    session: Session,
    reseller_id: uuid.UUID,
    wanted: NewClient,
    *,
    check_vat: CheckVat,
    actor: Actor,
    today: date,
    now: datetime,
) -> Opening:
    """What adding this client comes to; nothing of it stays. Raises PlanNotForSale."""
    trial = session.begin_nested()
    try:
        return _opened(session, reseller_id, uuid.uuid4(), wanted, check_vat, actor, today, now)
    finally:
        trial.rollback()


def add(
    session: Session,
    reseller_id: uuid.UUID,
    account_id: uuid.UUID,
    wanted: NewClient,
    fingerprint: str,
    *,
    check_vat: CheckVat,
    address_of: AddressOf,
    actor: Actor,
    today: date,
    now: datetime,
) -> Account:
    """The client that was previewed: signed, billed for its first period, its owner invited by mail. Flushes.

    The caller holds the row of the reseller. Raises StalePreview when a figure moved, PlanNotForSale, and the refusals of
    `invoicing.issue`.
    """
    opening = _opened(session, reseller_id, account_id, wanted, check_vat, actor, today, now)
    if opening.fingerprint != fingerprint:
        raise StalePreview()
    billing.bill_due(session, opening.situation.subscription_id, today, now)
    memberships.invite(
        session,
        account_id,
        email=wanted.owner_email,
        role=Role.OWNER,
        address_of=address_of,
        actor=actor,
        now=now,
    )
    account = session.get_one(Account, account_id)
    facts = {"client": account.reference, "name": account.name, "plan": wanted.plan_code}
    slug = session.get_one(Reseller, reseller_id).slug
    audit.record(session, actor, None, "reseller.client_added", slug, {}, facts, now)
    session.flush()
    return account


def wholesale(session: Session, opening: Opening) -> Money:
    """What the reseller pays for the first period when it is the one billed, VAT excluded."""
    partner, draft = opening.situation.partner, opening.draft
    prices = resale.prices_of(session, partner.id) if partner else []
    sides = (charged(line, draft, opening.situation.contract, prices).net for line in draft.lines)
    return total(sides, draft.currency)


def _opened(
    session: Session,
    reseller_id: uuid.UUID,
    account_id: uuid.UUID,
    wanted: NewClient,
    check_vat: CheckVat,
    actor: Actor,
    today: date,
    now: datetime,
) -> Opening:
    price_id = _price(session, reseller_id, wanted, today)
    account = Account(
        id=account_id,
        reference=_free_reference(session),
        name=wanted.details.name,
        reseller_id=reseller_id,
        created_at=now,
    )
    session.add(account)
    session.flush()
    billing_details.start(session, account, wanted.details, check_vat, now)
    subscription = subscriptions.sign(
        session, account_id, price_id, today, wanted.establishments, [], actor, now, reseller_id
    )
    situation = contracts.load(session, subscription.id)
    step = billing.next_step(situation.contract, [], today, situation.customer.vat)
    if step is None or step.draft is None:
        raise PlanNotForSale()  # a tariff under which nothing begins
    return Opening(situation, today, step.draft)


def _price(session: Session, reseller_id: uuid.UUID, wanted: NewClient, today: date) -> int:
    """The tariff of the reseller on sale today. Raises PlanNotForSale: another reseller's does not exist here."""
    for offer in plans(session, reseller_id, today):
        price = offer.price(wanted.frequency)
        if offer.code == wanted.plan_code and price is not None:
            return price.id
    raise PlanNotForSale()


def _free_reference(session: Session) -> str:
    """Drawn by lot: it tells nobody how many clients there are, and two openings at once do not wait for each other."""
    while True:
        reference = f"CA-{100_000 + secrets.randbelow(900_000)}"
        if session.scalar(select(Account.id).where(Account.reference == reference)) is None:
            return reference
