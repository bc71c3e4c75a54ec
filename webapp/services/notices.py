"""Mails that tell an account what happened: to each owner, in the owner's own language, through the outbox."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain.access import Role
from webapp.models.accounts import Membership, User
from webapp.services import outbox
from webapp.services.contracts import Customer


def owners(session: Session, account_id: uuid.UUID) -> list[User]:
    statement = (
        select(User)
        .join(Membership, Membership.user_id == User.id)
        .where(
            Membership.account_id == account_id,
            Membership.role == Role.OWNER.value,
            User.disabled_at.is_(None),
        )
        .order_by(User.email)
    )
    return list(session.scalars(statement))


def tell_owners(
    session: Session, customer: Customer, template: str, now: datetime, words: Any, **values: Any
) -> None:
    """Queue one mail per owner. `words(language)` gives the values that depend on the reader's language."""
    for owner in owners(session, customer.account_id):
        language = owner.language or customer.language
        outbox.queue(
            session,
            template,
            recipient=owner.email,
            language=language,
            account_id=customer.account_id,
            now=now,
            full_name=owner.full_name,
            account=customer.name,
            **words(language),
            **values,
        )
