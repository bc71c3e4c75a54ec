"""What an operator and a reseller agree on, as values: what the reseller's clients see, and from where (R1)."""

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from webapp.domain.refusals import BadOrigin

ACTIVE_KEYS = 2  # so that one replaces the other without an interruption
MOST_ORIGINS = 20
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_PORTS = {"https": 443, "http": 80}


class BilledParty(StrEnum):
    """Who receives the platform's invoices."""

    CLIENT = "client"
    RESELLER = "reseller"


class PricesShown(StrEnum):
    """What a client sees of the prices: none, its reseller's tariffs, or its reseller's tariffs because they are public.

    A reseller's clients are sold the reseller's tariffs, and never shown the direct ones, in every case. `none` says
    that no page, file or mail of the portal says an amount.
    """

    NONE = "none"
    RESELLER_RETAIL = "reseller_retail"
    PUBLIC = "public"


class InvoicesShown(StrEnum):
    """Which documents a client finds: none, a word that its reseller sends them, or the platform's own."""

    NONE = "none"
    RESELLER = "reseller"
    PLATFORM = "platform"


class KeyAlgorithm(StrEnum):
    """How a key signs, fixed for its life. EDDSA is Ed25519."""

    EDDSA = "EdDSA"
    ES256 = "ES256"
    HS256 = "HS256"


@dataclass(frozen=True, slots=True)
class Showing:
    """What the clients of a reseller see of amounts and documents.

    >>> Showing(BilledParty.RESELLER, PricesShown.PUBLIC, InvoicesShown.PLATFORM).platform_invoices
    False
    """

    billed: BilledParty
    prices: PricesShown
    invoices: InvoicesShown

    @property
    def amounts(self) -> bool:
        """Whether prices may be said at all."""
        return self.prices is not PricesShown.NONE

    @property
    def platform_invoices(self) -> bool:
        """Whether the platform's documents may be read. Never those of the reseller: a client has no part in them."""
        return shows_platform_invoices(self.billed, self.invoices)


def shows_platform_invoices(billed: str | None, invoices: str | None) -> bool:
    """The same from the two values that decide; None for who buys directly."""
    return billed is None or (billed == BilledParty.CLIENT and invoices == InvoicesShown.PLATFORM)


# Who buys directly sees everything of its own.
EVERYTHING = Showing(BilledParty.CLIENT, PricesShown.PUBLIC, InvoicesShown.PLATFORM)


def origin_of(text: str) -> str:
    """An origin as browsers write it: scheme, host, port if it is not the usual one. Raises BadOrigin.

    https only, except on the machine of a developer. No path, no wildcard: an origin allows one site and no other.

    >>> origin_of("https://Espace.HorecaPlus.example:443/")
    'https://espace.horecaplus.example'
    """
    try:
        parts = urlsplit(text.strip().lower())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise BadOrigin(text) from None
    if ":" in host:
        host = f"[{host}]"
    is_whole = parts.path in ("", "/") and not (parts.query or parts.fragment or parts.username is not None)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    is_host = host == "[::1]" or (len(host) <= 253 and _HOST.fullmatch(host) is not None)
    if not (is_whole and is_safe and is_host) or any(letter in text for letter in "?#@"):
        raise BadOrigin(text)
    shown = "" if port in (None, _PORTS[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{host}{shown}"
