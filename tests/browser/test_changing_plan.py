"""The portal's main job in a real browser: upgrade mid-period, schedule a cheaper plan, undo it.

With and without scripts, on a wide screen and on a phone, in French and in Dutch.
"""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewPage, Server, axe_violations

OWNER, PASSWORD = "claire@brasserieduparc.example", "demo-portail-2026"
CONFIRMED = re.compile(r"/formules/confirmation")
WAYS = [
    pytest.param({"width": 1280}, "fr", id="wide-french"),
    pytest.param({"width": 390, "scripts": False, "locale": "nl-BE"}, "nl", id="phone-dutch-without-scripts"),
    pytest.param({"width": 390, "scheme": "dark"}, "fr", id="phone-dark"),
]


def sign_in(page: Page, server: Server, language: str = "fr") -> None:
    page.goto(f"{server.address}/connexion")
    page.locator("#email").fill(OWNER)
    page.locator("#password").fill(PASSWORD)
    page.locator("main button[type=submit]").first.click()
    expect(page.locator("h1")).to_be_visible()
    if page.locator("html").get_attribute("lang") != language:
        page.locator(f"button[lang={language}]:visible, .side-foot button[lang={language}]").first.click()
    open_brasserie(page)


def open_brasserie(page: Page) -> None:
    """Claire has two businesses: choose the one of the story."""
    if not page.locator("#plan").count():
        page.locator("#account-CA-10234 a.btn").click()
    expect(page.locator("#plan")).to_be_visible()


def amounts(page: Page, selector: str) -> list[str]:
    return [re.sub(r"\s", " ", text).strip() for text in page.locator(selector).all_inner_texts()]


@pytest.mark.parametrize(("looks", "language"), WAYS)
def test_an_owner_upgrades_and_is_invoiced_what_was_previewed(
    own_server: Server, new_page: NewPage, looks: dict[str, object], language: str
) -> None:
    page = new_page(**looks)
    sign_in(page, own_server, "fr")
    if language != "fr":
        choose_language(page, own_server, language)
    page.locator("#plan a[href$='/formules']").click()
    page.locator("article[aria-labelledby=plan-premium] a.btn").click()
    expect(page.locator("#price-summary .amount")).to_contain_text("27,83")
    previewed = amounts(page, "#preview .data.stacks tbody .money")
    assert [re.sub(r"[^0-9,−-]", "", amount) for amount in previewed] == ["74,50", "−39,50", "−12,00"]
    page.locator("#confirm button").click()
    expect(page.locator("#document .amount")).to_contain_text("27,83")
    page.locator("#document a.btn").click()
    invoiced = amounts(page, "main table tbody .money")
    assert sorted(invoiced) == sorted(previewed)


def choose_language(page: Page, server: Server, language: str) -> None:
    page.goto(f"{server.address}/compte/preferences")
    page.locator("select[name=language], input[name=language]").first.wait_for()
    if page.locator("select[name=language]").count():
        page.locator("select[name=language]").select_option(language)
    else:
        page.locator(f"input[name=language][value={language}]").check()
    page.locator("main form button[type=submit]").first.click()
    page.goto(server.address)
    expect(page.locator("html")).to_have_attribute("lang", language)
    open_brasserie(page)


@pytest.mark.parametrize(("looks", "language"), WAYS)
def test_a_cheaper_plan_is_scheduled_for_the_renewal_and_undone(
    own_server: Server, new_page: NewPage, looks: dict[str, object], language: str
) -> None:
    page = new_page(**looks)
    sign_in(page, own_server, "fr")
    if language != "fr":
        choose_language(page, own_server, language)
    page.locator("#plan a[href$='/formules']").click()
    page.locator("article[aria-labelledby=plan-essentiel] a.btn").click()
    expect(page.locator("#price-summary .amount")).to_contain_text("0,00")
    page.locator("#confirm button").click()
    expect(page).to_have_url(CONFIRMED)  # the preview names the date too: wait for the next page
    page.locator(".page-header .crumb").click()
    expect(page.locator("#pending-changes")).to_contain_text("2027")
    page.locator("#pending-changes form").last.locator("button").click()
    expect(page.locator("#pending-changes")).not_to_contain_text("2027")
    page.reload()
    expect(page.locator("#pending-changes")).not_to_contain_text("2027")


def test_a_double_click_on_confirm_issues_one_invoice(own_server: Server, new_page: NewPage) -> None:
    page = new_page()
    sign_in(page, own_server)
    page.locator("#plan a[href$='/formules']").click()
    page.locator("article[aria-labelledby=plan-premium] a.btn").click()
    page.locator("#confirm button").dblclick()
    expect(page.locator("#document .amount")).to_contain_text("27,83")
    number = page.locator("#document h2").inner_text()
    page.go_back()
    page.locator("#confirm button, #refused-title, #plans").first.wait_for()
    if page.locator("#confirm button").count():
        page.locator("#confirm button").click()
        page.locator("#document, #refused-title").first.wait_for()
    if page.locator("#document").count():
        assert page.locator("#document h2").inner_text() == number


@pytest.mark.parametrize("scripts", [True, False])
def test_back_after_the_confirmation_offers_nothing_to_send_again(
    own_server: Server, new_page: NewPage, scripts: bool
) -> None:
    page = new_page(width=390, scripts=scripts)
    sign_in(page, own_server)
    page.locator("#plan a[href$='/formules']").click()
    page.locator("article[aria-labelledby=plan-premium] a.btn").click()
    page.locator("#confirm button").click()
    expect(page).to_have_url(CONFIRMED)
    number = page.locator("#document h2").inner_text()
    page.go_back()
    expect(page.locator("h1")).to_be_visible()
    assert not CONFIRMED.search(page.url)
    expect(page.locator("#confirm")).to_have_count(0)
    page.go_forward()
    expect(page.locator("#document h2")).to_have_text(number)


def test_a_second_tab_that_is_stale_shows_the_new_figures(own_server: Server, new_page: NewPage) -> None:
    page = new_page()
    sign_in(page, own_server)
    page.locator("#plan a[href$='/formules']").click()
    plans = page.url
    page.locator("article[aria-labelledby=plan-premium] a.btn").click()
    other = page.context.new_page()
    other.goto(plans)
    other.locator("article[aria-labelledby=plan-essentiel] a.btn").click()
    other.locator("#confirm button").click()
    expect(other).to_have_url(CONFIRMED)
    page.locator("#confirm button").click()
    expect(page.locator("#stale-title")).to_be_visible()
    expect(page.locator("#stale-title").locator("xpath=ancestor::section")).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_pages_of_the_change_are_accessible(
    server: Server, new_page: NewPage, width: int, scheme: str
) -> None:
    page = new_page(width=width, scheme=scheme)
    sign_in(page, server)
    assert axe_violations(page) == []
    page.locator("#plan a[href$='/formules']").click()
    expect(page.locator("#plans")).to_be_visible()
    assert axe_violations(page) == []
    page.locator("article[aria-labelledby=plan-premium] a.btn").click()
    expect(page.locator("#confirm")).to_be_visible()
    assert axe_violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
