"""Changing plan over HTTP: compare, preview, confirm, once; with and without scripts."""

from datetime import date, datetime

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tests.builders import Signed, a_reseller, a_subscription, a_user
from tests.conftest import BRUSSELS, Clock
from tests.support.page import Page
from tests.support.signing_in import sign_in
from webapp.domain.access import Role
from webapp.models.invoices import Invoice, InvoiceLine
from webapp.models.records import OutboxMessage
from webapp.services.subscriptions import NewOption

TODAY = date(2026, 11, 16)


@pytest.fixture
def parc(session: Session, clock: Clock) -> Signed:
    """Two addresses on Pro since 1 March, November billed."""
    signed = a_subscription(session, establishments=2, billed_through=TODAY)
    session.commit()
    return signed


def as_role(client: FlaskClient, session: Session, signed: Signed, role: Role = Role.OWNER) -> FlaskClient:
    user = a_user(session, signed.account, role)
    sign_in(client, session, user)
    return client


def preview_of(client: FlaskClient, signed: Signed, plan: str, often: str = "mensuelle") -> Page:
    return Page.get(client, f"/abonnements/{signed.id}/formules/{plan}/apercu", facturation=often)


def documents(session: Session, signed: Signed) -> int:
    number = session.scalar(
        select(func.count()).select_from(Invoice).where(Invoice.account_id == signed.account_id)
    )
    session.rollback()  # SQLite has one writer, and it is the portal's turn
    return number or 0


def test_the_comparison_shows_each_plan_with_what_it_would_cost_this_account(client, session, parc):
    page = Page.get(as_role(client, session, parc), f"/abonnements/{parc.id}/formules")
    assert page.texts("article.plan h2") == ["Essentiel", "Pro Votre formule", "Flex", "Premium"]
    assert "149,00 € HTVA par mois dès le 1er décembre 2026" in page.text(
        "article[aria-labelledby='plan-premium']"
    )
    assert "le 1er mars 2027" in page.text("article[aria-labelledby='plan-essentiel']")


def test_the_lines_of_the_preview_are_those_of_the_invoice(client, session, parc):
    as_role(client, session, parc)
    preview = preview_of(client, parc, "premium")
    shown = preview.texts("#preview .data.stacks tbody .money")
    assert shown == ["74,50 €", "− 39,50 €", "− 12,00 €"]
    done = preview.form("confirm").submit()
    assert done.text("h1") == "Premium est votre formule"
    assert done.text("#document .amount") == "27,83 €"
    lines = session.scalars(select(InvoiceLine.net_cents).order_by(InvoiceLine.id.desc()).limit(3)).all()
    assert sorted(lines) == [-3950, -1200, 7450]


def test_confirming_twice_issues_one_invoice_and_answers_the_same(client, session, parc):
    as_role(client, session, parc)
    form = preview_of(client, parc, "premium").form("confirm")
    first, second = form.submit(), form.submit()
    assert documents(session, parc) == 10
    assert first.address == second.address
    assert first.text("#document .amount") == second.text("#document .amount")


def test_a_key_used_for_something_else_is_refused(client, session, parc):
    as_role(client, session, parc)
    form = preview_of(client, parc, "premium").form("confirm")
    form.submit()
    other = (
        preview_of(client, parc, "essentiel")
        .form("confirm")
        .fill(idempotency_key=form.values["idempotency_key"][0])
    )
    assert "autres choix" in other.submit().text("#preview")


def test_a_stale_confirmation_shows_the_new_figures_and_bills_nothing(client, session, parc, clock):
    clock.set(datetime(2026, 11, 16, 23, 30, tzinfo=BRUSSELS))
    as_role(client, session, parc)
    form = preview_of(client, parc, "premium").form("confirm")
    clock.set(datetime(2026, 11, 17, 0, 30, tzinfo=BRUSSELS))
    again = form.submit()
    assert again.status == 409
    assert "n’est plus à jour" in again.text("#preview")
    assert again.text("#price-summary .amount") != "27,83 €"
    assert documents(session, parc) == 9
    assert again.form("confirm").submit().text("h1") == "Premium est votre formule"


@pytest.mark.parametrize("htmx", [False, True])
def test_a_cheaper_plan_is_scheduled_with_and_without_scripts(client, session, parc, htmx):
    as_role(client, session, parc)
    preview = preview_of(client, parc, "essentiel")
    assert "Rien n’est facturé aujourd’hui" in preview.text("#preview")
    answer = preview.form("confirm").submit(htmx=htmx)
    if htmx:
        answer = Page.get(client, answer.headers["HX-Redirect"])
    assert answer.text("h1") == "Essentiel est programmée"
    assert "1er mars 2027" in answer.text("main")
    assert documents(session, parc) == 9


def test_a_forged_price_changes_nothing(client, session, parc):
    as_role(client, session, parc)
    form = preview_of(client, parc, "premium").form("confirm")
    answer = form.fill(preview="0" * 32, amount_cents="1", unit_cents="1", price="0").submit()
    assert answer.status == 409
    assert documents(session, parc) == 9


@pytest.mark.parametrize("plan", ["inconnue", "premium'--", "../premium"])
def test_an_unknown_plan_is_refused_in_words(client, session, parc, plan):
    page = preview_of(as_role(client, session, parc), parc, plan)
    assert page.status in {404, 422}


def test_an_unknown_frequency_is_not_found(client, session, parc):
    assert preview_of(as_role(client, session, parc), parc, "premium", "hebdomadaire").status == 404


def test_another_tenants_subscription_is_not_found(client, session, parc):
    other = a_subscription(session)
    as_role(client, session, other)
    for address in ("formules", "formules/premium/apercu", "formules/confirmation"):
        assert Page.get(client, f"/abonnements/{parc.id}/{address}").status == 404
    form = preview_of(client, other, "premium").form("confirm")
    form.element.set("action", f"/abonnements/{parc.id}/formules/premium/confirmer?facturation=mensuelle")
    assert form.submit().status == 404


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.VIEWER])
def test_a_reader_compares_but_cannot_change(client, session, parc, role):
    as_role(client, session, parc, role)
    page = Page.get(client, f"/abonnements/{parc.id}/formules")
    assert "Seul le propriétaire peut changer de formule" in page.text("main")
    assert not page.has("article.plan a.btn")
    assert preview_of(client, parc, "premium").status == 403


def test_a_resellers_client_sees_its_partners_contact(client, session, clock):
    signed = a_subscription(session, reseller=a_reseller(session), billed_through=TODAY)
    as_role(client, session, signed)
    page = Page.get(client, f"/abonnements/{signed.id}/formules")
    assert "aide@horecaplus.example" in page.text("main")
    assert preview_of(client, signed, "premium").status == 422


def test_get_on_the_confirmation_changes_nothing(client, session, parc):
    as_role(client, session, parc)
    assert client.get(f"/abonnements/{parc.id}/formules/premium/confirmer").status_code == 405


def test_the_owner_is_told_by_mail_in_their_language(client, session, parc):
    as_role(client, session, parc)
    preview_of(client, parc, "premium").form("confirm").submit()
    mail = session.scalars(select(OutboxMessage).where(OutboxMessage.template == "plan_changed")).one()
    assert "27,83" in mail.text_body
    assert str(parc.id) in mail.text_body


def test_the_annual_switch_shows_yearly_prices(client, session, parc):
    as_role(client, session, parc)
    page = Page.get(client, f"/abonnements/{parc.id}/formules", facturation="annuelle")
    assert "790,00 €" in page.text("article[aria-labelledby='plan-pro']")
    preview = preview_of(client, parc, "pro", "annuelle")
    assert preview.text("h1") == "Payer Pro à l’année"
    assert "Fin de votre nouvel engagement" in preview.text("#preview")


def test_an_option_that_ends_with_the_plan_is_said_in_the_preview(client, session, clock):
    signed = a_subscription(session, options=[NewOption("booking", at=1)], billed_through=TODAY)
    as_role(client, session, signed)
    page = preview_of(client, signed, "essentiel")
    assert "S’arrête le 28 février 2027, car Essentiel ne la propose pas" in page.text("#preview")
