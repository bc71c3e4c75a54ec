"""The portal as it is served: what browsers do with connections stops nobody."""

import socket
import urllib.request
from contextlib import ExitStack
from urllib.parse import urlsplit

from tests.browser.conftest import Server


def test_connections_opened_ahead_of_need_do_not_stop_the_portal(server: Server) -> None:
    """Chromium opens up to six connections to a site before it asks anything."""
    at = urlsplit(server.address)
    with ExitStack() as idle:
        for _ in range(6):
            idle.enter_context(socket.create_connection((at.hostname, at.port)))
        with urllib.request.urlopen(f"{server.address}/connexion", timeout=10) as answer:
            assert answer.status == 200
