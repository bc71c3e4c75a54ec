"""Commitment, notice and renewal (spec C3, T1, T2, M8). Terms are data, copied onto the contract when signed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from webapp.domain.periods import Period, boundary, boundary_on_or_after, next_boundary, period_containing


class NoticeUnit(StrEnum):
    DAYS = "days"
    MONTHS = "months"


class Renewal(StrEnum):
    """What happens when a commitment ends and nobody said anything."""

    SAME_TERM = "same_term"  # tacit, for the same term again
    MONTHLY = "monthly"  # tacit, without commitment, period by period
    ENDS = "ends"  # the contract stops


@dataclass(frozen=True, slots=True)
class Notice:
    count: int
    unit: NoticeUnit

    def last_day_before(self, end: date) -> date:
        """The last day on which notice for `end` (first day without service) is still in time, that day included.

        Months are calendar months back from the end, clamped to the month's end (M8).

        >>> Notice(2, NoticeUnit.MONTHS).last_day_before(date(2027, 3, 1))
        datetime.date(2027, 1, 1)
        """
        if self.unit is NoticeUnit.MONTHS:
            return boundary(end, -self.count)
        return end - timedelta(days=self.count)


@dataclass(frozen=True, slots=True)
class Terms:
    """`commitment_months` is 0 when nothing is committed."""

    commitment_months: int
    notice: Notice
    renewal: Renewal


@dataclass(frozen=True, slots=True)
class Commitment:
    """Terms in force from a day. Every renewal is counted from that day, never chained."""

    starts_on: date
    terms: Terms

    def term_on(self, day: date) -> Period | None:
        """The committed term that holds `day`, or None: nothing committed, or not any more."""
        months = self.terms.commitment_months
        if months == 0 or day < self.starts_on:
            return None
        if self.terms.renewal is Renewal.SAME_TERM:
            return period_containing(self.starts_on, day, months)
        first = Period(self.starts_on, boundary(self.starts_on, months))
        return first if day in first else None

    def possible_ends(self, day: date, anchor: date, period_months: int) -> Iterator[date]:
        """The days, after `day` and in order, on which the contract could stop.

        Ends of terms while committed, else ends of billing periods: never in the middle of a paid one (T2).
        """
        term = self.term_on(day)
        months = self.terms.commitment_months
        if term is not None and self.terms.renewal is Renewal.SAME_TERM:
            number = 1
            while True:
                yield boundary_on_or_after(
                    anchor, _nth_end(self.starts_on, term, number, months), period_months
                )
                number += 1
        end = day
        if term is not None:
            end = boundary_on_or_after(anchor, term.end, period_months)
            yield end
            if self.terms.renewal is Renewal.ENDS:
                return
        while True:
            end = next_boundary(anchor, end, period_months)
            yield end

    def earliest_end(self, given_on: date, anchor: date, period_months: int) -> date:
        """The first day without service when notice is given on `given_on` (T2, M8): the first possible end
        whose last day of notice has not passed. A contract that ends by itself does so whenever notice comes.

        >>> year = Terms(12, Notice(3, NoticeUnit.MONTHS), Renewal.SAME_TERM)
        >>> Commitment(date(2026, 3, 1), year).earliest_end(date(2026, 12, 15), date(2026, 3, 1), 1)
        datetime.date(2028, 3, 1)
        """
        last = given_on
        for end in self.possible_ends(given_on, anchor, period_months):
            last = end
            if given_on <= self.terms.notice.last_day_before(end):
                return end
        return last

    def last_notice_day(self, day: date) -> date | None:
        """The last day to give notice for the term in force on `day`; it may have passed. None without a term."""
        term = self.term_on(day)
        return self.terms.notice.last_day_before(term.end) if term else None


def _nth_end(starts_on: date, term: Period, number: int, months: int) -> date:
    first = ((term.end.year - starts_on.year) * 12 + term.end.month - starts_on.month) // months
    return boundary(starts_on, (first + number - 1) * months)
