"""A theme is public, and never changes: browsers keep it for ever."""

from flask import Response, abort

from webapp.auth import requires
from webapp.blueprints.themes import bp
from webapp.domain.access import May
from webapp.extensions import db
from webapp.models.resellers import ResellerTheme
from webapp.services import resellers

FOR_EVER = "public, max-age=31536000, immutable"


@bp.get("/themes/<hashed>.css")
@requires(May.ANYONE)
def sheet(hashed: str) -> Response:
    return _kept(_theme(hashed).css.encode(), "text/css; charset=utf-8")


@bp.get("/themes/<hashed>/logo")
@requires(May.ANYONE)
def logo(hashed: str) -> Response:
    found = _theme(hashed)
    if found.logo is None or found.logo_type is None:
        abort(404)
    return _kept(found.logo, found.logo_type)


def _theme(hashed: str) -> ResellerTheme:
    found = resellers.published_theme(db.session(), hashed)
    if found is None:
        abort(404)
    return found


def _kept(content: bytes, media_type: str) -> Response:
    response = Response(content, content_type=media_type)
    response.headers["Cache-Control"] = FOR_EVER
    # Nothing in it may load or run anything, even opened by itself.
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response
