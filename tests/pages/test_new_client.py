"""A reseller adds a client from its console: typed, shown, confirmed once."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tests.builders import a_catalogue, a_colleague, a_reseller, a_seller
from tests.support.page import Form, Page
from tests.support.page_linter import problems
from tests.support.signing_in import sign_in
from webapp.domain.access import ResellerRole
from webapp.models.accounts import Account, Reseller
from webapp.models.records import OutboxMessage
from webapp.models.subscriptions import Establishment

pytestmark = pytest.mark.usefixtures("clock")
TYPED = {
    "kind": "business",
    "name": "Chez Léon",
    "legal_name": "Léon SRL",
    "street": "Rue Haute 4",
    "postcode": "1000",
    "city": "Bruxelles",
    "country": "BE",
    "vat_number": "BE 0876.543.270",
    "invoice_emails": "compta@leon.example",
    "owner_email": "leon@leon.example",
    "language": "fr",
    "tariff": "pro/monthly",
}
NEW = "/partenaire/clients/ajouter"
CONFIRM = NEW + "/confirmer"


@pytest.fixture
def reseller(session: Session) -> Reseller:
    a_seller(session)
    a_catalogue(session)
    return a_reseller(session)


@pytest.fixture
def tom(app: Flask, session: Session, reseller: Reseller) -> FlaskClient:
    return sign_in(
        app.test_client(), session, a_colleague(session, reseller, ResellerRole.AGENT, full_name="Tom")
    )


def form_of(page: Page) -> Form:
    return page.form(action=NEW)


def test_an_agent_adds_a_client_once(tom: FlaskClient, session: Session) -> None:
    clients = Page.get(tom, "/partenaire/")
    page = clients.follow(".page-header a.btn")
    assert problems(page.html) == []
    shown = form_of(page).fill(**TYPED).submit("Voir ce que le client paiera")
    assert shown.text("h1") == "Ajouter Chez Léon"
    assert problems(shown.html) == []
    assert "leon@leon.example" in shown.text("#preview")
    assert session.scalar(select(func.count()).select_from(Account)) == 0
    session.rollback()
    sheet = shown.form("confirm").submit()
    assert sheet.text("h1") == "Chez Léon"
    again = shown.form("confirm").submit()
    assert again.address == sheet.address
    assert session.scalar(select(func.count()).select_from(Account)) == 1
    assert session.scalars(select(Establishment.street)).one() == "Rue Haute 4"
    mail = session.scalars(select(OutboxMessage).where(OutboxMessage.template == "invitation")).one()
    assert mail.recipient == "leon@leon.example"
    assert mail.reply_to == "aide@horecaplus.example"
    assert "HorecaPlus" in mail.text_body


def test_what_is_wrong_is_said_and_what_was_typed_is_kept(tom: FlaskClient) -> None:
    page = form_of(Page.get(tom, NEW)).fill(**TYPED).submit("Un autre établissement")
    assert page.has("#establishments-1-name")
    wrong = {"vat_number": "BE 0876.543.271", "establishments-1-name": "Au coin"}
    refused = form_of(page).fill(**wrong).submit("Voir ce que le client paiera")
    assert refused.status == 422
    form = form_of(refused)
    assert "numéro de TVA" in form.error("vat_number")
    assert "rue" in form.error("establishments-1-street")
    assert form.values["establishments-1-name"] == ["Au coin"]
    assert form.values["tariff"] == ["pro/monthly"]
    assert problems(refused.html) == []
    mended = form.fill(
        **{
            "vat_number": "BE 0876.543.270",
            "establishments-1-street": "Rue Basse 1",
            "establishments-1-postcode": "1000",
            "establishments-1-city": "Bruxelles",
        }
    ).submit("Voir ce que le client paiera")
    assert "Au coin" in mended.text("#preview")
    corrected = mended.form(action=NEW).submit("Corriger")
    assert form_of(corrected).values["establishments-1-name"] == ["Au coin"]


def test_the_tariffs_offered_are_those_of_the_reseller(tom: FlaskClient, session: Session) -> None:
    page = form_of(Page.get(tom, NEW)).fill(**TYPED)
    forged = page.fill(tariff="pro/weekly").submit("Voir ce que le client paiera")
    assert forged.status == 422


def test_a_reseller_without_tariff_is_told_so(app: Flask, session: Session, reseller: Reseller) -> None:
    other = a_reseller(session, "brasserieplus")
    theirs = sign_in(app.test_client(), session, a_colleague(session, other))
    page = Page.get(theirs, NEW)
    assert "Aucune formule n’est en vente" in page.text("#new-client")
    assert problems(page.html) == []
