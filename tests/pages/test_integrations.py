"""The team's pages of the other systems: keys shown once, addresses tried, messages sent again, in three languages."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session
from standardwebhooks.webhooks import Webhook

from tests.builders import a_reseller, a_user
from tests.support.listener import Listener, listening
from tests.support.page import Page
from tests.support.page_linter import problems
from tests.support.signing_in import sign_in
from webapp.adapters.safe_http import Reach
from webapp.adapters.webhook_sender import WebhookSender
from webapp.models.events import ApiKey, WebhookEndpoint
from webapp.services import webhooks

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def team(client: FlaskClient, session: Session) -> FlaskClient:
    return sign_in(client, session, a_user(session, staff_role="billing"))


@pytest.fixture
def receiver(app: Flask) -> Iterator[Listener]:
    """A system on this machine, which only an installation for development would call."""
    kept = {name: app.extensions[name] for name in ("portal_settings", "portal_webhook_sender")}
    app.extensions["portal_settings"] = replace(kept["portal_settings"], webhooks_anywhere=True)
    app.extensions["portal_webhook_sender"] = WebhookSender(Reach(anywhere=True), seconds=2)
    with listening() as server:
        yield server
    app.extensions.update(kept)


def a_system(team: FlaskClient, name: str = "Hébergement des sites") -> Page:
    return Page.get(team, "/equipe/integrations").form("open").fill(name=name).submit()


def an_address(team: FlaskClient, url: str, *kinds: str) -> Page:
    return a_system(team).form("new-endpoint").fill(url=url, kinds=list(kinds)).submit()


def test_a_key_is_shown_once_and_opens_what_was_ticked(team: FlaskClient, session: Session) -> None:
    empty = Page.get(team, "/equipe/integrations")
    assert "Aucun système" in empty.text("main") and problems(empty.html) == []
    page = a_system(team)
    assert page.text("h1") == "Hébergement des sites" and problems(page.html) == []
    refused = page.form("new-key").submit()
    assert refused.status == 422 and "Choisissez ce que la clé" in refused.text("#error-summary")
    assert problems(refused.html) == []
    shown = page.form("new-key").fill(scopes=["accounts", "services"]).submit()
    key = shown.text("#shown code")
    assert key.startswith("ptl_") and problems(shown.html) == []
    again = page.reload()
    assert not again.has("#shown") and key not in again.html and key[:12] in again.text("#keys")
    for path, status in (("/accounts/CA-0", 404), ("/events", 403)):
        assert team.get(f"/api/v1{path}", headers={"Authorization": f"Bearer {key}"}).status_code == status
    revoked = again.form(action="/revocation").submit()
    assert "Révoquée" in revoked.text("#keys")
    assert team.get("/api/v1/accounts/CA-0", headers={"Authorization": f"Bearer {key}"}).status_code == 401


def test_a_system_of_a_reseller_says_so_and_a_name_is_given_once(team: FlaskClient, session: Session) -> None:
    a_reseller(session)
    session.commit()
    form = Page.get(team, "/equipe/integrations").form("open")
    form.fill(name="Leur gestion", reseller="horecaplus").submit()
    listed = Page.get(team, "/equipe/integrations")
    assert "Ceux de HorecaPlus" in listed.text("tbody") and problems(listed.html) == []
    twice = form.submit()
    assert twice.status == 422 and "porte déjà ce nom" in twice.text("#error-summary")
    nameless = listed.form("open").fill(name=" ").submit()
    assert nameless.status == 422 and "Donnez un nom" in nameless.text("#error-summary")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "Indiquez l’adresse"),
        ("http://sites.example/", "ne commence pas par https"),
        ("https://", "n’est pas complète"),
        ("https://a:b@sites.example/", "Retirez le nom et le mot de passe"),
        ("https://127.0.0.1/", "est privée"),
        ("https://sites.example:22/", "port n’est pas permis"),
    ],
)
def test_an_address_that_is_never_called_is_refused_in_words(
    team: FlaskClient, session: Session, url: str, words: str
) -> None:
    page = an_address(team, url)
    assert page.status == 422 and words in page.text("#error-summary") and problems(page.html) == []
    assert session.scalars(select(WebhookEndpoint)).all() == []


def test_an_address_is_tried_and_its_messages_are_sent_again(
    team: FlaskClient, session: Session, receiver: Listener
) -> None:
    made = an_address(team, receiver.url, "account.suspended", "account.restored")
    secret = made.text("#shown code")
    assert secret.startswith("whsec_") and problems(made.html) == []
    endpoint_id = session.scalars(select(WebhookEndpoint.id)).one()
    session.rollback()
    here = f"/equipe/integrations/adresses/{endpoint_id}"
    page = Page.get(team, here)
    assert secret not in page.html and "Aucun message ici" in page.text("#deliveries")
    page.form(action="/essai").submit()
    # It left once the browser had its answer.
    [(headers, body)] = receiver.received
    assert Webhook(secret).verify(body, headers)["type"] == "endpoint.test"
    page = Page.get(team, here)
    assert "Message d’essai" in page.text("#deliveries tbody") and "Pris" in page.text("#deliveries tbody")
    assert problems(page.html) == []
    page.form(action="/renvoi").submit()
    assert receiver.ids[0] == receiver.ids[1]
    filtered = Page.get(team, here, etat="abandonnes")
    assert "Aucun message ici" in filtered.text("#deliveries")


def test_a_failing_address_is_shown_as_such_and_all_is_sent_again(
    team: FlaskClient, session: Session, receiver: Listener
) -> None:
    an_address(team, receiver.url)
    endpoint_id = session.scalars(select(WebhookEndpoint.id)).one()
    session.rollback()
    here = f"/equipe/integrations/adresses/{endpoint_id}"
    receiver.answers = [500, 410]
    Page.get(team, here).form(action="/essai").submit()
    page = Page.get(team, here)
    assert "Le dernier essai a échoué" in page.text("main") and "answered 500" in page.text("#deliveries")
    assert problems(page.html) == []
    page.form(action="/renvoi").submit()
    page = Page.get(team, here)
    assert "ne prend plus les messages" in page.text("main") and "Rien n’est envoyé" in page.text("main")
    assert "Ne répond pas" in Page.get(team, "/equipe/integrations").text("tbody")
    assert problems(page.html) == []
    page.form(action="/reprise").submit()
    Page.get(team, here).form(action="/renvois").submit()
    assert "Pris" in Page.get(team, here).text("#deliveries tbody")
    stopped = Page.get(team, here).form(action="/arret").submit()
    assert "Rien n’est envoyé" in stopped.text("main") and not stopped.has("form[action$='/essai']")


def test_a_secret_is_replaced_without_a_gap(team: FlaskClient, session: Session, receiver: Listener) -> None:
    former = an_address(team, receiver.url).text("#shown code")
    endpoint_id = session.scalars(select(WebhookEndpoint.id)).one()
    session.rollback()
    here = f"/equipe/integrations/adresses/{endpoint_id}"
    renewed = Page.get(team, here).form(action="/secret").submit()
    present = renewed.text("#shown code")
    assert present != former and "L’ancien signe encore" in renewed.text("#shown")
    Page.get(team, here).form(action="/essai").submit()
    Page.get(team, here).form(action="/ancien-secret").submit()
    Page.get(team, here).form(action="/essai").submit()
    both, one = receiver.received
    for secret in (present, former):
        Webhook(secret).verify(both[1], both[0])
    Webhook(present).verify(one[1], one[0])
    assert len(one[0]["webhook-signature"].split()) == 1


def test_a_closed_system_reads_nothing_and_offers_nothing(team: FlaskClient, session: Session) -> None:
    page = a_system(team)
    key = page.form("new-key").fill(scopes=["events"]).submit().text("#shown code")
    closed = page.reload().form(action="/fermeture").submit()
    assert "Fermé" in closed.text("tbody")
    assert team.get("/api/v1/events", headers={"Authorization": f"Bearer {key}"}).status_code == 401
    page = page.reload()
    assert (
        "Ce système est fermé" in page.text("main") and not page.has("#new-key") and problems(page.html) == []
    )
    assert session.scalars(select(ApiKey)).one().revoked_at is not None


@pytest.mark.parametrize("role", ["support", "catalogue"])
def test_the_rest_of_the_team_does_not_see_it(client: FlaskClient, session: Session, role: str) -> None:
    sign_in(client, session, a_user(session, staff_role=role))
    assert Page.get(client, "/equipe/integrations").status == 403


@pytest.mark.parametrize("language", ["nl", "en"])
def test_it_is_told_in_the_readers_language(
    client: FlaskClient, session: Session, receiver: Listener, language: str
) -> None:
    sign_in(client, session, a_user(session, staff_role="admin", language=language))
    receiver.usually = 500
    an_address(client, receiver.url)
    endpoint_id = session.scalars(select(WebhookEndpoint.id)).one()
    session.rollback()
    Page.get(client, f"/equipe/integrations/adresses/{endpoint_id}").form(action="/essai").submit()
    for path in ("", "/1", f"/adresses/{endpoint_id}"):
        page = Page.get(client, f"/equipe/integrations{path}")
        assert page.status == 200 and page.one("html").get("lang") == language and problems(page.html) == []
        text = page.text("main").lower()
        assert not any(word in text for word in ("système", "événement", "clé ", "envois", "adresse à"))


def test_a_long_list_has_pages(
    team: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch, receiver: Listener
) -> None:
    monkeypatch.setattr(webhooks, "PAGE_SIZE", 2)
    an_address(team, receiver.url)
    endpoint_id = session.scalars(select(WebhookEndpoint.id)).one()
    session.rollback()
    here = f"/equipe/integrations/adresses/{endpoint_id}"
    for _ in range(3):
        Page.get(team, here).form(action="/essai").submit()
    page = Page.get(team, here, etat="envoyes")
    assert "Page 1 sur 2" in page.text("#deliveries") and problems(page.html) == []
    last = page.follow("Suivante")
    assert "Page 2 sur 2" in last.text("#deliveries") and len(last.all("#deliveries tbody tr")) == 1
