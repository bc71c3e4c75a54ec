"""The page on which the team plays the months to come of an account."""

from datetime import date

import pytest

from tests.builders import a_subscription, a_user
from tests.support.page import Page
from tests.support.signing_in import sign_in

TODAY = date(2026, 11, 16)


@pytest.fixture
def reference(session, client, clock):
    clock.set(TODAY)
    signed = a_subscription(session, starts_on=date(2026, 10, 1), billed_through=TODAY)
    a_user(session, signed.account)
    sign_in(client, session, a_user(session, staff_role="support", language="fr"))
    session.commit()
    return signed.account.reference


def play(client, reference, **asked):
    query = {"play": "1", "months": "3", "paying": "on_time", "late_days": "10", "act": ""} | asked
    return client.get(f"/equipe/comptes/{reference}/repetition", query_string=query)


def test_the_question_comes_first(client, reference):
    answer = client.get(f"/equipe/comptes/{reference}/repetition")
    assert answer.status_code == 200
    assert "Jouer ces mois" in answer.text
    assert 'id="played"' not in answer.text


def test_the_months_are_told_one_by_one(client, reference):
    page = Page(client, play(client, reference))
    assert page.status == 200
    assert page.text("#played h2") == "286,77 € TVAC facturés jusqu’au 15 février 2027"
    assert "Décembre 2026" in page.text("#played")
    assert "Facture F2026-00003" in page.text("#played")


def test_what_if_nothing_is_paid(client, reference):
    page = Page(client, play(client, reference, months="6", paying="never"))
    assert "Sites suspendus" in page.text("#played")


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"act": "terminate"}, "Indiquez le jour de ce changement."),
        ({"act": "terminate", "act_on": "2026-11-01"}, "Choisissez un jour de la répétition"),
        ({"act": "terminate", "act_on": "2027-02-16"}, "Choisissez un jour de la répétition"),
        ({"late_days": "0"}, "De 1 à 365 jours."),
    ],
)
def test_a_question_that_cannot_be_played_says_why_and_keeps_what_was_typed(
    client, reference, asked, sentence
):
    page = Page(client, play(client, reference, **asked))
    assert page.status == 422
    assert sentence in page.text("#question")
    for name, value in asked.items():
        assert value in page.html, name


def test_a_notice_is_played_to_its_end(client, reference):
    page = Page(client, play(client, reference, months="24", act="terminate", act_on="2026-11-20"))
    assert "Fin de l’abonnement" in page.text("#played")


def test_the_same_answer_as_rows(client, reference):
    answer = client.get(
        f"/equipe/comptes/{reference}/repetition.csv",
        query_string={"months": "3", "paying": "on_time", "late_days": "10", "act": ""},
    )
    assert answer.mimetype == "text/csv"
    lines = answer.get_data(as_text=True).splitlines()
    assert lines[0] == "\ufeffJour;Événement;HTVA;TVAC;Échéance"
    assert "2026-12-01;Facture F2026-00003;79,00;95,59;2026-12-15" in lines


def test_an_account_that_is_not_there_is_not_found(client, reference):
    assert play(client, "CA-0").status_code == 404
