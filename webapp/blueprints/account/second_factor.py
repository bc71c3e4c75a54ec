"""Two-step sign-in: set up, codes, and the second step itself."""

from textwrap import wrap

from flask import current_app, flash, make_response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from wtforms import PasswordField, StringField
from wtforms.validators import DataRequired, Length

from webapp import auth, clock, operator
from webapp.adapters.vault import Vault
from webapp.auth import requires
from webapp.blueprints.account import bp
from webapp.blueprints.account.arriving import half_way, next_page, welcome
from webapp.domain.access import May
from webapp.domain.refusals import TooManyAttempts, WrongCode, WrongCredentials
from webapp.extensions import db
from webapp.forms import PortalForm
from webapp.i18n import _, explain
from webapp.models.accounts import User
from webapp.rendering import current_locale, render, say
from webapp.services import people, two_factor
from webapp.transactions import commits, keep_even_if_refused


class CodeForm(PortalForm):
    code = StringField(
        _("Code"),
        [DataRequired(_("Écrivez le code que montre votre application.")), Length(max=20)],
        description=_("Six chiffres, ou un code de secours"),
    )


class PasswordForm(PortalForm):
    password = PasswordField(
        _("Mot de passe actuel"), [DataRequired(_("Indiquez votre mot de passe actuel."))]
    )


# --- Signing in ------------------------------------------------------------------------------------------------


@bp.get("/connexion/code")
@requires(May.ANYONE)
def sign_in_code() -> ResponseReturnValue:
    if half_way() is None:
        return redirect(url_for(".home"))
    return render("account/sign_in_code.html", form=CodeForm(formdata=None), next=next_page())


@bp.post("/connexion/code")
@requires(May.ANYONE)
@commits
def check_code() -> ResponseReturnValue:
    user_id, form, status = half_way(), CodeForm(), 422
    if user_id is None:
        if auth.visit() is not None:
            return redirect(url_for(".home"), 303)
        flash(say("Trop de temps a passé. Connectez-vous de nouveau."), "warn")
        return redirect(url_for(".login", next=request.args.get("next")), 303)
    if form.validate_on_submit():
        try:
            two_factor.check(db.session(), user_id, form.code.data, _vault(), clock.now())
            user = db.session().get_one(User, user_id)
            if user.disabled_at is not None:
                return redirect(url_for(".login"), 303)
            token = people.open_session(
                db.session(),
                user,
                device=auth.device(),
                lifetime=auth.lifetime(),
                now=clock.now(),
                means="code",
            )
            return welcome(token)
        except (WrongCode, TooManyAttempts) as refusal:
            keep_even_if_refused()  # the failure counts
            form.code.errors = [explain(refusal, current_locale())]
            status = 429 if isinstance(refusal, TooManyAttempts) else 422
    return render("account/sign_in_code.html", form=form, next=next_page()), status


# --- Setting it up ---------------------------------------------------------------------------------------------


@bp.get("/compte/double-verification", endpoint="two_factor")
@requires(May.SIGNED_IN)
def two_factor_page() -> ResponseReturnValue:
    return _page()


@bp.post("/compte/double-verification/commencer")
@requires(May.SIGNED_IN)
@commits
def begin_two_factor() -> ResponseReturnValue:
    two_factor.begin(db.session(), auth.current().user_id, clock.now(), _vault())
    return redirect(url_for(".two_factor"), 303)


@bp.post("/compte/double-verification/confirmer")
@requires(May.SIGNED_IN)
@commits
def confirm_two_factor() -> ResponseReturnValue:
    form, here = CodeForm(), auth.current()
    if form.validate_on_submit():
        try:
            codes = two_factor.confirm(
                db.session(),
                here.user_id,
                form.code.data,
                vault=_vault(),
                actor=here.actor,
                now=clock.now(),
            )
            return _codes(codes)
        except WrongCode as refusal:
            form.code.errors = [explain(refusal, current_locale())]
    return _page(code_form=form), 422


@bp.post("/compte/double-verification/codes")
@requires(May.SIGNED_IN)
@commits
def renew_recovery_codes() -> ResponseReturnValue:
    form, here = PasswordForm(), auth.current()
    if form.validate_on_submit():
        try:
            return _codes(
                two_factor.new_recovery_codes(
                    db.session(), here.user_id, form.password.data, actor=here.actor, now=clock.now()
                )
            )
        except (WrongCredentials, TooManyAttempts) as refusal:
            keep_even_if_refused()  # the failure counts
            form.password.errors = [explain(refusal, current_locale())]
    return _page(password_form=form), 422


@bp.post("/compte/double-verification/retirer")
@requires(May.SIGNED_IN)
@commits
def remove_two_factor() -> ResponseReturnValue:
    form, here = PasswordForm(), auth.current()
    if form.validate_on_submit():
        try:
            two_factor.remove(
                db.session(), here.user_id, form.password.data, actor=here.actor, now=clock.now()
            )
            flash(say("La double vérification est retirée : votre mot de passe suffit."), "good")
            return redirect(url_for(".two_factor"), 303)
        except (WrongCredentials, TooManyAttempts) as refusal:
            keep_even_if_refused()  # the failure counts
            form.password.errors = [explain(refusal, current_locale())]
    return _page(password_form=form), 422


def _page(code_form: CodeForm | None = None, password_form: PasswordForm | None = None) -> str:
    user_id = auth.current().user_id
    found = two_factor.enrolment(db.session(), user_id, operator.current().brand, _vault())
    return render(
        "account/two_factor.html",
        state=two_factor.state_of(db.session(), user_id),
        secret=" ".join(wrap(found.secret, 4)) if found else "",
        picture=Markup(found.picture) if found else "",  # nosec B704: drawn by segno from our own address
        code_form=code_form or CodeForm(formdata=None),
        password_form=password_form or PasswordForm(formdata=None),
    )


def _vault() -> Vault:
    vault: Vault = current_app.extensions["portal_vault"]
    return vault


def _codes(codes: list[str]) -> ResponseReturnValue:
    """Shown once: they are kept as hashes, and the page is not kept by the browser."""
    response = make_response(render("account/recovery_codes.html", codes=codes))
    response.headers["Cache-Control"] = "no-store"
    return response
