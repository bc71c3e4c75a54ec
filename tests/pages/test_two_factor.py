"""Two-step sign-in, over HTTP: set up, asked, taken once, replaced by a recovery code, removed with the password."""

from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.builders import PASSWORD, a_user, an_account
from tests.conftest import SECRET_KEY
from tests.support.page import Page
from tests.support.page_linter import problems
from tests.support.signing_in import sign_in
from webapp import clock as business_clock
from webapp.adapters import passwords
from webapp.adapters.vault import Vault
from webapp.models.accounts import RecoveryCode, SecondFactor, User

NOW = datetime(2026, 11, 16, 9, 0, tzinfo=UTC)
SETTINGS = "/compte/double-verification"


@pytest.fixture(autouse=True)
def _stopped_clock() -> None:
    business_clock.freeze(NOW)


@pytest.fixture
def claire(session: Session) -> User:
    user = a_user(
        session,
        an_account(session),
        email="claire@parc.example",
        password_hash=passwords.hash_password(PASSWORD),
    )
    session.commit()
    return user


def later(seconds: int) -> None:
    business_clock.freeze(business_clock.now() + timedelta(seconds=seconds))


def code(session: Session) -> str:
    session.rollback()
    sealed = session.scalars(select(SecondFactor.secret)).one()
    session.rollback()
    return pyotp.TOTP(Vault([SECRET_KEY]).open(sealed)).at(business_clock.now())


@pytest.fixture
def codes(client: FlaskClient, session: Session, claire: User) -> list[str]:
    """Two-step sign-in is on, the browser is signed out, and these are the recovery codes."""
    sign_in(client, session, claire)
    page = Page.get(client, SETTINGS).form().submit("Commencer")
    assert page.has(".qr svg")
    assert problems(page.html) == []
    page = page.form().fill(code=code(session)).submit()
    assert problems(page.html) == []
    found = page.texts("ul.codes li")
    client.delete_cookie("session")
    later(30)
    return found


def first_step(client: FlaskClient, **query: str) -> Page:
    page = Page.get(client, "/connexion", **query)
    form = page.form(action=page.one("main form").get("action"))
    return form.fill(email="claire@parc.example", password=PASSWORD).submit()


def second_step(page: Page, typed: str) -> Page:
    return page.form(action=page.one("main form").get("action")).fill(code=typed).submit()


def test_the_password_alone_no_longer_opens(client: FlaskClient, session: Session, codes: list[str]) -> None:
    page = first_step(client, next="/compte/preferences")
    assert page.text("h1") == "Votre code"
    assert client.get_cookie("session") is None
    assert Page.get(client, "/compte/sessions").address.startswith("/connexion")
    assert problems(page.html) == []
    page = second_step(page, code(session))
    assert page.address == "/compte/preferences"


def test_a_code_serves_once(client: FlaskClient, session: Session, codes: list[str]) -> None:
    typed = code(session)
    second_step(first_step(client), typed)
    client.delete_cookie("session")
    page = second_step(first_step(client), typed)
    assert page.status == 422
    assert "a déjà servi" in page.text("#code-error")
    later(30)
    assert second_step(page, code(session)).status == 200


def test_a_copy_of_the_database_does_not_hold_the_secret(session: Session, codes: list[str]) -> None:
    kept = session.scalars(select(SecondFactor.secret)).one()
    secret = Vault([SECRET_KEY]).open(kept)
    assert secret not in kept
    assert len(secret) == 32


def test_a_key_is_replaced_without_asking_anybody_for_a_new_secret(
    app: Flask, client: FlaskClient, session: Session, codes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.extensions, "portal_vault", Vault(["the next key " * 4, SECRET_KEY]))
    typed = code(session)
    answer = app.test_cli_runner().invoke(args=["reseal"])
    assert (answer.exit_code, answer.output.strip()[:1]) == (0, "1")
    monkeypatch.setitem(
        app.extensions, "portal_vault", Vault(["the next key " * 4])
    )  # the former one is gone
    assert second_step(first_step(client), typed).status == 200


def test_when_no_key_opens_the_secret_a_recovery_code_still_signs_in(
    app: Flask, client: FlaskClient, session: Session, codes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = code(session)
    monkeypatch.setitem(app.extensions, "portal_vault", Vault(["a key of elsewhere " * 3]))
    assert app.test_cli_runner().invoke(args=["reseal"]).exit_code == 1
    page = second_step(first_step(client), typed)
    assert page.status == 422
    assert second_step(page, codes[0]).status == 200


def test_five_wrong_codes_close_the_door_for_a_while(
    client: FlaskClient, session: Session, codes: list[str]
) -> None:
    page = first_step(client)
    for _ in range(5):
        page = second_step(page, "000000")
        assert page.status == 422
    page = second_step(page, code(session))
    assert page.status == 429
    assert "Trop d’essais" in page.text("#code-error")


def test_the_first_step_is_remembered_ten_minutes(
    client: FlaskClient, session: Session, codes: list[str]
) -> None:
    page = first_step(client)
    later(11 * 60)
    page = second_step(page, code(session))
    assert page.address.startswith("/connexion")
    assert "Trop de temps a passé" in page.text("#flashes")


def test_a_recovery_code_replaces_the_phone_once(
    client: FlaskClient, session: Session, codes: list[str]
) -> None:
    assert len(codes) == 10
    kept = session.scalars(select(RecoveryCode.code_hash)).all()
    session.rollback()
    assert not any(plain in kept for plain in codes)
    assert second_step(first_step(client), codes[0].upper()).status == 200
    assert "9 codes de secours" in Page.get(client, SETTINGS).text("main")
    client.delete_cookie("session")
    assert second_step(first_step(client), codes[0]).status == 422


def test_a_mailed_link_asks_for_the_code_too(
    client: FlaskClient, session: Session, codes: list[str], settings
) -> None:
    from tests.pages.test_users import mailed_link

    page = Page.get(client, "/connexion/lien")
    page.form().fill(email="claire@parc.example").submit()
    page = Page.get(client, mailed_link(settings)).form().submit()
    assert page.text("h1") == "Votre code"
    assert client.get_cookie("session") is None


def test_removing_it_asks_for_the_password(client: FlaskClient, session: Session, codes: list[str]) -> None:
    second_step(first_step(client), code(session))
    page = Page.get(client, SETTINGS)
    wrong = page.form().fill(password="autre chose").submit("Retirer la double vérification")
    assert (wrong.status, "Il vous reste 4 essais" in wrong.text("#password-error")) == (422, True)
    page = wrong.form().fill(password=PASSWORD).submit("Retirer la double vérification")
    assert "votre mot de passe suffit" in page.text("#flashes")
    client.delete_cookie("session")
    first_step(client)
    assert client.get_cookie("session") is not None


def test_new_recovery_codes_end_the_former_ones(
    client: FlaskClient, session: Session, codes: list[str]
) -> None:
    second_step(first_step(client), code(session))
    page = Page.get(client, SETTINGS).form().fill(password=PASSWORD).submit()
    assert page.headers["Cache-Control"] == "no-store"
    renewed = page.texts("ul.codes li")
    assert not set(renewed) & set(codes)
    client.delete_cookie("session")
    assert second_step(first_step(client), codes[1]).status == 422
    assert second_step(first_step(client), renewed[0]).status == 200


def test_a_secret_that_no_code_confirmed_asks_for_nothing(
    client: FlaskClient, session: Session, claire: User
) -> None:
    sign_in(client, session, claire)
    page = Page.get(client, SETTINGS).form().submit("Commencer")
    refused = page.form().fill(code="123456").submit()
    assert refused.status == 422
    assert refused.has(".qr svg")
    client.delete_cookie("session")
    first_step(client)
    assert client.get_cookie("session") is not None
