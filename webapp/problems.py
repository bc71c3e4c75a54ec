"""Errors for programs: application/problem+json (RFC 9457), in English like the interface they belong to.

`code` is a word that never changes; `detail` is for the person who reads the log.
"""

import json

from flask import Response, request

API = "/api/"

CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    429: "too_many_requests",
    500: "internal_error",
    503: "unavailable",
}
TITLES = {
    400: "Bad request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    429: "Too many requests",
    500: "Internal error",
    503: "Unavailable",
}
DETAILS = {
    401: "Send a key in use as “Authorization: Bearer ptl_…”.",
    404: "There is nothing at this address for this key.",
    405: "This interface only reads: use GET.",
    500: "The failure was noted. Nothing was changed; try again later.",
    503: "The database is busy or away. Try again in a moment.",
}


def is_for_programs() -> bool:
    """Whether the request at hand is answered to a program: under /api/."""
    return request.path.startswith(API)


def problem(status: int, code: str = "", detail: str = "") -> Response:
    """The answer of an error."""
    content = {
        "type": "about:blank",
        "title": TITLES.get(status, "Error"),
        "status": status,
        "code": code or CODES.get(status, "error"),
        "detail": detail or DETAILS.get(status, ""),
    }
    return Response(
        json.dumps(content, ensure_ascii=False) + "\n", status, mimetype="application/problem+json"
    )
