"""Issued documents: immutable once numbered (B2). Amounts are signed by their effect on what the customer owes:
an invoice is positive, a credit note negative, and every total is the sum of its lines and its VAT."""

import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.models.base import Base, BigInt, Code, Currency, NumberKey


class Issuer(Base):
    """The legal entity that sells, as its invoices show it."""

    __tablename__ = "issuers"

    id: Mapped[NumberKey]
    code: Mapped[Code] = mapped_column(unique=True)
    brand: Mapped[str]  # the name customers know: CentralApp
    legal_name: Mapped[str]
    street: Mapped[str]
    postcode: Mapped[Code]
    city: Mapped[str]
    country: Mapped[str]
    enterprise_number: Mapped[str]
    vat_number: Mapped[str]
    register: Mapped[str]  # RPM Bruxelles
    iban: Mapped[str]
    bic: Mapped[str]
    creditor_id: Mapped[str]
    email: Mapped[str]
    phone: Mapped[str]


class Series(Base):
    """A numbering without gaps: one row per issuer, prefix and year, locked while a number is drawn."""

    __tablename__ = "series"
    __table_args__ = (UniqueConstraint("issuer_id", "prefix", "year"),)

    id: Mapped[NumberKey]
    issuer_id: Mapped[int] = mapped_column(ForeignKey("issuers.id"))
    prefix: Mapped[Code]  # F for invoices, NC for credit notes
    year: Mapped[int]
    last_number: Mapped[int] = mapped_column(default=0)
    last_issued_on: Mapped[date | None]  # dates follow the numbers: no document is dated before this one


class Invoice(Base):
    """An invoice or a credit note. `kind` is invoice or credit_note."""

    __tablename__ = "invoices"
    __table_args__ = (
        UniqueConstraint("series_id", "series_number"),
        # B5: a period (or the correction of one at a monthly anniversary) is billed once; changes have no such key.
        UniqueConstraint("subscription_id", "run_kind", "run_on"),
        CheckConstraint("total_cents = net_cents + vat_cents", name="total_is_net_plus_vat"),
        CheckConstraint("kind in ('invoice', 'credit_note')", name="known_kind"),
        CheckConstraint("paid_cents between 0 and abs(total_cents)", name="paid_within_total"),
        Index("ix_invoices_account_issued", "account_id", "issued_on"),
    )

    id: Mapped[NumberKey]
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"))
    subscription_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("subscriptions.id"), index=True)
    issuer_id: Mapped[int] = mapped_column(ForeignKey("issuers.id"))
    series_id: Mapped[int] = mapped_column(ForeignKey("series.id"))
    series_number: Mapped[int]
    number: Mapped[str] = mapped_column(unique=True)  # as printed: F2026-00012
    kind: Mapped[Code]
    reason: Mapped[Code]  # period, anniversary, plan_change, options, correction …
    run_kind: Mapped[Code | None]  # period or anniversary when billed by the run, else NULL
    run_on: Mapped[date | None]
    issued_on: Mapped[date]
    due_on: Mapped[date]
    period_start: Mapped[date]
    period_end: Mapped[date]
    currency: Mapped[Currency]
    language: Mapped[Code]
    net_cents: Mapped[int]
    vat_cents: Mapped[int]
    total_cents: Mapped[int]
    paid_cents: Mapped[int] = mapped_column(
        default=0
    )  # settled by payments and credit, never above the total
    ogm: Mapped[Code]  # structured communication, twelve digits
    seller: Mapped[dict[str, Any]] = mapped_column(JSON)  # frozen when issued
    buyer: Mapped[dict[str, Any]] = mapped_column(JSON)
    vat_breakdown: Mapped[list[Any]] = mapped_column(
        JSON
    )  # [{category, rate, base_cents, vat_cents, exemption}]
    payment: Mapped[dict[str, Any]] = mapped_column(JSON)  # means, label and reference, frozen
    created_at: Mapped[datetime]

    lines: Mapped[list["InvoiceLine"]] = relationship(
        back_populates="invoice", order_by="InvoiceLine.position"
    )


class InvoiceLine(Base):
    """One visible amount, rounded once (M2). `item` and `ref` say what it charges; `root_id` which line it gives back."""

    __tablename__ = "invoice_lines"

    id: Mapped[NumberKey]
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoices.id"), index=True)
    # Repeated from the invoice so that "what has been billed on this subscription" is one indexed read.
    subscription_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("subscriptions.id"), index=True)
    position: Mapped[int]
    item: Mapped[Code]  # plan, option, establishment or adjustment
    ref: Mapped[str]  # plan or option code, or the establishment's id
    establishment_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("establishments.id"))
    description: Mapped[str]  # in the document's language
    quantity: Mapped[int]
    unit_cents: Mapped[int]  # for one unit and one whole period
    period_start: Mapped[date]
    period_end: Mapped[date]
    whole_start: Mapped[date]  # the billing period of which the service is a share, both shown in days
    whole_end: Mapped[date]
    net_cents: Mapped[int]  # negative when it gives back
    vat_rate: Mapped[str]  # percent as text, such as "21"
    vat_category: Mapped[Code]
    root_id: Mapped[int | None] = mapped_column(BigInt, ForeignKey("invoice_lines.id"), index=True)

    invoice: Mapped[Invoice] = relationship(back_populates="lines")


class CreditBalanceEntry(Base):
    """The account's credit, as movements: a credit note adds, an invoice that uses it takes away (M6)."""

    __tablename__ = "credit_balance_entries"

    id: Mapped[NumberKey]
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    amount_cents: Mapped[int]
    currency: Mapped[Currency]
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoices.id"))
    created_at: Mapped[datetime]


class Payment(Base):
    """Money received, or credit set against an invoice. `method` is transfer, direct_debit, card or credit."""

    __tablename__ = "payments"

    id: Mapped[NumberKey]
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoices.id"), index=True)
    credit_note_id: Mapped[int | None] = mapped_column(ForeignKey("invoices.id"))
    amount_cents: Mapped[int]
    currency: Mapped[Currency]
    method: Mapped[Code]
    received_on: Mapped[date]
    created_at: Mapped[datetime]
