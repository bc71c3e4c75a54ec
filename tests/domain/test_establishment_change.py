"""Establishments that come and go (spec E1-E5, M10): from which day, at which rate, and nothing billed twice."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.contracts import Ledger, contract, establishment, option, tariff
from webapp.domain import coverage
from webapp.domain.contract import Contract
from webapp.domain.establishment_change import change_of_establishments, removal_undone
from webapp.domain.money import euros
from webapp.domain.periods import Period
from webapp.domain.proration import upcoming
from webapp.domain.refusals import LastEstablishment, SubscriptionEnded, TooLateToUndo, UnknownEstablishment
from webapp.domain.vat import STANDARD
from webapp.services.billing import next_step

TENTH = date(2026, 3, 10)
ANNIVERSARY = date(2026, 1, 15)


class Life:
    """A contract and what it has been billed, moved from day to day as the billing run does."""

    def __init__(self, held: Contract, today: date) -> None:
        self.contract, self.today, self.ledger = held, today, Ledger()
        self.number = len(held.establishments)
        self.bill()

    def bill(self) -> None:
        while step := next_step(self.contract, self.ledger.billed(self.today), self.today, STANDARD):
            if step.draft is not None:
                self.ledger.issue(step.draft)
            self.contract = step.contract

    def go_to(self, day: date) -> None:
        self.today = day
        self.bill()

    def change(self, *added: str, removed: tuple[str, ...] = ()):
        billed = self.ledger.billed(self.today)
        coming = [(each, each) for each in added]
        return change_of_establishments(self.contract, coming, removed, billed, self.today, STANDARD)

    def confirm(self, change):
        self.ledger.issue(change.due_now, changed_on=self.today)
        self.contract = change.contract_after
        return change

    def announced(self):
        return upcoming(self.contract, self.ledger.billed(self.today), STANDARD)


def a_month(places: int = 1, today: date = TENTH, plan: str = "pro") -> Life:
    since = date(2026, 3, 1)
    held = contract(
        tariff(plan),
        starts_on=since,
        paid_until=since,
        establishments=tuple(establishment(n, since=since) for n in range(1, places + 1)),
    )
    return Life(held, today)


def a_year(places: int = 1, today: date = TENTH) -> Life:
    held = contract(
        tariff("pro", "annual"),
        starts_on=ANNIVERSARY,
        paid_until=ANNIVERSARY,
        establishments=tuple(establishment(n, since=ANNIVERSARY) for n in range(1, places + 1)),
    )
    return Life(held, today)


# ── M10, word for word ───────────────────────────────────────────────────────────────────────────────────────────


def test_monthly_in_service_on_10_march_and_charged_from_1_april():
    life = a_month()
    change = life.confirm(life.change("second"))
    assert change.renewal_on == date(2026, 4, 1)
    assert not change.due_now.lines
    assert (change.next_before.net, change.next_after.net) == (euros("79.00"), euros("103.00"))
    assert life.contract.establishments_active_on(TENTH)[1].id == "second"
    life.go_to(date(2026, 4, 1))
    assert life.ledger.total == euros("79.00") + euros("103.00")


def test_annual_charged_from_15_march_for_the_days_to_14_january():
    life = a_year()
    change = life.confirm(life.change("second"))
    (line,) = change.next_after.lines
    assert line.service == Period(date(2026, 3, 15), date(2027, 1, 15))
    assert (line.service.days, line.whole.days) == (306, 365)
    assert line.net == euros("201.21")  # 240,00 × 306/365 = 201,205…
    assert change.period_after.net == euros("1030.00")
    life.go_to(date(2026, 3, 15))
    assert life.ledger.total == euros("790.00") + euros("201.21")


def test_removed_it_is_out_of_service_at_once_and_charged_no_more_from_the_next_month():
    life = a_month(places=2)
    change = life.confirm(life.change(removed=("e2",)))
    assert not change.due_now.lines
    assert change.next_after.net == euros("79.00")
    assert len(life.contract.establishments_active_on(TENTH)) == 1
    life.go_to(date(2026, 4, 1))
    assert life.ledger.total == euros("103.00") + euros("79.00")


def test_removed_from_a_paid_year_the_months_left_are_given_back_at_the_renewal():
    life = a_year(places=2)
    change = life.confirm(life.change(removed=("e2",)))
    assert change.next_after.is_credit_note
    assert change.next_after.net == -euros("201.21")
    life.go_to(date(2026, 3, 15))
    assert life.ledger.total == euros("1030.00") - euros("201.21")


# ── Rates ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_included_one_is_free_the_next_four_cost_24_and_the_sixth_19():
    life = a_month()
    change = life.change("b", "c", "d", "e", "f", "g")
    assert [priced.unit for priced in change.added] == [euros("24.00")] * 4 + [euros("19.00")] * 2
    assert change.next_after.net == euros("79.00") + euros("24.00") * 4 + euros("19.00") * 2


def test_when_the_included_one_leaves_the_next_takes_its_place():
    life = a_month(places=2)
    assert life.change(removed=("e1",)).next_after.net == euros("79.00")


def test_in_a_paid_year_those_behind_move_up_a_tier():
    life = a_year(places=6)
    life.confirm(life.change(removed=("e1",)))
    credit = life.announced()
    back = {line.key.ref: line.net for line in credit.lines}
    # The second becomes the included one, the sixth becomes the fifth: 190 given back, 240 charged, for 306/365.
    assert back["e2"] == -euros("201.21")
    assert sum(line.net.cents for line in credit.lines if line.key.ref == "e6") == 20121 - 15929


def test_one_that_leaves_before_it_is_charged_costs_nothing():
    life = a_year()
    life.confirm(life.change("second"))
    life.today = TENTH + timedelta(days=2)
    life.confirm(life.change(removed=("second",)))
    life.go_to(date(2026, 6, 1))
    assert life.ledger.total == euros("790.00")


def test_its_own_options_end_with_it():
    life = a_month(places=2)
    held = option("booking", since=date(2026, 3, 1), at="e2")
    life.contract = replace(life.contract, options=(held,))
    change = life.change(removed=("e2",))
    assert change.options_ending == (held,)
    assert change.contract_after.options[0].ends_on == date(2026, 4, 1)


# ── Refused, undone ──────────────────────────────────────────────────────────────────────────────────────────────


def test_the_last_one_stays_unless_another_comes():
    life = a_month()
    with pytest.raises(LastEstablishment):
        life.change(removed=("e1",))
    assert life.change("second", removed=("e1",)).removed[0].id == "e1"


def test_an_establishment_of_somewhere_else_is_unknown():
    with pytest.raises(UnknownEstablishment):
        a_month().change(removed=("elsewhere",))


def test_nothing_comes_once_the_contract_is_over():
    life = a_month()
    life.contract = replace(life.contract, ended_on=TENTH)
    with pytest.raises(SubscriptionEnded):
        life.change("second")


def test_undone_the_same_day_everything_is_as_it_was():
    life = a_year(places=2)
    life.contract = replace(life.contract, options=(option("booking", since=ANNIVERSARY, at="e2"),))
    before = life.contract
    life.confirm(life.change(removed=("e2",)))
    assert removal_undone(life.contract, "e2", TENTH) == before
    with pytest.raises(TooLateToUndo):
        removal_undone(life.contract, "e2", TENTH + timedelta(days=1))


# ── Coverage ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("places", "holders", "lacking"),
    [(2, 1, 1), (3, 2, 1), (3, 1, 0), (3, 3, 0), (10, 1, 0), (10, 6, 4), (1, 0, 0)],
)
def test_missing_means_that_most_of_the_others_have_it(places, holders, lacking):
    held = tuple(option("booking", at=f"e{n}") for n in range(1, holders + 1))
    at = tuple(establishment(n) for n in range(1, places + 1))
    found = coverage.gaps(contract(options=held, establishments=at), ["booking"], TENTH)
    assert sum(len(gap.establishment_ids) for gap in found) == lacking


def test_what_is_paid_where_nobody_is_in_service_is_pointed_out():
    gone = replace(establishment(2), active_until=TENTH, charged_until=date(2026, 4, 1))
    held = option("booking", at="e2")
    at = (establishment(1), gone)
    assert coverage.idle(contract(options=(held,), establishments=at), TENTH) == [held]
    ending = replace(held, ends_on=date(2026, 4, 1))
    assert coverage.idle(contract(options=(ending,), establishments=at), TENTH) == []


# ── Any life ─────────────────────────────────────────────────────────────────────────────────────────────────────

acts = st.tuples(st.integers(0, 40), st.sampled_from(["add", "remove", "remove and undo"]), st.integers(0, 9))


@settings(max_examples=60, deadline=None)
@given(
    often=st.sampled_from(["monthly", "annual"]),
    starts_on=st.dates(date(2027, 12, 1), date(2028, 2, 29)),
    places=st.integers(1, 6),
    acts=st.lists(acts, max_size=12),
)
def test_each_day_of_each_establishment_is_billed_once_at_its_rate(often, starts_on, places, acts):
    held = contract(
        tariff("pro", often),
        starts_on=starts_on,
        paid_until=starts_on,
        establishments=tuple(establishment(n, since=starts_on) for n in range(1, places + 1)),
    )
    life = Life(held, starts_on)
    for days, act, which in acts:
        life.go_to(life.today + timedelta(days=days))
        active = life.contract.establishments_active_on(life.today)
        if act == "add":
            life.number += 1
            life.confirm(life.change(f"n{life.number}"))
        elif len(active) > 1:
            gone = active[which % len(active)].id
            shown = life.confirm(life.change(removed=(gone,)))
            assert not shown.due_now.lines
            if act == "remove and undo":
                life.contract = removal_undone(life.contract, gone, life.today)
    last = life.today + timedelta(days=70)
    while life.today < last:
        announced, before = life.announced(), life.ledger.total
        life.go_to(life.contract.next_due_on())
        assert announced is not None
        assert life.ledger.total - before in (announced.net, euros("0.00"))
    _check_every_day(life, starts_on)


def _check_every_day(life: Life, starts_on: date) -> None:
    covered: dict[date, dict[str, list]] = {}
    for line in life.ledger.billed(life.today):
        assert 0 <= line.left.cents <= line.net.cents, "never more given back than billed"
        if line.key.item != "establishment":
            continue
        back = [each.service for each in line.corrections]
        for number in range(line.service.days):
            day = line.service.start + timedelta(days=number)
            if not any(day in each for each in back):
                covered.setdefault(day, {}).setdefault(line.key.ref, []).append(line.unit)
    for number in range((life.today - starts_on).days):
        day = starts_on + timedelta(days=number)
        charged = enumerate(life.contract.establishments_charged_on(day), start=1)
        units = {each.id: life.contract.tariff.establishment_price(place) for place, each in charged}
        assert covered.get(day, {}) == {each: [unit] for each, unit in units.items() if unit}
