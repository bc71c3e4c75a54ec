"""What a reseller signs with and how its pages look: its keys, and its themes as they were published (R1, R4)."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from webapp.models.base import Base, Code, NumberKey


class ResellerKey(Base):
    """A key by which a reseller's server signs what opens the embed. Its algorithm never changes.

    EdDSA (Ed25519) and ES256 keep a public key, with which our database cannot sign. HS256 keeps a shared secret,
    sealed by `adapters.vault`. Up to two are active, so that one replaces the other without an interruption.
    """

    __tablename__ = "reseller_keys"
    __table_args__ = (
        UniqueConstraint("reseller_id", "kid"),
        CheckConstraint("algorithm in ('EdDSA', 'ES256', 'HS256')", name="known_algorithm"),
        CheckConstraint(
            "(algorithm = 'HS256' and sealed_secret is not null and public_key is null)"
            " or (algorithm <> 'HS256' and public_key is not null and sealed_secret is null)",
            name="one_secret_or_one_public_key",
        ),
    )

    id: Mapped[NumberKey]
    reseller_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("resellers.id"))
    kid: Mapped[Code]
    algorithm: Mapped[Code]
    public_key: Mapped[str | None] = mapped_column(Text)  # PEM
    sealed_secret: Mapped[str | None] = mapped_column(Text)  # sealed; 32 random bytes as base64url text
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class ResellerTheme(Base):
    """The colours, corners, font and logo of a reseller, as a style sheet that never changes: its hash is its address.

    A page that is open keeps the sheet it was given; `resellers.theme_hash` names the one in force.
    """

    __tablename__ = "reseller_themes"
    __table_args__ = (UniqueConstraint("reseller_id", "hash"),)

    id: Mapped[NumberKey]
    reseller_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("resellers.id"))
    hash: Mapped[str] = mapped_column(String(64), index=True)  # SHA-256 of the sheet and the logo
    tokens: Mapped[dict[str, Any]] = mapped_column(JSON)  # as asked for: brand, radius, font
    css: Mapped[str] = mapped_column(Text)
    logo: Mapped[bytes | None] = mapped_column(LargeBinary)
    logo_type: Mapped[Code | None]  # image/png or image/jpeg
    created_by: Mapped[str]
    created_at: Mapped[datetime]
