"""What an accountant takes away: the documents of a period, as files and as rows (B6).

The columns of the CSV are a promise to other people's programs: docs/accountant-csv.md. They are added to at the end,
never renamed and never moved.
"""

import io
import uuid
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session, aliased

from webapp.adapters import sheet
from webapp.domain.periods import Period
from webapp.domain.vat import category_code
from webapp.models.invoices import Invoice, InvoiceLine
from webapp.services import documents

MOST_FILES = 500  # documents of one archive: beyond, a shorter period is asked for
COLUMNS = (
    "numero",
    "type",
    "date",
    "echeance",
    "periode_debut",
    "periode_fin",
    "client",
    "reference_client",
    "numero_entreprise",
    "numero_tva",
    "devise",
    "categorie_tva",
    "taux_tva",
    "base_htva",
    "tva",
    "total_tvac",
    "reste_a_payer",
    "communication",
    "documents_corriges",
)
KINDS = {"invoice": "facture", "credit_note": "note_de_credit"}


@dataclass(frozen=True)
class TooManyDocuments(Exception):
    """An archive of that period would be too long to send."""

    count: int


def whole(year: int | None, month: int | None) -> Period | None:
    """The days of a year, or of one of its months; None for all of them. A month without its year is left out.

    Raises ValueError on what the calendar does not have.
    """
    if year is None:
        return None
    if month is None:
        return Period(date(year, 1, 1), date(year + 1, 1, 1))
    return Period(date(year, month, 1), date(year + month // 12, month % 12 + 1, 1))


Conditions = Sequence[ColumnElement[bool]]  # what documents must match besides, such as a search


def _of(account_id: uuid.UUID, period: Period | None, also: Conditions) -> list[Any]:
    matches = [Invoice.account_id == account_id, *also]
    if period is not None:
        matches.append(Invoice.issued_on.between(period.start, period.last_day))
    return matches


# ── The archive ──────────────────────────────────────────────────────────────────────────────────────────────────


def documents_of(
    session: Session, account_id: uuid.UUID, period: Period | None, also: Conditions = ()
) -> list[int]:
    """The ids of the documents of an archive, oldest first. Raises TooManyDocuments."""
    ids = list(
        session.scalars(
            select(Invoice.id).where(*_of(account_id, period, also)).order_by(Invoice.issued_on, Invoice.id)
        )
    )
    if len(ids) > MOST_FILES:
        raise TooManyDocuments(len(ids))
    return ids


class _Passage(io.RawIOBase):
    """What a ZIP is written to when it leaves as it is made: bytes are taken away after each file."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:
        self._pieces.append(bytes(piece))
        return len(piece)

    def take(self) -> bytes:
        taken, self._pieces = b"".join(self._pieces), []
        return taken


def archive(
    reading: Callable[[], Session],
    transaction: Callable[[], AbstractContextManager[Session]],
    invoice_ids: Sequence[int],
    now: datetime,
) -> Iterator[bytes]:
    """A ZIP with the PDF and the XML of each document, one document in memory at a time.

    It is read while it leaves, after the request's own session: `reading` opens another, `transaction` keeps files
    that were never made before.
    """
    passage = _Passage()
    with reading() as session, zipfile.ZipFile(passage, "w") as packed:
        for invoice_id in invoice_ids:
            invoice = session.get_one(Invoice, invoice_id)
            pdf, xml = documents.files(session, invoice, now, transaction)
            day = (invoice.issued_on.year, invoice.issued_on.month, invoice.issued_on.day, 0, 0, 0)
            for name, content, how in (
                (f"{invoice.number}.pdf", pdf, zipfile.ZIP_STORED),  # compressed already
                (f"{invoice.number}.xml", xml, zipfile.ZIP_DEFLATED),
            ):
                entry = zipfile.ZipInfo(name, day)
                entry.compress_type = how
                packed.writestr(entry, content)
            session.expunge_all()  # the files of the ones before are not kept in memory
            yield passage.take()
    yield passage.take()


# ── The rows ─────────────────────────────────────────────────────────────────────────────────────────────────────


def rows(
    session: Session,
    account_id: uuid.UUID,
    period: Period | None,
    also: Conditions = (),
    *,
    decimal_point: bool = False,
) -> Iterator[str]:
    """The CSV, line by line: one row per document and VAT rate, so that every amount may be added up.

    Semicolons, a decimal comma unless `decimal_point`, and the mark by which spreadsheets know UTF-8.
    """
    corrected = _corrected(session, account_id, period, also)
    yield sheet.MARK + sheet.written(COLUMNS)
    found = session.execute(
        select(
            Invoice.id,
            Invoice.number,
            Invoice.kind,
            Invoice.issued_on,
            Invoice.due_on,
            Invoice.period_start,
            Invoice.period_end,
            Invoice.buyer,
            Invoice.currency,
            Invoice.vat_breakdown,
            Invoice.total_cents,
            Invoice.paid_cents,
            Invoice.ogm,
        )
        .where(*_of(account_id, period, also))
        .order_by(Invoice.issued_on, Invoice.id)
    )
    for row in found:
        for position, group in enumerate(row.vat_breakdown):
            yield sheet.written(_row(row, group, position == 0, corrected.get(row.id, ()), decimal_point))


def _row(
    row: Any, group: dict[str, Any], is_first: bool, corrected: Sequence[str], decimal_point: bool
) -> list[str]:
    def amount(cents: int) -> str:
        return sheet.amount(cents, decimal_point=decimal_point)

    buyer = row.buyer
    is_note = row.kind == "credit_note"
    left = 0 if is_note else row.total_cents - row.paid_cents
    rate = str(group["rate"])
    return [
        row.number,
        KINDS[row.kind],
        row.issued_on.isoformat(),
        "" if is_note else row.due_on.isoformat(),
        row.period_start.isoformat(),
        Period(row.period_start, row.period_end).last_day.isoformat(),
        sheet.harmless(buyer.get("legal_name")),
        sheet.harmless(buyer.get("buyer_reference") or buyer.get("reference")),
        sheet.harmless(buyer.get("enterprise_number")),
        sheet.harmless(buyer.get("vat_number")),
        row.currency,
        category_code(group["category"]),
        rate if decimal_point else rate.replace(".", ","),
        amount(group["base_cents"]),
        amount(group["vat_cents"]),
        amount(group["base_cents"] + group["vat_cents"]),
        amount(left if is_first else 0),
        f"{row.ogm[:3]}/{row.ogm[3:7]}/{row.ogm[7:]}",
        " ".join(corrected),
    ]


def _corrected(
    session: Session, account_id: uuid.UUID, period: Period | None, also: Conditions
) -> dict[int, list[str]]:
    """The numbers of the documents whose lines each document gives back, by its id."""
    root, corrected = aliased(InvoiceLine), aliased(Invoice)
    pairs = session.execute(
        select(Invoice.id, corrected.number)
        .join(InvoiceLine, InvoiceLine.invoice_id == Invoice.id)
        .join(root, root.id == InvoiceLine.root_id)
        .join(corrected, corrected.id == root.invoice_id)
        .where(*_of(account_id, period, also), corrected.id != Invoice.id)
        .distinct()
        .order_by(Invoice.id, corrected.number)
    )
    found: dict[int, list[str]] = {}
    for invoice_id, number in pairs:
        found.setdefault(invoice_id, []).append(number)
    return found
