"""What an account may pay now, and how to do it by transfer. Nothing here is ever written."""

import re
import uuid
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.adapters.qr import payment_qr
from webapp.adapters.ubl import structured
from webapp.domain.money import Money
from webapp.models.accounts import Account
from webapp.models.invoices import Invoice
from webapp.models.payments import Collection, TransferAnnouncement
from webapp.services import invoicing, standing, transfers


@dataclass(frozen=True, slots=True)
class Payable:
    """An invoice with an amount left, VAT included. `is_late` from the day after its due date."""

    number: str
    due_on: date
    left: Money
    is_late: bool
    debit_on: date | None  # a direct debit or a charge was sent for it, and asks for that day
    announced_until: date | None  # a transfer is believed until then, included
    may_announce: bool
    beneficiary: str
    iban: str
    bic: str
    communication: str


@dataclass(frozen=True, slots=True)
class Payables:
    """Oldest due first."""

    invoices: tuple[Payable, ...]
    announced_days: int
    credit: Money  # kept for the next invoice


def read(session: Session, account_id: uuid.UUID, today: date) -> Payables:
    account = session.get_one(Account, account_id)
    invoices = session.scalars(
        select(Invoice)
        .where(
            Invoice.account_id == account_id,
            Invoice.kind == "invoice",
            Invoice.paid_cents < Invoice.total_cents,
        )
        .order_by(Invoice.payable_until, Invoice.id)
    ).all()
    ids = [each.id for each in invoices]
    debits = {
        row.invoice_id: row.requested_on
        for row in session.execute(
            select(Collection.invoice_id, Collection.requested_on).where(
                Collection.invoice_id.in_(ids), Collection.state == "sent"
            )
        )
    }
    announced: dict[int, date] = {}
    believed = select(TransferAnnouncement.invoice_id, TransferAnnouncement.until_on).where(
        TransferAnnouncement.invoice_id.in_(ids), TransferAnnouncement.until_on >= today
    )
    for invoice_id, until_on in session.execute(believed):
        announced[invoice_id] = max(until_on, announced.get(invoice_id, until_on))
    thresholds = standing.read(session, account, today).thresholds
    currency = invoices[0].currency if invoices else "EUR"
    return Payables(
        tuple(
            Payable(
                number=each.number,
                due_on=each.payable_until,
                left=Money(each.total_cents - each.paid_cents, each.currency),
                is_late=each.payable_until < today,
                debit_on=debits.get(each.id),
                announced_until=announced.get(each.id),
                may_announce=transfers.refusal_of(session, each, today) is None,
                beneficiary=str(each.seller["legal_name"]),
                iban=str(each.seller["iban"]),
                bic=str(each.seller.get("bic") or ""),
                communication=structured(each.ogm),
            )
            for each in invoices
        ),
        thresholds.announced_days,
        invoicing.credit_of(session, account_id, currency),
    )


def qr(payable: Payable) -> bytes:
    """An SVG that a banking application reads: the transfer, ready to be confirmed. The page names it in words."""
    drawn = payment_qr(payable.beneficiary, payable.iban, payable.bic, payable.left, payable.communication)
    # Without a size of its own, it takes that of its frame.
    return re.sub(
        rb'<svg (.*?)width="(\d+)" height="(\d+)"',
        rb'<svg aria-hidden="true" \1viewBox="0 0 \2 \3"',
        drawn,
        count=1,
    )
