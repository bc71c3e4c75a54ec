"""The description of the interface and the interface hold each other to their word: schemathesis asks, with every check."""

import json
import re
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from jsonschema_rs import validator_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.serving import make_server

from tests.builders import CLAIRE, a_subscription, noon
from tests.pages.test_api import STARTS
from webapp import create_app
from webapp.blueprints.api.description import KINDS, document
from webapp.config import Settings
from webapp.extensions import db
from webapp.models.accounts import Account
from webapp.models.invoices import Invoice
from webapp.services import api_keys, events
from webapp.services.events import Message
from webapp.services.subscriptions import NewOption

DESCRIBED = document("http://localhost")


@pytest.fixture
def key(app: Flask, session: Session) -> str:
    consumer = api_keys.open_consumer(session, "Sites", None, noon(STARTS - timedelta(days=400)), CLAIRE)
    _key, clear = api_keys.make(session, consumer.id, api_keys.SCOPES, noon(STARTS), CLAIRE)
    a_subscription(
        session,
        starts_on=STARTS.replace(month=9),
        billed_through=STARTS,
        establishments=3,
        options=[NewOption("booking", at=2), NewOption("emails", 4)],
    )
    session.commit()
    return clear


@pytest.fixture
def generous(settings: Settings, empty_database: object) -> Iterator[Flask]:
    """The same portal, for a reader in a hurry."""
    app = create_app(replace(settings, api_rate=100_000))
    app.testing = True
    yield app
    with app.app_context():
        db.engine.dispose()


def test_each_address_is_described_and_each_description_has_its_address(built_app: Flask) -> None:
    served = {
        re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule).removeprefix("/api/v1")
        for rule in built_app.url_map.iter_rules()
        if rule.endpoint.startswith("api.")
    }
    assert served == set(DESCRIBED["paths"])


def test_the_description_is_served_to_everybody(client: FlaskClient) -> None:
    answer = client.get("/api/v1/openapi.json")
    assert answer.status_code == 200
    assert json.loads(answer.data) == DESCRIBED
    assert DESCRIBED["openapi"] == "3.1.0"


def test_every_reference_leads_somewhere() -> None:
    for found in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(DESCRIBED)):
        here = DESCRIBED
        for part in found.split("/"):
            here = here[part]


def test_each_kind_of_event_is_a_webhook_and_its_example_is_as_described() -> None:
    assert set(DESCRIBED["webhooks"]) == set(KINDS)
    validator = validator_for({"$ref": "#/components/schemas/Event", "components": DESCRIBED["components"]})
    for kind in events.CATALOGUE.values():
        told = Message(uuid.uuid4(), kind.code, noon(STARTS), 7, kind.example)
        validator.validate(told.as_json())


@pytest.fixture
def running(generous: Flask) -> Iterator[str]:
    """The portal on a port of its own, as programs meet it."""
    server = make_server("127.0.0.1", 0, generous, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}/api/v1"
    server.shutdown()


def test_whatever_is_asked_is_answered_as_described(running: str, key: str, tmp_path: Path) -> None:
    """Every question that schemathesis makes, good and bad, with all its checks: statuses, headers, bodies, refusals of
    wrong data, of other methods and of missing or false keys, and no error of ours."""
    command = [
        str(Path(sys.executable).parent / "schemathesis"), "run", f"{running}/openapi.json", "--url", running,
        "--header", f"Authorization: Bearer {key}", "--checks", "all", "--phases", "examples,coverage,fuzzing",
        "--max-examples", "40", "--generation-deterministic",
        "--continue-on-failure", "--no-color",
    ]  # fmt: skip
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert found.returncode == 0, found.stdout + found.stderr


def test_what_exists_is_answered_as_described(generous: Flask, key: str, session: Session) -> None:
    """The same checks on answers that are not empty, which chance would hardly find."""
    reference = session.scalars(select(Account.reference)).one()
    number = session.scalars(select(Invoice.number).limit(1)).one()
    session.rollback()
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", generous)
    headers = {"Authorization": f"Bearer {key}"}
    for path in DESCRIBED["paths"]:
        names = re.findall(r"{(\w+)}", path)
        known = {name: {"reference": reference, "number": number}[name] for name in names}
        answer = schema[path]["GET"].Case(path_parameters=known).call_and_validate(headers=headers)
        assert answer.status_code == 200, path
    feed = schema["/events"]["GET"].Case(query={"limit": 3}).call_and_validate(headers=headers)
    assert len(feed.json()["events"]) == 3
