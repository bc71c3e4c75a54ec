"""Two-step sign-in: after the password, a code of an authenticator application (TOTP, RFC 6238) or a recovery code.

A code serves once: the counter of the last one taken is kept, and none at or before it is taken again. The secret is
sealed in the database: `vault` opens it.
"""

import hashlib
import hmac
import logging
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime

import pyotp
import segno
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from webapp.adapters import passwords
from webapp.adapters.vault import Unreadable, Vault
from webapp.domain.access import Actor
from webapp.domain.refusals import WrongCode, WrongCredentials
from webapp.models.accounts import RecoveryCode, SecondFactor, User
from webapp.services import audit, people

STEP_SECONDS = 30
DRIFT = (0, -1, 1)  # steps: a phone may be half a minute late or early
RECOVERY_CODES = 10
# Without the signs that look alike, so that a code copied by hand is read again.
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class State:
    """`is_on`: a code is asked at sign-in. `is_begun`: a secret waits for its first code."""

    is_on: bool
    is_begun: bool
    since: datetime | None
    recovery_codes_left: int


@dataclass(frozen=True)
class Enrolment:
    """What the application must learn: the address inside the picture, and the secret to type instead."""

    address: str
    secret: str

    @property
    def picture(self) -> str:
        """The QR code as SVG, black on white, without any style of its own."""
        code = segno.make(self.address, error="m", micro=False)
        drawn = code.svg_inline(border=2, light="#fff", omitsize=True, svgclass=None, lineclass=None)
        return str(drawn).replace("<svg ", '<svg aria-hidden="true" ', 1)  # its figure has the name


def state_of(session: Session, user_id: uuid.UUID) -> State:
    row = session.get(SecondFactor, user_id)
    if row is None:
        return State(False, False, None, 0)
    left = session.scalar(
        select(func.count())
        .select_from(RecoveryCode)
        .where(RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None))
    )
    return State(row.confirmed_at is not None, row.confirmed_at is None, row.confirmed_at, left or 0)


def begin(session: Session, user_id: uuid.UUID, now: datetime, vault: Vault) -> None:
    """Draw a secret, which nothing asks for until a first code confirms it. One that is on stays."""
    row = session.get(SecondFactor, user_id, with_for_update=True)
    if row is None:
        sealed = vault.seal(pyotp.random_base32())
        session.add(SecondFactor(user_id=user_id, secret=sealed, created_at=now, last_counter=0))
    elif row.confirmed_at is None:
        row.secret, row.created_at = vault.seal(pyotp.random_base32()), now
    session.flush()


def enrolment(session: Session, user_id: uuid.UUID, brand: str, vault: Vault) -> Enrolment | None:
    """What to show while a secret waits for its first code; None at any other time, or when no key opens it."""
    row = session.get(SecondFactor, user_id)
    if row is None or row.confirmed_at is not None:
        return None
    email = session.get_one(User, user_id).email
    secret = _opened(row, vault)
    if secret is None:
        return None
    return Enrolment(pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=brand), secret)


def confirm(
    session: Session, user_id: uuid.UUID, code: str, *, vault: Vault, actor: Actor, now: datetime
) -> list[str]:
    """The first code proves that the application has the secret: from now on one is asked at sign-in.

    Returns the recovery codes, never to be seen again. Raises WrongCode.
    """
    row = session.get(SecondFactor, user_id, with_for_update=True)
    counter = _counter(row, code, vault, now) if row is not None and row.confirmed_at is None else None
    if row is None or counter is None:
        raise WrongCode()
    row.confirmed_at, row.last_counter = now, counter
    audit.record(session, actor, None, "user.second_factor_added", str(user_id), {}, {}, now)
    return _draw_recovery_codes(session, user_id)


def check(session: Session, user_id: uuid.UUID, code: str, vault: Vault, now: datetime) -> None:
    """Take a code, or a recovery code, which serves no more. Raises WrongCode, and TooManyAttempts past 5 wrong ones
    in 15 minutes; the caller keeps the transaction, so that the failure counts."""
    key = f"code:{user_id}"
    row = session.get(SecondFactor, user_id, with_for_update=True)
    people.refuse_when_full(session, key, people.FAILURES_PER_ADDRESS, now)
    counter = _counter(row, code, vault, now) if row is not None and row.confirmed_at is not None else None
    if row is not None and counter is not None:
        row.last_counter, row.secret = (
            counter,
            vault.renew(row.secret),
        )  # a former key goes out of use with time
    elif not _use_recovery_code(session, user_id, code, now):
        people.count(session, key, now)
        raise WrongCode()
    session.flush()


def new_recovery_codes(
    session: Session, user_id: uuid.UUID, password: str, *, actor: Actor, now: datetime
) -> list[str]:
    """Ten others; the former ones stop working. Raises WrongCredentials, TooManyAttempts."""
    _check_password(session, user_id, password, now)
    audit.record(session, actor, None, "user.recovery_codes_renewed", str(user_id), {}, {}, now)
    return _draw_recovery_codes(session, user_id)


def remove(session: Session, user_id: uuid.UUID, password: str, *, actor: Actor, now: datetime) -> None:
    """The password alone signs in again. Raises WrongCredentials, TooManyAttempts."""
    _check_password(session, user_id, password, now)
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    session.execute(delete(SecondFactor).where(SecondFactor.user_id == user_id))
    audit.record(session, actor, None, "user.second_factor_removed", str(user_id), {}, {}, now)
    session.flush()


def _check_password(session: Session, user_id: uuid.UUID, password: str, now: datetime) -> None:
    user = session.get_one(User, user_id, with_for_update=True)
    key = f"password:{user_id}"
    people.refuse_when_full(session, key, people.FAILURES_PER_ADDRESS, now)
    if not passwords.matches(user.password_hash, password):
        left = people.FAILURES_PER_ADDRESS - people.count(session, key, now)
        raise WrongCredentials(attempts_left=left)


def _opened(row: SecondFactor, vault: Vault) -> str | None:
    """None when no key opens it: the recovery codes still serve, and the operator reads it in the log."""
    try:
        return vault.open(row.secret)
    except Unreadable:
        log.error("the second factor of %s cannot be read: is a former SECRET_KEY missing?", row.user_id)
        return None


def _counter(row: SecondFactor, code: str, vault: Vault, now: datetime) -> int | None:
    """The step whose code this is, if it comes after the last one taken."""
    typed, secret = code.replace(" ", ""), _opened(row, vault)
    if secret is None:
        return None
    totp, present = pyotp.TOTP(secret), int(now.timestamp()) // STEP_SECONDS
    for drift in DRIFT:
        if present + drift > row.last_counter and hmac.compare_digest(
            totp.generate_otp(present + drift).encode(), typed.encode()
        ):
            return present + drift
    return None


def _draw_recovery_codes(session: Session, user_id: uuid.UUID) -> list[str]:
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    drawn = ["".join(secrets.choice(ALPHABET) for _ in range(10)) for _ in range(RECOVERY_CODES)]
    session.add_all(RecoveryCode(user_id=user_id, code_hash=_hash(user_id, code)) for code in drawn)
    session.flush()
    return [f"{code[:5]}-{code[5:]}" for code in drawn]


def _use_recovery_code(session: Session, user_id: uuid.UUID, code: str, now: datetime) -> bool:
    wanted = (
        update(RecoveryCode)
        .where(
            RecoveryCode.user_id == user_id,
            RecoveryCode.code_hash == _hash(user_id, code),
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=now)
        .returning(RecoveryCode.id)
    )
    return session.scalar(wanted) is not None


def _hash(user_id: uuid.UUID, code: str) -> str:
    """50 random bits each, and five tries: a fast hash is enough."""
    plain = code.lower().replace("-", "").replace(" ", "")
    return hashlib.sha256(f"{user_id}:{plain}".encode()).hexdigest()
