"""Mail: what is queued, what leaves, and what happens when it cannot."""

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from io import StringIO
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from tests.builders import a_seller
from webapp.adapters.mail import ConsoleMail, FolderMail, MailNotSent, SmtpMail, compose
from webapp.extensions import db
from webapp.models.records import OutboxMessage
from webapp.services import outbox

NOW = datetime(2026, 11, 16, 9, 0, tzinfo=UTC)
SENDER = "CentralApp <facturation@centralapp.example>"


@dataclass
class Letterbox:
    """Keeps what it receives; refuses as long as it is told to."""

    refuses: bool = False
    received: list[EmailMessage] = field(default_factory=list)

    def send(self, message: EmailMessage) -> None:
        if self.refuses:
            raise MailNotSent("the server is away")
        self.received.append(message)


@pytest.fixture
def transaction(app: Flask) -> Callable[[], object]:
    with app.app_context():
        engine = db.engine

    @contextmanager
    def opened() -> Iterator[Session]:
        with Session(engine) as session, session.begin():
            yield session

    return opened


def queued(session: Session, **values: object) -> OutboxMessage:
    a_seller(session)
    given = {"full_name": "Claire", "link": "https://portal.example/x", "minutes": 60} | values
    return outbox.queue(
        session,
        "sign_in_link",
        recipient="claire@brasserie.example",
        language="fr",
        account_id=None,
        now=NOW,
        **given,
    )


def deliver(transaction: Callable[[], object], mailer: Letterbox, *, retry: bool = False) -> outbox.Delivery:
    return outbox.deliver_pending(  # type: ignore[arg-type]
        transaction, mailer, sender=SENDER, clock=lambda: NOW, retry=retry
    )


def test_what_was_undone_is_not_sent(session: Session, transaction: Callable[[], object]) -> None:
    queued(session)
    session.rollback()
    letterbox = Letterbox()
    assert deliver(transaction, letterbox) == outbox.Delivery()
    assert letterbox.received == []


def test_a_message_leaves_once(session: Session, transaction: Callable[[], object]) -> None:
    queued(session)
    session.commit()
    letterbox = Letterbox()
    assert deliver(transaction, letterbox) == outbox.Delivery(sent=1)
    assert deliver(transaction, letterbox, retry=True) == outbox.Delivery()
    (message,) = letterbox.received
    assert (message["To"], message["From"]) == ("claire@brasserie.example", SENDER)
    assert message["Subject"] == "Votre lien de connexion"
    assert [part.get_content_type() for part in message.walk()][1:] == ["text/plain", "text/html"]


def test_a_message_refused_waits_for_the_command_and_keeps_its_identity(
    session: Session, transaction: Callable[[], object]
) -> None:
    key = queued(session)
    session.commit()
    letterbox = Letterbox(refuses=True)
    assert deliver(transaction, letterbox) == outbox.Delivery(waiting=1)
    row = session.get_one(OutboxMessage, key.id)
    assert (row.attempts, row.sent_at, row.last_error) == (1, None, "the server is away")
    session.rollback()
    letterbox.refuses = False
    assert deliver(transaction, letterbox) == outbox.Delivery(), "a request sends new messages only"
    assert deliver(transaction, letterbox, retry=True) == outbox.Delivery(sent=1)


def test_the_eighth_failure_is_the_last(session: Session, transaction: Callable[[], object]) -> None:
    queued(session)
    session.commit()
    letterbox = Letterbox(refuses=True)
    rounds = [deliver(transaction, letterbox, retry=True) for _ in range(9)]
    assert rounds[6:] == [outbox.Delivery(waiting=1), outbox.Delivery(given_up=1), outbox.Delivery()]


def test_what_a_customer_typed_cannot_become_markup_or_a_header(session: Session) -> None:
    row = queued(session, full_name="<b>Claire</b>\nBcc: tous@nulle.example")
    assert "<b>" not in row.html_body
    message = compose(
        sender=SENDER,
        recipient="claire@brasserie.example",
        subject="Bonjour\r\nBcc: tous@nulle.example",
        text=row.text_body,
        html=row.html_body,
        language="fr",
        key="1",
        at=NOW,
    )
    assert message["Bcc"] is None
    session.rollback()


@pytest.mark.parametrize(
    "recipient", ["claire@x.example\r\nBcc: tous@nulle.example", "claire", "", "a b@c.example"]
)
def test_an_address_that_is_none_is_refused_without_harm(recipient: str) -> None:
    with pytest.raises(MailNotSent):
        compose(
            sender=SENDER, recipient=recipient, subject="", text="", html="", language="fr", key="1", at=NOW
        )


# --- The ways of sending ---------------------------------------------------------------------------------------


@pytest.fixture
def message(session: Session) -> EmailMessage:
    row = queued(session)
    made = compose(
        sender=SENDER,
        recipient=row.recipient,
        subject=row.subject,
        text=row.text_body,
        html=row.html_body,
        language="fr",
        key="20261116-1",
        at=NOW,
    )
    session.rollback()
    return made


def test_the_console_shows_the_link(message: EmailMessage) -> None:
    stream = StringIO()
    ConsoleMail(stream).send(message)
    assert "https://portal.example/x" in stream.getvalue()


def test_the_folder_keeps_a_file_that_mail_programs_open_with_the_styles_in_place(
    message: EmailMessage, tmp_path: Path
) -> None:
    FolderMail(tmp_path / "mail").send(message)
    (file,) = (tmp_path / "mail").iterdir()
    assert file.name == "20261116-1.eml"
    read = message_from_bytes(file.read_bytes(), policy=policy.default)
    html = read.get_body(("html",))
    assert html is not None
    assert 'class="mail-button"' in html.get_content()
    assert "background: #005a68" in html.get_content()


def test_a_folder_that_cannot_be_written_is_said(message: EmailMessage, tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("not a folder")
    with pytest.raises(MailNotSent, match="cannot be written"):
        FolderMail(tmp_path / "mail").send(message)


class SmallServer(socketserver.StreamRequestHandler):
    """Just enough of SMTP to receive one message."""

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            word = line[:4].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = iter(self.rfile.readline, b".\r\n")
                self.server.received.append(b"".join(lines))  # type: ignore[attr-defined]
            self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 fine\r\n")
            if word == b"QUIT":
                return


def test_a_server_receives_the_message(message: EmailMessage) -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), SmallServer) as server:
        server.received = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.handle_request, daemon=True)
        thread.start()
        SmtpMail("127.0.0.1", server.server_address[1], security="none", timeout_seconds=5).send(message)
        thread.join(5)
        (received,) = server.received  # type: ignore[attr-defined]
    assert message_from_bytes(received, policy=policy.default)["Subject"] == "Votre lien de connexion"


def test_a_server_that_is_away_is_said(message: EmailMessage) -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), SmallServer) as server:
        port = server.server_address[1]
    with pytest.raises(MailNotSent, match=f"127.0.0.1:{port}"):
        SmtpMail("127.0.0.1", port, security="none", timeout_seconds=2).send(message)


def test_the_command_sends_what_waits(app: Flask, session: Session) -> None:
    queued(session)
    session.commit()
    result = app.test_cli_runner().invoke(args=["send-mail"])
    assert result.exception is None, result.exception
    assert result.output == "1 sent, 0 to be tried again, 0 given up\n"


def test_mails_of_one_request_are_grouped_and_answered_where_they_should_be(
    session: Session, transaction: Callable[[], object]
) -> None:
    for _ in range(2):
        queued(session, thread="demande-418", reply_to="aide@centralapp.example")
    queued(session)
    session.commit()
    letterbox = Letterbox()
    deliver(transaction, letterbox)
    first, second, alone = letterbox.received
    assert first["References"] == second["References"] == "<demande-418@centralapp.example>"
    assert first["In-Reply-To"] == "<demande-418@centralapp.example>"
    assert first["Message-ID"] != second["Message-ID"]
    assert first["Reply-To"] == "aide@centralapp.example"
    assert alone["References"] is None and alone["Reply-To"] is None
