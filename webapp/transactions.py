"""One request, one transaction: kept when the answer is a success, undone otherwise."""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from typing import ParamSpec

from flask import Flask, Response, current_app, g, make_response
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from webapp.extensions import db

Arguments = ParamSpec("Arguments")
log = logging.getLogger(__name__)


def commits(view: Callable[Arguments, ResponseReturnValue]) -> Callable[Arguments, Response]:
    """Commit on 2xx and 3xx, roll back on anything else and on exceptions.

    After the commit, and only then, what waits for it runs: see `after_commit`.
    """

    @wraps(view)
    def door(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Response:
        try:
            response = make_response(view(*args, **kwargs))
            if response.status_code >= 400 and not g.pop("keeps_transaction", False):
                db.session.rollback()
                return response
            db.session.commit()
        except BaseException:
            db.session.rollback()
            raise
        _run_after_commit()
        return response

    door.commits = True  # type: ignore[attr-defined]  # read by the house tests
    return door


def keep_even_if_refused() -> None:
    """Commit this request although its answer will be an error: a wrong password is counted, for example."""
    g.keeps_transaction = True


def after_commit(app: Flask, function: Callable[[], object]) -> None:
    """Run `function` after each committed request: the outbox registers its delivery here."""
    app.extensions.setdefault("portal_after_commit", []).append(function)


def _run_after_commit() -> None:
    for function in current_app.extensions.get("portal_after_commit", ()):
        try:
            function()
        except Exception:  # what was committed stands: a mail that fails is sent again later
            log.exception("after the commit, %s failed", getattr(function, "__name__", function))
            db.session.rollback()


def sessions_for_a_stream() -> tuple[Callable[[], Session], Callable[[], AbstractContextManager[Session]]]:
    """A reading session, and `own_transaction`, for an answer still being made once the request's session is closed."""
    reading, writing = current_app.extensions["portal_reading"], db.engine

    @contextmanager
    def transaction() -> Iterator[Session]:
        with Session(writing) as session, session.begin():
            yield session

    return lambda: Session(reading), transaction


@contextmanager
def own_transaction() -> Iterator[Session]:
    """A short writing transaction beside the one of a GET request: the last time a session was seen.

    Not for use under `@commits`: SQLite has one writer, and it would wait for itself.
    """
    with Session(db.engine) as session, session.begin():
        yield session
