"""SEPA direct debit mandates signed online: the exact text, the proof, the changes of account (D1).

What is signed is the text that was shown, kept word for word and sealed, with its SHA-256 among the proofs. An IBAN is
opened only to be compared, to be written in a file for the bank, or to give the signed document back to its owner.
"""

import hashlib
import logging
import uuid
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.adapters import letter_pdf
from webapp.adapters.bank_accounts import BankAccount
from webapp.adapters.vault import Unreadable, Vault
from webapp.domain.access import Actor
from webapp.domain.payment_methods import (
    MandateLife,
    is_amendment,
    notice_days,
    reference_of_mandate,
    same_debtor,
)
from webapp.domain.refusals import SameBankAccount, StalePreview
from webapp.models.payments import Mandate, MandateDocument, PaymentMethod
from webapp.services import audit, contracts, invoicing, method_changes, payment_methods, standing
from webapp.services.contracts import Customer, Situation
from webapp.services.method_changes import Consequences
from webapp.templating import render_for

# Of templates/payment/mandate.txt: another for any change of words. Its snapshots are in tests/snapshots/mandates.
TEXT_VERSION = "2026-11"
FILE_NAMES = {"fr": "mandat", "nl": "mandaat", "en": "mandate"}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs, and from where: what proves it later."""

    name: str
    email: str
    ip_address: str
    user_agent: str
    language: str  # in which the text was read and signed


@dataclass(frozen=True, slots=True)
class Debtor:
    """Whose account is to be debited: its holder as typed, spaces tidied."""

    holder: str
    account: BankAccount


@dataclass(frozen=True, slots=True)
class MandatePreview:
    """The mandate before it is signed: its text, and what signing it changes.

    `amended` is the mandate whose account is replaced; None when a new one is signed. `replaced` is the mandate, if
    any, that a new one puts an end to.
    """

    situation: Situation
    reference: str
    debtor: Debtor
    text: str
    notice_days: int
    amended: Mandate | None
    replaced: Mandate | None
    after: Consequences
    fingerprint: str


@dataclass(frozen=True, slots=True)
class SignedFile:
    filename: str
    content: bytes


class AlteredDocument(Exception):
    """The text kept is not the one that was signed: its SHA-256 is another."""


# --- Signing ---------------------------------------------------------------------------------------------------


def preview(
    session: Session,
    subscription_id: uuid.UUID,
    debtor: Debtor,
    signer: Signer,
    vault: Vault,
    agreed_days: int,
    today: date,
) -> MandatePreview:
    """The text to sign and what it changes; nothing is written.

    `agreed_days` is the operator's pre-notification, in calendar days. Raises SameBankAccount when the mandate in force
    is for this holder and account already, ContactPartner, SubscriptionEnded.
    """
    situation = method_changes.load(session, subscription_id, today)
    customer = situation.customer
    present = _present(session, customer.account_id)
    is_usable = present is not None and _is_usable(present, today)
    amended = None
    if present is not None and is_usable:
        is_same_debtor = same_debtor(present.debtor_name, debtor.holder)
        known = _opened(present.iban_sealed, vault)
        if is_same_debtor and known == debtor.account.iban:
            raise SameBankAccount(reference=present.reference)
        if known is not None and is_amendment(is_usable, is_same_debtor, False):
            amended = present
    reference = amended.reference if amended is not None else _next_reference(session, customer)
    days = notice_days(agreed_days, customer.payment_term_days)
    former_label = amended.method.label if amended is not None else None
    text = _text(session, customer, debtor, signer, reference, former_label, days, today)
    after = method_changes.consequences(session, situation, "direct_debit", days, today)
    former = payment_methods.primary(session, customer.account_id)
    fingerprint = method_changes.fingerprint(after, former, today, [text])
    replaced = present if amended is None else None
    return MandatePreview(situation, reference, debtor, text, days, amended, replaced, after, fingerprint)


def sign(
    session: Session,
    subscription_id: uuid.UUID,
    debtor: Debtor,
    signer: Signer,
    vault: Vault,
    agreed_days: int,
    fingerprint: str,
    today: date,
    now: datetime,
    actor: Actor,
    link: str,
) -> Mandate:
    """Sign the text that was shown: the mandate is in force and is what pays from now on; the owners are told.

    Raises StalePreview when the text or what follows from it is no longer what was shown. Flushes.
    """
    standing.lock(session, contracts.load(session, subscription_id).customer.account_id)
    shown = preview(session, subscription_id, debtor, signer, vault, agreed_days, today)
    if shown.fingerprint != fingerprint:
        raise StalePreview()
    evidence = _evidence(signer, shown.text, debtor.account.label)
    if shown.amended is not None:
        mandate = _amend(session, shown, vault, evidence, now, actor)
        was_primary = mandate.method.is_primary
    else:
        mandate = _make(
            session,
            shown.situation.customer,
            debtor,
            shown.reference,
            shown.notice_days,
            vault,
            evidence,
            today,
            now,
            actor,
        )
        was_primary = False
    kind = "amendment" if shown.amended is not None else "signature"
    _keep(session, mandate, kind, shown.text, evidence, vault, now)
    payment_methods.make_primary(session, mandate.method, now, actor, link)
    if was_primary:  # the account changed under the same method: the owners are told all the same
        payment_methods.tell_owners(session, mandate.method, now, actor, link)
    return mandate


def _make(
    session: Session,
    customer: Customer,
    debtor: Debtor,
    reference: str,
    days: int,
    vault: Vault,
    evidence: dict[str, str],
    signed_on: date,
    now: datetime,
    actor: Actor,
) -> Mandate:
    account = debtor.account
    method = payment_methods.add(
        session,
        customer.account_id,
        "direct_debit",
        account.label,
        now,
        actor,
        state="active",
        last_four=account.last_four,
    )
    mandate = Mandate(
        account_id=customer.account_id,
        method=method,
        reference=reference,
        creditor_id=invoicing.the_issuer(session).creditor_id,
        debtor_name=debtor.holder,
        iban_sealed=vault.seal(account.iban),
        iban_last_four=account.last_four,
        bic=account.bic,
        bank=account.bank,
        signed_on=signed_on,
        signed_at=now,
        evidence=evidence,
        pre_notification_days=days,
    )
    session.add(mandate)
    session.flush()
    facts = {"label": account.label, "signed_on": signed_on.isoformat()}
    audit.record(session, actor, customer.account_id, "mandate.signed", reference, {}, facts, now)
    return mandate


def _amend(
    session: Session,
    shown: MandatePreview,
    vault: Vault,
    evidence: dict[str, str],
    now: datetime,
    actor: Actor,
) -> Mandate:
    mandate, account = shown.amended, shown.debtor.account
    assert mandate is not None
    method = mandate.method
    before = {"label": method.label}
    if mandate.first_used_on is not None:
        mandate.amendment = _declared(mandate, account, vault)
    mandate.iban_sealed, mandate.iban_last_four = vault.seal(account.iban), account.last_four
    mandate.bic, mandate.bank = account.bic, account.bank
    mandate.pre_notification_days = shown.notice_days
    method.label, method.last_four = account.label, account.last_four
    session.flush()
    facts = {"label": account.label}
    audit.record(session, actor, mandate.account_id, "mandate.amended", mandate.reference, before, facts, now)
    return mandate


def _declared(mandate: Mandate, account: BankAccount, vault: Vault) -> dict[str, str] | None:
    """What the bank must be told: the account it last collected from, however often it changed since."""
    former = (mandate.amendment or {}).get("former_iban_sealed") or mandate.iban_sealed
    if _opened(former, vault) == account.iban:
        return None  # back to the account that the bank knows
    return {"former_iban_sealed": str(former)}


def adopt(
    session: Session,
    subscription_id: uuid.UUID,
    debtor: Debtor,
    signer: Signer,
    vault: Vault,
    agreed_days: int,
    reference: str,
    signed_on: date,
    now: datetime,
    actor: Actor,
) -> Mandate:
    """A mandate that was signed before, with a reference of its own: taken over from elsewhere, or of the demo. Flushes.

    It becomes what pays; nobody is mailed.
    """
    situation = contracts.load(session, subscription_id)
    customer = situation.customer
    days = notice_days(agreed_days, customer.payment_term_days)
    text = _text(session, customer, debtor, signer, reference, None, days, signed_on)
    evidence = _evidence(signer, text, debtor.account.label)
    mandate = _make(session, customer, debtor, reference, days, vault, evidence, signed_on, now, actor)
    _keep(session, mandate, "signature", text, evidence, vault, now)
    payment_methods.make_primary(session, mandate.method, now, actor)
    return mandate


def _keep(
    session: Session,
    mandate: Mandate,
    kind: str,
    text: str,
    evidence: dict[str, str],
    vault: Vault,
    now: datetime,
) -> None:
    session.add(
        MandateDocument(
            mandate_id=mandate.id,
            kind=kind,
            signed_at=now,
            text_sealed=vault.seal(text),
            evidence=evidence,
        )
    )
    session.flush()


def _text(
    session: Session,
    customer: Customer,
    debtor: Debtor,
    signer: Signer,
    reference: str,
    former_label: str | None,
    days: int,
    on: date,
) -> str:
    """Word for word: one empty line between paragraphs, none within or around them."""
    text = render_for(
        signer.language,
        "payment/mandate.txt",
        creditor=invoicing.the_issuer(session),
        customer=customer,
        holder=debtor.holder,
        bank_account=debtor.account,
        reference=reference,
        version=TEXT_VERSION,
        former_label=former_label,
        notice_days=days,
        signer=signer,
        on=on,
    )
    paragraphs = (
        "\n".join(filter(None, (line.strip() for line in each.splitlines()))) for each in text.split("\n\n")
    )
    return "\n\n".join(filter(None, paragraphs)) + "\n"


# --- The signed document ---------------------------------------------------------------------------------------


def documents_of(session: Session, account_id: uuid.UUID) -> list[tuple[Mandate, MandateDocument]]:
    """What the account has signed, newest first."""
    rows = session.execute(
        select(Mandate, MandateDocument)
        .join(MandateDocument, MandateDocument.mandate_id == Mandate.id)
        .where(Mandate.account_id == account_id)
        .order_by(MandateDocument.id.desc())
    )
    return [(mandate, document) for mandate, document in rows]


def file(session: Session, account_id: uuid.UUID, document_id: int, vault: Vault) -> SignedFile | None:
    """A signed document as PDF, the whole IBAN in it; None when the account has no such document.

    Raises AlteredDocument, Unreadable.
    """
    row = session.execute(
        select(Mandate.reference, MandateDocument)
        .join(MandateDocument, MandateDocument.mandate_id == Mandate.id)
        .where(Mandate.account_id == account_id, MandateDocument.id == document_id)
    ).first()
    if row is None:
        return None
    reference, document = row
    text, language = vault.open(document.text_sealed), document.evidence["language"]
    if _sha256(text) != document.evidence["document_sha256"]:
        raise AlteredDocument(reference)
    issuer = invoicing.the_issuer(session)
    title, *paragraphs = text.strip().split("\n\n")
    paragraphs.append("SHA-256\n" + _broken(document.evidence["document_sha256"]))
    content = letter_pdf.render(
        title,
        paragraphs,
        seller=issuer.brand,
        footer=f"{issuer.legal_name}, {issuer.street}, {issuer.postcode} {issuer.city}, {issuer.vat_number}",
        language=language,
        on=document.signed_at.date(),
    )
    return SignedFile(f"{FILE_NAMES[language]}-{reference}-{document.id}.pdf", content)


# --- What ends them --------------------------------------------------------------------------------------------


def life(mandate: Mandate) -> MandateLife:
    return MandateLife(mandate.signed_on, mandate.last_used_on)


def _is_usable(mandate: Mandate, today: date) -> bool:
    return (
        mandate.status == "active" and mandate.method.state == "active" and not life(mandate).is_dead(today)
    )


# --- Machinery -------------------------------------------------------------------------------------------------


def _present(session: Session, account_id: uuid.UUID) -> Mandate | None:
    """The mandate of the direct debit that the account has now, in whatever state; None when it has none."""
    statement = (
        select(Mandate)
        .join(PaymentMethod, PaymentMethod.id == Mandate.method_id)
        .where(Mandate.account_id == account_id, PaymentMethod.state.in_(payment_methods.OPEN))
        .order_by(Mandate.id.desc())
        .limit(1)
    )
    return session.scalars(statement).first()


def _next_reference(session: Session, customer: Customer) -> str:
    count = session.scalar(
        select(func.count()).select_from(Mandate).where(Mandate.account_id == customer.account_id)
    )
    return reference_of_mandate(customer.reference, 1 + (count or 0))


def _opened(sealed: str, vault: Vault) -> str | None:
    """None when no key opens it: the account cannot be compared, so a new mandate is signed."""
    try:
        return vault.open(sealed)
    except Unreadable:
        log.error("the account of a mandate cannot be read: is a former SECRET_KEY missing?")
        return None


def _evidence(signer: Signer, text: str, label: str) -> dict[str, str]:
    return {
        "name": signer.name,
        "email": signer.email,
        "ip": signer.ip_address,
        "user_agent": signer.user_agent[:400],
        "text_version": TEXT_VERSION,
        "language": signer.language,
        "document_sha256": _sha256(text),
        "label": label,
    }


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _broken(digest: str) -> str:
    """In groups of eight, so that it may wrap."""
    return " ".join(digest[start : start + 8] for start in range(0, len(digest), 8))
