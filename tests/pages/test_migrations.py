"""Migrations over HTTP: proposed, simulated without writing, published once, followed, cancelled; what the client reads."""

from datetime import date

import pytest
from sqlalchemy import func, select

from tests import builders
from tests.builders import a_new_version, a_subscription, a_user, an_account, noon
from tests.support.page import Page
from tests.support.page_linter import problems
from tests.support.signing_in import sign_in
from webapp import migrating
from webapp.domain.access import StaffRole
from webapp.models.jobs import Job
from webapp.models.plan_migrations import PlanMigration, PlanMove
from webapp.models.records import OutboxMessage
from webapp.models.subscriptions import ScheduledChange
from webapp.services import billing

TODAY = date(2026, 11, 16)
MIGRATIONS = "/equipe/migrations"
WHY = {
    "reason_fr": "Les coûts d’hébergement ont augmenté.",
    "reason_nl": "De hostingkosten zijn gestegen.",
    "reason_en": "Hosting costs have risen.",
}


@pytest.fixture(autouse=True)
def started(app, monkeypatch):
    """The jobs that pages ask for, noted and not started."""
    asked: list[int] = []
    monkeypatch.setitem(app.extensions, "portal_start_job", asked.append)
    return asked


def a_subscriber(session, name="Brasserie du Parc", **terms):
    account = an_account(session, name)
    signed = a_subscription(session, account=account)
    for column, value in (
        {"commitment_months": 0, "notice_count": 30, "notice_unit": "days", "renewal": "monthly"} | terms
    ).items():
        setattr(signed.subscription, column, value)
    owner = a_user(session, account)
    billing.bill_due(session, signed.id, TODAY, noon(TODAY))
    session.commit()
    return signed, owner


def as_team(client, session, role=StaffRole.CATALOGUE):
    sign_in(client, session, builders.a_user(session, staff_role=role))


def simulate(client, session, **asked):
    versions = a_new_version(session)
    session.commit()
    as_team(client, session)
    page = Page.get(client, f"{MIGRATIONS}?version={versions[1]}")
    return page.form("ask").fill(**(WHY | asked)).submit()


def count(session, what):
    session.rollback()
    return session.scalar(select(func.count()).select_from(what))


def carry_out(app, session):
    session.rollback()
    with app.app_context():
        for migration_id in session.scalars(select(PlanMigration.id)).all():
            session.rollback()
            migrating.carry_out(migration_id)


def test_the_form_proposes_the_former_version_of_the_one_asked_for(client, session, clock):
    a_subscriber(session)
    before, after = a_new_version(session)
    session.commit()
    as_team(client, session)
    for wanted in (before, after):
        page = Page.get(client, f"{MIGRATIONS}?version={wanted}")
        assert problems(page.html) == []
        form = page.form("ask")
        assert (form.values["from_version"], form.values["to_version"]) == ([str(before)], [str(after)])


def test_a_simulation_shows_figures_mails_and_who_stays_and_writes_nothing(client, session, clock):
    a_subscriber(session)
    a_subscriber(session, "Café des Sports", commitment_months=12)
    shown = simulate(client, session)
    assert shown.status == 200 and problems(shown.html) == []
    totals = shown.text("#totals")
    assert "158,00 €" in totals and "170,00 €" in totals and "+ 12,00 €" in totals
    assert "janvier 2027" in shown.text("#months") and "mars 2027" in shown.text("#months")
    assert "coûtera 85,00 € HTVA par mois, au lieu de 79,00 €" in shown.text("#letter-fr")
    assert "85,00" in shown.text("#letter-nl") and WHY["reason_en"] in shown.text("#letter-en")
    assert count(session, PlanMigration) == count(session, ScheduledChange) == 0
    rows = client.get(shown.one("#months a").get("href")).text.splitlines()
    assert len(rows) == 3 and "2027-01-01" in rows[1]


def test_what_is_missing_is_said_beside_its_field(client, session, clock):
    a_subscriber(session)
    shown = simulate(client, session, wished_on="2026-11-01", notice_days="7", reason_nl="")
    assert shown.status == 422 and not shown.has("#simulation")
    for words in ("Choisissez un jour à venir", "De 30 à 365 jours", "Écrivez la raison dans cette langue"):
        assert words in shown.text("#ask")
    assert WHY["reason_fr"] in shown.text("#reason_fr")


def test_published_once_carried_out_and_read_by_the_client(app, client, session, clock, started):
    signed, owner = a_subscriber(session)
    shown = simulate(client, session)
    form = shown.form("confirm")
    page = form.submit()
    assert "En attente" in page.text("main") or "Démarre" in page.text("main")
    assert form.submit().address == page.address
    assert count(session, PlanMigration) == count(session, Job) == len(started) == 1
    carry_out(app, session)
    page = page.reload()
    assert "Annoncée" in page.text("#migration") and problems(page.html) == []
    assert count(session, OutboxMessage) == 1

    sign_in(client, session, owner)
    overview = Page.get(client, f"/abonnements/{signed.id}")
    said = overview.text("#pending-changes")
    assert "Votre formule Pro change le 1er janvier 2027" in said and WHY["reason_fr"] in said
    assert "31 décembre 2026" in said and not overview.has("#pending-changes form")
    assert problems(overview.html) == []
    leaving = overview.follow("Partir sans frais")
    assert "sans frais et sans préavis" in leaving.text("#why")


def test_what_changed_since_the_simulation_is_shown_again(client, session, clock):
    signed, _owner = a_subscriber(session)
    shown = simulate(client, session)
    session.rollback()
    signed.subscription.discounts = [
        {
            "id": 1,
            "from_on": "2026-12-01",
            "until_on": None,
            "share": "1/10",
            "monthly_cents": None,
            "item": None,
            "ref": None,
        }
    ]
    session.commit()
    again = shown.form("confirm").submit()
    assert again.status == 409 and "Rien n’a été publié" in again.text("main")
    assert count(session, PlanMigration) == 0


def test_a_cancelled_migration_says_so_and_the_client_too(app, client, session, clock):
    signed, owner = a_subscriber(session)
    page = simulate(client, session).form("confirm").submit()
    carry_out(app, session)
    asked = page.reload().follow("Annuler la migration")
    assert problems(asked.html) == [] and "garde son prix" in asked.text("#undone")
    done = asked.form("confirm").submit()
    carry_out(app, session)
    assert "Annulée" in done.reload().text("#migration")
    assert session.scalars(select(PlanMove.state)).all() == ["taken_back"]
    session.rollback()
    sign_in(client, session, owner)
    assert not Page.get(client, f"/abonnements/{signed.id}").has("#pending-changes")


def test_what_a_dead_process_left_is_taken_up_by_a_button(client, session, clock, started):
    a_subscriber(session)
    page = simulate(client, session).form("confirm").submit()
    session.rollback()
    job = session.scalars(select(Job)).one()
    job.state, job.ended_at = "failed", noon(TODAY)
    session.commit()
    page = page.reload()
    assert "Arrêtée" in page.text("#migration")
    page.form("resume").submit()
    assert len(started) == 2 and count(session, PlanMove) == 1


def test_the_list_and_the_file_say_where_each_is(app, client, session, clock):
    a_subscriber(session)
    page = simulate(client, session).form("confirm").submit()
    carry_out(app, session)
    listed = Page.get(client, MIGRATIONS)
    assert "Pro, version 1, vers Pro, version 2" in listed.text("#made")
    assert "Prévenu, changement à venir" in client.get(f"{page.address}.csv").text


def test_the_commands_of_the_night_carry_out_what_is_left(app, client, session, clock):
    a_subscriber(session)
    simulate(client, session).form("confirm").submit()
    said = app.test_cli_runner().invoke(args=["migrate-subscribers"])
    assert said.exit_code == 0 and "un abonné traité" in said.output
    assert app.test_cli_runner().invoke(args=["migrate-subscribers"]).output == ""
    assert count(session, OutboxMessage) == 1
