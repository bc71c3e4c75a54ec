"""How the portal looks in the reseller's site: chosen, seen before it is kept, refused when it could not be read."""

from dataclasses import dataclass

from flask import flash, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.file import FileField
from wtforms import SelectField, StringField
from wtforms.validators import DataRequired, Regexp

from webapp import auth, clock, htmx
from webapp.auth import requires
from webapp.blueprints.reseller import bp
from webapp.domain.access import May
from webapp.domain.colours import Colour
from webapp.domain.refusals import BadLogo, BrandTooPale
from webapp.domain.themes import Font, Palette, Radius, Tokens, palette
from webapp.extensions import db
from webapp.forms import PortalForm
from webapp.i18n import _, explain
from webapp.inviting import stripped
from webapp.rendering import current_locale, say
from webapp.services import resellers
from webapp.transactions import commits

A_COLOUR = r"^#[0-9a-fA-F]{6}$"
STARTING = Tokens(Colour.parse("#1f4e8c"))  # shown to a reseller that has chosen nothing


class LookForm(PortalForm):
    brand = StringField(
        _("Couleur de la marque"),
        [
            DataRequired(_("Choisissez une couleur.")),
            Regexp(A_COLOUR, message=_("Une couleur s’écrit comme #a3195b.")),
        ],
        filters=[stripped],
        description=_("Liens et boutons la portent ; les autres teintes en sont déduites."),
    )
    radius = SelectField(
        _("Coins"),
        choices={
            Radius.SQUARE.value: _("Droits"),
            Radius.SOFT.value: _("Adoucis"),
            Radius.ROUND.value: _("Arrondis"),
        },
    )
    font = SelectField(
        _("Lettres"),
        choices={
            Font.FIGTREE.value: _("Figtree, titres en Bricolage"),
            Font.PLAIN.value: _("Figtree partout"),
            Font.SYSTEM.value: _("Celles de l’appareil"),
            Font.WIDE.value: _("Verdana"),
        },
    )
    logo = FileField(
        _("Logo"),
        description=_("PNG ou JPEG, 200 ko au plus. Sans fichier, le logo actuel est gardé."),
    )


@dataclass(frozen=True, slots=True)
class Preview:
    """What a colour gives: its shades, or why it is refused with the one to take instead."""

    brand: str
    shades: Palette | None
    refusal: str = ""
    suggestion: str = ""

    @property
    def worst(self) -> float:
        """The lowest contrast of light and dark pages, to one decimal below."""
        assert self.shades is not None
        return int(10 * min(self.shades.light.worst_contrast, self.shades.dark.worst_contrast)) / 10


@bp.get("/apparence")
@requires(May.READ_CONSOLE)
def look() -> ResponseReturnValue:
    """The look in force, or the one that the address asks to try."""
    chosen = _asked(_in_force())
    form = LookForm(
        formdata=None, brand=chosen.brand.text, radius=chosen.radius.value, font=chosen.font.value
    )
    return _page(form, _tried(str(request.args.get("brand", "")).strip() or chosen.brand.text))


@bp.post("/apparence/essai")
@requires(May.MANAGE_CONSOLE)
@commits
def look_try() -> ResponseReturnValue:
    """What is in the form, shown and not kept."""
    form = LookForm()
    return _page(form, _tried(str(form.brand.data or "")))


@bp.post("/apparence")
@requires(May.MANAGE_CONSOLE)
@commits
def look_save() -> ResponseReturnValue:
    """Keep it: pages opened from now on have it."""
    form = LookForm()
    if not form.validate_on_submit():
        return _page(form, _tried(str(form.brand.data or "")), 422)
    session = db.session()
    reseller = resellers.by_slug(session, auth.partner().slug)
    present = resellers.theme(session, reseller)
    sent = form.logo.data.read() if form.logo.data else b""
    logo = sent or (present.logo if present else None)
    tokens = Tokens(Colour.parse(str(form.brand.data)), Radius(form.radius.data), Font(form.font.data))
    try:
        resellers.publish_theme(session, reseller, tokens, logo, clock.now(), auth.current().partner_actor)
    except BrandTooPale as refusal:
        form.brand.errors = [explain(refusal, current_locale())]
        return _page(form, _tried(str(form.brand.data)), 422)
    except BadLogo as refusal:
        form.logo.errors = [explain(refusal, current_locale())]
        return _page(form, _tried(str(form.brand.data)), 422)
    flash(say("Votre apparence est enregistrée : les pages ouvertes dès maintenant la portent."), "good")
    return htmx.redirect_to(url_for(".look"))


def _in_force() -> Tokens:
    session = db.session()
    theme = resellers.theme(session, resellers.by_slug(session, auth.partner().slug))
    return resellers.tokens_of(theme) if theme else STARTING


def _asked(present: Tokens) -> Tokens:
    """What the address asks to try; what it does not say, or says wrong, stays as it is."""
    try:
        return Tokens(
            Colour.parse(request.args.get("brand", present.brand.text).strip()),
            Radius(request.args.get("radius", present.radius.value)),
            Font(request.args.get("font", present.font.value)),
        )
    except ValueError:
        return present


def _tried(text: str) -> Preview:
    try:
        brand = Colour.parse(text)
        return Preview(brand.text, palette(brand))
    except BrandTooPale as refusal:
        return Preview(brand.text, None, explain(refusal, current_locale()), refusal.suggestion)
    except ValueError:
        return Preview(text, None, say("Une couleur s’écrit comme #a3195b."))


def _page(form: LookForm, preview: Preview, status: int = 200) -> ResponseReturnValue:
    session = db.session()
    reseller = resellers.by_slug(session, auth.partner().slug)
    return htmx.page_or_fragment(
        "reseller/look.html",
        "reseller/_look_preview.html",
        status=status,
        form=form,
        preview=preview,
        theme=resellers.theme(session, reseller),
        may_manage=auth.visit_allows(May.MANAGE_CONSOLE),
        who_may=auth.WHO_MAY[May.MANAGE_CONSOLE],
    )
