"""Handing an electronic invoice over to Peppol: one small class per way of doing it, chosen by the settings.

An access point sends a UBL under a key that it takes once, and says later where it is. Receiving suppliers' invoices is
a duty of the business, not of this portal.
"""

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import requests

from webapp.config import Settings

STATES = ("sent", "delivered", "rejected", "failed")


class NotSent(Exception):
    """Nobody took the document. The text says why, for the people who run the portal.

    `is_final` when trying again cannot help: the document or its receiver is refused.
    """

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.is_final = is_final


@dataclass(frozen=True, slots=True)
class Status:
    """Where a document is: sent, delivered, rejected or failed, with the reason given."""

    state: str
    reason: str = ""


class AccessPoint(Protocol):
    def knows(self, scheme: str, number: str) -> bool | None:
        """Whether this participant receives invoices on Peppol; None when it cannot be asked."""

    def send(self, ubl: bytes, key: str) -> str:
        """Hand a document over, once per `key`; gives its transmission id. Raises NotSent."""

    def status(self, transmission_id: str) -> Status:
        """Where it is now. Raises NotSent when the access point does not answer."""


@dataclass
class Download:
    """No access point: people fetch the UBL and hand it over themselves. Nothing leaves by itself."""

    def knows(self, scheme: str, number: str) -> bool | None:
        return None

    def send(self, ubl: bytes, key: str) -> str:
        raise NotSent("no access point is set: download the document and hand it over", is_final=True)

    def status(self, transmission_id: str) -> Status:
        return Status("sent")


@dataclass
class FolderDrop:
    """Writes each document into a folder that another program watches. Written whole, under its final name at once."""

    folder: Path

    def knows(self, scheme: str, number: str) -> bool | None:
        return None

    def send(self, ubl: bytes, key: str) -> str:
        name = f"{key}.xml"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle, partial = tempfile.mkstemp(dir=self.folder, prefix=f".{key}-")
            with os.fdopen(handle, "wb") as file:
                file.write(ubl)
                file.flush()
                os.fsync(file.fileno())
            Path(partial).replace(self.folder / name)
        except OSError as wrong:
            raise NotSent(f"the folder {self.folder} cannot be written: {wrong}") from wrong
        return name

    def status(self, transmission_id: str) -> Status:
        return Status("sent")  # what becomes of it is known to the program that takes it


# What e-invoice.be says of a document, and what it means here.
REST_STATES = {
    "DRAFT": "sent",
    "TRANSIT": "sent",
    "SENT": "delivered",
    "RECEIVED": "delivered",
    "REJECTED": "rejected",
    "FAILED": "failed",
}


@dataclass
class RestAccessPoint:
    """An access point with the interface of e-invoice.be: make a document of the UBL, send it, ask for its state.

    The key goes as Idempotency-Key: a document sent again after a crash is the one already there.
    """

    url: str
    api_key: str = field(repr=False)
    timeout_seconds: float = 15.0

    def knows(self, scheme: str, number: str) -> bool | None:
        answer = self._ask("GET", "/api/lookup", params={"peppol_id": f"{scheme}:{number}"})
        if answer.status_code == 404:
            return False
        known = self._body(answer).get("receives_invoices")
        return bool(known) if known is not None else None

    def send(self, ubl: bytes, key: str) -> str:
        header = {"Idempotency-Key": key}
        file = {"file": (f"{key}.xml", ubl, "application/xml")}
        made = self._body(self._ask("POST", "/api/documents/ubl", headers=header, files=file))
        transmission_id = str(made.get("id") or "")
        if not transmission_id:
            raise NotSent("the access point gave no identifier")
        self._body(self._ask("POST", f"/api/documents/{transmission_id}/send", headers=header))
        return transmission_id

    def status(self, transmission_id: str) -> Status:
        body = self._body(self._ask("GET", f"/api/documents/{transmission_id}"))
        state = REST_STATES.get(str(body.get("state", "")).upper(), "sent")
        return Status(state, str(body.get("reason") or ""))

    def _ask(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.api_key}"} | options.pop("headers", {})
        try:
            return requests.request(
                method, self.url.rstrip("/") + path, headers=headers, timeout=self.timeout_seconds,
                allow_redirects=False, **options,
            )  # fmt: skip
        except requests.RequestException as wrong:
            raise NotSent(f"the access point did not answer: {wrong}") from wrong

    def _body(self, answer: requests.Response) -> dict[str, Any]:
        """What it says. 4xx is final, but for too many requests and refused keys, which people mend."""
        if answer.status_code >= 400 or answer.status_code in (301, 302, 307, 308):
            is_final = answer.status_code in (400, 404, 409, 413, 422)
            raise NotSent(
                f"the access point answered {answer.status_code}: {answer.text[:500]}", is_final=is_final
            )
        try:
            body = answer.json()
        except ValueError as wrong:
            raise NotSent(f"the access point answered {answer.status_code} without JSON") from wrong
        return body if isinstance(body, dict) else {}


def access_point_for(settings: Settings) -> AccessPoint:
    """The access point that the settings ask for."""
    if settings.access_point == "rest":
        return RestAccessPoint(settings.access_point_url, settings.access_point_key)
    if settings.access_point == "folder":
        return FolderDrop(settings.access_point_folder or settings.instance / "peppol")
    return Download()
