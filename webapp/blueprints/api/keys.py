"""Who asks: the key of the request, what it may read, how often. No cookie is read or given."""

import logging
import re
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from flask import Response, current_app, request
from sqlalchemy.exc import OperationalError

from webapp import clock
from webapp.config import Settings
from webapp.extensions import db
from webapp.problems import problem
from webapp.services import api_keys
from webapp.services.api_keys import Allowance, Caller
from webapp.transactions import own_transaction

Arguments = ParamSpec("Arguments")
log = logging.getLogger(__name__)


class BadQuery(ValueError):
    """The query holds something that is not described, or not as it is described."""


def reads(
    scope: str, *, queries: tuple[str, ...] = ()
) -> Callable[[Callable[Concatenate[Caller, Arguments], Response]], Callable[Arguments, Response]]:
    """A view that a key with this scope may read, with these parameters and no other. Comes under `@requires`.

    Without a key in use: 401. With one that lacks the scope: 403. Beyond the minute's allowance: 429.
    """

    def decorate(
        view: Callable[Concatenate[Caller, Arguments], Response],
    ) -> Callable[Arguments, Response]:
        @wraps(view)
        def door(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Response:
            caller = api_keys.caller(db.session(), _given())
            if caller is None:
                refused = problem(401)
                refused.headers["WWW-Authenticate"] = 'Bearer realm="portal"'
                return refused
            allowance = _count(caller)
            if allowance is not None and allowance.is_used_up:
                return _with_allowance(_too_many(allowance), allowance)
            if scope not in caller.scopes:
                answer = problem(403, "scope_missing", f"This key lacks the scope “{scope}”.")
                answer.headers["WWW-Authenticate"] = (
                    f'Bearer realm="portal", error="insufficient_scope", scope="{scope}"'
                )
            else:
                try:
                    _ensure_known(queries)
                    answer = view(caller, *args, **kwargs)
                except BadQuery as wrong:
                    answer = problem(400, "bad_query", str(wrong))
            return _with_allowance(answer, allowance)

        return door

    return decorate


def whole_number(name: str, default: int, low: int, high: int) -> int:
    """A parameter that is a whole number within bounds. Raises BadQuery."""
    text = request.args.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"0|[1-9][0-9]{0,17}", text) or not low <= int(text) <= high:
        raise BadQuery(f"“{name}” is a whole number from {low} to {high}.")
    return int(text)


def word(name: str, pattern: str) -> str | None:
    """A parameter that has a form. Raises BadQuery."""
    text = request.args.get(name)
    if text is not None and not re.fullmatch(pattern, text):
        raise BadQuery(f"“{name}” does not have the form {pattern}")
    return text


def _given() -> str:
    kind, _, key = request.headers.get("Authorization", "").partition(" ")
    return key.strip() if kind.lower() == "bearer" else ""


def _ensure_known(names: tuple[str, ...]) -> None:
    for name, values in request.args.lists():
        if name not in names:
            raise BadQuery(f"“{name[:60]}” is not a parameter of this address.")
        if len(values) > 1:
            raise BadQuery(f"“{name}” is given more than once.")


def _count(caller: Caller) -> Allowance | None:
    """Count the request in a short transaction of its own. A database that cannot write now still answers."""
    settings: Settings = current_app.extensions["portal_settings"]
    try:
        with own_transaction() as session:
            return api_keys.count(session, caller.key_id, settings.api_rate, clock.now())
    except OperationalError as error:
        log.warning("a request of key %s was not counted: %s", caller.key_id, error.orig)
        return None


def _too_many(allowance: Allowance) -> Response:
    answer = problem(429, detail=f"{allowance.limit} requests per minute: try again later.")
    answer.headers["Retry-After"] = str(allowance.resets_in)
    return answer


def _with_allowance(answer: Response, allowance: Allowance | None) -> Response:
    if allowance is not None:
        answer.headers["RateLimit-Limit"] = str(allowance.limit)
        answer.headers["RateLimit-Remaining"] = str(max(0, allowance.left))
        answer.headers["RateLimit-Reset"] = str(allowance.resets_in)
    return answer
