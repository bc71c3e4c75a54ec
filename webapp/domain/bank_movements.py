"""A movement on the operator's bank account, whatever file told it (D3)."""

import re
from array import array
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from webapp.domain.money import Money

_STRUCTURED = re.compile(r"(?<![\d/])(\d{3})\s?/?\s?(\d{4})\s?/?\s?(\d{5})(?![\d/])")
NOT_PROVIDED = "NOTPROVIDED"  # what banks write where the payer gave no end-to-end id


@dataclass(frozen=True, slots=True)
class Movement:
    """`amount` is positive when money came in, and zero when the bank only says that it refuses an order of ours.

    `key` is the same one in every file that tells this movement, as far as the bank's own reference allows. Two of one
    file may have the same: see Repeats.
    """

    key: str
    booked_on: date
    valued_on: date
    amount: Money
    name: str = ""  # of the other party
    iban: str = ""
    ogm: str | None = None  # structured communication, twelve digits that hold together
    message: str = ""
    end_to_end_id: str | None = None
    mandate: str | None = None
    reason_code: str | None = None  # of an R-transaction
    is_direct_debit: bool = False


def key_of(account: str, on: date, reference: str, cents: int, end_to_end_id: str, others: str) -> str:
    """The name of a movement, at most 135 signs. `others` counts only without a `reference`.

    With a reference of the bank's, the name is made of what every format tells: the account, the day, that reference,
    the amount and the end-to-end id. Without one, of the statement and of all that it says, so that the order of the
    lines does not matter.
    """
    return f"{account[-34:]}:{on:%y%m%d}:{(reference or others)[:35]}:{cents}:{end_to_end_id[:35]}"


class Repeats:
    """Tells apart the movements of one file that are alike to the letter: the second is another movement.

    `note` each of them, then `name` each in the same order. It keeps eight bytes for each, and the keys of those alone
    that may be repeated: a file has as many movements as it likes.

    >>> repeats = Repeats()
    >>> for key in ("a", "b", "a"):
    ...     repeats.note(key)
    >>> [repeats.name(key) for key in ("a", "b", "a")]
    ['a', 'b', 'a#2']
    """

    def __init__(self) -> None:
        self._hashes = array("q")
        self._repeated: set[int] | None = None
        self._seen: dict[str, int] = {}

    def note(self, key: str) -> None:
        self._hashes.append(hash(key))

    def name(self, key: str) -> str:
        if self._repeated is None:
            found = sorted(self._hashes)
            self._hashes = array("q")
            # Two keys of one hash are only counted each by its own name.
            self._repeated = {one for one, next_one in pairwise(found) if one == next_one}
        if hash(key) not in self._repeated:
            return key
        count = self._seen[key] = self._seen.get(key, 0) + 1
        return key if count == 1 else f"{key}#{count}"


def structured_in(text: str) -> str | None:
    """The first twelve digits of `text` that are a Belgian structured communication, their last two being the
    first ten modulo 97.

    >>> structured_in("Facture +++261/0000/01260+++"), structured_in("261000001260"), structured_in("261000001261")
    ('261000001260', '261000001260', None)
    """
    for found in _STRUCTURED.finditer(text):
        digits = "".join(found.groups())
        if (int(digits[:10]) % 97 or 97) == int(digits[10:]):
            return digits
    return None
