"""What belongs to a reseller: its keys and themes, what it pays for what its clients use, and its documents (R1, R4)."""

import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from webapp.models.base import Base, BigInt, Code, Currency, NumberKey


class ResellerKey(Base):
    """A key by which a reseller's server signs what opens the embed. Its algorithm never changes.

    EdDSA (Ed25519) and ES256 keep a public key, with which our database cannot sign. HS256 keeps a shared secret,
    sealed by `adapters.vault`. Up to two are active, so that one replaces the other without an interruption.
    """

    __tablename__ = "reseller_keys"
    __table_args__ = (
        UniqueConstraint("reseller_id", "kid"),
        CheckConstraint("algorithm in ('EdDSA', 'ES256', 'HS256')", name="known_algorithm"),
        CheckConstraint(
            "(algorithm = 'HS256' and sealed_secret is not null and public_key is null)"
            " or (algorithm <> 'HS256' and public_key is not null and sealed_secret is null)",
            name="one_secret_or_one_public_key",
        ),
    )

    id: Mapped[NumberKey]
    reseller_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("resellers.id"))
    kid: Mapped[Code]
    algorithm: Mapped[Code]
    public_key: Mapped[str | None] = mapped_column(Text)  # PEM
    sealed_secret: Mapped[str | None] = mapped_column(Text)  # sealed; 32 random bytes as base64url text
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class ResellerTheme(Base):
    """The colours, corners, font and logo of a reseller, as a style sheet that never changes: its hash is its address.

    A page that is open keeps the sheet it was given; `resellers.theme_hash` names the one in force.
    """

    __tablename__ = "reseller_themes"
    __table_args__ = (UniqueConstraint("reseller_id", "hash"),)

    id: Mapped[NumberKey]
    reseller_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("resellers.id"))
    hash: Mapped[str] = mapped_column(String(64), index=True)  # SHA-256 of the sheet and the logo
    tokens: Mapped[dict[str, Any]] = mapped_column(JSON)  # as asked for: brand, radius, font
    css: Mapped[str] = mapped_column(Text)
    logo: Mapped[bytes | None] = mapped_column(LargeBinary)
    logo_type: Mapped[Code | None]  # image/png or image/jpeg
    created_by: Mapped[str]
    created_at: Mapped[datetime]


class WholesalePrice(Base):
    """What a reseller pays for one thing of the catalogue, when it is the one billed. Dated, never overwritten.

    Kept apart from the tariffs that its clients are shown: no page of a client reads this table. What has no wholesale
    price is paid at the tariff of the client.
    """

    __tablename__ = "wholesale_prices"
    __table_args__ = (
        UniqueConstraint("reseller_id", "item", "ref", "frequency", "currency", "from_unit", "valid_from"),
        CheckConstraint("item in ('plan', 'option', 'one_off', 'establishment')", name="known_item"),
        CheckConstraint("frequency in ('monthly', 'annual', 'once')", name="known_frequency"),
        CheckConstraint("amount_cents >= 0", name="amount_not_negative"),
    )

    id: Mapped[NumberKey]
    reseller_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("resellers.id"))
    item: Mapped[Code]
    ref: Mapped[Code]  # code of the plan or of the option; for an establishment, of the plan
    frequency: Mapped[Code]
    currency: Mapped[Currency]
    from_unit: Mapped[int] = mapped_column(default=1)  # of an establishment: from the n-th on
    valid_from: Mapped[date]
    amount_cents: Mapped[int]  # per unit and whole period, VAT excluded


class ResellerAccount(Base):
    """The account that receives the documents of a reseller: its own company, as a customer of the operator."""

    __tablename__ = "reseller_accounts"

    reseller_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("resellers.id"), primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"), unique=True)


class ResaleLine(Base):
    """One amount that a client of a reseller would have been billed, at its tariff and at the wholesale price.

    Written instead of an invoice when the reseller is the one billed, by the same acts and for the same days. It waits
    for the reseller's next document, of which it then is a line.
    """

    __tablename__ = "resale_lines"
    __table_args__ = (
        # A period is recorded once, as an invoice's is (B5).
        UniqueConstraint("subscription_id", "run_kind", "run_on", "position"),
        Index("ix_resale_lines_waiting", "reseller_id", "invoice_line_id"),
        Index("ix_resale_lines_subscription_period_end", "subscription_id", "period_end"),
    )

    id: Mapped[NumberKey]
    reseller_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("resellers.id"))
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    subscription_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("subscriptions.id"))
    reason: Mapped[Code]  # as of an invoice: period, anniversary, plan_change, options …
    run_kind: Mapped[Code | None]
    run_on: Mapped[date | None]
    charged_on: Mapped[date]
    position: Mapped[int]
    item: Mapped[Code]
    ref: Mapped[str]
    establishment_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("establishments.id"))
    description: Mapped[str]  # in the reseller's language
    quantity: Mapped[int]
    period_start: Mapped[date]
    period_end: Mapped[date]
    whole_start: Mapped[date]
    whole_end: Mapped[date]
    currency: Mapped[Currency]
    unit_cents: Mapped[int]  # at the client's tariff
    net_cents: Mapped[int]
    wholesale_unit_cents: Mapped[int]
    wholesale_cents: Mapped[int]
    vat_rate: Mapped[str]  # of the client
    vat_category: Mapped[Code]
    root_id: Mapped[int | None] = mapped_column(BigInt, ForeignKey("resale_lines.id"), index=True)
    invoice_line_id: Mapped[int | None] = mapped_column(BigInt, ForeignKey("invoice_lines.id"), unique=True)
    created_at: Mapped[datetime]


class ResellerInvoice(Base):
    """The one document of a reseller for a month: the database refuses a second one."""

    __tablename__ = "reseller_invoices"
    __table_args__ = (UniqueConstraint("reseller_id", "month"),)

    id: Mapped[NumberKey]
    reseller_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("resellers.id"))
    month: Mapped[date]  # the first day of the month whose acts it bills, and of those before that waited
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoices.id"), unique=True)
