"""Money received, and what it settles."""

from datetime import date, datetime

from sqlalchemy.orm import Session

from webapp.models.invoices import Invoice, Payment
from webapp.services import invoicing


def record_payment(
    session: Session, invoice: Invoice, amount_cents: int, method: str, received_on: date, now: datetime
) -> Payment:
    """Set money received against one invoice. Raises ValueError beyond what is left of it. Flushes."""
    invoicing.settle(session, invoice, amount_cents)
    payment = Payment(
        account_id=invoice.account_id,
        invoice_id=invoice.id,
        amount_cents=amount_cents,
        currency=invoice.currency,
        method=method,
        received_on=received_on,
        created_at=now,
    )
    session.add(payment)
    session.flush()
    return payment
