"""« Vos demandes »: what was asked of the team, what it answered, and how to write again."""

import uuid

from flask import abort, flash, url_for
from flask.typing import ResponseReturnValue
from wtforms import HiddenField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length, Regexp

from webapp import auth, clock
from webapp.auth import requires
from webapp.blueprints.help import bp
from webapp.domain.access import May
from webapp.domain.refusals import KeyReused
from webapp.extensions import db
from webapp.forms import PortalForm
from webapp.htmx import redirect_to
from webapp.i18n import _
from webapp.rendering import current_locale, render
from webapp.services import idempotency, requests, support
from webapp.services.requests import Conversation, RequestNotFound
from webapp.services.support import NobodyToWriteTo
from webapp.services.wording import text
from webapp.transactions import commits

KINDS = {
    "message": _("Message"),
    "quotation": _("Demande de devis"),
    "details": _("Changement de coordonnées"),
    "termination": _("Résiliation"),
    "partner": _("Message à votre partenaire"),
}
STATES = {
    "new": (_("Reçue"), "accent"),
    "assigned": (_("Reçue"), "accent"),
    "waiting": (_("Nous attendons votre réponse"), "warn"),
    "answered": (_("Répondue"), "good"),
    "closed": (_("Close"), "plain"),
}


class ReplyForm(PortalForm):
    """Something to add."""

    idempotency_key = HiddenField(validators=[InputRequired(), Regexp(r"^[0-9a-f]{32}$")])
    message = TextAreaField(
        _("Votre message"),
        [
            DataRequired(_("Écrivez votre message.")),
            Length(
                max=requests.LONGEST, message=_("Votre message est trop long : 5 000 caractères au plus.")
            ),
        ],
    )


def _asked_by() -> uuid.UUID | None:
    """Whose requests: the owner reads all those of the account, the others their own."""
    return None if auth.visit_allows(May.READ_MESSAGES) else auth.current().user_id


def _account_id() -> uuid.UUID:
    account_id = auth.current().account_id
    if account_id is None:
        abort(404)
    return account_id


@bp.get("/abonnements/<uuid:subscription_id>/aide/demandes", endpoint="requests")
@requires(May.CONTACT_SUPPORT)
def requests_(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """The latest ones, those that moved last first."""
    return render(
        "help/requests.html",
        rows=requests.of_account(db.session(), _account_id(), _asked_by()),
        kind_names=KINDS,
        state_names=STATES,
    )


@bp.get("/abonnements/<uuid:subscription_id>/aide/demandes/<int:request_id>")
@requires(May.CONTACT_SUPPORT)
def request_page(subscription_id: uuid.UUID, request_id: int) -> ResponseReturnValue:
    return _page(_found(request_id), ReplyForm(formdata=None))


@bp.post("/abonnements/<uuid:subscription_id>/aide/demandes/<int:request_id>")
@requires(May.CONTACT_SUPPORT)
@commits
def request_reply(subscription_id: uuid.UUID, request_id: int) -> ResponseReturnValue:
    """Send it once, whatever the number of times the button is pressed."""
    session, form, here, now = db.session(), ReplyForm(), auth.current(), clock.now()
    found, account_id = _found(request_id), _account_id()
    if not form.validate_on_submit():
        return _page(found, form, 422)
    key, words = str(form.idempotency_key.data), str(form.message.data).strip()
    back = url_for(".request_page", subscription_id=subscription_id, request_id=request_id)
    asked = idempotency.request_hash("request", request_id, words)
    requests.lock(session, request_id)
    try:
        sent_before = idempotency.replied(session, account_id, key, asked)
    except KeyReused:  # the same page sent again with other words: another message
        key, sent_before = uuid.uuid4().hex, None
    if sent_before is None:
        desk = support.desk(session, subscription_id)
        if desk is None:
            raise NobodyToWriteTo()
        requests.reply(
            session,
            account_id,
            request_id,
            words,
            asked_by=_asked_by(),
            desk_email=desk.email,
            sender=(here.user_name, here.user_email),
            link=url_for("staff.request_page", request_id=request_id, _external=True),
            actor=here.actor,
            now=now,
        )
        idempotency.remember(session, account_id, key, asked, back, now)
    flash(_("Votre message est parti. La réponse arrivera par e-mail."), "good")
    return redirect_to(back)


def _found(request_id: int) -> Conversation:
    try:
        return requests.for_client(db.session(), _account_id(), request_id, _asked_by())
    except RequestNotFound:
        abort(404)


def _page(found: Conversation, form: ReplyForm, status: int = 200) -> ResponseReturnValue:
    option = found.request.facts.get("option")
    page = render(
        "help/request.html",
        found=found,
        form=form,
        key=uuid.uuid4().hex,
        kind=KINDS[found.request.kind],
        state=STATES[found.request.state],
        option=text(option, current_locale()) if option else "",
    )
    return page, status
