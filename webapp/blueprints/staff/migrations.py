"""Migrations: the subscribers of a version moved to another one, simulated, published, followed and cancelled."""

from collections.abc import Iterator, Sequence

from flask import Response, abort, request, url_for
from flask.typing import ResponseReturnValue

from webapp import auth, clock, confirming, executing, operator
from webapp.adapters import sheet
from webapp.adapters.sheet import Cell
from webapp.auth import requires
from webapp.blueprints.staff import bp
from webapp.blueprints.staff.billing import ButtonForm
from webapp.blueprints.staff.migration_forms import AskForm
from webapp.blueprints.staff.migration_words import STAYS, WAITS, choices, letters, staying
from webapp.confirming import ConfirmForm
from webapp.domain.access import May
from webapp.domain.migration import SHORTEST_NOTICE_DAYS, Move
from webapp.domain.periods import boundary
from webapp.domain.refusals import Refusal, StalePreview
from webapp.extensions import db
from webapp.htmx import page_or_fragment, redirect_to
from webapp.i18n import Sentence, _, explain
from webapp.models.jobs import Job
from webapp.models.plan_migrations import PlanMigration
from webapp.rendering import current_locale, render, say
from webapp.services import jobs, plan_migrations, plan_moves
from webapp.services.jobs import AlreadyUnderWay
from webapp.services.plan_migrations import MigrationNotFound, Simulation
from webapp.transactions import commits

MONTHS_AHEAD = 2  # of the day that is proposed
COLUMNS = (
    _("Référence"), _("Client"), _("Ce qui se passe"), _("Date"), _("Décidée par"), _("Avant, HTVA par période"),
    _("Après, HTVA par période"), _("Peut partir jusqu’au"),
)  # fmt: skip
BECAME: dict[str, Sentence] = {
    "planned": _("À prévenir"),
    "told": _("Prévenu, changement à venir"),
    "applied": _("Changement entré en vigueur"),
    "gave_way": _("Prévenu, a choisi autre chose ou s’en va"),
    "taken_back": _("Annulé"),
}


# ── The list, and the form ───────────────────────────────────────────────────────────────────────────────────────


@bp.get("/migrations")
@requires(May.EDIT_CATALOGUE)
def migrations() -> ResponseReturnValue:
    """Those made, and the form of the next. `?version=` proposes to leave, or to join, that version of a plan."""
    session = db.session()
    offered = plan_migrations.versions(session)
    form = AskForm(formdata=None, data=_proposed(offered, request.args.get("version", type=int)))
    form.offer(choices(offered))
    made = [
        (each, plan_moves.standing(session, each.id), _state(each))
        for each in plan_migrations.all_of(session)
    ]
    return render("staff/migrations.html", form=form, made=made)


def _proposed(offered: Sequence[plan_migrations.Offered], wanted: int | None) -> dict[str, object]:
    """From the version that has the most subscribers to the latest one of its plan; `wanted` is one of the two."""
    of_plan = [each.plan_code for each in offered if each.version.id == wanted]
    same = [each for each in offered if not of_plan or each.plan_code == of_plan[0]]
    values: dict[str, object] = {
        "wished_on": boundary(clock.today().replace(day=1), MONTHS_AHEAD),
        "notice_days": SHORTEST_NOTICE_DAYS,
    }
    if not same:
        return values
    former = max(same, key=lambda each: (each.version.id != same[0].version.id, each.subscribers))
    if wanted is not None and of_plan and wanted != same[0].version.id:
        former = next(each for each in same if each.version.id == wanted)
    latest = next(each for each in same if each.plan_code == former.plan_code)
    return values | {"from_version": former.version.id, "to_version": latest.version.id}


# ── The simulation ───────────────────────────────────────────────────────────────────────────────────────────────


@bp.get("/migrations/simulation")
@requires(May.EDIT_CATALOGUE)
def migration_simulation() -> ResponseReturnValue:
    """Who would move, when, at which price, who may leave, what the mails say. Nothing is written."""
    return _simulation(_form(request.args))


@bp.get("/migrations/simulation.csv")
@requires(May.EDIT_CATALOGUE)
def migration_simulation_csv() -> ResponseReturnValue:
    """One row per subscriber of the simulation."""
    form = _form(request.args)
    if not form.validate():
        abort(404)
    shown = plan_migrations.simulate(db.session(), form.asked(), clock.today())
    return _file("migration-simulation", _simulated_rows(shown))


@bp.post("/migrations/simulation")
@requires(May.EDIT_CATALOGUE)
@commits
def publish_migration() -> ResponseReturnValue:
    """Publish what was simulated, once, and start telling the subscribers."""
    form, confirmation, session = _form(request.form), ConfirmForm(), db.session()
    if not form.validate() or not confirmation.validate_on_submit():
        return _simulation(form, 422)
    actor, now = auth.current().staff_actor, clock.now()
    try:
        migration = plan_migrations.publish(
            session, form.asked(), str(confirmation.idempotency_key.data), str(confirmation.preview.data),
            clock.today(), now, actor,
        )  # fmt: skip
    except StalePreview:
        session.rollback()
        return _simulation(form, 409, is_stale=True)
    except Refusal as refusal:
        session.rollback()
        form.form_errors.append(explain(refusal, current_locale()))
        return _simulation(form, 409)
    if migration.job_id is None:
        _start(migration)
    return redirect_to(url_for(".migration", migration_id=migration.id))


def _form(asked: object) -> AskForm:
    form = AskForm(asked)
    form.offer(choices(plan_migrations.versions(db.session())))
    return form


def _simulation(form: AskForm, status: int = 200, *, is_stale: bool = False) -> ResponseReturnValue:
    shown = None
    if form.validate():
        shown = plan_migrations.simulate(db.session(), form.asked(), clock.today())
    elif status == 200:
        status = 422
    asked = [(each.name, each.data if each.data is not None else "") for each in form]
    csv_address = url_for(".migration_simulation_csv", **dict(asked))
    page = render(
        "staff/migration_simulation.html",
        form=form,
        asked=asked,
        shown=shown,
        staying=staying({reason.value: count for reason, count in shown.reasons_to_stay.items()})
        if shown
        else [],
        letters=letters(shown, operator.current().brand) if shown else [],
        readers=_readers(shown),
        csv_address=csv_address,
        key=confirming.new_key(),
        is_stale=is_stale,
    )
    return page, status


def _readers(shown: Simulation | None) -> dict[str, int]:
    """How many announcements leave in the language of each account."""
    counts = dict.fromkeys(("fr", "nl", "en"), 0)
    for one, _moved in shown.moved if shown else ():
        counts[one.language] = counts.get(one.language, 0) + 1
    return counts


def _simulated_rows(shown: Simulation) -> Iterator[Sequence[Cell]]:
    for each in shown.rows:
        result = each.result
        if isinstance(result, Move):
            yield (
                each.reference, each.name, say("Passe à la nouvelle version"), result.effective_on,
                say(WAITS[result.waits]), result.before, result.after, result.leave_until,
            )  # fmt: skip
        else:
            yield each.reference, each.name, say(STAYS[result.reason]), result.on, None, None, None, None


# ── One migration ────────────────────────────────────────────────────────────────────────────────────────────────


@bp.get("/migrations/<int:migration_id>")
@requires(May.EDIT_CATALOGUE)
def migration(migration_id: int) -> ResponseReturnValue:
    """Where it is; while its process lives, the page asks again by itself."""
    return _page(_found(migration_id))


@bp.get("/migrations/<int:migration_id>.csv")
@requires(May.EDIT_CATALOGUE)
def migration_csv(migration_id: int) -> ResponseReturnValue:
    """One row per subscriber, as it stands."""
    found = _found(migration_id)
    return _file(f"migration-{found.id}", _made_rows(found))


@bp.post("/migrations/<int:migration_id>/reprendre")
@requires(May.EDIT_CATALOGUE)
@commits
def resume_migration(migration_id: int) -> ResponseReturnValue:
    """Take up what a process that stopped has left, and those whose turn went wrong."""
    found, form = _found(migration_id), ButtonForm()
    if form.validate_on_submit() and _state(found) not in ("queued", "running"):
        plan_moves.try_again(db.session(), found.id)
        if plan_moves.to_do(db.session(), found, clock.today()):
            _start(found)
    return redirect_to(url_for(".migration", migration_id=found.id))


@bp.get("/migrations/<int:migration_id>/annuler")
@requires(May.EDIT_CATALOGUE)
def migration_cancel(migration_id: int) -> ResponseReturnValue:
    """What cancelling would undo today."""
    return _cancel_page(_found(migration_id))


@bp.post("/migrations/<int:migration_id>/annuler")
@requires(May.EDIT_CATALOGUE)
@commits
def cancel_migration(migration_id: int) -> ResponseReturnValue:
    """Cancel it, once: what is to come is undone, and who was told is told again."""
    found, confirmation, session = _found(migration_id), ConfirmForm(), db.session()
    if not confirmation.validate_on_submit():
        return _cancel_page(found, 422)
    was_cancelled = found.state == "cancelled"
    try:
        found = plan_migrations.cancel(
            session, found.id, str(confirmation.preview.data), clock.today(), clock.now(),
            auth.current().staff_actor,
        )  # fmt: skip
    except StalePreview:
        session.rollback()
        return _cancel_page(_found(migration_id), 409, is_stale=True)
    if not was_cancelled and plan_moves.to_do(session, found, clock.today()):
        _start(found)
    return redirect_to(url_for(".migration", migration_id=found.id))


def _start(found: PlanMigration) -> None:
    """Ask for a process to carry it out. While another migration has it, this one waits: for its button, or the night."""
    session, now = db.session(), clock.now()
    left = jobs.latest(session, [jobs.MIGRATE]).get(jobs.MIGRATE)
    if left is not None and _is_dead(left):
        jobs.finish(session, left.id, "failed", now)
    try:
        job = jobs.ask(session, jobs.MIGRATE, {"migration": found.id}, auth.current().staff_actor, now)
    except AlreadyUnderWay:
        return
    found.job_id = job.id
    executing.start_after_commit(job.id)


def _is_dead(job: Job) -> bool:
    return jobs.is_dead(job, clock.now(), executing.is_held, executing.this_machine())


def _found(migration_id: int) -> PlanMigration:
    try:
        return plan_migrations.get(db.session(), migration_id)
    except MigrationNotFound:
        abort(404)


def _state(found: PlanMigration) -> str:
    """Of the work: queued, running, interrupted, failed, left (nobody does what is to be done) or done."""
    if not plan_moves.to_do(db.session(), found, clock.today()):
        return "done"
    if found.job_id is None:
        return "left"
    job = jobs.get(db.session(), found.job_id)
    if job.state == "done":
        return "left"
    return "interrupted" if _is_dead(job) else job.state


def _page(found: PlanMigration) -> ResponseReturnValue:
    session, today = db.session(), clock.today()
    standing = plan_moves.standing(session, found.id)
    state = _state(found)
    return page_or_fragment(
        "staff/migration.html",
        "staff/_migration.html",
        migration=found,
        standing=standing,
        staying=staying(standing.stays),
        failed=standing.stays.get(plan_moves.FAILED, 0),
        left=plan_moves.to_do(session, found, today),
        state=state,
        is_live=state in ("queued", "running"),
        may_cancel=found.state == "published" and plan_moves.may_cancel(session, found.id, today),
    )


def _cancel_page(found: PlanMigration, status: int = 200, *, is_stale: bool = False) -> ResponseReturnValue:
    session, today = db.session(), clock.today()
    page = render(
        "staff/migration_cancel.html",
        migration=found,
        standing=plan_moves.standing(session, found.id),
        fingerprint=plan_migrations.cancel_fingerprint(session, found, today),
        key=confirming.new_key(),
        is_stale=is_stale,
    )
    return page, status


def _made_rows(found: PlanMigration) -> Iterator[Sequence[Cell]]:
    for each in plan_moves.listed(db.session(), found.id):
        row = each.row
        if row.stays is not None:
            yield each.reference, each.name, say(STAYS[row.stays]), row.stays_until, None, None, None, None
        else:
            words = say(BECAME[each.became])
            yield each.reference, each.name, words, row.effective_on, None, *each.prices, row.leave_until


def _file(name: str, rows: Iterator[Sequence[Cell]]) -> Response:
    content = "".join(sheet.sheet([say(word) for word in COLUMNS], rows))
    return Response(
        content,
        mimetype="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{name}-{clock.today().isoformat()}.csv"'},
    )
