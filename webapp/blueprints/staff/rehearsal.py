"""Rehearsal, on the operator's side: what would happen to an account in the months to come, read in a copy of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

from flask import Response, abort, request
from flask.typing import ResponseReturnValue
from wtforms import BooleanField, DateField, IntegerField, RadioField, SelectField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, NumberRange, Optional, StopValidation, ValidationError

from webapp import clock
from webapp.adapters import sheet
from webapp.auth import requires
from webapp.blueprints.staff import bp
from webapp.domain.access import May
from webapp.domain.periods import boundary
from webapp.extensions import db
from webapp.forms import PortalForm
from webapp.i18n import Sentence, _, explain
from webapp.models.accounts import Account
from webapp.rendering import current_locale, render, say
from webapp.services import rehearsal, subscriptions
from webapp.services.rehearsal import AccountNotFound, Happening, Paying, Rehearsed, Scenario
from webapp.services.wording import text

MONTHS = (3, 6, 12, 24)
FREQUENCIES = {"monthly": _("facturée par mois"), "annual": _("facturée par an")}
WHAT = {
    "invoice": _("Facture %(subject)s"),
    "credit_note": _("Note de crédit %(subject)s"),
    "payment": _("Paiement supposé de %(subject)s"),
    "mail": _("E-mail « %(subject)s »"),
    "account.suspended": _("Sites suspendus"),
    "account.restored": _("Sites rétablis"),
    "subscription.renewed": _("Reconduction tacite"),
    "subscription.changed": _("Changement appliqué"),
    "subscription.ended": _("Fin de l’abonnement"),
    "refused": _("Refusé"),
}
ICONS = {
    "invoice": "receipt-text",
    "credit_note": "file-minus",
    "payment": "hand-coins",
    "mail": "mail",
    "account.suspended": "ban",
    "account.restored": "circle-check",
    "subscription.renewed": "refresh-cw",
    "subscription.changed": "layers",
    "subscription.ended": "log-out",
    "refused": "circle-alert",
}
TONES = {
    "account.suspended": "bad",
    "refused": "warn",
    "account.restored": "good",
    "subscription.ended": "warn",
}


def day_if_acting(form: "ScenarioForm", field: DateField) -> None:
    """A change needs its day; without one the field is not read."""
    if form.act.data and not "".join(field.raw_data or ()).strip():
        raise StopValidation(_("Indiquez le jour de ce changement."))


class ScenarioForm(PortalForm):
    """A question in the address: nothing is sent, so nothing is signed."""

    class Meta(PortalForm.Meta):
        csrf = False

    months = SelectField(_("Durée"), coerce=int, default=12)
    paying = RadioField(
        _("Paiements"),
        choices=[
            SelectChoice(Paying.ON_TIME.value, _("Chaque facture est payée le jour de son échéance")),
            SelectChoice(Paying.LATE.value, _("Chaque facture est payée en retard")),
            SelectChoice(Paying.NEVER.value, _("Plus rien n’est payé")),
        ],
        default=Paying.ON_TIME.value,
    )
    late_days = IntegerField(
        _("Jours de retard"),
        description=_("Compte si les factures sont payées en retard."),
        default=10,
        validators=[
            InputRequired(_("Indiquez un nombre de jours.")),
            NumberRange(1, 365, _("De 1 à 365 jours.")),
        ],
    )
    act = SelectField(_("Et si le client…"))
    act_on = DateField(_("Le"), validators=[day_if_acting, Optional()])
    play = BooleanField()

    def validate_act_on(self, field: DateField) -> None:
        if not self.act.data or field.data is None:
            return
        last = boundary(clock.today(), int(self.months.data or MONTHS[-1])) - timedelta(days=1)
        if not clock.today() <= field.data <= last:
            raise ValidationError(_("Choisissez un jour de la répétition, à partir d’aujourd’hui."))


@dataclass(frozen=True)
class Told:
    """One line of the result: words and amounts."""

    happening: Happening
    words: str
    icon: str
    tone: str


@dataclass(frozen=True)
class Month:
    first: date
    told: tuple[Told, ...]


@bp.get("/comptes/<reference>/repetition")
@requires(May.HELP_ACCOUNTS)
def rehearsal_page(reference: str) -> ResponseReturnValue:
    """The question and, once asked, the answer. A GET: whatever it plays, it plays in a copy."""
    account = _account(reference)
    form = _form()
    rehearsed, status = None, 200
    if form.play.data:
        if form.validate():
            rehearsed = _play(account, form)
        else:
            status = 422
    page = render(
        "staff/rehearsal.html",
        account=account,
        form=form,
        rehearsed=rehearsed,
        months=list(_by_month(rehearsed)) if rehearsed else [],
        query=request.query_string.decode(),
        today=clock.today(),
    )
    return page, status


@bp.get("/comptes/<reference>/repetition.csv")
@requires(May.HELP_ACCOUNTS)
def rehearsal_csv(reference: str) -> ResponseReturnValue:
    """The same answer as rows: day, what, document, amounts."""
    account = _account(reference)
    form = _form()
    if not form.validate():
        abort(404)
    header = [say(word) for word in (_("Jour"), _("Événement"), _("HTVA"), _("TVAC"), _("Échéance"))]
    rows = (
        (each.on, _told(each).words, each.net, each.total, each.due_on)
        for each in _play(account, form).happenings
    )
    name = f"{account.reference}-{clock.today().isoformat()}.csv"
    return Response(
        "".join(sheet.sheet(header, rows)),
        mimetype="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _account(reference: str) -> Account:
    try:
        return rehearsal.account_of(db.session(), reference)
    except AccountNotFound:
        abort(404)


def _form() -> ScenarioForm:
    form = ScenarioForm(request.args)
    locale = current_locale()
    form.months.choices = [(months, say(_("%(months)s mois"), months=months)) for months in MONTHS]
    choices: list[tuple[str, str]] = [
        ("", say(_("ne change rien"))),
        ("terminate", say(_("donne son préavis"))),
    ]
    for code, names in sorted(subscriptions.plan_names(db.session()).items()):
        for frequency, words in FREQUENCIES.items():
            choices.append(
                SelectChoice(
                    f"{code}/{frequency}",
                    say(_("passe à %(plan)s, %(frequency)s"), plan=text(names, locale), frequency=say(words)),
                )
            )
    form.act.choices = choices
    return form


def _play(account: Account, form: ScenarioForm) -> Rehearsed:
    plan, _slash, frequency = str(form.act.data or "").partition("/")
    scenario = Scenario(
        months=int(form.months.data),
        paying=Paying(form.paying.data),
        late_days=int(form.late_days.data or 0),
        act_on=form.act_on.data if form.act.data else None,
        plan=plan if frequency else None,
        frequency=frequency or None,
        terminates=plan == "terminate",
    )
    return rehearsal.rehearse(db.session(), account.id, scenario, clock.today())


def _by_month(rehearsed: Rehearsed) -> Iterator[Month]:
    for first, some in groupby(rehearsed.happenings, key=lambda each: each.on.replace(day=1)):
        yield Month(first, tuple(_told(each) for each in some))


def _told(each: Happening) -> Told:
    msgid: Sentence = WHAT[each.kind]
    words = say(msgid, subject=each.subject)
    if each.refusal is not None:
        words = explain(each.refusal, current_locale())
    return Told(each, words, ICONS[each.kind], TONES.get(each.kind, ""))
