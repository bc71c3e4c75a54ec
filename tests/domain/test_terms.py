"""Commitment, notice and renewal: which day is the last one, and what follows it (C3, T1, T2, M8)."""

from datetime import date, timedelta
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.contracts import FREE, YEAR
from webapp.domain.terms import Commitment, Notice, NoticeUnit, Renewal, Terms

MONTHS, DAYS = NoticeUnit.MONTHS, NoticeUnit.DAYS


@pytest.mark.parametrize(
    ("notice", "end", "last_day"),
    [
        (Notice(2, MONTHS), date(2027, 3, 1), date(2027, 1, 1)),
        (Notice(1, MONTHS), date(2027, 3, 31), date(2027, 2, 28)),  # clamped to the end of the month (M1, M8)
        (Notice(1, MONTHS), date(2028, 3, 31), date(2028, 2, 29)),  # in a leap year
        (Notice(3, MONTHS), date(2027, 5, 31), date(2027, 2, 28)),
        (Notice(30, DAYS), date(2027, 3, 1), date(2027, 1, 30)),
        (Notice(30, DAYS), date(2028, 3, 1), date(2028, 1, 31)),  # February has 29 days
        (Notice(0, DAYS), date(2027, 3, 1), date(2027, 2, 28)),  # on the day itself the next term has begun
        (Notice(12, MONTHS), date(2028, 2, 29), date(2027, 2, 28)),
    ],
)
def test_notice_counts_back_from_the_end(notice, end, last_day):
    assert notice.last_day_before(end) == last_day


def test_terms_are_counted_from_the_first_day_and_never_drift():
    leap = Commitment(date(2024, 2, 29), YEAR)
    starts = [leap.term_on(date(year, 6, 1)).start for year in (2024, 2025, 2026, 2027, 2028)]
    assert starts == [
        date(2024, 2, 29),
        date(2025, 2, 28),
        date(2026, 2, 28),
        date(2027, 2, 28),
        date(2028, 2, 29),
    ]


def test_a_term_that_is_followed_by_nothing_is_over_after_its_end():
    once = Commitment(date(2026, 3, 1), Terms(12, Notice(2, MONTHS), Renewal.MONTHLY))
    assert once.term_on(date(2027, 2, 28)) is not None
    assert once.term_on(date(2027, 3, 1)) is None
    assert once.last_notice_day(date(2027, 3, 1)) is None


def test_before_it_begins_nothing_is_committed_and_its_first_end_is_the_possible_one():
    coming = Commitment(date(2026, 12, 1), YEAR)
    assert coming.term_on(date(2026, 11, 16)) is None
    assert coming.earliest_end(date(2026, 11, 16), date(2026, 3, 1), 1) == date(2027, 12, 1)


def test_a_contract_that_ends_by_itself_has_one_end_only():
    ends = Commitment(date(2026, 3, 1), Terms(12, Notice(2, MONTHS), Renewal.ENDS))
    assert [each.ends_on for each in ends.possible_ends(date(2026, 5, 1), date(2026, 3, 1), 1)] == [
        date(2027, 3, 1)
    ]


def test_a_term_that_stops_inside_a_paid_period_waits_for_its_end_and_keeps_its_own_deadline():
    middle = Commitment(date(2026, 11, 16), YEAR)  # signed in the middle of the month billed on the 1st
    first = next(middle.possible_ends(date(2026, 11, 16), date(2026, 3, 1), 1))
    assert (first.ends_on, first.last_notice_day) == (date(2027, 12, 1), date(2027, 9, 16))
    assert first.last_notice_day == middle.last_notice_day(date(2026, 11, 16))


TERMS = st.builds(
    Terms,
    st.sampled_from([0, 1, 3, 6, 12, 24, 36]),
    st.builds(Notice, st.integers(0, 90), st.just(DAYS))
    | st.builds(Notice, st.integers(0, 6), st.just(MONTHS)),
    st.sampled_from(list(Renewal)),
)
STARTS = st.dates(date(2020, 1, 1), date(2030, 12, 31))


@given(terms=TERMS, starts_on=STARTS, after=st.integers(0, 1500), period=st.sampled_from([1, 12]))
def test_whenever_notice_is_given_the_end_comes_after_and_leaves_room_for_it(terms, starts_on, after, period):
    given_on = starts_on + timedelta(days=after)
    commitment = Commitment(starts_on, terms)
    end = commitment.earliest(given_on, starts_on, period)
    assert end.ends_on > given_on
    assert terms.renewal is Renewal.ENDS or given_on <= end.last_notice_day


@given(terms=TERMS, starts_on=STARTS, after=st.integers(0, 1500), period=st.sampled_from([1, 12]))
def test_waiting_a_day_never_brings_the_end_closer(terms, starts_on, after, period):
    day = starts_on + timedelta(days=after)
    commitment = Commitment(starts_on, terms)
    if commitment.term_on(day) is not None and terms.renewal is Renewal.ENDS:
        return  # over at its end, whatever is said
    today, tomorrow = (
        commitment.earliest_end(each, starts_on, period) for each in (day, day + timedelta(days=1))
    )
    assert today <= tomorrow


@given(starts_on=STARTS, after=st.integers(0, 800))
def test_the_ends_offered_come_in_order(starts_on, after):
    ends = Commitment(starts_on, YEAR).possible_ends(starts_on + timedelta(days=after), starts_on, 1)
    days = [each.ends_on for each in islice(ends, 5)]
    assert days == sorted(set(days))


def test_without_commitment_the_periods_are_the_ends():
    free = Commitment(date(2026, 7, 20), FREE)
    ends = free.possible_ends(date(2026, 11, 16), date(2026, 7, 20), 1)
    assert [each.ends_on for each in islice(ends, 2)] == [date(2026, 11, 20), date(2026, 12, 20)]
