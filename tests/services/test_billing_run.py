"""The billing run issues what the rules issue, document for document, and every period once whatever happens."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from tests.builders import CLAIRE, a_reseller, a_subscription, an_account, noon
from webapp.domain.access import SYSTEM
from webapp.domain.einvoice import Problem
from webapp.extensions import db
from webapp.models.accounts import BillingDetails
from webapp.models.billing_runs import BillingRun, BillingRunFailure
from webapp.models.invoices import CreditBalanceEntry, Invoice, InvoiceLine, Series
from webapp.models.subscriptions import Subscription
from webapp.services import billing, billing_run, establishments, invariants, subscriptions
from webapp.services.billing_run import InvariantsBroken, Report, UnknownAccount
from webapp.services.subscriptions import NewOption

DAY = date(2026, 11, 1)


@pytest.fixture
def transaction(app):
    """Transactions that keep what is done in them, as the command gives to the run."""

    @contextmanager
    def opened() -> Iterator[Session]:
        with app.app_context():
            engine = db.engine
        with Session(engine) as session, session.begin():
            yield session

    return opened


@pytest.fixture
def bill(transaction):
    def billed(on: date = DAY, **more: Any) -> Report:
        return billing_run.run(transaction, on, lambda: noon(on), **more)

    return billed


def everything(session: Session) -> list[dict[str, Any]]:
    """Every document with its lines, as rows, without the keys that only say which came first."""
    session.expire_all()
    found = []
    for invoice in session.scalars(select(Invoice).order_by(Invoice.subscription_id, Invoice.run_on, Invoice.id)):
        columns = {column.name: getattr(invoice, column.name) for column in Invoice.__table__.c}
        for name in ("id", "number", "series_number", "ogm"):
            columns.pop(name)
        columns["lines"] = [
            {
                column.name: getattr(line, column.name)
                for column in InvoiceLine.__table__.c
                if column.name not in ("id", "invoice_id")
            }
            for line in invoice.lines
        ]
        found.append(columns)
    return found


def subscriptions_now(session: Session) -> list[tuple[Any, ...]]:
    rows = select(
        Subscription.id, Subscription.status, Subscription.billed_until, Subscription.settled_on, Subscription.due_on
    ).order_by(Subscription.id)
    return [tuple(row) for row in session.execute(rows)]


def all_sorts(session: Session) -> None:
    """One subscription of each sort: plain months in three languages, and what is not plain at all."""
    options = [NewOption("emails", 4), NewOption("signage"), NewOption("booking", at=2)]
    a_subscription(session, starts_on=date(2026, 10, 1), establishments=3, options=options, billed_through=date(2026, 10, 1))
    for language in ("nl", "en"):
        account = an_account(session, language=language)
        a_subscription(
            session, "premium", starts_on=date(2026, 10, 1), establishments=5, options=options, account=account,
            billed_through=date(2026, 10, 1),
        )  # fmt: skip
    a_subscription(session, "essentiel", "annual", starts_on=date(2025, 11, 1), billed_through=date(2025, 11, 1))
    a_subscription(session, starts_on=date(2026, 7, 31), billed_through=date(2026, 9, 1))  # several periods due
    a_subscription(session, starts_on=date(2026, 11, 2))  # not due
    a_subscription(session, starts_on=date(2026, 10, 1), reseller=a_reseller(session), billed_through=date(2026, 10, 1))
    french = an_account(
        session, country="FR", vat_number="FR40303265045", enterprise_number=None, vat_treatment="reverse_charge"
    )
    a_subscription(session, starts_on=date(2026, 10, 15), account=french)
    changed = a_subscription(session, "premium", starts_on=date(2026, 10, 1), billed_through=date(2026, 10, 1))
    on = date(2026, 10, 20)
    preview = subscriptions.preview_plan(session, changed.id, "pro", "monthly", on)
    subscriptions.change_plan(
        session, changed.id, "pro", "monthly", preview.fingerprint, on, noon(on), CLAIRE, "http://localhost/"
    )
    with_credit = a_subscription(session, starts_on=date(2026, 9, 1), billed_through=date(2026, 10, 1))
    invoice = session.scalars(select(Invoice).where(Invoice.account_id == with_credit.account_id)).first()
    session.add(
        CreditBalanceEntry(
            account_id=with_credit.account_id, amount_cents=1234, currency="EUR", invoice_id=invoice.id, created_at=noon(on)
        )
    )
    session.flush()


def test_the_run_issues_what_one_by_one_issues(session, bill):
    all_sorts(session)
    session.commit()
    for subscription_id in billing.subscriptions_due(session, DAY):
        billing.bill_due(session, subscription_id, DAY, noon(DAY))
    expected, moved = everything(session), subscriptions_now(session)
    session.rollback()
    report = bill()
    assert everything(session) == expected
    assert subscriptions_now(session) == moved
    assert (report.due, report.billed, report.failed) == (9, 9, 0)
    assert report.documents == 10
    assert invariants.broken(session) == []
