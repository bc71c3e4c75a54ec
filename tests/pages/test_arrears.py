"""Late accounts over HTTP: the team's decisions, and what the customer reads of lateness."""

from datetime import date

import pytest
from sqlalchemy import select

from tests import builders
from tests.builders import noon
from tests.support.page import Page
from tests.support.page_linter import problems
from tests.support.signing_in import sign_in
from webapp.domain.access import Role
from webapp.models.accounts import Account
from webapp.models.dunning import DunningHold, RestorationPass, Suspension
from webapp.models.records import AuditEntry
from webapp.services import billing, dunning, invoicing

STARTS = date(2026, 8, 1)
TODAY = date(2026, 11, 16)


@pytest.fixture
def late(session, clock):
    """Three invoices past due on 16 November 2026, of August, September and October; November's too, since the 15th."""
    builders.ladders(session)
    signed = builders.a_subscription(session, starts_on=STARTS)
    for month in (8, 9, 10):
        billing.bill_due(session, signed.id, date(2026, month, 1), noon(date(2026, month, 1)))
    session.commit()
    return signed


@pytest.fixture
def suspended(session, late):
    dunning.remind(session, late.account_id, TODAY, noon(TODAY))
    session.commit()
    return late


def as_team(client, session, role="billing", **person):
    sign_in(client, session, builders.a_user(session, staff_role=role, **person))


def as_owner(client, session, signed, role=Role.OWNER):
    sign_in(client, session, builders.a_user(session, signed.account, role))


def account_of(session, signed):
    session.expire_all()
    found = session.get(Account, signed.account_id)
    session.expunge(found)
    session.rollback()  # SQLite has one writer: the portal's turn
    return found


def reference_of(session, signed):
    return account_of(session, signed).reference


def open_of(session, signed):
    return invoicing.open_invoices(session, signed.account_id)


def act(client, reference, word, **asked) -> Page:
    return Page.get(client, f"/equipe/comptes/{reference}/impayes/{word}", **asked)


# ── The team ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_team_finds_who_is_late_and_where_they_stand(client, session, suspended):
    reference = reference_of(session, suspended)
    as_team(client, session, "support")
    page = Page.get(client, "/equipe/impayes")
    assert "Brasserie du Parc" in page.text("main") and "Suspendus" in page.text("main")
    assert problems(page.html) == []
    page = page.follow("Brasserie du Parc")
    assert page.address.endswith(f"{reference}/impayes") and problems(page.html) == []
    assert "Suspendus depuis le 16 novembre 2026" in page.text("#state")
    assert len(page.all("#debts tbody tr")) == 3 and not page.has("#acts")


def test_more_time_is_shown_then_given_with_its_reason_and_ends_on_its_day(client, session, suspended, clock):
    reference = reference_of(session, suspended)
    as_team(client, session)
    page = act(client, reference, "delai").form("choose").fill(jusqu="2026-11-20").submit()
    assert "Suspendus depuis le 16 novembre 2026" in page.text("#effect")
    assert "21 novembre 2026" in page.text("#effect") and problems(page.html) == []
    refused = page.form("confirm").submit()
    assert refused.status == 422 and "Écrivez le motif" in refused.text("#error-summary")
    session.rollback()
    done = refused.form("confirm").fill(reason="Promesse de paiement").submit()
    assert "du temps" in done.text("#flashes")
    assert session.scalars(select(RestorationPass.reason)).all() == ["Promesse de paiement"]
    session.rollback()
    assert account_of(session, suspended).suspended_on is None
    runner = client.application.test_cli_runner()
    assert runner.invoke(args=["remind", "--on", "2026-11-20"]).exit_code == 0
    assert account_of(session, suspended).suspended_on is None
    assert "1 comptes suspendus" in runner.invoke(args=["remind", "--on", "2026-11-21"]).output
    assert account_of(session, suspended).suspended_on == date(2026, 11, 21)


def test_a_contested_invoice_restores_and_settling_it_suspends_again(client, session, suspended):
    reference = reference_of(session, suspended)
    as_team(client, session)
    page = act(client, reference, "contestation").form("choose").submit()
    page.form("confirm").fill(reason="Doublon").submit()
    assert account_of(session, suspended).suspended_on is None
    page = Page.get(client, f"/equipe/comptes/{reference}/impayes")
    assert "contestée" in page.text("#holds")
    page = page.follow("Reprendre")
    assert "Suspendus" in page.texts("#effect td[data-label=Après]")[0]
    page.form("confirm").fill(reason="Réglé avec le client").submit()
    assert account_of(session, suspended).suspended_on == TODAY


def test_a_pause_stops_reminders_until_its_day(client, session, late):
    reference = reference_of(session, late)
    as_team(client, session)
    act(client, reference, "pause", jusqu="2026-12-01").form("confirm").fill(reason="Travaux").submit()
    runner = client.application.test_cli_runner()
    assert "0 envoyés, 0 comptes suspendus" in runner.invoke(args=["remind", "--on", "2026-12-01"]).output
    assert "1 comptes suspendus" in runner.invoke(args=["remind", "--on", "2026-12-02"]).output


def test_a_suspension_of_the_team_is_lifted_by_the_team_alone(client, session, late):
    reference = reference_of(session, late)
    as_team(client, session)
    act(client, reference, "suspension").form("confirm").fill(reason="Contenu illicite").submit()
    assert account_of(session, late).suspension_cause == "staff"
    assert act(client, reference, "suspension").status == 409
    for invoice in open_of(session, late):
        builders.pays(session, invoice, invoice.total_cents, on=TODAY)
    session.commit()
    assert account_of(session, late).suspended_on == TODAY
    act(client, reference, "levee").form("confirm").fill(reason="Retiré").submit()
    assert account_of(session, late).suspended_on is None
    told = session.scalars(
        select(AuditEntry.action).where(AuditEntry.action.like("account.%")).order_by(AuditEntry.id)
    ).all()
    session.rollback()
    assert told == ["account.suspended", "account.restored"]


def test_a_decision_confirmed_twice_is_taken_once(client, session, late):
    as_team(client, session)
    form = (
        act(client, reference_of(session, late), "pause", jusqu="2026-12-01")
        .form("confirm")
        .fill(reason="Travaux")
    )
    for _ in range(2):
        assert form.submit().status == 200
    assert len(session.scalars(select(DunningHold)).all()) == 1
    session.rollback()


@pytest.mark.parametrize("day", ["2026-11-15", "2027-11-16", "demain"])
def test_a_day_that_cannot_be_is_told_beside_its_field(client, session, late, day):
    as_team(client, session)
    page = act(client, reference_of(session, late), "delai", jusqu=day)
    assert page.status == 422 and "six mois" in page.form("choose").error("jusqu")
    assert not page.has("#effect") and problems(page.html) == []


def test_the_customer_reads_the_decision_and_its_reason(client, session, suspended):
    as_team(client, session)
    act(client, reference_of(session, suspended), "delai", jusqu="2026-11-20").form("confirm").fill(
        reason="Promesse"
    ).submit()
    as_owner(client, session, suspended)
    told = Page.get(client, f"/abonnements/{suspended.id}/historique").text("ol.events")
    assert "jusqu’au 20 novembre 2026. Motif : Promesse" in told
    assert "Sites suspendus : F2026-00001, F2026-00002, F2026-00003 impayées." in told


# ── The customer ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_suspension_is_said_on_every_page_and_explained_where_one_pays(client, session, suspended):
    as_owner(client, session, suspended)
    for path in ("/options", "/etablissements", "/utilisateurs", "/historique", "/coordonnees"):
        page = Page.get(client, f"/abonnements/{suspended.id}{path}")
        if page.status == 200:
            assert "Vos sites sont suspendus depuis le 16 novembre 2026" in page.text("#suspended"), path
            assert problems(page.html) == []
    for path in ("", "/factures"):
        page = Page.get(client, f"/abonnements/{suspended.id}{path}")
        assert "payez 95,59 € TVAC pour les rétablir" in page.text("#unpaid")
        assert not page.has("#suspended") and problems(page.html) == []
    assert "Sites suspendus depuis" in Page.get(client, f"/abonnements/{suspended.id}").text("#plan")


def test_the_banner_counts_down_to_the_suspension(client, session, late, clock):
    clock.set(date(2026, 10, 10))
    as_owner(client, session, late)
    page = Page.get(client, f"/abonnements/{late.id}/factures")
    assert page.text("#unpaid .countdown") == "6 jours"
    assert "Ce serait le 16 octobre 2026" in page.text("#unpaid")
    assert [each.get("class") for each in page.all("#unpaid .gauge i")] == ["on", "on", None]
    assert page.one("#unpaid .gauge").get("aria-label").startswith("2 factures comptent")
    assert problems(page.html) == []


def test_the_next_invoice_counts_in_the_day_that_is_told(client, session, late, clock):
    """One of the three is paid: the third unpaid one will be November's, billed on the 1st and due on the 15th."""
    oldest = open_of(session, late)[0]
    builders.pays(session, oldest, oldest.total_cents, on=date(2026, 10, 20))
    session.commit()
    clock.set(date(2026, 10, 20))
    as_owner(client, session, late)
    assert "Ce serait le 16 novembre 2026" in Page.get(client, f"/abonnements/{late.id}").text("#unpaid")


def test_the_overview_of_who_is_on_time_reads_nothing_more(client, session, statements, clock):
    signed = builders.a_subscription(session, starts_on=date(2026, 11, 1), billed_through=TODAY)
    session.commit()
    as_owner(client, session, signed)
    Page.get(client, f"/abonnements/{signed.id}")
    statements.clear()
    Page.get(client, f"/abonnements/{signed.id}")
    assert not any("dunning_holds" in each for each in statements)


@pytest.mark.parametrize("language", ["nl", "en"])
def test_it_is_told_in_the_readers_language(client, session, suspended, language):
    as_team(client, session, language=language)
    reference = reference_of(session, suspended)
    for path in ("/equipe/impayes", f"/equipe/comptes/{reference}/impayes",
                 f"/equipe/comptes/{reference}/impayes/delai?jusqu=2026-11-20"):  # fmt: skip
        page = Page.get(client, path)
        assert page.one("html").get("lang") == language and problems(page.html) == []
        assert "suspendu" not in page.text("main").lower()


def test_a_suspension_is_one_row_for_each_cause(session, suspended):
    assert [each.cause for each in session.scalars(select(Suspension))] == ["unpaid"]
