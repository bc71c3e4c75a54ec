"""What holds before any journey: pages load under the content policy, with htmx and without scripts."""

import pytest

from tests.browser.conftest import axe_violations


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_sign_in_and_error_pages_have_no_accessibility_violation(server, new_page, width, scheme):
    page = new_page(width=width, scheme=scheme)
    for path in ("/connexion", "/nulle-part"):
        page.goto(server.address + path)
        assert axe_violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_htmx_and_its_content_policy_extension_are_at_work(server, page):
    page.goto(f"{server.address}/connexion")
    assert page.evaluate("htmx.version") == "4.0.1"
    assert page.evaluate("htmx.config.noSwap") == [204, 304, "5xx", 401, 403]
    assert page.evaluate("htmx.config.includeIndicatorCSS") is False


def test_the_fonts_and_style_sheets_are_ours_and_load(server, page):
    failed = []
    page.on("response", lambda answer: failed.append(answer.url) if answer.status >= 400 else None)
    page.goto(f"{server.address}/connexion", wait_until="networkidle")
    assert failed == []
    assert page.evaluate("document.fonts.check('16px Figtree')")
