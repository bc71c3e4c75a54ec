"""Reminders, what stops them, and the suspension of an account that does not pay (D4, D5)."""

import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.models.base import Base, Code, NumberKey


class DunningPolicy(Base):
    """A reminder ladder and its thresholds, as data: for a kind of account, a reseller's clients, or everybody else.

    The most precise one that is in force applies: reseller and kind, reseller, kind, then neither. Dated, never
    overwritten. `ladder` is what `domain.dunning_ladder.policy_from` reads.
    """

    __tablename__ = "dunning_policies"
    __table_args__ = (UniqueConstraint("account_kind", "reseller_id", "valid_from"),)

    id: Mapped[NumberKey]
    account_kind: Mapped[Code | None]
    reseller_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("resellers.id"))
    valid_from: Mapped[date]
    ladder: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime]


class LateInterestRate(Base):
    """The legal yearly rate of late interest, from a day on (law of 2 August 2002; set each half-year)."""

    __tablename__ = "late_interest_rates"
    __table_args__ = (UniqueConstraint("account_kind", "valid_from"),)

    id: Mapped[NumberKey]
    account_kind: Mapped[Code]  # business or consumer
    valid_from: Mapped[date]
    percent: Mapped[str] = mapped_column(String(10))  # as text, such as "10.5"
    source: Mapped[str]


class DunningCase(Base):
    """One stretch of lateness of an account, from its first invoice past due until none is left.

    `anchored_on` is the day from which the ladder is counted: the due date of the oldest unpaid invoice. Each payment
    begins a new round, anchored on the one that is then the oldest and no earlier than the payment: who has just paid
    is given the first days of the ladder again.
    """

    __tablename__ = "dunning_cases"
    __table_args__ = (
        Index(
            "uq_dunning_cases_open",
            "account_id",
            unique=True,
            sqlite_where=text("closed_at is null"),
            postgresql_where=text("closed_at is null"),
        ),
    )

    id: Mapped[NumberKey]
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    opened_on: Mapped[date]
    anchored_on: Mapped[date]
    round: Mapped[int] = mapped_column(default=1)  # each new anchor begins the ladder again
    closed_at: Mapped[datetime | None]


class DunningStep(Base):
    """A reminder that was sent. The unique key is what sends it once, whoever runs the command and how often."""

    __tablename__ = "dunning_steps"
    __table_args__ = (UniqueConstraint("case_id", "round", "position"),)

    id: Mapped[NumberKey]
    case_id: Mapped[int] = mapped_column(ForeignKey("dunning_cases.id"), index=True)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    round: Mapped[int]
    position: Mapped[int]  # in the ladder, from 1
    template: Mapped[Code]
    sent_on: Mapped[date]
    sent_at: Mapped[datetime]
    invoices: Mapped[list[Any]] = mapped_column(JSON)  # [{"number", "due_on", "left_cents"}] as told
    fee_cents: Mapped[int] = mapped_column(default=0)
    interest_cents: Mapped[int] = mapped_column(default=0)
    legal: Mapped[dict[str, Any]] = mapped_column(JSON)  # the rate, the cap and the delay that were applied


class DunningHold(Base):
    """What stops the clock of an account, or of one contested invoice, and why (M9).

    In force from `from_on` to `until_on`, included; without an end, until lifted.
    """

    __tablename__ = "dunning_holds"
    __table_args__ = (CheckConstraint("kind in ('hold', 'dispute')", name="known_kind"),)

    id: Mapped[NumberKey]
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    invoice_id: Mapped[int | None] = mapped_column(ForeignKey("invoices.id"), index=True)
    kind: Mapped[Code]
    from_on: Mapped[date]
    until_on: Mapped[date | None]
    reason: Mapped[str]
    made_by: Mapped[str]
    made_at: Mapped[datetime]
    lifted_by: Mapped[str | None]
    lifted_at: Mapped[datetime | None]


class Suspension(Base):
    """A time during which the sites of an account are suspended; what is due for it stays due (M9).

    `cause` is unpaid (by the rule, lifted by the rule) or staff (decided by a person, lifted by a person): each is
    lifted for its own reason only. One of each at most is open.
    """

    __tablename__ = "suspensions"
    __table_args__ = (
        CheckConstraint("cause in ('unpaid', 'staff')", name="known_cause"),
        Index(
            "uq_suspensions_open",
            "account_id",
            "cause",
            unique=True,
            sqlite_where=text("lifted_at is null"),
            postgresql_where=text("lifted_at is null"),
        ),
    )

    id: Mapped[NumberKey]
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    cause: Mapped[Code]
    from_on: Mapped[date]
    started_at: Mapped[datetime]
    started_by: Mapped[str]
    reason: Mapped[str] = mapped_column(default="")
    unpaid: Mapped[list[Any]] = mapped_column(JSON)  # the numbers that counted
    lifted_on: Mapped[date | None]
    lifted_at: Mapped[datetime | None]
    lifted_by: Mapped[str | None]
    lifted_reason: Mapped[str] = mapped_column(default="")


class RestorationPass(Base):
    """Staff let an account be served in spite of its unpaid invoices until a day, included, for a reason."""

    __tablename__ = "restoration_passes"

    id: Mapped[NumberKey]
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    until_on: Mapped[date]
    reason: Mapped[str]
    made_by: Mapped[str]
    made_at: Mapped[datetime]
