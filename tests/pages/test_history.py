"""The history page: sentences, filters, pages, with and without scripts."""

from datetime import UTC, datetime

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from tests.builders import CLAIRE, Signed, a_subscription, a_user
from tests.support.page import Page
from tests.support.page_linter import problems
from tests.support.signing_in import sign_in
from webapp.domain.access import SYSTEM, Actor, Role
from webapp.services import audit

pytestmark = pytest.mark.usefixtures("clock")
STAFF = Actor("staff", "1", "Odile")


@pytest.fixture
def contract(session: Session) -> Signed:
    contract = a_subscription(session)
    # A quarter past eleven in the evening of the 9th, by the clocks of Brussels.
    at = datetime(2026, 11, 9, 22, 15, tzinfo=UTC)
    facts = {"email": "lea@parc.example", "role": "viewer"}
    audit.record(session, CLAIRE, contract.account_id, "user.invited", "lea@parc.example", {}, facts, at)
    audit.record(session, SYSTEM, contract.account_id, "subscription.renewed", "pro", {}, {}, at)
    audit.record(session, STAFF, contract.account_id, "quotation.answered", "logo", {}, {}, at)
    session.commit()
    return contract


@pytest.fixture
def viewer(app: Flask, session: Session, contract: Signed) -> FlaskClient:
    return sign_in(app.test_client(), session, a_user(session, contract.account, Role.VIEWER))


def test_it_says_what_when_and_who(viewer: FlaskClient, contract: Signed) -> None:
    page = Page.get(viewer, f"/abonnements/{contract.id}/historique")
    told = [text.replace("\xa0", " ") for text in page.texts("ol.events li")]
    assert "9 novembre 2026 à 23:15 · Odile, de notre équipe" in told[0]
    assert told[1].endswith("automatiquement")
    assert told[2].startswith("Invitation envoyée à lea@parc.example, comme lecteur.")
    assert "Claire Janssens" in told[2]
    assert problems(page.html) == []


def test_it_is_filtered_by_subject_and_by_business_days(viewer: FlaskClient, contract: Signed) -> None:
    page = Page.get(viewer, f"/abonnements/{contract.id}/historique")
    one = page.form("history-filters").fill(theme="utilisateurs").submit()
    assert len(one.all("ol.events li")) == 1
    day = page.form("history-filters").fill(du="2026-11-09", au="2026-11-09").submit()
    assert len(day.all("ol.events li")) == 3
    none = page.form("history-filters").fill(du="2026-11-10").submit()
    assert "Aucun événement ne correspond" in none.text("#history")
    assert len(none.follow("Tout voir").all("ol.events li")) == 4


def test_a_wrong_date_has_its_sentence_and_hides_nothing(viewer: FlaskClient, contract: Signed) -> None:
    page = Page.get(viewer, f"/abonnements/{contract.id}/historique", du="31/02/2026")
    assert page.status == 422
    assert page.form("history-filters").error("du") == "Écrivez une date valable."
    assert len(page.all("ol.events li")) == 4


def test_the_swapped_list_is_the_list_of_the_page(viewer: FlaskClient, contract: Signed) -> None:
    page = Page.get(viewer, f"/abonnements/{contract.id}/historique", theme="formule")
    swapped = page.form("history-filters").submit(htmx=True)
    assert swapped.ids == ["history"]
    assert swapped.piece("history") == page.piece("history")


@pytest.mark.parametrize(("language", "word"), [("nl", "automatisch"), ("en", "automatically")])
def test_it_speaks_the_readers_language(
    app: Flask, session: Session, contract: Signed, language: str, word: str
) -> None:
    client = sign_in(app.test_client(), session, a_user(session, contract.account, language=language))
    page = Page.get(client, f"/abonnements/{contract.id}/historique")
    assert word in page.text("#history")
    assert problems(page.html) == []
