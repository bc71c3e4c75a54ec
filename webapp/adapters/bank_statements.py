"""What the bank sends back, whatever its format: movements, one after the other, in flat memory (D3).

camt.053 (statements), camt.054 (notices), pain.002 (orders refused) and CODA. A file is read to its end before
anything is done of it: one that is cut or does not add up is refused whole.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from webapp.adapters import camt, coda_file, pain002
from webapp.adapters.bank_errors import BrokenStatement
from webapp.domain.bank_movements import Movement

_XML = re.compile(rb"^(\xef\xbb\xbf)?\s*<")
_KINDS = re.compile(rb"urn:iso:std:iso:20022:tech:xsd:(camt\.05[34]|pain\.002)\.001\.\d\d")
_START = 4096


@dataclass(frozen=True, slots=True)
class Statements:
    """`account` is asked of each movement's statement: a file about another account is refused."""

    kind: str  # camt.053, camt.054, pain.002 or coda
    movements: Iterator[Movement]


def read(file: Path, account: str) -> Statements:
    """The movements of `file` on `account`, an IBAN without spaces. Raises BrokenStatement, here or while reading."""
    with file.open("rb") as opened:
        start = opened.read(_START)
    if not start.strip():
        raise BrokenStatement("empty")
    if not _XML.match(start):
        if start[:1] != b"0":
            raise BrokenStatement("unknown_format")
        return Statements("coda", coda_file.movements(file, account))
    found = _KINDS.search(start)
    if found is None:
        raise BrokenStatement("unknown_format")
    kind = found.group(1).decode()
    reader = pain002.movements(file) if kind == "pain.002" else camt.movements(file, account)
    return Statements(kind, reader)
