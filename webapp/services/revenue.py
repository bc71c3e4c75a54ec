"""Monthly recurring revenue (MRR) and how it moves, read from the lines of issued documents (S5, docs/mrr.md).

On a day, each recurring line whose service covers that day counts `quantity` times its unit price, divided by the
months of its whole period; what was given back is taken off, what a discount takes off too. One-off lines do not
count, nor credit notes by amount only: they change nothing of what is served. VAT excluded. Sums are exact: they are
kept in twelfths of a cent, because a yearly price divided by twelve has no whole cents.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    Subquery,
    and_,
    case,
    cast,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session, aliased
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from webapp.domain.money import Money, round_half_up
from webapp.domain.periods import boundary
from webapp.models.accounts import Account, Reseller
from webapp.models.invoices import Invoice, InvoiceLine
from webapp.models.revenue import RevenueDay, RevenueMove, RevenuePoint
from webapp.models.subscriptions import Subscription
from webapp.services.contracts import AMOUNT_ONLY

CURRENCY = "EUR"  # the catalogue's: what is sold in another currency is not added to it
RECURRING = ("plan", "option", "establishment", "discount")
NEW, EXPANSION, CONTRACTION, CHURN, REACTIVATION = "new", "expansion", "contraction", "churn", "reactivation"
KINDS = (NEW, REACTIVATION, EXPANSION, CONTRACTION, CHURN)
KEPT = "kept"  # moved neither way
PER_CENT = 12  # twelfths in a cent
LONGEST_MONTH = 60  # days: a longer whole period is a year, as in services.forecasts
ROUNDING = 5  # cents: a line of so little, where one unit costs more than twice that, corrects a rounding
PAGE = 50


class days_between(FunctionElement[int]):  # noqa: N801  # an SQL function is named like one
    """Calendar days from the first date to the second."""

    type = Integer()
    inherit_cache = True


@compiles(days_between, "sqlite")
def _days_between_sqlite(element: days_between, compiler: SQLCompiler, **kw: Any) -> str:
    first, second = (compiler.process(each, **kw) for each in element.clauses)
    return f"cast(julianday({second}) - julianday({first}) as integer)"


@compiles(days_between, "postgresql")
def _days_between_postgresql(element: days_between, compiler: SQLCompiler, **kw: Any) -> str:
    first, second = (compiler.process(each, **kw) for each in element.clauses)
    return f"({second} - {first})"


@dataclass(frozen=True, slots=True)
class Level:
    """The revenue of a day. `is_measured` when it was kept, else it was worked out now."""

    on_day: date
    twelfths: int
    subscriptions: int
    is_measured: bool = False

    @property
    def money(self) -> Money:
        return in_cents(self.twelfths)


@dataclass(frozen=True, slots=True)
class Movement:
    """How the subscriptions of one kind of movement, of one reseller or none, went from one day to another."""

    kind: str
    reseller: str | None
    count: int
    before: int  # twelfths of a cent
    after: int


@dataclass(frozen=True, slots=True)
class Moved:
    """One account that moved."""

    reference: str
    name: str
    kind: str
    before: Money
    after: Money

    @property
    def difference(self) -> Money:
        return self.after - self.before


def in_cents(twelfths: int) -> Money:
    """Rounded half up, for display alone: sums are made before.

    >>> in_cents(119_95 * 1), in_cents(79_00 * 12)
    (Money(10.00, EUR), Money(79.00, EUR))
    """
    return Money(round_half_up(Fraction(twelfths, PER_CENT)), CURRENCY)


# ── One day ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _worth() -> ColumnElement[int]:
    """What one line counts for, in twelfths of a cent: below nothing when it gives back."""
    line = InvoiceLine
    a_month = days_between(line.whole_start, line.whole_end) <= LONGEST_MONTH
    # A discount has a price below nothing: what gives it back is above. A line that undoes a giving back has its sign.
    is_charge = or_(line.root_id.is_(None), (line.net_cents > 0) == (line.unit_cents > 0))
    units = cast(line.unit_cents, BigInteger) * line.quantity * case((a_month, PER_CENT), else_=1)
    return case((is_charge, units), else_=-units)


def _counts(day: date) -> ColumnElement[bool]:
    """The lines that count on a day."""
    line = InvoiceLine
    by_amount = (
        select(Invoice.id).where(Invoice.reason == AMOUNT_ONLY, Invoice.id == line.invoice_id).exists()
    )
    one_unit_is_dearer = cast(func.abs(line.unit_cents), BigInteger) * days_between(
        line.period_start, line.period_end
    ) > 2 * ROUNDING * days_between(line.whole_start, line.whole_end)
    return and_(
        line.period_end > day,
        line.period_start <= day,
        line.item.in_(RECURRING),
        or_(line.root_id.is_(None), ~by_amount),
        ~and_(func.abs(line.net_cents) <= ROUNDING, one_unit_is_dearer),
    )


def _live(day: date) -> Select[*tuple[Any, ...]]:
    """What each subscription brings in on `day`, from its lines."""
    worth = func.sum(_worth())
    return (
        select(InvoiceLine.subscription_id.label("subscription_id"), worth.label("twelfths"))
        .join(Subscription, Subscription.id == InvoiceLine.subscription_id)
        .where(_counts(day), Subscription.currency == CURRENCY)
        .group_by(InvoiceLine.subscription_id)
        .having(worth != 0)
    )


def _points(day: date, is_measured: bool) -> Select[*tuple[Any, ...]]:
    if not is_measured:
        return _live(day)
    return select(RevenuePoint.subscription_id, RevenuePoint.twelfths).where(RevenuePoint.on_day == day)


def of_subscription(session: Session, subscription_id: uuid.UUID, day: date) -> Fraction:
    """The cents per month of one subscription on a day, exactly."""
    statement = _live(day).where(InvoiceLine.subscription_id == subscription_id)
    row = session.execute(statement).first()
    return Fraction(int(row.twelfths) if row else 0, PER_CENT)


def levels(
    session: Session, days: Sequence[date], today: date, *, may_be_of_yesterday: bool = False
) -> list[Level]:
    """The revenue on each of these days. Two statements at most, however many they are.

    Measured days are read as they were kept; the others, and `today` always, are worked out from the lines. With
    `may_be_of_yesterday`, yesterday stands for today when it was measured and is of the same month.
    """
    yesterday = today - timedelta(days=1)
    asked = {*days, yesterday} if may_be_of_yesterday and yesterday.month == today.month else set(days)
    kept = {
        row.on_day: Level(row.on_day, int(row.twelfths), int(row.subscriptions), is_measured=True)
        for row in session.scalars(select(RevenueDay).where(RevenueDay.on_day.in_(asked)))
        if row.on_day < today
    }
    if yesterday in kept and yesterday in asked - set(days):
        days = [yesterday if day == today else day for day in days]
    missing = [day for day in days if day not in kept]
    if missing:
        each = []
        for number, day in enumerate(missing):
            live = _live(day).subquery()
            total = func.coalesce(func.sum(live.c.twelfths), 0)
            each.append(select(literal(number), total, func.count(live.c.subscription_id)))
        for number, twelfths, count in session.execute(union_all(*each)):
            kept[missing[number]] = Level(missing[number], int(twelfths), int(count))
    return [kept[day] for day in days]


# ── From one day to another ──────────────────────────────────────────────────────────────────────────────────────


def _moves(since: Level, until: Level) -> Subquery:
    """Each subscription with revenue on either day: before, after, and the kind of its movement."""
    start, end = (_points(level.on_day, level.is_measured).subquery() for level in (since, until))
    nothing = cast(literal(0), BigInteger)
    both = union_all(
        select(start.c.subscription_id, start.c.twelfths.label("before"), nothing.label("after")),
        select(end.c.subscription_id, nothing.label("before"), end.c.twelfths.label("after")),
    ).subquery()
    sides = (
        select(
            both.c.subscription_id,
            func.sum(both.c.before).label("before"),
            func.sum(both.c.after).label("after"),
        )
        .group_by(both.c.subscription_id)
        .subquery()
    )
    earlier = aliased(InvoiceLine)
    had_some = exists().where(
        earlier.subscription_id == sides.c.subscription_id,
        earlier.period_start <= since.on_day,
        earlier.item.in_(RECURRING),
        earlier.root_id.is_(None),
        earlier.net_cents > 0,
    )
    before, after = sides.c.before, sides.c.after
    kind = case(
        (before == after, KEPT),
        (and_(before == 0, had_some), REACTIVATION),
        (before == 0, NEW),
        (after == 0, CHURN),
        (after > before, EXPANSION),
        else_=CONTRACTION,
    )
    return select(sides.c.subscription_id, before, after, kind.label("kind")).subquery()


def movements(session: Session, since: Level, until: Level) -> list[Movement]:
    """By kind and by reseller, those that did not move included: the sum of `after` is the revenue of `until`, and that
    of the differences is the difference of the two days. One statement."""
    kept = _kept_moves(session, since, until) if since.is_measured and until.is_measured else []
    if kept:
        return kept
    moves = _by_reseller(since, until).subquery()
    return _told(session, select(*(moves.c[name] for name in COLUMNS), Reseller.name), moves.c.reseller_id)


COLUMNS = ("kind", "count", "before", "after")


def _by_reseller(since: Level, until: Level) -> Select[*tuple[Any, ...]]:
    moves = _moves(since, until)
    return (
        select(
            moves.c.kind,
            Account.reseller_id,
            func.count().label("count"),
            func.sum(moves.c.before).label("before"),
            func.sum(moves.c.after).label("after"),
        )
        .join(Subscription, Subscription.id == moves.c.subscription_id)
        .join(Account, Account.id == Subscription.account_id)
        .group_by(moves.c.kind, Account.reseller_id)
    )


def _kept_moves(session: Session, since: Level, until: Level) -> list[Movement]:
    move = RevenueMove.__table__.c
    wanted = select(*(move[name] for name in COLUMNS), Reseller.name).where(
        move.since_on == since.on_day, move.until_on == until.on_day
    )
    return _told(session, wanted, move.reseller_id)


def _told(
    session: Session, moves: Select[*tuple[Any, ...]], reseller_id: ColumnElement[uuid.UUID]
) -> list[Movement]:
    rows = session.execute(
        moves.outerjoin(Reseller, Reseller.id == reseller_id).order_by(Reseller.name, "kind")
    )
    return [
        Movement(kind, name, int(count), int(before), int(after)) for kind, count, before, after, name in rows
    ]


def moved(
    session: Session, since: Level, until: Level, kind: str | None = None, page: int | None = None
) -> list[Moved]:
    """The accounts that moved, the greatest difference first: all of them, or one page and one more to tell of a next."""
    moves = _moves(since, until)
    statement = (
        select(Account.reference, Account.name, moves.c.kind, moves.c.before, moves.c.after)
        .join(Subscription, Subscription.id == moves.c.subscription_id)
        .join(Account, Account.id == Subscription.account_id)
        .where(moves.c.kind != KEPT if kind is None else moves.c.kind == kind)
        .order_by(func.abs(moves.c.after - moves.c.before).desc(), Account.reference)
    )
    if page is not None:
        statement = statement.limit(PAGE + 1).offset((max(page, 1) - 1) * PAGE)
    return [
        Moved(reference, name, which, in_cents(int(before)), in_cents(int(after)))
        for reference, name, which, before, after in session.execute(statement)
    ]


# ── Keeping the ends of months ───────────────────────────────────────────────────────────────────────────────────


def last_day(month: date) -> date:
    """
    >>> last_day(date(2026, 2, 1))
    datetime.date(2026, 2, 28)
    """
    return boundary(month.replace(day=1), 1) - timedelta(days=1)


def measure(session: Session, day: date, now: datetime) -> Level:
    """Keep the revenue of a day, by statements inside the database. Measuring again gives what the lines then say.

    Flushes. Killed before the commit, it has kept nothing.
    """
    forget(session, [day])
    kept = RevenueDay(on_day=day, twelfths=0, subscriptions=0, measured_at=now)
    session.add(kept)
    session.flush()
    live = _live(day).subquery()
    session.execute(
        insert(RevenuePoint).from_select(
            ["on_day", "subscription_id", "twelfths"],
            select(literal(day), live.c.subscription_id, live.c.twelfths),
        )
    )
    total, count = session.execute(
        select(func.coalesce(func.sum(RevenuePoint.twelfths), 0), func.count()).where(
            RevenuePoint.on_day == day
        )
    ).one()
    kept.twelfths, kept.subscriptions = int(total), int(count)
    session.flush()
    return Level(day, kept.twelfths, kept.subscriptions, is_measured=True)


def keep_moves(session: Session, since: Level, until: Level) -> None:
    """Keep how the revenue went between two measured days, by one statement inside the database. Flushes."""
    pair = RevenueMove.since_on == since.on_day, RevenueMove.until_on == until.on_day
    session.execute(delete(RevenueMove).where(*pair))
    moves = _by_reseller(since, until).subquery()
    session.execute(
        insert(RevenueMove).from_select(
            ["since_on", "until_on", "reseller_id", *COLUMNS],
            select(
                literal(since.on_day),
                literal(until.on_day),
                moves.c.reseller_id,
                *(moves.c[name] for name in COLUMNS),
            ),
        )
    )
    session.flush()


def unkept_moves(session: Session) -> list[tuple[Level, Level]]:
    """The pairs of measured days, each with the end of the month before it, whose moves are not kept: oldest first."""
    measured = [
        Level(row.on_day, int(row.twelfths), int(row.subscriptions), is_measured=True)
        for row in session.scalars(select(RevenueDay).order_by(RevenueDay.on_day))
    ]
    by_day = {level.on_day: level for level in measured}
    rows = session.execute(select(RevenueMove.since_on, RevenueMove.until_on).distinct())
    kept = {(row.since_on, row.until_on) for row in rows}
    pairs = [(level.on_day.replace(day=1) - timedelta(days=1), level) for level in measured]
    return [
        (by_day[since], until)
        for since, until in pairs
        if since in by_day and (since, until.on_day) not in kept
    ]


def forget(session: Session, days: Sequence[date]) -> None:
    """Days that are to be measured again, or no more: their points and what moved to and from them go too."""
    session.execute(
        delete(RevenueMove).where(or_(RevenueMove.since_on.in_(days), RevenueMove.until_on.in_(days)))
    )
    session.execute(delete(RevenuePoint).where(RevenuePoint.on_day.in_(days)))
    session.execute(delete(RevenueDay).where(RevenueDay.on_day.in_(days)))


def inside_months(session: Session, before: date) -> list[date]:
    """The measured days before that one that end no month: each was yesterday once."""
    days = session.scalars(select(RevenueDay.on_day).where(RevenueDay.on_day < before))
    return [day for day in days if day != last_day(day)]


def unmeasured(session: Session, months: int, today: date) -> list[date]:
    """The ends of the last `months` whole months that were not measured, oldest first, and always the last one: what
    was billed late belongs to it."""
    ends = [last_day(boundary(today.replace(day=1), -back)) for back in range(months, 0, -1)]
    kept = set(session.scalars(select(RevenueDay.on_day).where(RevenueDay.on_day.in_(ends))))
    return [day for day in ends if day not in kept or day == ends[-1]]


def total_of(movements: Iterable[Movement]) -> tuple[int, int]:
    """Twelfths of a cent before and after."""
    rows = list(movements)
    return sum(each.before for each in rows), sum(each.after for each in rows)
