"""Ending a subscription: previewed, given notice, withdrawn while it is still to come (spec T1-T4, M5).

The preview and the confirmation come from one calculation: the end, its reason, and every document until then.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.adapters import letter_pdf
from webapp.adapters.mail import Attachment
from webapp.domain import termination
from webapp.domain.access import Actor
from webapp.domain.contract import ChangeKind
from webapp.domain.contract import ScheduledChange as Change
from webapp.domain.money import Money, total
from webapp.domain.pricing import Draft
from webapp.domain.refusals import StalePreview
from webapp.domain.termination import Ending, EndReason
from webapp.models.invoices import Invoice, Issuer
from webapp.models.subscriptions import ScheduledChange
from webapp.models.terminations import Acknowledgement
from webapp.services import audit, billing, contracts, events, notices, previews, requests, scheduling
from webapp.services.contracts import PendingChange, Situation
from webapp.services.subscriptions import ensure_self_service, issued_as_told
from webapp.services.wording import text
from webapp.templating import render_for

TERMINATE = "terminate"  # the action, as a reseller's policy names it
REASONS = ("closing", "price", "missing", "unused", "other")  # why people leave, when they say it
LONGEST_COMMENT = 2000


@dataclass(frozen=True, slots=True)
class TerminationPreview:
    """An end as it would be confirmed now. `documents` are those still to come until then, in their order."""

    situation: Situation
    ending: Ending
    documents: tuple[Draft, ...]
    replaced: tuple[PendingChange, ...]  # of plan, planned for the end or later: the end takes their place
    kept: tuple[PendingChange, ...]  # planned for before the end: they take effect as planned
    today: date

    @property
    def total(self) -> Money:
        """Everything still to be invoiced, VAT included."""
        return total((draft.total for draft in self.documents), self.situation.currency)

    @property
    def net(self) -> Money:
        return total((draft.net for draft in self.documents), self.situation.currency)

    @property
    def fingerprint(self) -> str:
        return previews.fingerprint(
            self.situation, self.today, self.documents, self.ending.ends_on, self.ending.reason
        )


def preview(session: Session, subscription_id: uuid.UUID, today: date) -> TerminationPreview:
    """What terminating today would do. Raises SubscriptionEnded, AlreadyTerminated or ContactPartner."""
    situation = contracts.load(session, subscription_id)
    ensure_self_service(situation, TERMINATE)
    standing, _lines, _arrears = _caught_up(session, situation, today)
    ending = termination.ending(standing.contract, today, is_consumer(situation))
    return _preview(session, situation, ending, today)


def preview_withdrawal(session: Session, subscription_id: uuid.UUID, today: date) -> TerminationPreview:
    """What a consumer's withdrawal would do today. Raises SubscriptionEnded or WithdrawalTooLate."""
    situation = contracts.load(session, subscription_id)
    standing, _lines, _arrears = _caught_up(session, situation, today)
    ending = termination.withdrawal(standing.contract, today, is_consumer(situation))
    return _preview(session, situation, ending, today)


def is_consumer(situation: Situation) -> bool:
    return situation.customer.kind == "consumer"


def _preview(session: Session, situation: Situation, ending: Ending, today: date) -> TerminationPreview:
    changes = [each for each in situation.pending if each.kind in (ChangeKind.PLAN, ChangeKind.TERMINATION)]
    replaced = tuple(
        each for each in changes if each.kind is ChangeKind.TERMINATION or each.effective_on >= ending.ends_on
    )
    gone = {each.id for each in replaced}
    planned = Change(0, ChangeKind.TERMINATION, ending.ends_on)
    standing = [each for each in situation.contract.changes if each.id not in gone]
    contract = replace(situation.contract, changes=(*standing, planned))
    ahead = replace(situation, contract=contract)
    _standing, _lines, documents = _caught_up(session, ahead, today, until=ending.ends_on)
    kept = tuple(each for each in changes if each.id not in gone)
    shown = tuple(each for each in replaced if each.kind is ChangeKind.PLAN)
    return TerminationPreview(situation, ending, documents, shown, kept, today)


def _caught_up(
    session: Session, situation: Situation, today: date, until: date | None = None
) -> tuple[Situation, Sequence[object], tuple[Draft, ...]]:
    billed = contracts.billed_lines(session, situation.subscription_id, today, since=today)
    return previews.caught_up(situation, billed, until or today)


@dataclass(frozen=True, slots=True)
class Terminated:
    """What a confirmation did. `document` is the credit note of a withdrawal, if something had been paid."""

    preview: TerminationPreview
    change_id: int
    document: Invoice | None = None


def terminate(
    session: Session,
    subscription_id: uuid.UUID,
    reason: str,
    comment: str,
    fingerprint: str,
    today: date,
    now: datetime,
    actor: Actor,
    link: str,
) -> Terminated:
    """Give notice today: exactly what was previewed, or StalePreview and nothing (P1, T2, T3). Flushes.

    `reason` is one of REASONS or nothing. A change of plan planned for the end or later is replaced. The owners get
    an acknowledgement with its document.
    """
    scheduling.lock(session, subscription_id)
    shown = preview(session, subscription_id, today)
    if shown.fingerprint != fingerprint:
        raise StalePreview()
    return _terminate(session, shown, reason, comment, now, actor, link)


def withdraw(
    session: Session,
    subscription_id: uuid.UUID,
    fingerprint: str,
    today: date,
    now: datetime,
    actor: Actor,
    link: str,
) -> Terminated:
    """A consumer withdraws: the contract ends today and what was paid for the days to come is given back. Flushes."""
    scheduling.lock(session, subscription_id)
    shown = preview_withdrawal(session, subscription_id, today)
    if shown.fingerprint != fingerprint:
        raise StalePreview()
    return _terminate(session, shown, "", "", now, actor, link)


def _terminate(
    session: Session,
    shown: TerminationPreview,
    reason: str,
    comment: str,
    now: datetime,
    actor: Actor,
    link: str,
) -> Terminated:
    situation, ending = shown.situation, shown.ending
    subscription = scheduling.lock(session, situation.subscription_id)
    pending = [
        each.id
        for each in situation.contract.changes
        if each.kind in (ChangeKind.PLAN, ChangeKind.TERMINATION)
    ]
    kept = {each.id for each in shown.kept}
    scheduling.close(session, [each for each in pending if each not in kept], "replaced", now)
    facts = {
        "end_reason": ending.reason.value,
        "given_on": ending.given_on.isoformat(),
        "reason": reason if reason in REASONS else "",
        "comment": comment.strip()[:LONGEST_COMMENT],
    }
    change = scheduling.schedule(
        session, subscription, ChangeKind.TERMINATION, ending.ends_on, facts, actor, now
    )
    scheduling.touch(session, subscription, now)
    is_withdrawal = ending.reason is EndReason.WITHDRAWAL
    audit.record(
        session,
        actor,
        subscription.account_id,
        "subscription.withdrawn" if is_withdrawal else "subscription.termination_scheduled",
        situation.contract.plan_code,
        {},
        {"effective_on": ending.ends_on.isoformat(), **facts},
        now,
    )
    events.of_subscription(
        session, "subscription.change_scheduled", subscription, now,
        change=ChangeKind.TERMINATION.value, plan=None, on=ending.ends_on.isoformat(),
    )  # fmt: skip
    document = None
    if is_withdrawal:
        issued = billing.bill_due(session, situation.subscription_id, ending.ends_on, now)
        document = issued[-1] if issued else None
    if actor.kind == "user":
        plan = situation.plans[situation.contract.plan_code]
        told = {"plan": dict(plan), "ends_on": ending.ends_on.isoformat(), "reason": facts["reason"]}
        requests.open_one(
            session, "termination", subscription.account_id, actor, now,
            subscription_id=subscription.id, text=facts["comment"], facts=told,
        )  # fmt: skip
    letter = acknowledge(session, shown, change, document, now)
    notices.tell_owners(
        session,
        situation.customer,
        "termination_withdrawal" if is_withdrawal else "termination_received",
        now,
        lambda language: {"plan": text(situation.plans[situation.contract.plan_code], language)},
        attachments=[Attachment(letter.filename, letter.media_type, letter.content)],
        last_day=ending.ends_on - timedelta(days=1),
        ends_on=ending.ends_on,
        given_on=ending.given_on,
        reason=ending.reason,
        missed_on=ending.missed_on,
        documents=len(shown.documents),
        total=shown.total,
        document=issued_as_told(document),
        link=link,
    )
    session.flush()
    return Terminated(shown, change.id, document)


def acknowledge(
    session: Session,
    shown: TerminationPreview,
    change: ScheduledChange,
    document: Invoice | None,
    now: datetime,
) -> Acknowledgement:
    """Write the dated document in the language of the account, whoever reads, and keep it."""
    situation, ending = shown.situation, shown.ending
    customer = situation.customer
    written = render_for(
        customer.language,
        "emails/termination_document.txt",
        customer=customer,
        plan=text(situation.plans[situation.contract.plan_code], customer.language),
        addresses=[each.name for each in situation.contract.establishments_active_on(shown.today)],
        ending=ending,
        last_day=ending.ends_on - timedelta(days=1),
        documents=shown.documents,
        total=shown.total,
        document=issued_as_told(document),
        requested_by=change.requested_by,
        number=f"{customer.reference}-R{change.id}",
    )
    title, *paragraphs = filter(None, (each.strip() for each in written.split("\n\n")))
    issuer = session.scalars(select(Issuer).order_by(Issuer.id).limit(1)).one()
    content = letter_pdf.render(
        title,
        paragraphs,
        seller=issuer.brand,
        footer=f"{issuer.legal_name}, {issuer.street}, {issuer.postcode} {issuer.city}, {issuer.vat_number}",
        language=customer.language,
        on=ending.given_on,
    )
    names = {"fr": "resiliation", "nl": "opzegging", "en": "termination"}
    letter = Acknowledgement(
        change_id=change.id,
        filename=f"{names[customer.language]}-{customer.reference}-{ending.given_on.isoformat()}.pdf",
        media_type=letter_pdf.MEDIA_TYPE,
        language=customer.language,
        content=content,
        created_at=now,
    )
    session.add(letter)
    session.flush()
    return letter


def acknowledgement(session: Session, subscription_id: uuid.UUID, change_id: int) -> Acknowledgement | None:
    """The document of one termination of this subscription, as it was sent."""
    statement = (
        select(Acknowledgement)
        .join(ScheduledChange, ScheduledChange.id == Acknowledgement.change_id)
        .where(ScheduledChange.subscription_id == subscription_id, Acknowledgement.change_id == change_id)
    )
    return session.scalars(statement).first()


def last_acknowledgement(session: Session, subscription_id: uuid.UUID) -> int | None:
    """The termination, pending or applied, whose document can be downloaded."""
    statement = (
        select(ScheduledChange.id)
        .join(Acknowledgement, Acknowledgement.change_id == ScheduledChange.id)
        .where(
            ScheduledChange.subscription_id == subscription_id,
            ScheduledChange.status.in_(("pending", "applied")),
        )
        .order_by(ScheduledChange.id.desc())
        .limit(1)
    )
    return session.scalars(statement).first()


def cancel(
    session: Session,
    subscription_id: uuid.UUID,
    change_id: int,
    today: date,
    now: datetime,
    actor: Actor,
    link: str,
) -> None:
    """Withdraw a termination until it takes effect (T3): the contract goes on as before. Flushes.

    Raises ChangeAlreadyDone, also for a change of another kind, or ContactPartner.
    """
    situation = contracts.load(session, subscription_id)
    ensure_self_service(situation, TERMINATE)
    pending = situation.contract.termination()
    # A change that is not the pending termination cannot be undone by this door: 0 is nobody's id.
    undone = change_id if pending is not None and pending.id == change_id else 0
    scheduling.undo(session, subscription_id, undone, today, actor, now)
    requests.termination_cancelled(session, subscription_id, now)
    contract = contracts.load(session, subscription_id).contract.on(today)
    dates = termination.calendar(contract, today, is_consumer(situation))
    notices.tell_owners(
        session,
        situation.customer,
        "termination_cancelled",
        now,
        lambda language: {"plan": text(situation.plans[contract.plan_code], language)},
        renews_on=dates.renews_on,
        last_notice_day=dates.last_notice_day,
        is_late=dates.last_notice_day is not None and dates.last_notice_day < today,
        link=link,
    )
    session.flush()
