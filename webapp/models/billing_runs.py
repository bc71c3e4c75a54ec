"""What each billing run did, to read later: its counts, its amounts, and whom it set aside with the cause."""

import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from webapp.models.base import Base, BigInt, Code, NumberKey


class BillingRun(Base):
    """One `flask bill`. Counts are of subscriptions, except `documents`; they move in the transaction of each page,
    so that a run that was killed still tells what it did.

    `status` is running, done, or stopped: by a fault, which `error` tells, or found dead by a later run.
    """

    __tablename__ = "billing_runs"
    __table_args__ = (CheckConstraint("status in ('running', 'done', 'stopped')", name="known_status"),)

    id: Mapped[NumberKey]
    run_on: Mapped[date]  # the day billed up to, included
    account_reference: Mapped[Code | None]  # when one account was billed alone
    status: Mapped[Code] = mapped_column(default="running")
    due: Mapped[int] = mapped_column(default=0)  # found due when it started
    billed: Mapped[int] = mapped_column(default=0)
    skipped: Mapped[int] = mapped_column(
        default=0
    )  # due, and with nothing to invoice: a change applied, an end
    failed: Mapped[int] = mapped_column(default=0)
    documents: Mapped[int] = mapped_column(default=0)
    net_cents: Mapped[int] = mapped_column(BigInt, default=0)
    vat_cents: Mapped[int] = mapped_column(BigInt, default=0)
    total_cents: Mapped[int] = mapped_column(BigInt, default=0)
    last_due_on: Mapped[date | None]  # where the last page ended
    last_subscription_id: Mapped[uuid.UUID | None]
    error: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]  # of the last page
    finished_at: Mapped[datetime | None]


class BillingRunFailure(Base):
    """A subscription that a run could not bill. `facts` are what must be mended, `detail` is for the operator."""

    __tablename__ = "billing_run_failures"
    __table_args__ = (UniqueConstraint("run_id", "subscription_id"),)

    id: Mapped[NumberKey]
    run_id: Mapped[int] = mapped_column(BigInt, ForeignKey("billing_runs.id"))
    subscription_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("subscriptions.id"), index=True)
    code: Mapped[Code]  # wrong_details, or the name of what went wrong
    facts: Mapped[list[Any]] = mapped_column(JSON)  # wrong_details: [{subject, field, code}]
    detail: Mapped[str] = mapped_column(Text)
    failed_at: Mapped[datetime]
