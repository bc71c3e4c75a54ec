"""What the team reads each morning beside the revenue: unpaid by age, terms that end, options in use (S5)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Select, and_, case, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from webapp.domain.money import Money
from webapp.domain.periods import Period
from webapp.domain.terms import Commitment, Notice, NoticeUnit, Renewal, Terms
from webapp.models.accounts import Account
from webapp.models.catalogue import Option, OptionVersion
from webapp.models.invoices import IS_OPEN, PAYABLE_UNTIL, Invoice
from webapp.models.subscriptions import ScheduledChange, Subscription, SubscriptionOption
from webapp.services.revenue import CURRENCY

AHEAD = 90  # days of terms that the page looks ahead
AGES = (0, 30, 60, 90)  # days late, each the last of its group; the fifth group is what is older
SHOWN = 8
CHUNK = 200


@dataclass(frozen=True, slots=True)
class Unpaid:
    """Open invoices of one age, VAT included. `age` counts from 0, not yet due, to 4, more than 90 days late."""

    age: int
    count: int
    left: Money


@dataclass(frozen=True, slots=True)
class Owed:
    number: str
    reference: str
    name: str
    issued_on: date
    payable_until: date
    age: int
    left: Money


@dataclass(frozen=True, slots=True)
class Ending:
    """An account whose committed term ends soon, or whose last day to give notice comes."""

    reference: str
    name: str
    last_notice_day: date
    term_ends_on: date  # first day after the term
    renewal: str


@dataclass(frozen=True, slots=True)
class Ahead:
    endings: list[Ending]  # by the day that comes first; the first ones alone unless all were asked for
    terms_ending: int
    notices: int


@dataclass(frozen=True, slots=True)
class Adoption:
    code: str
    names: Mapping[str, Any]
    subscriptions: int
    units: int


def _age(today: date) -> Any:
    edges = [(today - timedelta(days=days) <= PAYABLE_UNTIL, number) for number, days in enumerate(AGES)]
    return case(*edges, else_=len(AGES))


def unpaid(session: Session, today: date) -> tuple[list[Unpaid], int]:
    """The five ages, empty ones too, and how many accounts have their sites suspended. One statement.

    An invoice is late from the day after its last day to pay.
    """
    age = _age(today).label("age")
    suspended = select(func.count()).select_from(Account).where(Account.suspended_on.is_not(None))
    rows = session.execute(
        select(
            age,
            func.count(),
            func.sum(Invoice.total_cents - Invoice.paid_cents),
            suspended.scalar_subquery(),
        )
        .where(IS_OPEN, Invoice.currency == CURRENCY)
        .group_by(age)
    ).all()
    found = {row[0]: Unpaid(row[0], int(row[1]), Money(int(row[2]), CURRENCY)) for row in rows}
    empty = Money(0, CURRENCY)
    ages = [found.get(number, Unpaid(number, 0, empty)) for number in range(len(AGES) + 1)]
    return ages, int(rows[0][3]) if rows else 0


def owed(session: Session, today: date) -> list[Owed]:
    """Each open invoice, the oldest first."""
    rows = session.execute(
        select(
            Invoice.number,
            Account.reference,
            Account.name,
            Invoice.issued_on,
            PAYABLE_UNTIL,
            _age(today),
            Invoice.total_cents - Invoice.paid_cents,
        )
        .join(Account, Account.id == Invoice.account_id)
        .where(IS_OPEN, Invoice.currency == CURRENCY)
        .order_by(PAYABLE_UNTIL, Invoice.id)
    )
    return [
        Owed(number, reference, name, issued_on, until, age, Money(int(left), CURRENCY))
        for number, reference, name, issued_on, until, age, left in rows
    ]


# ── Terms ────────────────────────────────────────────────────────────────────────────────────────────────────────

COMMITTED = (
    Subscription.commitment_starts_on,
    Subscription.commitment_months,
    Subscription.notice_count,
    Subscription.notice_unit,
    Subscription.renewal,
)


def _goes_on(statement: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """Committed, and nobody has given notice yet."""
    gave_notice = exists().where(
        ScheduledChange.subscription_id == Subscription.id,
        ScheduledChange.kind == "termination",
        ScheduledChange.status == "pending",
    )
    return statement.where(Subscription.status == "active", Subscription.commitment_months > 0, ~gave_notice)


def ahead(session: Session, today: date, most: int | None = SHOWN) -> Ahead:
    """The notices and the ends of terms of the next days, first of all those that come first.

    Subscriptions that share a first day and terms share their dates: those are worked out once for all of them, so
    that this takes two statements whatever the number of accounts (and a few more for all of them, with `most` None).
    """
    window = Period(today, today + timedelta(days=AHEAD))
    alike = session.execute(_goes_on(select(*COMMITTED, func.count()).group_by(*COMMITTED))).all()
    coming: list[tuple[date, date, date, tuple[Any, ...], int]] = []
    terms_ending = notices = 0
    for starts_on, months, notice_count, notice_unit, renewal, count in alike:
        facts = (starts_on, months, notice_count, notice_unit, renewal)
        notice = Notice(notice_count, NoticeUnit(notice_unit))
        term = Commitment(starts_on, Terms(months, notice, Renewal(renewal))).term_on(today)
        if term is None:
            continue
        last_notice = notice.last_day_before(term.end)
        dates = [day for day in (last_notice, term.end) if day in window]
        if dates:
            coming.append((min(dates), last_notice, term.end, facts, int(count)))
            terms_ending += int(count) if term.end in window else 0
            notices += int(count) if last_notice in window else 0
    coming.sort(key=lambda each: (each[:3], str(each[3])))
    if most is not None:
        enough, reached = [], 0
        for each in coming:
            if reached >= most:
                break
            enough.append(each)
            reached += each[4]
        coming = enough
    endings = _accounts(session, coming)
    return Ahead(endings if most is None else endings[:most], terms_ending, notices)


def _accounts(
    session: Session, coming: Sequence[tuple[date, date, date, tuple[Any, ...], int]]
) -> list[Ending]:
    dates = {facts: (first, notice, end) for first, notice, end, facts, _count in coming}
    found = []
    for first in range(0, len(coming), CHUNK):
        chosen = or_(
            *(
                and_(*(column == value for column, value in zip(COMMITTED, each[3], strict=True)))
                for each in coming[first : first + CHUNK]
            )
        )
        rows = session.execute(
            _goes_on(
                select(Account.reference, Account.name, *COMMITTED).join(
                    Account, Account.id == Subscription.account_id
                )
            ).where(chosen)
        )
        for reference, name, *facts in rows:
            soonest, notice, end = dates[tuple(facts)]
            found.append((soonest, Ending(reference, name, notice, end, facts[-1])))
    return [ending for _day, ending in sorted(found, key=lambda each: (each[0], each[1].reference))]


# ── Options ──────────────────────────────────────────────────────────────────────────────────────────────────────


def adoption(session: Session, today: date) -> list[Adoption]:
    """How many running subscriptions use each option today, the most used first. One statement."""
    latest = aliased(OptionVersion)
    newest = select(func.max(latest.number)).where(latest.option_id == Option.id).scalar_subquery()
    used = (
        select(
            OptionVersion.option_id,
            func.count(SubscriptionOption.subscription_id.distinct()).label("subscriptions"),
            func.sum(SubscriptionOption.quantity).label("units"),
        )
        .join(OptionVersion, OptionVersion.id == SubscriptionOption.option_version_id)
        .join(Subscription, Subscription.id == SubscriptionOption.subscription_id)
        .where(
            Subscription.status == "active",
            SubscriptionOption.starts_on <= today,
            or_(SubscriptionOption.ends_on.is_(None), SubscriptionOption.ends_on > today),
        )
        .group_by(OptionVersion.option_id)
        .subquery()
    )
    rows = session.execute(
        select(Option.code, OptionVersion.names, used.c.subscriptions, used.c.units)
        .join(used, used.c.option_id == Option.id)
        .join(OptionVersion, and_(OptionVersion.option_id == Option.id, OptionVersion.number == newest))
        .order_by(used.c.subscriptions.desc(), Option.position)
    )
    return [Adoption(code, names, int(count), int(units)) for code, names, count, units in rows]
