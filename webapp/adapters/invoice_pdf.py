"""The PDF of an invoice: typst sets `documents/invoice.typ` with texts already written. No system package is needed.

PDF/A-3a and PDF/UA-1 in one file: tagged, its language set, its pictures described, its UBL attached. The same texts
give the same bytes: the date of the file is the day of issue, and no font of the machine is looked at.
"""

import json
import re
import threading
from datetime import UTC, date, datetime, time
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import typst

FOLDER = Path(__file__).resolve().parent.parent / "documents"
STANDARDS: list[Any] = ["a-3a", "ua-1"]
NARROW_SPACE, HARD_SPACE = "\N{NARROW NO-BREAK SPACE}", "\N{NO-BREAK SPACE}"
# Latin, Greek and Cyrillic, with the punctuation of French, Dutch and English. PDF/A refuses a letter that no font
# draws, and an invoice must not fail on an emoji in a name.
UNKNOWN = re.compile(r"[^\x20-\x7e\xa0-\u017f\u0218-\u021b\u0386-\u03ce\u0401-\u045f–—‘’“”„†•…‹›€−→]")
UNKNOWN_SIGN = "?"

_one_at_a_time = threading.Lock()


def render(texts: dict[str, Any], ubl: bytes, qr: bytes | None = None) -> bytes:
    """The file. `texts` is what `services.printed` gives, `ubl` is attached, `qr` is an SVG or nothing."""
    issued_on = date.fromisoformat(texts["issued_on"])
    inputs = {"texts": json.dumps(printable(texts)), "ubl": ubl.decode(), "qr": (qr or b"").decode()}
    with _one_at_a_time:
        made = _compiler().compile(
            format="pdf",
            sys_inputs=inputs,
            pdf_standards=STANDARDS,
            timestamp=datetime.combine(issued_on, time(), tzinfo=UTC),
        )
    if not isinstance(made, bytes):
        raise TypeError("typst gave no single file")
    return made


def printable(texts: Any) -> Any:
    """The same data with letters that the fonts draw; the narrow space of French is not among them."""
    if isinstance(texts, str):
        return UNKNOWN.sub(UNKNOWN_SIGN, texts.replace(NARROW_SPACE, HARD_SPACE))
    if isinstance(texts, dict):
        return {name: printable(value) for name, value in texts.items()}
    return [printable(value) for value in texts] if isinstance(texts, list | tuple) else texts


@lru_cache(maxsize=1)
def _compiler() -> "typst.Compiler":
    import typst  # 80 MB, for the workers that make a PDF

    fonts = typst.Fonts(
        include_system_fonts=False, include_embedded_fonts=True, font_paths=[FOLDER / "fonts"]
    )
    return typst.Compiler(input=FOLDER / "invoice.typ", root=FOLDER, font_paths=fonts)
