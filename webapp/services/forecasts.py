"""The documents of the next twelve months, by the very steps that the billing run will take (B7)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from sqlalchemy.orm import Session

from webapp.domain.money import Money, total
from webapp.domain.periods import Period, boundary
from webapp.domain.pricing import Draft
from webapp.domain.proration import BilledLine, with_draft
from webapp.services import billing, contracts, invoices
from webapp.services.contracts import Situation
from webapp.services.differences import Comparison, comparison
from webapp.services.invoices import BilledAmount, BilledPeriod

MONTHS = 12


@dataclass(frozen=True, slots=True)
class Foreseen:
    """One document to come. `kind` is period, anniversary or termination; `why` compares a period with the one before."""

    kind: str
    on: date
    draft: Draft
    why: Comparison | None = None


@dataclass(frozen=True, slots=True)
class Forecast:
    """What will be issued from `today` to `until`, both included, if nothing more is changed."""

    situation: Situation
    today: date
    until: date
    documents: tuple[Foreseen, ...]
    ends_on: date | None  # the first day without service, when it is known

    @property
    def net(self) -> Money:
        return total((each.draft.net for each in self.documents), self.situation.currency)

    @property
    def total(self) -> Money:
        return total((each.draft.total for each in self.documents), self.situation.currency)


def documents_to_come(
    situation: Situation, billed: Sequence[BilledLine], today: date, until: date
) -> list[Foreseen]:
    """Every document up to `until`, oldest first: first what is due today and not billed yet, as the run will.

    `billed` is read as of today. What a change billed today is of today for the steps of today only; for those
    that come later it is one line among others (M5).
    """
    contract, lines, vat = situation.contract, list(billed), situation.customer.vat
    found: list[Foreseen] = []
    for last in (today, until):
        while (step := billing.next_step(contract, lines, last, vat)) is not None:
            contract = step.contract
            if step.draft is not None and step.draft.lines:
                found.append(Foreseen(step.kind, step.on, step.draft))
                lines = with_draft(lines, step.draft)
        lines = [_of_the_past(line) for line in lines]
    return found


def _of_the_past(line: BilledLine) -> BilledLine:
    corrections = tuple(replace(each, is_of_today=False) for each in line.corrections)
    return replace(line, is_of_today=False, corrections=corrections)


def forecast(session: Session, situation: Situation, today: date, locale: str) -> Forecast:
    """The next twelve months, each period compared in words with the one before it."""
    until = boundary(today, MONTHS)
    billed = contracts.billed_lines(session, situation.subscription_id, today, since=today)
    last = invoices.last_period(session, situation.subscription_id)
    documents = []
    for each in documents_to_come(situation, billed, today, until):
        if each.kind == "period":
            if last is not None and _same_length(last.period, each.draft.period):
                each = replace(each, why=comparison(situation, each.draft, last, locale))
            last = _as_billed(each.draft)
        documents.append(each)
    ends_on = situation.contract.ends_on()
    return Forecast(situation, today, until, tuple(documents), ends_on)


def _same_length(one: Period, other: Period) -> bool:
    return (one.days > 60) == (other.days > 60)  # a month beside a year explains nothing


def _as_billed(draft: Draft) -> BilledPeriod:
    amounts = (BilledAmount(line.key.item, line.key.ref, line.quantity, line.net) for line in draft.lines)
    return BilledPeriod(draft.period, tuple(amounts))
