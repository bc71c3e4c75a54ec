"""Reminders, suspension and restoration on real rows (D4, D5, M9)."""

from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from tests import builders
from tests.builders import noon
from webapp.adapters.yaml_file import BrokenFile
from webapp.models.accounts import Account
from webapp.models.dunning import (
    DunningCase,
    DunningHold,
    DunningPolicy,
    DunningStep,
    RestorationPass,
    Suspension,
)
from webapp.models.events import Event
from webapp.models.invoices import Invoice
from webapp.models.payments import BankFile, TransferAnnouncement
from webapp.models.records import OutboxMessage
from webapp.models.subscriptions import Subscription
from webapp.services import billing, credit_notes, dunning, invoicing, standing
from webapp.services.credit_notes import Wish

START = date(2026, 1, 1)  # billed on the 1st, due on the 15th


def day(month, number):
    return date(2026, month, number)


@pytest.fixture
def ladders(session):
    builders.ladders(session)


def a_late_account(session, months=1, **values):
    """An account with `months` monthly invoices from January on, billed on the 1st, due on the 15th, none paid."""
    signed = builders.a_subscription(session, starts_on=START, **values)
    for month in range(1, months + 1):
        billing.bill_due(session, signed.id, day(month, 1), noon(day(month, 1)))
    builders.a_user(session, signed.account)
    return signed.account


def open_of(session, account):
    return invoicing.open_invoices(session, account.id)


def remind(session, account, *days):
    return [dunning.remind(session, account.id, on, noon(on)).reminder for on in days]


def sent(session):
    columns = DunningStep.round, DunningStep.position, DunningStep.sent_on
    return [tuple(row) for row in session.execute(select(*columns).order_by(DunningStep.id))]


def mails(session, template):
    statement = select(OutboxMessage).where(OutboxMessage.template == template)
    return list(session.scalars(statement.order_by(OutboxMessage.id)))


def pay_oldest(session, account, on):
    oldest = open_of(session, account)[0]
    builders.pays(session, oldest, oldest.total_cents - oldest.paid_cents, on=on)


# ── The ladder ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_ladder_is_climbed_a_step_at_a_time(session, ladders):
    account = a_late_account(session)
    every = [day(1, 15) + timedelta(days=number) for number in range(40)]
    assert [each for each in remind(session, account, *every) if each] == ["first", "second", "last"]
    assert sent(session) == [(1, 1, day(1, 18)), (1, 2, day(1, 25)), (1, 3, day(2, 5))]
    # To the owner and to the address for invoices, each time.
    assert len(mails(session, "reminder")) == 6


def test_the_same_day_twice_sends_once(session, ladders):
    account = a_late_account(session)
    assert remind(session, account, day(1, 18), day(1, 18), day(1, 18)) == ["first", None, None]


def test_a_payment_begins_the_ladder_again_from_what_is_then_the_oldest(session, ladders):
    account = a_late_account(session, months=2)
    assert remind(session, account, day(2, 20)) == ["first"]
    pay_oldest(session, account, day(2, 21))
    assert remind(session, account, day(2, 23), day(2, 24)) == [None, "first"]
    assert sent(session) == [(1, 1, day(2, 20)), (2, 1, day(2, 24))]


def test_a_case_ends_with_the_last_unpaid_invoice(session, ladders):
    account = a_late_account(session)
    remind(session, account, day(1, 18))
    pay_oldest(session, account, day(1, 19))
    case = session.scalars(select(DunningCase)).one()
    assert case.closed_at == noon(day(1, 19))
    assert remind(session, account, day(3, 1)) == [None]


def test_an_announced_transfer_stops_the_clock_until_its_day(session, ladders):
    account = a_late_account(session)
    invoice = open_of(session, account)[0]
    session.add(
        TransferAnnouncement(
            account_id=account.id,
            invoice_id=invoice.id,
            announced_on=day(1, 17),
            until_on=day(1, 22),
            announced_by="Claire",
            created_at=noon(day(1, 17)),
        )
    )
    assert remind(session, account, day(1, 18), day(1, 22), day(1, 23)) == [None, None, "first"]


def test_a_contested_invoice_pauses_and_the_other_goes_on(session, ladders):
    account = a_late_account(session, months=2)
    contested, other = open_of(session, account)
    hold(session, account, contested)
    assert remind(session, account, day(2, 17), day(2, 18)) == [None, "first"]
    [told] = session.scalars(select(DunningStep.invoices))
    assert [each["number"] for each in told] == [other.number]


def hold(session, account, invoice=None, until_on=None, on=START):
    row = DunningHold(
        account_id=account.id,
        invoice_id=invoice.id if invoice else None,
        kind="dispute" if invoice else "hold",
        from_on=on,
        until_on=until_on,
        reason="Contestée",
        made_by="Odile",
        made_at=noon(on),
    )
    session.add(row)
    session.flush()
    return row


def test_without_a_published_ladder_nobody_is_reminded(session):
    assert remind(session, a_late_account(session), day(2, 1)) == [None]


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    acts=st.lists(
        st.tuples(
            st.integers(0, 5), st.sampled_from(["remind", "remind", "remind", "pay", "part", "hold", "lift"])
        ),
        min_size=4,
        max_size=16,
    )
)
def test_whatever_happens_no_step_is_skipped_or_sent_twice(session, ladders, acts):
    with session.begin_nested() as example:
        account, today, held = a_late_account(session, months=3), day(1, 16), []
        for days, act in acts:
            today += timedelta(days=days)
            if act == "remind":
                remind(session, account, today, today)
            elif act in ("pay", "part") and open_of(session, account):
                oldest = open_of(session, account)[0]
                left = oldest.total_cents - oldest.paid_cents
                builders.pays(session, oldest, left if act == "pay" else min(left, 1000), on=today)
            elif act == "hold":
                held.append(hold(session, account, until_on=today + timedelta(days=9), on=today))
            elif act == "lift" and held:
                held.pop().lifted_at = noon(today)
        rows = list(session.scalars(select(DunningStep).order_by(DunningStep.id)))
        assert len({row.sent_on for row in rows}) == len(rows)
        for of_case in {(row.case_id, row.round) for row in rows}:
            positions = [row.position for row in rows if (row.case_id, row.round) == of_case]
            assert positions == list(range(1, len(positions) + 1))
        count = len(standing.of_account(session, account.id, today).unpaid)
        assert session.get(Account, account.id).suspended_on is None or count >= 3 or held
        example.rollback()


# ── Suspension and restoration ───────────────────────────────────────────────────────────────────────────────────


def test_three_unpaid_suspend_with_event_and_mail_and_one_payment_restores(session, ladders):
    account = a_late_account(session, months=3)
    assert not dunning.remind(session, account.id, day(3, 15), noon(day(3, 15))).is_suspended
    done = dunning.remind(session, account.id, day(3, 16), noon(day(3, 16)))
    assert (done.is_suspended, account.suspended_on, account.suspension_cause) == (True, day(3, 16), "unpaid")
    told = mails(session, "sites_suspended")
    assert len(told) == 2 and "95,59" in told[0].text_body
    pay_oldest(session, account, day(3, 20))
    assert account.suspended_on is None and account.suspension_cause is None
    assert len(mails(session, "sites_restored")) == 2
    kinds = session.scalars(select(Event.kind).where(Event.kind.like("account.%")).order_by(Event.id)).all()
    assert kinds == ["account.suspended", "account.restored"]


def test_no_reminder_leaves_on_the_day_of_a_suspension(session, ladders):
    account = a_late_account(session, months=3)
    assert remind(session, account, day(3, 20), day(3, 20), day(3, 21)) == [None, None, "first"]
    assert len(mails(session, "sites_suspended")) == 2


def test_a_part_of_an_invoice_restores_nothing(session, ladders):
    account = a_late_account(session, months=3)
    remind(session, account, day(3, 16))
    oldest = open_of(session, account)[0]
    builders.pays(session, oldest, oldest.total_cents - 1, on=day(3, 17))
    assert account.suspended_on == day(3, 16)
    builders.pays(session, oldest, 1, on=day(3, 18))
    assert account.suspended_on is None


def test_a_credit_note_restores_as_a_payment_does(session, ladders):
    account = a_late_account(session, months=3)
    remind(session, account, day(3, 16))
    number = open_of(session, account)[0].number
    preview = credit_notes.preview(session, number, Wish(), day(3, 17))
    credit_notes.issue(
        session, number, Wish(), preview.fingerprint, "Erreur", day(3, 17), noon(day(3, 17)), builders.CLAIRE
    )
    assert account.suspended_on is None


def test_an_ended_contract_has_nothing_to_suspend(session, ladders):
    account = a_late_account(session, months=3)
    row = session.scalars(select(Subscription).where(Subscription.account_id == account.id)).one()
    remind(session, account, day(3, 16))
    row.status, row.ended_on = "ended", day(3, 17)
    remind(session, account, day(3, 17))
    assert account.suspended_on is None
    assert session.scalars(select(Suspension.lifted_reason)).one() == "ended"
    assert mails(session, "sites_restored") == []


def test_what_staff_suspended_is_not_lifted_by_a_payment_and_says_nothing_false(session, ladders):
    account = a_late_account(session, months=3)
    remind(session, account, day(3, 16))
    standing.suspend(session, account, "staff", [], "Fraude", day(3, 17), noon(day(3, 17)), builders.CLAIRE)
    pay_oldest(session, account, day(3, 18))
    assert (account.suspended_on, account.suspension_cause) == (day(3, 17), "staff")
    assert mails(session, "sites_restored") == []


def test_a_pass_beats_the_rule_until_its_day(session, ladders):
    account = a_late_account(session, months=3)
    remind(session, account, day(3, 16))
    session.add(
        RestorationPass(
            account_id=account.id,
            until_on=day(3, 25),
            reason="Promesse",
            made_by="Odile",
            made_at=noon(day(3, 18)),
        )
    )
    standing.review(session, account.id, day(3, 18), noon(day(3, 18)))
    assert account.suspended_on is None
    assert standing.read(session, account, day(3, 18)).suspends_on == day(3, 26)
    remind(session, account, day(3, 25))
    assert account.suspended_on is None
    remind(session, account, day(3, 26))
    assert account.suspended_on == day(3, 26)


def test_a_resellers_clients_have_its_own_thresholds_and_its_contact(session, ladders):
    reseller = builders.a_reseller(session)
    account = a_late_account(session, months=3, reseller=reseller)
    assert remind(session, account, day(3, 17)) == ["first"]
    assert account.suspended_on is None
    assert reseller.contact_email in mails(session, "reminder")[0].text_body
    assert standing.read(session, account, day(3, 17)).thresholds.suspend_at == 4


def test_nobody_is_suspended_while_the_bank_is_late(session, ladders):
    account = a_late_account(session, months=3)
    received = noon(day(3, 12))  # a Thursday
    session.add(
        BankFile(
            kind="coda",
            filename="x.cod",
            sha256="0" * 64,
            received_at=received,
            received_by="Odile",
            entry_count=0,
            new_count=0,
            matched_count=0,
        )
    )
    session.flush()
    assert not dunning.is_bank_late(session, day(3, 16))
    assert dunning.is_bank_late(session, day(3, 17))
    dunning.remind(session, account.id, day(3, 17), noon(day(3, 17)), may_suspend=False)
    assert account.suspended_on is None


def test_what_an_account_stands_at_is_one_statement(session, ladders, statements):
    accounts = [a_late_account(session, months=3) for _ in range(3)]
    session.flush()
    statements.clear()
    found = standing.of_accounts(session, [each.id for each in accounts], day(3, 1))
    assert len(statements) == 1
    assert {len(each.debts) for each in found.values()} == {3}


# ── Consumers, and costs ─────────────────────────────────────────────────────────────────────────────────────────


def a_consumer(session, months=1):
    account = builders.an_account(session, "Julie Petit")
    account.kind = "consumer"
    return a_late_account(session, months=months, account=account)


def test_a_consumers_first_reminder_is_free_and_says_what_the_law_asks(session, ladders):
    account = a_consumer(session)
    assert remind(session, account, day(1, 19), day(1, 20)) == [None, "consumer_first"]
    text = mails(session, "reminder")[0].text_body.replace("\xa0", " ").replace("\u202f", " ")
    assert "Ce rappel est gratuit" in text and "au plus tard le 3 février 2026" in text
    assert "CentralApp SA" in text and "0765432146" in text
    assert session.scalars(select(DunningStep.legal)).one() == {"free_until": "2026-02-03"}
    # Fourteen days and more lie between it and the one that may cost.
    assert remind(session, account, day(2, 3), day(2, 4)) == [None, "second"]


def test_costs_that_a_policy_asks_for_are_told_and_kept_with_their_rule(session, ladders):
    policy = session.scalars(select(DunningPolicy).where(DunningPolicy.account_kind == "consumer")).one()
    costs = policy.ladder["costs"] | {"charges_compensation": True, "free_reminders_per_year": 0}
    policy.ladder = policy.ladder | {"costs": costs}
    account = a_consumer(session)
    assert remind(session, account, day(1, 20), day(2, 4)) == ["consumer_first", "second"]
    free, costly = session.scalars(select(DunningStep).order_by(DunningStep.id))
    assert (free.fee_cents, costly.fee_cents, costly.legal["capped"]) == (0, 20_00, True)
    first, _, second, _ = mails(session, "reminder")
    assert "jusqu’à 150,00" in first.text_body.replace("\xa0", " ")
    assert "indemnité forfaitaire de 20,00" in second.text_body.replace("\xa0", " ")
    assert session.scalar(select(func.sum(Invoice.total_cents))) == 95_59  # the documents are what they were


# ── The round, and what is published ─────────────────────────────────────────────────────────────────────────────


def test_publishing_twice_changes_nothing_and_what_was_published_is_not_edited(session, ladders, tmp_path):
    assert (
        dunning.publish(session, dunning.check(session, builders.LADDERS), builders.CLAIRE, noon(START)) == 0
    )
    file = tmp_path / "dunning.yaml"
    file.write_text(builders.LADDERS.read_text().replace("after_days: 10", "after_days: 12"))
    with pytest.raises(BrokenFile) as broken:
        dunning.check(session, file)
    [problem] = broken.value.problems
    assert problem.path == "policies[0].valid_from" and "ne se corrige pas" in problem.message


@pytest.mark.parametrize(
    ("before", "after", "line", "path"),
    [
        ("after_days: 10", "after_days: 2", 12, "policies[0].steps[second].after_days"),
        ("template: second, w", "template: sekond, w", 12, "policies[0].steps[sekond].template"),
        ('percent: "10.5"', "percent: dix", 55, "late_interest[0].percent"),
        ("restore_below: 3       #", "restore_below: 4 #", 8, "policies[0].restore_below"),
        ("reseller: horecaplus", "reseller: horeca", 43, "policies[2].reseller"),
        ("compensation: 40.00", "compensation: 40", 18, "policies[0].costs.compensation"),
    ],
)
def test_a_mistake_is_told_with_its_line(session, tmp_path, before, after, line, path):
    builders.a_reseller(session)
    text = builders.LADDERS.read_text()
    assert before in text
    file = tmp_path / "dunning.yaml"
    file.write_text(text.replace(before, after, 1))
    with pytest.raises(BrokenFile) as broken:
        dunning.check(session, file)
    assert [(each.line, each.path) for each in broken.value.problems] == [(line, path)]


def test_the_most_precise_policy_in_force_applies(session, ladders):
    reseller = builders.a_reseller(session)
    later = {"suspend_at": 9, "restore_below": 9, "announced_days": 1, "steps": []}
    session.add(
        DunningPolicy(
            account_kind="consumer",
            reseller_id=reseller.id,
            valid_from=day(6, 1),
            ladder=later,
            created_at=noon(START),
        )
    )
    account = builders.an_account(session, reseller=reseller)
    account.kind = "consumer"
    session.flush()
    for on, at in ((day(5, 31), 4), (day(6, 1), 9)):
        assert standing.of_account(session, account.id, on).thresholds.suspend_at == at
        assert standing.thresholds_for(session, account, on).suspend_at == at


def test_rates_are_exact(session, ladders):
    [rate] = session.scalars(
        select(dunning.LateInterestRate.percent).where(dunning.LateInterestRate.account_kind == "business")
    )
    assert Fraction(rate) == Fraction(21, 2)
