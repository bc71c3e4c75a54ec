"""Secrets that the database keeps and the portal must read back: sealed, so that a copy of the database is no use.

Fernet (AES-128-CBC and HMAC-SHA256) of the `cryptography` package, with keys derived from SECRET_KEY by HKDF. Each kind
of secret has keys of its own: what was sealed for one purpose is not opened for another. What a former key of
SECRET_KEY_FALLBACKS sealed is still opened; `renew` seals it with the current one.
"""

import base64
from collections.abc import Sequence
from enum import StrEnum

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class Purpose(StrEnum):
    """What is sealed. The words are part of the keys: they never change."""

    SECOND_FACTORS = "secrets of second factors"
    BANK_ACCOUNTS = "bank accounts"
    WEBHOOKS = "secrets of webhooks"
    RESELLER_KEYS = "secrets of resellers"


class Unreadable(Exception):
    """No key at hand sealed this: SECRET_KEY was replaced, and the former one is not in SECRET_KEY_FALLBACKS."""


class Vault:
    """Seals with the first key and opens with any of them.

    >>> former, present = Vault(["a" * 32]), Vault(["b" * 32, "a" * 32])
    >>> present.open(former.seal("JBSWY3DP"))
    'JBSWY3DP'
    >>> Vault(["b" * 32]).open(present.renew(former.seal("JBSWY3DP")))
    'JBSWY3DP'
    """

    def __init__(self, keys: Sequence[str], purpose: Purpose = Purpose.SECOND_FACTORS) -> None:
        self._fernet = MultiFernet([Fernet(_derived(key, purpose)) for key in keys])

    def seal(self, secret: str) -> str:
        return self._fernet.encrypt(secret.encode()).decode()

    def open(self, sealed: str) -> str:
        """Raises Unreadable."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise Unreadable from None

    def renew(self, sealed: str) -> str:
        """The same secret, sealed with the current key. Raises Unreadable."""
        try:
            return self._fernet.rotate(sealed.encode()).decode()
        except InvalidToken:
            raise Unreadable from None


def _derived(key: str, purpose: Purpose) -> bytes:
    info = f"portal: {purpose}".encode()
    derived = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info).derive(key.encode())
    return base64.urlsafe_b64encode(derived)
