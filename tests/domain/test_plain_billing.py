"""The run's whole numbers say what the rules say: same lines, same cents, same next day, or nothing at all."""

from dataclasses import replace
from datetime import date, timedelta

from hypothesis import assume, event, example, given, settings
from hypothesis import strategies as st

from tests.domain.contracts import FREE, YEAR, contract, establishment, option, tariff
from webapp.domain.contract import ChangeKind, Contract, HeldOption, PlanTariff, ScheduledChange
from webapp.domain.money import Money
from webapp.domain.periods import boundary
from webapp.domain.plain_billing import (
    PlainContract,
    PlainPeriod,
    PlainTariff,
    establishment_cents,
    plain_period,
    vat_of,
)
from webapp.domain.pricing import period_draft
from webapp.domain.terms import Renewal
from webapp.domain.vat import FRANCHISE, REVERSE_CHARGE, STANDARD, VatRate, vat_groups
from webapp.services.billing import next_step

START = date(2026, 1, 31)
DAYS = st.integers(-40, 440).map(lambda days: START + timedelta(days=days))
SOMETIMES = st.none() | st.none() | DAYS


def plain_tariff(held: PlanTariff) -> PlainTariff:
    return PlainTariff(
        held.plan_code,
        held.frequency.months,
        held.price.cents,
        held.included_establishments,
        tuple((tier.from_unit, tier.unit.cents) for tier in held.tiers),
    )


def cents_of(held: HeldOption, plan: PlanTariff) -> int | None:
    try:
        return held.unit_under(plan).cents
    except KeyError:
        return None


def plain(held: Contract, rate: VatRate, on: date) -> PlainPeriod | None:
    """A contract as the rows hold it."""
    signature = held.signature
    terms = signature.commitment.terms
    return plain_period(
        PlainContract(
            plain_tariff(held.tariff),
            signature.anchor_on,
            signature.billed_until,
            signature.settled_on,
            terms.renewal is Renewal.ENDS and terms.commitment_months > 0,
            min((change.effective_on for change in held.changes), default=None),
        ),
        [(each.id, each.charged_from, each.charged_until) for each in held.establishments],
        [
            (
                each.code,
                each.establishment_id,
                cents_of(each, held.tariff),
                each.quantity,
                each.starts_on,
                each.ends_on,
            )
            for each in held.options
            if each.is_recurring
        ],
        rate,
        on,
    )


@st.composite
def establishments(draw: st.DrawFn, number: int):
    since = draw(st.just(START) | st.just(START) | DAYS)
    until = draw(SOMETIMES)
    more = {} if until is None else {"charged_until": max(until, since), "active_until": max(until, since)}
    return establishment(number, since=since, **more)


@st.composite
def options(draw: st.DrawFn, number: int):
    code = draw(st.sampled_from(["emails", "booking", "signage", "reviews"]))
    since = draw(st.just(START) | st.just(START) | DAYS)
    until = draw(SOMETIMES)
    more: dict[str, object] = {} if until is None else {"ends_on": max(until, since)}
    if draw(st.booleans()):
        more["units"] = dict.fromkeys(option(code).units, Money(draw(st.integers(0, 99_999))))
    at = f"e{draw(st.integers(1, 3))}" if code == "booking" else None
    return option(code, draw(st.integers(1, 20)), since, at, id=number, **more)


@st.composite
def contracts(draw: st.DrawFn) -> Contract:
    terms = draw(st.sampled_from([YEAR, FREE, replace(YEAR, renewal=Renewal.ENDS)]))
    price = Money(draw(st.integers(0, 99_999)))
    plan = tariff(
        draw(st.sampled_from(["essentiel", "pro", "premium"])),
        draw(st.sampled_from(["monthly", "annual"])),
        terms,
        price,
    )
    paid_until = boundary(START, draw(st.integers(0, 3)) * plan.frequency.months)
    held = tuple(draw(options(number)) for number in range(1, draw(st.integers(0, 3)) + 1))
    changes = ()
    if draw(st.integers(0, 3)) == 0:
        kind = draw(st.sampled_from([ChangeKind.TERMINATION, ChangeKind.PLAN, ChangeKind.OPTION]))
        assume(kind is not ChangeKind.OPTION or held)
        changes = (
            ScheduledChange(
                1,
                kind,
                max(paid_until - timedelta(days=20), draw(DAYS)),
                tariff("premium", plan.frequency) if kind is ChangeKind.PLAN else None,
                held[0].id if kind is ChangeKind.OPTION else None,
            ),
        )
    made = contract(
        plan,
        starts_on=START,
        paid_until=paid_until,
        options=held,
        establishments=tuple(
            draw(establishments(number)) for number in range(1, draw(st.integers(1, 8)) + 1)
        ),
        changes=changes,
    )
    settled_on = max(START, boundary(paid_until, -draw(st.integers(0, plan.frequency.months))))
    return replace(made, signature=replace(made.signature, settled_on=settled_on))


@settings(max_examples=300, deadline=None)
@given(
    held=contracts(),
    rate=st.sampled_from([STANDARD, REVERSE_CHARGE, FRANCHISE, VatRate("S", "5.5")]),
    late=st.integers(-3, 40),
)
@example(held=contract(starts_on=START), rate=STANDARD, late=0)
def test_whole_numbers_say_what_the_rules_say(held: Contract, rate: VatRate, late: int) -> None:
    on = held.signature.billed_until + timedelta(days=late)
    found = plain(held, rate, on)
    event("left to the rules" if found is None else "plain")
    if found is None:
        return
    draft = period_draft(held, rate)
    assert draft is not None
    assert [(*line, line.unit_cents * line.quantity, found.start, found.end) for line in found.lines] == [
        (
            line.key.item, line.key.ref, line.key.establishment_id, line.unit.cents, line.quantity, line.net.cents,
            line.service.start, line.service.end,
        )
        for line in draft.lines
    ]  # fmt: skip
    assert all(line.is_whole and line.vat == rate for line in draft.lines)
    assert (found.net_cents, found.vat_cents) == (draft.net.cents, draft.vat.cents)
    step = next_step(held, [], on, rate)
    assert step is not None
    assert (step.kind, step.draft) == ("period", draft)
    assert step.contract.signature.billed_until == found.end
    assert step.contract.signature.settled_on == found.start
    assert step.contract.changes == held.changes, "nothing was waiting to be applied"
    assert step.contract.next_due_on() == found.due_on
    assert next_step(step.contract, [], on, rate) is None, "one period was due, and no more"


def test_an_ordinary_month_is_plain() -> None:
    held = contract(
        options=(option("emails", 4), option("booking", at="e1")),
        establishments=(establishment(1), establishment(2), establishment(3)),
    )
    found = plain(held, STANDARD, date(2026, 4, 1))
    assert found is not None
    assert [(line.ref, line.unit_cents, line.quantity) for line in found.lines] == [
        ("pro", 7900, 1), ("e2", 2400, 1), ("e3", 2400, 1), ("emails", 250, 4), ("booking", 1500, 1),
    ]  # fmt: skip
    assert (found.net_cents, found.vat_cents) == (15_200, 3192)
    assert found.due_on == date(2026, 5, 1)


def test_an_establishment_to_come_inside_a_paid_year_is_the_next_thing_due() -> None:
    held = contract(
        tariff("pro", "annual"),
        establishments=(establishment(1), establishment(2, charged_from=date(2027, 6, 1))),
    )
    found = plain(held, STANDARD, date(2027, 3, 1))
    assert found is not None
    assert (found.end, found.due_on) == (date(2028, 3, 1), date(2027, 6, 1))


@given(number=st.integers(1, 40), plan=st.sampled_from(["essentiel", "pro", "premium"]))
def test_establishments_cost_the_same_by_position(number: int, plan: str) -> None:
    held = tariff(plan)
    assert establishment_cents(plain_tariff(held), number) == held.establishment_price(number).cents


@given(net=st.integers(0, 10**9), percent=st.sampled_from(["21", "12", "6", "5.5", "0"]))
def test_vat_is_rounded_once_the_same_way(net: int, percent: str) -> None:
    rate = VatRate("S", percent)
    assert vat_of(net, percent) == vat_groups([(rate, Money(net))])[0].vat.cents
