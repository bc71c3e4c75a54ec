"""The portal in a reseller's page: a signed assertion opens a session once, each request asks whether it still holds.

The token of a session is 256 random bits, given once inside the page; the database keeps its SHA-256. A ticket is the
same for one address and half a minute. Nothing here knows of requests, and nothing commits.
"""

import secrets
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, bindparam, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp.adapters import embed_assertions
from webapp.adapters.embed_assertions import Key, Signed
from webapp.domain.access import Actor, Role, lesser
from webapp.domain.embedding import (
    ABSOLUTE,
    IDLE,
    TICKET,
    Assertion,
    AssertionRefused,
    Expected,
    Why,
    read_claims,
)
from webapp.models.accounts import Account, Membership, Reseller, User
from webapp.models.embedding import EmbedAssertion, EmbedSession, EmbedTicket
from webapp.models.reading import AnyRow, read
from webapp.models.resellers import ResellerKey
from webapp.models.subscriptions import Subscription
from webapp.services import audit, resellers
from webapp.services.people import Device, fingerprint

SEEN_EVERY = timedelta(minutes=1)
OPENED_PER_MINUTE = 600  # sessions of one reseller
KEPT = timedelta(days=1)  # an assertion used up is remembered much longer than it lives

Unseal = Callable[[str], str]


@dataclass(frozen=True)
class Frame:
    """The reseller in whose page the portal stands: what every answer needs, errors included."""

    reseller_id: uuid.UUID
    slug: str
    name: str
    contact_name: str
    contact_email: str
    contact_phone: str
    origins: tuple[str, ...]
    role_cap: Role
    languages: tuple[str, ...]
    theme_hash: str | None


@dataclass(frozen=True)
class Entry:
    """A session just opened. `token` is never to be seen again."""

    session_id: int
    token: str
    origin: str
    language: str
    subscription_id: uuid.UUID
    reads_subscription: bool  # an accountant begins with the invoices


def frame(session: Session, slug: str) -> Frame | None:
    """The reseller of this address; None when there is none."""
    row = session.scalars(select(Reseller).where(Reseller.slug == slug)).first()
    if row is None:
        return None
    return Frame(
        row.id,
        row.slug,
        row.name,
        row.contact_name,
        row.contact_email,
        row.contact_phone,
        tuple(row.allowed_origins),
        Role(row.role_cap),
        tuple(row.languages),
        row.theme_hash,
    )


# --- Opening ---------------------------------------------------------------------------------------------------


def enter(
    session: Session,
    held_by: Frame,
    text: str,
    *,
    audience: str,
    origin: str,
    unseal: Unseal,
    device: Device,
    signed_now: datetime,
    now: datetime,
) -> Entry:
    """Open a session with an assertion, which is used up. `origin` is one of the reseller's. Raises AssertionRefused.

    `signed_now` is the instant on the clock of whoever signs, `now` ours. The unique key on (reseller, jti) is what refuses the same one twice, whichever process reads it. Flushes.
    """
    signed = _signed(session, held_by, text, unseal)
    expected = Expected(held_by.slug, audience, origin, held_by.role_cap)
    said = read_claims(signed.claims, expected, signed_now)
    _refuse_a_flood(session, held_by, now)
    account, user, own_role = _person(session, held_by, said)
    role = lesser(said.role, own_role)
    subscription_id = subscription_of(session, account.id)
    _use_up(session, held_by, said.jti, now)
    token = secrets.token_urlsafe(32)
    opened = EmbedSession(
        token_hash=fingerprint(token),
        reseller_id=held_by.reseller_id,
        key_id=signed.key_id,
        account_id=account.id,
        user_id=user.id,
        role=said.role.value,
        origin=origin,
        language=_language(said.language, held_by.languages, user.language, account.language),
        state={},
        created_at=now,
        last_seen_at=now,
        expires_at=now + ABSOLUTE,
        ip_address=device.ip_address[:45],
        user_agent=device.user_agent[:400],
    )
    session.add(opened)
    session.flush()
    facts = {"means": "embed", "reseller": held_by.slug, "role": role.value, "ip_address": device.ip_address}
    actor = Actor(kind="user", id=str(user.id), name=user.full_name)
    audit.record(session, actor, None, "user.signed_in", str(user.id), {}, facts, now)
    reads = role is not Role.ACCOUNTANT
    return Entry(opened.id, token, origin, opened.language, subscription_id, reads)


def _signed(session: Session, held_by: Frame, text: str, unseal: Unseal) -> Signed:
    """The claims under a key of this reseller that is in use. An unknown key and a wrong signature are the same answer."""
    kid = embed_assertions.kid_of(text)
    row = resellers.active_key(session, held_by.reseller_id, kid)
    if row is None:
        raise AssertionRefused(Why.SIGNATURE)
    return embed_assertions.verify(text, Key(row.id, row.algorithm, _material(row, unseal)))


def _material(row: ResellerKey, unseal: Unseal) -> str | bytes:
    """A public key in PEM, or the shared secret: its text itself, in ASCII."""
    return row.public_key or "" if row.sealed_secret is None else unseal(row.sealed_secret).encode("ascii")


def _refuse_a_flood(session: Session, held_by: Frame, now: datetime) -> None:
    """Counted on what was rightly signed, so that nobody else can close the door of a reseller."""
    lately = and_(
        EmbedAssertion.reseller_id == held_by.reseller_id, EmbedAssertion.used_at > now - timedelta(minutes=1)
    )
    if (session.scalar(select(func.count()).where(lately)) or 0) >= OPENED_PER_MINUTE:
        raise AssertionRefused(Why.TOO_MANY)


def _person(session: Session, held_by: Frame, said: Assertion) -> tuple[Account, User, Role]:
    """The account among this reseller's own, and the person among its users: neither is made here."""
    account = session.scalars(
        select(Account).where(
            Account.reference == said.reference,
            Account.reseller_id == held_by.reseller_id,
            Account.closed_at.is_(None),
        )
    ).first()
    if account is None:
        raise AssertionRefused(Why.ACCOUNT, "sub")
    found = session.execute(
        select(User, Membership.role)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.account_id == account.id, User.email == said.person, User.disabled_at.is_(None))
    ).first()
    if found is None:
        raise AssertionRefused(Why.USER, "user")
    return account, found[0], Role(found[1])


def subscription_of(session: Session, account_id: uuid.UUID) -> uuid.UUID:
    """The one that the frame opens on: running before ended, the latest first. Raises AssertionRefused."""
    found = session.scalar(
        select(Subscription.id)
        .where(Subscription.account_id == account_id)
        .order_by(Subscription.status, Subscription.starts_on.desc(), Subscription.id)
        .limit(1)
    )
    if found is None:
        raise AssertionRefused(Why.NO_SUBSCRIPTION, "sub")
    return found


def _use_up(session: Session, held_by: Frame, jti: str, now: datetime) -> None:
    session.execute(
        delete(EmbedAssertion).where(
            EmbedAssertion.reseller_id == held_by.reseller_id, EmbedAssertion.used_at < now - KEPT
        )
    )
    try:
        with session.begin_nested():
            session.add(EmbedAssertion(reseller_id=held_by.reseller_id, jti=jti, used_at=now))
    except IntegrityError:
        raise AssertionRefused(Why.REPLAYED, "jti") from None


def _language(asked: str | None, offered: Sequence[str], *others: str | None) -> str:
    """What the reseller asks for, else the person's, else the account's, among the languages that the reseller offers."""
    return next((each for each in (asked, *others) if each in offered), offered[0])  # type: ignore[return-value]


# --- The session of a request ----------------------------------------------------------------------------------

_SESSION, _KEY, _USER = EmbedSession.__table__.c, ResellerKey.__table__.c, User.__table__.c
_ACCOUNT, _MEMBER, _RESELLER = Account.__table__.c, Membership.__table__.c, Reseller.__table__.c
_VISIT: Select[*tuple[Any, ...]] = (
    select(
        _SESSION.id.label("session_id"),
        _SESSION.role.label("asked_role"),
        _SESSION.origin,
        _SESSION.language,
        _SESSION.state,
        _SESSION.last_seen_at,
        _USER.id.label("user_id"),
        _USER.full_name,
        _USER.email,
        _USER.price_display,
        _MEMBER.role.label("own_role"),
        _ACCOUNT.id.label("account_id"),
        _ACCOUNT.name.label("account_name"),
        _ACCOUNT.reference.label("account_reference"),
        _ACCOUNT.suspended_on,
        _ACCOUNT.suspension_cause,
        _RESELLER.name.label("reseller_name"),
        _RESELLER.allowed_origins,
        _RESELLER.role_cap,
        _RESELLER.billed_party,
        _RESELLER.prices_shown,
        _RESELLER.invoices_shown,
        _RESELLER.theme_hash,
    )
    .join_from(EmbedSession.__table__, ResellerKey.__table__, _KEY.id == _SESSION.key_id)
    .join(User.__table__, _USER.id == _SESSION.user_id)
    .join(Account.__table__, _ACCOUNT.id == _SESSION.account_id)
    .join(Reseller.__table__, _RESELLER.id == _SESSION.reseller_id)
    .join(Membership.__table__, and_(_MEMBER.user_id == _USER.id, _MEMBER.account_id == _ACCOUNT.id))
    .where(
        or_(
            _SESSION.token_hash == bindparam("token_hash"),
            _SESSION.id == bindparam("session_id", type_=_SESSION.id.type),
        ),
        _RESELLER.slug == bindparam("slug"),
        _SESSION.revoked_at.is_(None),
        _SESSION.expires_at > bindparam("now", type_=_SESSION.expires_at.type),
        _SESSION.last_seen_at > bindparam("idle_since", type_=_SESSION.last_seen_at.type),
        _KEY.revoked_at.is_(None),
        _KEY.reseller_id == _SESSION.reseller_id,
        _ACCOUNT.reseller_id == _SESSION.reseller_id,
        _ACCOUNT.closed_at.is_(None),
        _USER.disabled_at.is_(None),
    )
)
_OF_SUBSCRIPTION = select(Subscription.__table__.c.account_id).where(
    Subscription.__table__.c.id == bindparam("subscription_id", type_=Subscription.__table__.c.id.type)
)


def visit(
    session: Session, slug: str, *, token: str = "", session_id: int | None = None, now: datetime
) -> AnyRow | None:
    """Who comes with this token under this reseller's address, or with a ticket of that session: one statement.

    None once anything that carries the session is gone: time, key, membership, account of the reseller, origin.
    """
    values = {
        "token_hash": fingerprint(token) if token else "",
        "session_id": session_id,
        "slug": slug,
        "now": now,
        "idle_since": now - IDLE,
    }
    row = next(iter(read(session, _VISIT, values)), None)
    if row is None or row.origin not in row.allowed_origins:
        return None
    return row


def owns(session: Session, account_id: uuid.UUID, subscription_id: uuid.UUID) -> bool:
    """Whether this subscription is the account's: others do not exist."""
    row = next(iter(read(session, _OF_SUBSCRIPTION, {"subscription_id": subscription_id})), None)
    return row is not None and row.account_id == account_id


def note_visit(session: Session, session_id: int, *, now: datetime) -> None:
    """Keep when a session was last used. Not said in the audit trail."""
    _change(session, session_id, last_seen_at=now)


def keep_state(session: Session, session_id: int, state: dict[str, Any]) -> None:
    """Keep what a cookie would have kept."""
    _change(session, session_id, state=state)


def _change(session: Session, session_id: int, **values: Any) -> None:
    still_open = and_(EmbedSession.id == session_id, EmbedSession.revoked_at.is_(None))
    session.execute(update(EmbedSession).where(still_open).values(**values))


def revoke(session: Session, reseller_id: uuid.UUID, *, now: datetime) -> int:
    """End every open session of a reseller. Returns how many there were."""
    open_ones = and_(EmbedSession.reseller_id == reseller_id, EmbedSession.revoked_at.is_(None))
    ended = session.execute(
        update(EmbedSession).where(open_ones).values(revoked_at=now).returning(EmbedSession.id)
    )
    return len(ended.all())


# --- Tickets ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ticket:
    """What a ticket opened: an address below /embed/<slug>, for the session that asked for it."""

    slug: str
    session_id: int
    address: str


def write_ticket(session: Session, session_id: int, address: str, *, now: datetime) -> str:
    """A token that opens this address once, within half a minute. Old tickets of the session go. Flushes."""
    session.execute(
        delete(EmbedTicket).where(EmbedTicket.embed_session_id == session_id, EmbedTicket.expires_at < now)
    )
    token = secrets.token_urlsafe(32)
    session.add(
        EmbedTicket(
            token_hash=fingerprint(token),
            embed_session_id=session_id,
            address=address,
            expires_at=now + TICKET,
        )
    )
    session.flush()
    return token


def use_ticket(session: Session, token: str, *, now: datetime) -> Ticket | None:
    """Use a ticket up; None when it was used, has expired or never was. One statement decides, in any process."""
    used = session.execute(
        update(EmbedTicket)
        .where(
            EmbedTicket.token_hash == fingerprint(token),
            EmbedTicket.used_at.is_(None),
            EmbedTicket.expires_at > now,
        )
        .values(used_at=now)
        .returning(EmbedTicket.embed_session_id, EmbedTicket.address)
    ).first()
    if used is None:
        return None
    slug = session.scalar(
        select(Reseller.slug)
        .join(EmbedSession, EmbedSession.reseller_id == Reseller.id)
        .where(EmbedSession.id == used.embed_session_id)
    )
    return Ticket(slug, used.embed_session_id, used.address) if slug else None
