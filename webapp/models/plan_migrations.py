"""Subscribers moved together to another version of a plan: what was decided, and where each of them is (S3)."""

import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.models.base import Base, BigInt, Code, NumberKey
from webapp.models.catalogue import PlanVersion


class PlanMigration(Base):
    """One migration, published once: `key` is that of its confirmation (A4).

    `state` is published or cancelled. What is still to be done for it is what its rows say; `job_id` is the process
    that was last asked to do it.
    """

    __tablename__ = "plan_migrations"
    __table_args__ = (CheckConstraint("state in ('published', 'cancelled')", name="known_state"),)

    id: Mapped[NumberKey]
    key: Mapped[str] = mapped_column(unique=True)
    from_version_id: Mapped[int] = mapped_column(ForeignKey("plan_versions.id"))
    to_version_id: Mapped[int] = mapped_column(ForeignKey("plan_versions.id"))
    wished_on: Mapped[date]
    notice_days: Mapped[int]  # at least, between the mail and the day of who loses something
    reasons: Mapped[dict[str, Any]] = mapped_column(JSON)  # Texts, as the mail says them
    state: Mapped[Code] = mapped_column(default="published")
    published_by: Mapped[str]
    published_at: Mapped[datetime]
    cancelled_by: Mapped[str | None]
    cancelled_at: Mapped[datetime | None]
    job_id: Mapped[int | None] = mapped_column(BigInt, ForeignKey("jobs.id"))

    from_version: Mapped[PlanVersion] = relationship(foreign_keys=[from_version_id])
    to_version: Mapped[PlanVersion] = relationship(foreign_keys=[to_version_id])


class PlanMove(Base):
    """One subscriber of a migration.

    `state` is planned (to be told), told (mailed, its change scheduled), stays (left where it is, with the reason) or
    taken_back (the migration was cancelled in time). Whether a change was applied, or gave way to a choice of the client,
    is asked of `change_id`. Prices are those of a whole billing period of `months`, discounts off, VAT excluded.
    """

    __tablename__ = "plan_moves"
    __table_args__ = (
        UniqueConstraint("migration_id", "subscription_id"),
        CheckConstraint("state in ('planned', 'told', 'stays', 'taken_back')", name="known_state"),
        Index("ix_plan_moves_state", "migration_id", "state", "id"),
    )

    id: Mapped[NumberKey]
    migration_id: Mapped[int] = mapped_column(BigInt, ForeignKey("plan_migrations.id"))
    subscription_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("subscriptions.id"), index=True)
    state: Mapped[Code]
    effective_on: Mapped[date | None]
    leave_until: Mapped[date | None]
    to_price_id: Mapped[int | None] = mapped_column(ForeignKey("plan_prices.id"))
    months: Mapped[int | None]
    before_cents: Mapped[int | None]
    after_cents: Mapped[int | None]
    stays: Mapped[Code | None]  # a word of domain.migration.Staying
    stays_until: Mapped[date | None]  # the day of what keeps it, when it has one
    change_id: Mapped[int | None] = mapped_column(BigInt, ForeignKey("scheduled_changes.id"))
    told_at: Mapped[datetime | None]
    taken_back_at: Mapped[datetime | None]
