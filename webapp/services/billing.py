"""Billing what is due: every period once, in its order, with the changes of its day applied (B1, B5, E1)."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain.contract import Contract
from webapp.domain.pricing import Draft, period_draft
from webapp.domain.proration import BilledLine, settlement
from webapp.domain.vat import VatRate
from webapp.models.accounts import Account
from webapp.models.invoices import Invoice
from webapp.models.subscriptions import Subscription
from webapp.services import contracts, invoicing, scheduling


@dataclass(frozen=True, slots=True)
class Step:
    """One day's billing: `kind` period, anniversary or termination, its draft if anything is billed, and the contract after it."""

    kind: str
    on: date
    draft: Draft | None
    contract: Contract


def next_step(contract: Contract, billed: Sequence[BilledLine], until: date, vat: VatRate) -> Step | None:
    """The first thing to bill up to `until`, that day included; None when there is nothing, or no contract any more.

    Changes scheduled up to the day of the step are applied to its contract.
    """
    signature = contract.signature
    renewal = next(iter(contract.renewals_to_settle()), None)
    on = signature.billed_until if renewal is None else renewal
    if contract.ended_on is not None:
        return None
    ends_on = contract.ends_on()
    if ends_on is not None and ends_on <= min(on, until):
        return _end(contract, billed, ends_on, vat)
    if on > until:
        return None
    contract = contract.on(on)
    if renewal is not None:
        draft = settlement(contract, billed, renewal, vat)
        settled = replace(contract.signature, settled_on=renewal)
        return Step("anniversary", renewal, draft, replace(contract, signature=settled))
    period = period_draft(contract, vat)
    if period is None:
        return None
    signature = replace(contract.signature, billed_until=period.period.end, settled_on=period.period.start)
    return Step("period", period.period.start, period, replace(contract, signature=signature))


def _end(contract: Contract, billed: Sequence[BilledLine], on: date, vat: VatRate) -> Step:
    """The contract stops: what was paid beyond is given back. Only a consumer's can stop inside a paid period."""
    ended = contract.on(on)
    draft = settlement(ended, billed, on, vat) if on < contract.signature.billed_until else None
    return Step("termination", on, draft, ended)


def subscriptions_due(session: Session, on: date, reference: str | None = None) -> list[uuid.UUID]:
    """The subscriptions with something to bill or to apply up to `on`, in the order of their due dates.

    With `reference`, only those of that account.
    """
    statement = (
        select(Subscription.id)
        .where(Subscription.status == "active", Subscription.due_on <= on)
        .order_by(Subscription.due_on, Subscription.id)
    )
    if reference is not None:
        statement = statement.join(Account, Account.id == Subscription.account_id).where(
            Account.reference == reference
        )
    return list(session.scalars(statement))


def bill_due(session: Session, subscription_id: uuid.UUID, on: date, now: datetime) -> list[Invoice]:
    """Issue every document due up to `on` and not issued yet, oldest first. Flushes.

    Scheduled changes are applied on their date first. Running it again changes nothing: `billed_until` has moved,
    and the unique key on (subscription, kind, day) would refuse.
    """
    issued: list[Invoice] = []
    subscription = scheduling.lock(session, subscription_id)
    while True:
        situation = contracts.load(session, subscription_id)
        billed: list[BilledLine] = []
        if situation.contract.renewals_to_settle() or situation.contract.stops_inside_a_paid_period():
            billed = contracts.billed_lines(
                session, subscription_id, on, since=situation.contract.signature.settled_on
            )
        step = next_step(situation.contract, billed, on, situation.customer.vat)
        situation = scheduling.apply_due(session, subscription, situation, step.on if step else on, now)
        if step is None:
            return issued
        if step.draft is not None and step.draft.lines:
            document = invoicing.issue(
                session, step.draft, situation, step.kind, today=on, now=now, run_on=step.on
            )
            if document is not None:
                issued.append(document)
        subscription.billed_until = step.contract.signature.billed_until
        subscription.settled_on = step.contract.signature.settled_on
        scheduling.touch(session, subscription, now)
