"""Factures: where the electronic document is, in words, and what the customer may do about it."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from tests.pages.test_invoices import as_role, parc, the_document, the_list  # noqa: F401
from tests.support.page_linter import problems
from webapp.models.accounts import Account
from webapp.models.invoices import Invoice
from webapp.services import documents

NOW = datetime(2026, 11, 16, 9, tzinfo=UTC)
NUMBER = "F2026-00003"


def kept(session, **values):
    invoice = session.scalars(select(Invoice).where(Invoice.number == NUMBER)).one()
    document = documents.stored(session, invoice, NOW)
    for name, value in values.items():
        setattr(document, name, value)
    session.commit()


CHECKED = {"rules_version": "rules 3.0.21", "checked_at": NOW}
STATES = [
    ({"state": "ready"}, "Peppol : préparée, non vérifiée", "pas encore vérifiée par les règles officielles"),
    ({"state": "validated", **CHECKED}, "Peppol : préparée", "conforme aux règles officielles"),
    ({"state": "queued", **CHECKED, "queued_at": NOW}, "Peppol : en cours d’envoi", "part vers votre adresse Peppol"),
    ({"state": "sent", **CHECKED, "sent_at": NOW, "receiver": "0208:0876543270"}, "Peppol : envoyée", "0208:0876543270"),
    ({"state": "delivered", **CHECKED, "sent_at": NOW, "closed_at": NOW}, "Peppol : remise", "dans votre logiciel"),
    ({"state": "rejected", **CHECKED, "closed_at": NOW, "last_error": "bon inconnu"}, "Peppol : refusée", "bon inconnu"),
    ({"state": "failed", **CHECKED, "problem": "receiver_unknown"}, "Peppol : non remise", "n’est pas joignable sur Peppol"),
    ({"state": "failed", **CHECKED, "problem": "no_answer", "last_error": "503"}, "Peppol : non remise", "vous n’avez rien à faire"),
    ({"state": "held", **CHECKED}, "Peppol : non remise", "vous n’avez rien à faire"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "short", "sentence"), STATES, ids=[str(each[1]) for each in STATES])
def test_each_state_is_told_in_the_list_and_on_the_document(client, session, parc, values, short, sentence):  # noqa: F811
    kept(session, **values)
    as_role(client, session, parc)
    listed = the_list(client, parc)
    assert short in listed.text("#invoice-list tbody tr:first-child") and problems(listed.html) == []
    page = the_document(client, parc, NUMBER)
    assert sentence in page.text("#delivery") and "16 novembre 2026" in page.text("#delivery")
    assert problems(page.html) == []
    assert "503" not in page.text("#delivery"), "the access point's words are for the team"


def test_what_the_customer_can_do_has_its_button(client, session, parc):  # noqa: F811
    kept(session, state="failed", problem="receiver_unknown", **CHECKED)
    as_role(client, session, parc)
    page = the_document(client, parc, NUMBER)
    assert page.follow("Voir l’identifiant Peppol").status == 200
    contact = the_document(client, parc, NUMBER).follow("Nous écrire")
    assert NUMBER in contact.html


def test_before_its_files_are_made_it_says_when_they_are(client, session, parc):  # noqa: F811
    as_role(client, session, parc)
    assert "dans les minutes qui suivent" in the_document(client, parc, NUMBER).text("#delivery")
    assert "Peppol" not in the_list(client, parc).text("#invoice-list tbody tr:first-child .end")


def test_a_consumer_hears_nothing_of_peppol(client, session, parc):  # noqa: F811
    for invoice in session.scalars(select(Invoice)):
        invoice.buyer = invoice.buyer | {"kind": "consumer"}
    session.scalars(select(Account).where(Account.id == parc.account_id)).one().kind = "consumer"
    kept(session)
    as_role(client, session, parc)
    assert not the_document(client, parc, NUMBER).has("#delivery")
    assert "Peppol :" not in the_list(client, parc).text("#invoice-list")


@pytest.mark.parametrize("language", ["nl", "en"])
def test_it_is_told_in_the_readers_language(client, session, parc, language):  # noqa: F811
    kept(session, state="failed", problem="receiver_unknown", **CHECKED)
    as_role(client, session, parc, language=language)
    assert "joignable" not in the_document(client, parc, NUMBER).text("#delivery")
