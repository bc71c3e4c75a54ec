"""Voir comme: the client's own pages, read by the team, and the way back."""

from flask import abort, flash, url_for
from flask.typing import ResponseReturnValue
from wtforms import SelectField, StringField
from wtforms.validators import Length

from webapp import auth, clock
from webapp.auth import requires
from webapp.blueprints.staff import bp
from webapp.domain.access import May, Role
from webapp.domain.refusals import NothingToView
from webapp.extensions import db
from webapp.forms import PortalForm
from webapp.htmx import redirect_to
from webapp.i18n import _, explain
from webapp.rendering import current_locale
from webapp.services import account_desk, viewing
from webapp.services.account_desk import AccountNotFound
from webapp.transactions import commits

ROLES = {
    Role.OWNER.value: _("Propriétaire"),
    Role.ADMINISTRATOR.value: _("Administrateur"),
    Role.VIEWER.value: _("Lecteur"),
    Role.ACCOUNTANT.value: _("Comptable"),
}


class ViewForm(PortalForm):
    """As whom, and why if it is worth saying."""

    role = SelectField(_("Avec le rôle de"), choices=ROLES, default=Role.OWNER.value)
    reason = StringField(
        _("Motif"),
        [Length(max=300)],
        description=_("Gardé avec la consultation, dans la piste d’audit du compte."),
    )


@bp.post("/comptes/<reference>/voir-comme")
@requires(May.HELP_ACCOUNTS)
@commits
def view_as(reference: str) -> ResponseReturnValue:
    """Open the client's pages, to read them. The history of the account keeps that it was looked at."""
    session, visit, form = db.session(), auth.current(), ViewForm()
    try:
        desk = account_desk.of_account(session, reference)
    except AccountNotFound:
        abort(404)
    back = url_for(".account", reference=reference)
    if not form.validate_on_submit():
        flash(_("Choisissez un des rôles de la liste, et un motif de 300 signes au plus."), "bad")
        return redirect_to(back)
    role = Role(form.role.data)
    try:
        subscription_id = viewing.begin(
            session,
            visit.session_id,
            desk.account_id,
            role,
            str(form.reason.data or "").strip(),
            actor=visit.staff_actor,
            now=clock.now(),
        )
    except NothingToView as refusal:
        flash(explain(refusal, current_locale()), "bad")
        return redirect_to(back)
    first = "invoices.index" if role is Role.ACCOUNTANT else "subscriptions.overview"
    return redirect_to(url_for(first, subscription_id=subscription_id))


@bp.post("/voir-comme/fin")
@requires(May.STAFF)
@commits
def stop_viewing() -> ResponseReturnValue:
    """Back to the desk of the account that was looked at."""
    reference = viewing.end(db.session(), auth.current().session_id)
    return redirect_to(url_for(".account", reference=reference) if reference else url_for(".home"))
