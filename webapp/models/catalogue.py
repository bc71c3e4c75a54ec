"""What is sold: plans and options, in versions, with dated prices (spec C1-C6).

A version that was sold is never edited: a new one is published beside it. Prices are dated rows, never
overwritten. Texts are JSON objects with the keys fr, nl and en.
"""

import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.models.base import Base, Code, Currency, NumberKey


class Feature(Base):
    """A service the comparison shows: website, marketing, support… `group` orders the comparison table."""

    __tablename__ = "features"

    code: Mapped[Code] = mapped_column(primary_key=True)
    position: Mapped[int]
    group_names: Mapped[dict[str, Any]] = mapped_column(JSON)
    names: Mapped[dict[str, Any]] = mapped_column(JSON)
    is_per_establishment: Mapped[bool] = mapped_column(default=False)


class Plan(Base):
    __tablename__ = "plans"

    id: Mapped[NumberKey]
    code: Mapped[Code] = mapped_column(unique=True)
    rank: Mapped[int]

    versions: Mapped[list["PlanVersion"]] = relationship(back_populates="plan", order_by="PlanVersion.number")


class PlanVersion(Base):
    """What a plan includes and under which terms, as signed by those who signed it."""

    __tablename__ = "plan_versions"
    __table_args__ = (UniqueConstraint("plan_id", "number"),)

    id: Mapped[NumberKey]
    plan_id: Mapped[int] = mapped_column(ForeignKey("plans.id"))
    number: Mapped[int]
    available_from: Mapped[date]  # first day on which it may be signed
    available_until: Mapped[date | None]  # first day on which it may no longer be signed
    published_at: Mapped[datetime]
    content_hash: Mapped[str]  # of the file entry it was published from: publishing it again changes nothing
    names: Mapped[dict[str, Any]] = mapped_column(JSON)
    descriptions: Mapped[dict[str, Any]] = mapped_column(JSON)
    highlights: Mapped[list[Any]] = mapped_column(JSON)  # list of Texts, in order, shown on the plan card
    features: Mapped[dict[str, Any]] = mapped_column(JSON)  # feature code -> true, false, or Texts
    included_establishments: Mapped[int]

    plan: Mapped[Plan] = relationship(back_populates="versions")
    prices: Mapped[list["PlanPrice"]] = relationship(back_populates="version")


class PlanPrice(Base):
    """A *tarif*: version x frequency x currency x reseller, from a date. `terms` come with the price because an
    annual tariff may commit where the monthly one does not (C3: commitment and frequency are separate)."""

    __tablename__ = "plan_prices"
    __table_args__ = (
        UniqueConstraint("plan_version_id", "frequency", "currency", "reseller_id", "valid_from"),
        CheckConstraint("amount_cents >= 0", name="amount_not_negative"),
        CheckConstraint("frequency in ('monthly', 'annual')", name="known_frequency"),
    )

    id: Mapped[NumberKey]
    plan_version_id: Mapped[int] = mapped_column(ForeignKey("plan_versions.id"), index=True)
    reseller_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("resellers.id"))
    frequency: Mapped[Code]
    currency: Mapped[Currency]
    valid_from: Mapped[date]
    amount_cents: Mapped[int]  # for one whole period of `frequency`, VAT excluded
    # [{"from_unit": 2, "amount_cents": 2400}, …]: price of the n-th establishment counted from 1, VAT excluded
    establishment_tiers: Mapped[list[Any]] = mapped_column(JSON)
    commitment_months: Mapped[int]  # 0: none
    notice_count: Mapped[int]
    notice_unit: Mapped[Code]  # days or months
    renewal: Mapped[Code]  # same_term, monthly or ends

    version: Mapped[PlanVersion] = relationship(back_populates="prices")


class Option(Base):
    __tablename__ = "options"

    id: Mapped[NumberKey]
    code: Mapped[Code] = mapped_column(unique=True)
    # one_off, recurring, per_unit, per_establishment or on_quotation (C4)
    kind: Mapped[Code]
    position: Mapped[int]
    icon: Mapped[Code]

    versions: Mapped[list["OptionVersion"]] = relationship(
        back_populates="option", order_by="OptionVersion.number"
    )


class OptionVersion(Base):
    __tablename__ = "option_versions"
    __table_args__ = (UniqueConstraint("option_id", "number"),)

    id: Mapped[NumberKey]
    option_id: Mapped[int] = mapped_column(ForeignKey("options.id"))
    number: Mapped[int]
    available_from: Mapped[date]
    available_until: Mapped[date | None]
    published_at: Mapped[datetime]
    content_hash: Mapped[str]
    names: Mapped[dict[str, Any]] = mapped_column(JSON)
    descriptions: Mapped[dict[str, Any]] = mapped_column(JSON)
    unit_names: Mapped[dict[str, Any]] = mapped_column(JSON)  # Texts of [singular, plural]: "boîte", "boîtes"
    offered_by: Mapped[list[Any]] = mapped_column(JSON)  # plan codes
    included_by: Mapped[list[Any]] = mapped_column(JSON)  # plan codes that give it free
    requires: Mapped[list[Any]] = mapped_column(JSON)  # option codes
    excludes: Mapped[list[Any]] = mapped_column(JSON)  # option codes
    min_quantity: Mapped[int] = mapped_column(default=1)
    max_quantity: Mapped[int] = mapped_column(default=1)
    feature_code: Mapped[Code | None] = mapped_column(
        ForeignKey("features.code")
    )  # the service it switches on

    option: Mapped[Option] = relationship(back_populates="versions")
    prices: Mapped[list["OptionPrice"]] = relationship(back_populates="version")


class OptionPrice(Base):
    __tablename__ = "option_prices"
    __table_args__ = (
        UniqueConstraint("option_version_id", "frequency", "currency", "reseller_id", "valid_from"),
        CheckConstraint("amount_cents >= 0", name="amount_not_negative"),
        CheckConstraint("frequency in ('monthly', 'annual', 'once')", name="known_frequency"),
    )

    id: Mapped[NumberKey]
    option_version_id: Mapped[int] = mapped_column(ForeignKey("option_versions.id"), index=True)
    reseller_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("resellers.id"))
    frequency: Mapped[Code]  # once for one-off options
    currency: Mapped[Currency]
    valid_from: Mapped[date]
    amount_cents: Mapped[int]  # per unit (or establishment) and per whole period, VAT excluded

    version: Mapped[OptionVersion] = relationship(back_populates="prices")


class CatalogueDraft(Base):
    """A catalogue being prepared: what the file would hold, kept until it is published or given up (S3).

    `base` is what was published when the draft began, so that what is published meanwhile is not undone unseen.
    """

    __tablename__ = "catalogue_drafts"
    __table_args__ = (
        CheckConstraint("state in ('open', 'published', 'abandoned')", name="known_state"),
        Index("ix_catalogue_drafts_state_changed_at", "state", "changed_at"),
    )

    id: Mapped[NumberKey]
    name: Mapped[str]
    state: Mapped[Code] = mapped_column(default="open")
    starts_on: Mapped[date | None]  # the day on which it is meant to be on sale, then the one on which it was
    content: Mapped[dict[str, Any]] = mapped_column(JSON)  # the fields of the file, as typed
    base: Mapped[dict[str, Any]] = mapped_column(JSON)
    version: Mapped[int] = mapped_column(default=1)  # a page made from an older one is refused (A4)
    started_by: Mapped[str]
    started_at: Mapped[datetime]
    changed_by: Mapped[str]
    changed_at: Mapped[datetime]
    closed_by: Mapped[str | None]
    closed_at: Mapped[datetime | None]
    closing_key: Mapped[str | None]  # of the confirmation that published it: sent twice, it answers the same
