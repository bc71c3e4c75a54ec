"""What a refused or returned collection asks for, by the reason that the bank or the provider gave (D3).

The reasons of a SEPA direct debit are four signs (ISO 20022, "R-transactions"); a provider of card payments has words.
The sentences that people read are elsewhere: this table says what is done.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Literal


class Step(StrEnum):
    """What comes next. RETRY asks the bank again, REPLACE asks the customer for another account or card, SIGN for a
    new mandate, CONTACT leaves it to people, STOP is silence towards the customer, ALERT is ours to mend."""

    RETRY = "retry"
    REPLACE = "replace"
    SIGN = "sign"
    CONTACT = "contact"
    STOP = "stop"
    ALERT = "alert"


@dataclass(frozen=True, slots=True)
class NextStep:
    """What a reason asks for. `retries` is how many further attempts it allows for one invoice, each at least
    `retry_after_days` calendar days later; `mandate` is what becomes of the mandate, or of the card."""

    step: Step
    retries: int = 0
    retry_after_days: int = 0
    mandate: Literal["", "suspended", "cancelled"] = ""
    tells_customer: bool = True
    tells_staff: bool = False


_REPLACE = NextStep(Step.REPLACE, mandate="suspended")
_ALERT = NextStep(Step.ALERT, tells_customer=False, tells_staff=True)
_CONTACT = NextStep(Step.CONTACT, tells_staff=True)

# Source of the SEPA rows: the reason codes of the EPC rulebook for SDD Core, with the practice of creditors' banks.
NEXT_STEPS: dict[str, NextStep] = {
    "AM04": NextStep(Step.RETRY, retries=1, retry_after_days=7),  # insufficient funds: between 5 and 10 days
    "AC01": _REPLACE,  # the account does not exist
    "AC04": _REPLACE,  # it is closed
    "AC06": _REPLACE,  # it is blocked
    "AC13": _REPLACE,  # a consumer's account, in the B2B scheme
    "MD01": NextStep(Step.SIGN, mandate="cancelled", tells_staff=True),  # no mandate, or no longer
    "MD06": _CONTACT,  # the customer asked for the money back, within 8 weeks
    "MD07": NextStep(Step.STOP, tells_customer=False, tells_staff=True),  # the holder has died
    "MS02": _REPLACE,  # refused by the customer
    "SL01": _REPLACE,  # refused by a service of the customer's bank, such as a list of allowed creditors
    "MS03": _ALERT,  # the bank gives no reason
    "AG01": _ALERT,  # no direct debit on this account
    "RC01": _ALERT,  # wrong BIC
    "FF01": _ALERT,  # wrong file
    "BE05": _ALERT,  # wrong creditor identifier
    # Of providers, in the words that they share
    "insufficient_funds": NextStep(Step.RETRY, retries=1, retry_after_days=7),
    "expired_card": _REPLACE,
    "card_declined": _REPLACE,
    "authentication_required": _REPLACE,
    "mandate_invalid": NextStep(Step.SIGN, mandate="cancelled", tells_staff=True),
    "refund": NextStep(Step.CONTACT, tells_customer=False),  # we gave it back ourselves
    "chargeback": _CONTACT,
    "processing_error": _ALERT,
}
# Money that was given back after the bank or the provider had paid us, because somebody asked for it.
REFUNDS = frozenset({"MD06", "refund", "chargeback"})


def next_step(code: str) -> NextStep:
    """What `code` asks for. A code that nobody knows is for people to look at."""
    return NEXT_STEPS.get(code, _ALERT)


def retry_day(code: str, attempt: int, on: date) -> date | None:
    """The first day on which the `attempt`-th collection of an invoice, refused `on`, may be tried again.

    The caller moves it to a day on which banks work. None when the reason allows no further attempt.

    >>> retry_day("AM04", 1, date(2026, 11, 16))
    datetime.date(2026, 11, 23)
    >>> retry_day("AM04", 2, date(2026, 11, 16)) is None
    True
    """
    found = next_step(code)
    return on + timedelta(days=found.retry_after_days) if attempt <= found.retries else None
