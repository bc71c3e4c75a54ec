"""The next invoice on the overview: its lines, what is new in them, and what is left to pay."""

from dataclasses import dataclass
from datetime import date, timedelta

from webapp.domain.money import Money
from webapp.domain.periods import Period
from webapp.domain.pricing import DISCOUNT, Draft, DraftLine, LineGroup, discount_number, grouped
from webapp.domain.vat import VatGroup
from webapp.services.contracts import Situation
from webapp.services.differences import Comparison, comparison, is_calendar_month
from webapp.services.invoices import BilledPeriod
from webapp.services.wording import group_name


@dataclass(frozen=True, slots=True)
class TicketLine:
    name: str
    quantity: int
    unit: Money
    net: Money
    is_new: bool
    days: int | None  # of `of_days`, when the line is not for the whole period
    of_days: int
    until: date | None  # the last day of the discount that it is, when that is known


@dataclass(frozen=True, slots=True)
class NextInvoice:
    on: date
    period: Period
    is_whole_month: bool
    lines: list[TicketLine]
    net: Money
    vat_groups: tuple[VatGroup, ...]
    total: Money
    credit: Money  # of the account, used first
    to_pay: Money
    due_on: date
    method: str
    payment_label: str
    why: Comparison | None
    is_settlement: bool  # establishments that came or went inside a paid year


def ticket(
    situation: Situation, draft: Draft, last: BilledPeriod | None, available: Money, locale: str
) -> NextInvoice:
    customer, period = situation.customer, draft.period
    is_period = period.start == situation.contract.signature.billed_until
    # A month beside a year explains nothing.
    is_comparable = last is not None and is_period and (last.period.days > 60) == (period.days > 60)
    why = comparison(situation, draft, last, locale) if last is not None and is_comparable else None
    changed = {(each.kind, each.name) for each in why.differences} if why else set()
    credit = min(available, draft.total) if draft.total.cents > 0 else Money(0, draft.currency)
    return NextInvoice(
        on=period.start,
        period=period,
        is_whole_month=is_calendar_month(period),
        lines=[_ticket_line(group, situation, changed, locale) for group in grouped(draft.lines)],
        net=draft.net,
        vat_groups=draft.vat_groups,
        total=draft.total,
        credit=credit,
        to_pay=draft.total - credit,
        due_on=date.fromordinal(period.start.toordinal() + customer.payment_term_days),
        method=customer.payment_method,
        payment_label=customer.payment_label,
        why=why,
        is_settlement=not is_period,
    )


def _ticket_line(
    group: LineGroup, situation: Situation, changed: set[tuple[str, str]], locale: str
) -> TicketLine:
    line = group.lines[0]
    name = group_name(group, situation, locale)
    if line.key.item == "establishment":
        is_new = any(kind == "establishments" for kind, _ in changed)
    elif line.key.item == "plan":
        is_new = any(kind == "plan" for kind, _ in changed)
    else:
        is_new = any(of == name for _, of in changed)
    return TicketLine(
        name=name,
        quantity=group.quantity,
        unit=line.unit,
        net=group.net,
        is_new=is_new,
        days=None if line.is_whole else line.service.days,
        of_days=line.whole.days,
        until=_last_day(line, situation),
    )


def _last_day(line: DraftLine, situation: Situation) -> date | None:
    if line.key.item != DISCOUNT:
        return None
    number = discount_number(line.key)
    until_on = next((each.until_on for each in situation.contract.discounts if each.id == number), None)
    return until_on - timedelta(days=1) if until_on is not None else None
