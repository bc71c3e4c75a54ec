"""The billing room in a real browser: in Dutch, a run with three failures is mended and completed, by real processes."""

import sqlite3
from contextlib import closing
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import NewPage, Server, axe_violations
from tests.browser.test_leaving import PASSWORD

TEAM = "equipe@centralapp.example"
SLOW = 60_000  # milliseconds: a process starts, on a machine that does other things


def rows(server: Server, statement: str, *values: object) -> list[tuple[object, ...]]:
    file = Path(server.environment["PORTAL_INSTANCE"]) / "portal.sqlite3"
    with closing(sqlite3.connect(file, timeout=20)) as database, database:
        return database.execute(statement, values).fetchall()


def enter(page: Page, server: Server, language: str) -> None:
    page.goto(f"{server.address}/connexion")
    page.locator("#email").fill(TEAM)
    page.locator("#password").fill(PASSWORD)
    page.locator("main button[type=submit]").first.click()
    page.goto(f"{server.address}/compte/preferences")
    page.locator(f"main [name=language][value={language}]").first.check()
    page.locator("main form button[type=submit]").first.click()
    page.goto(f"{server.address}/equipe/facturation")
    expect(page.locator("html")).to_have_attribute("lang", language)


def test_a_run_with_three_failures_is_mended_and_completed_in_dutch(
    late_server: Server, new_page: NewPage
) -> None:
    found = rows(
        late_server,
        "SELECT DISTINCT b.account_id, b.street, a.reference FROM billing_details b"
        " JOIN accounts a ON a.id = b.account_id JOIN subscriptions s ON s.account_id = a.id"
        " WHERE s.status = 'active' AND s.due_on <= '2027-01-02' ORDER BY a.reference LIMIT 3",
    )
    assert len(found) == 3
    for account_id, _street, _reference in found:
        rows(late_server, "UPDATE billing_details SET street = '' WHERE account_id = ?", account_id)
    page = new_page(locale="nl-BE")
    enter(page, late_server, "nl")
    assert axe_violations(page) == []
    page.locator("#preview button[type=submit]").click()
    expect(page.locator("#preview-totals")).to_be_visible(timeout=SLOW)  # the page asks by itself
    expect(page.locator("#billing-job")).to_contain_text("3 accounts na te kijken")
    assert axe_violations(page) == []
    page.locator("#start button").click()
    run = page.locator("#billing-run")
    expect(run.locator(".badge")).to_have_text("Na te kijken", timeout=SLOW)
    expect(run.locator("#refresh")).to_have_count(0)
    expect(run.locator("tbody tr")).to_have_count(3)
    expect(run.locator("td.full").first).to_contain_text("straat en nummer")
    assert axe_violations(page) == []
    # Each is mended: one is tried alone, the two others together.
    for account_id, street, _reference in found:
        rows(late_server, "UPDATE billing_details SET street = ? WHERE account_id = ?", street, account_id)
    page.locator(f"#retry-{found[0][2]} button").click()
    expect(run.locator("#refresh")).to_have_count(0, timeout=SLOW)
    expect(run.locator("tbody tr")).to_have_count(2)
    page.locator("#retry-all button").click()
    expect(run.locator(".badge")).to_have_text("Klaar", timeout=SLOW)
    expect(page.locator("#run-failures")).to_have_count(0)
    left = rows(
        late_server, "SELECT count(*) FROM subscriptions WHERE status = 'active' AND due_on <= '2027-01-02'"
    )
    assert left == [(0,)]
    page.goto(f"{late_server.address}/equipe/facturation/numeros")
    page.locator("#verify button").click()
    expect(page.locator("#billing-job .badge")).to_have_text("Klaar", timeout=SLOW)
    page.goto(f"{late_server.address}/equipe/facturation/numeros")
    expect(page.locator("#checks .badge", has_text="Klopt")).to_have_count(7)
    expect(page.locator("#checks .badge", has_text="niet")).to_have_count(0)
    assert axe_violations(page) == []


def test_on_a_phone_without_scripts_a_run_is_followed_by_reloading(
    late_server: Server, new_page: NewPage
) -> None:
    page = new_page(width=390, scripts=False, scheme="dark")
    enter(page, late_server, "en")
    page.locator("#preview button[type=submit]").click()
    for _ in range(100):
        if page.locator("#preview-totals").count():
            break
        page.wait_for_timeout(300)
        page.locator("#refresh").click()
    page.locator("#start button").click()
    for _ in range(100):
        if not page.locator("#refresh").count():
            break
        page.wait_for_timeout(300)
        page.locator("#refresh").click()
    expect(page.locator("#billing-run .badge")).to_have_text("Finished")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
