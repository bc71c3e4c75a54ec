"""Establishments in a real browser: add, remove and bring back, import, search; accessible on every screen."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewPage, Server, axe_violations
from tests.browser.test_changing_plan import sign_in

WAYS = [
    pytest.param({}, id="wide"),
    pytest.param({"width": 390, "scripts": False}, id="phone-without-scripts"),
]


@pytest.mark.parametrize("looks", WAYS)
def test_an_owner_adds_removes_and_brings_back(
    own_server: Server, new_page: NewPage, looks: dict[str, object]
) -> None:
    page = new_page(**looks)
    page.set_default_timeout(20_000)
    sign_in(page, own_server)
    page.goto(page.url.rstrip("/") + "/etablissements")
    page.locator("a[href$='/ajouter']").click()
    address = {"name": "Parc Louise", "street": "Avenue Louise 5", "postcode": "1050", "city": "Ixelles"}
    for name, typed in address.items():
        page.locator(f"[name={name}]").fill(typed)
    page.locator("#add button").click()
    expect(page.locator("#rates")).to_contain_text("24,00")
    page.locator("#confirm button").dblclick()
    expect(page.locator("#establishment-list tbody tr")).to_have_count(4)
    page.locator("a[href$='/retirer']").last.click()
    page.locator("#confirm button").click()
    expect(page.locator("#establishment-list tbody tr")).to_have_count(3)
    page.locator("form[action$='/remettre'] button").click()
    expect(page.locator("#establishment-list tbody tr")).to_have_count(4)


def test_a_file_is_reported_then_written_and_searched(
    own_server: Server, new_page: NewPage, tmp_path: Path
) -> None:
    lines = [f"Table {n};Rue Neuve {n};{1000 if n % 9 else 10};Bruxelles" for n in range(1, 41)]
    (tmp_path / "liste.csv").write_text("\n".join(["Nom;Rue;Code postal;Commune", *lines]), encoding="utf-8")
    page = new_page()
    sign_in(page, own_server)
    page.goto(page.url.rstrip("/") + "/etablissements/importer")
    page.locator("input[type=file]").set_input_files(tmp_path / "liste.csv")
    page.locator("#import button").click()
    expect(page.locator("#counts")).to_contain_text("36")
    page.locator("#confirm button").click()
    expect(page.locator("#establishment-list tbody tr")).to_have_count(25)
    page.locator("#q").press_sequentially("neuve 33")
    expect(page.locator("#establishment-list tbody tr")).to_have_count(1)
    expect(page.locator("#q")).to_be_focused()
    assert "q=neuve" in page.url


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_pages_of_establishments_are_accessible(
    server: Server, new_page: NewPage, tmp_path: Path, width: int, scheme: str
) -> None:
    (tmp_path / "liste.csv").write_text("Nom;Rue;CP;Commune\nA;B;1000;C\n;B;1;C", encoding="utf-8")
    page = new_page(width=width, scheme=scheme)
    sign_in(page, server)
    place = page.url.rstrip("/") + "/etablissements"
    page.goto(place)
    assert axe_violations(page) == []
    page.locator("#coverage button").click()
    expect(page.locator("#confirm")).to_be_visible()
    assert axe_violations(page) == []
    page.goto(place)
    page.locator("a[href$='/retirer']").nth(1).click()
    expect(page.locator("#along")).to_be_visible()
    assert axe_violations(page) == []
    page.goto(place + "/ajouter")
    page.locator("#add button").click()
    expect(page.locator("#error-summary")).to_be_focused()
    assert axe_violations(page) == []
    page.goto(place + "/importer")
    page.locator("input[type=file]").set_input_files(tmp_path / "liste.csv")
    page.locator("#import button").click()
    expect(page.locator("#report")).to_be_visible()
    assert axe_violations(page) == []
