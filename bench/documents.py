"""The PDF and the UBL of an invoice, each against a floor of the same run: `python -m bench.documents`.

The floor of the PDF is a bare page that reportlab sets in the same fonts: the same texts, no table, no tag, no code to
scan, no attachment. The floor of the UBL is reading and writing its XML. Each round sets an invoice never seen before,
because typst remembers what did not change. What counts is the ratio within a run; `cpu` is steadier than the time on
the wall when the machine has other work.
"""

import argparse
import io
import json
import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from typing import Any

from lxml import etree
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from tests.support.documents import DIRECT_DEBIT, TRANSFER, UCCLE, a_document, a_line
from webapp.adapters import invoice_pdf, ubl
from webapp.domain.einvoice import Document, Means
from webapp.domain.money import Money
from webapp.services import documents, printed

ROUNDS = 40
FONTS = ("Figtree_400Regular", "Figtree_600SemiBold", "BricolageGrotesque_700Bold")


def an_invoice(number: int, means: Means = DIRECT_DEBIT) -> Document:
    """Ten lines, one establishment besides the subscription; other texts and amounts for each number."""
    lines = []
    for place in range(10):
        where = UCCLE if place % 2 else None
        line = a_line(
            "10.00", quantity=place + 1, item="option", name=f"Option {number}-{place}", place=where
        )
        net = Money(1000 + 7 * number + place)
        lines.append(replace(line, net=net, calculation=f"{place + 1} × 1,00 €"))
    return a_document(lines, number=f"F2026-{number:05d}", buyer_reference=f"CA-{number}", means=means)


def texts_of(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [
        text for each in (value.values() if isinstance(value, dict) else value) for text in texts_of(each)
    ]


def bare_page(document: Document) -> bytes:
    """Every text of the invoice, one under the other."""
    page = io.BytesIO()
    canvas = Canvas(page)
    for row, text in enumerate(invoice_pdf.printable(texts_of(printed.printed(document)))):
        canvas.setFont(FONTS[row % 3], 8)
        canvas.drawString(20 + 270 * (row % 2), 820 - 10 * (row // 2), text)
    canvas.save()
    return page.getvalue()


def pdf(document: Document) -> bytes:
    return invoice_pdf.render(printed.printed(document), ubl.build(document), documents.qr_of(document))


def xml_again(document: Document, xml: bytes) -> bytes:
    return etree.tostring(etree.fromstring(xml))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=ROUNDS)
    arguments.add_argument("--json", action="store_true")
    chosen = arguments.parse_args()
    for font in FONTS:
        pdfmetrics.registerFont(TTFont(font, str(invoice_pdf.FOLDER / "fonts" / f"{font}.ttf")))
    works: dict[str, tuple[Means, Callable[[Document], bytes]]] = {
        "bare page": (DIRECT_DEBIT, bare_page),
        "pdf": (DIRECT_DEBIT, pdf),
        "pdf with a code to pay": (TRANSFER, pdf),
        "xml read and written": (DIRECT_DEBIT, lambda document: xml_again(document, sample)),
        "ubl": (DIRECT_DEBIT, ubl.build),
    }
    sample = ubl.build(an_invoice(1))
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for number in range(-3, chosen.rounds):  # the first three load fonts and modules
        for place, (name, (means, work)) in enumerate(works.items()):
            document = an_invoice(1000 * (place + 1) + number, means)
            wall, cpu = time.perf_counter(), time.process_time()
            work(document)
            if number >= 0:
                took[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    wall = {name: round(1000 * median(each[0] for each in times), 2) for name, times in took.items()}
    cpu = {name: round(1000 * median(each[1] for each in times), 2) for name, times in took.items()}
    ratios = {
        f"{name} / {floor}": (round(wall[name] / wall[floor], 2), round(cpu[name] / cpu[floor], 2))
        for name, floor in (
            ("pdf", "bare page"),
            ("pdf with a code to pay", "bare page"),
            ("ubl", "xml read and written"),
        )
    }
    if chosen.json:
        print(json.dumps({"wall_ms": wall, "cpu_ms": cpu, "ratios": ratios, "rounds": chosen.rounds}))
        return
    for name in works:
        print(f"{name:<40}{wall[name]:8.2f} ms{cpu[name]:8.2f} ms cpu")
    for name, (on_the_wall, of_cpu) in ratios.items():
        print(f"{name:<40}{on_the_wall:8.2f} × {of_cpu:8.2f} × cpu")
    print(f"{len(pdf(an_invoice(7))) / 1000:.0f} kB a PDF, ten lines")


if __name__ == "__main__":
    main()
