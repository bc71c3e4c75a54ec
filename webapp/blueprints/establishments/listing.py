"""The list of establishments: found, paged, each with its price and its services."""

import unicodedata
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from webapp.blueprints.establishments.matrix import Cell, Column, Finding, Matrix, findings, service_columns
from webapp.domain import coverage
from webapp.domain.catalogue import FeatureOffer, OptionOffer
from webapp.domain.contract import Contract, Frequency, HeldEstablishment, PlanTariff
from webapp.domain.money import Money
from webapp.domain.refusals import ContactPartner
from webapp.i18n import explain
from webapp.services.contracts import Address, Situation
from webapp.services.establishments import CHANGE_ESTABLISHMENTS
from webapp.services.options import CHANGE_OPTIONS
from webapp.services.subscriptions import ensure_self_service
from webapp.services.wording import text

PER_PAGE = 25


@dataclass(frozen=True, slots=True)
class Row:
    id: str
    uuid: uuid.UUID
    address: Address
    since: date
    price: Money  # for one whole period; nothing while included
    charged_from: date | None  # when that is still to come
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class Gone:
    uuid: uuid.UUID
    name: str


@dataclass(frozen=True, slots=True)
class IndexPage:
    subscription_id: uuid.UUID
    plan: str
    is_annual: bool
    active: int
    included: int
    extra_units: list[tuple[int, Money]]  # how many at which price
    next_tier: tuple[int, Money] | None  # from which number on the price changes
    rows: list[Row]
    columns: list[Column]
    findings: list[Finding]
    gone_today: list[Gone]
    typed: str
    found: int
    first: int
    last: int
    number: int
    numbers: list[int]  # pages to link; 0 stands for the ones left out
    pages: int
    may_change: bool
    can_change: bool
    can_switch: bool
    partner_says: str | None

    @property
    def has_switches(self) -> bool:
        return self.can_switch and any(cell.can_switch for row in self.rows for cell in row.cells)


def index_page(
    situation: Situation,
    offers: Sequence[OptionOffer],
    features: Sequence[FeatureOffer],
    today: date,
    locale: str,
    search: str,
    typed: str,
    number: int,
    may_change: bool,
    may_switch: bool,
) -> IndexPage:
    contract = situation.contract.on(today)
    active = contract.establishments_active_on(today)
    found = [each for each in active if _matches(situation.addresses[each.id], search)]
    pages = max(1, -(-len(found) // PER_PAGE))
    number = min(max(1, number), pages)
    first = (number - 1) * PER_PAGE
    shown = found[first : first + PER_PAGE]
    columns = service_columns(situation, contract, offers, features, today, locale)
    own = [column.code for column in columns if column.kind == "own"]
    gaps = coverage.gaps(contract, own, today)
    partner_says = _partner_says(situation, CHANGE_ESTABLISHMENTS, locale)
    is_over = contract.ended_on is not None
    can_switch = may_switch and not is_over and _partner_says(situation, CHANGE_OPTIONS, locale) is None
    prices = _prices(contract, active, today)
    matrix = Matrix(situation, contract, offers, columns, gaps, today, locale)
    charged = [unit for unit, _from in prices.values() if unit]
    tariff = contract.tariff
    return IndexPage(
        subscription_id=situation.subscription_id,
        plan=text(situation.plans[contract.plan_code], locale),
        is_annual=contract.frequency is Frequency.ANNUAL,
        active=len(active),
        included=len(active) - len(charged),
        extra_units=[(charged.count(unit), unit) for unit in sorted(set(charged), key=lambda u: -u.cents)],
        next_tier=_next_tier(tariff, len(active)),
        rows=[
            Row(
                each.id,
                uuid.UUID(each.id),
                situation.addresses[each.id],
                each.active_from,
                *prices[each.id],
                matrix.cells(each, can_switch),
            )
            for each in shown
        ],
        columns=columns,
        findings=findings(situation, contract, columns, gaps, today, locale),
        gone_today=[
            Gone(uuid.UUID(each.id), situation.addresses[each.id].name)
            for each in contract.establishments
            if each.active_until == today
        ],
        typed=typed,
        found=len(found),
        first=first + 1,
        last=first + len(shown),
        number=number,
        numbers=_page_numbers(number, pages),
        pages=pages,
        may_change=may_change,
        can_change=may_change and not is_over and partner_says is None,
        can_switch=can_switch,
        partner_says=partner_says,
    )


def _next_tier(tariff: PlanTariff, active: int) -> tuple[int, Money] | None:
    """The first number after those in service whose price is another; inside what the plan includes, the first paid."""
    first_paid = tariff.included_establishments + 1
    if active < first_paid:
        return first_paid, tariff.establishment_price(first_paid)
    return next(((tier.from_unit, tier.unit) for tier in tariff.tiers if tier.from_unit > active), None)


def _matches(address: Address, search: str) -> bool:
    if not search:
        return True
    whole = unicodedata.normalize(
        "NFKD", f"{address.name} {address.street} {address.postcode} {address.city}".casefold()
    )
    bare = "".join(sign for sign in whole if not unicodedata.combining(sign))
    return all(word in bare for word in search.split())


def _page_numbers(number: int, pages: int) -> list[int]:
    """1 … 4 5 6 … 20"""
    near = sorted({1, number - 1, number, number + 1, pages} & set(range(1, pages + 1)))
    numbers: list[int] = []
    for each in near:
        if numbers and each - numbers[-1] > 1:
            numbers.append(0)
        numbers.append(each)
    return numbers


def _partner_says(situation: Situation, action: str, locale: str) -> str | None:
    try:
        ensure_self_service(situation, action)
    except ContactPartner as refusal:
        return explain(refusal, locale)
    return None


def _prices(
    contract: Contract, active: Sequence[HeldEstablishment], today: date
) -> dict[str, tuple[Money, date | None]]:
    """What each costs for a whole period, and from when if that is to come: its place in the list decides (E2)."""
    places: dict[date, dict[str, int]] = {}
    prices = {}
    for each in active:
        day = max(today, each.charged_from)
        if day not in places:
            charged = contract.establishments_charged_on(day)
            places[day] = {other.id: place for place, other in enumerate(charged, start=1)}
        unit = contract.on(day).tariff.establishment_price(places[day][each.id])
        prices[each.id] = (unit, each.charged_from if each.charged_from > today and unit else None)
    return prices
