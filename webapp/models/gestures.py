"""What the operator's team did for an account, and why: each gesture, with what is needed to undo it (S2)."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.models.base import Base, Code, NumberKey


class Gesture(Base):
    """One gesture. Rows are kept for ever; one that was undone says when, by whom and why.

    `facts` are those of its sentence and of its undoing, by kind: a discount as `contract_facts.discount_facts` writes it,
    terms before and after, the source of a payment, the due date before. `documents` are the numbers that it issued,
    those of its undoing included.
    """

    __tablename__ = "gestures"
    __table_args__ = (Index("ix_gestures_account_made", "account_id", "made_at"),)

    id: Mapped[NumberKey]
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"))
    subscription_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("subscriptions.id"), index=True)
    kind: Mapped[
        Code
    ]  # discount, free_months, free_option, price, plan, terms, payment, refund, card_refund or due_date
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    documents: Mapped[list[Any]] = mapped_column(JSON)
    reason: Mapped[str] = mapped_column(Text)
    made_by: Mapped[str]
    made_at: Mapped[datetime]
    undone_by: Mapped[str | None]
    undone_at: Mapped[datetime | None]
    undone_reason: Mapped[str | None] = mapped_column(Text)
