"""Half-open periods of calendar days, and boundaries counted in months from the signed day (spec B1, M1)."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction


class DateOutsidePeriod(ValueError):
    """A date that had to fall in a period, or on its edge, does not."""


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """`[start, end)`: the end is the first day that is not part of it. Only display says "jusqu’au"."""

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.start >= self.end:
            raise ValueError(f"a period needs at least one day, not [{self.start}, {self.end})")

    def __contains__(self, day: date) -> bool:
        return self.start <= day < self.end

    @property
    def days(self) -> int:
        return (self.end - self.start).days

    @property
    def last_day(self) -> date:
        return self.end - timedelta(days=1)

    def share_of(self, whole: "Period") -> Fraction:
        """Calendar days of this period over those of `whole`, the real period (M2).

        >>> Period(date(2026, 11, 16), date(2026, 12, 1)).share_of(Period(date(2026, 11, 1), date(2026, 12, 1)))
        Fraction(1, 2)
        """
        if self.start < whole.start or self.end > whole.end:
            raise DateOutsidePeriod(f"{self} is not inside {whole}")
        return Fraction(self.days, whole.days)

    def from_day(self, day: date) -> "Period | None":
        """What is left of the period from `day` on; None when nothing is."""
        start = max(self.start, day)
        return Period(start, self.end) if start < self.end else None

    def overlap(self, start: date, end: date | None) -> "Period | None":
        """The common part with `[start, end)`, `end` None meaning for ever."""
        first, last = max(self.start, start), self.end if end is None else min(self.end, end)
        return Period(first, last) if first < last else None


def boundary(anchor: date, months: int) -> date:
    """The day `months` calendar months after (or, negative, before) the anchor, clamped to the month's end.

    Always counted from the original anchor, never from the previous boundary, so that the 31st comes back.

    >>> [boundary(date(2026, 1, 31), n).isoformat() for n in (1, 2, -2)]
    ['2026-02-28', '2026-03-31', '2025-11-30']
    """
    year, month_index = divmod(anchor.year * 12 + anchor.month - 1 + months, 12)
    month = month_index + 1
    return date(year, month, min(anchor.day, monthrange(year, month)[1]))


def period_containing(anchor: date, day: date, months: int) -> Period:
    """The period of `months` months, counted from the anchor in both directions, that holds `day`."""
    distance = (day.year - anchor.year) * 12 + day.month - anchor.month
    number = distance // months
    # The estimate by month is at most one period too late, when the boundary falls later in the month than `day`.
    if boundary(anchor, number * months) > day:
        number -= 1
    return Period(boundary(anchor, number * months), boundary(anchor, (number + 1) * months))


def next_boundary(anchor: date, day: date, months: int) -> date:
    """The first boundary strictly after `day`."""
    return period_containing(anchor, day, months).end


def boundary_on_or_after(anchor: date, day: date, months: int) -> date:
    """`day` itself when it is a boundary, else the next one."""
    period = period_containing(anchor, day, months)
    return day if period.start == day else period.end
