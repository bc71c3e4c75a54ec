"""A confirmation sent twice is done once, and answers the same (A4)."""

import hashlib
import uuid
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain.refusals import KeyReused
from webapp.models.subscriptions import IdempotentReply


def request_hash(*facts: object) -> str:
    """What was asked, without the key: the same key with other facts is refused."""
    return hashlib.sha256("\n".join(map(str, facts)).encode()).hexdigest()


def replied(session: Session, account_id: uuid.UUID, key: str, asked: str) -> str | None:
    """Where the first answer to this key led, or None the first time. Raises KeyReused.

    The caller holds the lock of what it changes, so two requests at once are answered one after the other.
    """
    statement = select(IdempotentReply).where(
        IdempotentReply.account_id == account_id, IdempotentReply.key == key
    )
    reply = session.scalars(statement).first()
    if reply is None:
        return None
    if reply.request_hash != asked:
        raise KeyReused()
    return reply.location


def remember(
    session: Session, account_id: uuid.UUID, key: str, asked: str, location: str, now: datetime
) -> None:
    session.add(
        IdempotentReply(account_id=account_id, key=key, request_hash=asked, location=location, created_at=now)
    )
    session.flush()
