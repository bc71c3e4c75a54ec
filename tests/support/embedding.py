"""A reseller's server in a few lines: it signs what opens the embed. And a browser's frame, over HTTP."""

import json
import re
import secrets
from dataclasses import dataclass, field
from typing import Any

from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import OKPKey
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from webapp import clock
from webapp.domain.embedding import TYPE
from webapp.models.accounts import Reseller
from webapp.models.resellers import ResellerKey

ORIGIN = "https://espace.horecaplus.example"
PORTAL = "http://localhost"  # tests/conftest.py
POSTED = {"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "iframe"}


@dataclass
class Signer:
    """Signs with one key. `token(exp=…)` changes a claim, `without="jti"` leaves one out."""

    slug: str
    reference: str = ""
    person: str = ""
    kid: str = "2026-11"
    key: Any = field(default_factory=lambda: OKPKey.generate_key("Ed25519"))
    algorithm: str = "EdDSA"
    audience: str = PORTAL
    origin: str = ORIGIN
    role: str = "administrator"

    @property
    def public_key(self) -> str:
        return str(self.key.as_pem(private=False).decode())

    def claims(self, without: str = "", **changed: Any) -> dict[str, Any]:
        now = int(clock.now().timestamp())
        said = {
            "iss": self.slug,
            "aud": self.audience,
            "sub": self.reference,
            "user": self.person,
            "role": self.role,
            "origin": self.origin,
            "locale": "fr",
            "iat": now,
            "exp": now + 60,
            "jti": secrets.token_urlsafe(16),
        } | changed
        return {name: value for name, value in said.items() if name != without}

    def token(self, without: str = "", headers: dict[str, Any] | None = None, **changed: Any) -> str:
        header = {"alg": self.algorithm, "typ": TYPE, "kid": self.kid} | (headers or {})
        return str(jwt.encode(header, self.claims(without, **changed), self.key, algorithms=[self.algorithm]))


def register(
    session: Session, reseller: Reseller, signer: Signer, origins: tuple[str, ...] = (ORIGIN,)
) -> ResellerKey:
    """The reseller allows these origins and gives the public key of this signer."""
    reseller.allowed_origins = list(origins)
    key = ResellerKey(
        reseller_id=reseller.id,
        kid=signer.kid,
        algorithm=signer.algorithm,
        public_key=signer.public_key,
        created_by="tests",
        created_at=clock.now(),
    )
    session.add(key)
    session.commit()
    return key


def open_frame(client: FlaskClient, slug: str, assertion: str, **headers: str | None) -> TestResponse:
    """What the loader does: a form posted into the frame."""
    sent = {name: value for name, value in (POSTED | _dashed(headers)).items() if value is not None}
    return client.post(f"/embed/{slug}/session", data={"assertion": assertion}, headers=sent)


def _dashed(headers: dict[str, str | None]) -> dict[str, str | None]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


@dataclass
class Framed:
    """The page that received a session: it sends its bearer, and no cookie."""

    client: FlaskClient
    token: str
    csrf: str
    start: str

    @classmethod
    def of(cls, client: FlaskClient, answer: TestResponse) -> "Framed":
        assert answer.status_code == 200, answer.get_data(as_text=True)
        meta = re.search(
            r'name="embed-session" content="([^"]+)" data-origins="[^"]+" data-start="([^"]+)"', answer.text
        )
        csrf = re.search(r'name="csrf-token" content="([^"]+)"', answer.text)
        assert meta and csrf
        return cls(client, meta[1], csrf[1], meta[2])

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "HX-Request": "true", "HX-Boosted": "true"}

    def get(self, path: str = "", **headers: str) -> TestResponse:
        return self.client.get(path or self.start, headers=self.headers | _dashed(headers))  # type: ignore[arg-type]

    def post(self, path: str, data: dict[str, Any], **headers: str) -> TestResponse:
        sent = self.headers | {"Sec-Fetch-Site": "same-origin", "X-CSRFToken": self.csrf} | _dashed(headers)
        return self.client.post(path, data=data, headers=sent)

    def ticket(self, address: str) -> TestResponse:
        root = "/".join(self.start.split("/")[:3])
        return self.post(f"{root}/billets", {"address": address})

    def download(self, address: str) -> TestResponse:
        """Follow the one-time address as the browser does: neither bearer nor cookie."""
        asked = self.ticket(address)
        assert asked.status_code == 200, asked.get_data(as_text=True)
        return self.client.get(json.loads(asked.text)["address"])
