"""Reading an account as its client would ("voir comme", S1): kept on the session of whoever looks, never in a cookie.

Nothing can be changed meanwhile: the doors refuse it. The account's history says that it was looked at, and by whom.
"""

import uuid
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from webapp.domain.access import Actor, Role
from webapp.domain.refusals import NothingToView
from webapp.models.accounts import Account, LoginSession
from webapp.models.subscriptions import Subscription
from webapp.services import audit

LASTS = timedelta(minutes=30)


def begin(
    session: Session,
    session_id: int,
    account_id: uuid.UUID,
    role: Role,
    reason: str,
    *,
    actor: Actor,
    now: datetime,
) -> uuid.UUID:
    """Look at the account with this role, for half an hour; the former look ends. Returns the subscription to open.

    One line of the audit trail for each beginning. Raises NothingToView for an account without subscription. Flushes.
    """
    subscription_id = session.scalar(
        select(Subscription.id)
        .where(Subscription.account_id == account_id)
        .order_by(Subscription.status, Subscription.starts_on.desc(), Subscription.id)
        .limit(1)
    )
    if subscription_id is None:
        raise NothingToView()
    looked_at = {"viewing_account_id": account_id, "viewing_role": role.value, "viewing_since": now}
    session.execute(update(LoginSession).where(LoginSession.id == session_id).values(**looked_at))
    reference = session.get_one(Account, account_id).reference
    facts = {"role": role.value} | ({"reason": reason} if reason else {})
    audit.record(session, actor, account_id, "account.viewed", reference, {}, facts, now)
    session.flush()
    return subscription_id


def end(session: Session, session_id: int) -> str | None:
    """Stop looking. Returns the reference of the account that was looked at, None when none was."""
    reference = session.scalar(
        select(Account.reference)
        .join(LoginSession, LoginSession.viewing_account_id == Account.id)
        .where(LoginSession.id == session_id)
    )
    nothing = {"viewing_account_id": None, "viewing_role": None, "viewing_since": None}
    session.execute(update(LoginSession).where(LoginSession.id == session_id).values(**nothing))
    return reference
