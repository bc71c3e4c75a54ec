"""Rehearsal: the clock of a copy of an account is moved forward, and what would happen is read (spec S, issue of staff).

The copy lives in memory; the same services as the nightly commands work on it, day by day and in their order: renew,
bill, announce, receive what is assumed to be paid, remind. Nothing leaves it, and the account itself is only read.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import TypeVar

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.domain.access import SYSTEM
from webapp.domain.money import Money
from webapp.domain.periods import boundary
from webapp.domain.refusals import Refusal
from webapp.models import Base, copying
from webapp.models.accounts import Account
from webapp.models.events import Event
from webapp.models.invoices import Invoice, InvoiceLine
from webapp.models.records import OutboxMessage
from webapp.models.subscriptions import Subscription
from webapp.services import announcements, billing, dunning, payments, renewals, subscriptions, terminations
from webapp.services.payments import Receipt

MOST_MONTHS = 24
Row = TypeVar("Row", Invoice, OutboxMessage, Event)
TOLD_EVENTS = frozenset(
    {
        "account.suspended",
        "account.restored",
        "subscription.renewed",
        "subscription.changed",
        "subscription.ended",
    }
)


class Paying(StrEnum):
    """What is assumed of the account's payments."""

    ON_TIME = "on_time"
    LATE = "late"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Scenario:
    """`months` from today, at most MOST_MONTHS. `late_days` after the due date, when paying late.

    `plan` and `frequency` are changed to, or the contract is terminated, on `act_on`.
    """

    months: int = 12
    paying: Paying = Paying.ON_TIME
    late_days: int = 0
    act_on: date | None = None
    plan: str | None = None
    frequency: str | None = None
    terminates: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    description: str
    net: Money


@dataclass(frozen=True, slots=True)
class Happening:
    """Something of one day. `kind` is invoice, credit_note, payment, mail, refused or one of TOLD_EVENTS.

    `subject` is a document's number, or the subject of a mail; `refusal` is why an assumed act was refused.
    """

    on: date
    kind: str
    subject: str = ""
    net: Money | None = None
    total: Money | None = None
    due_on: date | None = None
    lines: tuple[Line, ...] = ()
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Rehearsed:
    happenings: tuple[Happening, ...]
    until: date  # the first day that was not played
    billed: Money  # invoices less credit notes, VAT included


class AccountNotFound(LookupError):
    """No account of that reference."""


def account_of(session: Session, reference: str) -> Account:
    """Raises AccountNotFound."""
    account = session.scalars(select(Account).where(Account.reference == reference)).one_or_none()
    if account is None:
        raise AccountNotFound(reference)
    return account


def rehearse(session: Session, account_id: uuid.UUID, scenario: Scenario, today: date) -> Rehearsed:
    """Play the account's life from `today` on, in a copy. Reads only. Raises ValueError beyond MOST_MONTHS."""
    if not 1 <= scenario.months <= MOST_MONTHS:
        raise ValueError(f"{scenario.months} months")
    until = boundary(today, scenario.months)
    engine = copying.empty_copy()
    try:
        with Session(engine, autoflush=False) as copy:
            copying.copy_account(session, copy, account_id)
            copy.flush()
            found = list(_Stage(copy, account_id, scenario).play(today, until))
    finally:
        engine.dispose()
    billed = sum(each.total.cents for each in found if each.total is not None and each.kind != "payment")
    return Rehearsed(tuple(found), until, Money(billed))


class _Stage:
    """The copy while it is played."""

    def __init__(self, session: Session, account_id: uuid.UUID, scenario: Scenario) -> None:
        self.session = session
        self.account_id = account_id
        self.scenario = scenario
        last_invoice = session.scalar(select(func.max(Invoice.id))) or 0
        self.seen: dict[type[Base], int] = {Invoice: last_invoice, OutboxMessage: 0, Event: 0}

    def play(self, today: date, until: date) -> Iterator[Happening]:
        day = today
        while day < until:
            yield from self._day(day)
            day += timedelta(days=1)

    def _day(self, day: date) -> Iterator[Happening]:
        now = datetime.combine(day, time(6), tzinfo=UTC)
        found = list(self._act(day, now)) if day == self.scenario.act_on else []
        is_quiet = not found and day != self.scenario.act_on
        for subscription_id in renewals.subscriptions_to_turn(self.session, day):
            renewals.turn(self.session, subscription_id, day, now, link="")
            is_quiet = False
        for subscription_id in billing.subscriptions_due(self.session, day):
            billing.bill_due(self.session, subscription_id, day, now)
            is_quiet = False
        for due in announcements.due(self.session, day):
            announcements.announce(self.session, due, day, now, link="")
            is_quiet = False
        payments_made = list(self._payments(day, now))
        if self._is_late(day):
            dunning.remind(self.session, self.account_id, day, now)
            is_quiet = False
        if is_quiet and not payments_made:
            return
        self.session.flush()
        yield from found
        yield from self._documents(day)
        yield from payments_made
        yield from self._events(day)
        yield from self._mails(day)

    # ── What is assumed ──────────────────────────────────────────────────────────────────────────────────────────

    def _act(self, day: date, now: datetime) -> Iterator[Happening]:
        subscription_id = self.session.scalars(
            select(Subscription.id).where(Subscription.status == "active").order_by(Subscription.starts_on)
        ).first()
        if subscription_id is None:
            return
        try:
            if self.scenario.terminates:
                self._terminate(subscription_id, day, now)
            elif self.scenario.plan and self.scenario.frequency:
                self._change_plan(subscription_id, day, now)
        except Refusal as refusal:
            yield Happening(day, "refused", refusal=refusal)

    def _change_plan(self, subscription_id: uuid.UUID, day: date, now: datetime) -> None:
        plan, frequency = str(self.scenario.plan), str(self.scenario.frequency)
        shown = subscriptions.preview_plan(self.session, subscription_id, plan, frequency, day)
        subscriptions.change_plan(
            self.session, subscription_id, plan, frequency, shown.fingerprint, day, now, SYSTEM, link=""
        )

    def _terminate(self, subscription_id: uuid.UUID, day: date, now: datetime) -> None:
        shown = terminations.preview(self.session, subscription_id, day)
        terminations.terminate(
            self.session, subscription_id, "", "", shown.fingerprint, day, now, SYSTEM, link=""
        )

    def _payments(self, day: date, now: datetime) -> Iterator[Happening]:
        if self.scenario.paying is Paying.NEVER:
            return
        late = self.scenario.late_days if self.scenario.paying is Paying.LATE else 0
        open_ones = self.session.scalars(
            select(Invoice)
            .where(Invoice.kind == "invoice", Invoice.paid_cents < Invoice.total_cents)
            .order_by(Invoice.due_on, Invoice.id)
        )
        for invoice in list(open_ones):
            # What was late before the rehearsal is paid on its first day, unless nothing ever is.
            if invoice.payable_until + timedelta(days=late) <= day:
                left = Money(invoice.total_cents - invoice.paid_cents, invoice.currency)
                method = invoice.payment["method"]
                receipt = Receipt(self.account_id, left, method, f"rehearsal:{invoice.number}", day)
                payments.receive(self.session, receipt, day, now, first=[invoice.id])
                yield Happening(day, "payment", invoice.number, total=left)

    # ── What happened ────────────────────────────────────────────────────────────────────────────────────────────

    def _documents(self, day: date) -> Iterator[Happening]:
        for invoice in self._new(Invoice):
            lines = self.session.execute(
                select(InvoiceLine.description, InvoiceLine.net_cents)
                .where(InvoiceLine.invoice_id == invoice.id)
                .order_by(InvoiceLine.position)
            )
            yield Happening(
                day,
                invoice.kind,
                invoice.number,
                Money(invoice.net_cents, invoice.currency),
                Money(invoice.total_cents, invoice.currency),
                invoice.due_on if invoice.kind == "invoice" else None,
                tuple(Line(row.description, Money(row.net_cents, invoice.currency)) for row in lines),
            )

    def _events(self, day: date) -> Iterator[Happening]:
        for event in self._new(Event):
            if event.kind in TOLD_EVENTS:
                yield Happening(day, event.kind)

    def _mails(self, day: date) -> Iterator[Happening]:
        told: set[str] = set()  # one mail to several owners is told once
        for message in self._new(OutboxMessage):
            if message.template not in told:
                told.add(message.template)
                yield Happening(day, "mail", message.subject)

    def _new(self, kind: type[Row]) -> list[Row]:
        """The rows of this kind written since they were last asked for."""
        rows = list(self.session.scalars(select(kind).where(kind.id > self.seen[kind]).order_by(kind.id)))
        if rows:
            self.seen[kind] = rows[-1].id
        return rows

    def _is_late(self, day: date) -> bool:
        statement = select(Invoice.id).where(
            Invoice.kind == "invoice", Invoice.paid_cents < Invoice.total_cents, Invoice.payable_until < day
        )
        return self.session.scalars(statement.limit(1)).first() is not None
