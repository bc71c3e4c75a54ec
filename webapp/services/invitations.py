"""Roles offered by mail, in an account or among a reseller's people: sent, sent again, taken back, answered (U2, R1)."""

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.adapters import passwords
from webapp.domain.access import Actor, ResellerRole, Role
from webapp.domain.refusals import InvitationForAnother, LinkExpired, TooManyAttempts, WorksForAnother
from webapp.models.accounts import Account, Invitation, Membership, Reseller, ResellerMembership, User
from webapp.services import audit, outbox
from webapp.services.people import fingerprint, normalise

INVITATION_LIFETIME = timedelta(days=7)
INVITATIONS_PER_HOUR = 20
AddressOf = Callable[[str], str]  # makes the link from its token


@dataclass(frozen=True)
class Into:
    """Where an invitation leads: an account, or a reseller's people. Its row is locked by the caller."""

    name: str
    language: str  # of the mail, for who has chosen none
    account_id: uuid.UUID | None = None
    reseller_id: uuid.UUID | None = None

    @property
    def is_mine(self) -> Any:
        """The condition on invitations."""
        if self.account_id is not None:
            return Invitation.account_id == self.account_id
        return Invitation.reseller_id == self.reseller_id


@dataclass(frozen=True)
class Invited:
    """What a mailed invitation says to its reader. `is_known`: this address already signs in here.

    `name` is that of the account, or of the reseller.
    """

    id: int
    name: str
    email: str
    role: Role | ResellerRole
    invited_by: str
    is_known: bool


def pending(session: Session, is_mine: Any) -> list[Invitation]:
    """Invitations not answered yet, those past their date included: they can be sent again."""
    statement = select(Invitation).where(
        is_mine, Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None)
    )
    return list(session.scalars(statement.order_by(Invitation.created_at, Invitation.id)))


def offer(
    session: Session,
    into: Into,
    *,
    email: str,
    role: Role | ResellerRole,
    address_of: AddressOf,
    actor: Actor,
    now: datetime,
) -> Invitation:
    """Mail an invitation, valid 7 days; one to the same address takes the place of the former.

    Raises TooManyAttempts past 20 invitations an hour. Flushes.
    """
    address = normalise(email)
    _refuse_too_many(session, into, now)
    for former in pending(session, into.is_mine):
        if former.email == address:
            former.revoked_at = now
    invitation = Invitation(
        account_id=into.account_id,
        reseller_id=into.reseller_id,
        email=address,
        role=role.value,
        token_hash="",
        invited_by=actor.name,
        created_at=now,
        sent_at=now,
        expires_at=now + INVITATION_LIFETIME,
    )
    _send(session, into, invitation, address_of, actor, now)
    session.add(invitation)
    _record(session, "invited", into, invitation, actor, now)
    session.flush()
    return invitation


def offer_again(
    session: Session, into: Into, invitation_id: int, address_of: AddressOf, actor: Actor, now: datetime
) -> Invitation | None:
    """Send a new link, the former one stops working. None when there is no such invitation to answer. Flushes.

    Raises TooManyAttempts.
    """
    invitation = _pending(session, into, invitation_id)
    if invitation is None:
        return None
    _refuse_too_many(session, into, now)
    invitation.sent_at, invitation.expires_at = now, now + INVITATION_LIFETIME
    _send(session, into, invitation, address_of, actor, now)
    _record(session, "invitation_sent_again", into, invitation, actor, now)
    session.flush()
    return invitation


def take_back(
    session: Session, into: Into, invitation_id: int, actor: Actor, now: datetime
) -> Invitation | None:
    """Its link stops working at once. None when there is no such invitation. Flushes."""
    invitation = _pending(session, into, invitation_id)
    if invitation is None:
        return None
    invitation.revoked_at = now
    _record(session, "invitation_revoked", into, invitation, actor, now)
    session.flush()
    return invitation


def _record(
    session: Session, verb: str, into: Into, invitation: Invitation, actor: Actor, now: datetime
) -> None:
    facts = {"email": invitation.email, "role": invitation.role}
    before, after = (facts, {}) if verb == "invitation_revoked" else ({}, facts)
    audit.record(
        session, actor, into.account_id,
        f"user.{verb}" if into.account_id is not None else f"reseller.user_{verb}",
        invitation.email, before, after, now,
    )  # fmt: skip


def _send(
    session: Session,
    into: Into,
    invitation: Invitation,
    address_of: AddressOf,
    actor: Actor,
    now: datetime,
) -> None:
    token = secrets.token_urlsafe(32)
    invitation.token_hash = fingerprint(token)
    language = session.scalar(select(User.language).where(User.email == invitation.email))
    outbox.queue(
        session,
        "invitation" if into.account_id is not None else "reseller_invitation",
        recipient=invitation.email,
        language=language or into.language,
        account_id=into.account_id,
        now=now,
        account=into.name,
        invited_by=actor.name,
        role=invitation.role,
        link=address_of(token),
        days=INVITATION_LIFETIME.days,
    )


def _pending(session: Session, into: Into, invitation_id: int) -> Invitation | None:
    return session.scalar(
        select(Invitation)
        .where(
            Invitation.id == invitation_id,
            into.is_mine,
            Invitation.accepted_at.is_(None),
            Invitation.revoked_at.is_(None),
        )
        .with_for_update()
    )


def _refuse_too_many(session: Session, into: Into, now: datetime) -> None:
    sent = session.scalar(
        select(func.count())
        .select_from(Invitation)
        .where(into.is_mine, Invitation.sent_at > now - timedelta(hours=1))
    )
    if (sent or 0) >= INVITATIONS_PER_HOUR:
        raise TooManyAttempts(minutes=60)


# --- Answering -------------------------------------------------------------------------------------------------


def invitation_of(session: Session, token: str, now: datetime) -> Invited:
    """What the link invites to, without using it up. Raises LinkExpired."""
    invitation = _open(session, token, now)
    known = session.scalar(select(User.id).where(User.email == invitation.email))
    name, role = _where(session, invitation)
    return Invited(invitation.id, name, invitation.email, role, invitation.invited_by, known is not None)


def _where(session: Session, invitation: Invitation) -> tuple[str, Role | ResellerRole]:
    if invitation.account_id is not None:
        return session.get_one(Account, invitation.account_id).name, Role(invitation.role)
    return session.get_one(Reseller, invitation.reseller_id).name, ResellerRole(invitation.role)


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
    """Give the role to who is signed in. Raises LinkExpired, InvitationForAnother for somebody else's link, and
    WorksForAnother for who has a place with another reseller."""
    invitation = _open(session, token, now, lock=True)
    user = session.get_one(User, user_id)
    if user.email != invitation.email:
        raise InvitationForAnother(email=invitation.email)
    _join(session, invitation, user, now)
    return user


def _join(session: Session, invitation: Invitation, user: User, now: datetime) -> None:
    join = _join_account if invitation.account_id is not None else _join_reseller
    is_new = join(session, invitation, user, now)
    invitation.accepted_at = now
    if is_new:
        actor = Actor(kind="user", id=str(user.id), name=user.full_name)
        facts = {"email": user.email, "role": invitation.role, "invited_by": invitation.invited_by}
        audit.record(
            session, actor, invitation.account_id,
            "user.joined" if invitation.account_id is not None else "reseller.user_joined",
            user.full_name, {}, facts, now,
        )  # fmt: skip
    session.flush()


def _join_account(session: Session, invitation: Invitation, user: User, now: datetime) -> bool:
    """Whether it is new: who is a member already keeps the role they have."""
    account_id = invitation.account_id
    assert account_id is not None
    is_member = select(Membership.id).where(
        Membership.user_id == user.id, Membership.account_id == account_id
    )
    if session.scalar(is_member) is not None:
        return False
    session.add(Membership(user_id=user.id, account_id=account_id, role=invitation.role, created_at=now))
    return True


def _join_reseller(session: Session, invitation: Invitation, user: User, now: datetime) -> bool:
    reseller_id = invitation.reseller_id
    assert reseller_id is not None
    place = session.scalars(select(ResellerMembership).where(ResellerMembership.user_id == user.id)).first()
    if place is not None and place.reseller_id != reseller_id:
        raise WorksForAnother()
    if place is not None:
        return False
    session.add(
        ResellerMembership(user_id=user.id, reseller_id=reseller_id, role=invitation.role, created_at=now)
    )
    return True


def _open(session: Session, token: str, now: datetime, *, lock: bool = False) -> Invitation:
    statement = select(Invitation).where(Invitation.token_hash == fingerprint(token))
    invitation = session.scalars(statement.with_for_update() if lock else statement).one_or_none()
    if invitation is None or invitation.accepted_at or invitation.revoked_at or now >= invitation.expires_at:
        raise LinkExpired()
    return invitation
