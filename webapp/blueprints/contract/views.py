"""The contract: its dates, a calendar file, giving notice, taking it back, withdrawing."""

import uuid
from datetime import timedelta

from flask import Response, abort, flash, url_for
from flask.typing import ResponseReturnValue

from webapp import auth, clock, confirming, htmx
from webapp.adapters import calendar_file as icalendar
from webapp.auth import requires
from webapp.blueprints.contract import bp
from webapp.blueprints.contract.forms import TerminationForm
from webapp.blueprints.contract.presenters import (
    ContractPage,
    calendar_days,
    contract_page,
    pending_termination,
    terminate_page,
)
from webapp.confirming import ConfirmForm, Given
from webapp.domain.access import May
from webapp.domain.refusals import AlreadyTerminated, Refusal
from webapp.extensions import db
from webapp.i18n import _, date_text, explain
from webapp.rendering import current_locale, render, say
from webapp.services import contracts, subscriptions, terminations
from webapp.services.terminations import TerminationPreview
from webapp.transactions import commits

UNDERSTOOD = _("Je mets fin à l’abonnement le %(date)s au soir.")


# ── The calendar ─────────────────────────────────────────────────────────────────────────────────────────────────


@bp.get("/engagement")
@requires(May.READ_SUBSCRIPTION)
def show(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """The dates of the contract, and what may be done about them."""
    return render("contract/show.html", page=_contract_page(subscription_id))


@bp.get("/engagement.ics")
@requires(May.READ_SUBSCRIPTION)
def calendar_file(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """The same dates for a calendar program."""
    session, visit, locale = db.session(), auth.current(), current_locale()
    situation = contracts.load(session, subscription_id)
    page = _contract_page(subscription_id)
    link = url_for(".show", subscription_id=subscription_id, _external=True)
    file = icalendar.calendar_file(
        calendar_days(page, visit.account_name or "", locale),
        say("Abonnement, %(account)s", account=visit.account_name),
        link,
        situation.version,
        clock.now(),
    )
    answer = Response(file, mimetype=icalendar.MEDIA_TYPE)
    answer.headers.set("Content-Disposition", "attachment", filename=say("abonnement") + ".ics")
    return answer


# ── Giving notice ────────────────────────────────────────────────────────────────────────────────────────────────


@bp.get("/resilier")
@requires(May.TERMINATE)
def terminate(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """The end, its reason and what is left to pay, before anything is asked. Nothing is written."""
    return _terminate(subscription_id, TerminationForm(formdata=None))


@bp.post("/resilier/confirmer")
@requires(May.TERMINATE)
@commits
def confirm_termination(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """Give notice as it was shown, once; if something moved, show the new dates instead."""
    form, home = TerminationForm(), url_for(".show", subscription_id=subscription_id)

    def act(given: Given) -> str:
        terminations.terminate(
            given.session,
            subscription_id,
            str(form.reason.data or ""),
            str(form.comment.data or ""),
            given.fingerprint,
            given.today,
            given.now,
            given.actor,
            link=url_for(".show", subscription_id=subscription_id, _external=True),
        )
        return home

    def show(status: int) -> ResponseReturnValue:
        return _terminate(subscription_id, form, status=status, is_stale=status == 409)

    return confirming.once(
        subscription_id,
        form,
        ("termination", form.reason.data or "", form.comment.data or ""),
        act,
        show=show,
        refuse=_refused,
        said=_("Votre résiliation est enregistrée. Un accusé de réception vous est envoyé par e-mail."),
    )


@bp.post("/resilier/<int:change_id>/annuler")
@requires(May.TERMINATE)
@commits
def cancel_termination(subscription_id: uuid.UUID, change_id: int) -> ResponseReturnValue:
    """Take the termination back: the contract goes on."""
    visit, session = auth.current(), db.session()
    link = url_for(".show", subscription_id=subscription_id, _external=True)
    try:
        terminations.cancel(
            session, subscription_id, change_id, clock.today(), clock.now(), visit.actor, link=link
        )
    except Refusal as refusal:
        return _refused(subscription_id, refusal, status=409)
    flash(_("Votre résiliation est annulée : l’abonnement continue comme avant."), "good")
    return htmx.redirect_to(url_for(".show", subscription_id=subscription_id))


@bp.get("/resilier/<int:change_id>/accuse-de-reception")
@requires(May.READ_SUBSCRIPTION)
def acknowledgement(subscription_id: uuid.UUID, change_id: int) -> ResponseReturnValue:
    """The document as it was sent."""
    letter = terminations.acknowledgement(db.session(), subscription_id, change_id)
    if letter is None:
        abort(404)
    answer = Response(letter.content, mimetype=letter.media_type)
    answer.headers.set("Content-Disposition", "attachment", filename=letter.filename)
    return answer


# ── A consumer's withdrawal ──────────────────────────────────────────────────────────────────────────────────────


@bp.get("/retractation")
@requires(May.TERMINATE)
def withdraw(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """What withdrawing gives back, before it is confirmed. Nothing is written."""
    return _withdraw(subscription_id)


@bp.post("/retractation/confirmer")
@requires(May.TERMINATE)
@commits
def confirm_withdrawal(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """End the contract today and give back what was paid for the days to come, once."""
    home = url_for(".show", subscription_id=subscription_id)

    def act(given: Given) -> str:
        terminations.withdraw(
            given.session,
            subscription_id,
            given.fingerprint,
            given.today,
            given.now,
            given.actor,
            link=url_for(".show", subscription_id=subscription_id, _external=True),
        )
        return home

    def show(status: int) -> ResponseReturnValue:
        return _withdraw(subscription_id, status=status, is_stale=True)

    return confirming.once(
        subscription_id,
        ConfirmForm(),
        ("withdrawal",),
        act,
        show=show,
        refuse=_refused,
        said=_("Votre rétractation est enregistrée. Un accusé de réception vous est envoyé par e-mail."),
    )


# ── Answers ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _contract_page(subscription_id: uuid.UUID) -> ContractPage:
    session, today, visit = db.session(), clock.today(), auth.current()
    situation = contracts.load(session, subscription_id)
    draft = None
    if situation.contract.on(today).ended_on is None:
        draft = subscriptions.next_invoice(session, situation, today)
    pending = pending_termination(situation)
    return contract_page(
        situation,
        draft,
        terminations.last_acknowledgement(session, subscription_id),
        clock.local(pending.requested_at).date() if pending else None,
        visit.role,
        today,
        current_locale(),
    )


def _terminate(
    subscription_id: uuid.UUID, form: TerminationForm, status: int = 200, is_stale: bool = False
) -> ResponseReturnValue:
    try:
        preview = terminations.preview(db.session(), subscription_id, clock.today())
    except AlreadyTerminated:
        return htmx.redirect_to(
            url_for(".show", subscription_id=subscription_id)
        )  # it can be taken back there
    except Refusal as refusal:
        return _refused(subscription_id, refusal)
    last_day = preview.ending.ends_on - timedelta(days=1)
    form.understood.label.text = UNDERSTOOD % {"date": date_text(last_day, current_locale())}
    if is_stale:
        form.understood.data = False  # what was agreed to is another date
    return _confirmation("terminate", preview, form, status, is_stale)


def _withdraw(subscription_id: uuid.UUID, status: int = 200, is_stale: bool = False) -> ResponseReturnValue:
    try:
        preview = terminations.preview_withdrawal(db.session(), subscription_id, clock.today())
    except Refusal as refusal:
        return _refused(subscription_id, refusal)
    return _confirmation("withdraw", preview, ConfirmForm(formdata=None), status, is_stale)


def _confirmation(
    name: str, preview: TerminationPreview, form: ConfirmForm, status: int, is_stale: bool
) -> ResponseReturnValue:
    return htmx.page_or_fragment(
        f"contract/{name}.html",
        f"contract/_{name}.html",
        status=status,
        page=terminate_page(preview, current_locale()),
        form=form,
        key=confirming.new_key(),
        is_stale=is_stale,
    )


def _refused(subscription_id: uuid.UUID, refusal: Refusal, status: int = 422) -> ResponseReturnValue:
    """Why it cannot be done, and the way on."""
    return htmx.page_or_fragment(
        "contract/refused.html",
        "contract/_refused.html",
        status=status,
        sentence=explain(refusal, current_locale()),
        subscription_id=subscription_id,
    )
