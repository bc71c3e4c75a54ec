"""Recurring revenue: what the lines say is what the contracts ask for, and what moved is the difference (docs/mrr.md)."""

from contextlib import contextmanager
from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from tests.builders import CLAIRE, a_catalogue, a_reseller, a_seller, a_subscription, a_user, addresses, noon
from webapp.domain.money import Money
from webapp.domain.option_change import Wish
from webapp.domain.pricing import recurring_charges
from webapp.domain.refusals import Refusal
from webapp.models.invoices import Invoice
from webapp.models.revenue import RevenueDay, RevenueMove, RevenuePoint
from webapp.services import (
    billing,
    contracts,
    credit_notes,
    dashboard,
    establishments,
    options,
    revenue,
    subscriptions,
    terminations,
)
from webapp.services.revenue import Level
from webapp.services.subscriptions import NewOption

STARTS = date(2026, 1, 31)
TODAY = date(2026, 11, 16)
ACTS = ("pro monthly", "essentiel monthly", "pro annual", "emails 1", "emails 3", "emails 0", "signage 1", "signage 0", "open", "close", "credit", "end", "wait")  # fmt: skip
PLANS = ("essentiel", "pro", "premium")
lives = st.lists(st.tuples(st.integers(0, 75), st.sampled_from(ACTS)), min_size=1, max_size=6)


@contextmanager
def undone(session):
    """One example's rows, gone after it."""
    with session.begin_nested() as point:
        yield
        point.rollback()
    session.expire_all()


def act(session, signed, what, day):
    """One deed of a life; a refusal is a deed that did not happen."""
    word, _, rest = what.partition(" ")
    try:
        with session.begin_nested():
            if rest in ("monthly", "annual"):
                shown = subscriptions.preview_plan(session, signed.id, word, rest, day)
                subscriptions.change_plan(
                    session, signed.id, word, rest, shown.fingerprint, day, noon(day), CLAIRE, ""
                )
            elif rest:
                wishes = [Wish(word, int(rest))]
                shown = options.preview(session, signed.id, wishes, day)
                options.save(session, signed.id, wishes, shown.fingerprint, day, noon(day), CLAIRE, link="")
            elif word in ("open", "close"):
                held = contracts.load(session, signed.id).contract.establishments
                new = addresses(1) if word == "open" else []
                old = [held[-1].id] if word == "close" else []
                shown = establishments.preview(session, signed.id, new, old, day)
                establishments.save(
                    session, signed.id, new, old, shown.fingerprint, day, noon(day), CLAIRE, ""
                )
            elif word == "credit":
                a_credit(session, signed, day)
            elif word == "end":
                shown = terminations.preview(session, signed.id, day)
                terminations.terminate(
                    session, signed.id, "", "", shown.fingerprint, day, noon(day), CLAIRE, ""
                )
    except Refusal:
        pass


def a_credit(session, signed, day):
    """A gesture of a tenth of a euro on the last invoice: it changes nothing of what is served."""
    number = session.scalars(
        select(Invoice.number)
        .where(Invoice.subscription_id == signed.id, Invoice.kind == "invoice", Invoice.net_cents > 1000)
        .order_by(Invoice.id.desc())
    ).first()
    wish = credit_notes.Wish(Money(10))
    try:
        shown = credit_notes.preview(session, number, wish, day)
        credit_notes.issue(session, number, wish, shown.fingerprint, "geste", day, noon(day), CLAIRE)
    except (credit_notes.NothingToCredit, credit_notes.MoreThanLeft):
        pass


def asked_per_month(session, signed, day):
    """What the contract of that day asks for per month: the calculation of the billing itself, in exact cents."""
    contract = contracts.load(session, signed.id).contract.on(day)
    if contract.ended_on is not None and contract.ended_on <= day:
        return Fraction(0)
    charges = recurring_charges(contract, day, contract.signature.paid_period)
    months = contract.frequency.months
    return sum(
        (Fraction(c.unit.cents * c.quantity, months) for c in charges if day in c.service), Fraction(0)
    )


def live(session, signed, life):
    """Play a life and check each of its days of change; the days."""
    day, days = STARTS, [STARTS]
    billing.bill_due(session, signed.id, day, noon(day))
    for wait, what in life:
        day += timedelta(days=wait)
        billing.bill_due(session, signed.id, day, noon(day))
        act(session, signed, what, day)
        billing.bill_due(session, signed.id, day, noon(day))
        days.append(day)
        assert revenue.of_subscription(session, signed.id, day) == asked_per_month(session, signed, day), (
            day,
            what,
        )
    return days


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(life=lives)
def test_the_revenue_of_a_day_is_what_the_contract_of_that_day_asks_for(session, life):
    a_seller(session), a_catalogue(session)
    with undone(session):
        live(session, a_subscription(session, starts_on=STARTS, establishments=2), life)


def test_the_deeds_of_a_life_do_happen(session):
    """So that the property above is about something."""
    a_seller(session), a_catalogue(session)
    signed = a_subscription(session, starts_on=STARTS, establishments=2)
    life = [
        (10, "emails 3"),
        (5, "signage 1"),
        (1, "open"),
        (3, "credit"),
        (40, "pro annual"),
        (9, "emails 1"),
        (2, "end"),
    ]
    seen = {Fraction(0)}
    for number in range(len(life)):
        with undone(session):
            days = live(session, signed, life[: number + 1])
            seen.add(revenue.of_subscription(session, signed.id, days[-1]))
    assert len(seen) >= 4


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    several=st.lists(lives, min_size=2, max_size=3),
    between=st.tuples(st.integers(-40, 400), st.integers(-40, 400)),
)
def test_what_moved_is_the_difference_between_any_two_days(session, several, between):
    a_seller(session), a_catalogue(session)
    with undone(session):
        for number, life in enumerate(several):
            reseller = a_reseller(session) if number == 1 else None
            live(session, a_subscription(session, starts_on=STARTS, reseller=reseller), life)
        first, last = sorted(STARTS + timedelta(days=number) for number in between)
        since, until = revenue.levels(session, [first, last], date.max)
        movements = revenue.movements(session, since, until)
        assert revenue.total_of(movements) == (since.twelfths, until.twelfths)
        assert sum(each.count for each in movements if each.kind != revenue.CHURN) == until.subscriptions
        for each in movements:
            assert (each.kind == revenue.KEPT) == (each.before == each.after)
            assert each.before == 0 or each.kind not in (revenue.NEW, revenue.REACTIVATION)
            assert each.after == 0 or each.kind != revenue.CHURN


def test_the_worked_table_of_the_documentation(session):
    """Pro for a month, Pro for a year at 790.00 and four mailboxes: docs/mrr.md."""
    monthly = a_subscription(
        session, starts_on=date(2026, 11, 1), options=[NewOption("emails", 4)], billed_through=TODAY
    )
    annual = a_subscription(session, frequency="annual", starts_on=date(2026, 11, 10), billed_through=TODAY)
    assert revenue.of_subscription(session, monthly.id, TODAY) == 7900 + 4 * 250
    assert revenue.of_subscription(session, annual.id, TODAY) == Fraction(79000, 12)
    [level] = revenue.levels(session, [TODAY], TODAY)
    assert level.money == Money(15483) and level.subscriptions == 2


def test_each_kind_of_movement(session):
    october, november = date(2026, 10, 31), date(2026, 11, 30)
    kept = a_subscription(session, starts_on=date(2026, 9, 1), billed_through=november)
    new = a_subscription(session, starts_on=date(2026, 11, 5), billed_through=november)
    more = a_subscription(session, starts_on=date(2026, 9, 1), billed_through=date(2026, 11, 10))
    a_user(session, more.account)
    act(session, more, "emails 2", date(2026, 11, 10))
    gone = a_subscription(session, starts_on=date(2026, 10, 1), billed_through=date(2026, 10, 20))
    levels = revenue.levels(session, [october, november], november)
    kinds = {each.reference: each.kind for each in revenue.moved(session, *levels)}
    assert kinds == {
        new.account.reference: revenue.NEW,
        more.account.reference: revenue.EXPANSION,
        gone.account.reference: revenue.CHURN,
    }
    assert kept.account.reference not in kinds
    billing.bill_due(session, gone.id, date(2026, 12, 1), noon(date(2026, 12, 1)))
    back = revenue.moved(session, Level(date(2026, 9, 30), 0, 0), Level(november, 0, 0), revenue.NEW)
    assert gone.account.reference in {each.reference for each in back}


def test_who_comes_back_is_not_new(session):
    signed = a_subscription(session, starts_on=date(2026, 8, 1), billed_through=date(2026, 8, 20))
    later = session.scalars(select(Invoice).where(Invoice.subscription_id == signed.id)).one()
    assert later.period_end == date(2026, 9, 1)
    september, october = date(2026, 9, 15), date(2026, 10, 15)
    assert revenue.levels(session, [september], TODAY)[0].twelfths == 0
    lines = list(later.lines)
    from sqlalchemy import inspect

    copied = {each.key: getattr(lines[0], each.key) for each in inspect(type(lines[0])).column_attrs}
    del copied["id"]
    session.add(type(lines[0])(**copied | {
        "position": 9, "period_start": date(2026, 10, 1), "period_end": date(2026, 11, 1),
        "whole_start": date(2026, 10, 1), "whole_end": date(2026, 11, 1),
    }))  # fmt: skip
    session.flush()
    levels = revenue.levels(session, [september, october], TODAY)
    assert [each.kind for each in revenue.movements(session, *levels)] == [revenue.REACTIVATION]


def test_measuring_twice_keeps_what_the_lines_say(session):
    a_subscription(session, starts_on=date(2026, 9, 1), billed_through=TODAY)
    a_subscription(session, frequency="annual", starts_on=date(2026, 9, 10), billed_through=TODAY)
    end = date(2026, 10, 31)
    [worked_out] = revenue.levels(session, [end], TODAY)
    assert end in revenue.unmeasured(session, 12, TODAY)
    for _time in range(2):
        measured = revenue.measure(session, end, noon(TODAY))
        assert (measured.twelfths, measured.subscriptions) == (worked_out.twelfths, worked_out.subscriptions)
    assert session.scalar(select(func.count()).select_from(RevenuePoint)) == 2
    assert session.scalar(select(func.count()).select_from(RevenueDay)) == 1
    [kept] = revenue.levels(session, [end], TODAY)
    assert kept.is_measured and kept.twelfths == worked_out.twelfths
    assert revenue.movements(session, kept, kept)[0].kind == revenue.KEPT


def test_what_moved_is_kept_and_says_what_the_lines_say(session):
    a_subscription(session, starts_on=date(2026, 9, 1), billed_through=TODAY)
    a_subscription(session, starts_on=date(2026, 11, 3), billed_through=TODAY)
    october, yesterday = date(2026, 10, 31), TODAY - timedelta(days=1)
    worked_out = revenue.movements(session, *revenue.levels(session, [october, yesterday], TODAY))
    for day in (october, yesterday):
        revenue.measure(session, day, noon(TODAY))
    [pair] = revenue.unkept_moves(session)
    revenue.keep_moves(session, *pair)
    assert revenue.unkept_moves(session) == []
    since, until = revenue.levels(session, [october, TODAY], TODAY, may_be_of_yesterday=True)
    assert (until.on_day, until.is_measured) == (yesterday, True)
    assert revenue.movements(session, since, until) == worked_out
    assert session.scalar(select(func.sum(RevenueMove.after))) == until.twelfths
    # Measured again, nothing of what it was is left; the day before is another day.
    revenue.measure(session, yesterday, noon(TODAY))
    assert [each.on_day for each, _until in revenue.unkept_moves(session)] == [october]
    revenue.forget(session, revenue.inside_months(session, TODAY))
    assert [level.is_measured for level in revenue.levels(session, [october, yesterday], TODAY)] == [
        True,
        False,
    ]


def test_the_first_of_a_month_is_worked_out_and_not_told_by_the_month_before(session):
    a_subscription(session, starts_on=date(2026, 9, 1), billed_through=date(2026, 12, 1))
    end, first = date(2026, 11, 30), date(2026, 12, 1)
    revenue.measure(session, end, noon(first))
    levels = revenue.levels(session, [end, first], first, may_be_of_yesterday=True)
    assert [(level.on_day, level.is_measured) for level in levels] == [(end, True), (first, False)]


def test_the_night_keeps_yesterday_and_what_moved(app, session, clock):
    a_subscription(session, starts_on=date(2026, 9, 1), billed_through=TODAY)
    session.commit()
    for today in (TODAY, TODAY + timedelta(days=1)):
        clock.set(today)
        told = app.test_cli_runner().invoke(args=["measure", "--months", "2"])
        assert told.exit_code == 0, told.output
        days = session.scalars(select(RevenueDay.on_day).order_by(RevenueDay.on_day)).all()
        assert days == [date(2026, 9, 30), date(2026, 10, 31), today - timedelta(days=1)]
        assert set(session.scalars(select(RevenueMove.until_on))) == set(days[1:])
        session.rollback()


def test_unpaid_invoices_are_told_by_age(session):
    signed = a_subscription(session, starts_on=date(2026, 8, 1))
    for month in (8, 9, 10, 11):
        billing.bill_due(session, signed.id, date(2026, month, 1), noon(date(2026, month, 1)))
    ages, suspended = dashboard.unpaid(session, TODAY)
    assert suspended == 0 and [each.count for each in ages] == [0, 1, 1, 1, 1]
    assert sum(each.left.cents for each in ages) == 4 * 9559
    assert [each.age for each in dashboard.owed(session, TODAY)] == [4, 3, 2, 1]
    due = session.scalars(select(Invoice).order_by(Invoice.id.desc())).first()
    assert due.subscription_id == signed.id and due.due_on == date(2026, 11, 15)
    assert dashboard.unpaid(session, due.due_on)[0][0].count == 1


@pytest.mark.parametrize(("today", "expected"), [(date(2026, 11, 16), 0), (date(2027, 1, 5), 1)])
def test_terms_that_end_soon_are_told_with_their_notice(session, today, expected):
    signed = a_subscription(session, frequency="annual", starts_on=date(2026, 3, 1))
    term = contracts.load(session, signed.id).contract.signature.commitment.term_on(today)
    assert term.end == date(2027, 3, 1)
    ahead = dashboard.ahead(session, today)
    assert ahead.terms_ending == expected
    assert [each.term_ends_on for each in ahead.endings if each.term_ends_on < date(2027, 4, 1)] == [
        term.end
    ] * max(expected, len(ahead.endings))
    assert dashboard.ahead(session, today, most=None) == ahead


def test_options_are_counted_by_who_uses_them(session):
    a_subscription(session, options=[NewOption("emails", 4), NewOption("signage")])
    a_subscription(session, options=[NewOption("emails", 1)])
    assert [(each.code, each.subscriptions, each.units) for each in dashboard.adoption(session, TODAY)] == [
        ("emails", 2, 5),
        ("signage", 1, 1),
    ]
