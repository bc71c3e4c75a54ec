"""The ways to pay that an account has given, and which of them is the primary one (D2).

One usable method of each kind at most, one primary. The primary is copied to the billing details, from which invoices
are made; while it does not work, they ask for a transfer. What is signed for a direct debit is in `mandates`.
"""

import uuid
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from webapp.domain.access import SYSTEM, Actor
from webapp.domain.collection_codes import next_step
from webapp.domain.payment_methods import MandateLife, card_stops_on
from webapp.domain.refusals import MethodNotUsable
from webapp.models.accounts import Account, BillingDetails
from webapp.models.payments import Collection, Mandate, PaymentMethod
from webapp.services import audit, notices, outbox, standing

OPEN = (
    "pending",
    "active",
    "blocked",
    "expired",
)  # the states of a method that its owner still sees as present


@dataclass(frozen=True, slots=True)
class Card:
    """A card as its provider describes it: no number ever enters."""

    provider: str
    customer: str
    reference: str
    brand: str  # as shown: Visa, Bancontact
    last_four: str
    expires: tuple[int, int] | None  # year and month printed on it

    @property
    def label(self) -> str:
        return f"{self.brand} •••• {self.last_four}".strip()


# --- Reading ---------------------------------------------------------------------------------------------------


def primary(session: Session, account_id: uuid.UUID) -> PaymentMethod | None:
    """The primary method, whatever its state; None for an account that has chosen none, which pays by transfer."""
    statement = select(PaymentMethod).where(
        PaymentMethod.account_id == account_id, PaymentMethod.is_primary.is_(True)
    )
    return session.scalars(statement).one_or_none()


def usable_mandate(session: Session, account_id: uuid.UUID, today: date) -> Mandate | None:
    """The mandate on which a file may collect today: the primary method's own, active and not dead."""
    method = primary(session, account_id)
    if method is None or method.state != "active" or method.provider or method.mandate is None:
        return None
    mandate = method.mandate
    is_dead = MandateLife(mandate.signed_on, mandate.last_used_on).is_dead(today)
    return mandate if mandate.status == "active" and not is_dead else None


def all_of(session: Session, account_id: uuid.UUID) -> list[PaymentMethod]:
    """Every method that the account has given, the closed ones too, newest first."""
    statement = select(PaymentMethod).where(PaymentMethod.account_id == account_id)
    return list(session.scalars(statement.order_by(PaymentMethod.created_at.desc(), PaymentMethod.id)))


def by_provider_reference(session: Session, provider: str, reference: str) -> PaymentMethod | None:
    """The method under the name that a provider gave it."""
    statement = select(PaymentMethod).where(
        PaymentMethod.provider == provider, PaymentMethod.provider_reference == reference
    )
    return session.scalars(statement.order_by(PaymentMethod.created_at.desc()).limit(1)).first()


# --- Adding and choosing ---------------------------------------------------------------------------------------


def add(
    session: Session,
    account_id: uuid.UUID,
    kind: str,
    label: str,
    now: datetime,
    actor: Actor,
    *,
    state: str = "pending",
    last_four: str = "",
    provider: str = "",
    provider_customer: str = "",
    provider_reference: str = "",
    expires_on: date | None = None,
) -> PaymentMethod:
    """A method given by its owner, not primary yet. `label` is masked: it is shown as it is. Flushes."""
    method = PaymentMethod(
        account_id=account_id,
        kind=kind,
        state=state,
        is_primary=False,
        label=label,
        provider=provider,
        provider_customer=provider_customer,
        provider_reference=provider_reference,
        last_four=last_four,
        expires_on=expires_on,
        created_at=now,
        created_by=actor.name,
    )
    session.add(method)
    session.flush()
    return method


def add_card(
    session: Session, account_id: uuid.UUID, card: Card, now: datetime, actor: Actor
) -> PaymentMethod:
    """A card that its provider has accepted. The same one told again is the same method, brought up to date. Flushes."""
    standing.lock(session, account_id)
    method = by_provider_reference(session, card.provider, card.reference)
    expires_on = card_stops_on(*card.expires) if card.expires else None
    if method is not None and method.account_id == account_id and method.state != "closed":
        method.expires_on = expires_on
        return confirm(session, method, label=card.label, last_four=card.last_four)
    method = add(
        session,
        account_id,
        "card",
        card.label,
        now,
        actor,
        state="active",
        last_four=card.last_four,
        provider=card.provider,
        provider_customer=card.customer,
        provider_reference=card.reference,
        expires_on=expires_on,
    )
    _say(session, method, "added", now, actor)
    return method


def confirm(
    session: Session, method: PaymentMethod, *, label: str | None = None, last_four: str | None = None
) -> PaymentMethod:
    """The bank or the provider accepts it: it may be used. A closed method stays closed. Flushes."""
    if method.state == "closed":
        return method
    method.state, method.blocked_reason = "active", None
    method.label = label or method.label
    method.last_four = last_four or method.last_four
    session.flush()
    if method.is_primary:
        _copy_to_billing_details(session, method.account_id, method)
    return method


def make_primary(
    session: Session, method: PaymentMethod, now: datetime, actor: Actor, link: str = ""
) -> None:
    """What pays from now on. The others of its kind are closed; what was planned on another method is cancelled.

    With a `link` to the page, the owners are told by mail. Making primary what is primary already changes nothing.
    Raises MethodNotUsable unless it is active. Flushes.
    """
    account = standing.lock(session, method.account_id)
    if method.state != "active":
        raise MethodNotUsable()
    former = primary(session, account.id)
    if former is not None and former.id == method.id:
        _copy_to_billing_details(session, account.id, method)
        return
    if former is not None:
        former.is_primary = False
        session.flush()  # one row at most is primary, at each statement
        _cancel_planned(session, former, now)
    method.is_primary = True
    for other in _open_ones(session, account.id):
        if other.id != method.id and other.kind == method.kind:
            _close(session, other, now)
    _copy_to_billing_details(session, account.id, method)
    facts = {"kind": method.kind, "label": method.label}
    before = {"kind": former.kind, "label": former.label} if former else {}
    audit.record(session, actor, account.id, "payment_method.made_primary", method.label, before, facts, now)
    if link:
        tell_owners(session, method, now, actor, link)


def tell_owners(session: Session, method: PaymentMethod, now: datetime, actor: Actor, link: str) -> None:
    """Mail the owners what pays their invoices from now on, and who decided it."""
    mandate = method.mandate
    _mail(
        session,
        method.account_id,
        "payment_method_changed",
        now,
        kind=method.kind,
        label=method.label,
        reference=mandate.reference if mandate is not None else method.provider_mandate,
        notice_days=mandate.pre_notification_days if mandate is not None else None,
        by=actor.name,
        link=link,
    )


def tell_end(
    session: Session, method: PaymentMethod, stops_on: date, today: date, now: datetime, link: str
) -> None:
    """Mail the owners that a card or a mandate ends soon; `stops_on` is the first day without it."""
    _mail(
        session,
        method.account_id,
        "payment_method_ends",
        now,
        kind=method.kind,
        label=method.label,
        reference=method.mandate.reference if method.mandate is not None else "",
        last_day=stops_on - timedelta(days=1),
        days_left=(stops_on - today).days,
        link=link,
    )


def choose_transfer(
    session: Session, account_id: uuid.UUID, now: datetime, actor: Actor, link: str = ""
) -> PaymentMethod:
    """Pay each invoice by transfer from now on; a mandate or a card stays at hand until it is closed. Flushes."""
    standing.lock(session, account_id)
    method = next((each for each in _open_ones(session, account_id) if each.kind == "transfer"), None)
    if method is None:
        method = add(session, account_id, "transfer", "", now, actor, state="active")
    make_primary(session, method, now, actor, link)
    return method


def mark_used(mandate: Mandate, on: date) -> None:
    """A collection is asked of the bank for that day: the mandate lives 36 months more, its amendment is declared."""
    mandate.first_used_on = mandate.first_used_on or on
    mandate.last_used_on = max(mandate.last_used_on or on, on)
    mandate.amendment = None


# --- What stops it ---------------------------------------------------------------------------------------------


def block(
    session: Session, method: PaymentMethod, reason_code: str, now: datetime, actor: Actor = SYSTEM
) -> None:
    """The bank or the provider refuses it: nothing more is collected on it, and invoices ask for a transfer.

    It stays the primary method, so that the page says what to mend. Reasons such as MD01 cancel a mandate for good,
    others suspend it. Blocking it again keeps the first reason, unless the mandate is now cancelled. Flushes.
    """
    account = standing.lock(session, method.account_id)
    mandate = method.mandate
    if method.state == "closed" or (method.state == "blocked" and not _gets_worse(mandate, reason_code)):
        return
    method.state, method.blocked_reason = "blocked", reason_code
    if mandate is not None:
        mandate.status = _status_after(reason_code)
        mandate.closed_at = now if mandate.status == "cancelled" else None
    _cancel_planned(session, method, now)
    if method.is_primary:
        _copy_to_billing_details(session, account.id, method)
    _say(session, method, "blocked", now, actor, reason_code=reason_code)
    session.flush()


def expire(session: Session, method: PaymentMethod, now: datetime, actor: Actor = SYSTEM) -> None:
    """A card past its month, a mandate unused for 36 months: invoices ask for a transfer until it is replaced. Flushes."""
    account = standing.lock(session, method.account_id)
    if method.state not in ("pending", "active"):
        return
    method.state = "expired"
    if method.mandate is not None:
        method.mandate.status, method.mandate.closed_at = "expired", now
    _cancel_planned(session, method, now)
    if method.is_primary:
        _copy_to_billing_details(session, account.id, method)
    _say(session, method, "expired", now, actor)
    session.flush()


def close(session: Session, method: PaymentMethod, now: datetime, actor: Actor, link: str = "") -> None:
    """Its owner takes it back: a mandate is cancelled, a card forgotten. Invoices ask for a transfer if it was primary.

    With a `link` to the page, the owners are told by mail. Closing it twice changes nothing. Flushes.
    """
    account = standing.lock(session, method.account_id)
    if method.state == "closed":
        return
    was_primary = method.is_primary
    _close(session, method, now)
    if was_primary:
        _copy_to_billing_details(session, account.id, None)
    _say(session, method, "closed", now, actor)
    if link:
        _mail(
            session,
            account.id,
            "payment_method_closed",
            now,
            kind=method.kind,
            label=method.label,
            reference=method.mandate.reference if method.mandate is not None else "",
            was_primary=was_primary,
            by=actor.name,
            link=link,
        )
    session.flush()


# --- Machinery -------------------------------------------------------------------------------------------------


def _open_ones(session: Session, account_id: uuid.UUID) -> list[PaymentMethod]:
    statement = select(PaymentMethod).where(
        PaymentMethod.account_id == account_id, PaymentMethod.state.in_(OPEN)
    )
    return list(session.scalars(statement.order_by(PaymentMethod.created_at.desc(), PaymentMethod.id)))


def _status_after(reason_code: str) -> str:
    return "cancelled" if next_step(reason_code).mandate == "cancelled" else "suspended"


def _gets_worse(mandate: Mandate | None, reason_code: str) -> bool:
    return mandate is not None and mandate.status == "suspended" and _status_after(reason_code) == "cancelled"


def _close(session: Session, method: PaymentMethod, now: datetime) -> None:
    method.state, method.is_primary, method.closed_at = "closed", False, now
    if method.mandate is not None and method.mandate.status in ("active", "suspended"):
        method.mandate.status, method.mandate.closed_at = "cancelled", now
    _cancel_planned(session, method, now)
    session.flush()


def _cancel_planned(session: Session, method: PaymentMethod, now: datetime) -> None:
    """What was not sent yet will not be; what the bank or the provider already has goes its way."""
    session.execute(
        update(Collection)
        .where(Collection.method_id == method.id, Collection.state == "planned")
        .values(state="cancelled", is_open=False, closed_at=now)
    )


def _copy_to_billing_details(session: Session, account_id: uuid.UUID, method: PaymentMethod | None) -> None:
    """What the next invoices say of their payment: only a method that works may be named."""
    details = session.get_one(BillingDetails, account_id)
    works = method if method is not None and method.state == "active" else None
    mandate = works.mandate if works is not None else None
    details.payment_method = works.kind if works is not None else "transfer"
    details.payment_label = works.label if works is not None else ""
    if mandate is not None:
        details.payment_reference, details.payment_signed_on = mandate.reference, mandate.signed_on
    elif works is not None and works.provider_mandate:  # the provider holds it, since the day it told us
        details.payment_reference, details.payment_signed_on = works.provider_mandate, works.created_at.date()
    else:
        details.payment_reference, details.payment_signed_on = "", None
    details.payment_problem = _problem(method)
    session.flush()


def _problem(method: PaymentMethod | None) -> str | None:
    if method is None or method.state not in ("blocked", "expired"):
        return None
    return f"{'card' if method.kind == 'card' else 'mandate'}_{method.state}"


def _say(
    session: Session, method: PaymentMethod, verb: str, now: datetime, actor: Actor, **facts: object
) -> None:
    facts = {"kind": method.kind, "label": method.label, **facts}
    audit.record(session, actor, method.account_id, f"payment_method.{verb}", method.label, {}, facts, now)


def _mail(session: Session, account_id: uuid.UUID, template: str, now: datetime, **values: Any) -> None:
    account = session.get_one(Account, account_id)
    for owner in notices.owners(session, account.id):
        outbox.queue(
            session,
            template,
            recipient=owner.email,
            language=owner.language or account.language,
            account_id=account.id,
            now=now,
            full_name=owner.full_name,
            account=account.name,
            **values,
        )
