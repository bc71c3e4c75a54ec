"""An assertion that opens the portal in your page. Python 3, with the package `cryptography`.

    PORTAL_KEY_FILE=portal-key.pem PORTAL_KEY_ID=2026-11 PORTAL_SLUG=horecaplus \
    PORTAL_URL=https://abonnement.example PORTAL_ORIGIN=https://espace.horecaplus.example \
    python assertion.py HP-20041 marcel@chezmarcel.example owner

Call it from an address of your own site that only a signed-in client can reach, and answer the text:

    @app.post("/portail/jeton")
    def portal_token():
        return assertion(client.reference, client.email, "owner", os.environ)
"""

import base64
import json
import os
import secrets
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_pem_private_key


def assertion(reference: str, user: str, role: str, settings: Mapping[str, str], locale: str = "fr") -> str:
    now = int(time.time())
    header = {"alg": "EdDSA", "typ": "pf-embed+jwt", "kid": settings["PORTAL_KEY_ID"]}
    claims = {
        "iss": settings["PORTAL_SLUG"],
        "aud": settings["PORTAL_URL"],
        "sub": reference,
        "user": user,
        "role": role,
        "origin": settings["PORTAL_ORIGIN"],
        "locale": locale,
        "iat": now,
        "exp": now + 60,
        "jti": secrets.token_urlsafe(16),
    }
    text = ".".join(_part(json.dumps(each).encode()) for each in (header, claims))
    key = load_pem_private_key(Path(settings["PORTAL_KEY_FILE"]).read_bytes(), None)
    return f"{text}.{_part(key.sign(text.encode()))}"


def _part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


if __name__ == "__main__":
    print(assertion(*sys.argv[1:4], os.environ))
