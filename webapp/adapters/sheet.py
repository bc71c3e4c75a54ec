"""Rows for a spreadsheet: semicolons, a decimal comma, the mark by which programs know UTF-8, and no formula.

What a customer typed never runs in an accountant's spreadsheet.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal

from webapp.domain.money import Money

MARK = "\ufeff"
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
Cell = str | int | date | Money | None


def written(cells: Sequence[str]) -> str:
    """One row of texts that are harmless already."""
    line = io.StringIO()
    csv.writer(line, delimiter=";", lineterminator="\r\n").writerow(cells)
    return line.getvalue()


def amount(cents: int, *, decimal_point: bool = False) -> str:
    """
    >>> amount(-123456), amount(5, decimal_point=True)
    ('-1234,56', '0.05')
    """
    text = f"{Decimal(cents).scaleb(-2):.2f}"
    return text if decimal_point else text.replace(".", ",")


def harmless(text: str | None) -> str:
    """A text that no spreadsheet takes for a formula: an apostrophe goes before what would begin one.

    >>> harmless("=1+1"), harmless(" @SUM(A1)"), harmless("Brasserie du Parc")
    ("'=1+1", "' @SUM(A1)", 'Brasserie du Parc')
    """
    text = text or ""
    begins = text.startswith(FORMULA) or text.lstrip().startswith(FORMULA)
    return f"'{text}" if begins else text


def sheet(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    """A whole file, line by line: amounts as decimals, days as ISO texts, None as nothing."""
    yield MARK + written(header)
    for row in rows:
        yield written([_cell(each) for each in row])


def _cell(value: Cell) -> str:
    if isinstance(value, Money):
        return amount(value.cents)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, int):
        return str(value)
    return harmless(value)
