"""See and change billing details; confirm the accountant's address from a mailed link."""

import uuid
from dataclasses import asdict

from flask import current_app, flash, redirect, url_for
from flask.typing import ResponseReturnValue

from webapp import auth, clock
from webapp.adapters import vies
from webapp.auth import requires
from webapp.billing_form import KIND_NOTES, KINDS, BillingDetailsForm, country_choices
from webapp.blueprints.billing_details import bp
from webapp.domain.access import May
from webapp.domain.refusals import KindFrozen, LinkExpired, StalePage, SubscriptionEnded, TooManyAttempts
from webapp.extensions import db
from webapp.i18n import LANGUAGES, Sentence, _, explain
from webapp.rendering import current_locale, render, say
from webapp.services import billing_details
from webapp.transactions import commits

TREATMENTS = {
    "domestic": _("TVA belge sur chaque facture."),
    "reverse_charge": _(
        "Autoliquidation : vos factures sont sans TVA, et vous la déclarez dans votre pays "
        "(article 21 § 2 du Code de la TVA)."
    ),
    "franchise": _("Régime particulier de la franchise de taxe : pas de TVA sur vos factures."),
    "exempt": _("Exonération de TVA (article 42, § 3 du Code de la TVA) : pas de TVA sur vos factures."),
}


@bp.get("/abonnements/<uuid:subscription_id>/coordonnees")
@requires(May.READ_BILLING_DETAILS)
def edit(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """The form for who may change them, the same facts to read for the others."""
    shown = _read()
    return _page(shown, _form_of(shown))


@bp.post("/abonnements/<uuid:subscription_id>/coordonnees")
@requires(May.CHANGE_BILLING_DETAILS)
@commits
def save(subscription_id: uuid.UUID) -> ResponseReturnValue:
    shown, here = _read(), auth.current()
    form = BillingDetailsForm()
    form.country.choices = country_choices(current_locale())
    is_valid = form.validate_on_submit()
    if not is_valid or here.account_id is None:
        return _page(shown, form), 422
    try:
        asks = billing_details.save(
            db.session(),
            here.account_id,
            form.details(),
            form.accountant_email.data,
            version=form.version.data or "",
            address_of=_link,
            check_vat=current_app.extensions.get("portal_vies", vies.not_configured),
            actor=here.actor,
            today=clock.today(),
            now=clock.now(),
        )
    except StalePage as refusal:
        db.session().rollback()
        shown = _read()
        form.version.data = form.version.raw_data = shown.details.version
        return _page(shown, form, sentences=[explain(refusal, current_locale())]), 409
    except SubscriptionEnded:
        return _page(shown, form), 422
    except KindFrozen as refusal:
        form.kind.errors = [explain(refusal, current_locale())]
        return _page(shown, form), 422
    except TooManyAttempts as refusal:
        form.accountant_email.errors = [explain(refusal, current_locale())]
        return _page(shown, form), 429
    flash(say("Vos coordonnées sont enregistrées. Elles valent pour les prochaines factures."), "good")
    if asks:
        flash(
            say(
                "Un lien vient de partir vers %(email)s : l’adresse servira dès qu’il aura été ouvert.",
                email=form.accountant_email.data,
            ),
            "warn",
        )
    return redirect(url_for(".edit", subscription_id=subscription_id), 303)


@bp.post("/abonnements/<uuid:subscription_id>/coordonnees/comptable/renvoyer")
@requires(May.CHANGE_BILLING_DETAILS)
@commits
def resend_check(subscription_id: uuid.UUID) -> ResponseReturnValue:
    here = auth.current()
    assert here.account_id is not None
    try:
        email = billing_details.ask_accountant_again(
            db.session(), here.account_id, address_of=_link, actor=here.actor, now=clock.now()
        )
        if email:
            flash(say("Un nouveau lien vient de partir vers %(email)s.", email=email), "good")
    except (SubscriptionEnded, TooManyAttempts) as refusal:
        flash(explain(refusal, current_locale()), "bad")
    return redirect(url_for(".edit", subscription_id=subscription_id), 303)


@bp.post("/abonnements/<uuid:subscription_id>/coordonnees/comptable/oublier")
@requires(May.CHANGE_BILLING_DETAILS)
@commits
def cancel_check(subscription_id: uuid.UUID) -> ResponseReturnValue:
    here = auth.current()
    assert here.account_id is not None
    billing_details.forget_waiting_address(db.session(), here.account_id, actor=here.actor, now=clock.now())
    flash(say("L’adresse en attente est oubliée."), "good")
    return redirect(url_for(".edit", subscription_id=subscription_id), 303)


@bp.get("/adresse-comptable/<token>")
@requires(May.ANYONE)
def checked_address(token: str) -> ResponseReturnValue:
    """Asks for a click: programs that open every link of a message must not confirm in its reader's place."""
    try:
        email, account = billing_details.checked_address(db.session(), token, clock.now())
    except LinkExpired:
        return render("billing_details/check_expired.html"), 410
    return render("billing_details/check.html", email=email, account=account, token=token, is_confirmed=False)


@bp.post("/adresse-comptable/<token>")
@requires(May.ANYONE)
@commits
def confirm_address(token: str) -> ResponseReturnValue:
    try:
        _email, account = billing_details.checked_address(db.session(), token, clock.now())
        email = billing_details.confirm_address(db.session(), token, clock.now())
    except LinkExpired:
        return render("billing_details/check_expired.html"), 410
    return render("billing_details/check.html", email=email, account=account, token=token, is_confirmed=True)


# --- Between the rows and the form -----------------------------------------------------------------------------


def _read() -> billing_details.Shown:
    return billing_details.read(db.session(), _account_id(), clock.now())


def _account_id() -> uuid.UUID:
    account_id = auth.current().account_id
    assert account_id is not None  # the door has answered 404 otherwise
    return account_id


def _form_of(shown: billing_details.Shown) -> BillingDetailsForm:
    values = asdict(shown.details)
    values["invoice_emails"] = "\n".join(shown.details.invoice_emails)
    values["accountant_email"] = shown.waiting_email or shown.accountant_email
    form = BillingDetailsForm(formdata=None, version=shown.details.version, **values)
    form.country.choices = country_choices(current_locale())
    return form


def _page(
    shown: billing_details.Shown,
    form: BillingDetailsForm,
    sentences: list[str] | None = None,
) -> str:
    countries = country_choices(current_locale())
    may_change, why_not = auth.visit_allows(May.CHANGE_BILLING_DETAILS), ""
    try:
        billing_details.ensure_invoices_to_come(db.session(), _account_id())
    except SubscriptionEnded as refusal:
        may_change, why_not = False, explain(refusal, current_locale())
    return render(
        "billing_details/edit.html",
        shown=shown,
        form=form,
        sentences=sentences or [],
        may_change=may_change,
        why_not=why_not,
        who_may=auth.WHO_MAY[May.CHANGE_BILLING_DETAILS],
        kinds=KINDS,
        kind_notes=KIND_NOTES,
        treatment=TREATMENTS.get(shown.vat_treatment, Sentence("")),
        country=countries.get(shown.details.country, shown.details.country),
        language_name=LANGUAGES.get(shown.details.language, ""),
    )


def _link(token: str) -> str:
    settings = current_app.extensions["portal_settings"]
    return str(settings.base_url + url_for("billing_details.checked_address", token=token))
