"""Billing details: what the next invoices will say. Issued ones keep their frozen copy (U1).

The accountant's address is used only once its reader has opened a mailed link: until then it waits, and the
former one stays in use.
"""

import hashlib
import secrets
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.adapters import numbers
from webapp.adapters.vies import CheckVat
from webapp.domain.access import SYSTEM, Actor
from webapp.domain.refusals import KindFrozen, LinkExpired, StalePage, SubscriptionEnded, TooManyAttempts
from webapp.domain.vat_treatment import treatment_for
from webapp.models.accounts import Account, BillingDetails, EmailCheck
from webapp.models.invoices import Issuer
from webapp.models.subscriptions import Subscription
from webapp.services import audit, contracts, outbox, requests
from webapp.services.people import fingerprint, normalise

CHECK_LIFETIME = timedelta(days=7)
CHECKS_PER_HOUR = 5
CHECKED = ("kind", "vat_number")  # by a person of the team, once they have changed


@dataclass(frozen=True)
class Details:
    """What a customer may change, as one value. Numbers are compact, addresses in lower case."""

    name: str
    kind: str
    language: str
    legal_name: str
    street: str
    postcode: str
    city: str
    country: str
    vat_number: str | None
    enterprise_number: str | None
    invoice_emails: tuple[str, ...]
    buyer_reference: str | None
    peppol_id: str | None

    @property
    def version(self) -> str:
        """Stands for these values: a form opened on others is stale (A4)."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Shown:
    """The details as the page shows them, with what is derived from them."""

    details: Details
    accountant_email: str | None
    waiting_email: str | None  # the accountant's address that is not confirmed yet
    waiting_until: datetime | None
    vat_treatment: str
    vat_check: str | None
    vat_checked_at: datetime | None
    vat_consultation: str | None
    proposed_peppol_id: str | None


def read(session: Session, account_id: uuid.UUID, now: datetime) -> Shown:
    account, row = _rows(session, account_id)
    waiting = _waiting(session, account_id, now)
    details = _details(account, row)
    return Shown(
        details=details,
        accountant_email=row.accountant_email,
        waiting_email=waiting.email if waiting else None,
        waiting_until=waiting.expires_at if waiting else None,
        vat_treatment=row.vat_treatment,
        vat_check=row.vat_check,
        vat_checked_at=row.vat_checked_at,
        vat_consultation=row.vat_consultation,
        proposed_peppol_id=_proposal(details),
    )


def save(
    session: Session,
    account_id: uuid.UUID,
    wanted: Details,
    accountant_email: str | None,
    *,
    version: str,
    address_of: Callable[[str], str],
    check_vat: CheckVat,
    actor: Actor,
    today: date,
    now: datetime,
) -> bool:
    """Keep the details for the invoices to come, and the row's previous values in the audit trail.

    `version` is that of the values the form was opened on. Returns whether a mail asks the accountant to confirm a
    new address. Raises StalePage when somebody changed the details meanwhile, TooManyAttempts past 5 such mails an
    hour, SubscriptionEnded when no invoice is to come, KindFrozen: nothing has changed then.
    """
    ensure_invoices_to_come(session, account_id)
    account, row = _rows(session, account_id, lock=True)
    known = _details(account, row)
    if version != known.version:
        raise StalePage()
    if (wanted.kind == "consumer") != (known.kind == "consumer"):
        _ensure_no_commitment(session, account_id, today)
    wanted = _completed(wanted)
    before = _facts(account, row)
    _write(account, row, wanted)
    if wanted.vat_number != known.vat_number or (wanted.vat_number and row.vat_check is None):
        _ask_register(row, check_vat, now)
    row.vat_treatment = treatment_for(
        account.kind, row.country, row.vat_number, row.vat_check, row.vat_treatment, _seller_country(session)
    )
    if not accountant_email:
        row.accountant_email = None
        _close_checks(session, account_id, now)
    after = _facts(account, row)
    if before != after:
        changed = [name for name in after if after[name] != before[name]]
        audit.record(
            session, actor, account_id, "billing_details.changed", ", ".join(changed),
            {name: before[name] for name in changed}, {name: after[name] for name in changed}, now,
        )  # fmt: skip
        _have_it_checked(session, account_id, before, after, actor, now)
    waiting = _waiting(session, account_id, now)
    is_new = bool(accountant_email) and normalise(accountant_email or "") != row.accountant_email
    if is_new and (waiting is None or waiting.email != normalise(accountant_email or "")):
        _ask_accountant(session, account, row, normalise(accountant_email or ""), address_of, actor, now)
        session.flush()
        return True
    if accountant_email and not is_new:
        _close_checks(session, account_id, now)
    session.flush()
    return False


def start(session: Session, account: Account, wanted: Details, check_vat: CheckVat, now: datetime) -> None:
    """The first details of an account that has none, its name, kind and language with them. Flushes."""
    row = BillingDetails(account_id=account.id)
    _write(account, row, _completed(wanted))
    _ask_register(row, check_vat, now)
    country = _seller_country(session)
    row.vat_treatment = treatment_for(
        account.kind, row.country, row.vat_number, row.vat_check, seller_country=country
    )
    session.add(row)
    session.flush()


def _completed(wanted: Details) -> Details:
    """A Belgian VAT number says the enterprise number."""
    if wanted.enterprise_number is None and wanted.country == "BE" and wanted.vat_number:
        return replace(wanted, enterprise_number=wanted.vat_number.removeprefix("BE"))
    return wanted


def _have_it_checked(
    session: Session,
    account_id: uuid.UUID,
    before: dict[str, Any],
    after: dict[str, Any],
    actor: Actor,
    now: datetime,
) -> None:
    """Another VAT number or kind of customer changes the invoices to come: somebody of the team looks at it."""
    changed = {name: [before[name], after[name]] for name in CHECKED if before[name] != after[name]}
    if changed and actor.kind == "user":
        requests.open_one(session, "details", account_id, actor, now, facts={"changed": changed})


# --- The accountant's address ----------------------------------------------------------------------------------


def ask_accountant_again(
    session: Session, account_id: uuid.UUID, *, address_of: Callable[[str], str], actor: Actor, now: datetime
) -> str | None:
    """Send the waiting address a new link, the former one stops working. None when nothing waits.

    Raises TooManyAttempts, SubscriptionEnded.
    """
    ensure_invoices_to_come(session, account_id)
    account, row = _rows(session, account_id, lock=True)
    waiting = session.scalars(
        select(EmailCheck)
        .where(EmailCheck.account_id == account_id, EmailCheck.closed_at.is_(None))
        .order_by(EmailCheck.id.desc())
        .limit(1)
    ).first()
    if waiting is None:
        return None
    _ask_accountant(session, account, row, waiting.email, address_of, actor, now)
    session.flush()
    return waiting.email


def forget_waiting_address(session: Session, account_id: uuid.UUID, *, actor: Actor, now: datetime) -> None:
    """Give up the address that waits; the confirmed one stays."""
    email = _close_checks(session, account_id, now)
    if email:
        audit.record(
            session, actor, account_id, "accountant_email.check_cancelled", email, {"email": email}, {}, now
        )
        session.flush()


def checked_address(session: Session, token: str, now: datetime) -> tuple[str, str]:
    """The address that a link confirms and the account's name. Raises LinkExpired."""
    check = _open_check(session, token, now)
    account = session.get_one(Account, check.account_id)
    return check.email, account.name


def confirm_address(session: Session, token: str, now: datetime) -> str:
    """The accountant opened the link: the address is used from now on. Returns it. Raises LinkExpired."""
    check = _open_check(session, token, now, lock=True)
    row = session.get_one(BillingDetails, check.account_id, with_for_update=True)
    before = row.accountant_email
    check.closed_at, row.accountant_email = now, check.email
    audit.record(
        session, SYSTEM, check.account_id, "accountant_email.confirmed", check.email,
        {"accountant_email": before}, {"accountant_email": check.email}, now,
    )  # fmt: skip
    session.flush()
    return check.email


def ensure_invoices_to_come(session: Session, account_id: uuid.UUID) -> None:
    """Raises SubscriptionEnded once every subscription of the account is over: issued invoices never change (T4, U1)."""
    rows = session.execute(
        select(Subscription.status, Subscription.ended_on).where(Subscription.account_id == account_id)
    ).all()
    ends = [row.ended_on for row in rows if row.status == "ended" and row.ended_on is not None]
    if ends and len(ends) == len(rows):
        raise SubscriptionEnded(max(ends))


def _ensure_no_commitment(session: Session, account_id: uuid.UUID, today: date) -> None:
    """Raises KindFrozen while a commitment of the account runs: a consumer may withdraw, and leave a renewed one."""
    running = select(Subscription.id).where(
        Subscription.account_id == account_id, Subscription.status == "active"
    )
    for subscription_id in session.scalars(running):
        contract = contracts.load(session, subscription_id).contract.on(today)
        commitment = contract.signature.commitment
        term = commitment.term_on(max(today, commitment.starts_on)) if contract.ended_on is None else None
        if term is not None:
            raise KindFrozen(term.last_day)


def _ask_accountant(
    session: Session,
    account: Account,
    row: BillingDetails,
    email: str,
    address_of: Callable[[str], str],
    actor: Actor,
    now: datetime,
) -> None:
    sent = session.scalar(
        select(func.count())
        .select_from(EmailCheck)
        .where(EmailCheck.account_id == account.id, EmailCheck.created_at > now - timedelta(hours=1))
    )
    if (sent or 0) >= CHECKS_PER_HOUR:
        raise TooManyAttempts(minutes=60)
    _close_checks(session, account.id, now)
    token = secrets.token_urlsafe(32)
    session.add(
        EmailCheck(
            account_id=account.id,
            email=email,
            token_hash=fingerprint(token),
            asked_by=actor.name,
            created_at=now,
            expires_at=now + CHECK_LIFETIME,
        )
    )
    outbox.queue(
        session,
        "accountant_check",
        recipient=email,
        language=account.language,
        account_id=account.id,
        now=now,
        account=account.name,
        legal_name=row.legal_name,
        asked_by=actor.name,
        link=address_of(token),
        days=CHECK_LIFETIME.days,
    )
    audit.record(
        session, actor, account.id, "accountant_email.check_sent", email,
        {"accountant_email": row.accountant_email}, {"waiting": email}, now,
    )  # fmt: skip


def _waiting(session: Session, account_id: uuid.UUID, now: datetime) -> EmailCheck | None:
    return session.scalars(
        select(EmailCheck)
        .where(
            EmailCheck.account_id == account_id, EmailCheck.closed_at.is_(None), EmailCheck.expires_at > now
        )
        .order_by(EmailCheck.id.desc())
        .limit(1)
    ).first()


def _close_checks(session: Session, account_id: uuid.UUID, now: datetime) -> str:
    """Close what waits, and say which address that was."""
    waiting = list(
        session.scalars(
            select(EmailCheck).where(EmailCheck.account_id == account_id, EmailCheck.closed_at.is_(None))
        )
    )
    for check in waiting:
        check.closed_at = now
    return waiting[-1].email if waiting else ""


def _open_check(session: Session, token: str, now: datetime, *, lock: bool = False) -> EmailCheck:
    statement = select(EmailCheck).where(EmailCheck.token_hash == fingerprint(token))
    check = session.scalars(statement.with_for_update() if lock else statement).one_or_none()
    if check is None or check.closed_at is not None or now >= check.expires_at:
        raise LinkExpired()
    return check


# --- Rows and values -------------------------------------------------------------------------------------------

_ACCOUNT = ("name", "kind", "language")
_ROW = [
    "legal_name",
    "street",
    "postcode",
    "city",
    "country",
    "vat_number",
    "enterprise_number",
    "buyer_reference",
    "peppol_id",
]


def _rows(session: Session, account_id: uuid.UUID, *, lock: bool = False) -> tuple[Account, BillingDetails]:
    statement = (
        select(Account, BillingDetails)
        .join(BillingDetails, BillingDetails.account_id == Account.id)
        .where(Account.id == account_id)
    )
    account, row = session.execute(statement.with_for_update() if lock else statement).one()
    return account, row


def _details(account: Account, row: BillingDetails) -> Details:
    return Details(
        **{name: getattr(account, name) for name in _ACCOUNT},
        **{name: getattr(row, name) for name in _ROW},
        invoice_emails=(row.invoice_email, *row.other_invoice_emails),
    )


def _write(account: Account, row: BillingDetails, wanted: Details) -> None:
    for name in _ACCOUNT:
        setattr(account, name, getattr(wanted, name))
    for name in _ROW:
        setattr(row, name, getattr(wanted, name))
    row.invoice_email, *others = wanted.invoice_emails
    row.other_invoice_emails = list(others)


def _facts(account: Account, row: BillingDetails) -> dict[str, Any]:
    facts = asdict(_details(account, row))
    facts["invoice_emails"] = list(facts["invoice_emails"])
    return facts | {
        "accountant_email": row.accountant_email,
        "vat_treatment": row.vat_treatment,
        "vat_check": row.vat_check,
        "vat_consultation": row.vat_consultation,
    }


def _proposal(details: Details) -> str | None:
    """A Belgian business without a Peppol identifier is offered the one of its enterprise number."""
    if details.peppol_id or details.kind == "consumer" or details.country != "BE":
        return None
    return numbers.proposed_peppol_id(details.enterprise_number)


def _ask_register(row: BillingDetails, check_vat: CheckVat, now: datetime) -> None:
    answer = check_vat(row.vat_number, now) if row.vat_number else None
    row.vat_check = answer.result if answer else None
    row.vat_checked_at = answer.checked_at if answer else None
    row.vat_consultation = answer.consultation if answer else None


def _seller_country(session: Session) -> str:
    return session.scalar(select(Issuer.country).order_by(Issuer.id).limit(1)) or "BE"
