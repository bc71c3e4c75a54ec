"""A day of the billing team in a real browser, in Dutch: a call about a wrong invoice, and a gesture that is undone."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewPage, Server, axe_violations
from tests.browser.test_leaving import PASSWORD
from tests.browser.test_leaving import sign_in as sign_in_as_client

TEAM = "equipe@centralapp.example"
WAYS = [
    pytest.param({"width": 1280}, id="wide"),
    pytest.param({"width": 390, "scripts": False}, id="phone-without-scripts"),
    pytest.param({"width": 390, "scheme": "dark"}, id="phone-dark"),
]


def sign_in(page: Page, server: Server, email: str = TEAM) -> None:
    page.goto(f"{server.address}/connexion")
    page.locator("#email").fill(email)
    page.locator("#password").fill(PASSWORD)
    page.locator("main button[type=submit]").first.click()
    page.goto(f"{server.address}/compte/preferences")
    page.locator("main [name=language][value=nl]").first.check()
    page.locator("main form button[type=submit]").first.click()
    expect(page.locator("html")).to_have_attribute("lang", "nl")


def looks_right(page: Page, looks: dict[str, object]) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), page.url
    if looks.get("scripts", True):
        assert axe_violations(page) == []


@pytest.mark.parametrize("looks", WAYS)
def test_a_call_about_a_wrong_invoice_ends_with_a_credit_note_that_the_client_reads(
    own_server: Server, new_page: NewPage, looks: dict[str, object]
) -> None:
    page = new_page(**looks)
    sign_in(page, own_server)
    page.goto(f"{own_server.address}/equipe/comptes/CA-10234/gestes")
    looks_right(page, looks)
    page.get_by_role("link", name="Een creditnota uitreiken").click()
    found = page.locator("#found tbody a.btn").first
    number = (found.inner_text().split() or [""])[-1]
    assert number.startswith("F2026-")
    found.click()
    page.locator("[name=scope][value=amount]").check()
    page.locator("[name=amount]").fill("12,10")
    page.locator("#choose button[type=submit]").click()
    expect(page.locator("#note")).to_contain_text("12,10")
    page.locator("#confirm button[type=submit]").click()
    expect(page.locator("#error-summary")).to_be_visible()
    page.locator("[name=reason]").fill("Dubbel aangerekende mailbox")
    page.locator("#confirm button[type=submit]").click()
    expect(page.locator("#flashes")).to_contain_text("NC2026-")
    client = new_page(**looks)
    address = sign_in_as_client(client, own_server, "nl")
    client.goto(f"{address}/historique")
    expect(client.locator("main")).to_contain_text("Dubbel aangerekende mailbox")


@pytest.mark.parametrize("looks", WAYS)
def test_a_discount_is_shown_granted_read_by_the_client_and_undone(
    own_server: Server, new_page: NewPage, looks: dict[str, object]
) -> None:
    page = new_page(**looks)
    sign_in(page, own_server)
    page.goto(f"{own_server.address}/equipe/comptes/CA-10234/gestes")
    page.get_by_role("link", name="Een korting toekennen").click()
    looks_right(page, looks)
    page.locator("[name=percent]").fill("20")
    page.locator("[name=starts][value=today]").check()
    page.locator("[name=until]").fill("2026-12-31")
    page.locator("#choose button[type=submit]").click()
    expect(page.locator("#price-summary")).to_contain_text("1 december 2026")
    looks_right(page, looks)
    page.locator("[name=reason]").fill("Storing van 12 november")
    page.locator("#confirm button[type=submit]").click()
    expect(page.locator("#made li").first).to_contain_text("Korting van 20")
    client = new_page(**looks)
    address = sign_in_as_client(client, own_server, "nl")
    expect(client.locator("html")).to_have_attribute("lang", "nl")
    client.goto(address)
    expect(client.locator("#next-invoice")).to_contain_text("31 december 2026")
    page.locator("#made a.btn").first.click()
    looks_right(page, looks)
    page.locator("[name=reason]").fill("Bij vergissing toegekend")
    page.locator("#confirm button[type=submit]").click()
    expect(page.locator("#made li").first).to_contain_text("Ongedaan gemaakt")
    expect(page.locator("#made a.btn")).to_have_count(0)
