"""Addresses for templates and menus: a page names the same thirty at each visit, and building one costs."""

from functools import lru_cache

from flask import has_request_context, request, url_for


def address(endpoint: str, **values: object) -> str:
    """`url_for`, remembered. What depends on the request at hand, or leads outside the page, is built anew."""
    if endpoint.startswith(".") or values.get("_external") or not has_request_context():
        return url_for(endpoint, **values)  # type: ignore[arg-type]
    return _known(request.script_root, endpoint, tuple(values.items()))


@lru_cache(maxsize=8192)
def _known(_script_root: str, endpoint: str, values: tuple[tuple[str, object], ...]) -> str:
    return url_for(endpoint, **dict(values))  # type: ignore[arg-type]
