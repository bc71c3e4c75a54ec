"""VIES, the European register of VAT numbers, behind a port: `CheckVat` asks it, or says that nobody does.

An installation that has access puts its own function in `app.extensions["portal_vies"]`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class VatAnswer:
    """What the register said of a number: `result` is valid, invalid or unavailable; `consultation` proves it."""

    result: str
    checked_at: datetime
    consultation: str | None = None


# Takes a compact number with its prefix and the instant; None when no register is asked.
CheckVat = Callable[[str, datetime], VatAnswer | None]


def not_configured(number: str, now: datetime) -> VatAnswer | None:
    """The default: the check digits are all that is known of a number, and pages say so."""
    return None
