"""What counts as unpaid, and what follows from it (D4, D5, M9). The reminder ladder and its thresholds are data."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from webapp.domain.money import Money


@dataclass(frozen=True, slots=True)
class Debt:
    """An issued invoice with an amount left, VAT included, and what stops its clock."""

    number: str
    due_on: date
    left: Money
    is_disputed: bool = False
    announced_until: date | None = None  # the customer said that it is paid: believed until then, included


@dataclass(frozen=True, slots=True)
class Thresholds:
    """How many unpaid invoices suspend, and below how many service is restored (D5).

    `announced_days` is how long an announced transfer is believed, in calendar days.
    """

    suspend_at: int = 3
    restore_below: int = 3
    announced_days: int = 5

    def __post_init__(self) -> None:
        if not 1 <= self.restore_below <= self.suspend_at:
            raise ValueError("an account would be suspended and restored by the same count")
        if self.announced_days < 0:
            raise ValueError("negative delay")


def is_past_due(debt: Debt, today: date) -> bool:
    """The due date is the last day on which it can be paid in time."""
    return debt.left.cents > 0 and debt.due_on < today


def counts(debt: Debt, today: date) -> bool:
    """Whether an invoice is *unpaid* in the sense of M9: past due, not disputed, not announced as paid.

    >>> late = Debt("F1", date(2026, 11, 1), Money(100))
    >>> counts(late, date(2026, 11, 1)), counts(late, date(2026, 11, 2))
    (False, True)
    """
    is_announced = debt.announced_until is not None and today <= debt.announced_until
    return is_past_due(debt, today) and not debt.is_disputed and not is_announced


def unpaid(debts: Iterable[Debt], today: date) -> list[Debt]:
    """Those that count, oldest due date first."""
    return sorted(
        (debt for debt in debts if counts(debt, today)), key=lambda debt: (debt.due_on, debt.number)
    )


def should_be_suspended(count: int, is_suspended: bool, thresholds: Thresholds) -> bool:
    """Between the two thresholds nothing moves: who is suspended stays so, who is not is left alone."""
    return count >= (thresholds.restore_below if is_suspended else thresholds.suspend_at)


def suspension_day(debts: Sequence[Debt], today: date, thresholds: Thresholds) -> date | None:
    """The first day, from `today` on, on which the account is suspended if nothing is paid; None if never by these.

    >>> debts = [Debt(f"F{n}", date(2026, 11, n), Money(100)) for n in (1, 5, 20)]
    >>> suspension_day(debts, date(2026, 11, 10), Thresholds())
    datetime.date(2026, 11, 21)
    """
    days = sorted(_counts_from(debt) for debt in debts if debt.left.cents > 0 and not debt.is_disputed)
    if len(days) < thresholds.suspend_at:
        return None
    return max(today, days[thresholds.suspend_at - 1])


def _counts_from(debt: Debt) -> date:
    last_free_day = max(debt.due_on, debt.announced_until or debt.due_on)
    return date.fromordinal(last_free_day.toordinal() + 1)


def to_restore(debts: Sequence[Debt], today: date, thresholds: Thresholds) -> list[Debt]:
    """What must be paid, oldest first, for the sites to be back: as few invoices as bring the count below.

    >>> debts = [Debt(f"F{n}", date(2026, 11, n), Money(100)) for n in (1, 2, 3)]
    >>> [debt.number for debt in to_restore(debts, date(2026, 11, 10), Thresholds())]
    ['F1']
    """
    late = unpaid(debts, today)
    return late[: max(0, len(late) - thresholds.restore_below + 1)]
