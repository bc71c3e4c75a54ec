"""Gestures of the team for one account: worked out, made once with a reason, told, undone where possible (S2).

Each kind has its own module for what it changes; here is what they share: the lock, the fingerprint, the row, the audit
trail and the mail.
"""

import uuid
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain.access import Actor
from webapp.domain.contract import ChangeKind
from webapp.domain.refusals import CannotUndo, StalePreview
from webapp.models.accounts import Account
from webapp.models.gestures import Gesture
from webapp.models.subscriptions import Subscription
from webapp.services import (
    audit,
    billing,
    contracts,
    discount_gestures,
    gesture_words,
    history,
    invoicing,
    money_gestures,
    notices,
    provider_refunds,
    scheduling,
    subscriptions,
    terms_gestures,
)
from webapp.services.contracts import Situation
from webapp.services.discount_gestures import Grant
from webapp.services.gesture_effects import Effect, Row
from webapp.services.money_gestures import GiveBack, MoreTime, Paid, Refund
from webapp.services.terms_gestures import NewTerms

DOCUMENT_REASON = (
    "gesture"  # of the documents that a gesture issues: lines of the day, rewritten that day (M5)
)


@dataclass(frozen=True, slots=True)
class NewPlan:
    """A plan chosen for the client, among those on sale for the client."""

    plan_code: str
    frequency: str


Wish = Grant | NewPlan | NewTerms | Paid | Refund | GiveBack | MoreTime


@dataclass(frozen=True, slots=True)
class Why:
    """Why it is done, whether the owners are told by mail, and the `link` that the mail gives."""

    reason: str
    tells: bool
    link: str


class NoSubscription(LookupError):
    """No account of that reference, or one that never signed anything: the door answers 404."""


def subscription_of(session: Session, reference: str) -> tuple[Account, uuid.UUID]:
    """The account and its subscription, the one that runs before those that ended. Raises NoSubscription."""
    found = session.execute(
        select(Account, Subscription.id)
        .join(Subscription, Subscription.account_id == Account.id)
        .where(Account.reference == reference)
        .order_by(Subscription.status, Subscription.starts_on.desc())
        .limit(1)
    ).first()
    if found is None:
        raise NoSubscription(reference)
    return found[0], found[1]


def made_for(session: Session, account_id: uuid.UUID, limit: int = 50) -> list[Gesture]:
    """The gestures of an account, latest first, those undone included."""
    statement = select(Gesture).where(Gesture.account_id == account_id)
    return list(session.scalars(statement.order_by(Gesture.id.desc()).limit(limit)))


def find(session: Session, account_id: uuid.UUID, gesture_id: int) -> Gesture | None:
    statement = select(Gesture).where(Gesture.account_id == account_id, Gesture.id == gesture_id)
    return session.scalars(statement).first()


def is_undoable(gesture: Gesture, today: date) -> bool:
    """Whether undoing it may be offered: `preview_undo` has the last word."""
    if gesture.undone_at is not None or gesture.kind in ("refund", "card_refund"):
        return False
    if gesture.kind == "plan":
        return bool(gesture.facts["change_id"]) and gesture.facts["effective_on"] > today.isoformat()
    if gesture.kind in discount_gestures.KINDS:
        until_on = gesture.facts["discount"]["until_on"]
        return until_on is None or until_on > today.isoformat()
    return True


def preview(session: Session, subscription_id: uuid.UUID, wish: Wish, today: date) -> Effect:
    """Work a gesture out without writing anything. Raises the refusals of its kind."""
    match wish:
        case Grant():
            return discount_gestures.preview(session, subscription_id, wish, today)
        case NewPlan():
            return _plan_effect(session, subscription_id, wish, today)
        case NewTerms():
            return terms_gestures.preview(session, subscription_id, wish, today)
        case Paid():
            return money_gestures.preview_payment(session, subscription_id, wish, today)
        case Refund():
            return money_gestures.preview_refund(session, subscription_id, wish, today)
        case GiveBack():
            return money_gestures.preview_give_back(session, subscription_id, wish, today)
        case MoreTime():
            return money_gestures.preview_more_time(session, subscription_id, wish, today)


def kind_of(wish: Wish) -> str:
    match wish:
        case Grant():
            return wish.kind
        case NewPlan():
            return "plan"
        case NewTerms():
            return "terms"
        case Paid():
            return "payment"
        case Refund():
            return "refund"
        case GiveBack():
            return "card_refund"
        case MoreTime():
            return "due_date"


def make(
    session: Session,
    subscription_id: uuid.UUID,
    wish: Wish,
    fingerprint: str,
    why: Why,
    key: str,
    today: date,
    now: datetime,
    actor: Actor,
) -> Gesture:
    """Make it, exactly as it was previewed, or StalePreview and nothing (P1). `key` names its money for ever. Flushes.

    Raises ValueError without a reason, and the refusals of its preview.
    """
    if not why.reason.strip():
        raise ValueError("a gesture needs a reason")
    subscription = scheduling.lock(session, subscription_id)
    effect = _as_previewed(session, subscription_id, wish, fingerprint, today, now)
    facts, documents = dict(effect.facts), list[str]()
    match wish:
        case Grant():
            documents = _issue(session, effect, today, now)
            discount_gestures.write(session, subscription, effect)
        case NewPlan():
            facts |= _change_plan(session, subscription_id, wish, why, today, now, actor)
            documents = [facts["document"]] if facts["document"] else []
        case NewTerms():
            terms_gestures.ensure_agreed(effect)
            terms_gestures.write(subscription, effect, today)
        case Paid():
            facts |= money_gestures.receive(session, effect, key, today, now, actor)
        case Refund():
            money_gestures.refund(session, effect, key, today, now, actor)
        case GiveBack():
            pass  # asked below: the row that is sent names its gesture
        case MoreTime():
            money_gestures.give_time(session, effect, today, now, actor)
    scheduling.touch(session, subscription, now)
    gesture = Gesture(
        account_id=subscription.account_id,
        subscription_id=subscription_id,
        kind=kind_of(wish),
        facts=facts,
        documents=documents,
        reason=why.reason.strip(),
        made_by=actor.name,
        made_at=now,
    )
    session.add(gesture)
    session.flush()
    if gesture.kind == "card_refund":
        provider_refunds.ask(session, gesture, key, why.link if why.tells else "", now)
    if gesture.kind != "plan":  # the change of plan has told itself
        told = facts | {"reason": gesture.reason, "documents": documents}
        subject = effect.situation.customer.reference
        audit.record(session, actor, gesture.account_id, f"gesture.{gesture.kind}", subject, {}, told, now)
        if why.tells and gesture.kind != "card_refund":  # told once the provider has done it
            _tell(session, effect.situation, gesture, documents, why, now, is_undone=False)
    session.flush()
    return gesture


def preview_undo(session: Session, gesture: Gesture, today: date) -> Effect:
    """What undoing it today would do. Raises CannotUndo and the refusals of its kind."""
    if not is_undoable(gesture, today):
        raise CannotUndo()
    if gesture.kind == "plan":
        situation = contracts.load(session, gesture.subscription_id)
        if gesture.facts["change_id"] not in {each.id for each in situation.pending}:
            raise CannotUndo()
        facts = gesture.facts
        row = Row(
            "plan",
            f"{facts['plan']} {facts['frequency']}",
            f"{facts['former_plan']} {facts['former_frequency']}",
        )
        return Effect(situation, today, facts, (row,))
    if gesture.kind == "terms":
        return terms_gestures.preview_undo(session, gesture, today)
    if gesture.kind == "payment":
        return money_gestures.preview_payment_undo(session, gesture, today)
    if gesture.kind == "due_date":
        return money_gestures.preview_time_undo(session, gesture, today)
    return discount_gestures.preview_undo(session, gesture, today)


def undo(
    session: Session,
    gesture: Gesture,
    fingerprint: str,
    why: Why,
    key: str,
    today: date,
    now: datetime,
    actor: Actor,
) -> Gesture:
    """Undo it exactly as it was previewed, or StalePreview and nothing. Flushes. Raises as the preview, and ValueError."""
    if not why.reason.strip():
        raise ValueError("undoing a gesture needs a reason")
    subscription = scheduling.lock(session, gesture.subscription_id)
    session.refresh(gesture)
    effect = preview_undo(session, gesture, today)
    if effect.fingerprint != fingerprint:
        raise StalePreview()
    if effect.arrears:
        billing.bill_due(session, gesture.subscription_id, today, now)
        effect = _still(effect, preview_undo(session, gesture, today))
    documents: list[str] = []
    if gesture.kind == "plan":
        scheduling.undo(session, gesture.subscription_id, gesture.facts["change_id"], today, actor, now)
    elif gesture.kind == "terms":
        terms_gestures.write(subscription, effect, today)
    elif gesture.kind == "payment":
        money_gestures.take_payment_back(session, effect, key, today, now, actor)
    elif gesture.kind == "due_date":
        money_gestures.take_time_back(session, effect, today, now, actor)
    else:
        documents = _issue(session, effect, today, now)
        discount_gestures.take_away(subscription, gesture, today)
    scheduling.touch(session, subscription, now)
    gesture.undone_by, gesture.undone_at, gesture.undone_reason = actor.name, now, why.reason.strip()
    gesture.documents = [*gesture.documents, *documents]
    told = {"kind": gesture.kind, "reason": gesture.undone_reason, "documents": documents}
    subject = effect.situation.customer.reference
    audit.record(session, actor, gesture.account_id, "gesture.undone", subject, gesture.facts, told, now)
    if why.tells:
        _tell(session, effect.situation, gesture, documents, why, now, is_undone=True)
    session.flush()
    return gesture


def _as_previewed(
    session: Session, subscription_id: uuid.UUID, wish: Wish, fingerprint: str, today: date, now: datetime
) -> Effect:
    """The effect that was shown, periods due billed first. Raises StalePreview."""
    effect = preview(session, subscription_id, wish, today)
    if effect.fingerprint != fingerprint:
        raise StalePreview()
    if effect.arrears and not isinstance(wish, NewPlan):  # a change of plan bills them itself
        billing.bill_due(session, subscription_id, today, now)
        effect = _still(effect, preview(session, subscription_id, wish, today))
    return effect


def _still(shown: Effect, now: Effect) -> Effect:
    """Billing what was due must not change what was shown."""
    if (shown.facts, shown.due and shown.due.total) != (now.facts, now.due and now.due.total):
        raise StalePreview()
    return now


def _issue(session: Session, effect: Effect, today: date, now: datetime) -> list[str]:
    if effect.due is None:
        return []
    document = invoicing.issue(session, effect.due, effect.situation, DOCUMENT_REASON, today, now)
    return [] if document is None else [document.number]


def _plan_effect(session: Session, subscription_id: uuid.UUID, wish: NewPlan, today: date) -> Effect:
    shown = subscriptions.preview_plan(
        session, subscription_id, wish.plan_code, wish.frequency, today, on_behalf=True
    )
    change, situation = shown.change, shown.situation
    before = situation.contract.tariff
    facts = {
        "plan": wish.plan_code,
        "frequency": wish.frequency,
        "former_plan": before.plan_code,
        "former_frequency": before.frequency.value,
        "effective_on": change.timing.effective_on.isoformat(),
    }
    rows = (
        Row("plan", f"{before.plan_code} {before.frequency.value}", f"{wish.plan_code} {wish.frequency}"),
        Row("price", before.price, change.tariff.price),
        Row("from_on", None, change.timing.effective_on),
        *(Row("option_ends", each.code, None) for each in change.options_ending),
    )
    return Effect(
        situation,
        today,
        facts,
        rows,
        due=change.due_now if change.due_now.lines else None,
        arrears=shown.arrears,
        next_before=change.next_before,
        next_after=change.next_after,
    )


def _change_plan(
    session: Session, subscription_id: uuid.UUID, wish: NewPlan, why: Why, today: date, now: datetime, actor: Actor
) -> dict[str, Any]:  # fmt: skip
    shown = subscriptions.preview_plan(
        session, subscription_id, wish.plan_code, wish.frequency, today, on_behalf=True
    )
    done = subscriptions.change_plan(
        session, subscription_id, wish.plan_code, wish.frequency, shown.fingerprint, today, now, actor,
        why.link, on_behalf=True, reason=why.reason.strip(), tells=why.tells,
    )  # fmt: skip
    return {
        "change_id": done.scheduled_id,
        "document": done.document.number if done.document else None,
        "kind": ChangeKind.PLAN.value,
    }


def _tell(
    session: Session,
    situation: Situation,
    gesture: Gesture,
    documents: list[str],
    why: Why,
    now: datetime,
    *,
    is_undone: bool,
) -> None:
    """One mail to each owner, in the owner's language: what was done, why, and the documents it issued."""
    notices.tell_owners(
        session,
        situation.customer,
        "gesture",
        now,
        lambda language: {
            "sentence": gesture_words.sentence(
                gesture.kind, gesture.facts, language, history.names(session, language)
            )
        },
        is_undone=is_undone,
        reason=why.reason.strip(),
        documents=documents,
        link=why.link,
    )
