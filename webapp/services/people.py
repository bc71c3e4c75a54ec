"""People: sign in and out, sessions, mailed links, preferences, and the accounts a person belongs to.

Tokens are 256 random bits, given once to the browser or the mailbox; the database keeps their SHA-256 alone, so
that reading it opens no session. Addresses are compared in lower case.
"""

import hashlib
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CursorResult, Select, and_, bindparam, case, delete, func, null, select, update
from sqlalchemy.orm import Session

from webapp.adapters import passwords
from webapp.domain.access import SYSTEM, Actor
from webapp.domain.refusals import LinkExpired, TooManyAttempts, WrongCredentials
from webapp.domain.reselling import shows_platform_invoices
from webapp.models.accounts import (
    Account,
    LoginSession,
    MailedLink,
    Membership,
    Reseller,
    ResellerMembership,
    SecondFactor,
    SignInAttempt,
    User,
)
from webapp.models.reading import AnyRow, read
from webapp.models.subscriptions import Subscription
from webapp.services import audit, outbox

WINDOW = timedelta(minutes=15)
FAILURES_PER_ADDRESS = 5
FAILURES_PER_IP = 30
MAILS_PER_ADDRESS = 5
MAILS_PER_IP = 30
LINK_LIFETIME = timedelta(minutes=60)
SEEN_EVERY = timedelta(minutes=5)

RESET_PASSWORD = "reset_password"
SIGN_IN = "sign_in"


@dataclass(frozen=True)
class Device:
    """Where a request comes from, kept with the session so that its owner recognises it."""

    ip_address: str
    user_agent: str


@dataclass(frozen=True)
class Lifetime:
    """How long a session lasts: without being used, and at the very most."""

    idle: timedelta
    absolute: timedelta


@dataclass(frozen=True)
class AccountChoice:
    """An account in the switcher, with the subscription it opens on."""

    account_id: uuid.UUID
    name: str
    reference: str
    role: str
    subscription_id: uuid.UUID | None
    reads_documents: bool = True  # the platform's; not where its reseller is billed, or sends its own


class CodeNeeded(Exception):
    """The first step of signing in is done, and this person has a second one: see `two_factor`."""

    def __init__(self, user_id: uuid.UUID) -> None:
        super().__init__()
        self.user_id = user_id


# --- Sign in and out -------------------------------------------------------------------------------------------


def sign_in(
    session: Session, *, email: str, password: str, device: Device, lifetime: Lifetime, now: datetime
) -> str:
    """Open a session for this address and password; return its token, never to be seen again.

    Raises TooManyAttempts past 5 failures for the address or 30 for the IP in 15 minutes, WrongCredentials
    otherwise: the same for an unknown address, a disabled person and a wrong password. Raises CodeNeeded for a person
    with a second step. Failures are rows of the
    transaction at hand: the caller keeps it although it answers with an error.
    """
    address = normalise(email)
    # The lock makes simultaneous guesses wait for each other's count (PostgreSQL; SQLite has one writer anyway).
    user = session.scalar(select(User).where(User.email == address).with_for_update())
    by_address, by_ip = _address_key("email", address), f"ip:{device.ip_address}"
    refuse_when_full(session, by_address, FAILURES_PER_ADDRESS, now)
    refuse_when_full(session, by_ip, FAILURES_PER_IP, now)

    known = user if user is not None and user.disabled_at is None else None
    if not passwords.matches(known.password_hash if known else None, password) or known is None:
        count(session, by_address, now)
        count(session, by_ip, now)
        left = FAILURES_PER_ADDRESS - _counted(session, by_address, now)[0]
        if left <= 0 and user is not None:
            after = {"ip_address": device.ip_address, "failures": FAILURES_PER_ADDRESS}
            audit.record(session, SYSTEM, None, "user.locked_out", str(user.id), {}, after, now)
        if left <= 0:
            raise TooManyAttempts(minutes=_minutes(WINDOW))
        raise WrongCredentials(attempts_left=left)

    session.execute(delete(SignInAttempt).where(SignInAttempt.key == by_address))
    if known.password_hash and passwords.needs_renewal(known.password_hash):
        known.password_hash = passwords.hash_password(password)
    ask_second_step(session, known)
    return open_session(session, known, device=device, lifetime=lifetime, now=now, means="password")


def sign_in_by_link(
    session: Session, token: str, *, device: Device, lifetime: Lifetime, now: datetime
) -> str:
    """Open a session with a mailed link, which is used up. Raises LinkExpired, or CodeNeeded once it is."""
    link, user = _open_link(session, token, SIGN_IN, now)
    link.used_at = now
    ask_second_step(session, user)
    return open_session(session, user, device=device, lifetime=lifetime, now=now, means="mailed_link")


def ask_second_step(session: Session, user: User) -> None:
    """Raises CodeNeeded for a person with a second step, once what the first one changed is flushed."""
    factor = session.get(SecondFactor, user.id)
    if factor is not None and factor.confirmed_at is not None:
        session.flush()
        raise CodeNeeded(user.id)


def open_session(
    session: Session,
    user: User,
    *,
    device: Device,
    lifetime: Lifetime,
    now: datetime,
    means: str,
    has_second_step: bool = False,
) -> str:
    """A new session with a new token, whatever the browser sent before. Returns the token.

    `has_second_step` when somebody else asked for the second step, and said so.
    """
    token = secrets.token_urlsafe(32)
    only_account = session.scalars(
        select(Membership.account_id).where(Membership.user_id == user.id).limit(2)
    ).all()
    session.add(
        LoginSession(
            token_hash=fingerprint(token),
            user_id=user.id,
            account_id=only_account[0] if len(only_account) == 1 else None,
            created_at=now,
            last_seen_at=now,
            expires_at=now + lifetime.absolute,
            ip_address=device.ip_address[:45],
            user_agent=device.user_agent[:400],
            has_second_step=has_second_step,
        )
    )
    after = {"means": means, "ip_address": device.ip_address}
    audit.record(session, _actor(user), None, "user.signed_in", str(user.id), {}, after, now)
    session.flush()
    return token


def sign_out(session: Session, session_id: int, *, actor: Actor, now: datetime) -> None:
    """End the session at hand. Ending it twice changes nothing."""
    if _end(session, LoginSession.id == session_id, now=now):
        audit.record(session, actor, None, "user.signed_out", actor.id, {}, {}, now)


# --- The session of a request ----------------------------------------------------------------------------------

_LOGIN, _USER, _MEMBER = LoginSession.__table__.c, User.__table__.c, Membership.__table__.c
_ACCOUNT, _SUBSCRIPTION, _FACTOR = Account.__table__.c, Subscription.__table__.c, SecondFactor.__table__.c
_PLACE, _RESELLER = ResellerMembership.__table__.c, Reseller.__table__.c
_IDENTITY = (
    _LOGIN.id.label("session_id"),
    _LOGIN.account_id.label("last_account_id"),
    _LOGIN.last_seen_at,
    _LOGIN.expires_at,
    _LOGIN.revoked_at,
    _USER.id.label("user_id"),
    _USER.full_name,
    _USER.email,
    _USER.language,
    _USER.price_display,
    _USER.staff_role,
    _USER.disabled_at,
    _FACTOR.confirmed_at.label("second_factor_at"),
    _LOGIN.has_second_step,
    _LOGIN.viewing_account_id,
    _LOGIN.viewing_role,
    _LOGIN.viewing_since,
)
# Asked of the team alone: nobody else must have a second step.
_FACTOR_OF_STAFF = and_(_FACTOR.user_id == _USER.id, _USER.staff_role.is_not(None))
_BY_TOKEN = (_LOGIN.token_hash == bindparam("token_hash"),)
# Built once: the text of a statement costs more to make than to run.
_VISIT = (
    select(
        *_IDENTITY,
        null().label("role"),
        null().label("account_id"),
        null().label("account_name"),
        null().label("account_reference"),
        null().label("suspended_on"),
        null().label("suspension_cause"),
        null().label("reseller_name"),
        null().label("billed_party"),
        null().label("prices_shown"),
        null().label("invoices_shown"),
        null().label("theme_hash"),
        _RESELLER.id.label("partner_id"),
        _RESELLER.slug.label("partner_slug"),
        _RESELLER.name.label("partner_name"),
        _RESELLER.suspended_at.label("partner_suspended_at"),
        _PLACE.role.label("partner_role"),
    )
    .join_from(LoginSession.__table__, User.__table__, _USER.id == _LOGIN.user_id)
    .outerjoin(SecondFactor.__table__, _FACTOR_OF_STAFF)
    .outerjoin(ResellerMembership.__table__, _PLACE.user_id == _USER.id)
    .outerjoin(Reseller.__table__, _RESELLER.id == _PLACE.reseller_id)
    .where(*_BY_TOKEN)
)
_VIEWED = case((_LOGIN.viewing_account_id == _SUBSCRIPTION.account_id, _LOGIN.viewing_account_id))
_VISIT_OF_SUBSCRIPTION = (
    select(
        *_IDENTITY,
        _MEMBER.role,
        _ACCOUNT.id.label("account_id"),
        _ACCOUNT.name.label("account_name"),
        _ACCOUNT.reference.label("account_reference"),
        _ACCOUNT.suspended_on,
        _ACCOUNT.suspension_cause,
        _RESELLER.name.label("reseller_name"),
        _RESELLER.billed_party,
        _RESELLER.prices_shown,
        _RESELLER.invoices_shown,
        _RESELLER.theme_hash,
        null().label("partner_id"),
    )
    .join_from(LoginSession.__table__, User.__table__, _USER.id == _LOGIN.user_id)
    .outerjoin(SecondFactor.__table__, _FACTOR_OF_STAFF)
    .outerjoin(
        Subscription.__table__, _SUBSCRIPTION.id == bindparam("subscription_id", type_=_SUBSCRIPTION.id.type)
    )
    .outerjoin(
        Membership.__table__,
        and_(_MEMBER.user_id == _USER.id, _MEMBER.account_id == _SUBSCRIPTION.account_id),
    )
    .outerjoin(Account.__table__, _ACCOUNT.id == func.coalesce(_MEMBER.account_id, _VIEWED))
    .outerjoin(Reseller.__table__, _RESELLER.id == _ACCOUNT.reseller_id)
    .where(*_BY_TOKEN)
)


def visit(
    session: Session, token: str, subscription_id: uuid.UUID | None, *, idle: timedelta, now: datetime
) -> AnyRow | None:
    """Who comes with this token and, when the URL names a subscription, their role in its account: one statement.

    None for a token that is unknown, revoked, idle for too long or past its end, and for a disabled person.
    Where the URL names none, the reseller for which they work comes with them. Without membership `role` is None, and so
    is `account_id` unless somebody of the team has asked to look at that account: to others, the subscription does not
    exist.
    """
    values: dict[str, Any] = {"token_hash": fingerprint(token)}
    statement: Select[*tuple[Any, ...]] = _VISIT
    if subscription_id is not None:
        statement, values["subscription_id"] = _VISIT_OF_SUBSCRIPTION, subscription_id
    row = next(iter(read(session, statement, values)), None)
    if row is None or row.revoked_at is not None or row.disabled_at is not None:
        return None
    if now >= row.expires_at or now - row.last_seen_at >= idle:
        return None
    return row


def note_visit(session: Session, session_id: int, account_id: uuid.UUID | None, *, now: datetime) -> None:
    """Keep when a session was last used and which account it looked at. Not said in the audit trail."""
    values: dict[str, Any] = {"last_seen_at": now}
    if account_id is not None:
        values["account_id"] = account_id
    open_row = and_(LoginSession.id == session_id, LoginSession.revoked_at.is_(None))
    session.execute(update(LoginSession).where(open_row).values(**values))


# --- Sessions and devices --------------------------------------------------------------------------------------


def sessions_of(
    session: Session, user_id: uuid.UUID, *, idle: timedelta, now: datetime
) -> list[LoginSession]:
    """The sessions still open, the most recently used first."""
    return list(
        session.scalars(
            select(LoginSession)
            .where(
                LoginSession.user_id == user_id,
                LoginSession.revoked_at.is_(None),
                LoginSession.expires_at > now,
                LoginSession.last_seen_at > now - idle,
            )
            .order_by(LoginSession.last_seen_at.desc(), LoginSession.id.desc())
        )
    )


def end_session(
    session: Session, user_id: uuid.UUID, session_id: int, *, actor: Actor, now: datetime
) -> bool:
    """Close one of this person's sessions. False when it is not theirs or does not exist."""
    row = session.scalar(
        select(LoginSession).where(LoginSession.id == session_id, LoginSession.user_id == user_id)
    )
    if row is None:
        return False
    if row.revoked_at is None:
        row.revoked_at = now
        before = {"user_agent": row.user_agent, "ip_address": row.ip_address}
        audit.record(session, actor, None, "session.revoked", str(session_id), before, {}, now)
        session.flush()
    return True


def end_other_sessions(
    session: Session, user_id: uuid.UUID, kept_session_id: int | None, *, actor: Actor, now: datetime
) -> int:
    """Close every session of this person but the one kept; return how many were open."""
    others = LoginSession.user_id == user_id
    if kept_session_id is not None:
        others = and_(others, LoginSession.id != kept_session_id)
    ended = _end(session, others, now=now)
    if ended:
        after = {"ended": ended, "kept": kept_session_id}
        audit.record(session, actor, None, "sessions.revoked", str(user_id), {}, after, now)
    return ended


def _end(session: Session, which: Any, *, now: datetime) -> int:
    result = session.execute(
        update(LoginSession).where(which, LoginSession.revoked_at.is_(None)).values(revoked_at=now)
    )
    assert isinstance(result, CursorResult)
    return int(result.rowcount)


# --- Mailed links and passwords --------------------------------------------------------------------------------


def mail_link(
    session: Session,
    *,
    email: str,
    purpose: str,
    language: str,
    ip_address: str,
    address_of: Callable[[str], str],
    now: datetime,
) -> None:
    """Queue a one-time link, valid 60 minutes, if the address is someone's; say nothing of whether it is.

    `purpose` is RESET_PASSWORD or SIGN_IN, `address_of` makes the URL from the token. `language` is that of the page,
    for a person who has chosen none. Raises TooManyAttempts past 5 requests for the address or 30 for the IP in
    15 minutes, known or not.
    """
    address = normalise(email)
    by_address, by_ip = _address_key("mail", address), f"mail-ip:{ip_address}"
    user = session.scalar(select(User).where(User.email == address).with_for_update())
    refuse_when_full(session, by_address, MAILS_PER_ADDRESS, now)
    refuse_when_full(session, by_ip, MAILS_PER_IP, now)
    count(session, by_address, now)
    count(session, by_ip, now)
    if user is None or user.disabled_at is not None:
        return
    token = secrets.token_urlsafe(32)
    session.add(
        MailedLink(
            token_hash=fingerprint(token),
            purpose=purpose,
            user_id=user.id,
            created_at=now,
            expires_at=now + LINK_LIFETIME,
        )
    )
    template = "reset_password" if purpose == RESET_PASSWORD else "sign_in_link"
    outbox.queue(
        session,
        template,
        recipient=user.email,
        language=user.language or language,
        account_id=None,
        now=now,
        full_name=user.full_name,
        link=address_of(token),
        minutes=_minutes(LINK_LIFETIME),
    )
    session.flush()


def link_owner(session: Session, token: str, purpose: str, *, now: datetime) -> User:
    """Whose link this is, without using it up. Raises LinkExpired when it is unknown, used or too old."""
    return _open_link(session, token, purpose, now, lock=False)[1]


def set_password_by_link(session: Session, token: str, password: str, *, now: datetime) -> User:
    """Choose a new password with a mailed link: every session ends and every other link stops working.

    Raises LinkExpired or PasswordTooWeak; nothing has changed then.
    """
    _, user = _open_link(session, token, RESET_PASSWORD, now)
    passwords.check_strength(password)
    _set_password(session, user, password, kept_session_id=None, now=now)
    return user


def change_password(
    session: Session, user_id: uuid.UUID, *, current: str, new: str, kept_session_id: int, now: datetime
) -> None:
    """Change one's own password: the other sessions end, this one stays.

    Raises WrongCredentials for a wrong current one, counted as at sign-in, TooManyAttempts, PasswordTooWeak.
    """
    user = session.scalars(select(User).where(User.id == user_id).with_for_update()).one()
    key = _address_key("email", user.email)
    refuse_when_full(session, key, FAILURES_PER_ADDRESS, now)
    if not passwords.matches(user.password_hash, current):
        count(session, key, now)
        raise WrongCredentials(attempts_left=FAILURES_PER_ADDRESS - _counted(session, key, now)[0])
    passwords.check_strength(new)
    _set_password(session, user, new, kept_session_id=kept_session_id, now=now)


def _set_password(
    session: Session, user: User, password: str, *, kept_session_id: int | None, now: datetime
) -> None:
    user.password_hash = passwords.hash_password(password)
    open_links = and_(MailedLink.user_id == user.id, MailedLink.used_at.is_(None))
    session.execute(update(MailedLink).where(open_links).values(used_at=now))
    session.execute(delete(SignInAttempt).where(SignInAttempt.key == _address_key("email", user.email)))
    audit.record(session, _actor(user), None, "user.password_changed", str(user.id), {}, {}, now)
    end_other_sessions(session, user.id, kept_session_id, actor=_actor(user), now=now)
    session.flush()


def _open_link(
    session: Session, token: str, purpose: str, now: datetime, *, lock: bool = True
) -> tuple[MailedLink, User]:
    """The link and its owner; locked when it is about to be used up, so that two clicks use it once."""
    wanted = (
        select(MailedLink, User)
        .join(User, User.id == MailedLink.user_id)
        .where(MailedLink.token_hash == fingerprint(token), MailedLink.purpose == purpose)
    )
    row = session.execute(wanted.with_for_update() if lock else wanted).one_or_none()
    if row is None:
        raise LinkExpired
    link: MailedLink = row.MailedLink
    user: User = row.User
    if link.used_at is not None or now >= link.expires_at or user.disabled_at is not None:
        raise LinkExpired
    return link, user


# --- Preferences and accounts ----------------------------------------------------------------------------------


def profile(session: Session, user_id: uuid.UUID) -> User:
    return session.scalars(select(User).where(User.id == user_id)).one()


def choose_language(session: Session, user_id: uuid.UUID, language: str | None) -> None:
    """fr, nl or en; None leaves it to the browser."""
    session.execute(update(User).where(User.id == user_id).values(language=language))


def choose_price_display(session: Session, user_id: uuid.UUID, price_display: str) -> None:
    """htva or tvac: how this person reads the screen. Invoices always carry both."""
    session.execute(update(User).where(User.id == user_id).values(price_display=price_display))


def accounts_of(session: Session, user_id: uuid.UUID) -> list[AccountChoice]:
    """The accounts this person belongs to, by name, each with its current subscription, else its latest one."""
    rows = session.execute(
        select(
            Account.id,
            Account.name,
            Account.reference,
            Membership.role,
            Subscription.id.label("subscription_id"),
            Reseller.billed_party,
            Reseller.invoices_shown,
        )
        .join(Membership, Membership.account_id == Account.id)
        .outerjoin(Reseller, Reseller.id == Account.reseller_id)
        .outerjoin(Subscription, Subscription.account_id == Account.id)
        .where(Membership.user_id == user_id)
        .order_by(
            func.lower(Account.name),
            Account.reference,
            Subscription.status,  # active before ended
            Subscription.starts_on.desc(),
        )
    )
    choices: dict[uuid.UUID, AccountChoice] = {}
    for row in rows:
        reads = shows_platform_invoices(row.billed_party, row.invoices_shown)
        choice = AccountChoice(row.id, row.name, row.reference, row.role, row.subscription_id, reads)
        choices.setdefault(row.id, choice)
    return list(choices.values())


# --- Counting, fingerprints ------------------------------------------------------------------------------------


def normalise(email: str) -> str:
    return email.strip().lower()


def fingerprint(token: str) -> str:
    """What the database keeps of a token. A random token needs no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()


def _address_key(kind: str, address: str) -> str:
    return f"{kind}:{hashlib.sha256(address.encode()).hexdigest()}"


def _counted(session: Session, key: str, now: datetime) -> tuple[int, datetime | None]:
    """How many attempts in the window, and when the first of them was."""
    in_window = and_(SignInAttempt.key == key, SignInAttempt.at > now - WINDOW)
    times = session.scalars(select(SignInAttempt.at).where(in_window).order_by(SignInAttempt.at)).all()
    return len(times), (times[0] if times else None)


def refuse_when_full(session: Session, key: str, limit: int, now: datetime) -> None:
    count, first = _counted(session, key, now)
    if count >= limit and first is not None:
        raise TooManyAttempts(minutes=_minutes(first + WINDOW - now))


def count(session: Session, key: str, now: datetime) -> int:
    """Count one attempt, and forget those of this key that no longer matter. Returns how many there are now."""
    session.execute(delete(SignInAttempt).where(SignInAttempt.key == key, SignInAttempt.at <= now - WINDOW))
    session.add(SignInAttempt(key=key, at=now))
    session.flush()
    return _counted(session, key, now)[0]


def _minutes(span: timedelta) -> int:
    """Whole minutes, rounded up: "in 1 minute" rather than "in 0"."""
    return max(1, -(-int(span.total_seconds()) // 60))


def _actor(user: User) -> Actor:
    return Actor(kind="user", id=str(user.id), name=user.full_name)
