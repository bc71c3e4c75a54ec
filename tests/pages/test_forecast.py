"""The next twelve months over HTTP: the table, the picture, the reasons, and who may see them."""

from datetime import date

import pytest

from tests.builders import CLAIRE, a_price, a_subscription, a_user, an_account, noon
from tests.pages.test_invoices import TODAY, as_role, billed_monthly
from tests.support.page import Page
from tests.support.page_linter import problems
from tests.support.signing_in import sign_in
from webapp.domain.access import Role
from webapp.domain.contract import ChangeKind
from webapp.services import scheduling


@pytest.fixture
def foreseen(session, clock):
    """Pro, one address, until the Premium scheduled for February."""
    signed = a_subscription(session, starts_on=date(2026, 9, 1))
    billed_monthly(session, signed)
    scheduling.schedule(
        session,
        signed.subscription,
        ChangeKind.PLAN,
        date(2027, 2, 1),
        {"plan_price_id": a_price(session, "premium", "monthly")},
        CLAIRE,
        noon(TODAY),
    )
    session.commit()
    return signed


def the_forecast(client, signed) -> Page:
    return Page.get(client, f"/abonnements/{signed.id}/factures/previsions")


def test_each_document_to_come_with_its_reason(client, session, foreseen):
    as_role(client, session, foreseen, Role.VIEWER)
    page = the_forecast(client, foreseen)
    rows = page.texts("#documents tbody tr")
    assert len(rows) == 12 and len(page.all(".chart rect")) == 12
    assert rows[0].startswith("Décembre 2026") and "Le même montant qu’en novembre." in rows[0]
    assert "Premium devient votre formule (+ 70,00 €)" in rows[2]
    assert "Le même montant qu’en février." in rows[3]
    assert page.one(".chart svg > title").text and page.one(".chart svg > desc").text
    assert problems(page.html) == []


@pytest.mark.parametrize("language", ["nl", "en"])
def test_it_is_told_in_the_readers_language(client, session, foreseen, language):
    as_role(client, session, foreseen, language=language)
    page = the_forecast(client, foreseen)
    assert page.one("html").get("lang") == language and "mois" not in page.text("main")
    assert problems(page.html) == []


def test_the_overview_leads_there(client, session, foreseen):
    as_role(client, session, foreseen)
    overview = Page.get(client, f"/abonnements/{foreseen.id}")
    assert overview.follow("Voir les douze prochains mois").text("h1") == "Les douze prochains mois"


def test_another_tenant_finds_nothing_and_the_accountant_is_told_why_not(client, session, foreseen):
    stranger = a_subscription(session, account=an_account(session, "Chez Rosa"))
    sign_in(client, session, a_user(session, stranger.account))
    assert the_forecast(client, foreseen).status == 404
    as_role(client, session, foreseen, Role.ACCOUNTANT)
    assert the_forecast(client, foreseen).status == 403
