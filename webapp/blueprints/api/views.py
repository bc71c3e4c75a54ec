"""The addresses of the interface. Each is described in `description`, and the tests hold the two together."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from flask import Response, current_app, request
from flask.typing import ResponseReturnValue

from webapp import clock
from webapp.auth import requires
from webapp.blueprints.api import bp, presenters
from webapp.blueprints.api.description import KINDS, LATEST, MOST_ROWS, document
from webapp.blueprints.api.keys import reads, whole_number, word
from webapp.config import Settings
from webapp.domain.access import May
from webapp.extensions import db
from webapp.problems import problem
from webapp.services import api_keys, entitlements, events
from webapp.services.api_keys import Caller
from webapp.transactions import own_transaction

ROWS = 50  # of one page, unless the reader says otherwise


@bp.get("/openapi.json")
@requires(May.ANYONE)
def openapi() -> ResponseReturnValue:
    """The description of this interface, for everybody."""
    settings: Settings = current_app.extensions["portal_settings"]
    answer = _answer_text(_description(settings.base_url))
    answer.headers["Cache-Control"] = "public, max-age=300"
    return answer


@bp.get("/accounts/<reference>")
@requires(May.ANYONE)
@reads("accounts")
def account(caller: Caller, reference: str) -> Response:
    """Where an account stands today."""
    try:
        found = entitlements.standing(db.session(), reference, caller.reseller_id, clock.today())
    except entitlements.NotFound:
        return problem(404)
    return _answer(presenters.account(found))


@bp.get("/accounts/<reference>/services")
@requires(May.ANYONE)
@reads("services")
def services(caller: Caller, reference: str) -> Response:
    """What is to be served today, for the account and at each establishment."""
    try:
        found = entitlements.services(db.session(), reference, caller.reseller_id, clock.today())
    except entitlements.NotFound:
        return problem(404)
    return _answer(presenters.services(found, clock.today()))


@bp.get("/accounts/<reference>/invoices")
@requires(May.ANYONE)
@reads("invoices", queries=("cursor", "limit"))
def invoices(caller: Caller, reference: str) -> Response:
    """The documents of an account, latest first, page by page."""
    limit = whole_number("limit", ROWS, 1, MOST_ROWS)
    cursor = word("cursor", r"[A-Z]{1,4}[0-9]{4}-[0-9]{1,9}")
    try:
        page = entitlements.documents(db.session(), reference, caller.reseller_id, cursor, limit)
    except entitlements.NotFound:
        return problem(404)
    return _answer(presenters.documents(page, reference, clock.today()))


@bp.get("/invoices/<number>")
@requires(May.ANYONE)
@reads("invoices")
def invoice(caller: Caller, number: str) -> Response:
    """One document with its lines, as issued."""
    try:
        found, reference, lines = entitlements.document(db.session(), number, caller.reseller_id)
    except entitlements.NotFound:
        return problem(404)
    return _answer(presenters.document(found, reference, lines, clock.today()))


@bp.get("/events")
@requires(May.ANYONE)
@reads("events", queries=("after", "limit", "type", "account"))
def event_feed(caller: Caller) -> Response:
    """What happened, in order: the same messages as the webhooks, for those that were lost."""
    after = whole_number("after", 0, 0, LATEST)
    limit = whole_number("limit", ROWS, 1, MOST_ROWS)
    kind = word("type", "|".join(KINDS).replace(".", r"\."))
    reference = word("account", presenters.REFERENCE)
    session = db.session()
    if events.is_behind(session):
        session.rollback()  # this request has only read; SQLite has one writer
        _publish()
    consumer = api_keys.get_consumer(session, caller.consumer_id)
    found = events.feed(session, consumer, after=after, limit=limit + 1, kind=kind, account=reference)
    return _answer(presenters.feed(found, limit, after))


def _publish() -> None:
    """Give what happened its place in the feed, whoever asks first: without a timer the feed is whole all the same."""
    with own_transaction() as session:
        events.publish(session)


@lru_cache
def _description(base_url: str) -> str:
    return json.dumps(document(base_url), ensure_ascii=False, indent=1) + "\n"


def _answer(content: Mapping[str, Any]) -> Response:
    answer = _answer_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n")
    # May be kept by the reader alone, and asked again each time: 304 when nothing has changed.
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.vary.add("Authorization")
    return answer


def _answer_text(text: str) -> Response:
    answer = Response(text, mimetype="application/json")
    answer.add_etag()
    answer.make_conditional(request)
    return answer
