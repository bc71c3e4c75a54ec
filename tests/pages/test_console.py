"""The console of a reseller: its own clients and people, and nothing of another's."""

from datetime import date

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.builders import (
    LONG_AGO,
    a_catalogue,
    a_colleague,
    a_reseller,
    a_subscription,
    a_user,
    an_account,
    noon,
)
from tests.pages.test_users import mailed_link
from tests.support.page import Page
from tests.support.page_linter import problems
from tests.support.signing_in import sign_in
from webapp.config import Settings
from webapp.domain.access import ResellerRole, Role
from webapp.models.accounts import Reseller, ResellerMembership
from webapp.models.invoices import Invoice
from webapp.models.records import AuditEntry
from webapp.services import resellers

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def reseller(session: Session) -> Reseller:
    return a_reseller(session)


@pytest.fixture
def sofie(app: Flask, session: Session, reseller: Reseller) -> FlaskClient:
    return sign_in(app.test_client(), session, a_colleague(session, reseller, email="sofie@plus.example"))


def another_tenant(session: Session) -> Reseller:
    other = Reseller(
        slug="brasserieplus",
        name="Brasserie Plus",
        contact_name="Jan",
        contact_email="jan@bp.example",
        allowed_actions=[],
        created_at=noon(LONG_AGO),
    )
    session.add(other)
    session.flush()
    return other


def test_who_works_for_a_reseller_alone_arrives_in_its_console(sofie: FlaskClient) -> None:
    page = Page.get(sofie, "/")
    assert page.text("h1") == "Clients"
    assert "HorecaPlus" in page.text(".masthead")
    assert problems(page.html) == []


def test_clients_are_listed_with_their_plan_and_price_and_found(
    sofie: FlaskClient, session: Session, reseller: Reseller
) -> None:
    a_catalogue(session)
    mine = a_subscription(session, account=an_account(session, "Café Central", reseller), reseller=reseller)
    an_account(session, "Chez direct")
    session.commit()
    page = Page.get(sofie, "/partenaire/")
    assert "Café Central" in page.text("#clients")
    assert "Chez direct" not in page.html
    assert problems(page.html) == []
    assert "Aucun client ne correspond" in Page.get(sofie, "/partenaire/", q="introuvable").text("#clients")
    swapped = Page.get(sofie, "/partenaire/", htmx=True, q="central", etat="actifs")
    assert swapped.ids == ["clients"]
    sheet = Page.get(sofie, f"/partenaire/clients/{mine.account.reference}")
    assert "Adresse 1" in sheet.text("#contract")
    assert problems(sheet.html) == []


def test_another_tenants_things_are_not_found(
    app: Flask, sofie: FlaskClient, session: Session, reseller: Reseller
) -> None:
    other = another_tenant(session)
    theirs = an_account(session, "Ailleurs", other)
    place = a_colleague(session, other)
    membership = session.scalars(
        select(ResellerMembership.id).where(ResellerMembership.user_id == place.id)
    ).one()
    session.commit()
    assert sofie.get(f"/partenaire/clients/{theirs.reference}").status_code == 404
    assert sofie.get(f"/partenaire/utilisateurs/{membership}/retirer").status_code == 404


def test_a_new_colleague_joins_by_mail_and_is_removed_at_once(
    sofie: FlaskClient, client: FlaskClient, session: Session, settings: Settings, reseller: Reseller
) -> None:
    page = Page.get(sofie, "/partenaire/utilisateurs")
    sent = page.form("invite").fill(email="Tom@Plus.example", role="reseller_agent").submit()
    assert "tom@plus.example" in sent.text("#invitations")
    answer = Page.get(client, mailed_link(settings))
    assert answer.text("h1") == "Rejoindre HorecaPlus"
    assert problems(answer.html) == []
    console = answer.form().fill(full_name="Tom Maes", password="un mot de passe assez long").submit()
    assert console.text("h1") == "Clients"
    assert client.get("/partenaire/utilisateurs/inviter").status_code == 405
    assert not Page.get(client, "/partenaire/utilisateurs").has("#invite")
    tom = session.scalars(
        select(ResellerMembership.id).where(ResellerMembership.role == "reseller_agent")
    ).one()
    session.rollback()
    removed = Page.get(sofie, f"/partenaire/utilisateurs/{tom}/retirer")
    assert problems(removed.html) == []
    assert "Tom Maes" in removed.form(action=f"/partenaire/utilisateurs/{tom}/retirer").submit().text()
    assert client.get("/partenaire/").status_code == 404
    actions = list(
        session.scalars(
            select(AuditEntry.action).where(AuditEntry.action.like("reseller.%")).order_by(AuditEntry.id)
        )
    )
    assert actions == ["reseller.user_invited", "reseller.user_joined", "reseller.user_removed"]


def test_the_last_administrator_keeps_the_role(
    sofie: FlaskClient, session: Session, reseller: Reseller
) -> None:
    page = Page.get(sofie, "/partenaire/utilisateurs")
    mine = session.scalars(select(ResellerMembership.id)).one()
    session.rollback()
    refused = page.form(action=f"/partenaire/utilisateurs/{mine}/role").fill(role="reseller_agent").submit()
    assert refused.status == 422
    assert "au moins un administrateur" in refused.text("#error-summary")


def test_who_works_for_another_reseller_joins_no_second_one(
    app: Flask, sofie: FlaskClient, session: Session, settings: Settings
) -> None:
    taken = a_colleague(session, another_tenant(session), ResellerRole.AGENT, email="ann@bp.example")
    theirs = sign_in(app.test_client(), session, taken)
    Page.get(sofie, "/partenaire/utilisateurs").form("invite").fill(
        email="ann@bp.example", role="reseller_agent"
    ).submit()
    refused = Page.get(theirs, mailed_link(settings)).form().submit()
    assert refused.status == 422
    assert "un autre partenaire" in refused.text("#error-summary")


def test_a_suspended_reseller_reads_and_changes_nothing(
    sofie: FlaskClient, session: Session, reseller: Reseller
) -> None:
    page = Page.get(sofie, "/partenaire/utilisateurs")
    reseller.suspended_at = noon(LONG_AGO)
    session.commit()
    sent = page.form("invite").fill(email="tom@plus.example", role="reseller_agent").submit()
    assert sent.status == 403
    read = Page.get(sofie, "/partenaire/utilisateurs")
    assert read.has("#partner-suspended")
    assert not read.has("#invite")
    assert problems(read.html) == []


def test_a_member_of_an_account_who_works_for_a_reseller_goes_from_one_to_the_other(
    app: Flask, session: Session, reseller: Reseller
) -> None:
    both = a_user(session, an_account(session), Role.OWNER)
    session.add(
        ResellerMembership(
            user_id=both.id, reseller_id=reseller.id, role="reseller_reader", created_at=noon(LONG_AGO)
        )
    )
    client = sign_in(app.test_client(), session, both)
    assert "Espace partenaire" in Page.get(client, "/comptes").text(".mainnav")


# ── What opens the embed, and how it looks ───────────────────────────────────────────────────────────────────────


def test_a_secret_is_shown_once_and_a_key_revoked_opens_nothing(
    sofie: FlaskClient, session: Session, reseller: Reseller
) -> None:
    page = Page.get(sofie, "/partenaire/connexion")
    assert problems(page.html) == []
    shown = page.form("add-key").fill(kid="site-2026", algorithm="HS256").submit()
    secret = shown.text("#shown code")
    assert len(secret) == 43
    assert problems(shown.html) == []
    again = Page.get(sofie, "/partenaire/connexion")
    assert secret not in again.html
    taken = again.form("add-key").fill(kid="site-2026", algorithm="HS256").submit()
    assert "a déjà servi" in taken.form("add-key").error("kid")
    wrong = again.form("add-key").fill(kid="autre", algorithm="EdDSA", pem="rien").submit()
    assert "clé publique EdDSA" in wrong.form("add-key").error("pem")
    assert resellers.active_key(session, reseller.id, "site-2026") is not None
    session.rollback()
    sure = Page.get(sofie, "/partenaire/connexion/cles/site-2026/revocation")
    assert "seule clé active" in sure.text("main")
    assert problems(sure.html) == []
    sure.form(action="/partenaire/connexion/cles/site-2026/revocation").submit()
    assert resellers.active_key(session, reseller.id, "site-2026") is None


def test_sites_are_exact_and_what_was_typed_is_kept(
    sofie: FlaskClient, session: Session, reseller: Reseller
) -> None:
    page = Page.get(sofie, "/partenaire/connexion")
    typed = "https://espace.plus.example\nplus.example"
    refused = page.form("sites").fill(origins=typed).submit()
    assert refused.status == 422
    assert "plus.example" in refused.form("sites").error("origins")
    assert refused.one("#sites textarea").text.strip() == typed
    refused.form("sites").fill(origins="https://Espace.plus.example/").submit()
    session.refresh(reseller)
    assert reseller.allowed_origins == ["https://espace.plus.example"]


def test_a_look_is_tried_then_kept_and_a_pale_one_refused_with_another(
    sofie: FlaskClient, session: Session, reseller: Reseller
) -> None:
    pale = Page.get(sofie, "/partenaire/apparence", brand="#ffe97a")
    assert "trop pâle" in pale.text("#look-preview")
    better = pale.follow("#look-preview a")
    assert "Lisible" in better.text("#look-preview")
    assert problems(better.html) == []
    tried = better.form("look").fill(brand="#a3195b").submit("Voir sans enregistrer", htmx=True)
    assert tried.ids == ["look-preview"]
    assert "#a3195b" in tried.text("#look-preview")
    refused = better.form("look").fill(brand="#ffe97a", radius="soft", font="wide").submit()
    assert refused.status == 422
    better.form("look").fill(brand="#a3195b", radius="soft", font="wide").submit()
    session.refresh(reseller)
    theme = resellers.theme(session, reseller)
    assert theme is not None
    assert theme.tokens == {"brand": "#a3195b", "radius": "soft", "font": "wide"}


def test_the_bills_of_another_reseller_are_not_found(sofie: FlaskClient, session: Session) -> None:
    """Nor an invoice of a direct client, whose number is well known."""
    contract = a_subscription(session, billed_through=date(2026, 3, 1))
    number = session.scalars(select(Invoice.number).where(Invoice.account_id == contract.account_id)).one()
    session.commit()
    page = Page.get(sofie, "/partenaire/factures")
    assert problems(page.html) == []
    assert "facturés directement" in page.text("header.page-header, .page-header")
    for extension in ("pdf", "xml", "csv"):
        assert sofie.get(f"/partenaire/factures/{number}.{extension}").status_code == 404


def test_an_agent_does_not_see_what_the_reseller_pays(
    app: Flask, session: Session, reseller: Reseller
) -> None:
    tom = sign_in(app.test_client(), session, a_colleague(session, reseller, ResellerRole.AGENT))
    page = Page.get(tom, "/partenaire/connexion")
    assert not page.has("#add-key")
    assert "Factures" not in page.text(".mainnav")
    assert tom.get("/partenaire/factures").status_code == 403
