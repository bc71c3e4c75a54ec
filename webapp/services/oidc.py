"""Sign-in of the team through its identity provider: who the provider names, and whom that is here.

It opens the place of somebody whom the team has already, never a new one and never a client's. The first time, the
address verified by the provider says who it is; from then on the subject does, which the provider gives to nobody else.
"""

import uuid
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from webapp.adapters.oidc import Identity
from webapp.domain.access import Actor
from webapp.domain.refusals import AddressNotVerified, BoundToAnother, NotOfTheTeam
from webapp.models.accounts import OidcIdentity, User
from webapp.services import audit, people


def check_attempts(session: Session, ip_address: str, now: datetime) -> None:
    """Raises TooManyAttempts past 30 failures of this address in 15 minutes, those of passwords included."""
    people.refuse_when_full(session, f"ip:{ip_address}", people.FAILURES_PER_IP, now)


def count_failure(session: Session, ip_address: str, now: datetime) -> None:
    people.count(session, f"ip:{ip_address}", now)


def sign_in(
    session: Session, identity: Identity, *, device: people.Device, lifetime: people.Lifetime, now: datetime
) -> str:
    """Open a session for whom the provider names; return its token, never to be seen again. Flushes.

    Raises NotOfTheTeam, AddressNotVerified, BoundToAnother; and CodeNeeded for a person with a second step, unless the
    provider asked for one itself.
    """
    user = _bound(session, identity) or _bind(session, identity, now)
    if not identity.has_second_step:
        people.ask_second_step(session, user)
    return people.open_session(
        session,
        user,
        device=device,
        lifetime=lifetime,
        now=now,
        means="oidc",
        has_second_step=identity.has_second_step,
    )


def unbind(session: Session, email: str, *, actor: Actor, now: datetime) -> bool:
    """Forget the subjects of somebody whose account at the provider was made again. False when there are none.

    The next sign-in binds anew, by the verified address.
    """
    user = session.scalar(select(User).where(User.email == people.normalise(email)).with_for_update())
    if user is None:
        return False
    gone = session.scalars(
        delete(OidcIdentity).where(OidcIdentity.user_id == user.id).returning(OidcIdentity.subject)
    ).all()
    for subject in gone:
        before = {"provider_subject": subject}
        audit.record(session, actor, None, "user.provider_unbound", str(user.id), before, {}, now)
    session.flush()
    return bool(gone)


def _bound(session: Session, identity: Identity) -> User | None:
    """Whose subject this is, whatever address comes with it now. Raises NotOfTheTeam for who has left."""
    user_id = session.scalar(
        select(OidcIdentity.user_id).where(
            OidcIdentity.issuer == identity.issuer, OidcIdentity.subject == identity.subject
        )
    )
    if user_id is None:
        return None
    return _of_the_team(session.get(User, user_id))


def _bind(session: Session, identity: Identity, now: datetime) -> User:
    if identity.email and not identity.is_email_verified:
        raise AddressNotVerified()
    address = people.normalise(identity.email)
    # The lock makes two first sign-ins of one person wait for each other.
    user = _of_the_team(session.scalar(select(User).where(User.email == address).with_for_update()))
    if _has_subject(session, user.id, identity.issuer):
        raise BoundToAnother()
    session.add(OidcIdentity(user_id=user.id, issuer=identity.issuer, subject=identity.subject, bound_at=now))
    actor = Actor(kind="user", id=str(user.id), name=user.full_name)
    after = {"provider": identity.issuer, "provider_subject": identity.subject}
    audit.record(session, actor, None, "user.provider_bound", str(user.id), {}, after, now)
    return user


def _has_subject(session: Session, user_id: uuid.UUID, issuer: str) -> bool:
    wanted = select(OidcIdentity.id).where(OidcIdentity.user_id == user_id, OidcIdentity.issuer == issuer)
    return session.scalar(wanted) is not None


def _of_the_team(user: User | None) -> User:
    """The same answer for an address that is nobody's, a client's, or that of somebody who has left."""
    if user is None or user.staff_role is None or user.disabled_at is not None:
        raise NotOfTheTeam()
    return user
