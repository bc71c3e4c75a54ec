"""What was sent on an account, read again by its owner."""

from datetime import date

import pytest

from tests import builders
from tests.builders import noon
from tests.support.page import Page
from tests.support.page_linter import problems
from tests.support.signing_in import sign_in
from webapp.domain.access import Role
from webapp.services import dunning, memberships

DAY = date(2026, 9, 20)


@pytest.fixture
def reminded(session, clock):
    """A reminder and an invitation were sent."""
    builders.ladders(session)
    signed = builders.a_subscription(session, starts_on=date(2026, 9, 1), billed_through=date(2026, 9, 1))
    builders.a_user(session, signed.account, email="claire@parc.example")
    dunning.remind(session, signed.account_id, DAY, noon(DAY))
    memberships.invite(
        session,
        signed.account_id,
        email="lea@parc.example",
        role=Role.VIEWER,
        address_of=lambda _token: "http://localhost/invitation/SECRET",
        actor=builders.CLAIRE,
        now=noon(DAY),
    )
    session.commit()
    return signed


def test_the_owner_reads_again_what_was_sent_but_no_link_that_opens_something(client, session, reminded):
    sign_in(client, session, builders.a_user(session, reminded.account))
    page = Page.get(client, f"/abonnements/{reminded.id}/historique").follow("Messages envoyés")
    assert page.text("#messages-title") == "2 messages" and problems(page.html) == []
    assert "claire@parc.example" in page.text("#messages") and "lea@parc.example" not in page.text(
        "#messages"
    )
    message = page.follow("Rappel : 95,59 € à payer")
    assert "+++262" in message.text("#message") or "+++" in message.text("#message")
    assert "échéance du 15 septembre 2026" in message.text("#message") and problems(message.html) == []


def test_nobody_else_reads_them(client, session, reminded):
    sign_in(client, session, builders.a_user(session, reminded.account))
    address = (
        Page.get(client, f"/abonnements/{reminded.id}/historique/messages")
        .follow("Rappel : 95,59 € à payer")
        .address
    )
    other = builders.a_subscription(session, starts_on=date(2026, 11, 1))
    sign_in(client, session, builders.a_user(session, other.account))
    theirs = address.replace(str(reminded.id), str(other.id))
    assert Page.get(client, address).status == Page.get(client, theirs).status == 404
    sign_in(client, session, builders.a_user(session, reminded.account, Role.ADMINISTRATOR))
    assert Page.get(client, address).status == 403
