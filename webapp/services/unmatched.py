"""What the bank's files leave to people: who may have paid, said with the reasons, and what the team decides (D3).

A suggestion is never acted on by itself. What the team gives to an account can be taken back, and given to another.
"""

import re
import unicodedata
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from difflib import SequenceMatcher
from itertools import count, takewhile

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from webapp.adapters.vault import Unreadable, Vault
from webapp.domain.access import Actor
from webapp.domain.money import Money
from webapp.models.accounts import Account, BillingDetails
from webapp.models.invoices import Invoice, Payment
from webapp.models.payments import BankEntry, BankFile, Collection, Mandate
from webapp.services import audit, collections, matching, payments
from webapp.services.collections import Links
from webapp.services.payments import TakenBack

MOST = 8  # suggestions shown
ALIKE = 0.72  # of two names: "Brasserie du Parc SRL" and "BRASSERIE DU PARC" are at 0.9
PAGE = 25
STATES = ("matched", "unmatched", "ignored", "alert")  # those of an entry that was looked at
CORRECTION = "correction"
_NUMBER = re.compile(r"\bF?(\d{4})[-/ ]?(\d{5})\b")
_TWELVE = re.compile(r"(?<!\d)\d{12}(?!\d)")
# What companies are called besides their name: no reason to think that two are one.
_FORMS = re.compile(r"\b(s ?r ?l|s ?a|b ?v|n ?v|s ?p ?r ?l|b ?v ?b ?a|s ?c|v ?o ?f|asbl|vzw|sprl|srl)\b")


class EntryNotFound(LookupError):
    """No such entry, or it is not in the state that the act asks for: somebody else has just decided."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An open invoice that an entry may pay. `reasons` are amount, name, account, number and communication."""

    invoice: Invoice
    account: Account
    left: Money
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Returnable:
    """Money that a negative entry may give back: one of our debits, or a transfer received, by its source."""

    source: str
    number: str
    account: Account
    amount: Money
    received_on: date


# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────


def get(session: Session, entry_id: int) -> BankEntry:
    """Raises EntryNotFound."""
    entry = session.get(BankEntry, entry_id)
    if entry is None or entry.state == "new":
        raise EntryNotFound(entry_id)
    return entry


def one(session: Session, entry_id: int) -> tuple[BankEntry, str | None, str | None]:
    """An entry with the name and the reference of its account. Raises EntryNotFound."""
    entry = get(session, entry_id)
    account = session.get(Account, entry.account_id) if entry.account_id else None
    return entry, account.name if account else None, account.reference if account else None


def file(session: Session, file_id: int) -> BankFile | None:
    return session.get(BankFile, file_id)


def entries(
    session: Session, states: Sequence[str], *, file_id: int | None = None, page: int = 1
) -> tuple[list[tuple[BankEntry, str | None, str | None]], int]:
    """One page of entries with the account's name and reference, newest first, and how many there are."""
    wanted: list[ColumnElement[bool]] = [BankEntry.state.in_(states)]
    if file_id is not None:
        wanted.append(BankEntry.file_id == file_id)
    many = session.scalar(select(func.count()).select_from(BankEntry).where(*wanted)) or 0
    rows = session.execute(
        select(BankEntry, Account.name, Account.reference)
        .outerjoin(Account, Account.id == BankEntry.account_id)
        .where(*wanted)
        .order_by(BankEntry.booked_on.desc(), BankEntry.id.desc())
        .offset((page - 1) * PAGE)
        .limit(PAGE)
    )
    return [(entry, name, reference) for entry, name, reference in rows], many


def files(session: Session, page: int = 1) -> tuple[list[BankFile], int]:
    many = session.scalar(select(func.count()).select_from(BankFile)) or 0
    statement = select(BankFile).order_by(BankFile.id.desc()).offset((page - 1) * PAGE).limit(PAGE)
    return list(session.scalars(statement)), many


def counts(session: Session, file_id: int | None = None) -> dict[str, int]:
    """How many entries are in each state, of a file or of all."""
    statement = select(BankEntry.state, func.count()).group_by(BankEntry.state)
    if file_id is not None:
        statement = statement.where(BankEntry.file_id == file_id)
    return {str(state): int(number) for state, number in session.execute(statement)}


def candidates(session: Session, entry: BankEntry, vault: Vault) -> list[Candidate]:
    """Open invoices that this money may be for, the likeliest first, each with why."""
    if entry.amount_cents <= 0:
        return []
    known = _accounts_by_iban(session, entry, vault)
    numbers = [f"F{year}-{number}" for year, number in _NUMBER.findall(entry.message)]
    near = _near_communications(entry)
    words = _words(entry.counterpart_name)
    wanted: list[ColumnElement[bool]] = [Invoice.total_cents - Invoice.paid_cents == entry.amount_cents]
    if known:
        wanted.append(Invoice.account_id.in_(known))
    if numbers:
        wanted.append(Invoice.number.in_(numbers))
    wanted.extend(Invoice.ogm.like(pattern) for pattern in near)
    if words:
        longest = max(words, key=len)
        wanted.append(func.lower(Account.name).contains(longest, autoescape=True))
        wanted.append(func.lower(BillingDetails.legal_name).contains(longest, autoescape=True))
    found = []
    for invoice, account, legal_name in session.execute(_open_invoices(or_(*wanted)).limit(200)):
        left = Money(invoice.total_cents - invoice.paid_cents, invoice.currency)
        reasons = tuple(
            name
            for name, holds in (
                ("communication", any(_matches(invoice.ogm, pattern) for pattern in near)),
                ("number", invoice.number in numbers),
                ("account", account.id in known),
                ("name", _is_alike(entry.counterpart_name, account.name, legal_name)),
                ("amount", left.cents == entry.amount_cents),
            )
            if holds
        )
        if reasons:
            found.append(Candidate(invoice, account, left, reasons))
    found.sort(key=lambda each: (-len(each.reasons), each.invoice.due_on, each.invoice.id))
    return found[:MOST]


def search(session: Session, text: str) -> list[Candidate]:
    """Open invoices by number, structured communication, amount, or the name or reference of their account."""
    typed = text.strip()[:80]
    if not typed:
        return []
    digits = re.sub(r"\D", "", typed)
    wanted: list[ColumnElement[bool]] = [
        func.lower(Invoice.number).contains(typed.lower(), autoescape=True),
        func.lower(Account.name).contains(typed.lower(), autoescape=True),
        func.lower(BillingDetails.legal_name).contains(typed.lower(), autoescape=True),
        func.lower(Account.reference) == typed.lower(),
    ]
    if len(digits) == 12:
        wanted.append(Invoice.ogm == digits)
    amount = re.fullmatch(r"(\d{1,7})(?:[.,](\d{2}))?", typed.replace(" ", "").replace("\u202f", ""))
    if amount:
        cents = int(amount.group(1)) * 100 + int(amount.group(2) or 0)
        wanted.append(Invoice.total_cents - Invoice.paid_cents == cents)
    return [
        Candidate(invoice, account, Money(invoice.total_cents - invoice.paid_cents, invoice.currency), ())
        for invoice, account, _legal in session.execute(_open_invoices(or_(*wanted)).limit(20))
    ]


def returnables(session: Session, entry: BankEntry) -> list[Returnable]:
    """Receipts of that very amount which nothing has taken back, newest first: what a refund without name may be of."""
    if entry.amount_cents >= 0:
        return []
    total = func.sum(Payment.amount_cents)
    reversed_ids = select(Payment.reversal_of_id).where(Payment.reversal_of_id.is_not(None))
    sums = (
        select(Payment.source,  func.min(Payment.received_on).label("on"), func.min(Payment.invoice_id).label("invoice"))
        .where(
            Payment.reversal_of_id.is_(None),
            Payment.source.is_not(None),
            Payment.method != "credit",
            Payment.currency == entry.currency,
            Payment.received_on <= entry.booked_on,
            Payment.id.not_in(reversed_ids),
        )
        .group_by(Payment.source)
        .having(total == -entry.amount_cents)
        .order_by(func.min(Payment.received_on).desc())
        .limit(MOST)
        .subquery()
    )  # fmt: skip
    rows = session.execute(
        select(sums.c.source, Invoice.number, Account, sums.c.on)
        .join(Payment, Payment.source == sums.c.source)
        .join(Account, Account.id == Payment.account_id)
        .outerjoin(Invoice, Invoice.id == sums.c.invoice)
        .where(Payment.reversal_of_id.is_(None))
        .distinct()
    )
    amount = Money(-entry.amount_cents, entry.currency)
    return [Returnable(source, number or "", account, amount, on) for source, number, account, on in rows]


# ── Deciding ─────────────────────────────────────────────────────────────────────────────────────────────────────


def assign(
    session: Session, entry_id: int, number: str, today: date, now: datetime, actor: Actor
) -> BankEntry:
    """The money of an entry is for the invoice of that number; what it leaves goes to the account's others, then credit.

    Raises EntryNotFound when it is no longer waiting, LookupError for an unknown invoice, ValueError for another currency.
    """
    entry = _waiting(session, entry_id)
    statement = select(Invoice).where(Invoice.number == number.strip(), Invoice.kind == "invoice")
    invoice = session.scalars(statement).one_or_none()
    if invoice is None or entry.amount_cents <= 0:
        raise LookupError(number)
    if invoice.currency != entry.currency:
        raise ValueError("another currency")
    receipt = next(
        each
        for each in (matching.receipt_of(entry, invoice.account_id, again) for again in count())
        if not payments.of_source(session, each.source)
    )
    payments.receive(session, receipt, today, now, actor, first=[invoice.id])
    _decide(entry, "matched", invoice.account_id, "", now, actor)
    _say(session, entry, "assigned", invoice.number, now, actor)
    session.flush()
    return entry


def assign_return(
    session: Session,
    entry_id: int,
    source: str,
    reason_code: str,
    today: date,
    now: datetime,
    actor: Actor,
    links: Links | None = None,
) -> BankEntry:
    """The entry gives back the money of that source: reopen what it had paid. Raises EntryNotFound, LookupError."""
    entry = _waiting(session, entry_id)
    found = next((each for each in returnables(session, entry) if each.source == source), None)
    if found is None:
        raise LookupError(source)
    of_attempt = select(Collection).join(Payment, Payment.collection_id == Collection.id)
    collection = session.scalars(of_attempt.where(Payment.source == source).limit(1)).first()
    if collection is not None:
        collections.failed(
            session, collection, reason_code, entry.booked_on, today, now, links=links, actor=actor
        )
    else:
        taken = TakenBack(source, found.amount, f"bank:{entry.key}", reason_code, entry.booked_on)
        payments.take_back(session, taken, today, now, actor)
    _decide(entry, "matched", found.account.id, "", now, actor)
    _say(session, entry, "assigned", found.number or found.account.reference, now, actor)
    session.flush()
    return entry


def ignore(session: Session, entry_id: int, note: str, now: datetime, actor: Actor) -> BankEntry:
    """None of ours, for a reason that is kept. Raises EntryNotFound."""
    entry = _waiting(session, entry_id, ("unmatched", "alert"))
    _decide(entry, "ignored", entry.account_id, note.strip(), now, actor)
    session.flush()
    return entry


def take_up_again(session: Session, entry_id: int, today: date, now: datetime, actor: Actor) -> BankEntry:
    """What a person decided was wrong: the entry waits again, and money that a person assigned is taken back.

    What the portal matched by itself stays. Raises EntryNotFound.
    """
    entry = _waiting(session, entry_id, ("matched", "ignored"))
    if entry.resolved_by is None and entry.state == "matched":
        raise EntryNotFound(entry_id)
    if entry.state == "matched":
        if entry.amount_cents <= 0:
            raise EntryNotFound(entry_id)
        given = takewhile(
            lambda each: payments.of_source(session, each),
            (matching.receipt_of(entry, uuid.UUID(int=0), again).source for again in count()),
        )
        source = list(given)[-1]
        amount = Money(entry.amount_cents, entry.currency)
        payments.take_back(
            session, TakenBack(source, amount, f"{source}:undone", CORRECTION, today), today, now, actor
        )
        _say(session, entry, "taken_back", entry.counterpart_name or entry.key[:40], now, actor)
        entry.account_id = None
    entry.state, entry.resolved_by, entry.resolved_at, entry.note = "unmatched", None, None, ""
    session.flush()
    return entry


def _waiting(session: Session, entry_id: int, states: Sequence[str] = ("unmatched",)) -> BankEntry:
    statement = select(BankEntry).where(BankEntry.id == entry_id).with_for_update()
    entry = session.scalars(statement.execution_options(populate_existing=True)).one_or_none()
    if entry is None or entry.state not in states:
        raise EntryNotFound(entry_id)
    return entry


def _decide(
    entry: BankEntry, state: str, account_id: uuid.UUID | None, note: str, now: datetime, actor: Actor
) -> None:
    entry.state, entry.account_id, entry.note = state, account_id, note
    entry.resolved_by, entry.resolved_at = actor.name, now


def _say(session: Session, entry: BankEntry, verb: str, subject: str, now: datetime, actor: Actor) -> None:
    facts = {"amount_cents": entry.amount_cents, "on": entry.booked_on.isoformat(), "entry": entry.id}
    audit.record(session, actor, entry.account_id, f"bank_entry.{verb}", subject, {}, facts, now)


# ── Likeness ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _open_invoices(wanted: ColumnElement[bool]):  # type: ignore[no-untyped-def]
    return (
        select(Invoice, Account, BillingDetails.legal_name)
        .join(Account, Account.id == Invoice.account_id)
        .join(BillingDetails, BillingDetails.account_id == Account.id)
        .where(Invoice.kind == "invoice", Invoice.paid_cents < Invoice.total_cents, wanted)
        .order_by(Invoice.due_on, Invoice.id)
    )


def _accounts_by_iban(session: Session, entry: BankEntry, vault: Vault) -> set[uuid.UUID]:
    """Who has paid from that account before, or signed a mandate on it."""
    if not entry.counterpart_iban_sealed:
        return set()
    try:
        iban = vault.open(entry.counterpart_iban_sealed)
    except Unreadable:
        return set()
    last = entry.counterpart_last_four
    sealed = [
        *session.execute(
            select(Mandate.account_id, Mandate.iban_sealed).where(Mandate.iban_last_four == last).limit(100)
        ),
        *session.execute(
            select(BankEntry.account_id, BankEntry.counterpart_iban_sealed)
            .where(BankEntry.counterpart_last_four == last, BankEntry.account_id.is_not(None))
            .order_by(BankEntry.id.desc())
            .limit(100)
        ),
    ]
    return {account_id for account_id, each in sealed if each and _opens_to(vault, each, iban)}


def _opens_to(vault: Vault, sealed: str, iban: str) -> bool:
    try:
        return vault.open(sealed) == iban
    except Unreadable:
        return False


def _near_communications(entry: BankEntry) -> list[str]:
    """Patterns of structured communications that are one wrong digit away from what was written."""
    written = {entry.ogm} if entry.ogm else set(_TWELVE.findall(re.sub(r"[/+*\s]", "", entry.message)))
    return [
        f"{digits[:place]}_{digits[place + 1 :]}"
        for digits in sorted(written)
        for place in range(len(digits))
    ]


def _matches(ogm: str, pattern: str) -> bool:
    return all(sign in ("_", digit) for digit, sign in zip(ogm, pattern, strict=True))


def _is_alike(payer: str, *names: str) -> bool:
    one = " ".join(_words(payer))
    return bool(one) and any(
        one == other or SequenceMatcher(None, one, other).ratio() >= ALIKE
        for other in (" ".join(_words(name)) for name in names)
        if other
    )


def _words(name: str) -> list[str]:
    """Small letters without accents, without the form of the company: 3 letters at least."""
    bare = unicodedata.normalize("NFKD", name)
    plain = re.sub(r"[^a-z0-9 ]", " ", "".join(c for c in bare if not unicodedata.combining(c)).lower())
    return [word for word in _FORMS.sub(" ", plain).split() if len(word) >= 3]
