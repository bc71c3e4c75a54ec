"""What is late, as every page of an account says it: how much, how far from a suspension, and what brings the sites back."""

from dataclasses import dataclass
from datetime import date

from webapp.domain import dunning
from webapp.domain.money import Money, total
from webapp.services.standing import STAFF, Standing


@dataclass(frozen=True, slots=True)
class Lateness:
    """`count` and `left` are of everything past due; `counting` of those that lead to a suspension."""

    count: int
    left: Money
    oldest_due_on: date
    counting: int
    set_aside: int  # contested, on hold, or announced as paid
    suspend_at: int
    suspended_on: date | None
    is_by_staff: bool
    suspends_on: date | None
    days_left: int | None  # until that day
    passed_until: date | None
    to_restore: Money | None

    @property
    def gauge(self) -> list[bool]:
        """One mark per invoice that a suspension takes, true for those that count."""
        return [position < self.counting for position in range(self.suspend_at)]


def lateness(standing: Standing, today: date) -> Lateness | None:
    """None when nothing is past due and the sites are served."""
    late = [debt for debt in standing.debts if dunning.is_past_due(debt, today)]
    if not late:
        return None
    currency = late[0].left.currency
    enough = dunning.to_restore(standing.unpaid, today, standing.thresholds)
    suspends_on = standing.would_suspend_on if standing.suspended_on is None else None
    return Lateness(
        count=len(late),
        left=total((debt.left for debt in late), currency),
        oldest_due_on=late[0].due_on,
        counting=len(standing.unpaid),
        set_aside=len(late) - len(standing.unpaid),
        suspend_at=standing.thresholds.suspend_at,
        suspended_on=standing.suspended_on,
        is_by_staff=standing.suspension_cause == STAFF,
        suspends_on=suspends_on,
        days_left=(suspends_on - today).days if suspends_on else None,
        passed_until=standing.passed_until,
        to_restore=total((debt.left for debt in enough), currency) if enough else None,
    )
