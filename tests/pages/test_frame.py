"""The frame around every page: menus, language switch, sign-out, foot."""

import uuid
from dataclasses import dataclass

import pytest
from flask import Flask, flash, g
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from tests.builders import a_seller, a_user, an_account
from tests.support.page import Page
from tests.support.page_linter import problems
from tests.support.signing_in import sign_in
from webapp import navigation
from webapp.domain.access import Role
from webapp.domain.reselling import EVERYTHING, Showing
from webapp.i18n import LANGUAGES
from webapp.rendering import render

SUBSCRIPTION = uuid.UUID(int=1)


@dataclass
class AVisit:
    """What the menu reads of a visit."""

    role: Role | None
    subscription_id: uuid.UUID | None = SUBSCRIPTION
    showing: Showing = EVERYTHING


@pytest.fixture
def signed_in(client: FlaskClient, session: Session) -> FlaskClient:
    a_seller(session)
    return sign_in(client, session, a_user(session, an_account(session), email="claire@brasserie.example"))


def test_the_foot_names_the_seller_and_its_vat_number(signed_in: FlaskClient) -> None:
    page = Page.get(signed_in, "/compte/preferences")
    assert page.text("main > footer") == "CentralApp SA, BE 0765.432.146"
    assert page.title.endswith("– CentralApp")


def test_a_portal_without_seller_still_has_pages(client: FlaskClient) -> None:
    assert Page.get(client, "/connexion").text(".brand") == "Plan et facturation"


def test_the_language_switch_comes_back_to_the_page_in_the_language_chosen(client: FlaskClient) -> None:
    page = Page.get(client, "/mot-de-passe")
    page = page.form(action="/langue").submit("Nederlands")
    assert page.address == "/mot-de-passe"
    assert page.one("html").get("lang") == "nl"
    page = page.form(action="/langue").submit("English")
    assert page.one("html").get("lang") == "en"
    assert page.text("[aria-current=true]") == "English"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_frame_is_sound_in_every_language(signed_in: FlaskClient, language: str) -> None:
    """The switch is there twice, at the foot of the side and in the phone's menu: either will do."""
    page = Page.get(signed_in, "/compte/preferences")
    token = page.one("meta[name=csrf-token]").get("content")
    form = {"csrf_token": token, "language": language, "next": page.address}
    page = Page(signed_in, signed_in.post("/langue", data=form, follow_redirects=True))
    assert page.one("html").get("lang") == language
    assert problems(page.html) == []


def test_a_persons_own_pages_have_their_menu_and_mark_the_one_shown(signed_in: FlaskClient) -> None:
    page = Page.get(signed_in, "/compte/sessions")
    assert [link.get("href") for link in page.all(".mainnav a")] == [
        "/comptes",
        "/compte/preferences",
        "/compte/sessions",
    ]
    assert page.one(".mainnav [aria-current=page]").get("href") == "/compte/sessions"


def test_signing_out_is_a_form_in_the_account_menu(signed_in: FlaskClient) -> None:
    form = Page.get(signed_in, "/compte/preferences").form(action="/deconnexion")
    assert form.element.get("method") == "post"
    assert form.submit().address.startswith("/connexion")


@pytest.mark.parametrize(
    ("role", "missing"),
    [
        (Role.OWNER, set()),
        (Role.VIEWER, {"personal_data.index"}),
        (
            Role.ACCOUNTANT,
            {
                "subscriptions.overview",
                "options.edit",
                "establishments.index",
                "users.index",
                "history.index",
                "personal_data.index",
            },
        ),
    ],
)
def test_the_menu_offers_what_is_built_and_what_the_role_may_open(
    app: Flask, role: Role, missing: set[str]
) -> None:
    built = {place.endpoint for place in navigation.PLACES if place.endpoint in app.view_functions}
    with app.test_request_context("/"):
        offered = {link.place.endpoint for link in navigation.links(AVisit(role))}  # type: ignore[arg-type]
    assert offered == built - missing


def test_nobody_has_no_menu(app: Flask) -> None:
    with app.test_request_context("/"):
        assert navigation.links(None) == []


def test_a_message_is_said_in_the_language_of_the_page_and_escaped(app: Flask) -> None:
    with app.test_request_context("/", headers={"Accept-Language": "nl"}):
        g.visit = None
        flash("Vos préférences sont enregistrées.", "good")
        flash("<b>Comptoir</b>", "warn")
        shown = render("components/_flashes.html")
    assert "Uw voorkeuren zijn opgeslagen." in shown
    assert "&lt;b&gt;Comptoir&lt;/b&gt;" in shown


def test_the_region_for_messages_is_empty_without_one(app: Flask) -> None:
    with app.test_request_context("/"):
        g.visit = None
        assert render("components/_flashes.html").endswith('role="status"></div>')
