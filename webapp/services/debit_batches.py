"""Direct debit files: what may be collected, announced to the debtor, then asked of the bank in one file (D3).

`plan_due` decides and announces; `make` writes the file. Run twice, the second finds nothing: an invoice has one open
attempt, and an attempt is in one file. What is disputed, on hold, announced as paid or already settled is left out at
the moment the file is made, and the amount is what is left at that moment.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import sha256

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from webapp.adapters import bank_days, pain008
from webapp.adapters.pain008 import Creditor, Debit
from webapp.adapters.vault import Unreadable, Vault
from webapp.domain.access import SYSTEM, Actor
from webapp.domain.money import Money
from webapp.domain.payment_methods import MandateLife, sequence
from webapp.models.accounts import Account
from webapp.models.dunning import DunningHold
from webapp.models.invoices import Invoice
from webapp.models.payments import (
    Collection,
    DebitBatch,
    Mandate,
    PaymentMethod,
    TransferAnnouncement,
)
from webapp.models.records import AuditEntry
from webapp.services import audit, collections, invoicing, notices, outbox, payment_methods
from webapp.services.collections import LEAD, Links

PAGE = 200  # invoices of one question to the database
PAGE_SIZE = 25  # rows of a page of the portal
AHEAD = 2  # bank days between the making of a file and the last day it asks for: one to spare for the bank's own lead
MARGIN = timedelta(days=3)  # a debit is planned this long before its announcement must have left
FAILED = ("refused", "returned", "refunded")


@dataclass(frozen=True, slots=True)
class Ready:
    """A debit that the next file would hold."""

    collection: Collection
    invoice: Invoice
    mandate: Mandate
    account: Account
    amount: Money
    on: date
    sequence: str
    is_first: bool  # of its mandate in this file


@dataclass(frozen=True, slots=True)
class Group:
    """The debits of one day and one sequence, as the file groups them."""

    on: date
    sequence: str
    count: int
    total: Money


@dataclass(frozen=True, slots=True)
class Preview:
    """The next file, as it would be made now. `fingerprint` stands for every debit in it."""

    ready: tuple[Ready, ...]
    groups: tuple[Group, ...]
    total: Money
    fingerprint: str


# ── What may be collected ────────────────────────────────────────────────────────────────────────────────────────


def due(session: Session, on: date, after: int = 0, limit: int = PAGE) -> list[int]:
    """The ids of the invoices to plan up to `on`, in their order, those `after` an id.

    Open, in euros, of an account whose primary method is an active mandate of ours, without an open attempt and
    without one that this mandate has refused: what a refusal allows, `collections.failed` has planned itself.
    """
    was_refused = exists().where(
        Collection.invoice_id == Invoice.id,
        or_(
            Collection.is_open,
            and_(Collection.state.in_(FAILED), Collection.method_id == PaymentMethod.id),
        ),
    )
    statement = (
        select(Invoice.id)
        .join(PaymentMethod, and_(PaymentMethod.account_id == Invoice.account_id, PaymentMethod.is_primary))
        .join(Mandate, Mandate.method_id == PaymentMethod.id)
        .where(
            Invoice.id > after,
            Invoice.kind == "invoice",
            Invoice.paid_cents < Invoice.total_cents,
            Invoice.currency == "EUR",
            PaymentMethod.state == "active",
            PaymentMethod.provider == "",
            Mandate.status == "active",
            # The longest announcement there is; each one's own is looked at below.
            Invoice.payable_until <= on + timedelta(days=31) + MARGIN,
            ~was_refused,
            ~_is_stopped(on),
        )
        .order_by(Invoice.id)
        .limit(limit)
    )
    return list(session.scalars(statement))


def plan_due(
    session: Session, invoice_id: int, on: date, now: datetime, links: Links | None = None
) -> Collection | None:
    """Plan the debit of one invoice and see that its debtor knows amount and day. None when it is not yet time.

    The mail of the invoice announces it when it said the mandate and left early enough; else a mail of its own does, and
    the day is as late as that asks for. Flushes.
    """
    statement = select(Invoice).where(Invoice.id == invoice_id).with_for_update()
    invoice = session.scalars(statement.execution_options(populate_existing=True)).one()
    mandate = payment_methods.usable_mandate(session, invoice.account_id, on)
    if mandate is None:
        _bury(session, invoice, on, now)
        return None
    notice = mandate.pre_notification_days
    if invoice.payable_until > on + timedelta(days=notice) + MARGIN:
        return None
    wanted = bank_days.bank_day(max(invoice.payable_until, bank_days.after(on, LEAD)))
    told_at = _told_by_invoice(session, invoice, mandate)
    was_told = told_at is not None and told_at.date() + timedelta(days=notice) <= wanted
    day = wanted if was_told else max(wanted, collections.earliest(on, notice))
    if MandateLife(mandate.signed_on, mandate.last_used_on).is_dead(day):
        _bury(session, invoice, day, now)
        return None
    collection = collections.plan(session, invoice, mandate.method, day, now)
    if collection is None:
        return None
    collection.notified_at = told_at if was_told else now
    if not was_told:
        _announce(session, collection, invoice, mandate, now, links)
    session.flush()
    return collection


def _is_stopped(on: date) -> ColumnElement[bool]:
    """Contested, on hold, or announced as paid by transfer on `on`: nobody may collect it then."""
    held = exists().where(
        DunningHold.account_id == Invoice.account_id,
        or_(DunningHold.invoice_id.is_(None), DunningHold.invoice_id == Invoice.id),
        DunningHold.lifted_at.is_(None),
        DunningHold.from_on <= on,
        or_(DunningHold.until_on.is_(None), DunningHold.until_on >= on),
    )
    announced = exists().where(
        TransferAnnouncement.invoice_id == Invoice.id, TransferAnnouncement.until_on >= on
    )
    return or_(held, announced)


def _told_by_invoice(session: Session, invoice: Invoice, mandate: Mandate) -> datetime | None:
    """When the mail of the invoice left, if the invoice says that this mandate pays it."""
    if invoice.payment.get("reference") != mandate.reference:
        return None
    statement = select(func.min(AuditEntry.at)).where(
        AuditEntry.account_id == invoice.account_id,
        AuditEntry.action == "invoice.mailed",
        AuditEntry.subject == invoice.number,
    )
    return session.scalar(statement)


def _announce(
    session: Session,
    collection: Collection,
    invoice: Invoice,
    mandate: Mandate,
    now: datetime,
    links: Links | None,
) -> None:
    account = session.get_one(Account, invoice.account_id)
    subscription_id = collections.subscription_of(session, invoice)
    for owner in notices.owners(session, account.id):
        outbox.queue(
            session,
            "collection_announced",
            recipient=owner.email,
            language=owner.language or account.language,
            account_id=account.id,
            now=now,
            full_name=owner.full_name,
            account=account.name,
            number=invoice.number,
            amount=Money(collection.amount_cents, collection.currency),
            on=collection.requested_on,
            label=mandate.method.label,
            reference=mandate.reference,
            creditor_id=mandate.creditor_id,
            method_link=links.method(subscription_id) if links and subscription_id else "",
        )


def _bury(session: Session, invoice: Invoice, on: date, now: datetime) -> None:
    """A mandate that nobody used for 36 months is dead: its account is told by its page and its next invoice."""
    method = payment_methods.primary(session, invoice.account_id)
    if method is None or method.mandate is None or method.provider or method.state != "active":
        return
    if MandateLife(method.mandate.signed_on, method.mandate.last_used_on).is_dead(on):
        payment_methods.expire(session, method, now)


# ── The file ─────────────────────────────────────────────────────────────────────────────────────────────────────


def preview(session: Session, on: date) -> Preview:
    """The next file, as it would be made on `on`. Nothing is written."""
    ready = _ready(session, on, locks=False)
    return Preview(tuple(ready), tuple(_groups(ready)), _total(ready), _fingerprint(ready))


def make(
    session: Session,
    on: date,
    now: datetime,
    vault: Vault,
    actor: Actor = SYSTEM,
    *,
    fingerprint: str | None = None,
) -> DebitBatch | None:
    """Write the file of what is to be collected within two bank days of `on`; None when nothing is.

    With the `fingerprint` of a preview, exactly what it showed, or ChangedSince and nothing. What is no longer to be
    collected is cancelled. Raises InvalidFile. Flushes.
    """
    ready = _ready(session, on, locks=True)
    if fingerprint is not None and fingerprint != _fingerprint(ready):
        raise ChangedSince()
    _cancel_settled(session, on, now)
    debits = []
    for each in ready:
        try:
            debits.append(_debit(each, vault))
        except Unreadable:
            raise UnreadableAccount(each.mandate.reference) from None
    if not debits:
        session.flush()
        return None
    issuer = invoicing.the_issuer(session)
    number = session.scalar(select(func.count()).where(DebitBatch.made_on == on)) or 0
    message_id = f"DD{on:%Y%m%d}-{number + 1}"
    creditor = Creditor(
        issuer.legal_name, issuer.iban.replace(" ", ""), issuer.bic.replace(" ", ""), issuer.creditor_id
    )
    content = pain008.build(message_id, now, creditor, debits)
    batch = DebitBatch(
        message_id=message_id,
        made_at=now,
        made_on=on,
        count=len(debits),
        total_cents=_total(ready).cents,
        currency="EUR",
        # It names every account: sealed, as each of them is where it comes from.
        content=vault.seal(content.decode()).encode(),
        sha256=sha256(content).hexdigest(),
    )
    session.add(batch)
    session.flush()
    for each in ready:
        _note_sent(session, each, batch, now, actor)
    session.flush()
    return batch


class ChangedSince(Exception):
    """The file would no longer be the one that was shown."""


class BatchNotFound(LookupError):
    """No file of that name."""


class UnreadableAccount(Exception):
    """No key at hand opens the bank account of that mandate."""


def batches(session: Session, page: int = 1) -> tuple[list[DebitBatch], int]:
    """One page of the files made, newest first, without their content, and how many there are."""
    count = session.scalar(select(func.count()).select_from(DebitBatch)) or 0
    statement = select(DebitBatch).order_by(DebitBatch.id.desc())
    return list(session.scalars(statement.offset((page - 1) * PAGE_SIZE).limit(PAGE_SIZE))), count


def get(session: Session, message_id: str) -> DebitBatch:
    """Raises BatchNotFound."""
    found = session.scalars(select(DebitBatch).where(DebitBatch.message_id == message_id)).one_or_none()
    if found is None:
        raise BatchNotFound(message_id)
    return found


def debits(
    session: Session, batch: DebitBatch, page: int = 1
) -> tuple[list[tuple[Collection, str, str]], int]:
    """One page of the debits of a file, each with its invoice's number and its account's name; how many there are."""
    rows = session.execute(
        select(Collection, Invoice.number, Account.name)
        .join(Invoice, Invoice.id == Collection.invoice_id)
        .join(Account, Account.id == Collection.account_id)
        .where(Collection.batch_id == batch.id)
        .order_by(Collection.requested_on, Collection.id)
        .offset((page - 1) * PAGE_SIZE)
        .limit(PAGE_SIZE)
    )
    return [(collection, number, name) for collection, number, name in rows], batch.count


def states(session: Session, batch: DebitBatch) -> dict[str, int]:
    """How many of its debits are in each state."""
    statement = (
        select(Collection.state, func.count())
        .where(Collection.batch_id == batch.id)
        .group_by(Collection.state)
    )
    return {str(state): int(number) for state, number in session.execute(statement)}


def download(session: Session, batch: DebitBatch, vault: Vault, now: datetime, actor: Actor) -> bytes:
    """The file, byte for byte as it was made; who took it is written down. Raises Unreadable. Flushes."""
    content = vault.open(batch.content.decode()).encode()
    batch.downloaded_at = batch.downloaded_at or now
    facts = {"sha256": batch.sha256, "count": batch.count}
    audit.record(session, actor, None, "debit_batch.downloaded", batch.message_id, {}, facts, now)
    session.flush()
    return content


def _ready(session: Session, on: date, locks: bool) -> list[Ready]:
    """What a file made on `on` holds, by the day asked for, then by invoice."""
    statement = (
        select(Collection, Invoice, Mandate, Account)
        .join(Invoice, Invoice.id == Collection.invoice_id)
        .join(Mandate, Mandate.id == Collection.mandate_id)
        .join(PaymentMethod, PaymentMethod.id == Collection.method_id)
        .join(Account, Account.id == Collection.account_id)
        .where(
            Collection.state == "planned",
            Collection.requested_on <= bank_days.after(on, AHEAD),
            PaymentMethod.state == "active",
            PaymentMethod.is_primary,
            PaymentMethod.provider == "",
            Mandate.status == "active",
            Invoice.paid_cents < Invoice.total_cents,
            ~_is_stopped(on),
        )
        .order_by(Collection.requested_on, Collection.id)
    )
    if locks:
        statement = statement.with_for_update(of=[Collection, Invoice, Mandate]).execution_options(
            populate_existing=True
        )
    soonest = bank_days.after(on, LEAD)
    found: list[Ready] = []
    used: set[int] = set()
    for collection, invoice, mandate, account in session.execute(statement):
        day = max(collection.requested_on, soonest)
        if MandateLife(mandate.signed_on, mandate.last_used_on).is_dead(day):
            continue
        left = invoice.total_cents - invoice.paid_cents
        # Never more than was announced: what came back since is another debit, announced in its turn.
        amount = Money(min(left, collection.amount_cents), collection.currency)
        is_first = mandate.id not in used
        step = sequence(mandate.first_used_on) if is_first else "RCUR"
        used.add(mandate.id)
        found.append(Ready(collection, invoice, mandate, account, amount, day, step, is_first))
    return found


def _cancel_settled(session: Session, on: date, now: datetime) -> None:
    """Nothing is left of the invoice, by a transfer or a credit note: the attempt is over before it began."""
    statement = (
        select(Collection)
        .join(Invoice, Invoice.id == Collection.invoice_id)
        .where(
            Collection.state == "planned",
            Collection.mandate_id.is_not(None),
            Collection.requested_on <= bank_days.after(on, AHEAD),
            Invoice.paid_cents >= Invoice.total_cents,
        )
    )
    for collection in session.scalars(statement):
        collections.cancel(collection, now)


def _debit(ready: Ready, vault: Vault) -> Debit:
    mandate = ready.mandate
    # A change of mandate or account is declared once, by the first debit after it.
    amendment = (mandate.amendment if ready.is_first else None) or {}
    former = amendment.get("former_iban_sealed")
    return Debit(
        end_to_end_id=ready.collection.end_to_end_id,
        amount=ready.amount,
        sequence=ready.sequence,
        on=ready.on,
        mandate=mandate.reference,
        signed_on=mandate.signed_on,
        debtor=mandate.debtor_name,
        iban=vault.open(mandate.iban_sealed),
        bic=mandate.bic,
        ogm=ready.invoice.ogm,
        former_reference=str(amendment.get("former_reference") or ""),
        former_iban=vault.open(former) if former else "",
    )


def _note_sent(session: Session, ready: Ready, batch: DebitBatch, now: datetime, actor: Actor) -> None:
    collection, mandate = ready.collection, ready.mandate
    collection.state, collection.batch_id = "sent", batch.id
    collection.amount_cents, collection.requested_on = ready.amount.cents, ready.on
    collection.sequence = ready.sequence
    collection.amendment = mandate.amendment if ready.is_first else None
    payment_methods.mark_used(mandate, ready.on)
    facts = {
        "amount_cents": ready.amount.cents,
        "on": ready.on.isoformat(),
        "mandate": mandate.reference,
        "file": batch.message_id,
    }
    audit.record(
        session, actor, collection.account_id, "collection.sent", ready.invoice.number, {}, facts, now
    )


def _groups(ready: Sequence[Ready]) -> Iterable[Group]:
    found: dict[tuple[date, str], list[Ready]] = defaultdict(list)
    for each in ready:
        found[each.on, each.sequence].append(each)
    return [Group(on, step, len(each), _total(each)) for (on, step), each in sorted(found.items())]


def _total(ready: Iterable[Ready]) -> Money:
    return Money(sum(each.amount.cents for each in ready))


def _fingerprint(ready: Iterable[Ready]) -> str:
    facts = [
        f"{each.collection.id} {each.amount.cents} {each.on} {each.sequence} {each.mandate.reference}"
        for each in ready
    ]
    return sha256("\n".join(facts).encode()).hexdigest()[:32]
