"""Paying in a real browser, on a phone and on a wide screen, with and without scripts, in three languages."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewPage, Server, axe_violations
from tests.browser.test_leaving import sign_in

OWNER, ACCOUNT = "antoine@friterieantoine.example", "CA-10277"  # two invoices past due, one that is not
WAYS = [
    pytest.param({"width": 390}, "fr", id="phone-french"),
    pytest.param({"width": 390, "scripts": False}, "nl", id="phone-dutch-without-scripts"),
    pytest.param({"width": 1280, "scheme": "dark"}, "en", id="wide-english-dark"),
]
PAID = {"fr": "est reçu", "nl": "is ontvangen", "en": "is received"}


def fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), page.url


@pytest.mark.parametrize(("looks", "language"), WAYS)
def test_what_is_past_due_is_paid_on_the_providers_page_and_it_is_said_at_once(
    own_server: Server, new_page: NewPage, looks: dict[str, object], language: str
) -> None:
    page = new_page(**looks)
    address = sign_in(page, own_server, language, OWNER, ACCOUNT)
    page.goto(f"{address}/payer")
    fits(page)
    expect(page.locator("#transfer .qr svg")).to_have_count(2)
    box = page.locator("#transfer .qr svg").first.bounding_box()
    assert box is not None and box["width"] > 120  # a telephone must be able to read it
    if looks.get("scripts", True):
        assert axe_violations(page) == []
    page.locator("#online button").click()
    page.wait_for_url("**/demonstration/**")
    fits(page)
    if looks.get("scripts", True):
        assert axe_violations(page) == []
    page.locator("button[value=accept]").click()
    expect(page.locator("#outcome-title")).to_contain_text(PAID[language])
    fits(page)
    if looks.get("scripts", True):
        assert axe_violations(page) == []
    page.goto(f"{address}/payer")
    expect(page.locator("#transfer .qr svg")).to_have_count(1)


def test_the_total_follows_the_boxes_and_the_page_waits_for_the_bank_by_itself(
    own_server: Server, new_page: NewPage
) -> None:
    page = new_page(width=390)
    address = sign_in(page, own_server, "fr", OWNER, ACCOUNT)
    page.goto(f"{address}/payer")
    before = page.locator("#total .amount").inner_text()
    page.locator("#choose input[type=checkbox]").first.uncheck()
    expect(page.locator("#total .amount")).not_to_have_text(before)
    page.locator("#online button").click()
    page.wait_for_url("**/demonstration/**")
    provider = page.url
    page.locator("button[value=later]").click()
    expect(page.locator("#outcome-title")).to_have_text("Votre banque n’a pas encore répondu")
    # The bank answers in another tab; this one finds out without being touched.
    other = page.context.new_page()
    other.goto(provider)
    other.locator("button[value=accept]").click()
    expect(other.locator("#outcome-title")).to_contain_text("est reçu")
    expect(page.locator("#outcome-title")).to_contain_text("est reçu")
    assert axe_violations(page) == []
