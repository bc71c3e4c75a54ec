"""The help, true for its account, and the account's data: taken away, and erased at the end."""

import io
import json
import zipfile
from datetime import date

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.builders import Signed, a_subscription, a_user, an_account
from tests.support.page import Page
from tests.support.page_linter import problems
from tests.support.signing_in import sign_in
from webapp.domain.access import Role
from webapp.models.accounts import Account, BillingDetails, Invitation, Membership, User
from webapp.models.invoices import Invoice
from webapp.models.records import AuditEntry, HelpAnswer, OutboxMessage
from webapp.models.subscriptions import Subscription

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def contract(session: Session) -> Signed:
    contract = a_subscription(
        session, starts_on=date(2026, 10, 1), establishments=2, billed_through=date(2026, 11, 1)
    )
    session.commit()
    return contract


@pytest.fixture
def owner(app: Flask, session: Session, contract: Signed) -> FlaskClient:
    user = a_user(session, contract.account, email="claire@parc.example", password_hash="argon-secret")
    return sign_in(app.test_client(), session, user)


def ended(session: Session, contract: Signed) -> None:
    row = session.get_one(Subscription, contract.id)
    row.status, row.ended_on = "ended", date(2026, 11, 1)
    session.commit()


# --- Help ------------------------------------------------------------------------------------------------------


def test_the_help_says_what_is_true_of_this_account(owner: FlaskClient, contract: Signed) -> None:
    page = Page.get(owner, f"/abonnements/{contract.id}/aide")
    now = page.text("#now").replace("\xa0", " ")
    assert "Vous avez la formule Pro, facturée chaque mois." in now
    assert "2 établissements sont en service." in now
    assert "Votre engagement court jusqu’au 30 septembre 2027." in now
    assert problems(page.html) == []
    assert page.follow("Changer les coordonnées de facturation").status == 200


def test_an_answer_is_kept_for_those_who_write_the_article(
    owner: FlaskClient, contract: Signed, session: Session
) -> None:
    page = Page.get(owner, f"/abonnements/{contract.id}/aide")
    refused = page.form("helped").fill(comment="Rien sur les devis").submit()
    assert (refused.status, refused.form("helped").values["comment"][0].strip()) == (
        422,
        "Rien sur les devis",
    )
    page = refused.form("helped").fill(has_helped="non").submit()
    assert "Merci" in page.text("#flashes")
    kept = session.scalars(select(HelpAnswer)).one()
    assert (kept.has_helped, kept.comment.strip(), kept.language) == (False, "Rien sur les devis", "fr")


def test_an_accountant_reads_the_help_without_the_contract(
    app: Flask, contract: Signed, session: Session
) -> None:
    client = sign_in(app.test_client(), session, a_user(session, contract.account, Role.ACCOUNTANT))
    page = Page.get(client, f"/abonnements/{contract.id}/aide")
    assert not page.has("#now")


@pytest.mark.parametrize("language", ["nl", "en"])
def test_both_pages_speak_the_readers_language(
    app: Flask, contract: Signed, session: Session, language: str
) -> None:
    client = sign_in(app.test_client(), session, a_user(session, contract.account, language=language))
    for path, title in (
        ("aide", {"nl": "Uw abonnement, helder uitgelegd", "en": "Your subscription, in plain words"}),
        ("donnees", {"nl": "Gegevens van de account", "en": "Account data"}),
    ):
        page = Page.get(client, f"/abonnements/{contract.id}/{path}")
        assert page.text("h1") == title[language]
        assert problems(page.html) == []


# --- Data ------------------------------------------------------------------------------------------------------


def test_everything_is_taken_away_but_what_opens_a_door(
    owner: FlaskClient, contract: Signed, session: Session
) -> None:
    page = Page.get(owner, f"/abonnements/{contract.id}/donnees")
    assert problems(page.html) == []
    form = page.form(action="/telecharger")
    answer = owner.post(f"/abonnements/{contract.id}/donnees/telecharger", data=form.values)
    assert answer.mimetype == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(answer.get_data()))
    data = json.loads(archive.read("donnees.json"))
    assert [one["number"] for one in data["invoices"]] == ["F2026-00001", "F2026-00002"]
    assert [one["email"] for one in data["people"]] == ["claire@parc.example"]
    assert len(data["establishments"]) == 2
    assert "argon-secret" not in json.dumps(data)
    assert not [key for key in _keys(data) if key in {"token_hash", "password_hash", "secret"}]
    assert (
        session.scalars(select(AuditEntry.action).order_by(AuditEntry.id.desc())).first() == "data.exported"
    )


def _keys(value: object) -> set[str]:
    if isinstance(value, dict):
        return set(value) | set().union(*map(_keys, value.values()))
    return set().union(*map(_keys, value)) if isinstance(value, list) else set()


def test_a_running_subscription_shows_what_closing_would_do_and_refuses_it(
    owner: FlaskClient, contract: Signed, session: Session, without_csrf: None
) -> None:
    reference = contract.account.reference
    session.commit()
    page = Page.get(owner, f"/abonnements/{contract.id}/donnees")
    assert "2 factures et notes de crédit, telles qu’émises (jusqu’au 1er janvier 2037)" in page.text(
        "#closure"
    )
    assert not page.has("form[id='close']")
    answer = owner.post(
        f"/abonnements/{contract.id}/donnees/cloturer",
        data={"reference": reference},
        headers={"Sec-Fetch-Site": "same-origin"},
    )
    assert answer.status_code == 422
    assert session.get_one(Account, contract.account_id).closed_at is None


@pytest.fixture
def without_csrf(app: Flask):
    app.config["WTF_CSRF_ENABLED"] = False
    yield
    app.config["WTF_CSRF_ENABLED"] = True


def test_closing_erases_people_and_keeps_what_the_law_asks(
    app: Flask, owner: FlaskClient, contract: Signed, session: Session
) -> None:
    anne = a_user(session, contract.account, Role.ACCOUNTANT, full_name="Anne", email="anne@f.example")
    other = an_account(session, "Ailleurs")
    session.add(Membership(user_id=anne.id, account_id=other.id, role="viewer", created_at=anne.created_at))
    reference = contract.account.reference
    session.commit()
    Page.get(owner, f"/abonnements/{contract.id}/utilisateurs").form("invite").fill(
        email="lea@parc.example", role="viewer"
    ).submit()
    ended(session, contract)
    page = Page.get(owner, f"/abonnements/{contract.id}/donnees")
    assert "L’accès de 2 personnes" in page.text("#closure")
    wrong = page.form("close").fill(reference="CA-1").submit()
    assert (wrong.status, reference in wrong.form("close").error("reference")) == (422, True)
    page = wrong.form("close").fill(reference=reference.lower()).submit()
    assert page.address == "/connexion"
    assert "est clôturé" in page.text("#flashes")

    session.expire_all()
    names = dict(session.execute(select(User.full_name, User.email)).all())
    assert names["Anne"] == "anne@f.example"
    assert "claire@parc.example" not in names.values()
    assert session.scalars(select(Membership.account_id)).all() == [other.id]
    assert session.scalars(select(Invitation.id)).all() == []
    assert session.scalars(select(OutboxMessage.id)).all() == []
    assert session.get_one(BillingDetails, contract.account_id).invoice_email == ""
    assert len(session.scalars(select(Invoice.id)).all()) == 2
    assert session.get_one(Account, contract.account_id).closed_at is not None
    actions = session.scalars(
        select(AuditEntry.action).where(AuditEntry.account_id == contract.account_id)
    ).all()
    assert actions[-1] == "account.closed"
    session.rollback()
    assert Page.get(owner, f"/abonnements/{contract.id}/donnees").address.startswith("/connexion")


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.VIEWER, Role.ACCOUNTANT])
def test_only_the_owner_takes_the_data(app: Flask, contract: Signed, session: Session, role: Role) -> None:
    client = sign_in(app.test_client(), session, a_user(session, contract.account, role))
    page = Page.get(client, f"/abonnements/{contract.id}/donnees")
    assert page.status == 403
    assert "Seul le propriétaire peut télécharger ou effacer les données du compte." in page.text("main")
