"""Each new document by mail, its PDF attached, to the addresses for invoices and to the accountant's (B6). That of a
reseller comes with its CSV.

The audit trail says what has left: a document is mailed once, whoever runs the command and however often.
"""

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from webapp.adapters import bank_days
from webapp.adapters.mail import Attachment
from webapp.domain.access import SYSTEM
from webapp.domain.money import Money
from webapp.models.accounts import Account, BillingDetails
from webapp.models.invoices import Invoice
from webapp.models.records import AuditEntry
from webapp.services import audit, documents, outbox, reseller_invoices

NEW_FOR = timedelta(days=14)  # older documents are history: nobody is sent them because the command is new
_MAILED = exists().where(
    AuditEntry.account_id == Invoice.account_id,
    AuditEntry.action == "invoice.mailed",
    AuditEntry.subject == Invoice.number,
)


def waiting(session: Session, today: date, after: int = 0, limit: int = 100) -> list[int]:
    """The ids of the new documents that were not mailed yet, oldest first, those `after` an id."""
    statement = select(Invoice.id).where(Invoice.id > after, Invoice.issued_on >= today - NEW_FOR, ~_MAILED)
    return list(session.scalars(statement.order_by(Invoice.id).limit(limit)))


def _debit(invoice: Invoice) -> dict[str, Any] | None:
    """The announcement that a direct debit needs: its day, the account and the mandate; amount left aside (D3)."""
    payment = invoice.payment
    if payment.get("method") != "direct_debit" or not payment.get("reference"):
        return None
    on = bank_days.bank_day(invoice.due_on)
    return {"on": on, "label": payment.get("label", ""), "reference": payment["reference"]}


def mail(session: Session, invoice_id: int, now: datetime) -> int:
    """Queue the mails of one document and note it; 0 when somebody just did. Flushes.

    An accountant's address is used only once its reader has confirmed it.
    """
    statement = select(Invoice).where(Invoice.id == invoice_id, ~_MAILED).with_for_update(of=Invoice)
    invoice = session.scalars(statement).one_or_none()
    if invoice is None:
        return 0
    details = session.get_one(BillingDetails, invoice.account_id)
    account = session.get_one(Account, invoice.account_id)
    everybody = [details.invoice_email, *details.other_invoice_emails, details.accountant_email]
    recipients = list(dict.fromkeys(each for each in everybody if each))
    files = [Attachment(f"{invoice.number}.pdf", "application/pdf", documents.pdf_of(session, invoice, now))]
    if reseller_invoices.is_of_a_reseller(session, invoice.id):
        rows = "".join(reseller_invoices.csv_of(session, invoice))
        files.append(Attachment(f"{invoice.number}.csv", "text/csv", rows.encode()))
    for recipient in recipients:
        outbox.queue(
            session,
            "invoice_issued",
            recipient=recipient,
            language=invoice.language,
            account_id=invoice.account_id,
            now=now,
            attachments=files,
            account=account.name,
            number=invoice.number,
            is_credit_note=invoice.kind == "credit_note",
            total=abs(Money(invoice.total_cents, invoice.currency)),
            left=Money(invoice.total_cents - invoice.paid_cents, invoice.currency),
            due_on=invoice.due_on,
            is_by_transfer=invoice.payment.get("method") == "transfer",
            debit=_debit(invoice),
        )
    audit.record(
        session, SYSTEM, invoice.account_id, "invoice.mailed", invoice.number, {}, {"to": recipients}, now
    )
    session.flush()
    return len(recipients)
