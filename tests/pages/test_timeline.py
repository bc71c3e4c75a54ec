"""The picture of a commitment: every place is inside it, in order, and told apart."""

from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from webapp.domain.periods import Period
from webapp.timeline import CLOSEST_MARKS, Timeline, timeline

YEAR = Period(date(2026, 3, 1), date(2027, 3, 1))


@st.composite
def pictures(draw: st.DrawFn) -> Timeline:
    start = draw(st.dates(date(2020, 1, 1), date(2035, 1, 1)))
    period = Period(start, start + timedelta(days=draw(st.integers(20, 1200))))
    days = st.dates(period.start - timedelta(days=40), period.end + timedelta(days=40))
    marks = [(f"mark-{index}", day) for index, day in enumerate(draw(st.lists(days, max_size=6)))]
    return timeline(period, draw(days), draw(st.none() | days), marks)


def place(text: str) -> float:
    return float(text.removesuffix("%"))


@given(pictures())
def test_every_place_is_inside_the_picture(picture: Timeline) -> None:
    places = [place(mark.at) for mark in picture.marks]
    places += [place(tick.middle) for tick in picture.ticks]
    places += [place(text) for text in (picture.today_at, picture.window_width) if text]
    assert all(0 <= each <= 100 for each in places)
    if picture.window_width:
        assert place(picture.today_at) + place(picture.window_width) <= 100.01


@given(pictures())
def test_marks_are_numbered_in_the_order_of_their_dates_and_never_cover_each_other(picture: Timeline) -> None:
    assert [mark.number for mark in picture.marks] == list(range(1, len(picture.marks) + 1))
    assert [mark.on for mark in picture.marks] == sorted(mark.on for mark in picture.marks)
    places = [place(mark.at) for mark in picture.marks]
    assert all(after - before >= CLOSEST_MARKS - 0.02 for before, after in pairwise(places))


def test_the_brass_part_is_what_is_left_to_give_notice() -> None:
    picture = timeline(YEAR, date(2026, 11, 16), date(2027, 1, 1), [("notice", date(2027, 1, 1))])
    assert (picture.today_at, picture.window_width) == ("71.23%", "12.60%")
    assert timeline(YEAR, date(2027, 1, 2), date(2027, 1, 1), []).window_width == ""
    assert timeline(YEAR, date(2026, 11, 16), None, []).window_width == ""


def test_outside_the_commitment_there_is_no_today() -> None:
    assert timeline(YEAR, date(2027, 3, 1), None, []).today_at == ""
    assert timeline(YEAR, date(2026, 3, 1), None, []).label_side == "start"
    assert timeline(YEAR, date(2027, 2, 28), None, []).label_side == "end"


def test_a_mark_outside_is_left_out_and_the_renewal_day_is_inside() -> None:
    marks = [("renewal", YEAR.end), ("later", YEAR.end + timedelta(days=1)), ("first", YEAR.start)]
    assert [mark.key for mark in timeline(YEAR, date(2026, 11, 16), None, marks).marks] == [
        "first",
        "renewal",
    ]


def test_months_are_named_once_and_a_long_commitment_names_fewer() -> None:
    assert sum(tick.is_named for tick in timeline(YEAR, YEAR.start, None, []).ticks) == 12
    three_years = Period(date(2026, 3, 1), date(2029, 3, 1))
    assert sum(tick.is_named for tick in timeline(three_years, YEAR.start, None, []).ticks) <= 13
