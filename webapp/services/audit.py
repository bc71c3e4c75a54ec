"""The audit trail: who did what, when, before and after (U3). Entries are added, never changed."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from webapp.domain.access import Actor
from webapp.models.records import AuditEntry


def record(
    session: Session,
    actor: Actor,
    account_id: uuid.UUID | None,
    action: str,
    subject: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    now: datetime,
) -> AuditEntry:
    """Add one entry in the transaction at hand: it is kept or undone with what it tells.

    `action` is a word and a past participle: subscription.plan_changed, user.signed_in. `before` and `after` hold
    what JSON can say, money in cents and dates as ISO text; no password, token or link ever enters them.
    `account_id` is None for what concerns a person and no account, such as a sign-in.
    """
    entry = AuditEntry(
        account_id=account_id,
        at=now,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_name=actor.name,
        action=action,
        subject=subject,
        before=dict(before),
        after=dict(after),
    )
    session.add(entry)
    return entry


def record_all(
    session: Session,
    actor: Actor,
    action: str,
    noted: Sequence[tuple[uuid.UUID, str, Mapping[str, Any]]],
    now: datetime,
) -> None:
    """`record` for many accounts, in one statement: the account, the subject and the facts after, in their order."""
    rows = [
        {
            "account_id": account_id,
            "at": now,
            "actor_kind": actor.kind,
            "actor_id": actor.id,
            "actor_name": actor.name,
            "action": action,
            "subject": subject,
            "before": {},
            "after": dict(after),
        }
        for account_id, subject, after in noted
    ]
    if rows:
        session.connection().execute(insert(AuditEntry), rows)
