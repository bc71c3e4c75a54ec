"""The billing run issues what the rules issue, document for document, and every period once whatever happens."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from tests.builders import CLAIRE, a_reseller, a_subscription, an_account, noon
from tests.support.killable_run import POINTS
from webapp.adapters import bulk_rows
from webapp.domain.einvoice import Problem
from webapp.domain.plain_billing import has_plain_details
from webapp.domain.vat import STANDARD
from webapp.extensions import db
from webapp.models.accounts import BillingDetails
from webapp.models.billing_runs import BillingRun, BillingRunFailure
from webapp.models.invoices import CreditBalanceEntry, Invoice, InvoiceLine, Issuer, Series
from webapp.models.subscriptions import Subscription, SubscriptionOption
from webapp.services import billing, billing_run, documents, invariants, subscriptions
from webapp.services.billing_rows import DETAILS, _statements
from webapp.services.billing_run import InvariantsBroken, Report, UnknownAccount
from webapp.services.subscriptions import NewOption

DAY = date(2026, 11, 1)


@pytest.fixture
def transaction(app):
    """Transactions that keep what is done in them, as the command gives to the run."""

    @contextmanager
    def opened() -> Iterator[Session]:
        with app.app_context():
            engine = db.engine
        with Session(engine) as session, session.begin():
            yield session

    return opened


@pytest.fixture
def bill(transaction):
    def billed(on: date = DAY, **more: Any) -> Report:
        return billing_run.run(transaction, on, lambda: noon(on), **more)

    return billed


def everything(session: Session) -> list[dict[str, Any]]:
    """Every document with its lines, as rows, without the keys that only say which came first."""
    session.expire_all()
    found = []
    for invoice in session.scalars(
        select(Invoice).order_by(Invoice.subscription_id, Invoice.run_on, Invoice.id)
    ):
        columns = {column.name: getattr(invoice, column.name) for column in Invoice.__table__.c}
        for name in ("id", "number", "series_number", "ogm"):
            columns.pop(name)
        columns["lines"] = [
            {
                column.name: getattr(line, column.name)
                for column in InvoiceLine.__table__.c
                if column.name not in ("id", "invoice_id")
            }
            for line in invoice.lines
        ]
        found.append(columns)
    return found


def subscriptions_now(session: Session) -> list[tuple[Any, ...]]:
    rows = select(
        Subscription.id,
        Subscription.status,
        Subscription.billed_until,
        Subscription.settled_on,
        Subscription.due_on,
    ).order_by(Subscription.id)
    return [tuple(row) for row in session.execute(rows)]


def all_sorts(session: Session) -> None:
    """One subscription of each sort: plain months in three languages, and what is not plain at all."""
    options = [NewOption("emails", 4), NewOption("signage"), NewOption("booking", at=2)]
    a_subscription(
        session,
        starts_on=date(2026, 10, 1),
        establishments=3,
        options=options,
        billed_through=date(2026, 10, 1),
    )
    for language in ("nl", "en"):
        account = an_account(session, language=language)
        a_subscription(
            session, "premium", starts_on=date(2026, 10, 1), establishments=5, options=options, account=account,
            billed_through=date(2026, 10, 1),
        )  # fmt: skip
    a_subscription(
        session, "essentiel", "annual", starts_on=date(2025, 11, 1), billed_through=date(2025, 11, 1)
    )
    a_subscription(
        session, starts_on=date(2026, 7, 31), billed_through=date(2026, 9, 1)
    )  # several periods due
    a_subscription(session, starts_on=date(2026, 11, 2))  # not due
    a_subscription(
        session, starts_on=date(2026, 10, 1), reseller=a_reseller(session), billed_through=date(2026, 10, 1)
    )
    french = an_account(
        session,
        country="FR",
        vat_number="FR40303265045",
        enterprise_number=None,
        vat_treatment="reverse_charge",
    )
    a_subscription(session, starts_on=date(2026, 10, 15), account=french)
    changed = a_subscription(
        session, "premium", starts_on=date(2026, 10, 1), billed_through=date(2026, 10, 1)
    )
    on = date(2026, 10, 20)
    preview = subscriptions.preview_plan(session, changed.id, "pro", "monthly", on)
    subscriptions.change_plan(
        session, changed.id, "pro", "monthly", preview.fingerprint, on, noon(on), CLAIRE, "http://localhost/"
    )
    with_credit = a_subscription(session, starts_on=date(2026, 9, 1), billed_through=date(2026, 10, 1))
    invoice = session.scalars(select(Invoice).where(Invoice.account_id == with_credit.account_id)).first()
    session.add(
        CreditBalanceEntry(
            account_id=with_credit.account_id,
            amount_cents=1234,
            currency="EUR",
            invoice_id=invoice.id,
            created_at=noon(on),
        )
    )
    session.flush()


def test_the_run_issues_what_one_by_one_issues(session, bill):
    all_sorts(session)
    session.commit()
    for subscription_id in billing.subscriptions_due(session, DAY):
        billing.bill_due(session, subscription_id, DAY, noon(DAY))
    expected, moved = everything(session), subscriptions_now(session)
    session.rollback()
    report = bill()
    assert everything(session) == expected
    assert subscriptions_now(session) == moved
    assert (report.due, report.billed, report.failed) == (9, 9, 0)
    assert report.documents == 10
    assert invariants.broken(session) == []


def many(session: Session, number: int, starts_on: date = DAY) -> None:
    for _each in range(number):
        a_subscription(session, starts_on=starts_on, establishments=2, options=[NewOption("emails", 2)])
    session.commit()


def billed_periods(session: Session) -> list[tuple[Any, ...]]:
    session.rollback()
    rows = select(Invoice.subscription_id, Invoice.run_on, Invoice.total_cents).where(
        Invoice.run_kind.is_not(None)
    )
    return sorted(tuple(row) for row in session.execute(rows))


# ── What is set aside ────────────────────────────────────────────────────────────────────────────────────────────


def test_who_cannot_be_billed_is_set_aside_with_the_cause_and_the_others_are_billed(session, bill):
    wrong = a_subscription(session, starts_on=DAY)
    session.execute(
        update(BillingDetails)
        .where(BillingDetails.account_id == wrong.account_id)
        .values(postcode="", city="")
    )
    unpriced = a_subscription(session, "pro", starts_on=DAY, options=[NewOption("emails", 1)])
    session.execute(update(SubscriptionOption).values(monthly_cents=None))
    a_subscription(session, starts_on=DAY)
    session.commit()
    report = bill()
    assert (report.billed, report.failed) == (1, 2)
    kept = {row.subscription_id: row for row in session.scalars(select(BillingRunFailure))}
    assert kept[wrong.id].facts == [
        {"subject": "buyer", "field": "postcode", "code": "missing"},
        {"subject": "buyer", "field": "city", "code": "missing"},
    ]
    assert kept[unpriced.id].code == "KeyError"
    assert session.scalars(select(Series.last_number)).all() == [1]
    session.rollback()
    assert (bill().failed, len(billed_periods(session))) == (2, 1)


GOOD_SELLER = {
    "name": "CentralApp", "legal_name": "CentralApp SA", "street": "Rue du Marché aux Herbes 61", "postcode": "1000",
    "city": "Bruxelles", "country": "BE", "vat_number": "BE0765432146", "enterprise_number": "0765432146",
    "iban": "BE68539007547034",
}  # fmt: skip
TEXTS = st.sampled_from(["Rue du Parc 1", "Ça, c’est Gand", " ", "", None, "\xa0", "a\x07", "x\n", "\x7f"])
NUMBERS = st.sampled_from(
    ["0876543270", "0765432146", "0876543271", "1876543270", "2876543270", "BE0876543270", "BE0876543271",
     "0208:0876543270", "0208:0876543271", "٠876543270", "08765432 0", "NL123456782B01", "", None]
)  # fmt: skip


@settings(max_examples=2000, deadline=None)
@given(
    kind=st.sampled_from(["business", "consumer"]),
    texts=st.tuples(TEXTS, TEXTS, TEXTS, TEXTS),
    country=st.sampled_from(["BE", "BE", "BE", "NL", "", None]),
    numbers=st.tuples(NUMBERS, NUMBERS, NUMBERS),
)
@example("business", ("Parc SRL", "Rue 1", "1000", "Gand"), "BE", ("BE0876543270", "0876543270", None))
@example("consumer", ("Anne", "Rue 1", "1000", "Gand"), "BE", (None, None, None))
def test_plain_details_are_details_in_which_the_rules_find_nothing(kind, texts, country, numbers):
    vat_number, enterprise_number, peppol_id = numbers
    details = (kind, *texts, country, vat_number, enterprise_number, peppol_id)
    is_plain = has_plain_details(*details)
    event("plain" if is_plain else "left to the rules")
    buyer = dict(zip(DETAILS, details, strict=True)) | {"reference": "CA-1"}
    found = documents.account_problems(
        seller=documents.party(GOOD_SELLER),
        seller_details=GOOD_SELLER,
        buyer=buyer,
        payment={"method": "transfer"},
        rate=STANDARD,
    )
    assert not (is_plain and found)


def test_what_is_wrong_with_the_seller_is_told_for_each_customer(session, bill):
    many(session, 3)
    session.execute(update(Issuer).values(iban=""))
    session.commit()
    report = bill()
    assert (report.billed, report.failed) == (0, 3)
    assert {problem for failure in report.failures for problem in failure.facts} == {
        Problem("seller", "iban", "missing")
    }


def test_one_that_the_database_refuses_does_not_take_its_page_along(session, bill):
    many(session, 3, date(2026, 10, 1))
    assert bill(date(2026, 10, 1)).documents == 3
    first = session.scalars(select(Subscription).order_by(Subscription.id)).first()
    first.billed_until = first.due_on = first.settled_on = date(2026, 10, 1)  # as a restored copy might say
    session.commit()
    report = bill()
    assert (report.documents, report.failed) == (2, 1)
    assert report.failures[0].code == "IntegrityError"
    assert invariants.broken(session) == []


def test_the_run_row_tells_what_was_done(session, bill):
    many(session, 5, date(2026, 10, 1))
    report = bill(page_size=2)
    row = session.get_one(BillingRun, report.run_id)
    assert (row.status, row.due, row.billed, row.documents, row.failed) == ("done", 5, 5, 10, 0)
    assert (row.net_cents, row.total_cents) == (report.net_cents, report.total_cents)
    assert row.total_cents == session.scalar(select(func.sum(Invoice.total_cents)))


def test_nothing_is_issued_on_documents_that_do_not_hold_together(session, bill):
    many(session, 1, date(2026, 10, 1))
    bill(date(2026, 10, 1))
    session.execute(update(Series).values(last_number=7))
    session.commit()
    with pytest.raises(InvariantsBroken, match="numbers have no gap"):
        bill()
    assert len(billed_periods(session)) == 1


def test_an_account_that_does_not_exist_is_refused(bill):
    with pytest.raises(UnknownAccount):
        bill(reference="CA-0")


# ── As many pages as one likes ───────────────────────────────────────────────────────────────────────────────────


def test_a_page_costs_the_same_however_much_is_due(session):
    """On SQLite the planner once preferred to walk through everything due, for each page."""
    dialect = session.get_bind().dialect
    if dialect.name != "sqlite":
        return  # the planner of PostgreSQL knows how many rows there are
    for name, statement in _statements(dialect).items():
        said = session.connection().exec_driver_sql(
            f"EXPLAIN QUERY PLAN {statement.compile(dialect=dialect, compile_kwargs={'render_postcompile': True})}",
            tuple("[]" for _bind in statement.compile(dialect=dialect).positiontup),
        )
        steps = [row[3] for row in said]
        assert not any("ix_subscriptions_due" in step for step in steps), (name, steps)
        assert all("SEARCH" in step or "anon" in step or "LIST" in step or "B-TREE" in step for step in steps)


def test_statements_are_made_once_and_not_for_each_page(session, bill):
    many(session, 8)
    bill(page_size=4)
    made = bulk_rows._compiled.cache_info().misses
    many(session, 8)
    assert bill(page_size=2).documents == 8
    assert bulk_rows._compiled.cache_info().misses == made


# ── The clock one day off ────────────────────────────────────────────────────────────────────────────────────────


def test_a_day_too_early_bills_nothing_and_a_day_too_late_the_same_periods(session, bill):
    many(session, 2, starts_on=DAY)
    assert bill(DAY - timedelta(days=1)).documents == 0
    late = DAY + timedelta(days=1)
    assert bill(late).documents == 2
    assert {run_on for _id, run_on, _cents in billed_periods(session)} == {DAY}
    a_subscription(session, starts_on=DAY)
    session.commit()
    assert bill(DAY).documents == 1
    assert set(session.scalars(select(Invoice.issued_on))) == {late}, "dates follow the numbers"


# ── Killed, started twice, full disk, database gone ──────────────────────────────────────────────────────────────


def start(session: Session, *more: str) -> subprocess.Popen[bytes]:
    url = session.get_bind().engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "tests.support.killable_run", url, DAY.isoformat(), *more]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_killed_anywhere_and_started_again_or_twice_it_ends_with_the_same_invoices(session):
    many(session, 20)
    many(session, 4, date(2026, 10, 1))  # two periods due: these go one by one
    session.rollback()
    for points in (POINTS[:2], POINTS[2:]):
        killed = [start(session, point, nth) for point in points for nth in ("1", "2")[: 4 - len(points)]]
        codes = [run.wait(120) for run in killed]
        assert set(codes) <= {0, 9} and 9 in codes
    last = start(session), start(session)
    assert [run.wait(120) for run in last] == [0, 0]
    found = billed_periods(session)
    assert len(found) == len({each[:2] for each in found}) == 28
    assert session.scalars(select(Series.last_number)).all() == [28]
    assert session.scalar(select(func.count()).select_from(InvoiceLine)) == 28 * 3
    assert invariants.broken(session) == []


def test_a_full_disk_stops_the_run_cleanly_and_it_completes_later(session, bill, app, transaction):
    if session.get_bind().dialect.name != "sqlite":
        return  # the pages of PostgreSQL cannot be counted out from here
    many(session, 60)

    @contextmanager
    def cramped() -> Iterator[Session]:
        with transaction() as opened:
            [[pages]] = opened.execute(text("PRAGMA page_count"))
            if not room:
                room.append(pages + 12)
            opened.execute(text(f"PRAGMA max_page_count = {room[0]}"))
            yield opened

    room: list[int] = []
    with pytest.raises(OperationalError, match="full"):
        billing_run.run(cramped, DAY, lambda: noon(DAY), page_size=5)
    session.rollback()
    done = len(billed_periods(session))
    assert 0 < done < 60
    assert invariants.broken(session) == []
    session.rollback()
    with app.app_context():
        db.engine.dispose()
    bill()
    assert len(billed_periods(session)) == 60
    assert invariants.broken(session) == []


def test_a_database_that_goes_away_leaves_nothing_half_done(session, bill):
    if session.get_bind().dialect.name != "postgresql":
        return  # SQLite has no server to lose
    many(session, 20)

    def cut(point: str) -> None:
        if point == "after_lines" and not gone:
            gone.append(point)
            session.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
            session.rollback()

    gone: list[str] = []
    with pytest.raises(OperationalError):
        bill(page_size=5, reached=cut)
    assert gone and invariants.broken(session) == []
    bill()
    assert len(billed_periods(session)) == 20
    assert invariants.broken(session) == []
