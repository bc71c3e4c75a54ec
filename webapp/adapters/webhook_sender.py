"""One message to one address in the form of Standard Webhooks 1.0: signed, dated, named.

Headers webhook-id, webhook-timestamp and webhook-signature, the last one a `v1,` HMAC-SHA256 for each active secret,
separated by a space. Source: github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md.
"""

import base64
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from standardwebhooks.webhooks import Webhook

from webapp.adapters import safe_http
from webapp.adapters.safe_http import Reach

SECRET_BYTES = 32
PREFIX = "whsec_"
GONE = 410  # the receiver asks not to be told any more


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one try. `error` is empty when the message was taken; `status` None when nothing answered."""

    status: int | None
    error: str = ""

    @property
    def is_taken(self) -> bool:
        return not self.error

    @property
    def is_gone(self) -> bool:
        return self.status == GONE


# Takes the address, the message's id, its JSON and the active secrets.
Sender = Callable[[str, str, Mapping[str, Any], Sequence[str]], Outcome]


def new_secret() -> str:
    """`whsec_` and 256 random bits in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signed(key: str, body: bytes, given: Sequence[str], at: datetime) -> dict[str, str]:
    """The headers of a message: one signature per active secret, the present one first."""
    at = at.astimezone(UTC).replace(microsecond=0)
    return {
        "webhook-id": key,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(key, at, body.decode()) for secret in given),
    }


def as_bytes(content: Mapping[str, Any]) -> bytes:
    """The same content is the same bytes at each try."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def _wall_clock() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class WebhookSender:
    """Sends over HTTP. The date signed is the real one even when the business clock is held for a demo: receivers
    refuse what is more than five minutes away from their own clock."""

    reach: Reach
    seconds: float = 10.0
    clock: Callable[[], datetime] = _wall_clock

    def __call__(self, url: str, key: str, content: Mapping[str, Any], given: Sequence[str]) -> Outcome:
        body = as_bytes(content)
        headers = signed(key, body, given, self.clock()) | {
            "Content-Type": "application/json",
            "User-Agent": "portal-webhooks/1",
        }
        try:
            answer = safe_http.post(url, body, headers, self.reach, self.seconds)
        except safe_http.Refused as refused:
            return Outcome(None, f"not called ({refused.reason}): {refused}")
        except safe_http.NoAnswer as silent:
            return Outcome(None, str(silent))
        if 200 <= answer.status < 300:
            return Outcome(answer.status)
        return Outcome(answer.status, f"answered {answer.status}: {answer.text}".strip())
