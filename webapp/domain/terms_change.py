"""Terms changed after signature (S2, C3): what would be less good for the client, and so needs the client's agreement."""

from datetime import date
from enum import StrEnum

from webapp.domain.periods import boundary
from webapp.domain.terms import Commitment, Notice, Renewal


class Worse(StrEnum):
    LONGER = "longer"  # committed for more months
    NOTICE = "notice"  # notice to be given earlier
    RENEWAL = "renewal"  # another way of going on, or of stopping
    LATER_END = "later_end"  # notice given today would end the contract later


def less_good(
    before: Commitment, after: Commitment, today: date, anchor: date, period_months: int
) -> tuple[Worse, ...]:
    """In what the terms `after` are less good for the client than those of `before`; nothing when they are not.

    Only one renewal is better than another without question: leaving a tacit term for a month at a time. A contract
    that used to end by itself and would go on, or the other way round, is for the client to agree to.
    """
    found = []
    if after.terms.commitment_months > before.terms.commitment_months:
        found.append(Worse.LONGER)
    if _is_longer(before.terms.notice, after.terms.notice, today):
        found.append(Worse.NOTICE)
    renewals = (before.terms.renewal, after.terms.renewal)
    if renewals[0] is not renewals[1] and renewals != (Renewal.SAME_TERM, Renewal.MONTHLY):
        found.append(Worse.RENEWAL)
    if after.earliest_end(today, anchor, period_months) > before.earliest_end(today, anchor, period_months):
        found.append(Worse.LATER_END)
    return tuple(found)


def _is_longer(before: Notice, after: Notice, today: date) -> bool:
    """Whether notice falls earlier for some end of the coming year: days and months compare only on real dates."""
    ends = [boundary(today, months) for months in range(1, 13)]
    return any(after.last_day_before(end) < before.last_day_before(end) for end in ends)
