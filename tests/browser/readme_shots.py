"""`make readme-shots`: the four pictures at the head of the README, small enough to live in the repository."""

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.conftest import ARGUMENTS, CHROMIUM, ROOT, Server, start_server
from tests.browser.shots import PASSWORD, sign_in

FOLDER = ROOT / "docs" / "shots"
OWNER = "claire@brasserieduparc.example"
MOST_BYTES = 80_000
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


def main() -> int:
    if CHROMIUM is None:
        print("Chromium is absent: run make browser")
        return 1
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server, process = start_server(Path(folder))
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        try:
            picture(browser, server)
        finally:
            browser.close()
            process.terminate()
            process.wait(timeout=20)
    return 0


def picture(browser: Browser, server: Server) -> None:
    context = browser.new_context(locale="fr-BE", reduced_motion="reduce", viewport=WIDE)  # type: ignore[arg-type]
    page = context.new_page()
    password = PASSWORD.search(server.flask("demo-logins")).group(1)  # type: ignore[union-attr]
    sign_in(page, server.address, OWNER, password, "fr")
    page.goto(f"{server.address}/comptes")
    link = page.locator("a[aria-label='Ouvrir Brasserie du Parc']").get_attribute("href")
    subscription = f"{server.address}{link}"
    keep(page, subscription, "overview-light.webp")
    keep(page, f"{subscription}/formules/premium/apercu?facturation=mensuelle", "preview.webp", "Combien")
    keep(page, f"{subscription}/options", "options.webp")
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.emulate_media(color_scheme="dark")
    keep(page, subscription, "phone-dark.webp")


def keep(page: Page, address: str, name: str, heading: str = "") -> None:
    """Picture what the window shows of a page, from its top or from one of its headings."""
    page.goto(address)
    if heading:
        page.locator("h2", has_text=heading).first.evaluate("each => each.scrollIntoView()")
    page.evaluate("document.fonts.ready")
    image = Image.open(io.BytesIO(page.screenshot()))
    file = FOLDER / name
    image.save(file, "WEBP", quality=80, method=6)
    size = file.stat().st_size
    assert size <= MOST_BYTES, f"{name} weighs {size} bytes, at most {MOST_BYTES} are kept in the repository"
    print(f"{file.relative_to(ROOT)}: {size} bytes")


if __name__ == "__main__":
    sys.exit(main())
