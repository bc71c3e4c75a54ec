"""Handing a UBL over: to nobody, to a folder, to an access point that a small server plays."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from webapp.adapters.access_point import (
    Download,
    FolderDrop,
    NotSent,
    RestAccessPoint,
    Status,
    access_point_for,
)  # fmt: skip
from webapp.config import Settings, WrongSetting
from webapp.domain.einvoice import Endpoint


class FakeAccessPoint(ThreadingHTTPServer):
    """e-invoice.be as far as we use it: documents by key, a state for each, and failures on demand."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.documents: dict[str, dict[str, str]] = {}
        self.answers: list[int] = []  # statuses to answer first, before behaving
        self.received: list[bytes] = []
        self.sent: list[tuple[str, str]] = []  # each document let go, and to whom
        self.registered = {"0208:0876543270"}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: FakeAccessPoint

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.path.startswith("/api/validate/peppol-id"):
            [asked] = parse_qs(urlsplit(self.path).query)["peppol_id"]
            return self._answer(200, {"is_valid": asked in self.server.registered, "dns_valid": True})
        found = self.server.documents.get(self.path.rsplit("/", 1)[1])
        return self._answer(200, found) if found else self._answer(404, {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers["Authorization"] != "Bearer a key":
            return self._answer(401, {"detail": "wrong key"})
        if self.server.answers:
            return self._answer(self.server.answers.pop(0), {"detail": "not now"})
        key = self.headers["Idempotency-Key"]
        if "/send" in self.path:
            asked, to = self.path.split("/")[-2], parse_qs(urlsplit(self.path).query)
            [scheme], [number] = to["receiver_peppol_scheme"], to["receiver_peppol_id"]
            self.server.documents[asked]["state"] = "TRANSIT"
            self.server.sent.append((asked, f"{scheme}:{number}"))
            return self._answer(200, {})
        self.server.received.append(body)
        self.server.documents.setdefault(f"doc_{key}", {"id": f"doc_{key}", "state": "DRAFT"})
        return self._answer(201, self.server.documents[f"doc_{key}"])

    def _answer(self, status: int, body: object) -> None:
        payload = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)


@pytest.fixture
def fake() -> Iterator[FakeAccessPoint]:
    with FakeAccessPoint() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def access_point(fake: FakeAccessPoint) -> RestAccessPoint:
    return RestAccessPoint(fake.url, "a key")


PARC = Endpoint("0208", "0876543270")


def test_a_document_is_uploaded_sent_and_followed(fake, access_point):
    fake_id = access_point.deposit(b"<Invoice/>", "F2026-00042")
    assert b"<Invoice/>" in fake.received[0]
    assert access_point.status(fake_id) == Status("waiting") and fake.sent == []
    access_point.release(fake_id, PARC)
    assert fake.sent == [(fake_id, "0208:0876543270")]
    assert access_point.status(fake_id) == Status("sent")
    fake.documents[fake_id]["state"] = "SENT"
    assert access_point.status(fake_id) == Status("delivered")
    fake.documents[fake_id] |= {"state": "REJECTED", "reason": "unknown order"}
    assert access_point.status(fake_id) == Status("rejected", "unknown order")


def test_a_document_that_it_does_not_have_is_a_final_answer(access_point):
    with pytest.raises(NotSent) as refused:
        access_point.status("doc_unknown")
    assert refused.value.is_final


def test_uploading_again_under_the_same_key_makes_no_second_document(fake, access_point):
    assert access_point.deposit(b"<Invoice/>", "F1") == access_point.deposit(b"<Invoice/>", "F1")
    assert len(fake.documents) == 1


def test_a_receiver_is_looked_up(access_point):
    assert access_point.knows(PARC) is True
    assert access_point.knows(Endpoint("0208", "0999999922")) is False


@pytest.mark.parametrize(
    ("status", "is_final"), [(503, False), (429, False), (401, False), (422, True), (302, False)]
)
def test_what_trying_again_cannot_mend_is_final(fake, access_point, status, is_final):
    fake.answers = [status]
    with pytest.raises(NotSent) as refused:
        access_point.deposit(b"<Invoice/>", "F1")
    assert refused.value.is_final is is_final
    assert str(status) in str(refused.value)


def test_an_access_point_that_is_away_is_tried_again():
    with pytest.raises(NotSent) as refused:
        RestAccessPoint("http://127.0.0.1:9", "key", timeout_seconds=0.5).deposit(b"<Invoice/>", "F1")
    assert not refused.value.is_final


def test_a_folder_gets_the_whole_document_once_it_is_released(tmp_path):
    drop = FolderDrop(tmp_path / "out")
    assert drop.deposit(b"<Inv", "F1") == drop.deposit(b"<Invoice/>", "F1") == "F1.xml"
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".F1.xml"]
    assert drop.status("F1.xml") == Status("waiting")
    drop.release("F1.xml", PARC)
    [left] = (tmp_path / "out").iterdir()
    assert (left.name, left.read_bytes()) == ("F1.xml", b"<Invoice/>")
    left.unlink()  # the other program took it
    assert drop.status("F1.xml") == Status("sent")


def test_a_folder_that_cannot_be_written_is_tried_again(tmp_path):
    (tmp_path / "file").write_text("")
    for drop in (FolderDrop(tmp_path / "file").deposit, FolderDrop(tmp_path).release):
        with pytest.raises(NotSent, match="cannot be written") as refused:
            drop(*((b"", "F1") if drop.__name__ == "deposit" else ("F1.xml", PARC)))
        assert not refused.value.is_final


def test_without_access_point_people_hand_documents_over():
    for refusing in (lambda: Download().deposit(b"", "F1"), lambda: Download().release("F1", PARC)):
        with pytest.raises(NotSent, match="download") as refused:
            refusing()
        assert refused.value.is_final


def test_the_settings_choose(tmp_path):
    base = {"PORTAL_INSTANCE": str(tmp_path), "SECRET_KEY": "x" * 40}

    def chosen(**environ: str) -> object:
        return access_point_for(Settings.from_env(base | environ))

    assert isinstance(chosen(), Download)
    assert chosen(PEPPOL_ACCESS_POINT="folder") == FolderDrop(tmp_path / "peppol")
    rest = {"PEPPOL_ACCESS_POINT": "rest", "PEPPOL_ACCESS_POINT_URL": "https://api.e-invoice.be"}
    assert isinstance(chosen(**rest, PEPPOL_ACCESS_POINT_KEY="k"), RestAccessPoint)
    with pytest.raises(WrongSetting, match="PEPPOL_ACCESS_POINT_KEY is missing"):
        chosen(**rest)
