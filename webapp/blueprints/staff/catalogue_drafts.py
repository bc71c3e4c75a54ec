"""Drafts of the catalogue: begun, changed entry by entry, compared, published on a day or given up."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from flask import abort, flash, url_for
from flask.typing import ResponseReturnValue

from webapp import auth, clock
from webapp.adapters.catalogue_tree import file_text
from webapp.adapters.yaml_file import Problem
from webapp.auth import requires
from webapp.blueprints.staff import bp
from webapp.blueprints.staff import catalogue as reading
from webapp.blueprints.staff.catalogue_fields import key_of
from webapp.blueprints.staff.catalogue_forms import (
    ButtonForm,
    DraftForm,
    EntryButtonForm,
    NewDraftForm,
)
from webapp.domain.access import May
from webapp.domain.refusals import DraftChanged, Refusal
from webapp.extensions import db
from webapp.htmx import redirect_to
from webapp.i18n import Sentence, _, explain
from webapp.models.catalogue import CatalogueDraft
from webapp.rendering import current_locale, render, say
from webapp.services import catalogue_drafts as drafts
from webapp.services import catalogue_published, catalogue_words
from webapp.services.catalogue_drafts import DraftNotFound
from webapp.transactions import commits

FREQUENCY_WORDS = {"mensuel": "monthly", "annuel": "annual"}  # as addresses say them
SECTIONS = {"plan": "plans", "option": "options"}
WHERE = re.compile(r"(features|plans|options)\[([^\]]+)\]")
LINES = {
    "features": (_("Service comparé %(name)s"), ".catalogue_draft_feature"),
    "plans": (_("Formule %(name)s"), ".catalogue_draft_plan"),
    "options": (_("Option %(name)s"), ".catalogue_draft_option"),
}


class Line(NamedTuple):
    """An entry on the page of a draft. `mark`: new, changed, withdrawn or nothing."""

    code: str
    name: str
    address: str
    mark: str
    prices: Sequence[tuple[str, int]]  # (of what, cents)


class ToMend(NamedTuple):
    """One complaint about a draft, with the page that mends it."""

    where: str
    address: str
    sentence: str


@bp.post("/catalogue/brouillons")
@requires(May.EDIT_CATALOGUE)
@commits
def catalogue_draft_start() -> ResponseReturnValue:
    """Begin a draft that says what is published."""
    form = NewDraftForm()
    if not form.validate_on_submit():
        return reading.shown(form, 422)
    name = " ".join(str(form.name.data).split())
    draft = drafts.start(db.session(), name, auth.current().staff_actor, clock.now())
    return redirect_to(url_for(".catalogue_draft", draft_id=draft.id))


@bp.get("/catalogue/brouillons/<int:draft_id>")
@requires(May.EDIT_CATALOGUE)
def catalogue_draft(draft_id: int) -> ResponseReturnValue:
    """All that the draft says, what is changed, and what is to be mended."""
    return _page(found(draft_id))


@bp.get("/catalogue/brouillons/<int:draft_id>/fichier")
@requires(May.EDIT_CATALOGUE)
def catalogue_draft_file(draft_id: int) -> ResponseReturnValue:
    """The draft as the file that the command reads."""
    draft = found(draft_id)
    return reading.as_file(file_text(draft.content), f"catalogue-brouillon-{draft.id}.yaml")


@bp.post("/catalogue/brouillons/<int:draft_id>")
@requires(May.EDIT_CATALOGUE)
@commits
def catalogue_draft_save(draft_id: int) -> ResponseReturnValue:
    """Give the draft another name or day."""
    form = DraftForm()

    def rename(draft: CatalogueDraft) -> Sentence:
        name = " ".join(str(form.name.data).split())
        actor = auth.current().staff_actor
        drafts.rename(db.session(), draft, name, form.starts_on.data, actor, clock.now())
        return _("Le brouillon est enregistré.")

    return _act(draft_id, form, rename)


@bp.post("/catalogue/brouillons/<int:draft_id>/retrait")
@requires(May.EDIT_CATALOGUE)
@commits
def catalogue_draft_withdraw(draft_id: int) -> ResponseReturnValue:
    """Take a plan or an option off sale, in the draft: the options that name it name it no more."""
    form = EntryButtonForm()

    def withdraw(draft: CatalogueDraft) -> Sentence:
        section, code = SECTIONS[str(form.kind.data)], str(form.code.data)
        names = ("offered_by", "included_by") if section == "plans" else ("requires", "excludes")
        fields = dict(draft.content)
        fields[section] = [entry for entry in fields[section] if entry["code"] != code]
        fields["options"] = [_without(entry, names, code) for entry in fields["options"]]
        save(draft, fields, f"{section}/{code}")
        return _("Ce ne sera plus en vente à la publication. Vous pouvez encore le remettre.")

    return _act(draft_id, form, withdraw)


@bp.post("/catalogue/brouillons/<int:draft_id>/remise")
@requires(May.EDIT_CATALOGUE)
@commits
def catalogue_draft_restore(draft_id: int) -> ResponseReturnValue:
    """Put back on sale, in the draft, what was on sale when it began."""
    form = EntryButtonForm()

    def restore(draft: CatalogueDraft) -> Sentence:
        section, code = SECTIONS[str(form.kind.data)], str(form.code.data)
        former = entry_of(draft.base, section, code)
        if former is None or entry_of(draft.content, section, code) is not None:
            abort(404)
        save(draft, draft.content | {section: [*draft.content[section], former]}, f"{section}/{code}")
        return _("C’est remis en vente dans le brouillon.")

    return _act(draft_id, form, restore)


@bp.post("/catalogue/brouillons/<int:draft_id>/reprise")
@requires(May.EDIT_CATALOGUE)
@commits
def catalogue_draft_rebase(draft_id: int) -> ResponseReturnValue:
    """Take up what was published since the draft began."""

    def rebase(draft: CatalogueDraft) -> Sentence:
        actor, now = auth.current().staff_actor, clock.now()
        conflicts = drafts.bring_up_to_date(db.session(), draft, actor, now)
        if conflicts:
            codes = ", ".join(code for _section, code in conflicts)
            flash(say("Publié et modifié ici, gardé comme ici : %(codes)s. Relisez.", codes=codes), "warn")
        return _("Ce qui a été publié depuis est repris dans le brouillon.")

    return _act(draft_id, ButtonForm(), rebase)


@bp.post("/catalogue/brouillons/<int:draft_id>/abandon")
@requires(May.EDIT_CATALOGUE)
@commits
def catalogue_draft_abandon(draft_id: int) -> ResponseReturnValue:
    """Close the draft unpublished."""

    def abandon(draft: CatalogueDraft) -> Sentence:
        drafts.abandon(db.session(), draft, auth.current().staff_actor, clock.now())
        return _("Le brouillon est abandonné. Rien n’a été publié.")

    return _act(draft_id, ButtonForm(), abandon)


# ── What the doors of drafts share ───────────────────────────────────────────────────────────────────────────────


def found(draft_id: int) -> CatalogueDraft:
    try:
        return drafts.get(db.session(), draft_id)
    except DraftNotFound:
        abort(404)


def save(draft: CatalogueDraft, fields: dict[str, Any], subject: str) -> None:
    drafts.save(db.session(), draft, fields, subject, auth.current().staff_actor, clock.now())


def entry_of(fields: Mapping[str, Any], section: str, code: str) -> dict[str, Any] | None:
    return next((entry for entry in fields[section] if entry["code"] == code), None)


def to_mend(draft: CatalogueDraft, problems: Sequence[Problem]) -> list[ToMend]:
    """Each complaint with the page that mends it."""
    names, locale = catalogue_published.reseller_names(db.session()), current_locale()
    listed = []
    for problem in problems:
        place = WHERE.match(problem.path)
        where, address = "", url_for(".catalogue_draft", draft_id=draft.id)
        if place is not None:
            entry = _named(draft, place[1], place[2])
            title, endpoint = LINES[place[1]]
            where = say(title, name=entry["name"].get(locale) or entry["code"])
            address = url_for(endpoint, draft_id=draft.id, code=entry["code"])
            price = re.search(r"^plans\[[^\]]+\]\.prices\[(\d+)\]", problem.path)
            if price:
                address = price_address(draft, entry["code"], entry["prices"][int(price[1])])
        listed.append(ToMend(where, address, catalogue_words.complaint(problem, names, locale)))
    return listed


def price_address(draft: CatalogueDraft, code: str, price: Mapping[str, Any]) -> str:
    """The page of a tariff of a plan."""
    key = key_of(price)
    return url_for(
        ".catalogue_draft_price",
        draft_id=draft.id,
        code=code,
        frequency=next(word for word, often in FREQUENCY_WORDS.items() if often == key.frequency),
        revendeur=key.reseller or None,
    )


def _named(draft: CatalogueDraft, section: str, name: str) -> dict[str, Any]:
    """The entry that the path of a complaint calls by its code or by its place."""
    entry = entry_of(draft.content, section, name)
    return entry if entry is not None else dict(draft.content[section][int(name)])


def _act(draft_id: int, form: Any, act: Callable[[CatalogueDraft], Sentence]) -> ResponseReturnValue:
    """Change the draft from its own page: 422 when the form is not whole, 409 when a colleague was faster."""
    session, draft = db.session(), found(draft_id)
    if not form.validate_on_submit():
        return _page(draft, form, 422)
    try:
        said = act(drafts.take(session, draft_id, form.version.data))
    except Refusal as refusal:
        session.rollback()
        form.form_errors.append(explain(refusal, current_locale()))
        return _page(found(draft_id), form, 409, is_stale=isinstance(refusal, DraftChanged))
    flash(say(said), "good")
    return redirect_to(url_for(".catalogue_draft", draft_id=draft_id))


def _page(
    draft: CatalogueDraft, form: Any = None, status: int = 200, *, is_stale: bool = False
) -> ResponseReturnValue:
    session = db.session()
    standing = catalogue_published.published(session)
    checked = drafts.check(session, draft.content)
    shown = {"name": draft.name, "starts_on": draft.starts_on}
    settings = form if isinstance(form, DraftForm) else DraftForm(formdata=None, data=shown)
    settings.version.data = draft.version
    page = render(
        "staff/catalogue_draft.html",
        draft=draft,
        settings=settings,
        refused=form.form_errors if form is not None else [],
        is_open=draft.state == "open",
        is_outdated=draft.state == "open" and drafts.is_outdated(draft, standing),
        is_stale=is_stale,
        problems=to_mend(draft, checked.problems) if draft.state == "open" else [],
        plans=_lines(draft, "plans"),
        options=_lines(draft, "options"),
        features=_lines(draft, "features"),
    )
    return page, status


def _lines(draft: CatalogueDraft, section: str) -> list[Line]:
    """The entries of the draft in their order, then those that it takes off sale."""
    own = draft.content[section]
    if section == "plans":
        own = sorted(own, key=lambda entry: entry["rank"] if isinstance(entry["rank"], int) else 0)
    named = {entry["code"] for entry in own}
    gone = [entry for entry in draft.base[section] if entry["code"] not in named]
    return [_line(draft, section, entry, _mark(draft, section, entry)) for entry in own] + [
        _line(draft, section, entry, "withdrawn") for entry in gone
    ]


def _line(draft: CatalogueDraft, section: str, entry: Mapping[str, Any], mark: str) -> Line:
    names, locale = catalogue_published.reseller_names(db.session()), current_locale()
    _title, endpoint = LINES[section]
    return Line(
        entry["code"],
        entry["name"].get(locale) or entry["code"],
        url_for(endpoint, draft_id=draft.id, code=entry["code"]),
        mark,
        [
            (catalogue_words.tariff(key_of(price), names, locale), int(price["amount"].replace(".", "")))
            for price in entry.get("prices", ())
        ],
    )


def _mark(draft: CatalogueDraft, section: str, entry: Mapping[str, Any]) -> str:
    former = entry_of(draft.base, section, entry["code"])
    if former is None:
        return "new"
    return "" if former == entry else "changed"


def _without(entry: Mapping[str, Any], names: Sequence[str], code: str) -> dict[str, Any]:
    """An option that names `code` no more."""
    kept = dict(entry)
    for name in names:
        if code in kept.get(name, ()):
            kept[name] = [each for each in kept[name] if each != code]
    return kept
