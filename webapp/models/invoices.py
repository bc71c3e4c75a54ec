"""Issued documents: immutable once numbered (B2). Amounts are signed by their effect on what the customer owes:
an invoice is positive, a credit note negative, and every total is the sum of its lines and its VAT."""

import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    and_,
    func,
    literal_column,
    text,
)
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.models.base import Base, BigInt, Code, Currency, NumberKey

OPEN = "kind = 'invoice' and paid_cents < total_cents"  # an invoice with an amount left, for the database


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
        # What is still to be paid, by account: few rows of many, read every night (D4).
        Index(
            "ix_invoices_open",
            "account_id",
            "due_on",
            sqlite_where=text(OPEN),
            postgresql_where=text(OPEN),
        ),
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
    due_on: Mapped[date]  # as printed, for ever
    # The team gave more time (S2): what is late, collected or reminded is counted from then. Always after `due_on`.
    extended_until: Mapped[date | None]
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
    ogm: Mapped[Code] = mapped_column(index=True)  # structured communication, twelve digits
    seller: Mapped[dict[str, Any]] = mapped_column(JSON)  # frozen when issued
    buyer: Mapped[dict[str, Any]] = mapped_column(JSON)
    vat_breakdown: Mapped[list[Any]] = mapped_column(
        JSON
    )  # [{category, rate, base_cents, vat_cents}], with exemption_code and exemption where the rate is zero
    payment: Mapped[dict[str, Any]] = mapped_column(JSON)  # means, label and reference, frozen
    # The establishments of its lines as they were called that day: {id in hex: {name, street, postcode, city, number}}
    places: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict, server_default="{}")
    created_at: Mapped[datetime]

    lines: Mapped[list["InvoiceLine"]] = relationship(
        back_populates="invoice", order_by="InvoiceLine.position"
    )

    @hybrid_property
    def payable_until(self) -> date:
        """The last day to pay it in time."""
        return self.extended_until or self.due_on

    @payable_until.inplace.expression
    @classmethod
    def _payable_until(cls) -> ColumnElement[date]:
        return func.coalesce(cls.extended_until, cls.due_on)


PAYABLE_UNTIL = Invoice.payable_until  # for statements
# Written with a literal, as the partial index is: a database cannot match a parameter with it.
IS_OPEN = and_(Invoice.kind == literal_column("'invoice'"), Invoice.paid_cents < Invoice.total_cents)


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
    """The account's credit, as movements: a credit note, or money beyond what was due, adds; an invoice that uses it
    takes away (M6). It names the document, or the payment when money came with none to settle."""

    __tablename__ = "credit_balance_entries"

    id: Mapped[NumberKey]
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    amount_cents: Mapped[int]
    currency: Mapped[Currency]
    invoice_id: Mapped[int | None] = mapped_column(ForeignKey("invoices.id"))
    payment_id: Mapped[int | None] = mapped_column(BigInt, ForeignKey("payments.id"))
    created_at: Mapped[datetime]


class Payment(Base):
    """Money received, taken back, or credit set against an invoice: one row per invoice it concerns.

    `method` is transfer, direct_debit, card or credit. Money taken back (an R-transaction, a refund) is a negative row
    that names the one it reverses: neither is ever edited. `invoice_id` is None for the part that found nothing to
    settle and became the account's credit.
    """

    __tablename__ = "payments"
    __table_args__ = (
        # The same movement of money, told twice, settles once: D3.
        UniqueConstraint("source", "invoice_id"),
        Index(
            "uq_payments_source_surplus",
            "source",
            unique=True,
            sqlite_where=text("invoice_id is null"),
            postgresql_where=text("invoice_id is null"),
        ),
    )

    id: Mapped[NumberKey]
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    invoice_id: Mapped[int | None] = mapped_column(ForeignKey("invoices.id"), index=True)
    credit_note_id: Mapped[int | None] = mapped_column(ForeignKey("invoices.id"))
    amount_cents: Mapped[int]
    currency: Mapped[Currency]
    method: Mapped[Code]
    # Where the money was seen, once for all: "bank:<key of the entry>", "stripe:<charge>", "staff:<key of the form>".
    source: Mapped[str | None] = mapped_column(String(180), index=True)
    collection_id: Mapped[int | None] = mapped_column(BigInt, ForeignKey("collections.id"), index=True)
    reversal_of_id: Mapped[int | None] = mapped_column(BigInt, ForeignKey("payments.id"), index=True)
    reason_code: Mapped[Code | None]  # of a reversal: AM04, MD06, refund …
    received_on: Mapped[date]
    created_at: Mapped[datetime]
