"""`flask bill`: what is due is issued once, whatever happens to one account."""

from datetime import date

from sqlalchemy import func, select

from tests.builders import a_subscription
from webapp.models.invoices import Invoice


def test_billing_a_day_twice_issues_once(app, session, clock):
    a_subscription(session, starts_on=date(2026, 9, 1))
    a_subscription(session, starts_on=date(2026, 10, 5))
    session.commit()
    runner = app.test_cli_runner()
    first = runner.invoke(args=["bill", "--on", "2026-11-16"])
    assert (first.exit_code, "5 documents émis" in first.output) == (0, True)
    again = runner.invoke(args=["bill", "--on", "2026-11-16"])
    assert "0 documents émis" in again.output
    assert session.scalar(select(func.count()).select_from(Invoice)) == 5


def test_one_account_may_be_billed_alone(app, session, clock):
    signed = a_subscription(session, starts_on=date(2026, 11, 1))
    a_subscription(session, starts_on=date(2026, 11, 1))
    reference = signed.account.reference
    session.commit()
    assert app.test_cli_runner().invoke(args=["bill", "--account", reference]).exit_code == 0
    assert session.scalars(select(Invoice.account_id)).all() == [signed.account_id]
