"""Discounts: charges below zero, billed and given back by the rules of every charge (S2, P2, M6)."""

from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.contracts import Ledger, contract, option, tariff
from webapp.domain.discounts import Discount, in_force, offs
from webapp.domain.money import Money, euros
from webapp.domain.plan_change import change_of_plan
from webapp.domain.pricing import Item, discounted, monthly_price, period_draft
from webapp.domain.proration import settlement
from webapp.domain.vat import STANDARD

SIGNED = date(2026, 11, 1)
NEXT = date(2026, 12, 1)
MIDDLE = date(2026, 11, 16)  # 15 of the 30 days are left


def discount(percent: int = 20, since: date = SIGNED, until: date | None = None, **more: object) -> Discount:
    values: dict[str, object] = {"share": Fraction(percent, 100)}
    return Discount(7, since, until, **(values | more))  # type: ignore[arg-type]


def discounted_contract(*discounts: Discount, code: str = "pro", **more: object):
    unpaid = contract(tariff(code), starts_on=SIGNED, paid_until=SIGNED, **more)  # type: ignore[arg-type]
    return replace(unpaid, discounts=discounts)


def billed(held):
    """The first month invoiced, and the contract after it."""
    ledger = Ledger()
    draft = period_draft(held, STANDARD)
    assert draft is not None
    ledger.issue(draft)
    return (
        replace(held, signature=replace(held.signature, billed_until=NEXT, settled_on=SIGNED)),
        ledger,
        draft,
    )


def test_a_fifth_off_the_plan_is_a_line_below_zero_and_vat_follows_the_net() -> None:
    _, _, draft = billed(discounted_contract(discount(item="plan", ref="pro")))
    assert [(line.key, line.net) for line in draft.lines] == [
        (Item("plan", "pro"), euros("79.00")),
        (Item("discount", "7/plan/pro"), euros("-15.80")),
    ]
    assert (draft.net, draft.vat, draft.total) == (euros("63.20"), euros("13.27"), euros("76.47"))
    assert discounted(draft.lines[1].key) == draft.lines[0].key


def test_an_upgrade_gives_back_what_was_paid_not_the_list_price() -> None:
    held, ledger, _ = billed(discounted_contract(discount(item="plan")))
    change = change_of_plan(held, tariff("premium"), ledger.billed(MIDDLE), MIDDLE, STANDARD)
    assert [(line.key.item, line.net) for line in change.due_now.lines] == [
        ("plan", euros("74.50")),
        ("plan", euros("-39.50")),
        ("discount", euros("-14.90")),
        ("discount", euros("7.90")),
    ]


def test_what_is_granted_in_the_middle_of_a_paid_month_is_given_back_by_day() -> None:
    held, ledger, _ = billed(discounted_contract())
    after = replace(held, discounts=(discount(item="plan", since=MIDDLE),))
    due = settlement(after, ledger.billed(MIDDLE), MIDDLE, STANDARD)
    assert due.is_credit_note
    assert due.net == euros("-7.90")


def test_a_discount_that_ends_inside_a_paid_month_is_charged_no_further() -> None:
    held, ledger, draft = billed(discounted_contract(discount(item="plan", until=MIDDLE)))
    assert draft.net == euros("71.10")
    later = date(2026, 11, 20)
    assert settlement(held, ledger.billed(later), later, STANDARD).lines == ()


def test_free_months_cost_nothing_and_the_price_comes_back_after_them() -> None:
    held, _, draft = billed(discounted_contract(discount(100, until=NEXT), options=(option("emails", 4),)))
    assert draft.total == Money(0)
    following = period_draft(held, STANDARD)
    assert following is not None
    assert following.net == euros("89.00")


def test_discounts_together_never_make_a_price_negative() -> None:
    both = (discount(60), replace(discount(60), id=8))
    _, _, draft = billed(discounted_contract(*both))
    assert [line.net for line in draft.lines] == [euros("79.00"), euros("-47.40"), euros("-31.60")]


def test_dearer_or_cheaper_is_still_decided_on_list_prices() -> None:
    held = discounted_contract(discount(50))
    assert monthly_price(held, SIGNED) == 7900


@given(
    unit=st.integers(1, 100_000),
    shares=st.lists(st.integers(1, 100), min_size=1, max_size=4),
    months=st.sampled_from([1, 12]),
)
def test_what_is_left_is_between_nothing_and_the_price(unit: int, shares: list[int], months: int) -> None:
    given_off = [Discount(n, SIGNED, None, share=Fraction(share, 100)) for n, share in enumerate(shares)]
    left = unit - sum(off.cents for _, off in offs(given_off, "plan", "pro", Money(unit), months))
    assert 0 <= left < unit or (left == unit and unit * max(shares) < 50)


@pytest.mark.parametrize(
    "wrong",
    [
        {"share": None},
        {"monthly": Money(100)},
        {"share": Fraction(11, 10)},
        {"share": None, "monthly": Money(0)},
        {"until_on": SIGNED},
    ],
)
def test_a_discount_that_means_nothing_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        replace(discount(), **wrong)  # type: ignore[arg-type]


def test_only_those_of_the_day_are_in_force() -> None:
    ended, running, to_come = discount(until=MIDDLE), discount(), discount(since=NEXT)
    assert in_force((ended, running, to_come), date(2026, 11, 20)) == (running,)


def test_what_is_free_this_month_takes_nothing_off_the_discount_of_the_next() -> None:
    free = discount(100, SIGNED, NEXT, item="plan")
    fifth = replace(discount(20, NEXT, item="plan"), id=8)
    held, _, first = billed(discounted_contract(free, fifth))
    assert first.net == euros("0.00")
    following = period_draft(held, STANDARD)
    assert following is not None
    assert [line.net for line in following.lines] == [euros("79.00"), euros("-15.80")]


def test_discounts_that_meet_inside_a_period_share_its_days() -> None:
    free = discount(100, SIGNED, MIDDLE, item="plan")
    fifth = replace(discount(20, SIGNED, item="plan"), id=8)
    _, _, draft = billed(discounted_contract(free, fifth))
    assert [(line.key.ref, line.service.days, line.net) for line in draft.lines[1:]] == [
        ("7/plan/pro", 15, euros("-39.50")),
        ("8/plan/pro", 15, euros("-7.90")),
    ]
