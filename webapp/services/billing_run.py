"""The billing run: everything due up to a day, page by page, each page kept whole or not at all (B1, B5).

A page is one transaction: its subscriptions are locked, what is plain is worked out in whole numbers and written in
bulk, the rest goes one by one through `billing.bill_due`, and the numbers are drawn inside, so that a page that is
rolled back leaves no gap. Killed at any point and started again, or started twice at once, it ends with the same
documents: what is billed is not due any more, and the key on (subscription, kind, day) refuses a second one.
"""

import gc
import logging
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Dialect, Select, bindparam, func, select, tuple_, update
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.orm import Session

from webapp.adapters.bulk_rows import BulkRows, as_text
from webapp.domain.einvoice import Problem
from webapp.domain.refusals import IncompleteDetails
from webapp.models.accounts import Account
from webapp.models.billing_runs import BillingRun, BillingRunFailure
from webapp.models.invoices import Series
from webapp.models.subscriptions import Subscription
from webapp.services import billing, invariants, reseller_invoices
from webapp.services.billing_rows import Due, Page, PlainBilling
from webapp.services.invariants import Broken

# Subscriptions in one transaction. On SQLite each commit writes anew the pages that the next one changes again; on
# PostgreSQL the series is locked from the first number to the commit.
PAGE = {"sqlite": 4000, "postgresql": 1000}
SLICE = 1000  # of which so many are in memory at once
ONE_BY_ONE = 100  # in one transaction, where one that cannot be written is looked for
PATIENCE = 12  # times that a page waits for a lock, five seconds each on SQLite
# On SQLite only one may write. Who waits asks again every tenth of a second, for five seconds (busy_timeout), and
# then gives up: a run leaves such a moment often enough that nobody does.
BREATH_EVERY, BREATH = 2.0, 0.11  # seconds
LONG_SILENT = timedelta(minutes=10)  # a run without a page for so long is dead
MOST_FAILURES_TOLD = 100
TRY_AGAIN = {"40P01", "40001", "55P03"}  # deadlock, serialization failure, lock not available
WRONG_DETAILS = "wrong_details"
log = logging.getLogger(__name__)

Transaction = Callable[[], AbstractContextManager[Session]]
Answer = TypeVar("Answer")


class InvariantsBroken(RuntimeError):
    """The documents do not hold together: nothing more is issued on top of them."""

    def __init__(self, found: list[Broken]) -> None:
        super().__init__("\n".join(map(str, found)))
        self.found = found


class Paused(Exception):
    """Raised by whom `moved` calls, between two pages: what is done is kept, and the same run ends it later."""


class UnknownAccount(LookupError):
    """No account has that reference."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A subscription set aside. `facts` name what to mend in its details, `detail` is for the operator."""

    subscription_id: uuid.UUID
    account: str  # its reference
    code: str
    facts: tuple[Problem, ...]
    detail: str


@dataclass(slots=True)
class Report:
    """How a run went. Counts are of subscriptions, except `documents`; the first failures are told."""

    on: date
    run_id: int | None = None
    due: int = 0
    billed: int = 0
    skipped: int = 0
    failed: int = 0
    documents: int = 0
    net_cents: int = 0
    vat_cents: int = 0
    total_cents: int = 0
    failures: list[Failure] = field(default_factory=list)

    def facts(self) -> dict[str, Any]:
        found = asdict(self)
        found["on"] = self.on.isoformat()
        for failure in found["failures"]:
            failure["subscription_id"] = str(failure["subscription_id"])
        return found


@dataclass(slots=True)
class _PageResult:
    """What one page did, added to the run's row in its own transaction."""

    billed: int = 0
    skipped: int = 0
    documents: int = 0
    net_cents: int = 0
    vat_cents: int = 0
    failures: list[Failure] = field(default_factory=list)
    left: int = 0  # held by another hand

    def issued(self, documents: int, net_cents: int, vat_cents: int) -> None:
        self.documents += documents
        self.net_cents += net_cents
        self.vat_cents += vat_cents


def run(
    transaction: Transaction,
    on: date,
    now: Callable[[], datetime],
    *,
    reference: str | None = None,
    is_rehearsal: bool = False,
    page_size: int | None = None,
    is_checked: bool = True,
    moved: Callable[[int, int], None] = lambda _done, _due: None,
    reached: Callable[[str], None] = lambda _point: None,
    opened: Callable[[Session, int], None] = lambda _session, _run_id: None,
) -> Report:
    """Bill what is due up to `on`, that day included. `transaction` keeps what is done in it, once left.

    A rehearsal is given transactions that keep nothing: it works everything out and leaves no row. `moved` hears how
    many of those due are done, and may raise Paused; `opened` hears of the run's row in the transaction that writes it;
    `reached` hears the points where tests kill the run. Raises InvariantsBroken before anything is written,
    UnknownAccount, NoIssuer, and what the database raises: the pages done are kept.
    """
    report = Report(on)
    opened_at = None if is_rehearsal else now()
    account_id, plain, is_postgres = _patiently(
        lambda: _prepare(transaction, report, reference, is_checked, opened_at, opened)
    )
    try:
        with _collecting_between_pages():
            is_complete = _pass(transaction, plain, report, account_id, now, page_size, moved, reached, False)
            if not is_complete and is_postgres and not is_rehearsal:
                # What another hand held: wait for it. Most of it is billed by then, by the other run.
                _pass(transaction, plain, report, account_id, now, page_size, moved, reached, True)
        if account_id is None:
            _bill_resellers(transaction, report, now, reached)
        found = _patiently(lambda: _finish(transaction, report, is_checked, now()))
    except Exception as fault:
        _note_fault(transaction, report, fault, now)
        raise
    if found:
        raise InvariantsBroken(found)
    return report


def _patiently(work: Callable[[], Answer]) -> Answer:
    """What `work` answers, a transaction of its own: tried again while another hand holds what it needs."""
    for _attempt in range(PATIENCE - 1):
        try:
            return work()
        except DBAPIError as error:
            if not _is_worth_another_try(error):
                raise
    return work()


def _prepare(
    transaction: Transaction,
    report: Report,
    reference: str | None,
    is_checked: bool,
    opened_at: datetime | None,
    opened: Callable[[Session, int], None],
) -> tuple[uuid.UUID | None, PlainBilling, bool]:
    """The account asked for, what each page needs, whether this is PostgreSQL. Opens the run's row, at `opened_at`."""
    with transaction() as session:
        rows = BulkRows(session.connection())
        rows.widen()
        account_id = _account(session, reference)
        found = invariants.broken(session) if is_checked else []
        if found:
            raise InvariantsBroken(found)
        plain = PlainBilling(session, report.on)
        due = select(func.count()).select_from(Subscription).where(*_due(report.on, account_id))
        report.due = session.scalar(due) or 0
        run_id = None if opened_at is None else _open(session, report, reference, opened_at)
        if run_id is not None:
            opened(session, run_id)
    report.run_id = run_id  # known once it is kept
    return account_id, plain, rows.is_postgres


def _finish(transaction: Transaction, report: Report, is_checked: bool, now: datetime) -> list[Broken]:
    with transaction() as session:
        found = invariants.broken(session) if is_checked and report.documents else []
        if report.run_id is not None:
            told = "\n".join(map(str, found)) or None
            _close(session, report.run_id, "stopped" if found else "done", told, now)
    return found


def _account(session: Session, reference: str | None) -> uuid.UUID | None:
    if reference is None:
        return None
    account_id = session.scalar(select(Account.id).where(Account.reference == reference))
    if account_id is None:
        raise UnknownAccount(reference)
    return account_id


def _due(on: date, account_id: uuid.UUID | None) -> list[ColumnElement[bool]]:
    conditions = [Subscription.status == "active", Subscription.due_on <= on]
    if account_id is not None:
        conditions.append(Subscription.account_id == account_id)
    return conditions


@contextmanager
def _collecting_between_pages() -> Iterator[None]:
    """The rows of a page hold no cycles: walking through them again and again costs a fifth of the run."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


# ── Pages ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _pass(
    transaction: Transaction,
    plain: PlainBilling,
    report: Report,
    account_id: uuid.UUID | None,
    now: Callable[[], datetime],
    page_size: int | None,
    moved: Callable[[int, int], None],
    reached: Callable[[str], None],
    waits: bool,
) -> bool:
    """Every page once, in the order of the due dates. Answers whether nothing was left to another hand."""
    after: tuple[date, str] | None = None
    is_complete = True
    attempts = one_by_one = 0
    breathed_at = time.monotonic()
    while True:
        try:
            with transaction() as session:
                rows = BulkRows(session.connection())
                rows.widen()
                page = page_size or PAGE[rows.dialect.name]
                result, last, seen = _PageResult(), after, 0
                for size in _slices(min(page, ONE_BY_ONE) if one_by_one else page):
                    keys = _next_keys(rows, plain.on, account_id, report.run_id, last, size)
                    if not keys:
                        break
                    last, seen = keys[-1], seen + len(keys)
                    ids = [ident for _on, ident in keys]
                    _bill_slice(session, rows, plain, ids, now(), reached, waits, not one_by_one, result)
                if last is None or last == after:
                    return is_complete
                if report.run_id is not None:
                    _note_page(session, report.run_id, result, last, now())
                reached("before_commit")
        except (IntegrityError, DataError):
            if one_by_one:
                raise
            # One of them cannot be written. The page is undone and done again one by one, where that one is set
            # aside and the others are not. A savepoint would do too, but costs each good page a copy of itself.
            one_by_one = page
            continue
        except DBAPIError as error:
            attempts += 1
            if attempts >= PATIENCE or not _is_worth_another_try(error):
                raise
            continue
        reached("after_commit")
        attempts, one_by_one = 0, max(0, one_by_one - seen)
        after = last
        gc.collect(1)  # what the sessions of the page left
        is_complete = is_complete and not result.left
        _add(report, result)
        moved(report.billed + report.skipped + report.failed, report.due)
        if not rows.is_postgres and time.monotonic() - breathed_at > BREATH_EVERY:
            time.sleep(BREATH)
            breathed_at = time.monotonic()


def _next_keys(
    rows: BulkRows,
    on: date,
    account_id: uuid.UUID | None,
    run_id: int | None,
    after: tuple[date, str] | None,
    page_size: int,
) -> list[tuple[date, str]]:
    """The next of what is due, without those that this run has set aside; nothing is locked."""
    columns = Subscription.__table__.c
    values: dict[str, Any] = {"on": on, "size": page_size}
    if account_id is not None:
        values["account"] = rows.stored(columns.account_id, account_id)
    if run_id is not None:
        values["run"] = run_id
    if after is not None:
        values["last_on"], values["last_id"] = after
    found = rows.read(_keys(rows.dialect, frozenset(values)), **values)
    return [(rows.days[due_on], ident) for due_on, ident in found]


@lru_cache
def _keys(dialect: Dialect, given: frozenset[str]) -> Select[Any]:
    """The statement of `_next_keys` for the values that are given: made once, as it is compiled once."""
    columns = Subscription.__table__.c
    # The ids are text on both databases; what they are compared with is told by the column.
    statement = select(columns.due_on, as_text(columns.id, dialect)).where(
        columns.status == "active", columns.due_on <= bindparam("on", type_=columns.due_on.type)
    )
    if "account" in given:
        statement = statement.where(columns.account_id == bindparam("account", type_=columns.account_id.type))
    if "run" in given:
        aside = select(BillingRunFailure.subscription_id).where(
            BillingRunFailure.run_id == bindparam("run"), BillingRunFailure.subscription_id == columns.id
        )
        statement = statement.where(~aside.exists())
    if "last_on" in given:
        last_on = bindparam("last_on", type_=columns.due_on.type)
        statement = statement.where(
            tuple_(columns.due_on, columns.id) > tuple_(last_on, bindparam("last_id", type_=columns.id.type))
        )
    return statement.order_by(columns.due_on, columns.id).limit(bindparam("size"))


def _slices(page_size: int) -> Iterator[int]:
    """The sizes in which a page is read, worked out and written."""
    for start in range(0, page_size, SLICE):
        yield min(SLICE, page_size - start)


def _bill_slice(
    session: Session,
    rows: BulkRows,
    plain: PlainBilling,
    ids: list[str],
    now: datetime,
    reached: Callable[[str], None],
    waits: bool,
    in_bulk: bool,
    result: _PageResult,
) -> None:
    page = Page(rows, ids, plain.on, waits)
    result.left += len(ids) - len(page.due)
    ready: list[Due] = []
    for due in page.due:
        wrong = plain.problems(due)
        if wrong:
            result.failures.append(Failure(uuid.UUID(due.id), due.reference, WRONG_DETAILS, wrong, ""))
        else:
            ready.append(due)
    others = ready
    if in_bulk:
        billed, others = plain.bill(session, page, ready)
        written = plain.write(session, rows, billed, now, reached)
        result.billed += len(billed)
        result.issued(written.documents, written.net_cents, written.vat_cents)
    if others:
        _bill_one_by_one(session, plain, others, now, result)


def _bill_one_by_one(
    session: Session, plain: PlainBilling, others: list[Due], now: datetime, result: _PageResult
) -> None:
    # The series first, always in one order: two runs never wait for each other's.
    session.execute(
        select(Series.id).where(Series.issuer_id == plain.issuer_id).order_by(Series.id).with_for_update()
    )
    for due in others:
        subscription_id = uuid.UUID(due.id)
        try:
            with _savepoint(session):
                issued = billing.bill_due(session, subscription_id, plain.on, now)
                amounts = (
                    len(issued),
                    sum(each.net_cents for each in issued),
                    sum(each.vat_cents for each in issued),
                )
        except (OperationalError, InterfaceError):
            raise  # the database itself: the page is undone, whole
        except Exception as fault:  # whatever it is, it stops this subscription and no other
            code, detail = type(fault).__name__, str(fault)[:2000]
            result.failures.append(Failure(subscription_id, due.reference, code, (), detail))
        else:
            result.issued(*amounts)
            if issued or due.is_resold:
                result.billed += 1
            else:
                result.skipped += 1
        session.expunge_all()


def _bill_resellers(
    transaction: Transaction, report: Report, now: Callable[[], datetime], reached: Callable[[str], None]
) -> None:
    """The one document of each reseller for the months that are over, each in a transaction of its own."""
    with transaction() as session:
        waiting = reseller_invoices.waiting(session, report.on)
    for reseller_id in waiting:
        result = _PageResult()
        try:
            with transaction() as session:
                issued = reseller_invoices.issue(session, reseller_id, report.on, now())
                if issued is not None:
                    result.issued(1, issued.net_cents, issued.vat_cents)
                    if report.run_id is not None:
                        _note_documents(session, report.run_id, result, now())
                reached("before_commit")
        except (reseller_invoices.NobodyToBill, IncompleteDetails) as fault:
            # It has no subscription that the run could set aside: said in the log, and tried again by the next run.
            log.error("reseller %s was not billed: %s", reseller_id, fault or type(fault).__name__)
            continue
        reached("after_commit")
        _add(report, result)


@contextmanager
def _savepoint(session: Session) -> Iterator[None]:
    """Undone alone when what is in it fails; left to the whole page when the database itself does."""
    connection = session.connection()
    with session.begin_nested():
        try:
            yield
        except (OperationalError, InterfaceError):
            connection.invalidate()  # a full disk has undone the savepoint already: asking for it would hide the cause
            raise


def _is_worth_another_try(error: DBAPIError) -> bool:
    code = getattr(error.orig, "sqlite_errorcode", None)
    return getattr(error.orig, "sqlstate", None) in TRY_AGAIN or code == sqlite3.SQLITE_BUSY


# ── The run's own row ────────────────────────────────────────────────────────────────────────────────────────────


def _open(session: Session, report: Report, reference: str | None, now: datetime) -> int:
    dead = update(BillingRun).where(BillingRun.status == "running", BillingRun.seen_at < now - LONG_SILENT)
    session.execute(dead.values(status="stopped"))
    row = BillingRun(
        run_on=report.on, account_reference=reference, due=report.due, started_at=now, seen_at=now
    )
    session.add(row)
    session.flush()
    return row.id


def _note_documents(session: Session, run_id: int, result: _PageResult, now: datetime) -> None:
    session.execute(
        update(BillingRun)
        .where(BillingRun.id == run_id)
        .values(
            billed=BillingRun.billed + result.billed,
            skipped=BillingRun.skipped + result.skipped,
            failed=BillingRun.failed + len(result.failures),
            documents=BillingRun.documents + result.documents,
            net_cents=BillingRun.net_cents + result.net_cents,
            vat_cents=BillingRun.vat_cents + result.vat_cents,
            total_cents=BillingRun.total_cents + result.net_cents + result.vat_cents,
            seen_at=now,
        )
    )


def _note_page(
    session: Session, run_id: int, result: _PageResult, last: tuple[date, str], now: datetime
) -> None:
    _note_documents(session, run_id, result, now)
    session.execute(
        update(BillingRun)
        .where(BillingRun.id == run_id)
        .values(last_due_on=last[0], last_subscription_id=uuid.UUID(last[1]))
    )
    for failure in result.failures:
        session.add(
            BillingRunFailure(
                run_id=run_id,
                subscription_id=failure.subscription_id,
                code=failure.code[:60],
                facts=[asdict(problem) for problem in failure.facts],
                detail=failure.detail,
                failed_at=now,
            )
        )
    session.flush()


def _add(report: Report, result: _PageResult) -> None:
    report.billed += result.billed
    report.skipped += result.skipped
    report.failed += len(result.failures)
    report.documents += result.documents
    report.net_cents += result.net_cents
    report.vat_cents += result.vat_cents
    report.total_cents += result.net_cents + result.vat_cents
    report.failures += result.failures[: MOST_FAILURES_TOLD - len(report.failures)]


def _close(session: Session, run_id: int, status: str, error: str | None, now: datetime) -> None:
    row = session.get_one(BillingRun, run_id)
    row.status, row.error, row.seen_at, row.finished_at = status, error, now, now
    session.flush()


def _note_fault(
    transaction: Transaction, report: Report, fault: Exception, now: Callable[[], datetime]
) -> None:
    """Write down why the run stopped, if the database can still be written to."""
    if report.run_id is None:
        return
    try:
        with transaction() as session:
            told = None if isinstance(fault, Paused) else f"{type(fault).__name__}: {fault}"[:2000]
            _close(session, report.run_id, "stopped", told, now())
    except DBAPIError:
        return  # the row stays "running" until a later run finds it silent
