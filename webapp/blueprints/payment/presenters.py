"""What the pages of payment methods show: templates only lay it out."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from webapp.domain.access import May, Role, is_allowed
from webapp.domain.payment_methods import ANNOUNCED_DAYS_BEFORE
from webapp.models.payments import Mandate, MandateDocument, PaymentMethod
from webapp.services import mandates
from webapp.services.bank_reasons import reason_text
from webapp.services.contracts import Customer, Partner, Situation
from webapp.services.method_changes import PAYMENT


@dataclass(frozen=True, slots=True)
class MandateFacts:
    reference: str
    creditor_id: str
    holder: str
    bank: str
    signed_on: date
    signed_by: str
    last_used_on: date | None
    notice_days: int
    is_cancelled: bool
    dead_on: date  # the first day on which it no longer collects


@dataclass(frozen=True, slots=True)
class MethodCard:
    """One method. `id` is None for what billing details alone tell: transfers never chosen, or a mandate on paper.

    `stops_on` is the first day without it, `last_day` the one before, of a card or of a mandate; `stops_soon` says that
    it is announced already.
    """

    id: uuid.UUID | None
    kind: str
    state: str
    label: str
    reference: str
    signed_on: date | None
    mandate: MandateFacts | None
    by_provider: bool
    reason: str
    last_day: date | None
    stops_soon: bool
    created_at: datetime | None
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class SignedPaper:
    """A signed document, to take away."""

    id: int
    kind: str
    reference: str
    label: str
    signed_at: datetime
    signed_by: str


@dataclass(frozen=True, slots=True)
class PaymentPage:
    subscription_id: uuid.UUID
    customer: Customer
    current: MethodCard
    others: tuple[MethodCard, ...]
    former: tuple[MethodCard, ...]
    papers: tuple[SignedPaper, ...]
    may_change: bool
    may_take_away: bool  # the signed documents, with the whole IBAN
    is_owner: bool
    partner: Partner | None  # set when the reseller keeps payment for itself
    ended_on: date | None
    has_mandate: bool  # in force: signing again changes its account


def payment_page(
    situation: Situation,
    methods: Sequence[PaymentMethod],
    papers: Sequence[tuple[Mandate, MandateDocument]],
    role: Role | None,
    today: date,
    locale: str,
) -> PaymentPage:
    cards = [method_card(each, today, locale) for each in methods]
    primary = next((each.id for each in methods if each.is_primary), None)
    current = next((each for each in cards if each.id == primary), None) or _told(situation.customer)
    open_ones = [each for each in cards if each.state != "closed" and each.id != current.id]
    partner = situation.partner
    is_partners = partner is not None and PAYMENT not in partner.allowed_actions
    ended_on = situation.contract.on(today).ended_on
    is_owner = is_allowed(role, May.CHANGE_PAYMENT)
    return PaymentPage(
        subscription_id=situation.subscription_id,
        customer=situation.customer,
        current=current,
        others=tuple(each for each in open_ones if each.kind != "transfer"),
        former=tuple(each for each in cards if each.state == "closed" and each.kind != "transfer"),
        papers=tuple(_paper(mandate, document) for mandate, document in papers),
        may_change=is_owner and not is_partners and ended_on is None,
        may_take_away=is_owner,
        is_owner=is_owner,
        partner=partner if is_partners else None,
        ended_on=ended_on,
        has_mandate=any(each.mandate is not None and each.state == "active" for each in cards),
    )


def method_card(method: PaymentMethod, today: date, locale: str) -> MethodCard:
    facts = _mandate(method.mandate) if method.mandate is not None else None
    stops_on = facts.dead_on if facts is not None else method.expires_on
    soon = timedelta(days=max(ANNOUNCED_DAYS_BEFORE))
    return MethodCard(
        id=method.id,
        kind=method.kind,
        state=method.state,
        label=method.label,
        reference=facts.reference if facts is not None else method.provider_mandate,
        signed_on=facts.signed_on if facts is not None else None,
        mandate=facts,
        by_provider=bool(method.provider),
        reason=reason_text(method.blocked_reason, locale) if method.state == "blocked" else "",
        last_day=stops_on - timedelta(days=1) if stops_on is not None else None,
        stops_soon=method.state == "active" and stops_on is not None and stops_on - today <= soon,
        created_at=method.created_at,
        closed_at=method.closed_at,
    )


def _mandate(mandate: Mandate) -> MandateFacts:
    return MandateFacts(
        reference=mandate.reference,
        creditor_id=mandate.creditor_id,
        holder=mandate.debtor_name,
        bank=mandate.bank,
        signed_on=mandate.signed_on,
        signed_by=str(mandate.evidence.get("name") or ""),
        last_used_on=mandate.last_used_on,
        notice_days=mandate.pre_notification_days,
        is_cancelled=mandate.status == "cancelled",
        dead_on=mandates.life(mandate).dead_on,
    )


def _told(customer: Customer) -> MethodCard:
    """What the billing details say, of an account that has given no method here."""
    return MethodCard(
        id=None,
        kind=customer.payment_method,
        state="active",
        label=customer.payment_label,
        reference=customer.payment_reference,
        signed_on=customer.payment_signed_on,
        mandate=None,
        by_provider=False,
        reason="",
        last_day=None,
        stops_soon=False,
        created_at=None,
        closed_at=None,
    )


def _paper(mandate: Mandate, document: MandateDocument) -> SignedPaper:
    evidence = document.evidence
    return SignedPaper(
        id=document.id,
        kind=document.kind,
        reference=mandate.reference,
        label=str(evidence.get("label") or ""),
        signed_at=document.signed_at,
        signed_by=str(evidence.get("name") or ""),
    )
