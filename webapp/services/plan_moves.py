"""Carrying out a migration, page by page: each subscriber is told once and its change scheduled once (spec S3).

Whoever asks for a page gets the next rows that are to be done, and does them in one transaction: killed anywhere and
asked again, or asked by two at once, the same subscribers are told. A row is worked out again on its day, because what
was simulated may have changed: nobody is told less than the notice before.
"""

import logging
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, Select, case, cast, func, or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from webapp.domain.access import SYSTEM
from webapp.domain.contract import ChangeKind, PlanTariff
from webapp.domain.migration import Move, Plan, Stay, Staying
from webapp.domain.money import Money
from webapp.models.accounts import Account
from webapp.models.plan_migrations import PlanMigration, PlanMove
from webapp.models.subscriptions import ScheduledChange, Subscription
from webapp.services import audit, contracts, events, notices, revenue, scheduling
from webapp.services.contracts import MIGRATION, Situation
from webapp.services.plan_migrations import (
    PLANNED,
    STAYS,
    TAKEN_BACK,
    TOLD,
    Key,
    Served,
    becomes,
    locked,
    move_columns,
    served,
    target_tariffs,
)
from webapp.services.wording import text

PAGE = 50
DONE = {"applied": "applied", "replaced": "gave_way"}  # what became of the change of who was told
FAILED = "failed"  # what keeps a subscriber whose turn went wrong: the next ones had theirs

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Links:
    """Where the mails lead, for one subscription."""

    overview: Callable[[uuid.UUID], str]
    leave: Callable[[uuid.UUID], str]


# ── Carrying out ─────────────────────────────────────────────────────────────────────────────────────────────────


def carry_on(
    session: Session, migration_id: int, today: date, now: datetime, links: Links, size: int = PAGE
) -> int:
    """Do the next `size` rows of a migration, in the transaction at hand. Answers how many; 0 when nothing is left.

    Raises MigrationNotFound.
    """
    migration = locked(session, migration_id)  # two at once take their turn
    rows = session.scalars(_to_do(migration, today).order_by(PlanMove.id).limit(size)).all()
    if not rows:
        return 0
    if migration.state == "cancelled":
        for row in rows:
            _take_back(session, migration, row, now, links)
    else:
        tariffs = _tariffs(session, migration)
        given = served(session, migration.from_version, migration.to_version)
        for row in rows:
            _tell_safely(session, migration, row, tariffs, given, today, now, links)
    session.flush()
    return len(rows)


def unfinished(session: Session, today: date) -> list[int]:
    """The migrations with something to do."""
    migrations = session.scalars(select(PlanMigration).order_by(PlanMigration.id))
    return [each.id for each in migrations if to_do(session, each, today)]


def to_do(session: Session, migration: PlanMigration, today: date) -> int:
    """How many rows are still to be done."""
    found = session.scalar(select(func.count()).select_from(_to_do(migration, today).subquery()))
    return int(found or 0)


def try_again(session: Session, migration_id: int) -> int:
    """Put back those whose turn went wrong. Answers how many. Flushes."""
    rows = session.scalars(
        select(PlanMove).where(PlanMove.migration_id == migration_id, PlanMove.stays == FAILED)
    ).all()
    for row in rows:
        row.state, row.stays = PLANNED, None
    session.flush()
    return len(rows)


def _to_do(migration: PlanMigration, today: date) -> Select[PlanMove]:
    rows = select(PlanMove).where(PlanMove.migration_id == migration.id)
    if migration.state != "cancelled":
        return rows.where(PlanMove.state == PLANNED)
    return rows.join(ScheduledChange, ScheduledChange.id == PlanMove.change_id).where(
        PlanMove.state == TOLD,
        ScheduledChange.status.in_(("pending", "replaced")),
        ScheduledChange.effective_on > today,
    )


def _tariffs(session: Session, migration: PlanMigration) -> dict[Key, PlanTariff]:
    """Those that were published; and for who has changed frequency since, those that would be."""
    published = session.scalars(
        select(PlanMove.to_price_id)
        .where(PlanMove.migration_id == migration.id, PlanMove.to_price_id.is_not(None))
        .distinct()
    )
    found = target_tariffs(session, migration.to_version_id, migration.wished_on)
    for tariff, _names in contracts.tariffs(
        session, [each for each in published if each is not None]
    ).values():
        found[tariff.frequency.value, tariff.price.currency] = tariff
    return found


def _tell_safely(
    session: Session, migration: PlanMigration, row: PlanMove, tariffs: Mapping[Key, PlanTariff], given: Served,
    today: date, now: datetime, links: Links,
) -> None:  # fmt: skip
    """Tell one; what goes wrong with one keeps no other from being told. A database that fails stops everything."""
    try:
        with session.begin_nested():
            _tell(session, migration, row, tariffs, given, today, now, links)
    except SQLAlchemyError:
        raise
    except Exception:
        log.exception("migration %s: subscription %s", migration.id, row.subscription_id)
        row.state, row.stays = STAYS, FAILED


def _tell(
    session: Session, migration: PlanMigration, row: PlanMove, tariffs: Mapping[Key, PlanTariff], given: Served,
    today: date, now: datetime, links: Links,
) -> None:  # fmt: skip
    subscription = scheduling.lock(session, row.subscription_id)
    situation = contracts.load(session, subscription.id)
    result: Move | Stay = Stay(Staying.OWN_CHANGE)  # another plan was signed since
    if subscription.plan_version_id == migration.from_version_id:
        asked = Plan(today, migration.wished_on, migration.notice_days)
        result = becomes(situation, tariffs, asked, given)
    for name, value in move_columns(result).items():
        setattr(row, name, value)
    if isinstance(result, Stay):
        return
    facts = {
        "plan_price_id": result.tariff.price_id,
        "from_price_id": subscription.plan_price_id,
        MIGRATION: migration.id,
        "leave_until": result.leave_until.isoformat() if result.leave_until else None,
        "reasons": migration.reasons,
    }
    change = scheduling.schedule(
        session, subscription, ChangeKind.PLAN, result.effective_on, facts, SYSTEM, now
    )
    scheduling.touch(session, subscription, now)
    row.state, row.change_id, row.told_at = TOLD, change.id, now
    audit.record(
        session, SYSTEM, subscription.account_id, "subscription.migration_scheduled", result.tariff.plan_code, {},
        {
            "effective_on": result.effective_on.isoformat(), "migration": migration.id,
            "before_cents": result.before.cents, "after_cents": result.after.cents,
            "leave_until": facts["leave_until"],
        }, now,
    )  # fmt: skip
    events.of_subscription(
        session, "subscription.change_scheduled", subscription, now,
        change=ChangeKind.PLAN.value, plan=result.tariff.plan_code, on=result.effective_on.isoformat(),
    )  # fmt: skip
    notices.tell_owners(
        session,
        situation.customer,
        "migration_announced",
        now,
        lambda language: words(migration.reasons, migration.to_version.names, given, language),
        **figures(result),
        link=links.overview(subscription.id),
        leave=links.leave(subscription.id),
    )


def words(
    reasons: Mapping[str, Any], names: Mapping[str, Any], given: Served, language: str
) -> dict[str, Any]:
    """What the announcement says in the language of its reader."""
    return {
        "plan": text(names, language),
        "reason": text(reasons, language),
        "lost": [text(each, language) for each in given.lost],
        "gained": [text(each, language) for each in given.gained],
    }


def figures(result: Move) -> dict[str, Any]:
    """The amounts and dates of the announcement."""
    return {
        "effective_on": result.effective_on,
        "before": result.before,
        "after": result.after,
        "is_annual": result.months == 12,
        "leave_until": result.leave_until,
    }


def _take_back(
    session: Session, migration: PlanMigration, row: PlanMove, now: datetime, links: Links
) -> None:
    """Undo the change that was to come, and tell those who were told."""
    subscription = scheduling.lock(session, row.subscription_id)
    change = session.get_one(ScheduledChange, row.change_id, populate_existing=True)
    was_coming = change.status == "pending"
    change.status, change.closed_at = "undone", now
    row.state, row.taken_back_at = TAKEN_BACK, now
    if subscription.status != "active":
        return
    situation = scheduling.touch(session, subscription, now)
    on = change.effective_on.isoformat()
    plan = situation.contract.plan_code
    audit.record(
        session, SYSTEM, subscription.account_id, "subscription.migration_cancelled", plan,
        {"effective_on": on, "migration": migration.id}, {}, now,
    )  # fmt: skip
    if was_coming:
        events.of_subscription(
            session, "subscription.change_cancelled", subscription, now, change=ChangeKind.PLAN.value, on=on
        )
    _tell_cancelled(session, situation, change, now, links)


def _tell_cancelled(
    session: Session, situation: Situation, change: ScheduledChange, now: datetime, links: Links
) -> None:
    names = situation.plans[situation.contract.plan_code]
    notices.tell_owners(
        session,
        situation.customer,
        "migration_cancelled",
        now,
        lambda language: {"plan": text(names, language)},
        effective_on=change.effective_on,
        is_leaving=situation.contract.termination() is not None,
        link=links.overview(situation.subscription_id),
    )


# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a migration is. Amounts are per month, of all those who were to be moved."""

    planned: int
    told: int  # told, and still to come
    applied: int
    gave_way: int  # told, and then the client chose something else, or leaves
    taken_back: int
    may_leave: int
    before: Money
    after: Money
    stays: Mapping[str, int]  # by what keeps them

    @property
    def total(self) -> int:
        """Those who are moved, or were to be."""
        return self.planned + self.told + self.applied + self.gave_way + self.taken_back


def became(state: str, change_status: str | None) -> str:
    """What became of a row: its state, or of who was told applied or gave_way (the client chose something else)."""
    return DONE.get(change_status or "", state) if state == TOLD else state


def may_cancel(session: Session, migration_id: int, today: date) -> bool:
    """Whether cancelling would still spare somebody."""
    statement = (
        select(PlanMove.id)
        .outerjoin(ScheduledChange, ScheduledChange.id == PlanMove.change_id)
        .where(
            PlanMove.migration_id == migration_id,
            or_(
                PlanMove.state == PLANNED,
                (PlanMove.state == TOLD)
                & ScheduledChange.status.in_(("pending", "replaced"))
                & (ScheduledChange.effective_on > today),
            ),
        )
    )
    return session.scalar(statement.limit(1)) is not None


@dataclass(frozen=True, slots=True)
class Listed:
    """One row with its account, as the file of a migration says it."""

    reference: str
    name: str
    row: PlanMove
    became: str

    @property
    def prices(self) -> tuple[Money | None, Money | None]:
        """Of a whole billing period before and after; none of who stays."""
        before, after = self.row.before_cents, self.row.after_cents
        return (
            Money(before, revenue.CURRENCY) if before is not None else None,
            Money(after, revenue.CURRENCY) if after is not None else None,
        )


def listed(session: Session, migration_id: int) -> Iterator[Listed]:
    """Every row of a migration, by the reference of its account. One statement."""
    statement = (
        select(PlanMove, Account.reference, Account.name, ScheduledChange.status)
        .join(Subscription, Subscription.id == PlanMove.subscription_id)
        .join(Account, Account.id == Subscription.account_id)
        .outerjoin(ScheduledChange, ScheduledChange.id == PlanMove.change_id)
        .where(PlanMove.migration_id == migration_id)
        .order_by(Account.reference)
    )
    for row, reference, name, status in session.execute(statement):
        yield Listed(reference, name, row, became(row.state, status))


def standing(session: Session, migration_id: int) -> Standing:
    """One statement. Sums are made in twelfths of a cent, which are whole for a month and for a year."""
    in_twelfths = case((PlanMove.months == 1, revenue.PER_CENT), else_=1)
    statement = (
        select(
            PlanMove.state,
            ScheduledChange.status,
            PlanMove.stays,
            func.count(),
            func.count(PlanMove.leave_until),
            func.coalesce(func.sum(cast(PlanMove.before_cents, BigInteger) * in_twelfths), 0),
            func.coalesce(func.sum(cast(PlanMove.after_cents, BigInteger) * in_twelfths), 0),
        )
        .outerjoin(ScheduledChange, ScheduledChange.id == PlanMove.change_id)
        .where(PlanMove.migration_id == migration_id)
        .group_by(PlanMove.state, ScheduledChange.status, PlanMove.stays)
    )
    counts = dict.fromkeys(("planned", "told", "applied", "gave_way", "taken_back"), 0)
    stays: dict[str, int] = {}
    may_leave = before = after = 0
    for state, status, kept, count, leaving, was, becoming in session.execute(statement):
        if state == STAYS:
            stays[str(kept)] = count
            continue
        counts[became(state, status)] += count
        may_leave, before, after = may_leave + leaving, before + int(was), after + int(becoming)
    return Standing(
        **counts,
        may_leave=may_leave,
        before=revenue.in_cents(before),
        after=revenue.in_cents(after),
        stays=stays,
    )
