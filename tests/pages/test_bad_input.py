"""What should never be sent, and what should never happen: a clear answer, and nothing written.

Forged prices, expired previews, unknown plans and others' identifiers are tried beside the page they concern; a broken
catalogue in tests/commands.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import date

import pytest
from flask import Flask
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from tests.builders import Signed, a_subscription, a_user
from tests.support.page import Form, Page
from tests.support.signing_in import sign_in
from webapp.extensions import db
from webapp.models.base import Base

TODAY = date(2026, 11, 16)

Rows = dict[str, int]


@pytest.fixture
def parc(session: Session, client, clock) -> Signed:
    signed = a_subscription(session, establishments=2, billed_through=TODAY)
    sign_in(client, session, a_user(session, signed.account))
    return signed


def rows(session: Session) -> Rows:
    """How many rows each table has."""
    tables = Base.metadata.sorted_tables
    counted = {table.name: session.scalar(select(func.count()).select_from(table)) or 0 for table in tables}
    session.rollback()  # SQLite has one writer, and it is the portal's turn
    return counted


@pytest.fixture
def full_disk(app: Flask) -> Callable[[], AbstractContextManager[None]]:
    """`with full_disk():` the database may not grow by a page, on any connection of the portal."""

    def limit(connection: sqlite3.Connection, _record: object = None) -> None:
        [[pages]] = connection.execute("PRAGMA page_count")
        connection.execute(f"PRAGMA max_page_count = {pages}")

    @contextmanager
    def full() -> Iterator[None]:
        with app.app_context():
            engine = db.engine
        engine.dispose()
        with closing(sqlite3.connect(str(engine.url.database))) as raw:
            raw.execute("VACUUM")  # no free page is left inside the file either
        event.listen(engine, "connect", limit)
        try:
            yield
        finally:
            event.remove(engine, "connect", limit)
            engine.dispose()

    return full


def a_plan(client, signed: Signed) -> Form:
    return Page.get(
        client, f"/abonnements/{signed.id}/formules/premium/apercu", facturation="mensuelle"
    ).form("confirm")


@pytest.mark.parametrize("htmx", [False, True])
def test_a_confirmation_on_a_full_disk_says_so_writes_nothing_and_works_once_there_is_room(
    client, session, parc, full_disk, htmx
):
    if session.get_bind().dialect.name != "sqlite":
        return  # the pages of PostgreSQL cannot be counted out from here
    form = a_plan(client, parc)
    before = rows(session)
    with full_disk():
        answer = form.submit(htmx=htmx)
        assert answer.status == 503
        assert "Rien n’a été modifié" in answer.text("#problem" if htmx else "main")
        assert Page.get(client, f"/abonnements/{parc.id}").status == 200, "reading needs no room"
    assert rows(session) == before
    done = form.submit()
    assert done.text("h1") == "Premium est votre formule"
    assert rows(session)["invoices"] == before["invoices"] + 1


def test_options_saved_on_a_full_disk_can_be_saved_again_later(client, session, parc, full_disk):
    if session.get_bind().dialect.name != "sqlite":
        return
    options = Page.get(client, f"/abonnements/{parc.id}/options").form("options-form").fill(logo=True)
    drawn = options.submit("Mettre à jour le total")
    form = drawn.form("options-form").submit(drawn.text("#price-summary .btn.primary")).form("confirm")
    before = rows(session)
    with full_disk():
        assert form.submit().status == 503
    assert rows(session) == before
    assert form.submit().status == 200
    assert rows(session)["subscription_options"] == before["subscription_options"] + 1


QUANTITIES = ("-1", "0", "1001", "9" * 400, "1e9", "2.5", "٣", "NaN", "4; DROP TABLE users", "")


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_a_quantity_that_cannot_be_sold_is_answered_and_nothing_is_written(client, session, parc, quantity):
    page = Page.get(client, f"/abonnements/{parc.id}/options")
    drawn = page.form("options-form").fill(emails=True).submit("Mettre à jour le total")
    confirm = drawn.form("options-form").submit(drawn.text("#price-summary .btn.primary")).form("confirm")
    before = rows(session)
    drafted = page.form("options-form").fill(emails=True, **{"emails-quantity": quantity})
    assert drafted.submit("Mettre à jour le total").status in {200, 422}
    forged = confirm.fill(wish=f"emails={quantity}").submit()
    assert forged.status in {409, 422}
    assert forged.text("h1")
    assert rows(session) == before


@pytest.mark.parametrize(
    "rest",
    [
        "formules/premium/apercu?facturation=%00",
        "formules/" + "p" * 5000 + "/apercu",
        "formules/%F0%9F%92%A5/apercu?facturation=mensuelle",
        "factures?page=-1",
        "factures?page=99999999999999999999999",
        "factures/999999999999999999999999",
        "etablissements?q=%27%22%3Cscript%3E",
        "historique?page=%D9%A3",
    ],
)
def test_an_address_written_by_hand_gets_a_page_and_never_an_error_of_ours(client, session, parc, rest):
    page = Page.get(client, f"/abonnements/{parc.id}/{rest}")
    assert page.status in {200, 400, 404, 422}
    assert page.text("h1")
