"""Sending mail: one small class per way of doing it, chosen by the settings.

A mailer has one method, `send(message)`, which returns when the message is handed over and raises MailNotSent
when it is not. Nothing here knows about the outbox, the database or the templates.
"""

import smtplib
import ssl
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TextIO

from webapp.config import Settings

if TYPE_CHECKING:  # two megabytes: only who writes a mail loads it
    import css_inline

STYLES = Path(__file__).parents[1] / "static" / "css" / "email.css"


class MailNotSent(Exception):
    """The message stays in the outbox; the text says why, for the people who run the portal."""


class Mailer(Protocol):
    def send(self, message: EmailMessage) -> None: ...


@dataclass(frozen=True)
class Attachment:
    """A document that leaves with a mail: `media_type` such as application/pdf."""

    filename: str
    media_type: str
    content: bytes


def compose(
    *,
    sender: str,
    recipient: str,
    subject: str,
    text: str,
    html: str,
    language: str,
    key: str,
    at: datetime,
    attachments: Sequence[Attachment] = (),
    thread: str | None = None,
    reply_to: str | None = None,
) -> EmailMessage:
    """The message in its two forms, text first, with the styles written into the HTML, then its documents.

    `key` makes the Message-ID: a message sent again after a failure is recognised by the mailbox as the same one.
    Messages of one `thread` refer to the same first one, which need not exist: that is enough for mail programs to show
    them together (RFC 5322, 3.6.4).
    Raises MailNotSent when an address cannot be written in a header (a line break, no domain).
    """
    message = EmailMessage()
    try:
        message["From"] = sender
        message["To"] = Address(addr_spec=recipient)
        message["Subject"] = " ".join(subject.split())
        message["Date"] = format_datetime(at)
        domain = Address(addr_spec=_bare(sender)).domain
        message["Message-ID"] = f"<{key}@{domain}>"
        if thread:
            message["In-Reply-To"] = message["References"] = f"<{thread}@{domain}>"
        if reply_to:
            message["Reply-To"] = Address(addr_spec=reply_to)
        message["Content-Language"] = language
        message["Auto-Submitted"] = "auto-generated"
    except (ValueError, IndexError) as wrong:
        raise MailNotSent(f"an address or a header is refused: {wrong}") from wrong
    message.set_content(text)
    if html:
        message.add_alternative(with_styles(html), subtype="html")
    for each in attachments:
        kind, _, subtype = each.media_type.partition("/")
        message.add_attachment(each.content, maintype=kind, subtype=subtype, filename=each.filename)
    return message


def _bare(sender: str) -> str:
    """CentralApp <facturation@centralapp.example> -> facturation@centralapp.example"""
    return sender.rpartition("<")[2].rstrip("> ") if "<" in sender else sender


@lru_cache(maxsize=1)
def _inliner() -> "css_inline.CSSInliner":
    import css_inline

    styles = STYLES.read_text(encoding="utf-8") if STYLES.exists() else ""
    return css_inline.CSSInliner(extra_css=styles, load_remote_stylesheets=False, keep_style_tags=False)


def with_styles(html: str) -> str:
    """Mail programs drop <link> and often <style>: each rule is written on the elements it touches."""
    return _inliner().inline(html)


@dataclass
class ConsoleMail:
    """Prints what would leave: the text form, which holds the links."""

    stream: TextIO = field(default_factory=lambda: sys.stderr)

    def send(self, message: EmailMessage) -> None:
        body = message.get_body(("plain",))
        text = body.get_content() if body is not None else ""
        rule = "─" * 72
        self.stream.write(
            f"{rule}\nTo: {message['To']}\nSubject: {message['Subject']}\n\n{text.rstrip()}\n{rule}\n"
        )
        self.stream.flush()


@dataclass
class FolderMail:
    """Writes each message as an .eml file that a mail program opens. Sent again, it takes the place of the first."""

    folder: Path

    def send(self, message: EmailMessage) -> None:
        name = message["Message-ID"].strip("<>").partition("@")[0]
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / f"{name}.eml").write_bytes(bytes(message))
        except OSError as wrong:
            raise MailNotSent(f"the mail folder {self.folder} cannot be written: {wrong}") from wrong


@dataclass
class SmtpMail:
    """Hands messages to a server. `security` is starttls, tls or none; certificates are checked."""

    host: str
    port: int = 587
    username: str = ""
    password: str = field(default="", repr=False)
    security: str = "starttls"
    timeout_seconds: float = 10.0

    def send(self, message: EmailMessage) -> None:
        try:
            with self._connected() as server:
                if self.username:
                    server.login(self.username, self.password)
                server.send_message(message)
        except (OSError, smtplib.SMTPException) as wrong:
            raise MailNotSent(f"{self.host}:{self.port} refused or did not answer: {wrong}") from wrong

    def _connected(self) -> smtplib.SMTP:
        if self.security == "tls":
            return smtplib.SMTP_SSL(
                self.host, self.port, timeout=self.timeout_seconds, context=ssl.create_default_context()
            )
        server = smtplib.SMTP(self.host, self.port, timeout=self.timeout_seconds)
        if self.security == "starttls":
            server.starttls(context=ssl.create_default_context())
        return server


def mailer_for(settings: Settings) -> Mailer:
    """The mailer that the settings ask for. Port 465 speaks TLS from the first byte, the others by STARTTLS."""
    if settings.mail_backend == "smtp":
        negotiated = "starttls" if settings.smtp_starttls else "none"
        return SmtpMail(
            host=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_user,
            password=settings.smtp_password,
            security="tls" if settings.smtp_port == 465 else negotiated,
        )
    if settings.mail_backend == "file":
        return FolderMail(settings.mail_folder or settings.instance / "mail")
    return ConsoleMail()
