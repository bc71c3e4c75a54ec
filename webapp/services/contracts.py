"""Reading a subscription: the rows as one domain value, with the words that pages and documents say about it.

Few statements whatever the number of options, establishments or invoices, and plain rows rather than entities:
this is what every page begins with.
"""

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

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
from webapp.domain.reselling import BilledParty, InvoicesShown, PricesShown, Showing
from webapp.domain.terms import Commitment
from webapp.domain.vat import VatRate, rate_for
from webapp.models.reading import AnyRow, read
from webapp.services.contract_facts import discount_of, signature_of, terms_of
from webapp.services.contract_statements import BILLED, CORE, CUSTOMER, SOME_CORES, TARIFFS

Texts = Mapping[str, Any]
MIGRATION = "migration_id"  # in the facts of a change of plan that the operator decided (S3)
RUN_REASONS = ("period", "anniversary")
AMOUNT_ONLY = (
    "correction"  # the reason of documents that give money back and change nothing of what is served
)


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
    payment_problem: str | None  # why the method chosen does not pay: mandate_blocked, card_expired …
    vat: VatRate


@dataclass(frozen=True, slots=True)
class Partner:
    """The reseller of a client: whom to contact, and what the client may do alone (P8)."""

    id: uuid.UUID
    name: str
    email: str
    phone: str
    allowed_actions: frozenset[str]
    showing: Showing  # what the client sees of amounts and documents, and who is billed
    language: str  # of what it is sent itself

    @property
    def is_billed(self) -> bool:
        """Whether the platform bills the reseller, and not the client."""
        return self.showing.billed is BilledParty.RESELLER


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


def load(session: Session, subscription_id: uuid.UUID) -> Situation:
    """The subscription as it is recorded: `contract.on(today)` is how it stands today.

    The caller has checked that the reader may see it. Raises SubscriptionNotFound.
    """
    this = {"subscription_id": subscription_id}
    found = read(session, CORE, this)
    if not found:
        raise SubscriptionNotFound(subscription_id)
    [situation] = _situations(session, [found])
    return situation


def load_all(session: Session, subscription_ids: Sequence[uuid.UUID]) -> list[Situation]:
    """Those of these subscriptions that exist, in no order, as `load` reads one. Two statements at most."""
    found: dict[uuid.UUID, list[AnyRow]] = {}
    for row in read(session, SOME_CORES, {"subscription_ids": list(subscription_ids)}):
        found.setdefault(row.id, []).append(row)
    return _situations(session, list(found.values()))


def _situations(session: Session, found: Sequence[Sequence[AnyRow]]) -> list[Situation]:
    """From the rows of each subscription, one per pending change."""
    pending = [_pending(rows) for rows in found]
    mentioned = [
        change.facts["plan_price_id"]
        for changes in pending
        for change in changes
        if change.kind is ChangeKind.PLAN
    ]
    mentioned += [rows[0].day_start["plan_price_id"] for rows in found if rows[0].day_start is not None]
    others = tariffs(session, mentioned)
    return [_situation(rows[0], changes, others) for rows, changes in zip(found, pending, strict=True)]


def _situation(
    core: AnyRow,
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
    options, words = _held_options(core.held_options, core.held_versions, currency)
    establishments, addresses = _held_establishments(core.held_places)
    day_start = None
    if core.day_start is not None and core.day_start_on is not None:
        day_start = (
            core.day_start_on,
            signature_of(core.day_start, others[core.day_start["plan_price_id"]][0]),
        )
    return Situation(
        subscription_id=core.id,
        version=core.version,
        contract=Contract(
            starts_on=core.starts_on,
            signature=signature,
            options=options,
            establishments=establishments,
            changes=tuple(_scheduled(change, others) for change in pending),
            ended_on=core.ended_on,
            day_start=day_start,
            discounts=tuple(discount_of(facts, currency) for facts in core.discounts or ()),
        ),
        customer=_customer(core),
        partner=_partner(core),
        plan=PlanWords(core.names, core.descriptions, tuple(core.highlights), core.features),
        plans={core.plan_code: core.names} | {tariff.plan_code: names for tariff, names in others.values()},
        options=words,
        addresses=addresses,
        pending=pending,
    )


def customer(session: Session, account_id: uuid.UUID) -> Customer:
    """An account as documents name it, with or without a subscription."""
    return _customer(read(session, CUSTOMER, {"account_id": account_id})[0])


def tariffs(session: Session, price_ids: Iterable[int]) -> dict[int, tuple[PlanTariff, Texts]]:
    """Tariffs by id, each with the names of its plan. No statement when none is asked for."""
    wanted = set(price_ids)
    if not wanted:
        return {}
    found = {}
    for row in read(session, TARIFFS, {"price_ids": list(wanted)}):
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
    rows = read(session, BILLED, {"subscription_id": subscription_id, "since": since})
    corrections: dict[int, list[Correction]] = {}
    for row in rows:
        if row.root_id is not None:
            net = Money(row.net_cents, row.currency)
            service = None if row.reason == AMOUNT_ONLY else Period(row.period_start, row.period_end)
            corrections.setdefault(row.root_id, []).append(
                Correction(net, service, row.quantity, _is_of_today(row, today))
            )
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
    return bool(row.issued_on == today and row.reason not in (*RUN_REASONS, AMOUNT_ONLY))


def _pending(rows: Sequence[AnyRow]) -> tuple[PendingChange, ...]:
    return tuple(
        PendingChange(
            row.change_id,
            ChangeKind(row.change_kind),
            row.change_effective_on,
            row.change_facts,
            row.change_requested_by,
            row.change_requested_at,
        )
        for row in rows
        if row.change_id is not None
    )


def _scheduled(change: PendingChange, others: Mapping[int, tuple[PlanTariff, Texts]]) -> ScheduledChange:
    facts = change.facts
    tariff = others[facts["plan_price_id"]][0] if change.kind is ChangeKind.PLAN else None
    return ScheduledChange(
        change.id,
        change.kind,
        change.effective_on,
        tariff,
        facts.get("option_id"),
        facts.get("quantity", 0),
        is_migration=MIGRATION in facts,
        leave_until=_day(facts.get("leave_until")),
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
        terms=terms_of(commitment_months, notice_count, notice_unit, renewal),
    )


def _signature(tariff: PlanTariff, row: AnyRow) -> Signature:
    terms = terms_of(row.commitment_months, row.notice_count, row.notice_unit, row.renewal)
    commitment = Commitment(row.commitment_starts_on, terms)
    return Signature(tariff, row.anchor_on, row.billed_until, commitment, row.settled_on)


def _held_options(
    held: str, versions: str, currency: str
) -> tuple[tuple[HeldOption, ...], dict[str, OptionWords]]:
    """The options in the order of the catalogue, and their words by code: those of the latest taken."""
    sold, words = {}, {}
    for id_, position, code, kind, icon, names, unit_names, offered_by, included_by in json.loads(versions):
        said = OptionWords(json.loads(names), json.loads(unit_names), icon)
        by = frozenset(json.loads(offered_by)), frozenset(json.loads(included_by))
        sold[id_] = (position, code, OptionKind(kind), said, *by)
    options = []
    for (
        id_, version_id, establishment_id, quantity, starts_on, ends_on, chosen_on, replaces_id, monthly, annual, once,
    ) in sorted(json.loads(held), key=lambda row: (sold[row[1]][0], row[0])):  # fmt: skip
        _position, code, kind, said, offered_by, included_by = sold[version_id]
        words[code] = said
        units = {}
        if monthly is not None:
            units[Frequency.MONTHLY] = Money(monthly, currency)
        if annual is not None:
            units[Frequency.ANNUAL] = Money(annual, currency)
        options.append(
            HeldOption(
                id=id_,
                code=code,
                kind=kind,
                units=units,
                quantity=quantity,
                starts_on=date.fromisoformat(starts_on),
                ends_on=_day(ends_on),
                establishment_id=_hex(establishment_id) if establishment_id else None,
                included_by=included_by,
                offered_by=offered_by,
                version_id=version_id,
                once=Money(once, currency) if once is not None else None,
                chosen_on=_day(chosen_on),
                replaces_id=replaces_id,
            )
        )
    return tuple(options), words


def _held_establishments(held: str) -> tuple[tuple[HeldEstablishment, ...], dict[str, Address]]:
    """The establishments in their order, and their words by id."""
    establishments, addresses = [], {}
    for row in sorted(json.loads(held), key=lambda row: int(row[1])):
        uuid_text, position, name, street, postcode, city, active_from, charged_from, *untils = row
        id_ = _hex(uuid_text)
        establishments.append(
            HeldEstablishment(
                id_,
                position,
                name,
                date.fromisoformat(active_from),
                date.fromisoformat(charged_from),
                *map(_day, untils),
            )
        )
        addresses[id_] = Address(name, street, postcode, city)
    return tuple(establishments), addresses


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text is not None else None


def _hex(uuid_text: str) -> str:
    """An id as the domain holds it: PostgreSQL writes its dashes, SQLite does not."""
    return uuid_text.replace("-", "")


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
        payment_problem=core.payment_problem,
        vat=rate_for(core.vat_treatment),
    )


def _partner(core: AnyRow) -> Partner | None:
    if core.reseller_id is None:
        return None
    return Partner(
        id=core.reseller_id,
        name=core.reseller_name,
        email=core.contact_email,
        phone=core.contact_phone,
        allowed_actions=frozenset(core.allowed_actions),
        showing=Showing(
            BilledParty(core.billed_party),
            PricesShown(core.prices_shown),
            InvoicesShown(core.invoices_shown),
        ),
        language=core.reseller_languages[0],
    )
