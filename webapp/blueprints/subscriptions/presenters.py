"""What the overview shows, worked out from one reading of the subscription: templates only lay it out."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from webapp import clock, timeline
from webapp.auth import Visit
from webapp.domain.access import May, is_allowed
from webapp.domain.contract import ChangeKind, Contract, Frequency, HeldOption, PlanTariff
from webapp.domain.money import Money, total
from webapp.domain.periods import Period
from webapp.domain.pricing import Draft, LineGroup, grouped
from webapp.domain.terms import Commitment, Notice, Renewal, Terms
from webapp.domain.vat import VatGroup, with_vat
from webapp.services.contracts import Customer, Partner, PendingChange, Situation
from webapp.services.differences import Comparison, comparison, is_calendar_month
from webapp.services.establishments import CHANGE_ESTABLISHMENTS
from webapp.services.invoices import BilledPeriod, Glance, Summary, Unpaid
from webapp.services.options import CHANGE_OPTIONS
from webapp.services.subscriptions import CHANGE_PLAN
from webapp.services.wording import group_name, option_name, text, units

ESTABLISHMENTS_SHOWN = 5
NAMES_SHOWN = 3
_MONTH = Fraction(1, 12)  # of a yearly price

# Who may undo what here, and the action by which a reseller's policy names it. A termination is taken back on the
# page of the contract, which says what that means.
TO_UNDO: dict[ChangeKind, tuple[May, str]] = {
    ChangeKind.PLAN: (May.CHANGE_PLAN, CHANGE_PLAN),
    ChangeKind.OPTION: (May.CHANGE_OPTIONS, CHANGE_OPTIONS),
    ChangeKind.ESTABLISHMENT: (May.CHANGE_ESTABLISHMENTS, CHANGE_ESTABLISHMENTS),
}


@dataclass(frozen=True, slots=True)
class Pending:
    """A change to come. `kind`: plan, billing (same plan, other frequency), option_ends, option_quantity, termination."""

    id: int
    kind: str
    effective_on: date
    requested_by: str
    requested_on: date
    can_undo: bool
    is_partners: bool  # to be undone by the reseller
    name: str = ""  # of the plan or option that changes
    kept: str = ""  # what undoing keeps, in words
    amount: Money | None = None  # per period: of the plan to come, or of the option if kept
    is_annual: bool = False


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
class TermDate:
    """A date of the commitment. `key`: invoice, notice, renewal, plan, end."""

    key: str
    on: date
    name: str = ""


@dataclass(frozen=True, slots=True)
class CommitmentCard:
    """`term` is None without commitment: then `earliest_end` says when one could leave."""

    term: Period | None
    terms: Terms
    notice: Notice
    renewal: Renewal
    picture: timeline.Timeline | None
    dates: dict[str, TermDate]
    last_notice_day: date | None
    notice_days_left: int  # 0 on the last day, negative afterwards
    next_term: Period | None
    earliest_end: date
    is_ending: bool  # a termination is pending


@dataclass(frozen=True, slots=True)
class TicketLine:
    name: str
    quantity: int
    unit: Money
    net: Money
    is_new: bool
    days: int | None  # of `of_days`, when the line is not for the whole period
    of_days: int


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


@dataclass(frozen=True, slots=True)
class OptionRow:
    code: str
    icon: str
    name: str
    units: str
    places: list[str]
    more_places: int
    price: Money | None  # None when included
    ends_on: date | None
    then: str  # the quantity to come, in words
    then_on: date | None


@dataclass(frozen=True, slots=True)
class EstablishmentRow:
    name: str
    street: str
    postcode: str
    city: str
    price: Money | None  # None while included
    active_from: date
    charged_from: date
    is_charged: bool
    active_until: date | None  # first day without it


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
    unpaid: Unpaid | None
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
    last: BilledPeriod | None,
    glance: Glance,
    visit: Visit,
    today: date,
    locale: str,
) -> Overview:
    """`draft` is the next invoice, `last` the lines of the last invoiced period."""
    contract = situation.contract.on(today)
    is_tvac = visit.price_display == "tvac"
    shown = _shown(situation, is_tvac)
    ended_on = contract.ended_on
    options = _options(contract, situation, shown, today, locale)
    establishments, in_all = _establishments(contract, situation, shown, today)
    return Overview(
        subscription_id=situation.subscription_id,
        today=today,
        is_tvac=is_tvac,
        is_annual=contract.frequency is Frequency.ANNUAL,
        ended_on=ended_on,
        pending=[] if ended_on else _pending(contract, situation, visit, shown, today, locale),
        plan=_plaque(contract, situation, visit, options, in_all, shown, locale),
        commitment=None if ended_on else _commitment(contract, situation, draft, today, locale),
        next_invoice=None
        if ended_on or draft is None
        else _ticket(situation, draft, last, glance.credit, locale),
        options=[] if ended_on else options,
        establishments=[] if ended_on else establishments,
        more_establishments=in_all - len(establishments),
        invoices=glance.latest,
        unpaid=glance.unpaid,
        customer=situation.customer,
        partner=situation.partner,
        may_change_options=is_allowed(visit.role, May.CHANGE_OPTIONS),
        may_change_establishments=is_allowed(visit.role, May.CHANGE_ESTABLISHMENTS),
        may_change_payment=is_allowed(visit.role, May.CHANGE_PAYMENT),
        may_change_details=is_allowed(visit.role, May.CHANGE_BILLING_DETAILS),
        may_terminate=is_allowed(visit.role, May.TERMINATE),
    )


Shown = Callable[[Money], Money]


def _shown(situation: Situation, is_tvac: bool) -> Shown:
    """A list price as the reader asked to see prices. Totals of documents never come from these."""
    rate = situation.customer.vat
    return (lambda net: with_vat(net, rate)) if is_tvac else (lambda net: net)


# ── Changes to come ──────────────────────────────────────────────────────────────────────────────────────────────


def _pending(
    contract: Contract, situation: Situation, visit: Visit, shown: Shown, today: date, locale: str
) -> list[Pending]:
    held = {option.id: option for option in contract.options}
    tariffs = {change.id: change.tariff for change in contract.changes}
    asked = {change.id: change for change in situation.pending}
    rows = []
    for change in sorted(contract.changes, key=lambda change: change.order):
        row = asked.get(change.id)
        if row is None or row.effective_on <= today:
            continue
        if row.kind is ChangeKind.OPTION:
            option = held.get(change.option_id or 0)
            if option is not None:
                rows.append(
                    _pending_option(row, option, change.quantity, contract, situation, visit, shown, locale)
                )
        elif row.kind is ChangeKind.PLAN:
            rows.append(_pending_plan(row, tariffs[row.id], contract, situation, visit, shown, locale))
        elif row.kind is ChangeKind.TERMINATION:
            rows.append(_pending_row(row, "termination", situation, visit))
    return rows


def _pending_row(
    row: PendingChange,
    kind: str,
    situation: Situation,
    visit: Visit,
    name: str = "",
    kept: str = "",
    amount: Money | None = None,
    is_annual: bool = False,
) -> Pending:
    may, action = TO_UNDO.get(row.kind, (May.TERMINATE, ""))
    is_partners = (
        bool(action) and situation.partner is not None and action not in situation.partner.allowed_actions
    )
    return Pending(
        id=row.id,
        kind=kind,
        effective_on=row.effective_on,
        requested_by=row.requested_by,
        requested_on=clock.local(row.requested_at).date(),
        can_undo=not is_partners and is_allowed(visit.role, may),
        is_partners=is_partners,
        name=name,
        kept=kept,
        amount=amount,
        is_annual=is_annual,
    )


def _pending_plan(
    row: PendingChange, tariff: PlanTariff | None, contract: Contract, situation: Situation, visit: Visit, shown: Shown,
    locale: str,
) -> Pending:  # fmt: skip
    assert tariff is not None  # a change of plan has its tariff
    return _pending_row(
        row,
        "billing" if tariff.plan_code == contract.plan_code else "plan",
        situation,
        visit,
        name=text(situation.plans[tariff.plan_code], locale),
        kept=text(situation.plans[contract.plan_code], locale),
        amount=shown(tariff.price),
        is_annual=tariff.frequency is Frequency.ANNUAL,
    )


def _pending_option(
    row: PendingChange, option: HeldOption, quantity: int, contract: Contract, situation: Situation, visit: Visit,
    shown: Shown, locale: str,
) -> Pending:  # fmt: skip
    words = situation.options[option.code]
    price = _period_price(option, contract.tariff)
    return _pending_row(
        row,
        "option_quantity" if quantity else "option_ends",
        situation,
        visit,
        name=option_name(option.code, option.establishment_id, situation, locale),
        kept=units(words, quantity, locale) if quantity else "",
        amount=shown(price) if price else None,
        is_annual=contract.frequency is Frequency.ANNUAL,
    )


# ── The plan ─────────────────────────────────────────────────────────────────────────────────────────────────────


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


# ── The commitment ───────────────────────────────────────────────────────────────────────────────────────────────


def _commitment(
    contract: Contract, situation: Situation, draft: Draft | None, today: date, locale: str
) -> CommitmentCard:
    signature = contract.signature
    commitment = signature.commitment
    term = commitment.term_on(max(today, commitment.starts_on))
    last_notice = commitment.terms.notice.last_day_before(term.end) if term else None
    termination = contract.termination()
    dates = _dates(contract, situation, draft, term, last_notice, locale)
    picture = None
    if term is not None:
        picture = timeline.timeline(
            term,
            today,
            None if termination else last_notice,
            [(each.key, each.on) for each in dates],
        )
    after = _commitment_after(contract, term)
    return CommitmentCard(
        term=term,
        terms=commitment.terms,
        notice=commitment.terms.notice,
        renewal=commitment.terms.renewal,
        picture=picture,
        dates={each.key: each for each in dates},
        last_notice_day=last_notice,
        notice_days_left=(last_notice - today).days if last_notice else 0,
        next_term=after.term_on(term.end) if after and term else None,
        earliest_end=commitment.earliest_end(today, signature.anchor_on, contract.frequency.months),
        is_ending=termination is not None,
    )


def _commitment_after(contract: Contract, term: Period | None) -> Commitment | None:
    """The terms in force once the present one is over, a scheduled change of plan included."""
    if term is None:
        return None
    then = contract.on(term.end)
    return None if then.ended_on is not None else then.signature.commitment


def _dates(
    contract: Contract,
    situation: Situation,
    draft: Draft | None,
    term: Period | None,
    last_notice: date | None,
    locale: str,
) -> list[TermDate]:
    dates = [TermDate("invoice", draft.period.start)] if draft else []
    termination, switch = contract.termination(), contract.plan_switch()
    if last_notice is not None and termination is None:
        dates.append(TermDate("notice", last_notice))
    if termination is not None:
        dates.append(TermDate("end", termination.effective_on))
    elif switch is not None and switch.tariff is not None:
        dates.append(
            TermDate("plan", switch.effective_on, text(situation.plans[switch.tariff.plan_code], locale))
        )
    elif term is not None:
        ends = contract.signature.commitment.terms.renewal is Renewal.ENDS
        dates.append(TermDate("end" if ends else "renewal", term.end))
    return dates


# ── The next invoice ─────────────────────────────────────────────────────────────────────────────────────────────


def _ticket(
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
    )


# ── Options and establishments ───────────────────────────────────────────────────────────────────────────────────


def _period_price(option: HeldOption, tariff: PlanTariff) -> Money | None:
    """For a whole period; None when the plan includes it."""
    if tariff.plan_code in option.included_by or not option.is_sold_under(tariff):
        return None
    return option.unit_under(tariff) * option.quantity


def _options(
    contract: Contract, situation: Situation, shown: Shown, today: date, locale: str
) -> list[OptionRow]:
    """One row per option, at all its establishments; what stops or shrinks has a row of its own."""
    changes = {change.option_id: change for change in contract.changes if change.kind is ChangeKind.OPTION}
    rows: dict[tuple[str, date | None, int], list[HeldOption]] = {}
    for option in contract.options_on(today):
        change = changes.get(option.id)
        on = change.effective_on if change else option.ends_on
        rows.setdefault((option.code, on, change.quantity if change else 0), []).append(option)
    return [
        _option_row(code, held, on, quantity, contract, situation, shown, locale)
        for (code, on, quantity), held in rows.items()
    ]


def _option_row(
    code: str, held: Sequence[HeldOption], on: date | None, then: int, contract: Contract, situation: Situation,
    shown: Shown, locale: str,
) -> OptionRow:  # fmt: skip
    words = situation.options[code]
    prices = [price for price in (_period_price(option, contract.tariff) for option in held) if price]
    ids = [option.establishment_id for option in held if option.establishment_id]
    places = [situation.addresses[each].name for each in ids[:NAMES_SHOWN] if each in situation.addresses]
    quantity = sum(option.quantity for option in held)
    return OptionRow(
        code=code,
        icon=words.icon,
        name=text(words.names, locale),
        units=units(words, quantity, locale) if words.unit_names else "",
        places=places,
        more_places=len(ids) - len(places),
        price=shown(total(prices, situation.currency)) if prices else None,
        ends_on=on if not then else None,
        then=units(words, then, locale) if then else "",
        then_on=on if then else None,
    )


def _establishments(
    contract: Contract, situation: Situation, shown: Shown, today: date
) -> tuple[list[EstablishmentRow], int]:
    """The first ones, and how many there are. The price is that of the place each has, or will have, in the order."""
    active = contract.establishments_active_on(today)
    places: dict[date, dict[str, int]] = {}
    rows = []
    for each in active[:ESTABLISHMENTS_SHOWN]:
        day = max(today, each.charged_from)
        if day not in places:
            charged = contract.establishments_charged_on(day)
            places[day] = {one.id: place for place, one in enumerate(charged, start=1)}
        place = places[day].get(each.id)
        price = contract.tariff.establishment_price(place) if place else None
        address = situation.addresses[each.id]
        rows.append(
            EstablishmentRow(
                name=address.name,
                street=address.street,
                postcode=address.postcode,
                city=address.city,
                price=shown(price) if price else None,
                active_from=each.active_from,
                charged_from=each.charged_from,
                is_charged=each.charged_from <= today,
                active_until=each.active_until,
            )
        )
    return rows, len(active)
