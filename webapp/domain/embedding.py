"""What a reseller's server must say to open the portal in its page, and every reason to refuse it (R2, R4).

An assertion is a signed JWT. Its signature is checked elsewhere (`adapters.embed_assertions`); here its claims are:
who speaks, to whom, for which account, person and role, from which page, and for how long.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from webapp.domain.access import Role, is_at_most

TYPE = "pf-embed+jwt"  # the header `typ`: a JWT made for something else opens nothing here
LONGEST_LIFE = timedelta(seconds=60)
LEEWAY = timedelta(seconds=5)  # two clocks never agree
IDLE = timedelta(minutes=15)  # of the session that an assertion opens
ABSOLUTE = timedelta(hours=8)
TICKET = timedelta(seconds=30)
LONGEST_JTI = 100
_JTI = re.compile(r"[\x21-\x7e]{8,100}")


class Why(StrEnum):
    """Why an assertion is refused: a word that never changes, told to the developer of the reseller."""

    MISSING = "missing"
    MALFORMED = "malformed"
    SIGNATURE = "signature"  # unknown or revoked key, another algorithm or type, wrong signature: told apart to nobody
    ORIGIN = "origin"  # the page that sends is not one of the reseller's
    FRAME = "frame"  # opened elsewhere than in a frame
    TOO_MANY = "too_many"
    # Below, the signature is right: whoever reads it holds the reseller's key.
    CLAIM_MISSING = "claim_missing"
    ISSUER = "issuer"
    AUDIENCE = "audience"
    ORIGIN_CLAIM = "origin_claim"
    TIMES = "times"
    EXPIRED = "expired"
    NOT_YET = "not_yet"
    LIFE_TOO_LONG = "life_too_long"
    JTI = "jti"
    REPLAYED = "replayed"
    ROLE = "role"
    ROLE_ABOVE_CAP = "role_above_cap"
    ACCOUNT = "account"
    USER = "user"
    NO_SUBSCRIPTION = "no_subscription"


class AssertionRefused(Exception):
    """The assertion opens nothing. `why` is the reason, `claim` the claim it is about, if any."""

    def __init__(self, why: Why, claim: str = "") -> None:
        super().__init__(why.value)
        self.why = why
        self.claim = claim


@dataclass(frozen=True)
class Expected:
    """What the portal knows of the request: the reseller of the address, its own address, the page that sends."""

    slug: str
    audience: str  # the portal's base URL
    origin: str  # the header `Origin`, already found among the reseller's
    role_cap: Role


@dataclass(frozen=True)
class Assertion:
    """Claims that hold."""

    reference: str  # of the account, to be looked for among the reseller's own
    person: str  # an e-mail address, in lower case
    role: Role
    origin: str
    language: str | None
    jti: str


def read_claims(claims: Mapping[str, object], expected: Expected, now: datetime) -> Assertion:
    """The assertion, if each claim is there and holds at `now`. Raises AssertionRefused for the first that does not.

    `exp` is the first second at which the assertion is over. Both times may be wrong by LEEWAY.
    Source: RFC 7519 §4.1 and RFC 8725; the lifetime and the one use are ours.
    """
    for name in ("iss", "aud", "sub", "user", "role", "origin", "iat", "exp", "jti"):
        if claims.get(name) in (None, ""):
            raise AssertionRefused(Why.CLAIM_MISSING, name)
    if claims["iss"] != expected.slug:
        raise AssertionRefused(Why.ISSUER, "iss")
    if claims["aud"] != expected.audience:  # one audience, not a list: this portal and no other
        raise AssertionRefused(Why.AUDIENCE, "aud")
    if claims["origin"] != expected.origin:
        raise AssertionRefused(Why.ORIGIN_CLAIM, "origin")
    _check_times(claims["iat"], claims["exp"], now)
    jti = claims["jti"]
    if not isinstance(jti, str) or not _JTI.fullmatch(jti):
        raise AssertionRefused(Why.JTI, "jti")
    for name in ("sub", "user"):
        if not isinstance(claims[name], str):
            raise AssertionRefused(Why.MALFORMED, name)
    language = claims.get("locale")
    return Assertion(
        reference=str(claims["sub"]),
        person=str(claims["user"]).strip().lower(),
        role=_role(claims["role"], expected.role_cap),
        origin=expected.origin,
        language=language if isinstance(language, str) else None,
        jti=jti,
    )


def _check_times(issued: object, expires: object, now: datetime) -> None:
    if not _is_instant(issued) or not _is_instant(expires):
        raise AssertionRefused(Why.TIMES)
    begins = datetime.fromtimestamp(float(str(issued)), UTC)
    ends = datetime.fromtimestamp(float(str(expires)), UTC)
    if ends <= begins:
        raise AssertionRefused(Why.TIMES)
    if ends - begins > LONGEST_LIFE:
        raise AssertionRefused(Why.LIFE_TOO_LONG, "exp")
    if begins > now + LEEWAY:
        raise AssertionRefused(Why.NOT_YET, "iat")
    if now >= ends + LEEWAY:
        raise AssertionRefused(Why.EXPIRED, "exp")


def _is_instant(value: object) -> bool:
    """Whether it is a NumericDate of this era: seconds since 1970, not a boolean."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**33


def _role(value: object, cap: Role) -> Role:
    if value not in list(Role):
        raise AssertionRefused(Why.ROLE, "role")
    role = Role(str(value))
    if not is_at_most(role, cap):
        raise AssertionRefused(Why.ROLE_ABOVE_CAP, "role")
    return role


def tells_the_developer(why: Why) -> bool:
    """Whether the exact reason may be said: only to whoever signed with a key of the reseller."""
    return list(Why).index(why) >= list(Why).index(Why.CLAIM_MISSING)


def is_framed_by(origin: str | None, allowed: Sequence[str]) -> bool:
    """Whether the page that sends is one of the reseller's, to the letter."""
    return origin is not None and origin in allowed
