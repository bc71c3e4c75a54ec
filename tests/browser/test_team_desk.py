"""A call answered in Dutch: / to search, the desk, a note, the client's own page and back. Then the same without scripts."""

import pytest

from tests.browser.conftest import Server, axe_violations

TEAM, PASSWORD = "equipe@centralapp.example", "demo-portail-2026"


def enter(server: Server, page) -> None:
    page.goto(f"{server.address}/connexion")
    page.fill("#email", TEAM)
    page.fill("#password", PASSWORD)
    page.press("#password", "Enter")
    page.wait_for_url(lambda url: "/connexion" not in url)


def speak_dutch(page) -> None:
    if page.evaluate("document.documentElement.lang") != "nl":
        page.locator("form.langs button[value=nl]").first.dispatch_event("click")
        page.wait_for_selector("html[lang=nl]", state="attached")


def test_a_call_is_answered_from_the_keyboard(own_server, new_page):
    page = new_page(width=1440, locale="nl-BE")
    enter(own_server, page)
    page.goto(f"{own_server.address}/equipe/comptes")
    speak_dutch(page)
    page.locator("h1").click()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "team-q"
    page.keyboard.type("0876.543.270")
    page.keyboard.press("Enter")
    page.wait_for_url("**/equipe/comptes/CA-10234")
    assert page.text_content("h1") == "Brasserie du Parc"
    assert "Contractvoorwaarden" in page.text_content("#terms")
    assert axe_violations(page) == []

    page.fill("#text", "Belde over / de factuur")  # the key is a sign like another in a field
    page.click("#note button")
    page.wait_for_selector("#account-notes li")
    assert "Belde over / de factuur" in page.text_content("#account-notes")
    page.click("#account-history .genres a:has-text('E-mails')")
    page.wait_for_selector("#account-history .genres a[aria-current]:has-text('E-mails')")

    page.click("text=Bekijken als klant")
    page.fill("#reason", "Vraag over de factuur")
    page.click("#menu-voir button.primary")
    page.wait_for_selector("#viewing")
    assert "U ziet wat Brasserie du Parc ziet" in page.text_content("#viewing-title")
    assert axe_violations(page) == []
    before = page.text_content("#next-invoice")
    page.click("main form[action*='/annuler'] button")  # keep the option that ends: not from here
    page.wait_for_selector("#problems p")
    page.reload()
    assert page.text_content("#next-invoice") == before
    page.click("#stop-viewing button")
    page.wait_for_url("**/equipe/comptes/CA-10234")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_desk_fits_a_phone(server, new_page, scheme):
    page = new_page(width=390, scheme=scheme, locale="nl-BE")
    enter(server, page)
    for path in ("/equipe/comptes?q=parc", "/equipe/comptes/CA-10234", "/equipe/comptes/CA-10007"):
        page.goto(server.address + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
        assert axe_violations(page) == [], path


def test_the_same_without_scripts(own_server, new_page):
    page = new_page(scripts=False)
    enter(own_server, page)
    page.goto(f"{own_server.address}/equipe/comptes")
    page.fill("#team-q", "comptoir du parc")
    page.click("#team-search button")
    assert page.text_content("h1") == "Brasserie du Parc"
    page.fill("#text", "Sans script")
    page.click("#note button")
    assert "Sans script" in page.text_content("#account-notes")
    page.click("#account-history .genres a:has-text('Paiements')")
    assert "Paiement de" in page.text_content("#account-history li >> nth=0")
