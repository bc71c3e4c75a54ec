"""What ending a contract leaves behind: the announcements sent before, the acknowledgement given after."""

import uuid
from datetime import date, datetime

from sqlalchemy import ForeignKey, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from webapp.models.base import Base, BigInt, Code, NumberKey


class Announcement(Base):
    """Something said once about a date of a contract (T5): the unique key is what makes it once.

    `kind` is notice (the last day to give notice comes near) or renewal (a new term has begun). Rows without
    `sent_at` were skipped: a closer announcement, or none, left instead.
    """

    __tablename__ = "announcements"
    __table_args__ = (UniqueConstraint("subscription_id", "kind", "deadline_on", "days_before"),)

    id: Mapped[NumberKey]
    subscription_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("subscriptions.id"))
    kind: Mapped[Code]
    deadline_on: Mapped[date]
    days_before: Mapped[int]
    noted_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]


class Acknowledgement(Base):
    """The dated document that answers a termination or a withdrawal (T3), kept as it was sent."""

    __tablename__ = "acknowledgements"

    id: Mapped[NumberKey]
    change_id: Mapped[int] = mapped_column(BigInt, ForeignKey("scheduled_changes.id"), unique=True)
    filename: Mapped[str]
    media_type: Mapped[Code]
    language: Mapped[Code]
    content: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]
