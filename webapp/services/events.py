"""Events: what other systems are told, written in the transaction that made it true (D6).

An event that was undone was never written; one that was written leaves after the commit, even if this process dies.
`publish` then gives each its position in the feed. Invoices and credit notes are not recorded one by one: the
billing run writes a hundred thousand in minutes, so the publisher reads them from their series, which has no gap.
"""

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from webapp.models.accounts import Account
from webapp.models.events import ApiConsumer, Event, PublishingMark, WebhookDelivery, WebhookEndpoint
from webapp.models.invoices import Invoice, Series
from webapp.models.subscriptions import Subscription

QUEUED = "events_queued"  # in session.info: this transaction has something to tell
POSITION = "position"  # the mark of the last position given
PAGE = 500  # events published in one transaction
TEST = "endpoint.test"  # sent to one address by the team, never part of the feed


# ── The catalogue ────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Fact:
    """One member of an event's `data`: its JSON Schema, what it means, an example."""

    schema: Mapping[str, Any]
    meaning: str
    example: Any


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of event: `when` finishes the sentence "Sent when …"."""

    code: str
    when: str
    facts: Mapping[str, Fact]

    @property
    def example(self) -> dict[str, Any]:
        return {name: fact.example for name, fact in self.facts.items()}

    @property
    def schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "required": list(self.facts),
            "additionalProperties": False,
            "properties": {
                name: dict(fact.schema) | {"description": fact.meaning} for name, fact in self.facts.items()
            },
        }


_TEXT, _CENTS, _DAY = {"type": "string"}, {"type": "integer"}, {"type": "string", "format": "date"}
_TEXTS = {"type": "array", "items": {"type": "string"}}
_PLACE_ID = "3f0c1b52-6f0e-4c1f-9a56-0d6a3b1f7c11"


def _object(**properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(properties),
        "additionalProperties": False,
        "properties": {name: dict(schema) for name, schema in properties.items()},
    }


_ACCOUNT = {"account": Fact(_TEXT, "reference of the account", "CA-10234")}
_OF_SUBSCRIPTION = _ACCOUNT | {
    "subscription": Fact(
        {"type": "string", "format": "uuid"}, "the subscription", "0c9a4a56-64c5-4f8e-8a53-5f4d9e5f2b10"
    )
}
_UNPAID = _ACCOUNT | {
    "cause": Fact(_TEXT, "unpaid, or staff when the operator’s team decided", "unpaid"),
    "invoices": Fact(_TEXTS, "the unpaid invoices that led there", ["F2026-00012", "F2026-00031"]),
    "on": Fact(_DAY, "the business day, in Brussels", "2026-11-16"),
}
_DOCUMENT = _ACCOUNT | {
    "number": Fact(_TEXT, "its number", "F2026-00012"),
    "reason": Fact(_TEXT, "what it bills: period, plan_change, options, correction …", "period"),
    "issued_on": Fact(_DAY, "its date", "2026-11-01"),
    "due_on": Fact(_DAY, "the last day to pay it in time", "2026-11-15"),
    "period_start": Fact(_DAY, "first day of the period billed", "2026-11-01"),
    "period_end": Fact(_DAY, "first day after it", "2026-12-01"),
    "currency": Fact(_TEXT, "ISO 4217", "EUR"),
    "net_cents": Fact(_CENTS, "cents, VAT excluded", 7900),
    "vat_cents": Fact(_CENTS, "cents of VAT", 1659),
    "total_cents": Fact(_CENTS, "cents, VAT included; negative on a credit note", 9559),
}
_OPTION_MOVE = _object(
    option=_TEXT,
    establishment={"type": ["string", "null"], "format": "uuid"},
    quantity={"type": "integer", "minimum": 0},
    on=_DAY,
)
_PLACE = _object(id={"type": "string", "format": "uuid"}, name=_TEXT)

_KINDS = (
    Kind("account.suspended", "the sites of an account stop being served", _UNPAID),
    Kind("account.restored", "they are served again", _UNPAID),
    Kind("invoice.issued", "an invoice is issued, by the billing run or a change", _DOCUMENT),
    Kind(
        "credit_note.issued",
        "a credit note is issued",
        _DOCUMENT
        | {
            "number": Fact(_TEXT, "its number", "NC2026-00003"),
            "reason": Fact(_TEXT, "why: correction, options, plan_change …", "correction"),
            "net_cents": Fact(_CENTS, "cents, VAT excluded", -7900),
            "vat_cents": Fact(_CENTS, "cents of VAT", -1659),
            "total_cents": Fact(_CENTS, "cents, VAT included, negative", -9559),
        },
    ),
    Kind(
        "payment.received",
        "money comes in",
        _ACCOUNT
        | {
            "amount_cents": Fact(_CENTS, "cents received", 9559),
            "method": Fact(_TEXT, "transfer, direct_debit or card", "transfer"),
            "on": Fact(_DAY, "the day the money was received", "2026-11-14"),
            "settled": Fact(_TEXTS, "the invoices it pays, in whole or in part", ["F2026-00012"]),
            "credit_cents": Fact(_CENTS, "cents beyond what was due, kept as the account’s credit", 0),
        },
    ),
    Kind(
        "payment.returned",
        "money received leaves again: a return by the bank, a refund, a chargeback",
        _ACCOUNT
        | {
            "amount_cents": Fact(_CENTS, "cents taken back", 9559),
            "reason_code": Fact(_TEXT, "ISO 20022 reason such as AM04, or refund", "AM04"),
            "on": Fact(_DAY, "the day it left", "2026-11-16"),
            "reopened": Fact(_TEXTS, "the invoices open again", ["F2026-00012"]),
        },
    ),
    Kind(
        "subscription.signed",
        "a subscription is signed",
        _OF_SUBSCRIPTION
        | {
            "plan": Fact(_TEXT, "code of the plan", "pro"),
            "frequency": Fact(_TEXT, "monthly or annual", "monthly"),
            "on": Fact(_DAY, "its first day", "2026-03-01"),
        },
    ),
    Kind(
        "subscription.changed",
        "another plan or frequency takes effect",
        _OF_SUBSCRIPTION
        | {
            "plan": Fact(_TEXT, "code of the plan", "premium"),
            "frequency": Fact(_TEXT, "monthly or annual", "annual"),
            "on": Fact(_DAY, "the day it takes effect", "2026-11-16"),
        },
    ),
    Kind(
        "subscription.change_scheduled",
        "a plan or a termination is scheduled",
        _OF_SUBSCRIPTION
        | {
            "change": Fact(_TEXT, "plan or termination", "termination"),
            "plan": Fact({"type": ["string", "null"]}, "code of the plan to come, null when it ends", None),
            "on": Fact(_DAY, "the day it takes effect", "2027-03-01"),
        },
    ),
    Kind(
        "subscription.change_cancelled",
        "a scheduled change is undone, by the customer or by the operator that had decided it",
        _OF_SUBSCRIPTION
        | {
            "change": Fact(_TEXT, "plan, option or termination", "termination"),
            "on": Fact(_DAY, "the day on which it would have taken effect", "2027-03-01"),
        },
    ),
    Kind(
        "subscription.renewed",
        "a commitment is renewed tacitly",
        _OF_SUBSCRIPTION | {"on": Fact(_DAY, "first day of the new term", "2027-03-01")},
    ),
    Kind(
        "subscription.ended",
        "a subscription ends",
        _OF_SUBSCRIPTION | {"on": Fact(_DAY, "first day without service", "2027-03-01")},
    ),
    Kind(
        "subscription.options_changed",
        "options are added, removed or change quantity, at once or on a later day",
        _OF_SUBSCRIPTION
        | {
            "options": Fact(
                {"type": "array", "items": _OPTION_MOVE},
                "what holds from `on`: quantity 0 when it goes; establishment is null for the whole account",
                [{"option": "booking", "establishment": _PLACE_ID, "quantity": 1, "on": "2026-11-16"}],
            )
        },
    ),
    Kind(
        "subscription.establishments_changed",
        "establishments are added, removed, brought back or corrected",
        _OF_SUBSCRIPTION
        | {
            "added": Fact(
                {"type": "array", "items": _PLACE},
                "in service from `on`",
                [{"id": _PLACE_ID, "name": "Le Zinc"}],
            ),
            "removed": Fact({"type": "array", "items": _PLACE}, "out of service from `on`", []),
            "edited": Fact({"type": "array", "items": _PLACE}, "name or address corrected", []),
            "on": Fact(_DAY, "the business day", "2026-11-16"),
        },
    ),
)
CATALOGUE: Mapping[str, Kind] = {kind.code: kind for kind in _KINDS}
TEST_KIND = Kind(
    TEST,
    "the operator’s team tries an address; it is told to that address alone",
    {"endpoint": Fact({"type": "integer"}, "number of the address tried", 7)},
)


def as_markdown() -> str:
    """The catalogue as docs/webhooks.md shows it: a test holds the two together."""
    parts = []
    for kind in CATALOGUE.values():
        rows = [f"| `{name}` | {_type_of(fact)} | {fact.meaning} |" for name, fact in kind.facts.items()]
        example = json.dumps(kind.example, ensure_ascii=False)
        head = ["| fact | type | meaning |", "|---|---|---|"]
        title = [f"### `{kind.code}`", "", f"Sent when {kind.when}.", ""]
        parts.append("\n".join([*title, *head, *rows, "", "```json", example, "```"]))
    return "\n\n".join(parts)


def _type_of(fact: Fact) -> str:
    kinds = fact.schema["type"]
    return str(fact.schema.get("format") or (kinds if isinstance(kinds, str) else " or ".join(kinds)))


# ── Recording ────────────────────────────────────────────────────────────────────────────────────────────────────


def record(
    session: Session, kind: str, account_id: uuid.UUID | None, data: Mapping[str, Any], now: datetime
) -> Event:
    """Add an event. `kind` is one of CATALOGUE, and `data` holds the facts named there, as JSON says them.

    Raises ValueError for a kind that is not in the catalogue: nobody could know what it means. That the facts are those
    of the catalogue is checked by the tests on every event they record.
    """
    if kind not in CATALOGUE:
        raise ValueError(f"{kind}: describe it in services.events.CATALOGUE first")
    event = Event(key=uuid.uuid4(), kind=kind, account_id=account_id, at=now, data=dict(data))
    session.add(event)
    session.info[QUEUED] = True
    return event


def record_all(
    session: Session, kind: str, told: Sequence[tuple[uuid.UUID, Mapping[str, Any]]], now: datetime
) -> None:
    """`record` for many accounts, in one statement: the account and the data of each, in their order."""
    if kind not in CATALOGUE:
        raise ValueError(f"{kind}: describe it in services.events.CATALOGUE first")
    if not told:
        return
    rows = [
        {"key": uuid.uuid4(), "kind": kind, "account_id": account_id, "at": now, "data": dict(data)}
        for account_id, data in told
    ]
    session.connection().execute(insert(Event), rows)
    session.info[QUEUED] = True


def of_subscription(
    session: Session, kind: str, subscription: Subscription, now: datetime, **facts: Any
) -> Event:
    """An event of a subscription, its account and itself named."""
    data = {"account": subscription.account.reference, "subscription": str(subscription.id), **facts}
    return record(session, kind, subscription.account_id, data, now)


def has_queued(session: Session) -> bool:
    """Whether the transaction just committed has something to tell; asking forgets it."""
    return bool(session.info.pop(QUEUED, False))


# ── Publishing ───────────────────────────────────────────────────────────────────────────────────────────────────


def is_behind(session: Session) -> bool:
    """Whether something that happened has no position in the feed yet. Two statements."""
    if session.scalar(select(Event.id).where(Event.position.is_(None)).limit(1)) is not None:
        return True
    rows = session.execute(select(PublishingMark.key, PublishingMark.last))
    marks = {row.key: row.last for row in rows}
    series = session.execute(select(Series.id, Series.last_number))
    return any(last > marks.get(_mark_of(series_id), 0) for series_id, last in series)


def publish(session: Session, limit: int = PAGE) -> int:
    """Give the next events their position, and a delivery to each address that wants them. Answers how many.

    One publisher at a time: the others wait for the mark. Documents are told from the first open consumer on.
    """
    mark = _locked_mark(session)
    _derive_documents(session, limit)
    waiting = list(
        session.scalars(select(Event).where(Event.position.is_(None)).order_by(Event.id).limit(limit))
    )
    # Within a page, what happened first is told first: an invoice before the payment that settles it.
    waiting.sort(key=lambda event: (event.at, event.id))
    for position, event in enumerate(waiting, start=mark.last + 1):
        event.position = position
    mark.last += len(waiting)
    session.flush()
    _fan_out(session, waiting)
    return len(waiting)


def _locked_mark(session: Session) -> PublishingMark:
    make = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    session.execute(make(PublishingMark).values(key=POSITION, last=0).on_conflict_do_nothing())
    statement = select(PublishingMark).where(PublishingMark.key == POSITION).with_for_update()
    return session.scalars(statement.execution_options(populate_existing=True)).one()


def _mark_of(series_id: int) -> str:
    return f"series:{series_id}"


def _derive_documents(session: Session, limit: int) -> None:
    """Write the events of the documents issued since the marks, for the consumers there are."""
    since = session.scalar(select(func.min(ApiConsumer.created_at)).where(ApiConsumer.closed_at.is_(None)))
    marks = {mark.key: mark for mark in session.scalars(select(PublishingMark))}
    for series_id, last_number in session.execute(select(Series.id, Series.last_number)).all():
        mark = marks.get(_mark_of(series_id)) or PublishingMark(key=_mark_of(series_id), last=0)
        if mark.last >= last_number:
            continue
        session.add(mark)
        documents = _documents_after(session, series_id, mark.last, last_number, since, limit)
        session.add_all(_event_of(document) for document in documents)
        mark.last = documents[-1].series_number if len(documents) == limit else last_number
    session.flush()


def _documents_after(
    session: Session, series_id: int, mark: int, last_number: int, since: datetime | None, limit: int
) -> list[Any]:
    if since is None:  # nobody to tell: the marks move on
        return []
    statement = (
        select(
            Invoice.account_id,
            Account.reference,
            Invoice.series_number,
            Invoice.kind,
            Invoice.created_at,
            *(getattr(Invoice, name) for name in _DOCUMENT if name != "account"),
        )
        .join(Account, Account.id == Invoice.account_id)
        .where(
            Invoice.series_id == series_id,
            Invoice.series_number > mark,
            Invoice.series_number <= last_number,
            Invoice.created_at >= since,
        )
        .order_by(Invoice.series_number)
        .limit(limit)
    )
    return list(session.execute(statement))


def _event_of(document: Any) -> Event:
    data = {"account": document.reference}
    for name in _DOCUMENT:
        if name != "account":
            value = getattr(document, name)
            data[name] = value.isoformat() if hasattr(value, "isoformat") else value
    return Event(
        key=uuid.uuid4(),
        kind=f"{document.kind}.issued",
        account_id=document.account_id,
        at=document.created_at,
        data=data,
    )


def _fan_out(session: Session, published: Sequence[Event]) -> None:
    """A delivery for each address in use that wants the kind, may see the account, and was there when it happened."""
    told = [event for event in published if event.account_id is not None and event.kind != TEST]
    endpoints = session.execute(
        select(WebhookEndpoint.id, WebhookEndpoint.kinds, WebhookEndpoint.created_at, ApiConsumer.reseller_id)
        .join(ApiConsumer, ApiConsumer.id == WebhookEndpoint.consumer_id)
        .where(WebhookEndpoint.disabled_at.is_(None), ApiConsumer.closed_at.is_(None))
        .order_by(WebhookEndpoint.id)
    ).all()
    if not told or not endpoints:
        return
    resellers = _resellers(session, {event.account_id for event in told if event.account_id is not None})
    rows = [
        {
            "event_id": event.id,
            "endpoint_id": endpoint.id,
            "state": "waiting",
            "attempts": 0,
            "next_at": event.at,
        }
        for event in told
        for endpoint in endpoints
        if (not endpoint.kinds or event.kind in endpoint.kinds)
        and endpoint.reseller_id in (None, resellers.get(event.account_id))
        and event.at >= endpoint.created_at
    ]
    if rows:
        session.execute(insert(WebhookDelivery), rows)


def _resellers(
    session: Session, account_ids: Iterable[uuid.UUID]
) -> dict[uuid.UUID | None, uuid.UUID | None]:
    rows = session.execute(select(Account.id, Account.reseller_id).where(Account.id.in_(list(account_ids))))
    return {row.id: row.reseller_id for row in rows}


# ── The feed ─────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Message:
    """An event as it is told, by webhook and by the feed alike."""

    key: uuid.UUID
    kind: str
    at: datetime
    position: int | None
    data: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        return {
            "id": str(self.key),
            "type": self.kind,
            "timestamp": self.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "sequence": self.position,
            "data": dict(self.data),
        }


def feed(
    session: Session,
    consumer: ApiConsumer,
    *,
    after: int = 0,
    limit: int = 100,
    kind: str | None = None,
    account: str | None = None,
) -> list[Message]:
    """What happened since the consumer was opened, in order, beyond the position `after`. One more than `limit` is read
    by who wants to know whether there is more."""
    statement = (
        select(Event.key, Event.kind, Event.at, Event.position, Event.data)
        .join(Account, Account.id == Event.account_id)
        .where(Event.position > after, Event.at >= consumer.created_at)
        .order_by(Event.position)
        .limit(limit)
    )
    if consumer.reseller_id is not None:
        statement = statement.where(Account.reseller_id == consumer.reseller_id)
    if kind is not None:
        statement = statement.where(Event.kind == kind)
    if account is not None:
        statement = statement.where(Account.reference == account)
    return [Message(*row) for row in session.execute(statement)]


def message(event: Event) -> Message:
    return Message(event.key, event.kind, event.at, event.position, event.data)
