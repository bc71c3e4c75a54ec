"""What an addition, a removal or other services change, when and for how much, before it is confirmed."""

import uuid
from dataclasses import dataclass
from datetime import date, timedelta

from webapp.amounts import NamedLine, due_now, named_lines
from webapp.domain.contract import Contract, Frequency
from webapp.domain.money import Money
from webapp.domain.pricing import Draft
from webapp.domain.vat import with_vat
from webapp.services.contracts import Address, Customer, Situation
from webapp.services.establishments import EstablishmentsPreview
from webapp.services.options import OptionsPreview
from webapp.services.wording import moves_in_words, text


@dataclass(frozen=True, slots=True)
class Costs:
    """The amounts of a preview, the same for every kind of change."""

    due: Draft
    due_lines: list[NamedLine]
    next_before: Draft | None
    next_after: Draft | None
    next_lines: list[
        NamedLine
    ]  # of a settlement inside a paid year; a whole period is not repeated line by line
    arrears: tuple[Draft, ...]
    customer: Customer
    pay_by: date
    is_annual: bool
    period_before: Draft | None = None
    period_after: Draft | None = None

    @property
    def due_now(self) -> Money:
        """Everything the confirmation issues, VAT included."""
        return due_now(self.due, self.arrears)

    @property
    def is_settlement(self) -> bool:
        """Whether the next document is a monthly renewal inside a paid year, not a whole period."""
        return bool(self.next_lines)


def _costs(
    situation: Situation,
    contract: Contract,
    due: Draft,
    next_before: Draft | None,
    next_after: Draft | None,
    arrears: tuple[Draft, ...],
    today: date,
    locale: str,
    **periods: Draft | None,
) -> Costs:
    inside = next_after is not None and next_after.period.start < contract.signature.billed_until
    return Costs(
        due=due,
        due_lines=named_lines(due, situation, locale),
        next_before=next_before,
        next_after=next_after,
        next_lines=named_lines(next_after, situation, locale) if next_after is not None and inside else [],
        arrears=arrears,
        customer=situation.customer,
        pay_by=today + timedelta(days=situation.customer.payment_term_days),
        is_annual=contract.frequency is Frequency.ANNUAL,
        **periods,
    )


@dataclass(frozen=True, slots=True)
class ComingPage:
    subscription_id: uuid.UUID
    today: date
    renewal_on: date
    plan: str
    included: int  # by the plan
    place: int  # of the first that comes, counted from 1
    rates: list[
        tuple[int, Money, Money]
    ]  # how many, at which price, and that price with VAT; nothing: included
    costs: Costs
    fingerprint: str

    @property
    def unit(self) -> Money:
        return self.rates[0][1]

    @property
    def gross(self) -> Money:
        return self.rates[0][2]


def coming_page(preview: EstablishmentsPreview, locale: str) -> ComingPage:
    change, situation = preview.change, preview.situation
    units_ = [each.unit for each in change.added]
    contract = change.contract_after
    active = len(change.contract_before.establishments_active_on(change.today))
    return ComingPage(
        subscription_id=situation.subscription_id,
        today=change.today,
        renewal_on=change.renewal_on,
        plan=text(situation.plans[contract.plan_code], locale),
        included=contract.tariff.included_establishments,
        place=active + 1,
        rates=[
            (units_.count(unit), unit, with_vat(unit, situation.customer.vat))
            for unit in dict.fromkeys(units_)
        ],
        costs=_establishment_costs(preview, locale),
        fingerprint=preview.fingerprint,
    )


def _establishment_costs(preview: EstablishmentsPreview, locale: str) -> Costs:
    change = preview.change
    return _costs(
        preview.situation,
        change.contract_before,
        change.due_now,
        change.next_before,
        change.next_after,
        preview.arrears,
        change.today,
        locale,
        period_before=change.period_before,
        period_after=change.period_after,
    )


@dataclass(frozen=True, slots=True)
class AccountOption:
    """An option of the whole account that may go along."""

    code: str
    name: str
    price: Money
    is_ticked: bool


@dataclass(frozen=True, slots=True)
class LeavingPage:
    subscription_id: uuid.UUID
    name: str
    address: Address
    today: date
    renewal_on: date
    is_charged: bool  # today, so that the end of the charge is worth a date
    own_options: list[str]
    account_options: list[AccountOption]
    moves: list[str]
    costs: Costs
    fingerprint: str


def leaving_page(preview: EstablishmentsPreview, locale: str) -> LeavingPage:
    change, situation = preview.change, preview.situation
    gone, contract = change.removed[0], change.contract_before
    ticked = {each.code for each in preview.option_wishes}
    leaving = {each.option_id for each in contract.changes if not each.quantity}
    return LeavingPage(
        subscription_id=situation.subscription_id,
        name=situation.addresses[gone.id].name,
        address=situation.addresses[gone.id],
        today=change.today,
        renewal_on=change.renewal_on,
        is_charged=gone.charged_from <= change.today,
        own_options=[text(situation.options[each.code].names, locale) for each in change.options_ending],
        account_options=[
            AccountOption(
                each.code,
                text(situation.options[each.code].names, locale),
                each.unit_under(contract.tariff) * each.quantity,
                each.code in ticked,
            )
            for each in contract.options_on(change.today)
            if each.establishment_id is None and each.id not in leaving
        ],
        moves=moves_in_words(preview.moves, situation, locale),
        costs=_establishment_costs(preview, locale),
        fingerprint=preview.fingerprint,
    )


@dataclass(frozen=True, slots=True)
class ServicesPage:
    subscription_id: uuid.UUID
    moves: list[str]
    costs: Costs
    fingerprint: str


def services_page(preview: OptionsPreview, locale: str) -> ServicesPage:
    change = preview.change
    return ServicesPage(
        subscription_id=preview.situation.subscription_id,
        moves=moves_in_words(change.moves, preview.situation, locale),
        costs=_costs(
            preview.situation, change.contract_before, change.due_now, change.next_before, change.next_after,
            preview.arrears, change.today, locale,
        ),
        fingerprint=preview.fingerprint,
    )  # fmt: skip
