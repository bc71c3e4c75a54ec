"""The door of the embed, before any view: who may be there, what opens there, and how an answer leads elsewhere."""

import json

from flask import Flask, Response, abort, g, make_response, redirect, request, url_for
from flask.typing import ResponseReturnValue

from webapp import auth, mounting
from webapp.domain.access import Role
from webapp.embed_doors import is_hosted, is_open
from webapp.extensions import SAFE_METHODS, db
from webapp.htmx import wants_fragment
from webapp.mounting import KEY
from webapp.rendering import render
from webapp.services import embed_sessions

UNAUTHENTICATED = frozenset({"embed.open_session"})


def init_app(app: Flask) -> None:
    app.before_request(keep_to_the_embed)
    app.after_request(stay_in_the_frame)


def keep_to_the_embed() -> ResponseReturnValue | None:
    """Under /embed/<slug>: only with a session of that reseller, and only what opens in its page."""
    if KEY not in request.environ:
        return None
    endpoint = request.endpoint
    if endpoint is None:
        return None  # no such page: what routing said is answered next
    if mounting.frame() is None:
        g.visit = None
        abort(404)
    if endpoint in UNAUTHENTICATED:
        return None
    here = auth.visit()
    if here is None:
        return session_over()
    if endpoint == "account.home":
        return redirect(first_page())
    if is_open(endpoint):
        return None
    if not is_hosted(endpoint):
        abort(404)
    if request.method not in SAFE_METHODS or wants_fragment():
        abort(403)
    return render("embed/hosted.html", address=portal_address())


def session_over() -> Response:
    """401. A page that is asked for in full says it in words, and tells the reseller's page, which opens another session."""
    if request.headers.get("HX-Request") == "true":
        return Response(status=401)
    return make_response(render("embed/over.html"), 401)


def first_page() -> str:
    """Where the frame opens: the subscription; for an accountant its invoices, or the details when it reads none."""
    here = auth.current()
    assert here.account_id is not None
    subscription_id = embed_sessions.subscription_of(db.session(), here.account_id)
    page = "subscriptions.overview"
    if here.role is Role.ACCOUNTANT:
        page = "invoices.index" if here.showing.platform_invoices else "billing_details.edit"
    return url_for(page, subscription_id=subscription_id)


def portal_address() -> str:
    """The page at hand in the hosted portal, by way of its sign-in page, even for who is signed in there."""
    page = request.full_path.rstrip("?")
    return url_for("account.login", next=page, de_nouveau=1, _external=True)


def stay_in_the_frame(response: Response) -> Response:
    """Where htmx is told to go elsewhere, it fetches the page itself: a navigation would arrive without the bearer."""
    if KEY in request.environ and (address := response.headers.pop("HX-Redirect", None)):
        response.headers["HX-Location"] = json.dumps({"path": address, "target": "body", "replace": "true"})
    return response
