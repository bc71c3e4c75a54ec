"""Writing to those who answer: the operator, or for a reseller's client the partner (P8, P9)."""

import uuid
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain.access import Actor
from webapp.models.accounts import Account, Reseller
from webapp.models.invoices import Issuer
from webapp.models.subscriptions import Subscription
from webapp.services import audit, contracts, outbox, requests

DESK_LANGUAGE = "fr"  # of those who read the messages


class NobodyToWriteTo(RuntimeError):
    """No selling company is recorded: nobody reads the messages."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Who answers."""

    name: str
    email: str
    phone: str
    is_partner: bool


@dataclass(frozen=True, slots=True)
class Context:
    """What goes with a message, and to whom: the writer sees it before sending."""

    desk: Desk
    account: str
    reference: str
    plan_names: contracts.Texts


def context(session: Session, subscription_id: uuid.UUID, today: date) -> Context:
    """Raises NobodyToWriteTo."""
    reader = desk(session, subscription_id)
    if reader is None:
        raise NobodyToWriteTo()
    situation = contracts.load(session, subscription_id)
    customer = situation.customer
    plan = situation.plans[situation.contract.on(today).plan_code]
    return Context(reader, customer.name, customer.reference, plan)


def desk(session: Session, subscription_id: uuid.UUID) -> Desk | None:
    partner = session.execute(
        select(Reseller.name, Reseller.contact_email, Reseller.contact_phone)
        .join(Account, Account.reseller_id == Reseller.id)
        .join(Subscription, Subscription.account_id == Account.id)
        .where(Subscription.id == subscription_id)
    ).first()
    if partner is not None:
        return Desk(*partner, is_partner=True)
    issuer = session.execute(
        select(Issuer.brand, Issuer.email, Issuer.phone).order_by(Issuer.id).limit(1)
    ).first()
    return Desk(*issuer, is_partner=False) if issuer else None


def write(
    session: Session,
    subscription_id: uuid.UUID,
    message: str,
    sender: tuple[str, str],
    page: str,
    today: date,
    now: datetime,
    actor: Actor,
) -> None:
    """Mail `message` to the desk with the account, the plan and the page it was written from, and open its request. Flushes.

    `sender` is a name and the address to answer to. Raises NobodyToWriteTo.
    """
    reader = desk(session, subscription_id)
    if reader is None:
        raise NobodyToWriteTo()
    situation = contracts.load(session, subscription_id)
    contract, customer = situation.contract.on(today), situation.customer
    name, email = sender
    plan = situation.plans[contract.plan_code]
    opened = requests.open_one(
        session,
        "partner" if reader.is_partner else "message",
        customer.account_id,
        actor,
        now,
        subscription_id=subscription_id,
        text=message,
        facts=requests.context(session, customer.account_id, page, plan),
    )
    outbox.queue(
        session,
        "support_message",
        recipient=reader.email,
        language=DESK_LANGUAGE,
        account_id=customer.account_id,
        now=now,
        thread=requests.thread(opened.id),
        reply_to=email,
        message=message,
        sender_name=name,
        sender_email=email,
        account=customer.name,
        reference=customer.reference,
        plan=plan[DESK_LANGUAGE],
        is_annual=contract.frequency.value == "annual",
        page=page,
    )
    audit.record(
        session,
        actor,
        customer.account_id,
        "support.written",
        customer.reference,
        {},
        {"page": page, "characters": len(message)},
        now,
    )
    session.flush()
