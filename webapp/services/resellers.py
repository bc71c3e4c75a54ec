"""Resellers as tenants: what their clients may do and see, where they are framed, how they sign, how they look (R1).

Every change leaves an audit line. Prices and terms are not here: they are tariffs of the catalogue, dated, one per
reseller.
"""

import base64
import hashlib
import secrets
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.adapters import logos
from webapp.adapters.vault import Vault
from webapp.domain.access import Actor, Role
from webapp.domain.colours import Colour
from webapp.domain.refusals import (
    BadKey,
    BadLogo,
    KeyNameTaken,
    ResellerWithoutAccount,
    TooManyKeys,
    TooManyOrigins,
)
from webapp.domain.reselling import (
    ACTIVE_KEYS,
    EVERYTHING,
    MOST_ORIGINS,
    BilledParty,
    InvoicesShown,
    KeyAlgorithm,
    PricesShown,
    Showing,
    origin_of,
)
from webapp.domain.themes import Font, Radius, Tokens, style_sheet
from webapp.models.accounts import Account, Reseller
from webapp.models.resellers import ResellerKey, ResellerTheme
from webapp.services import audit, reseller_invoices

SECRET_BYTES = 32
MOST_LOGO_BYTES = 200_000
MOST_LOGO_PIXELS = 1024


class ResellerNotFound(LookupError):
    """No such reseller, or no such key of it: the door answers 404."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator and a reseller agreed on for its clients."""

    allowed_actions: tuple[str, ...]
    languages: tuple[str, ...]
    billed: BilledParty
    prices: PricesShown
    invoices: InvoicesShown
    role_cap: Role

    def facts(self) -> dict[str, Any]:
        """As the columns of `resellers` hold it."""
        return {
            "allowed_actions": list(self.allowed_actions),
            "languages": list(self.languages),
            "billed_party": self.billed.value,
            "prices_shown": self.prices.value,
            "invoices_shown": self.invoices.value,
            "role_cap": self.role_cap.value,
        }


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom the clients of a reseller write to or call."""

    name: str
    email: str
    phone: str


def by_slug(session: Session, slug: str) -> Reseller:
    """Raises ResellerNotFound."""
    found = session.scalars(select(Reseller).where(Reseller.slug == slug)).first()
    if found is None:
        raise ResellerNotFound(slug)
    return found


def policy_of(reseller: Reseller) -> Policy:
    return Policy(
        tuple(reseller.allowed_actions),
        tuple(reseller.languages),
        BilledParty(reseller.billed_party),
        PricesShown(reseller.prices_shown),
        InvoicesShown(reseller.invoices_shown),
        Role(reseller.role_cap),
    )


def showing(session: Session, account_id: uuid.UUID) -> Showing:
    """What the people of an account see of amounts and documents."""
    row = session.execute(
        select(Reseller.billed_party, Reseller.prices_shown, Reseller.invoices_shown)
        .join(Account, Account.reseller_id == Reseller.id)
        .where(Account.id == account_id)
    ).first()
    if row is None:
        return EVERYTHING
    return Showing(BilledParty(row[0]), PricesShown(row[1]), InvoicesShown(row[2]))


def set_policy(session: Session, reseller: Reseller, policy: Policy, now: datetime, actor: Actor) -> None:
    """Raises ResellerWithoutAccount when it would be billed and nobody would receive its documents. Flushes."""
    is_billed = policy.billed is BilledParty.RESELLER
    if is_billed and reseller_invoices.account_of(session, reseller.id) is None:
        raise ResellerWithoutAccount(reseller.name)
    _write(session, reseller, policy.facts(), "policy", now, actor)


def set_contact(session: Session, reseller: Reseller, contact: Contact, now: datetime, actor: Actor) -> None:
    """Flushes."""
    facts = {
        "contact_name": contact.name,
        "contact_email": contact.email,
        "contact_phone": contact.phone,
    }
    _write(session, reseller, facts, "contact", now, actor)


def set_origins(
    session: Session, reseller: Reseller, origins: Iterable[str], now: datetime, actor: Actor
) -> None:
    """The sites that may frame the portal, each once, in their order. Raises BadOrigin, TooManyOrigins. Flushes."""
    found = list(dict.fromkeys(map(origin_of, origins)))
    if len(found) > MOST_ORIGINS:
        raise TooManyOrigins(MOST_ORIGINS)
    _write(session, reseller, {"allowed_origins": found}, "origins", now, actor)


def _write(
    session: Session,
    reseller: Reseller,
    after: Mapping[str, Any],
    what: str,
    now: datetime,
    actor: Actor,
) -> None:
    changed = {name: value for name, value in after.items() if getattr(reseller, name) != value}
    if not changed:
        return
    before = {name: getattr(reseller, name) for name in changed}
    for name, value in changed.items():
        setattr(reseller, name, value)
    audit.record(session, actor, None, f"reseller.{what}_changed", reseller.slug, before, changed, now)
    session.flush()


# ── Keys ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def keys(session: Session, reseller_id: uuid.UUID) -> list[ResellerKey]:
    """All of them, revoked ones too, latest first."""
    statement = select(ResellerKey).where(ResellerKey.reseller_id == reseller_id)
    return list(session.scalars(statement.order_by(ResellerKey.id.desc())))


def active_key(session: Session, reseller_id: uuid.UUID, kid: str) -> ResellerKey | None:
    """The key that a signature names, None if it is unknown or revoked, or while its reseller is suspended."""
    return session.scalars(
        select(ResellerKey)
        .join(Reseller, Reseller.id == ResellerKey.reseller_id)
        .where(
            ResellerKey.reseller_id == reseller_id,
            ResellerKey.kid == kid,
            ResellerKey.revoked_at.is_(None),
            Reseller.suspended_at.is_(None),
        )
    ).first()


def add_public_key(
    session: Session,
    reseller: Reseller,
    kid: str,
    algorithm: KeyAlgorithm,
    pem: str,
    now: datetime,
    actor: Actor,
) -> ResellerKey:
    """A key whose private part stays with the reseller. Raises BadKey, KeyNameTaken, TooManyKeys. Flushes."""
    _check_public_key(algorithm, pem)
    return _add(session, reseller, ResellerKey(kid=kid, algorithm=algorithm, public_key=pem), now, actor)


def add_secret(
    session: Session, reseller: Reseller, kid: str, vault: Vault, now: datetime, actor: Actor
) -> tuple[ResellerKey, str]:
    """An HS256 key of 32 random bytes, and its secret as base64url, told this once. Raises KeyNameTaken, TooManyKeys.

    The shared secret is the text itself, in ASCII. Flushes.
    """
    secret = base64.urlsafe_b64encode(secrets.token_bytes(SECRET_BYTES)).rstrip(b"=").decode()
    key = ResellerKey(kid=kid, algorithm=KeyAlgorithm.HS256, sealed_secret=vault.seal(secret))
    return _add(session, reseller, key, now, actor), secret


def revoke_key(session: Session, reseller: Reseller, kid: str, now: datetime, actor: Actor) -> None:
    """What it signs opens nothing any more. Twice changes nothing. Raises ResellerNotFound. Flushes."""
    key = session.scalars(
        select(ResellerKey).where(ResellerKey.reseller_id == reseller.id, ResellerKey.kid == kid)
    ).first()
    if key is None:
        raise ResellerNotFound(kid)
    if key.revoked_at is None:
        key.revoked_at = now
        audit.record(session, actor, None, "reseller.key_revoked", reseller.slug, {}, {"kid": kid}, now)
        session.flush()


def _add(session: Session, reseller: Reseller, key: ResellerKey, now: datetime, actor: Actor) -> ResellerKey:
    # One at a time for a reseller: two added at once would both find room.
    session.execute(select(Reseller.id).where(Reseller.id == reseller.id).with_for_update())
    mine = ResellerKey.reseller_id == reseller.id
    if session.scalar(select(ResellerKey.id).where(mine, ResellerKey.kid == key.kid)) is not None:
        raise KeyNameTaken(key.kid)
    active = select(func.count()).select_from(ResellerKey).where(mine, ResellerKey.revoked_at.is_(None))
    if (session.scalar(active) or 0) >= ACTIVE_KEYS:
        raise TooManyKeys(ACTIVE_KEYS)
    key.reseller_id, key.created_by, key.created_at = reseller.id, actor.name, now
    session.add(key)
    facts = {"kid": key.kid, "algorithm": str(key.algorithm)}
    audit.record(session, actor, None, "reseller.key_added", reseller.slug, {}, facts, now)
    session.flush()
    return key


def _check_public_key(algorithm: KeyAlgorithm, pem: str) -> None:
    try:
        found = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise BadKey(algorithm.value) from None
    is_edwards = algorithm is KeyAlgorithm.EDDSA and isinstance(found, Ed25519PublicKey)
    is_p256 = (
        algorithm is KeyAlgorithm.ES256
        and isinstance(found, EllipticCurvePublicKey)
        and isinstance(found.curve, SECP256R1)
    )
    if not (is_edwards or is_p256):
        raise BadKey(algorithm.value)


# ── Themes ───────────────────────────────────────────────────────────────────────────────────────────────────────


def theme(session: Session, reseller: Reseller) -> ResellerTheme | None:
    """The one in force, None when it looks as the operator does."""
    if reseller.theme_hash is None:
        return None
    return published_theme(session, reseller.theme_hash)


def published_theme(session: Session, hashed: str) -> ResellerTheme | None:
    """The theme at this address, in force or not: it never changes."""
    return session.scalars(select(ResellerTheme).where(ResellerTheme.hash == hashed)).first()


def tokens_of(found: ResellerTheme) -> Tokens:
    facts = found.tokens
    return Tokens(Colour.parse(facts["brand"]), Radius(facts["radius"]), Font(facts["font"]))


def publish_theme(
    session: Session,
    reseller: Reseller,
    tokens: Tokens,
    logo: bytes | None,
    now: datetime,
    actor: Actor,
) -> ResellerTheme:
    """Put a theme in force; the same one twice is one row. Raises BrandTooPale, BadLogo. Flushes."""
    css = style_sheet(tokens)
    logo_type = _logo_type(logo) if logo else None
    hashed = hashlib.sha256(css.encode() + b"\0" + (logo or b"")).hexdigest()
    found = session.scalars(
        select(ResellerTheme).where(ResellerTheme.reseller_id == reseller.id, ResellerTheme.hash == hashed)
    ).first()
    if found is None:
        facts = {"brand": tokens.brand.text, "radius": tokens.radius.value, "font": tokens.font.value}
        found = ResellerTheme(
            reseller_id=reseller.id,
            hash=hashed,
            tokens=facts,
            css=css,
            logo=logo or None,
            logo_type=logo_type,
            created_by=actor.name,
            created_at=now,
        )
        session.add(found)
    _write(session, reseller, {"theme_hash": hashed}, "theme", now, actor)
    session.flush()
    return found


def _logo_type(content: bytes) -> str:
    wrong = BadLogo(MOST_LOGO_BYTES // 1000, MOST_LOGO_PIXELS)
    if len(content) > MOST_LOGO_BYTES:
        raise wrong
    try:
        media_type, width, height = logos.recognise(content)
    except logos.NotAnImage:
        raise wrong from None
    if not (0 < width <= MOST_LOGO_PIXELS and 0 < height <= MOST_LOGO_PIXELS):
        raise wrong
    return media_type
