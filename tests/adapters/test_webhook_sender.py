"""Messages in the form of Standard Webhooks: what a receiver's own library verifies."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.support.listener import listening
from webapp.adapters.safe_http import Reach
from webapp.adapters.webhook_sender import WebhookSender, new_secret, signed

SEND = WebhookSender(Reach(anywhere=True))
CONTENT = {"type": "account.suspended", "data": {"account": "CA-1", "name": "Café"}}


def test_the_signature_is_the_hmac_that_the_specification_says() -> None:
    secret, body, at = new_secret(), b'{"a":1}', datetime(2026, 11, 16, 9, tzinfo=UTC)
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.digest(key, b"msg_1.1794819600." + body, hashlib.sha256)).decode()
    assert len(key) == 32
    assert signed("msg_1", body, [secret], at) == {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1794819600",
        "webhook-signature": f"v1,{expected}",
    }


def test_a_receiver_verifies_with_either_secret_while_one_replaces_the_other() -> None:
    present, former, other = new_secret(), new_secret(), new_secret()
    with listening() as server:
        assert SEND(server.url, "msg_1", CONTENT, [present, former]).is_taken
    [(headers, body)] = server.received
    assert headers["content-type"] == "application/json"
    for secret in (present, former):
        assert Webhook(secret).verify(body, headers) == CONTENT
    with pytest.raises(WebhookVerificationError):
        Webhook(other).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(present).verify(body.replace(b"CA-1", b"CA-2"), headers)


def test_an_old_message_is_not_taken_for_a_new_one() -> None:
    secret, long_ago = new_secret(), datetime.now(UTC) - timedelta(minutes=6)
    body = json.dumps(CONTENT).encode()
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(secret).verify(body, signed("msg_1", body, [secret], long_ago))


@pytest.mark.parametrize(
    ("status", "is_taken"), [(200, True), (202, True), (301, False), (410, False), (500, False)]
)
def test_only_a_success_takes_a_message(status: int, is_taken: bool) -> None:
    with listening() as server:
        server.usually = status
        outcome = SEND(server.url, "msg_1", CONTENT, [new_secret()])
    assert (outcome.status, outcome.is_taken, outcome.is_gone) == (status, is_taken, status == 410)


def test_a_private_address_is_not_called() -> None:
    with listening() as server:
        outcome = WebhookSender(Reach())(
            server.url.replace("http:", "https:"), "msg_1", CONTENT, [new_secret()]
        )
    assert not outcome.is_taken and "not called" in outcome.error and server.received == []
