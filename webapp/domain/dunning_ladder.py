"""The reminder ladder: which reminder leaves on which day (D4). The ladder is data, this only reads it.

Rules, in the order in which they decide:
- a reminder is due its `after_days` after the anchor: the due date of the oldest invoice that counts;
- reminders leave one after the other, none is skipped; the days between two steps are those between two letters even
  when the first left late, so that the reader always has the time that the first one gave;
- a step may also wait a number of working days after the one before: time for a payment to reach the bank's file;
- never two on one day.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from webapp.domain.dunning import Thresholds
from webapp.domain.late_costs import Costs, costs_from

REMINDERS = ("first", "second", "last", "consumer_first")  # the texts that exist
THRESHOLD_NAMES = ("suspend_at", "restore_below", "announced_days")

WorkingDay = Callable[[date], bool]


@dataclass(frozen=True, slots=True)
class Step:
    """One reminder. `after_days` are calendar days from the anchor, `waits_working_days` follow the step before.

    `may_cost`: this reminder claims compensation and interest, when the policy charges them at all.
    """

    after_days: int
    template: str
    waits_working_days: int = 0
    may_cost: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """The ladder, the thresholds and the costs of one kind of account."""

    steps: tuple[Step, ...] = ()
    thresholds: Thresholds = field(default_factory=Thresholds)
    costs: Costs = field(default_factory=Costs)

    def __post_init__(self) -> None:
        days = [step.after_days for step in self.steps]
        if any(day < 1 for day in days) or days != sorted(set(days)):
            raise ValueError("the days of a ladder begin at 1 and grow")


@dataclass(frozen=True, slots=True)
class Climb:
    """How far an account has climbed. `sent_on` are the days of this round's reminders, in order; `last_sent_on` is
    that of the latest of any round."""

    anchored_on: date
    sent_on: tuple[date, ...] = ()
    last_sent_on: date | None = None


def policy_from(ladder: Mapping[str, Any]) -> Policy:
    """What `models.dunning.DunningPolicy.ladder` says. Raises KeyError and ValueError for what is no ladder."""
    return Policy(
        tuple(
            Step(
                int(step["after_days"]),
                str(step["template"]),
                int(step.get("waits_working_days", 0)),
                bool(step.get("may_cost", False)),
            )
            for step in ladder.get("steps", ())
        ),
        Thresholds(**{name: int(ladder[name]) for name in THRESHOLD_NAMES if name in ladder}),
        costs_from(ladder.get("costs", {})),
    )


def next_on(steps: Sequence[Step], climb: Climb, is_working: WorkingDay) -> date | None:
    """The first day on which the next reminder may leave; None at the top of the ladder.

    >>> steps = [Step(3, "first"), Step(10, "second")]
    >>> next_on(steps, Climb(date(2026, 11, 2)), is_weekday)
    datetime.date(2026, 11, 5)
    >>> next_on(steps, Climb(date(2026, 11, 2), (date(2026, 11, 9),), date(2026, 11, 9)), is_weekday)
    datetime.date(2026, 11, 16)
    """
    position = len(climb.sent_on)
    if position >= len(steps):
        return None
    step = steps[position]
    day = climb.anchored_on + timedelta(days=step.after_days)
    if climb.sent_on:
        gap = step.after_days - steps[position - 1].after_days
        day = max(
            day,
            climb.sent_on[-1] + timedelta(days=gap),
            working_days_after(climb.sent_on[-1], step.waits_working_days, is_working),
        )
    if climb.last_sent_on is not None:
        day = max(day, climb.last_sent_on + timedelta(days=1))
    return day


def due_step(steps: Sequence[Step], climb: Climb, today: date, is_working: WorkingDay) -> int | None:
    """The position, from 1, of the reminder that leaves on `today`; None when none does."""
    day = next_on(steps, climb, is_working)
    return len(climb.sent_on) + 1 if day is not None and day <= today else None


def working_days_after(day: date, count: int, is_working: WorkingDay) -> date:
    """The `count`-th working day after `day`, which does not count itself; `day` for none.

    >>> working_days_after(date(2026, 11, 13), 2, is_weekday)
    datetime.date(2026, 11, 17)
    """
    while count > 0:
        day += timedelta(days=1)
        count -= is_working(day)
    return day


def is_weekday(day: date) -> bool:
    return day.weekday() < 5
