"""Options: the page and its draft, the preview, the save, and what was done."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask import abort, request, url_for
from flask.typing import ResponseReturnValue

from webapp import auth, clock, confirming, htmx
from webapp.auth import requires
from webapp.blueprints.options import bp, forms
from webapp.blueprints.options.draft_page import OptionsPage, controls, field_refusals, options_page
from webapp.blueprints.options.saving import done, preview_page
from webapp.confirming import ConfirmForm, Given
from webapp.domain.access import May
from webapp.domain.catalogue import PlanOffer
from webapp.domain.option_change import Wish
from webapp.domain.refusals import NothingToSave, Refusal
from webapp.extensions import db
from webapp.i18n import explain
from webapp.models.subscriptions import Quotation
from webapp.rendering import current_locale, render
from webapp.services import contracts, options, quotations, subscriptions
from webapp.transactions import commits


@bp.get("")
@requires(May.READ_SUBSCRIPTION)
def edit(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """Every option with its switch: the choices that stand."""
    desk = _Desk.open(subscription_id)
    return render("options/edit.html", page=desk.page(forms.resting(desk.controls)))


@bp.post("/brouillon")
@requires(May.CHANGE_OPTIONS)
@commits
def draft(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """Price the draft. Nothing is written: with scripts the cards that differ and the summary, else the page."""
    if "annuler" in request.form:
        return htmx.redirect_to(url_for(".edit", subscription_id=subscription_id))
    desk = _Desk.open(subscription_id)
    page = desk.page(desk.asked())
    if not htmx.wants_fragment():
        return render("options/edit.html", page=page)
    before = {card.code: card for card in desk.page(desk.drawn()).cards}
    changed = [card for card in page.cards if page.is_stale or before.get(card.code) != card]
    return htmx.page_or_fragment(
        "options/edit.html",
        [
            "options/_summary.html",
            "options/_paybar.html",
            "options/_notice.html",
            "options/_changed_cards.html",
        ],
        page=page,
        changed=changed,
    )


@bp.post("/apercu")
@requires(May.CHANGE_OPTIONS)
@commits
def preview(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """What the draft changes, when, for how much. Nothing is written."""
    desk = _Desk.open(subscription_id)
    asked = desk.asked()
    page = desk.page(asked)
    wishes = forms.wishes(asked, desk.controls)
    if page.refused or not page.moves:
        return render("options/edit.html", page=page), 422 if page.refused else 200
    return _preview(subscription_id, wishes, is_stale=page.is_stale)


@bp.post("")
@requires(May.CHANGE_OPTIONS)
@commits
def save(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """Save what was previewed, once; if a figure moved, show the new preview instead."""
    wishes = forms.read_wishes(request.form)

    def act(given: Given) -> str:
        saved = options.save(
            given.session,
            subscription_id,
            wishes,
            given.fingerprint,
            given.today,
            given.now,
            given.actor,
            link=url_for(".edit", subscription_id=subscription_id, _external=True),
        )
        return saved_address(subscription_id, saved)

    def show(status: int) -> ResponseReturnValue:
        return _preview(subscription_id, wishes, status=status, is_stale=True)

    asked = ("options", *wishes)
    return confirming.once(subscription_id, ConfirmForm(), asked, act, show=show, refuse=refused)


def saved_address(subscription_id: uuid.UUID, saved: options.SavedOptions) -> str:
    """Where a save leads: what was done, with the document of the day if there is one."""
    number = saved.document.number if saved.document else None
    return url_for(".saved", subscription_id=subscription_id, facture=number)


@bp.get("/confirmation")
@requires(May.READ_SUBSCRIPTION)
def saved(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """What was saved: the document of the day, and what stops at the end of the paid period."""
    session = db.session()
    situation = contracts.load(session, subscription_id)
    number = request.args.get("facture")
    document = subscriptions.document(session, subscription_id, number) if number else None
    if number and document is None:
        abort(404)
    return render("options/saved.html", page=done(situation, document, current_locale()))


def _preview(
    subscription_id: uuid.UUID, wishes: Sequence[Wish], status: int = 200, is_stale: bool = False
) -> ResponseReturnValue:
    try:
        shown = options.preview(db.session(), subscription_id, wishes, clock.today())
        if not shown.change.moves:
            raise NothingToSave()
    except Refusal as refusal:
        return refused(subscription_id, refusal)
    return htmx.page_or_fragment(
        "options/preview.html",
        "options/_preview.html",
        status=status,
        page=preview_page(shown, current_locale()),
        key=confirming.new_key(),
        is_stale=is_stale,
        action=url_for(".save", subscription_id=subscription_id),
        back=url_for(".draft", subscription_id=subscription_id),
    )


def refused(subscription_id: uuid.UUID, refusal: Refusal) -> ResponseReturnValue:
    """Why this save cannot be made, and the way back to the options."""
    return htmx.page_or_fragment(
        "options/refused.html",
        "options/_refused.html",
        status=422,
        sentence=explained(subscription_id, refusal),
        subscription_id=subscription_id,
    )


def explained(subscription_id: uuid.UUID, refusal: Refusal) -> str:
    locale, session = current_locale(), db.session()
    situation = contracts.load(session, subscription_id)
    names = subscriptions.names_by_code(session, subscription_id, locale)
    offers = subscriptions.options_on_sale(session, situation, clock.today())
    names |= {offer.code: str(offer.names[locale]) for offer in offers}
    return explain(refusal, locale, names)


@dataclass(frozen=True)
class _Desk:
    """What the page of options is made from, read once per request."""

    basis: options.Basis
    controls: Sequence[forms.Control]
    forbids: Refusal | None
    plans: Sequence[PlanOffer]
    quotations: Mapping[str, Quotation]

    @classmethod
    def open(cls, subscription_id: uuid.UUID) -> "_Desk":
        session, today = db.session(), clock.today()
        basis = options.read(session, subscription_id, today)
        return cls(
            basis,
            controls(basis.situation, basis.offers, today),
            options.forbidding(basis.situation, today),
            subscriptions.for_sale(session, basis.situation, today),
            quotations.open_ones(session, subscription_id),
        )

    def asked(self) -> forms.Draft:
        if "wish" in request.form:
            return forms.from_wishes(forms.read_wishes(request.form), self.controls)
        return forms.read(request.form, self.controls)

    def drawn(self) -> forms.Draft:
        return forms.from_text(request.form.get("drawn", ""), self.controls)

    def page(self, draft: forms.Draft) -> OptionsPage:
        """The page of a draft: what the rules refuse is said on its card, the rest is worked out."""
        refusals = field_refusals(draft, self.controls)
        wishes = [wish for wish in forms.wishes(draft, self.controls) if wish.code not in refusals]
        while True:
            try:
                shown = options.work_out(self.basis, wishes)
                break
            except Refusal as refusal:
                asked = {wish.code for wish in wishes}
                if not asked:
                    raise
                code = getattr(refusal, "option_code", "")
                code = code if code in asked else wishes[0].code
                refusals[code] = refusal
                wishes = [wish for wish in wishes if wish.code != code]
        return options_page(
            shown,
            refusals,
            draft,
            self.controls,
            self.plans,
            self.quotations,
            current_locale(),
            may_change=auth.visit_allows(May.CHANGE_OPTIONS) and self.forbids is None,
            forbids=self.forbids,
            is_stale=forms.is_stale(request.form, self.controls),
        )
