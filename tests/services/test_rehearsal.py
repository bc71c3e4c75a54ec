"""A rehearsal says what will happen, and changes nothing of what is."""

from datetime import date, timedelta

import pytest
from sqlalchemy import select, text

from tests import builders
from tests.builders import NewOption, a_subscription, a_user
from webapp.domain.money import Money
from webapp.models import Base, copying
from webapp.models.invoices import Invoice, InvoiceLine
from webapp.services import rehearsal
from webapp.services.rehearsal import Paying, Scenario

TODAY = date(2026, 11, 16)


@pytest.fixture
def signed(session):
    """Pro since September, two addresses, mailboxes: billed up to today, everything paid, one owner."""
    signed = a_subscription(
        session,
        starts_on=date(2026, 9, 1),
        establishments=2,
        options=[NewOption("emails", 4)],
        billed_through=TODAY,
    )
    a_user(session, signed.account)
    for invoice in session.scalars(select(Invoice).order_by(Invoice.id)):
        builders.pays(session, invoice, invoice.total_cents)
    session.commit()
    return signed


def rehearse(session, signed, **scenario):
    return rehearsal.rehearse(session, signed.account_id, Scenario(**scenario), TODAY)


def kinds(rehearsed, *wanted):
    return [(each.on, each.kind) for each in rehearsed.happenings if each.kind in wanted]


def everything(session):
    return {
        table.name: [
            tuple(map(str, row)) for row in session.execute(select(table).order_by(*table.primary_key))
        ]
        for table in Base.metadata.sorted_tables
    }


def test_every_table_is_copied_or_says_why_it_stays_behind():
    names = {table.name for table in Base.metadata.sorted_tables}
    for table in Base.metadata.sorted_tables:
        copying.choice_of(table)
    assert names >= copying.SHARED, "a shared table that is gone"
    assert set(copying.LEFT_BEHIND) <= names, "a table left behind that is gone"
    assert not copying.SHARED & set(copying.LEFT_BEHIND)


def test_nothing_real_changes(session, signed):
    other = a_subscription(session, starts_on=date(2026, 10, 1))
    session.commit()
    before = everything(session)
    rehearsed = rehearse(session, signed, months=24, paying=Paying.NEVER)
    assert rehearsed.happenings
    assert everything(session) == before
    assert not session.dirty and not session.new
    assert other.account_id != signed.account_id


def test_the_months_to_come_are_those_that_come(app, session, signed, clock):
    """What the commands do when the clock really moves is what was rehearsed, line by line."""
    rehearsed = rehearse(session, signed, months=5, paying=Paying.NEVER)
    session.rollback()
    runner = app.test_cli_runner()
    days = sorted({each.on for each in rehearsed.happenings} | {TODAY + timedelta(days=40)})
    for day in days:
        clock.set(day)
        for command in ("renew", "bill", "announce", "remind"):
            done = runner.invoke(args=[command])
            assert done.exit_code == 0, done.output
    told = [
        (
            each.subject,
            each.on,
            each.due_on,
            each.net,
            each.total,
            [(line.description, line.net) for line in each.lines],
        )
        for each in rehearsed.happenings
        if each.kind in ("invoice", "credit_note")
    ]
    real = [
        (
            invoice.number,
            invoice.issued_on,
            invoice.due_on,
            Money(invoice.net_cents),
            Money(invoice.total_cents),
            [(line.description, Money(line.net_cents)) for line in invoice.lines],
        )
        for invoice in session.scalars(select(Invoice).where(Invoice.issued_on > TODAY).order_by(Invoice.id))
    ]
    assert told == real
    assert len(real) == 5
    suspended = kinds(rehearsed, "account.suspended")
    assert len(suspended) == 1
    assert session.scalars(text("select suspended_on from accounts where suspended_on is not null")).all()


def test_who_pays_in_time_hears_of_no_reminder_and_who_never_does_is_suspended(session, signed):
    good = rehearse(session, signed, months=6)
    assert len(kinds(good, "payment")) == 6
    assert kinds(good, "account.suspended") == []
    bad = rehearse(session, signed, months=6, paying=Paying.NEVER)
    # December, January and February unpaid: the third is past due from the sixteenth of February on.
    assert kinds(bad, "account.suspended") == [(date(2027, 2, 16), "account.suspended")]
    late = rehearse(session, signed, months=6, paying=Paying.LATE, late_days=3)
    assert kinds(late, "payment")[0] == (date(2026, 12, 18), "payment")


def test_a_change_of_plan_is_tried_with_its_figures(session, signed):
    tried = rehearse(
        session, signed, months=2, act_on=date(2026, 12, 10), plan="premium", frequency="monthly"
    )
    on_the_day = [each for each in tried.happenings if each.on == date(2026, 12, 10)]
    assert [each.kind for each in on_the_day][:2] == ["invoice", "subscription.changed"]
    upgrade = on_the_day[0]
    assert upgrade.net == Money(sum(line.net.cents for line in upgrade.lines))


def test_what_would_be_refused_says_so(session, signed):
    tried = rehearse(session, signed, months=2, act_on=date(2026, 12, 10), plan="pro", frequency="monthly")
    assert [each.refusal.code for each in tried.happenings if each.kind == "refused"] == ["SamePlan"]


def test_a_notice_ends_the_contract_when_it_says(session, signed):
    tried = rehearse(session, signed, months=24, act_on=date(2026, 11, 20), terminates=True)
    assert kinds(tried, "subscription.ended") == [(date(2027, 9, 1), "subscription.ended")]
    last = [each.on for each in tried.happenings if each.kind == "invoice"][-1]
    assert last == date(2027, 8, 1)


def test_more_than_two_years_are_refused(session, signed):
    with pytest.raises(ValueError, match="25 months"):
        rehearse(session, signed, months=25)


def test_the_copy_knows_nobody_else(session, signed):
    other = a_subscription(session, starts_on=date(2026, 10, 1), billed_through=TODAY)
    session.commit()
    engine = copying.empty_copy()
    with copying.Session(engine) as copy:
        copying.copy_account(session, copy, signed.account_id)
        assert set(copy.scalars(select(Invoice.account_id))) == {signed.account_id}
        assert copy.scalar(select(InvoiceLine.id).where(InvoiceLine.subscription_id == other.id)) is None
    engine.dispose()
