"""Whole situations: commitment × notice × renewal × day of notice, for businesses and consumers (T1, T2, M1, M8).

Each row could be read aloud to a lawyer: what was signed, the day notice is given, the first day without service.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.contracts import Ledger, contract, establishment, option, tariff
from webapp import clock
from webapp.domain.contract import ChangeKind, ScheduledChange
from webapp.domain.periods import Period, boundary, next_boundary
from webapp.domain.pricing import period_draft
from webapp.domain.proration import settlement, upcoming
from webapp.domain.refusals import AlreadyTerminated, SubscriptionEnded, WithdrawalTooLate
from webapp.domain.termination import EndReason, calendar, ending, may_withdraw, withdrawal
from webapp.domain.terms import Notice, NoticeUnit, Renewal, Terms
from webapp.domain.vat import STANDARD

IN_TIME, TOO_LATE = EndReason.IN_TIME, EndReason.TOO_LATE
AFTER, FREE, BY_ITSELF = EndReason.AFTER_COMMITMENT, EndReason.NO_COMMITMENT, EndReason.BY_ITSELF
CONSUMER = EndReason.AFTER_RENEWAL

UNITS = {"m": NoticeUnit.MONTHS, "d": NoticeUnit.DAYS}
SCHEMES = {"same": Renewal.SAME_TERM, "monthly": Renewal.MONTHLY, "ends": Renewal.ENDS}


def terms(text: str) -> Terms:
    """ "12 2m same": twelve months, two months' notice, renewed for the same term."""
    months, notice, scheme = text.split()
    return Terms(int(months), Notice(int(notice[:-1]), UNITS[notice[-1]]), SCHEMES[scheme])


def signed(text: str, starts_on: str, often: str = "monthly", on: date | None = None):
    """A contract with these terms, every period before `on` billed."""
    start = date.fromisoformat(starts_on)
    plan = tariff("pro", often, terms(text))
    day = max(on or start, start)
    paid_until = next_boundary(start, day, plan.frequency.months)
    return contract(plan, start, paid_until)


@dataclass(frozen=True)
class Case:
    what: str
    terms: str
    starts_on: str
    given_on: str
    ends_on: str
    reason: EndReason
    often: str = "monthly"
    consumer: bool = False


SITUATIONS = [
    # A business, committed for a year, two months' notice, renewed for the same term
    Case("eight months in", "12 2m same", "2026-03-01", "2026-11-16", "2027-03-01", IN_TIME),
    Case("on the first day", "12 2m same", "2026-03-01", "2026-03-01", "2027-03-01", IN_TIME),
    Case("the day before the last", "12 2m same", "2026-03-01", "2026-12-31", "2027-03-01", IN_TIME),
    Case("on the last day", "12 2m same", "2026-03-01", "2027-01-01", "2027-03-01", IN_TIME),
    Case("the day after", "12 2m same", "2026-03-01", "2027-01-02", "2028-03-01", TOO_LATE),
    Case("on the last day of the term", "12 2m same", "2026-03-01", "2027-02-28", "2028-03-01", TOO_LATE),
    Case("on the day of the renewal", "12 2m same", "2026-03-01", "2027-03-01", "2028-03-01", IN_TIME),
    Case("in the second term", "12 2m same", "2026-03-01", "2028-01-01", "2028-03-01", IN_TIME),
    Case("late in the second term", "12 2m same", "2026-03-01", "2028-01-02", "2029-03-01", TOO_LATE),
    Case("three months' notice, late", "12 3m same", "2026-03-01", "2026-12-15", "2028-03-01", TOO_LATE),
    # Other lengths
    Case("two years, in time", "24 3m same", "2025-06-15", "2027-03-15", "2027-06-15", IN_TIME),
    Case("two years, a day late", "24 3m same", "2025-06-15", "2027-03-16", "2029-06-15", TOO_LATE),
    Case("six months, in time", "6 1m same", "2026-09-10", "2027-02-10", "2027-03-10", IN_TIME),
    Case("six months, a day late", "6 1m same", "2026-09-10", "2027-02-11", "2027-09-10", TOO_LATE),
    Case("notice as long as the term", "1 1m same", "2026-05-05", "2026-05-05", "2026-06-05", IN_TIME),
    Case("notice longer than the term", "1 2m same", "2026-05-05", "2026-05-06", "2026-08-05", TOO_LATE),
    # Notice in days
    Case("thirty days, on the last", "12 30d same", "2026-03-01", "2027-01-30", "2027-03-01", IN_TIME),
    Case("thirty days, a day late", "12 30d same", "2026-03-01", "2027-01-31", "2028-03-01", TOO_LATE),
    Case("ninety days across the year", "12 90d same", "2026-02-01", "2026-11-03", "2027-02-01", IN_TIME),
    Case("ninety days, a day late", "12 90d same", "2026-02-01", "2026-11-04", "2028-02-01", TOO_LATE),
    Case("no notice, on the eve", "12 0d same", "2026-03-01", "2027-02-28", "2027-03-01", IN_TIME),
    # Leap years and the 31st
    Case("signed on 29 February", "12 1m same", "2024-02-29", "2025-01-28", "2025-02-28", IN_TIME),
    Case("signed on 29 February, late", "12 1m same", "2024-02-29", "2025-01-29", "2026-02-28", TOO_LATE),
    Case("29 February comes back", "12 1m same", "2024-02-29", "2028-01-29", "2028-02-29", IN_TIME),
    Case("signed on the 31st", "12 2m same", "2026-01-31", "2026-11-30", "2027-01-31", IN_TIME),
    Case("signed on the 31st, a day late", "12 2m same", "2026-01-31", "2026-12-01", "2028-01-31", TOO_LATE),
    Case("the 31st in a six months' term", "6 1m same", "2026-08-31", "2027-01-28", "2027-02-28", IN_TIME),
    Case("thirty days in a leap February", "12 30d same", "2027-03-01", "2028-01-31", "2028-03-01", IN_TIME),
    # Renewed month by month
    Case("monthly after, in time", "12 2m monthly", "2026-03-01", "2027-01-01", "2027-03-01", IN_TIME),
    Case("monthly after, a day late", "12 2m monthly", "2026-03-01", "2027-01-02", "2027-04-01", AFTER),
    Case("monthly after, very late", "12 2m monthly", "2026-03-01", "2027-02-20", "2027-05-01", AFTER),
    Case("monthly, once over", "12 2m monthly", "2026-03-01", "2027-06-10", "2027-09-01", FREE),
    # Without commitment
    Case("thirty days, monthly", "0 30d monthly", "2026-07-20", "2026-11-16", "2026-12-20", FREE),
    Case("thirty days, to the day", "0 30d monthly", "2026-07-20", "2026-11-20", "2026-12-20", FREE),
    Case("thirty days, one too many", "0 30d monthly", "2026-07-20", "2026-11-21", "2027-01-20", FREE),
    Case("no notice at all", "0 0d monthly", "2026-07-31", "2027-02-27", "2027-02-28", FREE),
    Case("no notice, on a boundary", "0 0d monthly", "2026-07-20", "2026-11-20", "2026-12-20", FREE),
    Case("paid for a year", "0 1m monthly", "2026-01-15", "2026-11-16", "2027-01-15", FREE, "annual"),
    Case("paid for a year, late", "0 1m monthly", "2026-01-15", "2026-12-16", "2028-01-15", FREE, "annual"),
    # Committed for a year and billed once a year
    Case("annual, in time", "12 2m same", "2026-01-15", "2026-11-15", "2027-01-15", IN_TIME, "annual"),
    Case("annual, a day late", "12 2m same", "2026-01-15", "2026-11-16", "2028-01-15", TOO_LATE, "annual"),
    # Not renewed
    Case("ends by itself, early", "12 2m ends", "2026-03-01", "2026-06-01", "2027-03-01", BY_ITSELF),
    Case("ends by itself, late", "12 2m ends", "2026-03-01", "2027-02-20", "2027-03-01", BY_ITSELF),
    # A consumer: the same while the first term runs, then at any time with two months at most
    Case("consumer, in time", "12 2m same", "2026-03-01", "2027-01-01", "2027-03-01", IN_TIME, consumer=True),
    Case("consumer, late", "12 2m same", "2026-03-01", "2027-01-02", "2027-04-01", CONSUMER, consumer=True),
    Case(
        "consumer, very late", "12 2m same", "2026-03-01", "2027-02-28", "2027-05-01", CONSUMER, consumer=True
    ),
    Case(
        "consumer, renewed", "12 2m same", "2026-03-01", "2027-06-01", "2027-08-01", CONSUMER, consumer=True
    ),
    Case(
        "consumer, two months at most",
        "12 2m same",
        "2026-03-01",
        "2027-06-16",
        "2027-08-01",
        CONSUMER,
        consumer=True,
    ),
    Case(
        "consumer, four months signed",
        "12 4m same",
        "2026-03-01",
        "2027-06-16",
        "2027-08-01",
        CONSUMER,
        consumer=True,
    ),
    Case(
        "consumer, one month signed",
        "12 1m same",
        "2026-03-01",
        "2027-06-16",
        "2027-08-01",
        CONSUMER,
        consumer=True,
    ),
    Case(
        "consumer, thirty days signed",
        "12 30d same",
        "2026-03-01",
        "2027-06-01",
        "2027-07-01",
        CONSUMER,
        consumer=True,
    ),
    Case(
        "consumer, end of February",
        "12 2m same",
        "2026-01-31",
        "2027-12-31",
        "2028-02-29",
        CONSUMER,
        consumer=True,
    ),
    Case(
        "consumer, at the next end anyway",
        "12 2m same",
        "2026-03-01",
        "2028-01-01",
        "2028-03-01",
        IN_TIME,
        consumer=True,
    ),
    Case(
        "consumer, paid for a year",
        "12 2m same",
        "2026-01-15",
        "2027-03-01",
        "2027-04-15",
        CONSUMER,
        "annual",
        True,
    ),
    Case(
        "consumer, monthly after",
        "12 3m monthly",
        "2026-03-01",
        "2027-06-10",
        "2027-08-01",
        CONSUMER,
        consumer=True,
    ),
    Case(
        "consumer, never committed",
        "0 30d monthly",
        "2026-07-20",
        "2026-11-16",
        "2026-12-20",
        FREE,
        consumer=True,
    ),
    Case(
        "consumer, not renewed",
        "12 2m ends",
        "2026-03-01",
        "2027-02-20",
        "2027-03-01",
        BY_ITSELF,
        consumer=True,
    ),
]


def test_the_table_has_at_least_forty_situations():
    assert len(SITUATIONS) >= 40
    assert len({case.what for case in SITUATIONS}) == len(SITUATIONS)


@pytest.mark.parametrize("case", SITUATIONS, ids=lambda case: case.what)
def test_the_end_and_its_reason(case):
    given_on = date.fromisoformat(case.given_on)
    held = signed(case.terms, case.starts_on, case.often, given_on)
    found = ending(held, given_on, case.consumer)
    assert (found.ends_on.isoformat(), found.reason) == (case.ends_on, case.reason)


@pytest.mark.parametrize("case", SITUATIONS, ids=lambda case: case.what)
def test_the_day_before_the_deadline_says_what_the_day_after_would_give(case):
    given_on = date.fromisoformat(case.given_on)
    held = signed(case.terms, case.starts_on, case.often, given_on)
    found = ending(held, given_on, case.consumer)
    if found.last_notice_day is None:
        return
    assert ending(held, found.last_notice_day).ends_on == found.ends_on
    assert ending(held, found.last_notice_day + timedelta(days=1)).ends_on == found.if_later
    assert found.if_later > found.ends_on


# ── The day, in Brussels ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        # Winter: midnight in Brussels is 23:00 UTC
        (datetime(2026, 12, 31, 22, 59, 59, tzinfo=UTC), date(2026, 12, 31)),
        (datetime(2027, 1, 1, 22, 59, 59, tzinfo=UTC), date(2027, 1, 1)),
        (datetime(2027, 1, 1, 23, 0, 0, tzinfo=UTC), date(2027, 1, 2)),
        # Summer: 22:00 UTC
        (datetime(2027, 7, 1, 21, 59, 59, tzinfo=UTC), date(2027, 7, 1)),
        (datetime(2027, 7, 1, 22, 0, 0, tzinfo=UTC), date(2027, 7, 2)),
        # The night of 28 March 2027 has 23 hours, that of 31 October 25
        (datetime(2027, 3, 27, 23, 0, 0, tzinfo=UTC), date(2027, 3, 28)),
        (datetime(2027, 3, 28, 21, 59, 59, tzinfo=UTC), date(2027, 3, 28)),
        (datetime(2027, 3, 28, 22, 0, 0, tzinfo=UTC), date(2027, 3, 29)),
        (datetime(2027, 10, 30, 22, 0, 0, tzinfo=UTC), date(2027, 10, 31)),
        (datetime(2027, 10, 31, 22, 59, 59, tzinfo=UTC), date(2027, 10, 31)),
        (datetime(2027, 10, 31, 23, 0, 0, tzinfo=UTC), date(2027, 11, 1)),
    ],
)
def test_the_day_of_a_notice_is_that_of_brussels_also_when_the_hour_changes(instant, day):
    clock.freeze(instant)
    assert clock.today() == day


def test_a_notice_at_the_last_minute_of_the_last_day_is_in_time_and_a_second_later_is_not():
    held = signed("12 2m same", "2026-03-01", on=date(2027, 1, 1))
    clock.freeze(datetime(2027, 1, 1, 22, 59, 59, tzinfo=UTC))
    assert ending(held, clock.today()).reason is IN_TIME
    clock.freeze(datetime(2027, 1, 1, 23, 0, 0, tzinfo=UTC))
    assert ending(held, clock.today()).reason is TOO_LATE


@pytest.mark.parametrize(
    ("starts_on", "instant", "reason"),
    [
        # Deadlines on the days whose night is shorter or longer: 28 March and 31 October 2027
        ("2026-05-28", datetime(2027, 3, 28, 21, 59, 59, tzinfo=UTC), IN_TIME),
        ("2026-05-28", datetime(2027, 3, 28, 22, 0, 0, tzinfo=UTC), TOO_LATE),
        ("2026-12-31", datetime(2027, 10, 31, 22, 59, 59, tzinfo=UTC), IN_TIME),
        ("2026-12-31", datetime(2027, 10, 31, 23, 0, 0, tzinfo=UTC), TOO_LATE),
    ],
)
def test_deadlines_on_the_nights_when_the_hour_changes(starts_on, instant, reason):
    clock.freeze(instant)
    held = signed("12 2m same", starts_on, on=clock.today())
    assert ending(held, clock.today()).reason is reason


# ── With other changes ───────────────────────────────────────────────────────────────────────────────────────────


def with_plan(held, plan, on):
    return replace(held, changes=(ScheduledChange(1, ChangeKind.PLAN, on, tariff=plan),))


def test_a_plan_planned_before_the_end_brings_its_own_terms():
    held = signed("12 2m same", "2026-03-01", on=date(2027, 1, 15))
    lighter = with_plan(held, tariff("essentiel", terms=terms("0 30d monthly")), date(2027, 3, 1))
    found = ending(lighter, date(2027, 1, 15))
    assert (found.ends_on, found.reason) == (date(2027, 4, 1), FREE)
    committed = with_plan(held, tariff("essentiel", terms=terms("12 2m same")), date(2027, 3, 1))
    found = ending(committed, date(2027, 1, 15))
    assert (found.ends_on, found.reason, found.missed_on) == (date(2028, 3, 1), TOO_LATE, date(2027, 1, 1))


def test_a_plan_planned_for_the_end_itself_does_not_come():
    held = signed("12 2m same", "2026-03-01", on=date(2026, 11, 16))
    planned = with_plan(held, tariff("essentiel", terms=terms("0 30d monthly")), date(2027, 3, 1))
    assert ending(planned, date(2026, 11, 16)).ends_on == date(2027, 3, 1)


def test_once_given_notice_is_not_given_again():
    held = signed("12 2m same", "2026-03-01")
    gone = replace(held, changes=(ScheduledChange(1, ChangeKind.TERMINATION, date(2027, 3, 1)),))
    with pytest.raises(AlreadyTerminated) as refused:
        ending(gone, date(2026, 11, 16))
    assert refused.value.last_day == date(2027, 2, 28)


def test_after_the_end_there_is_nothing_to_end():
    held = replace(signed("12 2m same", "2026-03-01"), ended_on=date(2027, 3, 1))
    with pytest.raises(SubscriptionEnded):
        ending(held, date(2027, 3, 1))
    with pytest.raises(SubscriptionEnded):
        withdrawal(held, date(2027, 3, 1), is_consumer=True)


def test_a_contract_that_is_not_renewed_stops_being_billed():
    held = signed("12 2m ends", "2026-03-01", on=date(2027, 2, 1))
    assert held.signature.billed_until == date(2027, 3, 1)
    assert period_draft(held, STANDARD) is None
    assert held.on(date(2027, 3, 1)).ended_on == date(2027, 3, 1)
    assert held.on(date(2027, 2, 28)).ended_on is None
    assert held.next_due_on() == date(2027, 3, 1)


def test_a_plan_chosen_for_its_end_keeps_a_contract_that_is_not_renewed():
    held = signed("12 2m ends", "2026-03-01", on=date(2027, 2, 1))
    goes_on = with_plan(held, tariff("essentiel", terms=terms("12 2m same")), date(2027, 3, 1))
    assert goes_on.ends_on() is None
    assert goes_on.on(date(2027, 3, 1)).plan_code == "essentiel"


# ── What is given back ───────────────────────────────────────────────────────────────────────────────────────────


def billed_contract(often, **more):
    held = contract(tariff("pro", often), date(2026, 11, 1), paid_until=date(2026, 11, 1), **more)
    ledger = Ledger()
    draft = ledger.issue(period_draft(held, STANDARD))
    signature = replace(held.signature, billed_until=draft.period.end)
    return replace(held, signature=signature), ledger


def test_a_consumer_who_leaves_inside_a_paid_year_gets_the_days_left_back():
    held, ledger = billed_contract("annual")
    ended = replace(held, ended_on=date(2027, 8, 1))
    draft = settlement(ended, ledger.billed(date(2027, 8, 1)), date(2027, 8, 1), STANDARD)
    assert [(line.net.cents, line.service) for line in draft.lines] == [
        (-19912, Period(date(2027, 8, 1), date(2027, 11, 1)))  # 790,00 € × 92/365
    ]


def test_withdrawing_on_the_day_of_signing_gives_everything_back():
    held, ledger = billed_contract("monthly", options=(option("emails", 4, since=date(2026, 11, 1)),))
    ended = replace(held, ended_on=date(2026, 11, 1))
    ledger.issue(
        settlement(ended, ledger.billed(date(2026, 11, 1)), date(2026, 11, 1), STANDARD), date(2026, 11, 1)
    )
    assert ledger.total.cents == 0


def test_no_document_comes_between_the_end_and_a_later_monthly_renewal():
    added = establishment(2, since=date(2026, 11, 10), charged_from=date(2027, 1, 1))
    held, ledger = billed_contract(
        "annual", establishments=(establishment(1, since=date(2026, 11, 1)), added)
    )
    ending_soon = replace(held, changes=(ScheduledChange(1, ChangeKind.TERMINATION, date(2026, 12, 1)),))
    assert upcoming(ending_soon, ledger.billed(date(2026, 11, 16)), STANDARD) is None


# ── A consumer's withdrawal ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("today", "may"),
    [(date(2026, 11, 2), True), (date(2026, 11, 16), True), (date(2026, 11, 17), False)],
)
def test_fourteen_days_to_withdraw_the_last_one_included(today, may):
    held = signed("12 2m same", "2026-11-02")
    assert may_withdraw(held, today, is_consumer=True) is may
    assert may_withdraw(held, today, is_consumer=False) is False
    if may:
        assert withdrawal(held, today, is_consumer=True).ends_on == today
    else:
        with pytest.raises(WithdrawalTooLate):
            withdrawal(held, today, is_consumer=True)


# ── The calendar ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_calendar_says_every_date():
    dates = calendar(signed("12 2m same", "2026-03-01"), date(2026, 11, 16))
    assert dates.term == Period(date(2026, 3, 1), date(2027, 3, 1))
    assert (dates.last_notice_day, dates.renews_on, dates.ends_on) == (
        date(2027, 1, 1),
        date(2027, 3, 1),
        None,
    )
    assert dates.earliest_end == date(2027, 3, 1)


def test_once_notice_is_given_the_calendar_says_the_end_and_no_renewal():
    held = signed("12 2m same", "2026-03-01")
    gone = replace(held, changes=(ScheduledChange(1, ChangeKind.TERMINATION, date(2027, 3, 1)),))
    dates = calendar(gone, date(2026, 11, 16))
    assert (dates.last_notice_day, dates.renews_on, dates.ends_on) == (None, None, date(2027, 3, 1))
    assert dates.has_notice


@given(
    case=st.sampled_from(SITUATIONS),
    after=st.integers(0, 1200),
    consumer=st.booleans(),
)
def test_a_consumer_never_stays_longer_than_a_business_nor_than_two_months_after_a_renewal(
    case, after, consumer
):
    start = date.fromisoformat(case.starts_on)
    day = start + timedelta(days=after)
    held = signed(case.terms, case.starts_on, case.often, day)
    if held.on(day).ended_on is not None:
        return
    business, person = ending(held, day), ending(held, day, is_consumer=True)
    assert day < person.ends_on <= business.ends_on
    months = held.signature.commitment.terms.commitment_months
    if months and held.signature.commitment.terms.renewal is not Renewal.ENDS:
        first_end = boundary(start, months)
        assert person.ends_on <= max(boundary(max(day, first_end), 2), first_end)
