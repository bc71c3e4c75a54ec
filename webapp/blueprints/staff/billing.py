"""The billing room: runs previewed, started, followed, paused and mended; the rest of the night's work; the numbers."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from flask import abort, flash, url_for
from flask.typing import ResponseReturnValue
from wtforms import DateField, HiddenField, StringField
from wtforms.validators import InputRequired, Length, Optional, ValidationError

from webapp import auth, clock, executing
from webapp.auth import requires
from webapp.blueprints.staff import bp
from webapp.domain.access import May
from webapp.domain.einvoice import Problem
from webapp.extensions import db
from webapp.forms import PortalForm
from webapp.htmx import page_or_fragment, redirect_to
from webapp.i18n import Sentence, _
from webapp.models.jobs import Job
from webapp.rendering import current_locale, render, say, say_count
from webapp.services import billing_room as room
from webapp.services import invoicing, jobs, printed
from webapp.services.billing_room import Failing, Progress, RunNotFound
from webapp.services.billing_run import WRONG_DETAILS
from webapp.services.jobs import AlreadyUnderWay, JobNotFound
from webapp.transactions import commits

BUSY = _("Ce travail est déjà en cours : le voici.")


class Work(NamedTuple):
    """A command of the operator, as the team reads it."""

    kind: str
    icon: str
    title: Sentence
    lead: Sentence
    when: Sentence


NIGHT, OFTEN = _("Chaque nuit"), _("Toutes les cinq minutes")
WORKS = (
    Work("renew", "calendar-check", _("Changements et reconductions"), _("Applique les changements prévus à leur date."), NIGHT),
    Work("announce", "calendar-clock", _("Annonces"), _("Prévient avant le dernier jour de préavis et avant la fin d’une carte."), NIGHT),
    Work("send-invoices", "receipt-text", _("Factures par e-mail"), _("Envoie chaque nouveau document, une fois."), NIGHT),
    Work("collect", "landmark", _("Domiciliations"), _("Annonce les prélèvements proches et écrit le fichier de la banque."), NIGHT),
    Work("charge", "credit-card", _("Cartes"), _("Prélève ce qui est dû sur les cartes enregistrées."), NIGHT),
    Work("remind", "hand-coins", _("Rappels et suspensions"), _("Envoie un échelon au plus par jour, suspend et rétablit."), NIGHT),
    Work("send-documents", "send", _("Factures électroniques"), _("Prépare, vérifie, envoie par Peppol et suit."), OFTEN),
    Work("send-mail", "mail", _("E-mails en attente"), _("Renvoie ceux qui n’ont pas pu partir."), OFTEN),
)  # fmt: skip
PREVIEW_OF = {command: kind for kind, command in jobs.COMMAND_PREVIEWS.items()}
TITLES: dict[str, Sentence] = {
    kind: work.title for work in WORKS for kind in (work.kind, PREVIEW_OF[work.kind])
} | {
    jobs.BILL: _("Facturation"),
    jobs.BILL_ONE: _("Facturation d’un compte"),
    jobs.PREVIEW: _("Aperçu de la facturation"),
    jobs.INVARIANTS: _("Vérification des documents"),
    jobs.MIGRATE: _("Migration d’abonnés"),
}
# services.work_previews names them.
FIGURES: dict[str, Sentence] = {
    "changes": _("Changements à appliquer"),
    "renewals": _("Reconductions"),
    "ends": _("Fins de contrat"),
    "not_billed_yet": _("En attente de facturation"),
    "refused": _("Refusés par les règles, à revoir"),
    "notices": _("Annonces du dernier jour de préavis"),
    "method_ends": _("Annonces de fin d’une carte ou d’un mandat"),
    "methods_over": _("Cartes et mandats à mettre hors service"),
    "documents_to_mail": _("Documents à envoyer par e-mail"),
    "debits": _("Prélèvements à prévoir"),
    "debits_of_the_file": _("Prélèvements du fichier de ce jour"),
    "charges": _("Cartes à débiter"),
    "accounts_late": _("Comptes en retard ou suivis"),
    "reminders": _("Rappels à envoyer"),
    "suspensions": _("Comptes à suspendre"),
    "restorations": _("Comptes à rétablir"),
    "in_error": _("En erreur, à revoir"),
    "files": _("Documents à préparer"),
    "documents_to_check": _("Documents à vérifier"),
    "documents_to_send": _("Documents à envoyer par Peppol"),
    "documents_to_follow": _("Documents dont on attend la fin"),
    "mails": _("E-mails à renvoyer"),
}
# What stops a job, as executing._words names it. Other faults are told as they are.
NO_ISSUER = "no_issuer"
STOPPED: dict[str, Sentence] = {
    "invariants_broken": _(
        "Des documents ne tiennent pas ensemble. Plus rien n’est facturé avant réparation."
    ),
    "unknown_account": _("Aucun compte n’a cette référence."),
    NO_ISSUER: _("Aucune société émettrice n’est connue : rien ne peut être facturé."),
    "database": _("La base a refusé. Ce qui était terminé est gardé ; reprenez quand elle répond."),
    "other": _("Une erreur technique a arrêté ce travail. Ce qui était terminé est gardé."),
}
# services.invariants names them in the words of an auditor.
INVARIANTS: dict[str, Sentence] = {
    "total is net and VAT": _("Le total est la somme du HTVA et de la TVA"),
    "lines make the net": _("Les lignes font le total HTVA"),
    "numbers have no gap": _("Les numéros se suivent sans trou"),
    "dates follow numbers": _("Les dates suivent les numéros"),
    "a period is billed once": _("Une période n’est facturée qu’une fois"),
    "paid within the total": _("Le payé ne dépasse pas le total"),
    "no line gives back more than it charged": _("Aucune ligne ne rend plus qu’elle n’a facturé"),
}


class StartForm(PortalForm):
    """What a preview is made of."""

    on = DateField(
        _("Facturer ce qui est dû jusqu’au"),
        [InputRequired(_("Indiquez une date."))],
        description=_("Ce jour compris."),
    )
    account = StringField(
        _("Un seul compte"),
        [Optional(), Length(max=60)],
        filters=[lambda text: (text or "").strip()],
        description=_("Sa référence, comme CA-10234. Vide : tous les comptes."),
    )

    def validate_on(self, one: DateField) -> None:
        if one.data > clock.today():
            raise ValidationError(_("Une facture ne s’émet pas d’avance : choisissez aujourd’hui ou avant."))

    def validate_account(self, one: StringField) -> None:
        if one.data and not room.account_exists(db.session(), one.data):
            raise ValidationError(_("Aucun compte n’a cette référence."))


class RetryForm(PortalForm):
    account = HiddenField(validators=[Optional(), Length(max=60)])


class WorkForm(PortalForm):
    kind = HiddenField(validators=[InputRequired(), Length(max=60)])


class ButtonForm(PortalForm):
    """A button that says all."""


# ── The room ─────────────────────────────────────────────────────────────────────────────────────────────────────


@bp.get("/facturation")
@requires(May.HELP_ACCOUNTS)
def billing_room() -> ResponseReturnValue:
    """The latest runs, the form of the next, the other work, and what waits elsewhere."""
    return _room(StartForm(formdata=None, data={"on": clock.today()}))


@bp.post("/facturation")
@requires(May.CORRECT_MONEY)
@commits
def billing_preview() -> ResponseReturnValue:
    """Work out what a run would bill, without keeping anything: its page shows the figures to confirm."""
    form = StartForm()
    if not form.validate_on_submit():
        return _room(form, 422)
    args: dict[str, Any] = {"on": form.on.data.isoformat()}
    if form.account.data:
        args["account"] = form.account.data
    return _ask(jobs.PREVIEW, args)


@bp.post("/facturation/travaux")
@requires(May.CORRECT_MONEY)
@commits
def billing_work() -> ResponseReturnValue:
    """Work out what another command of the night would do, or verify the documents."""
    form = WorkForm()
    kind = str(form.kind.data)
    if not form.validate_on_submit() or kind not in (*jobs.COMMANDS, jobs.INVARIANTS):
        return _room(StartForm(formdata=None, data={"on": clock.today()}), 422)
    if kind == jobs.INVARIANTS:
        return _ask(kind, {})
    return _ask(PREVIEW_OF[kind], {"on": clock.today().isoformat()})


def _room(form: StartForm, status: int = 200) -> ResponseReturnValue:
    session, now = db.session(), clock.now()
    held, host = executing.is_held, executing.this_machine()
    last = jobs.latest(session, jobs.COMMANDS)
    page = render(
        "staff/billing_room.html",
        form=form,
        runs=room.listed(session, now, held, host),
        waiting=room.waiting(session, clock.today()),
        works=[(work, last.get(work.kind), _state(last.get(work.kind))) for work in WORKS],
        may_act=auth.visit_allows(May.CORRECT_MONEY),
    )
    return page, status


# ── One job ──────────────────────────────────────────────────────────────────────────────────────────────────────


@bp.get("/facturation/travaux/<int:job_id>")
@requires(May.HELP_ACCOUNTS)
def billing_job(job_id: int) -> ResponseReturnValue:
    """A run, a preview or another work: as it is now; while it lives, the page asks again by itself."""
    return _job(_found(job_id))


@bp.post("/facturation/travaux/<int:job_id>/lancer")
@requires(May.CORRECT_MONEY)
@commits
def billing_start(job_id: int) -> ResponseReturnValue:
    """Bill what the preview showed, once. If what is due has changed since, say so: the preview is made again.

    Another command starts from a preview of the same day; it does what is to be done when it comes to it.
    """
    job = _found(job_id)
    if job.kind in jobs.COMMAND_PREVIEWS and job.state == "done" and ButtonForm().validate_on_submit():
        if not room.is_confirmed(db.session(), job.id) and job.args["on"] != clock.today().isoformat():
            return _job(job, status=409, is_stale=True)
        return _ask(jobs.COMMAND_PREVIEWS[job.kind], {}, preview_id=job.id)
    if job.kind != jobs.PREVIEW or job.state != "done" or not ButtonForm().validate_on_submit():
        abort(404)
    on, account = date.fromisoformat(job.args["on"]), job.args.get("account")
    is_begun = room.is_confirmed(db.session(), job.id)
    if not is_begun and room.due_count(db.session(), on, account) != (job.result or {}).get("due"):
        return _job(job, status=409, is_stale=True)
    kind = jobs.BILL_ONE if account else jobs.BILL
    return _ask(kind, dict(job.args), preview_id=job.id)


@bp.post("/facturation/travaux/<int:job_id>/pause")
@requires(May.CORRECT_MONEY)
@commits
def billing_pause(job_id: int) -> ResponseReturnValue:
    """Stop after the page at hand."""
    job = _found(job_id)
    if ButtonForm().validate_on_submit():
        jobs.pause(db.session(), job.id, auth.current().staff_actor, clock.now())
    return redirect_to(_address(job))


@bp.post("/facturation/travaux/<int:job_id>/reprendre")
@requires(May.CORRECT_MONEY)
@commits
def billing_resume(job_id: int) -> ResponseReturnValue:
    """Take up what was paused, interrupted or stopped."""
    job = _found(job_id)
    if ButtonForm().validate_on_submit():
        try:
            job, must_start = jobs.resume(
                db.session(),
                job.id,
                auth.current().staff_actor,
                clock.now(),
                executing.is_held,
                executing.this_machine(),
            )
        except AlreadyUnderWay as other:
            return _busy(other)
        if must_start:
            executing.start_after_commit(job.id)
    return redirect_to(_address(job))


@bp.post("/facturation/travaux/<int:job_id>/reessayer")
@requires(May.CORRECT_MONEY)
@commits
def billing_retry(job_id: int) -> ResponseReturnValue:
    """Bill again those whom the run set aside: one account, or all of them."""
    job, form = _found(job_id), RetryForm()
    if job.kind not in (jobs.BILL, jobs.BILL_ONE):
        abort(404)
    if not form.validate_on_submit():
        return _job(job, status=422)
    root = job.parent_id or job.id
    return _retry(job.args["on"], str(form.account.data or job.args.get("account") or ""), parent_id=root)


@bp.get("/facturation/passages/<int:run_id>")
@requires(May.HELP_ACCOUNTS)
def billing_run(run_id: int) -> ResponseReturnValue:
    """A run that the nightly command made."""
    job_id = room.job_of_run(db.session(), run_id)
    if job_id is not None:
        return redirect_to(url_for(".billing_job", job_id=job_id))
    return _run(run_id)


@bp.post("/facturation/passages/<int:run_id>/reessayer")
@requires(May.CORRECT_MONEY)
@commits
def billing_run_again(run_id: int) -> ResponseReturnValue:
    """Bill again what a run of the night set aside, or left: as a job of its own."""
    form = RetryForm()
    try:
        run = room.of_run(db.session(), run_id, clock.now())
    except RunNotFound:
        abort(404)
    if not form.validate_on_submit():
        return _run(run_id, 422)
    return _retry(run.on.isoformat(), str(form.account.data or run.account or ""))


def _retry(on: str, account: str, parent_id: int | None = None) -> ResponseReturnValue:
    if account and room.account_exists(db.session(), account):
        return _ask(jobs.BILL_ONE, {"on": on, "account": account}, parent_id=parent_id)
    return _ask(jobs.BILL, {"on": on}, parent_id=parent_id)


def _ask(
    kind: str, args: dict[str, Any], *, parent_id: int | None = None, preview_id: int | None = None
) -> ResponseReturnValue:
    actor, now = auth.current().staff_actor, clock.now()
    try:
        job = jobs.ask(db.session(), kind, args, actor, now, parent_id=parent_id, preview_id=preview_id)
    except AlreadyUnderWay as other:
        return _busy(other)
    if job.asked_at == now:  # not the answer to a second click
        executing.start_after_commit(job.id)
    return redirect_to(_address(job))


def _busy(other: AlreadyUnderWay) -> ResponseReturnValue:
    flash(BUSY, "warn")
    return redirect_to(_address(_found(other.job_id)))


def _address(job: Job) -> str:
    return url_for(".billing_job", job_id=job.parent_id or job.id)


def _found(job_id: int) -> Job:
    try:
        return jobs.get(db.session(), job_id)
    except JobNotFound:
        abort(404)


def _job(job: Job, *, status: int = 200, is_stale: bool = False) -> ResponseReturnValue:
    session, now = db.session(), clock.now()
    if job.kind in (jobs.BILL, jobs.BILL_ONE):
        run = room.of_job(session, job, now, executing.is_held, executing.this_machine())
        return _run_page(run, status, job=job)
    state = _state(job)
    result = job.result or {}
    failing = room.of_preview(session, result) if job.kind == jobs.PREVIEW else ()
    return page_or_fragment(
        "staff/billing_job.html",
        "staff/_billing_job.html",
        status=status,
        job=job,
        state=state,
        is_live=state in ("queued", "running", "pausing"),
        title=TITLES[job.kind],
        stopped=_stopped(job.message) if job.state == "failed" and job.kind not in jobs.COMMANDS else None,
        result=result,
        figures=[(FIGURES[what], count, cents) for what, count, cents in result.get("figures", ())],
        failing=[(each, _causes(each)) for each in failing],
        on=date.fromisoformat(job.args["on"]) if "on" in job.args else None,
        is_begun=room.is_confirmed(session, job.id),
        is_stale=is_stale,
        invariants=INVARIANTS,
        may_act=auth.visit_allows(May.CORRECT_MONEY),
    )


def _run(run_id: int, status: int = 200) -> ResponseReturnValue:
    try:
        run = room.of_run(db.session(), run_id, clock.now())
    except RunNotFound:
        abort(404)
    return _run_page(run, status, run_id=run_id)


def _run_page(
    run: Progress, status: int, *, job: Job | None = None, run_id: int | None = None
) -> ResponseReturnValue:
    if job is not None:
        address = url_for(".billing_job", job_id=job.id)
        again = url_for(".billing_retry", job_id=job.id)
    else:
        address = url_for(".billing_run", run_id=run_id)
        again = url_for(".billing_run_again", run_id=run_id)
    return page_or_fragment(
        "staff/billing_run.html",
        "staff/_billing_run.html",
        status=status,
        run=run,
        address=address,
        again=again,
        left=_left(run.left),
        stopped=_stopped(run.message) if run.state == "failed" else None,
        failing=[(each, _causes(each)) for each in run.failing],
        may_act=auth.visit_allows(May.CORRECT_MONEY),
    )


def _state(job: Job | None) -> str:
    if job is None:
        return ""
    if jobs.is_dead(job, clock.now(), executing.is_held, executing.this_machine()):
        return "interrupted"
    return "pausing" if job.state == "running" and job.must_pause else job.state


def _stopped(message: str) -> tuple[Sentence, str]:
    """What stopped a job, in words, and what only an engineer reads."""
    code, _line, detail = message.partition("\n")
    return STOPPED.get(code, STOPPED["other"]), detail


def _causes(failing: Failing) -> Sequence[str]:
    """Why an account could not be billed: each thing to mend, or what went wrong."""
    if failing.code == WRONG_DETAILS:
        return [printed.explain(Problem(**facts), current_locale()) for facts in failing.facts]
    if failing.code == invoicing.NoIssuer.__name__:
        no_issuer = STOPPED[NO_ISSUER]
        return [say(no_issuer)]
    detail = f"{failing.code} {failing.detail}".strip()
    return [say("Erreur technique, à montrer à un développeur : %(detail)s.", detail=detail[:300])]


def _left(left: timedelta | None) -> str:
    if left is None:
        return ""
    minutes = round(left.total_seconds() / 60)
    if minutes < 1:
        return say("encore moins d’une minute")
    return say_count("encore une minute environ", "encore %(count)s minutes environ", minutes)


# ── The numbers ──────────────────────────────────────────────────────────────────────────────────────────────────


@bp.get("/facturation/numeros")
@requires(May.HELP_ACCOUNTS)
def numbering() -> ResponseReturnValue:
    """Each series with its last number, and what the last verification of the documents found."""
    session = db.session()
    job = jobs.latest(session, [jobs.INVARIANTS]).get(jobs.INVARIANTS)
    broken = dict((job.result or {}).get("broken", ())) if job is not None else {}
    return render(
        "staff/numbering.html",
        rows=room.series(session),
        job=job,
        state=_state(job),
        checks=[(words, broken.get(name)) for name, words in INVARIANTS.items()],
        may_act=auth.visit_allows(May.CORRECT_MONEY),
    )
