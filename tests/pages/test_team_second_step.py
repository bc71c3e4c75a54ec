"""The team's space opens only to those who sign in with a second step, unless the installation says otherwise."""

from dataclasses import replace

import pyotp
import pytest
from flask import url_for
from sqlalchemy import select

from tests.builders import a_subscription, a_user
from tests.conftest import SECRET_KEY
from tests.support.access_table import DOORS, STAFF
from tests.support.page import HTMX, Page
from tests.support.page_linter import problems
from tests.support.signing_in import sign_in
from webapp import clock as business_clock
from webapp.adapters.vault import Vault
from webapp.models.accounts import SecondFactor

pytestmark = pytest.mark.any_database
SET_UP = "/compte/double-verification"
OF_THE_TEAM = [door for door in DOORS if door.admitted <= STAFF]


@pytest.fixture(autouse=True)
def _required(app, settings, monkeypatch):
    monkeypatch.setitem(app.extensions, "portal_settings", replace(settings, staff_two_factor="required"))
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", True)


@pytest.fixture
def admin(app, session, clock):
    user = a_user(session, staff_role="admin", email="nora@centralapp.example")
    return sign_in(app.test_client(), session, user)


def test_it_is_asked_unless_said_otherwise(tmp_path):
    from webapp.config import Settings, WrongSetting

    read = {"PORTAL_INSTANCE": str(tmp_path), "SECRET_KEY": "x" * 40}
    assert Settings.from_env(read).staff_two_factor == "required"
    read["PORTAL_STAFF_TWO_FACTOR"] = "optional"
    assert Settings.from_env(read).staff_two_factor == "optional"
    with pytest.raises(WrongSetting, match="PORTAL_STAFF_TWO_FACTOR"):
        Settings.from_env(read | {"PORTAL_STAFF_TWO_FACTOR": "no"})


@pytest.mark.parametrize("door", OF_THE_TEAM, ids=str)
def test_without_it_no_page_of_the_team_opens(app, session, admin, door, monkeypatch):
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", False)
    with app.test_request_context():
        path = url_for(door.endpoint, **door.values)
    answer = admin.open(path, method=door.method, data=door.form, headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.status_code in (302, 303), answer.status
    assert answer.headers["Location"] == SET_UP
    swapped = admin.open(
        path, method=door.method, data=door.form, headers={"Sec-Fetch-Site": "same-origin"} | HTMX
    )
    assert (swapped.status_code, swapped.get_data(), swapped.headers["HX-Redirect"]) == (401, b"", SET_UP)


def test_no_other_page_opens_either_but_leaving_and_the_language(app, session, admin):
    for path in ("/comptes", "/compte/preferences", "/compte/sessions", "/compte/mot-de-passe"):
        page = Page.get(admin, path)
        assert page.address == SET_UP, path
    assert "L’équipe entre en deux étapes" in page.text("#team-step")
    assert problems(page.html) == []
    token = page.one("meta[name=csrf-token]").get("content")
    headers = {"Sec-Fetch-Site": "same-origin"}
    for path, more in (("/langue", {"language": "nl"}), ("/deconnexion", {})):
        answer = admin.post(path, data={"csrf_token": token} | more, headers=headers)
        assert (answer.status_code, answer.headers["Location"] == SET_UP) == (303, False), path


def test_once_it_is_set_up_the_team_s_space_opens(session, admin):
    page = Page.get(admin, "/equipe/comptes").form(action="/commencer").submit()
    sealed = session.scalars(select(SecondFactor.secret)).one()
    session.rollback()
    assert Page.get(admin, "/equipe/comptes").address == SET_UP, "a secret that no code confirmed is none"
    code = pyotp.TOTP(Vault([SECRET_KEY]).open(sealed)).at(business_clock.now())
    page = page.form(action="/confirmer").fill(code=code).submit()
    assert len(page.texts("ul.codes li")) == 10
    assert Page.get(admin, "/equipe/comptes").address == "/equipe/comptes"


def test_who_takes_it_away_is_asked_for_another(session, admin):
    from datetime import UTC, datetime

    from webapp.models.accounts import User

    user = session.scalars(select(User)).one()
    moment = datetime(2026, 11, 16, 9, tzinfo=UTC)
    session.add(
        SecondFactor(user_id=user.id, secret="x", created_at=moment, confirmed_at=moment, last_counter=0)
    )
    session.commit()
    assert Page.get(admin, "/equipe/comptes").address == "/equipe/comptes"
    session.delete(session.scalars(select(SecondFactor)).one())
    session.commit()
    assert Page.get(admin, "/equipe/comptes").address == SET_UP


def test_clients_are_asked_for_nothing(app, session, clock):
    signed = a_subscription(session)
    owner = sign_in(app.test_client(), session, a_user(session, signed.account))
    assert owner.get(f"/abonnements/{signed.id}").status_code == 200
