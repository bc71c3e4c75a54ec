"""Contracts as plain values for the tests of the rules: say what matters, the rest has a default.

The figures are those of the demo catalogue: Essentiel 39, Pro 79, Premium 149 € a month, ten months for a year.
"""

from dataclasses import replace
from datetime import date
from itertools import count

from webapp.domain.contract import (
    Contract,
    Frequency,
    HeldEstablishment,
    HeldOption,
    OptionKind,
    PlanTariff,
    Signature,
    Tier,
)
from webapp.domain.money import Money, euros
from webapp.domain.periods import next_boundary
from webapp.domain.pricing import Draft
from webapp.domain.proration import BilledLine, Correction
from webapp.domain.terms import Commitment, Notice, NoticeUnit, Renewal, Terms

YEAR = Terms(12, Notice(2, NoticeUnit.MONTHS), Renewal.SAME_TERM)
FREE = Terms(0, Notice(30, NoticeUnit.DAYS), Renewal.MONTHLY)

_PLANS = {"essentiel": (1, "39.00", 1), "pro": (2, "79.00", 1), "premium": (3, "149.00", 3)}
_MONTHS = {Frequency.MONTHLY: 1, Frequency.ANNUAL: 10}
_OPTIONS = {
    "emails": (OptionKind.PER_UNIT, "2.50", "", "essentiel pro premium"),
    "booking": (OptionKind.PER_ESTABLISHMENT, "15.00", "", "pro premium"),
    "signage": (OptionKind.RECURRING, "12.00", "", "essentiel pro premium"),
    "reviews": (OptionKind.RECURRING, "19.00", "premium", "essentiel pro"),
}


def tariff(
    code: str = "pro", frequency: str = "monthly", terms: Terms = YEAR, price: Money | None = None
) -> PlanTariff:
    rank, amount, included = _PLANS[code]
    often = Frequency(frequency)
    times = _MONTHS[often]
    return PlanTariff(
        price_id=rank * 10 + times,
        plan_code=code,
        rank=rank,
        frequency=often,
        price=price or euros(amount) * times,
        included_establishments=included,
        tiers=(Tier(2, euros("24.00") * times), Tier(6, euros("19.00") * times)),
        terms=terms,
    )


def option(
    code: str, quantity: int = 1, since: date = date(2026, 3, 1), at: str | None = None, **more: object
) -> HeldOption:
    kind, amount, included_by, offered_by = _OPTIONS[code]
    values: dict[str, object] = {
        "id": abs(hash((code, at))) % 10_000,
        "units": {often: euros(amount) * times for often, times in _MONTHS.items()},
        "included_by": frozenset(included_by.split()),
        "offered_by": frozenset(offered_by.split()),
    }
    return HeldOption(
        code=code, kind=kind, quantity=quantity, starts_on=since, establishment_id=at, **(values | more)
    )  # type: ignore[arg-type]


def establishment(
    position: int, since: date = date(2026, 3, 1), charged_from: date | None = None, **more: object
) -> HeldEstablishment:
    return HeldEstablishment(
        id=f"e{position}",
        position=position,
        name=f"Adresse {position}",
        active_from=since,
        charged_from=charged_from or since,
        **more,  # type: ignore[arg-type]
    )


def contract(
    plan: PlanTariff | None = None,
    starts_on: date = date(2026, 3, 1),
    paid_until: date | None = None,
    options: tuple[HeldOption, ...] = (),
    establishments: tuple[HeldEstablishment, ...] | None = None,
    **more: object,
) -> Contract:
    plan = plan or tariff()
    until = paid_until or next_boundary(starts_on, starts_on, plan.frequency.months)
    signature = Signature(plan, starts_on, until, Commitment(starts_on, plan.terms), starts_on)
    at = (establishment(1, since=starts_on),) if establishments is None else establishments
    return Contract(starts_on, signature, options, at, **more)  # type: ignore[arg-type]


class Ledger:
    """Issued drafts as the billed lines that the next calculation reads: what the rows do, without a database."""

    def __init__(self) -> None:
        self._ids = count(1)
        self._lines: list[tuple[BilledLine, date | None]] = []
        self._corrections: dict[int, list[tuple[Correction, date | None]]] = {}
        self.total = Money(0)

    def issue(self, draft: Draft, changed_on: date | None = None) -> Draft:
        """`changed_on` for the document of a change; None for a billing period."""
        for line in draft.lines:
            self.total += line.net
            if line.root_id is None:
                billed = BilledLine(
                    next(self._ids),
                    line.key,
                    line.unit,
                    line.quantity,
                    line.service,
                    line.whole,
                    line.net,
                    line.vat,
                )
                self._lines.append((billed, changed_on))
            else:
                corrected = Correction(line.net, line.service, line.quantity, False)
                self._corrections.setdefault(line.root_id, []).append((corrected, changed_on))
        return draft

    def billed(self, today: date) -> list[BilledLine]:
        return [
            replace(
                line,
                is_of_today=changed_on == today,
                corrections=tuple(
                    replace(each, is_of_today=on == today) for each, on in self._corrections.get(line.id, [])
                ),
            )
            for line, changed_on in self._lines
        ]
