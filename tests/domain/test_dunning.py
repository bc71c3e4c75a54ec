"""Reminders by a ladder that is data, and what lateness may cost: no app, no database (D4, D5)."""

from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from webapp.adapters.bank_days import is_bank_day
from webapp.domain.dunning import Debt, Thresholds, suspension_day, to_restore, unpaid
from webapp.domain.dunning_ladder import Climb, Policy, Step, due_step, is_weekday, next_on, policy_from
from webapp.domain.late_costs import Costs, Late, Rate, Slice, claim, costs_may_begin_on, interest, lump_sum
from webapp.domain.money import Money

LADDER = (Step(3, "first"), Step(10, "second", 3), Step(21, "last", 5))
DUE = date(2026, 11, 15)
# Art. XIX.4: 20 EUR up to 150; 30 EUR and 10 % of the slice up to 500; then 65 EUR and 5 %, 2 000 EUR at most.
CAPS = (Slice(150_00, 20_00), Slice(500_00, 30_00, Fraction(10)), Slice(None, 65_00, Fraction(5)))
CONSUMER = Costs(
    charges_compensation=True,
    charges_interest=True,
    caps=CAPS,
    cap_most_cents=2000_00,
    free_first=True,
    free_days=14,
)
BUSINESS = Costs(charges_compensation=True, charges_interest=True, compensation_cents=40_00)
RATES = (Rate(date(2026, 1, 1), Fraction("10.5")), Rate(date(2026, 7, 1), Fraction("10.15")))


def lived(days, pays_on=frozenset(), held=frozenset(), ladder=LADDER):
    """What a daily command, run on `days` (counted from the due date), sends: [(round, position, day)]."""
    sent, round_, anchor, this_round, last = [], 1, DUE, (), None
    for number in range(max(days, default=0) + 1):
        today = DUE + timedelta(days=number)
        if number in pays_on:
            round_, anchor, this_round = round_ + 1, today, ()
        if number not in days or number in held:
            continue
        for _twice in range(2):
            position = due_step(ladder, Climb(anchor, this_round, last), today, is_weekday)
            if position is not None:
                sent.append((round_, position, today))
                this_round, last = (*this_round, today), today
    return sent


@given(
    days=st.sets(st.integers(0, 90), max_size=60),
    pays_on=st.sets(st.integers(0, 90), max_size=4),
    held=st.sets(st.integers(0, 90), max_size=30),
)
@example(days=set(range(60)), pays_on=set(), held=set())
@example(days={60, 61, 62}, pays_on={61}, held=set())
def test_no_step_is_skipped_or_sent_twice_and_never_two_on_a_day(days, pays_on, held):
    sent = lived(days, pays_on, held)
    assert len({day for _round, _position, day in sent}) == len(sent)
    for round_ in {each[0] for each in sent}:
        positions = [position for number, position, _day in sent if number == round_]
        assert positions == list(range(1, len(positions) + 1))
        for before, after in zip(
            [s for s in sent if s[0] == round_], [s for s in sent if s[0] == round_][1:], strict=False
        ):
            gap = LADDER[after[1] - 1].after_days - LADDER[before[1] - 1].after_days
            assert (after[2] - before[2]).days >= gap
    assert all(day >= DUE + timedelta(days=LADDER[0].after_days) for _r, _p, day in sent)


def test_a_daily_command_sends_each_step_on_its_day():
    days = [(position, (day - DUE).days) for _round, position, day in lived(set(range(60)))]
    assert days == [(1, 3), (2, 10), (3, 21)]


def test_a_command_that_runs_late_sends_the_next_step_only_and_gives_the_days_between():
    assert [(position, (day - DUE).days) for _r, position, day in lived(set(range(40, 80)))] == [
        (1, 40),
        (2, 47),
        (3, 58),
    ]


def test_working_days_are_waited_for_over_weekends_and_bank_holidays():
    # Sent on Wednesday 23 December 2026; the next step is due the day after, but waits two days of open banks.
    ladder = (Step(1, "first"), Step(2, "second", 2))
    climb = Climb(date(2026, 12, 22), (date(2026, 12, 23),), date(2026, 12, 23))
    assert next_on(ladder, climb, is_bank_day) == date(2026, 12, 28)


@pytest.mark.parametrize("days", [(0,), (3, 3), (10, 3)])
def test_a_ladder_whose_days_do_not_grow_is_none(days):
    with pytest.raises(ValueError, match="days of a ladder"):
        policy_from({"steps": [{"after_days": day, "template": "first"} for day in days]})


def test_a_ladder_is_read_from_its_data():
    assert policy_from({}) == Policy()
    read = policy_from({"suspend_at": 4, "steps": [{"after_days": 3, "template": "first", "may_cost": True}]})
    assert (read.thresholds, read.steps) == (Thresholds(4, 3, 5), (Step(3, "first", 0, True),))
    assert read.costs.is_off


# ── What counts ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_contested_or_an_announced_invoice_does_not_count():
    today = date(2026, 11, 10)
    late = Debt("F1", date(2026, 11, 1), Money(100))
    contested = Debt("F2", date(2026, 11, 1), Money(100), is_disputed=True)
    announced = Debt("F3", date(2026, 11, 1), Money(100), announced_until=today)
    assert [debt.number for debt in unpaid([contested, announced, late], today)] == ["F1"]
    assert len(unpaid([announced], today + timedelta(days=1))) == 1


@given(st.lists(st.integers(0, 60), min_size=0, max_size=6), st.integers(0, 70))
def test_the_day_announced_is_the_first_on_which_enough_invoices_count(due, now):
    debts = [Debt(f"F{n}", DUE + timedelta(days=day), Money(100)) for n, day in enumerate(due)]
    today = DUE + timedelta(days=now)
    day = suspension_day(debts, today, Thresholds())
    if day is None:
        assert len(debts) < 3
        return
    assert len(unpaid(debts, day)) >= 3
    assert day == today or len(unpaid(debts, day - timedelta(days=1))) < 3


@given(st.integers(1, 8), st.integers(1, 4))
def test_paying_what_is_said_restores_and_one_invoice_less_does_not(count, below):
    thresholds = Thresholds(suspend_at=max(below, 3), restore_below=below)
    debts = [Debt(f"F{n}", DUE + timedelta(days=n), Money(100)) for n in range(count)]
    today = DUE + timedelta(days=30)
    paid = to_restore(debts, today, thresholds)
    assert len(debts) - len(paid) < below or not debts
    if paid:
        assert len(debts) - len(paid) + 1 >= below


# ── What lateness may cost (docs/dunning.md has these figures) ───────────────────────────────────────────────────


def test_interest_between_businesses_follows_the_rate_of_each_half_year():
    """Law of 2 August 2002, art. 5: 167.00 EUR due on 15 June 2026, paid on 15 July, at 10.5 % then 10.15 %:
    15 days of each: 167.00 x (15 x 10.5 + 15 x 10.15) / 36 500 = 1.417 EUR."""
    assert interest(Money(167_00), date(2026, 6, 15), date(2026, 7, 15), RATES) == Money(1_42)


def test_no_interest_runs_on_the_due_date_or_before_the_first_rate():
    assert interest(Money(100_000_00), DUE, DUE, RATES) == Money(0)
    assert interest(Money(100_000_00), date(2025, 1, 1), date(2025, 12, 31), RATES) == Money(0)


@given(st.integers(1, 10_000_000), st.integers(0, 400), st.integers(0, 400))
def test_interest_never_shrinks_with_time(cents, fewer, more):
    since = date(2026, 3, 1)
    first = interest(Money(cents), since, since + timedelta(days=min(fewer, more)), RATES)
    assert first <= interest(Money(cents), since, since + timedelta(days=max(fewer, more)), RATES)


def test_between_businesses_each_late_invoice_bears_forty_euros():
    """Law of 2 August 2002, art. 6."""
    late = [Late(Money(100_00), date(2026, 10, 15)), Late(Money(100_00), date(2026, 11, 15))]
    claimed = claim(BUSINESS, late, date(2026, 11, 16), RATES, first_reminder_on=None, sent_this_year=0)
    assert claimed is not None
    # 32 days and 1 day of 10.15 % on 100.00
    assert (claimed.compensation, claimed.interest) == (Money(80_00), Money(89 + 3))


@pytest.mark.parametrize(
    ("balance", "most"),
    [(1, 20_00), (150_00, 20_00), (150_01, 30_00), (300_00, 45_00), (500_00, 65_00), (1000_00, 90_00),
     (40_000_00, 2000_00)],
)  # fmt: skip
def test_a_consumers_lump_sum_is_capped_by_the_balance(balance, most):
    """Code of economic law, art. XIX.4."""
    assert lump_sum(Money(balance), CAPS, 2000_00) == Money(most)


def test_a_consumer_is_asked_nothing_for_fourteen_days_after_a_free_reminder():
    """Art. XIX.2: an e-mail of 2 November leaves 3 to 16 November; costs may be asked from the 17th, and interest runs
    from then: one day of 10.15 % on 200.00 is 0.06 EUR."""
    late, sent_on = [Late(Money(200_00), date(2026, 10, 15))], date(2026, 11, 2)
    assert costs_may_begin_on(sent_on, 14) == date(2026, 11, 17)

    def asked(today, first=sent_on, sent=3):
        return claim(CONSUMER, late, today, RATES, first_reminder_on=first, sent_this_year=sent)

    assert asked(date(2026, 11, 16)) is None
    assert asked(date(2026, 12, 1), first=None) is None
    claimed = asked(date(2026, 11, 17))
    assert claimed is not None and (claimed.compensation, claimed.interest) == (Money(35_00), Money(6))


def test_three_reminders_a_year_are_free_where_invoices_recur():
    costs = Costs(
        charges_compensation=True, caps=CAPS, free_first=True, free_days=14, free_reminders_per_year=3
    )
    late = [Late(Money(100_00), date(2026, 9, 1))]
    for sent, is_free in ((0, True), (2, True), (3, False)):
        claimed = claim(
            costs, late, date(2026, 11, 1), RATES, first_reminder_on=date(2026, 10, 1), sent_this_year=sent
        )
        assert (claimed is None) == is_free


def test_costs_are_off_unless_a_policy_asks_for_them():
    late = [Late(Money(100_00), date(2026, 9, 1))]
    off = Costs(compensation_cents=40_00, caps=CAPS)
    assert claim(off, late, DUE, RATES, first_reminder_on=None, sent_this_year=9) is None
