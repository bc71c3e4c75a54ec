"""A letter as PDF: typst sets `documents/letter.typ` with paragraphs already written (PDF/A-2a and PDF/UA-1)."""

import json
import threading
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from webapp.adapters.invoice_pdf import FOLDER, printable

if TYPE_CHECKING:
    import typst

STANDARDS: list[Any] = ["a-2a", "ua-1"]
MEDIA_TYPE = "application/pdf"

_one_at_a_time = threading.Lock()


def render(
    title: str, paragraphs: Sequence[str], *, seller: str, footer: str, language: str, on: date
) -> bytes:
    """The file. Lines of a paragraph are kept; the same texts give the same bytes."""
    texts = {
        "title": title,
        "paragraphs": [paragraph.splitlines() for paragraph in paragraphs],
        "seller": seller,
        "footer": footer,
        "language": language,
    }
    with _one_at_a_time:
        made = _compiler().compile(
            format="pdf",
            sys_inputs={"texts": json.dumps(printable(texts))},
            pdf_standards=STANDARDS,
            timestamp=datetime.combine(on, time(), tzinfo=UTC),
        )
    if not isinstance(made, bytes):
        raise TypeError("typst gave no single file")
    return made


@lru_cache(maxsize=1)
def _compiler() -> "typst.Compiler":
    import typst  # 80 MB, for the workers that make a PDF

    fonts = typst.Fonts(
        include_system_fonts=False, include_embedded_fonts=True, font_paths=[FOLDER / "fonts"]
    )
    return typst.Compiler(input=FOLDER / "letter.typ", root=FOLDER, font_paths=fonts)
