"""The desk of an account: everything that a call may be about on one page, and the notes for colleagues (S1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import abort, flash, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import TextAreaField
from wtforms.validators import DataRequired, Length

from webapp import auth, clock, htmx
from webapp.auth import requires
from webapp.blueprints.staff import bp
from webapp.blueprints.staff.desk_presenters import ContractCard, Owed, Pages, contract_card, money_owed
from webapp.blueprints.staff.viewing import ViewForm
from webapp.domain.access import May
from webapp.extensions import db
from webapp.forms import PortalForm
from webapp.i18n import _
from webapp.rendering import current_locale, render
from webapp.services import account_desk, contracts, history, standing, subscriptions
from webapp.services.account_desk import GENRES, AccountNotFound, Desk, Timeline
from webapp.services.history import Reader
from webapp.transactions import commits

GENRE_NAMES = {
    "changements": _("Changements"),
    "emails": _("E-mails"),
    "paiements": _("Paiements"),
    "rappels": _("Rappels"),
}


class NoteForm(PortalForm):
    """What a colleague should know."""

    text = TextAreaField(
        _("Nouvelle note"),
        [DataRequired(_("Écrivez la note.")), Length(max=4000)],
        description=_("Le client ne la voit pas."),
    )


@dataclass(frozen=True, slots=True)
class History:
    """One page of what happened, with the addresses of the others."""

    timeline: Timeline
    genre: str
    choices: Sequence[tuple[str, str, str, bool]]  # address, words, note, whether it is this one
    newer: str
    older: str


@bp.get("/comptes/<reference>")
@requires(May.HELP_ACCOUNTS)
def account(reference: str) -> ResponseReturnValue:
    """Everything about one account. Eight statements at the most, whatever it holds."""
    return _page(_desk(reference))


@bp.get("/comptes/<reference>/historique")
@requires(May.HELP_ACCOUNTS)
def account_history(reference: str) -> ResponseReturnValue:
    """Another page of the history, or one genre of it; without scripts the whole desk, at that place."""
    desk = _desk(reference)
    if not htmx.wants_fragment():
        return _page(desk)
    return render("staff/_account_history.html", desk=desk, history=_history(desk), today=clock.today())


@bp.post("/comptes/<reference>/notes")
@requires(May.HELP_ACCOUNTS)
@commits
def add_note(reference: str) -> ResponseReturnValue:
    """Keep a note for colleagues."""
    desk, form, visit, session = _desk(reference), NoteForm(), auth.current(), db.session()
    if not form.validate_on_submit():
        if htmx.wants_fragment():
            return render("staff/_account_notes.html", desk=desk, note_form=form), 422
        return _page(desk, form, 422)
    account_desk.write_note(
        session,
        desk.account_id,
        str(form.text.data).strip(),
        user_id=visit.user_id,
        actor=visit.staff_actor,
        now=clock.now(),
    )
    back = url_for(".account", reference=reference, _anchor="account-notes")
    if not htmx.wants_fragment():
        flash(_("La note est gardée."), "good")
        return htmx.redirect_to(back)
    return render("staff/_account_notes.html", desk=_desk(reference), note_form=NoteForm(formdata=None))


def _desk(reference: str) -> Desk:
    try:
        return account_desk.of_account(db.session(), reference)
    except AccountNotFound:
        abort(404)


def _page(desk: Desk, note_form: NoteForm | None = None, status: int = 200) -> ResponseReturnValue:
    contract, owed = _contract(desk), _owed(desk)
    page = render(
        "staff/account.html",
        desk=desk,
        contract=contract,
        owed=owed,
        open_pages=_links(desk, owed.pages, "ouvertes", "open-invoices"),
        place_pages=_links(desk, contract.places_pages, "lieux", "places") if contract else [],
        history=_history(desk),
        note_form=note_form or NoteForm(formdata=None),
        view_form=ViewForm(formdata=None),
        today=clock.today(),
        may_correct=auth.visit_allows(May.CORRECT_MONEY),
    )
    return page, status


def _links(desk: Desk, pages: Pages, word: str, anchor: str) -> list[tuple[int, str, bool]]:
    """The first and last pages of a list, and those around the present one; the other list stays where it is."""
    near = {1, pages.pages, pages.number - 1, pages.number, pages.number + 1}
    kept: dict[str, Any] = {
        name: request.args[name] for name in ("ouvertes", "lieux") if name in request.args
    }
    return [
        (
            number,
            url_for(".account", reference=desk.reference, **(kept | {word: number}), _anchor=anchor),
            number == pages.number,
        )
        for number in sorted(near)
        if 1 <= number <= pages.pages
    ]


def _contract(desk: Desk) -> ContractCard | None:
    """None for an account that never signed."""
    session, today = db.session(), clock.today()
    if desk.subscription_id is None:
        return None
    situation = contracts.load(session, desk.subscription_id)
    draft = None
    if situation.contract.on(today).ended_on is None:
        draft = subscriptions.next_invoice(session, situation, today)
    places = request.args.get("lieux", 1, type=int)
    return contract_card(situation, draft, places, today, current_locale())


def _owed(desk: Desk) -> Owed:
    today = clock.today()
    return money_owed(
        desk,
        standing.of_account(db.session(), desk.account_id, today),
        request.args.get("ouvertes", 1, type=int),
        today,
        current_locale(),
    )


def _history(desk: Desk) -> History:
    session, locale = db.session(), current_locale()
    genre = request.args.get("genre", "")
    genre = genre if genre in GENRES else ""
    found = account_desk.timeline(
        session,
        desk.account_id,
        Reader(locale, history.names(session, locale)),
        genre=genre,
        number=request.args.get("page", 1, type=int),
    )

    def address(of_genre: str, number: int = 1) -> str:
        asked: dict[str, Any] = {"genre": of_genre or None, "page": number if number > 1 else None}
        return url_for(".account_history", reference=desk.reference, **asked)

    choices = [(address(""), _("Tout"), "", not genre)]
    choices += [(address(each), GENRE_NAMES[each], "", each == genre) for each in GENRES]
    return History(
        found,
        genre,
        choices,
        newer=address(genre, found.number - 1) if found.number > 1 else "",
        older=address(genre, found.number + 1) if found.has_more else "",
    )
