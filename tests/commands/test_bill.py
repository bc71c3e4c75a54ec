"""`flask bill`: what is due is issued once, whatever happens to one account."""

import json
from datetime import date

from sqlalchemy import func, select, update

from tests.builders import a_subscription, an_account
from webapp.models.accounts import BillingDetails
from webapp.models.billing_runs import BillingRun
from webapp.models.invoices import Invoice, InvoiceLine


def test_billing_a_day_twice_issues_once(app, session, clock):
    a_subscription(session, starts_on=date(2026, 9, 1))
    a_subscription(session, starts_on=date(2026, 10, 5))
    session.commit()
    runner = app.test_cli_runner()
    first = runner.invoke(args=["bill", "--on", "2026-11-16"])
    assert (first.exit_code, "5 documents émis" in first.output) == (0, True), first.output
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


def test_an_unknown_account_is_said(app, session, clock):
    a_subscription(session)
    session.commit()
    answer = app.test_cli_runner().invoke(args=["bill", "--account", "CA-0"])
    assert (answer.exit_code, "Aucun compte n’a la référence CA-0." in answer.output) == (1, True)


def test_a_rehearsal_says_the_totals_and_keeps_nothing(app, session, clock):
    a_subscription(session, starts_on=date(2026, 11, 1))
    a_subscription(session, starts_on=date(2026, 10, 1))
    session.commit()
    runner = app.test_cli_runner()
    answer = runner.invoke(args=["bill", "--dry-run", "--json"])
    assert answer.exit_code == 0, answer.exception
    rehearsed = json.loads(answer.stdout)
    assert session.scalar(select(func.count()).select_from(Invoice)) == 0
    assert session.scalar(select(func.count()).select_from(BillingRun)) == 0
    session.rollback()  # on SQLite whoever reads in a transaction of its own holds the pen
    done = json.loads(runner.invoke(args=["bill", "--json"]).output)
    assert rehearsed | {"run_id": done["run_id"]} == done
    assert (done["documents"], done["net_cents"], done["vat_cents"], done["total_cents"]) == (
        3,
        23_700,
        4977,
        28_677,
    )


def test_who_cannot_be_billed_is_told_with_the_field_to_mend(app, session, clock):
    account = an_account(session, "Café Central")
    a_subscription(session, starts_on=date(2026, 11, 1), account=account)
    a_subscription(session, starts_on=date(2026, 11, 1))
    session.execute(
        update(BillingDetails).where(BillingDetails.account_id == account.id).values(postcode=" ")
    )
    reference = account.reference
    session.commit()
    answer = app.test_cli_runner().invoke(args=["bill"])
    assert answer.exit_code == 1
    told = next(line for line in answer.output.splitlines() if line.startswith(reference))
    assert "code postal" in told.lower()
    assert "1 documents émis, 1 comptes en échec" in answer.output


def test_documents_that_do_not_hold_together_stop_the_run_before_it_starts(app, session, clock):
    a_subscription(session, starts_on=date(2026, 10, 1), billed_through=date(2026, 10, 1))
    session.execute(update(InvoiceLine).values(net_cents=1))
    session.commit()
    answer = app.test_cli_runner().invoke(args=["bill"])
    assert answer.exit_code == 1
    assert "lines make the net: F2026-00001" in answer.output
    assert session.scalar(select(func.count()).select_from(Invoice)) == 1
