"""Reading a subscription: the rows as one domain value, with the words that pages and documents say about it.

Few statements whatever the number of options, establishments or invoices, and plain rows rather than entities:
this is what every page begins with.
"""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from webapp.domain.contract import (
    ChangeKind,
    Contract,
    Frequency,
    HeldEstablishment,
    HeldOption,
    OptionKind,
    PlanTariff,
    ScheduledChange,
    Signature,
    Tier,
)
from webapp.domain.money import Money
from webapp.domain.periods import Period
from webapp.domain.pricing import Item
from webapp.domain.proration import BilledLine, Correction
from webapp.domain.terms import Commitment, Notice, NoticeUnit, Renewal, Terms
from webapp.domain.vat import VatRate, rate_for
from webapp.models.accounts import Account, BillingDetails, Reseller
from webapp.models.catalogue import Option, OptionVersion, Plan, PlanPrice, PlanVersion
from webapp.models.invoices import Invoice, InvoiceLine
from webapp.models.subscriptions import Establishment, Subscription, SubscriptionOption
from webapp.models.subscriptions import ScheduledChange as ScheduledChangeRow

Texts = Mapping[str, Any]
AnyRow = Row[*tuple[Any, ...]]  # columns by name: what each is stands in the statement it came from
RUN_REASONS = ("period", "anniversary")


class SubscriptionNotFound(LookupError):
    """No such subscription: the door answers 404."""


@dataclass(frozen=True, slots=True)
class Customer:
    """The account as documents and pages name it."""

    account_id: uuid.UUID
    name: str
    reference: str
    kind: str
    language: str
    legal_name: str
    street: str
    postcode: str
    city: str
    country: str
    vat_number: str | None
    enterprise_number: str | None
    invoice_email: str
    buyer_reference: str | None
    peppol_id: str | None
    payment_method: str
    payment_label: str
    payment_reference: str
    payment_signed_on: date | None
    payment_term_days: int
    vat: VatRate


@dataclass(frozen=True, slots=True)
class Partner:
    """The reseller of a client: whom to contact, and what the client may do alone (P8)."""

    id: uuid.UUID
    name: str
    email: str
    phone: str
    allowed_actions: frozenset[str]


@dataclass(frozen=True, slots=True)
class PendingChange:
    """A scheduled change as lists show it."""

    id: int
    kind: ChangeKind
    effective_on: date
    facts: Mapping[str, Any]
    requested_by: str
    requested_at: datetime


@dataclass(frozen=True, slots=True)
class Address:
    name: str
    street: str
    postcode: str
    city: str


@dataclass(frozen=True, slots=True)
class PlanWords:
    names: Texts
    descriptions: Texts
    highlights: tuple[Texts, ...]
    features: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OptionWords:
    names: Texts
    unit_names: Texts
    icon: str


@dataclass(frozen=True, slots=True)
class Situation:
    """One subscription, read once: the rules' value and the words around it."""

    subscription_id: uuid.UUID
    version: int
    contract: Contract
    customer: Customer
    partner: Partner | None
    plan: PlanWords
    plans: Mapping[str, Texts]  # names of the plans that the contract mentions, by code
    options: Mapping[str, OptionWords]
    addresses: Mapping[str, Address]
    pending: tuple[PendingChange, ...]

    @property
    def currency(self) -> str:
        return self.contract.tariff.price.currency


_CORE = (
    select(
        *Subscription.__table__.c,
        *(
            PlanPrice.__table__.c[name].label(f"price_{name}")
            for name in ("amount_cents", "establishment_tiers")
        ),
        PlanPrice.commitment_months.label("price_commitment_months"),
        PlanPrice.notice_count.label("price_notice_count"),
        PlanPrice.notice_unit.label("price_notice_unit"),
        PlanPrice.renewal.label("price_renewal"),
        PlanVersion.names,
        PlanVersion.descriptions,
        PlanVersion.highlights,
        PlanVersion.features,
        PlanVersion.included_establishments,
        Plan.code.label("plan_code"),
        Plan.rank,
        Account.name.label("account_name"),
        Account.reference,
        Account.kind,
        Account.language,
        Account.reseller_id,
        *(column for column in BillingDetails.__table__.c if column.name != "account_id"),
        Reseller.name.label("reseller_name"),
        Reseller.contact_email,
        Reseller.contact_phone,
        Reseller.allowed_actions,
    )
    .join(PlanPrice, PlanPrice.id == Subscription.plan_price_id)
    .join(PlanVersion, PlanVersion.id == PlanPrice.plan_version_id)
    .join(Plan, Plan.id == PlanVersion.plan_id)
    .join(Account, Account.id == Subscription.account_id)
    .join(BillingDetails, BillingDetails.account_id == Account.id)
    .outerjoin(Reseller, Reseller.id == Account.reseller_id)
)
_OPTIONS = (
    select(
        *SubscriptionOption.__table__.c,
        Option.code,
        Option.kind,
        Option.icon,
        OptionVersion.names,
        OptionVersion.unit_names,
        OptionVersion.offered_by,
        OptionVersion.included_by,
    )
    .join(OptionVersion, OptionVersion.id == SubscriptionOption.option_version_id)
    .join(Option, Option.id == OptionVersion.option_id)
    .order_by(Option.position, SubscriptionOption.id)
)
_TARIFFS = (
    select(
        *PlanPrice.__table__.c, PlanVersion.included_establishments, PlanVersion.names, Plan.code, Plan.rank
    )
    .join(PlanVersion, PlanVersion.id == PlanPrice.plan_version_id)
    .join(Plan, Plan.id == PlanVersion.plan_id)
)


def load(session: Session, subscription_id: uuid.UUID) -> Situation:
    """The subscription as it is recorded: `contract.on(today)` is how it stands today.

    The caller has checked that the reader may see it. Raises SubscriptionNotFound.
    """
    core = session.execute(_CORE.where(Subscription.id == subscription_id)).first()
    if core is None:
        raise SubscriptionNotFound(subscription_id)
    options = session.execute(_OPTIONS.where(SubscriptionOption.subscription_id == subscription_id)).all()
    establishments = session.execute(
        select(*Establishment.__table__.c)
        .where(Establishment.subscription_id == subscription_id)
        .order_by(Establishment.position)
    ).all()
    pending = _pending(session, subscription_id)
    mentioned = [change.facts["plan_price_id"] for change in pending if change.kind is ChangeKind.PLAN]
    if core.day_start is not None:
        mentioned.append(core.day_start["plan_price_id"])
    others = tariffs(session, mentioned)
    return _situation(core, options, establishments, pending, others)


def _situation(
    core: AnyRow,
    options: Iterable[AnyRow],
    establishments: Iterable[AnyRow],
    pending: tuple[PendingChange, ...],
    others: Mapping[int, tuple[PlanTariff, Texts]],
) -> Situation:
    currency = core.currency
    tariff = _tariff(
        core.plan_price_id, core.plan_code, core.rank, core.frequency, currency, core.price_amount_cents,
        core.included_establishments, core.price_establishment_tiers, core.price_commitment_months,
        core.price_notice_count, core.price_notice_unit, core.price_renewal,
    )  # fmt: skip
    signature = _signature(tariff, core)
    day_start = None
    if core.day_start is not None and core.day_start_on is not None:
        day_start = (
            core.day_start_on,
            _signature_from_json(core.day_start, others[core.day_start["plan_price_id"]][0]),
        )
    options = list(options)
    establishments = list(establishments)
    return Situation(
        subscription_id=core.id,
        version=core.version,
        contract=Contract(
            starts_on=core.starts_on,
            signature=signature,
            options=tuple(_held_option(row, currency) for row in options),
            establishments=tuple(_held_establishment(row) for row in establishments),
            changes=tuple(_scheduled(change, others) for change in pending),
            ended_on=core.ended_on,
            day_start=day_start,
        ),
        customer=_customer(core),
        partner=_partner(core),
        plan=PlanWords(core.names, core.descriptions, tuple(core.highlights), core.features),
        plans={core.plan_code: core.names} | {tariff.plan_code: names for tariff, names in others.values()},
        options={row.code: OptionWords(row.names, row.unit_names, row.icon) for row in options},
        addresses={
            row.id.hex: Address(row.name, row.street, row.postcode, row.city) for row in establishments
        },
        pending=pending,
    )


def tariffs(session: Session, price_ids: Iterable[int]) -> dict[int, tuple[PlanTariff, Texts]]:
    """Tariffs by id, each with the names of its plan. No statement when none is asked for."""
    wanted = set(price_ids)
    if not wanted:
        return {}
    found = {}
    for row in session.execute(_TARIFFS.where(PlanPrice.id.in_(wanted))):
        tariff = _tariff(
            row.id, row.code, row.rank, row.frequency, row.currency, row.amount_cents, row.included_establishments,
            row.establishment_tiers, row.commitment_months, row.notice_count, row.notice_unit, row.renewal,
        )  # fmt: skip
        found[row.id] = (tariff, row.names)
    return found


def billed_lines(session: Session, subscription_id: uuid.UUID, today: date, since: date) -> list[BilledLine]:
    """What has been billed on this subscription for days after `since`, with what later lines corrected.

    A document of a change, issued today, is of today: a further change rewrites it (M5).
    """
    rows = session.execute(
        select(*InvoiceLine.__table__.c, Invoice.issued_on, Invoice.reason, Invoice.currency)
        .join(Invoice, Invoice.id == InvoiceLine.invoice_id)
        .where(InvoiceLine.subscription_id == subscription_id, InvoiceLine.period_end > since)
        .order_by(InvoiceLine.id)
    ).all()
    corrections: dict[int, list[Correction]] = {}
    for row in rows:
        if row.root_id is not None:
            net, service = Money(row.net_cents, row.currency), Period(row.period_start, row.period_end)
            corrections.setdefault(row.root_id, []).append(Correction(net, service, row.quantity, _is_of_today(row, today)))
    return [
        BilledLine(
            id=row.id,
            key=Item(row.item, row.ref, row.establishment_id.hex if row.establishment_id else None),
            unit=Money(row.unit_cents, row.currency),
            quantity=row.quantity,
            service=Period(row.period_start, row.period_end),
            whole=Period(row.whole_start, row.whole_end),
            net=Money(row.net_cents, row.currency),
            vat=VatRate(row.vat_category, row.vat_rate),
            is_of_today=_is_of_today(row, today),
            corrections=tuple(corrections.get(row.id, ())),
        )
        for row in rows
        if row.root_id is None
    ]


def _is_of_today(row: AnyRow, today: date) -> bool:
    return bool(row.issued_on == today and row.reason not in RUN_REASONS)


def _pending(session: Session, subscription_id: uuid.UUID) -> tuple[PendingChange, ...]:
    table = ScheduledChangeRow.__table__.c
    rows = session.execute(
        select(table.id, table.kind, table.effective_on, table.facts, table.requested_by, table.requested_at)
        .where(table.subscription_id == subscription_id, table.status == "pending")
        .order_by(table.effective_on, table.id)
    )
    return tuple(PendingChange(row.id, ChangeKind(row.kind), *row[2:]) for row in rows)


def _scheduled(change: PendingChange, others: Mapping[int, tuple[PlanTariff, Texts]]) -> ScheduledChange:
    facts = change.facts
    tariff = others[facts["plan_price_id"]][0] if change.kind is ChangeKind.PLAN else None
    return ScheduledChange(
        change.id, change.kind, change.effective_on, tariff, facts.get("option_id"), facts.get("quantity", 0)
    )


def _tariff(
    price_id: int, code: str, rank: int, frequency: str, currency: str, amount_cents: int, included: int,
    tiers: list[dict[str, int]], commitment_months: int, notice_count: int, notice_unit: str, renewal: str,
) -> PlanTariff:  # fmt: skip
    return PlanTariff(
        price_id=price_id,
        plan_code=code,
        rank=rank,
        frequency=Frequency(frequency),
        price=Money(amount_cents, currency),
        included_establishments=included,
        tiers=tuple(Tier(each["from_unit"], Money(each["amount_cents"], currency)) for each in tiers),
        terms=_terms(commitment_months, notice_count, notice_unit, renewal),
    )


def _terms(commitment_months: int, notice_count: int, notice_unit: str, renewal: str) -> Terms:
    return Terms(commitment_months, Notice(notice_count, NoticeUnit(notice_unit)), Renewal(renewal))


def _signature(tariff: PlanTariff, row: AnyRow) -> Signature:
    terms = _terms(row.commitment_months, row.notice_count, row.notice_unit, row.renewal)
    commitment = Commitment(row.commitment_starts_on, terms)
    return Signature(tariff, row.anchor_on, row.billed_until, commitment, row.settled_on)


def _signature_from_json(facts: Mapping[str, Any], tariff: PlanTariff) -> Signature:
    terms = _terms(facts["commitment_months"], facts["notice_count"], facts["notice_unit"], facts["renewal"])
    return Signature(
        tariff,
        date.fromisoformat(facts["anchor_on"]),
        date.fromisoformat(facts["billed_until"]),
        Commitment(date.fromisoformat(facts["commitment_starts_on"]), terms),
        date.fromisoformat(facts["settled_on"]),
    )


def signature_facts(signature: Signature) -> dict[str, Any]:
    """A signature as the columns of `subscriptions` hold it, dates as dates."""
    terms = signature.commitment.terms
    return {
        "plan_price_id": signature.tariff.price_id,
        "anchor_on": signature.anchor_on,
        "billed_until": signature.billed_until,
        "settled_on": signature.settled_on,
        "commitment_starts_on": signature.commitment.starts_on,
        "commitment_months": terms.commitment_months,
        "notice_count": terms.notice.count,
        "notice_unit": terms.notice.unit.value,
        "renewal": terms.renewal.value,
    }


def _held_option(row: AnyRow, currency: str) -> HeldOption:
    prices = {Frequency.MONTHLY: row.monthly_cents, Frequency.ANNUAL: row.annual_cents}
    return HeldOption(
        id=row.id,
        code=row.code,
        kind=OptionKind(row.kind),
        units={often: Money(cents, currency) for often, cents in prices.items() if cents is not None},
        quantity=row.quantity,
        starts_on=row.starts_on,
        ends_on=row.ends_on,
        establishment_id=row.establishment_id.hex if row.establishment_id else None,
        included_by=frozenset(row.included_by),
        offered_by=frozenset(row.offered_by),
        version_id=row.option_version_id,
        once=Money(row.once_cents, currency) if row.once_cents is not None else None,
        chosen_on=row.chosen_on,
        replaces_id=row.replaces_id,
    )


def _held_establishment(row: AnyRow) -> HeldEstablishment:
    return HeldEstablishment(
        row.id.hex,
        row.position,
        row.name,
        row.active_from,
        row.charged_from,
        row.active_until,
        row.charged_until,
    )


def _customer(core: AnyRow) -> Customer:
    return Customer(
        account_id=core.account_id,
        name=core.account_name,
        reference=core.reference,
        kind=core.kind,
        language=core.language,
        legal_name=core.legal_name,
        street=core.street,
        postcode=core.postcode,
        city=core.city,
        country=core.country,
        vat_number=core.vat_number,
        enterprise_number=core.enterprise_number,
        invoice_email=core.invoice_email,
        buyer_reference=core.buyer_reference,
        peppol_id=core.peppol_id,
        payment_method=core.payment_method,
        payment_label=core.payment_label,
        payment_reference=core.payment_reference,
        payment_signed_on=core.payment_signed_on,
        payment_term_days=core.payment_term_days,
        vat=rate_for(core.vat_treatment),
    )


def _partner(core: AnyRow) -> Partner | None:
    if core.reseller_id is None:
        return None
    actions = frozenset(core.allowed_actions)
    return Partner(core.reseller_id, core.reseller_name, core.contact_email, core.contact_phone, actions)
