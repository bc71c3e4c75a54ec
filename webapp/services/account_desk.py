"""One account, for whoever answers its call: all that the desk shows that is not the contract itself (S1).

One statement whatever the number of people, notes, mandates and failed collections: lists come as JSON beside the row.
"""

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Select, Text, bindparam, cast, func, literal, null, select, union_all
from sqlalchemy.orm import Session

from webapp.domain.access import Actor, Role
from webapp.domain.money import Money
from webapp.models.accounts import Account, BillingDetails, Membership, Reseller, SecondFactor, User
from webapp.models.invoices import IS_OPEN, CreditBalanceEntry, Invoice
from webapp.models.payments import Collection, Mandate
from webapp.models.reading import read, rows_as_json
from webapp.models.records import AuditEntry, OutboxMessage
from webapp.models.subscriptions import Subscription
from webapp.models.team import AccountNote
from webapp.services.history import Reader, sentence

NOTES = 50  # the latest
PAGE = 15  # lines of the history


class AccountNotFound(LookupError):
    """No account of that reference: the door answers 404."""


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    email: str
    role: Role
    has_second_factor: bool


@dataclass(frozen=True, slots=True)
class SignedMandate:
    reference: str
    signed_on: date
    status: str
    last_four: str
    bank: str


@dataclass(frozen=True, slots=True)
class Note:
    id: int
    text: str
    written_by: str
    written_at: datetime


@dataclass(frozen=True, slots=True)
class Failure:
    """The last collection of an open invoice that did not go through."""

    reason_code: str | None
    retry_on: date | None


@dataclass(frozen=True, slots=True)
class Desk:
    """The account, its people, and what colleagues wrote. `subscription_id` is the running one, else the latest."""

    account_id: uuid.UUID
    reference: str
    name: str
    kind: str
    language: str
    created_at: datetime
    closed_at: datetime | None
    suspended_on: date | None
    suspension_cause: str | None
    reseller: str | None
    legal_name: str
    street: str
    postcode: str
    city: str
    country: str
    vat_number: str | None
    enterprise_number: str | None
    invoice_email: str
    accountant_email: str | None
    peppol_id: str | None
    vat_treatment: str
    payment_method: str
    payment_label: str
    payment_term_days: int
    payment_problem: str | None
    subscription_id: uuid.UUID | None
    subscriptions: int
    invoices: int
    credit: Money
    people: tuple[Person, ...]
    mandates: tuple[SignedMandate, ...]
    notes: tuple[Note, ...]
    failures: dict[str, Failure]  # by the number of the invoice

    @property
    def contact(self) -> Person | None:
        """Whom to call first: an owner."""
        return next(iter(self.people), None)


_ACCOUNT, _DETAILS, _RESELLER = Account.__table__.c, BillingDetails.__table__.c, Reseller.__table__.c
_SUBSCRIPTION, _INVOICE = Subscription.__table__.c, Invoice.__table__.c
_CREDIT, _NOTE = CreditBalanceEntry.__table__.c, AccountNote.__table__.c


def _mine(statement: Select[*tuple[Any, ...]], name: str) -> Any:
    return statement.correlate(Account.__table__).scalar_subquery().label(name)


_PEOPLE = (
    select(rows_as_json(User.full_name, User.email, Membership.role, SecondFactor.confirmed_at))
    .select_from(Membership)
    .join(User, User.id == Membership.user_id)
    .outerjoin(SecondFactor, SecondFactor.user_id == User.id)
    .where(Membership.account_id == _ACCOUNT.id, User.disabled_at.is_(None))
)
_MANDATES = select(
    rows_as_json(
        Mandate.id,
        Mandate.reference,
        Mandate.signed_on,
        Mandate.status,
        Mandate.iban_last_four,
        Mandate.bank,
    )
).where(Mandate.account_id == _ACCOUNT.id, Mandate.status.in_(("active", "suspended")))
_LATEST_NOTES = (
    select(_NOTE.id, _NOTE.text, _NOTE.written_by, _NOTE.written_at)
    .where(_NOTE.account_id == _ACCOUNT.id)
    .order_by(_NOTE.id.desc())
    .limit(NOTES)
    .correlate(Account.__table__)
    .subquery("latest_notes")
)
_FAILURES = (
    select(rows_as_json(Collection.id, Invoice.number, Collection.reason_code, Collection.retry_on))
    .select_from(Collection)
    .join(Invoice, Invoice.id == Collection.invoice_id)
    .where(
        Invoice.account_id == _ACCOUNT.id,
        IS_OPEN,
        Collection.state.in_(("refused", "returned", "refunded")),
    )
)
_RUNNING_OR_LATEST = (
    select(_SUBSCRIPTION.id)
    .where(_SUBSCRIPTION.account_id == _ACCOUNT.id)
    .order_by(_SUBSCRIPTION.status, _SUBSCRIPTION.starts_on.desc(), _SUBSCRIPTION.id)
    .limit(1)
)


@lru_cache
def _desk() -> Select[*tuple[Any, ...]]:
    notes = select(rows_as_json(*_LATEST_NOTES.c)).select_from(_LATEST_NOTES)
    return (
        select(
            *(column.label(f"account_{column.name}") for column in _ACCOUNT),
            *(column for column in _DETAILS if column.name != "account_id"),
            _RESELLER.name.label("reseller_name"),
            _mine(_RUNNING_OR_LATEST, "subscription_id"),
            _mine(
                select(func.count()).select_from(Subscription).where(_SUBSCRIPTION.account_id == _ACCOUNT.id),
                "subscriptions",
            ),
            _mine(
                select(func.count()).select_from(Invoice).where(_INVOICE.account_id == _ACCOUNT.id),
                "invoices",
            ),
            _mine(
                select(func.coalesce(func.sum(_CREDIT.amount_cents), 0)).where(
                    _CREDIT.account_id == _ACCOUNT.id
                ),
                "credit_cents",
            ),
            _mine(_PEOPLE, "people"),
            _mine(_MANDATES, "mandates"),
            notes.scalar_subquery().label("notes"),
            _mine(_FAILURES, "failures"),
        )
        .join_from(
            Account.__table__, BillingDetails.__table__, _DETAILS.account_id == _ACCOUNT.id, isouter=True
        )
        .outerjoin(Reseller.__table__, _RESELLER.id == _ACCOUNT.reseller_id)
        .where(_ACCOUNT.reference == bindparam("reference"))
    )


def of_account(session: Session, reference: str) -> Desk:
    """The account of that reference. One statement. Raises AccountNotFound."""
    row = next(iter(read(session, _desk(), {"reference": reference})), None)
    if row is None:
        raise AccountNotFound(reference)
    return Desk(
        account_id=row.account_id,
        reference=row.account_reference,
        name=row.account_name,
        kind=row.account_kind,
        language=row.account_language,
        created_at=row.account_created_at,
        closed_at=row.account_closed_at,
        suspended_on=row.account_suspended_on,
        suspension_cause=row.account_suspension_cause,
        reseller=row.reseller_name,
        legal_name=row.legal_name or "",
        street=row.street or "",
        postcode=row.postcode or "",
        city=row.city or "",
        country=row.country or "",
        vat_number=row.vat_number,
        enterprise_number=row.enterprise_number,
        invoice_email=row.invoice_email or "",
        accountant_email=row.accountant_email,
        peppol_id=row.peppol_id,
        vat_treatment=row.vat_treatment or "domestic",
        payment_method=row.payment_method or "transfer",
        payment_label=row.payment_label or "",
        payment_term_days=row.payment_term_days or 0,
        payment_problem=row.payment_problem,
        subscription_id=row.subscription_id,
        subscriptions=int(row.subscriptions),
        invoices=int(row.invoices),
        credit=Money(max(0, int(row.credit_cents))),
        people=_people(row.people),
        mandates=tuple(
            SignedMandate(reference, date.fromisoformat(signed_on), status, last_four, bank)
            for _id, reference, signed_on, status, last_four, bank in sorted(
                json.loads(row.mandates), reverse=True
            )
        ),
        notes=tuple(
            Note(id_, text, written_by, _instant(written_at))
            for id_, text, written_by, written_at in sorted(json.loads(row.notes), reverse=True)
        ),
        failures={
            number: Failure(code, date.fromisoformat(retry_on) if retry_on else None)
            for _id, number, code, retry_on in sorted(json.loads(row.failures), key=lambda each: each[0])
        },
    )


def _people(text: str) -> tuple[Person, ...]:
    """Owners first, then by name, as on the client's own page."""
    order = list(Role)
    found = [
        Person(name, email, Role(role), factor is not None) for name, email, role, factor in json.loads(text)
    ]
    return tuple(sorted(found, key=lambda each: (order.index(each.role), each.name.casefold(), each.email)))


def _instant(text: str) -> datetime:
    """As JSON tells an instant: PostgreSQL names its zone, SQLite keeps UTC without saying so."""
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


# ── Notes for colleagues ─────────────────────────────────────────────────────────────────────────────────────────


def write_note(
    session: Session, account_id: uuid.UUID, text: str, *, user_id: uuid.UUID, actor: Actor, now: datetime
) -> None:
    """Add a note. It is the team's own: the client's history says nothing of it. Flushes."""
    session.add(
        AccountNote(
            account_id=account_id,
            text=text,
            written_by=actor.name,
            written_by_id=user_id,
            written_at=now,
        )
    )
    session.flush()


# ── The history: what was done, and the mails that left ──────────────────────────────────────────────────────────

MAIL = "mail"
# What may be asked of the history, by its word in the address; the rest of the trail is what changed.
PAYMENTS = ("payment.received", "payment.returned", "collection.sent", "collection.failed", "transfer.announced",
            "bank_entry.assigned", "bank_entry.taken_back")  # fmt: skip
REMINDERS = ("dunning.reminded", "dunning.hold", "dunning.dispute", "dunning.resume", "dunning.pass",
             "dunning.suspend", "dunning.lift", "account.suspended", "account.restored")  # fmt: skip
GENRES = ("changements", "emails", "paiements", "rappels")


@dataclass(frozen=True, slots=True)
class Happened:
    """One line of the history. `genre` is one of GENRES; `by` is empty when nobody did it."""

    genre: str
    at: datetime
    by: str
    is_staff: bool
    words: str
    recipient: str = ""
    is_sent: bool = True


@dataclass(frozen=True, slots=True)
class Timeline:
    lines: tuple[Happened, ...]
    number: int
    has_more: bool


def timeline(
    session: Session, account_id: uuid.UUID, reader: Reader, *, genre: str = "", number: int = 1
) -> Timeline:
    """One page of what happened to the account, newest first: its audit trail and its mails, merged. One statement.

    Payments and reminders stand in the trail already: `genre` picks them out of it, and an unknown one shows all.
    """
    number = max(1, min(number, 200))
    wanted = number * PAGE + 1
    branches = []
    if genre != "emails":
        branches.append(_trail(account_id, genre, wanted))
    if genre not in GENRES or genre == "emails":
        branches.append(_mails(account_id, wanted))
    merged = union_all(*(select(each.subquery()) for each in branches)).subquery("happened")
    rows = session.execute(
        select(merged)
        .order_by(merged.c.at.desc(), merged.c.id.desc())
        .offset((number - 1) * PAGE)
        .limit(PAGE + 1)
    ).all()
    return Timeline(tuple(_told(row, reader) for row in rows[:PAGE]), number, len(rows) > PAGE)


def _trail(account_id: uuid.UUID, genre: str, limit: int) -> Select[*tuple[Any, ...]]:
    where = [AuditEntry.account_id == account_id]
    if genre == "paiements":
        where.append(AuditEntry.action.in_(PAYMENTS))
    elif genre == "rappels":
        where.append(AuditEntry.action.in_(REMINDERS))
    elif genre == "changements":
        where.append(AuditEntry.action.not_in((*PAYMENTS, *REMINDERS)))
    return (
        select(
            AuditEntry.id,
            AuditEntry.at,
            AuditEntry.action,
            AuditEntry.actor_kind,
            AuditEntry.actor_name,
            AuditEntry.subject,
            cast(AuditEntry.before, Text).label("before"),
            cast(AuditEntry.after, Text).label("after"),
            cast(null(), OutboxMessage.sent_at.type).label("sent_at"),
        )
        .where(*where)
        .order_by(AuditEntry.at.desc(), AuditEntry.id.desc())
        .limit(limit)
    )


def _mails(account_id: uuid.UUID, limit: int) -> Select[*tuple[Any, ...]]:
    return (
        select(
            OutboxMessage.id,
            OutboxMessage.created_at.label("at"),
            literal(MAIL).label("action"),
            literal("system").label("actor_kind"),
            OutboxMessage.recipient.label("actor_name"),
            OutboxMessage.subject,
            literal("{}").label("before"),
            literal("{}").label("after"),
            OutboxMessage.sent_at,
        )
        .where(OutboxMessage.account_id == account_id)
        .order_by(OutboxMessage.created_at.desc(), OutboxMessage.id.desc())
        .limit(limit)
    )


def _told(row: Any, reader: Reader) -> Happened:
    if row.action == MAIL:
        return Happened("emails", row.at, "", False, row.subject, row.actor_name, row.sent_at is not None)
    entry = AuditEntry(
        action=row.action,
        subject=row.subject,
        before=json.loads(row.before),
        after=json.loads(row.after),
    )
    by = "" if row.actor_kind == "system" else row.actor_name
    return Happened(genre_of(row.action), row.at, by, row.actor_kind == "staff", sentence(entry, reader))


def genre_of(action: str) -> str:
    """The genre under which an act of the trail is found."""
    if action in PAYMENTS:
        return "paiements"
    return "rappels" if action in REMINDERS else "changements"
