"""The clients of a reseller, as its own people see them: state, plan, what they pay, what is late, what is to come (R1).

Every statement names the reseller: another's client does not exist here. What a client pays is worked out from its
contract, at the reseller's own tariffs, as its own pages say it.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session

from webapp.domain.money import Money, round_half_up
from webapp.domain.pricing import monthly_price
from webapp.domain.reselling import BilledParty
from webapp.models.accounts import Account, BillingDetails, Membership, Reseller, User
from webapp.models.invoices import IS_OPEN, Invoice
from webapp.models.subscriptions import Subscription
from webapp.services import contracts
from webapp.services.contracts import Situation

PAGE = 20


class ClientNotFound(LookupError):
    """No such client of this reseller: the door answers 404."""


@dataclass(frozen=True, slots=True)
class Client:
    """`state`: active, suspended, terminating, ended, or none when nothing was ever signed.

    `monthly` is the list price per month, VAT excluded (M4); `late` what is past due, None when the reseller is the one
    who is billed: its clients owe the platform nothing.
    """

    account_id: uuid.UUID
    reference: str
    name: str
    state: str
    situation: Situation | None
    monthly: Money | None
    late: Money | None
    late_invoices: int

    @property
    def subscription_id(self) -> uuid.UUID | None:
        return self.situation.subscription_id if self.situation else None


@dataclass(frozen=True, slots=True)
class Clients:
    """One page of them. `count` is that of the whole list."""

    rows: tuple[Client, ...]
    count: int
    number: int

    @property
    def pages(self) -> int:
        return -(-self.count // PAGE)


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    email: str
    role: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """One client, with whom to call."""

    client: Client
    details: BillingDetails
    people: tuple[Person, ...]


STATES = ("active", "suspended", "ended")

_RUNNING_OR_LATEST = (
    select(Subscription.id)
    .where(Subscription.account_id == Account.id)
    .order_by(Subscription.status, Subscription.starts_on.desc(), Subscription.id)
    .limit(1)
    .correlate(Account)
    .scalar_subquery()
)
_IS_RUNNING = (
    select(Subscription.id)
    .where(Subscription.account_id == Account.id, Subscription.status == "active")
    .correlate(Account)
    .exists()
)


def listed(
    session: Session,
    reseller_id: uuid.UUID,
    today: date,
    *,
    typed: str = "",
    state: str = "",
    number: int = 1,
) -> Clients:
    """The clients whose name, company, reference or address is, or holds, what was typed; by name.

    `state` is one of STATES, or empty for all. One statement for each client of the page, and three.
    """
    conditions = [*_of(reseller_id), *_matching(typed), *_in_state(state)]
    count = session.scalar(
        select(func.count())
        .select_from(Account)
        .outerjoin(BillingDetails, BillingDetails.account_id == Account.id)
        .where(*conditions)
    )
    statement = (
        _rows(today)
        .where(*conditions)
        .order_by(func.lower(Account.name), Account.reference)
        .limit(PAGE)
        .offset((number - 1) * PAGE)
    )
    shows_late = _is_billed_directly(session, reseller_id)
    rows = tuple(_client(session, row, shows_late, today) for row in session.execute(statement))
    return Clients(rows, int(count or 0), number)


def sheet(session: Session, reseller_id: uuid.UUID, reference: str, today: date) -> Sheet:
    """One client. Raises ClientNotFound."""
    row = session.execute(_rows(today).where(*_of(reseller_id), Account.reference == reference)).first()
    if row is None:
        raise ClientNotFound(reference)
    people = session.execute(
        select(User.full_name, User.email, Membership.role)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.account_id == row.id, User.disabled_at.is_(None))
        .order_by(User.full_name, User.email)
    )
    return Sheet(
        _client(session, row, _is_billed_directly(session, reseller_id), today),
        session.get_one(BillingDetails, row.id),
        tuple(Person(*each) for each in people),
    )


def _of(reseller_id: uuid.UUID) -> list[ColumnElement[bool]]:
    return [Account.reseller_id == reseller_id, Account.closed_at.is_(None)]


def _matching(typed: str) -> list[ColumnElement[bool]]:
    if not typed:
        return []
    columns = (Account.name, Account.reference, BillingDetails.legal_name, BillingDetails.invoice_email)
    return [or_(*(column.icontains(typed, autoescape=True) for column in columns))]


def _in_state(state: str) -> list[ColumnElement[bool]]:
    conditions: dict[str, list[ColumnElement[bool]]] = {
        "active": [_IS_RUNNING, Account.suspended_on.is_(None)],
        "suspended": [Account.suspended_on.is_not(None)],
        "ended": [~_IS_RUNNING],
    }
    return conditions.get(state, [])


def _rows(today: date) -> Select[*tuple[Any, ...]]:
    late = (IS_OPEN, Invoice.account_id == Account.id, Invoice.due_on < today)
    left = func.coalesce(func.sum(Invoice.total_cents - Invoice.paid_cents), 0)
    return (
        select(
            Account.id,
            Account.reference,
            Account.name,
            Account.suspended_on,
            _RUNNING_OR_LATEST.label("subscription_id"),
            select(left).where(*late).correlate(Account).scalar_subquery().label("late_cents"),
            select(func.count(Invoice.id)).where(*late).correlate(Account).scalar_subquery().label("late"),
        )
        .select_from(Account)
        .outerjoin(BillingDetails, BillingDetails.account_id == Account.id)
    )


def _is_billed_directly(session: Session, reseller_id: uuid.UUID) -> bool:
    return session.get_one(Reseller, reseller_id).billed_party == BilledParty.CLIENT


def _client(session: Session, row: Any, shows_late: bool, today: date) -> Client:
    situation = contracts.load(session, row.subscription_id) if row.subscription_id else None
    return Client(
        row.id,
        row.reference,
        row.name,
        _state(row, situation),
        situation,
        _monthly(situation, today),
        Money(int(row.late_cents)) if shows_late else None,
        int(row.late) if shows_late else 0,
    )


def _state(row: Any, situation: Situation | None) -> str:
    if situation is None:
        return "none"
    if situation.contract.ended_on is not None:
        return "ended"
    if row.suspended_on is not None:
        return "suspended"
    return "terminating" if situation.contract.termination() else "active"


def _monthly(situation: Situation | None, today: date) -> Money | None:
    if situation is None or situation.contract.ended_on is not None:
        return None
    contract = situation.contract.on(today)
    return Money(round_half_up(monthly_price(contract, today)), contract.tariff.price.currency)


def coming(situation: Situation, today: date) -> Sequence[contracts.PendingChange]:
    """The changes that wait for their day, the next first."""
    found = (change for change in situation.pending if change.effective_on > today)
    return sorted(found, key=lambda change: (change.effective_on, change.id))
