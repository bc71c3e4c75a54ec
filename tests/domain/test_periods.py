"""Boundaries counted from the signed day: the 31st comes back, 29 February too, and nothing is lost between."""

from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from webapp.domain.periods import (
    DateOutsidePeriod,
    Period,
    boundary,
    boundary_on_or_after,
    next_boundary,
    period_containing,
)

DAYS = st.dates(date(2000, 1, 1), date(2060, 12, 31))
MONTHS = st.sampled_from([1, 12])


@pytest.mark.parametrize(
    ("anchor", "months", "expected"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2026, 1, 31), 2, date(2026, 3, 31)),
        (date(2028, 1, 31), 1, date(2028, 2, 29)),
        (date(2026, 1, 30), 1, date(2026, 2, 28)),
        (date(2026, 8, 31), 1, date(2026, 9, 30)),
        (date(2028, 2, 29), 12, date(2029, 2, 28)),
        (date(2028, 2, 29), 48, date(2032, 2, 29)),
        (date(2026, 3, 31), -1, date(2026, 2, 28)),
        (date(2026, 1, 15), -1, date(2025, 12, 15)),
        (date(2026, 12, 1), 1, date(2027, 1, 1)),
    ],
)
def test_worked_table_of_boundaries(anchor, months, expected):
    assert boundary(anchor, months) == expected


@given(anchor=DAYS, day=DAYS, months=MONTHS)
@example(anchor=date(2026, 1, 31), day=date(2026, 2, 28), months=1)
@example(anchor=date(2026, 1, 31), day=date(2026, 2, 27), months=1)
@example(anchor=date(2028, 2, 29), day=date(2029, 2, 28), months=12)
def test_every_day_is_in_exactly_one_period(anchor, day, months):
    period = period_containing(anchor, day, months)
    assert day in period
    assert period_containing(anchor, period.end, months).start == period.end
    assert period_containing(anchor, period.last_day, months) == period


@given(anchor=DAYS, day=DAYS, months=MONTHS)
def test_boundaries_never_drift_from_the_signed_day(anchor, day, months):
    start = period_containing(anchor, day, months).start
    last_of_month = (start.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    assert start.day == min(anchor.day, last_of_month.day)


@given(anchor=DAYS, day=DAYS)
def test_the_next_boundary_is_after_and_one_on_the_day_is_kept(anchor, day):
    following = next_boundary(anchor, day, 1)
    assert following > day
    assert boundary_on_or_after(anchor, following, 1) == following
    assert boundary_on_or_after(anchor, day, 1) in (day, following)


@given(anchor=DAYS, day=DAYS, months=MONTHS)
def test_the_shares_of_a_cut_period_make_one(anchor, day, months):
    whole = period_containing(anchor, day, months)
    rest = whole.from_day(day)
    assert rest is not None
    used = Fraction((day - whole.start).days, whole.days)
    assert used + rest.share_of(whole) == 1


def test_a_leap_year_has_366_days():
    year = Period(date(2028, 1, 15), date(2029, 1, 15))
    assert Period(date(2028, 3, 15), date(2029, 1, 15)).share_of(year) == Fraction(306, 366)


def test_a_period_has_at_least_one_day_and_knows_its_edges():
    november = Period(date(2026, 11, 1), date(2026, 12, 1))
    assert (november.days, november.last_day) == (30, date(2026, 11, 30))
    assert november.from_day(date(2026, 12, 1)) is None
    assert november.overlap(date(2026, 12, 1), None) is None
    with pytest.raises(ValueError, match="at least one day"):
        Period(date(2026, 11, 1), date(2026, 11, 1))
    with pytest.raises(DateOutsidePeriod):
        Period(date(2026, 11, 1), date(2026, 12, 2)).share_of(november)
