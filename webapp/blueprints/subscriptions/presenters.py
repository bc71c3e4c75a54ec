"""What the overview shows, worked out from one reading of the subscription: templates only lay it out."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from webapp.auth import Visit
from webapp.blueprints.subscriptions.coming_changes import Pending, pending
from webapp.blueprints.subscriptions.commitment import CommitmentCard, commitment_card
from webapp.blueprints.subscriptions.in_use import (
    EstablishmentRow,
    OptionRow,
    Shown,
    establishment_rows,
    option_rows,
)
from webapp.blueprints.subscriptions.next_invoice import NextInvoice, ticket
from webapp.domain.access import May, is_allowed
from webapp.domain.contract import Contract, Frequency
from webapp.domain.money import Money
from webapp.domain.pricing import Draft
from webapp.domain.vat import with_vat
from webapp.lateness import Lateness
from webapp.services.contracts import Customer, Partner, Situation
from webapp.services.invoices import Glance, Summary
from webapp.services.subscriptions import CHANGE_PLAN
from webapp.services.wording import text

_MONTH = Fraction(1, 12)  # of a yearly price


@dataclass(frozen=True, slots=True)
class PlanPlaque:
    name: str
    price: Money
    per_month: Money | None  # of a yearly price
    highlights: list[str]
    establishments: int
    included: int
    extra: int
    options: int
    options_ending: int
    may_change: bool  # the role lets, whoever's client it is
    partner: Partner | None  # set when the plan is changed by the reseller


@dataclass(frozen=True, slots=True)
class Overview:
    subscription_id: uuid.UUID
    today: date
    is_tvac: bool
    is_annual: bool
    ended_on: date | None
    pending: list[Pending]
    plan: PlanPlaque
    commitment: CommitmentCard | None
    next_invoice: NextInvoice | None
    options: list[OptionRow]
    establishments: list[EstablishmentRow]
    more_establishments: int
    invoices: tuple[Summary, ...]
    late: Lateness | None
    suspended_on: date | None
    customer: Customer
    partner: Partner | None
    may_change_options: bool
    may_change_establishments: bool
    may_change_payment: bool
    may_change_details: bool
    may_terminate: bool


def overview(
    situation: Situation,
    draft: Draft | None,
    glance: Glance,
    late: Lateness | None,
    visit: Visit,
    today: date,
    locale: str,
) -> Overview:
    """`draft` is the next invoice."""
    contract = situation.contract.on(today)
    is_tvac = visit.price_display == "tvac"
    shown = _shown(situation, is_tvac)
    ended_on = contract.ended_on
    options = option_rows(contract, situation, shown, today, locale)
    establishments, in_all = establishment_rows(contract, situation, shown, today)
    return Overview(
        subscription_id=situation.subscription_id,
        today=today,
        is_tvac=is_tvac,
        is_annual=contract.frequency is Frequency.ANNUAL,
        ended_on=ended_on,
        pending=[] if ended_on else pending(contract, situation, visit, shown, today, locale),
        plan=_plaque(contract, situation, visit, options, in_all, shown, locale),
        commitment=None if ended_on else commitment_card(contract, situation, draft, today, locale),
        next_invoice=None
        if ended_on or draft is None
        else ticket(situation, draft, glance.last, glance.credit, locale),
        options=[] if ended_on else options,
        establishments=[] if ended_on else establishments,
        more_establishments=in_all - len(establishments),
        invoices=glance.latest,
        late=late,
        suspended_on=visit.suspended_on,
        customer=situation.customer,
        partner=situation.partner,
        may_change_options=is_allowed(visit.role, May.CHANGE_OPTIONS),
        may_change_establishments=is_allowed(visit.role, May.CHANGE_ESTABLISHMENTS),
        may_change_payment=is_allowed(visit.role, May.CHANGE_PAYMENT),
        may_change_details=is_allowed(visit.role, May.CHANGE_BILLING_DETAILS),
        may_terminate=is_allowed(visit.role, May.TERMINATE),
    )


def _shown(situation: Situation, is_tvac: bool) -> Shown:
    """A list price as the reader asked to see prices. Totals of documents never come from these."""
    rate = situation.customer.vat
    return (lambda net: with_vat(net, rate)) if is_tvac else (lambda net: net)


def _plaque(
    contract: Contract,
    situation: Situation,
    visit: Visit,
    options: Sequence[OptionRow],
    establishments: int,
    shown: Shown,
    locale: str,
) -> PlanPlaque:
    tariff, partner = contract.tariff, situation.partner
    price = shown(tariff.price)
    is_partners = partner is not None and CHANGE_PLAN not in partner.allowed_actions
    # The plan of a scheduled change that is due but not applied yet is not the one whose words were read.
    is_read = tariff.price_id == situation.contract.tariff.price_id
    return PlanPlaque(
        name=text(situation.plans[tariff.plan_code], locale),
        price=price,
        per_month=price.share(_MONTH) if tariff.frequency is Frequency.ANNUAL else None,
        highlights=[text(each, locale) for each in situation.plan.highlights] if is_read else [],
        establishments=establishments,
        included=min(establishments, tariff.included_establishments),
        extra=max(0, establishments - tariff.included_establishments),
        options=len({row.code for row in options}),
        options_ending=len({row.code for row in options if row.ends_on}),
        may_change=is_allowed(visit.role, May.CHANGE_PLAN),
        partner=partner if is_partners else None,
    )
