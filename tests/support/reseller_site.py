"""The site of a reseller for the browser tests: a page that holds the portal, and the server that signs for it.

It stands on localhost while the portal stands on 127.0.0.1: two sites, so that the frame's cookies are a third party's.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.support.embedding import Signer

PAGE = """<!doctype html><html lang="fr"><head><meta charset="utf-8"><title>Mon espace – HorecaPlus</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head><body><main><h1>Mon espace</h1>
<div id="abonnement"></div></main>
<script src="{portal}/embed/loader.v1.js" crossorigin="anonymous"></script><script src="/page.js"></script></body></html>"""
SCRIPT = """window.embed = PortalEmbed.mount("#abonnement", {{
  slug: "{slug}", scheme: "light", fetchToken: () => fetch("/jeton", {{ method: "POST" }}).then((answer) => answer.text()),
}});"""
NESTED = """<!doctype html><html lang="fr"><title>Un autre site</title><iframe src="{inside}" width="900" height="900"></iframe></html>"""


@dataclass
class Site:
    """What the site serves, and how many assertions it has signed."""

    address: str
    signer: Signer
    portal: str
    signed: list[str] = field(default_factory=list)

    def answer(self, path: str) -> tuple[str, str]:
        if path == "/jeton":
            self.signed.append(self.signer.token())
            return "text/plain", self.signed[-1]
        if path == "/page.js":
            return "text/javascript", SCRIPT.format(slug=self.signer.slug)
        if path.startswith("/cadre?"):
            return "text/html", NESTED.format(inside=path.removeprefix("/cadre?"))
        return "text/html", PAGE.format(portal=self.portal)


@contextmanager
def serving(portal: str, signer: Signer) -> Iterator[Site]:
    """A site on a free port of localhost that signs with `signer`, whose origin becomes its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # named by http.server
            kind, content = site.answer(self.path)
            self.send_response(200)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.end_headers()
            self.wfile.write(content.encode())

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("localhost", 0), Handler)
    site = Site(f"http://localhost:{server.server_port}", signer, portal)
    signer.origin, signer.audience = site.address, portal
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()


def allow(database: Path, site: Site, actions: str = '["options", "establishments", "change_plan"]') -> None:
    """Write the reseller's origin and key, and what its clients do alone, into the database of a portal that runs."""
    signer = site.signer
    with closing(sqlite3.connect(database)) as rows, rows:
        [(reseller,)] = rows.execute("SELECT id FROM resellers WHERE slug = ?", (signer.slug,)).fetchall()
        rows.execute(
            "UPDATE resellers SET allowed_origins = json_array(?), allowed_actions = ?, role_cap = 'owner' WHERE id = ?",
            (site.address, actions, reseller),
        )
        rows.execute(
            "INSERT INTO reseller_keys (reseller_id, kid, algorithm, public_key, created_by, created_at)"
            " VALUES (?, ?, ?, ?, 'tests', '2026-11-01 00:00:00')",
            (reseller, signer.kid, signer.algorithm, signer.public_key),
        )
