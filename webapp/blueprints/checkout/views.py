"""Pay one invoice, several or all; announce a transfer; give a card; come back from the provider's page."""

import uuid
from collections.abc import Sequence

from flask import Response, abort, flash, make_response, request, url_for
from flask.typing import ResponseReturnValue

from webapp import auth, clock, htmx, operator, paying
from webapp.adapters.payment_provider import OPEN, PENDING, PaymentProvider
from webapp.auth import requires
from webapp.blueprints.checkout import bp, presenters
from webapp.blueprints.checkout.forms import PayForm, SetUpForm, TransferForm
from webapp.domain.access import May
from webapp.domain.refusals import (
    ContactPartner,
    NothingToPay,
    PaymentUnderWay,
    ProviderSilent,
    SubscriptionEnded,
    TransferAlreadyAnnounced,
    TransferAnnouncedTooOften,
)
from webapp.extensions import db
from webapp.i18n import date_text, explain
from webapp.rendering import current_locale, render, say, say_count
from webapp.services import checkout, method_changes, payables, payment_methods, transfers
from webapp.services.bank_reasons import reason_text
from webapp.transactions import commits, own_transaction


@bp.get("/abonnements/<uuid:subscription_id>/payer")
@requires(May.READ_INVOICES)
def pay(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """`facture` names invoices; without it, `lot` says echues or toutes."""
    return _pay_page(subscription_id, request.args.getlist("facture"))


@bp.post("/abonnements/<uuid:subscription_id>/payer")
@requires(May.PAY)
@commits
def start(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """Open the provider's page for these invoices, and go there. The amount is worked out again, not believed."""
    provider, form = _provider(), PayForm()
    numbers = [str(number) for number in form.facture.data or ()]
    if not form.validate_on_submit():
        return _pay_page(subscription_id, numbers, status=422)
    shown = presenters.pay_page(subscription_id, _read(), numbers, "")
    if not shown.invoices or shown.amount.cents != form.shown.data or len(shown.chosen) != len(set(numbers)):
        return _pay_page(subscription_id, numbers, status=409, is_stale=True)
    here = auth.current()
    db.session.rollback()  # nothing was written, and no lock is held while the provider works
    try:
        checkout_id = checkout.start_payment(
            own_transaction,
            provider,
            _account_id(),
            numbers,
            lambda page_id, _key: paying.way(subscription_id, page_id),
            _description,
            clock.today(),
            clock.now,
            here.actor,
            links=paying.links(),
        )
    except NothingToPay:
        return _pay_page(subscription_id, [], status=409, is_stale=True)
    except (PaymentUnderWay, ProviderSilent) as refusal:
        return _pay_page(
            subscription_id,
            numbers,
            status=409 if isinstance(refusal, PaymentUnderWay) else 503,
            sentences=[explain(refusal, current_locale())],
        )
    return htmx.redirect_to(url_for(".leave", subscription_id=subscription_id, checkout_id=checkout_id))


@bp.post("/abonnements/<uuid:subscription_id>/payer/virement")
@requires(May.PAY)
@commits
def announce(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """« J’ai fait le virement. »"""
    form = TransferForm()
    numbers = [str(number) for number in form.facture.data or ()]
    if not form.validate_on_submit():
        return _pay_page(subscription_id, numbers, status=422)
    try:
        until = transfers.announce(
            db.session(), _account_id(), numbers, clock.today(), clock.now(), auth.current().actor
        )
    except (NothingToPay, TransferAlreadyAnnounced, TransferAnnouncedTooOften) as refusal:
        db.session.rollback()
        return _pay_page(subscription_id, numbers, status=409, sentences=[explain(refusal, current_locale())])
    flash(
        say_count(
            "Merci, c’est noté : nous attendons votre virement jusqu’au %(date)s.",
            "Merci, c’est noté : nous attendons vos virements jusqu’au %(date)s.",
            len(numbers),
            date=date_text(until, current_locale()),
        ),
        "good",
    )
    return htmx.redirect_to(url_for("invoices.index", subscription_id=subscription_id))


@bp.post("/abonnements/<uuid:subscription_id>/payer/moyen")
@requires(May.CHANGE_PAYMENT)
@commits
def set_up(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """Open the provider's page on which a card, or Bancontact, is given for the invoices to come."""
    provider, form = _provider(), SetUpForm()
    kind = form.kind.data
    if not form.validate_on_submit() or kind not in provider.capabilities.set_up_cents:
        abort(400)
    here, account_id = auth.current(), _account_id()
    try:
        # A partner's clients may have to ask it, and what is over has no invoice to come.
        method_changes.load(db.session(), subscription_id, clock.today())
        db.session.rollback()
        checkout_id = checkout.start_set_up(
            own_transaction,
            provider,
            account_id,
            kind,
            lambda page_id, _key: paying.way(subscription_id, page_id),
            say("%(brand)s, paiement des prochaines factures", brand=operator.current().brand),
            clock.now,
            here.actor,
        )
    except (ContactPartner, SubscriptionEnded, ProviderSilent) as refusal:
        db.session.rollback()
        flash(explain(refusal, current_locale()), "bad")
        return htmx.redirect_to(url_for("payment.edit", subscription_id=subscription_id))
    return htmx.redirect_to(url_for(".leave", subscription_id=subscription_id, checkout_id=checkout_id))


@bp.get("/abonnements/<uuid:subscription_id>/payer/<uuid:checkout_id>/page")
@requires(May.PAY)
def leave(subscription_id: uuid.UUID, checkout_id: uuid.UUID) -> ResponseReturnValue:
    """On the way to the provider: browsers refuse to follow a form to another site, so this page leads there."""
    page = checkout.page(db.session(), _account_id(), checkout_id)
    if page is None:
        abort(404)
    if page.state != "open" or not page.address:
        return htmx.redirect_to(url_for(".outcome", subscription_id=subscription_id, checkout_id=checkout_id))
    answer = make_response(
        render("checkout/leave.html", page=page, subscription_id=subscription_id, provider=_provider().name)
    )
    answer.headers["Refresh"] = f"0; url={page.address}"
    return answer


@bp.get("/abonnements/<uuid:subscription_id>/payer/<uuid:checkout_id>")
@requires(May.READ_INVOICES)
def outcome(subscription_id: uuid.UUID, checkout_id: uuid.UUID) -> ResponseReturnValue:
    """Back from the provider. What its address says is not believed: the provider is asked, and its word is written."""
    account_id = _account_id()
    page = checkout.page(db.session(), account_id, checkout_id)
    if page is None:
        abort(404)
    is_pending = False
    if page.state != "done":
        db.session.rollback()  # a later read must see what is written now
        told = paying.look(checkout_id)
        is_pending = told is not None and told.state == PENDING
        page = checkout.page(db.session(), account_id, checkout_id) or page
    primary = payment_methods.primary(db.session(), account_id)
    shown = presenters.OutcomePage(
        subscription_id=subscription_id,
        id=page.id,
        purpose=page.purpose,
        state=PENDING if is_pending and page.state == OPEN else page.state,
        amount=page.amount,
        numbers=page.numbers,
        failure=reason_text(page.failure, current_locale()) if page.failure else "",
        address=page.address,
        is_suspended=page.is_late,
        method=primary.label if primary is not None else "",
        unpaid=len(_read().invoices),
        round=request.args.get("tour", 0, type=int),
    )
    return htmx.page_or_fragment("checkout/outcome.html", "checkout/_outcome.html", page=shown)


# --- Between the rows and the pages ----------------------------------------------------------------------------


def _pay_page(
    subscription_id: uuid.UUID,
    numbers: Sequence[str],
    *,
    status: int = 200,
    sentences: Sequence[str] = (),
    is_stale: bool = False,
) -> Response:
    page = presenters.pay_page(subscription_id, _read(), numbers, request.args.get("lot", ""))
    return htmx.page_or_fragment(
        "checkout/pay.html",
        "checkout/_pay.html",
        status=status,
        page=page,
        sentences=sentences,
        is_stale=is_stale,
        may_pay=auth.visit_allows(May.PAY),
        who_may=auth.WHO_MAY[May.PAY],
    )


def _read() -> payables.Payables:
    return payables.read(db.session(), _account_id(), clock.today())


def _provider() -> PaymentProvider:
    found = paying.provider()
    return found if found is not None else abort(404)


def _account_id() -> uuid.UUID:
    account_id = auth.current().account_id
    if account_id is None:
        abort(404)
    return account_id


def _description(numbers: Sequence[str]) -> str:
    """On the provider's page and on the bank's statement: few words, and the numbers that fit."""
    brand = operator.current().brand
    if len(numbers) == 1:
        return f"{brand} {numbers[0]}"
    return f"{brand} {numbers[0]} + {len(numbers) - 1}"
