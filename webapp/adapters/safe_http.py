"""Posting to an address that somebody else chose, without lending them our place in the network (SSRF).

The name is resolved once; every address it has must be public; the connection goes to the very address that was
checked, and TLS still asks for the name. No redirect is followed, no proxy of the environment is used, the answer is
read up to a bound, and the whole exchange has one deadline, however slowly the other side speaks.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

ANSWER_BYTES = 16 * 1024
# Not private by the tables of every Python, and yet never the Internet: the metadata of clouds, protocol assignments
# (RFC 6890), relays of 6to4 (RFC 7526).
NEVER = tuple(
    ipaddress.ip_network(each)
    for each in ("168.63.129.16/32", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15")
)
# IPv6 forms that lead to an IPv4 address which routers choose for us: NAT64 (RFC 6052, 8215), IPv4-compatible.
CARRIERS = tuple(ipaddress.ip_network(each) for each in ("64:ff9b::/96", "64:ff9b:1::/48", "::/96"))

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Refused(Exception):
    """This address is not one that we call. `reason` is scheme, host, port, login, address or length."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(detail or reason)
        self.reason = reason


class NoAnswer(Exception):
    """Nothing came back in time. The text says why, for the people who run the portal."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What may be called. `anywhere` lets plain http and private addresses through: development and tests only."""

    ports: frozenset[int] = frozenset({443, 8443})
    anywhere: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    text: str  # the beginning of its body, for people


def check(url: str, reach: Reach) -> SplitResult:
    """The parts of an address that may be called, as far as its text tells. Raises Refused.

    >>> check("https://example.org/hook", Reach()).hostname
    'example.org'
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as wrong:
        raise Refused("host", str(wrong)) from None
    if len(url) > 2000 or any(ord(sign) <= 32 or ord(sign) >= 127 for sign in url) or "\\" in url:
        raise Refused("length" if len(url) > 2000 else "host")
    if parts.scheme != "https" and not (parts.scheme == "http" and reach.anywhere):
        raise Refused("scheme")
    if not parts.hostname or parts.fragment:
        raise Refused("host")
    if parts.username is not None or parts.password is not None:
        raise Refused("login")
    if not reach.anywhere and (443 if port is None else port) not in reach.ports:
        raise Refused("port")
    try:
        literal = ipaddress.ip_address(parts.hostname)
    except ValueError:
        return parts
    if not reach.anywhere and not is_public(literal):
        raise Refused("address", str(literal))
    return parts


def is_public(address: Address) -> bool:
    """Whether an address is of the public Internet, whatever it is wrapped in.

    Refused: private, shared, loopback, link-local, multicast, reserved, documentation, the metadata of clouds; and the
    IPv6 forms that carry an IPv4 address (mapped, compatible, 6to4, Teredo, NAT64) when that one is refused or at all.

    >>> [is_public(ipaddress.ip_address(each)) for each in ("93.184.215.14", "10.0.0.1", "::ffff:127.0.0.1")]
    [True, False, False]
    """
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address.sixtofour is not None or address.teredo is not None:
            return False
        if any(address in carrier for carrier in CARRIERS):
            return False
        if address.scope_id is not None or address.is_site_local:
            return False
    elif any(address in network for network in NEVER):
        return False
    return address.is_global and not (
        address.is_multicast
        or address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_reserved
        or address.is_unspecified
    )


def post(
    url: str,
    body: bytes,
    headers: dict[str, str],
    reach: Reach,
    seconds: float = 10.0,
    trusts: ssl.SSLContext | None = None,
) -> Answer:
    """Send `body`, and the status with the beginning of what is answered. Raises Refused, NoAnswer."""
    parts = check(url, reach)
    host, deadline = str(parts.hostname), time.monotonic() + seconds
    port = parts.port or (443 if parts.scheme == "https" else 80)
    address = _resolved(host, port, reach, seconds)
    connection = _Pinned(host, port, address, deadline, parts.scheme == "https", trusts)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    watch = threading.Timer(max(0.01, deadline - time.monotonic()), connection.give_up)
    watch.daemon = True
    watch.start()
    try:
        connection.request("POST", path, body, headers | {"Connection": "close"})
        answer = connection.getresponse()
        text = answer.read(ANSWER_BYTES)
        return Answer(answer.status, text.decode("utf-8", "replace")[:500])
    except (OSError, http.client.HTTPException, ValueError) as wrong:
        if connection.gave_up:
            raise NoAnswer(f"no whole answer within {seconds:g} seconds") from None
        raise NoAnswer(f"{type(wrong).__name__}: {wrong}"[:500]) from None
    finally:
        watch.cancel()
        connection.close()


def _resolved(host: str, port: int, reach: Reach, seconds: float) -> tuple[int, str]:
    """The family and address to call: the first of those the name has, all of them checked. Raises Refused, NoAnswer."""
    found: list[tuple[int, str]] = []
    wrong: list[str] = []

    def look_up() -> None:
        try:
            for family, _type, _protocol, _name, where in socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
            ):
                found.append((int(family), str(where[0])))
        except (OSError, UnicodeError) as error:
            wrong.append(str(error))

    # A resolver has no deadline of its own: the thread may outlive us, and is forgotten.
    looking = threading.Thread(target=look_up, daemon=True)
    looking.start()
    looking.join(seconds)
    addresses = list(found)
    if not addresses:
        raise NoAnswer(f"{host} has no address: {wrong[0]}" if wrong else f"{host} was not resolved in time")
    for _family, address in addresses:
        if not reach.anywhere and not is_public(ipaddress.ip_address(address)):
            raise Refused("address", f"{host} leads to {address}")
    return addresses[0]


class _Pinned(http.client.HTTPConnection):
    """A connection to one checked address, under the name that was asked for."""

    def __init__(
        self,
        host: str,
        port: int,
        address: tuple[int, str],
        deadline: float,
        is_tls: bool,
        trusts: ssl.SSLContext | None,
    ) -> None:
        super().__init__(host, port)
        self._to, self._deadline, self._is_tls = address, deadline, is_tls
        self._trusts = trusts
        self.gave_up = False
        # As urllib and browsers write it: without the port that the scheme implies.
        self.default_port = 443 if is_tls else 80

    def connect(self) -> None:
        family, address = self._to
        raw = socket.socket(family, socket.SOCK_STREAM)
        self.sock = raw
        raw.settimeout(max(0.01, self._deadline - time.monotonic()))
        raw.connect((address, self.port))
        if self._is_tls:
            context = self._trusts or ssl.create_default_context()
            self.sock = context.wrap_socket(raw, server_hostname=self.host)

    def give_up(self) -> None:
        """The deadline has come: whatever waits on the socket wakes up."""
        self.gave_up = True
        held = self.sock
        if held is not None:
            try:
                held.shutdown(socket.SHUT_RDWR)
            except OSError:
                held.close()
