"""What the pages of paying show."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from flask import url_for
from markupsafe import Markup

from webapp import paying
from webapp.domain.money import Money, total
from webapp.services import payables
from webapp.services.payables import Payable

EVERY, LATE = "toutes", "echues"
# For so long the page asks every two seconds, then less often; after that, the visitor asks.
QUICK_ROUNDS, MOST_ROUNDS = 20, 60


@dataclass(frozen=True, slots=True)
class Due:
    """An invoice that may be paid, and how to do it by transfer. `qr` is drawn for those that are chosen."""

    number: str
    due_on: date
    left: Money
    is_late: bool
    is_chosen: bool
    debit_on: date | None  # a direct debit or a charge is on its way for that day
    announced_until: date | None
    may_announce: bool
    beneficiary: str
    iban: str
    communication: str
    qr: Markup

    @property
    def plain_amount(self) -> str:
        """As banking applications take it: 187,55."""
        return f"{self.left.cents // 100},{self.left.cents % 100:02d}"


@dataclass(frozen=True, slots=True)
class PayPage:
    subscription_id: uuid.UUID
    invoices: list[Due]
    announced_days: int
    by_bancontact: bool
    by_card: bool
    is_demo: bool
    credit: Money

    @property
    def chosen(self) -> list[Due]:
        return [each for each in self.invoices if each.is_chosen]

    @property
    def late(self) -> list[Due]:
        return [each for each in self.invoices if each.is_late]

    @property
    def announceable(self) -> list[Due]:
        return [each for each in self.chosen if each.may_announce]

    @property
    def amount(self) -> Money:
        return total((each.left for each in self.chosen), self.invoices[0].left.currency)

    @property
    def is_every(self) -> bool:
        return len(self.chosen) == len(self.invoices)

    @property
    def is_late_only(self) -> bool:
        return bool(self.late) and self.chosen == self.late


def chosen_numbers(open_ones: Sequence[Payable], numbers: Sequence[str], group: str) -> set[str]:
    """Those asked for by name; else the group asked for; else what is past due, or everything when nothing is."""
    named = {each.number for each in open_ones} & set(numbers)
    if named:
        return named
    late = {each.number for each in open_ones if each.is_late}
    return late if late and group != EVERY else {each.number for each in open_ones}


def pay_page(
    subscription_id: uuid.UUID, read: payables.Payables, numbers: Sequence[str], group: str
) -> PayPage:
    chosen = chosen_numbers(read.invoices, numbers, group)
    kinds = paying.pays_by()
    return PayPage(
        subscription_id,
        [_due(each, each.number in chosen) for each in read.invoices],
        read.announced_days,
        "bancontact" in kinds,
        "card" in kinds,
        _is_demo(),
        read.credit,
    )


def _due(each: Payable, is_chosen: bool) -> Due:
    return Due(
        each.number,
        each.due_on,
        each.left,
        each.is_late,
        is_chosen,
        each.debit_on,
        each.announced_until,
        each.may_announce,
        each.beneficiary,
        each.iban,
        each.communication,
        # Drawn by segno from a name, an account and an amount of ours.
        Markup(payables.qr(each).decode()) if is_chosen else Markup(""),  # nosec B704
    )


def _is_demo() -> bool:
    found = paying.provider()
    return found is not None and found.name == "demo"


@dataclass(frozen=True, slots=True)
class OutcomePage:
    """A page of the provider and what became of it. `round` counts how often this one has asked."""

    subscription_id: uuid.UUID
    id: uuid.UUID
    purpose: str
    state: str
    amount: Money
    numbers: tuple[str, ...]
    failure: str  # in words, empty when it has not failed
    address: str
    is_suspended: bool
    method: str
    unpaid: int
    round: int

    @property
    def is_waiting(self) -> bool:
        return self.state in ("open", "pending")

    @property
    def asks_after(self) -> int | None:
        """Seconds until the page asks again by itself; None when it no longer does."""
        if not self.is_waiting or self.round >= MOST_ROUNDS:
            return None
        return 2 if self.round < QUICK_ROUNDS else 10

    @property
    def next_round(self) -> str:
        return url_for(
            "checkout.outcome",
            subscription_id=self.subscription_id,
            checkout_id=self.id,
            tour=self.round + 1,
        )
