"""Webhooks out: the addresses told, their secrets, and each delivery tried until it is taken or given up (D6).

Sending has a transaction of its own for each step, so that no lock is held while a receiver answers: claim, send,
note. Killed between the last two, the message leaves again under the same webhook-id, which receivers keep to drop
what they have seen. Two workers never make the same try: who counts it first has it.
"""

import logging
import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, exists, func, select, update
from sqlalchemy.orm import Session, aliased

from webapp.adapters import safe_http
from webapp.adapters.safe_http import Reach
from webapp.adapters.vault import Unreadable, Vault
from webapp.adapters.webhook_sender import Outcome, Sender, new_secret
from webapp.domain.access import STAFF_MAY, Actor, May
from webapp.models.accounts import User
from webapp.models.events import ApiConsumer, Event, WebhookDelivery, WebhookEndpoint
from webapp.models.invoices import Issuer
from webapp.services import api_keys, audit, events, outbox
from webapp.services.api_keys import ConsumerNotFound

# How long to wait before each try, counted from the one before; after the last, the delivery is given up.
WAITS = tuple(
    timedelta(seconds=seconds)
    for seconds in (
        0,
        5,
        5 * 60,
        30 * 60,
        2 * 3600,
        5 * 3600,
        10 * 3600,
        14 * 3600,
        20 * 3600,
        24 * 3600,
    )
)
HELD_FOR = 3  # an event waits for the earlier ones of its account while they have had fewer tries than this
LEASE = timedelta(seconds=60)  # a try that was claimed and never noted is made again after this
TIRED_AFTER = (
    2  # failures in a row of one address, in one round: the rest of its messages wait for the next round
)
PAGE_SIZE = 50

WAITING, DELIVERED, GIVEN_UP = "waiting", "delivered", "given_up"
STATES = (WAITING, DELIVERED, GIVEN_UP)

Transaction = Callable[[], AbstractContextManager[Session]]
log = logging.getLogger(__name__)


class EndpointNotFound(LookupError):
    """No such address."""


class DeliveryNotFound(LookupError):
    """No such delivery."""


class WrongKinds(ValueError):
    """An address may only ask for kinds of events.CATALOGUE."""


# ── Addresses ────────────────────────────────────────────────────────────────────────────────────────────────────


def add_endpoint(
    session: Session,
    consumer_id: int,
    url: str,
    kinds: Sequence[str],
    reach: Reach,
    vault: Vault,
    now: datetime,
    actor: Actor,
) -> tuple[WebhookEndpoint, str]:
    """A new address, with the only copy in clear of its secret. No kind means all of them. Flushes.

    Raises safe_http.Refused for an address that is never called, WrongKinds, ConsumerNotFound also for a closed one.
    """
    consumer = api_keys.get_consumer(session, consumer_id)
    if consumer.closed_at is not None:
        raise ConsumerNotFound(consumer_id)
    url = url.strip()
    safe_http.check(url, reach)
    if set(kinds) - set(events.CATALOGUE):
        raise WrongKinds(", ".join(kinds))
    secret = new_secret()
    endpoint = WebhookEndpoint(
        consumer_id=consumer_id,
        url=url,
        kinds=[kind for kind in events.CATALOGUE if kind in kinds],
        secret_sealed=vault.seal(secret),
        created_at=now,
    )
    session.add(endpoint)
    session.flush()
    facts = {"url": url, "kinds": list(endpoint.kinds)}
    audit.record(session, actor, None, "integration.endpoint_added", consumer.name, {}, facts, now)
    return endpoint, secret


def get_endpoint(session: Session, endpoint_id: int) -> WebhookEndpoint:
    """Raises EndpointNotFound."""
    endpoint = session.get(WebhookEndpoint, endpoint_id)
    if endpoint is None:
        raise EndpointNotFound(endpoint_id)
    return endpoint


def endpoints_of(session: Session, consumer_id: int) -> list[WebhookEndpoint]:
    statement = (
        select(WebhookEndpoint)
        .where(WebhookEndpoint.consumer_id == consumer_id)
        .order_by(WebhookEndpoint.disabled_at.is_not(None), WebhookEndpoint.id)
    )
    return list(session.scalars(statement))


def has_endpoint(session: Session) -> bool:
    """Whether anybody is to be told at all."""
    statement = select(WebhookEndpoint.id).where(WebhookEndpoint.disabled_at.is_(None)).limit(1)
    return session.scalar(statement) is not None


def failing(session: Session) -> dict[int, int]:
    """How many addresses of each consumer have had something given up since they last answered."""
    statement = (
        select(WebhookEndpoint.consumer_id, func.count())
        .where(WebhookEndpoint.flagged_at.is_not(None))
        .group_by(WebhookEndpoint.consumer_id)
    )
    return {row[0]: row[1] for row in session.execute(statement)}


def rotate_secret(session: Session, endpoint_id: int, vault: Vault, now: datetime, actor: Actor) -> str:
    """A new secret, shown once; the present one signs along with it until `end_rotation`. Flushes."""
    endpoint = get_endpoint(session, endpoint_id)
    secret = new_secret()
    endpoint.former_secret_sealed, endpoint.secret_sealed = endpoint.secret_sealed, vault.seal(secret)
    _note(session, endpoint, "secret_renewed", now, actor)
    return secret


def end_rotation(session: Session, endpoint_id: int, now: datetime, actor: Actor) -> None:
    """The former secret signs no more. Twice changes nothing. Flushes."""
    endpoint = get_endpoint(session, endpoint_id)
    if endpoint.former_secret_sealed is not None:
        endpoint.former_secret_sealed = None
        _note(session, endpoint, "former_secret_dropped", now, actor)


def disable(session: Session, endpoint_id: int, now: datetime, actor: Actor) -> None:
    """Nothing leaves for it any more; what waits goes on waiting. Twice changes nothing. Flushes."""
    endpoint = get_endpoint(session, endpoint_id)
    if endpoint.disabled_at is None:
        endpoint.disabled_at = now
        _note(session, endpoint, "endpoint_disabled", now, actor)


def enable(session: Session, endpoint_id: int, now: datetime, actor: Actor) -> None:
    """What waits leaves again; what happened meanwhile is in the feed. Twice changes nothing. Flushes."""
    endpoint = get_endpoint(session, endpoint_id)
    if endpoint.disabled_at is not None:
        endpoint.disabled_at = endpoint.failing_since = endpoint.flagged_at = None
        _note(session, endpoint, "endpoint_enabled", now, actor)


def send_test(session: Session, endpoint_id: int, now: datetime, actor: Actor) -> WebhookDelivery:
    """Queue a message for this address alone. Flushes."""
    endpoint = get_endpoint(session, endpoint_id)
    event = Event(key=uuid.uuid4(), kind=events.TEST, account_id=None, at=now, data={"endpoint": endpoint.id})
    session.add(event)
    session.flush()
    delivery = WebhookDelivery(
        event_id=event.id, endpoint_id=endpoint.id, state=WAITING, attempts=0, next_at=now
    )
    session.add(delivery)
    session.info[events.QUEUED] = True
    _note(session, endpoint, "tested", now, actor)
    return delivery


def _note(session: Session, endpoint: WebhookEndpoint, done: str, now: datetime, actor: Actor) -> None:
    name = api_keys.get_consumer(session, endpoint.consumer_id).name
    facts = {"endpoint": endpoint.id, "url": endpoint.url}
    audit.record(session, actor, None, f"integration.{done}", name, {}, facts, now)
    session.flush()


# ── Deliveries, as the team sees them ────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Listed:
    """A delivery as lists show it."""

    delivery: WebhookDelivery
    event: Event


@dataclass(frozen=True, slots=True)
class Page:
    rows: tuple[Listed, ...]
    counts: dict[str, int]  # by state, over all pages
    number: int
    pages: int


def deliveries(session: Session, endpoint_id: int, state: str | None = None, page: int = 1) -> Page:
    """The deliveries of an address, latest first, one page of those in `state` or of all. Beyond the last, the last."""
    counted = session.execute(
        select(WebhookDelivery.state, func.count())
        .where(WebhookDelivery.endpoint_id == endpoint_id)
        .group_by(WebhookDelivery.state)
    )
    counts = dict.fromkeys(STATES, 0) | {row[0]: row[1] for row in counted}
    total = counts[state] if state else sum(counts.values())
    pages = max(1, -(-total // PAGE_SIZE))
    number = min(max(page, 1), pages)
    statement = (
        select(WebhookDelivery, Event)
        .join(Event, Event.id == WebhookDelivery.event_id)
        .where(WebhookDelivery.endpoint_id == endpoint_id)
        .order_by(WebhookDelivery.id.desc())
        .limit(PAGE_SIZE)
        .offset((number - 1) * PAGE_SIZE)
    )
    if state:
        statement = statement.where(WebhookDelivery.state == state)
    return Page(tuple(Listed(*row) for row in session.execute(statement)), counts, number, pages)


def replay(session: Session, delivery_id: int, now: datetime, actor: Actor) -> WebhookDelivery:
    """Send it again, whatever became of it, under the same webhook-id. Flushes. Raises DeliveryNotFound."""
    delivery = session.get(WebhookDelivery, delivery_id, with_for_update=True)
    if delivery is None:
        raise DeliveryNotFound(delivery_id)
    delivery.state, delivery.attempts, delivery.next_at = WAITING, 0, now
    session.info[events.QUEUED] = True
    _note(session, get_endpoint(session, delivery.endpoint_id), "replayed", now, actor)
    return delivery


def replay_given_up(session: Session, endpoint_id: int, now: datetime, actor: Actor) -> int:
    """Send again all that was given up for this address. Answers how many. Flushes. Raises EndpointNotFound."""
    endpoint = get_endpoint(session, endpoint_id)
    again = session.scalars(
        update(WebhookDelivery)
        .where(WebhookDelivery.endpoint_id == endpoint_id, WebhookDelivery.state == GIVEN_UP)
        .values(state=WAITING, attempts=0, next_at=now)
        .returning(WebhookDelivery.id)
    ).all()
    if again:
        session.info[events.QUEUED] = True
        _note(session, endpoint, "replayed", now, actor)
    return len(again)


# ── Sending ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Round:
    """How a round went: `waiting` failed and will be tried again, `given_up` had their last try."""

    published: int = 0
    delivered: int = 0
    waiting: int = 0
    given_up: int = 0


@dataclass(frozen=True, slots=True)
class _Try:
    """A try that is ours to make."""

    delivery_id: int
    endpoint_id: int
    attempt: int  # counted from 1
    url: str
    secrets: tuple[str, ...]
    message: events.Message


def send_due(
    transaction: Transaction,
    sender: Sender,
    vault: Vault,
    clock: Callable[[], datetime],
    link: Callable[[int], str],
    *,
    most: int | None = None,
) -> Round:
    """Publish what happened, then make every try that is due, at most `most` of them. `link` is the team's page of an
    address, for the mail that says something was given up. `transaction` opens a short one, committed on leaving it.
    """
    published = 0
    while True:
        with transaction() as session:
            page = events.publish(session)
        published += page
        if page < events.PAGE:
            break
    delivered = failed = given_up = 0
    tired: dict[int, int] = {}
    seen: set[tuple[int, int]] = set()
    while most is None or len(seen) < most:
        with transaction() as session:
            resting = [endpoint_id for endpoint_id, row in tired.items() if row >= TIRED_AFTER]
            due = [each for each in _due(session, clock(), resting) if each not in seen]
        if not due:
            break
        for delivery_id, attempts in due[: None if most is None else most - len(seen)]:
            seen.add((delivery_id, attempts))
            with transaction() as session:
                claimed = _claim(session, delivery_id, attempts, vault, clock(), link, tired)
            state = claimed
            if isinstance(claimed, _Try):
                outcome = sender(
                    claimed.url, str(claimed.message.key), claimed.message.as_json(), claimed.secrets
                )
                with transaction() as session:
                    state = _settle(session, claimed, outcome, clock(), link)
                tired[claimed.endpoint_id] = (
                    0 if state == DELIVERED else tired.get(claimed.endpoint_id, 0) + 1
                )
            delivered += state == DELIVERED
            failed += state == WAITING
            given_up += state == GIVEN_UP
    return Round(published, delivered, failed, given_up)


def _in_use() -> ColumnElement[bool]:
    return and_(WebhookEndpoint.disabled_at.is_(None), ApiConsumer.closed_at.is_(None))


def _earlier_held() -> ColumnElement[bool]:
    """An earlier event of the same account still waits for its first tries at the same address."""
    earlier, its_event = aliased(WebhookDelivery), aliased(Event)
    return exists(
        select(earlier.id)
        .join(its_event, its_event.id == earlier.event_id)
        .where(
            earlier.endpoint_id == WebhookDelivery.endpoint_id,
            earlier.state == WAITING,
            earlier.attempts < HELD_FOR,
            its_event.account_id == Event.account_id,
            its_event.position < Event.position,
        )
    )


def _due(session: Session, now: datetime, resting: Sequence[int], limit: int = 200) -> list[tuple[int, int]]:
    """The tries to make now, by id and tries already made, in the order of the feed."""
    statement = (
        select(WebhookDelivery.id, WebhookDelivery.attempts)
        .join(Event, Event.id == WebhookDelivery.event_id)
        .join(WebhookEndpoint, WebhookEndpoint.id == WebhookDelivery.endpoint_id)
        .join(ApiConsumer, ApiConsumer.id == WebhookEndpoint.consumer_id)
        .where(
            WebhookDelivery.state == WAITING,
            WebhookDelivery.next_at <= now,
            WebhookDelivery.endpoint_id.not_in(resting),
            _in_use(),
            ~_earlier_held(),
        )
        .order_by(WebhookDelivery.id)
        .limit(limit)
    )
    return [(delivery_id, attempts) for delivery_id, attempts in session.execute(statement)]


def _claim(
    session: Session,
    delivery_id: int,
    attempts: int,
    vault: Vault,
    now: datetime,
    link: Callable[[int], str],
    tired: dict[int, int],
) -> "_Try | str | None":
    """Count the try about to be made. None when another worker has, or when the address rests; the state it is left in
    when there is nothing to send: its last try was claimed and never noted, or no key opens its secret."""
    found = session.execute(
        select(Event, WebhookEndpoint)
        .join(WebhookDelivery, WebhookDelivery.event_id == Event.id)
        .join(WebhookEndpoint, WebhookEndpoint.id == WebhookDelivery.endpoint_id)
        .where(WebhookDelivery.id == delivery_id)
    ).one()
    event, endpoint = found
    if tired.get(endpoint.id, 0) >= TIRED_AFTER:
        return None
    claimed = session.scalars(
        update(WebhookDelivery)
        .where(
            WebhookDelivery.id == delivery_id,
            WebhookDelivery.attempts == attempts,
            WebhookDelivery.state == WAITING,
        )
        .values(attempts=attempts + 1, next_at=now + LEASE)
        .returning(WebhookDelivery)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if claimed is None:
        return None
    if attempts >= len(WAITS):
        return _give_up(session, claimed, endpoint, now, link)
    try:
        opened = [vault.open(endpoint.secret_sealed)]
        if endpoint.former_secret_sealed is not None:
            opened.append(vault.open(endpoint.former_secret_sealed))
    except Unreadable:
        unsigned = Outcome(None, "no key at hand opens the secret of this address: give it a new one")
        return _note_failure(session, claimed, endpoint, attempts + 1, unsigned, now, link)
    return _Try(delivery_id, endpoint.id, attempts + 1, endpoint.url, tuple(opened), events.message(event))


def _settle(session: Session, made: _Try, outcome: Outcome, now: datetime, link: Callable[[int], str]) -> str:
    """Note how a try went. Answers the state of the delivery."""
    delivery = session.get_one(WebhookDelivery, made.delivery_id)
    endpoint = session.get_one(WebhookEndpoint, made.endpoint_id)
    if not outcome.is_taken:
        return _note_failure(session, delivery, endpoint, made.attempt, outcome, now, link)
    delivery.state, delivery.delivered_at = DELIVERED, now
    delivery.last_status, delivery.last_error = outcome.status, None
    endpoint.failing_since = endpoint.flagged_at = None
    session.flush()
    return DELIVERED


def _note_failure(
    session: Session,
    delivery: WebhookDelivery,
    endpoint: WebhookEndpoint,
    attempt: int,
    outcome: Outcome,
    now: datetime,
    link: Callable[[int], str],
) -> str:
    log.warning("delivery %s, try %s: %s", delivery.id, attempt, outcome.error)
    delivery.last_status, delivery.last_error = outcome.status, outcome.error[:1000]
    endpoint.failing_since = endpoint.failing_since or now
    if outcome.is_gone:
        endpoint.disabled_at = now
        return _give_up(session, delivery, endpoint, now, link)
    if attempt >= len(WAITS):
        return _give_up(session, delivery, endpoint, now, link)
    delivery.next_at = now + WAITS[attempt]
    session.flush()
    return WAITING


def _give_up(
    session: Session,
    delivery: WebhookDelivery,
    endpoint: WebhookEndpoint,
    now: datetime,
    link: Callable[[int], str],
) -> str:
    """Stop trying, flag the address, and tell the team once until the address works again."""
    delivery.state = GIVEN_UP
    is_news = endpoint.flagged_at is None
    endpoint.flagged_at = endpoint.flagged_at or now
    session.flush()
    if is_news:
        _tell_team(session, endpoint, delivery, now, link(endpoint.id))
    return GIVEN_UP


def _tell_team(
    session: Session, endpoint: WebhookEndpoint, delivery: WebhookDelivery, now: datetime, link: str
) -> None:
    """To those of the team whose page it is, each in their language; to the operator's own address if there is nobody."""
    places = [place.value for place, granted in STAFF_MAY.items() if May.CORRECT_MONEY in granted]
    people = session.execute(
        select(User.email, User.language)
        .where(User.staff_role.in_(places), User.disabled_at.is_(None))
        .order_by(User.email)
    ).all()
    readers = [(row.email, row.language or "fr") for row in people]
    if not readers:
        address = session.scalar(select(Issuer.email).order_by(Issuer.id).limit(1))
        readers = [(address, "fr")] if address else []
    name = api_keys.get_consumer(session, endpoint.consumer_id).name
    for recipient, language in readers:
        outbox.queue(
            session,
            "webhook_given_up",
            recipient=recipient,
            language=language,
            account_id=None,
            now=now,
            consumer=name,
            url=endpoint.url,
            failing_since=endpoint.failing_since or now,
            error=delivery.last_error or "",
            is_gone=endpoint.disabled_at is not None,
            link=link,
        )
