"""What the pages of documents show."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from flask import url_for

from webapp.domain.einvoice import channel_for
from webapp.domain.money import Money
from webapp.domain.vat import VatRate
from webapp.i18n import Sentence, _
from webapp.lateness import Lateness
from webapp.models.documents import InvoiceDocument
from webapp.models.invoices import InvoiceLine
from webapp.rendering import current_locale
from webapp.services.bank_reasons import reason_text
from webapp.services.invoices import Attempt, Document, Page, Settlement, State, Summary

# The filter of states, as addresses and people name them.
FILTERS: dict[str, tuple[State, ...]] = {
    "a-payer": (State.OPEN, State.PARTLY_PAID, State.OVERDUE),
    "en-retard": (State.OVERDUE,),
    "payee": (State.PAID,),
    "note-de-credit": (State.CREDIT_NOTE,),
}
FILTER_NAMES: dict[str, Sentence] = {
    "": _("Tous"),
    "a-payer": _("À payer"),
    "en-retard": _("En retard"),
    "payee": _("Payée"),
    "note-de-credit": _("Note de crédit"),
}


@dataclass(frozen=True, slots=True)
class Choice:
    value: str
    words: str
    is_chosen: bool


class PageLink(NamedTuple):
    """As `components/ui.html` takes them apart."""

    number: int
    address: str
    is_current: bool


class Asked(NamedTuple):
    """What the list is narrowed to; empty when it is not."""

    state: str = ""
    year: int | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class InvoiceList:
    subscription_id: uuid.UUID
    asked: Asked
    deliveries: Mapping[str, InvoiceDocument]  # by number, of those that leave by Peppol
    rows: tuple[Summary, ...]
    count: int
    first: int
    last: int
    states: list[Choice]
    years: list[Choice]
    is_filtered: bool
    pages: list[PageLink]
    next_page: str
    late: Lateness | None

    @property
    def months(self) -> list[date]:
        """One day of each month of a year, for their names."""
        return [date(2026, month, 1) for month in range(1, 13)]


def invoice_list(
    subscription_id: uuid.UUID,
    listed: Page,
    asked: Asked,
    years: Sequence[int],
    late: Lateness | None,
    deliveries: Mapping[str, InvoiceDocument],
) -> InvoiceList:
    def address(number: int) -> str:
        return url_for(
            "invoices.index",
            subscription_id=subscription_id,
            q=asked.text or None,
            statut=asked.state or None,
            annee=asked.year,
            page=number if number > 1 else None,
        )

    return InvoiceList(
        subscription_id=subscription_id,
        asked=asked,
        deliveries={number: each for number, each in deliveries.items() if each.channel == "peppol"},
        rows=listed.rows,
        count=listed.count,
        first=listed.first,
        last=listed.last,
        states=[Choice(value, words, value == asked.state) for value, words in FILTER_NAMES.items()],
        years=[Choice(str(each), str(each), each == asked.year) for each in years],
        is_filtered=any(asked),
        pages=[PageLink(number, address(number), number == listed.number) for number in _near(listed)],
        next_page=address(listed.number + 1) if listed.number < listed.pages else "",
        late=late,
    )


def _near(listed: Page) -> list[int]:
    """The first page, the last one, and those around the present one."""
    if listed.pages == 1:
        return []
    around = range(max(1, listed.number - 2), min(listed.pages, listed.number + 2) + 1)
    return sorted({1, *around, listed.pages})


@dataclass(frozen=True, slots=True)
class Line:
    """`days` of `of_days` when the line is not for a whole billing period."""

    description: str
    start: date
    end: date
    quantity: int
    unit: Money
    net: Money
    days: int | None
    of_days: int
    is_difference: bool  # not the plain product: what a further change of the day came to


@dataclass(frozen=True, slots=True)
class VatRow:
    rate: VatRate
    base: Money
    vat: Money
    mention: str  # why the rate is zero, in the document's language; empty when it is not


@dataclass(frozen=True, slots=True)
class DocumentPage:
    subscription_id: uuid.UUID
    summary: Summary
    language: str
    seller: dict[str, Any]
    buyer: dict[str, Any]
    lines: list[Line]
    vat: list[VatRow]
    communication: str
    payment: dict[str, Any]
    settled_by: tuple[Settlement, ...]
    attempts: tuple[Attempt, ...]
    reasons: dict[str, str]  # the words of each code that they name
    is_electronic: bool  # whether it leaves by Peppol
    delivery: InvoiceDocument | None  # None until its files are made

    @property
    def is_credit_note(self) -> bool:
        return self.summary.kind == "credit_note"


def document(subscription_id: uuid.UUID, issued: Document, delivery: InvoiceDocument | None) -> DocumentPage:
    invoice = issued.invoice
    currency = invoice.currency
    return DocumentPage(
        subscription_id=subscription_id,
        summary=issued.summary,
        language=invoice.language,
        seller=invoice.seller,
        buyer=invoice.buyer,
        lines=[_line(line, currency) for line in issued.lines],
        vat=[
            VatRow(
                VatRate(each["category"], each["rate"]),
                Money(each["base_cents"], currency),
                Money(each["vat_cents"], currency),
                each.get("exemption", ""),
            )
            for each in invoice.vat_breakdown
        ],
        communication=structured(invoice.ogm),
        payment=invoice.payment,
        settled_by=issued.settled_by,
        attempts=issued.attempts,
        reasons={
            code: reason_text(code, current_locale())
            for code in (
                *(each.reason_code for each in issued.attempts),
                *(each.reason_code for each in issued.settled_by),
            )
            if code
        },
        is_electronic=_channel(invoice.buyer) == "peppol",
        delivery=delivery,
    )


def _channel(buyer: Mapping[str, Any]) -> str:
    return channel_for(
        str(buyer.get("kind", "business")), str(buyer.get("country") or ""), bool(buyer.get("peppol_id"))
    )


def _line(line: InvoiceLine, currency: str) -> Line:
    days, of_days = (line.period_end - line.period_start).days, (line.whole_end - line.whole_start).days
    unit, net = Money(line.unit_cents, currency), Money(line.net_cents, currency)
    is_whole = (line.period_start, line.period_end) == (line.whole_start, line.whole_end)
    return Line(
        description=line.description,
        start=line.period_start,
        end=line.period_end,
        quantity=line.quantity,
        unit=unit,
        net=net,
        days=None if is_whole else days,
        of_days=of_days,
        is_difference=is_whole and abs(net) != unit * line.quantity,
    )


def structured(digits: str) -> str:
    """+++123/4567/89012+++, as Belgian banks write a structured communication."""
    return f"+++{digits[:3]}/{digits[3:7]}/{digits[7:]}+++"
