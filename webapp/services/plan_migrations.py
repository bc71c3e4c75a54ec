"""Moving the subscribers of a version to another one: simulated without writing, then published once (spec S3).

What is published is a row per subscriber; telling them and scheduling their change is `services.plan_moves`, page by
page. The change of each is a scheduled change of plan, so that previews, the next invoice and the forecast know of it.
"""

import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from webapp.domain.access import Actor
from webapp.domain.contract import PlanTariff
from webapp.domain.migration import Move, Plan, Stay, Staying, monthly_totals, move
from webapp.domain.money import Money, round_half_up
from webapp.domain.refusals import KeyReused, NobodyToMigrate, StalePreview
from webapp.models.catalogue import Feature, PlanPrice, PlanVersion
from webapp.models.plan_migrations import PlanMigration, PlanMove
from webapp.models.subscriptions import Subscription
from webapp.services import audit, contracts
from webapp.services.contracts import Situation

CURRENCY = "EUR"  # the catalogue's, as in services.revenue
PAGE = 200  # subscriptions read in one statement
PLANNED, TOLD, STAYS, TAKEN_BACK = "planned", "told", "stays", "taken_back"

Texts = Mapping[str, Any]
Key = tuple[str, str]  # frequency, currency


class MigrationNotFound(LookupError):
    """No such migration, or no such version: the door answers 404."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the team asks for. `reasons` are Texts; nobody moves before `wished_on`."""

    from_version_id: int
    to_version_id: int
    wished_on: date
    notice_days: int
    reasons: Texts


@dataclass(frozen=True, slots=True)
class Served:
    """What the version to come serves less, otherwise or more than the one before: names of services, as Texts."""

    lost: tuple[Texts, ...]
    gained: tuple[Texts, ...]


@dataclass(frozen=True, slots=True)
class One:
    """A subscriber of the version, and what becomes of it."""

    subscription_id: uuid.UUID
    version: int  # of the subscription when it was read
    reference: str
    name: str
    language: str
    result: Move | Stay


@dataclass(frozen=True, slots=True)
class InMonth:
    """Those who are moved in one month, between two days of it, and what they bring in per month before and after."""

    first_on: date
    last_on: date
    count: int
    leaving: int  # those who may
    before: Money
    after: Money


@dataclass(frozen=True)
class Simulation:
    """What publishing would do now."""

    asked: Asked
    today: date
    from_version: PlanVersion
    to_version: PlanVersion
    served: Served
    rows: tuple[One, ...]

    @cached_property
    def moved(self) -> list[tuple[One, Move]]:
        return [(each, each.result) for each in self.rows if isinstance(each.result, Move)]

    @cached_property
    def staying(self) -> list[tuple[One, Stay]]:
        return [(each, each.result) for each in self.rows if isinstance(each.result, Stay)]

    @cached_property
    def leaving(self) -> list[Move]:
        """Those who may leave."""
        return [each for _one, each in self.moved if each.leave_until is not None]

    @property
    def revenue(self) -> tuple[Money, Money]:
        """Per month before and after, of those who are moved; sums are made before they are rounded."""
        before, after = monthly_totals(each for _one, each in self.moved)
        return in_cents(before), in_cents(after)

    @property
    def months(self) -> list[InMonth]:
        by_month: dict[date, list[Move]] = {}
        for _one, each in self.moved:
            by_month.setdefault(each.effective_on.replace(day=1), []).append(each)
        found = []
        for _month, moves in sorted(by_month.items()):
            days = [each.effective_on for each in moves]
            leaving = sum(each.leave_until is not None for each in moves)
            before, after = map(in_cents, monthly_totals(moves))
            found.append(InMonth(min(days), max(days), len(moves), leaving, before, after))
        return found

    @property
    def reasons_to_stay(self) -> dict[Staying, int]:
        counts = dict.fromkeys(Staying, 0)
        for _one, each in self.staying:
            counts[each.reason] += 1
        return {reason: count for reason, count in counts.items() if count}

    @cached_property
    def fingerprint(self) -> str:
        """A short text that stands for every figure and date shown: it changes when one of them does."""
        told = [
            self.today.isoformat(),
            {**asdict(self.asked), "wished_on": self.asked.wished_on.isoformat()},
            [[str(each.subscription_id), each.version, *_facts(each.result)] for each in self.rows],
        ]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]


def in_cents(cents: Any) -> Money:
    """Rounded half up, for display alone."""
    return Money(round_half_up(cents), CURRENCY)


def _facts(result: Move | Stay) -> list[str]:
    if isinstance(result, Stay):
        return [result.reason.value, str(result.on)]
    return [
        str(result.tariff.price_id),
        str(result.effective_on),
        str(result.leave_until),
        str(result.before),
        str(result.after),
    ]


# ── Simulating ───────────────────────────────────────────────────────────────────────────────────────────────────


def simulate(session: Session, asked: Asked, today: date) -> Simulation:
    """What becomes of each subscriber of the version, were it published today. Nothing is written.

    Raises MigrationNotFound when a version does not exist.
    """
    from_version, to_version = version(session, asked.from_version_id), version(session, asked.to_version_id)
    given = served(session, from_version, to_version)
    tariffs = target_tariffs(session, to_version.id, asked.wished_on)
    plan = Plan(today, asked.wished_on, asked.notice_days)
    rows = [
        One(
            situation.subscription_id,
            situation.version,
            situation.customer.reference,
            situation.customer.name,
            situation.customer.language,
            becomes(situation, tariffs, plan, given),
        )
        for situation in _subscribers(session, from_version.id)
    ]
    rows.sort(key=lambda each: each.reference)
    return Simulation(asked, today, from_version, to_version, given, tuple(rows))


def becomes(
    situation: Situation, tariffs: Mapping[Key, PlanTariff], plan: Plan, given: Served
) -> Move | Stay:
    """What becomes of one subscriber."""
    signed = situation.contract.tariff
    target = tariffs.get((signed.frequency.value, signed.price.currency))
    return move(
        situation.contract,
        target,
        plan,
        has_reseller=situation.partner is not None,
        takes_away=bool(given.lost),
    )


def version(session: Session, version_id: int) -> PlanVersion:
    found = session.get(PlanVersion, version_id)
    if found is None:
        raise MigrationNotFound(version_id)
    return found


def target_tariffs(session: Session, version_id: int, on: date) -> dict[Key, PlanTariff]:
    """The operator's own tariffs of a version by frequency and currency: the last ones that begin by `on`."""
    statement = (
        select(PlanPrice.id, PlanPrice.frequency, PlanPrice.currency)
        .where(
            PlanPrice.plan_version_id == version_id,
            PlanPrice.reseller_id.is_(None),
            PlanPrice.valid_from <= on,
        )
        .order_by(PlanPrice.valid_from, PlanPrice.id)
    )
    wanted = {(row.frequency, row.currency): row.id for row in session.execute(statement)}
    found = contracts.tariffs(session, wanted.values())
    return {key: found[price_id][0] for key, price_id in wanted.items()}


def served(session: Session, before: PlanVersion, after: PlanVersion) -> Served:
    """What the versions serve differently. A service that is described otherwise counts as lost: who had it may leave."""
    features = session.scalars(select(Feature).order_by(Feature.position, Feature.code))
    lost, gained = [], []
    for feature in features:
        former, coming = before.features.get(feature.code), after.features.get(feature.code)
        if former and former != coming:
            lost.append(feature.names)
        if coming and not former:
            gained.append(feature.names)
    return Served(tuple(lost), tuple(gained))


def _subscribers(session: Session, version_id: int) -> Iterator[Situation]:
    """Those whose contract runs; who has left is nobody's subscriber any more."""
    statement = select(Subscription.id).where(
        Subscription.plan_version_id == version_id, Subscription.status == "active"
    )
    found = session.scalars(statement).all()
    for first in range(0, len(found), PAGE):
        yield from contracts.load_all(session, found[first : first + PAGE])


# ── Publishing ───────────────────────────────────────────────────────────────────────────────────────────────────


def publish(
    session: Session, asked: Asked, key: str, fingerprint: str, today: date, now: datetime, actor: Actor
) -> PlanMigration:
    """Write down what was simulated, once per key. Flushes; telling is left to `plan_moves`.

    Raises StalePreview when a figure or a date moved, NobodyToMigrate, KeyReused, MigrationNotFound.
    """
    # Two clicks at once are answered one after the other.
    session.execute(select(PlanVersion.id).where(PlanVersion.id == asked.from_version_id).with_for_update())
    done = session.scalars(select(PlanMigration).where(PlanMigration.key == key)).first()
    if done is not None:
        if _asked(done) != asked:
            raise KeyReused()
        return done
    shown = simulate(session, asked, today)
    if shown.fingerprint != fingerprint:
        raise StalePreview()
    if not shown.moved:
        raise NobodyToMigrate()
    migration = PlanMigration(
        key=key,
        from_version_id=asked.from_version_id,
        to_version_id=asked.to_version_id,
        wished_on=asked.wished_on,
        notice_days=asked.notice_days,
        reasons=dict(asked.reasons),
        state="published",
        published_by=actor.name,
        published_at=now,
    )
    session.add(migration)
    session.flush()
    session.execute(insert(PlanMove), [_row(migration.id, each) for each in shown.rows])
    before, after = shown.revenue
    audit.record(
        session, actor, None, "migration.published", str(migration.id), {},
        {
            "from": asked.from_version_id, "to": asked.to_version_id, "wished_on": asked.wished_on.isoformat(),
            "moved": len(shown.moved), "staying": len(shown.staying),
            "monthly_before_cents": before.cents, "monthly_after_cents": after.cents,
        }, now,
    )  # fmt: skip
    session.flush()
    return migration


def _asked(migration: PlanMigration) -> Asked:
    return Asked(
        migration.from_version_id,
        migration.to_version_id,
        migration.wished_on,
        migration.notice_days,
        migration.reasons,
    )


def _row(migration_id: int, one: One) -> dict[str, Any]:
    row: dict[str, Any] = {"migration_id": migration_id, "subscription_id": one.subscription_id}
    return row | move_columns(one.result)


def move_columns(result: Move | Stay) -> dict[str, Any]:
    """What becomes of one subscriber, as the columns of `plan_moves` hold it."""
    if isinstance(result, Stay):
        return {
            "state": STAYS, "stays": result.reason.value, "stays_until": result.on, "effective_on": None,
            "leave_until": None, "to_price_id": None, "months": None, "before_cents": None, "after_cents": None,
        }  # fmt: skip
    return {
        "state": PLANNED, "stays": None, "stays_until": None, "effective_on": result.effective_on,
        "leave_until": result.leave_until, "to_price_id": result.tariff.price_id, "months": result.months,
        "before_cents": result.before.cents, "after_cents": result.after.cents,
    }  # fmt: skip


# ── Cancelling ───────────────────────────────────────────────────────────────────────────────────────────────────


def cancel(
    session: Session, migration_id: int, fingerprint: str, today: date, now: datetime, actor: Actor
) -> PlanMigration:
    """Stop a migration: who was not told yet never is; who was is left to `plan_moves`, which tells them. Flushes.

    Cancelling again changes nothing. Raises StalePreview when other subscribers are concerned than those shown.
    """
    migration = locked(session, migration_id)
    if migration.state == "cancelled":
        return migration
    if cancel_fingerprint(session, migration, today) != fingerprint:
        raise StalePreview()
    migration.state, migration.cancelled_by, migration.cancelled_at = "cancelled", actor.name, now
    session.execute(
        update(PlanMove)
        .where(PlanMove.migration_id == migration.id, PlanMove.state == PLANNED)
        .values(state=TAKEN_BACK, taken_back_at=now)
    )
    audit.record(session, actor, None, "migration.cancelled", str(migration.id), {}, {}, now)
    session.flush()
    return migration


def cancel_fingerprint(session: Session, migration: PlanMigration, today: date) -> str:
    """Stands for how many were told, or are to be, and can still be spared."""
    statement = (
        select(PlanMove.state, func.count())
        .where(PlanMove.migration_id == migration.id, PlanMove.effective_on > today)
        .group_by(PlanMove.state)
        .order_by(PlanMove.state)
    )
    told = [migration.id, today.isoformat(), [list(row) for row in session.execute(statement)]]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]


# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────


def get(session: Session, migration_id: int) -> PlanMigration:
    """Raises MigrationNotFound."""
    found = session.get(PlanMigration, migration_id)
    if found is None:
        raise MigrationNotFound(migration_id)
    return found


def locked(session: Session, migration_id: int) -> PlanMigration:
    """The row, locked until the end of the transaction. Raises MigrationNotFound."""
    statement = select(PlanMigration).where(PlanMigration.id == migration_id).with_for_update()
    found = session.scalars(statement.execution_options(populate_existing=True)).first()
    if found is None:
        raise MigrationNotFound(migration_id)
    return found


@dataclass(frozen=True, slots=True)
class Offered:
    """A version that may be left or joined, and how many are on it now."""

    version: PlanVersion
    plan_code: str
    subscribers: int


def versions(session: Session) -> list[Offered]:
    """Every version ever sold, by plan, the latest first. Two statements."""
    counts = dict(
        session.execute(
            select(Subscription.plan_version_id, func.count())
            .where(Subscription.status == "active")
            .group_by(Subscription.plan_version_id)
        ).all()
    )
    found = session.scalars(select(PlanVersion)).unique()
    rows = [Offered(each, each.plan.code, int(counts.get(each.id, 0))) for each in found]
    return sorted(rows, key=lambda row: (row.version.plan.rank, row.plan_code, -row.version.number))


def all_of(session: Session) -> Sequence[PlanMigration]:
    """The latest first."""
    return session.scalars(select(PlanMigration).order_by(PlanMigration.id.desc())).all()
