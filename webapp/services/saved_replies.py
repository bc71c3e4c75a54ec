"""Saved replies: what the team answers again and again, in three languages, with the facts of each request (S6)."""

import re
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain.access import Actor
from webapp.models.requests import SavedReply
from webapp.services import audit
from webapp.services.requests import Conversation

PLACEHOLDERS = ("name", "account", "reference", "plan", "request", "agent")
_PLACEHOLDER = re.compile(r"\{(\w*)\}")


class ReplyNotFound(LookupError):
    """No such saved reply: the door answers 404."""


def all_of_them(session: Session) -> list[SavedReply]:
    return list(session.scalars(select(SavedReply).order_by(SavedReply.name)))


def one(session: Session, reply_id: int) -> SavedReply:
    """Raises ReplyNotFound."""
    row = session.get(SavedReply, reply_id)
    if row is None:
        raise ReplyNotFound(reply_id)
    return row


def keep(
    session: Session, reply_id: int | None, name: str, texts: Mapping[str, str], actor: Actor, now: datetime
) -> bool:
    """Add one, or change it. Flushes. False when another has that name. Raises ReplyNotFound."""
    row = one(session, reply_id) if reply_id is not None else None
    taken = session.scalar(select(SavedReply.id).where(SavedReply.name == name))
    if taken is not None and taken != reply_id:
        return False
    before = {"name": row.name, "texts": row.texts} if row else {}
    if row is None:
        row = SavedReply()
        session.add(row)
    row.name, row.texts, row.changed_by, row.changed_at = name, dict(texts), actor.name, now
    audit.record(session, actor, None, "saved_reply.kept", name, before, {"texts": dict(texts)}, now)
    session.flush()
    return True


def remove(session: Session, reply_id: int, actor: Actor, now: datetime) -> None:
    """Answers already sent keep their words. Flushes. Raises ReplyNotFound."""
    row = one(session, reply_id)
    audit.record(session, actor, None, "saved_reply.removed", row.name, {"texts": row.texts}, {}, now)
    session.delete(row)
    session.flush()


def unknown_placeholders(text: str) -> list[str]:
    """The names between braces that stand for nothing.

    >>> unknown_placeholders("Bonjour {name}, voici {price}.")
    ['price']
    """
    return [name for name in _PLACEHOLDER.findall(text) if name not in PLACEHOLDERS]


def filled(saved: SavedReply, found: Conversation, agent: str) -> str:
    """The reply in the client's language, with the facts of this request."""
    row = found.request
    plan = row.facts.get("plan") or {}
    values = {
        "name": row.asked_by,
        "account": found.account,
        "reference": found.account_reference,
        "plan": str(plan.get(row.language, "")),
        "request": found.reference,
        "agent": agent,
    }
    return _PLACEHOLDER.sub(
        lambda match: values.get(match[1], match[0]), str(saved.texts.get(row.language, ""))
    )
