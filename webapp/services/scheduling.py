"""Scheduled changes: written down, applied on their date in their order, undone until then (P6, M5)."""

import uuid
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import flag_modified

from webapp.domain.access import SYSTEM, Actor
from webapp.domain.contract import ChangeKind, Contract, Frequency, HeldOption, Signature
from webapp.domain.contract import ScheduledChange as Change
from webapp.domain.proration import settlement
from webapp.domain.refusals import ChangeAlreadyDone, DecidedByOperator, UndoCosts
from webapp.models.catalogue import PlanPrice
from webapp.models.subscriptions import ScheduledChange, Subscription, SubscriptionOption
from webapp.services import audit, contracts, events
from webapp.services.contract_facts import signature_facts
from webapp.services.contracts import MIGRATION, Situation, SubscriptionNotFound


def lock(session: Session, subscription_id: uuid.UUID) -> Subscription:
    """The row, locked until the end of the transaction: two hands never change one subscription at once.

    On SQLite the transaction itself is the lock. Raises SubscriptionNotFound.
    """
    statement = select(Subscription).where(Subscription.id == subscription_id).with_for_update()
    subscription = session.scalars(statement.execution_options(populate_existing=True)).first()
    if subscription is None:
        raise SubscriptionNotFound(subscription_id)
    return subscription


def schedule(
    session: Session,
    subscription: Subscription,
    kind: ChangeKind,
    effective_on: date,
    facts: dict[str, Any],
    actor: Actor,
    now: datetime,
) -> ScheduledChange:
    change = ScheduledChange(
        subscription_id=subscription.id,
        kind=kind.value,
        effective_on=effective_on,
        facts=facts,
        requested_by=actor.name,
        requested_at=now,
        status="pending",
    )
    session.add(change)
    session.flush()
    return change


def close(session: Session, change_ids: list[int], status: str, now: datetime) -> None:
    """Close pending changes as applied, undone or replaced."""
    if not change_ids:
        return
    pending = select(ScheduledChange).where(
        ScheduledChange.id.in_(change_ids), ScheduledChange.status == "pending"
    )
    for change in session.scalars(pending):
        change.status, change.closed_at = status, now
    session.flush()


def undo(
    session: Session, subscription_id: uuid.UUID, change_id: int, today: date, actor: Actor, now: datetime
) -> ScheduledChange:
    """Undo a change until it happens (P6). Raises ChangeAlreadyDone, also for a change of another subscription, and
    DecidedByOperator for a migration. One that had given way to the change undone is to come again."""
    subscription = lock(session, subscription_id)
    statement = select(ScheduledChange).where(
        ScheduledChange.id == change_id, ScheduledChange.subscription_id == subscription.id
    )
    change = session.scalars(statement).first()
    if change is None or change.status != "pending" or change.effective_on <= today:
        raise ChangeAlreadyDone()
    if MIGRATION in change.facts:
        raise DecidedByOperator(change.effective_on)
    _ensure_free(session, subscription_id, change_id, today)
    close(session, [change.id], "undone", now)
    reopen_migration(session, subscription, today)
    touch(session, subscription, now)
    facts = {"kind": change.kind, "effective_on": change.effective_on.isoformat(), **change.facts}
    audit.record(
        session, actor, subscription.account_id, "subscription.change_undone", change.kind, facts, {}, now
    )
    events.of_subscription(
        session, "subscription.change_cancelled", subscription, now,
        change=change.kind, on=change.effective_on.isoformat(),
    )  # fmt: skip
    session.flush()
    return change


def reopen_migration(session: Session, subscription: Subscription, today: date) -> None:
    """Make a migration to come again, once nothing stands in its place: it had given way to a choice of the client that
    is taken back. Not when the client has signed something else since, nor once its day has passed."""
    rows = session.scalars(
        select(ScheduledChange)
        .where(
            ScheduledChange.subscription_id == subscription.id,
            ScheduledChange.kind == ChangeKind.PLAN.value,
            ScheduledChange.status.in_(("pending", "replaced")),
            ScheduledChange.effective_on > today,
        )
        .order_by(ScheduledChange.id.desc())
    ).all()
    if any(row.status == "pending" for row in rows):
        return
    for row in rows:
        if row.facts.get("from_price_id") == subscription.plan_price_id:
            row.status, row.closed_at = "pending", None
            session.flush()
            return


def _ensure_free(session: Session, subscription_id: uuid.UUID, change_id: int, today: date) -> None:
    """Raises UndoCosts when the paid period counted on the change: what costs something is previewed first.

    It happens when an option on its way out went through a switch to annual billing, which charged it to its end.
    """
    situation = contracts.load(session, subscription_id)
    contract = situation.contract
    kept = replace(contract, changes=tuple(each for each in contract.changes if each.id != change_id))
    billed = contracts.billed_lines(session, subscription_id, today, since=today)
    due = settlement(kept, billed, today, situation.customer.vat)
    if due.lines:
        raise UndoCosts(due.total)


def touch(session: Session, subscription: Subscription, now: datetime) -> Situation:
    """Note a change of what the subscription holds: its version moves, and the next day with something to bill."""
    session.flush()
    situation = contracts.load(session, subscription.id)
    subscription.changed_at = now
    flag_modified(subscription, "changed_at")  # two changes of one instant are two versions
    subscription.due_on = situation.contract.next_due_on()
    session.flush()
    return situation


def write_signature(session: Session, subscription: Subscription, signature: Signature) -> None:
    for name, value in signature_facts(signature).items():
        setattr(subscription, name, value)
    price = session.get_one(PlanPrice, signature.tariff.price_id)
    subscription.plan_version_id = price.plan_version_id
    subscription.frequency = signature.frequency.value


def apply_due(
    session: Session, subscription: Subscription, situation: Situation, day: date, now: datetime
) -> Situation:
    """Write what is scheduled up to `day` into the rows, in its order. Answers the situation as it is then."""
    contract = situation.contract
    due = sorted((each for each in contract.changes if each.effective_on <= day), key=lambda each: each.order)
    has_ended_by_itself = contract.ended_on is None and contract.on(day).ended_on is not None
    if not due and not has_ended_by_itself:
        return situation
    applied = []
    for change in due:
        if contract.ended_on is not None:
            break
        after = contract.applying(change)
        _write(session, subscription, contract, after, change)
        _tell_applied(session, subscription, contract, after, change, now)
        contract = after
        applied.append(change.id)
        _note_applied(session, subscription, change.kind, contract, change.effective_on, now)
    ended = contract.on(day)
    if contract.ended_on is None and ended.ended_on is not None:
        subscription.status, subscription.ended_on = "ended", ended.ended_on
        _note_applied(session, subscription, ChangeKind.TERMINATION, ended, ended.ended_on, now)
        _tell_ended(session, subscription, ended.ended_on, now)
        contract = ended
    close(session, applied, "applied", now)
    if contract.ended_on is not None:  # nothing else is to come any more
        close(session, [each.id for each in situation.contract.changes], "replaced", now)
    return touch(session, subscription, now)


def _note_applied(
    session: Session,
    subscription: Subscription,
    kind: ChangeKind,
    contract: Contract,
    on: date,
    now: datetime,
) -> None:
    audit.record(
        session,
        SYSTEM,
        subscription.account_id,
        f"subscription.{kind.value}_applied",
        contract.plan_code,
        {},
        {"effective_on": on.isoformat()},
        now,
    )


def _tell_applied(
    session: Session,
    subscription: Subscription,
    before: Contract,
    after: Contract,
    change: Change,
    now: datetime,
) -> None:
    """Tell other systems that a scheduled change has come true."""
    if change.kind is ChangeKind.TERMINATION:
        _tell_ended(session, subscription, change.effective_on, now)
    elif change.kind is ChangeKind.PLAN:
        events.of_subscription(
            session, "subscription.changed", subscription, now,
            plan=after.plan_code, frequency=after.frequency.value, on=change.effective_on.isoformat(),
        )  # fmt: skip
    else:
        held = next((each for each in before.options if each.id == change.option_id), None)
        if held is not None:
            moved = option_told(held.code, held.establishment_id, change.quantity, change.effective_on)
            events.of_subscription(
                session, "subscription.options_changed", subscription, now, options=[moved]
            )


def _tell_ended(session: Session, subscription: Subscription, on: date, now: datetime) -> None:
    events.of_subscription(session, "subscription.ended", subscription, now, on=on.isoformat())


def option_told(code: str, establishment_id: str | None, quantity: int, on: date) -> dict[str, Any]:
    """One option as an event names it: its quantity from `on`, 0 when it goes."""
    place = str(uuid.UUID(establishment_id)) if establishment_id else None
    return {"option": code, "establishment": place, "quantity": quantity, "on": on.isoformat()}


def _write(
    session: Session, subscription: Subscription, before: Contract, after: Contract, change: Change
) -> None:
    if change.kind is ChangeKind.TERMINATION:
        subscription.status, subscription.ended_on = "ended", change.effective_on
        return
    if change.kind is ChangeKind.PLAN:
        write_signature(session, subscription, after.signature)
        subscription.signed_on = change.effective_on
    write_options(session, subscription.id, before, after)


def write_options(
    session: Session, subscription_id: uuid.UUID, before: Contract, after: Contract
) -> dict[int, int]:
    """Make the rows of the options say what `after` says. Answers the ids of new rows by their temporary ones.

    Ends are set, what was chosen today and taken back disappears, a new quantity is a further row.
    """
    known = {(option.id, option.starts_on): option for option in before.options}
    kept = {(option.id, option.starts_on) for option in after.options}
    made: dict[int, int] = {}
    for option in after.options:
        former = known.get((option.id, option.starts_on))
        if former == option:
            continue
        if former is not None:
            session.get_one(SubscriptionOption, option.id).ends_on = option.ends_on
            continue
        row = _option_row(subscription_id, option)
        session.add(row)
        session.flush()
        made[option.id] = row.id
    for option_id, _starts_on in known.keys() - kept:
        session.delete(session.get_one(SubscriptionOption, option_id))
    session.flush()
    return made


def _option_row(subscription_id: uuid.UUID, option: HeldOption) -> SubscriptionOption:
    def cents(frequency: Frequency) -> int | None:
        return option.units[frequency].cents if frequency in option.units else None

    return SubscriptionOption(
        subscription_id=subscription_id,
        option_version_id=option.version_id,
        establishment_id=uuid.UUID(option.establishment_id) if option.establishment_id else None,
        monthly_cents=cents(Frequency.MONTHLY),
        annual_cents=cents(Frequency.ANNUAL),
        once_cents=option.once.cents if option.once is not None else None,
        quantity=option.quantity,
        starts_on=option.starts_on,
        ends_on=option.ends_on,
        chosen_on=option.chosen_on,
        replaces_id=option.replaces_id,
    )


def write_choices(
    session: Session,
    subscription: Subscription,
    before: Contract,
    after: Contract,
    actor: Actor,
    now: datetime,
) -> None:
    """Write the options of `after` and its scheduled changes of options: those that are gone are undone."""
    still = {change.id for change in after.changes}
    close(session, [change.id for change in before.changes if change.id not in still], "undone", now)
    made = write_options(session, subscription.id, before, after)
    for change in after.changes:
        if change.kind is ChangeKind.OPTION and change.id < 0 and change.option_id is not None:
            facts = {"option_id": made.get(change.option_id, change.option_id), "quantity": change.quantity}
            schedule(session, subscription, ChangeKind.OPTION, change.effective_on, facts, actor, now)
