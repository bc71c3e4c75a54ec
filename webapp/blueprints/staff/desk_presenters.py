"""What the desk shows of a contract and of its open invoices, worked out from one reading: the template lays it out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from webapp.domain import dunning
from webapp.domain.contract import ChangeKind, Contract, Frequency
from webapp.domain.dunning import Debt
from webapp.domain.money import Money
from webapp.domain.periods import Period
from webapp.domain.pricing import Draft, LineGroup, charge_line, grouped, recurring_charges
from webapp.domain.termination import Calendar, calendar
from webapp.lateness import Lateness, lateness
from webapp.services.account_desk import Desk
from webapp.services.bank_reasons import reason_text
from webapp.services.contracts import PendingChange, Situation
from webapp.services.standing import Standing
from webapp.services.terminations import is_consumer
from webapp.services.wording import group_name, text
from webapp.timeline import Timeline, timeline

INVOICES_SHOWN = 10
PLACES_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that is charged, at the price of a whole period, VAT excluded. `then` is its quantity from `then_on`."""

    item: str
    name: str
    price: Money
    quantity: int
    since: date | None
    then_on: date | None
    then: int


@dataclass(frozen=True, slots=True)
class Place:
    name: str
    street: str
    postcode: str
    city: str
    active_from: date
    active_until: date | None


@dataclass(frozen=True, slots=True)
class Pages:
    """A list shown some rows at a time: which part this is. Numbers count from 1."""

    number: int
    pages: int
    count: int

    @classmethod
    def of(cls, count: int, size: int, wanted: int) -> "Pages":
        pages = max(1, -(-count // size))
        return cls(min(max(1, wanted), pages), pages, count)

    def span(self, size: int) -> slice:
        return slice((self.number - 1) * size, self.number * size)


@dataclass(frozen=True, slots=True)
class ContractCard:
    """The contract as it stands today."""

    is_annual: bool
    plan: str
    rows: list[Row]
    included: list[str]  # options that the plan includes
    next_invoice: Draft | None
    dates: Calendar
    picture: Timeline | None
    ended_on: date | None
    pending: tuple[PendingChange, ...]
    pending_plans: dict[int, str]  # names of plans to come, by the number of the change
    places: list[Place]
    places_pages: Pages


@dataclass(frozen=True, slots=True)
class OpenInvoice:
    debt: Debt
    days_late: int
    counts: bool  # for the suspension
    is_announced: bool
    refused: str  # why the last collection did not go through, in words
    retry_on: date | None


@dataclass(frozen=True, slots=True)
class Owed:
    """What the account has to pay, and how late it is."""

    late: Lateness | None
    invoices: list[OpenInvoice]
    pages: Pages


def contract_card(
    situation: Situation, next_invoice: Draft | None, places: int, today: date, locale: str
) -> ContractCard:
    """`places` is the page of establishments asked for."""
    contract = situation.contract.on(today)
    dates = calendar(contract, today, is_consumer(situation))
    active = contract.establishments_active_on(today)
    pages = Pages.of(len(active), PLACES_SHOWN, places)
    options = contract.options_on(today)
    included = [each.code for each in options if contract.plan_code in each.included_by]
    return ContractCard(
        is_annual=contract.frequency is Frequency.ANNUAL,
        plan=text(situation.plans[contract.plan_code], locale),
        rows=[] if contract.ended_on else _rows(contract, situation, today, locale),
        included=[text(situation.options[code].names, locale) for code in dict.fromkeys(included)],
        next_invoice=None if contract.ended_on else next_invoice,
        dates=dates,
        picture=None if contract.ended_on else _picture(dates, next_invoice, today),
        ended_on=contract.ended_on,
        pending=situation.pending,
        pending_plans={
            each.id: text(situation.plans[each.tariff.plan_code], locale)
            for each in situation.contract.changes
            if each.tariff is not None
        },
        places=[
            Place(
                situation.addresses[each.id].name,
                situation.addresses[each.id].street,
                situation.addresses[each.id].postcode,
                situation.addresses[each.id].city,
                each.active_from,
                each.active_until,
            )
            for each in active[pages.span(PLACES_SHOWN)]
        ],
        places_pages=pages,
    )


def _rows(contract: Contract, situation: Situation, today: date, locale: str) -> list[Row]:
    """What is charged today, each thing once: the very charges of the invoice, at the price of a whole period."""
    day = Period(today, today + timedelta(days=1))
    charges = recurring_charges(contract, today, day)
    groups = grouped(charge_line(each, situation.customer.vat) for each in charges)
    return [_row(group, contract, situation, today, locale) for group in groups]


def _row(group: LineGroup, contract: Contract, situation: Situation, today: date, locale: str) -> Row:
    line = group.lines[0]
    since, then_on, then = None, None, group.quantity
    places = {each.key.establishment_id for each in group.lines}
    if line.key.item == "plan":
        since = contract.signature.commitment.starts_on
    elif line.key.item == "establishment":
        held = [each for each in contract.establishments if each.id in places]
        since = min((each.charged_from for each in held), default=None)
        gone = [each.charged_until for each in held if each.charged_until]
        then_on, then = min(gone, default=None), group.quantity - len(gone)
    elif line.key.item == "option":
        options = [
            each
            for each in contract.options_on(today)
            if each.code == line.key.ref and each.establishment_id in places
        ]
        since = min((each.starts_on for each in options), default=None)
        then_on, then = _to_come(contract, {each.id: each.quantity for each in options}, group.quantity)
    else:  # a discount: its own end is what matters
        number = int(line.key.ref.partition("/")[0])
        discount = next((each for each in contract.discounts if each.id == number), None)
        if discount is not None:
            since, then_on, then = discount.from_on, discount.until_on, 0
    name = group_name(group, situation, locale)
    return Row(line.key.item, name, line.unit * group.quantity, group.quantity, since, then_on, then)


def _to_come(contract: Contract, held: dict[int, int], quantity: int) -> tuple[date | None, int]:
    """The first day with another quantity of these options, and that quantity."""
    changes = [each for each in contract.changes if each.kind is ChangeKind.OPTION and each.option_id in held]
    if not changes:
        return None, quantity
    first = min(each.effective_on for each in changes)
    less = sum(held[each.option_id or 0] - each.quantity for each in changes if each.effective_on == first)
    return first, quantity - less


def _picture(dates: Calendar, next_invoice: Draft | None, today: date) -> Timeline | None:
    """From the start of the commitment to its end; None when nothing is committed."""
    if dates.term is None:
        return None
    period = dates.term
    marks = [("invoice", next_invoice.period.start)] if next_invoice is not None else []
    if dates.last_notice_day is not None:
        marks.append(("notice", dates.last_notice_day))
    if dates.ends_on is not None:
        marks.append(("end", dates.ends_on))
        period = Period(period.start, max(dates.ends_on, today + timedelta(days=1)))
    elif dates.renews_on is not None:
        marks.append(("renewal", dates.renews_on))
    return timeline(period, today, dates.last_notice_day, marks)


def money_owed(desk: Desk, standing: Standing, page: int, today: date, locale: str) -> Owed:
    """What is open, the oldest first, some at a time."""
    debts: Sequence[Debt] = standing.debts
    pages = Pages.of(len(debts), INVOICES_SHOWN, page)
    return Owed(
        late=lateness(standing, today),
        invoices=[
            OpenInvoice(
                debt=debt,
                days_late=(today - debt.due_on).days if dunning.is_past_due(debt, today) else 0,
                counts=debt in standing.unpaid,
                is_announced=debt.announced_until is not None and debt.announced_until >= today,
                refused=reason_text(failure.reason_code, locale) if failure else "",
                retry_on=failure.retry_on if failure else None,
            )
            for debt, failure in (
                (each, desk.failures.get(each.number)) for each in debts[pages.span(INVOICES_SHOWN)]
            )
        ],
        pages=pages,
    )
