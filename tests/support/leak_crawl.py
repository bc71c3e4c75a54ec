"""Everything that a person can read of the portal, as text: pages, files and mails, to look for what must not show.

    found = crawl(get, ["/abonnements/…"])          # `get` answers a path: the hosted portal's, or the embed's
    assert leaks(found, canaries) == {}

Links, forms read by GET and htmx reads are followed; archives are opened, PDF and ICS read. Forms that change something
are for the test to send: it adds their answers under a name of its own.
"""

import io
import re
import uuid
import zipfile
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urljoin, urlsplit

import lxml.html
import pypdf
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from tests.support.embedding import Framed
from webapp.models.records import OutboxAttachment, OutboxMessage

MOST_PAGES = 400
IN_A_NUMBER = re.compile(r"(?<=\d)[ \u00a0\u202f](?=\d)")
NOT_FOLLOWED = re.compile(r"^/(static|deconnexion|themes)(/|$)")

FILE = re.compile(r"\.(pdf|xml|csv|zip|ics)(\?|$)")

Get = Callable[[str], TestResponse]


def crawl(get: Get, starts: Iterable[str]) -> dict[str, str]:
    """The text of every answer that can be reached by reading, by its path. Errors are answers too."""
    waiting, texts = list(dict.fromkeys(starts)), {}
    while waiting and len(texts) < MOST_PAGES:
        path = waiting.pop(0)
        if path in texts:
            continue
        response = get(path)
        texts[path] = text_of(response.data, response.mimetype)
        if response.mimetype == "text/html":
            found = [each for each in links_of(response.get_data(as_text=True), path) if each not in texts]
            waiting += [each for each in found if each not in waiting]
        location = response.headers.get("Location") or response.headers.get("HX-Redirect")
        if location is not None:
            waiting += [each for each in _local([location], path) if each not in texts]
    if waiting:
        raise AssertionError(f"more than {MOST_PAGES} addresses: {waiting[:5]}")
    return texts


def of_the_portal(client: FlaskClient) -> Get:
    """The hosted portal, as a browser that is signed in reads it."""
    return lambda path: client.get(path)


def of_the_embed(framed: Framed) -> Get:
    """The portal inside a reseller's page: files by one-time addresses, everything else with the bearer."""
    return lambda path: framed.download(path) if FILE.search(path) else framed.get(path)


def links_of(html: str, path: str) -> list[str]:
    root = lxml.html.document_fromstring(html)
    addresses = [*root.xpath("//@href"), *root.xpath("//@hx-get")]
    addresses += [
        form.get("action") or path for form in root.forms if form.get("method", "get").lower() == "get"
    ]
    return _local(addresses, path)


def _local(addresses: Iterable[str], path: str) -> list[str]:
    found = []
    for address in addresses:
        parts = urlsplit(urljoin(f"http://localhost{path}", address))
        if parts.netloc == "localhost" and not NOT_FOLLOWED.match(parts.path):
            found.append(parts.path + (f"?{parts.query}" if parts.query else ""))
    return list(dict.fromkeys(found))


def mails_of(session: Session, account_id: uuid.UUID) -> dict[str, str]:
    """Every mail that was written for an account, with its attachments."""
    texts = {}
    for message in session.scalars(select(OutboxMessage).where(OutboxMessage.account_id == account_id)):
        name = f"mail {message.id} {message.template}"
        texts[name] = f"{message.subject}\n{message.text_body}\n{message.html_body}"
        for each in session.scalars(
            select(OutboxAttachment).where(OutboxAttachment.message_id == message.id)
        ):
            texts[f"{name}, {each.filename}"] = text_of(each.content, each.media_type)
    return texts


def text_of(content: bytes, media_type: str) -> str:
    """What a reader, or whoever opens the file by other means, finds in it. Pages with their markup."""
    if media_type == "application/pdf" or content.startswith(b"%PDF"):
        return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(content)).pages)
    if content.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return "\n".join(f"{name}\n{text_of(archive.read(name), '')}" for name in archive.namelist())
    return content.decode("utf-8", "replace")


def leaks(texts: Mapping[str, str], canaries: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """Where each canary is read, by its name: as a whole word or number, never inside a token or another number."""
    wanted = {
        name: re.compile("|".join(rf"(?<![0-9A-Za-z.,]){re.escape(each)}(?![0-9A-Za-z])" for each in written))
        for name, written in canaries.items()
    }
    found: dict[str, list[str]] = {}
    for path, text in texts.items():
        plain = IN_A_NUMBER.sub("", text)
        for name, pattern in wanted.items():
            if pattern.search(plain):
                found.setdefault(name, []).append(path)
    return found


def amount(cents: int) -> list[str]:
    """How an amount above 100 € may be written: with a comma, with a point, in cents. No percentage looks like it."""
    units, rest = divmod(cents, 100)
    if units <= 100:
        raise ValueError("a canary is an amount above 100 €: the pictures of pages are drawn in percentages")
    return [f"{units},{rest:02d}", f"{units}.{rest:02d}", str(cents)]
