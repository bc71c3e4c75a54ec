"""Impayés, on the operator's side: who is late, how far each has come, and what the team decides, shown before it is done."""

import uuid
from datetime import date, timedelta
from typing import Any, NamedTuple

from flask import abort, flash, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import DateField, HiddenField, SelectField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length, Regexp

from webapp import auth, clock
from webapp.auth import requires
from webapp.blueprints.staff import bp
from webapp.domain.access import May
from webapp.domain.refusals import Refusal
from webapp.extensions import db
from webapp.forms import PortalForm
from webapp.htmx import redirect_to
from webapp.i18n import Sentence, _, explain
from webapp.models.accounts import Account
from webapp.rendering import current_locale, render
from webapp.services import holds, idempotency
from webapp.services.holds import NothingToDo, Wish
from webapp.transactions import commits

LONGEST = timedelta(days=180)  # of a pause, or of the time given


class Act(NamedTuple):
    """How an act is called in its address, on the page, and by the button that does it."""

    act: str
    title: Sentence
    lead: Sentence
    button: Sentence
    done: Sentence


ACTS = {
    "pause": Act(
        holds.HOLD,
        _("Mettre les rappels en pause"),
        _("Aucune facture du compte ne compte jusqu’à ce jour, compris : ni rappel, ni suspension."),
        _("Mettre en pause"),
        _("Les rappels sont en pause."),
    ),
    "contestation": Act(
        holds.DISPUTE,
        _("Noter une contestation"),
        _("Cette facture ne compte plus, jusqu’à ce que la contestation soit réglée. Les autres comptent."),
        _("Noter la contestation"),
        _("La contestation est notée."),
    ),
    "delai": Act(
        holds.PASS,
        _("Laisser du temps"),
        _("Les sites sont servis malgré les impayés jusqu’à ce jour, compris. Les rappels continuent."),
        _("Laisser du temps"),
        _("Le compte a du temps jusqu’à ce jour."),
    ),
    "suspension": Act(
        holds.SUSPEND,
        _("Suspendre les sites"),
        _("Une suspension décidée par l’équipe n’est levée que par l’équipe, jamais par un paiement."),
        _("Suspendre les sites"),
        _("Les sites sont suspendus."),
    ),
    "levee": Act(
        holds.LIFT,
        _("Lever la suspension de l’équipe"),
        _("Si les impayés suffisent à suspendre, les sites le restent, par la règle."),
        _("Lever la suspension"),
        _("La suspension de l’équipe est levée."),
    ),
    "reprise": Act(
        holds.RESUME,
        _("Reprendre les rappels"),
        _("La pause ou la contestation prend fin : ce qui est échu compte de nouveau."),
        _("Reprendre"),
        _("Les rappels reprennent."),
    ),
}


class WishForm(PortalForm):
    """What the act needs: read from the address, so it has no token of its own."""

    class Meta(PortalForm.Meta):
        csrf = False

    until = DateField(_("Jusqu’au"), [InputRequired(_("Indiquez une date."))], name="jusqu")
    invoice = SelectField(
        _("Facture"), [InputRequired(_("Choisissez la facture."))], name="facture", choices=[]
    )


class ReasonForm(PortalForm):
    """The confirmation, the key that makes it happen once, and why."""

    idempotency_key = HiddenField(validators=[InputRequired(), Regexp(r"^[0-9a-f]{32}$")])
    reason = TextAreaField(
        _("Motif"),
        [DataRequired(_("Écrivez le motif : il est gardé avec la décision.")), Length(max=500)],
        description=_("Le client le lit dans son historique."),
    )


@bp.get("/impayes")
@requires(May.HELP_ACCOUNTS)
def arrears() -> ResponseReturnValue:
    """The accounts that are late, the oldest debt first."""
    number = request.args.get("page", 1, type=int)
    rows, count = holds.late_accounts(db.session(), clock.today(), number)
    pages = -(-count // holds.PAGE)
    return render(
        "staff/arrears.html",
        rows=rows,
        count=count,
        today=clock.today(),
        number=number,
        pages=[
            (each, url_for(".arrears", page=each), each == number)
            for each in range(max(1, number - 2), min(pages, number + 2) + 1)
        ],
        next_page=url_for(".arrears", page=number + 1) if number < pages else "",
    )


@bp.get("/comptes/<reference>/impayes")
@requires(May.HELP_ACCOUNTS)
def dunning(reference: str) -> ResponseReturnValue:
    """Where the account stands: what counts, what was sent, what comes next, what the team decided."""
    account, today = _account(reference), clock.today()
    file = holds.file_of(db.session(), account, today)
    is_by_staff = any(each.cause == "staff" and each.lifted_at is None for each in file.suspensions)
    return render(
        "staff/dunning.html",
        file=file,
        account=account,
        standing=file.facts.standing,
        today=today,
        may_act=auth.visit_allows(May.CORRECT_MONEY),
        acts=[(word, act) for word, act in ACTS.items() if _is_offered(act.act, file, is_by_staff)],
    )


@bp.get("/comptes/<reference>/impayes/<act>")
@requires(May.CORRECT_MONEY)
def dunning_act(reference: str, act: str) -> ResponseReturnValue:
    """The act, what it needs, and once that is known what it changes. Nothing is written."""
    return _page(_account(reference), _act(act))


@bp.post("/comptes/<reference>/impayes/<act>")
@requires(May.CORRECT_MONEY)
@commits
def confirm_dunning_act(reference: str, act: str) -> ResponseReturnValue:
    """Do it once, with its reason."""
    session, account, chosen, now = db.session(), _account(reference), _act(act), clock.now()
    form = ReasonForm()
    wish = _wish(chosen, account)
    if wish is None or not form.validate_on_submit():
        return _page(account, chosen, form, 422)
    key, reason = str(form.idempotency_key.data), str(form.reason.data).strip()
    asked = idempotency.request_hash("dunning", reference, *map(str, (wish, reason)))
    try:
        location = idempotency.replied(session, account.id, key, asked)
        if location is None:
            holds.do(session, account.id, wish, reason, clock.today(), now, auth.current().staff_actor)
            location = url_for(".dunning", reference=reference)
            idempotency.remember(session, account.id, key, asked, location, now)
            flash(chosen.done, "good")
    except NothingToDo:
        return _page(account, chosen, form, 409)
    except Refusal as refusal:
        form.form_errors.append(explain(refusal, current_locale()))
        return _page(account, chosen, form, 409)
    return redirect_to(location)


def _account(reference: str) -> Account:
    account = holds.by_reference(db.session(), reference)
    if account is None:
        abort(404)
    return account


def _act(word: str) -> Act:
    return ACTS[word] if word in ACTS else abort(404)


def _is_offered(act: str, file: holds.File, is_by_staff: bool) -> bool:
    if act == holds.DISPUTE:
        return bool(file.facts.standing.debts)
    if act in (holds.SUSPEND, holds.LIFT):
        return is_by_staff == (act == holds.LIFT)
    return act != holds.RESUME  # offered beside each pause


def _form(account: Account, today: date) -> WishForm:
    asked = request.form if request.method == "POST" else request.args
    form = WishForm(asked or None, data={"until": today + timedelta(days=7)})
    debts = holds.file_of(db.session(), account, today).facts.standing.debts
    form.invoice.choices = [(debt.number, debt.number) for debt in debts if not debt.is_disputed]
    return form


def _wish(chosen: Act, account: Account) -> Wish | None:
    """What is asked for; None while something is missing or wrong, which its field then says."""
    asked: Any = request.form if request.method == "POST" else request.args
    today = clock.today()
    match chosen.act:
        case "hold" | "pass":
            form = _form(account, today)
            is_given = form.until.validate(form) and form.until.data is not None
            if not is_given or not today <= form.until.data <= today + LONGEST:
                return None
            return Wish(chosen.act, until_on=form.until.data)
        case "dispute":
            return Wish(chosen.act, number=asked.get("facture")) if asked.get("facture") else None
        case "resume":
            return Wish(chosen.act, hold_id=asked.get("pause", type=int))
        case _:
            return Wish(chosen.act)


def _page(
    account: Account, chosen: Act, confirmation: ReasonForm | None = None, status: int = 200
) -> ResponseReturnValue:
    session, today = db.session(), clock.today()
    asked = request.form if request.method == "POST" else request.args
    form = _form(account, today)
    wish, effect, is_stale = _wish(chosen, account), None, False
    if chosen.act in (holds.HOLD, holds.PASS) and asked and wish is None:
        form.until.errors = [_("Choisissez un jour d’ici à six mois, aujourd’hui compris.")]
        status = 422 if status == 200 else status
    if wish is not None:
        try:
            effect = holds.preview(session, account, wish, today)
        except NothingToDo:
            is_stale, status = True, 409
    word = next(word for word, act in ACTS.items() if act == chosen)
    page = render(
        "staff/dunning_act.html",
        account=account,
        chosen=chosen,
        address=url_for(".dunning_act", reference=account.reference, act=word),
        form=form,
        wish=wish,
        effect=effect,
        is_stale=is_stale,
        confirmation=confirmation or ReasonForm(formdata=None),
        key=uuid.uuid4().hex,
    )
    return page, status
