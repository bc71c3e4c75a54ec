"""Who works for a reseller: invitations by mail, roles, removals (R1).

A role is read again at each request, so that a change or a removal holds from the next click. A reseller keeps at least
one administrator; its first one is invited by the operator's team.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from webapp.domain.access import Actor, ResellerRole
from webapp.domain.refusals import AlreadyColleague, LastResellerAdmin, NotAMember
from webapp.models.accounts import Invitation, LoginSession, Reseller, ResellerMembership, User
from webapp.services import audit, invitations
from webapp.services.invitations import AddressOf, Into
from webapp.services.people import normalise


@dataclass(frozen=True)
class Colleague:
    membership_id: int
    user_id: uuid.UUID
    name: str
    email: str
    role: ResellerRole
    last_seen_at: datetime | None


def colleagues(session: Session, reseller_id: uuid.UUID) -> list[Colleague]:
    """Administrators first, then by name."""
    seen = (
        select(LoginSession.user_id, func.max(LoginSession.last_seen_at).label("at"))
        .group_by(LoginSession.user_id)
        .subquery()
    )
    rows = session.execute(
        select(
            ResellerMembership.id,
            User.id.label("user_id"),
            User.full_name,
            User.email,
            ResellerMembership.role,
            seen.c.at,
        )
        .join(User, User.id == ResellerMembership.user_id)
        .outerjoin(seen, seen.c.user_id == User.id)
        .where(ResellerMembership.reseller_id == reseller_id, User.disabled_at.is_(None))
    )
    found = [
        Colleague(row.id, row.user_id, row.full_name, row.email, ResellerRole(row.role), row.at)
        for row in rows
    ]
    order = list(ResellerRole)
    return sorted(found, key=lambda each: (order.index(each.role), each.name.casefold()))


def pending_invitations(session: Session, reseller_id: uuid.UUID) -> list[Invitation]:
    """As invitations.pending."""
    return invitations.pending(session, Invitation.reseller_id == reseller_id)


def invite(
    session: Session,
    reseller_id: uuid.UUID,
    *,
    email: str,
    role: ResellerRole,
    address_of: AddressOf,
    actor: Actor,
    now: datetime,
) -> Invitation:
    """As invitations.offer. Raises AlreadyColleague, TooManyAttempts."""
    into = _into(session, reseller_id)
    address = normalise(email)
    known = session.scalar(
        select(ResellerMembership.id)
        .join(User, User.id == ResellerMembership.user_id)
        .where(ResellerMembership.reseller_id == reseller_id, User.email == address)
    )
    if known is not None:
        raise AlreadyColleague(email=address)
    return invitations.offer(
        session, into, email=address, role=role, address_of=address_of, actor=actor, now=now
    )


def invite_again(
    session: Session,
    reseller_id: uuid.UUID,
    invitation_id: int,
    *,
    address_of: AddressOf,
    actor: Actor,
    now: datetime,
) -> Invitation | None:
    """As invitations.offer_again."""
    return invitations.offer_again(
        session, _into(session, reseller_id), invitation_id, address_of, actor, now
    )


def revoke_invitation(
    session: Session, reseller_id: uuid.UUID, invitation_id: int, *, actor: Actor, now: datetime
) -> Invitation | None:
    """As invitations.take_back."""
    return invitations.take_back(session, _into(session, reseller_id), invitation_id, actor, now)


def change_role(
    session: Session,
    reseller_id: uuid.UUID,
    membership_id: int,
    role: ResellerRole,
    *,
    actor: Actor,
    now: datetime,
) -> User:
    """Give another role, from the person's next click. Raises NotAMember, LastResellerAdmin. Flushes."""
    place, user = _locked(session, reseller_id, membership_id)
    before = place.role
    if before == role.value:
        return user
    if before == ResellerRole.ADMIN.value:
        _keep_an_admin(session, reseller_id, membership_id)
    place.role = role.value
    was, becomes = {"email": user.email, "role": before}, {"email": user.email, "role": role.value}
    audit.record(session, actor, None, "reseller.user_role_changed", user.full_name, was, becomes, now)
    session.flush()
    return user


def remove(
    session: Session, reseller_id: uuid.UUID, membership_id: int, *, actor: Actor, now: datetime
) -> User:
    """The console does not exist for them any more, from the next click. Raises NotAMember, LastResellerAdmin. Flushes."""
    place, user = _locked(session, reseller_id, membership_id)
    if place.role == ResellerRole.ADMIN.value:
        _keep_an_admin(session, reseller_id, membership_id)
    session.execute(delete(ResellerMembership).where(ResellerMembership.id == membership_id))
    facts = {"email": user.email, "role": place.role}
    audit.record(session, actor, None, "reseller.user_removed", user.full_name, facts, {}, now)
    session.flush()
    return user


def _into(session: Session, reseller_id: uuid.UUID) -> Into:
    reseller = session.get_one(Reseller, reseller_id, with_for_update=True)
    return Into(reseller.name, str(reseller.languages[0]), reseller_id=reseller_id)


def _locked(session: Session, reseller_id: uuid.UUID, membership_id: int) -> tuple[ResellerMembership, User]:
    """The place, once the reseller's own row is locked: two administrators removing each other wait in line."""
    session.get_one(Reseller, reseller_id, with_for_update=True)
    row = session.execute(
        select(ResellerMembership, User)
        .join(User, User.id == ResellerMembership.user_id)
        .where(ResellerMembership.id == membership_id, ResellerMembership.reseller_id == reseller_id)
    ).one_or_none()
    if row is None:
        raise NotAMember()
    return row[0], row[1]


def _keep_an_admin(session: Session, reseller_id: uuid.UUID, membership_id: int) -> None:
    other = session.scalar(
        select(ResellerMembership.id)
        .join(User, User.id == ResellerMembership.user_id)
        .where(
            ResellerMembership.reseller_id == reseller_id,
            ResellerMembership.role == ResellerRole.ADMIN.value,
            ResellerMembership.id != membership_id,
            User.disabled_at.is_(None),
        )
        .limit(1)
    )
    if other is None:
        raise LastResellerAdmin()
