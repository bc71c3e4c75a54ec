"""The forecast against the run: what was foreseen is what is issued, document by document and to the cent."""

from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.builders import CLAIRE, a_subscription, noon
from tests.domain.contracts import Ledger, contract, establishment, option, tariff
from webapp.domain.contract import ChangeKind, ScheduledChange
from webapp.domain.periods import boundary
from webapp.domain.proration import upcoming, with_draft
from webapp.domain.vat import STANDARD
from webapp.models.subscriptions import Establishment
from webapp.services import billing, contracts, forecasts, scheduling, subscriptions
from webapp.services.billing import next_step
from webapp.services.subscriptions import NewOption

TODAY = date(2026, 11, 16)


def facts(draft):
    return (
        draft.period,
        draft.net,
        draft.vat,
        draft.total,
        [(line.key, line.quantity, line.net) for line in draft.lines],
    )


def issued_facts(invoice):
    return (
        invoice.run_kind,
        invoice.run_on,
        invoice.net_cents,
        invoice.vat_cents,
        invoice.total_cents,
        [(line.item, line.ref, line.quantity, line.net_cents) for line in invoice.lines],
    )


def foreseen_facts(each):
    return (
        each.kind,
        each.on,
        each.draft.net.cents,
        each.draft.vat.cents,
        each.draft.total.cents,
        [(line.key.item, line.key.ref, line.quantity, line.net.cents) for line in each.draft.lines],
    )


@pytest.mark.parametrize(("plan", "often"), [("pro", "monthly"), ("pro", "annual"), ("premium", "monthly")])
@pytest.mark.parametrize("starts_on", [date(2026, 3, 1), date(2026, 1, 31)])
def test_what_is_foreseen_is_what_the_run_issues(session, plan, often, starts_on):
    signed = a_subscription(
        session,
        plan,
        often,
        starts_on,
        establishments=3,
        options=[NewOption("emails", 4)],
        billed_through=TODAY,
    )
    situation = contracts.load(session, signed.id)
    other = "premium" if plan == "pro" else "pro"
    switch = boundary(situation.contract.signature.billed_until, 0 if often == "annual" else 3)
    scheduling.schedule(
        session,
        signed.subscription,
        ChangeKind.PLAN,
        switch,
        {"plan_price_id": _price(session, other, often)},
        CLAIRE,
        noon(TODAY),
    )
    situation = contracts.load(session, signed.id)
    foreseen = forecasts.forecast(session, situation, TODAY, "fr")
    assert foreseen.documents[0].draft == subscriptions.next_invoice(session, situation, TODAY)
    assert len(foreseen.documents) == (12 if often == "monthly" else 1)
    issued = []
    for each in foreseen.documents:
        issued += billing.bill_due(session, signed.id, each.on, noon(each.on))
    issued += billing.bill_due(session, signed.id, foreseen.until, noon(foreseen.until))
    assert [issued_facts(invoice) for invoice in issued] == [
        foreseen_facts(each) for each in foreseen.documents
    ]
    changed = [each for each in foreseen.documents if each.why and each.why.differences]
    assert [each.on for each in changed] == [switch] and changed[0].why.differences[0].kind == "plan"


def _price(session, plan, often):
    from tests.builders import a_price

    return a_price(session, plan, often)


def test_periods_due_and_not_billed_come_first(session):
    signed = a_subscription(session, starts_on=date(2026, 9, 1), billed_through=date(2026, 9, 30))
    foreseen = forecasts.forecast(session, contracts.load(session, signed.id), TODAY, "fr")
    assert [each.on for each in foreseen.documents[:3]] == [date(2026, month, 1) for month in (10, 11, 12)]


def test_what_was_billed_today_is_one_line_among_others_next_month(session):
    """Annual, an address charged from the next month, and a dearer plan taken today: only the address is to come."""
    signed = a_subscription(session, "essentiel", "annual", date(2026, 9, 1), 1, billed_through=TODAY)
    session.add(
        Establishment(
            subscription_id=signed.id,
            position=2,
            name="Deux",
            street="Rue Haute 2",
            postcode="1000",
            city="Bruxelles",
            active_from=TODAY,
            charged_from=date(2026, 12, 1),
        )
    )
    session.flush()
    preview = subscriptions.preview_plan(session, signed.id, "pro", "annual", TODAY)
    subscriptions.change_plan(
        session, signed.id, "pro", "annual", preview.fingerprint, TODAY, noon(TODAY), CLAIRE, "https://x.test"
    )
    situation = contracts.load(session, signed.id)
    foreseen = forecasts.forecast(session, situation, TODAY, "fr").documents[0]
    assert foreseen.draft == subscriptions.next_invoice(session, situation, TODAY)
    issued = billing.bill_due(session, signed.id, foreseen.on, noon(foreseen.on))
    assert [issued_facts(invoice) for invoice in issued] == [foreseen_facts(foreseen)]


CONTRACTS = {
    "plan": st.sampled_from(["essentiel", "pro", "premium"]),
    "often": st.sampled_from(["monthly", "annual"]),
    "starts_on": st.dates(date(2027, 11, 1), date(2028, 3, 31)),
    "addresses": st.integers(1, 4),
    "late": st.integers(0, 300),  # days after the start at which a further establishment arrives
    "emails": st.integers(0, 5),
    "ends_after": st.one_of(st.none(), st.integers(1, 14)),
}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(**CONTRACTS)
def test_any_contract_is_billed_as_it_was_foreseen(
    plan, often, starts_on, addresses, late, emails, ends_after
):
    """By the rules alone: each document announced before it is issued, and the sum the same at the end."""
    arrives = starts_on + timedelta(days=late)
    places = [establishment(n, since=starts_on) for n in range(1, addresses + 1)]
    places.append(establishment(9, since=arrives, charged_from=boundary(starts_on, 1 + late // 31)))
    changes = ()
    if ends_after is not None:
        changes = (
            ScheduledChange(
                1, ChangeKind.TERMINATION, boundary(starts_on, ends_after * (12 if often == "annual" else 1))
            ),
        )
    held = contract(
        tariff(plan, often),
        starts_on=starts_on,
        paid_until=starts_on,
        establishments=tuple(places),
        options=(option("emails", emails, since=starts_on),) if emails else (),
        changes=changes,
    )
    until = boundary(starts_on, 13)
    lines, foreseen, at = [], [], held
    while (step := next_step(at, lines, until, STANDARD)) is not None:
        at = step.contract
        if step.draft is not None and step.draft.lines:
            foreseen.append(step.draft)
            lines = with_draft(lines, step.draft)
    ledger, issued, at = Ledger(), [], held
    day = starts_on
    while day <= until:
        while (step := next_step(at, ledger.billed(day), day, STANDARD)) is not None:
            announced = upcoming(at, ledger.billed(date.min), STANDARD)
            at = step.contract
            if step.draft is not None and step.draft.lines:
                if step.kind != "termination":
                    assert announced is not None and facts(announced) == facts(step.draft)
                issued.append(ledger.issue(step.draft))
        day += timedelta(days=1)
    assert [facts(draft) for draft in issued] == [facts(draft) for draft in foreseen]
