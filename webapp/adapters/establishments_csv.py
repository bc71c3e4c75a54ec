"""A list of establishments as a spreadsheet saves it: UTF-8, semicolons or commas, headers in three languages.

Cells are kept as the text they are: one that looks like a formula is a name that looks like a formula.
"""

import csv
import io
import re
import unicodedata
from dataclasses import dataclass

MOST_BYTES = 1_000_000
MOST_LINES = 2_000
COLUMNS = ("name", "street", "postcode", "city", "number")
OPTIONAL = frozenset({"number"})

_HEADERS = {
    "name": "nom naam name etablissement vestiging establishment",
    "street": "rue adresse rueetnumero straat adres straatennummer street address streetandnumber",
    "postcode": "codepostal cp postcode postalcode zip zipcode",
    "city": "commune ville localite gemeente stad plaats city town",
    "number": (
        "numero numerodunite numerodetablissement numerodunitedetablissement nummer vestigingsnummer "
        "vestigingseenheidsnummer number establishmentnumber establishmentunitnumber"
    ),
}
_COLUMN_OF = {header: column for column, headers in _HEADERS.items() for header in headers.split()}
_TEMPLATES = {
    "fr": ("Nom", "Rue et numéro", "Code postal", "Commune", "Numéro d’établissement"),
    "nl": ("Naam", "Straat en nummer", "Postcode", "Gemeente", "Vestigingsnummer"),
    "en": ("Name", "Street and number", "Postcode", "City", "Establishment number"),
}


class BrokenCsv(ValueError):
    """The file cannot be read at all. `reason` is empty, too_big, not_utf8, not_csv, too_many_lines or columns;
    `missing` names the columns that were not found."""

    def __init__(self, reason: str, missing: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.missing = missing


@dataclass(frozen=True, slots=True)
class CsvLine:
    """One line of the file: its number as a spreadsheet counts, and its cells by column, trimmed."""

    number: int
    cells: dict[str, str]


def read(content: bytes) -> list[CsvLine]:
    """The lines of the file, blank ones left out. Raises BrokenCsv."""
    if len(content) > MOST_BYTES:
        raise BrokenCsv("too_big")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BrokenCsv("not_utf8") from None
    if not text.strip():
        raise BrokenCsv("empty")
    try:
        return _lines(text)
    except csv.Error:
        raise BrokenCsv("not_csv") from None


def _lines(text: str) -> list[CsvLine]:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), skipinitialspace=True)
    columns = _columns(next(rows, []))
    lines: list[CsvLine] = []
    before = rows.line_num
    for row in rows:
        number, before = before + 1, rows.line_num
        cells = {column: " ".join(cell.split()) for column, cell in zip(columns, row, strict=False) if column}
        if not any(cells.values()):
            continue
        if len(lines) == MOST_LINES:
            raise BrokenCsv("too_many_lines")
        lines.append(CsvLine(number, cells))
    return lines


def _delimiter(text: str) -> str:
    header = text.lstrip().splitlines()[0]
    try:
        return csv.Sniffer().sniff(header, delimiters=";,\t").delimiter
    except csv.Error:
        return ";" if ";" in header else ","


def _columns(header: list[str]) -> list[str]:
    columns = [_COLUMN_OF.get(_plain(cell), "") for cell in header]
    missing = tuple(each for each in COLUMNS if each not in columns and each not in OPTIONAL)
    if missing:
        raise BrokenCsv("columns", missing)
    return columns


def _plain(header: str) -> str:
    bare = unicodedata.normalize("NFKD", header.casefold())
    return re.sub(r"[^a-z]", "", bare)


def template(locale: str) -> bytes:
    """An empty file with its headers, as spreadsheets of this country open it: a mark of UTF-8, semicolons."""
    made = io.StringIO(newline="")
    csv.writer(made, delimiter=";").writerow(_TEMPLATES[locale])
    return made.getvalue().encode("utf-8-sig")
