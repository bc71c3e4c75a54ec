"""Every page an owner can reach by links, and those of the team about money, in each look: no accessibility violation,
nothing beyond the window, well-made HTML, French typography."""

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import CONTRAST, NewPage, Server, axe_violations
from tests.browser.shots import reachable, sign_in
from tests.support.page_linter import problems

OWNER, PASSWORD = "claire@brasserieduparc.example", "demo-portail-2026"
TEAM = "equipe@centralapp.example"
PARTNER = "sofie.claes@horecaplus.example"
PARTNER_PAGES = [
    "/partenaire/",
    "/partenaire/clients/ajouter",
    "/partenaire/factures",
    "/partenaire/connexion",
    "/partenaire/essai",
    "/partenaire/apparence",
    "/partenaire/utilisateurs",
]
TEAM_PAGES = [
    "/equipe/banque",
    "/equipe/banque/mouvements",
    "/equipe/banque/prelevements",
    "/equipe/integrations",
    "/equipe/tableau-de-bord",
    "/equipe/comptes/CA-10234",
    "/equipe/demandes",
    "/equipe/factures",
    "/equipe/impayes",
]
# Every rule in two opposite looks; in the two others the one rule that a colour scheme can break.
LOOKS = {(1280, "light"): None, (390, "dark"): None, (390, "light"): CONTRAST, (1280, "dark"): CONTRAST}


def test_no_page_has_a_violation_in_any_look(server: Server, new_page: NewPage) -> None:
    page = new_page()
    sign_in(page, server.address, OWNER, PASSWORD, "fr")
    paths = list(reachable(page.context, server.address))
    assert len(paths) > 12, paths
    assert faults_of(page, server, paths) == {}


def faults_of(page: Page, server: Server, paths: list[str]) -> dict[str, object]:
    faults: dict[str, object] = {}
    for path in paths:
        page.goto(server.address + path)
        for (width, scheme), rules in LOOKS.items():
            look_like(page, width, scheme)
            found = axe_violations(page, rules)
            if found:
                faults[f"{path} at {width} px, {scheme}"] = found
        for width in (320, 390):
            look_like(page, width, "light")
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                faults[f"{path} at {width} px"] = ["sideways scroll"]
    return faults


def look_like(page: Page, width: int, scheme: str) -> None:
    page.set_viewport_size({"width": width, "height": 844 if width < 600 else 900})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]


@pytest.mark.parametrize("language", ["fr", "nl", "en"])
def test_every_page_is_well_made(server: Server, new_page: NewPage, language: str) -> None:
    page = new_page()
    sign_in(page, server.address, OWNER, PASSWORD, language)
    faults = {}
    for path, html in reachable(page.context, server.address).items():
        if found := problems(html):
            faults[path] = found
    assert faults == {}


def test_no_page_of_the_team_about_money_has_a_violation_in_any_look(
    server: Server, new_page: NewPage
) -> None:
    page = new_page()
    sign_in(page, server.address, TEAM, PASSWORD, "fr")
    assert faults_of(page, server, TEAM_PAGES) == {}


def test_the_pages_of_a_resellers_people_are_accessible(server: Server, new_page: NewPage) -> None:
    page = new_page()
    sign_in(page, server.address, PARTNER, PASSWORD, "fr")
    assert faults_of(page, server, PARTNER_PAGES) == {}


@pytest.mark.parametrize("language", ["fr", "nl", "en"])
def test_every_page_of_the_team_about_money_is_well_made(
    server: Server, new_page: NewPage, language: str
) -> None:
    page = new_page()
    sign_in(page, server.address, TEAM, PASSWORD, language)
    faults = {}
    for path in TEAM_PAGES:
        answer = page.request.get(server.address + path)
        assert answer.status == 200, path
        if found := problems(answer.text()):
            faults[path] = found
    assert faults == {}
