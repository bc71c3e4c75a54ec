"""`make shots`: every page of the demo at 1440 and 390 px, light and dark, in three languages, into shots/.

The pages are those a signed-in owner can reach by links, each kind of address once. With arguments, only the
addresses that contain one of them: `make shots ARGS="formule factures"`.
"""

import re
import shutil
import sys
import tempfile
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import lxml.html
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.conftest import ARGUMENTS, CHROMIUM, ROOT, start_server

FOLDER = ROOT / "shots"
PUBLIC = ("/connexion", "/connexion/lien", "/mot-de-passe", "/nulle-part")
LANGUAGES = ("fr", "nl", "en")
LOOKS = [(width, scheme) for width in (1440, 390) for scheme in ("light", "dark")]
# The owners of the demo whose pages show different situations; the last words of `demo-logins` say whose.
OWNER = re.compile(r"^\s+(\S+@\S+)\s+(.+), propriétaire$", re.MULTILINE)
PASSWORD = re.compile(r"([\w-]+)\s*$", re.MULTILINE)
MUTABLE = re.compile(r"/[0-9a-f]{8}-[0-9a-f-]{27}|/\d+")
NOT_PAGES = re.compile(r"\.(pdf|csv|ics|zip|xml)$|/mandats/\d+$|^/static/")


def main(wanted: list[str]) -> int:
    if CHROMIUM is None:
        print("Chromium is absent: run make browser")
        return 1
    shutil.rmtree(FOLDER, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server, process = start_server(Path(folder))
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        try:
            logins = server.flask("demo-logins")
            password = PASSWORD.search(logins).group(1)  # type: ignore[union-attr]
            email = OWNER.search(logins).group(1)  # type: ignore[union-attr]
            taken = picture(browser, server.address, email, password, wanted)
        finally:
            browser.close()
            process.terminate()
            process.wait(timeout=20)
    print(f"{taken} pictures in {FOLDER.relative_to(ROOT)}/")
    return 0


def picture(browser: Browser, address: str, email: str, password: str, wanted: list[str]) -> int:
    taken = 0
    for language in LANGUAGES:
        context = browser.new_context(locale=f"{language}-BE", reduced_motion="reduce")
        page = context.new_page()
        taken += shoot(page, address, PUBLIC, language, wanted)
        sign_in(page, address, email, password, language)
        taken += shoot(page, address, list(reachable(context, address)), language, wanted)
        context.close()
    return taken


def sign_in(page: Page, address: str, email: str, password: str, language: str) -> None:
    page.goto(f"{address}/connexion")
    page.fill("#email", email)
    page.fill("#password", password)
    page.press("#password", "Enter")
    page.wait_for_load_state()
    switch = page.locator(f"form.langs button[value={language}]").first
    if switch.get_attribute("aria-current") is None:
        switch.dispatch_event("click")
        # Not `wait_for_function`: it evaluates text in the page, which our content policy forbids.
        expect(page.locator("html")).to_have_attribute("lang", language)


def reachable(context: BrowserContext, address: str) -> dict[str, str]:
    """The pages that links lead to from the first one, each kind of address once, with their HTML.

    They are read without being shown: a browser would take ten times as long to open each.
    """
    seen: dict[str, str] = {}
    met = {kind("/")}
    waiting = ["/"]
    while waiting:
        answer = context.request.get(address + waiting.pop(0))
        shown = urlsplit(answer.url)
        path = shown.path + (f"?{shown.query}" if shown.query else "")
        if answer.status != 200 or kind(path) in map(kind, seen):
            continue
        seen[path] = answer.text()
        for link in lxml.html.document_fromstring(seen[path], base_url=answer.url).xpath("//a/@href"):
            target = urljoin(answer.url, str(link)).partition("#")[0]
            path = target.removeprefix(address)
            if (
                target.startswith(address + "/")
                and not NOT_PAGES.search(urlsplit(path).path)
                and kind(path) not in met
            ):
                met.add(kind(path))
                waiting.append(path)
    return seen


def kind(path: str) -> str:
    """The address without what changes from one row to the next.

    >>> kind("/abonnements/0198a1b2-0000-7000-8000-000000000001/factures/12?page=2")
    '/abonnements/factures?page'
    """
    parts = urlsplit(path)
    names = sorted({each.partition("=")[0] for each in parts.query.split("&") if each})
    return MUTABLE.sub("", parts.path) + ("?" + "&".join(names) if names else "")


def shoot(
    page: Page, address: str, paths: tuple[str, ...] | list[str], language: str, wanted: list[str]
) -> int:
    taken = 0
    for path in paths:
        name = kind(path).strip("/").replace("/", "-").replace("?", "--") or "accueil"
        if wanted and not any(each in name for each in wanted):
            continue
        page.goto(address + path)
        page.evaluate("document.fonts.ready")
        for width, scheme in LOOKS:
            page.set_viewport_size({"width": width, "height": 900 if width > 600 else 844})
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            file = FOLDER / f"{width}-{scheme}" / f"{name}.{language}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=file, full_page=True)
            taken += 1
    return taken


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
