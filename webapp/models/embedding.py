"""The portal inside a reseller's page: assertions used up, sessions without cookie, one-time addresses (R2, R4)."""

import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from webapp.models.base import Base, Code, NumberKey


class EmbedAssertion(Base):
    """An assertion that has opened a session. The unique key is what refuses it a second time, in any process."""

    __tablename__ = "embed_assertions"
    __table_args__ = (UniqueConstraint("reseller_id", "jti"), Index("ix_embed_assertions_used_at", "used_at"))

    id: Mapped[NumberKey]
    reseller_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("resellers.id"))
    jti: Mapped[str] = mapped_column(String(100))
    used_at: Mapped[datetime]


class EmbedSession(Base):
    """A session opened by a reseller's assertion. Only the SHA-256 of its token is kept.

    It dies with its key, with the membership of its person, when the account leaves the reseller or when the origin is
    taken off the list: `services.embed_sessions` asks at each request.
    """

    __tablename__ = "embed_sessions"
    __table_args__ = (
        CheckConstraint("role in ('owner', 'administrator', 'viewer', 'accountant')", name="known_role"),
    )

    id: Mapped[NumberKey]
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    reseller_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("resellers.id"), index=True)
    key_id: Mapped[int] = mapped_column(ForeignKey("reseller_keys.id"))
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    role: Mapped[Code]  # at most: the person's own role in the account limits it too
    origin: Mapped[str]  # the page that holds the frame
    language: Mapped[Code]
    state: Mapped[dict[str, Any]] = mapped_column(
        JSON
    )  # what a cookie keeps elsewhere: the seed of form tokens, sentences to say once
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]  # absolute
    revoked_at: Mapped[datetime | None]
    ip_address: Mapped[str] = mapped_column(String(45), default="")
    user_agent: Mapped[str] = mapped_column(String(400), default="")


class EmbedRefusal(Base):
    """How often an opening was refused on a day for one cause: the reseller reads it, nobody is named."""

    __tablename__ = "embed_refusals"
    __table_args__ = (UniqueConstraint("reseller_id", "on_day", "why"),)

    id: Mapped[NumberKey]
    reseller_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("resellers.id"))
    on_day: Mapped[date]
    why: Mapped[Code]  # domain.embedding.Why
    times: Mapped[int]
    last_at: Mapped[datetime]
    last_claim: Mapped[Code]  # the claim it was about, if any


class EmbedTicket(Base):
    """An address that works once, for half a minute: a file asked for from the frame, without header nor cookie."""

    __tablename__ = "embed_tickets"

    id: Mapped[NumberKey]
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    embed_session_id: Mapped[int] = mapped_column(ForeignKey("embed_sessions.id"), index=True)
    address: Mapped[str] = mapped_column(String(1000))  # path and query, below /embed/<slug>
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
