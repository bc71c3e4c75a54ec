"""The portal inside a reseller's page, in Chromium, whatever it does with the cookies of third parties.

The reseller's site is on localhost, the portal on 127.0.0.1: two sites. Chez Marcel, Salle at 69,00 a month from the
1st: on 16 November, 15 of the 30 days are left, so that everything costs half.
"""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, FrameLocator, Page, Playwright, expect

from tests.browser.conftest import ARGUMENTS, CHROMIUM, NewPage, Server, _serving, axe_violations
from tests.support.embedding import Signer
from tests.support.reseller_site import Site, allow, serving

# What the preferences of Chromium say of cookies. The flags that used to do so have no effect any more.
COOKIES = {
    "allowed": {"profile": {"cookie_controls_mode": 0}},
    "third-party-blocked": {"profile": {"cookie_controls_mode": 1}},
    "all-blocked": {"profile": {"default_content_setting_values": {"cookies": 2}, "cookie_controls_mode": 1}},
}
SECONDS = 15_000


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory, seeded: Path) -> Iterator[Server]:
    """One portal for these stories; each begins with the demo's database as it was."""
    yield from _serving(tmp_path_factory.mktemp("framed"), seeded)


@pytest.fixture
def site(portal: Server, seeded: Path) -> Iterator[Site]:
    """The site of HorecaPlus, whose client Marcel is signed for as the owner of Chez Marcel."""
    with closing(sqlite3.connect(seeded)) as kept, closing(sqlite3.connect(database(portal))) as live:
        kept.backup(live)
    signer = Signer("horecaplus", "HP-20041", "marcel@chezmarcel.example", role="owner")
    with serving(portal.address, signer) as served:
        allow(database(portal), served)
        yield served


def database(server: Server) -> Path:
    return Path(server.environment["PORTAL_INSTANCE"]) / "portal.sqlite3"


@pytest.fixture
def chrome(
    playwright: Playwright, tmp_path: Path, request: pytest.FixtureRequest, site: Site
) -> Iterator[BrowserContext]:
    """A Chromium with a profile of its own, which treats cookies as the parameter says."""
    profile = tmp_path / "profile"
    (profile / "Default").mkdir(parents=True)
    (profile / "Default" / "Preferences").write_text(json.dumps(COOKIES[request.param]))
    context = playwright.chromium.launch_persistent_context(
        str(profile),
        executable_path=CHROMIUM,
        args=list(ARGUMENTS),
        viewport={"width": 900, "height": 900},
        locale="fr-BE",
        accept_downloads=True,
    )
    context.set_default_timeout(SECONDS)
    yield context
    context.close()


def opened(page: Page, site: Site) -> FrameLocator:
    page.goto(f"{site.address}/")
    frame = page.frame_locator("iframe[title]")
    expect(frame.locator("#plan")).to_be_visible(timeout=SECONDS)
    return frame


def fits(page: Page, frame: FrameLocator) -> None:
    """The frame is as tall as what it shows."""
    inner = frame.locator("body").evaluate("body => Math.ceil(body.getBoundingClientRect().height)")
    expect(page.locator("iframe[title]")).to_have_js_property("offsetHeight", inner)


@pytest.mark.parametrize("chrome", list(COOKIES), indirect=True)
def test_a_client_lives_in_the_page_of_its_reseller(
    chrome: BrowserContext, site: Site, portal: Server, tmp_path: Path
) -> None:
    page = chrome.pages[0]
    faults: list[str] = []
    page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
    frame = opened(page, site)
    expect(frame.locator("#plan")).to_contain_text("Salle")
    fits(page, frame)

    # An option is switched on, previewed, confirmed.
    frame.locator("nav.tabs a", has_text="Options").click()
    frame.locator("#switch-reviews").click()
    expect(frame.locator("#price-summary")).to_contain_text("7,50")
    frame.locator("#price-summary .btn.primary").click()
    frame.locator("#confirm button").click()
    expect(frame.locator("#confirm")).to_have_count(0)
    fits(page, frame)

    # A dearer plan, now.
    frame.locator("nav.tabs a", has_text="Formule").click()
    frame.locator("#plan a[href$='/formules']").click()
    frame.locator("article[aria-labelledby=plan-pro] a.btn").first.click()
    frame.locator("#confirm button").click()
    expect(frame.locator("#document")).to_be_visible()
    assert "/formules/confirmation" in page.frames[1].url

    # Back and forward between pages of the frame.
    frame.locator("nav.tabs a", has_text="Factures").click()
    expect(frame.locator("h1")).to_have_text("Factures")
    frame.locator("nav.tabs a", has_text="Formule").click()
    expect(frame.locator("#plan")).to_contain_text("Pro")
    page.evaluate("history.back()")
    expect(frame.locator("h1")).to_have_text("Factures")
    page.evaluate("history.forward()")
    expect(frame.locator("#plan")).to_be_visible()
    page.evaluate("history.back()")

    # A document, by an address that works once.
    with page.expect_download() as asked:
        frame.locator("a[data-file][href$='.pdf']").first.click()
    saved = tmp_path / "facture.pdf"
    asked.value.save_as(saved)
    assert saved.read_bytes().startswith(b"%PDF")
    assert re.search(r"/d/[\w-]{43}$", asked.value.url)

    # The session ends; the next click opens another, on the page that was shown.
    before = len(site.signed)
    with closing(sqlite3.connect(database(portal))) as rows, rows:
        rows.execute("UPDATE embed_sessions SET last_seen_at = '2026-11-15 00:00:00'")
    with (
        page.expect_event("framenavigated", lambda moved: moved != page.main_frame),
        page.expect_response(lambda answer: answer.url.endswith("/embed/horecaplus/session")),
    ):
        frame.locator("nav.tabs a", has_text="Options").click()
    expect(frame.locator("h1")).to_have_text("Factures")
    expect(frame.locator("meta[name=embed-session]")).to_have_count(0)
    assert len(site.signed) == before + 1
    frame.locator("nav.tabs a", has_text="Options").click()
    expect(frame.locator("h1")).to_have_text("Options")
    assert [fault for fault in faults if "401" not in fault] == []
    assert chrome.cookies() == []


def test_forged_messages_move_nothing_and_the_narrowest_frame_has_no_fault(
    new_page: NewPage, site: Site
) -> None:
    page = new_page(width=320)
    frame = opened(page, site)

    # At 320 px, nothing to mend.
    assert axe_violations(page.frames[1]) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    fits(page, frame)

    # A message counts only if the portal's own frame sent it; the frame listens to none.
    before = page.locator("iframe[title]").evaluate("frame => frame.offsetHeight")
    signed = len(site.signed)
    page.evaluate("""() => {
      for (const type of ["pf:resize", "pf:ready", "pf:session-needed"]) {
        postMessage({ type, height: 4000 }, "*");
        frames[0].postMessage({ type, height: 4000, path: "/comptes" }, "*");
      }
      const other = document.body.appendChild(document.createElement("iframe"));
      other.contentWindow.parent.postMessage({ type: "pf:resize", height: 4000 }, "*");
    }""")
    frame.locator("nav.tabs a", has_text="Factures").click()
    expect(frame.locator("h1")).to_have_text("Factures")
    fits(page, frame)
    assert before < 4000 and len(site.signed) == signed


def test_another_site_frames_it_neither_directly_nor_around_the_reseller(
    chromium: Browser, site: Site, portal: Server
) -> None:
    page = chromium.new_context().new_page()
    refused: list[str] = []
    page.on("console", lambda line: refused.append(line.text) if "frame-ancestors" in line.text else None)
    # It signs with a stolen key: its origin is not on the list, and then it shows the reseller's own page.
    thief = Signer("horecaplus", "HP-20041", "marcel@chezmarcel.example", key=site.signer.key, role="owner")
    with serving(portal.address, thief) as elsewhere:
        for times, inside in enumerate(
            (f"{elsewhere.address}/", f"{elsewhere.address}/cadre?{site.address}/"), 1
        ):
            with page.expect_console_message(lambda line: "frame-ancestors" in line.text):
                page.goto(inside)
            assert len(refused) >= times
            assert not any("/abonnements/" in each.url for each in page.frames)
    page.context.close()
