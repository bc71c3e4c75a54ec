"""Resellers as the operator's team sees them: found, opened, suspended and let in again (R1)."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.domain.access import Actor, ResellerRole
from webapp.domain.refusals import ResellerNameTaken
from webapp.models.accounts import Account, Invitation, Reseller, ResellerMembership
from webapp.models.resellers import ResellerAccount
from webapp.services import audit, reseller_people
from webapp.services.invitations import AddressOf
from webapp.services.resellers import Contact


@dataclass(frozen=True, slots=True)
class Listed:
    reseller: Reseller
    clients: int
    people: int


def listed(session: Session) -> list[Listed]:
    """All of them, by name. One statement."""
    clients = (
        select(func.count(Account.id))
        .where(Account.reseller_id == Reseller.id, Account.closed_at.is_(None))
        .correlate(Reseller)
        .scalar_subquery()
    )
    people = (
        select(func.count(ResellerMembership.id))
        .where(ResellerMembership.reseller_id == Reseller.id)
        .correlate(Reseller)
        .scalar_subquery()
    )
    rows = session.execute(select(Reseller, clients, people).order_by(func.lower(Reseller.name)))
    return [Listed(reseller, int(count), int(at_work)) for reseller, count, at_work in rows]


def open_reseller(
    session: Session, slug: str, name: str, contact: Contact, now: datetime, actor: Actor
) -> Reseller:
    """A new one, whose clients may do nothing alone until its policy says so. Raises ResellerNameTaken. Flushes."""
    if session.scalar(select(Reseller.id).where(Reseller.slug == slug)) is not None:
        raise ResellerNameTaken(slug)
    reseller = Reseller(
        slug=slug,
        name=name,
        contact_name=contact.name,
        contact_email=contact.email,
        contact_phone=contact.phone,
        allowed_actions=[],
        created_at=now,
    )
    session.add(reseller)
    audit.record(session, actor, None, "reseller.opened", slug, {}, {"name": name}, now)
    session.flush()
    return reseller


def company(session: Session, reference: str) -> uuid.UUID | None:
    """The direct account of that reference, which may receive the documents of a reseller."""
    return session.scalar(
        select(Account.id).where(
            Account.reference == reference, Account.reseller_id.is_(None), Account.closed_at.is_(None)
        )
    )


def company_reference(session: Session, reseller_id: uuid.UUID) -> str:
    """The reference of the account that receives its documents; empty when none does."""
    statement = (
        select(Account.reference)
        .join(ResellerAccount, ResellerAccount.account_id == Account.id)
        .where(ResellerAccount.reseller_id == reseller_id)
    )
    return session.scalar(statement) or ""


def suspend(session: Session, reseller: Reseller, now: datetime, actor: Actor) -> None:
    """Its keys open nothing, its people change nothing; its clients go on. Twice changes nothing. Flushes."""
    if reseller.suspended_at is None:
        reseller.suspended_at = now
        audit.record(session, actor, None, "reseller.suspended", reseller.slug, {}, {}, now)
        session.flush()


def resume(session: Session, reseller: Reseller, now: datetime, actor: Actor) -> None:
    """As before it was suspended. Twice changes nothing. Flushes."""
    if reseller.suspended_at is not None:
        reseller.suspended_at = None
        audit.record(session, actor, None, "reseller.resumed", reseller.slug, {}, {}, now)
        session.flush()


def invite_admin(
    session: Session, reseller_id: uuid.UUID, email: str, address_of: AddressOf, now: datetime, actor: Actor
) -> Invitation:
    """The first of its people, who invites the others. Raises AlreadyColleague, TooManyAttempts. Flushes."""
    return reseller_people.invite(
        session,
        reseller_id,
        email=email,
        role=ResellerRole.ADMIN,
        address_of=address_of,
        actor=actor,
        now=now,
    )
