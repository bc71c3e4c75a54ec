"""The mails sent on an account, as they were sent: its owner reads them again.

Only those listed here: a mail whose link opens something for whoever holds it, or that went to the operator's desk, is
not shown.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.models.records import OutboxAttachment, OutboxMessage

PAGE = 25
SHOWN = frozenset(
    {
        "collection_announced",
        "collection_failed",
        "establishments_changed",
        "invoice_issued",
        "notice_last_day",
        "options_changed",
        "payment_method_changed",
        "payment_method_closed",
        "payment_method_ends",
        "payment_received",
        "plan_changed",
        "quotation_answered",
        "reminder",
        "renewal_done",
        "sites_restored",
        "sites_suspended",
        "termination_cancelled",
        "termination_received",
        "termination_withdrawal",
    }
)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of messages, latest first."""

    rows: Sequence[OutboxMessage]
    count: int
    number: int

    @property
    def pages(self) -> int:
        return max(1, -(-self.count // PAGE))


def page(session: Session, account_id: uuid.UUID, number: int = 1) -> Page:
    """Beyond the last page, the last."""
    mine = (OutboxMessage.account_id == account_id, OutboxMessage.template.in_(SHOWN))
    count = session.scalar(select(func.count()).select_from(OutboxMessage).where(*mine)) or 0
    number = min(max(1, number), max(1, -(-count // PAGE)))
    statement = select(OutboxMessage).where(*mine).order_by(OutboxMessage.id.desc())
    rows = session.scalars(statement.offset((number - 1) * PAGE).limit(PAGE)).all()
    return Page(rows, int(count), number)


def find(session: Session, account_id: uuid.UUID, message_id: int) -> OutboxMessage | None:
    """A message of this account that may be shown, or None."""
    return session.scalars(
        select(OutboxMessage).where(
            OutboxMessage.id == message_id,
            OutboxMessage.account_id == account_id,
            OutboxMessage.template.in_(SHOWN),
        )
    ).first()


def attachments(session: Session, message_id: int) -> list[str]:
    """The names of what was attached."""
    statement = select(OutboxAttachment.filename).where(OutboxAttachment.message_id == message_id)
    return list(session.scalars(statement.order_by(OutboxAttachment.id)))
