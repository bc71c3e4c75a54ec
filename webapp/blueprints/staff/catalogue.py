"""The catalogue on screen: what is on sale on a day, every version with its tariffs, who holds what, and its file."""

from datetime import date
from typing import Any

from flask import Response, abort, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from webapp import auth, clock
from webapp.adapters.catalogue_tree import fields_of, file_text
from webapp.auth import requires
from webapp.blueprints.staff import bp
from webapp.blueprints.staff.catalogue_forms import NewDraftForm
from webapp.domain.access import May
from webapp.domain.catalogue import Change
from webapp.extensions import db
from webapp.models.records import AuditEntry
from webapp.rendering import current_locale, render
from webapp.services import catalogue_drafts, catalogue_published, catalogue_shelf, catalogue_words

YAML = "application/yaml; charset=utf-8"


@bp.get("/catalogue")
@requires(May.STAFF)
def catalogue() -> ResponseReturnValue:
    """What is on sale on a day, the drafts, and the last publications."""
    return shown(NewDraftForm(formdata=None))


@bp.get("/catalogue/fichier")
@requires(May.STAFF)
def catalogue_file() -> ResponseReturnValue:
    """The published catalogue as the file that would publish it."""
    fields = fields_of(catalogue_published.published(db.session()).catalogue)
    return as_file(file_text(fields), "catalogue.yaml")


@bp.get("/catalogue/formules/<code>")
@requires(May.STAFF)
def catalogue_plan(code: str) -> ResponseReturnValue:
    """Every version of a plan, with its tariffs past and to come, and who holds them."""
    return _entry("plan", code)


@bp.get("/catalogue/options/<code>")
@requires(May.STAFF)
def catalogue_option(code: str) -> ResponseReturnValue:
    """Every version of an option, with its tariffs past and to come, and who holds them."""
    return _entry("option", code)


def shown(form: NewDraftForm, status: int = 200) -> ResponseReturnValue:
    """The page of the catalogue, with the form of a new draft as it was filled in."""
    session, today, locale = db.session(), clock.today(), current_locale()
    on = _day(today)
    shelf = catalogue_shelf.shelf(session, today)
    may_edit = auth.visit_allows(May.EDIT_CATALOGUE)
    page = render(
        "staff/catalogue.html",
        on=on,
        today=today,
        plans=[(entry, entry.on_sale(on)) for entry in shelf.plans],
        options=[(entry, entry.on_sale(on)) for entry in shelf.options],
        features=catalogue_published.features(session),
        drafts=catalogue_drafts.drafts(session) if may_edit else [],
        publications=[(each, _told(each, locale)) for each in catalogue_shelf.publications(session)],
        form=form,
        may_edit=may_edit,
        **words(session, locale),
    )
    return page, status


def words(session: Session, locale: str) -> dict[str, Any]:
    """How the templates say tariffs and terms, in the reader's language."""
    names = catalogue_published.reseller_names(session)
    return {
        "tariff": lambda key: catalogue_words.tariff(key, names, locale),
        "tiers": lambda of: catalogue_words.tiers(of, locale),
        "terms": lambda price: catalogue_words.terms(price, locale),
        "kinds": catalogue_words.KINDS,
        "resellers": names,
    }


def as_file(text: str, name: str) -> Response:
    """A file of the catalogue, to be kept and published by the command."""
    return Response(
        text, content_type=YAML, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def _entry(kind: str, code: str) -> ResponseReturnValue:
    session, today, locale = db.session(), clock.today(), current_locale()
    shelf = catalogue_shelf.shelf(session, today)
    entry = shelf.entry(kind, code)
    if entry is None:
        abort(404)
    names = {
        name: {each.code: each.versions[0].entry.names[locale] for each in entries}
        for name, entries in (("plan", shelf.plans), ("option", shelf.options))
    }
    return render(
        "staff/catalogue_entry.html",
        entry=entry,
        today=today,
        names=names,
        may_edit=auth.visit_allows(May.EDIT_CATALOGUE),
        features=catalogue_published.features(session),
        **words(session, locale),
    )


def _day(today: date) -> date:
    """The day asked for in the address, today when none is."""
    try:
        return date.fromisoformat(request.args.get("le", ""))
    except ValueError:
        return today


def _told(entry: AuditEntry, locale: str) -> list[str]:
    on = date.fromisoformat(entry.after["from"])
    # What is sold first, then the lines of the comparison.
    changes = sorted(entry.after["changes"], key=lambda each: bool(each["kind"] == "feature"))
    return [
        catalogue_words.told(Change(each["kind"], each["code"], each["what"], on, each["number"]), locale)
        for each in changes
    ]
