"""Lives of options and establishments in a real browser, with amounts to check in the head.

Brasserie du Parc: Pro, monthly from the 1st. On 16 November, 15 of the 30 days are left, so that everything costs half.
Guinguette du Parc: Flex, monthly from the 20th, one address, 115,00 a month with its options.
Hôtel Belle-Vue: Pro, a year paid from 15 September 2026; 274 of its 365 days are left on 15 December.
"""

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Dialog, Page, expect

from tests.browser.conftest import NewPage, Server, axe_violations, run_flask

PASSWORD = "demo-portail-2026"
CLAIRE, VIEWER = "claire@brasserieduparc.example", "lea@brasserieduparc.example"
LOOKS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]


def open_account(page: Page, server: Server, email: str = CLAIRE, account: str = "") -> str:
    """Sign in and give the address of the subscription; `account` when the person has several."""
    page.set_default_timeout(20_000)
    page.goto(f"{server.address}/connexion")
    page.locator("#email").fill(email)
    page.locator("#password").fill(PASSWORD)
    page.locator("#password").press("Enter")
    expect(page.locator("#email")).to_have_count(0, timeout=20_000)
    if account:
        page.goto(server.address)
        page.locator(f"#account-{account} a.btn").click()
    expect(page.locator("#plan")).to_be_visible()
    return page.url.split("?")[0].rstrip("/")


def digits(text: str) -> str:
    return re.sub(r"[^0-9,−-]", "", text)


def amounts(page: Page, selector: str) -> list[str]:
    return sorted(digits(text) for text in page.locator(selector).all_inner_texts())


def draws(page: Page, act: Callable[[], object]) -> None:
    """Do something that reprices the draft, and wait for the new figures."""
    with page.expect_response(lambda answer: answer.url.endswith("/options/brouillon")):
        act()
    expect(page.locator("#price-summary")).not_to_have_attribute("aria-busy", "true")


def save(page: Page) -> None:
    page.locator("#price-summary .btn.primary").click()
    expect(page.locator("#confirm")).to_be_visible()


def confirm(page: Page) -> None:
    page.locator("#confirm button").click()
    expect(page.locator("#confirm")).to_have_count(0, timeout=20_000)


def invoice_lines(page: Page) -> list[str]:
    page.locator("#document a.btn").click()
    expect(page.locator("#document")).to_have_count(0, timeout=20_000)
    return amounts(page, "main table tbody .money")


def tab_to(page: Page, wanted: str) -> None:
    for _press in range(80):
        if page.evaluate("document.activeElement.id") == wanted:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab never reaches {wanted}")


def test_mailboxes_and_a_logo_are_invoiced_as_previewed_then_an_option_goes_and_comes_back(
    own_server: Server, new_page: NewPage
) -> None:
    page = new_page()
    place = open_account(page, own_server, account="CA-10234")
    page.goto(f"{place}/options")
    # By keyboard only: three mailboxes more, and a logo.
    tab_to(page, "plus-emails")
    for wanted in ("5", "6", "7"):
        draws(page, lambda: page.keyboard.press("Enter"))
        expect(page.locator("#qty-emails")).to_have_value(wanted)
        expect(page.locator("#plus-emails")).to_be_focused()
    tab_to(page, "switch-logo")
    draws(page, lambda: page.keyboard.press("Space"))
    expect(page.locator("#switch-logo")).to_be_focused()
    expect(page.locator("#price-summary .due .amount")).to_contain_text("355,44")
    # Leaving warns, and staying keeps the draft.
    warnings: list[str] = []

    def stay(dialog: Dialog) -> None:
        warnings.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    page.evaluate("() => { location.href = '/' }")
    expect(page.locator("#qty-emails")).to_have_value("7")
    page.wait_for_timeout(200)
    assert warnings == ["beforeunload"]
    # What is previewed, confirmed twice in a hurry, is invoiced once.
    save(page)
    assert warnings == ["beforeunload"]
    previewed = amounts(page, "#preview .data.stacks tbody .money")
    assert previewed == ["290,00", "3,75"]
    expect(page.locator("#price-summary .amount")).to_contain_text("355,44")
    page.locator("#confirm button").dblclick()
    expect(page.locator("#document .amount")).to_contain_text("355,44")
    number = page.locator("#document h2").inner_text()
    # Back after saving leads to the options as they stand, not to the preview.
    page.go_back()
    expect(page.locator("#qty-emails")).to_have_value("7")
    expect(page.locator("#price-summary")).not_to_have_attribute("data-dirty", "")
    page.goto(f"{place}/factures")
    assert page.locator("main").inner_text().count("355,44") == 1
    page.goto(f"{place}/options/confirmation?facture={number.split()[-1]}")
    assert invoice_lines(page) == previewed
    # Removed: in use until the end of the month, listed with its date; put back, it costs nothing.
    page.goto(f"{place}/options")
    switch = page.locator("#switch-emails")
    draws(page, switch.uncheck)
    save(page)
    expect(page.locator("#preview")).to_contain_text("30 novembre 2026")
    confirm(page)
    page.goto(f"{place}/options")
    expect(page.locator("#option-emails .badge")).to_contain_text("30 nov. 2026")
    page.goto(place)
    expect(page.locator("#pending-changes")).to_contain_text("E-mails professionnels")
    page.goto(f"{place}/options")
    draws(page, switch.check)
    expect(page.locator("#price-summary .due .amount")).to_contain_text("0,00")
    save(page)
    confirm(page)
    expect(page.locator("#document")).to_have_count(0)
    page.goto(place)
    expect(page.locator("#pending-changes")).not_to_contain_text("E-mails professionnels")


def test_two_tabs_then_an_upgrade_that_includes_an_option_already_paid_for(
    own_server: Server, new_page: NewPage
) -> None:
    page = new_page()
    place = open_account(page, own_server, account="CA-10234")
    page.goto(f"{place}/options")
    draws(page, page.locator("#plus-emails").click)
    save(page)
    expect(page.locator("#price-summary .amount")).to_contain_text("1,51")  # 2,50 × 15/30, and VAT
    other = page.context.new_page()
    other.goto(f"{place}/options")
    draws(other, other.locator("#switch-reviews").check)
    save(other)
    expect(other.locator("#price-summary .amount")).to_contain_text("11,50")  # 19,00 × 15/30, and VAT
    confirm(other)
    # The first tab is stale: it says so, and shows what has become the next invoice.
    before = page.locator("#price-summary .lines").inner_text()
    page.locator("#confirm button").click()
    expect(page.locator("#stale-title").locator("xpath=ancestor::section")).to_be_focused()
    assert page.locator("#price-summary .lines").inner_text() != before
    confirm(page)
    expect(page.locator("#document .amount")).to_contain_text("1,51")
    # Premium includes reviews: what is paid of them comes back.
    page.goto(f"{place}/formules")
    page.locator("article[aria-labelledby=plan-premium] a.btn").click()
    previewed = amounts(page, "#preview .data.stacks tbody .money")
    assert previewed == sorted(["74,50", "−39,50", "−12,00", "−9,50"])
    expect(page.locator("#preview .swap")).to_contain_text("Inclus, vous ne la payez plus")
    expect(page.locator("#price-summary .amount")).to_contain_text("16,34")
    confirm(page)
    assert invoice_lines(page) == previewed
    page.goto(f"{place}/options")
    expect(page.locator("#option-reviews .badge")).to_contain_text("Incluse")


def test_a_second_and_a_third_establishment_are_charged_at_the_renewal_as_previewed(
    own_server: Server, new_page: NewPage
) -> None:
    page = new_page()
    place = open_account(page, own_server, account="CA-10398")
    for name, total in (("Kiosque", "168,19"), ("Terrasse", "197,23")):  # 139,00 then 163,00, and VAT
        preview_addition(page, place, name)
        expect(page.locator("#rates")).to_contain_text("24,00")
        expect(page.locator("#price-summary > .due .amount")).to_contain_text("0,00")
        expect(page.locator("#price-summary .lines dd").first).to_contain_text(total)
        page.locator("#confirm button").dblclick()
        expect(page.locator("#establishment-list")).to_contain_text(name)
    expect(page.locator("#establishment-list tbody tr")).to_have_count(3)
    bill_on(own_server, "2026-11-20")
    page.goto(f"{place}/factures")
    expect(page.locator("main")).to_contain_text("197,23")
    # Inside a paid year, the months left are invoiced at the next monthly renewal.
    hotel = new_page()
    place = open_account(hotel, own_server, "direction@hotelbellevue.example")
    preview_addition(hotel, place, "Le Jardin")
    assert amounts(hotel, "#preview .data.stacks tbody .money") == ["180,16"]  # 240,00 × 274/365
    expect(hotel.locator("#price-summary .lines dd").first).to_contain_text("217,99")
    confirm(hotel)
    expect(hotel.locator("#establishment-list tbody tr")).to_have_count(3)
    bill_on(own_server, "2026-12-15")
    hotel.goto(f"{place}/factures")
    expect(hotel.locator("main")).to_contain_text("217,99")


def preview_addition(page: Page, place: str, name: str) -> None:
    page.goto(f"{place}/etablissements/ajouter")
    typed = {"name": name, "street": "Rue Neuve 1", "postcode": "1000", "city": "Bruxelles"}
    for field, value in typed.items():
        page.locator(f"[name={field}]").fill(value)
    page.locator("#add button").click()
    expect(page.locator("#confirm")).to_be_visible()


def bill_on(server: Server, day: str) -> None:
    run_flask(server.environment | {"PORTAL_CLOCK": day}, "bill")


def test_without_scripts_options_are_saved_and_two_hundred_establishments_imported(
    own_server: Server, new_page: NewPage, tmp_path: Path
) -> None:
    page = new_page(width=390, scripts=False)
    place = open_account(page, own_server, account="CA-10234")
    page.goto(f"{place}/options")
    page.locator("#qty-emails").fill("7")
    page.locator("#switch-logo").check()
    page.get_by_role("button", name="Mettre à jour le total").last.click()
    expect(page.locator("#price-summary .due .amount")).to_contain_text("355,44")
    page.locator("#price-summary .btn.primary").click()
    previewed = amounts(page, "#preview .data.stacks tbody .money")
    assert previewed == ["290,00", "3,75"]
    confirm(page)
    expect(page.locator("#document .amount")).to_contain_text("355,44")
    assert invoice_lines(page) == previewed
    # 193 good lines: two at 24,00, then 191 at 19,00; the other seven are told one by one, first.
    bad = {10: "un", 40: "", 70: "99999", 100: "abc", 130: "12", 160: "-1", 190: "0"}
    lines = [f"Table {n};Rue Neuve {n};{bad.get(n, '1000')};Bruxelles" for n in range(1, 201)]
    (tmp_path / "liste.csv").write_text("\n".join(["Nom;Rue;Code postal;Commune", *lines]), encoding="utf-8")
    page.goto(f"{place}/etablissements/importer")
    page.locator("input[type=file]").set_input_files(tmp_path / "liste.csv")
    page.locator("#import button").click()
    expect(page.locator("#counts")).to_have_text("À ajouter : 193. Déjà là : 0. Refusées : 7.")
    refused = page.locator("#report tbody tr[data-outcome=refused] td:first-child").all_inner_texts()
    assert [int(number) for number in refused] == [number + 1 for number in bad]
    expect(page.locator("#rates")).to_contain_text("2 × 24,00")
    expect(page.locator("#rates")).to_contain_text("191 × 19,00")
    page.locator("#confirm button").click()
    expect(page.locator("#establishment-list .pagination")).to_contain_text("196")
    page.locator("#q").fill("neuve 200")
    page.locator("#search button").click()
    expect(page.locator("#establishment-list tbody tr")).to_have_count(1)


def test_a_viewer_sees_every_choice_disabled_and_why(server: Server, new_page: NewPage) -> None:
    page = new_page()
    place = open_account(page, server, VIEWER)
    page.goto(f"{place}/options")
    why = "Seuls le propriétaire et les administrateurs peuvent changer"
    expect(page.locator("#options-notice")).to_contain_text(why)
    controls = page.locator("#options-form :is(input:not([type=hidden]), button)")
    assert controls.count() > 8
    assert page.locator("#options-form :is(input:not([type=hidden]), button):enabled").count() == 0
    expect(page.locator("#option-emails")).to_contain_text("2,50")
    page.goto(f"{place}/etablissements")
    expect(page.locator("#read-only")).to_contain_text(why)
    expect(page.locator("#establishment-list tbody tr")).to_have_count(3)
    expect(page.locator("#matrix tbody tr")).to_have_count(3)
    assert page.locator("main :is(input, button, a.btn)").count() == 0


def test_the_pages_and_their_previews_are_accessible_and_fit_320_pixels(
    server: Server, new_page: NewPage
) -> None:
    page = new_page()
    place = open_account(page, server, account="CA-10234")
    faults: dict[str, list[str]] = {}

    def look(name: str) -> None:
        for width, scheme in LOOKS:
            page.set_viewport_size({"width": width, "height": 844})
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            if found := axe_violations(page):
                faults[f"{name}, {width}, {scheme}"] = found
        page.set_viewport_size({"width": 320, "height": 640})
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            faults[f"{name}, 320"] = ["sideways scroll"]
        page.set_viewport_size({"width": 1280, "height": 900})

    page.goto(f"{place}/options")
    look("options")
    draws(page, page.locator("#switch-logo").check)
    look("draft of options")
    save(page)
    look("preview of options")
    page.goto(f"{place}/etablissements")
    look("establishments")
    page.locator("#coverage button").click()
    expect(page.locator("#confirm")).to_be_visible()
    look("preview of services")
    preview_addition(page, place, "Parc Louise")
    look("preview of an addition")
    assert faults == {}
