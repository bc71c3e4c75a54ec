"""`flask announce`: cards and mandates that end are told of once, then put out of service, and the overview says why."""

from datetime import date

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.builders import CLAIRE, a_subscription, a_user, noon
from tests.conftest import Clock
from tests.support.page import Page
from tests.support.signing_in import sign_in
from webapp.models.accounts import BillingDetails
from webapp.models.records import OutboxMessage
from webapp.services import payment_methods
from webapp.services.payment_methods import Card

TODAY = date(2026, 11, 16)


def announce(app: Flask, on: date) -> str:
    done = app.test_cli_runner().invoke(args=["announce", "--on", on.isoformat()])
    assert done.exit_code == 0, done.output
    return done.output


def test_a_card_is_told_of_once_then_the_overview_says_that_it_has_expired(
    app: Flask, client: FlaskClient, session: Session, clock: Clock
) -> None:
    signed = a_subscription(session, starts_on=date(2026, 3, 1), billed_through=TODAY)
    owner = a_user(session, signed.account)
    visa = Card("demo", "cus_1", "pm_1", "Visa", "1881", (2026, 11))
    card = payment_methods.add_card(session, signed.account_id, visa, noon(TODAY), CLAIRE)
    payment_methods.make_primary(session, card, noon(TODAY), CLAIRE)
    session.commit()
    assert "1 annonces, 0 hors service" in announce(app, TODAY)
    assert "0 annonces, 0 hors service" in announce(app, TODAY)
    mail = session.scalars(select(OutboxMessage).where(OutboxMessage.template == "payment_method_ends")).one()
    assert f"/abonnements/{signed.id}/moyen-de-paiement" in mail.text_body
    session.rollback()

    sign_in(client, session, owner)
    page = Page.get(client, f"/abonnements/{signed.id}/moyen-de-paiement")
    assert "jusqu’au 30 novembre 2026 compris" in page.text("#stops-soon")

    clock.set(date(2026, 12, 1))
    assert "0 annonces, 1 hors service" in announce(app, date(2026, 12, 1))
    assert session.get_one(BillingDetails, signed.account_id).payment_problem == "card_expired"
    sign_in(client, session, owner)
    overview = Page.get(client, f"/abonnements/{signed.id}")
    assert "Carte expirée" in overview.text("#payment-method")
    page = overview.follow("#payment-method a")
    assert "Votre carte a expiré" in page.text("#expired")
    assert "Plus valable" in page.text("#current-method")
