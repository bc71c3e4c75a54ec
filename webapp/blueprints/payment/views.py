"""How invoices are paid: the page, the mandate, the choice of another method, taking one back."""

import uuid

from flask import Response, abort, current_app, request, url_for
from flask.typing import ResponseReturnValue

from webapp import auth, clock, confirming, htmx
from webapp.adapters.vault import Purpose, Unreadable, Vault
from webapp.auth import requires
from webapp.blueprints.payment import bp
from webapp.blueprints.payment.forms import AccountForm, SignatureForm
from webapp.blueprints.payment.presenters import method_card, payment_page
from webapp.confirming import ConfirmForm, Given
from webapp.domain.access import May
from webapp.domain.refusals import Refusal
from webapp.extensions import db
from webapp.i18n import _, explain
from webapp.rendering import current_locale, render
from webapp.services import contracts, invoicing, mandates, method_changes, payment_methods
from webapp.services.mandates import Debtor, Signer
from webapp.services.method_changes import MethodPreview
from webapp.transactions import commits
from webapp.vaults import vault


@bp.get("")
@requires(May.READ_BILLING_DETAILS)
def edit(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """The present method with its state in words, the others, and what was signed."""
    session, visit = db.session(), auth.current()
    situation = contracts.load(session, subscription_id)
    account_id = situation.customer.account_id
    return render(
        "payment/edit.html",
        page=payment_page(
            situation,
            payment_methods.all_of(session, account_id),
            mandates.documents_of(session, account_id),
            visit.role,
            clock.today(),
            current_locale(),
        ),
        issuer=invoicing.the_issuer(session),
    )


# ── The mandate ──────────────────────────────────────────────────────────────────────────────────────────────────


@bp.get("/domiciliation")
@requires(May.CHANGE_PAYMENT)
def account_form(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """Whose account is to be debited."""
    try:
        situation = method_changes.load(db.session(), subscription_id, clock.today())
    except Refusal as refusal:
        return _refused(subscription_id, refusal)
    return _account_page(subscription_id, AccountForm(formdata=None, holder=situation.customer.legal_name))


@bp.post("/domiciliation/mandat")
@requires(May.CHANGE_PAYMENT)
@commits
def preview_mandate(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """The mandate to read and sign, and what it changes; or the form again, to correct it. Nothing is written."""
    form = AccountForm()
    is_valid = form.validate_on_submit()
    if request.form.get("correct"):
        return _account_page(subscription_id, form)
    if not is_valid:
        return _account_page(subscription_id, form, 422)
    assert form.debtor is not None
    return _mandate_page(subscription_id, form.debtor, SignatureForm(formdata=None))


@bp.post("/domiciliation/signer")
@requires(May.CHANGE_PAYMENT)
@commits
def sign_mandate(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """Sign the text that was shown, once; if it is another by now, show it instead."""
    form = SignatureForm()
    form.validate()
    debtor = form.debtor
    if debtor is None:
        typed = AccountForm()
        typed.validate()
        return _account_page(subscription_id, typed, 422)

    def act(given: Given) -> str:
        mandates.sign(
            given.session,
            subscription_id,
            debtor,
            _signer(),
            _vault(),
            _agreed_days(),
            given.fingerprint,
            given.today,
            given.now,
            given.actor,
            _home(subscription_id, _external=True),
        )
        return _home(subscription_id)

    def show(status: int) -> ResponseReturnValue:
        if status == 409:
            form.signed.data = False  # what was signed is another text
        return _mandate_page(subscription_id, debtor, form, status, is_stale=status == 409)

    return confirming.once(
        subscription_id,
        form,
        ("mandate",),
        act,
        show=show,
        refuse=_refused,
        said=_("Votre mandat est signé. Une confirmation vous est envoyée par e-mail."),
    )


@bp.get("/mandats/<int:document_id>")
@requires(May.CHANGE_PAYMENT)
def mandate_file(subscription_id: uuid.UUID, document_id: int) -> ResponseReturnValue:
    """The signed document, with the whole IBAN: for owners alone."""
    account_id = auth.current().account_id
    assert account_id is not None
    try:
        found = mandates.file(db.session(), account_id, document_id, _vault())
    except Unreadable:
        current_app.logger.error(
            "signed document %s cannot be read: is a former SECRET_KEY missing?", document_id
        )
        abort(503)
    if found is None:
        abort(404)
    answer = Response(found.content, mimetype="application/pdf")
    answer.headers.set("Content-Disposition", "attachment", filename=found.filename)
    return answer


# ── Choosing another method ──────────────────────────────────────────────────────────────────────────────────────


@bp.get("/virement")
@requires(May.CHANGE_PAYMENT)
def choose_transfer(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """What paying by transfer changes, before it is confirmed."""
    return _choice_page(subscription_id, None)


@bp.post("/virement/confirmer")
@requires(May.CHANGE_PAYMENT)
@commits
def confirm_transfer(subscription_id: uuid.UUID) -> ResponseReturnValue:
    return _confirm_choice(subscription_id, None)


@bp.get("/<uuid:method_id>/choisir")
@requires(May.CHANGE_PAYMENT)
def choose(subscription_id: uuid.UUID, method_id: uuid.UUID) -> ResponseReturnValue:
    """What paying by a mandate or a card at hand changes, before it is confirmed."""
    return _choice_page(subscription_id, method_id)


@bp.post("/<uuid:method_id>/choisir/confirmer")
@requires(May.CHANGE_PAYMENT)
@commits
def confirm_choice(subscription_id: uuid.UUID, method_id: uuid.UUID) -> ResponseReturnValue:
    return _confirm_choice(subscription_id, method_id)


def _confirm_choice(subscription_id: uuid.UUID, method_id: uuid.UUID | None) -> ResponseReturnValue:
    """Make it primary as it was shown, once."""

    def act(given: Given) -> str:
        method_changes.choose(
            given.session,
            subscription_id,
            method_id,
            given.fingerprint,
            given.today,
            given.now,
            given.actor,
            _home(subscription_id, _external=True),
        )
        return _home(subscription_id)

    return confirming.once(
        subscription_id,
        ConfirmForm(),
        ("payment-method", method_id or "transfer"),
        act,
        show=lambda status: _choice_page(subscription_id, method_id, status, is_stale=True),
        refuse=_refused,
        said=_("Votre moyen de paiement est changé. Une confirmation vous est envoyée par e-mail."),
    )


# ── Taking one back ──────────────────────────────────────────────────────────────────────────────────────────────


@bp.get("/<uuid:method_id>/retirer")
@requires(May.CHANGE_PAYMENT)
def remove(subscription_id: uuid.UUID, method_id: uuid.UUID) -> ResponseReturnValue:
    """What taking a mandate or a card back changes, before it is confirmed."""
    return _removal_page(subscription_id, method_id)


@bp.post("/<uuid:method_id>/retirer/confirmer")
@requires(May.CHANGE_PAYMENT)
@commits
def confirm_removal(subscription_id: uuid.UUID, method_id: uuid.UUID) -> ResponseReturnValue:
    def act(given: Given) -> str:
        method_changes.remove(
            given.session,
            subscription_id,
            method_id,
            given.fingerprint,
            given.today,
            given.now,
            given.actor,
            _home(subscription_id, _external=True),
        )
        return _home(subscription_id)

    return confirming.once(
        subscription_id,
        ConfirmForm(),
        ("payment-method-removal", method_id),
        act,
        show=lambda status: _removal_page(subscription_id, method_id, status, is_stale=True),
        refuse=_refused,
        said=_("Ce moyen de paiement est retiré. Une confirmation vous est envoyée par e-mail."),
    )


# ── Answers ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _home(subscription_id: uuid.UUID, **values: bool) -> str:
    return url_for("payment.edit", subscription_id=subscription_id, **values)  # type: ignore[arg-type]


def _vault() -> Vault:
    return vault(Purpose.BANK_ACCOUNTS)


def _agreed_days() -> int:
    return int(current_app.extensions["portal_settings"].sepa_notice_days)


def _signer() -> Signer:
    visit, device = auth.current(), auth.device()
    return Signer(visit.user_name, visit.user_email, device.ip_address, device.user_agent, current_locale())


def _account_page(subscription_id: uuid.UUID, form: AccountForm, status: int = 200) -> ResponseReturnValue:
    return htmx.page_or_fragment(
        "payment/account.html",
        "payment/_account.html",
        status=status,
        form=form,
        subscription_id=subscription_id,
    )


def _mandate_page(
    subscription_id: uuid.UUID,
    debtor: Debtor,
    form: SignatureForm,
    status: int = 200,
    is_stale: bool = False,
) -> ResponseReturnValue:
    try:
        shown = mandates.preview(
            db.session(), subscription_id, debtor, _signer(), _vault(), _agreed_days(), clock.today()
        )
    except Refusal as refusal:
        return _refused(subscription_id, refusal)
    title, *paragraphs = shown.text.strip().split("\n\n")
    return htmx.page_or_fragment(
        "payment/mandate.html",
        "payment/_mandate.html",
        status=status,
        shown=shown,
        title=title,
        paragraphs=[each.splitlines() for each in paragraphs],
        form=form,
        key=confirming.new_key(),
        is_stale=is_stale,
        subscription_id=subscription_id,
    )


def _choice_page(
    subscription_id: uuid.UUID, method_id: uuid.UUID | None, status: int = 200, is_stale: bool = False
) -> ResponseReturnValue:
    session, today = db.session(), clock.today()
    try:
        shown = method_changes.preview_choice(session, subscription_id, method_id, today)
    except Refusal as refusal:
        return _refused(subscription_id, refusal)
    if shown.is_chosen:
        return htmx.redirect_to(_home(subscription_id))
    if method_id is None:
        action = url_for(".confirm_transfer", subscription_id=subscription_id)
    else:
        action = url_for(".confirm_choice", subscription_id=subscription_id, method_id=method_id)
    return _change_page("choose", shown, action, status, is_stale)


def _removal_page(
    subscription_id: uuid.UUID, method_id: uuid.UUID, status: int = 200, is_stale: bool = False
) -> ResponseReturnValue:
    try:
        shown = method_changes.preview_removal(db.session(), subscription_id, method_id, clock.today())
    except Refusal as refusal:
        return _refused(subscription_id, refusal)
    action = url_for(".confirm_removal", subscription_id=subscription_id, method_id=method_id)
    return _change_page("remove", shown, action, status, is_stale)


def _change_page(
    name: str, shown: MethodPreview, action: str, status: int, is_stale: bool
) -> ResponseReturnValue:
    card = method_card(shown.method, clock.today(), current_locale()) if shown.method is not None else None
    return htmx.page_or_fragment(
        f"payment/{name}.html",
        f"payment/_{name}.html",
        status=status,
        shown=shown,
        card=card,
        issuer=invoicing.the_issuer(db.session()),
        action=action,
        key=confirming.new_key(),
        is_stale=is_stale,
        subscription_id=shown.situation.subscription_id,
    )


def _refused(subscription_id: uuid.UUID, refusal: Refusal) -> ResponseReturnValue:
    """Why it cannot be done, and the way on."""
    return htmx.page_or_fragment(
        "payment/refused.html",
        "payment/_refused.html",
        status=422,
        sentence=explain(refusal, current_locale()),
        subscription_id=subscription_id,
    )
