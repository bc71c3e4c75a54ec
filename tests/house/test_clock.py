"""The business date is the one of Brussels, whatever the server thinks."""

from datetime import UTC, date, datetime

import pytest

from webapp import clock as business_clock


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        (datetime(2026, 7, 1, 21, 59, tzinfo=UTC), date(2026, 7, 1)),
        (datetime(2026, 7, 1, 22, 1, tzinfo=UTC), date(2026, 7, 2)),  # summer time, two hours ahead
        (datetime(2026, 12, 31, 22, 59, tzinfo=UTC), date(2026, 12, 31)),
        (datetime(2026, 12, 31, 23, 1, tzinfo=UTC), date(2027, 1, 1)),  # winter time, one hour ahead
    ],
)
def test_the_day_changes_at_midnight_in_brussels(clock, instant, day):
    clock.set(instant)
    assert business_clock.today() == day
    assert business_clock.now() == instant


def test_a_demo_stays_on_its_date_while_the_hours_run():
    business_clock.freeze(date(2026, 11, 16))
    assert business_clock.today() == date(2026, 11, 16)
    assert business_clock.now().tzinfo is UTC
    assert business_clock.now() <= business_clock.now()


def test_a_demo_does_not_move_the_clocks_of_others(clock):
    business_clock.freeze(date(2020, 1, 1))
    assert business_clock.elsewhere().year > 2020
    clock.set(date(2026, 11, 16))
    assert business_clock.elsewhere() == business_clock.now()


def test_an_instant_without_its_zone_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        business_clock.freeze(datetime(2026, 11, 16, 10))  # noqa: DTZ001
