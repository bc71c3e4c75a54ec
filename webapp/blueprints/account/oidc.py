"""Signing in through the identity provider of the team. Without one, none of these pages exists."""

import hmac
import logging
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from flask import abort, current_app, make_response, redirect, request, session, url_for
from flask.typing import ResponseReturnValue

from webapp import auth, clock
from webapp import oidc as team
from webapp.adapters.oidc import Asked, Provider
from webapp.auth import requires
from webapp.blueprints.account import bp
from webapp.blueprints.account.arriving import ask_code, next_page, welcome
from webapp.config import Settings
from webapp.domain.access import May
from webapp.domain.refusals import (
    ProviderAway,
    Refusal,
    SignInInterrupted,
    SignInNotProved,
    TooManyAttempts,
)
from webapp.extensions import db
from webapp.i18n import explain
from webapp.rendering import current_locale, render
from webapp.services import oidc, people
from webapp.transactions import commits, keep_even_if_refused

UNDER_WAY = "oidc"  # in the signed cookie: what this browser asked the provider, and when
TIME_TO_COME_BACK = timedelta(minutes=10)
LONGEST_CODE = 4096  # signs

log = logging.getLogger(__name__)


@bp.get("/connexion/equipe")
@requires(May.ANYONE)
def begin_oidc() -> ResponseReturnValue:
    """To the provider. A link and not a form: the content policy lets no form lead to another site."""
    found, asked = _provider(), Asked.new()
    try:
        address = found.address(asked, _back())
    except ProviderAway as refusal:
        return _refused(refusal)
    session[UNDER_WAY] = {**asdict(asked), "at": clock.now().isoformat(), "next": next_page()}
    return redirect(address)


@bp.get("/connexion/equipe/retour")
@requires(May.ANYONE)
def return_from_oidc() -> ResponseReturnValue:
    """Back from the provider. Asks for a click, as mailed links do: reading a page signs nobody in."""
    found, code, state = _provider(), request.args.get("code", ""), request.args.get("state", "")
    try:
        kept = _kept(state)
        if "error" in request.args:
            raise SignInInterrupted(found.label)
        if not code or len(code) > LONGEST_CODE:
            raise SignInNotProved("no code came back")
    except Refusal as refusal:
        return _refused(refusal)
    return render("account/oidc_return.html", provider=found.label, code=code, state=state, next=kept["next"])


@bp.post("/connexion/equipe/retour")
@requires(May.ANYONE)
@commits
def finish_oidc() -> ResponseReturnValue:
    found, device, now = _provider(), auth.device(), clock.now()
    try:
        oidc.check_attempts(db.session(), device.ip_address, now)
        db.session.rollback()  # no transaction stays open while the provider is asked
        kept = _kept(request.form.get("state", ""))
        session.pop(UNDER_WAY)  # it serves once
        asked = Asked(kept["state"], kept["nonce"], kept["verifier"])
        identity = found.identity(
            request.form.get("code", "")[:LONGEST_CODE], asked, _back(), clock.elsewhere()
        )
        token = oidc.sign_in(db.session(), identity, device=device, lifetime=auth.lifetime(), now=now)
        return welcome(token)
    except people.CodeNeeded as needed:
        return ask_code(needed.user_id)
    except (ProviderAway, TooManyAttempts) as refusal:
        return _refused(refusal)
    except Refusal as refusal:
        oidc.count_failure(db.session(), device.ip_address, now)
        keep_even_if_refused()
        return _refused(refusal)


def _provider() -> Provider:
    return team.provider() or abort(404)


def _kept(state: str) -> dict[str, Any]:
    """What this browser asked, if this is the answer to it, in time. Raises SignInNotProved."""
    kept = session.get(UNDER_WAY)
    if not kept or not hmac.compare_digest(kept["state"].encode(), state.encode()):
        raise SignInNotProved("the answer is to no question of this browser")
    if clock.now() - datetime.fromisoformat(kept["at"]) > TIME_TO_COME_BACK:
        raise SignInNotProved("the answer came after ten minutes")
    found: dict[str, Any] = kept
    return found


def _refused(refusal: Refusal) -> ResponseReturnValue:
    """The sentence, and both ways on: again through the provider, or with a password."""
    status, headers = 403, {}
    if isinstance(refusal, ProviderAway | SignInNotProved):
        log.warning("a sign-in of the team failed: %s", refusal.detail)
    if isinstance(refusal, ProviderAway):
        status = 502
    elif isinstance(refusal, TooManyAttempts):
        status, headers = 429, {"Retry-After": str(60 * refusal.minutes)}
    sentence = explain(refusal, current_locale())
    page = render("account/oidc_refused.html", sentence=sentence, provider=_provider().label)
    return make_response(page, status, headers)


def _back() -> str:
    settings: Settings = current_app.extensions["portal_settings"]
    return settings.base_url + url_for(".return_from_oidc")
