"""Page or fragment? One answer for every door.

A fragment is answered to an htmx request that is neither boosted nor a history restore; everything else,
scripts off included, gets the full page. Each fragment is a file that the page includes too.
"""

from collections.abc import Sequence
from typing import Any

from flask import Response, make_response, redirect, request

from webapp.rendering import render

Fragments = str | Sequence[str]


def wants_fragment() -> bool:
    """Whether the browser will swap the answer into the page it shows."""
    headers = request.headers
    return (
        headers.get("HX-Request") == "true"
        and "HX-Boosted" not in headers
        and "HX-History-Restore-Request" not in headers
        and headers.get("HX-Request-Type") != "full"
    )


def page_or_fragment(page: str, fragments: Fragments, /, *, status: int = 200, **context: Any) -> Response:
    """The full `page`, or its `fragments` when htmx asked: the target first, then what moves with it."""
    if not wants_fragment():
        return make_response(render(page, **context), status)
    return make_response(_render(fragments, context), status)


def done(back_to: str, fragments: Fragments, /, **context: Any) -> Response:
    """After an action that succeeded: the fragments it changed, or 303 to the page without scripts."""
    if wants_fragment():
        return make_response(_render(fragments, context))
    return redirect_to(back_to)


def redirect_to(address: str) -> Response:
    """Send the browser to another page, after a form (303) or after an htmx request (HX-Redirect)."""
    if wants_fragment():
        response = Response(status=204)
        response.headers["HX-Redirect"] = address
        return response
    return make_response(redirect(address, 303))


def _render(fragments: Fragments, context: dict[str, Any]) -> str:
    first, *others = [fragments] if isinstance(fragments, str) else fragments
    parts = [render(first, **context)]
    parts += [render(other, oob=True, **context) for other in others]
    return "\n".join(parts)
