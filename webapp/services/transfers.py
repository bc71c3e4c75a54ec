"""« J’ai fait le virement » : a transfer is believed for some days, during which its invoice counts as paid (D4, M9).

Believed, not for ever: once an announcement has run out a second one is taken, never a third. What the bank sends back
later begins the count again.
"""

import uuid
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.domain.access import Actor
from webapp.domain.refusals import NothingToPay, TransferAlreadyAnnounced, TransferAnnouncedTooOften
from webapp.models.invoices import Invoice, Payment
from webapp.models.payments import TransferAnnouncement
from webapp.services import audit, invoicing, standing

MOST = 2  # announcements of one invoice, for one stretch of lateness


def announce(
    session: Session,
    account_id: uuid.UUID,
    numbers: Sequence[str],
    today: date,
    now: datetime,
    actor: Actor,
) -> date:
    """Believe, until the day given back, included, that these invoices are on their way. All of them or none. Flushes.

    Raises NothingToPay, TransferAlreadyAnnounced, TransferAnnouncedTooOften.
    """
    account = standing.lock(session, account_id)
    due = [each for each in invoicing.open_invoices(session, account_id) if each.number in numbers]
    if not due:
        raise NothingToPay()
    days = standing.read(session, account, today).thresholds.announced_days
    # Before the due date nothing runs yet: the days are counted from it.
    until = [max(today, invoice.payable_until) + timedelta(days=days) for invoice in due]
    for invoice, until_on in zip(due, until, strict=True):
        refusal = refusal_of(session, invoice, today)
        if refusal is not None:
            raise refusal
        session.add(
            TransferAnnouncement(
                account_id=account_id,
                invoice_id=invoice.id,
                announced_on=today,
                until_on=until_on,
                announced_by=actor.name,
                created_at=now,
            )
        )
    session.flush()
    facts = {"invoices": [each.number for each in due], "until": min(until).isoformat()}
    audit.record(session, actor, account_id, "transfer.announced", account.reference, {}, facts, now)
    standing.review(session, account_id, today, now, actor)
    return min(until)


def refusal_of(
    session: Session, invoice: Invoice, today: date
) -> TransferAlreadyAnnounced | TransferAnnouncedTooOften | None:
    """Why no transfer may be announced for this invoice today; None when it may."""
    reopened_at = session.scalar(
        select(func.max(Payment.created_at)).where(
            Payment.invoice_id == invoice.id, Payment.reversal_of_id.is_not(None)
        )
    )
    made = select(TransferAnnouncement).where(TransferAnnouncement.invoice_id == invoice.id)
    if reopened_at is not None:
        made = made.where(TransferAnnouncement.created_at > reopened_at)
    announcements = session.scalars(made.order_by(TransferAnnouncement.id)).all()
    if announcements and announcements[-1].until_on >= today:
        return TransferAlreadyAnnounced(announcements[-1].until_on)
    return TransferAnnouncedTooOften(MOST) if len(announcements) >= MOST else None
