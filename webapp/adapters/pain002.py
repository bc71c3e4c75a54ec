"""pain.002: the orders of a batch that the bank refuses before any money moves. What it accepts is left to the statement."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from lxml import etree

from webapp.adapters.bank_errors import BrokenStatement
from webapp.domain.bank_movements import NOT_PROVIDED, Movement
from webapp.domain.money import Money

REFUSED = "RJCT"
NO_REASON = "MS03"

Element = Any  # lxml's own


def movements(file: Path) -> Iterator[Movement]:
    """One movement of zero euros per refused order. Raises BrokenStatement.

    The whole file refused, without naming its orders, is one without end-to-end id: for people to look at.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        tree: Any = etree.parse(str(file), parser)
    except etree.XMLSyntaxError as error:
        raise BrokenStatement("not_xml", error.lineno, str(error.msg)) from None
    if tree.docinfo.doctype:
        raise BrokenStatement("doctype", 1)
    report = tree.getroot()
    made = (report.findtext(".//{*}GrpHdr/{*}CreDtTm") or "").strip()[:10]
    try:
        on = date.fromisoformat(made)
    except ValueError:
        raise BrokenStatement("not_xml", None, "a report without a date") from None
    group = report.find(".//{*}OrgnlGrpInfAndSts")
    batch = _text(group, "OrgnlMsgId")
    orders = report.findall(".//{*}OrgnlPmtInfAndSts/{*}TxInfAndSts")
    for order in orders:
        if _text(order, "TxSts") == REFUSED:
            yield _refused(batch, _text(order, "OrgnlEndToEndId"), _reason(order), on)
    if not orders and _text(group, "GrpSts") == REFUSED:
        yield _refused(batch, "", _reason(group), on)


def _refused(batch: str, end_to_end_id: str, reason: str, on: date) -> Movement:
    return Movement(
        key=f"pain.002:{batch}:{end_to_end_id}:{reason}"[:140],
        booked_on=on,
        valued_on=on,
        amount=Money(0),
        message=batch,
        end_to_end_id=end_to_end_id.replace(NOT_PROVIDED, "") or None,
        reason_code=reason,
        is_direct_debit=True,
    )


def _reason(element: Element) -> str:
    return (
        _text(element, "StsRsnInf/{*}Rsn/{*}Cd") or _text(element, "StsRsnInf/{*}Rsn/{*}Prtry") or NO_REASON
    )


def _text(element: Element, path: str) -> str:
    return "" if element is None else (element.findtext("{*}" + path) or "").strip()
