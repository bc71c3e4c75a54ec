"""Whole cents, exact shares, one rounding."""

from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from webapp.domain.money import CurrencyMismatch, Money, euros, round_half_up, total
from webapp.domain.vat import FRANCHISE, REVERSE_CHARGE, STANDARD, VatRate, vat_groups, with_vat

AMOUNTS = st.integers(-(10**9), 10**9).map(Money)
SHARES = st.fractions(0, 1, max_denominator=366)


@pytest.mark.parametrize(
    ("amount", "rounded"),
    [("1/2", 1), ("-1/2", -1), ("3/2", 2), ("5/2", 3), ("-5/2", -3), ("249/100", 2), ("0", 0), ("7", 7)],
)
def test_a_tie_goes_away_from_zero(amount, rounded):
    assert round_half_up(Fraction(amount)) == rounded


@given(amount=AMOUNTS, share=SHARES)
@example(amount=euros("119.95"), share=Fraction(1, 2))
def test_one_side_computed_and_the_other_subtracted_make_the_whole(amount, share):
    part = amount.share(share)
    assert part + (amount - part) == amount
    assert abs(part.cents - amount.cents * share) <= Fraction(1, 2)


@given(amount=AMOUNTS, share=SHARES)
def test_a_credit_rounds_like_the_charge_it_gives_back(amount, share):
    assert (-amount).share(share) == -amount.share(share)


def test_currencies_do_not_mix():
    with pytest.raises(CurrencyMismatch):
        euros("1.00") + Money(100, "USD")


def test_money_is_never_a_float():
    with pytest.raises(TypeError):
        Money(1.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="whole number of cents"):
        euros("1.005")


def test_vat_is_rounded_once_per_rate_not_per_line():
    [group] = vat_groups([(STANDARD, euros("1.45"))] * 4)
    assert (group.base, group.vat) == (euros("5.80"), euros("1.22"))  # four times 0.30 would make 1.20


@pytest.mark.parametrize(
    ("net", "vat"),
    [("167.00", "35.07"), ("23.00", "4.83"), ("12.00", "2.52"), ("0.02", "0.00"), ("0.03", "0.01")],
)
def test_worked_table_of_vat_at_21_percent(net, vat):
    assert vat_groups([(STANDARD, euros(net))])[0].vat == euros(vat)


def test_each_rate_has_its_own_group_in_a_stable_order():
    six = VatRate("S", "6")
    groups = vat_groups([(six, euros("10.00")), (STANDARD, euros("10.00")), (six, euros("5.00"))])
    assert [(group.rate.percent, group.base, group.vat) for group in groups] == [
        ("21", euros("10.00"), euros("2.10")),
        ("6", euros("15.00"), euros("0.90")),
    ]


@pytest.mark.parametrize("rate", [REVERSE_CHARGE, FRANCHISE])
def test_without_vat_the_total_is_the_net(rate):
    assert with_vat(euros("79.00"), rate) == euros("79.00")


@given(st.lists(AMOUNTS, max_size=20))
def test_what_is_given_back_whole_lands_on_zero(amounts):
    lines = [(STANDARD, amount) for amount in amounts]
    back = [(STANDARD, -amount) for amount in amounts]
    assert total(group.vat for group in vat_groups(lines)) == -total(group.vat for group in vat_groups(back))
