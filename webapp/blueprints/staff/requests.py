"""The requests inbox: who waits for an answer, what was said, and the answer, in the client's language (S6)."""

import uuid
from datetime import date, datetime
from typing import Any

from flask import abort, flash, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import BooleanField, HiddenField, IntegerField, SelectField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length, Optional, Regexp
from wtforms.widgets import HiddenInput

from webapp import auth, clock, htmx
from webapp.auth import requires
from webapp.blueprints.staff import bp
from webapp.domain.access import May
from webapp.domain.refusals import KeyReused, StalePage
from webapp.extensions import db
from webapp.forms import PortalForm
from webapp.htmx import redirect_to
from webapp.i18n import LANGUAGES, _
from webapp.models.requests import ClientRequest
from webapp.rendering import current_locale, render
from webapp.services import idempotency, requests, saved_replies
from webapp.services.requests import Conversation, NobodyToAnswer, RequestNotFound
from webapp.services.saved_replies import ReplyNotFound
from webapp.services.wording import text
from webapp.transactions import commits

# The views of the inbox: the word in the address, then the name on the page.
VIEWS = {
    "a-traiter": ("todo", _("À traiter")),
    "les-miennes": ("mine", _("Les miennes")),
    "en-attente": ("elsewhere", _("Chez le client")),
    "closes": ("closed", _("Closes")),
    "toutes": ("all", _("Toutes")),
}
KINDS = {
    "message": _("Message"),
    "quotation": _("Devis"),
    "details": _("Coordonnées à vérifier"),
    "termination": _("Résiliation"),
    "partner": _("Adressée au partenaire"),
}
STATES = {
    "new": (_("Nouvelle"), "accent"),
    "assigned": (_("Attribuée"), "accent"),
    "waiting": (_("Attend le client"), "plain"),
    "answered": (_("Répondue"), "good"),
    "closed": (_("Close"), "plain"),
}
LATE_DAYS = 2  # from which the wait of a client is said in red
KEY = (InputRequired(), Regexp(r"^[0-9a-f]{32}$"))


class RequestAnswerForm(PortalForm):
    """An answer: the key that sends it once, the last words that its writer had read, and the text."""

    idempotency_key = HiddenField(validators=KEY)
    seen = IntegerField(validators=[InputRequired()], widget=HiddenInput())
    text = TextAreaField(
        _("Votre réponse"),
        [
            DataRequired(_("Écrivez votre réponse.")),
            Length(
                max=requests.LONGEST, message=_("Votre message est trop long : 5 000 caractères au plus.")
            ),
        ],
    )
    awaits_client = BooleanField(_("J’attends une précision du client"))


class RequestNoteForm(PortalForm):
    """Something for colleagues alone."""

    note = TextAreaField(
        _("Nouvelle note"),
        [DataRequired(_("Écrivez la note.")), Length(max=4000)],
        description=_("Le client ne la voit pas."),
    )


class AssignForm(PortalForm):
    """Who takes care of it."""

    assignee = SelectField(_("Qui s’en charge"), [Optional()], choices=[], validate_choice=False)


@bp.get("/demandes", endpoint="requests")
@requires(May.HELP_ACCOUNTS)
def requests_() -> ResponseReturnValue:
    """The inbox: what waits longest first. Four statements at the most, whatever it holds."""
    word = request.args.get("vue", "")
    word = word if word in VIEWS else next(iter(VIEWS))
    kind = request.args.get("type", "")
    kind = kind if kind in KINDS else ""
    number = max(1, request.args.get("page", 1, type=int))
    rows, count = requests.listed(
        db.session(), VIEWS[word][0], auth.current().user_id, kind=kind, number=number
    )
    pages = -(-count // requests.PAGE)

    def at(view: str = word, of_kind: str = kind, page: int = 1) -> str:
        asked: dict[str, Any] = {"vue": view, "type": of_kind or None, "page": page if page > 1 else None}
        return url_for(".requests", **asked)

    return htmx.page_or_fragment(
        "staff/requests.html",
        "staff/_requests.html",
        rows=[(each, _days(each.waiting_since)) for each in rows],
        count=count,
        views=[(at(each), VIEWS[each][1], each == word) for each in VIEWS],
        kinds=[(at(of_kind=each), label, each == kind) for each, label in {"": _("Tout"), **KINDS}.items()],
        kind_names=KINDS,
        state_names=STATES,
        is_todo=word == "a-traiter",
        late_days=LATE_DAYS,
        number=number,
        pages=[
            (each, at(page=each), each == number)
            for each in range(max(1, number - 2), min(pages, number + 2) + 1)
        ],
        next_page=at(page=number + 1) if number < pages else "",
        may_administer=auth.visit_allows(May.ADMINISTER),
    )


def _days(since: datetime | None) -> int | None:
    """Calendar days since the client waits, as the team counts them; None when nobody does."""
    return None if since is None else (clock.today() - clock.local(since).date()).days


@bp.get("/demandes/<int:request_id>")
@requires(May.HELP_ACCOUNTS)
def request_page(request_id: int) -> ResponseReturnValue:
    """One request; with `?reponse=`, the answer begun by a saved reply, in the client's language."""
    found = _found(request_id)
    form = _answer_form(found, request.args.get("reponse", type=int))
    if htmx.wants_fragment():
        return render("staff/_request_answer.html", **_answering(found, form))
    return _page(found, form)


@bp.post("/demandes/<int:request_id>/reponse")
@requires(May.HELP_ACCOUNTS)
@commits
def request_answer(request_id: int) -> ResponseReturnValue:
    """Send the answer once; 409 when somebody wrote since the page was opened, with what was typed kept."""
    session, form, here, now = db.session(), RequestAnswerForm(), auth.current(), clock.now()
    found = _found(request_id)
    if not form.validate_on_submit():
        return _page(found, form, status=422)
    key, words = str(form.idempotency_key.data), str(form.text.data).strip()
    back = url_for(".request_page", request_id=request_id)
    asked = idempotency.request_hash("request", request_id, words)
    row = requests.lock(session, request_id)
    try:
        if idempotency.replied(session, row.account_id, key, asked) is None:
            requests.answer(
                session,
                request_id,
                words,
                seen=int(form.seen.data or 0),
                awaits_client=bool(form.awaits_client.data),
                agent_id=here.user_id,
                link=_client_page,
                actor=here.staff_actor,
                now=now,
            )
            idempotency.remember(session, row.account_id, key, asked, back, now)
    except NobodyToAnswer:
        abort(404)
    except (StalePage, KeyReused):
        session.rollback()
        return _page(_found(request_id), form, status=409)
    flash(_("La réponse est partie."), "good")
    return redirect_to(back)


def _client_page(row: ClientRequest) -> str:
    """Where the client reads the answer; nothing for an account that never signed."""
    if row.subscription_id is None:
        return ""
    return url_for(
        "help.request_page", subscription_id=row.subscription_id, request_id=row.id, _external=True
    )


@bp.post("/demandes/<int:request_id>/notes")
@requires(May.HELP_ACCOUNTS)
@commits
def request_note(request_id: int) -> ResponseReturnValue:
    """Keep a note for colleagues."""
    found, form = _found(request_id), RequestNoteForm()
    if not form.validate_on_submit():
        return _page(found, note_form=form, status=422)
    requests.note(db.session(), request_id, str(form.note.data), auth.current().staff_actor, clock.now())
    flash(_("La note est gardée."), "good")
    return redirect_to(url_for(".request_page", request_id=request_id))


@bp.post("/demandes/<int:request_id>/attribution")
@requires(May.HELP_ACCOUNTS)
@commits
def request_assign(request_id: int) -> ResponseReturnValue:
    """Give it to a colleague, to oneself, or back to everybody."""
    _found(request_id)
    form = AssignForm()
    try:
        chosen = uuid.UUID(str(form.assignee.data)) if form.assignee.data else None
        requests.assign(db.session(), request_id, chosen, auth.current().staff_actor, clock.now())
    except (ValueError, RequestNotFound):  # not an id, or of nobody who answers
        abort(404)
    flash(_("La demande est attribuée.") if chosen else _("La demande n’est plus attribuée."), "good")
    return redirect_to(url_for(".request_page", request_id=request_id))


@bp.post("/demandes/<int:request_id>/etat")
@requires(May.HELP_ACCOUNTS)
@commits
def request_state(request_id: int) -> ResponseReturnValue:
    """Close it, or open it again."""
    _found(request_id)
    session, actor, now = db.session(), auth.current().staff_actor, clock.now()
    if request.form.get("action") == "rouvrir":
        requests.reopen(session, request_id, actor, now)
        flash(_("La demande est rouverte."), "good")
    else:
        requests.close(session, request_id, actor, now)
        flash(_("La demande est close."), "good")
    return redirect_to(url_for(".request_page", request_id=request_id))


def _found(request_id: int) -> Conversation:
    try:
        return requests.conversation(db.session(), request_id)
    except RequestNotFound:
        abort(404)


def _answer_form(found: Conversation, reply_id: int | None) -> RequestAnswerForm:
    words = ""
    if reply_id is not None:
        try:
            saved = saved_replies.one(db.session(), reply_id)
        except ReplyNotFound:
            abort(404)
        words = saved_replies.filled(saved, found, auth.current().user_name)
    return RequestAnswerForm(formdata=None, text=words)


def _answering(found: Conversation, form: RequestAnswerForm) -> dict[str, Any]:
    return {
        "found": found,
        "form": form,
        "key": uuid.uuid4().hex,
        "chosen": request.args.get("reponse", type=int),
        "saved": saved_replies.all_of_them(db.session()),
        "client_language": LANGUAGES[found.request.language],
    }


def _page(
    found: Conversation,
    form: RequestAnswerForm | None = None,
    note_form: RequestNoteForm | None = None,
    status: int = 200,
) -> ResponseReturnValue:
    facts, locale, here = found.request.facts, current_locale(), auth.current()
    page = render(
        "staff/request.html",
        **_answering(found, form or _answer_form(found, None)),
        is_stale=status == 409,
        note_form=note_form or RequestNoteForm(formdata=None),
        context={name: facts.get(name) for name in ("page", "invoice", "reason")}
        | {"changed": {"vat_number": None, "kind": None} | (facts.get("changed") or {})},
        plan=text(facts["plan"], locale) if facts.get("plan") else "",
        option=text(facts["option"], locale) if facts.get("option") else "",
        ends_on=date.fromisoformat(facts["ends_on"]) if facts.get("ends_on") else None,
        kind=KINDS[found.request.kind],
        state=STATES[found.request.state],
        days=_days(found.request.waiting_since),
        late_days=LATE_DAYS,
        team=requests.team(db.session()),
        me=here.user_id,
    )
    return page, status
