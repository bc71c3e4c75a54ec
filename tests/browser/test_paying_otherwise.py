"""The way to pay, in a real browser: a mandate read and signed on a phone, in Dutch, with and without scripts; the account
changed under it; transfers chosen. Every page it takes is looked at by axe.
"""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewPage, Server, axe_violations
from tests.browser.test_leaving import sign_in

HOTEL, ACCOUNT = "direction@hotelbellevue.example", "CA-10091"  # pays by transfer
IBAN, OTHER = "BE71 0961 2345 6769", "BE43 0689 9999 9501"


def checked(page: Page, scripts: bool) -> None:
    """axe itself is a script: without them, the same pages are at least no wider than the phone."""
    if scripts:
        assert axe_violations(page) == []
        assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")


def read_mandate(page: Page, address: str, iban: str) -> None:
    page.goto(f"{address}/domiciliation")
    page.locator("#iban").fill(iban)
    page.locator("#account button[type=submit]").click()
    expect(page.locator("#mandate-text")).to_contain_text(iban)


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_a_mandate_is_signed_on_a_phone_in_dutch(
    own_server: Server, new_page: NewPage, scripts: bool
) -> None:
    page = new_page(width=390, locale="nl-BE", scripts=scripts)
    address = sign_in(page, own_server, "nl", HOTEL, ACCOUNT) + "/moyen-de-paiement"
    page.goto(address)
    expect(page.locator("#current-method")).to_contain_text("Overschrijving")
    checked(page, scripts)
    page.get_by_role("link", name="Een mandaat ondertekenen").click()
    expect(page.locator("#holder")).to_have_value("Belle-Vue Hôtellerie SA")
    checked(page, scripts)

    page.locator("#iban").fill("BE71 0961 2345 6768")  # a digit is wrong
    page.locator("#account button[type=submit]").click()
    expect(page.locator("#iban-error")).to_contain_text("Een cijfer van deze IBAN klopt niet")
    expect(page.locator("#iban")).to_have_value("BE71 0961 2345 6768")
    checked(page, scripts)

    page.locator("#iban").fill(IBAN)
    page.locator("#account button[type=submit]").click()
    expect(page.locator("#mandate-text")).to_contain_text("Mandaat Europese domiciliëring SEPA")
    expect(page.locator("#mandate-text")).to_contain_text("8 weken")
    checked(page, scripts)

    page.locator("#confirm button[type=submit]").click()  # without the tick
    expect(page.locator("#error-summary")).to_contain_text("Vink dit vakje aan")
    page.locator("#signed").check()
    page.locator("#confirm button[type=submit]").click()
    expect(page.locator("#flashes")).to_contain_text("Uw mandaat is ondertekend")
    expect(page.locator("#current-method")).to_contain_text("BE71 0961 •••• 6769")
    expect(page.locator("#papers")).to_contain_text("CA10091M01")
    checked(page, scripts)
    with page.expect_download() as download:
        page.locator("#papers a", has_text="PDF").click()
    assert download.value.suggested_filename.startswith("mandaat-CA10091M01")

    page.reload()
    expect(page.locator("#papers tbody tr")).to_have_count(1)


def test_the_account_changes_under_the_mandate_then_transfers_are_chosen(
    own_server: Server, new_page: NewPage
) -> None:
    page = new_page(scheme="dark")
    address = sign_in(page, own_server) + "/moyen-de-paiement"
    read_mandate(page, address, OTHER)
    expect(page.locator("#mandate-text")).to_contain_text("BE21 0012 •••• 7803")
    expect(page.locator("#mandate-text")).to_contain_text("CAPP000418")
    checked(page, scripts=True)
    page.get_by_role("button", name="Corriger le compte").click()
    expect(page.locator("#iban")).to_have_value(OTHER)
    page.locator("#account button[type=submit]").click()
    page.locator("#signed").check()
    page.locator("#confirm button[type=submit]").click()
    expect(page.locator("#current-method")).to_contain_text("BE43 0689 •••• 9501")
    expect(page.locator("#papers tbody tr")).to_have_count(2)

    page.get_by_role("link", name="Payer par virement").click()
    expect(page.locator("#what-changes")).to_contain_text("1er décembre 2026")
    checked(page, scripts=True)
    page.locator("#confirm button[type=submit]").dblclick()
    expect(page.locator("#current-method")).to_contain_text("Virement")
    expect(page.locator("#others")).to_contain_text("BE43 0689 •••• 9501")
    checked(page, scripts=True)
    page.locator("#others").get_by_role("link", name="Retirer").click()
    checked(page, scripts=True)
    page.locator("#confirm button.danger").click()
    expect(page.locator("#former")).to_contain_text("BE43 0689 •••• 9501")
    expect(page.locator("#others")).to_have_count(0)
