"""Electronic documents as people see them: where each one is, and what the team asks of it.

The work itself is `dispatch`, done by a command: a button here only asks for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.base import ExecutableOption

from webapp.domain.access import Actor
from webapp.models.documents import InvoiceDocument
from webapp.models.invoices import Invoice
from webapp.services import audit

TO_MEND = ("held", "failed", "rejected")
PAGE_SIZE = 25


class WrongState(ValueError):
    """The document cannot do that where it stands. The text is for the people who run the portal."""


class NotChecked(WrongState):
    """It was not checked by the official rules, and the settings let nothing leave unchecked."""


# ── What people ask for ──────────────────────────────────────────────────────────────────────────────────────────


def find(session: Session, number: str, *options: ExecutableOption) -> tuple[Invoice, InvoiceDocument] | None:
    """A document with files, by its number, locked until the end of the transaction."""
    statement = (
        select(Invoice, InvoiceDocument)
        .join(InvoiceDocument, InvoiceDocument.invoice_id == Invoice.id)
        .where(Invoice.number == number)
        .with_for_update(of=InvoiceDocument)
        .execution_options(populate_existing=True)
    )
    row = session.execute(statement).first()
    return (row[0], row[1]) if row else None


def may_be_checked_again(document: InvoiceDocument) -> bool:
    """Whether another check may change something: one that was right leaves as soon as it is checked, so a document that
    was refused on its way is sent again by the other button, and not by this one."""
    was_unchecked = document.state == "failed" and document.rules_version is None
    return document.channel == "peppol" and (document.state == "held" or was_unchecked)


def may_be_sent(document: InvoiceDocument) -> bool:
    """Whether it may be put in line by somebody; one never checked only where the settings let it leave so."""
    states = ("ready", "validated", "failed", "rejected")
    return document.channel == "peppol" and document.state in states


def may_be_handed_over(document: InvoiceDocument) -> bool:
    """Whether the team may note that it gave the file itself: one that a rule holds, or that is on its way, it may not."""
    return document.channel == "peppol" and document.state in ("ready", "validated", "failed", "rejected")


def seen(document: InvoiceDocument) -> str:
    """Where a document stands, as the buttons of a page remember it: pressed twice, the second finds it elsewhere."""
    return f"{document.turn}-{document.state}"


def check_again(
    session: Session, invoice: Invoice, document: InvoiceDocument, actor: Actor, now: datetime
) -> None:
    """Have a document checked by the next round, under the rules of that day. Flushes. Raises WrongState."""
    if not may_be_checked_again(document):
        raise WrongState(f"{invoice.number} is {document.state}")
    before = document.state
    document.state = "ready"
    document.findings = []
    document.rules_version = document.checked_at = None
    _begin_turn(document, before)
    audit.record(
        session, actor, invoice.account_id, "invoice.checked_again", invoice.number,
        {"state": before}, {"state": "ready"}, now,
    )  # fmt: skip
    session.flush()


def send_again(
    session: Session,
    invoice: Invoice,
    document: InvoiceDocument,
    actor: Actor,
    now: datetime,
    *,
    may_be_unchecked: bool,
) -> None:
    """Put a document in line, whatever its age. Flushes. Raises WrongState, or NotChecked."""
    if not may_be_sent(document):
        raise WrongState(f"{invoice.number} is {document.state}")
    if document.rules_version is None and not may_be_unchecked:
        raise NotChecked(f"{invoice.number} was not checked")
    before = document.state
    _begin_turn(document, before)
    document.state = "queued"
    document.queued_at = now
    audit.record(
        session, actor, invoice.account_id, "invoice.sent_again", invoice.number,
        {"state": before}, {"state": "queued"}, now,
    )  # fmt: skip
    session.flush()


def hand_over(
    session: Session, invoice: Invoice, document: InvoiceDocument, actor: Actor, now: datetime
) -> None:
    """Note that the file reached its client by hand, which ends its way. Flushes. Raises WrongState."""
    if not may_be_handed_over(document):
        raise WrongState(f"{invoice.number} is {document.state}")
    before = document.state
    _begin_turn(document, before)
    document.state = "delivered"
    document.transmission_id = document.receiver = None
    document.sent_at = document.closed_at = now
    audit.record(
        session, actor, invoice.account_id, "invoice.handed_over", invoice.number,
        {"state": before}, {"state": "delivered"}, now,
    )  # fmt: skip
    session.flush()


def _begin_turn(document: InvoiceDocument, before: str) -> None:
    """Forget the last tries. What may have left without our knowing keeps its key and its id: it is asked about first."""
    if before in ("failed", "rejected") and document.problem != "no_answer":
        document.turn += 1
        document.transmission_id = None
    document.attempts = 0
    document.next_at = document.problem = document.last_error = document.closed_at = None


# ── What pages show ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Sending:
    """One electronic document as lists show it."""

    number: str
    kind: str
    issued_on: date
    total_cents: int  # signed: a credit note is negative
    currency: str
    client: str
    reference: str
    document: InvoiceDocument

    @property
    def is_checked(self) -> bool:
        return self.document.rules_version is not None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of documents, newest first; `counts` are those of every state, whatever the filter."""

    rows: tuple[Sending, ...]
    count: int
    number: int
    counts: dict[str, int]

    @property
    def pages(self) -> int:
        return max(1, -(-self.count // PAGE_SIZE))


_CLIENT, _REFERENCE = (Invoice.buyer[name].as_string() for name in ("legal_name", "reference"))
_SENDINGS = select(
    Invoice.number, Invoice.kind, Invoice.issued_on, Invoice.total_cents, Invoice.currency, _CLIENT, _REFERENCE,
    InvoiceDocument,
).join(InvoiceDocument, InvoiceDocument.invoice_id == Invoice.id)  # fmt: skip


def listed(session: Session, states: Sequence[str] = (), text: str = "", page: int = 1) -> Page:
    """The documents for Peppol in any of these states, or in all, whose number or client holds `text`. Three statements."""
    electronic = InvoiceDocument.channel == "peppol"
    by_state = select(InvoiceDocument.state, func.count()).where(electronic).group_by(InvoiceDocument.state)
    counts = {state: int(count) for state, count in session.execute(by_state)}
    wanted: list[Any] = [electronic]
    if states:
        wanted.append(InvoiceDocument.state.in_(states))
    if text:
        shown = (Invoice.number, _CLIENT, _REFERENCE)
        wanted.append(or_(*(column.icontains(text, autoescape=True) for column in shown)))
    joined = select(InvoiceDocument.id).join(Invoice, Invoice.id == InvoiceDocument.invoice_id).where(*wanted)
    count = session.scalar(select(func.count()).select_from(joined.subquery())) or 0
    number = min(max(page, 1), max(1, -(-count // PAGE_SIZE)))
    rows = session.execute(
        _SENDINGS.where(*wanted)
        .order_by(InvoiceDocument.id.desc())
        .limit(PAGE_SIZE)
        .offset((number - 1) * PAGE_SIZE)
    )
    return Page(tuple(Sending(*row) for row in rows), count, number, counts)


def one(session: Session, number: str, *options: ExecutableOption) -> Sending | None:
    """One document for Peppol, by its number."""
    wanted = _SENDINGS.where(InvoiceDocument.channel == "peppol", Invoice.number == number)
    row = session.execute(wanted.options(*options)).first()
    return Sending(*row) if row else None


def states_of(session: Session, invoice_numbers: Sequence[str]) -> dict[str, InvoiceDocument]:
    """The files of these documents by number, without their contents; those never made are left out. One statement."""
    if not invoice_numbers:
        return {}
    rows = session.execute(
        select(Invoice.number, InvoiceDocument)
        .join(InvoiceDocument, InvoiceDocument.invoice_id == Invoice.id)
        .where(Invoice.number.in_(invoice_numbers))
    )
    return {row[0]: row[1] for row in rows}
