"""The days on which banks of the euro area move money: the TARGET calendar.

Closed on Saturdays, Sundays, 1 January, Good Friday, Easter Monday, 1 May, 25 and 26 December (ECB, long-term calendar).
"""

from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the calendars of the world take four megabytes: only what meets a bank loads them
    from holidays.holiday_base import HolidayBase

ONE = timedelta(days=1)


@lru_cache(maxsize=8)
def _closed(year: int) -> "HolidayBase":
    from holidays import financial_holidays

    return financial_holidays("ECB", years=year)


def is_bank_day(day: date) -> bool:
    return day.weekday() < 5 and day not in _closed(day.year)


def bank_day(day: date) -> date:
    """`day`, or the next one on which banks work.

    >>> bank_day(date(2026, 12, 25))
    datetime.date(2026, 12, 28)
    """
    while not is_bank_day(day):
        day += ONE
    return day


def after(day: date, count: int) -> date:
    """The `count`-th bank day after `day`, which is not counted itself.

    >>> after(date(2026, 12, 23), 2)
    datetime.date(2026, 12, 28)
    """
    for _ in range(count):
        day = bank_day(day + ONE)
    return day
