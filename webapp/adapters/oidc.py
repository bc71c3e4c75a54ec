"""The identity provider of the team: OpenID Connect Core 1.0, by an authorization code with PKCE, through Authlib.

Authlib is an extra of this package (`oidc`): it is loaded only when a provider is set. The provider is chosen by the
operator, perhaps inside its own network, so its address is not one that `safe_http` would judge; https is asked of every
address all the same, but on the machine itself. Its description and its keys are read at each sign-in: those of the
team are few, and a key that it has replaced is then known at once.
"""

import ipaddress
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from webapp.config import Settings
from webapp.domain.refusals import ProviderAway, SignInNotProved

# Signed with a key that the provider alone has: never "none", never the secret that both know.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
LEEWAY_SECONDS = 60  # that its clock may differ from ours


@dataclass(frozen=True, slots=True)
class Asked:
    """What one sign-in drew, kept by the browser that began it: who brings the answer must bring these too."""

    state: str
    nonce: str
    verifier: str

    @classmethod
    def new(cls) -> "Asked":
        return cls(*(secrets.token_urlsafe(32) for _each in range(3)))


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody, as the provider says: `subject` never changes and is never given to another, `email` may be."""

    issuer: str
    subject: str
    email: str
    is_email_verified: bool
    has_second_step: bool


@dataclass(frozen=True)
class Provider:
    """The provider of this installation. `second_step` are the values of `acr` and `amr` that count as a second step."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    label: str
    second_step: frozenset[str] = frozenset()
    timeout_seconds: float = 10.0

    def address(self, asked: Asked, back: str) -> str:
        """Where the browser goes to sign in; it comes back to `back`. Raises ProviderAway."""
        with self._client(back) as client:
            page = self._endpoint(self._described(client), "authorization_endpoint")
            address, _state = client.create_authorization_url(
                page, state=asked.state, nonce=asked.nonce, code_verifier=asked.verifier
            )
        return str(address)

    def identity(self, code: str, asked: Asked, back: str, now: datetime) -> Identity:
        """Who the provider says has signed in with this code, which serves once. Raises ProviderAway, SignInNotProved."""
        with self._client(back) as client:
            described = self._described(client)
            token = self._token(client, described, code, asked)
            keys = self._read(client, self._endpoint(described, "jwks_uri"), withhold_token=True)
            claims = self._claims(token, keys, asked.nonce, now)
            told = claims if "email" in claims else self._told_besides(client, described, claims)
        amr = claims.get("amr") or []
        return Identity(
            self.issuer,
            str(claims["sub"]),
            str(told.get("email") or ""),
            told.get("email_verified") is True,
            not self.second_step.isdisjoint({str(claims.get("acr")), *map(str, amr)}),
        )

    def _client(self, back: str) -> Any:
        from authlib.integrations.requests_client import OAuth2Session

        return OAuth2Session(
            self.client_id,
            self.client_secret,
            scope="openid email",
            redirect_uri=back,
            code_challenge_method="S256",
            default_timeout=self.timeout_seconds,
        )

    def _described(self, client: Any) -> Mapping[str, Any]:
        """OpenID Connect Discovery 1.0, section 4. A description of somebody else is none."""
        page = self.issuer.rstrip("/") + "/.well-known/openid-configuration"
        found = self._read(client, page, withhold_token=True)
        if found.get("issuer") != self.issuer:
            raise ProviderAway(self.label, f"{page} describes {found.get('issuer')!r}")
        return found

    def _endpoint(self, described: Mapping[str, Any], name: str) -> str:
        address = str(described.get(name) or "")
        if not is_safe(address):
            raise ProviderAway(self.label, f"{name} is {address!r}")
        return address

    def _read(self, client: Any, address: str, **options: Any) -> dict[str, Any]:
        import requests

        try:
            answer = client.get(address, allow_redirects=False, **options)
            body = answer.json() if answer.status_code == 200 else None
        except (requests.RequestException, ValueError) as wrong:
            raise ProviderAway(self.label, f"{address}: {wrong}") from None
        if not isinstance(body, dict):
            raise ProviderAway(self.label, f"{address} answered {answer.status_code}")
        return body

    def _token(self, client: Any, described: Mapping[str, Any], code: str, asked: Asked) -> Mapping[str, Any]:
        import requests
        from authlib.integrations.base_client import OAuthError

        methods = described.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if "client_secret_basic" not in methods:
            client.token_endpoint_auth_method = "client_secret_post"
        endpoint = self._endpoint(described, "token_endpoint")
        try:
            token: Mapping[str, Any] = client.fetch_token(
                endpoint, code=code, code_verifier=asked.verifier, allow_redirects=False
            )
        except OAuthError as refused:
            raise SignInNotProved(f"{endpoint} refused the code: {refused}") from None
        except (requests.RequestException, ValueError) as wrong:
            raise ProviderAway(self.label, f"{endpoint}: {wrong}") from None
        return token

    def _claims(self, token: Mapping[str, Any], keys: Any, nonce: str, now: datetime) -> Mapping[str, Any]:
        """What the ID token says, once it is proved: OpenID Connect Core 1.0, section 3.1.3.7."""
        from authlib.oidc.core import CodeIDToken
        from joserfc import jwt
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet
        from joserfc.jws import JWSRegistry

        expected = {
            "iss": {"essential": True, "value": self.issuer},
            "aud": {"essential": True, "value": self.client_id},
            "sub": {"essential": True},
        }
        known = {"nonce": nonce, "client_id": self.client_id, "access_token": token.get("access_token")}
        try:
            registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
            signed = jwt.decode(str(token.get("id_token")), KeySet.import_key_set(keys), registry=registry)
            claims = CodeIDToken(signed.claims, signed.header, expected, known)
            claims.validate(now=int(now.timestamp()), leeway=LEEWAY_SECONDS)
        except (JoseError, ValueError, TypeError, KeyError) as wrong:
            raise SignInNotProved(f"the ID token is refused: {wrong!r}") from None
        return dict(claims)

    def _told_besides(
        self, client: Any, described: Mapping[str, Any], claims: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """The address, from providers that keep it out of their ID token (section 5.4): of the same subject, or nobody's."""
        from authlib.integrations.base_client import OAuthError

        if not described.get("userinfo_endpoint"):
            return {}
        try:
            told = self._read(client, self._endpoint(described, "userinfo_endpoint"))
        except OAuthError as wrong:
            raise SignInNotProved(f"no access token came with the ID token: {wrong}") from None
        return told if told.get("sub") == claims["sub"] else {}


def is_safe(address: str) -> bool:
    """Whether secrets may be sent there: by https, or by http to the machine itself.

    >>> [is_safe(each) for each in ("https://id.example.org/a", "http://127.0.0.1:9000", "http://id.example.org")]
    [True, True, False]
    """
    parts = urlsplit(address)
    if parts.scheme == "https":
        return bool(parts.hostname)
    if parts.scheme != "http" or not parts.hostname:
        return False
    try:
        return ipaddress.ip_address(parts.hostname).is_loopback
    except ValueError:
        return parts.hostname == "localhost"


def provider_for(settings: Settings) -> Provider | None:
    """The provider that the settings name; None when the team signs in here alone."""
    if not settings.oidc_issuer:
        return None
    return Provider(
        settings.oidc_issuer,
        settings.oidc_client_id,
        settings.oidc_client_secret,
        settings.oidc_label or str(urlsplit(settings.oidc_issuer).hostname),
        frozenset(settings.oidc_second_step),
    )
