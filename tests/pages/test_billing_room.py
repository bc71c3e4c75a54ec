"""The billing room over HTTP, its jobs in real processes: previewed, followed, paused, killed, mended, never doubled."""

import os
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from tests import builders
from tests.builders import a_subscription, noon
from tests.support.page import Page
from tests.support.page_linter import problems
from tests.support.signing_in import sign_in
from webapp import clock as business_clock
from webapp import executing
from webapp.domain.access import StaffRole
from webapp.models.accounts import Account, BillingDetails
from webapp.models.billing_runs import BillingRun, BillingRunFailure
from webapp.models.dunning import DunningCase
from webapp.models.invoices import Invoice, Series
from webapp.models.jobs import Job
from webapp.models.records import AuditEntry, OutboxMessage
from webapp.services import billing_run, invariants, jobs

ROOT = Path(__file__).resolve().parents[2]
TODAY = date(2026, 11, 16)
ROOM = "/equipe/facturation"


@pytest.fixture
def processes(app, settings, monkeypatch, clock):
    """The processes that pages start read the database of this test, and live on its day."""
    given = {
        "PORTAL_INSTANCE": str(settings.instance),
        "DATABASE_URL": settings.database_url,
        "SECRET_KEY": settings.secret_key,
        "PORTAL_CLOCK": TODAY.isoformat(),
        "MAIL_BACKEND": "file",
        "PORTAL_STAFF_TWO_FACTOR": "optional",
        "PYTHONWARNINGS": "ignore",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    # Keys are given again from one: what a process of another test left behind is none of ours.
    for left in (settings.instance / executing.FOLDER).glob("*"):
        left.unlink()


@pytest.fixture
def never_started(app, monkeypatch):
    """What is asked for is written down, and nobody does it."""
    monkeypatch.setitem(app.extensions, "portal_start_job", lambda job_id: None)


def as_team(client, session, role=StaffRole.BILLING):
    sign_in(client, session, builders.a_user(session, staff_role=role))


def three_due(session):
    made = [a_subscription(session, starts_on=date(2026, 11, day)) for day in (1, 2, 3)]
    session.commit()
    return made


def broken(session, *subscriptions, street=""):
    ids = [each.account_id for each in subscriptions]
    session.execute(update(BillingDetails).where(BillingDetails.account_id.in_(ids)).values(street=street))
    session.commit()


def once_over(page: Page, seconds: float = 40) -> Page:
    """Reload, as somebody without scripts does, until the page does not ask for it any more."""
    until = time.monotonic() + seconds
    while page.has("#refresh"):
        assert time.monotonic() < until, page.text("main")
        time.sleep(0.2)
        page = page.follow("Actualiser")
    return page


def count(session, what=Invoice):
    session.rollback()
    found = session.scalar(select(func.count()).select_from(what))
    session.rollback()  # SQLite has one writer: the processes' turn
    return found


def start(client, **asked) -> Page:
    return once_over(Page.get(client, ROOM).form("preview").fill(**asked).submit())


def reference_of(session, signed):
    found = session.scalar(select(Account.reference).where(Account.id == signed.account_id))
    session.rollback()
    return found


# ── A run from its preview to its end ────────────────────────────────────────────────────────────────────────────


def test_a_run_is_previewed_then_started_by_a_process_of_its_own(client, session, processes):
    three_due(session)
    as_team(client, session)
    room = Page.get(client, ROOM)
    assert room.texts("#waiting .value")[0] == "3" and problems(room.html) == []
    preview = start(client)
    assert "3 documents seraient émis" in preview.text("main") and problems(preview.html) == []
    totals = preview.text("#preview-totals")
    assert count(session) == 0 and count(session, BillingRun) == 0
    run = once_over(preview.form("start").submit())
    assert "3 abonnements sur 3" in run.text("#billing-run") and "Terminée" in run.text("#billing-run")
    assert problems(run.html) == []
    assert count(session) == 3
    total = session.scalar(select(func.sum(Invoice.total_cents)))
    assert f"{total // 100},{total % 100:02d} €" in totals
    session.rollback()
    told = session.scalars(
        select(AuditEntry.action).where(AuditEntry.action.like("job.%")).order_by(AuditEntry.id)
    ).all()
    assert told == ["job.asked", "job.asked"]
    session.rollback()
    assert "16 novembre 2026" in Page.get(client, ROOM).text("#runs")


def test_a_preview_confirmed_twice_bills_once(client, session, processes):
    three_due(session)
    as_team(client, session)
    preview = start(client)
    first = once_over(preview.form("start").submit())
    again = once_over(preview.form("start").submit())
    assert again.address == first.address
    assert (count(session), count(session, BillingRun)) == (3, 1)


def test_a_preview_that_is_not_true_any_more_is_refused(client, session, processes):
    three_due(session)
    as_team(client, session)
    preview = start(client)
    a_subscription(session, starts_on=date(2026, 11, 4))
    session.commit()
    refused = preview.form("start").submit()
    assert refused.status == 409 and "n’est plus à jour" in refused.text("main")
    assert count(session, BillingRun) == 0 and count(session, Job) == 1


def test_a_day_to_come_and_an_unknown_account_are_refused_beside_their_field(
    client, session, never_started, clock
):
    as_team(client, session)
    form = Page.get(client, ROOM).form("preview").fill(on="2026-11-17", account="CA-0")
    refused = form.submit()
    assert refused.status == 422 and count(session, Job) == 0
    assert "ne s’émet pas d’avance" in refused.text("#on-error")
    assert "Aucun compte" in refused.text("#account-error") and problems(refused.html) == []


def test_the_page_asks_again_while_the_run_lives_and_not_once_it_is_over(client, session, processes):
    three_due(session)
    as_team(client, session)
    preview = start(client)
    asked = preview.form("start").submit()
    assert asked.one("#refresh").get("hx-trigger") == "every 2s, click"
    address = asked.address
    over = once_over(asked)
    swapped = Page.get(client, address, htmx=True)
    assert swapped.ids == ["billing-run"] and not swapped.has("[hx-trigger]")
    assert swapped.text("#billing-run") == over.text("#billing-run")


# ── Failures ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_failures_are_told_with_their_cause_mended_and_the_run_completes(client, session, processes):
    first, second, third = three_due(session)
    a_subscription(session, starts_on=date(2026, 11, 4))
    broken(session, first, second, third)
    as_team(client, session)
    preview = start(client)
    assert "3 comptes à revoir" in preview.text("main")
    run = once_over(preview.form("start").submit())
    assert "À revoir" in run.text("#billing-run") and "Un document émis" in run.text("#billing-run")
    assert len(run.all("#run-failures tbody tr")) == 3 and problems(run.html) == []
    assert all("rue et numéro : à compléter" in text for text in run.texts("#run-failures td.full"))
    assert count(session) == 1
    # One is mended and tried alone; then the others, together.
    broken(session, first, street="Rue Neuve 1")
    run = once_over(run.form(f"retry-{reference_of(session, first)}").submit())
    assert len(run.all("#run-failures tbody tr")) == 2 and count(session) == 2
    broken(session, second, third, street="Rue Neuve 2")
    run = once_over(run.form("retry-all").submit())
    assert not run.has("#run-failures") and "4 documents émis" in run.text("#billing-run")
    assert "4 abonnements sur 4" in run.text("#billing-run") and "Terminée" in run.text("#billing-run")
    assert count(session) == 4 and invariants.broken(session) == []


def test_a_run_of_the_night_is_read_and_mended_here_too(app, client, session, processes):
    first, *_others = three_due(session)
    broken(session, first)
    assert app.test_cli_runner().invoke(args=["bill"]).exit_code == 1
    as_team(client, session)
    page = Page.get(client, ROOM).follow("16 novembre 2026")
    assert "par la commande" in page.text("#billing-run") and len(page.all("#run-failures tbody tr")) == 1
    broken(session, first, street="Rue Neuve 1")
    run = once_over(page.form(f"retry-{reference_of(session, first)}").submit())
    assert "Terminée" in run.text("#billing-run") and count(session) == 3


# ── Death and rest ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("point", ["before_commit", "after_commit"])
def test_a_killed_run_says_so_and_is_taken_up_without_doubles(
    app, client, session, never_started, processes, point
):
    for day in range(1, 8):
        a_subscription(session, starts_on=date(2026, 11, day))
    session.commit()
    as_team(client, session)
    job = jobs.ask(session, jobs.BILL, {"on": TODAY.isoformat()}, builders.CLAIRE, business_clock.now())
    session.commit()
    job_id = job.id
    session.rollback()
    command = [sys.executable, "-m", "tests.support.killable_job", str(job_id), point, "2"]
    killed = subprocess.run(command, cwd=ROOT, env=os.environ, check=False)
    assert killed.returncode == 9
    page = Page.get(client, f"{ROOM}/travaux/{job_id}")
    assert (
        "Interrompue" in page.text("#billing-run") and not page.has("#refresh") and problems(page.html) == []
    )
    assert 0 < count(session) < 7
    assert "Interrompue" in Page.get(client, ROOM).text("#runs")
    page.form("resume").submit()
    done = subprocess.run(command[:4], cwd=ROOT, env=os.environ, check=False)
    assert done.returncode == 0
    page = page.reload()
    assert "7 abonnements sur 7" in page.text("#billing-run") and "Terminée" in page.text("#billing-run")
    assert count(session) == 7 and invariants.broken(session) == []
    assert count(session, BillingRun) == 2


def test_a_run_is_paused_between_two_pages_and_goes_on_where_it_stopped(
    app, client, session, never_started, clock
):
    for day in range(1, 8):
        a_subscription(session, starts_on=date(2026, 11, day))
    session.commit()
    as_team(client, session)
    job_id = jobs.ask(session, jobs.BILL, {"on": TODAY.isoformat()}, builders.CLAIRE, noon(TODAY)).id
    session.commit()
    pages = 0

    def press_pause(point):
        nonlocal pages
        pages += point == "after_commit"
        if point == "after_commit" and pages == 2:
            page = Page.get(client, f"{ROOM}/travaux/{job_id}")
            assert "En cours" in page.text("#billing-run") and "4 abonnements sur 7" in page.text(
                "#billing-run"
            )
            page.form("pause").submit()

    with app.app_context():
        executing.perform(job_id, page_size=2, reached=press_pause)
    page = Page.get(client, f"{ROOM}/travaux/{job_id}")
    assert "En pause" in page.text("#billing-run") and "4 abonnements sur 7" in page.text("#billing-run")
    assert count(session) == 4
    page.form("resume").submit()
    with app.app_context():
        executing.perform(job_id, page_size=2)
    page = page.reload()
    assert "Terminée" in page.text("#billing-run") and count(session) == 7
    assert session.scalars(select(BillingRun.error).where(BillingRun.error.is_not(None))).all() == []


def test_a_run_that_ends_while_a_page_looks_at_it_is_not_called_interrupted(
    app, session, never_started, clock
):
    three_due(session)
    job = jobs.ask(session, jobs.BILL, {"on": TODAY.isoformat()}, builders.CLAIRE, noon(TODAY))
    session.commit()
    with app.app_context():
        here = executing.this_machine()
        assert jobs.claim(session, job.id, here, 1, noon(TODAY)) is not None
        session.commit()
        seen = jobs.get(session, job.id)  # what the page has read
        session.expunge(seen)
        session.rollback()
        assert jobs.is_dead(seen, noon(TODAY), executing.is_held, here)  # nobody holds its lock
        jobs.finish(session, job.id, "done", noon(TODAY))
        session.commit()
        assert not jobs.is_dead(seen, noon(TODAY), executing.is_held, here)


def test_only_one_of_a_kind_is_under_way(client, session, never_started, clock):
    as_team(client, session)
    first = Page.get(client, ROOM).form("preview").submit()
    second = Page.get(client, ROOM).form("preview").submit()
    assert second.address == first.address and "déjà en cours" in second.text("#flashes")
    assert count(session, Job) == 1


def test_what_never_began_is_said_after_a_minute(client, session, never_started, clock):
    as_team(client, session)
    page = Page.get(client, ROOM).form("preview").submit()
    assert "Démarre" in page.text("main")
    clock.set(business_clock.now() + timedelta(seconds=61))
    page = page.reload()
    assert "Interrompue" in page.text("main") and not page.has("#refresh")


def test_documents_that_do_not_hold_together_stop_the_run_in_words(
    app, client, session, never_started, clock
):
    three_due(session)
    billing_run_ = app.test_cli_runner().invoke(args=["bill", "--on", "2026-11-01"])
    assert billing_run_.exit_code == 0
    session.execute(update(Series).values(last_number=Series.last_number + 1))
    job_id = jobs.ask(session, jobs.BILL, {"on": TODAY.isoformat()}, builders.CLAIRE, noon(TODAY)).id
    as_team(client, session)
    with app.app_context():
        executing.perform(job_id)
    page = Page.get(client, f"{ROOM}/travaux/{job_id}")
    assert "ne tiennent pas ensemble" in page.text("#billing-run") and "Arrêtée" in page.text("#billing-run")
    numbers = Page.get(client, f"{ROOM}/numeros")
    assert "1 manquants" in numbers.text("#series") and problems(numbers.html) == []


# ── Other work, and the numbers ──────────────────────────────────────────────────────────────────────────────────


def performed(app, page):
    """The page of a job, once its process is over."""
    with app.app_context():
        executing.perform(int(page.address.rsplit("/", 1)[1]))
    return page.reload()


def test_a_preview_says_what_would_happen_and_keeps_nothing(app, client, session, never_started, clock):
    builders.ladders(session)
    late = a_subscription(session, starts_on=date(2026, 9, 1), billed_through=date(2026, 9, 1))
    builders.a_user(session, late.account)
    session.commit()
    as_team(client, session)
    clock.set(date(2026, 9, 18))
    page = performed(app, Page.get(client, ROOM).form("work-remind").submit())
    shown = dict(
        zip(page.texts("#figures th[scope=row]"), page.texts("#figures td:nth-child(2)"), strict=True)
    )
    assert (shown["Rappels à envoyer"], shown["Comptes à suspendre"]) == ("1", "0")
    assert count(session, OutboxMessage) == 0
    assert count(session, DunningCase) == 0
    start = page.form("start")
    clock.set(date(2026, 9, 19))
    stale = start.submit()
    assert stale.status == 409 and "un autre jour" in stale.text("#stale-title + p")
    assert count(session, Job) == 1


@pytest.mark.parametrize("kind", [*jobs.COMMANDS, jobs.INVARIANTS])
def test_each_other_work_is_started_here_and_says_what_it_did(
    app, client, session, never_started, clock, kind
):
    three_due(session)
    as_team(client, session)
    where = (ROOM, f"work-{kind}") if kind != jobs.INVARIANTS else (f"{ROOM}/numeros", "verify")
    page = performed(app, Page.get(client, where[0]).form(where[1]).submit())
    if kind != jobs.INVARIANTS:
        assert page.has("#figures") and problems(page.html) == []
        assert not Page.get(client, ROOM).all("#works a")  # looked at, and not started
        page = performed(app, page.form("start").submit())
    assert "Terminée" in page.text("main"), page.text("main")
    assert page.text("#said") if kind != jobs.INVARIANTS else "tiennent ensemble" in page.text("main")
    assert problems(page.html) == []
    if kind == jobs.INVARIANTS:
        assert Page.get(client, where[0]).texts("#checks .badge") == ["Tient"] * 7
    else:
        assert "Lancé d’ici" in Page.get(client, ROOM).text("#works")


def test_the_support_follows_and_starts_nothing(client, session, never_started, clock):
    job_id = jobs.ask(session, jobs.BILL, {"on": TODAY.isoformat()}, builders.CLAIRE, noon(TODAY)).id
    as_team(client, session, StaffRole.SUPPORT)
    for address in (ROOM, f"{ROOM}/numeros", f"{ROOM}/travaux/{job_id}"):
        page = Page.get(client, address)
        assert page.status == 200 and not page.all("main form[method=post]")


def test_the_room_takes_few_statements(client, session, never_started, clock, statements):
    three_due(session)
    session.add_all(
        BillingRun(run_on=TODAY, started_at=noon(TODAY), seen_at=noon(TODAY), status="done")
        for _ in range(15)
    )
    as_team(client, session)
    Page.get(client, ROOM)
    statements.clear()
    assert Page.get(client, ROOM).status == 200
    assert len(statements) <= 8, statements
    assert count(session, BillingRunFailure) == 0


def test_every_invariant_has_its_sentence():
    from webapp.blueprints.staff.billing import INVARIANTS, TITLES

    assert set(INVARIANTS) == set(invariants._invariants())
    assert set(TITLES) == set(jobs.KINDS)
    assert issubclass(billing_run.Paused, Exception)
