"""Sign in and out, mailed links, passwords, sessions, preferences and the choice of an account."""

from datetime import timedelta

from flask import Response, abort, current_app, flash, make_response, redirect, request, session, url_for
from flask.typing import ResponseReturnValue

from webapp import auth, clock
from webapp.auth import requires
from webapp.blueprints.account import bp, presenters
from webapp.blueprints.account.arriving import ask_code, next_page, welcome
from webapp.blueprints.account.forms import (
    BROWSER,
    AddressForm,
    ChangePasswordForm,
    ChoosePasswordForm,
    PreferencesForm,
    SignInForm,
)
from webapp.config import Settings
from webapp.domain.access import May
from webapp.domain.refusals import LinkExpired, PasswordTooWeak, TooManyAttempts, WrongCredentials
from webapp.extensions import db
from webapp.i18n import LANGUAGE_COOKIE, LANGUAGES, _, explain
from webapp.rendering import current_locale, render, say, say_count
from webapp.services import people
from webapp.transactions import commits, keep_even_if_refused

PRICE_DISPLAYS = ("htva", "tvac")


# --- Arriving --------------------------------------------------------------------------------------------------


@bp.get("/")
@requires(May.ANYONE)
def home() -> ResponseReturnValue:
    """The account last looked at, or the only one; else the choice, the team's space or the console of a reseller.

    Signed out: to sign in.
    """
    here = auth.visit()
    if here is None:
        return redirect(url_for(".login"))
    choices = people.accounts_of(db.session(), here.user_id)
    wanted = [choice for choice in choices if choice.account_id == here.last_account_id]
    if not wanted and len(choices) == 1:
        wanted = choices
    if not choices and here.staff_role is not None:
        return redirect(url_for("staff.home"))
    if not choices and here.partner is not None:
        return redirect(url_for("reseller.clients"))
    return redirect((presenters.first_page(wanted[0]) if wanted else None) or url_for(".accounts"))


@bp.get("/connexion")
@requires(May.ANYONE)
def login() -> ResponseReturnValue:
    if auth.visit() is not None and "de_nouveau" not in request.args:
        return redirect(next_page())
    return render("account/login.html", form=SignInForm(), next=next_page(), ended=auth.session_ended())


@bp.post("/connexion")
@requires(May.ANYONE)
@commits
def sign_in() -> ResponseReturnValue:
    form, status, headers = SignInForm(), 422, {}
    if form.validate_on_submit():
        try:
            token = people.sign_in(
                db.session(),
                email=form.email.data,
                password=form.password.data,
                device=auth.device(),
                lifetime=auth.lifetime(),
                now=clock.now(),
            )
            return welcome(token)
        except people.CodeNeeded as needed:
            return ask_code(needed.user_id)
        except (WrongCredentials, TooManyAttempts) as refusal:
            keep_even_if_refused()  # the failure counts
            form.password.errors = [explain(refusal, current_locale())]
            if isinstance(refusal, TooManyAttempts):
                status, headers = 429, {"Retry-After": str(60 * refusal.minutes)}
    page = render("account/login.html", form=form, next=next_page(), ended=False)
    return make_response(page, status, headers)


@bp.post("/deconnexion")
@requires(May.SIGNED_IN)
@commits
def logout() -> ResponseReturnValue:
    return _leave()


def _leave() -> Response:
    here = auth.current()
    people.sign_out(db.session(), here.session_id, actor=here.actor, now=clock.now())
    session.clear()
    return auth.forget(make_response(redirect(url_for(".login"), 303)))


# --- Links by mail ---------------------------------------------------------------------------------------------


@bp.get("/connexion/lien")
@requires(May.ANYONE)
def ask_sign_in_link() -> ResponseReturnValue:
    return render("account/ask_sign_in_link.html", form=AddressForm())


@bp.post("/connexion/lien")
@requires(May.ANYONE)
@commits
def mail_sign_in_link() -> ResponseReturnValue:
    return _mail_link(people.SIGN_IN, "account/ask_sign_in_link.html")


@bp.get("/connexion/lien/<token>")
@requires(May.ANYONE)
def sign_in_link(token: str) -> ResponseReturnValue:
    """Asks for a click: programs that open every link of a message must not use it up."""
    try:
        user = people.link_owner(db.session(), token, people.SIGN_IN, now=clock.now())
    except LinkExpired as refusal:
        return _expired(refusal, url_for(".ask_sign_in_link"))
    return render("account/sign_in_link.html", email=user.email, token=token)


@bp.post("/connexion/lien/<token>")
@requires(May.ANYONE)
@commits
def use_sign_in_link(token: str) -> ResponseReturnValue:
    try:
        return welcome(
            people.sign_in_by_link(
                db.session(), token, device=auth.device(), lifetime=auth.lifetime(), now=clock.now()
            )
        )
    except people.CodeNeeded as needed:
        return ask_code(needed.user_id)
    except LinkExpired as refusal:
        return _expired(refusal, url_for(".ask_sign_in_link"))


@bp.get("/mot-de-passe")
@requires(May.ANYONE)
def reset() -> ResponseReturnValue:
    return render("account/reset.html", form=AddressForm())


@bp.post("/mot-de-passe")
@requires(May.ANYONE)
@commits
def mail_reset_link() -> ResponseReturnValue:
    return _mail_link(people.RESET_PASSWORD, "account/reset.html")


@bp.get("/mot-de-passe/<token>")
@requires(May.ANYONE)
def choose_password(token: str) -> ResponseReturnValue:
    try:
        user = people.link_owner(db.session(), token, people.RESET_PASSWORD, now=clock.now())
    except LinkExpired as refusal:
        return _expired(refusal, url_for(".reset"))
    return render("account/choose_password.html", form=ChoosePasswordForm(), email=user.email, token=token)


@bp.post("/mot-de-passe/<token>")
@requires(May.ANYONE)
@commits
def set_password(token: str) -> ResponseReturnValue:
    form = ChoosePasswordForm()
    try:
        user = people.link_owner(db.session(), token, people.RESET_PASSWORD, now=clock.now())
        if form.validate_on_submit():
            people.set_password_by_link(db.session(), token, form.password.data, now=clock.now())
            flash(
                say("Votre mot de passe est changé et toutes vos sessions sont fermées. Connectez-vous."),
                "good",
            )
            return redirect(url_for(".login"), 303)
    except LinkExpired as refusal:
        return _expired(refusal, url_for(".reset"))
    except PasswordTooWeak as refusal:
        form.password.errors = [explain(refusal, current_locale())]
    return render("account/choose_password.html", form=form, email=user.email, token=token), 422


def _mail_link(purpose: str, template: str) -> ResponseReturnValue:
    """The same answer for every address, known or not."""
    form, status = AddressForm(), 422
    endpoint = ".choose_password" if purpose == people.RESET_PASSWORD else ".sign_in_link"
    base_url = _settings().base_url
    if form.validate_on_submit():
        try:
            people.mail_link(
                db.session(),
                email=form.email.data,
                purpose=purpose,
                language=current_locale(),
                ip_address=auth.device().ip_address,
                address_of=lambda token: base_url + url_for(endpoint, token=token),
                now=clock.now(),
            )
        except TooManyAttempts as refusal:
            status = 429
            form.email.errors = [explain(refusal, current_locale())]
        else:
            flash(
                say(
                    "Si un accès existe pour %(email)s, un message vient de partir. Son lien vaut 60 minutes.",
                    email=people.normalise(form.email.data),
                ),
                "good",
            )
            return redirect(url_for(".login"), 303)
    return render(template, form=form), status


def _expired(refusal: LinkExpired, again: str) -> ResponseReturnValue:
    return render("account/link_expired.html", sentence=explain(refusal, current_locale()), again=again), 410


# --- Sessions --------------------------------------------------------------------------------------------------


@bp.get("/compte/sessions")
@requires(May.SIGNED_IN)
def sessions() -> ResponseReturnValue:
    here = auth.current()
    rows = people.sessions_of(db.session(), here.user_id, idle=auth.lifetime().idle, now=clock.now())
    cards = [presenters.session_card(row, here.session_id) for row in rows]
    return render("account/sessions.html", sessions=cards)


@bp.post("/compte/sessions/<int:session_id>/fermer")
@requires(May.SIGNED_IN)
@commits
def end_session(session_id: int) -> ResponseReturnValue:
    here = auth.current()
    if session_id == here.session_id:
        return _leave()
    if not people.end_session(db.session(), here.user_id, session_id, actor=here.actor, now=clock.now()):
        abort(404)
    flash(say("La session est fermée."), "good")
    return redirect(url_for(".sessions"), 303)


@bp.post("/compte/sessions/fermer-les-autres")
@requires(May.SIGNED_IN)
@commits
def end_other_sessions() -> ResponseReturnValue:
    here = auth.current()
    ended = people.end_other_sessions(
        db.session(), here.user_id, here.session_id, actor=here.actor, now=clock.now()
    )
    flash(say_count("%(count)s session est fermée.", "%(count)s sessions sont fermées.", ended), "good")
    return redirect(url_for(".sessions"), 303)


# --- Preferences -----------------------------------------------------------------------------------------------


@bp.get("/compte/preferences")
@requires(May.SIGNED_IN)
def preferences() -> ResponseReturnValue:
    here = auth.current()
    form = PreferencesForm(language=here.language or BROWSER, price_display=here.price_display)
    return render("account/preferences.html", form=form)


@bp.post("/compte/preferences")
@requires(May.SIGNED_IN)
@commits
def save_preferences() -> ResponseReturnValue:
    form, here = PreferencesForm(), auth.current()
    if not form.validate_on_submit():
        return render("account/preferences.html", form=form), 422
    language = None if form.language.data == BROWSER else form.language.data
    people.choose_language(db.session(), here.user_id, language)
    people.choose_price_display(db.session(), here.user_id, form.price_display.data)
    flash(_("Vos préférences sont enregistrées."), "good")  # said in the language just chosen
    response = make_response(redirect(url_for(".preferences"), 303))
    if language is None:
        response.delete_cookie(LANGUAGE_COOKIE, path="/")  # else it would decide before the browser
    return response


@bp.get("/compte/mot-de-passe")
@requires(May.SIGNED_IN)
def password() -> ResponseReturnValue:
    return render("account/password.html", form=ChangePasswordForm())


@bp.post("/compte/mot-de-passe")
@requires(May.SIGNED_IN)
@commits
def change_password() -> ResponseReturnValue:
    form, here, status = ChangePasswordForm(), auth.current(), 422
    if form.validate_on_submit():
        try:
            people.change_password(
                db.session(),
                here.user_id,
                current=form.current.data,
                new=form.password.data,
                kept_session_id=here.session_id,
                now=clock.now(),
            )
            flash(say("Votre mot de passe est changé. Vos autres sessions sont fermées."), "good")
            return redirect(url_for(".preferences"), 303)
        except PasswordTooWeak as refusal:
            form.password.errors = [explain(refusal, current_locale())]
        except (WrongCredentials, TooManyAttempts) as refusal:
            keep_even_if_refused()  # the failure counts
            form.current.errors = [explain(refusal, current_locale())]
            status = 429 if isinstance(refusal, TooManyAttempts) else 422
    return render("account/password.html", form=form), status


@bp.post("/langue")
@requires(May.ANYONE)
@commits
def set_language() -> ResponseReturnValue:
    """The switch at the foot of every page: kept with the person, or in a cookie when signed out."""
    language = request.form.get("language", "")
    if language not in LANGUAGES:
        abort(400)
    response = make_response(redirect(_page_left(), 303))
    here = auth.visit()
    if here is not None:
        people.choose_language(db.session(), here.user_id, language)
    response.set_cookie(
        LANGUAGE_COOKIE,
        language,
        max_age=timedelta(days=365),
        path="/",
        httponly=True,
        samesite="Lax",
        secure=_settings().is_https,
    )
    return response


@bp.post("/affichage-prix")
@requires(May.SIGNED_IN)
@commits
def set_price_display() -> ResponseReturnValue:
    chosen = request.form.get("price_display", "")
    if chosen not in PRICE_DISPLAYS:
        abort(400)
    people.choose_price_display(db.session(), auth.current().user_id, chosen)
    return redirect(_page_left(), 303)


def _page_left() -> str:
    return auth.local_path(request.form.get("next")) or url_for(".home")


# --- Accounts --------------------------------------------------------------------------------------------------


@bp.get("/comptes")
@requires(May.SIGNED_IN)
def accounts() -> ResponseReturnValue:
    choices = people.accounts_of(db.session(), auth.current().user_id)
    return render("account/accounts.html", accounts=[presenters.account_card(choice) for choice in choices])


def _settings() -> Settings:
    settings: Settings = current_app.extensions["portal_settings"]
    return settings
