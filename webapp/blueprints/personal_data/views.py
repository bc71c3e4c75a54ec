"""Export and closure."""

import uuid

from flask import Response, flash, make_response, redirect, session, url_for
from flask.typing import ResponseReturnValue
from wtforms import StringField
from wtforms.validators import DataRequired

from webapp import auth, clock
from webapp.auth import requires
from webapp.blueprints.personal_data import bp
from webapp.domain.access import May
from webapp.domain.refusals import ClosureTooEarly, WrongReference
from webapp.extensions import db
from webapp.forms import PortalForm
from webapp.i18n import _, explain
from webapp.rendering import current_locale, render, say
from webapp.services import personal_data
from webapp.transactions import commits


class CloseForm(PortalForm):
    reference = StringField(
        _("Référence du compte"), [DataRequired(_("Écrivez la référence du compte pour confirmer."))]
    )


@bp.get("/abonnements/<uuid:subscription_id>/donnees")
@requires(May.MANAGE_DATA)
def index(subscription_id: uuid.UUID) -> ResponseReturnValue:
    return _page(CloseForm(formdata=None))


@bp.post("/abonnements/<uuid:subscription_id>/donnees/telecharger")
@requires(May.MANAGE_DATA)
@commits
def export(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """A form and not a link: that it was taken is written in the history."""
    here = auth.current()
    content = personal_data.export(db.session(), _account_id(), actor=here.actor, now=clock.now())
    name = f"{here.account_reference}-{clock.today().isoformat()}.zip"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(content, mimetype="application/zip", headers=headers)


@bp.post("/abonnements/<uuid:subscription_id>/donnees/cloturer")
@requires(May.MANAGE_DATA)
@commits
def close(subscription_id: uuid.UUID) -> ResponseReturnValue:
    form, here = CloseForm(), auth.current()
    if not form.validate_on_submit():
        return _page(form), 422
    try:
        personal_data.close(
            db.session(), _account_id(), form.reference.data, actor=here.actor, now=clock.now()
        )
    except (ClosureTooEarly, WrongReference) as refusal:
        form.reference.errors = [explain(refusal, current_locale())]
        return _page(form), 422
    name = here.account_name
    session.clear()
    flash(say("Le compte %(account)s est clôturé.", account=name), "good")
    return auth.forget(make_response(redirect(url_for("account.login"), 303)))


def _page(form: CloseForm) -> str:
    closure = personal_data.preview_closure(db.session(), _account_id())
    return render("personal_data/index.html", closure=closure, form=form)


def _account_id() -> uuid.UUID:
    account_id = auth.current().account_id
    assert account_id is not None  # the door has answered 404 otherwise
    return account_id
