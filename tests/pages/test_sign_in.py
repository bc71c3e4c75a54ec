"""Arriving, leaving and coming back: the pages of people, over HTTP."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from tests.builders import PASSWORD, a_subscription, a_user, an_account
from tests.support.page import Page
from tests.support.page_linter import problems
from tests.support.signing_in import sign_in
from webapp import clock as business_clock
from webapp import create_app
from webapp.adapters import passwords
from webapp.auth import local_path
from webapp.config import Settings
from webapp.domain.access import Role
from webapp.extensions import db
from webapp.models.accounts import LoginSession, Membership, User
from webapp.models.records import AuditEntry, OutboxMessage

ANOTHER = "quatre chevaux bleus au marché"
NOW = datetime(2026, 11, 16, 9, 0, tzinfo=UTC)


@pytest.fixture
def claire(session: Session) -> User:
    account = an_account(session)
    user = a_user(
        session, account, email="claire@brasserie.example", password_hash=passwords.hash_password(PASSWORD)
    )
    session.commit()
    session.refresh(user)
    session.expunge(user)  # read freely, without opening the writing transaction of this session again
    session.rollback()
    return user


def read(session: Session, *columns: object) -> list[tuple[object, ...]]:
    """Rows as they are now, without keeping the transaction that the portal needs."""
    statement = select(*columns)  # type: ignore[call-overload]
    rows = [tuple(row) for row in session.execute(statement)]
    session.rollback()
    return rows


@pytest.fixture
def stopped_clock() -> None:
    business_clock.freeze(NOW)


def filled(
    client: FlaskClient, password: str = PASSWORD, email: str = "claire@brasserie.example", **query: str
) -> Page:
    page = Page.get(client, "/connexion", **query)
    return page.form(action=page.one("main form").get("action")).fill(email=email, password=password).submit()


def newest_mail(settings: Settings) -> str:
    assert settings.mail_folder is not None
    newest = max(settings.mail_folder.glob("*.eml"), key=lambda file: file.stat().st_mtime_ns)
    message = message_from_bytes(newest.read_bytes(), policy=policy.default)
    body = message.get_body(("plain",))
    assert body is not None
    return body.get_content()


def link_in(text: str) -> str:
    found = re.search(r"http://localhost(/\S+)", text)
    assert found is not None
    return found[1]


# --- Sign in ---------------------------------------------------------------------------------------------------


def test_the_right_password_opens_the_portal_and_the_cookie_is_locked_down(
    client: FlaskClient, claire: User
) -> None:
    page = Page.get(client, "/connexion")
    form = page.form(action="/connexion")
    answer = client.post("/connexion", data={**form.values, "email": claire.email, "password": PASSWORD})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    cookie = next(c for c in answer.headers.getlist("Set-Cookie") if c.startswith("session="))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_wrong_password_says_how_many_tries_are_left_and_keeps_the_address(
    client: FlaskClient, claire: User
) -> None:
    page = filled(client, ANOTHER)
    assert page.status == 422
    form = page.form(action="/connexion")
    expected = "L’adresse ou le mot de passe ne correspond pas. Il vous reste 4 essais."
    assert form.error("password") == expected
    assert page.text("#error-summary li") == expected
    assert form.values["email"] == [claire.email]
    assert page.one("#password").get("value") in (None, "")
    assert problems(page.html) == []


def test_an_unknown_address_gets_the_very_same_page(client: FlaskClient, claire: User) -> None:
    known = filled(client, ANOTHER)
    unknown = filled(client, ANOTHER, email="autre1@brasserie.example")
    assert unknown.status == known.status
    assert unknown.text("main") == known.text("main")


def test_failures_are_kept_although_the_answer_is_an_error(client: FlaskClient, claire: User) -> None:
    for left in ("4 essais", "3 essais", "2 essais", "1 essai."):
        assert left in filled(client, ANOTHER).text("#password-error")
    closed = filled(client, ANOTHER)
    assert (closed.status, closed.headers["Retry-After"]) == (429, "900")
    assert closed.text("#password-error") == "Trop d’essais. Réessayez dans 15 minutes."
    assert filled(client).status == 429


def test_each_browser_gets_a_token_of_its_own_and_an_old_one_ends_at_sign_in(
    client: FlaskClient, claire: User, session: Session
) -> None:
    filled(client)
    first = client.get_cookie("session")
    assert first is not None
    page = Page.get(client, "/compte/preferences")
    token = page.one("meta[name='csrf-token']").get("content")
    answer = client.post(
        "/connexion", data={"csrf_token": token, "email": claire.email, "password": PASSWORD}
    )
    assert answer.status_code == 303
    second = client.get_cookie("session")
    assert second is not None
    assert second.value != first.value
    ended = dict(read(session, LoginSession.id, LoginSession.revoked_at))
    assert [ended[key] is None for key in sorted(ended)] == [False, True]


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.test/",
        "//evil.test",
        "/\\evil.test",
        "/\t/evil.test",
        "http:evil.test",
        "javascript:alert(1)",
        "evil.test",
        "",
        None,
    ],
)
def test_signing_in_never_leads_to_another_site(address: str | None) -> None:
    assert local_path(address) is None


def test_the_page_asked_for_comes_back_after_signing_in(client: FlaskClient, claire: User) -> None:
    page = Page.get(client, "/compte/preferences")
    assert page.address == "/connexion?next=/compte/preferences"
    page = page.form(action="preferences").fill(email=claire.email, password=PASSWORD).submit()
    assert page.address == "/compte/preferences"


def test_a_fragment_asked_by_nobody_sends_the_whole_page_to_sign_in(client: FlaskClient, app: Flask) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://localhost/comptes?page=2"}
    answer = client.get("/compte/sessions", headers=headers)
    assert (answer.status_code, answer.get_data()) == (401, b"")
    assert answer.headers["HX-Redirect"] == "/connexion?next=/comptes?page%3D2"


def test_signing_out_ends_the_session_on_the_server_and_clears_the_browser(
    client: FlaskClient, claire: User
) -> None:
    filled(client)
    token = client.get_cookie("session")
    assert token is not None
    page = Page.get(client, "/compte/preferences")
    csrf = page.one("meta[name='csrf-token']").get("content")
    answer = client.post("/deconnexion", data={"csrf_token": csrf})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/connexion")
    assert answer.headers["Clear-Site-Data"] == '"cache", "cookies", "storage"'
    client.set_cookie("session", token.value, domain="localhost")  # a copy kept by somebody
    page = Page.get(client, "/compte/preferences")
    assert page.address.startswith("/connexion")
    assert "Votre session a pris fin" in page.text("main")


def test_over_https_the_cookie_is_bound_to_this_host(
    settings: Settings, claire: User, tmp_path: Path
) -> None:
    app = create_app(replace(settings, base_url="https://portail.example"))
    app.config["WTF_CSRF_ENABLED"] = False
    answer = app.test_client().post(
        "/connexion",
        base_url="https://portail.example",
        data={"email": claire.email, "password": PASSWORD},
    )
    cookie = next(c for c in answer.headers.getlist("Set-Cookie") if "session=" in c)
    assert cookie.startswith("__Host-session=")
    assert "Secure" in cookie
    with app.app_context():
        db.engine.dispose()


# --- Links by mail ---------------------------------------------------------------------------------------------


def test_a_forgotten_password_is_chosen_again_by_mail(
    client: FlaskClient, app: Flask, claire: User, session: Session, settings: Settings
) -> None:
    elsewhere = sign_in(app.test_client(), session, claire)
    page = Page.get(client, "/connexion").follow("Mot de passe oublié")
    page = page.form(action="/mot-de-passe").fill(email=claire.email).submit()
    assert page.address == "/connexion"
    assert "un message vient de partir" in page.text("#flashes")

    page = Page.get(client, link_in(newest_mail(settings)))
    assert problems(page.html) == []
    weak = page.form(action=page.address).fill(password="court").submit()
    assert (weak.status, weak.form(action=page.address).error("password")) == (
        422,
        "Choisissez au moins 12 caractères.",
    )
    page = weak.form(action=page.address).fill(password=ANOTHER).submit()
    assert page.address == "/connexion"
    assert Page.get(elsewhere, "/compte/preferences").address.startswith("/connexion")
    assert filled(client, ANOTHER).address == "/comptes"

    again = Page.get(client, link_in(newest_mail(settings)))
    assert (again.status, again.text("h1")) == (410, "Ce lien n’est plus valable")


def test_asking_for_a_link_says_the_same_for_an_address_that_nobody_has(
    client: FlaskClient, claire: User, session: Session
) -> None:
    said = []
    for email in (claire.email, "personne@nulle.example"):
        page = Page.get(client, "/mot-de-passe").form(action="/mot-de-passe").fill(email=email).submit()
        said.append((page.status, page.address, page.text("#flashes").replace(email, "…")))
    assert said[0] == said[1]
    assert read(session, OutboxMessage.recipient) == [(claire.email,)]


def test_a_mailed_link_signs_in_once_and_only_by_a_click(
    client: FlaskClient, claire: User, settings: Settings
) -> None:
    page = Page.get(client, "/connexion").follow("Recevoir un lien par e-mail")
    page.form(action="/connexion/lien").fill(email=claire.email).submit()
    address = link_in(newest_mail(settings))
    for _ in range(2):  # a mail program looks at it first
        page = Page.get(client, address)
        assert page.text("main form p") == f"Vous allez vous connecter comme {claire.email}."
    assert page.form(action=address).submit().address == "/comptes"
    assert Page.get(client, address).status == 410


# --- Sessions and preferences ----------------------------------------------------------------------------------


def test_sessions_are_listed_with_their_device_and_closed_one_by_one(
    client: FlaskClient, app: Flask, claire: User, session: Session
) -> None:
    windows = (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/141.0.0.0 Safari/537.36"
    )
    other = app.test_client()
    token = Page.get(other, "/connexion").one("meta[name='csrf-token']").get("content")
    data = {"csrf_token": token, "email": claire.email, "password": PASSWORD}
    other.post("/connexion", data=data, headers={"User-Agent": windows})
    filled(client)

    page = Page.get(client, "/compte/sessions")
    assert problems(page.html) == []
    assert "Chrome sur Windows" in page.texts("h2")
    assert len(page.texts(".badge.good")) == 1
    page = page.form(action="/fermer").submit()
    assert page.text("#flashes") == "La session est fermée."
    assert "Chrome sur Windows" not in page.texts("h2")
    assert Page.get(other, "/comptes").address.startswith("/connexion")
    assert ("session.revoked",) in read(session, AuditEntry.action)


def test_preferences_are_kept_and_said_in_the_language_just_chosen(
    client: FlaskClient, claire: User, session: Session
) -> None:
    sign_in(client, session, claire)
    page = Page.get(client, "/compte/preferences")
    assert problems(page.html) == []
    page = page.form(action="/compte/preferences").fill(language="nl", price_display="tvac").submit()
    assert page.one("html").get("lang") == "nl"
    assert read(session, User.language, User.price_display) == [("nl", "tvac")]
    page.form(action="/compte/preferences").fill(language="navigateur").submit()
    assert read(session, User.language) == [(None,)]


def test_the_language_switch_is_a_form_and_an_address_changes_nothing(
    client: FlaskClient, claire: User, session: Session
) -> None:
    page = Page.get(client, "/connexion", lang="nl")
    assert page.one("html").get("lang") == "fr"
    page = page.form(action="/langue").submit("language=nl")
    assert (page.address, page.one("html").get("lang")) == ("/connexion?lang=nl", "nl")

    sign_in(client, session, claire)
    page = Page.get(client, "/compte/preferences")
    assert page.one("html").get("lang") == "fr", "the person's own choice comes first"
    token = page.one("meta[name='csrf-token']").get("content")
    answer = client.post("/langue", data={"csrf_token": token, "language": "en", "next": "//evil.test"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert read(session, User.language) == [("en",)]


def test_changing_ones_password_asks_for_the_current_one(
    client: FlaskClient, claire: User, session: Session
) -> None:
    sign_in(client, session, claire)
    page = Page.get(client, "/compte/mot-de-passe")
    assert problems(page.html) == []
    form = page.form(action="/compte/mot-de-passe").fill(current="pas celui-là du tout", password=ANOTHER)
    page = form.submit()
    assert page.status == 422
    assert page.form(action="/compte/mot-de-passe").error("current").endswith("Il vous reste 4 essais.")
    page = page.form(action="/compte/mot-de-passe").fill(current=PASSWORD, password=ANOTHER).submit()
    assert page.address == "/compte/preferences"


# --- Accounts --------------------------------------------------------------------------------------------------


def test_several_accounts_are_offered_and_the_last_one_is_opened_next_time(
    client: FlaskClient, session: Session
) -> None:
    first, second = a_subscription(session), a_subscription(session)
    user = a_user(session, first.account)
    session.add(
        Membership(user_id=user.id, account_id=second.account_id, role=Role.VIEWER.value, created_at=NOW)
    )
    sign_in(client, session, user)
    page = Page.get(client, "/")
    assert page.address == "/comptes"
    assert problems(page.html) == []
    opened = page.follow(f"[href*='{second.id}']") if page.has(f"a[href*='{second.id}']") else None
    if opened is not None:  # the overview belongs to another door
        assert Page.get(client, "/").address == opened.address


def test_a_person_without_account_is_told_what_to_do(client: FlaskClient, session: Session) -> None:
    sign_in(client, session, a_user(session))
    page = Page.get(client, "/")
    assert page.address == "/comptes"
    assert "Aucun compte pour le moment" in page.text("main")


# --- What a request costs --------------------------------------------------------------------------------------


def test_who_is_here_is_asked_in_one_statement(
    client: FlaskClient, session: Session, claire: User, stopped_clock: None, app: Flask
) -> None:
    sign_in(client, session, claire)
    client.get("/compte/mot-de-passe")  # the operator's name is read once per process
    statements: list[str] = []
    with app.app_context():
        engine = db.engine

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "login_sessions" in statement:
            statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        client.get("/compte/mot-de-passe")
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert len(statements) == 1


def test_the_last_visit_is_noted_every_five_minutes_at_most(
    client: FlaskClient, session: Session, claire: User
) -> None:
    business_clock.freeze(NOW)
    sign_in(client, session, claire)
    seen = []
    for minutes in (4, 6, 9):
        business_clock.freeze(NOW + timedelta(minutes=minutes))
        assert client.get("/compte/sessions").status_code == 200
        ((last_seen_at,),) = read(session, LoginSession.last_seen_at)
        seen.append(last_seen_at - NOW)
    assert seen == [timedelta(0), timedelta(minutes=6), timedelta(minutes=6)]


def test_a_page_is_shown_although_the_last_visit_cannot_be_noted(
    client: FlaskClient, session: Session, claire: User, app: Flask
) -> None:
    business_clock.freeze(NOW)
    sign_in(client, session, claire)
    business_clock.freeze(NOW + timedelta(minutes=6))
    with app.app_context():
        engine = db.engine

    def full(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("UPDATE login_sessions"):
            raise OperationalError(statement, {}, Exception("database or disk is full"))

    event.listen(engine, "before_cursor_execute", full)
    try:
        assert client.get("/compte/sessions").status_code == 200
    finally:
        event.remove(engine, "before_cursor_execute", full)
