"""Handing an electronic invoice over to Peppol: one small class per way of doing it, chosen by the settings.

Handing over has two steps, so that a crash between them sends nothing twice: `deposit` leaves the document, whose id is
noted here, and `release` lets that one go. Whoever comes back asks `status` first. Receiving suppliers' invoices is a
duty of the business, not of this portal.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from webapp.config import Settings
from webapp.domain.einvoice import Endpoint

if TYPE_CHECKING:  # four megabytes: only who hands documents over loads it
    import requests

WAITING = "waiting"  # deposited and not released
STATES = (WAITING, "sent", "delivered", "rejected", "failed")


class NotSent(Exception):
    """Nobody took the document. The text says why, for the people who run the portal.

    `is_final` when trying again cannot help: the document or its receiver is refused.
    """

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.is_final = is_final


class ReceiverUnknown(NotSent):
    """Nobody receives invoices at that address."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, is_final=True)


@dataclass(frozen=True, slots=True)
class Status:
    """Where a document is: waiting to be released, sent, delivered, rejected or failed, with the reason given."""

    state: str
    reason: str = ""


class AccessPoint(Protocol):
    def knows(self, receiver: Endpoint) -> bool | None:
        """Whether invoices are received at this address on Peppol; None when it cannot be asked. Raises NotSent."""

    def deposit(self, ubl: bytes, key: str) -> str:
        """Leave a document without sending it; gives its transmission id. Raises NotSent."""

    def release(self, transmission_id: str, receiver: Endpoint) -> None:
        """Send what was deposited. Raises NotSent, or ReceiverUnknown."""

    def status(self, transmission_id: str) -> Status:
        """Where it is now. Raises NotSent when the access point does not answer, or does not have it."""


@dataclass
class Download:
    """No access point: people fetch the UBL and hand it over themselves. Nothing leaves by itself."""

    def knows(self, receiver: Endpoint) -> bool | None:
        return None

    def deposit(self, ubl: bytes, key: str) -> str:
        raise NotSent("no access point is set: download the document and hand it over", is_final=True)

    def release(self, transmission_id: str, receiver: Endpoint) -> None:
        raise NotSent("no access point is set: download the document and hand it over", is_final=True)

    def status(self, transmission_id: str) -> Status:
        return Status("sent")


@dataclass
class FolderDrop:
    """Writes each document into a folder that another program watches: `<key>.xml`, whole and at once.

    Until it is released it is a file whose name begins with a point, which the other program must leave alone.
    """

    folder: Path

    def knows(self, receiver: Endpoint) -> bool | None:
        return None

    def deposit(self, ubl: bytes, key: str) -> str:
        name = f"{key}.xml"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._waiting(name).open("wb") as file:
                file.write(ubl)
                file.flush()
                os.fsync(file.fileno())
        except OSError as wrong:
            raise NotSent(f"the folder {self.folder} cannot be written: {wrong}") from wrong
        return name

    def release(self, transmission_id: str, receiver: Endpoint) -> None:
        try:
            self._waiting(transmission_id).replace(self.folder / transmission_id)
        except OSError as wrong:
            raise NotSent(f"the folder {self.folder} cannot be written: {wrong}") from wrong

    def status(self, transmission_id: str) -> Status:
        # What becomes of it once released is known to the program that takes it.
        return Status(WAITING if self._waiting(transmission_id).exists() else "sent")

    def _waiting(self, name: str) -> Path:
        return self.folder / f".{name}"


# What e-invoice.be says of a document, and what it means here. REJECTED is not among its states today.
REST_STATES = {
    "DRAFT": WAITING,
    "TRANSIT": "sent",
    "SENT": "delivered",
    "REJECTED": "rejected",
    "FAILED": "failed",
}


@dataclass
class RestAccessPoint:
    """An access point with the interface of e-invoice.be: make a draft of the UBL, send it, ask for its state.

    Its API promises no idempotency key, which goes along all the same: what keeps a document from leaving twice is that
    only a draft is sent. The receiver's address is said, since it would otherwise be worked out from the VAT number
    (source: e-invoice-api 1.39.1, the client that e-invoice.be publishes).
    """

    url: str
    api_key: str = field(repr=False)
    timeout_seconds: float = 15.0

    def knows(self, receiver: Endpoint) -> bool | None:
        asked = {"peppol_id": f"{receiver.scheme}:{receiver.number}"}
        known = self._body(self._ask("GET", "/api/validate/peppol-id", params=asked)).get("is_valid")
        return known if isinstance(known, bool) else None

    def deposit(self, ubl: bytes, key: str) -> str:
        file = {"file": (f"{key}.xml", ubl, "application/xml")}
        header = {"Idempotency-Key": key}
        made = self._body(self._ask("POST", "/api/documents/ubl", headers=header, files=file))
        transmission_id = str(made.get("id") or "")
        if not transmission_id:
            raise NotSent("the access point gave no identifier")
        return transmission_id

    def release(self, transmission_id: str, receiver: Endpoint) -> None:
        to = {"receiver_peppol_scheme": receiver.scheme, "receiver_peppol_id": receiver.number}
        self._body(self._ask("POST", f"/api/documents/{transmission_id}/send", params=to))

    def status(self, transmission_id: str) -> Status:
        body = self._body(self._ask("GET", f"/api/documents/{transmission_id}"))
        state = REST_STATES.get(str(body.get("state", "")).upper(), "sent")
        return Status(state, str(body.get("reason") or ""))

    def _ask(self, method: str, path: str, **options: Any) -> "requests.Response":
        import requests

        headers = {"Authorization": f"Bearer {self.api_key}"} | options.pop("headers", {})
        try:
            return requests.request(
                method, self.url.rstrip("/") + path, headers=headers, timeout=self.timeout_seconds,
                allow_redirects=False, **options,
            )  # fmt: skip
        except requests.RequestException as wrong:
            raise NotSent(f"the access point did not answer: {wrong}") from wrong

    def _body(self, answer: "requests.Response") -> dict[str, Any]:
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
