"""A draft against what is published, in words and amounts, and its publication from a day, confirmed."""

from datetime import date

from flask import flash, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import DateField
from wtforms.validators import DataRequired, ValidationError

from webapp import auth, clock, confirming
from webapp.auth import requires
from webapp.blueprints.staff import bp
from webapp.blueprints.staff.catalogue_drafts import found, to_mend
from webapp.blueprints.staff.catalogue_presenters import Wording, names_of
from webapp.confirming import ConfirmForm
from webapp.domain.access import May
from webapp.domain.refusals import DraftIncomplete, DraftOutdated, Refusal, StalePreview
from webapp.extensions import db
from webapp.forms import PortalForm
from webapp.htmx import page_or_fragment, redirect_to
from webapp.i18n import _, date_text, explain
from webapp.models.catalogue import CatalogueDraft
from webapp.rendering import current_locale, say
from webapp.services import catalogue_drafts as drafts
from webapp.services import catalogue_holders, catalogue_published
from webapp.services.catalogue_drafts import Comparison
from webapp.transactions import commits


class DayForm(PortalForm):
    """The day from which the draft would be on sale: read from the address, so it has no token of its own."""

    class Meta(PortalForm.Meta):
        csrf = False

    on = DateField(_("En vente dès le"), [DataRequired(_("Indiquez une date."))], name="le")

    def validate_on(self, one: DateField) -> None:
        if one.data < clock.today():
            raise ValidationError(
                _("Ce qui a été vendu ne change pas : choisissez aujourd’hui ou plus tard.")
            )


@bp.get("/catalogue/brouillons/<int:draft_id>/publication")
@requires(May.EDIT_CATALOGUE)
def catalogue_draft_publication(draft_id: int) -> ResponseReturnValue:
    """What publishing would change, for whom, from which day. Nothing is written."""
    return _page(found(draft_id))


@bp.post("/catalogue/brouillons/<int:draft_id>/publication")
@requires(May.EDIT_CATALOGUE)
@commits
def catalogue_draft_publish(draft_id: int) -> ResponseReturnValue:
    """Publish once, exactly as it was shown. No account is concerned: the draft itself remembers the key."""
    session, draft, form = db.session(), found(draft_id), ConfirmForm()
    day = _day(draft)
    if not form.validate_on_submit() or not day.validate():
        return _page(draft, 422)
    key, fingerprint = str(form.idempotency_key.data), str(form.preview.data)
    actor, now = auth.current().staff_actor, clock.now()
    try:
        drafts.publish(session, draft_id, day.on.data, fingerprint, key, actor, now)
    except Refusal as refusal:
        session.rollback()
        return _page(found(draft_id), 409, refusal)
    said = say("Publié : en vente dès le %(day)s.", day=date_text(day.on.data, current_locale()))
    flash(said, "good")
    return redirect_to(url_for(".catalogue", le=day.on.data.isoformat()))


def _day(draft: CatalogueDraft) -> DayForm:
    asked = request.form if request.method == "POST" else request.args
    return DayForm(asked if "le" in asked else None, data={"on": draft.starts_on or clock.today()})


def _page(draft: CatalogueDraft, status: int = 200, refusal: Refusal | None = None) -> ResponseReturnValue:
    session, locale = db.session(), current_locale()
    day, comparison = _day(draft), None
    problems = drafts.check(session, draft.content).problems
    is_open = draft.state == "open"
    if is_open and not problems:
        if day.validate():
            try:
                comparison = drafts.compare(session, draft, day.on.data)
            except Refusal as refused:
                day.on.errors = [explain(refused, locale)]
        status = 422 if day.on.errors and status == 200 else status
    is_outdated = comparison is not None and drafts.is_outdated(draft, comparison.published)
    shown = not isinstance(refusal, StalePreview | DraftIncomplete | DraftOutdated) and refusal is not None
    return page_or_fragment(
        "staff/catalogue_publication.html",
        "staff/_catalogue_publication.html",
        status=status,
        draft=draft,
        day=day,
        is_open=is_open,
        problems=to_mend(draft, problems) if is_open else [],
        sections=_sections(comparison, day.on.data, locale) if comparison else [],
        fingerprint=comparison.fingerprint if comparison else "",
        is_compared=comparison is not None,
        is_outdated=is_outdated,
        is_stale=isinstance(refusal, StalePreview),
        refused=[explain(refusal, locale)] if shown and refusal else [],
        key=confirming.new_key(),
    )


def _sections(comparison: Comparison, on: date, locale: str) -> list[object]:
    session = db.session()
    former = comparison.published.catalogue
    drafted = [each.entry for each in comparison.differences]
    names = {
        kind: names_of([*entries, *drafted], locale)
        for kind, entries in (
            ("plan", former.plans),
            ("option", former.options),
            ("feature", former.features),
        )
    }
    held = catalogue_holders.holders(session, clock.today())
    wording = Wording(locale, names, catalogue_published.reseller_names(session), held)
    return list(wording.sections(comparison.differences, on))
