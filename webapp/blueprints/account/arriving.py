"""The last steps of arriving, shared by the ways in: password, mailed link, code."""

import uuid
from datetime import datetime, timedelta

from flask import Response, make_response, redirect, request, session, url_for

from webapp import auth, clock
from webapp.extensions import db
from webapp.services import people

HALF_WAY = "half_way"  # in the signed cookie: who has done the first step, and when
TIME_FOR_A_CODE = timedelta(minutes=10)


def welcome(token: str, address: str | None = None) -> Response:
    """Into the portal with a new session: the one this browser had ends, and so does its CSRF token."""
    before = auth.visit()
    if before is not None:
        people.sign_out(db.session(), before.session_id, actor=before.actor, now=clock.now())
    session.clear()
    return auth.remember(make_response(redirect(address or next_page(), 303)), token)


def next_page() -> str:
    return auth.local_path(request.args.get("next")) or url_for("account.home")


def ask_code(user_id: uuid.UUID) -> Response:
    """To the second step. The first is remembered for ten minutes, in the signed cookie of this browser."""
    session[HALF_WAY] = {"user": str(user_id), "at": clock.now().isoformat()}
    page = next_page()
    address = url_for("account.sign_in_code", next=page if page != "/" else None)
    return make_response(redirect(address, 303))


def half_way() -> uuid.UUID | None:
    """Who has done the first step in this browser, less than ten minutes ago."""
    kept = session.get(HALF_WAY)
    if not kept or clock.now() - datetime.fromisoformat(kept["at"]) > TIME_FOR_A_CODE:
        return None
    return uuid.UUID(kept["user"])
