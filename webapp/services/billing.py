"""Billing the periods that are due: every one once, in its order, with the changes of its day applied (B1, B5)."""

import uuid
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain.pricing import period_draft
from webapp.models.invoices import Invoice
from webapp.models.subscriptions import Subscription
from webapp.services import contracts, invoicing, scheduling


def subscriptions_due(session: Session, on: date) -> list[uuid.UUID]:
    """The subscriptions with a period to bill, or a change to apply, up to `on`; in the order of their due dates."""
    statement = (
        select(Subscription.id)
        .where(Subscription.status == "active", Subscription.billed_until <= on)
        .order_by(Subscription.billed_until, Subscription.id)
    )
    return list(session.scalars(statement))


def bill_due(session: Session, subscription_id: uuid.UUID, on: date, now: datetime) -> list[Invoice]:
    """Issue the invoice of every period that begins up to `on` and is not billed yet, oldest first. Flushes.

    Scheduled changes are applied on their date first. Running it again changes nothing: `billed_until` has moved,
    and the unique key on (subscription, kind, day) would refuse.
    """
    issued: list[Invoice] = []
    subscription = scheduling.lock(session, subscription_id)
    while True:
        situation = contracts.load(session, subscription_id)
        due_on = situation.contract.signature.billed_until
        if due_on > on:
            scheduling.apply_due(session, subscription, situation, on, now)
            return issued
        situation = scheduling.apply_due(session, subscription, situation, due_on, now)
        draft = period_draft(situation.contract, situation.customer.vat)
        if draft is None:
            return issued
        if draft.lines:
            issued.append(
                invoicing.issue(
                    session, draft, situation, "period", today=on, now=now, run_on=draft.period.start
                )
            )
        subscription.billed_until = draft.period.end
        session.flush()
