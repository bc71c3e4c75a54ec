"""Where the portal stands inside a reseller's page: every address again, below /embed/<slug>.

One set of views serves both. This layer takes the prefix off the path and keeps it as the application's root, so that
each address that a page builds stays below it; it notes the reseller in the request, and what follows reads it: who is
here (`auth`), the frame of pages (`rendering`), the content policy (`security`). No cookie is read nor written there.
A ticket, /d/<token>, is a third way to the same views: one address, once.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask, g, has_request_context, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from flask.wrappers import Request, Response

from webapp import clock
from webapp.extensions import db
from webapp.services import embed_sessions
from webapp.services.embed_sessions import Frame, Ticket
from webapp.transactions import own_transaction

KEY = "portal.embed"
MOUNTED = re.compile(r"(?P<prefix>/embed/(?P<slug>[a-z0-9][a-z0-9-]{0,59}))(?P<rest>/.*)")
TICKET = re.compile(r"/d/(?P<token>[\w-]{20,60})", re.ASCII)
# Addresses of the embed itself, which have no counterpart in the portal: they keep their whole path.
OWN = frozenset({"/session", "/billets"})


@dataclass(frozen=True)
class Mount:
    """The reseller that the address names, and for a ticket the session that wrote it."""

    slug: str
    prefix: str  # /embed/<slug>
    ticket_of: int | None = None


def mount() -> Mount | None:
    """Where the request at hand stands; None in the hosted portal and outside requests."""
    if not has_request_context():
        return None
    found: Mount | None = request.environ.get(KEY)
    return found


def frame() -> Frame | None:
    """The reseller in whose page this answer is shown; None in the hosted portal, and for an unknown one."""
    here = mount()
    if here is None:
        return None
    if "embed_frame" not in g:
        g.embed_frame = None  # if the database fails, the error page must not ask it again
        g.embed_frame = embed_sessions.frame(db.session(), here.slug)
    found: Frame | None = g.embed_frame
    return found


def hosted(address: str) -> str:
    """The same address in the hosted portal: for mails, and for what opens there.

    >>> hosted("https://portal.example/abonnements")  # outside an embed, the address itself
    'https://portal.example/abonnements'
    """
    here = mount()
    return address if here is None else address.replace(here.prefix + "/", "/", 1)


class EmbedMount:
    """The WSGI layer around the portal."""

    def __init__(self, app: Flask, inner: WSGIApplication) -> None:
        self.app = app
        self.inner = inner

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if found := MOUNTED.fullmatch(path):
            environ = self._mounted(environ, found)
        elif (asked := TICKET.fullmatch(path)) and environ["REQUEST_METHOD"] == "GET":
            ticket = self._used(asked["token"])
            environ = self._opened(environ, ticket) if ticket else environ
        return self.inner(environ, start_response)

    def _mounted(self, environ: WSGIEnvironment, found: re.Match[str]) -> WSGIEnvironment:
        noted = environ | {KEY: Mount(found["slug"], found["prefix"])}
        if found["rest"] in OWN:
            return noted
        return noted | {
            "SCRIPT_NAME": environ.get("SCRIPT_NAME", "") + found["prefix"],
            "PATH_INFO": found["rest"],
        }

    def _opened(self, environ: WSGIEnvironment, ticket: Ticket) -> WSGIEnvironment:
        parts = urlsplit(ticket.address)
        prefix = f"/embed/{ticket.slug}"
        return environ | {
            KEY: Mount(ticket.slug, prefix, ticket.session_id),
            "SCRIPT_NAME": environ.get("SCRIPT_NAME", "") + prefix,
            "PATH_INFO": unquote_to_bytes(parts.path).decode("latin-1"),
            "QUERY_STRING": parts.query,
        }

    def _used(self, token: str) -> Ticket | None:
        with self.app.app_context(), own_transaction() as session:
            return embed_sessions.use_ticket(session, token, now=clock.now())


class PortalSessions(SecureCookieSessionInterface):
    """Flask's signed cookie in the hosted portal; in the embed, the same values in the row of the session."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        return SecureCookieSession() if KEY in request.environ else super().open_session(app, request)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if KEY not in request.environ:
            super().save_session(app, session, response)
        elif session.modified and (session_id := g.get("embed_session_id")) is not None:
            db.session.rollback()  # what the door wanted to keep is committed; SQLite has one writer
            with own_transaction() as writing:
                embed_sessions.keep_state(writing, session_id, dict(session))


def remember(session: SessionMixin, session_id: int, state: dict[str, Any]) -> None:
    """Take up what the row of this session kept, once per request."""
    g.embed_session_id = session_id
    for name, value in state.items():
        session.setdefault(name, value)
    session.modified = False


class Portal(Flask):
    """Flask, whose whole addresses (in mails, and for providers) always lead to the hosted portal."""

    def url_for(self, /, endpoint: str, *, _external: bool | None = None, **values: Any) -> str:
        address = super().url_for(endpoint, _external=_external, **values)
        return hosted(address) if _external else address


def init_app(app: Flask) -> None:
    app.wsgi_app = EmbedMount(app, app.wsgi_app)  # type: ignore[method-assign]
    app.session_interface = PortalSessions()
