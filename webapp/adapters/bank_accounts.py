"""Bank accounts by IBAN, read by schwifty: digits checked, bank named when its tables know it."""

import re
from dataclasses import dataclass


class WrongIban(ValueError):
    """Not an account that a SEPA direct debit can reach. `reason` is format, length, checksum or country."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, repr=False)
class BankAccount:
    """One account. `bank` and `bic` are empty when the bank is not known, which is never an error.

    Its `repr` is masked: whatever writes it down, in a log or an error report, says no more than a page.
    """

    iban: str  # compact
    bank: str
    bic: str

    @property
    def last_four(self) -> str:
        return self.iban[-4:]

    @property
    def label(self) -> str:
        """As it is shown everywhere: BE21 0012 •••• 7803"""
        return f"{self.iban[:4]} {self.iban[4:8]} •••• {self.iban[-4:]}"

    @property
    def written(self) -> str:
        """In groups of four that never part at the end of a line, for the document that is signed."""
        return "\N{NO-BREAK SPACE}".join(re.findall(r".{1,4}", self.iban))

    def __repr__(self) -> str:
        return f"BankAccount({self.label})"


def bank_account(text: str) -> BankAccount:
    """The account of an IBAN, typed with or without spaces. Raises WrongIban.

    >>> found = bank_account("be71 0961 2345 6769")
    >>> found.label, found.bank, found.bic
    ('BE71 0961 •••• 6769', 'BELFIUS BANK', 'GKCCBEBB')
    >>> bank_account("BE68 5390 0754 7034").bank
    ''
    """
    from schwifty import IBAN  # its tables of banks are for those who sign, not for every page
    from schwifty.exceptions import (
        InvalidChecksumDigits,
        InvalidCountryCode,
        InvalidLength,
        SchwiftyException,
    )

    try:
        found = IBAN(re.sub(r"[\s.\-]", "", text))
    except InvalidCountryCode:
        raise WrongIban("country") from None
    except InvalidLength:
        raise WrongIban("length") from None
    except InvalidChecksumDigits:
        raise WrongIban("checksum") from None
    except SchwiftyException:
        raise WrongIban("format") from None
    if not found.in_sepa_zone:
        raise WrongIban("country")
    return BankAccount(iban=str(found.compact), bank=found.bank_name or "", bic=str(found.bic or ""))
