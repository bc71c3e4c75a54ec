"""Billing details, over HTTP: who may change them, what is refused with which words, what the next invoice says."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from email import message_from_bytes, policy

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.builders import Signed, a_subscription, a_user
from tests.support.page import Page
from tests.support.page_linter import problems
from tests.support.signing_in import sign_in
from webapp.adapters.vies import VatAnswer
from webapp.config import Settings
from webapp.domain.access import Role
from webapp.models.accounts import Account, BillingDetails, EmailCheck
from webapp.models.invoices import Invoice
from webapp.models.records import AuditEntry, OutboxMessage
from webapp.services import billing

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def contract(session: Session) -> Signed:
    contract = a_subscription(session, starts_on=date(2026, 10, 1), billed_through=date(2026, 11, 1))
    session.commit()
    return contract


@pytest.fixture
def owner(app: Flask, session: Session, contract: Signed) -> FlaskClient:
    return sign_in(app.test_client(), session, a_user(session, contract.account))


@pytest.fixture
def details(owner: FlaskClient, contract: Signed) -> Page:
    return Page.get(owner, f"/abonnements/{contract.id}/coordonnees")


@pytest.fixture
def register(app: Flask) -> Iterator[dict[str, str]]:
    """A register of VAT numbers that answers what the test puts in it."""
    answers: dict[str, str] = {}
    app.extensions["portal_vies"] = lambda number, now: VatAnswer(answers.get(number, "invalid"), now, "C-1")
    yield answers
    del app.extensions["portal_vies"]


def row(session: Session, contract: Signed) -> BillingDetails:
    session.rollback()
    session.expire_all()
    found = session.get_one(BillingDetails, contract.account_id)
    session.expunge(found)
    session.rollback()
    return found


def mailed_link(settings: Settings) -> str:
    assert settings.mail_folder is not None
    newest = max(settings.mail_folder.glob("*.eml"), key=lambda file: file.stat().st_mtime_ns)
    body = message_from_bytes(newest.read_bytes(), policy=policy.default).get_body(("plain",))
    assert body is not None
    found = re.search(r"http://localhost(/\S+)", body.get_content())
    assert found is not None
    return found[1]


def test_what_is_saved_is_for_the_next_invoice_and_issued_ones_keep_theirs(
    details: Page, session: Session, contract: Signed
) -> None:
    page = details.form("billing-details").fill(legal_name="Parc & Fils SA", street="Rue Neuve 1").submit()
    assert page.status == 200
    assert "prochaines factures" in page.text("#flashes")
    billing.bill_due(session, contract.id, date(2026, 12, 1), datetime(2026, 12, 1, 8, tzinfo=UTC))
    session.commit()
    buyers = session.scalars(select(Invoice.buyer).order_by(Invoice.id)).all()
    assert [buyer["legal_name"] for buyer in buyers] == ["Brasserie du Parc SRL"] * 2 + ["Parc & Fils SA"]


def test_the_history_keeps_what_was_there_before(details: Page, session: Session) -> None:
    details.form("billing-details").fill(city="Forest").submit()
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "billing_details.changed")).one()
    assert (entry.subject, entry.before, entry.after) == (
        "city",
        {"city": "Saint-Gilles"},
        {"city": "Forest"},
    )
    assert entry.actor_name == "Claire Janssens"


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("vat_number", "BE 0876.543.271", "Un chiffre de ce numéro de TVA n’est pas juste."),
        ("vat_number", "FR 40303265045", "Ce numéro est celui d’un autre pays."),
        ("vat_number", "bonjour", "Ce n’est pas un numéro de TVA de ce pays."),
        ("enterprise_number", "0876543271", "Un chiffre de ce numéro d’entreprise n’est pas juste."),
        ("enterprise_number", "2876543270", "Un numéro d’entreprise a dix chiffres"),
        ("peppol_id", "0876543270", "Un identifiant Peppol ressemble à 0208:0876543270."),
        ("peppol_id", "0208:0876543271", "Un chiffre de cet identifiant n’est pas juste."),
        ("postcode", "10600", "En Belgique, un code postal a quatre chiffres."),
        ("legal_name", "  ", "Indiquez le nom à mettre sur la facture."),
        ("accountant_email", "anne", "Écrivez une adresse e-mail complète"),
        ("invoice_emails", "a@b.example\nsans arobase", "« sans arobase » n’est pas une adresse e-mail"),
        ("invoice_emails", "", "Indiquez au moins une adresse où envoyer vos factures."),
    ],
)
def test_a_wrong_value_gets_its_sentence_beside_the_field_and_stays_typed(
    details: Page, session: Session, field: str, typed: str, said: str
) -> None:
    page = details.form("billing-details").fill(**{field: typed}).submit()
    assert page.status == 422
    form = page.form("billing-details")
    assert said in form.error(field)
    assert form.values[field][0].strip() == typed.strip()
    assert not session.scalars(
        select(AuditEntry.id).where(AuditEntry.action == "billing_details.changed")
    ).all()
    assert problems(page.html) == []


def test_numbers_are_kept_compact_however_they_are_typed(
    details: Page, session: Session, contract: Signed
) -> None:
    page = details.form("billing-details").fill(
        vat_number="0876.543.270", enterprise_number="", invoice_emails="A@B.example; c@d.example"
    )
    page.submit()
    kept = row(session, contract)
    assert (kept.vat_number, kept.enterprise_number) == ("BE0876543270", "0876543270")
    assert (kept.invoice_email, kept.other_invoice_emails) == ("a@b.example", ["c@d.example"])


def test_a_business_of_another_member_state_owes_its_vat_itself(
    details: Page, session: Session, contract: Signed
) -> None:
    form = details.form("billing-details")
    form.fill(country="FR", postcode="75001", vat_number="FR40303265045", enterprise_number="")
    page = form.submit()
    assert "Autoliquidation" in page.text("#vat")
    assert "n’a pas été interrogé" in page.text("#vat")
    assert row(session, contract).vat_treatment == "reverse_charge"


def test_the_register_has_the_last_word_and_its_answer_is_kept(
    details: Page, session: Session, contract: Signed, register: dict[str, str]
) -> None:
    form = details.form("billing-details")
    form.fill(country="FR", postcode="75001", vat_number="FR40303265045", enterprise_number="")
    assert "la TVA belge s’applique" in form.submit().text("#vat")
    assert row(session, contract).vat_treatment == "domestic"
    register["LU26375245"] = "valid"
    form = details.reload().form("billing-details")
    page = form.fill(country="LU", postcode="L-1648", vat_number="LU26375245").submit()
    assert "Consultation C-1." in page.text("#vat")
    kept = row(session, contract)
    assert (kept.vat_treatment, kept.vat_check, kept.vat_consultation) == ("reverse_charge", "valid", "C-1")


def test_a_consumer_has_no_numbers(app: Flask, session: Session) -> None:
    free = a_subscription(session, plan="flex", starts_on=date(2026, 10, 1))
    owner = sign_in(app.test_client(), session, a_user(session, free.account))
    details = Page.get(owner, f"/abonnements/{free.id}/coordonnees")
    page = details.form("billing-details").fill(kind="consumer").submit()
    assert "Un particulier n’a pas de numéro de TVA" in page.form("billing-details").error("vat_number")
    page.form("billing-details").fill(vat_number="", enterprise_number="").submit()
    assert session.get_one(Account, free.account_id).kind == "consumer"


@pytest.mark.parametrize(
    ("language", "until"),
    [("fr", "30 septembre 2027"), ("nl", "30 september 2027"), ("en", "30 September 2027")],
)
def test_a_business_stays_one_while_its_commitment_runs(
    app: Flask, session: Session, contract: Signed, language: str, until: str
) -> None:
    owner = sign_in(app.test_client(), session, a_user(session, contract.account, language=language))
    form = Page.get(owner, f"/abonnements/{contract.id}/coordonnees").form("billing-details")
    page = form.fill(kind="consumer", vat_number="", enterprise_number="", street="Rue Neuve 3").submit()
    assert page.status == 422
    assert until in page.text("#kind-error")
    assert page.one("#billing-details [name=street]").get("value") == "Rue Neuve 3"  # what was typed is kept
    kept = row(session, contract)
    assert (session.get_one(Account, contract.account_id).kind, kept.street != "Rue Neuve 3") == (
        "business",
        True,
    )
    session.rollback()
    public = Page.get(owner, f"/abonnements/{contract.id}/coordonnees").form("billing-details")
    public.fill(kind="public").submit()  # neither is a consumer: nothing of the commitment depends on it
    assert session.get_one(Account, contract.account_id, populate_existing=True).kind == "public"


def test_the_peppol_identifier_is_proposed_and_saved_only_when_asked(
    details: Page, session: Session, contract: Signed
) -> None:
    assert "Ce serait 0208:0876543270." in details.text("#billing-details")
    details.form("billing-details").submit()
    assert row(session, contract).peppol_id is None
    details.reload().form("billing-details").fill(use_enterprise_number=True).submit()
    assert row(session, contract).peppol_id == "0208:0876543270"


def test_two_people_at_once_do_not_overwrite_each_other(
    details: Page, session: Session, contract: Signed
) -> None:
    details.reload().form("billing-details").fill(city="Forest").submit()
    page = details.form("billing-details").fill(street="Rue Neuve 1").submit()
    assert page.status == 409
    assert "Quelqu’un a modifié ces informations" in page.text("#error-summary")
    assert page.form("billing-details").values["street"] == ["Rue Neuve 1"]
    assert (row(session, contract).city, row(session, contract).street) == ("Forest", "Avenue du Parc 12")
    page.form("billing-details").submit()
    assert row(session, contract).street == "Rue Neuve 1"


def test_the_accountants_address_is_used_once_its_reader_has_opened_the_link(
    details: Page, session: Session, contract: Signed, settings: Settings, client: FlaskClient
) -> None:
    page = details.form("billing-details").fill(accountant_email="Anne@fiduciaire.example").submit()
    assert "anne@fiduciaire.example" in page.text("#waiting")
    assert row(session, contract).accountant_email is None
    link = mailed_link(settings)
    opened = Page.get(client, link)
    assert row(session, contract).accountant_email is None  # a program that opens links confirms nothing
    assert problems(opened.html) == []
    done = opened.form().submit()
    assert "L’adresse est confirmée" in done.text("h1")
    assert row(session, contract).accountant_email == "anne@fiduciaire.example"
    assert Page.get(client, link).status == 410
    assert not details.reload().has("#waiting")


def test_the_former_accountant_stays_until_the_new_one_confirms(
    owner: FlaskClient, session: Session, contract: Signed, settings: Settings
) -> None:
    session.get_one(BillingDetails, contract.account_id).accountant_email = "ancien@fiduciaire.example"
    session.commit()
    page = Page.get(owner, f"/abonnements/{contract.id}/coordonnees")
    page = page.form("billing-details").fill(accountant_email="nouveau@fiduciaire.example").submit()
    assert row(session, contract).accountant_email == "ancien@fiduciaire.example"
    first = mailed_link(settings)
    page.form(action="/renvoyer").submit()
    assert Page.get(owner, first).status == 410
    assert Page.get(owner, mailed_link(settings)).status == 200
    page = page.form(action="/oublier").submit()
    assert not page.has("#waiting")
    assert row(session, contract).accountant_email == "ancien@fiduciaire.example"


def test_mails_to_an_accountant_are_counted(details: Page, session: Session) -> None:
    page = details
    for number in range(6):
        page = page.form("billing-details").fill(accountant_email=f"a{number}@fiduciaire.example").submit()
    assert page.status == 429
    assert "Trop d’essais" in page.form("billing-details").error("accountant_email")
    assert len(session.scalars(select(EmailCheck.id)).all()) == 5
    assert len(session.scalars(select(OutboxMessage.id)).all()) == 5


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.VIEWER, Role.ACCOUNTANT])
def test_the_others_read_and_are_told_who_may_change(
    app: Flask, session: Session, contract: Signed, role: Role
) -> None:
    client = sign_in(app.test_client(), session, a_user(session, contract.account, role))
    page = Page.get(client, f"/abonnements/{contract.id}/coordonnees")
    assert "Brasserie du Parc SRL" in page.text("#billing-details")
    assert "Seul le propriétaire peut changer les coordonnées de facturation." in page.text(
        "#billing-details"
    )
    assert not page.has("form[id='billing-details']")
    assert problems(page.html) == []


@pytest.mark.parametrize("language", ["nl", "en"])
def test_the_page_speaks_the_readers_language(
    app: Flask, session: Session, contract: Signed, language: str
) -> None:
    client = sign_in(app.test_client(), session, a_user(session, contract.account, language=language))
    page = Page.get(client, f"/abonnements/{contract.id}/coordonnees")
    assert page.text("h1") == {"nl": "Factuurgegevens", "en": "Billing details"}[language]
    assert problems(page.html) == []
