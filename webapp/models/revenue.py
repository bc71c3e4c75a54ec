"""Recurring revenue as it was at the end of each month, and yesterday: measured from the lines of invoices, never typed (S5)."""

import uuid
from datetime import date, datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from webapp.models.base import Base, BigInt, Code, NumberKey
from webapp.models.invoices import InvoiceLine


class RevenueDay(Base):
    """A day that was measured whole: its points are all there, and these are their sums."""

    __tablename__ = "revenue_days"

    on_day: Mapped[date] = mapped_column(primary_key=True)
    twelfths: Mapped[int] = mapped_column(
        BigInt
    )  # of a cent per month: a yearly price has no exact cents a month
    subscriptions: Mapped[int]  # with some recurring revenue
    measured_at: Mapped[datetime]


class RevenuePoint(Base):
    """What one subscription brought in per month on that day, VAT excluded. None for one that brought nothing."""

    __tablename__ = "revenue_points"

    on_day: Mapped[date] = mapped_column(ForeignKey("revenue_days.on_day"), primary_key=True)
    subscription_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("subscriptions.id"), primary_key=True, index=True
    )
    twelfths: Mapped[int] = mapped_column(BigInt)


class RevenueMove(Base):
    """How the revenue went from one measured day to a later one: the subscriptions of one kind of movement, of one
    reseller or of none, those that did not move included. All of a pair of days are there, or none."""

    __tablename__ = "revenue_moves"
    __table_args__ = (Index("ix_revenue_moves_days", "since_on", "until_on"),)

    id: Mapped[NumberKey]
    since_on: Mapped[date] = mapped_column(ForeignKey("revenue_days.on_day"))
    until_on: Mapped[date] = mapped_column(ForeignKey("revenue_days.on_day"), index=True)
    kind: Mapped[Code]  # as services.revenue.KINDS, or kept
    reseller_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("resellers.id"))
    count: Mapped[int]
    before: Mapped[int] = mapped_column(BigInt)  # twelfths of a cent
    after: Mapped[int] = mapped_column(BigInt)


# The lines that serve on a day are the latest of many: those that have not ended by then.
Index("ix_invoice_lines_period_end", InvoiceLine.period_end)
