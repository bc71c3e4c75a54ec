"""Who may enter an account: invitations by mail, roles, removals (U2).

A role is read again at each request, so that a change of role or a removal holds from the next click. An account
keeps at least one owner.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, delete, func, select, update
from sqlalchemy.orm import Session

from webapp.domain.access import Actor, Role
from webapp.domain.refusals import AlreadyMember, LastOwner, NotAMember
from webapp.models.accounts import (
    Account,
    Invitation,
    LoginSession,
    MailedLink,
    Membership,
    SecondFactor,
    User,
)
from webapp.services import audit, invitations, search_terms
from webapp.services.invitations import AddressOf, Into
from webapp.services.people import normalise


@dataclass(frozen=True)
class Member:
    membership_id: int
    user_id: uuid.UUID
    name: str
    email: str
    role: Role
    since: datetime
    last_seen_at: datetime | None  # in any account
    has_second_factor: bool


def members(session: Session, account_id: uuid.UUID) -> list[Member]:
    """The people of an account: owners first, then by name."""
    seen = (
        select(LoginSession.user_id, func.max(LoginSession.last_seen_at).label("at"))
        .group_by(LoginSession.user_id)
        .subquery()
    )
    rows = session.execute(
        select(
            Membership.id,
            User.id.label("user_id"),
            User.full_name,
            User.email,
            Membership.role,
            Membership.created_at,
            seen.c.at,
            SecondFactor.confirmed_at,
        )
        .join(User, User.id == Membership.user_id)
        .outerjoin(seen, seen.c.user_id == User.id)
        .outerjoin(SecondFactor, SecondFactor.user_id == User.id)
        .where(Membership.account_id == account_id, User.disabled_at.is_(None))
    )
    found = [
        Member(
            row.id,
            row.user_id,
            row.full_name,
            row.email,
            Role(row.role),
            row.created_at,
            row.at,
            row.confirmed_at is not None,
        )
        for row in rows
    ]
    order = list(Role)
    return sorted(found, key=lambda member: (order.index(member.role), member.name.casefold()))


def pending_invitations(session: Session, account_id: uuid.UUID) -> list[Invitation]:
    """As invitations.pending."""
    return invitations.pending(session, Invitation.account_id == account_id)


# --- Inviting --------------------------------------------------------------------------------------------------


def invite(
    session: Session,
    account_id: uuid.UUID,
    *,
    email: str,
    role: Role,
    address_of: AddressOf,
    actor: Actor,
    now: datetime,
) -> Invitation:
    """As invitations.offer. Raises AlreadyMember, TooManyAttempts."""
    into = _into(session, account_id)
    address = normalise(email)
    known = session.scalar(
        select(Membership.id)
        .join(User, User.id == Membership.user_id)
        .where(Membership.account_id == account_id, User.email == address)
    )
    if known is not None:
        raise AlreadyMember(email=address)
    return invitations.offer(
        session, into, email=address, role=role, address_of=address_of, actor=actor, now=now
    )


def invite_again(
    session: Session,
    account_id: uuid.UUID,
    invitation_id: int,
    *,
    address_of: AddressOf,
    actor: Actor,
    now: datetime,
) -> Invitation | None:
    """As invitations.offer_again."""
    return invitations.offer_again(session, _into(session, account_id), invitation_id, address_of, actor, now)


def revoke_invitation(
    session: Session, account_id: uuid.UUID, invitation_id: int, *, actor: Actor, now: datetime
) -> Invitation | None:
    """As invitations.take_back."""
    return invitations.take_back(session, _into(session, account_id), invitation_id, actor, now)


def _into(session: Session, account_id: uuid.UUID) -> Into:
    account = session.get_one(Account, account_id, with_for_update=True)
    return Into(account.name, account.language, account_id=account_id)


# --- Roles -----------------------------------------------------------------------------------------------------


def change_role(
    session: Session, account_id: uuid.UUID, membership_id: int, role: Role, *, actor: Actor, now: datetime
) -> User:
    """Give another role, from the person's next click. Raises NotAMember, LastOwner."""
    membership, user = _locked(session, account_id, membership_id)
    before = membership.role
    if before == role.value:
        return user
    if before == Role.OWNER.value:
        _keep_an_owner(session, account_id, membership_id)
    membership.role = role.value
    audit.record(
        session, actor, account_id, "user.role_changed", user.full_name,
        {"email": user.email, "role": before}, {"email": user.email, "role": role.value}, now,
    )  # fmt: skip
    session.flush()
    return user


def remove(
    session: Session, account_id: uuid.UUID, membership_id: int, *, actor: Actor, now: datetime
) -> User:
    """End somebody's access at once: the role goes, and the sessions that were in this account end.

    Raises NotAMember, LastOwner.
    """
    membership, user = _locked(session, account_id, membership_id)
    if membership.role == Role.OWNER.value:
        _keep_an_owner(session, account_id, membership_id)
    session.execute(delete(Membership).where(Membership.id == membership_id))
    search_terms.changed(session, account_id)
    is_member_elsewhere = session.scalar(select(Membership.id).where(Membership.user_id == user.id).limit(1))
    ends = and_(LoginSession.user_id == user.id, LoginSession.revoked_at.is_(None))
    if is_member_elsewhere is not None:
        ends = and_(ends, LoginSession.account_id == account_id)
    session.execute(update(LoginSession).where(ends).values(revoked_at=now))
    if is_member_elsewhere is None:
        unused = and_(MailedLink.user_id == user.id, MailedLink.used_at.is_(None))
        session.execute(update(MailedLink).where(unused).values(used_at=now))
    facts = {"email": user.email, "role": membership.role}
    audit.record(session, actor, account_id, "user.removed", user.full_name, facts, {}, now)
    session.flush()
    return user


def _locked(session: Session, account_id: uuid.UUID, membership_id: int) -> tuple[Membership, User]:
    """The membership, once the account's own row is locked: two owners removing each other wait in line."""
    session.get_one(Account, account_id, with_for_update=True)
    row = session.execute(
        select(Membership, User)
        .join(User, User.id == Membership.user_id)
        .where(Membership.id == membership_id, Membership.account_id == account_id)
    ).one_or_none()
    if row is None:
        raise NotAMember()
    return row[0], row[1]


def _keep_an_owner(session: Session, account_id: uuid.UUID, membership_id: int) -> None:
    other = session.scalar(
        select(Membership.id)
        .join(User, User.id == Membership.user_id)
        .where(
            Membership.account_id == account_id,
            Membership.role == Role.OWNER.value,
            Membership.id != membership_id,
            User.disabled_at.is_(None),
        )
        .limit(1)
    )
    if other is None:
        raise LastOwner()
