"""The letters that a SEPA file may hold: the Latin set of the EPC (guidance EPC217-08), 88 signs.

What is outside is written with the closest letters inside, never dropped: a debtor must recognise the name.
"""

import unicodedata

ALLOWED = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" + "/-?:().,'+ "  # no slash at the ends
)
# Those that no accent explains; the EPC's own conversion table, as far as names in our languages need it.
_CLOSEST = {
    "ß": "ss", "Æ": "AE", "æ": "ae", "Œ": "OE", "œ": "oe", "Ø": "O", "ø": "o", "Ł": "L", "ł": "l", "Đ": "D",
    "đ": "d", "Þ": "TH", "þ": "th", "ı": "i", "&": "+", "@": "(at)", "€": "EUR", "_": "-", "’": "'", "‘": "'",
    "“": "'", "”": "'", "«": "'", "»": "'", '"': "'", "–": "-", "—": "-", "…": "...", "[": "(", "]": ")",
    "{": "(", "}": ")", ";": ",", "!": ".", "\\": "/", "|": "/", "=": "-", "*": ".", "#": ".", "%": ".",
}  # fmt: skip
UNKNOWN = "."


def sepa_text(text: str, longest: int) -> str:
    """`text` in the allowed letters, at most `longest` of them, without a slash at either end or two in a row.

    >>> sepa_text("Café « L’Œuvre & Cie » / Ω", 70)
    "Cafe ' L'OEuvre + Cie ' / ."
    """
    written = "".join(_written(sign) for sign in unicodedata.normalize("NFC", text))
    while "//" in written:
        written = written.replace("//", "/")
    return " ".join(written.split())[:longest].strip(" /")


def _written(sign: str) -> str:
    if sign in ALLOWED:
        return sign
    if sign in _CLOSEST:
        return _CLOSEST[sign]
    if sign.isspace():
        return " "
    bare = "".join(each for each in unicodedata.normalize("NFKD", sign) if not unicodedata.combining(each))
    return "".join(each if each in ALLOWED else _CLOSEST.get(each, UNKNOWN) for each in bare)
