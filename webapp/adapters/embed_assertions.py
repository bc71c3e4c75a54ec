"""The signature of an assertion (JWS, RFC 7515), with the key that its reseller registered under its `kid`.

The algorithm is the key's own, whatever the header says; a header that carries a key or points to one is refused.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, OctKey, OKPKey

from webapp.domain.embedding import TYPE, AssertionRefused, Why

# RFC 9864 renames EdDSA to Ed25519. The libraries of our resellers write the former name, and a key here is Ed25519 alone.
warnings.filterwarnings("ignore", message="EdDSA is deprecated", category=SecurityWarning)

LONGEST = 4096  # signs of an assertion: ours are about 600
HEADERS = {"typ", "alg", "kid"}
ALGORITHMS = ("EdDSA", "ES256", "HS256")
KINDS: dict[str, Callable[[str], OKPKey | ECKey | OctKey]] = {
    "EdDSA": OKPKey.import_key,
    "ES256": ECKey.import_key,
}


@dataclass(frozen=True)
class Key:
    """A key as registered. `material` is a public key in PEM, or for HS256 the shared secret itself."""

    id: int
    algorithm: str
    material: str | bytes


@dataclass(frozen=True)
class Signed:
    """An assertion whose signature holds, with the key that made it."""

    key_id: int
    claims: Mapping[str, Any]


def kid_of(text: str) -> str:
    """The key that the assertion names. Nothing of it is believed yet. Raises AssertionRefused."""
    headers = _headers(text)
    kid = headers.get("kid")
    if headers.get("typ") != TYPE or not isinstance(kid, str) or set(headers) - HEADERS:
        raise AssertionRefused(Why.SIGNATURE)
    return kid


def verify(text: str, key: Key) -> Signed:
    """The claims, if this key signed them. Raises AssertionRefused."""
    if key.algorithm not in ALGORITHMS or _headers(text).get("alg") != key.algorithm:
        raise AssertionRefused(Why.SIGNATURE)
    try:
        token = jwt.decode(text, _imported(key), algorithms=[key.algorithm])
    except (JoseError, ValueError, TypeError):
        raise AssertionRefused(Why.SIGNATURE) from None
    return Signed(key.id, token.claims)


def _imported(key: Key) -> OKPKey | ECKey | OctKey:
    if isinstance(key.material, bytes):
        return OctKey.import_key(key.material)
    return KINDS[key.algorithm](key.material)


def _headers(text: str) -> dict[str, Any]:
    if not text:
        raise AssertionRefused(Why.MISSING)
    if len(text) > LONGEST or not text.isascii():
        raise AssertionRefused(Why.MALFORMED)
    try:
        return dict(jws.extract_compact(text.encode()).headers())
    except (JoseError, ValueError, TypeError, KeyError):
        raise AssertionRefused(Why.MALFORMED) from None
