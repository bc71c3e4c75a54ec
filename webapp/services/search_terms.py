"""The words by which an account is found (S1), kept beside the rows they come from.

`watch` notes, at each flush, whose name, address, number or people changed; the words of those accounts are made again
once, before the commit. What writes by statements rather than by rows says so with `changed`.
"""

import re
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import delete, event, insert, select
from sqlalchemy.orm import Session, attributes
from sqlalchemy.orm.unitofwork import UOWTransaction

from webapp.models.accounts import Account, BillingDetails, Membership, User
from webapp.models.payments import PaymentMethod
from webapp.models.subscriptions import Establishment, Subscription
from webapp.models.team import LONGEST_TERM, SearchTerm
from webapp.services.invoice_search import plain

# In the order in which results say why they were found.
KINDS = (
    "reference",
    "name",
    "company",
    "vat",
    "enterprise",
    "email",
    "person",
    "iban",
    "establishment",
    "establishment_number",
    "city",
)
CHUNK = 500  # accounts at a time, when all are made again
_WORDS = 8  # a name is found from each of its first words on
_STALE = "search_terms_stale"
_SPELT = str.maketrans({"œ": "oe", "æ": "ae", "ø": "o", "ł": "l", "đ": "d"})

Term = tuple[str, str, str]  # kind, term, as it is written

# What changes the words of an account; other columns of these rows leave them as they are.
_COLUMNS: dict[type[Any], tuple[str, ...]] = {
    Account: ("reference", "name", "closed_at"),
    BillingDetails: (
        "legal_name",
        "city",
        "vat_number",
        "enterprise_number",
        "invoice_email",
        "other_invoice_emails",
        "accountant_email",
    ),
    User: ("email", "full_name", "disabled_at"),
    Membership: ("user_id", "account_id"),
    PaymentMethod: ("kind", "state", "last_four", "label"),
    Establishment: ("name", "city", "number"),
}


def fold(text: str) -> str:
    """Without capitals, accents or signs, words parted by one space: what is typed and what is kept meet there.

    >>> fold("L’Éclair, Cœur de Liège")
    'l eclair coeur de liege'
    """
    return " ".join(re.findall(r"\w+", plain(text).translate(_SPELT)))


def compact(text: str) -> str:
    """Letters and digits alone: a number is found with or without its dots and its spaces.

    >>> compact("BE 0876.543.270")
    'be0876543270'
    """
    return "".join(re.findall(r"[^\W_]", plain(text)))


# ── Keeping them ─────────────────────────────────────────────────────────────────────────────────────────────────


def watch() -> None:
    """Keep the words of every session of this process. Asked twice, it is done once."""
    if not event.contains(Session, "after_flush", _note):
        event.listen(Session, "after_flush", _note)
        event.listen(Session, "before_commit", _keep)
        event.listen(Session, "after_rollback", _forget)


def changed(session: Session, account_id: uuid.UUID) -> None:
    """The words of this account are to be made again before the commit."""
    session.info.setdefault(_STALE, set()).add(("account", account_id))


def _note(session: Session, _context: UOWTransaction) -> None:
    whole = [*session.new, *session.deleted]
    touched = [row for row in session.dirty if _is_moved(row)]
    for row in [*whole, *touched]:
        match row:
            case Account():
                key: tuple[str, Any] = ("account", row.id)
            case BillingDetails() | Membership() | PaymentMethod():
                key = ("account", row.account_id)
            case Establishment():
                key = ("subscription", row.subscription_id)
            case User():
                key = ("user", row.id)
            case _:
                continue
        session.info.setdefault(_STALE, set()).add(key)


def _is_moved(row: Any) -> bool:
    names = _COLUMNS.get(type(row), ())
    return any(attributes.get_history(row, name).has_changes() for name in names)


def _keep(session: Session) -> None:
    session.flush()
    stale: set[tuple[str, Any]] = session.info.pop(_STALE, set())
    if not stale:
        return
    accounts = {key for what, key in stale if what == "account"}
    subscriptions = [key for what, key in stale if what == "subscription"]
    users = [key for what, key in stale if what == "user"]
    if subscriptions:
        of_them = select(Subscription.account_id).where(Subscription.id.in_(subscriptions))
        accounts.update(session.scalars(of_them))
    if users:
        of_users = select(Membership.account_id).where(Membership.user_id.in_(users))
        accounts.update(session.scalars(of_users))
    refresh(session, sorted(accounts, key=str))


def _forget(session: Session) -> None:
    session.info.pop(_STALE, None)


def refresh(session: Session, account_ids: Sequence[uuid.UUID]) -> None:
    """Make the words of these accounts what their rows say now; words that stay are not touched."""
    if not account_ids:
        return
    wanted = _gather(session, account_ids)
    rows = select(SearchTerm.id, SearchTerm.account_id, SearchTerm.kind, SearchTerm.term, SearchTerm.shown)
    gone = []
    for row in session.execute(rows.where(SearchTerm.account_id.in_(account_ids))):
        term = (row.kind, row.term, row.shown)
        if term in wanted.get(row.account_id, ()):
            wanted[row.account_id].discard(term)
        else:
            gone.append(row.id)
    for start in range(0, len(gone), CHUNK):
        session.execute(delete(SearchTerm).where(SearchTerm.id.in_(gone[start : start + CHUNK])))
    new = [
        {"account_id": account_id, "kind": kind, "term": term, "shown": shown}
        for account_id, terms in wanted.items()
        for kind, term, shown in sorted(terms)
    ]
    if new:
        session.execute(insert(SearchTerm), new)


def some_after(session: Session, last: uuid.UUID | None) -> list[uuid.UUID]:
    """The accounts that come after `last` in the order of their keys, CHUNK at the most; none at the end."""
    statement = select(Account.id).order_by(Account.id).limit(CHUNK)
    return list(session.scalars(statement if last is None else statement.where(Account.id > last)))


# ── Making them ──────────────────────────────────────────────────────────────────────────────────────────────────


def _gather(session: Session, account_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, set[Term]]:
    found: dict[uuid.UUID, set[Term]] = {}
    details = (
        select(
            Account.id,
            Account.reference,
            Account.name,
            BillingDetails.legal_name,
            BillingDetails.city,
            BillingDetails.vat_number,
            BillingDetails.enterprise_number,
            BillingDetails.invoice_email,
            BillingDetails.other_invoice_emails,
            BillingDetails.accountant_email,
        )
        .outerjoin(BillingDetails, BillingDetails.account_id == Account.id)
        .where(Account.id.in_(account_ids))
    )
    for row in session.execute(details):
        found[row.id] = set(_of_account(row))
    people = (
        select(Membership.account_id, User.full_name, User.email)
        .join(User, User.id == Membership.user_id)
        .where(Membership.account_id.in_(account_ids), User.disabled_at.is_(None))
    )
    for row in session.execute(people):
        found[row.account_id].update(_phrases("person", row.full_name))
        found[row.account_id].update(_email(row.email))
    places = (
        select(Subscription.account_id, Establishment.name, Establishment.city, Establishment.number)
        .join(Subscription, Subscription.id == Establishment.subscription_id)
        .where(Subscription.account_id.in_(account_ids))
    )
    for row in session.execute(places):
        found[row.account_id].update(_phrases("establishment", row.name))
        found[row.account_id].update(_phrases("city", row.city))
        found[row.account_id].update(_number("establishment_number", row.number))
    banks = select(PaymentMethod.account_id, PaymentMethod.last_four, PaymentMethod.label).where(
        PaymentMethod.account_id.in_(account_ids),
        PaymentMethod.kind == "direct_debit",
        PaymentMethod.state != "closed",
        PaymentMethod.last_four != "",
    )
    for row in session.execute(banks):
        found[row.account_id].update(_term("iban", compact(row.last_four), row.label))
    return found


def _of_account(row: Any) -> Iterator[Term]:
    yield from _phrases("reference", row.reference)
    yield from _term("reference", compact(row.reference), row.reference)
    yield from _phrases("name", row.name)
    yield from _phrases("company", row.legal_name or "")
    yield from _phrases("city", row.city or "")
    yield from _number("vat", row.vat_number)
    yield from _number("enterprise", row.enterprise_number)
    for email in (row.invoice_email, row.accountant_email, *(row.other_invoice_emails or ())):
        yield from _email(email)


def _phrases(kind: str, text: str) -> Iterator[Term]:
    """The whole, and what remains from each of its words on: "du Parc" and "Parc" find Brasserie du Parc."""
    words = fold(text).split()
    for start in range(min(len(words), _WORDS)):
        yield from _term(kind, " ".join(words[start:]), text)


def _email(email: str | None) -> Iterator[Term]:
    """The address, and its domain."""
    plain_email = plain(email or "")
    if "@" in plain_email:
        yield from _term("email", plain_email, email or "")
        yield from _term("email", plain_email.partition("@")[2], email or "")


def _number(kind: str, number: str | None) -> Iterator[Term]:
    """The number as it is, and without the letters of its country."""
    known = compact(number or "")
    for term in dict.fromkeys((known, re.sub(r"^[a-z]{2}", "", known))):
        yield from _term(kind, term, number or "")


def _term(kind: str, term: str, shown: str) -> Iterable[Term]:
    return [(kind, term[:LONGEST_TERM], shown[:255])] if term else []
