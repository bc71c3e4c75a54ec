"""Who buys, who may enter, who resells: accounts, their billing details, users, memberships, sessions."""

import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.models.base import Base, Code, NumberKey, UuidKey


class Reseller(Base):
    """A partner who sells to its own clients: a tenant above accounts. What it is paid for is in the catalogue (R1)."""

    __tablename__ = "resellers"
    __table_args__ = (
        CheckConstraint("billed_party in ('client', 'reseller')", name="known_billed_party"),
        CheckConstraint("prices_shown in ('none', 'reseller_retail', 'public')", name="known_prices_shown"),
        CheckConstraint("invoices_shown in ('none', 'reseller', 'platform')", name="known_invoices_shown"),
        CheckConstraint(
            "role_cap in ('owner', 'administrator', 'viewer', 'accountant')", name="known_role_cap"
        ),
    )

    id: Mapped[UuidKey]
    slug: Mapped[Code] = mapped_column(unique=True)
    name: Mapped[str]
    contact_name: Mapped[str]
    contact_email: Mapped[str]
    contact_phone: Mapped[str] = mapped_column(default="")
    # Self-service policy (P8, R1): the actions a client may do alone, such as change_plan; the rest says "contact your partner"
    allowed_actions: Mapped[list[Any]] = mapped_column(JSON)
    languages: Mapped[list[Any]] = mapped_column(
        JSON, default=lambda: ["fr", "nl", "en"], server_default='["fr", "nl", "en"]'
    )  # those its clients may read, its own first
    # Who receives the platform's invoices: each client, or the reseller on one document a month (R1)
    billed_party: Mapped[Code] = mapped_column(default="client", server_default="client")
    # What its clients see of amounts, and of documents: see domain/reselling.py
    prices_shown: Mapped[Code] = mapped_column(default="reseller_retail", server_default="reseller_retail")
    invoices_shown: Mapped[Code] = mapped_column(default="platform", server_default="platform")
    role_cap: Mapped[Code] = mapped_column(
        default="administrator", server_default="administrator"
    )  # in the embed
    # The exact origins that may frame the portal: https://espace.horecaplus.example
    allowed_origins: Mapped[list[Any]] = mapped_column(JSON, default=list, server_default="[]")
    theme_hash: Mapped[str | None] = mapped_column(String(64))  # of the theme in force, in `reseller_themes`
    created_at: Mapped[datetime]
    # Since then its keys open nothing, and its people read its console without changing anything; its clients go on
    suspended_at: Mapped[datetime | None]


class Account(Base):
    """A business that subscribes: the tenant. Every private row leads back to one account."""

    __tablename__ = "accounts"
    __table_args__ = (CheckConstraint("kind in ('business', 'consumer', 'public')", name="known_kind"),)

    id: Mapped[UuidKey]
    reference: Mapped[Code] = mapped_column(unique=True)  # short, spoken on the phone: CA-10234
    name: Mapped[str]
    kind: Mapped[Code] = mapped_column(default="business")
    language: Mapped[Code] = mapped_column(default="fr")  # of its documents and mails
    reseller_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("resellers.id"), index=True)
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]  # what the law does not ask to keep was erased then (U4)
    # The first day of the suspension of its sites, while one is open (D5): a copy of `suspensions`, for pages
    suspended_on: Mapped[date | None]
    suspension_cause: Mapped[Code | None]  # of that one: unpaid, or staff when the team decided it

    reseller: Mapped[Reseller | None] = relationship()
    billing_details: Mapped["BillingDetails"] = relationship(back_populates="account")
    memberships: Mapped[list["Membership"]] = relationship(back_populates="account")


class BillingDetails(Base):
    """What the next invoices will carry; issued ones keep a frozen copy (U1)."""

    __tablename__ = "billing_details"

    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    legal_name: Mapped[str]
    street: Mapped[str]
    postcode: Mapped[str] = mapped_column(String(12))
    city: Mapped[str]
    country: Mapped[str] = mapped_column(String(2), default="BE")
    vat_number: Mapped[str | None]  # compact, with its country: BE0876543270
    enterprise_number: Mapped[str | None]  # ten digits
    invoice_email: Mapped[str]
    other_invoice_emails: Mapped[list[Any]] = mapped_column(JSON, default=list, server_default="[]")
    accountant_email: Mapped[
        str | None
    ]  # confirmed by its reader: one that is not yet waits in `email_checks`
    buyer_reference: Mapped[str | None]
    peppol_id: Mapped[str | None]
    vat_treatment: Mapped[Code] = mapped_column(default="domestic")
    # What the register of VAT numbers (VIES) answered: valid, invalid or unavailable; None when it was not asked
    vat_check: Mapped[Code | None]
    vat_checked_at: Mapped[datetime | None]
    vat_consultation: Mapped[str | None]  # its reference, the proof of a reverse charge
    payment_method: Mapped[Code] = mapped_column(default="transfer")  # transfer, direct_debit or card
    payment_label: Mapped[str] = mapped_column(default="")  # masked, as shown: BE21 0012 •••• 7803
    payment_reference: Mapped[str] = mapped_column(default="")  # mandate reference
    payment_signed_on: Mapped[date | None]
    # Why the method chosen does not pay these days: mandate_blocked, mandate_expired, card_blocked or card_expired; the
    # fields above then ask for a transfer. A copy of `payment_methods`, for pages
    payment_problem: Mapped[Code | None]
    payment_term_days: Mapped[int] = mapped_column(default=14)

    account: Mapped[Account] = relationship(back_populates="billing_details")


class User(Base):
    __tablename__ = "users"

    id: Mapped[UuidKey]
    email: Mapped[str] = mapped_column(String(254), unique=True)  # lower case
    full_name: Mapped[str]
    password_hash: Mapped[str | None]
    language: Mapped[Code | None]  # None: the browser decides
    price_display: Mapped[Code] = mapped_column(default="htva")  # htva or tvac
    # Staff of the operator: support, billing, catalogue or admin; None for everybody else
    staff_role: Mapped[Code | None]
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]

    memberships: Mapped[list["Membership"]] = relationship(back_populates="user")


class Membership(Base):
    """A role of one user in one account. Removing the row removes access at once."""

    __tablename__ = "memberships"
    __table_args__ = (
        UniqueConstraint("user_id", "account_id"),
        CheckConstraint("role in ('owner', 'administrator', 'viewer', 'accountant')", name="known_role"),
    )

    id: Mapped[NumberKey]
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    role: Mapped[Code]
    created_at: Mapped[datetime]

    user: Mapped[User] = relationship(back_populates="memberships")
    account: Mapped[Account] = relationship(back_populates="memberships")


class ResellerMembership(Base):
    """The place of one user among a reseller's people. A person works for one reseller: its console needs no choice."""

    __tablename__ = "reseller_memberships"
    __table_args__ = (
        UniqueConstraint("user_id"),
        CheckConstraint("role in ('reseller_admin', 'reseller_agent', 'reseller_reader')", name="known_role"),
    )

    id: Mapped[NumberKey]
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    reseller_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("resellers.id"), index=True)
    role: Mapped[Code]
    created_at: Mapped[datetime]


class LoginSession(Base):
    """A server-side session. Only the SHA-256 of its token is kept; revoking the row ends it."""

    __tablename__ = "login_sessions"

    id: Mapped[NumberKey]
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), index=True)
    account_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("accounts.id"))  # the one last looked at
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]  # absolute
    revoked_at: Mapped[datetime | None]
    ip_address: Mapped[str] = mapped_column(String(45), default="")
    user_agent: Mapped[str] = mapped_column(String(400), default="")
    # Whether the identity provider of the team asked for the second step itself
    has_second_step: Mapped[bool] = mapped_column(default=False, server_default=false())
    # Of somebody of the team who reads the pages of an account as its client would ("voir comme", S1); None otherwise
    viewing_account_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("accounts.id"))
    viewing_role: Mapped[Code | None]
    viewing_since: Mapped[datetime | None]


class SignInAttempt(Base):
    """A failed sign-in or reset request, counted against an address and an IP (rate limits shared by all workers)."""

    __tablename__ = "sign_in_attempts"
    __table_args__ = (Index("ix_sign_in_attempts_key_at", "key", "at"),)

    id: Mapped[NumberKey]
    key: Mapped[str] = mapped_column(String(100))  # such as "email:<sha256>", "ip:<address>"
    at: Mapped[datetime]


class MailedLink(Base):
    """A one-time link sent by mail: password reset or sign-in. Only its hash is kept."""

    __tablename__ = "mailed_links"

    id: Mapped[NumberKey]
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    purpose: Mapped[Code]  # reset_password or sign_in
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class EmailCheck(Base):
    """An accountant's address that waits for its reader to open a mailed link; only then is it used (U1)."""

    __tablename__ = "email_checks"

    id: Mapped[NumberKey]
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    email: Mapped[str] = mapped_column(String(254))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    asked_by: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]  # confirmed, cancelled or replaced by another


class Invitation(Base):
    """A role offered by mail to an address, whoever reads it: only the hash of its link is kept (U2).

    In an account, or among a reseller's people.
    """

    __tablename__ = "invitations"
    __table_args__ = (
        CheckConstraint(
            "(account_id is not null and reseller_id is null"
            " and role in ('owner', 'administrator', 'viewer', 'accountant'))"
            " or (account_id is null and reseller_id is not null"
            " and role in ('reseller_admin', 'reseller_agent', 'reseller_reader'))",
            name="known_role",
        ),
    )

    id: Mapped[NumberKey]
    account_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("accounts.id"), index=True)
    reseller_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("resellers.id"), index=True)
    email: Mapped[str] = mapped_column(String(254))
    role: Mapped[Code]
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    invited_by: Mapped[str]  # name shown to the reader
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime]  # the last time
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class SecondFactor(Base):
    """The authenticator application of a person (TOTP). It counts once confirmed with a first code."""

    __tablename__ = "second_factors"

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    secret: Mapped[str] = mapped_column(String(255))  # sealed by adapters.vault
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    last_counter: Mapped[int] = mapped_column(default=0)  # of the last code taken: none works twice


class OidcIdentity(Base):
    """Which account of an identity provider is somebody of the team's: bound at the first sign-in, by its verified address.

    One account for one person, so that a change of address at the provider gives nobody the place of another.
    """

    __tablename__ = "oidc_identities"
    __table_args__ = (UniqueConstraint("issuer", "subject"), UniqueConstraint("user_id", "issuer"))

    id: Mapped[NumberKey]
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    issuer: Mapped[str] = mapped_column(String(500))
    subject: Mapped[str] = mapped_column(String(255))  # at most so long (OpenID Connect Core 1.0, section 2)
    bound_at: Mapped[datetime]


class RecoveryCode(Base):
    """A code that replaces the application once, when it is lost. Only its hash is kept."""

    __tablename__ = "recovery_codes"

    id: Mapped[NumberKey]
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), index=True)
    code_hash: Mapped[str] = mapped_column(String(64))
    used_at: Mapped[datetime | None]
