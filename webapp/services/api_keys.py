"""The systems that ask or are told, and their keys: made, shown once, counted, revoked (D6).

Only the SHA-256 of a key is kept. A key is 256 random bits, so that a fast hash is enough and nobody guesses one.
"""

import hashlib
import re
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import case, select, update
from sqlalchemy.orm import Session

from webapp.domain.access import Actor
from webapp.models.accounts import Reseller
from webapp.models.events import ApiConsumer, ApiKey
from webapp.services import audit

PREFIX = "ptl_"
SHOWN = 12  # characters kept in clear, to tell keys apart
SCOPES = ("accounts", "services", "invoices", "events")
WINDOW = timedelta(minutes=1)
LONGEST_NAME = 120
_FORM = re.compile(r"ptl_[A-Za-z0-9_-]{43}")


class ConsumerNotFound(LookupError):
    """No such system, or it is closed."""


class KeyNotFound(LookupError):
    """No such key, or several have these first characters."""


class NameTaken(ValueError):
    """Another system has that name."""


class UnknownScope(ValueError):
    """A key may only be given what SCOPES names, and something at least."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a key in use and its consumer."""

    key_id: int
    consumer_id: int
    reseller_id: uuid.UUID | None
    scopes: frozenset[str]
    since: datetime  # when the consumer was opened: what happened before is not told


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of the minute at hand, this request counted. `left` is negative once it is used up."""

    limit: int
    left: int
    resets_in: int  # whole seconds, at least one

    @property
    def is_used_up(self) -> bool:
        return self.left < 0


# ── Consumers ────────────────────────────────────────────────────────────────────────────────────────────────────


def open_consumer(
    session: Session, name: str, reseller_slug: str | None, now: datetime, actor: Actor
) -> ApiConsumer:
    """A system of the operator's, or of a reseller. Raises NameTaken, ConsumerNotFound for an unknown reseller. Flushes."""
    name = " ".join(name.split())[:LONGEST_NAME]
    if session.scalar(select(ApiConsumer.id).where(ApiConsumer.name == name)) is not None:
        raise NameTaken(name)
    reseller = None
    if reseller_slug:
        reseller = session.scalars(select(Reseller).where(Reseller.slug == reseller_slug)).first()
        if reseller is None:
            raise ConsumerNotFound(reseller_slug)
    consumer = ApiConsumer(name=name, reseller_id=reseller.id if reseller else None, created_at=now)
    session.add(consumer)
    session.flush()
    facts = {"reseller": reseller.slug if reseller else None}
    audit.record(session, actor, None, "integration.opened", name, {}, facts, now)
    return consumer


def close_consumer(session: Session, consumer_id: int, now: datetime, actor: Actor) -> None:
    """Its keys open nothing any more, and it is told nothing more. Twice changes nothing. Raises ConsumerNotFound."""
    consumer = get_consumer(session, consumer_id)
    if consumer.closed_at is not None:
        return
    consumer.closed_at = now
    session.execute(
        update(ApiKey)
        .where(ApiKey.consumer_id == consumer_id, ApiKey.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    audit.record(session, actor, None, "integration.closed", consumer.name, {}, {}, now)
    session.flush()


def get_consumer(session: Session, consumer_id: int) -> ApiConsumer:
    """Open or closed. Raises ConsumerNotFound."""
    consumer = session.get(ApiConsumer, consumer_id)
    if consumer is None:
        raise ConsumerNotFound(consumer_id)
    return consumer


def consumer_named(session: Session, name: str) -> ApiConsumer | None:
    return session.scalars(
        select(ApiConsumer).where(ApiConsumer.name == name, ApiConsumer.closed_at.is_(None))
    ).first()


def resellers(session: Session) -> list[tuple[str, str]]:
    """Code and name of each reseller, by name."""
    statement = select(Reseller.slug, Reseller.name).order_by(Reseller.name)
    return [(slug, name) for slug, name in session.execute(statement)]


# ── Keys ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def make(
    session: Session, consumer_id: int, scopes: Sequence[str], now: datetime, actor: Actor
) -> tuple[ApiKey, str]:
    """A new key with its only copy in clear. Raises ConsumerNotFound, also for a closed one, UnknownScope. Flushes."""
    consumer = get_consumer(session, consumer_id)
    if consumer.closed_at is not None:
        raise ConsumerNotFound(consumer_id)
    wanted = [scope for scope in SCOPES if scope in scopes]
    if not wanted or set(scopes) - set(SCOPES):
        raise UnknownScope(", ".join(scopes))
    clear = PREFIX + secrets.token_urlsafe(32)
    key = ApiKey(
        consumer_id=consumer_id,
        prefix=clear[:SHOWN],
        key_hash=_hash(clear),
        scopes=wanted,
        created_at=now,
        window_count=0,
    )
    session.add(key)
    session.flush()
    facts = {"key": key.prefix, "scopes": wanted}
    audit.record(session, actor, None, "integration.key_made", consumer.name, {}, facts, now)
    return key, clear


def revoke(session: Session, key_id: int, now: datetime, actor: Actor) -> ApiKey:
    """From the next request on it opens nothing. Twice changes nothing. Raises KeyNotFound."""
    key = session.get(ApiKey, key_id)
    if key is None:
        raise KeyNotFound(key_id)
    if key.revoked_at is None:
        key.revoked_at = now
        name = get_consumer(session, key.consumer_id).name
        audit.record(session, actor, None, "integration.key_revoked", name, {"key": key.prefix}, {}, now)
        session.flush()
    return key


def by_prefix(session: Session, prefix: str) -> ApiKey:
    """The one key in use that begins so. Raises KeyNotFound."""
    statement = select(ApiKey).where(
        ApiKey.prefix.startswith(prefix, autoescape=True), ApiKey.revoked_at.is_(None)
    )
    found = session.scalars(statement.limit(2)).all()
    if len(found) != 1 or len(prefix) < len(PREFIX) + 2:
        raise KeyNotFound(prefix)
    return found[0]


def keys_of(session: Session, consumer_id: int) -> list[ApiKey]:
    """In use first, then the latest first."""
    statement = (
        select(ApiKey)
        .where(ApiKey.consumer_id == consumer_id)
        .order_by(ApiKey.revoked_at.is_not(None), ApiKey.id.desc())
    )
    return list(session.scalars(statement))


@dataclass(frozen=True, slots=True)
class Listed:
    """A system as lists show it."""

    consumer: ApiConsumer
    reseller: str | None
    keys: int  # in use
    last_used_at: datetime | None


def listed(session: Session) -> list[Listed]:
    """Every system, open ones first, by name. Two statements."""
    rows = session.execute(
        select(ApiConsumer, Reseller.name)
        .outerjoin(Reseller, Reseller.id == ApiConsumer.reseller_id)
        .order_by(ApiConsumer.closed_at.is_not(None), ApiConsumer.name)
    ).all()
    keys: dict[int, list[ApiKey]] = {}
    for key in session.scalars(select(ApiKey)):
        keys.setdefault(key.consumer_id, []).append(key)
    return [
        Listed(
            consumer,
            reseller,
            sum(key.revoked_at is None for key in keys.get(consumer.id, ())),
            max(
                (key.last_used_at for key in keys.get(consumer.id, ()) if key.last_used_at is not None),
                default=None,
            ),
        )
        for consumer, reseller in rows
    ]


# ── Using a key ──────────────────────────────────────────────────────────────────────────────────────────────────


def caller(session: Session, given: str) -> Caller | None:
    """Who holds this key; None for one that is unknown, revoked, or whose consumer is closed. Reads only."""
    if not _FORM.fullmatch(given):
        return None
    row = session.execute(
        select(ApiKey.id, ApiKey.scopes, ApiConsumer.id, ApiConsumer.reseller_id, ApiConsumer.created_at)
        .join(ApiConsumer, ApiConsumer.id == ApiKey.consumer_id)
        .where(ApiKey.key_hash == _hash(given), ApiKey.revoked_at.is_(None), ApiConsumer.closed_at.is_(None))
    ).first()
    return Caller(row[0], row[2], row[3], frozenset(row[1]), row[4]) if row else None


def count(session: Session, key_id: int, limit: int, now: datetime) -> Allowance:
    """Count one request of the minute at hand, in one statement: two workers never give the same one away twice."""
    minute = now.replace(second=0, microsecond=0)
    used = session.scalar(
        update(ApiKey)
        .where(ApiKey.id == key_id)
        .values(
            window_count=case((ApiKey.window_at == minute, ApiKey.window_count + 1), else_=1),
            window_at=minute,
            last_used_at=now,
        )
        .returning(ApiKey.window_count)
        .execution_options(synchronize_session=False)
    )
    resets_in = max(1, round((minute + WINDOW - now).total_seconds()))
    return Allowance(limit, limit - int(used or 0), resets_in)


def _hash(clear: str) -> str:
    return hashlib.sha256(clear.encode()).hexdigest()
