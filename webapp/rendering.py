"""Pages: what doors call to answer in the reader's language. Mails and jobs use `templating`, which needs no request.

Every page receives `visit` (who is signed in, or None), `operator` (whose portal this is) and `language`.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from flask import Flask, current_app, g, get_flashed_messages, has_request_context, request
from flask_wtf.csrf import generate_csrf
from jinja2 import BaseLoader
from markupsafe import Markup

from webapp import auth, clock, filters, mounting, navigation, operator
from webapp.addresses import address
from webapp.compiling import PageEnvironment
from webapp.config import Settings
from webapp.i18n import DEFAULT_LANGUAGE, LANGUAGE_COOKIE, LANGUAGES, choose_locale, gettext, ngettext
from webapp.security import csp_nonce
from webapp.templating import make_environment

FRAMES = {"layouts/portal.html": "layouts/embed.html", "layouts/alone.html": "layouts/embed.html"}

# ── Doors ────────────────────────────────────────────────────────────────────────────────────────────────────────


def render(template: str, **context: Any) -> str:
    """A page or a fragment in the language of the request."""
    language = current_locale()
    page = environment(language, mounting.mount() is not None).get_template(template)
    return page.render(visit=auth.visit(), operator=operator.current(), **context)


def current_locale() -> str:
    """The language of this request: the user's choice, else the browser's; French outside requests."""
    if not has_request_context():
        return DEFAULT_LANGUAGE
    if "locale" not in g:
        settings: Settings = current_app.extensions["portal_settings"]
        visit = auth.visit()
        cookie = None if mounting.mount() else request.cookies.get(LANGUAGE_COOKIE)
        accepted = request.headers.get("Accept-Language", "")
        g.locale = choose_locale(visit.language if visit else None, cookie, accepted, settings.default_locale)
    return str(g.locale)


def say(msgid: str, /, **values: object) -> str:
    """A sentence in the language of the request, such as the text of a flash message."""
    return gettext(msgid, current_locale(), **values)


def say_count(singular: str, plural: str, count: int, /, **values: object) -> str:
    return ngettext(singular, plural, count, current_locale(), **values)


# ── Environments ─────────────────────────────────────────────────────────────────────────────────────────────────


@lru_cache
def environment(language: str, in_embed: bool) -> PageEnvironment:
    """The templates of one language, with what only a request can give.

    In the embed they are the same, within another frame: the layouts that pages extend are found there under their
    names.
    """
    made = make_environment(language, markup=True)
    if in_embed and made.loader is not None:
        made.loader = _OtherFrame(made.loader)
    made.filters["moment"] = lambda instant: filters.moment(clock.local(instant), language)
    made.globals |= {
        "url_for": address,
        "csrf_token": _csrf_token,
        "csp_nonce": csp_nonce,
        "flashes": get_flashed_messages,
        "asset": asset,
        "icon": icon,
        "exists": _endpoint_exists,
        "here": _here,
        "links": navigation.links,
        "in_team_space": navigation.in_team_space,
        "in_console": navigation.in_console,
        "finds_accounts": navigation.finds_accounts,
        "held_by": mounting.frame,
        "hosted": _hosted,
        "oob": False,
    }
    made.constants = {"asset": asset, "icon": icon, "exists": _endpoint_exists}
    made.refuse_what_asks_for_the_context()
    return made


def environments() -> Iterator[PageEnvironment]:
    """All of them, for what every page may call."""
    for language in LANGUAGES:
        yield environment(language, False)
        yield environment(language, True)


class _OtherFrame(BaseLoader):
    """The same templates, but for the layouts of pages: each is the one of the embed."""

    def __init__(self, inner: BaseLoader) -> None:
        self.inner = inner

    def get_source(self, environment: Any, template: str) -> Any:
        return self.inner.get_source(environment, FRAMES.get(template, template))


def _hosted(endpoint: str, **values: object) -> str:
    """The address in the portal itself, from a page of the embed too."""
    return mounting.hosted(address(endpoint, **values))


def _csrf_token() -> str:
    """The token of this answer, signed once however many forms it holds."""
    given: str | None = g.get("csrf_token_given")
    if given is None:
        given = g.csrf_token_given = generate_csrf()
    return given


@lru_cache
def asset(path: str) -> str:
    """The address of a static file: it changes with its content, and is the same for the whole process."""
    return str(current_app.jinja_env.globals["asset"](path))  # type: ignore[operator]


@lru_cache
def icon(name: str) -> Markup:
    """A picture of the sprite, for the eye only: the words beside it say the same."""
    return Markup('<svg class="icon" aria-hidden="true"><use href="{}#{}"/></svg>').format(
        asset("icons/sprite.svg"), name
    )


def _endpoint_exists(endpoint: str) -> bool:
    return endpoint in current_app.view_functions


def _here() -> str:
    """The address of this page, to come back to it after a change of language."""
    return request.full_path.rstrip("?") if request.method == "GET" else "/"


def init_app(app: Flask) -> None:
    for made in environments():
        made.auto_reload = app.debug
