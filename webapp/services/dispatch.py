"""The way out of electronic documents: their files made, checked by the official rules, put in line, handed over, followed.

Every step has transactions of its own, and none is open while the rules or the access point work: claim, act, note. Killed
anywhere and started again, or started twice at once, a document leaves once: a try is counted before it is made and keeps
others away for a while; the access point's id is noted before the document is let go; whoever comes back asks first.

What the rules refuse is held and never sent. Between two Belgian businesses the UBL sent over Peppol is the original: when
its receiver is not found, people are told; an e-mail never takes its place by itself.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from webapp.adapters.access_point import WAITING, AccessPoint, NotSent, ReceiverUnknown
from webapp.domain.einvoice import Endpoint
from webapp.models.documents import InvoiceDocument
from webapp.models.invoices import Invoice
from webapp.services import documents

if TYPE_CHECKING:  # the rules bring 200 MB with them: only the command that checks loads them
    from webapp.adapters.peppol_rules import Rules

Transaction = Callable[[], AbstractContextManager[Session]]

# Older documents are history: an access point that is set today does not send last year's. People still may, one by one.
NEW_FOR = timedelta(days=31)
# After each try that failed; beyond, people decide. Two days in all: longer than an access point is away.
WAITS = tuple(timedelta(minutes=minutes) for minutes in (5, 15, 60, 180, 360, 720, 1440))
MOST_ATTEMPTS = len(WAITS) + 1
CLAIMED_FOR = timedelta(minutes=10)  # a try is over by then: six questions of fifteen seconds at most
ASK_EVERY = timedelta(minutes=15)
# Why a document failed. Screens have a sentence for each.
PROBLEMS = ("receiver_unknown", "refused", "no_answer", "lost_on_the_way")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Round:
    """How one step went: what moved on, what waits for another try, what people must look at."""

    moved: int = 0
    waiting: int = 0
    closed: int = 0


# ── Making ───────────────────────────────────────────────────────────────────────────────────────────────────────


def make_files(
    reading: Callable[[], Session],
    transaction: Transaction,
    clock: Callable[[], datetime],
    after: int = 0,
    limit: int = 100,
) -> tuple[Round, int]:
    """Make the files of documents that have none, and say after which id to go on.

    One that cannot be made keeps no other from being made: it is logged, and tried again by the next run.
    """
    with reading() as session:
        ids = documents.without_files(session, after, limit)
    made = failed = 0
    for invoice_id in ids:
        try:
            with reading() as session:
                documents.files(session, session.get_one(Invoice, invoice_id), clock(), transaction)
        except Exception:  # whatever is wrong with one document, the others are due to their customers
            log.exception("the files of invoice %s were not made", invoice_id)
            failed += 1
        else:
            made += 1
    return Round(moved=made, closed=failed), ids[-1] if ids else after


# ── Checking ─────────────────────────────────────────────────────────────────────────────────────────────────────


def to_check(session: Session, limit: int = 100) -> list[int]:
    """The ids of the electronic documents that no rules have checked since they were made, or since somebody asked."""
    return _ids(session, InvoiceDocument.state == "ready", limit)


def check(transaction: Transaction, rules: "Rules", clock: Callable[[], datetime], limit: int = 100) -> Round:
    """Check what is ready against the official rules: validated, or held with what they found."""
    with transaction() as session:
        ids = to_check(session, limit)
    right = held = 0
    for document_id in ids:
        with transaction() as session:
            xml = session.scalar(select(InvoiceDocument.ubl).where(_is(document_id, "ready")))
        if xml is None:
            continue
        findings = rules.check(xml)
        is_held = any(finding.is_fatal for finding in findings)
        noted = {
            "state": "held" if is_held else "validated",
            "rules_version": rules.version,
            "findings": [asdict(finding) for finding in findings],
            "checked_at": clock(),
        }
        with transaction() as session:
            session.execute(update(InvoiceDocument).where(_is(document_id, "ready")).values(**noted))
        held += is_held
        right += not is_held
    return Round(moved=right, closed=held)


# ── In line ──────────────────────────────────────────────────────────────────────────────────────────────────────


def line_up(
    transaction: Transaction, now: datetime, today: date, *, may_be_unchecked: bool, limit: int = 100
) -> Round:
    """Put in line what is right and new. `may_be_unchecked`, by explicit setting, takes what no rules have checked too."""
    states = ("ready", "validated") if may_be_unchecked else ("validated",)
    with transaction() as session:
        new = (
            select(InvoiceDocument.id)
            .join(Invoice, Invoice.id == InvoiceDocument.invoice_id)
            .where(
                InvoiceDocument.channel == "peppol",
                InvoiceDocument.state.in_(states),
                Invoice.issued_on >= today - NEW_FOR,
            )
            .order_by(InvoiceDocument.id)
            .limit(limit)
        )
        ids = list(session.scalars(new))
        session.execute(
            update(InvoiceDocument)
            .where(InvoiceDocument.id.in_(ids), InvoiceDocument.state.in_(states))
            .values(state="queued", queued_at=now, attempts=0, next_at=None)
        )
    return Round(moved=len(ids))


# ── Handing over ─────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Try:
    """One try at handing a document over. `key` is the name under which it leaves, the same for every try of a turn."""

    document_id: int
    turn: int
    number: int
    ubl: bytes
    key: str
    transmission_id: str | None
    receivers: tuple[Endpoint, ...]


def to_send(session: Session, now: datetime, limit: int = 100) -> list[int]:
    """The ids of the documents in line whose turn has come, oldest first."""
    return _ids(session, InvoiceDocument.state == "queued", limit, now)


def send(
    transaction: Transaction, access_point: AccessPoint, clock: Callable[[], datetime], limit: int = 100
) -> Round:
    """Hand over what is in line.

    `transaction` opens a short writing transaction, committed on leaving it. An address of an enterprise number that
    nobody receives at is tried once more as a VAT number (9925), as Belgian receivers may be registered under either.
    """
    with transaction() as session:
        ids = to_send(session, clock(), limit)
    sent = again = failed = 0
    for document_id in ids:
        with transaction() as session:
            this = _claim(session, document_id, clock())
        if this is None:  # somebody else has it
            continue
        noted = _hand_over(this, transaction, access_point, clock)
        with transaction() as session:
            _note(session, this, noted)
        sent += noted.get("state") == "sent"
        failed += noted.get("state") == "failed"
        again += "state" not in noted
    return Round(moved=sent, waiting=again, closed=failed)


def _claim(session: Session, document_id: int, now: datetime) -> _Try | None:
    """Count the try about to be made and keep others away while it lasts; None if somebody else has it, or it left."""
    row = session.execute(
        update(InvoiceDocument)
        .where(_is(document_id, "queued"), _is_due(now))
        .values(attempts=InvoiceDocument.attempts + 1, next_at=now + CLAIMED_FOR)
        .returning(
            InvoiceDocument.ubl,
            InvoiceDocument.ubl_sha256,
            InvoiceDocument.turn,
            InvoiceDocument.attempts,
            InvoiceDocument.transmission_id,
            InvoiceDocument.invoice_id,
        )
    ).one_or_none()
    if row is None:
        return None
    invoice = session.execute(select(Invoice.number, Invoice.buyer).where(Invoice.id == row.invoice_id)).one()
    key = f"{invoice.number}-{row.ubl_sha256[:12]}" + (f"-{row.turn}" if row.turn > 1 else "")
    return _Try(
        document_id, row.turn, row.attempts, row.ubl, key, row.transmission_id, receivers_of(invoice.buyer)
    )


def receivers_of(buyer: dict[str, Any]) -> tuple[Endpoint, ...]:
    """Where a document may be received: the address it bears, then the VAT number of the same Belgian enterprise."""
    party = documents.party(buyer)
    if party.endpoint is None:
        return ()
    if party.endpoint.scheme == "0208" and party.vat_number and party.country == "BE":
        return party.endpoint, Endpoint("9925", party.vat_number)
    return (party.endpoint,)


def _hand_over(
    this: _Try, transaction: Transaction, access_point: AccessPoint, clock: Callable[[], datetime]
) -> dict[str, Any]:
    """What to note of the document after this try."""
    try:
        transmission_id = this.transmission_id
        if transmission_id is None:
            transmission_id = access_point.deposit(this.ubl, this.key)
            with transaction() as session:
                _note(session, this, {"transmission_id": transmission_id})
        elif access_point.status(transmission_id).state != WAITING:  # an earlier try let it go and died
            return _as_sent(clock())
        receiver = _release(access_point, transmission_id, this.receivers)
    except NotSent as wrong:
        noted: dict[str, Any] = {"last_error": str(wrong)[:1000]}
        if not wrong.is_final and this.number < MOST_ATTEMPTS:
            return noted | {"next_at": clock() + WAITS[this.number - 1]}
        problem = "receiver_unknown" if isinstance(wrong, ReceiverUnknown) else "refused"
        return noted | {
            "state": "failed",
            "problem": problem if wrong.is_final else "no_answer",
            "closed_at": clock(),
            "next_at": None,
        }
    return _as_sent(clock()) | {"receiver": f"{receiver.scheme}:{receiver.number}"}


def _as_sent(now: datetime) -> dict[str, Any]:
    return {"state": "sent", "sent_at": now, "problem": None, "last_error": None, "next_at": None}


def _release(access_point: AccessPoint, transmission_id: str, receivers: Sequence[Endpoint]) -> Endpoint:
    """Let it go to the first address that receives. Raises NotSent; ReceiverUnknown when none does."""
    for receiver in receivers:
        if access_point.knows(receiver) is False:
            continue
        try:
            access_point.release(transmission_id, receiver)
        except ReceiverUnknown:
            continue
        return receiver
    tried = ", ".join(f"{scheme}:{number}" for scheme, number in receivers)
    raise ReceiverUnknown(f"nobody receives invoices at {tried or 'no address'}")


def _note(session: Session, this: _Try, noted: dict[str, Any]) -> None:
    """Write down what came of a try, unless another one was begun since."""
    session.execute(
        update(InvoiceDocument)
        .where(
            _is(this.document_id, "queued"),
            InvoiceDocument.turn == this.turn,
            InvoiceDocument.attempts == this.number,
        )
        .values(**noted)
    )


# ── Following ────────────────────────────────────────────────────────────────────────────────────────────────────


def to_ask_about(session: Session, now: datetime, limit: int = 100) -> list[int]:
    """The ids of the documents that left, whose end is not known and which were not asked about a moment ago."""
    return _ids(session, InvoiceDocument.state == "sent", limit, now)


def counts(session: Session, now: datetime) -> dict[str, int]:
    """How many documents wait for each step: to be checked, to leave, to be asked about."""
    steps = {
        "to_check": InvoiceDocument.state == "ready",
        "to_send": InvoiceDocument.state.in_(("validated", "queued")) & _is_due(now),
        "to_follow": (InvoiceDocument.state == "sent") & _is_due(now),
    }
    total = select(*(func.count().filter(matches) for matches in steps.values()))
    row = session.execute(total.where(InvoiceDocument.channel == "peppol")).one()
    return dict(zip(steps, map(int, row), strict=True))


def follow(
    transaction: Transaction, access_point: AccessPoint, clock: Callable[[], datetime], limit: int = 100
) -> Round:
    """Ask what became of the documents that left: delivered, rejected by their receiver, or failed on the way."""
    with transaction() as session:
        ids = to_ask_about(session, clock(), limit)
        rows = session.execute(
            select(InvoiceDocument.id, InvoiceDocument.transmission_id)
            .where(InvoiceDocument.id.in_(ids))
            .order_by(InvoiceDocument.id)
        ).all()
    delivered = waiting = refused = 0
    for document_id, transmission_id in rows:
        noted: dict[str, Any] = {"next_at": clock() + ASK_EVERY}
        try:
            status = access_point.status(transmission_id or "")
        except NotSent as wrong:
            noted["last_error"] = str(wrong)[:1000]
            waiting += 1
        else:
            if status.state in (WAITING, "sent"):
                waiting += 1
            else:
                noted = {
                    "state": status.state,
                    "closed_at": clock(),
                    "last_error": status.reason[:1000] or None,
                    "problem": "lost_on_the_way" if status.state == "failed" else None,
                    "next_at": None,
                }
                delivered += status.state == "delivered"
                refused += status.state != "delivered"
        with transaction() as session:
            session.execute(update(InvoiceDocument).where(_is(document_id, "sent")).values(**noted))
    return Round(moved=delivered, waiting=waiting, closed=refused)


def _is(document_id: int, state: str) -> Any:
    return (InvoiceDocument.id == document_id) & (InvoiceDocument.state == state)


def _is_due(now: datetime) -> Any:
    return or_(InvoiceDocument.next_at.is_(None), InvoiceDocument.next_at <= now)


def _ids(session: Session, matches: Any, limit: int, now: datetime | None = None) -> list[int]:
    wanted = [matches, InvoiceDocument.channel == "peppol"]
    if now is not None:
        wanted.append(_is_due(now))
    return list(
        session.scalars(select(InvoiceDocument.id).where(*wanted).order_by(InvoiceDocument.id).limit(limit))
    )
