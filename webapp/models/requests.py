"""What clients ask of the team: one request each, what was said about it, and the replies kept ready (S6)."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from webapp.models.base import Base, BigInt, Code, NumberKey


class ClientRequest(Base):
    """Something asked, or to be checked. Erased with its words when the account is closed (U4).

    `waiting_since` is the instant since which the client waits for the team, None when nothing is owed: it orders the
    inbox, and its index holds only what is to be done. What a partner answers for its own client never waits.
    """

    __tablename__ = "client_requests"
    __table_args__ = (
        Index("ix_client_requests_waiting_since", "waiting_since"),
        Index("ix_client_requests_state_last_at", "state", "last_at"),
        Index("ix_client_requests_account_id", "account_id", "id"),
    )

    id: Mapped[NumberKey]
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"))
    subscription_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("subscriptions.id"))
    kind: Mapped[Code]  # message, partner, quotation, details or termination
    state: Mapped[Code]  # new, assigned, waiting (for the client), answered or closed
    facts: Mapped[dict[str, Any]] = mapped_column(
        JSON
    )  # as the account stood: plan, page, invoice; what changed
    quotation_id: Mapped[int | None] = mapped_column(BigInt, ForeignKey("quotations.id"), index=True)
    asked_by: Mapped[str]
    asked_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    email: Mapped[str]  # where answers go; empty when nobody may be written to
    language: Mapped[Code]  # of the answers
    assignee_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"), index=True)
    opened_at: Mapped[datetime]
    last_at: Mapped[datetime]
    waiting_since: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]


class RequestEntry(Base):
    """One thing said about a request. A note is the team's own: the client never reads it."""

    __tablename__ = "request_entries"
    __table_args__ = (Index("ix_request_entries_request_id", "request_id", "id"),)

    id: Mapped[NumberKey]
    request_id: Mapped[int] = mapped_column(BigInt, ForeignKey("client_requests.id"))
    side: Mapped[Code]  # client, team or note
    text: Mapped[str] = mapped_column(Text)
    written_by: Mapped[str]
    written_at: Mapped[datetime]


class SavedReply(Base):
    """A reply kept ready in each language. `{account}` and its like stand for the request at hand."""

    __tablename__ = "saved_replies"
    __table_args__ = (UniqueConstraint("name"),)

    id: Mapped[NumberKey]
    name: Mapped[Code]
    texts: Mapped[dict[str, Any]] = mapped_column(JSON)  # by language
    changed_by: Mapped[str]
    changed_at: Mapped[datetime]
