"""What other systems of the operator and of its resellers are told, and the keys by which they ask (D6)."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.models.base import Base, BigInt, Code, NumberKey


class Event(Base):
    """Something that happened, written in the transaction that made it happen and told after its commit.

    `kind` is a dotted word: account.suspended, account.restored, invoice.issued, payment.received, payment.returned,
    subscription.changed … `data` holds what JSON can say: amounts in cents, dates as ISO text, no personal data beyond
    names of businesses.

    `position` is given by the publisher, after the commit: it has no gap that a later commit could fill, so that a
    reader who keeps the last one it saw misses nothing. The id cannot promise that: it is drawn before the commit.
    """

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_account", "account_id", "id"),
        Index(
            "ix_events_unpublished",
            "id",
            sqlite_where=text("position is null"),
            postgresql_where=text("position is null"),
        ),
    )

    id: Mapped[NumberKey]
    key: Mapped[uuid.UUID] = mapped_column(
        Uuid, unique=True, default=uuid.uuid4
    )  # the webhook-id receivers see
    kind: Mapped[Code]
    account_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("accounts.id"))
    at: Mapped[datetime]
    data: Mapped[dict[str, Any]] = mapped_column(JSON)
    position: Mapped[int | None] = mapped_column(BigInt, unique=True)


class PublishingMark(Base):
    """How far the publisher has come: "position" for the last one given, "series:<id>" for the last document told.

    The numbers of a series are drawn under its lock and committed in their order: what follows the mark is new.
    """

    __tablename__ = "publishing_marks"

    key: Mapped[Code] = mapped_column(primary_key=True)
    last: Mapped[int] = mapped_column(BigInt, default=0)


class ApiConsumer(Base):
    """A system that asks or is told: one of the operator's, or of a reseller, which then sees its own clients only."""

    __tablename__ = "api_consumers"

    id: Mapped[NumberKey]
    name: Mapped[str] = mapped_column(unique=True)
    reseller_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("resellers.id"), index=True)
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


class ApiKey(Base):
    """A key of a consumer, of which only the SHA-256 is kept. `scopes` are accounts, services, invoices, events.

    `window_at` and `window_count` count the requests of the minute at hand.
    """

    __tablename__ = "api_keys"

    id: Mapped[NumberKey]
    consumer_id: Mapped[int] = mapped_column(ForeignKey("api_consumers.id"), index=True)
    prefix: Mapped[str] = mapped_column(String(12))  # its first characters, to tell keys apart
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[Any]] = mapped_column(JSON)
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    window_at: Mapped[datetime | None]
    window_count: Mapped[int] = mapped_column(default=0, server_default="0")


class WebhookEndpoint(Base):
    """An address that is told of events. Two secrets are active while one replaces the other; both are sealed.

    `failing_since` is the first failure after its last success; `flagged_at` the moment something was given up for it.
    """

    __tablename__ = "webhook_endpoints"

    id: Mapped[NumberKey]
    consumer_id: Mapped[int] = mapped_column(ForeignKey("api_consumers.id"), index=True)
    url: Mapped[str] = mapped_column(Text)
    kinds: Mapped[list[Any]] = mapped_column(JSON)  # of the events it wants; empty for all
    secret_sealed: Mapped[str] = mapped_column(Text)
    former_secret_sealed: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]
    failing_since: Mapped[datetime | None]
    flagged_at: Mapped[datetime | None]


class WebhookDelivery(Base):
    """One event for one endpoint: tried again with longer and longer waits, given up after the last.

    `state` is waiting, delivered or given_up; staff may send any of them again.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        UniqueConstraint("event_id", "endpoint_id"),
        Index("ix_webhook_deliveries_state_next", "state", "next_at"),
    )

    id: Mapped[NumberKey]
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id"))
    endpoint_id: Mapped[int] = mapped_column(ForeignKey("webhook_endpoints.id"), index=True)
    state: Mapped[Code] = mapped_column(default="waiting")
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime]
    delivered_at: Mapped[datetime | None]
    last_status: Mapped[int | None]
    last_error: Mapped[str | None] = mapped_column(Text)
