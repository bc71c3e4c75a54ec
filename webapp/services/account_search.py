"""Finding an account by what a caller says: a name, an address, a number, a communication (S1).

Every answer is read from indexes: the beginning of a kept word (`search_terms`), or the whole number of a document. A
common word is read up to a bound, so that no search costs more than a few milliseconds; whoever finds too many types on.
"""

import re
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Select, Subquery, and_, case, func, literal, select, union_all
from sqlalchemy.orm import Session, aliased

from webapp.models.accounts import Account
from webapp.models.invoices import Invoice
from webapp.models.team import SearchTerm
from webapp.services.invoice_search import plain
from webapp.services.search_terms import KINDS, compact, fold

MOST = 20  # accounts in an answer
SHORTEST = 2  # signs: one letter begins too many words
REASONS = 3  # per account
BOUND = 1000  # words read for one beginning
BOUND_APART = 400  # accounts tried for each of several words
WORDS = 5
_AFTER_ALL = "\U0010ffff"  # comes after any sign that a word may go on with
_INVOICE = re.compile(r"([a-z]{1,4})(\d{4})(\d{1,6})")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an account was found: what it matched, as it is written there. `kind` is one of KINDS, invoice or ogm."""

    kind: str
    shown: str


@dataclass(frozen=True, slots=True)
class Match:
    account_id: uuid.UUID
    reference: str
    name: str
    suspended_on: date | None
    is_closed: bool
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """At most MOST accounts, those that match exactly first. `is_more` when there are others."""

    matches: tuple[Match, ...]
    is_more: bool

    @property
    def only(self) -> Match | None:
        """The account, when there is no doubt which one."""
        return self.matches[0] if len(self.matches) == 1 else None


def find(session: Session, typed: str) -> Found:
    """The accounts that match what was typed. One statement, none for what is too short."""
    if not is_enough(typed):
        return Found((), False)
    asked = fold(typed)
    hits = _documents(typed)
    for index, start in enumerate(_beginnings(typed)):
        hits += _beginning(start, index)
    words = sorted(set(asked.split()), key=lambda word: (-len(word), word))[:WORDS]
    if _is_a_name(typed) and len(words) > 1:
        hits += [_together(word, words, index) for index, word in enumerate(words)]
    found = _read(session, hits)
    whole = [any(fold(reason.shown) == asked for reason in match.reasons) for match in found.matches]
    surest = [match for _is_whole, match in sorted(zip(whole, found.matches, strict=True), key=_not_first)]
    return Found(tuple(surest), found.is_more)


def _not_first(pair: tuple[bool, Match]) -> bool:
    """What is called exactly so comes before what only holds those words; the order is kept otherwise."""
    return not pair[0]


def is_enough(typed: str) -> bool:
    """Whether there is something to look for."""
    return len(compact(typed)) >= SHORTEST


def _is_a_name(typed: str) -> bool:
    """Whether its words may be looked for apart: those of an address or of a number belong together."""
    signs = compact(typed)
    return not _is_an_address(typed) and 2 * sum(sign.isdigit() for sign in signs) < len(signs)


def _is_an_address(typed: str) -> bool:
    """An e-mail address, or the domain of one."""
    return "@" in typed or re.fullmatch(r"\s*[^\W\d][\w-]*(\.[\w-]+)+\s*", typed) is not None


def _beginnings(typed: str) -> Iterator[str]:
    """What kept words may begin with: the words, the address, and the number without its dots."""
    asked, number = fold(typed), compact(typed)
    found = [asked]
    if _is_an_address(typed):
        found.append("".join(sign for sign in plain(typed) if sign.isprintable() and sign != " "))
    if any(sign.isdigit() for sign in number):
        found.append(number)
        if re.fullmatch(r"\d{9}", number):
            found.append(f"0{number}")  # enterprise numbers were once written without it
        if re.fullmatch(r"[a-z]{2}\d{2}[a-z0-9]{11,30}", number):
            found.append(number[-4:])  # a whole IBAN: its end is what is kept
    yield from dict.fromkeys(found)


def _beginning(start: str, index: int) -> list[Select[*tuple[Any, ...]]]:
    """The words that are so, and some of those that only begin so: in no order, which a database would sort them all for."""
    found = []
    for rank, match in enumerate((SearchTerm.term == start, _begins(SearchTerm, start))):
        words = (
            select(SearchTerm.account_id, SearchTerm.kind, SearchTerm.shown, literal(rank).label("rank"))
            .where(match)
            .limit(BOUND)
            .subquery(f"beginning_{index}_{rank}")
        )
        found.append(select(words))
    return found


def _together(word: str, words: Sequence[str], index: int) -> Select[*tuple[Any, ...]]:
    """The accounts with a word that begins with `word`, and others that begin with each of the rest.

    The rest is looked for among the words of each account in turn, written so that no database reads the whole stretch
    of a common word instead: how many words begin alike is more than their statistics can tell.
    """
    begun = (
        select(SearchTerm.account_id, SearchTerm.kind, SearchTerm.shown, SearchTerm.term)
        .where(_begins(SearchTerm, word))
        .limit(BOUND_APART)
        .subquery(f"begun_{index}")
    )
    nth = func.row_number().over(partition_by=begun.c.account_id, order_by=begun.c.term).label("nth")
    first = select(begun, nth).subquery(f"word_{index}")
    others = []
    for number, other in enumerate(each for each in words if each != word):
        term = aliased(SearchTerm, name=f"other_{index}_{number}")
        same = and_(term.account_id == first.c.account_id, func.substr(term.term, 1, len(other)) == other)
        others.append(select(literal(1)).where(same).limit(1).correlate(first).scalar_subquery().is_not(None))
    return select(first.c.account_id, first.c.kind, first.c.shown, literal(2).label("rank")).where(
        first.c.nth == 1, *others
    )


def _begins(term: Any, start: str) -> Any:
    return and_(term.term >= start, term.term < start + _AFTER_ALL)


def _documents(typed: str) -> list[Select[*tuple[Any, ...]]]:
    """By the number of an invoice, or by its structured communication, whole."""
    asked, found = compact(typed), []
    number = _INVOICE.fullmatch(asked)
    if number is not None:
        prefix, year, last = number[1].upper(), number[2], int(number[3])
        found.append(_document("invoice", Invoice.number, Invoice.number == f"{prefix}{year}-{last:05d}"))
    if re.fullmatch(r"\d{12}", asked):
        found.append(_document("ogm", Invoice.ogm, Invoice.ogm == asked))
    return found


def _document(kind: str, shown: Any, match: Any) -> Select[*tuple[Any, ...]]:
    return select(
        Invoice.account_id, literal(kind).label("kind"), shown.label("shown"), literal(0).label("rank")
    ).where(match)


def _read(session: Session, hits: Sequence[Select[*tuple[Any, ...]]]) -> Found:
    """The accounts of these hits, the surest first, each with its reasons. One statement."""
    numbered = _numbered(union_all(*hits).subquery("hits"))
    # The few that are shown are chosen before their accounts are read: a thousand of those is a walk through the table.
    reasons = (
        select(numbered)
        .where(numbered.c.place <= REASONS)
        .order_by(numbered.c.best, numbered.c.first_shown, numbered.c.account_id, numbered.c.place)
        .limit((MOST + 1) * REASONS)
        .subquery("chosen")
    )
    rows = session.execute(
        select(
            Account.id,
            Account.reference,
            Account.name,
            Account.suspended_on,
            Account.closed_at,
            reasons.c.kind,
            reasons.c.shown,
        )
        .join(reasons, reasons.c.account_id == Account.id)
        .order_by(reasons.c.best, func.lower(Account.name), Account.reference, reasons.c.place)
    ).all()
    kept: dict[uuid.UUID, list[Any]] = {}
    for row in rows:
        kept.setdefault(row.id, []).append(row)
    matches = [_match(same) for same in kept.values()]
    return Found(tuple(matches[:MOST]), len(matches) > MOST)


def _numbered(hits: Subquery) -> Subquery:
    """Each reason of an account once, numbered in the order in which it is told; `best` is the surest of them."""
    order = case(*((hits.c.kind == kind, place) for place, kind in enumerate(KINDS)), else_=len(KINDS))
    once = (
        select(
            hits.c.account_id,
            hits.c.kind,
            hits.c.shown,
            func.min(hits.c.rank).label("rank"),
            func.min(order).label("told"),
        )
        .group_by(hits.c.account_id, hits.c.kind, hits.c.shown)
        .subquery("once")
    )
    mine = once.c.account_id
    return select(
        once,
        func.row_number()
        .over(partition_by=mine, order_by=(once.c.rank, once.c.told, once.c.shown))
        .label("place"),
        func.min(once.c.rank * 100 + once.c.told).over(partition_by=mine).label("best"),
        func.min(once.c.shown).over(partition_by=mine).label("first_shown"),
    ).subquery("reasons")


def _match(rows: Sequence[Any]) -> Match:
    first = rows[0]
    return Match(
        first.id,
        first.reference,
        first.name,
        first.suspended_on,
        first.closed_at is not None,
        tuple(Reason(row.kind, row.shown) for row in rows),
    )
