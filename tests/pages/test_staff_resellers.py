"""Resellers on the operator's side: opened, their policy set, their first administrator invited, suspended."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.builders import CLAIRE, LONG_AGO, a_reseller, a_user, an_account, noon
from tests.support.page import Page
from tests.support.page_linter import problems
from tests.support.signing_in import sign_in
from webapp.domain.money import Money
from webapp.domain.resale import WholesalePrice
from webapp.models.accounts import Invitation, Reseller
from webapp.models.records import AuditEntry
from webapp.services import resale

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def admin(app: Flask, session: Session) -> FlaskClient:
    return sign_in(app.test_client(), session, a_user(session, staff_role="admin"))


def test_its_contact_is_changed_and_its_wholesale_prices_are_read(
    admin: FlaskClient, session: Session
) -> None:
    reseller = a_reseller(session)
    price = WholesalePrice("plan", "pro", "monthly", 1, LONG_AGO, Money(3150))
    resale.publish_prices(session, reseller, [price], noon(LONG_AGO), CLAIRE)
    session.commit()
    page = Page.get(admin, "/equipe/revendeurs/horecaplus")
    assert problems(page.html) == []
    assert "31,50" in page.text("#wholesale")
    wrong = page.form("contact").fill(contact_name="Tom Maes", contact_email="tom").submit()
    assert wrong.status == 422
    assert wrong.form("contact").values["contact_name"] == ["Tom Maes"]
    page.form("contact").fill(contact_name="Tom Maes", contact_email="tom@plus.example").submit()
    session.refresh(reseller)
    assert (reseller.contact_name, reseller.contact_email) == ("Tom Maes", "tom@plus.example")


def test_a_reseller_is_opened_then_told_what_its_clients_may_do(admin: FlaskClient, session: Session) -> None:
    company = an_account(session, "Café Pro SA").reference
    session.commit()
    page = Page.get(admin, "/equipe/revendeurs")
    assert problems(page.html) == []
    typed = {
        "name": "Café Pro",
        "slug": "cafepro",
        "contact_name": "Ann",
        "contact_email": "ann@cafepro.example",
    }
    opened = page.form("open").fill(**typed).submit()
    assert opened.text("h1") == "Café Pro"
    assert problems(opened.html) == []
    taken = page.form("open").fill(**typed).submit()
    assert "déjà pris" in taken.form("open").error("slug")
    nobody = opened.form("policy").fill(billed="reseller", prices="none", role_cap="viewer").submit()
    assert "compte direct" in nobody.form("policy").error("company")
    changed = nobody.form("policy").fill(company=company).submit()
    assert changed.has("#policy input[name=billed][value=reseller][checked]")
    row = session.scalars(select(Reseller).where(Reseller.slug == "cafepro")).one()
    assert (row.billed_party, row.prices_shown, row.role_cap) == ("reseller", "none", "viewer")


def test_its_first_administrator_is_invited_and_it_is_suspended_then_let_in(
    admin: FlaskClient, session: Session
) -> None:
    reseller = a_reseller(session)
    session.commit()
    page = Page.get(admin, "/equipe/revendeurs/horecaplus")
    page.form("invite").fill(email="sofie@plus.example").submit()
    invitation = session.scalars(select(Invitation)).one()
    assert (invitation.reseller_id, invitation.role) == (reseller.id, "reseller_admin")
    session.rollback()
    suspended = page.form(action="/equipe/revendeurs/horecaplus/suspension").submit()
    assert "Suspendu" in suspended.text(".page-header")
    back = suspended.form(action="/equipe/revendeurs/horecaplus/reprise").submit()
    assert "Actif" in back.text(".page-header")
    actions = list(
        session.scalars(
            select(AuditEntry.action).where(AuditEntry.action.like("reseller.%")).order_by(AuditEntry.id)
        )
    )
    assert actions == ["reseller.user_invited", "reseller.suspended", "reseller.resumed"]


def test_support_reads_what_is_agreed_and_changes_nothing(app: Flask, session: Session) -> None:
    a_reseller(session)
    support = sign_in(app.test_client(), session, a_user(session, staff_role="support"))
    page = Page.get(support, "/equipe/revendeurs/horecaplus")
    assert problems(page.html) == []
    assert not page.has("#policy button")
    assert not page.has("#invite")
