"""Gestures and the life of a contract: what is granted, changed and undone adds up to the cent."""

from datetime import date
from fractions import Fraction

import pytest
from sqlalchemy import func, select

from tests.builders import NewOption, a_mandate, a_subscription, a_user, noon, pays
from webapp.domain.access import Actor
from webapp.domain.money import Money
from webapp.domain.periods import Period
from webapp.domain.refusals import CannotUndo, DebitSent, MoreThanCanBeRefunded, NothingTakenOff, StalePreview
from webapp.models.gestures import Gesture
from webapp.models.invoices import Invoice, InvoiceLine, Payment
from webapp.models.payments import Collection
from webapp.models.records import AuditEntry, OutboxMessage
from webapp.services import (
    billing,
    contracts,
    debit_batches,
    documents,
    forecasts,
    gestures,
    history,
    invariants,
    invoicing,
    subscriptions,
)
from webapp.services.discount_gestures import Grant
from webapp.services.gestures import NewPlan, Why
from webapp.services.history import Reader
from webapp.services.money_gestures import MoreTime, Paid, Refund

NORA = Actor(kind="staff", id="nora", name="Nora Maes")
START, NEXT = date(2026, 11, 1), date(2026, 12, 1)
MIDDLE, LATER = date(2026, 11, 16), date(2026, 11, 21)
WHY = Why("Panne du 12 novembre", tells=True, link="http://localhost/abonnements/0")
FIFTH = Grant("discount", "plan", None, share=Fraction(1, 5), last_day=date(2027, 1, 31), is_next=False)
_keys = iter(f"{number:032x}" for number in range(1, 1000))


@pytest.fixture
def signed(session):
    signed = a_subscription(session, starts_on=START, options=[NewOption("emails", 4)], billed_through=START)
    a_user(session, signed.account)
    return signed


def make(session, signed, wish, on=MIDDLE, why=WHY) -> Gesture:
    shown = gestures.preview(session, signed.id, wish, on)
    return gestures.make(session, signed.id, wish, shown.fingerprint, why, next(_keys), on, noon(on), NORA)


def undo(session, gesture, on=MIDDLE) -> Gesture:
    shown = gestures.preview_undo(session, gesture, on)
    return gestures.undo(session, gesture, shown.fingerprint, WHY, next(_keys), on, noon(on), NORA)


def change_plan(session, signed, plan, on) -> None:
    shown = subscriptions.preview_plan(session, signed.id, plan, "monthly", on)
    subscriptions.change_plan(
        session, signed.id, plan, "monthly", shown.fingerprint, on, noon(on), NORA, link=""
    )


def nets(session) -> list[int]:
    return list(session.scalars(select(Invoice.net_cents).order_by(Invoice.id)))


def test_a_discount_in_the_middle_of_a_month_then_an_upgrade_then_its_undoing_add_up(session, signed):
    """November at 79.00 for Pro until the 20th, 149.00 for Premium after; a fifth off from the 16th to the 25th."""
    gesture = make(session, signed, FIFTH)
    assert nets(session) == [8900, -790]
    change_plan(session, signed, "premium", LATER)
    undo(session, gesture, date(2026, 11, 26))
    assert invariants.broken(session) == []
    plan = select(func.sum(InvoiceLine.net_cents)).where(InvoiceLine.item.in_(("plan", "discount")))
    # 15 + 5 + 10 of 30 days, each amount rounded on its own line
    full = Fraction(7900 * 20 + 14900 * 10, 30)
    off = Fraction(7900 * 5 + 14900 * 5, 30) / 5
    assert abs(session.scalar(plan) - (full - off)) <= 3
    billing.bill_due(session, signed.id, NEXT, noon(NEXT))
    assert nets(session)[-1] == 14900 + 1000
    assert gesture.undone_by == "Nora Maes" and len(gesture.documents) == 2


def test_granted_and_undone_the_same_day_it_leaves_the_day_as_it_was(session, signed):
    gesture = make(session, signed, FIFTH)
    undo(session, gesture)
    assert sum(nets(session)) == 8900
    assert contracts.load(session, signed.id).contract.discounts == ()
    assert invariants.broken(session) == []
    with pytest.raises(CannotUndo):
        gestures.preview_undo(session, gesture, MIDDLE)


def test_its_documents_are_valid_by_the_official_rules(session, signed, peppol_rules):
    gesture = make(session, signed, FIFTH)
    undo(session, gesture, LATER)
    for number in gesture.documents:
        document = session.scalars(select(Invoice).where(Invoice.number == number)).one()
        assert peppol_rules.check(documents.ubl_of(session, document, noon(MIDDLE))) == ()


def test_free_months_are_whole_periods_foreseen_and_billed_at_nothing(session, signed):
    make(session, signed, Grant("free_months", months=2))
    situation = contracts.load(session, signed.id)
    foreseen = forecasts.forecast(session, situation, MIDDLE, "fr").documents
    assert [each.draft.net.cents for each in foreseen[:3]] == [0, 0, 8900]
    for month in (date(2026, 12, 1), date(2027, 1, 1), date(2027, 2, 1)):
        billing.bill_due(session, signed.id, month, noon(month))
    assert nets(session)[1:] == [0, 0, 8900]
    assert invariants.broken(session) == []


def test_a_number_of_a_discount_never_comes_back(session, signed):
    first = make(session, signed, FIFTH)
    undo(session, first)
    second = make(session, signed, FIFTH)
    assert (first.facts["discount"]["id"], second.facts["discount"]["id"]) == (1, 2)


def test_a_discount_of_what_is_not_charged_is_refused(session, signed):
    with pytest.raises(NothingTakenOff):
        gestures.preview(session, signed.id, Grant("free_option", "option", "booking", last_day=NEXT), MIDDLE)


def test_a_figure_that_moved_makes_nothing(session, signed):
    shown = gestures.preview(session, signed.id, FIFTH, MIDDLE)
    change_plan(session, signed, "premium", MIDDLE)
    with pytest.raises(StalePreview):
        gestures.make(
            session, signed.id, FIFTH, shown.fingerprint, WHY, next(_keys), MIDDLE, noon(MIDDLE), NORA
        )
    assert session.scalars(select(Gesture)).all() == []


def test_the_period_that_was_due_is_billed_with_the_gesture(session, signed):
    shown = gestures.preview(session, signed.id, FIFTH, NEXT)
    assert len(shown.arrears) == 1
    make(session, signed, FIFTH, on=NEXT)
    assert nets(session) == [8900, 8900, -1580]
    assert session.scalars(select(InvoiceLine.period_start).order_by(InvoiceLine.id.desc())).first() == NEXT


def test_the_client_reads_it_in_the_history_and_in_a_mail_unless_told_not_to(session, signed):
    make(session, signed, FIFTH)
    make(session, signed, MoreTime("F2026-00001", NEXT), why=Why("Trésorerie", tells=False, link=""))
    mails = session.scalars(select(OutboxMessage.subject).where(OutboxMessage.template == "gesture")).all()
    assert mails == ["Ce que notre équipe a fait pour Brasserie du Parc"]
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "gesture.discount")).one()
    told = history.sentence(entry, Reader("nl", {"pro": "Pro"}))
    assert told.replace("\u202f", " ").replace("\xa0", " ") == (
        "Korting van 20% op de formule, van 16 november 2026 tot en met 31 januari 2027. Reden: Panne du 12 novembre"
    )


def test_the_team_changes_the_plan_of_a_resellers_client(session):
    from tests.builders import a_catalogue, a_reseller, a_seller

    a_seller(session)
    a_catalogue(session)
    reseller = a_reseller(session)
    theirs = a_subscription(session, starts_on=START, reseller=reseller, billed_through=START)
    plans = subscriptions.for_sale(session, contracts.load(session, theirs.id), MIDDLE)
    other = next(offer.code for offer in plans if offer.code == "premium")
    gesture = make(session, theirs, NewPlan(other, "monthly"))
    assert contracts.load(session, theirs.id).contract.plan_code == "premium" and gesture.kind == "plan"
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "subscription.plan_changed")).one()
    assert entry.after["reason"] == WHY.reason and entry.actor_kind == "staff"


def test_the_same_payment_told_twice_is_money_once(session, signed):
    wish, key = Paid(Money(10769), "transfer", MIDDLE, "BNP 12"), next(_keys)
    shown = gestures.preview(session, signed.id, wish, MIDDLE)
    gestures.make(session, signed.id, wish, shown.fingerprint, WHY, key, MIDDLE, noon(MIDDLE), NORA)
    assert session.scalars(select(Payment.source)).all() == [f"staff:{key}"]
    assert session.scalars(select(Invoice.paid_cents)).one() == 10769


@pytest.mark.parametrize("paid", [10769, 20000])
def test_what_a_refund_shows_is_what_it_does(session, signed, paid):
    invoice = session.scalars(select(Invoice)).one()
    rows = pays(session, invoice, paid, on=MIDDLE)
    wish = Refund(Money(paid), rows[0].source, "transfer", MIDDLE, "KBC 1")
    shown = {(row.what, row.of): row.after for row in gestures.preview(session, signed.id, wish, MIDDLE).rows}
    make(session, signed, wish)
    session.refresh(invoice)
    assert shown[("left", invoice.number)] == Money(invoice.total_cents - invoice.paid_cents)
    assert invoicing.credit_of(session, signed.account_id, "EUR") == shown.get(("credit", ""), Money(0))


def test_no_more_is_refunded_than_there_is(session, signed):
    with pytest.raises(MoreThanCanBeRefunded):
        gestures.preview(session, signed.id, Refund(Money(1), "credit", "transfer", MIDDLE, "R"), MIDDLE)


def test_a_debit_is_planned_for_the_later_day_and_not_moved_once_it_is_sent(session, signed):
    a_mandate(session, signed.id)
    invoice = session.scalars(select(Invoice)).one()
    planned = debit_batches.plan_due(session, invoice.id, date(2026, 11, 6), noon(date(2026, 11, 6)))
    assert planned is not None
    make(session, signed, MoreTime(invoice.number, NEXT), on=date(2026, 11, 6))
    assert session.get_one(Collection, planned.id).state == "cancelled"
    again = debit_batches.plan_due(session, invoice.id, date(2026, 11, 24), noon(date(2026, 11, 24)))
    assert again is not None and again.requested_on >= NEXT
    again.state = "sent"
    session.flush()
    with pytest.raises(DebitSent):
        gestures.preview(session, signed.id, MoreTime(invoice.number, date(2026, 12, 20)), date(2026, 11, 24))


def test_a_yearly_price_that_is_no_whole_amount_a_month_is_exact(session):
    yearly = a_subscription(session, frequency="annual", starts_on=START, billed_through=START)
    price = session.scalars(select(InvoiceLine.net_cents).where(InvoiceLine.item == "plan")).one()
    wish = Grant(
        "price", "plan", "pro", price=Money(price - 1001), last_day=date(2027, 10, 31), is_next=False
    )
    shown = gestures.preview(session, yearly.id, wish, START)
    assert shown.due is not None and shown.due.net == Money(-1001)
    assert shown.due.period == Period(START, date(2027, 11, 1))
