"""The picture of a commitment: where days, months and marks stand, in percent of its length.

Percentages, because text in the picture must keep its size at any width. The template draws, nothing is computed there.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from webapp.domain.periods import Period, boundary

CLOSEST_MARKS = 5.0  # percent: nearer, two numbered discs would cover each other on a phone
NARROWEST_NAME = 3.5  # percent: a shorter piece of month has no room for its name
MOST_NAMES = 13
NEAR_AN_EDGE = 8.0


@dataclass(frozen=True)
class Mark:
    """A numbered date. `key` tells the template which words go with it."""

    key: str
    number: int
    on: date
    at: str


@dataclass(frozen=True)
class Tick:
    """One calendar month, or the piece of it that falls in the period."""

    month: date
    middle: str
    ends_at: str  # empty for the last
    is_named: bool


@dataclass(frozen=True)
class Timeline:
    period: Period
    today_at: str  # empty when today falls outside
    window_width: str  # days left to give notice, empty when there are none
    label_side: str  # start or end when today is near an edge, else empty
    ticks: tuple[Tick, ...]
    marks: tuple[Mark, ...]
    days_gone: int
    days_in_all: int


def timeline(
    period: Period, today: date, notice_until: date | None, marks: Iterable[tuple[str, date]]
) -> Timeline:
    """Place `today`, the days left until `notice_until` (a last day, included) and the marks in `period`.

    Marks come as (key, date); those outside the period are left out, its end counts as inside. Equal and close dates
    are set apart just enough to be read.

    >>> year = Period(date(2026, 3, 1), date(2027, 3, 1))
    >>> timeline(year, date(2026, 11, 16), date(2027, 1, 1), [("renewal", date(2027, 3, 1))]).today_at
    '71.23%'
    """
    now = _place(period, today) if today in period else None
    window = ""
    if now is not None and notice_until is not None and today <= notice_until:
        window = _percent(_place(period, min(notice_until, period.end)) - now)
    side = ""
    if now is not None and not NEAR_AN_EDGE <= now <= 100 - NEAR_AN_EDGE:
        side = "start" if now < NEAR_AN_EDGE else "end"
    return Timeline(
        period=period,
        today_at="" if now is None else _percent(now),
        window_width=window,
        label_side=side,
        ticks=tuple(_ticks(period)),
        marks=tuple(_marks(period, marks)),
        days_gone=max(0, min((today - period.start).days, period.days)),
        days_in_all=period.days,
    )


def _place(period: Period, day: date) -> float:
    return 100 * (day - period.start).days / period.days


def _percent(place: float) -> str:
    return f"{place:.2f}%"


def _ticks(period: Period) -> Iterable[Tick]:
    first = period.start.replace(day=1)
    months = (period.last_day.year - first.year) * 12 + period.last_day.month - first.month + 1
    every = -(-months // MOST_NAMES)
    for index in range(months):
        month = boundary(first, index)
        begins = _place(period, max(month, period.start))
        ends = _place(period, min(boundary(first, index + 1), period.end))
        yield Tick(
            month=month,
            middle=_percent((begins + ends) / 2),
            ends_at=_percent(ends) if index < months - 1 else "",
            is_named=index % every == 0 and (ends - begins) * every >= NARROWEST_NAME,
        )


def _marks(period: Period, marks: Iterable[tuple[str, date]]) -> Iterable[Mark]:
    inside = sorted(
        ((day, key) for key, day in marks if period.start <= day <= period.end), key=lambda mark: mark[0]
    )
    places = [_place(period, day) for day, _ in inside]
    for index in range(1, len(places)):
        places[index] = max(places[index], places[index - 1] + CLOSEST_MARKS)
    limit = 100.0
    for index in reversed(range(len(places))):
        places[index] = min(places[index], limit)
        limit = places[index] - CLOSEST_MARKS
    for number, ((day, key), place) in enumerate(zip(inside, places, strict=True), start=1):
        yield Mark(key=key, number=number, on=day, at=_percent(place))
