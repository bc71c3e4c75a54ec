"""Secrets that the database keeps and the portal must read back: sealed, so that a copy of the database is no use.

Fernet (AES-128-CBC and HMAC-SHA256) of the `cryptography` package, with keys derived from SECRET_KEY by HKDF. What a
former key of SECRET_KEY_FALLBACKS sealed is still opened; `renew` seals it with the current one.
"""

import base64
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PURPOSE = b"portal: secrets of second factors"


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

    def __init__(self, keys: Sequence[str]) -> None:
        self._fernet = MultiFernet([Fernet(_derived(key)) for key in keys])

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


def _derived(key: str) -> bytes:
    derived = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=PURPOSE).derive(key.encode())
    return base64.urlsafe_b64encode(derived)
