"""How an account pays, what is asked of its bank or its card, and what came back (D1–D3).

Money itself is `models.invoices.Payment`: one row per invoice it settles, negative when it was taken back. The rows
here say by which way it travelled. No card number ever enters; an IBAN is sealed, and shown by its last digits.
"""

import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.models.base import Base, BigInt, Code, Currency, NumberKey, UuidKey


class PaymentMethod(Base):
    """A way to pay that an account has given. One at most is primary (D2), and a copy of its label, reference and date
    stands in the billing details, from which invoices are made.

    `state` is pending (asked for, not yet confirmed by the bank or the provider), active, blocked (refused by the bank:
    it must be replaced or the opposition lifted), expired (a card past its month) or closed (replaced by its owner).
    """

    __tablename__ = "payment_methods"
    __table_args__ = (
        CheckConstraint("kind in ('transfer', 'direct_debit', 'card')", name="known_kind"),
        CheckConstraint("state in ('pending', 'active', 'blocked', 'expired', 'closed')", name="known_state"),
        Index(
            "uq_payment_methods_primary",
            "account_id",
            unique=True,
            sqlite_where=text("is_primary"),
            postgresql_where=text("is_primary"),
        ),
    )

    id: Mapped[UuidKey]
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    kind: Mapped[Code]
    state: Mapped[Code]
    is_primary: Mapped[bool] = mapped_column(default=False)
    label: Mapped[str]  # masked, as shown: BE21 0012 •••• 7803, Visa •••• 4242
    provider: Mapped[Code] = mapped_column(
        default=""
    )  # stripe or mollie; empty when the bank is reached by file
    provider_customer: Mapped[str] = mapped_column(default="")
    provider_reference: Mapped[str] = mapped_column(
        default="", index=True
    )  # the provider's own name of the method
    # The reference of the mandate that the provider holds, such as Bancontact creates: invoices must name it
    provider_mandate: Mapped[str] = mapped_column(String(35), default="", server_default="")
    last_four: Mapped[str] = mapped_column(String(4), default="")  # of the IBAN or of the card
    expires_on: Mapped[date | None]  # the first day on which a card no longer works
    blocked_reason: Mapped[Code | None]  # the R-transaction code, or the provider's own
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    closed_at: Mapped[datetime | None]

    mandate: Mapped["Mandate | None"] = relationship(back_populates="method", uselist=False)


class Mandate(Base):
    """A SEPA direct debit mandate signed online, and the proof of it (D1).

    `status` is active, suspended (blocked by the bank until lifted or replaced), cancelled (by its owner, or replaced)
    or expired (unused for 36 months). The next collection is FRST when `first_used_on` is empty, else RCUR.
    """

    __tablename__ = "mandates"
    __table_args__ = (
        CheckConstraint("status in ('active', 'suspended', 'cancelled', 'expired')", name="known_status"),
    )

    id: Mapped[NumberKey]
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    method_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("payment_methods.id"), unique=True)
    reference: Mapped[str] = mapped_column(String(35), unique=True)  # UMR: letters and digits
    scheme: Mapped[Code] = mapped_column(default="CORE")
    creditor_id: Mapped[str] = mapped_column(String(35))
    debtor_name: Mapped[str] = mapped_column(String(140))
    iban_sealed: Mapped[str] = mapped_column(Text)  # by adapters.vault
    iban_last_four: Mapped[str] = mapped_column(String(4), index=True)
    bic: Mapped[str] = mapped_column(String(11), default="")
    bank: Mapped[str] = mapped_column(default="")  # its name; empty when the bank is not known
    status: Mapped[Code] = mapped_column(default="active")
    signed_on: Mapped[date]
    signed_at: Mapped[datetime]
    # Who signed what: {"name", "email", "ip", "user_agent", "text_version", "language", "document_sha256"}
    evidence: Mapped[dict[str, Any]] = mapped_column(JSON)
    # What the next collection must declare, {"former_reference": …, "former_iban_sealed": …}; None once declared
    amendment: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    pre_notification_days: Mapped[int]
    first_used_on: Mapped[date | None]
    last_used_on: Mapped[date | None]
    closed_at: Mapped[datetime | None]

    method: Mapped[PaymentMethod] = relationship(back_populates="mandate")


class MandateDocument(Base):
    """What was signed, word for word: the mandate, then each change of its account. Kept ten years (D1).

    The text names the whole IBAN, so it is sealed; its PDF is made from it on demand. `evidence` has the same keys as
    the mandate's, which holds that of the first signature.
    """

    __tablename__ = "mandate_documents"

    id: Mapped[NumberKey]
    mandate_id: Mapped[int] = mapped_column(BigInt, ForeignKey("mandates.id"), index=True)
    kind: Mapped[Code]  # signature or amendment
    signed_at: Mapped[datetime]
    text_sealed: Mapped[str] = mapped_column(Text, deferred=True)  # by adapters.vault
    evidence: Mapped[dict[str, Any]] = mapped_column(JSON)


class MethodAnnouncement(Base):
    """The end of a card or of a mandate, said once so many days before (D2): the unique key is what makes it once.

    Rows without `sent_at` were skipped: a closer announcement left instead.
    """

    __tablename__ = "method_announcements"
    __table_args__ = (UniqueConstraint("method_id", "stops_on", "days_before"),)

    id: Mapped[NumberKey]
    method_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("payment_methods.id"))
    stops_on: Mapped[date]  # the first day on which the method no longer works
    days_before: Mapped[int]
    noted_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]


class DebitBatch(Base):
    """A pain.008 file for the bank, kept as it was made: a second download gives the same bytes."""

    __tablename__ = "debit_batches"

    id: Mapped[NumberKey]
    message_id: Mapped[str] = mapped_column(String(35), unique=True)
    made_at: Mapped[datetime]
    made_on: Mapped[date]
    count: Mapped[int]
    total_cents: Mapped[int]
    currency: Mapped[Currency]
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    sha256: Mapped[str] = mapped_column(String(64))
    downloaded_at: Mapped[datetime | None]  # the first time


class Collection(Base):
    """One attempt to collect an invoice: a direct debit in a batch, or a charge by a provider.

    `state` is planned, sent, settled, refused (before the settlement), returned or refunded (after it), or cancelled.
    While one is planned or sent, the invoice has no other: `is_open` is true, and the database refuses a second.
    """

    __tablename__ = "collections"
    __table_args__ = (
        CheckConstraint(
            "state in ('planned', 'sent', 'settled', 'refused', 'returned', 'refunded', 'cancelled')",
            name="known_state",
        ),
        CheckConstraint("amount_cents > 0", name="amount_positive"),
        Index(
            "uq_collections_open",
            "invoice_id",
            unique=True,
            sqlite_where=text("is_open"),
            postgresql_where=text("is_open"),
        ),
        Index("ix_collections_state_requested", "state", "requested_on", "id"),
    )

    id: Mapped[NumberKey]
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoices.id"), index=True)
    method_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("payment_methods.id"))
    mandate_id: Mapped[int | None] = mapped_column(ForeignKey("mandates.id"))
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("debit_batches.id"), index=True)
    # The invoice's number, then -2, -3 … for later attempts: what the bank or the provider repeats in its answer, and
    # the idempotency key given to a provider.
    end_to_end_id: Mapped[str] = mapped_column(String(35), unique=True)
    attempt: Mapped[int] = mapped_column(default=1)
    amount_cents: Mapped[int]
    currency: Mapped[Currency]
    sequence: Mapped[str | None] = mapped_column(String(4))  # FRST or RCUR
    # What its debit declared of a former mandate or account: to be declared again when the bank refused it
    amendment: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    requested_on: Mapped[date]  # the day on which the bank is asked to collect
    notified_at: Mapped[datetime | None]  # the debtor was told amount and day (pre-notification)
    state: Mapped[Code] = mapped_column(default="planned")
    is_open: Mapped[bool] = mapped_column(default=True)
    provider_reference: Mapped[str | None] = mapped_column(index=True)
    reason_code: Mapped[Code | None]  # of the refusal or return: AM04, MD01, card_declined …
    retry_on: Mapped[date | None]  # the day of the next attempt that this reason allows
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


class BankFile(Base):
    """A statement received from the bank. The same bytes, or the same statement again, change nothing.

    Until `finished_at`, its entries may still be being read or matched: the same file given again goes on from there.
    """

    __tablename__ = "bank_files"

    id: Mapped[NumberKey]
    kind: Mapped[Code]  # coda, camt.053, camt.054 or pain.002
    filename: Mapped[str]
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    received_at: Mapped[datetime]
    received_by: Mapped[str]
    entry_count: Mapped[int]
    new_count: Mapped[int]  # entries that no earlier file had told
    matched_count: Mapped[int]
    finished_at: Mapped[datetime | None]


class BankEntry(Base):
    """A movement on the operator's account, as the bank told it.

    `state` is new (read, nothing done of it yet), matched (it settled or reopened something), unmatched (staff must say
    what it is), ignored (staff said: none of ours) or alert (a technical reason for the operator).
    """

    __tablename__ = "bank_entries"
    __table_args__ = (
        CheckConstraint("state in ('new', 'matched', 'unmatched', 'ignored', 'alert')", name="known_state"),
        Index("ix_bank_entries_state", "state", "id"),
        Index("ix_bank_entries_in_order", "file_id", "booked_on", "key"),
    )

    id: Mapped[NumberKey]
    file_id: Mapped[int] = mapped_column(ForeignKey("bank_files.id"))
    # What makes the movement the same one in another file: the bank's own reference, or account, statement and line.
    key: Mapped[str] = mapped_column(String(140), unique=True)
    booked_on: Mapped[date]
    valued_on: Mapped[date]
    amount_cents: Mapped[int]  # positive when it came in
    currency: Mapped[Currency]
    counterpart_name: Mapped[str] = mapped_column(default="")
    counterpart_iban_sealed: Mapped[str | None] = mapped_column(Text)
    counterpart_last_four: Mapped[str] = mapped_column(String(4), default="")
    ogm: Mapped[str | None] = mapped_column(String(12), index=True)
    message: Mapped[str] = mapped_column(Text, default="")
    end_to_end_id: Mapped[str | None] = mapped_column(String(35), index=True)
    is_direct_debit: Mapped[bool] = mapped_column(default=False)
    reason_code: Mapped[Code | None]  # of an R-transaction
    state: Mapped[Code]
    account_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("accounts.id"), index=True)
    resolved_by: Mapped[str | None]
    resolved_at: Mapped[datetime | None]
    note: Mapped[str] = mapped_column(Text, default="", server_default="")  # why staff decided so


class TransferAnnouncement(Base):
    """The customer says that a transfer is on its way: until `until_on`, included, its invoice counts as paid (M9)."""

    __tablename__ = "transfer_announcements"
    __table_args__ = (UniqueConstraint("invoice_id", "announced_on"),)

    id: Mapped[NumberKey]
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoices.id"), index=True)
    announced_on: Mapped[date]
    until_on: Mapped[date]
    announced_by: Mapped[str]
    created_at: Mapped[datetime]


class ProviderEvent(Base):
    """A webhook of a payment provider, kept raw before anything is done of it, and handled once, in any order."""

    __tablename__ = "provider_events"
    __table_args__ = (
        UniqueConstraint("provider", "event_id"),
        Index("ix_provider_events_unhandled", "handled_at", "id"),
    )

    id: Mapped[NumberKey]
    provider: Mapped[Code]
    event_id: Mapped[str] = mapped_column(String(255))
    # The payment or set-up that it names, as its provider calls it; empty when it is about none
    reference: Mapped[str] = mapped_column(String(255), default="", server_default="")
    body: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    received_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    handled_at: Mapped[datetime | None]
    last_error: Mapped[str | None] = mapped_column(Text)


class CheckoutSession(Base):
    """A page of a provider that was opened to pay invoices now or to give a card, until the provider says how it ended.

    `state` is open, done, failed or expired. `key` is the idempotency key given to the provider.
    """

    __tablename__ = "checkout_sessions"

    id: Mapped[UuidKey]
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    purpose: Mapped[Code]  # pay or set_up
    provider: Mapped[Code]
    provider_reference: Mapped[str | None] = mapped_column(String(255), unique=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    address: Mapped[str | None] = mapped_column(Text)  # of the provider's page
    invoice_ids: Mapped[list[Any]] = mapped_column(JSON)
    amount_cents: Mapped[int]
    currency: Mapped[Currency]
    state: Mapped[Code] = mapped_column(default="open")
    failure: Mapped[str | None]  # the provider's code
    opened_by: Mapped[str]
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


class ProviderRefund(Base):
    """Money that the team asked a provider to give back, until the provider says that it did.

    `state` is asked (kept, and asked again while nobody answers), unsure (no answer for too long: somebody looks at the
    provider's own pages), sent (accepted by the provider), done (told by it, the payment taken back) or refused. `key` is
    the idempotency key given to the provider.
    """

    __tablename__ = "provider_refunds"
    __table_args__ = (
        CheckConstraint("state in ('asked', 'unsure', 'sent', 'done', 'refused')", name="known_state"),
        CheckConstraint("amount_cents > 0", name="amount_positive"),
        Index("ix_provider_refunds_state", "state", "id"),
    )

    id: Mapped[NumberKey]
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    gesture_id: Mapped[int] = mapped_column(BigInt, ForeignKey("gestures.id"), unique=True)
    provider: Mapped[Code]
    payment: Mapped[str] = mapped_column(String(255), index=True)  # as the provider calls it
    key: Mapped[str] = mapped_column(String(64), unique=True)
    amount_cents: Mapped[int]
    currency: Mapped[Currency]
    state: Mapped[Code] = mapped_column(default="asked")
    provider_reference: Mapped[str] = mapped_column(String(255), default="", server_default="")
    failure: Mapped[str] = mapped_column(
        Text, default="", server_default=""
    )  # for the people who run the portal
    link: Mapped[str] = mapped_column(
        Text, default="", server_default=""
    )  # of the mail; empty when nobody is told
    asked_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
