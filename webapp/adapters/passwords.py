"""Passwords: argon2id hashes, and which passwords are too weak to be chosen."""

import string
import unicodedata
from functools import cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from webapp.domain.refusals import PasswordTooWeak

MINIMUM = 12
MAXIMUM = 128  # a longer one only costs hashing time
COMMON = Path(__file__).with_name("common_passwords.txt")

# OWASP's second set for argon2id: 19 MiB, 2 passes, 1 lane; a stored hash made otherwise is renewed at sign-in.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def hash_password(password: str) -> str:
    return _hasher.hash(_normalised(password))


def matches(password_hash: str | None, password: str) -> bool:
    """Whether the password is the one of the hash. Without a hash, the same work is done for a refusal.

    An unknown address thus takes as long as a wrong password, and the clock does not tell which addresses exist.
    """
    if len(password) > MAXIMUM:
        password = ""
    try:
        _hasher.verify(password_hash or _decoy(), _normalised(password))
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None


def needs_renewal(password_hash: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(password_hash)


def check_strength(password: str) -> None:
    """Raise PasswordTooWeak for a password that is too short, too long or guessed first.

    Length decides, not the kinds of characters (ASVS 6.2.1 to 6.2.12). A well-known password stays one when digits
    or signs are put around it: "motdepasse2026!" is refused as "motdepasse" is.
    """
    normalised = _normalised(password)
    if len(normalised) < MINIMUM:
        raise PasswordTooWeak(reason="short", minimum=MINIMUM)
    if len(normalised) > MAXIMUM:
        raise PasswordTooWeak(reason="long", minimum=MINIMUM)
    lowered = normalised.casefold()
    bare = lowered.strip(string.digits + string.punctuation + " ")
    if len(set(lowered)) < 5 or lowered in _common() or bare in _common():
        raise PasswordTooWeak(reason="common", minimum=MINIMUM)


def _normalised(password: str) -> str:
    """One spelling for an accent typed on two keyboards."""
    return unicodedata.normalize("NFKC", password)


@cache
def _decoy() -> str:
    return _hasher.hash("the password of nobody")


@cache
def _common() -> frozenset[str]:
    lines = COMMON.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))
