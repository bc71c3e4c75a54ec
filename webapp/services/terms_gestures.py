"""Terms changed for one client (S2, C3): the copy on the subscription, never the catalogue.

The day from which the commitment is counted stays. What would be less good for the client needs the client's agreement,
noted in words.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from webapp.domain.contract import Contract
from webapp.domain.proration import upcoming
from webapp.domain.refusals import CannotUndo, ConsentNeeded, NothingToSave, TerminationPending
from webapp.domain.terms import Commitment, Notice, NoticeUnit, Renewal, Terms
from webapp.domain.terms_change import less_good
from webapp.models.gestures import Gesture
from webapp.models.subscriptions import Subscription
from webapp.services import contracts, previews
from webapp.services.gesture_effects import Effect, Row
from webapp.services.subscriptions import ensure_running


@dataclass(frozen=True, slots=True)
class NewTerms:
    """The terms asked for, and what the client said of them: empty when nobody asked."""

    terms: Terms
    consent: str = ""


def preview(session: Session, subscription_id: uuid.UUID, asked: NewTerms, today: date) -> Effect:
    """Raises SubscriptionEnded, TerminationPending, NothingToSave."""
    return _effect(session, subscription_id, asked.terms, today, {"consent": asked.consent.strip()})


def ensure_agreed(effect: Effect) -> None:
    """Raises ConsentNeeded when the client would lose something and nobody noted an agreement."""
    if effect.worse and not effect.facts["consent"]:
        raise ConsentNeeded()


def write(subscription: Subscription, effect: Effect, today: date) -> None:
    """Write the terms, into this morning's signature too: another change of this day begins from there (M5)."""
    values = effect.facts["after"]
    for name, value in values.items():
        setattr(subscription, name, value)
    if subscription.day_start_on == today and subscription.day_start is not None:
        subscription.day_start = {**subscription.day_start, **values}


def preview_undo(session: Session, gesture: Gesture, today: date) -> Effect:
    """The terms before, if nothing else has changed them. Raises CannotUndo."""
    situation = contracts.load(session, gesture.subscription_id)
    if _values(situation.contract.signature.commitment.terms) != gesture.facts["after"]:
        raise CannotUndo()
    return _effect(
        session, gesture.subscription_id, terms_of(gesture.facts["before"]), today, {"consent": ""}
    )


def terms_of(values: Mapping[str, Any]) -> Terms:
    notice = Notice(values["notice_count"], NoticeUnit(values["notice_unit"]))
    return Terms(values["commitment_months"], notice, Renewal(values["renewal"]))


def _effect(
    session: Session, subscription_id: uuid.UUID, terms: Terms, today: date, facts: dict[str, Any]
) -> Effect:
    situation = contracts.load(session, subscription_id)
    ensure_running(situation, today)
    billed = contracts.billed_lines(session, subscription_id, today, since=today)
    situation, billed, arrears = previews.caught_up(situation, billed, today)
    contract, vat = situation.contract, situation.customer.vat
    termination = contract.termination()
    if termination is not None:
        raise TerminationPending(termination.effective_on)
    before = contract.signature.commitment
    after = Commitment(before.starts_on, terms)
    if before == after:
        raise NothingToSave()
    changed = replace(contract, signature=replace(contract.signature, commitment=after))
    return Effect(
        situation,
        today,
        {"before": _values(before.terms), "after": _values(terms), **facts},
        (
            Row("commitment", before.terms.commitment_months, terms.commitment_months),
            Row("notice", _notice(before), _notice(after)),
            Row("renewal", before.terms.renewal.value, terms.renewal.value),
            Row("earliest_end", _earliest_end(contract, today), _earliest_end(changed, today)),
        ),
        arrears=arrears,
        next_before=upcoming(contract, billed, vat),
        next_after=upcoming(changed, billed, vat),
        worse=less_good(before, after, today, contract.signature.anchor_on, contract.frequency.months),
    )


def _earliest_end(contract: Contract, today: date) -> date:
    signature = contract.signature
    return signature.commitment.earliest_end(today, signature.anchor_on, contract.frequency.months)


def _notice(commitment: Commitment) -> str:
    """ "2 months", for the page to say."""
    return f"{commitment.terms.notice.count} {commitment.terms.notice.unit.value}"


def _values(terms: Terms) -> dict[str, Any]:
    """As the columns of `subscriptions` hold them."""
    return {
        "commitment_months": terms.commitment_months,
        "notice_count": terms.notice.count,
        "notice_unit": terms.notice.unit.value,
        "renewal": terms.renewal.value,
    }
