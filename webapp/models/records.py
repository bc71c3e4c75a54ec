"""What happened and what must leave: the audit trail and the outbox."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.models.base import Base, BigInt, Code, NumberKey


class AuditEntry(Base):
    """Append-only: who, when, what, before and after (U3). `account_id` is None for operator-wide events."""

    __tablename__ = "audit_entries"
    __table_args__ = (Index("ix_audit_entries_account_at", "account_id", "at"),)

    id: Mapped[NumberKey]
    account_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("accounts.id"))
    at: Mapped[datetime]
    actor_kind: Mapped[Code]  # user, staff, system
    actor_id: Mapped[str]
    actor_name: Mapped[str]
    action: Mapped[Code]  # subscription.plan_changed, user.signed_in …
    subject: Mapped[str] = mapped_column(default="")
    before: Mapped[dict[str, Any]] = mapped_column(JSON)
    after: Mapped[dict[str, Any]] = mapped_column(JSON)


class HelpAnswer(Base):
    """Whether an article of the help answered somebody's question, and in their words what was missing."""

    __tablename__ = "help_answers"
    __table_args__ = (Index("ix_help_answers_article_at", "article", "created_at"),)

    id: Mapped[NumberKey]
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    article: Mapped[Code]
    language: Mapped[Code]
    has_helped: Mapped[bool]
    comment: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime]


class OutboxMessage(Base):
    """A mail to send, written in the transaction that decided it and sent after its commit."""

    __tablename__ = "outbox_messages"
    __table_args__ = (Index("ix_outbox_messages_unsent", "sent_at", "id"),)

    id: Mapped[NumberKey]
    account_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("accounts.id"), index=True)
    created_at: Mapped[datetime]
    recipient: Mapped[str]
    language: Mapped[Code]
    template: Mapped[Code]
    subject: Mapped[str]
    text_body: Mapped[str] = mapped_column(Text)
    html_body: Mapped[str] = mapped_column(Text)
    thread: Mapped[Code | None]  # what mail programs group it by, such as demande-12
    reply_to: Mapped[str | None]  # who reads the answers, when it is not who sends
    sent_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str | None]


class OutboxAttachment(Base):
    """A document that leaves with a mail, kept as it was sent."""

    __tablename__ = "outbox_attachments"

    id: Mapped[NumberKey]
    message_id: Mapped[int] = mapped_column(BigInt, ForeignKey("outbox_messages.id"), index=True)
    filename: Mapped[str]
    media_type: Mapped[Code]  # such as application/pdf
    content: Mapped[bytes] = mapped_column(LargeBinary)
