"""The article about the subscription, and whether it helped."""

import uuid

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue
from wtforms import RadioField, TextAreaField
from wtforms.validators import DataRequired, Length, Optional

from webapp import auth, clock
from webapp.auth import requires
from webapp.blueprints.help import bp
from webapp.domain.access import May
from webapp.extensions import db
from webapp.forms import PortalForm
from webapp.i18n import _
from webapp.rendering import current_locale, render, say
from webapp.services import help as articles
from webapp.transactions import commits


class AnswerForm(PortalForm):
    has_helped = RadioField(
        _("Avez-vous trouvé la réponse à votre question ?"),
        [DataRequired(_("Choisissez oui ou non."))],
        choices={"oui": _("Oui"), "non": _("Non")},
    )
    comment = TextAreaField(
        _("Que manquait-il ?"),
        [Optional(), Length(max=articles.LONGEST_COMMENT)],
        description=_("Quelques mots suffisent"),
    )


@bp.get("/abonnements/<uuid:subscription_id>/aide")
@requires(May.CONTACT_SUPPORT)
def article(subscription_id: uuid.UUID) -> ResponseReturnValue:
    return _page(subscription_id, AnswerForm(formdata=None))


@bp.post("/abonnements/<uuid:subscription_id>/aide")
@requires(May.CONTACT_SUPPORT)
@commits
def answer(subscription_id: uuid.UUID) -> ResponseReturnValue:
    form, here = AnswerForm(), auth.current()
    if not form.validate_on_submit() or here.account_id is None:
        return _page(subscription_id, form), 422
    articles.answer(
        db.session(),
        here.account_id,
        has_helped=form.has_helped.data == "oui",
        comment=form.comment.data or "",
        language=current_locale(),
        now=clock.now(),
    )
    flash(say("Merci, votre réponse aide à améliorer cette page."), "good")
    return redirect(url_for(".article", subscription_id=subscription_id), 303)


def _page(subscription_id: uuid.UUID, form: AnswerForm) -> str:
    locale = current_locale()
    facts = articles.facts(db.session(), subscription_id, clock.today())
    return render(
        "help/article.html",
        facts=facts,
        plan=facts.plan_names[locale],
        form=form,
        may_read=auth.visit_allows(May.READ_SUBSCRIPTION),
    )
