"""Why a document is not the one before: both by what they charge, for the overview and the forecast."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from webapp.domain.money import Money, total
from webapp.domain.periods import Period, boundary
from webapp.domain.pricing import DISCOUNT, Draft
from webapp.i18n import date_text
from webapp.services.contracts import Situation
from webapp.services.invoices import BilledPeriod
from webapp.services.wording import text

DIFFERENCES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Difference:
    """What moves the total. `kind`: plan, establishments, added, removed, included, quantity, price, discount."""

    kind: str
    amount: Money
    name: str = ""
    before: int = 0
    after: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    since: date  # the day the last invoiced period began
    month: str  # its name, when it is a calendar month
    amount: Money  # how much more, negative when less
    differences: list[Difference]
    others: int
    others_amount: Money


def is_calendar_month(period: Period) -> bool:
    return period.start.day == 1 and period.end == boundary(period.start, 1)


def comparison(situation: Situation, draft: Draft, last: BilledPeriod, locale: str) -> Comparison:
    """Why the next invoice is not the last one: both by what they charge, and the difference in words."""
    zero = Money(0, draft.currency)
    before = _sums((each.item, each.ref, each.quantity, each.net) for each in last.amounts)
    after = _sums((line.key.item, line.key.ref, line.quantity, line.net) for line in draft.lines)
    plan = (
        [each for key, each in after.items() if key[0] == "plan"],
        [each for key, each in before.items() if key[0] == "plan"],
    )
    kept = situation.contract.on(draft.period.start).options_on(draft.period.start)
    draft_plan = next((ref for item, ref in after if item == "plan"), situation.contract.plan_code)
    differences = []
    moved = total((net for _, net in plan[0]), draft.currency) - total(
        (net for _, net in plan[1]), draft.currency
    )
    if moved:
        differences.append(Difference("plan", moved, text(situation.plans[draft_plan], locale)))
    differences += _establishments_moved(situation, before, after, zero)
    less = _of_item(after, DISCOUNT, zero) - _of_item(before, DISCOUNT, zero)
    if less:
        differences.append(Difference("discount", less))
    for item, ref in dict.fromkeys([*after, *before]):
        if item not in ("option", "one_off") or ref not in situation.options:
            continue
        (count_before, net_before), (count_after, net_after) = (
            side.get((item, ref), (0, zero)) for side in (before, after)
        )
        if net_after != net_before:
            name = text(situation.options[ref].names, locale)
            kind = "added" if not count_before else "removed" if not count_after else "quantity"
            if count_before == count_after:
                kind = "price"
            elif not count_after and any(option.code == ref for option in kept):
                kind = "included"
            differences.append(Difference(kind, net_after - net_before, name, count_before, count_after))
    amount = draft.net - last.net
    rest = differences[DIFFERENCES_SHOWN:]
    return Comparison(
        since=last.period.start,
        month=date_text(last.period.start, locale, "LLLL") if is_calendar_month(last.period) else "",
        amount=amount,
        differences=differences[:DIFFERENCES_SHOWN],
        others=len(rest),
        others_amount=total((each.amount for each in rest), draft.currency),
    )


def _of_item(sums: "Sums", item: str, zero: Money) -> Money:
    return total((net for (kind, _), (_, net) in sums.items() if kind == item), zero.currency)


Sums = dict[tuple[str, str], tuple[int, Money]]


def _sums(lines: Iterable[tuple[str, str, int, Money]]) -> Sums:
    sums: dict[tuple[str, str], list[int]] = {}
    currency = ""
    for item, ref, quantity, net in lines:
        both = sums.setdefault((item, ref), [0, 0])
        both[0] += quantity
        both[1] += net.cents
        currency = net.currency
    return {key: (count, Money(cents, currency)) for key, (count, cents) in sums.items()}


def _establishments_moved(situation: Situation, before: Sums, after: Sums, zero: Money) -> list[Difference]:
    """One by its name; several as a number, and tiers that move as one amount."""
    old = {ref: net for (item, ref), (_, net) in before.items() if item == "establishment"}
    new = {ref: net for (item, ref), (_, net) in after.items() if item == "establishment"}
    amount = total(new.values(), zero.currency) - total(old.values(), zero.currency)
    if not amount:
        return []
    moved = [ref for ref in {**new, **old} if new.get(ref, zero) != old.get(ref, zero)]
    address = situation.addresses.get(moved[0]) if len(moved) == 1 else None
    return [Difference("establishments", amount, address.name if address else "", len(old), len(new))]
