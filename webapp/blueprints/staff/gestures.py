"""Gestures for one account: choose, read what each changes, confirm with a reason, undo."""

import uuid
from collections.abc import Callable
from typing import NamedTuple

from flask import abort, request, url_for
from flask.typing import ResponseReturnValue

from webapp import auth, clock, confirming
from webapp.auth import requires
from webapp.blueprints.staff import bp
from webapp.blueprints.staff.gesture_forms import (
    GestureForm,
    MakeForm,
    Offered,
)
from webapp.blueprints.staff.gesture_kinds import KINDS, Kind, offered_here
from webapp.blueprints.staff.gesture_offers import offered_to
from webapp.blueprints.staff.gesture_presenters import effect_page, listed
from webapp.confirming import Given
from webapp.domain.access import May
from webapp.domain.refusals import ConsentNeeded, Refusal
from webapp.extensions import db
from webapp.i18n import explain
from webapp.models.accounts import Account
from webapp.models.gestures import Gesture
from webapp.rendering import current_locale, render, say
from webapp.services import (
    gestures,
    history,
    provider_refunds,
)
from webapp.services.gestures import NoSubscription, Why
from webapp.transactions import commits

ON_ITS_FIELD = {
    "NothingTakenOff": ("on",),
    "GestureTooShort": ("until",),
    "PriceNotLower": ("price",),
    "DueDateOutOfRange": ("until",),
    "DebitSent": ("invoice",),
    "MoreThanCanBeRefunded": ("amount",),
    "ConsentNeeded": ("consent",),
}


class _Case(NamedTuple):
    """The account at hand and its subscription."""

    account: Account
    subscription_id: uuid.UUID


@bp.get("/comptes/<reference>/gestes", endpoint="gestures")
@requires(May.HELP_ACCOUNTS)
def gestures_made(reference: str) -> ResponseReturnValue:
    """What was done for this account, and what can be."""
    case, session, today, locale = _case(reference), db.session(), clock.today(), current_locale()
    may_act = auth.visit_allows(May.CORRECT_MONEY)
    made = gestures.made_for(session, case.account.id)
    return render(
        "staff/gestures.html",
        account=case.account,
        kinds=offered_here().items() if may_act else [],
        rows=listed(
            made,
            history.names(session, locale),
            today,
            locale,
            may_act=may_act,
            refunds=provider_refunds.states(session, case.account.id),
        ),
        may_act=may_act,
    )


@bp.get("/comptes/<reference>/gestes/<kind>")
@requires(May.CORRECT_MONEY)
def gesture(reference: str, kind: str) -> ResponseReturnValue:
    """What is to be said, and once it is, what it changes, when and for how much. Nothing is written."""
    return _page(_case(reference), _kind(kind))


@bp.post("/comptes/<reference>/gestes/<kind>")
@requires(May.CORRECT_MONEY)
@commits
def make_gesture(reference: str, kind: str) -> ResponseReturnValue:
    """Make it once, exactly as it was shown, with its reason."""
    case, chosen = _case(reference), _kind(kind)
    offered, confirmation = offered_to(case.account.id, case.subscription_id), MakeForm()
    form = _form(chosen, offered)
    if not form.validate() or not confirmation.validate_on_submit():
        return _page(case, chosen, confirmation, 422)
    wish, why = form.wish(offered), _why(case, confirmation)

    def act(given: Given) -> None:
        gestures.make(
            given.session, case.subscription_id, wish, given.fingerprint, why,
            str(confirmation.idempotency_key.data), given.today, given.now, given.actor,
        )  # fmt: skip

    return _once(
        case,
        confirmation,
        ("gesture", kind, wish),
        act,
        lambda status, refusal=None: _page(case, chosen, confirmation, status, refusal=refusal),
        say("C’est fait : le geste est dans l’historique du client."),
    )


@bp.get("/comptes/<reference>/gestes/<int:gesture_id>/annuler")
@requires(May.CORRECT_MONEY)
def gesture_undo(reference: str, gesture_id: int) -> ResponseReturnValue:
    """What undoing it would do today."""
    case = _case(reference)
    return _undo_page(case, _gesture(case, gesture_id))


@bp.post("/comptes/<reference>/gestes/<int:gesture_id>/annuler")
@requires(May.CORRECT_MONEY)
@commits
def undo_gesture(reference: str, gesture_id: int) -> ResponseReturnValue:
    """Undo it once, exactly as it was shown, with its reason."""
    case, confirmation, session = _case(reference), MakeForm(), db.session()
    found = _gesture(case, gesture_id)
    if not confirmation.validate_on_submit():
        return _undo_page(case, found, confirmation, 422)

    why = _why(case, confirmation)

    def act(given: Given) -> None:
        key = str(confirmation.idempotency_key.data)
        gestures.undo(session, found, given.fingerprint, why, key, given.today, given.now, given.actor)

    return _once(
        case,
        confirmation,
        ("gesture_undo", gesture_id),
        act,
        lambda status, refusal=None: _undo_page(
            case, _gesture(case, gesture_id), confirmation, status, refusal=refusal
        ),
        say("Le geste est annulé."),
    )


def _once(
    case: _Case,
    confirmation: MakeForm,
    asked: tuple[object, ...],
    act: Callable[[Given], None],
    show: Callable[..., ResponseReturnValue],
    said: str,
) -> ResponseReturnValue:
    """Do it once per key, then back to the gestures of the account. `show` is told the refusal, if there was one."""
    location = url_for(".gestures", reference=case.account.reference)

    def act_then_leave(given: Given) -> str:
        act(given)
        return location

    def refuse(_subscription_id: uuid.UUID, refusal: Refusal) -> ResponseReturnValue:
        return show(422 if isinstance(refusal, ConsentNeeded) else 409, refusal)

    return confirming.once(
        case.subscription_id,
        confirmation,
        asked,
        act_then_leave,
        show=show,
        refuse=refuse,
        said=said,
        account_id=case.account.id,
    )


def _why(case: _Case, confirmation: MakeForm) -> Why:
    return Why(
        str(confirmation.reason.data).strip(),
        bool(confirmation.tells.data),
        url_for("subscriptions.overview", subscription_id=case.subscription_id, _external=True),
    )


def _case(reference: str) -> _Case:
    try:
        return _Case(*gestures.subscription_of(db.session(), reference))
    except NoSubscription:
        abort(404)


def _kind(word: str) -> Kind:
    return offered_here().get(word) or abort(404)


def _gesture(case: _Case, gesture_id: int) -> Gesture:
    return gestures.find(db.session(), case.account.id, gesture_id) or abort(404)


def _form(chosen: Kind, offered: Offered) -> GestureForm:
    asked = request.form if request.method == "POST" else request.args
    form = chosen.form(asked if asked.get("apercu") or request.method == "POST" else None)
    form.offer(offered)
    return form


def _page(
    case: _Case,
    chosen: Kind,
    confirmation: MakeForm | None = None,
    status: int = 200,
    *,
    refusal: Refusal | None = None,
) -> ResponseReturnValue:
    is_stale = status == 409 and refusal is None
    session, today, locale = db.session(), clock.today(), current_locale()
    offered = offered_to(case.account.id, case.subscription_id)
    form = _form(chosen, offered)
    is_asked = request.method == "POST" or bool(request.args.get("apercu"))
    effect = None
    if is_asked and form.validate():
        try:
            effect = gestures.preview(session, case.subscription_id, form.wish(offered), today)
        except Refusal as refused:
            refusal = refused
            status = 422 if status == 200 else status
    elif is_asked and status == 200:
        status = 422
    if refusal is not None:
        _say_on_field(form, refusal)
    word = next(word for word, kind in KINDS.items() if kind is chosen)
    page = render(
        "staff/gesture.html",
        account=case.account,
        chosen=chosen,
        address=url_for(".gesture", reference=case.account.reference, kind=word),
        form=form,
        asked=[(each.name, value) for each in form for value in _typed(each.name)],
        page=effect_page(effect, history.names(session, locale), locale) if effect else None,
        confirmation=confirmation or MakeForm(formdata=None),
        key=confirming.new_key(),
        is_stale=is_stale,
    )
    return page, status


def _typed(name: str) -> list[str]:
    return (request.form if request.method == "POST" else request.args).getlist(name)


def _say_on_field(form: GestureForm, refusal: Refusal) -> None:
    """The sentence of a refusal, beside the field that can mend it; above the form when none can."""
    session, locale = db.session(), current_locale()
    sentence = explain(refusal, locale, history.names(session, locale))
    field = next((form[name] for name in ON_ITS_FIELD.get(refusal.code, ()) if name in form), None)
    if field is not None:
        field.errors = [sentence]
    else:
        form.form_errors.append(sentence)


def _undo_page(
    case: _Case,
    found: Gesture,
    confirmation: MakeForm | None = None,
    status: int = 200,
    *,
    refusal: Refusal | None = None,
) -> ResponseReturnValue:
    is_stale = status == 409 and refusal is None
    session, today, locale = db.session(), clock.today(), current_locale()
    names, effect = history.names(session, locale), None
    try:
        effect = gestures.preview_undo(session, found, today)
    except Refusal as refused:
        refusal, status = refused, 409
    [row] = listed([found], names, today, locale, may_act=True)
    page = render(
        "staff/gesture_undo.html",
        account=case.account,
        row=row,
        address=url_for(".gesture_undo", reference=case.account.reference, gesture_id=found.id),
        refused=explain(refusal, locale, names) if refusal else "",
        page=effect_page(effect, names, locale) if effect else None,
        confirmation=confirmation or MakeForm(formdata=None),
        key=confirming.new_key(),
        is_stale=is_stale,
    )
    return page, status
