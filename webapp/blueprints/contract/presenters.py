"""What the pages of a contract show, worked out from the services' answers: templates only lay it out."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from webapp.adapters.calendar_file import Day
from webapp.domain.access import May, Role, is_allowed
from webapp.domain.contract import ChangeKind, Contract, OptionKind
from webapp.domain.periods import Period
from webapp.domain.pricing import Draft
from webapp.domain.termination import Calendar, Ending, calendar, may_withdraw, withdrawal_until
from webapp.i18n import date_text, gettext
from webapp.services.contracts import MIGRATION, Partner, PendingChange, Situation
from webapp.services.terminations import TERMINATE, TerminationPreview, is_consumer
from webapp.services.wording import option_name, text, units
from webapp.timeline import Timeline, timeline

FIRST_SHOWN = 3  # documents of a long way to the end that are shown at once
REMINDER_DAYS = 7


@dataclass(frozen=True, slots=True)
class ContractPage:
    """The contract and its dates (T1). `ended_on` is set once it is over."""

    subscription_id: uuid.UUID
    today: date
    plan: str
    dates: Calendar
    next_invoice: Draft | None
    picture: Timeline | None
    notice_days_left: int  # 0 on the last day, negative afterwards
    pending: PendingChange | None
    requested_on: date | None
    ended_on: date | None
    acknowledgement: int | None
    may_terminate: bool
    may_cancel: bool  # the termination pending
    may_withdraw: bool
    withdraw_until: date
    is_consumer: bool
    partner: Partner | None  # set when the reseller keeps termination for itself


def contract_page(
    situation: Situation,
    next_invoice: Draft | None,
    acknowledgement: int | None,
    requested_on: date | None,
    role: Role | None,
    today: date,
    locale: str,
) -> ContractPage:
    contract = situation.contract.on(today)
    consumer = is_consumer(situation)
    dates = calendar(contract, today, consumer)
    partner = situation.partner
    is_partners = partner is not None and TERMINATE not in partner.allowed_actions
    pending = pending_termination(situation) if contract.ended_on is None else None
    allowed = is_allowed(role, May.TERMINATE) and contract.ended_on is None
    return ContractPage(
        subscription_id=situation.subscription_id,
        today=today,
        plan=text(situation.plans[contract.plan_code], locale),
        dates=dates,
        next_invoice=next_invoice,
        picture=_picture(dates, next_invoice, today) if contract.ended_on is None else None,
        notice_days_left=(dates.last_notice_day - today).days if dates.last_notice_day else 0,
        pending=pending,
        requested_on=requested_on,
        ended_on=contract.ended_on,
        acknowledgement=acknowledgement,
        may_terminate=allowed and pending is None and not is_partners,
        may_cancel=allowed and pending is not None and not is_partners,
        may_withdraw=allowed and may_withdraw(contract, today, consumer),
        withdraw_until=withdrawal_until(contract),
        is_consumer=consumer,
        partner=partner if is_partners else None,
    )


def pending_termination(situation: Situation) -> PendingChange | None:
    return next((each for each in situation.pending if each.kind is ChangeKind.TERMINATION), None)


def _picture(dates: Calendar, next_invoice: Draft | None, today: date) -> Timeline | None:
    """From the start of the term to its end, or to the end of the contract when that is later."""
    if dates.term is None:
        return None
    marks = [("invoice", next_invoice.period.start)] if next_invoice is not None else []
    if dates.last_notice_day is not None:
        marks.append(("notice", dates.last_notice_day))
    period = dates.term
    if dates.ends_on is not None:
        marks.append(("end", dates.ends_on))
        period = Period(dates.term.start, max(dates.ends_on, today + timedelta(days=1)))
    elif dates.renews_on is not None:
        marks.append(("renewal", dates.renews_on))
    return timeline(period, today, dates.last_notice_day, marks)


# ── Terminating ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class TerminatePage:
    """What ending the contract today would do, before it is asked."""

    subscription_id: uuid.UUID
    today: date
    plan: str
    ending: Ending
    last_day: date  # with service
    preview: TerminationPreview
    picture: Timeline | None
    period: Period
    establishments: int
    stops: list[str]  # options in use until the end, with their quantity
    has_units: bool  # mailboxes and the like, whose content goes with them
    first: Sequence[Draft]
    others: Sequence[Draft]
    replaced: Sequence[str]  # names of plans that will not come
    may_withdraw: bool


def terminate_page(preview: TerminationPreview, locale: str) -> TerminatePage:
    situation, ending, today = preview.situation, preview.ending, preview.today
    last_day = ending.ends_on - timedelta(days=1)
    contract = situation.contract.on(max(today, last_day))
    period = _span(situation.contract, ending, today)
    options = contract.options_on(max(today, last_day))
    documents = preview.documents
    cut = FIRST_SHOWN if len(documents) > FIRST_SHOWN + 1 else len(documents)
    tariffs = {each.id: each.tariff for each in situation.contract.changes if each.tariff is not None}
    return TerminatePage(
        subscription_id=situation.subscription_id,
        today=today,
        plan=text(situation.plans[situation.contract.plan_code], locale),
        ending=ending,
        last_day=last_day,
        preview=preview,
        picture=timeline(period, today, ending.last_notice_day, _marks(preview)),
        period=period,
        establishments=len(contract.establishments_active_on(max(today, last_day))),
        stops=_options(contract, situation, max(today, last_day), locale),
        has_units=any(option.kind is OptionKind.PER_UNIT for option in options),
        first=documents[:cut],
        others=documents[cut:],
        replaced=[
            text(situation.plans[tariffs[each.id].plan_code], locale)
            for each in preview.replaced
            if each.id in tariffs and MIGRATION not in each.facts
        ],
        may_withdraw=may_withdraw(situation.contract, today, is_consumer(situation)),
    )


def _span(contract: Contract, ending: Ending, today: date) -> Period:
    start = ending.term.start if ending.term is not None else contract.signature.paid_period.start
    return Period(min(start, today), max(ending.ends_on, today + timedelta(days=1)))


def _marks(preview: TerminationPreview) -> list[tuple[str, date]]:
    ending = preview.ending
    marks = [("end", ending.ends_on)]
    if preview.documents:
        marks.append(("invoice", preview.documents[0].period.start))
    if ending.last_notice_day is not None:
        marks.append(("notice", ending.last_notice_day))
    if ending.missed_on is not None:
        marks.append(("missed", ending.missed_on))
    return marks


def _options(contract: Contract, situation: Situation, day: date, locale: str) -> list[str]:
    names = []
    for option in contract.options_on(day):
        name = option_name(option.code, option.establishment_id, situation, locale)
        words = situation.options[option.code]
        if option.kind is OptionKind.PER_UNIT and words.unit_names:
            name = gettext(
                "%(option)s : %(units)s", locale, option=name, units=units(words, option.quantity, locale)
            )
        names.append(name)
    return names


# ── The calendar file ────────────────────────────────────────────────────────────────────────────────────────────


def calendar_days(page: ContractPage, account: str, locale: str) -> list[Day]:
    """The dates to put in a calendar: the last day to give notice, the renewal or the end, the next invoice."""

    def uid(kind: str) -> str:
        return f"{kind}.{page.subscription_id}@plan-et-facturation"

    values = {"account": account, "plan": page.plan}
    days = []
    if page.next_invoice is not None:
        days.append(
            Day(
                uid("next-invoice"),
                page.next_invoice.period.start,
                gettext("Prochaine facture, %(account)s", locale, **values),
                gettext("Facture de l’abonnement %(plan)s.", locale, **values),
            )
        )
    if page.dates.last_notice_day is not None and page.notice_days_left >= 0 and page.dates.renews_on:
        until = date_text(page.dates.renews_on - timedelta(days=1), locale)
        days.append(
            Day(
                uid("last-notice-day"),
                page.dates.last_notice_day,
                gettext("Dernier jour de préavis, %(account)s", locale, **values),
                gettext(
                    "Une résiliation donnée ce jour au plus tard met fin à l’abonnement %(plan)s le %(date)s au soir.",
                    locale,
                    date=until,
                    **values,
                ),
                alarm_days=REMINDER_DAYS,
            )
        )
    if page.dates.renews_on is not None:
        days.append(
            Day(
                uid("renewal"),
                page.dates.renews_on,
                gettext("Reconduction de l’abonnement, %(account)s", locale, **values),
                gettext("L’abonnement %(plan)s est reconduit ce jour.", locale, **values),
            )
        )
    if page.dates.ends_on is not None and page.ended_on is None:
        days.append(
            Day(
                uid("renewal"),  # the end takes the place of the renewal in a calendar that has it
                page.dates.ends_on - timedelta(days=1),
                gettext("Dernier jour de l’abonnement, %(account)s", locale, **values),
                gettext("L’abonnement %(plan)s s’arrête ce jour au soir.", locale, **values),
            )
        )
    return days
