"""Every page an owner can reach by links, in each look: no accessibility violation, nothing beyond the window,
well-made HTML, French typography."""

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import NewPage, Server, axe_violations
from tests.browser.shots import reachable, sign_in
from tests.support.page_linter import problems

OWNER, PASSWORD = "claire@brasserieduparc.example", "demo-portail-2026"
LOOKS = [(width, scheme) for width in (390, 1280) for scheme in ("light", "dark")]


def test_no_page_has_a_violation_in_any_look(server: Server, new_page: NewPage) -> None:
    page = new_page()
    sign_in(page, server.address, OWNER, PASSWORD, "fr")
    paths = reachable(page.context, server.address)
    assert len(paths) > 12, paths
    faults = {}
    for path in paths:
        page.goto(server.address + path)
        for width, scheme in LOOKS:
            look_like(page, width, scheme)
            found = axe_violations(page)
            if found:
                faults[f"{path} at {width} px, {scheme}"] = found
        for width in (320, 390):
            look_like(page, width, "light")
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                faults[f"{path} at {width} px"] = ["sideways scroll"]
    assert faults == {}


def look_like(page: Page, width: int, scheme: str) -> None:
    page.set_viewport_size({"width": width, "height": 844 if width < 600 else 900})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]


@pytest.mark.parametrize("language", ["fr", "nl", "en"])
def test_every_page_is_well_made(server: Server, new_page: NewPage, language: str) -> None:
    page = new_page()
    sign_in(page, server.address, OWNER, PASSWORD, language)
    faults = {}
    for path in reachable(page.context, server.address):
        found = problems(page.request.get(server.address + path).text())
        if found:
            faults[path] = found
    assert faults == {}
