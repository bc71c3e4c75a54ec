"""Money is whole cents with a currency. Shares are exact fractions, rounded once, on the line (spec M2)."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction


class CurrencyMismatch(ValueError):
    """Two currencies met in one sum."""


def round_half_up(amount: Fraction) -> int:
    """The nearest whole number; a tie goes away from zero, so that a credit rounds like the charge it gives back.

    >>> round_half_up(Fraction(119_95, 2)), round_half_up(Fraction(-119_95, 2))
    (5998, -5998)
    """
    magnitude = (2 * abs(amount.numerator) + amount.denominator) // (2 * amount.denominator)
    return magnitude if amount >= 0 else -magnitude


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in whole cents. VAT included or not is said by the name that holds it, never here."""

    cents: int
    currency: str = "EUR"

    def __post_init__(self) -> None:
        if type(self.cents) is not int:
            raise TypeError(f"cents are whole numbers, not {self.cents!r}")

    def _same(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency}")

    def __add__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(self.cents + other.cents, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(self.cents - other.cents, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.cents, self.currency)

    def __abs__(self) -> "Money":
        return Money(abs(self.cents), self.currency)

    def __mul__(self, quantity: int) -> "Money":
        return Money(self.cents * quantity, self.currency)

    __rmul__ = __mul__

    def __lt__(self, other: "Money") -> bool:
        self._same(other)
        return self.cents < other.cents

    def __le__(self, other: "Money") -> bool:
        self._same(other)
        return self.cents <= other.cents

    def __bool__(self) -> bool:
        return self.cents != 0

    def __repr__(self) -> str:
        return f"Money({Decimal(self.cents) / 100:.2f}, {self.currency})"

    def share(self, part: Fraction) -> "Money":
        """This amount times an exact fraction, rounded half up to the cent.

        >>> euros("149.00").share(Fraction(15, 30))
        Money(74.50, EUR)
        """
        return Money(round_half_up(self.cents * part), self.currency)


def euros(text: str) -> Money:
    """Money from a decimal text, for tests, seeds and doctests. Raises ValueError on more than two decimals."""
    cents = Decimal(text) * 100
    if cents != cents.to_integral_value():
        raise ValueError(f"{text} is not a whole number of cents")
    return Money(int(cents), "EUR")


def total(amounts: Iterable[Money], currency: str = "EUR") -> Money:
    """The sum, zero in `currency` when there is nothing to add."""
    cents = 0
    for amount in amounts:
        if amount.currency != currency:
            raise CurrencyMismatch(f"{currency} and {amount.currency}")
        cents += amount.cents
    return Money(cents, currency)
