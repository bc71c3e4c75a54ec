"""The dashboard of the team over HTTP: its pictures say what its tables and its files say."""

from datetime import date

import pytest

from tests import builders
from tests.support.page import Page
from tests.support.page_linter import problems
from tests.support.signing_in import sign_in
from webapp.services.subscriptions import NewOption

TODAY = date(2026, 11, 16)
HOME = "/equipe/tableau-de-bord"


@pytest.fixture
def firms(session, clock):
    builders.a_subscription(
        session, starts_on=date(2026, 9, 1), options=[NewOption("emails", 4)], billed_through=TODAY
    )
    annual = builders.an_account(session, "Chez Lucie", reseller=builders.a_reseller(session))
    builders.a_subscription(
        session, frequency="annual", starts_on=date(2026, 11, 5), billed_through=TODAY,
        account=annual,
    )  # fmt: skip
    session.commit()


def as_team(client, session, role="support", **person):
    sign_in(client, session, builders.a_user(session, staff_role=role, **person))


def test_the_pictures_and_their_tables(client, session, firms):
    as_team(client, session)
    page = Page.get(client, HOME)
    assert problems(page.html) == []
    assert "154,83" in page.text("#tiles") and "+ 65,83" in page.text("#tiles")
    assert "Nouveaux clients" in page.text("#movements") and "HorecaPlus" in page.text("#channels")
    assert "novembre 2026" in page.text("#revenue").lower()
    moved = Page.get(client, f"{HOME}/mouvements", genre="new")
    assert problems(moved.html) == [] and "Chez Lucie" in moved.text("#moved")
    assert "Brasserie" not in moved.text("#moved")
    october = Page.get(client, HOME, mois="2026-10")
    assert "89,00" in october.text("#tiles") and "Retours" in october.text("#movements")


@pytest.mark.parametrize("language", ["nl", "en"])
def test_in_the_language_of_the_team(client, session, firms, language):
    as_team(client, session, language=language)
    page = Page.get(client, HOME)
    assert problems(page.html) == []
    assert {"nl": "Nieuwe klanten", "en": "New customers"}[language] in page.text("#movements")
    assert "Ce qui" not in page.text("main")


def test_whoever_may_not_help_accounts_reads_totals_alone(client, session, firms):
    as_team(client, session, "catalogue")
    page = Page.get(client, HOME)
    assert problems(page.html) == [] and "comptes/mouvements.csv" not in page.html
    assert client.get(f"{HOME}/mouvements").status_code == 403
    assert client.get(f"{HOME}/comptes/impayes.csv").status_code == 403
    assert client.get(f"{HOME}/revenu.csv").status_code == 200


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("revenu", "2026-11-16;154,83;2"),
        ("revendeurs", "HorecaPlus;1;65,83;65,83"),
        ("options", "emails;"),
        ("anciennete", "1 à 30 jours;"),
        ("comptes/mouvements", "Chez Lucie;Nouveaux clients;0,00;65,83;65,83"),
        ("comptes/impayes", "Brasserie du Parc;"),
        ("comptes/echeances", "Référence;Client;"),
    ],
)
def test_each_picture_has_its_file(client, session, firms, path, expected):
    as_team(client, session)
    answer = client.get(f"{HOME}/{path}.csv")
    assert answer.status_code == 200 and answer.mimetype == "text/csv"
    assert expected in answer.get_data(as_text=True)


def test_a_month_that_is_none_is_the_present_one_and_an_unknown_file_is_not_found(client, session, firms):
    as_team(client, session)
    for asked in ("2026-13", "hier", "2031-01"):
        assert "154,83" in Page.get(client, HOME, mois=asked).text("#tiles")
    assert client.get(f"{HOME}/secret.csv").status_code == 404
    assert client.get(f"{HOME}/mouvements?genre=autre").status_code == 404


def test_the_page_asks_the_same_few_questions_of_any_number_of_accounts(client, session, firms, statements):
    as_team(client, session)
    client.get(HOME)
    statements.clear()
    client.get(HOME)
    few = len(statements)
    for _number in range(8):
        builders.a_subscription(session, starts_on=date(2026, 10, 1), billed_through=TODAY)
    session.commit()
    statements.clear()
    client.get(HOME)
    assert len(statements) == few <= 10
