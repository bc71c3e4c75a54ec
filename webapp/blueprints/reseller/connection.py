"""What opens the embed: the keys that sign, and the sites that may hold it."""

from flask import abort, flash, url_for
from flask.typing import ResponseReturnValue
from wtforms import SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired, Length, Regexp

from webapp import auth, clock
from webapp.adapters.vault import Purpose
from webapp.auth import requires
from webapp.blueprints.reseller import bp
from webapp.domain.access import May
from webapp.domain.refusals import (
    BadKey,
    BadOrigin,
    KeyNameTaken,
    Refusal,
    TooManyKeys,
    TooManyOrigins,
)
from webapp.domain.reselling import ACTIVE_KEYS, KeyAlgorithm
from webapp.extensions import db
from webapp.forms import PortalForm
from webapp.htmx import redirect_to
from webapp.i18n import _, explain
from webapp.inviting import stripped
from webapp.rendering import current_locale, render, say
from webapp.services import resellers
from webapp.services.resellers import ResellerNotFound
from webapp.transactions import commits
from webapp.vaults import vault

ALGORITHMS = {
    KeyAlgorithm.EDDSA.value: _("Ed25519 : vous gardez la clé privée"),
    KeyAlgorithm.ES256.value: _("ES256 : vous gardez la clé privée"),
    KeyAlgorithm.HS256.value: _("HS256 : secret partagé, montré une fois"),
}


class KeyForm(PortalForm):
    """Without a public key, a shared secret is made."""

    kid = StringField(
        _("Nom de la clé"),
        [
            DataRequired(_("Donnez un nom à la clé.")),
            Regexp(
                r"^[a-z0-9][a-z0-9-]{0,39}$",
                message=_("Des minuscules, des chiffres et des tirets, 40 signes au plus."),
            ),
        ],
        filters=[stripped],
        description=_("Celui que votre serveur écrit dans l’en-tête « kid », comme site-2026."),
    )
    algorithm = SelectField(_("Type"), choices=ALGORITHMS)
    pem = TextAreaField(
        _("Clé publique, au format PEM"),
        [Length(max=4000)],
        filters=[stripped],
        description=_("À laisser vide pour HS256. Ne collez jamais une clé privée ici."),
    )


class OriginsForm(PortalForm):
    origins = TextAreaField(
        _("Sites autorisés, un par ligne"),
        [Length(max=4000)],
        filters=[stripped],
        description=_("Le protocole et le domaine exacts : https://espace.exemple.be"),
    )


@bp.get("/connexion")
@requires(May.READ_CONSOLE)
def connection() -> ResponseReturnValue:
    return _page()


@bp.post("/connexion/cles")
@requires(May.MANAGE_CONSOLE)
@commits
def key_add() -> ResponseReturnValue:
    """A new key; the secret of a shared one is shown on this answer and never again."""
    form = KeyForm()
    if not form.validate_on_submit():
        return _page(key_form=form, status=422)
    session, now, actor = db.session(), clock.now(), auth.current().partner_actor
    reseller, kid = resellers.by_slug(session, auth.partner().slug), str(form.kid.data)
    algorithm = KeyAlgorithm(form.algorithm.data)
    try:
        if algorithm is KeyAlgorithm.HS256:
            key_vault = vault(Purpose.RESELLER_KEYS)
            _key, secret = resellers.add_secret(session, reseller, kid, key_vault, now, actor)
            return _page(shown_secret=secret, shown_kid=kid)
        resellers.add_public_key(session, reseller, kid, algorithm, str(form.pem.data), now, actor)
    except BadKey as refusal:
        return _wrong(form, "pem", refusal)
    except (KeyNameTaken, TooManyKeys) as refusal:
        return _wrong(form, "kid", refusal)
    flash(say("La clé %(kid)s est active.", kid=kid), "good")
    return redirect_to(url_for(".connection"))


@bp.get("/connexion/cles/<kid>/revocation")
@requires(May.MANAGE_CONSOLE)
def key_confirm_revocation(kid: str) -> ResponseReturnValue:
    """What stops with it, before it happens."""
    active = [each for each in resellers.keys(db.session(), auth.partner().id) if each.revoked_at is None]
    if kid not in [each.kid for each in active]:
        abort(404)
    return render("reseller/revoke_key.html", kid=kid, is_last=len(active) == 1)


@bp.post("/connexion/cles/<kid>/revocation")
@requires(May.MANAGE_CONSOLE)
@commits
def key_revoke(kid: str) -> ResponseReturnValue:
    """From now on it opens nothing."""
    session = db.session()
    try:
        reseller = resellers.by_slug(session, auth.partner().slug)
        resellers.revoke_key(session, reseller, kid, clock.now(), auth.current().partner_actor)
    except ResellerNotFound:
        abort(404)
    flash(say("La clé %(kid)s est révoquée.", kid=kid), "good")
    return redirect_to(url_for(".connection"))


@bp.post("/connexion/sites")
@requires(May.MANAGE_CONSOLE)
@commits
def origins_save() -> ResponseReturnValue:
    """The whole list, as it is written."""
    form = OriginsForm()
    if not form.validate_on_submit():
        return _page(origins_form=form, status=422)
    session = db.session()
    reseller = resellers.by_slug(session, auth.partner().slug)
    wanted = [line.strip() for line in str(form.origins.data or "").splitlines() if line.strip()]
    try:
        resellers.set_origins(session, reseller, wanted, clock.now(), auth.current().partner_actor)
    except (BadOrigin, TooManyOrigins) as refusal:
        form.origins.errors = [explain(refusal, current_locale())]
        return _page(origins_form=form, status=422)
    flash(say("Les sites autorisés sont enregistrés."), "good")
    return redirect_to(url_for(".connection"))


def _wrong(form: KeyForm, name: str, refusal: Refusal) -> ResponseReturnValue:
    form[name].errors = [explain(refusal, current_locale())]
    return _page(key_form=form, status=422)


def _page(
    *,
    key_form: KeyForm | None = None,
    origins_form: OriginsForm | None = None,
    shown_secret: str = "",
    shown_kid: str = "",
    status: int = 200,
) -> ResponseReturnValue:
    session, partner = db.session(), auth.partner()
    reseller = resellers.by_slug(session, partner.slug)
    keys = resellers.keys(session, partner.id)
    active = sum(key.revoked_at is None for key in keys)
    origins = [str(each) for each in reseller.allowed_origins]
    page = render(
        "reseller/connection.html",
        keys=keys,
        has_room=active < ACTIVE_KEYS,
        origins=origins,
        # What was typed in the other form of the page is not this one's.
        key_form=key_form or KeyForm(formdata=None),
        origins_form=origins_form or OriginsForm(formdata=None, origins="\n".join(origins)),
        shown_secret=shown_secret,
        shown_kid=shown_kid,
        may_manage=auth.visit_allows(May.MANAGE_CONSOLE),
        who_may=auth.WHO_MAY[May.MANAGE_CONSOLE],
    )
    return page, status
