"""Changing plan: compare, preview, confirm, confirmed."""

import uuid

from flask import abort, request, url_for
from flask.typing import ResponseReturnValue

from webapp import auth, clock, confirming, htmx
from webapp.auth import requires
from webapp.blueprints.subscriptions import bp
from webapp.blueprints.subscriptions.plan_presenters import comparison, done, preview_page
from webapp.confirming import ConfirmForm, Given
from webapp.domain.access import May
from webapp.domain.contract import Frequency
from webapp.domain.refusals import Refusal
from webapp.extensions import db
from webapp.i18n import explain
from webapp.rendering import current_locale, render
from webapp.services import catalogue, contracts, subscriptions
from webapp.transactions import commits

# In addresses, frequencies are words people read.
FREQUENCIES = {"mensuelle": Frequency.MONTHLY, "annuelle": Frequency.ANNUAL}
WORDS = {frequency: word for word, frequency in FREQUENCIES.items()}


def asked_frequency(default: Frequency) -> Frequency:
    word = request.args.get("facturation")
    if word is None:
        return default
    return FREQUENCIES.get(word) or abort(404)


@bp.get("/formules")
@requires(May.READ_SUBSCRIPTION)
def plans(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """The plans side by side, each worked out for this account."""
    session, today = db.session(), clock.today()
    situation = contracts.load(session, subscription_id)
    frequency = asked_frequency(situation.contract.frequency)
    choices = subscriptions.plan_choices(session, situation, frequency, today)
    page = comparison(
        situation,
        choices,
        subscriptions.options_on_sale(session, situation, today),
        catalogue.features_compared(session),
        frequency,
        today,
        current_locale(),
        may_change=auth.visit_allows(May.CHANGE_PLAN),
    )
    return htmx.page_or_fragment("subscriptions/plans.html", "subscriptions/_plans.html", page=page)


@bp.get("/formules/<plan_code>/apercu")
@requires(May.CHANGE_PLAN)
def preview_plan(subscription_id: uuid.UUID, plan_code: str) -> ResponseReturnValue:
    """What changes, when, how much. Nothing is written: reloading it is harmless."""
    return _preview(subscription_id, plan_code, asked_frequency(Frequency.MONTHLY))


@bp.post("/formules/<plan_code>/confirmer")
@requires(May.CHANGE_PLAN)
@commits
def change_plan(subscription_id: uuid.UUID, plan_code: str) -> ResponseReturnValue:
    """Do what was previewed, once; if a figure moved, show the new preview instead."""
    frequency = asked_frequency(Frequency.MONTHLY)

    def act(given: Given) -> str:
        confirmed = subscriptions.change_plan(
            given.session,
            subscription_id,
            plan_code,
            frequency,
            given.fingerprint,
            given.today,
            given.now,
            given.actor,
            link=url_for(".overview", subscription_id=subscription_id, _external=True),
        )
        return url_for(
            ".plan_changed",
            subscription_id=subscription_id,
            facture=confirmed.document.number if confirmed.document else None,
            changement=confirmed.scheduled_id,
        )

    def show(status: int) -> ResponseReturnValue:
        return _preview(subscription_id, plan_code, frequency, status=status, is_stale=True)

    asked = (plan_code, frequency)
    return confirming.once(subscription_id, ConfirmForm(), asked, act, show=show, refuse=_refused)


@bp.get("/formules/confirmation")
@requires(May.READ_SUBSCRIPTION)
def plan_changed(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """What was done: the document of the day, the date of what is scheduled."""
    session = db.session()
    situation = contracts.load(session, subscription_id)
    number = request.args.get("facture")
    document = subscriptions.document(session, subscription_id, number) if number else None
    if number and document is None:
        abort(404)
    change_id = request.args.get("changement", type=int)
    return render(
        "subscriptions/plan_changed.html", page=done(situation, document, change_id, current_locale())
    )


def _preview(
    subscription_id: uuid.UUID,
    plan_code: str,
    frequency: Frequency,
    status: int = 200,
    is_stale: bool = False,
) -> ResponseReturnValue:
    session = db.session()
    try:
        preview = subscriptions.preview_plan(session, subscription_id, plan_code, frequency, clock.today())
    except Refusal as refusal:
        return _refused(subscription_id, refusal)
    features = subscriptions.features_of(session, preview.change.tariff)
    page = preview_page(preview, features, catalogue.features_compared(session), current_locale())
    return htmx.page_or_fragment(
        "subscriptions/plan_preview.html",
        "subscriptions/_plan_preview.html",
        status=status,
        page=page,
        key=confirming.new_key(),
        is_stale=is_stale,
        frequency_word=WORDS[frequency],
    )


def _refused(subscription_id: uuid.UUID, refusal: Refusal) -> ResponseReturnValue:
    """Why this change cannot be made, and the way on: never a dead end."""
    locale = current_locale()
    names = subscriptions.names_by_code(db.session(), subscription_id, locale)
    return htmx.page_or_fragment(
        "subscriptions/plan_refused.html",
        "subscriptions/_plan_refused.html",
        status=422,
        sentence=explain(refusal, locale, names),
        code=refusal.code,
        subscription_id=subscription_id,
    )
