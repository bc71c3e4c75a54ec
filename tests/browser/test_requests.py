"""A request from its first words to its end, in Dutch, in a real browser: asked by a client, taken, answered with a reply kept
ready, read and answered by the client, closed. And an account rehearsed twelve months ahead, of which nothing stays."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewPage, Server, axe_violations
from tests.browser.test_billing_room import rows
from tests.browser.test_gestures import looks_right, sign_in
from tests.browser.test_leaving import sign_in as sign_in_as_client

WAYS = [
    pytest.param({"width": 1280}, id="wide"),
    pytest.param({"width": 390, "scheme": "dark", "scripts": False}, id="phone-dark-without-scripts"),
]
QUESTION = "Waarom staat de mailbox twee keer op mijn factuur?"
SAVED = "Dank voor uw bericht. Wij kijken het na."
# What looking leaves: when a session was last seen, and what was printed when it was first asked for.
SLOW = 60_000  # milliseconds: a year is played before the page answers
LOOKED = {"login_sessions", "sign_in_attempts", "users", "alembic_version"}


@pytest.mark.parametrize("looks", WAYS)
def test_a_request_is_asked_taken_answered_read_and_closed_in_dutch(
    own_server: Server, new_page: NewPage, looks: dict[str, object]
) -> None:
    client, team = new_page(**looks), new_page(**looks)
    address = sign_in_as_client(client, own_server, "nl")
    client.goto(f"{address}/contact")
    client.locator("#contact [name=message]").fill(QUESTION)
    client.locator("#contact button[type=submit]").click()
    expect(client.locator("#flashes")).to_be_visible()
    sign_in(team, own_server)
    keep_a_reply(own_server)
    team.goto(f"{own_server.address}/equipe/tableau-de-bord")
    expect(team.locator("#tiles a[href$='/demandes']")).to_have_text("Te behandelen aanvragen")
    team.goto(f"{own_server.address}/equipe/demandes")
    looks_right(team, looks)
    team.locator("#requests tbody th a").first.click()
    expect(team.locator("#conversation")).to_contain_text(QUESTION)
    looks_right(team, looks)
    team.get_by_role("button", name="Ik neem dit op mij").click()
    expect(team.locator("#state .badge").first).to_have_text("Toegewezen")
    # The reply kept ready comes in the client's language, and is completed before it leaves.
    team.locator("#pick button").click()
    expect(team.locator("#answer-form [name=text]")).to_have_value(SAVED)
    team.locator("#answer-form [name=text]").fill(f"{SAVED} Er volgt een creditnota.")
    team.locator("#answer-form button[type=submit]").click()
    expect(team.locator("#conversation li").last).to_contain_text("Er volgt een creditnota.")
    looks_right(team, looks)
    client.goto(f"{address}/aide/demandes")
    looks_right(client, looks)
    client.locator("#requests a").first.click()
    expect(client.locator("#conversation")).to_contain_text("Er volgt een creditnota.")
    looks_right(client, looks)
    client.locator("#reply-form [name=message]").fill("Dank u, dat is in orde.")
    client.locator("#reply-form button[type=submit]").click()
    team.reload()
    expect(team.locator("#conversation li").last).to_contain_text("Dank u, dat is in orde.")
    team.locator("#change-state button[value=clore]").click()
    expect(team.locator("#state .badge").first).to_have_text("Afgesloten")
    team.goto(f"{own_server.address}/equipe/demandes")
    expect(team.locator("#requests h2").first).to_have_text("Geen aanvragen")


def keep_a_reply(server: Server) -> None:
    """As an administrator did before: writing them is not for who answers."""
    texts = {
        "fr": "Merci pour votre message. Nous regardons.",
        "nl": SAVED,
        "en": "Thank you, we are looking.",
    }
    rows(
        server,
        "INSERT INTO saved_replies (name, texts, changed_by, changed_at) VALUES ('Ontvangen', ?, 'Nora', ?)",
        json.dumps(texts),
        "2026-11-16 09:00:00.000000",
    )


def kept(server: Server) -> dict[str, list[tuple[object, ...]]]:
    """Every row of the portal, but what looking leaves."""
    file = Path(server.environment["PORTAL_INSTANCE"]) / "portal.sqlite3"
    with closing(sqlite3.connect(file, timeout=20)) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            name: database.execute(f'SELECT * FROM "{name}"').fetchall()
            for name in names
            if name not in LOOKED
        }


def test_an_account_is_rehearsed_twelve_months_ahead_and_nothing_real_changes(
    own_server: Server, new_page: NewPage
) -> None:
    page = new_page(width=390)
    sign_in(page, own_server)
    before = kept(own_server)
    page.goto(f"{own_server.address}/equipe/comptes/CA-10234/repetition")
    page.locator("#question [name=months]").select_option("12")
    page.locator("#question button[type=submit]").click(timeout=SLOW)
    played = page.locator("#played")
    expect(played.locator("h2")).to_contain_text("november 2027", timeout=SLOW)
    expect(played.locator("h3").first).to_have_text("November 2026")
    expect(played.locator("h3")).to_have_count(13)
    for words in ("Factuur F2027-", "Stilzwijgende verlenging", "Veronderstelde betaling"):
        expect(played).to_contain_text(words)
    assert axe_violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert kept(own_server) == before
