"""POST /embed/<slug>/session, POST /embed/<slug>/billets, /d/<token> once it is used up, and the loader.

Everything else below /embed/<slug> is a page of the portal: see `webapp.mounting`.
"""

import logging
from urllib.parse import urlsplit

from flask import Response, abort, current_app, g, jsonify, make_response, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from webapp import auth, clock, embed_loader, mounting
from webapp.adapters.vault import Purpose
from webapp.auth import requires
from webapp.blueprints.embed import bp
from webapp.config import Settings
from webapp.domain.access import May
from webapp.domain.embedding import AssertionRefused, Why, is_framed_by
from webapp.domain.refusals import TooManyAttempts
from webapp.embed_doors import FILES
from webapp.embed_reasons import words_for
from webapp.extensions import csrf, db
from webapp.rendering import render
from webapp.services import embed_sessions, embed_usage, people
from webapp.services.embed_sessions import Frame
from webapp.transactions import commits, keep_even_if_refused
from webapp.vaults import vault

REFUSED_PER_IP = 30  # in a quarter of an hour, for each reseller
SCHEMES = {"light", "dark"}
log = logging.getLogger(__name__)


@bp.post("/embed/<slug>/session")
@requires(May.ANYONE)
@csrf.exempt  # type: ignore[untyped-decorator]  # posted by the reseller's page: its origin and its signature are what is checked
@commits
def open_session(slug: str) -> ResponseReturnValue:
    """Open a session with the assertion of the form, and answer the page that will use it. No cookie."""
    held_by = mounting.frame()
    if held_by is None:
        abort(404)
    g.visit = None  # whoever comes is nobody yet
    try:
        return _opened(held_by)
    except AssertionRefused as refusal:
        keep_even_if_refused()  # the failure counts
        return _refused(held_by, refusal)


def _opened(held_by: Frame) -> Response:
    origin = request.headers.get("Origin")
    counted = _counter(held_by)
    try:
        people.refuse_when_full(db.session(), counted, REFUSED_PER_IP, clock.now())
    except TooManyAttempts:
        raise AssertionRefused(Why.TOO_MANY) from None
    if origin is None or not is_framed_by(origin, held_by.origins):
        raise AssertionRefused(Why.ORIGIN)
    if request.headers.get("Sec-Fetch-Dest", "iframe") != "iframe":
        raise AssertionRefused(Why.FRAME)
    settings: Settings = current_app.extensions["portal_settings"]
    entry = embed_sessions.enter(
        db.session(),
        held_by,
        request.form.get("assertion", ""),
        audience=settings.base_url,
        origin=origin,
        unseal=lambda sealed: vault(Purpose.RESELLER_KEYS).open(sealed),
        device=auth.device(),
        signed_now=clock.elsewhere(),
        now=clock.now(),
    )
    g.embed_session_id, g.locale = entry.session_id, entry.language
    first = url_for("account.home")  # an accountant is led from there
    if entry.reads_subscription:
        first = url_for("subscriptions.overview", subscription_id=entry.subscription_id)
    scheme = request.form.get("scheme", "")
    return make_response(
        render(
            "embed/open.html",
            token=entry.token,
            origin=entry.origin,
            start=_path_left(held_by) or held_by_address(held_by, first),
            scheme=scheme if scheme in SCHEMES else "",
        )
    )


def _refused(held_by: Frame, refusal: AssertionRefused) -> Response:
    """The page of a refusal: the exact reason to whoever holds a key of the reseller, a general one to others."""
    log.warning(
        "embed of %s refused: %s %s, from %s", held_by.slug, refusal.why, refusal.claim, request.remote_addr
    )
    if refusal.why is not Why.TOO_MANY:
        people.count(db.session(), _counter(held_by), clock.now())
        embed_usage.count_refusal(db.session(), held_by.reseller_id, refusal, clock.today(), clock.now())
    code, sentence = words_for(refusal)
    status = 429 if refusal.why is Why.TOO_MANY else 403
    page = render("embed/refused.html", code=code, sentence=sentence, claim=refusal.claim)
    return make_response(page, status, {"Retry-After": "60"} if status == 429 else {})


def _counter(held_by: Frame) -> str:
    return f"embed:{held_by.slug[:30]}:{request.remote_addr}"


def held_by_address(held_by: Frame, address: str) -> str:
    """The address of a page of the portal, below the reseller's."""
    return f"/embed/{held_by.slug}{address}"


def _path_left(held_by: Frame) -> str | None:
    """The page that the frame showed when its session ended, if the loader gives it back: one of the embed's own."""
    path = auth.local_path(request.form.get("path"))
    return path if path and path.startswith(held_by_address(held_by, "/")) and ".." not in path else None


@bp.post("/embed/<slug>/billets")
@requires(May.ANYONE)
@commits
def write_ticket(slug: str) -> ResponseReturnValue:
    """An address that opens one file once, for a frame whose links carry no bearer. The gate has asked for a session."""
    here = auth.current()
    held_by = mounting.frame()
    address = auth.local_path(request.form.get("address"))
    if held_by is None or address is None or len(address) > 1000:
        abort(400)
    below = address.removeprefix(held_by_address(held_by, ""))
    if below == address or not _is_file(below):
        abort(400)
    token = embed_sessions.write_ticket(db.session(), here.session_id, below, now=clock.now())
    return jsonify(address=url_for("embed.ticket", token=token))


def _is_file(address: str) -> bool:
    adapter = current_app.url_map.bind("")
    try:
        endpoint, _values = adapter.match(urlsplit(address).path, method="GET")
    except (HTTPException, RequestRedirect):
        return False
    return endpoint in FILES


@bp.get("/d/<token>")
@requires(May.ANYONE)
def ticket(token: str) -> ResponseReturnValue:
    """A ticket that opens nothing: a good one never comes this far, it leads to its file."""
    return render("embed/ticket_expired.html"), 410


@bp.get("/embed/loader.v1.js")
@requires(May.ANYONE)
def loader() -> ResponseReturnValue:
    """The script of the reseller's page. Its bytes never change under this address: docs/embed gives their hash."""
    answer = Response(embed_loader.PATH.read_bytes(), mimetype="text/javascript")
    answer.headers["Cache-Control"] = "public, max-age=86400"
    answer.headers["Access-Control-Allow-Origin"] = "*"  # a script with `integrity` is read across origins
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return answer
