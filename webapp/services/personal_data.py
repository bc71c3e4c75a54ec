"""All the data of an account, to take away; and its closure, which erases what the law does not ask to keep (U4).

Invoices, contracts, mandates and the audit trail stay ten years (VAT code, article 60; GDPR, article 17(3)(b));
names, addresses of people, sessions, invitations, mails and the team's own notes go.

Those notes are not in what the owner takes away: they may speak of others, and a person who asks what they say is
answered by the team, who reads them first (GDPR, article 15(4)).
"""

import io
import json
import uuid
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, delete, exists, func, select, update
from sqlalchemy.orm import Session

from webapp.domain.access import Actor
from webapp.domain.refusals import ClosureTooEarly, WrongReference
from webapp.models.accounts import (
    Account,
    BillingDetails,
    EmailCheck,
    Invitation,
    LoginSession,
    MailedLink,
    Membership,
    OidcIdentity,
    RecoveryCode,
    SecondFactor,
    User,
)
from webapp.models.base import Base
from webapp.models.documents import InvoiceDocument
from webapp.models.gestures import Gesture
from webapp.models.invoices import CreditBalanceEntry, Invoice, InvoiceLine, Payment
from webapp.models.payments import (
    Collection,
    Mandate,
    MandateDocument,
    PaymentMethod,
    ProviderRefund,
    TransferAnnouncement,
)
from webapp.models.records import AuditEntry, HelpAnswer, OutboxAttachment, OutboxMessage
from webapp.models.requests import ClientRequest, RequestEntry
from webapp.models.subscriptions import (
    Establishment,
    IdempotentReply,
    Quotation,
    ScheduledChange,
    Subscription,
    SubscriptionOption,
)
from webapp.models.team import AccountNote
from webapp.models.terminations import Acknowledgement
from webapp.services import audit, payment_methods, requests, resellers, search_terms

# Never handed over: what opens a door, and files that are given as files.
# A bank account is told by its masked label: the whole IBAN is on the signed mandate, which its owner downloads.
SECRET = frozenset(
    {
        "token_hash",
        "password_hash",
        "secret",
        "code_hash",
        "html_body",
        "iban_sealed",
        "text_sealed",
        "amendment",
        "counterpart_iban_sealed",
    }
)
NOBODY = "–"


@dataclass(frozen=True)
class Closure:
    """What closing an account keeps and erases, counted. `may_close` once every subscription has ended."""

    may_close: bool
    reference: str
    invoices: int
    kept_until: date | None
    mandates: int  # signed, kept as long as the invoices that they collected
    acts: int
    people: int  # who lose access
    people_erased: int  # of whom this was the only account
    invitations: int
    mails: int


# --- Taking away -----------------------------------------------------------------------------------------------


def export(session: Session, account_id: uuid.UUID, *, actor: Actor, now: datetime) -> bytes:
    """One zip: `donnees.json`, and the documents as they were sent. The history keeps that it was taken."""
    account = session.get_one(Account, account_id)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        everything, showing = _everything(session, account, now), resellers.showing(session, account_id)
        if not showing.amounts:
            everything = _without_amounts(everything)
        text = json.dumps(everything, ensure_ascii=False, indent=2, sort_keys=True)
        archive.writestr("donnees.json", text)
        for number, pdf, ubl in session.execute(_documents(account_id)) if showing.platform_invoices else ():
            archive.writestr(f"factures/{number}.pdf", pdf)
            archive.writestr(f"factures/{number}.xml", ubl)
        letters = (
            select(Acknowledgement)
            .join(ScheduledChange, ScheduledChange.id == Acknowledgement.change_id)
            .join(Subscription, Subscription.id == ScheduledChange.subscription_id)
            .where(Subscription.account_id == account_id)
        )
        for letter in session.scalars(letters):
            archive.writestr(f"resiliations/{letter.id}-{letter.filename}", letter.content)
    audit.record(session, actor, account_id, "data.exported", account.reference, {}, {}, now)
    session.flush()
    return buffer.getvalue()


def _documents(account_id: uuid.UUID) -> Select[str, bytes, bytes]:
    return (
        select(Invoice.number, InvoiceDocument.pdf, InvoiceDocument.ubl)
        .join(InvoiceDocument, InvoiceDocument.invoice_id == Invoice.id)
        .where(Invoice.account_id == account_id)
        .order_by(Invoice.id)
    )


def _everything(session: Session, account: Account, now: datetime) -> dict[str, Any]:
    ours = account.id
    contracts = select(Subscription.id).where(Subscription.account_id == ours)
    invoices = select(Invoice.id).where(Invoice.account_id == ours)
    mandates = select(Mandate.id).where(Mandate.account_id == ours)

    def of(model: type[Base], *where: Any) -> list[dict[str, Any]]:
        keys = model.__table__.primary_key.columns  # type: ignore[attr-defined]
        return [_row(row) for row in session.scalars(select(model).where(*where).order_by(*keys))]

    people = session.execute(
        select(User.full_name, User.email, User.language, Membership.role, Membership.created_at)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.account_id == ours)
        .order_by(User.email)
    )
    return {
        "exported_at": now.isoformat(),
        "account": _row(account),
        "billing_details": of(BillingDetails, BillingDetails.account_id == ours),
        "people": [{name: _plain(value) for name, value in person._mapping.items()} for person in people],
        "invitations": of(Invitation, Invitation.account_id == ours),
        "accountant_addresses": of(EmailCheck, EmailCheck.account_id == ours),
        "subscriptions": of(Subscription, Subscription.account_id == ours),
        "establishments": of(Establishment, Establishment.subscription_id.in_(contracts)),
        "options": of(SubscriptionOption, SubscriptionOption.subscription_id.in_(contracts)),
        "scheduled_changes": of(ScheduledChange, ScheduledChange.subscription_id.in_(contracts)),
        "quotations": of(Quotation, Quotation.subscription_id.in_(contracts)),
        "invoices": of(Invoice, Invoice.account_id == ours),
        "invoice_lines": of(InvoiceLine, InvoiceLine.invoice_id.in_(invoices)),
        "payments": of(Payment, Payment.account_id == ours),
        "credit": of(CreditBalanceEntry, CreditBalanceEntry.account_id == ours),
        "gestures": of(Gesture, Gesture.account_id == ours),
        "refunds_asked": of(ProviderRefund, ProviderRefund.account_id == ours),
        "payment_methods": of(PaymentMethod, PaymentMethod.account_id == ours),
        "mandates": of(Mandate, Mandate.account_id == ours),
        "signed_documents": of(MandateDocument, MandateDocument.mandate_id.in_(mandates)),
        "collections": of(Collection, Collection.account_id == ours),
        "announced_transfers": of(TransferAnnouncement, TransferAnnouncement.account_id == ours),
        "history": of(AuditEntry, AuditEntry.account_id == ours),
        "mails": of(OutboxMessage, OutboxMessage.account_id == ours),
        "requests": of(ClientRequest, ClientRequest.account_id == ours),
        "request_entries": of(
            RequestEntry,
            RequestEntry.side != "note",
            RequestEntry.request_id.in_(select(ClientRequest.id).where(ClientRequest.account_id == ours)),
        ),
        "help_answers": of(HelpAnswer, HelpAnswer.account_id == ours),
    }


def _row(row: Base) -> dict[str, Any]:
    names: Iterable[str] = (column.name for column in row.__table__.columns)
    return {name: _plain(getattr(row, name)) for name in names if name not in SECRET}


def _without_amounts(value: Any) -> Any:
    """The same without what is in cents: a reseller may keep prices from its clients (R1)."""
    if isinstance(value, dict):
        kept = {name: each for name, each in value.items() if not str(name).endswith("cents")}
        return {name: _without_amounts(each) for name, each in kept.items()}
    return [_without_amounts(each) for each in value] if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    """As JSON can say it: identifiers as text, dates and instants as ISO."""
    if isinstance(value, uuid.UUID):
        return str(value)
    return value.isoformat() if isinstance(value, date | datetime) else value


# --- Closing ---------------------------------------------------------------------------------------------------


def preview_closure(session: Session, account_id: uuid.UUID) -> Closure:
    """What would stay and what would go; nothing is written."""

    def count(model: type[Base], *where: Any) -> int:
        return session.scalar(select(func.count()).select_from(model).where(*where)) or 0

    last_issue = session.scalar(select(func.max(Invoice.issued_on)).where(Invoice.account_id == account_id))
    return Closure(
        may_close=not _is_running(session, account_id),
        reference=session.get_one(Account, account_id).reference,
        invoices=count(Invoice, Invoice.account_id == account_id),
        kept_until=date(last_issue.year + 11, 1, 1) if last_issue else None,
        mandates=count(Mandate, Mandate.account_id == account_id),
        acts=count(AuditEntry, AuditEntry.account_id == account_id),
        people=count(Membership, Membership.account_id == account_id),
        people_erased=len(_only_here(session, account_id)),
        invitations=count(Invitation, Invitation.account_id == account_id),
        mails=count(OutboxMessage, OutboxMessage.account_id == account_id),
    )


def close(session: Session, account_id: uuid.UUID, typed: str, *, actor: Actor, now: datetime) -> None:
    """Erase or pseudonymise what the law does not ask to keep, and end every access, the present one included.

    Raises ClosureTooEarly while a subscription runs, WrongReference when `typed` is not the account's.
    """
    account = session.get_one(Account, account_id, with_for_update=True)
    if _is_running(session, account_id):
        raise ClosureTooEarly()
    if typed.strip().upper() != account.reference.upper():
        raise WrongReference(reference=account.reference)
    people = _only_here(session, account_id)
    _forget_payment_methods(session, account_id, now, actor)
    facts = {"people": len(people)}
    audit.record(session, actor, account_id, "account.closed", account.reference, {}, facts, now)
    _erase_people(session, people, now)
    members = select(Membership.user_id).where(Membership.account_id == account_id)
    session.execute(
        update(LoginSession)
        .where(LoginSession.user_id.in_(members), LoginSession.account_id == account_id)
        .values(revoked_at=now)
        .execution_options(synchronize_session=False)
    )
    for model in (Invitation, EmailCheck, IdempotentReply, HelpAnswer, Membership, AccountNote):
        session.execute(delete(model).where(model.account_id == account_id))
    messages = select(OutboxMessage.id).where(OutboxMessage.account_id == account_id)
    session.execute(delete(OutboxAttachment).where(OutboxAttachment.message_id.in_(messages)))
    session.execute(delete(OutboxMessage).where(OutboxMessage.account_id == account_id))
    session.execute(
        update(BillingDetails)
        .where(BillingDetails.account_id == account_id)
        .values(invoice_email="", other_invoice_emails=[], accountant_email=None)
    )
    requests.erase(session, account_id)
    requests.forget_people(session, people)
    account.closed_at = now
    search_terms.changed(session, account_id)
    session.flush()


def _forget_payment_methods(session: Session, account_id: uuid.UUID, now: datetime, actor: Actor) -> None:
    """Mandates are cancelled and kept as proofs; nothing leads to the cards of a provider any more."""
    for method in payment_methods.all_of(session, account_id):
        payment_methods.close(session, method, now, actor)
        if method.mandate is None:
            method.provider_customer = method.provider_reference = ""
    session.flush()


def _is_running(session: Session, account_id: uuid.UUID) -> bool:
    runs = exists().where(Subscription.account_id == account_id, Subscription.status != "ended")
    return bool(session.scalar(select(runs)))


def _only_here(session: Session, account_id: uuid.UUID) -> list[uuid.UUID]:
    """The people who belong to no other account and to no team of the operator."""
    elsewhere = select(Membership.user_id).where(Membership.account_id != account_id).scalar_subquery()
    statement = (
        select(User.id)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.account_id == account_id, User.id.not_in(elsewhere), User.staff_role.is_(None))
    )
    return list(session.scalars(statement))


def _erase_people(session: Session, people: list[uuid.UUID], now: datetime) -> None:
    """The row stays, because sessions and codes point at it; nothing in it tells who it was."""
    for model in (RecoveryCode, SecondFactor, OidcIdentity, MailedLink):
        session.execute(delete(model).where(model.user_id.in_(people)))
    for user in session.scalars(select(User).where(User.id.in_(people))):
        user.full_name, user.email = NOBODY, f"{user.id}@efface.invalid"
        user.password_hash, user.language, user.disabled_at = None, None, now
    session.execute(
        update(LoginSession)
        .where(LoginSession.user_id.in_(people))
        .values(revoked_at=now, ip_address="", user_agent="")
        .execution_options(synchronize_session=False)
    )
