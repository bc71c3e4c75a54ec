"""Who may enter an account: invitations by mail, roles, removals (U2).

A role is read again at each request, so that a change of role or a removal holds from the next click. An account
keeps at least one owner.
"""

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, delete, func, select, update
from sqlalchemy.orm import Session

from webapp.adapters import passwords
from webapp.domain.access import Actor, Role
from webapp.domain.refusals import (
    AlreadyMember,
    InvitationForAnother,
    LastOwner,
    LinkExpired,
    NotAMember,
    TooManyAttempts,
)
from webapp.models.accounts import (
    Account,
    Invitation,
    LoginSession,
    MailedLink,
    Membership,
    SecondFactor,
    User,
)
from webapp.services import audit, outbox, search_terms
from webapp.services.people import fingerprint, normalise

INVITATION_LIFETIME = timedelta(days=7)
INVITATIONS_PER_HOUR = 20


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


@dataclass(frozen=True)
class Invited:
    """What a mailed invitation says to its reader. `is_known`: this address already signs in here."""

    id: int
    account_id: uuid.UUID
    account: str
    email: str
    role: Role
    invited_by: str
    is_known: bool


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
    """Invitations not answered yet, those past their date included: they can be sent again."""
    statement = select(Invitation).where(
        Invitation.account_id == account_id,
        Invitation.accepted_at.is_(None),
        Invitation.revoked_at.is_(None),
    )
    return list(session.scalars(statement.order_by(Invitation.created_at, Invitation.id)))


# --- Inviting --------------------------------------------------------------------------------------------------


def invite(
    session: Session,
    account_id: uuid.UUID,
    *,
    email: str,
    role: Role,
    address_of: Callable[[str], str],
    actor: Actor,
    now: datetime,
) -> Invitation:
    """Mail an invitation, valid 7 days; one to the same address takes the place of the former.

    Raises AlreadyMember, and TooManyAttempts past 20 invitations an hour.
    """
    account = session.get_one(Account, account_id, with_for_update=True)
    address = normalise(email)
    known = session.scalar(
        select(Membership.id)
        .join(User, User.id == Membership.user_id)
        .where(Membership.account_id == account_id, User.email == address)
    )
    if known is not None:
        raise AlreadyMember(email=address)
    _refuse_too_many(session, account_id, now)
    for former in pending_invitations(session, account_id):
        if former.email == address:
            former.revoked_at = now
    invitation = Invitation(
        account_id=account_id,
        email=address,
        role=role.value,
        token_hash="",
        invited_by=actor.name,
        created_at=now,
        sent_at=now,
        expires_at=now + INVITATION_LIFETIME,
    )
    _send(session, account, invitation, address_of, actor, now)
    session.add(invitation)
    facts = {"email": address, "role": role.value}
    audit.record(session, actor, account_id, "user.invited", address, {}, facts, now)
    session.flush()
    return invitation


def invite_again(
    session: Session,
    account_id: uuid.UUID,
    invitation_id: int,
    *,
    address_of: Callable[[str], str],
    actor: Actor,
    now: datetime,
) -> Invitation | None:
    """Send a new link, the former one stops working. None when there is no such invitation to answer."""
    account = session.get_one(Account, account_id, with_for_update=True)
    invitation = _pending(session, account_id, invitation_id)
    if invitation is None:
        return None
    _refuse_too_many(session, account_id, now)
    invitation.sent_at, invitation.expires_at = now, now + INVITATION_LIFETIME
    _send(session, account, invitation, address_of, actor, now)
    facts = {"email": invitation.email, "role": invitation.role}
    audit.record(session, actor, account_id, "user.invitation_sent_again", invitation.email, {}, facts, now)
    session.flush()
    return invitation


def revoke_invitation(
    session: Session, account_id: uuid.UUID, invitation_id: int, *, actor: Actor, now: datetime
) -> Invitation | None:
    """Take an invitation back: its link stops working at once."""
    invitation = _pending(session, account_id, invitation_id)
    if invitation is None:
        return None
    invitation.revoked_at = now
    facts = {"email": invitation.email, "role": invitation.role}
    audit.record(session, actor, account_id, "user.invitation_revoked", invitation.email, facts, {}, now)
    session.flush()
    return invitation


def _send(
    session: Session,
    account: Account,
    invitation: Invitation,
    address_of: Callable[[str], str],
    actor: Actor,
    now: datetime,
) -> None:
    token = secrets.token_urlsafe(32)
    invitation.token_hash = fingerprint(token)
    language = session.scalar(select(User.language).where(User.email == invitation.email))
    outbox.queue(
        session,
        "invitation",
        recipient=invitation.email,
        language=language or account.language,
        account_id=account.id,
        now=now,
        account=account.name,
        invited_by=actor.name,
        role=invitation.role,
        link=address_of(token),
        days=INVITATION_LIFETIME.days,
    )


def _pending(session: Session, account_id: uuid.UUID, invitation_id: int) -> Invitation | None:
    return session.scalar(
        select(Invitation)
        .where(
            Invitation.id == invitation_id,
            Invitation.account_id == account_id,
            Invitation.accepted_at.is_(None),
            Invitation.revoked_at.is_(None),
        )
        .with_for_update()
    )


def _refuse_too_many(session: Session, account_id: uuid.UUID, now: datetime) -> None:
    sent = session.scalar(
        select(func.count())
        .select_from(Invitation)
        .where(Invitation.account_id == account_id, Invitation.sent_at > now - timedelta(hours=1))
    )
    if (sent or 0) >= INVITATIONS_PER_HOUR:
        raise TooManyAttempts(minutes=60)


# --- Answering an invitation -----------------------------------------------------------------------------------


def invitation_of(session: Session, token: str, now: datetime) -> Invited:
    """What the link invites to, without using it up. Raises LinkExpired."""
    invitation = _open(session, token, now)
    account = session.get_one(Account, invitation.account_id)
    known = session.scalar(select(User.id).where(User.email == invitation.email))
    return Invited(
        invitation.id,
        invitation.account_id,
        account.name,
        invitation.email,
        Role(invitation.role),
        invitation.invited_by,
        known is not None,
    )


def join_as_new(
    session: Session, token: str, *, full_name: str, password: str, language: str, now: datetime
) -> User:
    """Create the person invited, whose address the link has proved, and give the role. Raises LinkExpired,
    PasswordTooWeak, and InvitationForAnother when the address has signed in here before."""
    invitation = _open(session, token, now, lock=True)
    if session.scalar(select(User.id).where(User.email == invitation.email)) is not None:
        raise InvitationForAnother(email=invitation.email)
    passwords.check_strength(password)
    user = User(
        email=invitation.email,
        full_name=full_name,
        password_hash=passwords.hash_password(password),
        language=language,
        price_display="htva",
        created_at=now,
    )
    session.add(user)
    session.flush()
    _join(session, invitation, user, now)
    return user


def join_as_known(session: Session, token: str, *, user_id: uuid.UUID, now: datetime) -> User:
    """Give the role to who is signed in. Raises LinkExpired, InvitationForAnother for somebody else's link."""
    invitation = _open(session, token, now, lock=True)
    user = session.get_one(User, user_id)
    if user.email != invitation.email:
        raise InvitationForAnother(email=invitation.email)
    _join(session, invitation, user, now)
    return user


def _join(session: Session, invitation: Invitation, user: User, now: datetime) -> None:
    invitation.accepted_at = now
    is_member = select(Membership.id).where(
        Membership.user_id == user.id, Membership.account_id == invitation.account_id
    )
    if session.scalar(is_member) is None:
        session.add(
            Membership(
                user_id=user.id, account_id=invitation.account_id, role=invitation.role, created_at=now
            )
        )
        actor = Actor(kind="user", id=str(user.id), name=user.full_name)
        facts = {"email": user.email, "role": invitation.role, "invited_by": invitation.invited_by}
        audit.record(session, actor, invitation.account_id, "user.joined", user.full_name, {}, facts, now)
    session.flush()


def _open(session: Session, token: str, now: datetime, *, lock: bool = False) -> Invitation:
    statement = select(Invitation).where(Invitation.token_hash == fingerprint(token))
    invitation = session.scalars(statement.with_for_update() if lock else statement).one_or_none()
    if invitation is None or invitation.accepted_at or invitation.revoked_at or now >= invitation.expires_at:
        raise LinkExpired()
    return invitation


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
