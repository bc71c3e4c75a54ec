"""The outbox: a mail is written in the transaction that decided it, and leaves after its commit.

Nothing is sent for what was undone, and nothing is lost when the mail server is away: the row waits, and
each try is counted. Sending has a transaction of its own for each step, so that no lock is held while a server
answers: claim, send, note. A crash between the last two sends the message again, under the same Message-ID.
"""

import logging
import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from webapp import filters
from webapp.adapters.mail import Attachment, Mailer, MailNotSent, compose
from webapp.domain.reselling import PricesShown
from webapp.models.accounts import Account, Reseller
from webapp.models.invoices import Issuer
from webapp.models.records import OutboxAttachment, OutboxMessage
from webapp.templating import render_for

MOST_ATTEMPTS = 8
QUEUED = "outbox_queued"  # in session.info: this transaction has something to send

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Delivery:
    """How a round went: `waiting` failed and will be tried again, `given_up` have used their last try."""

    sent: int = 0
    waiting: int = 0
    given_up: int = 0


def queue(
    session: Session,
    template: str,
    *,
    recipient: str,
    language: str,
    account_id: uuid.UUID | None,
    now: datetime,
    attachments: Sequence[Attachment] = (),
    thread: str | None = None,
    reply_to: str | None = None,
    **values: Any,
) -> OutboxMessage:
    """Write the mail `templates/emails/<template>.txt` and `.html` in the recipient's language.

    `attachments` are kept with it; mails of one `thread` are shown together, and answers go to `reply_to`, or for a client
    of a reseller to that reseller, in whose name it is written (R1). The text part begins with the subject, on a line of its own. `values` are what the templates name; amounts and
    dates are given as they are, the templates write them.
    """
    sender = _sender(session, account_id)
    values["brand"] = sender.name
    with filters.amounts(said=sender.says_amounts):
        subject, _, text = render_for(language, f"emails/{template}.txt", **values).partition("\n")
        html = render_for(language, f"emails/{template}.html", subject=subject.strip(), **values)
    message = OutboxMessage(
        account_id=account_id,
        created_at=now,
        recipient=recipient,
        language=language,
        template=template,
        subject=subject.strip(),
        text_body=text.strip() + "\n",
        html_body=html,
        thread=thread,
        reply_to=reply_to or sender.reply_to,
        attempts=0,
    )
    session.add(message)
    if attachments:
        session.flush()
        session.add_all(
            OutboxAttachment(
                message_id=message.id,
                filename=each.filename,
                media_type=each.media_type,
                content=each.content,
            )
            for each in attachments
        )
    session.info[QUEUED] = True
    return message


class _Sender(NamedTuple):
    """Whose mail it is: the operator's, or for a client of a reseller that reseller's, who then reads the answers."""

    name: str
    reply_to: str | None
    says_amounts: bool


def _sender(session: Session, account_id: uuid.UUID | None) -> _Sender:
    if account_id is not None:
        partner = session.execute(
            select(Reseller.name, Reseller.contact_email, Reseller.prices_shown)
            .join(Account, Account.reseller_id == Reseller.id)
            .where(Account.id == account_id)
        ).first()
        if partner is not None:
            shown = PricesShown(partner.prices_shown)
            return _Sender(partner.name, partner.contact_email, shown is not PricesShown.NONE)
    brand = session.scalar(select(Issuer.brand).order_by(Issuer.id).limit(1)) or ""
    return _Sender(brand, None, True)


def has_queued(session: Session) -> bool:
    """Whether the transaction just committed left something to send; asking forgets it."""
    return bool(session.info.pop(QUEUED, False))


def deliver_pending(
    transaction: Callable[[], AbstractContextManager[Session]],
    mailer: Mailer,
    *,
    sender: str,
    clock: Callable[[], datetime],
    retry: bool = False,
    limit: int = 100,
) -> Delivery:
    """Send what waits, oldest first. `transaction` opens a short writing transaction, committed on leaving it.

    After a request only new messages leave; `retry`, for the command, takes those that failed too, up to 8 tries.
    Two workers at once never send the same try: whoever counts it first has it.
    """
    most = MOST_ATTEMPTS if retry else 1
    with transaction() as session:
        waiting = session.execute(
            select(OutboxMessage.id, OutboxMessage.attempts)
            .where(OutboxMessage.sent_at.is_(None), OutboxMessage.attempts < most)
            .order_by(OutboxMessage.id)
            .limit(limit)
        ).all()
    sent = failed = given_up = 0
    for message_id, attempts in waiting:
        with transaction() as session:
            row = _claim(session, message_id, attempts)
            if row is None:
                continue
            attachments = _attachments(session, message_id)
            session.expunge(row)
        error = _send(row, attachments, mailer, sender)
        noted = {"sent_at": clock(), "last_error": None} if error is None else {"last_error": error}
        with transaction() as session:
            session.execute(update(OutboxMessage).where(OutboxMessage.id == message_id).values(**noted))
        sent += error is None
        given_up += error is not None and attempts + 1 >= MOST_ATTEMPTS
        failed += error is not None and attempts + 1 < MOST_ATTEMPTS
    return Delivery(sent=sent, waiting=failed, given_up=given_up)


def _claim(session: Session, message_id: int, attempts: int) -> OutboxMessage | None:
    """Count the try about to be made; None if another worker has just done so."""
    return session.scalars(
        update(OutboxMessage)
        .where(
            OutboxMessage.id == message_id,
            OutboxMessage.attempts == attempts,
            OutboxMessage.sent_at.is_(None),
        )
        .values(attempts=attempts + 1)
        .returning(OutboxMessage)
    ).one_or_none()


def _attachments(session: Session, message_id: int) -> list[Attachment]:
    rows = session.execute(
        select(OutboxAttachment.filename, OutboxAttachment.media_type, OutboxAttachment.content)
        .where(OutboxAttachment.message_id == message_id)
        .order_by(OutboxAttachment.id)
    )
    return [Attachment(*row) for row in rows]


def _send(row: OutboxMessage, attachments: Sequence[Attachment], mailer: Mailer, sender: str) -> str | None:
    """Send one message; None, or why it did not leave."""
    try:
        mailer.send(
            compose(
                sender=sender,
                recipient=row.recipient,
                subject=row.subject,
                text=row.text_body,
                html=row.html_body,
                language=row.language,
                key=f"{row.created_at:%Y%m%d-%H%M%S}-{row.id}",
                at=row.created_at,
                attachments=attachments,
                thread=row.thread,
                reply_to=row.reply_to,
            )
        )
    except MailNotSent as error:
        log.warning("message %s (%s) was not sent: %s", row.id, row.template, error)
        return str(error)[:1000]
    return None
