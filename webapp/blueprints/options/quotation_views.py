"""Quotations, on the client's side: ask, read the answer, accept through the same preview as any option, or decline."""

import uuid

from flask import abort, url_for
from flask.typing import ResponseReturnValue

from webapp import auth, clock, confirming, htmx
from webapp.auth import requires
from webapp.blueprints.options import bp
from webapp.blueprints.options.forms import PlainForm, RequestForm
from webapp.blueprints.options.saving import preview_page
from webapp.blueprints.options.views import explained, refused, saved_address
from webapp.confirming import ConfirmForm, Given
from webapp.domain.access import May
from webapp.domain.contract import OptionKind
from webapp.domain.refusals import Refusal
from webapp.extensions import db
from webapp.rendering import current_locale, render
from webapp.services import contracts, quotations, subscriptions
from webapp.services.quotations import QuotationNotFound
from webapp.services.wording import text
from webapp.transactions import commits


@bp.get("/<option_code>/devis")
@requires(May.CHANGE_OPTIONS)
def ask_quotation(subscription_id: uuid.UUID, option_code: str) -> ResponseReturnValue:
    """The form that asks for a price."""
    return _ask_page(subscription_id, option_code, RequestForm())


@bp.post("/<option_code>/devis")
@requires(May.CHANGE_OPTIONS)
@commits
def request_quotation(subscription_id: uuid.UUID, option_code: str) -> ResponseReturnValue:
    """Ask for a price, with what is needed in the client's words."""
    form = RequestForm()
    if not form.validate_on_submit():
        return _ask_page(subscription_id, option_code, form, 422)
    here = url_for(".edit", subscription_id=subscription_id, _external=True)
    try:
        asked = quotations.request(
            db.session(),
            subscription_id,
            option_code,
            str(form.description.data).strip(),
            clock.today(),
            clock.now(),
            auth.current().actor,
            link=here,
            staff_link=lambda quotation_id: url_for(
                "staff.quotation", quotation_id=quotation_id, _external=True
            ),
        )
    except Refusal as refusal:
        form.form_errors.append(explained(subscription_id, refusal))
        return _ask_page(subscription_id, option_code, form, 422)
    return htmx.redirect_to(url_for(".quotation", subscription_id=subscription_id, quotation_id=asked.id))


@bp.get("/devis/<int:quotation_id>")
@requires(May.READ_SUBSCRIPTION)
def quotation(subscription_id: uuid.UUID, quotation_id: int) -> ResponseReturnValue:
    """The request, the answer once there is one, and what became of it."""
    session = db.session()
    try:
        found = quotations.get(session, subscription_id, quotation_id)
    except QuotationNotFound:
        abort(404)
    situation = contracts.load(session, subscription_id)
    return render(
        "options/quotation.html",
        quotation=found,
        option=text(found.option_version.names, current_locale()),
        option_code=found.option_version.option.code,
        subscription_id=subscription_id,
        frequency=situation.contract.frequency,
        currency=situation.currency,
        has_expired=quotations.has_expired(found, clock.today()),
        may_change=auth.visit_allows(May.CHANGE_OPTIONS)
        and situation.contract.on(clock.today()).ended_on is None,
    )


@bp.get("/devis/<int:quotation_id>/apercu")
@requires(May.CHANGE_OPTIONS)
def preview_quotation(subscription_id: uuid.UUID, quotation_id: int) -> ResponseReturnValue:
    """What accepting changes, when, for how much."""
    return _preview(subscription_id, quotation_id)


@bp.post("/devis/<int:quotation_id>/accepter")
@requires(May.CHANGE_OPTIONS)
@commits
def accept_quotation(subscription_id: uuid.UUID, quotation_id: int) -> ResponseReturnValue:
    """Take the option at the price quoted, once."""

    def act(given: Given) -> str:
        try:
            saved = quotations.accept(
                given.session,
                subscription_id,
                quotation_id,
                given.fingerprint,
                given.today,
                given.now,
                given.actor,
                link=url_for(".edit", subscription_id=subscription_id, _external=True),
            )
        except QuotationNotFound:
            abort(404)
        return saved_address(subscription_id, saved)

    def show(status: int) -> ResponseReturnValue:
        return _preview(subscription_id, quotation_id, status=status, is_stale=True)

    asked = ("quotation", quotation_id)
    return confirming.once(subscription_id, ConfirmForm(), asked, act, show=show, refuse=refused)


@bp.post("/devis/<int:quotation_id>/refuser")
@requires(May.CHANGE_OPTIONS)
@commits
def decline_quotation(subscription_id: uuid.UUID, quotation_id: int) -> ResponseReturnValue:
    """Say no, or take the request back."""
    if not PlainForm().validate_on_submit():
        abort(400)
    try:
        quotations.decline(
            db.session(),
            subscription_id,
            quotation_id,
            clock.today(),
            clock.now(),
            auth.current().actor,
            staff_link=url_for("staff.quotation", quotation_id=quotation_id, _external=True),
        )
    except QuotationNotFound:
        abort(404)
    except Refusal as refusal:
        return refused(subscription_id, refusal)
    return htmx.redirect_to(url_for(".quotation", subscription_id=subscription_id, quotation_id=quotation_id))


def _ask_page(
    subscription_id: uuid.UUID, option_code: str, form: RequestForm, status: int = 200
) -> ResponseReturnValue:
    session, today = db.session(), clock.today()
    situation = contracts.load(session, subscription_id)
    offers = subscriptions.options_on_sale(session, situation, today)
    offer = next((each for each in offers if each.code == option_code), None)
    if offer is None or offer.kind != OptionKind.ON_QUOTATION.value:
        abort(404)
    locale = current_locale()
    page = render(
        "options/ask_quotation.html",
        form=form,
        option=text(offer.names, locale),
        about=text(offer.descriptions, locale),
        option_code=option_code,
        subscription_id=subscription_id,
    )
    return page, status


def _preview(
    subscription_id: uuid.UUID, quotation_id: int, status: int = 200, is_stale: bool = False
) -> ResponseReturnValue:
    try:
        shown = quotations.preview_acceptance(db.session(), subscription_id, quotation_id, clock.today())
    except QuotationNotFound:
        abort(404)
    except Refusal as refusal:
        return refused(subscription_id, refusal)
    return htmx.page_or_fragment(
        "options/preview.html",
        "options/_preview.html",
        status=status,
        page=preview_page(shown, current_locale()),
        key=confirming.new_key(),
        is_stale=is_stale,
        action=url_for(".accept_quotation", subscription_id=subscription_id, quotation_id=quotation_id),
        back="",
    )
