"""A client is added: typed, shown with what it will pay, from when and on which terms, then confirmed once."""

import uuid

from flask import current_app, request, url_for
from flask.typing import ResponseReturnValue

from webapp import auth, clock, confirming, htmx
from webapp.adapters import vies
from webapp.adapters.vies import CheckVat
from webapp.amounts import named_lines
from webapp.auth import requires
from webapp.billing_form import KIND_NOTES, country_choices
from webapp.blueprints.reseller import bp
from webapp.blueprints.reseller.client_forms import ConfirmNewClientForm, NewClientForm
from webapp.blueprints.reseller.colleagues import invitation_link
from webapp.confirming import Given
from webapp.domain.access import May
from webapp.domain.catalogue import PlanOffer, PlanPriceOffer
from webapp.domain.refusals import Refusal
from webapp.extensions import db
from webapp.filters import money
from webapp.i18n import LANGUAGES, Sentence, _, explain
from webapp.rendering import current_locale, say
from webapp.services import catalogue_words, client_openings, resellers
from webapp.services.client_openings import MOST_ESTABLISHMENTS
from webapp.services.contracts import Partner
from webapp.services.wording import text
from webapp.transactions import commits

SOLD: dict[str, Sentence] = {
    "monthly": _("%(plan)s, %(amount)s HTVA par mois"),
    "annual": _("%(plan)s, %(amount)s HTVA par an"),
}
OF_THE_CONFIRMATION = ("csrf_token", "idempotency_key", "preview", "more", "correct")


@bp.get("/clients/ajouter")
@requires(May.ADD_CLIENTS)
def client_new() -> ResponseReturnValue:
    form = NewClientForm(formdata=None, kind="business", country="BE")
    _offer(form)
    return _form_page(form)


@bp.post("/clients/ajouter")
@requires(May.ADD_CLIENTS)
@commits
def client_preview() -> ResponseReturnValue:
    """What the client will pay, from when, on which terms; or one more address to type. Nothing is kept."""
    form = NewClientForm()
    _offer(form)
    if "more" in request.form and len(form.establishments) < MOST_ESTABLISHMENTS:
        form.establishments.append_entry()
        return _form_page(form)
    if "correct" in request.form:
        return _form_page(form)
    if not form.validate_on_submit():
        return _form_page(form, 422)
    return _preview(form)


@bp.post("/clients/ajouter/confirmer")
@requires(May.ADD_CLIENTS)
@commits
def client_confirm() -> ResponseReturnValue:
    """The account is opened, signed, billed, and its owner invited, once."""
    form = ConfirmNewClientForm()
    _offer(form)

    def act(given: Given, account_id: uuid.UUID) -> str:
        account = client_openings.add(
            given.session,
            auth.partner().id,
            account_id,
            form.wanted(),
            given.fingerprint,
            check_vat=_check_vat(),
            address_of=invitation_link,
            actor=given.actor,
            today=given.today,
            now=given.now,
        )
        return url_for(".client", reference=account.reference)

    def show(status: int) -> ResponseReturnValue:
        return _preview(form, 409) if status == 409 else _form_page(form, status)

    return confirming.once_for_client(
        form,
        tuple(_carried()),
        act,
        show=show,
        refuse=lambda refusal: _refused(form, refusal),
        said=say("Le client est ajouté, et son propriétaire est invité par e-mail."),
    )


def _offer(form: NewClientForm) -> None:
    """What the form lets choose: the countries, the languages of the reseller, its tariffs on sale."""
    session, partner, locale = db.session(), auth.partner(), current_locale()
    reseller = resellers.by_slug(session, partner.slug)
    form.country.choices = country_choices(locale)
    form.language.choices = {code: LANGUAGES[code] for code in resellers.policy_of(reseller).languages}
    form.tariff.choices = {
        f"{offer.code}/{price.frequency}": _sold(offer, price)
        for offer in client_openings.plans(session, partner.id, clock.today())
        for price in offer.prices
    }


def _sold(offer: PlanOffer, price: PlanPriceOffer) -> str:
    locale = current_locale()
    amount = money(price.amount_cents, locale, price.currency)
    return say(SOLD[price.frequency], plan=text(offer.names, locale), amount=amount)


def _terms() -> dict[str, str]:
    """Commitment, notice and renewal of each tariff, in words."""
    return {
        f"{offer.code}/{price.frequency}": catalogue_words.terms(price, current_locale())
        for offer in client_openings.plans(db.session(), auth.partner().id, clock.today())
        for price in offer.prices
    }


def _carried() -> list[tuple[str, str]]:
    """What was typed, for the form that confirms it."""
    return [pair for pair in request.form.items(multi=True) if pair[0] not in OF_THE_CONFIRMATION]


def _check_vat() -> CheckVat:
    found: CheckVat = current_app.extensions.get("portal_vies", vies.not_configured)
    return found


def _form_page(form: NewClientForm, status: int = 200) -> ResponseReturnValue:
    return htmx.page_or_fragment(
        "reseller/client_new.html",
        "reseller/_client_new.html",
        status=status,
        form=form,
        kind_notes=KIND_NOTES,
        terms=_terms(),
        has_room=len(form.establishments) < MOST_ESTABLISHMENTS,
    )


def _preview(form: NewClientForm, status: int = 200) -> ResponseReturnValue:
    session, locale = db.session(), current_locale()
    try:
        opening = client_openings.preview(
            session,
            auth.partner().id,
            form.wanted(),
            check_vat=_check_vat(),
            actor=auth.current().partner_actor,
            today=clock.today(),
            now=clock.now(),
        )
    except Refusal as refusal:
        return _refused(form, refusal)
    partner = opening.situation.partner
    shows_wholesale = _is_billed(partner) and auth.visit_allows(May.READ_RESALE)
    return htmx.page_or_fragment(
        "reseller/client_preview.html",
        "reseller/_client_preview.html",
        status=status,
        opening=opening,
        customer=opening.situation.customer,
        lines=named_lines(opening.draft, opening.situation, locale),
        terms=_terms()[str(form.tariff.data)],
        addresses=form.places,
        owner=form.owner_email.data,
        pays_for_clients=_is_billed(partner),
        wholesale=client_openings.wholesale(session, opening) if shows_wholesale else None,
        carried=_carried(),
        key=confirming.new_key(),
        is_stale=status == 409,
    )


def _is_billed(partner: Partner | None) -> bool:
    return partner is not None and partner.is_billed


def _refused(form: NewClientForm, refusal: Refusal) -> ResponseReturnValue:
    form.form_errors.append(explain(refusal, current_locale()))
    return _form_page(form, 422)
