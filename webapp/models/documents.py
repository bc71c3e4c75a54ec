"""The files of an invoice as they were made once: the PDF, the UBL that leaves, what the rules said, where it went."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.models.base import Base, Code, NumberKey


class InvoiceDocument(Base):
    """One per invoice or credit note, made when first asked for and never made again: the same bytes for ten years.

    `state` is ready, validated, queued, sent, delivered, rejected (by the receiver), failed (nobody took it) or held
    (a rule refused it: it is never sent). `findings` are [{rule, flag, location, text}]; `rules_version` is None as
    long as no official rules checked it, which screens show as "non vérifié".
    """

    __tablename__ = "invoice_documents"
    __table_args__ = (
        CheckConstraint("channel in ('peppol', 'mail')", name="known_channel"),
        CheckConstraint(
            "state in ('ready', 'validated', 'queued', 'sent', 'delivered', 'rejected', 'failed', 'held')",
            name="known_state",
        ),
        Index("ix_invoice_documents_state_id", "state", "id"),
    )

    id: Mapped[NumberKey]
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoices.id"), unique=True)
    channel: Mapped[Code]
    state: Mapped[Code]
    pdf: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)  # read only when the file itself is wanted
    pdf_sha256: Mapped[str] = mapped_column(String(64))
    ubl: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    ubl_sha256: Mapped[str] = mapped_column(String(64))
    rules_version: Mapped[str | None]
    findings: Mapped[list[Any]] = mapped_column(JSON, default=list)
    transmission_id: Mapped[str | None]  # what the access point calls it
    receiver: Mapped[str | None]  # the address on Peppol it went to: 0208:0876543270
    turn: Mapped[int] = mapped_column(
        default=1, server_default="1"
    )  # each "send again" is a turn, under its own key
    attempts: Mapped[int] = mapped_column(default=0)  # of this turn
    next_at: Mapped[datetime | None]  # not before then is it tried, or asked about, again
    problem: Mapped[Code | None]
    last_error: Mapped[str | None] = mapped_column(Text)
    made_at: Mapped[datetime]
    checked_at: Mapped[datetime | None]
    queued_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]  # delivered, rejected or failed
    retain_until: Mapped[date]  # ten years from the 1 January after the issue: nothing may delete it before
