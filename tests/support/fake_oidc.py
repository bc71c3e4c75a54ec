"""An identity provider on the machine itself, which signs with its own key and lies when a test asks it to."""

import json
import secrets
import threading
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from flask import Flask, request
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from werkzeug.serving import make_server

CLIENT, SECRET = "portal", "a secret that the provider gave to the portal"
KEY, FORGED = (RSAKey.generate_key(2048, {"kid": "1", "alg": "RS256"}) for _each in range(2))


class FakeProvider:
    """`claims` replaces what its ID token says (None leaves a claim out); `told_besides` is what /userinfo adds."""

    def __init__(self) -> None:
        self.issuer = ""
        self.claims: dict[str, Any] = {}
        self.told_besides: dict[str, Any] = {}
        self.signs_with: RSAKey | OctKey | None = KEY  # None: it does not sign
        self.algorithm = "RS256"
        self.described: dict[str, Any] = {}
        self.asked: dict[str, dict[str, str]] = {}  # by code: what the browser brought
        self.now = 0

    def authorize(self, address: str) -> dict[str, str]:
        """What somebody who signs in at `address` brings back to the portal."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        code = secrets.token_urlsafe(8)
        self.asked[code] = asked
        return {"code": code, "state": asked["state"]}

    def token(self) -> tuple[Mapping[str, Any], int]:
        asked = self.asked.pop(request.form["code"], None)
        login = b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode()
        if asked is None or login != urlencode({CLIENT: SECRET}).replace("=", ":").replace("+", " "):
            return {"error": "invalid_grant"}, 400
        challenge = urlsafe_b64encode(sha256(request.form["code_verifier"].encode()).digest()).rstrip(b"=")
        if (
            challenge.decode() != asked["code_challenge"]
            or request.form["redirect_uri"] != asked["redirect_uri"]
        ):
            return {"error": "invalid_grant"}, 400
        claims = {
            "iss": self.issuer,
            "sub": "248289761001",
            "aud": CLIENT,
            "iat": self.now,
            "exp": self.now + 300,
            "nonce": asked["nonce"],
            "email": "nora@centralapp.example",
            "email_verified": True,
        } | self.claims
        said = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": self.algorithm, "kid": "1"}
        if self.signs_with is None:
            id_token = ".".join([_part(header), _part(said), ""])
        else:
            id_token = jwt.encode(header, said, self.signs_with, algorithms=[self.algorithm])
        return {"access_token": "opens-userinfo", "token_type": "Bearer", "id_token": id_token}, 200

    def app(self) -> Flask:
        app = Flask("provider")
        app.add_url_rule("/token", "token", self.token, methods=["POST"])

        @app.get("/.well-known/openid-configuration")
        def described() -> Mapping[str, Any]:
            return {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "userinfo_endpoint": f"{self.issuer}/userinfo",
            } | self.described

        @app.get("/keys")
        def keys() -> Mapping[str, Any]:
            return {"keys": [KEY.as_dict(private=False)]}

        @app.get("/userinfo")
        def userinfo() -> Mapping[str, Any]:
            assert request.headers["Authorization"] == "Bearer opens-userinfo"
            return {"sub": "248289761001"} | self.told_besides

        return app


def _part(said: Mapping[str, Any]) -> str:
    return urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")


@contextmanager
def served() -> Iterator[FakeProvider]:
    provider = FakeProvider()
    server = make_server("127.0.0.1", 0, provider.app(), threaded=True)
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
