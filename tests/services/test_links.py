"""The addresses that services write in mails are those of the doors."""

import uuid

from flask import url_for
from sqlalchemy.orm import Session

from webapp.services import links

SOMETHING = uuid.UUID(int=7)


def test_the_addresses_of_mails_are_those_of_the_doors(app, session):
    with app.test_request_context(base_url=app.extensions["portal_settings"].base_url):
        given = {"subscription_id": SOMETHING, "_external": True}
        assert links.unpaid(session, SOMETHING) == url_for("invoices.index", statut="en-retard", **given)
        assert links.invoice(session, SOMETHING, "F1") == url_for("invoices.show", number="F1", **given)
        assert links.overview(session, SOMETHING) == url_for("subscriptions.overview", **given)
        assert links.pay(session, SOMETHING) == url_for("checkout.pay", lot="echues", **given)


def test_each_portal_writes_its_own_address(session):
    mine = session.get_bind()
    with Session(mine.execution_options(**{links.BASE_URL: "https://portail.example/"})) as elsewhere:
        assert links.overview(elsewhere, SOMETHING) == f"https://portail.example/abonnements/{SOMETHING}"
    assert links.overview(session, SOMETHING).startswith("http://localhost/")
