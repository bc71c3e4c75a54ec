"""The establishments' pages: list and services, add, correct, remove, bring back, import."""

import unicodedata
import uuid
from collections.abc import Sequence

from flask import Response, abort, current_app, flash, make_response, request, url_for
from flask.typing import ResponseReturnValue
from itsdangerous import BadSignature, URLSafeSerializer

from webapp import auth, clock, confirming, htmx
from webapp.adapters import establishments_csv
from webapp.auth import requires
from webapp.blueprints.establishments import bp, import_report, listing, matrix, previews
from webapp.blueprints.establishments.forms import (
    ConfirmAdditionForm,
    ConfirmImportForm,
    EstablishmentForm,
    ImportForm,
    asked_services,
    wishes_as_text,
    wishes_from_text,
)
from webapp.confirming import ConfirmForm, Given
from webapp.domain import coverage
from webapp.domain.access import May
from webapp.domain.option_change import Wish
from webapp.domain.refusals import Refusal, UnknownEstablishment
from webapp.establishment_words import WRONG
from webapp.extensions import db
from webapp.i18n import explain
from webapp.rendering import current_locale, render, say, say_count
from webapp.services import (
    catalogue,
    contracts,
    establishments,
    options,
    subscriptions,
)
from webapp.services.contracts import Situation
from webapp.services.establishments import ImportedLine
from webapp.services.subscriptions import NewEstablishment
from webapp.transactions import commits

MOST_CARRIED = 200_000  # bytes of the good lines of a file, signed and compressed, in their hidden field


# ── The list and the services ────────────────────────────────────────────────────────────────────────────────────


@bp.get("")
@requires(May.READ_SUBSCRIPTION)
def index(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """Every establishment with its price and its services; searched and paged."""
    return htmx.page_or_fragment(
        "establishments/index.html", "establishments/_establishments.html", page=_index_page(subscription_id)
    )


def _index_page(subscription_id: uuid.UUID) -> listing.IndexPage:
    session, today = db.session(), clock.today()
    situation = contracts.load(session, subscription_id)
    return listing.index_page(
        situation,
        subscriptions.options_on_sale(session, situation, today),
        catalogue.features_compared(session),
        today,
        current_locale(),
        search=_plain(request.args.get("q", "")),
        typed=request.args.get("q", "").strip()[:80],
        number=request.args.get("page", 1, type=int),
        may_change=auth.visit_allows(May.CHANGE_ESTABLISHMENTS),
        may_switch=auth.visit_allows(May.CHANGE_OPTIONS),
    )


def _plain(typed: str) -> str:
    bare = unicodedata.normalize("NFKD", typed.strip()[:80].casefold())
    return "".join(sign for sign in bare if not unicodedata.combining(sign))


@bp.post("/services/apercu")
@requires(May.CHANGE_OPTIONS)
@commits
def preview_services(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """What the switches ask for, worked out. Nothing is written."""
    code = request.form.get("mend")
    if code is not None:
        wishes = _mending(subscription_id, code)
    else:
        wishes = asked_services(request.form.getlist("shown"), request.form.getlist("service"))
    return _services(subscription_id, wishes)


def _mending(subscription_id: uuid.UUID, code: str) -> list[Wish]:
    """What fills the gaps of one service, with what it needs; or ends what is paid where nobody is in service."""
    session, today = db.session(), clock.today()
    situation = contracts.load(session, subscription_id)
    contract = situation.contract.on(today)
    if code == matrix.IDLE:
        return [Wish(each.code, 0, each.establishment_id) for each in coverage.idle(contract, today)]
    offers = {each.code: each for each in subscriptions.options_on_sale(session, situation, today)}
    if code not in offers:
        abort(404)
    wishes = []
    for gap in coverage.gaps(contract, [code], today):
        for place in gap.establishment_ids:
            needed = [
                each
                for each in offers[code].requires
                if each in offers
                and offers[each].kind == "per_establishment"
                and contract.plan_code not in offers[each].included_by
                and place not in coverage.held_at(contract, each, today)
            ]
            wishes += [Wish(each, 1, place) for each in (*needed, code)]
    return wishes


@bp.post("/services/confirmer")
@requires(May.CHANGE_OPTIONS)
@commits
def save_services(subscription_id: uuid.UUID) -> ResponseReturnValue:
    form = ConfirmForm()
    carried = request.form.get("wishes", "")
    wishes = wishes_from_text(carried)

    def show(status: int) -> ResponseReturnValue:
        return _services(subscription_id, wishes, status=status, is_stale=True)

    def act(given: Given) -> str:
        options.save(
            given.session, subscription_id, wishes, given.fingerprint, given.today, given.now, given.actor,
            link=_index(subscription_id, _external=True),
        )  # fmt: skip
        return _index(subscription_id)

    return confirming.once(
        subscription_id,
        form,
        ("services", carried),
        act,
        show=show,
        refuse=_refused,
        said=say("Vos services sont enregistrés."),
    )


def _services(
    subscription_id: uuid.UUID, wishes: Sequence[Wish], status: int = 200, is_stale: bool = False
) -> ResponseReturnValue:
    try:
        preview = options.preview(db.session(), subscription_id, wishes, clock.today())
    except Refusal as refusal:
        return _refused(subscription_id, refusal)
    page = previews.services_page(preview, current_locale())
    if not preview.change.moves:
        flash(say("Il n’y a rien à enregistrer : vos choix sont ceux qui sont en vigueur."), "warn")
        return htmx.redirect_to(url_for(".index", subscription_id=subscription_id))
    return htmx.page_or_fragment(
        "establishments/services_preview.html",
        "establishments/_services_preview.html",
        status=status,
        page=page,
        wishes=wishes_as_text(wishes),
        key=confirming.new_key(),
        is_stale=is_stale,
    )


# ── Adding ───────────────────────────────────────────────────────────────────────────────────────────────────────


@bp.get("/ajouter")
@requires(May.CHANGE_ESTABLISHMENTS)
def add(subscription_id: uuid.UUID) -> ResponseReturnValue:
    return _addition(subscription_id, EstablishmentForm())


@bp.post("/ajouter")
@requires(May.CHANGE_ESTABLISHMENTS)
@commits
def preview_addition(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """The address typed, its rate and its dates. Nothing is written."""
    form = EstablishmentForm()
    if not form.validate_on_submit() or "correct" in request.form:
        return _addition(subscription_id, form, status=422 if form.errors else 200)
    return _addition_previewed(subscription_id, form.details())


@bp.post("/ajouter/confirmer")
@requires(May.CHANGE_ESTABLISHMENTS)
@commits
def confirm_addition(subscription_id: uuid.UUID) -> ResponseReturnValue:
    form = ConfirmAdditionForm()
    form.validate_on_submit()
    if any(form[each].errors for each in WRONG):
        return _addition(subscription_id, form, status=422)
    details = form.details()

    def show(status: int) -> ResponseReturnValue:
        return _addition_previewed(subscription_id, details, status=status, is_stale=True)

    def act(given: Given) -> str:
        return _saved(subscription_id, given, adding=[details])

    said = say("%(establishment)s est ajouté et en service.", establishment=details.name)
    return confirming.once(
        subscription_id, form, ("add", details), act, show=show, refuse=_refused, said=said
    )


def _addition(subscription_id: uuid.UUID, form: EstablishmentForm, status: int = 200) -> ResponseReturnValue:
    example = NewEstablishment("", "", "", "")
    try:
        preview = establishments.preview(db.session(), subscription_id, [example], [], clock.today())
    except Refusal as refusal:
        return _refused(subscription_id, refusal)
    return make_response(
        render(
            "establishments/add.html",
            page=previews.coming_page(preview, current_locale()),
            form=form,
        ),
        status,
    )


def _addition_previewed(
    subscription_id: uuid.UUID, details: NewEstablishment, status: int = 200, is_stale: bool = False
) -> ResponseReturnValue:
    try:
        preview = establishments.preview(db.session(), subscription_id, [details], [], clock.today())
    except Refusal as refusal:
        return _refused(subscription_id, refusal)
    return htmx.page_or_fragment(
        "establishments/add_preview.html",
        "establishments/_add_preview.html",
        status=status,
        page=previews.coming_page(preview, current_locale()),
        details=details,
        key=confirming.new_key(),
        is_stale=is_stale,
    )


# ── Correcting ───────────────────────────────────────────────────────────────────────────────────────────────────


@bp.get("/<uuid:establishment_id>/modifier")
@requires(May.CHANGE_ESTABLISHMENTS)
def edit(subscription_id: uuid.UUID, establishment_id: uuid.UUID) -> ResponseReturnValue:
    details = _details_or_404(subscription_id, establishment_id)
    try:
        subscriptions.ensure_running(contracts.load(db.session(), subscription_id), clock.today())
    except Refusal as refusal:
        return _refused(subscription_id, refusal)
    return _edit_page(subscription_id, establishment_id, EstablishmentForm(obj=details))


@bp.post("/<uuid:establishment_id>/modifier")
@requires(May.CHANGE_ESTABLISHMENTS)
@commits
def save(subscription_id: uuid.UUID, establishment_id: uuid.UUID) -> ResponseReturnValue:
    """Correct a name or an address: nothing is billed, issued documents keep theirs."""
    _details_or_404(subscription_id, establishment_id)
    form = EstablishmentForm()
    if not form.validate_on_submit():
        return _edit_page(subscription_id, establishment_id, form, status=422)
    details = form.details()
    try:
        establishments.edit(
            db.session(),
            subscription_id,
            establishment_id,
            details,
            clock.today(),
            clock.now(),
            auth.current().actor,
        )
    except Refusal as refusal:
        return _refused(subscription_id, refusal)
    flash(say("%(establishment)s est corrigé.", establishment=details.name), "good")
    return htmx.redirect_to(url_for(".index", subscription_id=subscription_id))


def _edit_page(
    subscription_id: uuid.UUID, establishment_id: uuid.UUID, form: EstablishmentForm, status: int = 200
) -> ResponseReturnValue:
    page = render(
        "establishments/edit.html",
        form=form,
        subscription_id=subscription_id,
        establishment_id=establishment_id,
    )
    return make_response(page, status)


def _details_or_404(subscription_id: uuid.UUID, establishment_id: uuid.UUID) -> NewEstablishment:
    try:
        return establishments.find(db.session(), subscription_id, establishment_id)
    except UnknownEstablishment:
        abort(404)


# ── Removing, and bringing back ──────────────────────────────────────────────────────────────────────────────────


@bp.get("/<uuid:establishment_id>/retirer")
@requires(May.CHANGE_ESTABLISHMENTS)
def preview_removal(subscription_id: uuid.UUID, establishment_id: uuid.UUID) -> ResponseReturnValue:
    """What goes with the establishment, when, and what it saves. Nothing is written."""
    _details_or_404(subscription_id, establishment_id)
    return _removal(subscription_id, establishment_id, request.args.getlist("avec"))


@bp.post("/<uuid:establishment_id>/retirer")
@requires(May.CHANGE_ESTABLISHMENTS)
@commits
def remove(subscription_id: uuid.UUID, establishment_id: uuid.UUID) -> ResponseReturnValue:
    session, form, along = db.session(), ConfirmForm(), sorted(set(request.form.getlist("avec")))
    situation = contracts.load(session, subscription_id)
    address = situation.addresses.get(establishment_id.hex)
    if address is None:
        abort(404)

    def show(status: int) -> ResponseReturnValue:
        return _removal(subscription_id, establishment_id, along, status=status, is_stale=True)

    def act(given: Given) -> str:
        along_wishes = [Wish(code, 0) for code in along]
        return _saved(subscription_id, given, removing=[establishment_id.hex], option_wishes=along_wishes)

    said = say("%(establishment)s n’est plus en service.", establishment=address.name)
    return confirming.once(
        subscription_id,
        form,
        ("remove", establishment_id, *along),
        act,
        show=show,
        refuse=_refused,
        said=said,
    )


def _removal(
    subscription_id: uuid.UUID,
    establishment_id: uuid.UUID,
    along: Sequence[str],
    status: int = 200,
    is_stale: bool = False,
) -> ResponseReturnValue:
    wishes = [Wish(code, 0) for code in sorted(set(along))]
    try:
        preview = establishments.preview(
            db.session(), subscription_id, [], [establishment_id.hex], clock.today(), wishes
        )
    except Refusal as refusal:
        return _refused(subscription_id, refusal)
    return htmx.page_or_fragment(
        "establishments/remove.html",
        "establishments/_remove.html",
        status=status,
        page=previews.leaving_page(preview, current_locale()),
        establishment_id=establishment_id,
        along=sorted(set(along)),
        key=confirming.new_key(),
        is_stale=is_stale,
    )


@bp.post("/<uuid:establishment_id>/remettre")
@requires(May.CHANGE_ESTABLISHMENTS)
@commits
def undo_removal(subscription_id: uuid.UUID, establishment_id: uuid.UUID) -> ResponseReturnValue:
    """Bring back what was removed today. Pressed twice, the second does nothing."""
    session = db.session()
    situation = contracts.load(session, subscription_id)
    address = situation.addresses.get(establishment_id.hex)
    if address is None:
        abort(404)
    active = situation.contract.establishments_active_on(clock.today())
    if establishment_id.hex not in {each.id for each in active}:
        try:
            establishments.undo_removal(
                session, subscription_id, establishment_id, clock.today(), clock.now(), auth.current().actor
            )
        except Refusal as refusal:
            return _refused(subscription_id, refusal)
    flash(say("%(establishment)s est de nouveau en service.", establishment=address.name), "good")
    return htmx.redirect_to(url_for(".index", subscription_id=subscription_id))


# ── Importing ────────────────────────────────────────────────────────────────────────────────────────────────────


@bp.get("/importer")
@requires(May.CHANGE_ESTABLISHMENTS)
def choose_file(subscription_id: uuid.UUID) -> ResponseReturnValue:
    return _file_page(subscription_id, ImportForm())


@bp.get("/importer/modele.csv")
@requires(May.CHANGE_ESTABLISHMENTS)
def file_template(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """An empty file with the headers in the reader's language."""
    answer = Response(establishments_csv.template(current_locale()), mimetype="text/csv")
    name = say("etablissements.csv")
    answer.headers.set("Content-Disposition", "attachment", filename=name)
    return answer


@bp.post("/importer")
@requires(May.CHANGE_ESTABLISHMENTS)
@commits
def preview_import(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """The file, line by line: added, known already, refused and why, with the price. Nothing is written."""
    form = ImportForm()
    if not form.validate_on_submit():
        return _file_page(subscription_id, form, status=422)
    try:
        if not form.file.data:
            raise establishments_csv.BrokenCsv("empty")
        lines = establishments_csv.read(form.file.data.read(establishments_csv.MOST_BYTES + 1))
    except establishments_csv.BrokenCsv as broken:
        form.file.errors = [import_report.why_unreadable(broken, current_locale())]
        return _file_page(subscription_id, form, status=422)
    situation = contracts.load(db.session(), subscription_id)
    numbered = [(line.number, line.cells) for line in lines]
    report = establishments.sort_lines(situation, numbered, clock.today())
    return _import_report(subscription_id, form, report)


@bp.post("/importer/confirmer")
@requires(May.CHANGE_ESTABLISHMENTS)
@commits
def confirm_import(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """Add the good lines, all or none of them."""
    form = ConfirmImportForm()
    carried = str(form.lines.data or "")
    try:
        numbered = _carrier(subscription_id).loads(carried)
    except BadSignature:
        abort(400)
    situation = contracts.load(db.session(), subscription_id)
    cells = [(number, dict(zip(establishments_csv.COLUMNS, each, strict=True))) for number, each in numbered]
    adding = [establishments.checked(each)[0] for _number, each in cells]

    def show(status: int) -> ResponseReturnValue:
        report = establishments.sort_lines(situation, cells, clock.today())
        return _import_report(subscription_id, ImportForm(), report, status=status, is_stale=True)

    def act(given: Given) -> str:
        return _saved(subscription_id, given, adding=adding)

    said = say_count(
        "Un établissement est ajouté et en service.",
        "%(count)s établissements sont ajoutés et en service.",
        len(adding),
    )
    return confirming.once(
        subscription_id, form, ("import", carried), act, show=show, refuse=_refused, said=said
    )


def _carrier(subscription_id: uuid.UUID) -> URLSafeSerializer:
    """Signs the good lines from the report to its confirmation: no second upload, nothing kept meanwhile."""
    return URLSafeSerializer(
        current_app.secret_key or "", salt=f"establishments-import-{subscription_id.hex}"
    )


def _file_page(subscription_id: uuid.UUID, form: ImportForm, status: int = 200) -> ResponseReturnValue:
    page = render("establishments/import.html", form=form, subscription_id=subscription_id)
    return make_response(page, status)


def _import_report(
    subscription_id: uuid.UUID,
    form: ImportForm,
    report: Sequence[ImportedLine],
    status: int = 200,
    is_stale: bool = False,
) -> ResponseReturnValue:
    good = [line for line in report if line.outcome == "added"]
    carried = _carrier(subscription_id).dumps(
        [
            [line.number, [getattr(line.details, name) or "" for name in establishments_csv.COLUMNS]]
            for line in good
        ]
    )
    if len(carried) > MOST_CARRIED:
        form.file.errors = [say("Ce fichier est trop long pour être importé en une fois. Coupez-le en deux.")]
        return _file_page(subscription_id, form, status=422)
    try:
        preview = establishments.preview(
            db.session(), subscription_id, [line.details for line in good], [], clock.today()
        )
    except Refusal as refusal:
        return _refused(subscription_id, refusal)
    return htmx.page_or_fragment(
        "establishments/import_report.html",
        "establishments/_import_report.html",
        status=status,
        page=previews.coming_page(preview, current_locale()),
        report=import_report.report(report, current_locale()),
        carried=carried,
        key=confirming.new_key(),
        is_stale=is_stale,
    )


# ── Shared ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _saved(
    subscription_id: uuid.UUID,
    given: Given,
    adding: Sequence[NewEstablishment] = (),
    removing: Sequence[str] = (),
    option_wishes: Sequence[Wish] = (),
) -> str:
    """Save what comes and goes as it was shown; where the answer leads."""
    establishments.save(
        given.session,
        subscription_id,
        adding,
        removing,
        given.fingerprint,
        given.today,
        given.now,
        given.actor,
        link=_index(subscription_id, _external=True),
        option_wishes=option_wishes,
    )
    return _index(subscription_id)


def _index(subscription_id: uuid.UUID, _external: bool = False) -> str:
    return url_for(".index", subscription_id=subscription_id, _external=_external)


def _refused(subscription_id: uuid.UUID, refusal: Refusal) -> ResponseReturnValue:
    """Why this cannot be done, and the way on: never a dead end."""
    locale, session = current_locale(), db.session()
    situation: Situation = contracts.load(session, subscription_id)
    offers = subscriptions.options_on_sale(session, situation, clock.today())
    names = subscriptions.names_by_code(session, subscription_id, locale)
    names |= {offer.code: str(offer.names[locale]) for offer in offers}
    return htmx.page_or_fragment(
        "establishments/refused.html",
        "establishments/_refused.html",
        status=422,
        sentence=explain(refusal, locale, names),
        subscription_id=subscription_id,
    )
