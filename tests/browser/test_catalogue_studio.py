"""The catalogue team in a real browser, in Dutch: a price prepared, compared, published from a day; who signed keeps theirs."""

from playwright.sync_api import expect

from tests.browser.conftest import NewPage, Server
from tests.browser.test_gestures import looks_right, sign_in
from tests.browser.test_leaving import sign_in as sign_in_as_client

TEAM = "catalogue@centralapp.example"


def test_a_dearer_plan_is_published_from_a_day_and_a_subscriber_keeps_the_price_signed(
    own_server: Server, new_page: NewPage
) -> None:
    page = new_page(390)
    sign_in(page, own_server, TEAM)
    page.goto(f"{own_server.address}/equipe/catalogue")
    page.locator("#start [name=name]").fill("Tarieven 2027")
    page.locator("#start button[type=submit]").click()
    page.locator("#plans").get_by_role("link", name="Pro", exact=True).click()
    looks_right(page, {})
    page.locator("#prices").get_by_role("link", name="Per maand", exact=True).click()
    expect(page.locator("#amount")).to_have_value("79,00")
    page.locator("#amount").fill("84")
    page.locator("#tier0_from").fill("4")
    page.get_by_role("button", name="Opslaan in het ontwerp").click()
    expect(page.locator("#tier0_from-error")).to_be_visible()
    expect(page.locator("#amount")).to_have_value("84")
    page.locator("#tier0_from").fill("2")
    page.get_by_role("button", name="Opslaan in het ontwerp").click()
    expect(page.locator("#prices")).to_contain_text("€ 84,00")

    page.locator(".crumb").click()
    page.get_by_role("link", name="Vergelijken en publiceren").click()
    page.locator("#choose [name=le]").fill("2027-01-01")
    page.get_by_role("button", name="Vergelijken voor die dag").click()
    change = page.locator("#plan-pro tbody tr")
    expect(change).to_contain_text("€ 79,00")
    expect(change).to_contain_text("€ 84,00")
    expect(change).to_contain_text("behouden € 79,00")
    looks_right(page, {})
    page.get_by_role("button", name="Publiceren vanaf 1 januari 2027").click()

    expect(page.locator("#flashes")).to_contain_text("1 januari 2027")
    expect(page.locator("#plans")).to_contain_text("€ 84,00 per maand")
    page.goto(f"{own_server.address}/equipe/catalogue")
    expect(page.locator("#plans")).not_to_contain_text("€ 84,00 per maand")
    page.locator("#plans").get_by_role("link", name="Pro", exact=True).click()
    expect(page.locator("#version-1 tbody")).to_contain_text("vanaf 1 jan 2027")

    client = new_page(390)
    client.goto(sign_in_as_client(client, own_server, "nl"))
    expect(client.locator("#plan")).to_contain_text("€ 79,00")
