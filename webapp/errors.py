"""Error pages: what happened and what to do next, in the reader's language, without internals."""

import logging

from flask import Flask, Response, g, make_response, request
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm.exc import StaleDataError
from werkzeug.exceptions import Conflict, HTTPException, InternalServerError, ServiceUnavailable

from webapp.extensions import db
from webapp.htmx import wants_fragment
from webapp.problems import is_for_programs, problem
from webapp.rendering import render

log = logging.getLogger(__name__)

KEPT = ("Allow", "Retry-After")  # of the headers of an error

LAST_RESORT = (
    '<!doctype html><html lang="fr"><head><title>Erreur</title></head><body><main><h1>Une erreur est survenue</h1>'
    "<p>Rien n’a été modifié. Réessayez dans un instant.</p></main></body></html>"
)


def init_app(app: Flask) -> None:
    app.register_error_handler(HTTPException, show)
    app.register_error_handler(StaleDataError, lambda error: show(Conflict()))
    app.register_error_handler(OperationalError, database_fails)
    app.register_error_handler(Exception, unexpected)


def show(error: HTTPException) -> Response:
    """The page of an HTTP error; for htmx, a sentence in the page's region for problems."""
    answer = error.get_response()
    code = error.code or 500
    if code < 400:  # a redirect raised as an exception
        return make_response(answer)
    if is_for_programs():
        told = problem(code)
        told.headers.update({name: value for name, value in answer.headers.items() if name in KEPT})
        return told
    reason = "form_expired" if isinstance(error, CSRFError) else ""
    template = "errors/_problem.html" if wants_fragment() else "errors/page.html"
    try:
        body = render(template, code=code, reason=reason, sentence=getattr(error, "sentence", ""))
    except Exception:  # the page of an error must never fail in its turn
        log.exception("the error page itself failed")
        body = LAST_RESORT
    response = make_response(body, code)
    for name in KEPT:
        if name in answer.headers:
            response.headers[name] = answer.headers[name]
    if wants_fragment():
        response.headers["HX-Retarget"] = "#problems"
        response.headers["HX-Reswap"] = "innerHTML"
    return response


def database_fails(error: OperationalError) -> Response:
    """The disk is full, the database is away or busy: nothing of this request was written."""
    log.error("the database failed on %s %s: %s", request.method, request.path, error.orig)
    _forget()
    return show(ServiceUnavailable())


def unexpected(error: Exception) -> Response:
    log.exception("unexpected error on %s %s", request.method, request.path, exc_info=error)
    _forget()
    return show(InternalServerError())


def _forget() -> None:
    """Drop what the request had begun, so that the error page starts afresh."""
    g.keeps_transaction = False
    try:
        db.session.rollback()
    except Exception:
        log.exception("the transaction could not be rolled back")
