"""Moving the subscribers of a version: simulated, published once, told once whatever happens, applied, cancelled."""

import subprocess
import sys
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path

import pytest
from sqlalchemy import func, select

from tests.builders import (
    CLAIRE,
    a_new_version,
    a_reseller,
    a_subscription,
    a_user,
    an_account,
    noon,
)
from webapp.domain.access import Actor
from webapp.domain.migration import Move, Stay, Staying
from webapp.domain.money import euros
from webapp.domain.refusals import (
    DecidedByOperator,
    KeyReused,
    NobodyToMigrate,
    SamePlan,
    StalePreview,
)
from webapp.models.invoices import InvoiceLine
from webapp.models.plan_migrations import PlanMigration, PlanMove
from webapp.models.records import AuditEntry, OutboxMessage
from webapp.models.subscriptions import ScheduledChange, Subscription
from webapp.services import (
    billing,
    contracts,
    plan_migrations,
    plan_moves,
    revenue,
    scheduling,
    subscriptions,
    terminations,
)
from webapp.services.plan_migrations import Asked, MigrationNotFound
from webapp.services.plan_moves import Links

ROOT = Path(__file__).resolve().parents[2]
TODAY = date(2026, 11, 16)
WISHED = date(2027, 1, 1)
LEA = Actor(kind="staff", id="lea", name="Léa Dupont")
REASONS = {"fr": "Les coûts d’hébergement.", "nl": "De hostingkosten.", "en": "Hosting costs."}
LINKS = Links(lambda each: f"http://localhost/{each}", lambda each: f"http://localhost/{each}/resilier")
FREE = {"commitment_months": 0, "notice_count": 30, "notice_unit": "days", "renewal": "monthly"}


def a_subscriber(session, starts_on=date(2026, 3, 1), language="fr", free=True, **more):
    """Billed up to today, with an owner who reads mail; without commitment unless told otherwise."""
    account = more.pop("account", None) or an_account(session, language=language)
    signed = a_subscription(session, starts_on=starts_on, account=account, **more)
    if free:
        for name, value in FREE.items():
            setattr(signed.subscription, name, value)
    a_user(session, account, language=language)
    billing.bill_due(session, signed.id, TODAY, noon(TODAY))
    session.commit()
    return signed


def asked(session, versions=None, wished_on=WISHED, notice_days=30, **raised):
    before, after = versions or a_new_version(session, **raised)
    session.commit()
    return Asked(before, after, wished_on, notice_days, REASONS)


def published(session, wanted, key="a" * 32, on=TODAY):
    shown = plan_migrations.simulate(session, wanted, on)
    made = plan_migrations.publish(session, wanted, key, shown.fingerprint, on, noon(on), LEA)
    session.commit()
    return made


def carried_out(session, migration, on=TODAY, size=2):
    done = 0
    while some := plan_moves.carry_on(session, migration.id, on, noon(on), LINKS, size):
        session.commit()
        done += some
    session.commit()
    return done


def count(session, what, *conditions):
    return session.scalar(select(func.count()).select_from(what).where(*conditions))


def announced(session, template="migration_announced"):
    return session.scalars(
        select(OutboxMessage.recipient)
        .where(OutboxMessage.template == template)
        .order_by(OutboxMessage.recipient)
    ).all()


# ── Simulating ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_simulation_says_who_moves_when_and_what_it_brings_and_writes_nothing(session):
    monthly, yearly = a_subscriber(session), a_subscriber(session, frequency="annual")
    committed = a_subscriber(session, free=False)
    partner = a_reseller(session)
    resold = a_subscriber(session, reseller=partner, account=an_account(session, reseller=partner))
    wanted = asked(session)
    shown = plan_migrations.simulate(session, wanted, TODAY)
    assert not session.new and not session.dirty
    by_id = {each.subscription_id: each.result for each in shown.rows}
    assert set(by_id) == {monthly.id, yearly.id, committed.id, resold.id}
    assert by_id[resold.id] == Stay(Staying.RESELLER) and shown.reasons_to_stay == {Staying.RESELLER: 1}
    assert by_id[monthly.id].effective_on == date(2027, 1, 1)
    assert by_id[yearly.id].effective_on == by_id[committed.id].effective_on == date(2027, 3, 1)
    # 79 and 85 a month twice, 790 and 850 a year once
    assert shown.revenue == (euros("223.83"), euros("240.83"))
    assert [(each.first_on, each.count, each.leaving) for each in shown.months] == [
        (date(2027, 1, 1), 1, 1),
        (date(2027, 3, 1), 2, 2),
    ]
    assert len(shown.leaving) == 3


def test_the_revenue_after_is_what_is_measured_once_billed(session):
    signed = a_subscriber(session, establishments=3)
    wanted = asked(session)
    [(_one, moved)] = plan_migrations.simulate(session, wanted, TODAY).moved
    assert moved.monthly_before == revenue.of_subscription(session, signed.id, TODAY)
    carried_out(session, published(session, wanted))
    billing.bill_due(session, signed.id, moved.effective_on, noon(moved.effective_on))
    session.commit()
    assert moved.monthly_after == revenue.of_subscription(session, signed.id, moved.effective_on)
    assert moved.difference == Fraction(600)


def test_what_a_version_does_not_serve_any_more_opens_the_right_to_leave(session):
    a_subscriber(session)
    versions = a_new_version(session, raised_cents=0, features={})
    found = plan_migrations.simulate(session, asked(session, versions), TODAY)
    assert found.served.lost and not found.served.gained
    assert len(found.leaving) == 1


def test_what_does_not_exist_is_not_found(session):
    with pytest.raises(MigrationNotFound):
        plan_migrations.simulate(session, Asked(0, 0, WISHED, 30, REASONS), TODAY)


# ── Publishing ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_publishing_twice_is_publishing_once(session):
    a_subscriber(session)
    wanted = asked(session)
    first = published(session, wanted)
    again = plan_migrations.publish(session, wanted, first.key, "stale", TODAY, noon(TODAY), LEA)
    assert again.id == first.id and count(session, PlanMove) == 1
    other = Asked(wanted.from_version_id, wanted.to_version_id, WISHED, 60, REASONS)
    with pytest.raises(KeyReused):
        plan_migrations.publish(session, other, first.key, "stale", TODAY, noon(TODAY), LEA)
    assert count(session, AuditEntry, AuditEntry.action == "migration.published") == 1


def test_what_moved_since_the_simulation_is_shown_again(session):
    signed = a_subscriber(session)
    wanted = asked(session)
    shown = plan_migrations.simulate(session, wanted, TODAY)
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
    with pytest.raises(StalePreview):
        plan_migrations.publish(session, wanted, "b" * 32, shown.fingerprint, TODAY, noon(TODAY), LEA)
    assert count(session, PlanMigration) == 0 and count(session, ScheduledChange) == 0
    assert contracts.load(session, signed.id).contract.plan_switch() is None


def test_a_migration_of_nobody_is_refused(session):
    wanted = asked(session)
    shown = plan_migrations.simulate(session, wanted, TODAY)
    with pytest.raises(NobodyToMigrate):
        plan_migrations.publish(session, wanted, "b" * 32, shown.fingerprint, TODAY, noon(TODAY), LEA)


# ── Telling, whatever happens ────────────────────────────────────────────────────────────────────────────────────


def test_everybody_is_told_once_and_billed_as_simulated(session):
    made = [a_subscriber(session, language=language) for language in ("fr", "nl", "en")]
    migration = published(session, asked(session))
    assert carried_out(session, migration) == 3
    assert carried_out(session, migration) == 0
    assert len(announced(session)) == len(set(announced(session))) == 3
    standing = plan_moves.standing(session, migration.id)
    assert (standing.planned, standing.told, standing.may_leave) == (0, 3, 3)
    assert (standing.before, standing.after) == (euros("237.00"), euros("255.00"))
    for signed in made:
        draft = subscriptions.next_invoice(session, contracts.load(session, signed.id), TODAY)
        assert draft.net == euros("79.00")  # December
        [december, january] = billing.bill_due(session, signed.id, WISHED, noon(WISHED))
        assert (december.net_cents, january.net_cents) == (7900, 8500)
    session.commit()
    standing = plan_moves.standing(session, migration.id)
    assert (standing.told, standing.applied) == (0, 3)
    assert count(session, ScheduledChange, ScheduledChange.status == "applied") == 3


@pytest.mark.parametrize(("point", "nth"), [("told", 3), ("sending", 1)])
def test_killed_and_taken_up_it_ends_the_same(session, settings, monkeypatch, clock, point, nth):
    for _ in range(5):
        a_subscriber(session)
    migration = published(session, asked(session))
    values = {
        "PORTAL_INSTANCE": str(settings.instance), "DATABASE_URL": settings.database_url,
        "SECRET_KEY": settings.secret_key, "PORTAL_CLOCK": TODAY.isoformat(), "MAIL_BACKEND": "file",
        "PYTHONWARNINGS": "ignore",
    }  # fmt: skip
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    migration_id = str(migration.id)
    session.commit()  # SQLite has one writer: the process's turn
    dead = subprocess.run(
        [sys.executable, "-m", "tests.support.killable_migration", migration_id, point, str(nth)],
        cwd=ROOT, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert dead.returncode == 9, dead.stderr
    kept = count(session, PlanMove, PlanMove.state == "told")
    assert kept == {"told": 2, "sending": 5}[point]
    assert kept == count(session, ScheduledChange) == len(announced(session))
    session.commit()
    assert carried_out(session, migration) == 5 - kept
    assert count(session, ScheduledChange) == len(set(announced(session))) == len(announced(session)) == 5


def test_one_that_goes_wrong_keeps_no_other_from_being_told(session, monkeypatch):
    made = [a_subscriber(session) for _ in range(3)]
    migration = published(session, asked(session))
    original = plan_moves.becomes

    def failing(situation, *more):
        if situation.subscription_id == made[1].id:
            raise RuntimeError("this one")
        return original(situation, *more)

    monkeypatch.setattr(plan_moves, "becomes", failing)
    carried_out(session, migration)
    assert plan_moves.standing(session, migration.id).stays == {plan_moves.FAILED: 1}
    assert len(announced(session)) == 2
    monkeypatch.undo()
    assert plan_moves.try_again(session, migration.id) == 1
    carried_out(session, migration)
    assert len(announced(session)) == len(set(announced(session))) == 3


def test_told_late_they_still_have_their_notice_and_what_they_chose_meanwhile_stands(session):
    late, gone, changed = a_subscriber(session), a_subscriber(session), a_subscriber(session)
    migration = published(session, asked(session))
    shown = terminations.preview(session, gone.id, TODAY)
    terminations.terminate(session, gone.id, "", "", shown.fingerprint, TODAY, noon(TODAY), CLAIRE, "link")
    preview = subscriptions.preview_plan(session, changed.id, "premium", "monthly", TODAY)
    subscriptions.change_plan(
        session, changed.id, "premium", "monthly", preview.fingerprint, TODAY, noon(TODAY), CLAIRE, "link"
    )
    later = date(2026, 12, 10)
    for signed in (late, gone, changed):
        billing.bill_due(session, signed.id, later, noon(later))
    session.commit()
    carried_out(session, migration, on=later)
    rows = {row.subscription_id: row for row in session.scalars(select(PlanMove))}
    assert rows[late.id].effective_on == date(2027, 2, 1)  # thirty days after 10 December
    assert (rows[gone.id].state, rows[gone.id].stays) == ("stays", "termination")
    assert (rows[changed.id].state, rows[changed.id].stays) == ("stays", "own_change")


# ── What the client may do ───────────────────────────────────────────────────────────────────────────────────────


def told(session, **more):
    signed = a_subscriber(session, **more)
    migration = published(session, asked(session))
    carried_out(session, migration)
    [change] = session.scalars(select(ScheduledChange).where(ScheduledChange.subscription_id == signed.id))
    return signed, migration, change


def test_the_client_leaves_on_the_day_without_notice_and_coming_back_finds_the_change_again(session):
    signed, _migration, change = told(session, free=False)
    on = date(2027, 2, 20)  # the last day of notice for 1 March was long ago
    billing.bill_due(session, signed.id, on, noon(on))
    shown = terminations.preview(session, signed.id, on)
    assert (shown.ending.ends_on, shown.ending.reason) == (change.effective_on, "change_refused")
    assert shown.documents == ()
    done = terminations.terminate(session, signed.id, "", "", shown.fingerprint, on, noon(on), CLAIRE, "link")
    assert change.status == "replaced"
    terminations.cancel(session, signed.id, done.change_id, on, noon(on), CLAIRE, "link")
    session.commit()
    assert change.status == "pending"
    billing.bill_due(session, signed.id, change.effective_on, noon(change.effective_on))
    assert contracts.load(session, signed.id).contract.tariff.price == euros("85.00")
    kept = session.get_one(Subscription, signed.id)
    assert (kept.commitment_starts_on, kept.commitment_months) == (date(2026, 3, 1), 12)


def test_the_client_does_not_undo_it(session):
    signed, _migration, change = told(session)
    with pytest.raises(DecidedByOperator):
        scheduling.undo(session, signed.id, change.id, TODAY, CLAIRE, noon(TODAY))
    with pytest.raises(SamePlan):
        subscriptions.preview_plan(session, signed.id, "pro", "monthly", TODAY)
    assert change.status == "pending"


def test_a_choice_of_the_client_takes_its_place_and_taking_it_back_brings_it_again(session):
    signed, _migration, change = told(session)
    preview = subscriptions.preview_plan(session, signed.id, "essentiel", "monthly", TODAY)
    done = subscriptions.change_plan(
        session, signed.id, "essentiel", "monthly", preview.fingerprint, TODAY, noon(TODAY), CLAIRE, "link"
    )
    assert change.status == "replaced"
    scheduling.undo(session, signed.id, done.scheduled_id, TODAY, CLAIRE, noon(TODAY))
    session.commit()
    assert change.status == "pending"
    assert contracts.load(session, signed.id).contract.plan_switch().is_migration


# ── Cancelling ───────────────────────────────────────────────────────────────────────────────────────────────────


def cancelled(session, migration, on=TODAY):
    fingerprint = plan_migrations.cancel_fingerprint(session, migration, on)
    plan_migrations.cancel(session, migration.id, fingerprint, on, noon(on), LEA)
    session.commit()


def test_cancelled_it_undoes_what_is_to_come_and_tells_only_who_was_told(session):
    made = [a_subscriber(session) for _ in range(3)]
    migration = published(session, asked(session))
    plan_moves.carry_on(session, migration.id, TODAY, noon(TODAY), LINKS, 2)
    session.commit()
    with pytest.raises(StalePreview):
        plan_migrations.cancel(session, migration.id, "other", TODAY, noon(TODAY), LEA)
    cancelled(session, migration)
    assert plan_moves.unfinished(session, TODAY) == [migration.id]
    assert carried_out(session, migration) == 2 and carried_out(session, migration) == 0
    assert plan_moves.unfinished(session, TODAY) == []
    assert len(announced(session)) == len(set(announced(session, "migration_cancelled"))) == 2
    assert plan_moves.standing(session, migration.id).taken_back == 3
    for signed in made:
        assert contracts.load(session, signed.id).contract.changes == ()
        billing.bill_due(session, signed.id, WISHED, noon(WISHED))
    assert count(session, InvoiceLine, InvoiceLine.unit_cents == 8500) == 0


def test_what_was_applied_is_not_taken_back(session):
    signed, migration, change = told(session)
    billing.bill_due(session, signed.id, WISHED, noon(WISHED))
    session.commit()
    cancelled(session, migration, on=WISHED + timedelta(days=1))
    assert carried_out(session, migration, on=WISHED + timedelta(days=1)) == 0
    assert change.status == "applied" and announced(session, "migration_cancelled") == []
    assert plan_moves.standing(session, migration.id).applied == 1


def test_who_is_leaving_because_of_it_is_told_too_and_their_leaving_stands(session):
    signed, migration, change = told(session, free=False)
    shown = terminations.preview(session, signed.id, TODAY)
    terminations.terminate(session, signed.id, "", "", shown.fingerprint, TODAY, noon(TODAY), CLAIRE, "link")
    session.commit()
    cancelled(session, migration)
    carried_out(session, migration)
    assert len(announced(session, "migration_cancelled")) == 1
    contract = contracts.load(session, signed.id).contract
    assert contract.termination() is not None and change.status == "undone"


def test_the_simulation_reads_a_page_of_subscribers_in_one_statement(session, statements):
    for _ in range(4):
        a_subscriber(session)
    wanted = asked(session)
    statements.clear()
    found = plan_migrations.simulate(session, wanted, TODAY)
    assert all(isinstance(each.result, Move) for each in found.rows)
    assert len(statements) <= 7, statements
