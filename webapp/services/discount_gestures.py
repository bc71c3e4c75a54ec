"""Gestures on a price: a discount, free months, a free option, a special price, each until a day (S2).

All four are a `Discount` of the subscription: priced, billed and given back by the rules of every charge, so that a later
change of plan, an end or an undoing adds up. One that begins today inside a paid period is settled today.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain.contract import Contract
from webapp.domain.discounts import Discount
from webapp.domain.money import Money
from webapp.domain.periods import Period, boundary
from webapp.domain.pricing import DISCOUNT, Charge, Draft, recurring_charges
from webapp.domain.proration import BilledLine, settlement, upcoming, with_draft
from webapp.domain.refusals import CannotUndo, GestureTooShort, NothingTakenOff, PriceNotLower
from webapp.models.gestures import Gesture
from webapp.models.subscriptions import Subscription
from webapp.services import contracts, previews
from webapp.services.contract_facts import discount_facts
from webapp.services.contracts import Situation
from webapp.services.gesture_effects import Effect, Row
from webapp.services.subscriptions import ensure_running

KINDS = ("discount", "free_months", "free_option", "price")


@dataclass(frozen=True, slots=True)
class Grant:
    """What is granted, off `item` and `ref` as `Discount` says them.

    One of: `share`, `monthly` (off each unit), `price` (of one unit and one whole period, VAT excluded) or `months`,
    whole and free from the next period on. `last_day` is the last day of the first three, which begin today or, with
    `is_next`, with the next period.
    """

    kind: str
    item: str | None = None
    ref: str | None = None
    share: Fraction | None = None
    monthly: Money | None = None
    price: Money | None = None
    months: int = 0
    last_day: date | None = None
    is_next: bool = True


def preview(session: Session, subscription_id: uuid.UUID, grant: Grant, today: date) -> Effect:
    """Work it out, without writing. Raises SubscriptionEnded, NothingTakenOff, GestureTooShort, PriceNotLower."""
    situation, billed, arrears = _as_of(session, subscription_id, today)
    discount = _discount(session, situation, grant, today)
    contract = situation.contract
    after = replace(contract, discounts=(*contract.discounts, discount))
    if not _lessens(contract, after, discount, today):
        raise NothingTakenOff()
    rows = (
        Row("from_on", None, discount.from_on),
        Row("last_day", None, discount.until_on - timedelta(days=1) if discount.until_on else None),
    )
    facts: dict[str, Any] = {"discount": discount_facts(discount), "currency": situation.currency}
    if grant.price is not None:
        facts["price_cents"] = grant.price.cents
    return _effect(situation, after, billed, arrears, today, facts, rows)


def write(session: Session, subscription: Subscription, effect: Effect) -> None:
    subscription.discounts = [*(subscription.discounts or []), dict(effect.facts["discount"])]


def preview_undo(session: Session, gesture: Gesture, today: date) -> Effect:
    """What ending it today would do: what it took off until now is kept. Raises CannotUndo once it is over."""
    situation, billed, arrears = _as_of(session, gesture.subscription_id, today)
    contract = situation.contract
    number = gesture.facts["discount"]["id"]
    granted = next((each for each in contract.discounts if each.id == number), None)
    if granted is None or (granted.until_on is not None and granted.until_on <= today):
        raise CannotUndo()
    left = _ended(contract.discounts, granted, today)
    last_day = granted.until_on - timedelta(days=1) if granted.until_on else None
    ends_on = today - timedelta(days=1) if granted.from_on < today else None
    return _effect(
        situation, replace(contract, discounts=left), billed, arrears, today,
        gesture.facts, (Row("last_day", last_day, ends_on),),
    )  # fmt: skip


def take_away(subscription: Subscription, gesture: Gesture, today: date) -> None:
    """Write what `preview_undo` showed: gone if it had not begun, else over since today."""
    number, kept = gesture.facts["discount"]["id"], []
    for each in subscription.discounts or []:
        if each["id"] != number:
            kept.append(each)
        elif each["from_on"] < today.isoformat():
            kept.append({**each, "until_on": today.isoformat()})
    subscription.discounts = kept


def _as_of(
    session: Session, subscription_id: uuid.UUID, today: date
) -> tuple[Situation, list[BilledLine], tuple[Draft, ...]]:
    situation = contracts.load(session, subscription_id)
    ensure_running(situation, today)
    billed = contracts.billed_lines(session, subscription_id, today, since=today)
    return previews.caught_up(situation, billed, today)


def _effect(
    situation: Situation, after: Contract, billed: Sequence[BilledLine], arrears: tuple[Draft, ...], today: date,
    facts: Any, rows: tuple[Row, ...],
) -> Effect:  # fmt: skip
    vat = situation.customer.vat
    due = settlement(after, billed, today, vat)
    return Effect(
        # The words of a line come from the discounts known, those that are added or taken away included.
        replace(situation, contract=_knowing(situation.contract, after)),
        today,
        facts,
        rows,
        due=due if due.lines else None,
        arrears=arrears,
        next_before=upcoming(situation.contract, billed, vat),
        next_after=upcoming(after, with_draft(billed, due), vat),
    )


def _knowing(before: Contract, after: Contract) -> Contract:
    known = {each.id: each for each in (*before.discounts, *after.discounts)}
    return replace(before, discounts=tuple(known.values()))


def _discount(session: Session, situation: Situation, grant: Grant, today: date) -> Discount:
    signature = situation.contract.signature
    is_next = grant.is_next or signature.billed_until <= today
    from_on = signature.billed_until if is_next else today
    if grant.months:
        distance = (from_on.year - signature.anchor_on.year) * 12 + from_on.month - signature.anchor_on.month
        until_on: date | None = boundary(signature.anchor_on, distance + grant.months)
    else:
        until_on = grant.last_day + timedelta(days=1) if grant.last_day else None
    if until_on is not None and until_on <= from_on:
        raise GestureTooShort(from_on)
    share, monthly = grant.share, grant.monthly
    if grant.months or grant.kind == "free_option":
        share = Fraction(1)
    if grant.price is not None:
        share, monthly = _down_to(grant.price, situation, grant, from_on)
    return Discount(
        _next_number(session, situation), from_on, until_on, share=share, monthly=monthly,
        item=grant.item, ref=grant.ref,
    )  # fmt: skip


def _down_to(
    price: Money, situation: Situation, grant: Grant, from_on: date
) -> tuple[Fraction | None, Money | None]:
    """What makes the unit cost `price`: an amount a month when it is one to the cent, else an exact share."""
    unit = list_price(situation.contract, grant.item, grant.ref, from_on)
    if unit is None:
        raise NothingTakenOff()
    off, months = unit - price, situation.contract.frequency.months
    if off.cents <= 0:
        raise PriceNotLower(unit)
    if off.cents % months == 0:
        return None, Money(off.cents // months, off.currency)
    return Fraction(off.cents, unit.cents), None


def list_price(contract: Contract, item: str | None, ref: str | None, day: date) -> Money | None:
    """What one unit costs for a whole period on `day`, discounts aside; None when it is not charged."""
    for charge in _charges(contract, day):
        if (charge.key.item, charge.key.ref) == (item, ref):
            return charge.unit
    return None


def charged(contract: Contract, day: date) -> list[tuple[str, str, Money]]:
    """What recurs and costs something on `day`: (item, ref, unit price for a whole period), establishments aside."""
    found = {(each.key.item, each.key.ref): each.unit for each in _charges(contract, day)}
    return [(item, ref, unit) for (item, ref), unit in found.items() if item in ("plan", "option")]


def _charges(contract: Contract, day: date) -> list[Charge]:
    then = contract.on(day)
    whole = then.signature.paid_period
    while whole.end <= day:
        signature = replace(then.signature, billed_until=then.signature.next_period.end)
        then = replace(then, signature=signature)
        whole = signature.paid_period
    found = recurring_charges(then, max(day, whole.start), whole)
    return [each for each in found if each.key.item != DISCOUNT]


def _lessens(before: Contract, after: Contract, discount: Discount, today: date) -> bool:
    """Whether it takes something off on its first day, beside the other discounts."""
    day = max(today, discount.from_on)
    whole = Period(day, day + timedelta(days=1))
    sums = []
    for contract in (before, after):
        charges = recurring_charges(replace(contract.on(day), changes=()), day, whole)
        sums.append(sum(each.unit.cents * each.quantity for each in charges))
    return sums[1] < sums[0]


def _ended(discounts: Sequence[Discount], granted: Discount, today: date) -> tuple[Discount, ...]:
    others = [each for each in discounts if each is not granted]
    kept = [replace(granted, until_on=today)] if granted.from_on < today else []
    return tuple(sorted([*others, *kept], key=lambda each: each.id))


def _next_number(session: Session, situation: Situation) -> int:
    """Never one that was given before: issued lines name their discount by it."""
    given = session.scalars(
        select(Gesture.facts).where(
            Gesture.subscription_id == situation.subscription_id, Gesture.kind.in_(KINDS)
        )
    )
    numbers = [int(facts["discount"]["id"]) for facts in given]
    return 1 + max([*numbers, *(each.id for each in situation.contract.discounts)], default=0)
