"""Lives of cards, told in dates, through the pages and the commands that a timer runs."""

from datetime import date, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from tests.builders import a_subscription, a_user
from tests.support.page import Page
from tests.support.signing_in import sign_in
from webapp.domain.money import Money
from webapp.models.accounts import Account
from webapp.models.invoices import Invoice
from webapp.models.payments import Collection
from webapp.models.records import OutboxMessage


@pytest.fixture
def life(app, client: FlaskClient, session: Session, clock):
    """An owner, monthly since 1 October 2026, and the days that pass."""
    signed = a_subscription(session, starts_on=date(2026, 10, 1))
    owner = a_user(session, signed.account)
    session.commit()

    class Life:
        account_id = signed.account_id

        def on(self, day: date) -> None:
            clock.set(day)
            sign_in(client, session, session.merge(owner))
            session.commit()

        def run(self, *command: str) -> str:
            result = app.test_cli_runner().invoke(args=list(command))
            assert result.exit_code == 0, result.output
            return str(result.output)

        def page(self, path: str = "", **query: object) -> Page:
            return Page.get(client, f"/abonnements/{signed.id}{path}", **query)

        def seen(self, statement: Select[Any]) -> list[Any]:
            session.rollback()
            found = list(session.scalars(statement))
            session.rollback()
            return found

        def left(self) -> list[int]:
            return self.seen(select(Invoice.total_cents - Invoice.paid_cents).order_by(Invoice.id))

        def mails(self) -> list[str]:
            return self.seen(select(OutboxMessage.template).order_by(OutboxMessage.id))

        def is_suspended(self) -> bool:
            return self.seen(select(Account.suspended_on).where(Account.id == signed.account_id)) != [None]

        def at_the_provider(self, leaving: Page) -> Page:
            return Page.get(client, leaving.headers["Refresh"].removeprefix("0; url="))

        def give(self, choice: str) -> Page:
            """Give a card on the provider's page, from the page of payment methods."""
            leaving = self.page("/moyen-de-paiement").form("give-card").submit()
            return self.at_the_provider(leaving).form("demonstration").fill(card=choice).submit("Accepter")

        def month(self, first: date) -> str:
            """Bill on the first of a month, then charge what has fallen due a fortnight later."""
            self.on(first)
            self.run("bill")
            self.on(first + timedelta(days=14))
            return self.run("charge")

    return Life()


def test_a_card_pays_each_month_expires_and_is_replaced(life):
    life.on(date(2026, 10, 1))
    given = life.give("expiring")  # at the end of October
    assert given.text("#outcome-title") == "Visa •••• 0069 est enregistré"
    assert "Visa •••• 0069" in life.page("/moyen-de-paiement").text("main")
    assert life.month(date(2026, 10, 1)).startswith("1 paid")
    assert life.left() == [0]
    # November: it is over, so nothing is tried and the invoice asks for a transfer.
    assert life.month(date(2026, 11, 1)).startswith("0 paid, 0 refused")
    assert life.left()[1] > 0
    number = life.seen(select(Invoice.number).order_by(Invoice.id))[1]
    assert life.page("/payer", facture=number).has("#transfer .qr")
    # A new card, the same day: it pays what the former one did not, then December.
    assert life.give("valid").text("#outcome-title") == "Visa •••• 4242 est enregistré"
    assert life.run("charge").startswith("1 paid")
    assert life.left() == [0, 0]
    assert life.month(date(2026, 12, 1)).startswith("1 paid")
    assert life.left() == [0, 0, 0]


def test_three_refused_charges_suspend_one_payment_restores(life):
    life.on(date(2026, 10, 1))
    life.give("without-funds")
    for first in (date(2026, 10, 1), date(2026, 11, 1), date(2026, 12, 1)):
        assert life.month(first).startswith("0 paid")
    assert "collection_failed" in life.mails()
    life.on(date(2026, 12, 17))
    life.run("remind")
    assert life.is_suspended()
    oldest = life.seen(select(Invoice.number).order_by(Invoice.id))[0]
    leaving = life.page("/payer", facture=oldest).form("online").submit()
    paid = life.at_the_provider(leaving).form("demonstration").submit("Accepter")
    assert "Vos sites et vos services sont accessibles." in paid.text("#outcome")
    assert not life.is_suspended()
    assert [cents == 0 for cents in life.left()] == [True, False, False]


def test_a_refund_found_a_week_later_reopens_the_invoice(app, life):
    """The provider's notice never came: the weekly look back finds it."""
    life.on(date(2026, 10, 1))
    life.give("valid")
    life.month(date(2026, 10, 1))
    ((reference, cents),) = [
        (row.provider_reference, row.amount_cents) for row in life.seen(select(Collection))
    ]
    provider = app.extensions["portal_payment_provider"]
    provider.give_back(reference, "litige", Money(cents), "chargeback", date(2026, 10, 20))
    life.on(date(2026, 10, 26))
    life.run("provider-events")
    assert life.left() == [0]
    life.run("provider-events", "--look-back", "60")
    assert life.left() == [cents]
    history = life.page("/historique").text("main")
    assert "revenu impayé ou rendu" in history
