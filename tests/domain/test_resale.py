"""The wholesale side of what clients are charged: the same days and units, and nothing left after a whole reversal."""

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.contracts import contract as a_contract
from tests.domain.contracts import establishment
from webapp.domain.money import Money
from webapp.domain.periods import Period
from webapp.domain.pricing import Draft, DraftLine, Item, period_draft
from webapp.domain.resale import RecordedLine, Wholesale, WholesalePrice, charged, given_back, parts
from webapp.domain.vat import VatRate

APRIL = Period(date(2026, 4, 1), date(2026, 5, 1))
VAT = VatRate("S", "21")
LONG_AGO = date(2020, 1, 1)
PLAN = Item("plan", "pro")


def a_line(net, key=PLAN, unit=14_900, service=APRIL, root_id=None, quantity=1):
    return DraftLine(key, Money(unit), quantity, service, APRIL, Money(net), VAT, root_id)


def a_root(net, wholesale):
    paid = Wholesale(Money(wholesale), Money(wholesale))
    return RecordedLine(Money(net), paid, APRIL, 1, Money(0), Money(0))


def a_draft(*lines):
    return Draft(lines, APRIL)


def a_price(cents, item="plan", ref="pro", from_unit=1, valid_from=LONG_AGO, frequency="monthly"):
    return WholesalePrice(item, ref, frequency, from_unit, valid_from, Money(cents))


def test_a_charge_takes_the_wholesale_price_for_the_same_days():
    last_ten_days = Period(date(2026, 4, 21), date(2026, 5, 1))
    line = a_line(4_967, service=last_ten_days)
    side = charged(line, a_draft(line), a_contract(), [a_price(9_900)])
    assert (side.unit, side.net) == (Money(9_900), Money(3_300))


def test_the_latest_price_that_began_counts_and_without_any_the_tariff():
    line = a_line(14_900)
    prices = [
        a_price(9_900),
        a_price(9_500, valid_from=date(2026, 4, 1)),
        a_price(1, valid_from=date(2026, 4, 2)),
    ]
    assert charged(line, a_draft(line), a_contract(), prices).net == Money(9_500)
    others = [a_price(1, ref="premium"), a_price(1, frequency="annual"), a_price(1, item="option")]
    assert charged(line, a_draft(line), a_contract(), others).net == Money(14_900)


def test_a_discount_lessens_the_wholesale_price_in_the_same_proportion():
    plan = a_line(10_000, unit=10_000)
    discount = a_line(-2_000, key=Item("discount", "1/plan/pro"), unit=-2_000)
    side = charged(discount, a_draft(plan, discount), a_contract(), [a_price(7_000)])
    assert side.net == Money(-1_400)


def test_an_establishment_takes_the_tier_of_its_number():
    contract = a_contract(establishments=[establishment(number) for number in range(1, 5)])
    draft = period_draft(contract, VAT)
    prices = [
        a_price(1_500, item="establishment", ref=contract.plan_code),
        a_price(1_100, item="establishment", ref=contract.plan_code, from_unit=4),
    ]
    extra = [line for line in draft.lines if line.key.item == "establishment"]
    sides = [charged(line, draft, contract, prices).unit.cents for line in extra]
    numbers = list(range(5 - len(extra), 5))
    assert sides == [1_500 if number < 4 else 1_100 for number in numbers]
    assert sides[-1] == 1_100


def test_what_gives_back_follows_who_was_charged():
    charge, of_client, of_reseller = a_line(100), a_line(-10, root_id=7), a_line(-10, root_id=-7)
    draft = a_draft(charge, of_client, of_reseller)
    own, resold = parts(draft, is_reseller_billed=True)
    assert own.lines == (of_client,)
    assert resold.lines == (charge, of_reseller)
    own, resold = parts(draft, is_reseller_billed=False)
    assert own.lines == (charge, of_client)
    assert resold.lines == (of_reseller,)
    assert parts(a_draft(charge), is_reseller_billed=False) == (a_draft(charge), None)


@given(
    net=st.integers(1, 500_000),
    wholesale=st.integers(0, 500_000),
    cuts=st.lists(st.integers(0, 500_000), max_size=5),
)
@settings(max_examples=80)
def test_giving_everything_back_in_any_pieces_leaves_nothing_on_either_side(net, wholesale, cuts):
    edges = sorted({min(cut, net) for cut in cuts} | {net})
    root = a_root(net, wholesale)
    before = 0
    for edge in edges:
        line = a_line(-(edge - before), root_id=-1)
        side = given_back(line, root)
        root = root.less(line.net, side.net)
        before = edge
        assert -wholesale <= root.wholesale_taken_back.cents <= 0
        exact = Fraction(wholesale * edge, net)
        assert abs(exact + root.wholesale_taken_back.cents) <= Fraction(1, 2)
    assert root.taken_back == Money(-net)
    assert root.wholesale_taken_back == Money(-wholesale)


@given(net=st.integers(100, 500_000), wholesale=st.integers(1, 500_000), day=st.integers(2, 30))
@settings(max_examples=60)
def test_what_is_given_back_by_days_is_the_same_days_of_both_amounts(net, wholesale, day):
    rest = Period(date(2026, 4, day), date(2026, 5, 1))
    back = a_line(-Money(net).share(rest.share_of(APRIL)).cents, service=rest, root_id=-1)
    side = given_back(back, a_root(net, wholesale))
    assert side.net == -Money(wholesale).share(rest.share_of(APRIL))
    other = a_line(-(net + back.net.cents), root_id=-1)
    assert side.net + given_back(other, a_root(net, wholesale).less(back.net, side.net)).net == Money(
        -wholesale
    )


def test_undoing_a_give_back_is_to_the_cent():
    root = a_root(9_999, 3_333)
    back = a_line(-5_000, root_id=-1)
    given = given_back(back, root)
    again = given_back(a_line(5_000, root_id=-1), root.less(back.net, given.net))
    assert given.net + again.net == Money(0)


@pytest.mark.parametrize(("days", "frequency"), [(28, "monthly"), (31, "monthly"), (365, "annual")])
def test_the_frequency_is_that_of_the_period(days, frequency):
    whole = Period(date(2026, 1, 1), date.fromordinal(date(2026, 1, 1).toordinal() + days))
    line = DraftLine(Item("plan", "pro"), Money(100), 1, whole, whole, Money(100), VAT)
    prices = [a_price(1, frequency="monthly"), a_price(2, frequency="annual")]
    side = charged(line, Draft((line,), whole), a_contract(), prices)
    assert side.net.cents == (1 if frequency == "monthly" else 2)
