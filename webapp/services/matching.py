"""What each movement of the bank settles or reopens: by structured communication, then by end-to-end id (D3).

Nothing else is done without a person: an amount, a name or a known account only make suggestions. What cannot be read
in that way waits for the team; what leaves the account without being a direct debit of ours is none of this portal's.
"""

import uuid
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain.access import SYSTEM, Actor
from webapp.domain.collection_codes import Step
from webapp.domain.money import Money
from webapp.models.invoices import Invoice
from webapp.models.payments import BankEntry, Collection
from webapp.services import collections, payments
from webapp.services.collections import Links
from webapp.services.payments import Arrival, Receipt

NO_REASON = "MS03"


def match(
    session: Session,
    entries: Sequence[BankEntry],
    today: date,
    now: datetime,
    links: Links | None = None,
    actor: Actor = SYSTEM,
) -> None:
    """Do what each entry says, in their order, and note on it what became of it. Flushes.

    Money that settles and no more goes in together, in a few statements; before anything else it is written.
    """
    known = _Known(session, entries)
    waiting: list[Arrival] = []
    closing: list[Collection] = []

    def write() -> None:
        payments.receive_all(session, waiting, today, now, actor)
        for collection in closing:
            collections.note_settled(collection, now)
        waiting.clear()
        closing.clear()

    for entry in entries:
        collection, invoice = known.collection(entry), known.invoice(entry)
        if _is_return(entry):
            write()
            _return(session, entry, collection, today, now, links, actor)
        elif entry.amount_cents < 0:
            entry.state = "ignored"
        elif collection is not None and _collects(entry, collection, invoice):
            entry.state, entry.account_id = "matched", collection.account_id
            if collection.state == "sent" and collection.id not in {each.id for each in closing}:
                waiting.append(
                    Arrival(
                        collections.receipt(collection, _amount(entry), entry.booked_on),
                        collection.invoice_id,
                    )
                )
                closing.append(collection)
            else:
                write()
                collections.settled(
                    session, collection, entry.booked_on, today, now, amount=_amount(entry), actor=actor
                )
        elif invoice is not None and invoice.currency == entry.currency:
            entry.state, entry.account_id = "matched", invoice.account_id
            waiting.append(Arrival(receipt_of(entry, invoice.account_id), invoice.id))
        else:
            entry.state = "unmatched"
    write()
    session.flush()


def receipt_of(entry: BankEntry, account_id: uuid.UUID, again: int = 0) -> Receipt:
    """The money of a transfer. `again` tells apart what the team gave to one account, took back, and gave to another."""
    source = f"bank:{entry.key}" + (f":{again}" if again else "")
    return Receipt(account_id, _amount(entry), "transfer", source, entry.booked_on)


class _Known:
    """The invoices and the attempts that some entries name. Three statements."""

    def __init__(self, session: Session, entries: Iterable[BankEntry]) -> None:
        ogms = {each.ogm for each in entries if each.ogm}
        named = {each.end_to_end_id for each in entries if each.end_to_end_id}
        # Plain rows: settling reads the amounts again, once the accounts are locked.
        columns = Invoice.id, Invoice.account_id, Invoice.number, Invoice.ogm, Invoice.currency
        invoices = select(*columns).where(Invoice.kind == "invoice")
        self._by_ogm: dict[str | None, Any] = {}
        self._by_number: dict[str, Any] = {}
        if ogms:
            self._by_ogm = {each.ogm: each for each in session.execute(invoices.where(Invoice.ogm.in_(ogms)))}
        if named:
            self._by_number = {
                each.number: each for each in session.execute(invoices.where(Invoice.number.in_(named)))
            }
        self._collections = collections.by_end_to_end(session, list(named)) if named else {}

    def invoice(self, entry: BankEntry) -> Any:
        """That of the structured communication; without one that we know, that whose number is the end-to-end id; or
        None."""
        return self._by_ogm.get(entry.ogm or "") or self._by_number.get(entry.end_to_end_id or "")

    def collection(self, entry: BankEntry) -> Collection | None:
        return self._collections.get(entry.end_to_end_id or "")


def _is_return(entry: BankEntry) -> bool:
    """Whether the bank says that an order of ours was refused, or that its money goes back."""
    if entry.amount_cents > 0:
        return False
    return entry.reason_code is not None or entry.is_direct_debit


def _collects(entry: BankEntry, collection: Collection, invoice: Any) -> bool:
    """Whether money that came in is what we asked for, rather than a transfer that repeats the invoice's number."""
    if collection.state in ("planned", "cancelled") or (
        invoice is not None and invoice.id != collection.invoice_id
    ):
        return False
    is_expected = collection.state == "sent" and entry.amount_cents == collection.amount_cents
    return entry.is_direct_debit or is_expected


def _return(
    session: Session,
    entry: BankEntry,
    collection: Collection | None,
    today: date,
    now: datetime,
    links: Links | None,
    actor: Actor,
) -> None:
    if (
        collection is None
        or collection.state in ("planned", "cancelled")
        or -entry.amount_cents not in (0, collection.amount_cents)
    ):
        entry.state = "unmatched"
        return
    code = entry.reason_code or NO_REASON
    step = collections.failed(
        session, collection, code, entry.booked_on, today, now, links=links, actor=actor
    )
    entry.account_id = collection.account_id
    entry.state = "alert" if step.step is Step.ALERT else "matched"


def _amount(entry: BankEntry) -> Money:
    return Money(entry.amount_cents, entry.currency)
