"""What every answer carries, and what every form request must show.

The content policy allows our own files and nothing inline; a random nonce per answer lets htmx act only on
elements that our templates wrote. Requests that change something are also checked for their origin, beside
the CSRF token: browsers say it themselves, and no page of another site can change what they say.
"""

import secrets
from urllib.parse import urlsplit

from flask import Flask, Response, abort, g, request

from webapp import mounting
from webapp.config import Settings
from webapp.extensions import SAFE_METHODS

POLICY = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self'; img-src 'self'; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors {framed_by}; "
    "require-trusted-types-for 'script'; trusted-types htmx"
)

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=(), browsing-topics=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


# Posted by pages of resellers: the view itself compares their origin with those that the reseller has registered.
FROM_ELSEWHERE = frozenset({"embed.open_session"})


def csp_nonce() -> str:
    """The nonce of this answer, for `<script nonce>` and for `hx-nonce` on each element with htmx attributes."""
    nonce: str | None = g.get("csp_nonce")
    if nonce is None:
        nonce = g.csp_nonce = secrets.token_urlsafe(16)
    return nonce


def init_app(app: Flask, settings: Settings) -> None:
    headers = dict(HEADERS)
    if settings.is_https:
        headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    own_hosts = {urlsplit(settings.base_url).netloc}

    @app.before_request
    def refuse_other_origins() -> None:
        if request.method in SAFE_METHODS or request.endpoint in FROM_ELSEWHERE:
            return
        if not _comes_from_here(own_hosts):
            abort(403)

    @app.after_request
    def add_headers(response: Response) -> Response:
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        policy = POLICY.format(nonce=csp_nonce(), framed_by=_framed_by())
        response.headers.setdefault("Content-Security-Policy", policy)
        if mounting.mount() is not None:
            del response.headers[
                "X-Frame-Options"
            ]  # it knows one origin at most; the policy above knows the list
        response.headers.setdefault("Cache-Control", "no-store")  # a public answer sets its own
        response.vary.add("HX-Request")
        return response


def _framed_by() -> str:
    """Who may show this answer in a frame: the origins of the reseller of the address, nobody elsewhere."""
    held_by = mounting.frame()
    return " ".join(held_by.origins) or "'none'" if held_by is not None else "'none'"


def _comes_from_here(own_hosts: set[str]) -> bool:
    """Whether the browser says that this request was made by a page of ours.

    A request with neither header does not come from a browser of today: the CSRF token still protects it.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc in own_hosts | {request.host}
