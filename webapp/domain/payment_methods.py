"""How an account pays: when a mandate dies, when it is changed or signed anew, when a card stops working (D1, D2).

Nothing here knows an IBAN: whether two are the same one is told by who has read them.
"""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta

from webapp.domain.periods import boundary

# A mandate on which nothing was collected for so long must be cancelled by the creditor (SEPA Core Direct Debit
# Scheme Rulebook, 4.1: thirty-six months after the latest collection, or after the signature when there was none).
UNUSED_MONTHS = 36
# Of a mandate reference: letters and digits only, as the banks ask.
LONGEST_REFERENCE = 35
# The pre-notification of the scheme, in calendar days, unless a shorter term was agreed with the mandate.
USUAL_NOTICE_DAYS = 14
# Before the last day of a card or a mandate, its owner is told: once this many days before, then once closer.
ANNOUNCED_DAYS_BEFORE = (30, 7)

METHODS = ("transfer", "direct_debit", "card")


@dataclass(frozen=True, slots=True)
class MandateLife:
    """What the dates of a mandate need to be known: `last_used_on` is the latest collection asked of the bank."""

    signed_on: date
    last_used_on: date | None = None

    @property
    def dead_on(self) -> date:
        """The first day on which nothing may be collected any more.

        >>> MandateLife(date(2026, 2, 26)).dead_on, MandateLife(date(2026, 2, 26), date(2028, 2, 29)).dead_on
        (datetime.date(2029, 2, 26), datetime.date(2031, 2, 28))
        """
        return boundary(self.last_used_on or self.signed_on, UNUSED_MONTHS)

    def is_dead(self, today: date) -> bool:
        return today >= self.dead_on


def sequence(first_used_on: date | None) -> str:
    """FRST for the first collection of a mandate, RCUR for those that follow."""
    return "FRST" if first_used_on is None else "RCUR"


def reference_of_mandate(account_reference: str, number: int) -> str:
    """The unique reference of the `number`-th mandate of an account, in letters and digits.

    >>> reference_of_mandate("CA-10234", 2)
    'CA10234M02'
    """
    ending = f"M{number:02d}"
    letters = re.sub(r"[^A-Z0-9]", "", account_reference.upper())
    return letters[-(LONGEST_REFERENCE - len(ending)) :] + ending


def notice_days(agreed: int, term_days: int) -> int:
    """Calendar days between the invoice, which announces the collection, and the collection itself.

    What the operator agrees to with every mandate, shortened for an account that pays sooner: announcing at the
    invoice and collecting at its due date must be possible. One day at least, as the scheme asks.

    >>> notice_days(14, 30), notice_days(14, 8), notice_days(14, 0)
    (14, 8, 1)
    """
    return max(1, min(agreed, term_days))


def is_amendment(is_usable: bool, is_same_debtor: bool, is_same_account: bool) -> bool:
    """Whether a new account goes under the mandate that stands, rather than under a new one.

    The bank must be told of the former account at the next collection. Another debtor, or a mandate that the bank
    refused, needs a mandate of its own.
    """
    return is_usable and is_same_debtor and not is_same_account


def same_debtor(one: str, other: str) -> bool:
    """Whether two names of holders are one, capitals and spaces aside."""
    return " ".join(one.split()).casefold() == " ".join(other.split()).casefold()


def card_stops_on(year: int, month: int) -> date:
    """The first day on which a card no longer works: it is good until the end of the month printed on it.

    >>> card_stops_on(2026, 12)
    datetime.date(2027, 1, 1)
    """
    return date(year, month, monthrange(year, month)[1]) + timedelta(days=1)


def announcements_due(stops_on: date, today: date, days_before: tuple[int, ...]) -> tuple[int, ...]:
    """Which announcements of an end have come due by `today`, the closest to the end first; none once it has come.

    >>> announcements_due(date(2027, 1, 1), date(2026, 12, 26), (30, 7)), announcements_due(date(2027, 1, 1), date(2027, 1, 1), (30,))
    ((7, 30), ())
    """
    if today >= stops_on:
        return ()
    return tuple(step for step in sorted(days_before) if today >= stops_on - timedelta(days=step))
