"""Credit notes of the team over HTTP: the preview, the confirmation, and who may."""

from datetime import date

import pytest
from sqlalchemy import func, select

from tests.builders import a_subscription, a_user
from tests.support.page import Page
from tests.support.page_linter import problems
from tests.support.signing_in import sign_in
from webapp.models.invoices import Invoice

STARTS = date(2026, 11, 1)


@pytest.fixture
def billed(session, clock):
    signed = a_subscription(session, starts_on=STARTS, establishments=2, billed_through=STARTS)
    session.commit()
    return signed


def as_team(client, session, role="billing", **person):
    sign_in(client, session, a_user(session, staff_role=role, **person))


def the_page(client, **asked) -> Page:
    return Page.get(client, "/equipe/factures/F2026-00001/avoir", **asked)


def notes(session) -> int:
    count = session.scalar(select(func.count()).where(Invoice.kind == "credit_note"))
    session.rollback()  # SQLite has one writer: the portal's turn
    return count


def test_the_team_sees_the_note_then_issues_it_with_its_reason(client, session, billed):
    as_team(client, session)
    page = the_page(client)
    assert page.texts("#choose tbody td[data-label=Reste]") == ["79,00 €", "24,00 €"]
    shown = page.form("choose").fill(scope="amount", amount="10,30").submit()
    assert "− 12,46 €" in shown.text("#note") and problems(shown.html) == []
    refused = shown.form("confirm").submit()
    assert refused.status == 422 and notes(session) == 0
    assert "Écrivez le motif" in refused.text("#error-summary")
    done = refused.form("confirm").fill(reason="Panne du 12 novembre").submit()
    assert "NC2026-00001 est émise" in done.text("#flashes")
    assert done.texts("#choose tbody td[data-label=Reste]") == ["71,10 €", "21,60 €"]
    session.expire_all()
    assert session.scalars(select(Invoice).where(Invoice.kind == "invoice")).one().paid_cents == 1246


def test_confirmed_twice_it_is_issued_once(client, session, billed):
    as_team(client, session, "admin")
    form = the_page(client, scope="full").form("confirm").fill(reason="Erreur")
    for _ in range(2):
        assert form.submit().status == 200
    assert notes(session) == 1


def test_a_page_that_is_behind_shows_the_new_amounts(client, session, billed):
    as_team(client, session)
    late = the_page(client, scope="full").form("confirm").fill(reason="Erreur")
    the_page(client, scope="amount", amount="3").form("confirm").fill(reason="Geste").submit()
    page = late.submit()
    assert page.status == 409 and notes(session) == 1
    assert "Cette page n’est plus à jour" in page.text("main") and "− 121,00 €" in page.text("#note")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"scope": "amount", "amount": "103,01"}, "il reste 103,00 € HTVA"),
        ({"scope": "amount"}, "Indiquez un montant."),
        ({"scope": "amount", "amount": "douze"}, "Écrivez un montant en euros"),
        ({"scope": "lines"}, "Il n’y a rien à créditer"),
        ({"scope": "lines", "lines": "999999"}, "Il n’y a rien à créditer"),
    ],
)
def test_what_cannot_be_credited_says_why(client, session, billed, asked, words):
    as_team(client, session)
    page = the_page(client, **asked)
    assert words in page.text("#error-summary") and not page.has("#note")
    assert problems(page.html) == []


@pytest.mark.parametrize("role", ["support", "catalogue"])
def test_the_rest_of_the_team_is_told_who_may(client, session, billed, role):
    as_team(client, session, role)
    page = the_page(client, scope="full")
    assert page.status == 403 and "facturation" in page.text("main")


def test_a_customer_finds_nothing_and_neither_does_a_wrong_number(client, session, billed):
    sign_in(client, session, a_user(session, billed.account))
    assert the_page(client).status == 404
    as_team(client, session)
    assert Page.get(client, "/equipe/factures/F2026-99999/avoir").status == 404


@pytest.mark.parametrize("language", ["nl", "en"])
def test_it_is_told_in_the_readers_language(client, session, billed, language):
    as_team(client, session, language=language)
    page = the_page(client, scope="full")
    assert page.one("html").get("lang") == language and problems(page.html) == []
    assert "la facture" not in page.text("main").lower()
