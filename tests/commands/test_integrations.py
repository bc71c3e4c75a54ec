"""flask api-key and flask send-webhooks, a run that is killed included."""

import os
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.builders import a_reseller, a_subscription, an_account, noon
from tests.conftest import SECRET_KEY
from tests.support.listener import listening
from webapp.adapters.safe_http import Reach
from webapp.adapters.vault import Purpose, Vault
from webapp.config import Settings
from webapp.domain.access import SYSTEM
from webapp.models.events import ApiKey, WebhookDelivery
from webapp.services import api_keys, events, webhooks

ROOT = Path(__file__).resolve().parents[2]
STARTS = date(2026, 11, 1)


def run(app: Flask, *arguments: str) -> tuple[int, str, str]:
    done = app.test_cli_runner().invoke(args=list(arguments))
    return done.exit_code, done.stdout, done.stderr


def test_a_key_is_printed_once_and_alone(app: Flask, client: FlaskClient, session: Session) -> None:
    a_reseller(session)
    mine = a_subscription(session, starts_on=STARTS).account.reference
    session.commit()
    code, printed, said = run(
        app, "api-key", "create", "Sites", "--scope", "accounts", "--reseller", "horecaplus"
    )
    key = printed.strip()
    assert code == 0 and printed == f"{key}\n" and key[:12] in said and key not in said
    answer = client.get(f"/api/v1/accounts/{mine}", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 404, "a reseller's key finds its own clients only"
    code, listed, _ = run(app, "api-key", "list")
    assert code == 0 and "Sites (HorecaPlus)" in listed and "accounts" in listed and key not in listed
    code, said, _ = run(app, "api-key", "revoke", key[:12])
    assert code == 0 and "revoked" in said
    assert (
        client.get(f"/api/v1/accounts/{mine}", headers={"Authorization": f"Bearer {key}"}).status_code == 401
    )


def test_what_cannot_be_done_is_said(app: Flask, session: Session) -> None:
    assert run(app, "api-key", "create", "Sites", "--reseller", "nobody")[0] == 1
    assert session.scalars(select(ApiKey)).all() == []
    session.rollback()
    assert run(app, "api-key", "create", "Sites")[0] == 0
    code, _, said = run(app, "api-key", "create", "Sites", "--reseller", "horecaplus")
    assert code == 1 and "exists already" in said
    for prefix in ("ptl_", "ptl_zzzzzzzz", ""):
        assert run(app, "api-key", "revoke", prefix)[0] == 1


@pytest.fixture
def suspended(session: Session) -> None:
    consumer = api_keys.open_consumer(session, "Sites", None, noon(STARTS), SYSTEM)
    session.info["consumer"] = consumer.id
    account = an_account(session)
    facts = {"account": account.reference, "cause": "unpaid", "invoices": [], "on": "2026-11-16"}
    events.record(session, "account.suspended", account.id, facts, noon(date(2026, 11, 16)))


def an_endpoint(session: Session, url: str) -> None:
    vault = Vault([SECRET_KEY], Purpose.WEBHOOKS)
    reach = Reach(anywhere=True)
    webhooks.add_endpoint(session, session.info["consumer"], url, [], reach, vault, noon(STARTS), SYSTEM)
    session.commit()


def test_a_killed_run_tells_again_under_the_same_name_and_loses_nothing(
    settings: Settings, session: Session, suspended: None, tmp_path: Path
) -> None:
    environment = os.environ | {
        "DATABASE_URL": settings.database_url,
        "SECRET_KEY": SECRET_KEY,
        "PORTAL_INSTANCE": str(tmp_path),
        "WEBHOOKS_ANYWHERE": "yes",
    }
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "send-webhooks"]
    with listening() as server:
        an_endpoint(session, server.url)
        server.pause = 30.0
        killed = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while not server.received and time.monotonic() < deadline:
            time.sleep(0.05)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert len(server.received) == 1, "it was killed while the receiver made up its mind"
        server.pause = 0.0
        delivery = session.scalars(select(WebhookDelivery)).one()
        assert (delivery.state, delivery.attempts) == ("waiting", 1)
        delivery.next_at -= webhooks.LEASE
        session.commit()
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0 and "1 delivered" in done.stdout, done.stdout + done.stderr
        assert len(set(server.ids)) == 1 and len(server.ids) == 2
        again = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert again.stdout.startswith("0 published, 0 delivered") and len(server.ids) == 2
