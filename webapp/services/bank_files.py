"""Files of the bank: read to their end, kept entry by entry, then matched, each once whoever gives them (D3).

A file is refused whole when it is broken. Otherwise its movements are written in pages, then matched in pages, each one
transaction: killed at any point and given again, it goes on from there. What an earlier file has told, in whatever
format, is not told again; entries are matched in the order of their days, money in before money out, so that the
order of the lines changes nothing.
"""

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import file_digest
from itertools import islice
from pathlib import Path
from typing import IO, Any

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, load_only

from webapp.adapters import bank_statements
from webapp.adapters.vault import Vault
from webapp.domain.access import Actor
from webapp.domain.bank_movements import Movement, Repeats
from webapp.models.payments import BankEntry, BankFile
from webapp.services import invoicing, matching
from webapp.services.collections import Links

PAGE = 500
LONGEST_MESSAGE = 2000
# Not the message, the name and the sealed account, which are most of an entry and for people only.
WHAT_MATCHING_READS = (
    BankEntry.key,
    BankEntry.booked_on,
    BankEntry.amount_cents,
    BankEntry.currency,
    BankEntry.ogm,
    BankEntry.end_to_end_id,
    BankEntry.is_direct_debit,
    BankEntry.reason_code,
    BankEntry.state,
    BankEntry.account_id,
)

Transaction = Callable[[], AbstractContextManager[Session]]


class TooLong(ValueError):
    """More movements than a page of the portal waits for: the command reads it."""


@dataclass(frozen=True, slots=True)
class Report:
    """How a file went. `states` counts what became of the entries that it was the first to tell."""

    file_id: int
    kind: str
    entries: int
    new: int
    states: dict[str, int]
    is_known: bool = False  # the same bytes were read before: nothing was done

    @property
    def matched(self) -> int:
        return self.states.get("matched", 0) + self.states.get("alert", 0)


def take_in(
    transaction: Transaction,
    file: Path,
    filename: str,
    vault: Vault,
    today: date,
    now: Callable[[], datetime],
    actor: Actor,
    links: Links | None = None,
    *,
    most: int | None = None,
    moved: Callable[[int, int], None] = lambda _done, _all: None,
    reached: Callable[[str], None] = lambda _point: None,
) -> Report:
    """Read a file and do what it says. `transaction` keeps what is done in it, once left.

    `moved` hears how many entries are matched; `reached` hears the points where tests kill it. Raises BrokenStatement
    and, above `most` movements, TooLong, both before anything is written; NoIssuer.
    """
    with file.open("rb") as content:
        sha256 = file_digest(content, "sha256").hexdigest()
    with transaction() as session:
        account = invoicing.the_issuer(session).iban.replace(" ", "")
        known = session.scalars(select(BankFile).where(BankFile.sha256 == sha256)).one_or_none()
        if known is not None and known.finished_at is not None:
            return _report(session, known, is_known=True)
    statements = bank_statements.read(file, account)
    repeats = Repeats()
    with tempfile.TemporaryFile("w+") as spool:
        count = _keep(statements.movements, spool, most, repeats)
        with transaction() as session:
            file_id = _row(session, statements.kind, filename, sha256, count, now(), actor)
        reached("begun")
        for page in _pages(spool, repeats):
            with transaction() as session:
                _write(session, file_id, page, vault)
            reached("written")
    _match_all(transaction, file_id, today, now, links, actor, count, moved, reached)
    with transaction() as session:
        row = session.get_one(BankFile, file_id)
        report = _report(session, row)
        row.new_count, row.matched_count = report.new, report.matched
        row.finished_at = row.finished_at or now()
        return report


# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _keep(movements: Iterator[Movement], spool: IO[str], most: int | None, repeats: Repeats) -> int:
    """Write each movement down, outside the memory and the database, until the file has shown that it is whole."""
    count = 0
    for count, each in enumerate(movements, start=1):
        if most is not None and count > most:
            raise TooLong(most)
        repeats.note(each.key)
        json.dump(
            (
                each.key, each.booked_on.isoformat(), each.valued_on.isoformat(), each.amount.cents,
                each.amount.currency, each.name, each.iban, each.ogm, each.message[:LONGEST_MESSAGE],
                each.end_to_end_id, each.is_direct_debit, each.reason_code,
            ),
            spool,
        )  # fmt: skip
        spool.write("\n")
    return count


def _pages(spool: IO[str], repeats: Repeats) -> Iterator[list[list[Any]]]:
    spool.seek(0)
    while page := [json.loads(line) for line in islice(spool, PAGE)]:
        for line in page:
            line[0] = repeats.name(line[0])
        yield page


def _row(
    session: Session, kind: str, filename: str, sha256: str, count: int, now: datetime, actor: Actor
) -> int:
    known = session.scalars(select(BankFile.id).where(BankFile.sha256 == sha256)).one_or_none()
    if known is not None:
        return known
    row = BankFile(
        kind=kind,
        filename=filename[-200:],
        sha256=sha256,
        received_at=now,
        received_by=actor.name,
        entry_count=count,
        new_count=0,
        matched_count=0,
    )
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:  # given twice at the same moment: the other hand has just begun it
        return session.scalars(select(BankFile.id).where(BankFile.sha256 == sha256)).one()
    return row.id


def _write(session: Session, file_id: int, page: Sequence[list[Any]], vault: Vault) -> None:
    keys = [line[0] for line in page]
    known = set(session.scalars(select(BankEntry.key).where(BankEntry.key.in_(keys))))
    rows = [_entry(file_id, line, vault) for line in page if line[0] not in known]
    if not rows:
        return
    insert_one = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    session.connection().execute(insert_one(BankEntry).on_conflict_do_nothing(index_elements=["key"]), rows)


def _entry(file_id: int, line: list[Any], vault: Vault) -> dict[str, Any]:
    key, booked, valued, cents, currency, name, iban, ogm, message, end_to_end, is_direct_debit, reason = line
    return {
        "file_id": file_id,
        "key": key,
        "booked_on": date.fromisoformat(booked),
        "valued_on": date.fromisoformat(valued),
        "amount_cents": cents,
        "currency": currency[:3],
        "counterpart_name": name[:140],
        "counterpart_iban_sealed": vault.seal(iban) if iban else None,
        "counterpart_last_four": iban[-4:],
        "ogm": ogm,
        "message": message,
        "end_to_end_id": end_to_end[:35] if end_to_end else None,
        "is_direct_debit": is_direct_debit,
        "reason_code": reason[:60] if reason else None,
        "state": "new",
        "note": "",
    }


# ── Matching, in the order of the days ───────────────────────────────────────────────────────────────────────────


def _match_all(
    transaction: Transaction,
    file_id: int,
    today: date,
    now: Callable[[], datetime],
    links: Links | None,
    actor: Actor,
    count: int,
    moved: Callable[[int, int], None],
    reached: Callable[[str], None],
) -> None:
    done = 0
    with transaction() as session:
        new = select(BankEntry.booked_on).where(BankEntry.file_id == file_id, BankEntry.state == "new")
        days = sorted(set(session.scalars(new.distinct())))
    for day in days:
        for comes_in in (True, False):
            last = ""
            while True:
                with transaction() as session:
                    found = _next(session, file_id, day, comes_in, last)
                    if not found:
                        break
                    last = found[-1].key
                    _match_page(session, found, today, now(), links, actor)
                    reached("matching")
                reached("matched")
                done += len(found)
                moved(done, count)


def _next(session: Session, file_id: int, day: date, comes_in: bool, after: str) -> list[BankEntry]:
    sign = BankEntry.amount_cents > 0 if comes_in else BankEntry.amount_cents <= 0
    return list(
        session.scalars(
            select(BankEntry)
            .where(
                BankEntry.file_id == file_id,
                BankEntry.booked_on == day,
                BankEntry.key > after,
                BankEntry.state == "new",
                sign,
            )
            .order_by(BankEntry.key)
            .limit(PAGE)
            .options(load_only(*WHAT_MATCHING_READS))
            .with_for_update()
        )
    )


def _match_page(
    session: Session,
    found: list[BankEntry],
    today: date,
    now: datetime,
    links: Links | None,
    actor: Actor,
) -> None:
    """The whole page at once; when one of it cannot be done, one by one, and that one is left to the team."""
    try:
        with session.begin_nested():
            matching.match(session, found, today, now, links, actor)
        return
    except (ValueError, LookupError, IntegrityError):
        pass
    for entry in found:
        try:
            with session.begin_nested():
                matching.match(session, [entry], today, now, links, actor)
        except (ValueError, LookupError, IntegrityError) as fault:
            entry.state, entry.note = "unmatched", f"{type(fault).__name__}: {fault}"[:500]
            session.flush()


def _report(session: Session, row: BankFile, is_known: bool = False) -> Report:
    counts = session.execute(
        select(BankEntry.state, func.count()).where(BankEntry.file_id == row.id).group_by(BankEntry.state)
    )
    states = {str(state): int(number) for state, number in counts}
    return Report(row.id, row.kind, row.entry_count, sum(states.values()), states, is_known)
