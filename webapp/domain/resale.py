"""What a reseller pays for what its clients use: the same days and quantities as theirs, at wholesale prices (R1).

The client's amounts are worked out as for anybody (`pricing`, `proration`). Each line of a draft then has its wholesale
side: a charge takes the wholesale price for the same share of the same period; what gives back takes the same part of
the wholesale amount of the very line that it gives back, so that a reversal of everything lands on zero on both sides.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction

from webapp.domain.contract import Contract, Frequency
from webapp.domain.money import Money
from webapp.domain.periods import Period
from webapp.domain.pricing import DISCOUNT, Charge, Draft, DraftLine, Item, discounted

ONCE = "once"
LONGEST_MONTH = 31  # days


@dataclass(frozen=True, slots=True)
class WholesalePrice:
    """One price from a day on, as `models.resellers.WholesalePrice`; `from_unit` counts establishments from 1."""

    item: str
    ref: str
    frequency: str
    from_unit: int
    valid_from: date
    amount: Money


@dataclass(frozen=True, slots=True)
class Wholesale:
    """The wholesale side of one line: the price of a unit for a whole period, and the amount. VAT excluded."""

    unit: Money
    net: Money


@dataclass(frozen=True, slots=True)
class RecordedLine:
    """A resale line that charged something, and what later lines took back of it, on both sides (negative sums)."""

    net: Money
    wholesale: Wholesale
    service: Period
    quantity: int
    taken_back: Money
    wholesale_taken_back: Money

    def less(self, net: Money, wholesale: Money) -> "RecordedLine":
        """After one more line that takes back, or undoes that."""
        return replace(
            self,
            taken_back=self.taken_back + net,
            wholesale_taken_back=self.wholesale_taken_back + wholesale,
        )


def parts(draft: Draft, is_reseller_billed: bool) -> tuple[Draft | None, Draft | None]:
    """The lines that the client is billed, and those that its reseller is; None for a part without a line.

    What gives back goes to whoever was charged, by the sign of `root_id`: resale lines are numbered below zero. New
    charges go to whoever is billed now.
    """
    own: list[DraftLine] = []
    resold: list[DraftLine] = []
    for line in draft.lines:
        is_resold = is_reseller_billed if line.root_id is None else line.root_id < 0
        (resold if is_resold else own).append(line)
    return (
        Draft(tuple(own), draft.period, draft.currency) if own else None,
        Draft(tuple(resold), draft.period, draft.currency) if resold else None,
    )


def charged(line: DraftLine, draft: Draft, contract: Contract, prices: Sequence[WholesalePrice]) -> Wholesale:
    """The wholesale side of a line of `draft` that charges. Without a wholesale price it is the client's tariff.

    `contract` may be the one before the change that `draft` bills: what the draft says of plan and frequency counts. A
    discount given to the client lessens the wholesale price in the same proportion.
    """
    if line.key.item == DISCOUNT:
        lessened = discounted(line.key)
        tariff = _tariff(lessened, draft, contract, line.service.start)
        share = Fraction(line.unit.cents, tariff.cents) if tariff else Fraction(1)
        unit = _unit(lessened, line, draft, contract, prices, tariff or line.unit).share(share)
    else:
        unit = _unit(line.key, line, draft, contract, prices, line.unit)
    plain = Charge(line.key, line.unit, line.quantity, line.service, line.whole).net
    net = Charge(line.key, unit, line.quantity, line.service, line.whole).net
    if line.net != plain and plain:  # the rest of a day that was rewritten (M5): the same part of both
        net = net.share(Fraction(line.net.cents, plain.cents))
    return Wholesale(unit, net)


def given_back(line: DraftLine, root: RecordedLine) -> Wholesale:
    """The wholesale side of a line that gives `root` back, or undoes that.

    A share of its days and units is the same share of both amounts; for anything else, what is taken back in all is the
    same part of both. All of one is all of the other, and never more than what is left.

    >>> from webapp.domain.vat import VatRate
    >>> april, nothing = Period(date(2026, 4, 1), date(2026, 5, 1)), Money(0)
    >>> root = RecordedLine(Money(10000), Wholesale(Money(7000), Money(7000)), april, 1, nothing, nothing)
    >>> half = Period(date(2026, 4, 16), date(2026, 5, 1))
    >>> back = DraftLine(Item("plan", "pro"), Money(10000), 1, half, april, Money(-5000), VatRate("S", "21"), -1)
    >>> given_back(back, root).net
    Money(-35.00, EUR)
    """
    after = root.taken_back + line.net
    target = root.wholesale.net.share(Fraction(after.cents, root.net.cents))
    net = target - root.wholesale_taken_back
    if abs(after) < abs(root.net) and root.service.start <= line.service.start < root.service.end:
        share = line.service.share_of(root.service) * Fraction(line.quantity, root.quantity)
        left = root.wholesale.net + root.wholesale_taken_back
        by_days = root.wholesale.net.share(share)
        if line.net == -root.net.share(share) and abs(by_days) <= abs(left):
            net = -by_days
    return Wholesale(root.wholesale.unit, net)


def _tariff(key: Item, draft: Draft, contract: Contract, day: date) -> Money:
    """What the client pays for one unit of this on `day`; nothing when it is no longer held."""
    for line in draft.lines:
        if line.key == key and line.root_id is None:
            return line.unit
    nothing = Money(0, draft.currency)
    if key.item == "plan":
        return contract.tariff.price
    if key.item == "establishment":
        return contract.tariff.establishment_price(_number(key, contract, day))
    for option in contract.options:
        if (option.code, option.establishment_id) == (key.ref, key.establishment_id):
            return option.once or nothing if key.item == "one_off" else option.unit_under(contract.tariff)
    return nothing


def _unit(
    key: Item,
    line: DraftLine,
    draft: Draft,
    contract: Contract,
    prices: Iterable[WholesalePrice],
    tariff: Money,
) -> Money:
    ref, number = key.ref, 1
    if key.item == "establishment":
        ref, number = _plan_code(draft, contract), _number(key, contract, line.service.start)
    frequency = ONCE if key.item == "one_off" else _frequency(line)
    found = [
        price
        for price in prices
        if (price.item, price.ref, price.frequency) == (key.item, ref, frequency)
        and price.from_unit <= number
        and price.valid_from <= line.whole.start
        and price.amount.currency == tariff.currency
    ]
    best = max(found, key=lambda price: (price.from_unit, price.valid_from), default=None)
    return tariff if best is None else best.amount


def _frequency(line: DraftLine) -> str:
    return (Frequency.MONTHLY if line.whole.days <= LONGEST_MONTH else Frequency.ANNUAL).value


def _plan_code(draft: Draft, contract: Contract) -> str:
    signed = (line.key.ref for line in draft.lines if line.key.item == "plan" and line.root_id is None)
    return next(signed, contract.plan_code)


def _number(key: Item, contract: Contract, day: date) -> int:
    """Which establishment it is, counted from 1; one that is not yet charged for counts as the next."""
    charged_for = [each.id for each in contract.establishments_charged_on(day)]
    return charged_for.index(key.ref) + 1 if key.ref in charged_for else len(charged_for) + 1
