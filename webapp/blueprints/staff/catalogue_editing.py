"""One entry of a draft at a time: a plan, one of its tariffs, an option, a compared service."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from flask import abort, flash, request, url_for
from flask.typing import ResponseReturnValue

from webapp.auth import requires
from webapp.blueprints.staff import bp
from webapp.blueprints.staff import catalogue_forms as forms
from webapp.blueprints.staff import catalogue_option_forms as option_forms
from webapp.blueprints.staff.catalogue_drafts import FREQUENCY_WORDS, entry_of, found, price_address, save
from webapp.blueprints.staff.catalogue_fields import EntryForm, Fields, key_of, prefixes_of
from webapp.blueprints.staff.catalogue_forms import ButtonForm
from webapp.domain.access import May
from webapp.domain.catalogue import FREQUENCIES, OPTION_KINDS, PriceKey
from webapp.domain.refusals import Refusal
from webapp.extensions import db
from webapp.htmx import redirect_to
from webapp.i18n import _, explain
from webapp.models.catalogue import CatalogueDraft
from webapp.rendering import current_locale, render, say
from webapp.services import catalogue_drafts as drafts
from webapp.services import catalogue_published, catalogue_words
from webapp.transactions import commits

LAST = 10_000  # a place beyond every list
KEPT = _("C’est enregistré dans le brouillon.")


class Editing(NamedTuple):
    """One entry being changed: where it stands, its form, what the form shows, and how the form is read back."""

    draft: CatalogueDraft
    section: str
    code: str  # empty for a new entry
    form: type[EntryForm]
    shown: Mapping[str, Any]
    read: Callable[[EntryForm], Fields]
    title: str
    prefixes: Callable[[Fields, int], Sequence[str]] = (
        lambda entry, index: []
    )  # of the paths of its complaints
    extra: Mapping[str, Any] = {}  # what else its page shows


# ── Plans ────────────────────────────────────────────────────────────────────────────────────────────────────────


@bp.get(
    "/catalogue/brouillons/<int:draft_id>/formules",
    defaults={"code": ""},
    endpoint="catalogue_draft_new_plan",
)
@bp.get("/catalogue/brouillons/<int:draft_id>/formules/<code>")
@requires(May.EDIT_CATALOGUE)
def catalogue_draft_plan(draft_id: int, code: str) -> ResponseReturnValue:
    """What a plan includes, and the list of its tariffs."""
    return _shown(_plan(found(draft_id), code))


@bp.post(
    "/catalogue/brouillons/<int:draft_id>/formules",
    defaults={"code": ""},
    endpoint="catalogue_draft_add_plan",
)
@bp.post("/catalogue/brouillons/<int:draft_id>/formules/<code>")
@requires(May.EDIT_CATALOGUE)
@commits
def catalogue_draft_save_plan(draft_id: int, code: str) -> ResponseReturnValue:
    """Keep what a plan includes; a new one then asks for its tariffs."""
    return _kept(draft_id, lambda draft: _plan(draft, code))


def _plan(draft: CatalogueDraft, code: str) -> Editing:
    entry = _entry(draft, "plans", code)
    features = _named(draft, "features")
    names, locale = catalogue_published.reseller_names(db.session()), current_locale()
    return Editing(
        draft,
        "plans",
        code,
        forms.plan_form(entry, features, is_new=not code),
        forms.plan_shown(entry, features),
        lambda form: forms.plan_entry(form, entry, features),
        say("Formule %(name)s", name=_name(entry)) if code else say("Nouvelle formule"),
        lambda made, index: prefixes_of("plans", made["code"], index),
        {
            "prices": [
                (
                    catalogue_words.tariff(key_of(price), names, locale),
                    int(price["amount"].replace(".", "")),
                    price_address(draft, code, price),
                )
                for price in entry.get("prices", ())
            ],
            "addable": _addable(draft, entry, names, locale) if code else [],
        },
    )


def _addable(
    draft: CatalogueDraft, entry: Mapping[str, Any], names: Mapping[str, str], locale: str
) -> list[tuple[str, str]]:
    """The tariffs that the plan does not have yet: what they are called, and their page."""
    present = {key_of(price) for price in entry.get("prices", ())}
    keys = [PriceKey(each, "EUR", seller) for seller in (None, *names) for each in FREQUENCIES]
    return [
        (
            catalogue_words.tariff(key, names, locale),
            price_address(draft, entry["code"], {"frequency": key.frequency, "reseller": key.reseller}),
        )
        for key in keys
        if key not in present
    ]


# ── Tariffs of a plan ────────────────────────────────────────────────────────────────────────────────────────────


@bp.get("/catalogue/brouillons/<int:draft_id>/formules/<code>/tarifs/<frequency>")
@requires(May.EDIT_CATALOGUE)
def catalogue_draft_price(draft_id: int, code: str, frequency: str) -> ResponseReturnValue:
    """One tariff: its price, those of further establishments, and its terms."""
    return _shown(_price(found(draft_id), code, frequency))


@bp.post("/catalogue/brouillons/<int:draft_id>/formules/<code>/tarifs/<frequency>")
@requires(May.EDIT_CATALOGUE)
@commits
def catalogue_draft_save_price(draft_id: int, code: str, frequency: str) -> ResponseReturnValue:
    return _kept(draft_id, lambda draft: _price(draft, code, frequency))


@bp.post("/catalogue/brouillons/<int:draft_id>/formules/<code>/tarifs/<frequency>/retrait")
@requires(May.EDIT_CATALOGUE)
@commits
def catalogue_draft_remove_price(draft_id: int, code: str, frequency: str) -> ResponseReturnValue:
    """Take a tariff away from a plan, in the draft: publishing then makes a new version without it."""
    session, form = db.session(), ButtonForm()
    editing = _price(found(draft_id), code, frequency)
    if not form.validate_on_submit():
        return _shown(editing, status=422)
    try:
        draft = drafts.take(session, draft_id, form.version.data)
    except Refusal as refusal:
        session.rollback()
        return _stale(_price(found(draft_id), code, frequency), None, refusal)
    entry, key = _entry(draft, "plans", code), _key(frequency)
    prices = [price for price in entry["prices"] if key_of(price) != key]
    save(draft, _with(draft.content, "plans", code, entry | {"prices": prices}), f"plans/{code}")
    flash(_("Le tarif est retiré du brouillon."), "good")
    return redirect_to(url_for(".catalogue_draft_plan", draft_id=draft_id, code=code))


def _price(draft: CatalogueDraft, code: str, frequency: str) -> Editing:
    entry, key = _entry(draft, "plans", code), _key(frequency)
    prices = list(entry.get("prices", ()))
    keys = [key_of(price) for price in prices]
    place = keys.index(key) if key in keys else len(prices)
    # A further tariff begins like the first one, terms and all; its price is to be said.
    before = prices[place] if place < len(prices) else {**prices[0], "amount": None} if prices else {}

    def read(form: EntryForm) -> Fields:
        made = forms.plan_price_entry(form, key, before)
        return entry | {"prices": [*prices[:place], made, *prices[place + 1 :]]}

    names, locale = catalogue_published.reseller_names(db.session()), current_locale()
    return Editing(
        draft,
        "plans",
        code,
        forms.plan_price_form(before),
        forms.plan_price_shown(before),
        read,
        say(
            "%(plan)s : tarif %(often)s, %(seller)s",
            plan=_name(entry),
            often=say(catalogue_words.FREQUENCIES[key.frequency]),
            seller=catalogue_words.seller(key.reseller, names, locale),
        ),
        lambda made, index: [f"{prefix}.prices[{place}]" for prefix in prefixes_of("plans", code, index)],
        {
            "may_remove": place < len(prices),
            "plan": (code, _name(entry)),
            "removal": url_for(
                ".catalogue_draft_remove_price",
                draft_id=draft.id,
                code=code,
                frequency=frequency,
                revendeur=key.reseller,
            ),
        },
    )


def _key(frequency: str) -> PriceKey:
    """The tariff that the address names."""
    reseller = request.args.get("revendeur") or None
    known = catalogue_published.resellers(db.session())
    if frequency not in FREQUENCY_WORDS or (reseller is not None and reseller not in known):
        abort(404)
    return PriceKey(FREQUENCY_WORDS[frequency], "EUR", reseller)


# ── Options ──────────────────────────────────────────────────────────────────────────────────────────────────────


@bp.get(
    "/catalogue/brouillons/<int:draft_id>/options",
    defaults={"code": ""},
    endpoint="catalogue_draft_new_option",
)
@bp.get("/catalogue/brouillons/<int:draft_id>/options/<code>")
@requires(May.EDIT_CATALOGUE)
def catalogue_draft_option(draft_id: int, code: str) -> ResponseReturnValue:
    """All of an option. A new one is first asked how it is sold."""
    draft = found(draft_id)
    if not code and _kind() is None:
        return _kind_page(draft)
    return _shown(_option(draft, code))


@bp.post(
    "/catalogue/brouillons/<int:draft_id>/options",
    defaults={"code": ""},
    endpoint="catalogue_draft_add_option",
)
@bp.post("/catalogue/brouillons/<int:draft_id>/options/<code>")
@requires(May.EDIT_CATALOGUE)
@commits
def catalogue_draft_save_option(draft_id: int, code: str) -> ResponseReturnValue:
    if not code and _kind() is None:
        return _kind_page(found(draft_id), 422)
    return _kept(draft_id, lambda draft: _option(draft, code))


def _option(draft: CatalogueDraft, code: str) -> Editing:
    entry = _entry(draft, "options", code)
    kind = entry["kind"] if code else str(_kind())
    sellers = catalogue_published.reseller_names(db.session())
    shelf = option_forms.Shelf(
        _named(draft, "plans"),
        [(other, name) for other, name in _named(draft, "options") if other != code],
        _named(draft, "features"),
        [(None, say("Vente directe")), *sellers.items()],
    )
    return Editing(
        draft,
        "options",
        code,
        option_forms.option_form(shelf, kind, is_new=not code),
        option_forms.option_shown(entry, _place(draft, "options", code)),
        lambda form: option_forms.option_entry(form, entry, shelf, kind),
        say("Option %(name)s", name=_name(entry)) if code else say("Nouvelle option"),
        lambda made, index: prefixes_of("options", made["code"], index),
        {"lead": catalogue_words.KINDS[kind]},
    )


def _kind() -> str | None:
    """How a new option is sold, once it is said in the address."""
    kind = request.args.get("kind")
    return kind if kind in OPTION_KINDS else None


def _kind_page(draft: CatalogueDraft, status: int = 200) -> ResponseReturnValue:
    page = render(
        "staff/catalogue_draft_kind.html", draft=draft, form=option_forms.kind_form()(formdata=None)
    )
    return page, status


# ── Compared services ────────────────────────────────────────────────────────────────────────────────────────────


@bp.get(
    "/catalogue/brouillons/<int:draft_id>/services",
    defaults={"code": ""},
    endpoint="catalogue_draft_new_feature",
)
@bp.get("/catalogue/brouillons/<int:draft_id>/services/<code>")
@requires(May.EDIT_CATALOGUE)
def catalogue_draft_feature(draft_id: int, code: str) -> ResponseReturnValue:
    """A line of the comparison."""
    return _shown(_feature(found(draft_id), code))


@bp.post(
    "/catalogue/brouillons/<int:draft_id>/services",
    defaults={"code": ""},
    endpoint="catalogue_draft_add_feature",
)
@bp.post("/catalogue/brouillons/<int:draft_id>/services/<code>")
@requires(May.EDIT_CATALOGUE)
@commits
def catalogue_draft_save_feature(draft_id: int, code: str) -> ResponseReturnValue:
    return _kept(draft_id, lambda draft: _feature(draft, code))


def _feature(draft: CatalogueDraft, code: str) -> Editing:
    entry = _entry(draft, "features", code)
    return Editing(
        draft,
        "features",
        code,
        option_forms.feature_form(is_new=not code),
        option_forms.feature_shown(entry, _place(draft, "features", code)),
        lambda form: option_forms.feature_entry(form, entry),
        say("Service comparé %(name)s", name=_name(entry)) if code else say("Nouveau service comparé"),
        lambda made, index: prefixes_of("features", made["code"], index),
    )


# ── What they share ──────────────────────────────────────────────────────────────────────────────────────────────


def _kept(draft_id: int, editing_of: Callable[[CatalogueDraft], Editing]) -> ResponseReturnValue:
    """Keep the entry typed: 422 with each complaint beside its field, 409 when a colleague was faster."""
    session, editing = db.session(), editing_of(found(draft_id))
    form = editing.form()
    if not form.validate_on_submit():
        return _shown(editing, form, 422)
    try:
        draft = drafts.take(session, draft_id, form.version.data)
    except Refusal as refusal:
        session.rollback()
        return _stale(editing_of(found(draft_id)), form, refusal)
    editing = editing_of(draft)
    made = editing.read(form)
    # Checked as the last of its list: what two entries may not share is then said of the one at hand.
    trial = _with(draft.content, editing.section, editing.code, made, LAST)
    prefixes = editing.prefixes(made, len(trial[editing.section]) - 1)
    names, locale = catalogue_published.reseller_names(session), current_locale()
    problems = drafts.check(session, trial).problems
    if form.blame(problems, prefixes, lambda one: catalogue_words.complaint(one, names, locale)):
        return _shown(editing, form, 422)
    place = form["place"].data if "place" in form else None
    fields = _with(draft.content, editing.section, editing.code, made, place)
    save(draft, fields, f"{editing.section}/{made['code']}")
    flash(KEPT, "good")
    return redirect_to(_next(editing, made["code"]))


def _next(editing: Editing, code: str) -> str:
    """A plan leads to its tariffs, a tariff back to its plan, the rest to the draft."""
    if editing.section == "plans" and (not editing.code or "plan" in editing.extra):
        return url_for(".catalogue_draft_plan", draft_id=editing.draft.id, code=code)
    return url_for(".catalogue_draft", draft_id=editing.draft.id)


def _stale(editing: Editing, form: EntryForm | None, refusal: Refusal) -> ResponseReturnValue:
    """What was typed stays on the page, which now stands on the draft as it is."""
    form = form or editing.form(formdata=None, data=editing.shown)
    form.form_errors.append(explain(refusal, current_locale()))
    return _shown(editing, form, 409)


def _shown(editing: Editing, form: EntryForm | None = None, status: int = 200) -> ResponseReturnValue:
    form = form or editing.form(formdata=None, data=editing.shown)
    form.version.raw_data, form.version.data = None, editing.draft.version
    page = render(
        "staff/catalogue_draft_entry.html",
        draft=editing.draft,
        title=editing.title,
        section=editing.section,
        form=form,
        is_open=editing.draft.state == "open",
        address=request.full_path.rstrip("?"),
        **{"prices": None, "addable": [], "may_remove": False, "removal": "", "plan": None, "lead": ""}
        | dict(editing.extra),
    )
    return page, status


def _entry(draft: CatalogueDraft, section: str, code: str) -> Fields:
    """The entry of that code, an empty one for a new entry; 404 when the draft has none."""
    if not code:
        return {}
    return entry_of(draft.content, section, code) or abort(404)


def _with(
    content: Mapping[str, Any], section: str, code: str, entry: Fields, place: int | None = None
) -> Fields:
    """The fields of the draft with the entry where it stood, or at `place`, counted from 1."""
    entries = list(content[section])
    index = next((i for i, each in enumerate(entries) if code and each["code"] == code), len(entries))
    entries[index : index + 1] = []
    entries.insert(index if place is None else min(place - 1, len(entries)), entry)
    return dict(content) | {section: entries}


def _place(draft: CatalogueDraft, section: str, code: str) -> int:
    """Where it stands, counted from 1; a new entry comes last."""
    codes = [entry["code"] for entry in draft.content[section]]
    return codes.index(code) + 1 if code in codes else len(codes) + 1


def _named(draft: CatalogueDraft, section: str) -> list[tuple[str, str]]:
    return [(entry["code"], _name(entry)) for entry in draft.content[section]]


def _name(entry: Mapping[str, Any]) -> str:
    return str(entry["name"].get(current_locale()) or entry["code"])
