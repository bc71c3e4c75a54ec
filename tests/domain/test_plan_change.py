"""When a change of plan takes effect and what it costs: the worked examples of the spec, to the cent."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.contracts import FREE, Ledger, contract, establishment, option, tariff
from webapp.domain.contract import ChangeKind, Contract, OptionKind, PlanTariff, ScheduledChange
from webapp.domain.money import Money, euros
from webapp.domain.plan_change import PlanChange, Reason, change_of_plan
from webapp.domain.pricing import period_draft
from webapp.domain.refusals import OptionsNotOffered, SamePlan, SubscriptionEnded, TerminationPending
from webapp.domain.vat import STANDARD

TODAY = date(2026, 11, 16)


def billed(signed: Contract) -> tuple[Contract, Ledger]:
    """The contract with its present period invoiced."""
    ledger = Ledger()
    start = signed.signature.paid_period.start
    unbilled = replace(signed, signature=replace(signed.signature, billed_until=start))
    draft = period_draft(unbilled, STANDARD)
    assert draft is not None
    ledger.issue(draft)
    return signed, ledger


def brasserie_du_parc() -> Contract:
    """The story of the mockups: Pro since 1 March 2026, the third address since 9 November."""
    return contract(
        tariff("pro"),
        starts_on=date(2026, 3, 1),
        paid_until=date(2026, 12, 1),
        options=(
            option("emails", 4),
            option("booking", at="e1"),
            option("booking", at="e2"),
            option("signage"),
        ),
        establishments=(
            establishment(1),
            establishment(2),
            establishment(3, since=date(2026, 11, 9), charged_from=date(2026, 12, 1)),
        ),
        changes=(ScheduledChange(7, ChangeKind.OPTION, date(2026, 12, 1), option_id=option("signage").id),),
    )


def change(to: PlanTariff, ledger: Ledger, held: Contract, today: date = TODAY) -> PlanChange:
    return change_of_plan(held, to, ledger.billed(today), today, STANDARD)


def confirmed(to: PlanTariff, ledger: Ledger, held: Contract, today: date = TODAY) -> Contract:
    """Confirm a change: what is due is issued, the signature of this morning is kept for the day."""
    worked = change(to, ledger, held, today)
    ledger.issue(worked.due_now, changed_on=today)
    return replace(worked.contract_after, day_start=(today, held.signature_before(today)))


def test_the_upgrade_of_the_mockups_costs_27_83():
    held, ledger = billed(brasserie_du_parc())
    upgrade = change(tariff("premium"), ledger, held)
    assert [(line.key.ref, line.net) for line in upgrade.due_now.lines] == [
        ("premium", euros("74.50")),
        ("pro", euros("-39.50")),
        ("e2", euros("-12.00")),
    ]
    assert (upgrade.due_now.net, upgrade.due_now.vat, upgrade.due_now.total) == (
        euros("23.00"),
        euros("4.83"),
        euros("27.83"),
    )
    assert upgrade.is_now and upgrade.timing.reason is Reason.DEARER
    assert upgrade.next_before.total == euros("202.07")
    assert upgrade.next_after.total == euros("228.69")


def test_an_upgrade_keeps_the_commitment_and_the_billing_day():
    held, ledger = billed(brasserie_du_parc())
    after = change(tariff("premium"), ledger, held).contract_after
    assert after.signature.commitment == held.signature.commitment
    assert after.signature.billed_until == date(2026, 12, 1)


def test_a_cheaper_plan_waits_for_the_end_of_the_commitment():
    held, ledger = billed(brasserie_du_parc())
    downgrade = change(tariff("essentiel"), ledger, held)
    assert (downgrade.timing.reason, downgrade.timing.effective_on) == (
        Reason.CHEAPER_COMMITTED,
        date(2027, 3, 1),
    )
    assert downgrade.due_now.lines == ()
    assert downgrade.contract_after.tariff.plan_code == "pro"
    later = downgrade.contract_after.on(date(2027, 3, 1))
    assert later.tariff.plan_code == "essentiel"
    assert later.signature.commitment.starts_on == date(2027, 3, 1)


def test_a_scheduled_plan_says_which_options_it_ends():
    held, ledger = billed(brasserie_du_parc())
    downgrade = change(tariff("essentiel"), ledger, held)
    assert {each.code for each in downgrade.options_ending} == {"booking"}
    later = downgrade.contract_after.on(date(2027, 3, 1))
    assert {each.code for each in later.options_on(date(2027, 3, 1))} == {"emails"}


def test_without_commitment_a_cheaper_plan_waits_for_the_end_of_the_paid_period():
    held, ledger = billed(contract(tariff("pro", terms=FREE), paid_until=date(2026, 12, 1)))
    downgrade = change(tariff("essentiel", terms=FREE), ledger, held)
    assert (downgrade.timing.reason, downgrade.timing.effective_on) == (Reason.CHEAPER, date(2026, 12, 1))


def test_monthly_to_annual_starts_the_year_today():
    held, ledger = billed(contract(tariff("pro"), paid_until=date(2026, 12, 1)))
    yearly = change(tariff("pro", "annual"), ledger, held)
    assert yearly.timing.reason is Reason.TO_ANNUAL
    assert [line.net for line in yearly.due_now.lines] == [euros("790.00"), euros("-39.50")]
    after = yearly.contract_after.signature
    assert (after.anchor_on, after.billed_until) == (TODAY, date(2027, 11, 16))
    assert after.commitment.starts_on == TODAY


def test_a_cheaper_plan_by_the_year_is_a_longer_commitment_and_starts_now():
    held, ledger = billed(contract(tariff("premium"), paid_until=date(2026, 12, 1)))
    assert change(tariff("essentiel", "annual"), ledger, held).timing.reason is Reason.TO_ANNUAL


def test_annual_to_monthly_waits_for_the_end_of_the_commitment():
    yearly = contract(tariff("pro", "annual"), starts_on=date(2026, 1, 15))
    held, ledger = billed(yearly)
    monthly = change(tariff("premium"), ledger, held)
    assert (monthly.timing.reason, monthly.timing.effective_on) == (Reason.TO_MONTHLY, date(2027, 1, 15))
    assert monthly.next_after.period.end == date(2027, 2, 15)


def test_an_option_that_the_new_plan_includes_is_given_back():
    held, ledger = billed(contract(tariff("pro"), paid_until=date(2026, 12, 1), options=(option("reviews"),)))
    upgrade = change(tariff("premium"), ledger, held)
    assert [each.code for each in upgrade.options_included] == ["reviews"]
    assert upgrade.due_now.lines[-1].net == euros("-9.50")


def test_coming_back_the_same_day_lands_on_zero():
    held, ledger = billed(brasserie_du_parc())
    before = ledger.total
    premium = confirmed(tariff("premium"), ledger, held)
    assert ledger.total == before + euros("23.00")
    back = confirmed(tariff("pro"), ledger, premium)
    assert ledger.total == before
    assert (back.tariff.plan_code, change(tariff("premium"), ledger, back).due_now.net) == (
        "pro",
        euros("23.00"),
    )


def test_a_second_upgrade_the_same_day_shows_only_the_difference():
    held, ledger = billed(contract(tariff("essentiel"), paid_until=date(2026, 12, 1)))
    pro = confirmed(tariff("pro"), ledger, held)
    second = change(tariff("premium"), ledger, pro)
    assert {line.key.ref for line in second.due_now.lines} == {"premium", "pro"}
    assert second.due_now.net == euros("35.00")


def test_a_cheaper_plan_after_an_upgrade_of_the_same_day_undoes_it_and_waits():
    held, ledger = billed(contract(tariff("pro"), paid_until=date(2026, 12, 1)))
    before = ledger.total
    premium = confirmed(tariff("premium"), ledger, held)
    essentiel = change(tariff("essentiel"), ledger, premium)
    assert essentiel.timing.effective_on == date(2027, 3, 1)
    assert essentiel.contract_after.tariff.plan_code == "pro"
    ledger.issue(essentiel.due_now, changed_on=TODAY)
    assert ledger.total == before


def test_going_annual_and_back_the_same_day_lands_on_zero():
    held, ledger = billed(brasserie_du_parc())
    before = ledger.total
    yearly = confirmed(tariff("pro", "annual"), ledger, held)
    monthly = confirmed(tariff("pro"), ledger, yearly)
    assert ledger.total == before
    assert monthly.signature == held.signature


def test_a_new_choice_replaces_the_scheduled_one():
    held, ledger = billed(brasserie_du_parc())
    scheduled = change(tariff("essentiel"), ledger, held).contract_after
    upgrade = change(tariff("premium"), ledger, scheduled)
    assert upgrade.contract_after.plan_switch() is None
    assert upgrade.due_now.net == euros("23.00")


@pytest.mark.parametrize("held_change", [{}, {"ended_on": date(2026, 11, 1)}])
def test_what_stands_in_the_way_is_said(held_change):
    held, ledger = billed(brasserie_du_parc())
    if held_change:
        with pytest.raises(SubscriptionEnded):
            change(tariff("premium"), ledger, replace(held, **held_change))
    else:
        with pytest.raises(SamePlan):
            change(tariff("pro"), ledger, held)


def test_a_pending_termination_must_be_withdrawn_first():
    held, ledger = billed(brasserie_du_parc())
    leaving = replace(held, changes=(ScheduledChange(1, ChangeKind.TERMINATION, date(2027, 3, 1)),))
    with pytest.raises(TerminationPending):
        change(tariff("premium"), ledger, leaving)


def test_an_option_that_a_dearer_plan_does_not_sell_must_be_removed_first():
    studio = option("signage", offered_by=frozenset({"pro"}))
    held, ledger = billed(contract(tariff("pro"), paid_until=date(2026, 12, 1), options=(studio,)))
    with pytest.raises(OptionsNotOffered) as refused:
        change(tariff("premium"), ledger, held)
    assert refused.value.option_codes == ("signage",)


PLANS = st.sampled_from(["essentiel", "pro", "premium"])
FREQUENCIES = st.sampled_from(["monthly", "annual"])


@given(
    anchor=st.dates(date(2024, 1, 1), date(2026, 12, 31)),
    start=PLANS,
    often=FREQUENCIES,
    choices=st.lists(st.tuples(PLANS, FREQUENCIES, st.integers(0, 40)), max_size=6),
    boxes=st.integers(0, 9),
    addresses=st.integers(1, 8),
)
def test_whatever_the_choices_nothing_is_billed_twice_nor_given_back_twice(
    anchor, start, often, choices, boxes, addresses
):
    """Any chain of changes, several on some days: every line keeps between nothing and its whole amount, and what
    covers each day from today is exactly what the contract asks for."""
    held, ledger = billed(
        contract(
            tariff(start, often),
            starts_on=anchor,
            options=(option("emails", boxes, since=anchor),) if boxes else (),
            establishments=tuple(establishment(n, since=anchor) for n in range(1, addresses + 1)),
        )
    )
    today = anchor
    for code, frequency, days in choices:
        later = date.fromordinal(today.toordinal() + days)
        if later >= held.signature.billed_until:
            break
        today = later
        try:
            held = confirmed(tariff(code, frequency), ledger, held, today)
        except SamePlan:
            continue
        for line in ledger.billed(today):
            assert 0 <= line.left.cents <= line.net.cents
        again = change_of_plan_settles(held, ledger, today)
        assert again == Money(0)


def change_of_plan_settles(held: Contract, ledger: Ledger, today: date) -> Money:
    from webapp.domain.proration import settlement

    return settlement(held, ledger.billed(today), today, STANDARD).net


def test_kinds_of_options_are_those_of_the_spec():
    assert {kind.value for kind in OptionKind} == {
        "one_off",
        "recurring",
        "per_unit",
        "per_establishment",
        "on_quotation",
    }
