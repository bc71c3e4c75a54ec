"""Bars of a picture: one a month or a day, from what each is worth to where it stands. Places are not amounts: nothing is added up."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from webapp.domain.money import Money

TOP, BOTTOM = 30, 30  # pixels: room above for an amount, below for the months
GRID = 6  # lines, from zero to the highest


@dataclass(frozen=True, slots=True)
class Bar:
    """One month, or one day. Places across are percentages, heights pixels."""

    month: date
    amount: Money | None  # none when things are counted
    weight: int
    x: str
    middle: str
    y: int
    height: int


@dataclass(frozen=True, slots=True)
class Bars:
    """A whole picture, as `components/chart.html` draws it. Amounts below nothing hang under `zero`."""

    bars: tuple[Bar, ...]
    height: int
    zero: int
    width: str  # of each

    @property
    def grid(self) -> tuple[int, ...]:
        """Where lines are drawn across: at zero alone when something hangs below it."""
        room = self.height - TOP - BOTTOM
        if self.zero != self.height - BOTTOM:
            return (self.zero,)
        return tuple(self.zero - room * number // (GRID - 1) for number in range(GRID))

    @property
    def highest(self) -> Bar:
        return max(self.bars, key=lambda bar: bar.weight)


def bars_of(values: Sequence[tuple[date, Money | None, int]], height: int) -> Bars:
    """Each month with its amount and its weight, which decides the height: amounts may have been rounded.

    >>> picture = bars_of([(date(2026, 1, 1), Money(500), 5), (date(2026, 2, 1), Money(-100), -1)], 180)
    >>> [(bar.x, bar.y, bar.height) for bar in picture.bars], picture.zero
    ([('6.00%', 30, 100), ('56.00%', 130, 20)], 130)
    """
    top = max((0, *(weight for _month, _amount, weight in values)))
    depth = max((0, *(-weight for _month, _amount, weight in values)))
    room, whole, step = height - TOP - BOTTOM, max(1, top + depth), Fraction(100, max(1, len(values)))
    zero = TOP + room * top // whole if depth else height - BOTTOM
    bars = []
    for number, (month, amount, weight) in enumerate(values):
        tall = room * abs(weight) // whole
        bars.append(
            Bar(
                month,
                amount,
                weight,
                percentage(number * step + step * Fraction(12, 100)),
                percentage(number * step + step / 2),
                zero - tall if weight > 0 else zero,
                tall,
            )
        )
    return Bars(tuple(bars), height, zero, percentage(step * Fraction(76, 100)))


def percentage(value: Fraction) -> str:
    """
    >>> percentage(Fraction(100, 12))
    '8.33%'
    """
    hundredths = round(value * 100)
    return f"{hundredths // 100}.{hundredths % 100:02d}%"
