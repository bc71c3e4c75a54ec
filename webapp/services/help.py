"""The help of the portal: what its articles need to be true for one account, and whether they helped."""

import uuid
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.orm import Session

from webapp.models.records import HelpAnswer
from webapp.services import contracts
from webapp.services.contracts import Partner, Texts

SUBSCRIPTION = "subscription"  # the one article so far: how a subscription works
LONGEST_COMMENT = 2000


@dataclass(frozen=True)
class Facts:
    """What the article says of this account today."""

    plan_names: Texts
    frequency: str
    establishments: int
    included: int
    options: int
    commitment_end: date | None  # first day after it; None without commitment
    last_notice_day: date | None
    next_invoice_on: date | None
    ended_on: date | None
    partner: Partner | None


def facts(session: Session, subscription_id: uuid.UUID, today: date) -> Facts:
    situation = contracts.load(session, subscription_id)
    contract = situation.contract
    commitment = contract.signature.commitment
    term = commitment.term_on(today)
    return Facts(
        plan_names=situation.plan.names,
        frequency=contract.frequency.value,
        establishments=len(contract.establishments_active_on(today)),
        included=contract.tariff.included_establishments,
        options=len(contract.options_on(today)),
        commitment_end=term.end if term else None,
        last_notice_day=commitment.last_notice_day(today) if term else None,
        next_invoice_on=contract.next_due_on(),
        ended_on=contract.ended_on,
        partner=situation.partner,
    )


def answer(
    session: Session, account_id: uuid.UUID, *, has_helped: bool, comment: str, language: str, now: datetime
) -> None:
    """Keep one answer for those who write the article. Who gave it is not kept."""
    session.add(
        HelpAnswer(
            account_id=account_id,
            article=SUBSCRIPTION,
            language=language,
            has_helped=has_helped,
            comment=comment.strip()[:LONGEST_COMMENT],
            created_at=now,
        )
    )
    session.flush()
