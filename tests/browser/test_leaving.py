"""Leaving in a real browser: give notice in time or late, keep the acknowledgement, take it back; and people who come
and go. In three languages, with and without scripts, on a wide screen and on a phone.
"""

import re
import sqlite3
from contextlib import closing
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewPage, Server, axe_violations

OWNER, PASSWORD = "claire@brasserieduparc.example", "demo-portail-2026"
CONSUMER = "martine@tablelejeune.example"
# The brasserie: since 1 March 2026, 12 months, 2 months' notice; so 1 January 2027 is the last day to give notice.
IN_TIME = {
    "fr": "28 février 2027 au soir",
    "nl": "28 februari 2027 ’s avonds",
    "en": "End of day, 28 February 2027",
}
LAST_DAY = {"fr": "1er janvier 2027", "nl": "1 januari 2027", "en": "1 January 2027"}
END = {"fr": "28 février 2027", "nl": "28 februari 2027", "en": "28 February 2027"}
ONE_TERM_LATER = {"fr": "29 février 2028", "nl": "29 februari 2028", "en": "29 February 2028"}
WAYS = [
    pytest.param({"width": 1280}, "fr", id="wide-french"),
    pytest.param({"width": 390, "scripts": False}, "nl", id="phone-dutch-without-scripts"),
    pytest.param({"width": 390, "scheme": "dark"}, "en", id="phone-english-dark"),
]


def sign_in(
    page: Page, server: Server, language: str = "fr", email: str = OWNER, account: str = "CA-10234"
) -> str:
    """Sign in, choose the language on the preferences page. Returns the address of the account's subscription: the
    brasserie's, unless another is asked for."""
    page.goto(f"{server.address}/connexion")
    page.locator("#email").fill(email)
    page.locator("#password").fill(PASSWORD)
    page.locator("main button[type=submit]").first.click()
    page.goto(f"{server.address}/compte/preferences")
    if page.locator("html").get_attribute("lang") != language:
        page.locator(f"main [name=language][value={language}]").first.check()
        page.locator("main form button[type=submit]").first.click()
    expect(page.locator("html")).to_have_attribute("lang", language)
    page.goto(f"{server.address}/comptes")
    link = page.locator(f"#account-{account} a.btn").get_attribute("href")
    assert link
    return server.address + link.rstrip("/")


def confirm(page: Page) -> None:
    page.locator("#confirm [name=understood]").check()
    page.locator("#confirm button.danger").click()


@pytest.mark.parametrize(("looks", "language"), WAYS)
def test_notice_is_given_in_time_acknowledged_listed_and_taken_back(
    own_server: Server, new_page: NewPage, looks: dict[str, object], language: str
) -> None:
    page = new_page(**looks)
    contract = sign_in(page, own_server, language) + "/engagement"
    page.goto(contract)
    expect(page.locator("#last-notice-day")).to_contain_text(LAST_DAY[language])
    page.locator("#leaving a.btn").click()
    expect(page.locator("#end-title")).to_have_text(IN_TIME[language])
    expect(page.locator("#why")).to_contain_text(LAST_DAY[language])
    expect(page.locator(".figures")).to_contain_text(ONE_TERM_LATER[language])
    page.locator("#confirm [name=reason]").select_option("closing")
    confirm(page)
    expect(page.locator("#pending")).to_contain_text(END[language])
    assert page.url == contract
    assert not looks.get("scripts", True) or axe_violations(page) == []
    with page.expect_download() as downloaded:
        page.locator("#pending a[href$='accuse-de-reception']").click()
    assert Path(downloaded.value.path()).read_bytes().startswith(b"%PDF-")
    page.locator("#cancel-termination button").click()
    expect(page.locator("#pending")).to_have_count(0)
    expect(page.locator("#leaving a.btn")).to_be_visible()


@pytest.mark.parametrize(
    ("looks", "language"), [({"width": 390, "scripts": False}, "fr"), ({"width": 1280}, "nl")]
)
def test_late_notice_falls_to_the_end_of_the_next_term(
    late_server: Server, new_page: NewPage, looks: dict[str, object], language: str
) -> None:
    page = new_page(**looks)
    page.goto(sign_in(page, late_server, language) + "/resilier")
    expect(page.locator("#end-title")).to_contain_text(ONE_TERM_LATER[language])
    expect(page.locator("#why")).to_contain_text(LAST_DAY[language])
    confirm(page)
    expect(page.locator("#pending")).to_contain_text(ONE_TERM_LATER[language])


def test_the_date_must_be_agreed_to_before_anything_happens(own_server: Server, new_page: NewPage) -> None:
    page = new_page()
    page.goto(sign_in(page, own_server) + "/resilier")
    page.locator("#confirm button.danger").click()
    expect(page.locator("#confirm [name=understood]")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#end-title")).to_have_text(IN_TIME["fr"])


# ── A consumer who has just signed ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("scripts", [True, False])
def test_a_consumer_withdraws_and_finds_the_credit_note_as_shown(
    own_server: Server, new_page: NewPage, tmp_path: Path, scripts: bool
) -> None:
    with closing(sqlite3.connect(tmp_path / "portal.sqlite3")) as database, database:
        database.execute(
            "UPDATE subscriptions SET starts_on = :on, signed_on = :on, commitment_starts_on = :on"
            " WHERE account_id = (SELECT id FROM accounts WHERE reference = 'CA-10366')",
            {"on": "2026-11-09"},
        )
    page = new_page(width=390, scripts=scripts)
    contract = sign_in(page, own_server, email=CONSUMER, account="CA-10366") + "/engagement"
    page.goto(contract)
    expect(page.locator("#withdrawal")).to_contain_text("23 novembre 2026")
    page.locator("#withdrawal a.btn").click()
    expect(page.locator("#end-title")).to_contain_text("16 novembre 2026")
    given_back = page.locator("#left .sum dd").inner_text()
    assert not scripts or axe_violations(page) == []
    page.locator("#confirm button.danger").click()
    expect(page.locator("#ended")).to_be_visible()
    expect(page.locator("#flashes")).to_contain_text("Votre rétractation est enregistrée")
    page.go_back()
    expect(page.locator("#confirm")).to_have_count(0)  # nothing is left to confirm, or to send again
    page.goto(contract.removesuffix("/engagement") + "/factures")
    notes = page.locator("main tbody tr", has_text="Note de crédit")
    expect(notes).to_have_count(1)
    expect(notes).to_contain_text(re.sub(r"^\D+", "", given_back))


# ── People ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("scripts", [True, False])
def test_a_person_invited_joins_and_once_removed_is_out_at_once(
    own_server: Server, new_page: NewPage, scripts: bool
) -> None:
    owner, guest = new_page(scripts=scripts), new_page(width=390, locale="nl-BE", scripts=scripts)
    people = sign_in(owner, own_server) + "/utilisateurs"
    owner.goto(people)
    owner.locator("#invite [name=email]").fill("mieke@exemple.example")
    owner.locator("#invite [name=role][value=viewer]").check()
    owner.locator("#invite button[type=submit]").click()
    expect(owner.locator("#invitations")).to_contain_text("mieke@exemple.example")

    guest.goto(mailed_link(own_server, "mieke@exemple.example"))
    assert not scripts or axe_violations(guest) + axe_violations(owner) == []
    guest.locator("[name=full_name]").fill("Mieke Peeters")
    guest.locator("[name=password]").fill("een wachtwoord dat lang genoeg is")
    guest.locator("main form button[type=submit].primary").click()
    expect(guest.locator("#plan")).to_be_visible()
    overview = guest.url

    owner.goto(people)
    expect(owner.locator("#invitations")).to_have_count(0)
    owner.locator("#members tr", has_text="Mieke Peeters").locator("a.btn.danger").click()
    owner.locator("main form button.danger").click()
    expect(owner.locator("#members")).not_to_contain_text("Mieke Peeters")
    answer = guest.goto(overview)
    assert answer is not None
    assert answer.status == 404 or "/connexion" in guest.url
    expect(guest.locator("#plan")).to_have_count(0)


def mailed_link(server: Server, recipient: str) -> str:
    for file in Path(server.environment["MAIL_FOLDER"]).glob("*.eml"):
        message = message_from_bytes(file.read_bytes(), policy=policy.default)
        body = message.get_body(("plain",))
        if recipient in str(message["To"]) and body is not None:
            found = re.search(rf"{re.escape(server.address)}/\S+", body.get_content())
            assert found is not None
            return found[0]
    raise AssertionError(f"no mail for {recipient}")


# ── For everybody ────────────────────────────────────────────────────────────────────────────────────────────────

PAGES = ("engagement", "resilier", "utilisateurs", "coordonnees", "historique", "aide", "donnees")


def test_the_pages_are_accessible_in_each_look(server: Server, new_page: NewPage) -> None:
    page = new_page()
    subscription = sign_in(page, server)
    faults = {}
    for name in PAGES:
        page.goto(f"{subscription}/{name}")
        for width, scheme in ((390, "dark"), (1280, "light")):  # test_every_page takes the other two as well
            page.set_viewport_size({"width": width, "height": 844 if width < 600 else 900})
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            found = axe_violations(page)
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                found.append("sideways scroll")
            if found:
                faults[f"{name} at {width} px, {scheme}"] = found
    assert faults == {}
