"""Calling an address that somebody else chose: never our own network, never for long, never somewhere else."""

import datetime
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.listener import listening
from webapp.adapters import safe_http
from webapp.adapters.safe_http import NoAnswer, Reach, Refused, check, is_public, post

PUBLIC, ANYWHERE = Reach(), Reach(anywhere=True)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.8.8.8", "168.63.129.16",
        "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.168.1.1", "198.18.0.1",
        "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "fe80::1", "fc00::1",
        "fd00:ec2::254", "ff02::1", "fec0::1", "64:ff9b::7f00:1", "64:ff9b:1::a00:1", "2002:7f00:1::", "2001:db8::1",
        "2001:0:7f00:1::", "100::1",
    ],
)  # fmt: skip
def test_no_address_of_a_private_network_is_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["93.184.215.14", "1.1.1.1", "2606:4700::1111", "2a00:1450:400e::1"])
def test_the_internet_is(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://example.org/", "scheme"),
        ("ftp://example.org/", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("https://", "host"),
        ("https:///path", "host"),
        ("https://example.org/#fragment", "host"),
        ("https://exa mple.org/", "host"),
        ("https://example.org\\@evil.test/", "host"),
        ("https://exämple.org/", "host"),
        ("https://example.org:notaport/", "host"),
        ("https://example.org/\r\nX: y", "host"),
        ("https://user:secret@example.org/", "login"),
        ("https://example.org:22/", "port"),
        ("https://example.org:0/", "port"),
        ("https://127.0.0.1/", "address"),
        ("https://[::1]/", "address"),
        ("https://[::ffff:10.0.0.1]/", "address"),
        ("https://169.254.169.254/latest/meta-data/", "address"),
        ("https://example.org/" + "x" * 2000, "length"),
    ],
)
def test_an_address_that_is_never_called_is_refused_before_any_look_up(url: str, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        check(url, PUBLIC)
    assert refused.value.reason == reason


def named(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """The resolver answers these, whatever the name; the names looked up are noted."""
    asked: list[str] = []

    def look_up(host: str, port: int, **_: object) -> list[object]:
        asked.append(host)
        return [
            (socket.AF_INET6 if ":" in each else socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port))
            for each in addresses
        ]

    monkeypatch.setattr(safe_http.socket, "getaddrinfo", look_up)
    return asked


# Forms that resolvers read as an address of ours: decimal, octal, hexadecimal, short.
@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost"])
def test_a_name_that_means_our_own_machine_is_refused(host: str) -> None:
    with pytest.raises(Refused, match=r"127\.0\.0\.1|::1"):
        post(f"https://{host}/", b"", {}, PUBLIC)


@pytest.mark.parametrize("addresses", [["10.0.0.5"], ["93.184.215.14", "192.168.1.1"], ["::ffff:127.0.0.1"]])
def test_one_private_address_of_a_name_is_enough_to_refuse_it(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str]
) -> None:
    named(monkeypatch, *addresses)
    monkeypatch.setattr(safe_http.socket, "socket", lambda *_: pytest.fail("it was called"))
    with pytest.raises(Refused) as refused:
        post("https://hooks.example/", b"", {}, PUBLIC)
    assert refused.value.reason == "address"


def test_the_name_is_resolved_once_and_the_checked_address_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening() as server:
        asked = named(monkeypatch, "127.0.0.1")
        url = server.url.replace("127.0.0.1", "hooks.example")
        assert post(url, b"{}", {"X-Of": "ours"}, ANYWHERE).status == 204
    assert asked == ["hooks.example"]
    [(headers, body)] = server.received
    assert headers["host"].startswith("hooks.example:") and headers["x-of"] == "ours" and body == b"{}"


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with listening() as server, listening() as elsewhere:
        server.usually, server.location = 307, elsewhere.url
        assert post(server.url, b"{}", {}, ANYWHERE).status == 307
    assert elsewhere.received == []


@contextmanager
def a_raw_server(speak: object) -> Iterator[str]:
    """Says what `speak(connection)` says, once."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        try:
            connection, _ = listener.accept()
            connection.recv(65536)
            with connection:
                speak(connection)  # type: ignore[operator]
        except OSError:
            pass

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    listener.close()


def test_who_never_answers_is_left_at_the_deadline() -> None:
    with a_raw_server(lambda _connection: time.sleep(5)) as url:
        began = time.monotonic()
        with pytest.raises(NoAnswer, match=r"seconds|timed out"):
            post(url, b"{}", {}, ANYWHERE, seconds=0.4)
        assert time.monotonic() - began < 2


def test_who_answers_a_letter_at_a_time_is_left_at_the_same_deadline() -> None:
    def drip(connection: socket.socket) -> None:
        for sign in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"y" * 200:
            connection.send(bytes([sign]))
            time.sleep(0.05)

    with a_raw_server(drip) as url:
        began = time.monotonic()
        with pytest.raises(NoAnswer):
            post(url, b"{}", {}, ANYWHERE, seconds=0.5)
        assert time.monotonic() - began < 2


def test_an_endless_answer_is_read_up_to_a_bound() -> None:
    sent = []

    def pour(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            sent.append(connection.send(b"x" * 65536))

    with a_raw_server(pour) as url:
        answer = post(url, b"{}", {}, ANYWHERE, seconds=5)
    assert answer.status == 200 and len(answer.text) == 500


@pytest.mark.parametrize("said", [b"", b"not http at all\r\n\r\n", b"HTTP/1.1 two hundred\r\n\r\n"])
def test_what_is_no_answer_is_told_as_such(said: bytes) -> None:
    with a_raw_server(lambda connection: connection.sendall(said)) as url, pytest.raises(NoAnswer):
        post(url, b"{}", {}, ANYWHERE, seconds=2)


def test_nobody_there_is_told_as_such() -> None:
    free = socket.create_server(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()
    with pytest.raises(NoAnswer, match="refused"):
        post(f"http://127.0.0.1:{port}/", b"{}", {}, ANYWHERE)


def a_certificate(folder: Path, name: str) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    today = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file


@pytest.mark.parametrize(("host", "is_taken"), [("hooks.example", True), ("other.example", False)])
def test_the_certificate_must_be_of_the_name_though_an_address_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, is_taken: bool
) -> None:
    file = a_certificate(tmp_path, "hooks.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with listening() as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        named(monkeypatch, "127.0.0.1")
        url = f"https://{host}:{server.server_address[1]}/hook"
        trusts = ssl.create_default_context(cafile=str(file))
        if is_taken:
            assert post(url, b"{}", {}, ANYWHERE, trusts=trusts).status == 204
        else:
            with pytest.raises(NoAnswer, match="CERTIFICATE"):
                post(url, b"{}", {}, ANYWHERE, trusts=trusts)
