"""Moving subscribers to another version: the day, the price, the right to leave, and who stays."""

from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.contracts import FREE, YEAR, contract, establishment, option, tariff
from webapp.domain.contract import ChangeKind, ScheduledChange, Tier
from webapp.domain.discounts import Discount
from webapp.domain.migration import Move, Plan, Stay, Staying, Waits, as_change, monthly_totals, move
from webapp.domain.money import Money, euros
from webapp.domain.periods import boundary_on_or_after
from webapp.domain.plan_change import change_of_plan
from webapp.domain.refusals import SamePlan
from webapp.domain.termination import EndReason, ending
from webapp.domain.terms import Notice, NoticeUnit, Renewal, Terms
from webapp.domain.vat import STANDARD

TOLD = date(2026, 11, 16)
ASKED = Plan(TOLD, wished_on=date(2027, 1, 1), notice_days=30)
ONCE = Terms(12, Notice(2, NoticeUnit.MONTHS), Renewal.ENDS)


def to(price="85.00", frequency="monthly", code="pro", **more):
    """The version that follows: another price id, another price."""
    return replace(tariff(code, frequency, price=euros(price)), price_id=900, **more)


def paid(terms=FREE, frequency="monthly", until=date(2026, 12, 1), **more):
    return contract(tariff("pro", frequency, terms), paid_until=until, **more)


# ── On which day ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("terms", "asked", "price", "on", "waits"),
    [
        # Without commitment: the first billing day on or after the wished one…
        (FREE, ASKED, "85.00", date(2027, 1, 1), Waits.WISH),
        (FREE, Plan(TOLD, date(2027, 1, 2)), "85.00", date(2027, 2, 1), Waits.WISH),
        # …and a rise leaves the time to be told, a better price does not need it.
        (FREE, Plan(TOLD, date(2026, 11, 20), 60), "85.00", date(2027, 2, 1), Waits.NOTICE),
        (FREE, Plan(TOLD, date(2026, 11, 20), 60), "75.00", date(2026, 12, 1), Waits.WISH),
        # Signed for a year on 1 March 2026: a rise waits for the end, a better price does not.
        (YEAR, ASKED, "85.00", date(2027, 3, 1), Waits.COMMITMENT),
        (YEAR, ASKED, "75.00", date(2027, 1, 1), Waits.WISH),
        (YEAR, Plan(TOLD, date(2027, 3, 15)), "85.00", date(2028, 3, 1), Waits.COMMITMENT),
    ],
)
def test_the_day_is_never_before_what_was_wished_told_or_committed(terms, asked, price, on, waits):
    moved = move(paid(terms), to(price), asked)
    assert isinstance(moved, Move)
    assert (moved.effective_on, moved.waits) == (on, waits)


def test_a_paid_year_is_never_cut():
    moved = move(paid(FREE, "annual", until=date(2027, 3, 1)), to("850.00", "annual"), ASKED)
    assert isinstance(moved, Move)
    assert moved.effective_on == date(2027, 3, 1)
    assert (moved.before, moved.after) == (euros("790.00"), euros("850.00"))
    assert moved.difference == Fraction(6000, 12)


# ── At which price ───────────────────────────────────────────────────────────────────────────────────────────────


def test_the_price_before_and_after_is_all_that_recurs_that_day_discounts_off():
    held = paid(
        options=(option("signage"),),
        establishments=(establishment(1), establishment(2)),
        discounts=(Discount(1, date(2026, 3, 1), None, share=Fraction(1, 10)),),
    )
    moved = move(held, to("85.00"), ASKED)
    assert isinstance(moved, Move)
    # 79 + 24 + 12 and 85 + 24 + 12, ten per cent off
    assert (moved.before, moved.after) == (euros("103.50"), euros("108.90"))


def test_the_terms_signed_stay():
    later = move(paid(YEAR), to(terms=Terms(24, Notice(6, NoticeUnit.MONTHS), Renewal.SAME_TERM)), ASKED)
    assert isinstance(later, Move)
    changed = replace(paid(YEAR), changes=(as_change(later),)).on(later.effective_on)
    assert changed.tariff.price_id == 900
    assert changed.signature.commitment == paid(YEAR).signature.commitment


# ── Who may leave ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("target", "takes_away", "may_leave"),
    [
        (to("85.00"), False, True),
        (to("79.00"), False, False),
        (to("70.00"), False, False),
        (to("70.00"), True, True),
        # A second address would cost more, although there is none today.
        (to("79.00", tiers=(Tier(2, euros("30.00")),)), False, True),
    ],
)
def test_who_loses_something_may_leave_until_the_eve(target, takes_away, may_leave):
    moved = move(paid(), target, ASKED, takes_away=takes_away)
    assert isinstance(moved, Move)
    assert moved.leave_until == (moved.effective_on - timedelta(days=1) if may_leave else None)


def moving(held, price="85.00"):
    moved = move(held, to(price), ASKED)
    assert isinstance(moved, Move)
    return replace(held, changes=(as_change(moved),)), moved


def test_leaving_in_the_window_ends_on_the_day_of_the_change_without_notice():
    held, moved = moving(paid(YEAR))  # the last day to give notice for 1 March 2027 is 1 January
    found = ending(held, date(2027, 2, 28))
    assert (found.ends_on, found.reason) == (date(2027, 3, 1), EndReason.CHANGE_REFUSED)
    assert (found.last_notice_day, found.notice.count) == (moved.leave_until, 0)
    assert found.if_later == date(2028, 3, 1)
    assert ending(paid(YEAR), date(2027, 2, 28)).ends_on == date(2028, 3, 1)


def test_an_ordinary_end_that_comes_sooner_is_kept_and_a_better_price_opens_no_right():
    held, _moved = moving(paid())  # thirty days of notice end on the day of the change
    assert ending(held, TOLD).ends_on == date(2027, 1, 1)
    assert ending(held, date(2026, 12, 31)).reason is EndReason.CHANGE_REFUSED
    cheaper, _moved = moving(paid(YEAR), "70.00")
    assert ending(cheaper, date(2026, 12, 15)).reason is EndReason.IN_TIME


def test_the_client_does_not_undo_it_by_choosing_the_same_plan():
    held, _moved = moving(paid())
    with pytest.raises(SamePlan):
        change_of_plan(held, held.tariff, [], TOLD, STANDARD)


# ── Who stays ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("held", "target", "more", "stay"),
    [
        (paid(ended_on=date(2026, 11, 1)), to(), {}, Stay(Staying.ENDED, date(2026, 11, 1))),
        (paid(), to(), {"has_reseller": True}, Stay(Staying.RESELLER)),
        (
            paid(changes=(ScheduledChange(1, ChangeKind.TERMINATION, date(2027, 2, 1)),)),
            to(),
            {},
            Stay(Staying.TERMINATION, date(2027, 2, 1)),
        ),
        (
            paid(changes=(ScheduledChange(1, ChangeKind.PLAN, date(2026, 12, 1), tariff("essentiel")),)),
            to(),
            {},
            Stay(Staying.OWN_CHANGE, date(2026, 12, 1)),
        ),
        (moving(paid())[0], to(), {}, Stay(Staying.MIGRATION, date(2027, 1, 1))),
        (paid(), None, {}, Stay(Staying.NO_PRICE)),
        (paid(), tariff("pro", terms=FREE), {}, Stay(Staying.NOTHING)),
        (paid(ONCE), to(), {}, Stay(Staying.ENDS_FIRST, date(2027, 3, 1))),
        (
            paid(discounts=(Discount(1, date(2026, 3, 1), date(2027, 6, 1), monthly=Money(900), item="plan"),)),
            to(),
            {},
            Stay(Staying.SPECIAL_PRICE, date(2027, 6, 1)),
        ),
        (paid(options=(option("booking", at="e1"),)), to(code="essentiel"), {}, Stay(Staying.OPTIONS)),
    ],
)  # fmt: skip
def test_who_stays_and_why(held, target, more, stay):
    assert move(held, target, ASKED, **more) == stay


def test_a_contract_that_is_not_renewed_still_ends_on_its_day():
    cheaper = move(paid(ONCE), to("70.00"), ASKED)
    assert isinstance(cheaper, Move)
    changed = replace(paid(ONCE), changes=(as_change(cheaper),))
    assert changed.ends_by_itself_on() == date(2027, 3, 1)


# ── Whatever the contract ────────────────────────────────────────────────────────────────────────────────────────


@st.composite
def holders(draw):
    starts_on = draw(st.dates(date(2024, 1, 1), date(2026, 11, 15)))
    frequency = draw(st.sampled_from(["monthly", "annual"]))
    terms = draw(st.sampled_from([FREE, YEAR, Terms(12, Notice(1, NoticeUnit.MONTHS), Renewal.MONTHLY)]))
    held = contract(tariff("pro", frequency, terms), starts_on=starts_on)
    return replace(
        held,
        signature=replace(
            held.signature,
            billed_until=boundary_on_or_after(starts_on, TOLD + timedelta(days=1), held.frequency.months),
        ),
        establishments=tuple(
            establishment(n, since=starts_on) for n in range(1, draw(st.integers(1, 4)) + 1)
        ),
    )


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(holders(), st.integers(-30, 30)), min_size=1, max_size=4),
    st.dates(date(2026, 11, 1), date(2027, 6, 1)),
    st.integers(30, 120),
)
def test_nobody_moves_before_their_day_and_the_differences_make_the_total(held, wished_on, notice_days):
    asked = Plan(TOLD, wished_on, notice_days)
    moves = []
    for each, cents in held:
        target = replace(each.tariff, price_id=900, price=each.tariff.price + Money(cents))
        moved = move(each, target, asked)
        assert isinstance(moved, Move)
        moves.append(moved)
        signature = each.signature
        assert moved.effective_on >= max(wished_on, TOLD, signature.billed_until)
        months = each.frequency.months
        assert boundary_on_or_after(signature.anchor_on, moved.effective_on, months) == moved.effective_on
        assert moved.difference == Fraction(cents, months)
        assert (moved.leave_until is not None) == (cents > 0)
        if cents > 0:
            assert moved.effective_on >= TOLD + timedelta(days=notice_days)
            term = signature.commitment.term_on(TOLD)
            if term is not None:
                assert moved.effective_on >= term.end
            changed = replace(each, changes=(as_change(moved),))
            left = ending(changed, moved.leave_until)
            assert left.ends_on <= moved.effective_on
    before, after = monthly_totals(moves)
    assert after - before == sum((each.difference for each in moves), Fraction(0))


@settings(max_examples=30, deadline=None)
@given(holders())
def test_who_has_it_already_is_left_alone(held):
    assert move(held, held.tariff, ASKED) == Stay(Staying.NOTHING)
