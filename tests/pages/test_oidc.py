"""The team signs in through its identity provider: by a proved answer, for somebody it has already, and for nobody else."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
from joserfc.jwk import OctKey
from sqlalchemy import func, select

from tests.builders import a_user, an_account
from tests.conftest import SECRET_KEY
from tests.support.fake_oidc import CLIENT, FORGED, SECRET, served
from tests.support.page import Page
from tests.support.page_linter import problems
from webapp import clock as business_clock
from webapp.adapters.oidc import Provider
from webapp.adapters.vault import Vault
from webapp.models.accounts import LoginSession, OidcIdentity, SecondFactor, SignInAttempt, User
from webapp.models.records import AuditEntry

NOW = datetime(2026, 11, 16, 9, 0, tzinfo=UTC)
BEGIN, BACK = "/connexion/equipe", "/connexion/equipe/retour"
NOT_PROVED = "Cette connexion n’a pas pu être vérifiée, ou a trop tardé. Recommencez."
NOBODY = "Personne dans l’équipe n’a cette adresse. Les clients se connectent avec leur adresse e-mail."


@pytest.fixture
def at_provider(app, monkeypatch):
    """A provider on the machine itself, by which this portal's team may sign in."""
    business_clock.freeze(NOW)
    with served() as fake:
        fake.now = int(NOW.timestamp())
        known = Provider(fake.issuer, CLIENT, SECRET, "CentralApp ID", frozenset({"mfa", "urn:acr:two"}))
        monkeypatch.setitem(app.extensions, "portal_oidc", known)
        yield fake


@pytest.fixture
def nora(session):
    user = a_user(session, staff_role="admin", email="nora@centralapp.example", full_name="Nora Peeters")
    user_id = user.id
    session.commit()
    return user_id


def begin(client, **query):
    answer = client.get(BEGIN, query_string=query)
    assert answer.status_code == 302
    return answer.headers["Location"]


def come_back(client, fake, **query):
    """The page that the provider sends the browser back to."""
    return Page.get(client, BACK, **fake.authorize(begin(client, **query)))


def arrive(client, fake, **query):
    return come_back(client, fake, **query).form().submit()


def count(session, model):
    session.rollback()
    found = session.scalar(select(func.count()).select_from(model))
    session.rollback()  # SQLite has one writer, which the portal must find free
    return found


# --- Without one -----------------------------------------------------------------------------------------------


@pytest.mark.any_database
def test_without_a_provider_nothing_shows_and_no_page_exists(client):
    assert BEGIN not in Page.get(client, "/connexion").html
    assert [client.get(BEGIN).status_code, client.get(BACK).status_code] == [404, 404]


# --- Who comes in ----------------------------------------------------------------------------------------------


def test_somebody_of_the_team_comes_in_and_it_is_told(session, client, nora, at_provider):
    page = Page.get(client, "/connexion", next="/equipe/comptes")
    assert "CentralApp ID" in page.text(f'a[href^="{BEGIN}"]')
    back = come_back(client, at_provider, next="/equipe/comptes")
    assert (count(session, LoginSession), problems(back.html)) == (0, [])
    page = back.form().submit()
    assert (page.status, page.address) == (200, "/equipe/comptes")
    session.rollback()
    bound = session.scalars(select(OidcIdentity)).one()
    assert (bound.user_id, bound.issuer, bound.subject) == (nora, at_provider.issuer, "248289761001")
    entries = {row.action: row for row in session.scalars(select(AuditEntry))}
    assert entries["user.signed_in"].after["means"] == "oidc"
    assert entries["user.provider_bound"].after["provider_subject"] == "248289761001"
    session.rollback()
    assert "Cette session" in Page.get(client, "/compte/sessions").text("main")


@pytest.mark.any_database
def test_the_question_is_made_as_it_must(client, at_provider):
    address = urlsplit(begin(client))
    asked = {name: values[0] for name, values in parse_qs(address.query).items()}
    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{at_provider.issuer}/authorize"
    drawn = {name: asked.pop(name) for name in ("state", "nonce", "code_challenge")}
    assert all(len(value) == 43 for value in drawn.values()), "256 bits each"
    assert asked == {
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": f"http://localhost{BACK}",
        "scope": "openid email",
        "code_challenge_method": "S256",
    }


def test_capitals_in_the_address_make_nobody_else(session, client, nora, at_provider):
    at_provider.claims = {"email": "Nora@CentralApp.example"}
    arrive(client, at_provider)
    assert count(session, LoginSession) == 1


def test_an_address_told_besides_the_token_counts_when_it_is_the_same_subject(
    session, client, nora, at_provider
):
    at_provider.claims = {"email": None, "email_verified": None}
    at_provider.told_besides = {"email": "nora@centralapp.example", "email_verified": True, "sub": "another"}
    assert arrive(client, at_provider).text("main p") == NOBODY
    at_provider.told_besides["sub"] = "248289761001"
    arrive(client, at_provider)
    assert count(session, LoginSession) == 1


def test_once_bound_the_subject_decides_and_no_longer_the_address(session, app, nora, at_provider):
    arrive(app.test_client(), at_provider)
    at_provider.claims = {"email": "nora@married.example", "email_verified": False}
    assert arrive(app.test_client(), at_provider).status == 200
    assert (count(session, OidcIdentity), count(session, LoginSession)) == (1, 2)


def test_who_takes_over_an_address_does_not_take_the_place(session, app, nora, at_provider):
    arrive(app.test_client(), at_provider)
    at_provider.claims = {"sub": "somebody else"}
    page = arrive(app.test_client(), at_provider)
    assert (page.status, "avec un autre compte" in page.text("main p")) == (403, True)
    assert count(session, LoginSession) == 1
    told = app.test_cli_runner().invoke(args=["oidc-unbind", "Nora@centralapp.example"])
    assert told.exit_code == 0, told.output
    arrive(app.test_client(), at_provider)
    assert count(session, LoginSession) == 2
    assert app.test_cli_runner().invoke(args=["oidc-unbind", "personne@centralapp.example"]).exit_code == 1


# --- Who does not ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"email": "inconnue@centralapp.example"}, NOBODY),
        ({"email": "claire@parc.example"}, NOBODY),  # the owner of an account
        ({"email": "partie@centralapp.example"}, NOBODY),  # disabled
        ({"email": None}, NOBODY),
        ({"email_verified": False}, "Votre adresse e-mail n’est pas vérifiée"),
        ({"email_verified": "true"}, "Votre adresse e-mail n’est pas vérifiée"),
        ({"email_verified": None}, "Votre adresse e-mail n’est pas vérifiée"),
    ],
)
def test_nobody_is_made_and_no_client_comes_in(session, client, nora, at_provider, change, sentence):
    a_user(session, an_account(session), email="claire@parc.example")
    a_user(session, staff_role="admin", email="partie@centralapp.example", disabled_at=NOW)
    session.commit()
    people = count(session, User)
    at_provider.claims = change
    page = arrive(client, at_provider)
    assert (page.status, page.text("main p").startswith(sentence)) == (403, True)
    assert problems(page.html) == []
    made = [count(session, model) for model in (User, LoginSession, OidcIdentity)]
    assert (made, count(session, SignInAttempt)) == ([people, 0, 0], 1)


@pytest.mark.any_database
@pytest.mark.parametrize(
    "change",
    [
        {"nonce": "of another question"},
        {"nonce": None},
        {"aud": "another client"},
        {"aud": [CLIENT, "another client"], "azp": "another client"},
        {"iss": "https://id.elsewhere.example"},
        {"exp": int(NOW.timestamp()) - 61},
        {"exp": None},
        {"iat": int(NOW.timestamp()) + 3600},
        {"sub": None},
    ],
    ids=str,
)
def test_a_token_that_says_something_else_proves_nothing(session, client, nora, at_provider, change):
    at_provider.claims = change
    page = arrive(client, at_provider)
    assert (page.status, page.text("main p")) == (403, NOT_PROVED)
    assert (count(session, LoginSession), count(session, SignInAttempt)) == (0, 1)


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("key", "algorithm"),
    [(FORGED, "RS256"), (OctKey.import_key(SECRET), "HS256"), (None, "none")],
    ids=["another key", "the shared secret", "no signature"],
)
def test_a_token_signed_otherwise_proves_nothing(session, client, nora, at_provider, key, algorithm):
    at_provider.signs_with, at_provider.algorithm = key, algorithm
    assert arrive(client, at_provider).text("main p") == NOT_PROVED
    assert count(session, LoginSession) == 0


@pytest.mark.any_database
def test_an_answer_serves_the_browser_that_asked_once_and_in_time(session, app, nora, at_provider):
    victim, other = app.test_client(), app.test_client()
    brought = at_provider.authorize(begin(other))
    assert Page.get(victim, BACK, **brought).text("main p") == NOT_PROVED, "it asked nothing"
    begin(victim)
    assert Page.get(victim, BACK, **brought).text("main p") == NOT_PROVED, "it asked something else"
    form = Page.get(other, BACK, **brought).form()
    assert form.submit().status == 200
    begin(other)
    assert form.submit().status in (400, 403), "used up"
    late = come_back(victim, at_provider).form()
    business_clock.freeze(NOW + timedelta(minutes=11))
    assert late.submit().text("main p") == NOT_PROVED
    assert count(session, LoginSession) == 1


@pytest.mark.any_database
def test_a_code_of_another_question_is_refused_by_the_provider(session, client, nora, at_provider):
    brought = at_provider.authorize(begin(client))
    state = at_provider.authorize(begin(client))["state"]
    page = Page.get(client, BACK, code=brought["code"], state=state).form().submit()
    assert page.text("main p") == NOT_PROVED
    assert count(session, LoginSession) == 0


@pytest.mark.any_database
def test_who_gives_up_at_the_provider_reads_where_it_stopped(client, at_provider):
    state = at_provider.authorize(begin(client))["state"]
    page = Page.get(client, BACK, error="access_denied", state=state)
    assert (page.status, page.text("h1")) == (403, "La connexion n’a pas abouti")
    assert page.text("main p").startswith("La connexion s’est arrêtée chez CentralApp ID.")


@pytest.mark.any_database
@pytest.mark.parametrize(
    "described",
    [
        {"issuer": "https://id.elsewhere.example"},
        {"authorization_endpoint": "http://id.elsewhere.example/authorize"},
        {"authorization_endpoint": None},
    ],
    ids=str,
)
def test_a_description_that_cannot_be_followed_is_not(client, at_provider, described):
    at_provider.described = described
    page = Page.get(client, BEGIN)
    assert (page.status, page.text("main p").startswith("CentralApp ID ne répond pas.")) == (502, True)


def test_a_provider_that_is_away_leaves_the_other_ways_in(
    session, app, client, nora, at_provider, monkeypatch
):
    form = come_back(client, at_provider).form()
    gone = Provider("http://127.0.0.1:1", CLIENT, SECRET, "CentralApp ID")
    monkeypatch.setitem(app.extensions, "portal_oidc", gone)
    for page in (form.submit(), Page.get(client, BEGIN)):
        assert (page.status, page.text("main p").startswith("CentralApp ID ne répond pas.")) == (502, True)
        assert page.has('a[href="/connexion"]')
    assert count(session, SignInAttempt) == 0, "that is nobody's fault"


def test_failures_count_with_those_of_passwords(session, client, nora, at_provider):
    session.add_all(SignInAttempt(key="ip:127.0.0.1", at=NOW) for _each in range(30))
    session.commit()
    page = arrive(client, at_provider)
    assert (page.status, page.headers["Retry-After"]) == (429, "900")
    assert count(session, LoginSession) == 0


# --- The second step -------------------------------------------------------------------------------------------


@pytest.fixture
def secret(session, nora):
    drawn = pyotp.random_base32()
    sealed = Vault([SECRET_KEY]).seal(drawn)
    session.add(SecondFactor(user_id=nora, secret=sealed, created_at=NOW, confirmed_at=NOW, last_counter=0))
    session.commit()
    return drawn


def test_the_portal_asks_for_its_own_code_unless_the_provider_says_that_it_did(
    session, client, secret, at_provider
):
    at_provider.claims = {"amr": ["pwd"], "acr": "urn:acr:one"}
    page = arrive(client, at_provider, next="/equipe/comptes")
    assert (page.address, count(session, LoginSession)) == ("/connexion/code?next=/equipe/comptes", 0)
    page = page.form().fill(code=pyotp.TOTP(secret).at(NOW)).submit()
    assert (page.address, count(session, LoginSession)) == ("/equipe/comptes", 1)


@pytest.mark.parametrize("said", [{"amr": ["pwd", "mfa"]}, {"acr": "urn:acr:two"}], ids=str)
def test_a_second_step_at_the_provider_counts(app, session, client, nora, at_provider, monkeypatch, said):
    settings = replace(app.extensions["portal_settings"], staff_two_factor="required")
    monkeypatch.setitem(app.extensions, "portal_settings", settings)
    assert arrive(client, at_provider, next="/equipe/comptes").address == "/compte/double-verification"
    at_provider.claims = said
    assert arrive(client, at_provider, next="/equipe/comptes").address == "/equipe/comptes"


@pytest.mark.any_database
def test_refusals_are_said_in_the_language_of_the_browser(client, at_provider):
    pages = [Page(client, client.get(BACK, headers={"Accept-Language": each})) for each in ("nl", "en")]
    assert [page.text("h1") for page in pages] == ["Aanmelden is niet gelukt", "You are not signed in"]
