"""The mail that answers a payment made online: what came in, what it settled, what is left, whether the sites are back.

To the owners, each in their language, once per movement of money: who writes the payment knows whether it is new.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain.money import Money
from webapp.models.accounts import Account
from webapp.models.invoices import Invoice, Payment
from webapp.services import collections, links, notices, outbox
from webapp.services.payments import Receipt


@dataclass(frozen=True, slots=True)
class Settled:
    """An invoice as the mail shows it: what this payment settled of it, and what is left. Amounts include VAT."""

    number: str
    paid: Money
    left: Money
    link: str


def tell_owners(
    session: Session,
    account: Account,
    receipt: Receipt,
    rows: Sequence[Payment],
    asked: Sequence[int],
    now: datetime,
    *,
    is_restored: bool,
) -> None:
    """Queue the mail. `rows` are what the money became; `asked` the ids of the invoices that the page was opened for."""
    by_invoice = {row.invoice_id: row.amount_cents for row in rows}
    credit = Money(by_invoice.pop(None, 0), receipt.amount.currency)
    statement = select(Invoice).where(Invoice.id.in_([*by_invoice, *asked]))
    found = list(session.scalars(statement.order_by(Invoice.due_on, Invoice.id)))
    subscription_id = collections.subscription_of(session, found[0]) if found else None
    if subscription_id is None:
        return
    settled = [
        Settled(
            each.number,
            Money(by_invoice[each.id], each.currency),
            Money(each.total_cents - each.paid_cents, each.currency),
            links.invoice(session, subscription_id, each.number),
        )
        for each in found
        if each.id in by_invoice
    ]
    for owner in notices.owners(session, account.id):
        outbox.queue(
            session,
            "payment_received",
            recipient=owner.email,
            language=owner.language or account.language,
            account_id=account.id,
            now=now,
            full_name=owner.full_name,
            account=account.name,
            amount=receipt.amount,
            on=receipt.received_on,
            settled=settled,
            credit=credit,
            is_restored=is_restored,
            link=links.overview(session, subscription_id),
        )
