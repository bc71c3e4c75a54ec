"""One request, one transaction: kept on success, undone otherwise, and what must leave leaves after the commit."""

import pytest
from flask import abort, redirect
from sqlalchemy import func, select

from webapp.extensions import db
from webapp.models.catalogue import Feature
from webapp.transactions import after_commit, commits, keep_even_if_refused


def write():
    db.session.add(a_row())


def a_row():
    return Feature(code="probe", position=1, group_names={}, names={"fr": "Essai"})


def rows_kept(session):
    session.rollback()
    return session.scalar(select(func.count()).select_from(Feature))


def raising(error):
    raise error


@pytest.fixture
def door(app):
    """Runs a view as the door of a POST."""

    def run(answer, *, before=None):
        @commits
        def view():
            write()
            if before:
                before()
            return answer() if callable(answer) else answer

        with app.test_request_context("/", method="POST"):
            return view()

    return run


@pytest.mark.parametrize("answer", ["fine", ("made", 201), lambda: redirect("/", 303)])
def test_a_success_is_kept(door, session, answer):
    door(answer)
    assert rows_kept(session) == 1


@pytest.mark.parametrize("status", [400, 409, 422, 500])
def test_a_refusal_is_undone(door, session, status):
    door(("no", status))
    assert rows_kept(session) == 0


def test_an_abort_is_undone(door, session):
    with pytest.raises(Exception, match="409"):
        door(lambda: abort(409))
    assert rows_kept(session) == 0


def test_an_unexpected_error_is_undone(door, session):
    with pytest.raises(ZeroDivisionError):
        door(lambda: 1 / 0)
    assert rows_kept(session) == 0


def test_a_refusal_that_must_be_counted_is_kept(door, session):
    door(("wrong password", 422), before=keep_even_if_refused)
    assert rows_kept(session) == 1


def test_what_waits_for_the_commit_runs_after_it_and_only_then(app, door, session):
    seen = []
    waiting = list(app.extensions["portal_after_commit"])
    after_commit(app, lambda: seen.append(rows_kept(session)))
    try:
        door(("no", 422))
        assert seen == []
        door("fine")
        assert seen == [1]
    finally:
        app.extensions["portal_after_commit"] = waiting


def test_a_mail_that_fails_does_not_undo_what_was_committed(app, door, session):
    waiting = list(app.extensions["portal_after_commit"])
    after_commit(app, lambda: raising(RuntimeError("no mail server")))
    try:
        assert door("fine").status_code == 200
    finally:
        app.extensions["portal_after_commit"] = waiting
    assert rows_kept(session) == 1
