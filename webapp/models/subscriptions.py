"""A subscription and what it holds: its plan, its options, its establishments, the changes to come."""

import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.models.accounts import Account
from webapp.models.base import Base, Code, Currency, NumberKey, UuidKey
from webapp.models.catalogue import OptionVersion, PlanPrice, PlanVersion


class Subscription(Base):
    """The contract of one account. The terms are copied here when signed (C3): the catalogue may move on."""

    __tablename__ = "subscriptions"
    __table_args__ = (
        CheckConstraint("frequency in ('monthly', 'annual')", name="known_frequency"),
        CheckConstraint("status in ('active', 'ended')", name="known_status"),
        Index("ix_subscriptions_due", "status", "due_on", "id"),
    )

    id: Mapped[UuidKey]
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    status: Mapped[Code] = mapped_column(default="active")
    starts_on: Mapped[date]
    ended_on: Mapped[date | None]  # first day without service, once ended
    frequency: Mapped[Code]
    currency: Mapped[Currency]
    # Billing periods are counted from this signed day (B1, M1), months at a time; billed_until is one of its boundaries.
    anchor_on: Mapped[date]
    billed_until: Mapped[date]
    settled_on: Mapped[date]  # the last monthly renewal whose establishments are settled (E1)
    due_on: Mapped[
        date | None
    ]  # the next day with something to bill or to apply: what the billing run looks for
    plan_version_id: Mapped[int] = mapped_column(ForeignKey("plan_versions.id"))
    plan_price_id: Mapped[int] = mapped_column(ForeignKey("plan_prices.id"))
    commitment_starts_on: Mapped[date]  # the notice and the renewals are counted from here
    commitment_months: Mapped[int]
    notice_count: Mapped[int]
    notice_unit: Mapped[Code]
    renewal: Mapped[Code]
    signed_on: Mapped[date]  # of the present plan
    # What was signed when the day of the last change of plan began: another change that day rewrites it (M5).
    day_start_on: Mapped[date | None]
    day_start: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    # What the operator takes off its prices (S2), as `contract_facts.discount_facts` writes it; None when nothing ever was.
    discounts: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))
    changed_at: Mapped[datetime]  # of anything it holds, its options and addresses too
    version: Mapped[int] = mapped_column(default=1)  # a page computed on an older one is stale (A4)

    account: Mapped[Account] = relationship()
    plan_version: Mapped[PlanVersion] = relationship()
    plan_price: Mapped[PlanPrice] = relationship()
    options: Mapped[list["SubscriptionOption"]] = relationship(
        back_populates="subscription", order_by="SubscriptionOption.id"
    )
    establishments: Mapped[list["Establishment"]] = relationship(
        back_populates="subscription", order_by="Establishment.position"
    )
    changes: Mapped[list["ScheduledChange"]] = relationship(
        back_populates="subscription", order_by="ScheduledChange.effective_on, ScheduledChange.id"
    )

    __mapper_args__ = {"version_id_col": version}


class Establishment(Base):
    """An address. In service from `active_from`, at once; charged from the next monthly renewal (E1, M10)."""

    __tablename__ = "establishments"

    id: Mapped[UuidKey]
    subscription_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("subscriptions.id"), index=True)
    position: Mapped[int]  # order of arrival: decides which are included and which tier the others pay
    name: Mapped[str]
    street: Mapped[str]
    postcode: Mapped[Code]
    city: Mapped[str]
    number: Mapped[str | None]  # establishment number, 2.xxx.xxx.xxx
    active_from: Mapped[date]
    active_until: Mapped[date | None]
    charged_from: Mapped[date]
    charged_until: Mapped[date | None]

    subscription: Mapped[Subscription] = relationship(back_populates="establishments")


class SubscriptionOption(Base):
    """An option in use, at the price signed. A new quantity is a further row from its own day."""

    __tablename__ = "subscription_options"
    __table_args__ = (CheckConstraint("quantity > 0", name="quantity_positive"),)

    id: Mapped[NumberKey]
    subscription_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("subscriptions.id"), index=True)
    option_version_id: Mapped[int] = mapped_column(ForeignKey("option_versions.id"))
    # The prices signed, per unit and whole period, VAT excluded; None where the option is not sold that way.
    monthly_cents: Mapped[int | None]
    annual_cents: Mapped[int | None]
    once_cents: Mapped[int | None]
    establishment_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("establishments.id"))
    quantity: Mapped[int] = mapped_column(default=1)
    starts_on: Mapped[date]
    ends_on: Mapped[date | None]  # first day without it
    # The day somebody chose it, and the row it took over from that day: another choice the same day rewrites both (M5).
    chosen_on: Mapped[date | None]
    replaces_id: Mapped[int | None] = mapped_column(ForeignKey("subscription_options.id"))

    subscription: Mapped[Subscription] = relationship(back_populates="options")
    option_version: Mapped[OptionVersion] = relationship()
    establishment: Mapped[Establishment | None] = relationship()


class ScheduledChange(Base):
    """A change to come, listed with its date and undone with one button until then (P6)."""

    __tablename__ = "scheduled_changes"
    __table_args__ = (
        CheckConstraint("status in ('pending', 'applied', 'undone', 'replaced')", name="known_status"),
    )

    id: Mapped[NumberKey]
    subscription_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("subscriptions.id"), index=True)
    kind: Mapped[Code]  # plan, option, establishment or termination
    effective_on: Mapped[date]
    facts: Mapped[dict[str, Any]] = mapped_column(
        JSON
    )  # plan: {"plan_price_id": 12}; option: {"option_id": 3, "quantity": 0}
    status: Mapped[Code] = mapped_column(default="pending")
    requested_by: Mapped[str]  # name shown to the client
    requested_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]

    subscription: Mapped[Subscription] = relationship(back_populates="changes")


class Quotation(Base):
    """An option on quotation: the client asks, staff quotes, the client accepts or declines, then it is billed (C4)."""

    __tablename__ = "quotations"
    __table_args__ = (
        CheckConstraint("status in ('requested', 'quoted', 'accepted', 'declined')", name="known_status"),
    )

    id: Mapped[NumberKey]
    subscription_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("subscriptions.id"), index=True)
    option_version_id: Mapped[int] = mapped_column(ForeignKey("option_versions.id"))
    status: Mapped[Code] = mapped_column(default="requested")
    description: Mapped[str] = mapped_column(Text)  # what the client asks for, in the client's words
    requested_by: Mapped[str]
    requested_at: Mapped[datetime]
    answer: Mapped[str] = mapped_column(Text, default="")  # what staff offers
    monthly_cents: Mapped[int | None]  # VAT excluded, per month; the annual price is asked for beside it
    annual_cents: Mapped[int | None]
    valid_until: Mapped[date | None]  # last day on which it can be accepted
    quoted_by: Mapped[str | None]
    quoted_at: Mapped[datetime | None]
    closed_by: Mapped[str | None]
    closed_at: Mapped[datetime | None]

    subscription: Mapped[Subscription] = relationship()
    option_version: Mapped[OptionVersion] = relationship()


class IdempotentReply(Base):
    """What a confirmation answered, so that the same key answers the same again (A4)."""

    __tablename__ = "idempotent_replies"
    __table_args__ = (UniqueConstraint("account_id", "key"),)

    id: Mapped[NumberKey]
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"))
    key: Mapped[str]
    request_hash: Mapped[str]
    location: Mapped[str]
    created_at: Mapped[datetime]
