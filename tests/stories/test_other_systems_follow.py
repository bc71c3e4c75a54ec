"""A system that hosts the sites follows what the portal says, whatever the network does to the messages (D6).

The receiver is written from docs/webhooks.md: it verifies, drops what it has seen, and asks what to serve. Messages are
duplicated, reordered, forged, replayed and lost: in the end it serves exactly what the portal says.
"""

import json
import random
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.builders import Signed, a_subscription, a_user, noon, pays
from tests.support.page import Page
from tests.support.signing_in import sign_in
from webapp.adapters.webhook_sender import Outcome, as_bytes, new_secret, signed
from webapp.models.events import WebhookEndpoint
from webapp.models.invoices import Invoice
from webapp.services import billing, standing

STARTS, LATE = date(2026, 8, 1), date(2026, 11, 16)


class SiteHost:
    """The operator's hosting: what it serves is what it last heard, then what it asked."""

    def __init__(self, client: FlaskClient, key: str, secret: str) -> None:
        self.client, self.key, self.verifier = client, key, Webhook(secret)
        self.seen: set[str] = set()
        self.served: dict[str, bool] = {}
        self.highest: dict[str, int] = {}
        self.refused = 0
        self.after = 0

    def receive(self, headers: Mapping[str, str], body: bytes) -> None:
        try:
            message = self.verifier.verify(body, dict(headers))
        except WebhookVerificationError:
            self.refused += 1
            return
        self.take(message)

    def take(self, message: Mapping[str, Any]) -> None:
        """Without asking: the state that the message says, unless something later was heard."""
        account = message["data"]["account"]
        if message["id"] in self.seen or not message["type"].startswith("account."):
            return
        self.seen.add(message["id"])
        if message["sequence"] < self.highest.get(account, 0):
            return
        self.highest[account] = message["sequence"]
        self.served[account] = message["type"] == "account.restored"

    def catch_up(self) -> None:
        """The feed, from the last place known: what was lost on the way."""
        while True:
            page = self.ask(f"/events?after={self.after}&limit=2")
            for message in page["events"]:
                self.take(message)
            self.after = page["next_after"]
            if not page["has_more"]:
                return

    def ask(self, path: str) -> Any:
        answer = self.client.get(f"/api/v1{path}", headers={"Authorization": f"Bearer {self.key}"})
        assert answer.status_code == 200, answer.text
        return answer.json


class Network:
    """Between the portal and the host: keeps what is sent, for the test to deliver as networks do."""

    def __init__(self) -> None:
        self.taken: list[tuple[dict[str, str], bytes]] = []
        self.is_down = False

    def __call__(self, _url: str, key: str, content: Mapping[str, Any], secrets: Any) -> Outcome:
        if self.is_down:
            return Outcome(None, "nobody answers")
        body = as_bytes(content)
        self.taken.append((signed(key, body, secrets, datetime.now(UTC)), body))
        return Outcome(204)


@pytest.fixture
def network(app: Flask) -> Any:
    kept = app.extensions["portal_webhook_sender"]
    app.extensions["portal_webhook_sender"] = made = Network()
    yield made
    app.extensions["portal_webhook_sender"] = kept


@pytest.fixture
def contract(session: Session, clock: Any) -> Signed:
    """Monthly since August and never paid: four invoices past due in November."""
    clock.set(STARTS)
    return a_subscription(session, starts_on=STARTS, billed_through=date(2026, 11, 1))


@pytest.fixture
def host(app: Flask, session: Session, contract: Signed, network: Network) -> SiteHost:
    """Opened by the team on its page, as it is in life."""
    team = sign_in(app.test_client(), session, a_user(session, staff_role="admin"))
    page = Page.get(team, "/equipe/integrations").form("open").fill(name="Hébergement").submit()
    key = page.form("new-key").fill(scopes=["services", "events"]).submit().text("#shown code")
    made = page.reload().form("new-endpoint").fill(url="https://sites.example/hook").submit()
    return SiteHost(app.test_client(), key, made.text("#shown code"))


def send(app: Flask) -> str:
    done = app.test_cli_runner().invoke(args=["send-webhooks"])
    assert done.exit_code == 0, done.output
    return str(done.stdout)


def live(session: Session, clock: Any, contract: Signed, app: Flask) -> None:
    """Late, suspended; two paid, restored; another bill unpaid, suspended; three paid, restored."""
    days = (0, 0), (1, 2), (15, 0), (40, 0), (41, 3)
    for later, pay in days:
        on = LATE + timedelta(days=later)
        clock.set(noon(on))
        if pay:
            open_ones = session.scalars(
                select(Invoice)
                .where(Invoice.paid_cents < Invoice.total_cents)
                .order_by(Invoice.due_on)
                .limit(pay)
            ).all()
            for invoice in open_ones:
                pays(session, invoice, invoice.total_cents - invoice.paid_cents, on=on)
        else:
            billing.bill_due(session, contract.id, on, noon(on))
        standing.review(session, contract.account_id, on, noon(on))
        session.commit()


def truth(host: SiteHost, contract: Signed, reference: str) -> bool:
    found = host.ask(f"/accounts/{reference}/services")
    return all(
        each["served"] for place in found["establishments"] for each in place["services"] if each["on"]
    )


def test_suspended_then_restored_the_host_follows(
    app: Flask, session: Session, clock: Any, contract: Signed, host: SiteHost, network: Network
) -> None:
    reference = contract.account.reference
    clock.set(noon(LATE))
    standing.review(session, contract.account_id, LATE, noon(LATE))
    session.commit()
    send(app)
    for message in network.taken:
        host.receive(*message)
    assert host.served == {reference: False} and truth(host, contract, reference) is False
    network.taken.clear()
    for invoice in session.scalars(select(Invoice).order_by(Invoice.due_on).limit(2)).all():
        pays(session, invoice, invoice.total_cents, on=LATE)
    session.commit()
    send(app)
    assert [json.loads(body)["type"] for _headers, body in network.taken] == [
        "payment.received",
        "payment.received",
        "account.restored",
    ]
    for message in network.taken:
        host.receive(*message)
    assert host.served == {reference: True} and truth(host, contract, reference) is True


@pytest.mark.parametrize("seed", range(8))
def test_duplicated_reordered_forged_and_lost_it_ends_the_same(
    app: Flask, session: Session, clock: Any, contract: Signed, host: SiteHost, network: Network, seed: int
) -> None:
    reference = contract.account.reference
    session.commit()
    live(session, clock, contract, app)
    send(app)
    turns = [json.loads(body)["type"] for _headers, body in network.taken if b'"account.' in body]
    assert turns.count("account.suspended") == turns.count("account.restored") == 2
    chance = random.Random(seed)
    sent = [each for each in network.taken if chance.random() > 0.3]
    sent += [each for each in network.taken if chance.random() > 0.6]
    chance.shuffle(sent)
    stranger = new_secret()
    for headers, body in sent:
        host.receive(headers, body)
        forged = body.replace(b"account.restored", b"account.suspended")
        host.receive(signed(headers["webhook-id"] + "x", forged, [stranger], datetime.now(UTC)), forged)
    assert host.refused == len(sent), "each forgery was refused, and nothing else"
    host.catch_up()
    assert host.served == {reference: True} and truth(host, contract, reference) is True
    assert len(host.seen) == 4


def test_down_for_days_it_is_told_by_the_feed_and_again_by_the_team(
    app: Flask, session: Session, clock: Any, contract: Signed, host: SiteHost, network: Network
) -> None:
    reference = contract.account.reference
    network.is_down = True
    clock.set(noon(LATE))
    standing.review(session, contract.account_id, LATE, noon(LATE))
    session.commit()
    at = noon(LATE)
    for hours in range(0, 24 * 6, 3):
        clock.set(at + timedelta(hours=hours))
        app.test_cli_runner().invoke(args=["send-webhooks"])
    host.catch_up()
    assert host.served == {reference: False}
    network.is_down = False
    endpoint_id = session.scalars(select(WebhookEndpoint.id)).one()
    session.rollback()
    team = sign_in(app.test_client(), session, a_user(session, staff_role="billing"))
    page = Page.get(team, f"/equipe/integrations/adresses/{endpoint_id}")
    assert "ne prend plus les messages" in page.text("main")
    page.form(action="/renvois").submit()
    send(app)
    for message in network.taken:
        host.receive(*message)
    assert host.served == {reference: False} and len(host.seen) == 1, "what the feed told is not taken twice"
