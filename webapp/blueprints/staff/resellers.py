"""The resellers: opened, their policy set, suspended, their first administrator invited."""

from flask import abort, current_app, flash, url_for
from flask.typing import ResponseReturnValue
from wtforms import EmailField, RadioField, SelectField, SelectMultipleField, StringField
from wtforms.validators import DataRequired, Email, InputRequired, Length, Regexp

from webapp import auth, clock
from webapp.adapters.reseller_file import ACTIONS
from webapp.auth import requires
from webapp.blueprints.staff import bp
from webapp.domain.access import May, Role
from webapp.domain.refusals import AlreadyColleague, ResellerNameTaken, TooManyAttempts
from webapp.domain.reselling import BilledParty, InvoicesShown, PricesShown
from webapp.extensions import db
from webapp.forms import PortalForm
from webapp.htmx import redirect_to
from webapp.i18n import LANGUAGES, _, explain
from webapp.inviting import RESELLER_ROLES, ROLES, stripped
from webapp.models.accounts import Reseller
from webapp.rendering import current_locale, render, say
from webapp.services import (
    catalogue_words,
    resale,
    reseller_desk,
    reseller_invoices,
    reseller_people,
    resellers,
)
from webapp.services.resellers import Contact, Policy, ResellerNotFound
from webapp.transactions import commits

ACTION_WORDS = {
    "change_plan": _("Changer de formule"),
    "options": _("Ajouter et retirer des options"),
    "establishments": _("Ajouter et retirer des établissements"),
    "terminate": _("Résilier"),
    "payment": _("Changer le moyen de paiement"),
    "billing_details": _("Changer les coordonnées de facturation"),
}
BILLED = {
    BilledParty.CLIENT.value: _("Chaque client"),
    BilledParty.RESELLER.value: _("Le revendeur, par une facture chaque mois"),
}
PRICES = {
    PricesShown.RESELLER_RETAIL.value: _("Les tarifs du revendeur"),
    PricesShown.PUBLIC.value: _("Les tarifs du revendeur, qui sont publics"),
    PricesShown.NONE.value: _("Aucun montant"),
}
INVOICES = {
    InvoicesShown.PLATFORM.value: _("Nos factures"),
    InvoicesShown.RESELLER.value: _("Un mot : le revendeur envoie les siennes"),
    InvoicesShown.NONE.value: _("Aucune"),
}


WHOLESALE_ITEMS = {
    "plan": _("Formule %(code)s"),
    "option": _("Option %(code)s"),
    "one_off": _("Option %(code)s"),
    "establishment": _("Établissement, formule %(code)s"),
}


class ContactForm(PortalForm):
    """Whom the clients of a reseller write to or call."""

    contact_name = StringField(
        _("Personne de contact"),
        [DataRequired(_("Indiquez qui ses clients contactent.")), Length(max=120)],
        filters=[stripped],
    )
    contact_email = EmailField(
        _("E-mail de contact"),
        [DataRequired(_("Indiquez une adresse e-mail.")), Email(), Length(max=254)],
        filters=[stripped],
    )
    contact_phone = StringField(_("Téléphone de contact"), [Length(max=40)], filters=[stripped])

    def contact(self) -> Contact:
        """Once valid."""
        return Contact(
            str(self.contact_name.data), str(self.contact_email.data), str(self.contact_phone.data or "")
        )


class OpenForm(ContactForm):
    name = StringField(
        _("Nom"), [DataRequired(_("Indiquez le nom du revendeur.")), Length(max=120)], filters=[stripped]
    )
    slug = StringField(
        _("Nom court"),
        [
            DataRequired(_("Indiquez un nom court.")),
            Regexp(
                r"^[a-z0-9][a-z0-9-]{1,39}$",
                message=_("Des minuscules, des chiffres et des tirets, 40 signes au plus."),
            ),
        ],
        filters=[stripped],
        description=_("Il figure dans les adresses, et ne change plus : horecaplus."),
    )


class PolicyForm(PortalForm):
    actions = SelectMultipleField(
        _("Ce que ses clients font seuls"), choices={code: ACTION_WORDS[code] for code in ACTIONS}
    )
    languages = SelectMultipleField(
        _("Langues de ses clients"),
        [InputRequired(_("Gardez au moins une langue."))],
        choices=LANGUAGES,
    )
    billed = RadioField(_("Qui est facturé"), choices=BILLED)
    prices = RadioField(_("Montants montrés à ses clients"), choices=PRICES)
    invoices = RadioField(_("Documents montrés à ses clients"), choices=INVOICES)
    role_cap = SelectField(_("Rôle le plus élevé dans son site"), choices=ROLES)
    company = StringField(
        _("Compte qui reçoit ses factures"),
        [Length(max=60)],
        filters=[stripped],
        description=_("La référence d’un compte direct. Demandée quand le revendeur est facturé."),
    )


class AdminForm(PortalForm):
    email = EmailField(
        _("Adresse e-mail"),
        [DataRequired(_("Indiquez l’adresse e-mail de la personne.")), Email(), Length(max=254)],
        filters=[stripped],
    )


@bp.get("/revendeurs", endpoint="resellers")
@requires(May.STAFF)
def resellers_() -> ResponseReturnValue:
    return _list()


@bp.post("/revendeurs")
@requires(May.ADMINISTER)
@commits
def reseller_open() -> ResponseReturnValue:
    """A new one: its policy comes next."""
    form = OpenForm()
    if not form.validate_on_submit():
        return _list(form, 422)
    slug, actor = str(form.slug.data), auth.current().staff_actor
    try:
        reseller_desk.open_reseller(
            db.session(), slug, str(form.name.data), form.contact(), clock.now(), actor
        )
    except ResellerNameTaken as refusal:
        form.slug.errors = [explain(refusal, current_locale())]
        return _list(form, 422)
    flash(say("Le revendeur est ajouté. Dites ce que ses clients peuvent faire."), "good")
    return redirect_to(url_for(".reseller", slug=slug))


@bp.get("/revendeurs/<slug>")
@requires(May.STAFF)
def reseller(slug: str) -> ResponseReturnValue:
    return _page(_reseller(slug))


@bp.post("/revendeurs/<slug>/politique")
@requires(May.ADMINISTER)
@commits
def reseller_policy(slug: str) -> ResponseReturnValue:
    """What its clients do alone and see, and who is billed."""
    found, form = _reseller(slug), PolicyForm()
    if not form.validate_on_submit():
        return _page(found, policy_form=form, status=422)
    session, now, actor = db.session(), clock.now(), auth.current().staff_actor
    company = reseller_desk.company(session, str(form.company.data or ""))
    if company is None and (form.company.data or form.billed.data == BilledParty.RESELLER):
        form.company.errors = [_("Indiquez la référence d’un compte direct qui existe.")]
        return _page(found, policy_form=form, status=422)
    policy = Policy(
        tuple(form.actions.data or ()),
        _in_order(found, list(form.languages.data or ())),
        BilledParty(form.billed.data),
        PricesShown(form.prices.data),
        InvoicesShown(form.invoices.data),
        Role(form.role_cap.data),
    )
    if company is not None:
        reseller_invoices.set_account(session, found, company, now, actor)
    resellers.set_policy(session, found, policy, now, actor)
    flash(say("La politique de %(name)s est enregistrée.", name=found.name), "good")
    return redirect_to(url_for(".reseller", slug=slug))


@bp.post("/revendeurs/<slug>/contact")
@requires(May.ADMINISTER)
@commits
def reseller_contact(slug: str) -> ResponseReturnValue:
    """Whom its clients write to; mails and pages say it from now on."""
    found, form = _reseller(slug), ContactForm()
    if not form.validate_on_submit():
        return _page(found, contact_form=form, status=422)
    resellers.set_contact(db.session(), found, form.contact(), clock.now(), auth.current().staff_actor)
    flash(say("Le contact de %(name)s est enregistré.", name=found.name), "good")
    return redirect_to(url_for(".reseller", slug=slug))


@bp.post("/revendeurs/<slug>/suspension")
@requires(May.ADMINISTER)
@commits
def reseller_suspend(slug: str) -> ResponseReturnValue:
    """Its keys open nothing, its people change nothing."""
    found = _reseller(slug)
    reseller_desk.suspend(db.session(), found, clock.now(), auth.current().staff_actor)
    flash(say("%(name)s est suspendu.", name=found.name), "good")
    return redirect_to(url_for(".reseller", slug=slug))


@bp.post("/revendeurs/<slug>/reprise")
@requires(May.ADMINISTER)
@commits
def reseller_resume(slug: str) -> ResponseReturnValue:
    found = _reseller(slug)
    reseller_desk.resume(db.session(), found, clock.now(), auth.current().staff_actor)
    flash(say("%(name)s n’est plus suspendu.", name=found.name), "good")
    return redirect_to(url_for(".reseller", slug=slug))


@bp.post("/revendeurs/<slug>/administrateur")
@requires(May.ADMINISTER)
@commits
def reseller_invite(slug: str) -> ResponseReturnValue:
    """The first of its people, by mail."""
    found, form = _reseller(slug), AdminForm()
    if not form.validate_on_submit():
        return _page(found, admin_form=form, status=422)
    email, actor = str(form.email.data), auth.current().staff_actor
    try:
        reseller_desk.invite_admin(db.session(), found.id, email, _link, clock.now(), actor)
    except (AlreadyColleague, TooManyAttempts) as refusal:
        form.email.errors = [explain(refusal, current_locale())]
        return _page(found, admin_form=form, status=422)
    flash(say("Une invitation vient de partir vers %(email)s.", email=email), "good")
    return redirect_to(url_for(".reseller", slug=slug))


def _in_order(found: Reseller, wanted: list[str]) -> tuple[str, ...]:
    """The languages kept, its own still first."""
    known = [str(each) for each in found.languages if each in wanted]
    return (*known, *(each for each in wanted if each not in known))


def _reseller(slug: str) -> Reseller:
    try:
        return resellers.by_slug(db.session(), slug)
    except ResellerNotFound:
        abort(404)


def _link(token: str) -> str:
    settings = current_app.extensions["portal_settings"]
    return str(settings.base_url + url_for("users.invitation", token=token))


def _list(form: OpenForm | None = None, status: int = 200) -> ResponseReturnValue:
    page = render(
        "staff/resellers.html",
        rows=reseller_desk.listed(db.session()),
        form=form or OpenForm(formdata=None),
        billed=BILLED,
        may_administer=auth.visit_allows(May.ADMINISTER),
    )
    return page, status


def _page(
    found: Reseller,
    *,
    policy_form: PolicyForm | None = None,
    admin_form: AdminForm | None = None,
    contact_form: ContactForm | None = None,
    status: int = 200,
) -> ResponseReturnValue:
    session, policy = db.session(), resellers.policy_of(found)
    kept = PolicyForm(
        formdata=None,
        actions=list(policy.allowed_actions),
        languages=list(policy.languages),
        billed=policy.billed.value,
        prices=policy.prices.value,
        invoices=policy.invoices.value,
        role_cap=policy.role_cap.value,
        company=reseller_desk.company_reference(session, found.id),
    )
    page = render(
        "staff/reseller.html",
        reseller=found,
        policy_form=policy_form or kept,
        contact_form=contact_form or ContactForm(formdata=None, obj=found),
        wholesale=sorted(
            resale.prices_of(session, found.id),
            key=lambda price: (price.item, price.ref, price.frequency, price.from_unit, price.valid_from),
        ),
        items=WHOLESALE_ITEMS,
        frequencies=catalogue_words.FREQUENCIES,
        admin_form=admin_form or AdminForm(formdata=None),
        colleagues=reseller_people.colleagues(session, found.id),
        roles=RESELLER_ROLES,
        may_administer=auth.visit_allows(May.ADMINISTER),
        who_may=auth.WHO_MAY[May.ADMINISTER],
    )
    return page, status
