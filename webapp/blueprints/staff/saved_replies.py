"""The replies kept ready, in three languages: the administrators write them, whoever answers uses them."""

from flask import abort, flash, url_for
from flask.typing import ResponseReturnValue
from wtforms import StringField, TextAreaField
from wtforms.validators import DataRequired, Length, ValidationError

from webapp import auth, clock
from webapp.auth import requires
from webapp.blueprints.staff import bp
from webapp.domain.access import May
from webapp.extensions import db
from webapp.forms import PortalForm
from webapp.htmx import redirect_to
from webapp.i18n import _
from webapp.models.requests import SavedReply
from webapp.rendering import render, say
from webapp.services import saved_replies as replies_kept
from webapp.services.requests import LONGEST
from webapp.services.saved_replies import ReplyNotFound
from webapp.transactions import commits


def _only_known(form: PortalForm, field: TextAreaField) -> None:
    """What stands between braces must stand for something, or the client would read the braces."""
    unknown = replies_kept.unknown_placeholders(field.data or "")
    if unknown:
        raise ValidationError(
            say("« {%(name)s} » ne correspond à rien. Choisissez parmi ceux de la liste.", name=unknown[0])
        )


_TEXT = (DataRequired(_("Écrivez le texte dans cette langue.")), Length(max=LONGEST), _only_known)


class SavedReplyForm(PortalForm):
    name = StringField(
        _("Nom de la réponse"),
        [DataRequired(_("Donnez-lui un nom.")), Length(max=60)],
        description=_("Pour la retrouver dans la liste : le client ne le voit pas."),
    )
    fr = TextAreaField(_("Texte en français"), _TEXT)
    nl = TextAreaField(_("Texte en néerlandais"), _TEXT)
    en = TextAreaField(_("Texte en anglais"), _TEXT)


@bp.get("/demandes/reponses")
@requires(May.ADMINISTER)
def request_replies() -> ResponseReturnValue:
    """All of them, and the form of a new one."""
    return _list(SavedReplyForm(formdata=None))


@bp.post("/demandes/reponses")
@requires(May.ADMINISTER)
@commits
def request_reply_add() -> ResponseReturnValue:
    form = SavedReplyForm()
    if not form.validate_on_submit() or not _kept(form, None):
        return _list(form, 422)
    flash(_("La réponse type est gardée."), "good")
    return redirect_to(url_for(".request_replies"))


@bp.get("/demandes/reponses/<int:reply_id>")
@requires(May.ADMINISTER)
def request_reply(reply_id: int) -> ResponseReturnValue:
    saved = _saved(reply_id)
    return _one(saved, SavedReplyForm(formdata=None, name=saved.name, **saved.texts))


@bp.post("/demandes/reponses/<int:reply_id>")
@requires(May.ADMINISTER)
@commits
def request_reply_save(reply_id: int) -> ResponseReturnValue:
    saved, form = _saved(reply_id), SavedReplyForm()
    if not form.validate_on_submit() or not _kept(form, reply_id):
        return _one(saved, form, 422)
    flash(_("La réponse type est gardée."), "good")
    return redirect_to(url_for(".request_replies"))


@bp.post("/demandes/reponses/<int:reply_id>/retrait")
@requires(May.ADMINISTER)
@commits
def request_reply_remove(reply_id: int) -> ResponseReturnValue:
    """Take it off the list; the answers that it began keep their words."""
    _saved(reply_id)
    replies_kept.remove(db.session(), reply_id, auth.current().staff_actor, clock.now())
    flash(_("La réponse type est retirée."), "good")
    return redirect_to(url_for(".request_replies"))


def _kept(form: SavedReplyForm, reply_id: int | None) -> bool:
    name = " ".join(str(form.name.data).split())
    texts = {language: str(form[language].data).strip() for language in ("fr", "nl", "en")}
    actor, now = auth.current().staff_actor, clock.now()
    if replies_kept.keep(db.session(), reply_id, name, texts, actor, now):
        return True
    form.name.errors = [_("Une autre réponse porte déjà ce nom.")]
    return False


def _saved(reply_id: int) -> SavedReply:
    try:
        return replies_kept.one(db.session(), reply_id)
    except ReplyNotFound:
        abort(404)


def _list(form: SavedReplyForm, status: int = 200) -> ResponseReturnValue:
    replies = replies_kept.all_of_them(db.session())
    page = render(
        "staff/saved_replies.html", replies=replies, form=form, placeholders=replies_kept.PLACEHOLDERS
    )
    return page, status


def _one(saved: SavedReply, form: SavedReplyForm, status: int = 200) -> ResponseReturnValue:
    page = render("staff/saved_reply.html", saved=saved, form=form, placeholders=replies_kept.PLACEHOLDERS)
    return page, status
