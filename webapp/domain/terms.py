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

        Months are calendar months back from the end, clamped to the month's end (M8). Without notice it is the last
        day of service: on `end` itself the next term, or period, has begun.

        >>> Notice(2, NoticeUnit.MONTHS).last_day_before(date(2027, 3, 1))
        datetime.date(2027, 1, 1)
        """
        if self.unit is NoticeUnit.MONTHS and self.count > 0:
            return boundary(end, -self.count)
        return end - timedelta(days=max(self.count, 1))


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

    def possible_ends(self, day: date, anchor: date, period_months: int) -> Iterator["PossibleEnd"]:
        """The ways, from `day` on and in order, in which the contract could stop.

        Ends of terms while committed, else ends of billing periods: never in the middle of a paid one (T2). Notice
        for a term counts back from the end of that term, wherever the billing period ends.
        """
        day = max(day, self.starts_on)
        term = self.term_on(day)
        notice = self.terms.notice
        end = day
        while term is not None:
            end = boundary_on_or_after(anchor, term.end, period_months)
            yield PossibleEnd(end, notice.last_day_before(term.end), term)
            if self.terms.renewal is Renewal.ENDS:
                return
            term = self.term_on(term.end)
        while True:
            end = next_boundary(anchor, end, period_months)
            yield PossibleEnd(end, notice.last_day_before(end), None)

    def earliest(
        self, given_on: date, anchor: date, period_months: int, since: date | None = None
    ) -> "PossibleEnd":
        """How the contract stops when notice is given on `given_on` (T2, M8): the first possible end whose last day
        of notice has not passed. A contract that ends by itself does so whenever notice comes.

        `since`: the day from which these terms are in force, when notice comes before that.
        """
        ends = self.possible_ends(max(given_on, since or given_on), anchor, period_months)
        last = next(ends)
        while given_on > last.last_notice_day:
            following = next(ends, None)
            if following is None:
                break
            last = following
        return last

    def earliest_end(self, given_on: date, anchor: date, period_months: int) -> date:
        """The first day without service when notice is given on `given_on` (T2, M8).

        >>> year = Terms(12, Notice(3, NoticeUnit.MONTHS), Renewal.SAME_TERM)
        >>> Commitment(date(2026, 3, 1), year).earliest_end(date(2026, 12, 15), date(2026, 3, 1), 1)
        datetime.date(2028, 3, 1)
        """
        return self.earliest(given_on, anchor, period_months).ends_on

    def last_notice_day(self, day: date) -> date | None:
        """The last day to give notice for the term in force on `day`; it may have passed. None without a term."""
        term = self.term_on(day)
        return self.terms.notice.last_day_before(term.end) if term else None


@dataclass(frozen=True, slots=True)
class PossibleEnd:
    """A day on which a contract could stop: the first without service. `term` is the commitment it closes, if any."""

    ends_on: date
    last_notice_day: date
    term: Period | None
