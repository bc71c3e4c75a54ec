"""A change of plan through the rows: what was previewed is what is invoiced, once, and nothing on a refusal."""

from datetime import date

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tests import builders
from tests.builders import CLAIRE, a_reseller, a_subscription, noon
from webapp.domain.refusals import (
    ChangeAlreadyDone,
    ContactPartner,
    IncompleteDetails,
    PlanNotForSale,
    StalePreview,
)
from webapp.models.invoices import CreditBalanceEntry, Invoice, InvoiceLine, Series
from webapp.models.records import AuditEntry
from webapp.models.subscriptions import ScheduledChange, Subscription
from webapp.services import billing, contracts, invoicing, scheduling, subscriptions
from webapp.services.subscriptions import ConfirmedChange, NewOption

TODAY = date(2026, 11, 16)
LINK = "http://localhost/abonnements/1"


def confirm(
    session: Session, subscription_id, plan: str, frequency: str = "monthly", today: date = TODAY
) -> ConfirmedChange:
    preview = subscriptions.preview_plan(session, subscription_id, plan, frequency, today)
    return subscriptions.change_plan(
        session, subscription_id, plan, frequency, preview.fingerprint, today, noon(today), CLAIRE, LINK
    )


def total_billed(session: Session, account_id) -> int:
    return session.scalar(select(func.sum(Invoice.total_cents)).where(Invoice.account_id == account_id)) or 0


def test_what_was_previewed_is_what_is_invoiced(session):
    signed = a_subscription(session, establishments=2, billed_through=TODAY)
    preview = subscriptions.preview_plan(session, signed.id, "premium", "monthly", TODAY)
    done = confirm(session, signed.id, "premium")
    lines = session.scalars(select(InvoiceLine).where(InvoiceLine.invoice_id == done.document.id)).all()
    due = preview.change.due_now
    assert [(line.ref, line.net_cents) for line in lines] == [
        (line.key.ref, line.net.cents) for line in due.lines
    ]
    assert (done.document.net_cents, done.document.vat_cents, done.document.total_cents) == (2300, 483, 2783)
    assert session.get(Subscription, signed.id).plan_version.names["fr"] == "Premium"


def test_the_next_invoice_shown_is_the_one_the_run_issues(session):
    signed = a_subscription(
        session,
        establishments=7,
        options=[NewOption("emails", 4), NewOption("booking", at=2)],
        billed_through=TODAY,
    )
    shown = subscriptions.next_invoice(session, contracts.load(session, signed.id), TODAY)
    [issued] = billing.bill_due(session, signed.id, date(2026, 12, 1), noon(date(2026, 12, 1)))
    assert (issued.net_cents, issued.vat_cents) == (shown.net.cents, shown.vat.cents)
    assert [line.net_cents for line in issued.lines] == [line.net.cents for line in shown.lines]


def test_billing_twice_changes_nothing(session):
    signed = a_subscription(session, billed_through=TODAY)
    before = session.scalar(select(func.count()).select_from(Invoice))
    assert billing.bill_due(session, signed.id, TODAY, noon(TODAY)) == []
    assert session.scalar(select(func.count()).select_from(Invoice)) == before == 9


def test_the_31st_comes_back_after_february(session):
    signed = a_subscription(session, starts_on=date(2026, 1, 31), billed_through=date(2026, 5, 1))
    starts = session.scalars(
        select(Invoice.period_start).where(Invoice.subscription_id == signed.id).order_by(Invoice.id)
    ).all()
    assert starts == [date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30)]


def test_numbers_follow_each_other_and_dates_follow_the_numbers(session):
    a_subscription(session, billed_through=TODAY)
    a_subscription(session, starts_on=date(2026, 5, 4), billed_through=date(2026, 6, 4))
    rows = session.execute(
        select(Invoice.series_number, Invoice.issued_on).order_by(Invoice.series_number)
    ).all()
    assert [number for number, _ in rows] == list(range(1, len(rows) + 1))
    assert [day for _, day in rows] == sorted(day for _, day in rows)
    assert session.scalar(select(Series.last_number)) == len(rows)


def test_a_stale_preview_is_refused_and_nothing_is_written(session):
    signed = a_subscription(session, billed_through=TODAY)
    preview = subscriptions.preview_plan(session, signed.id, "premium", "monthly", TODAY)
    confirm(session, signed.id, "essentiel")
    before = total_billed(session, signed.account_id)
    with pytest.raises(StalePreview):
        subscriptions.change_plan(
            session, signed.id, "premium", "monthly", preview.fingerprint, TODAY, noon(TODAY), CLAIRE, LINK
        )
    assert total_billed(session, signed.account_id) == before


def test_a_preview_of_yesterday_is_stale(session):
    signed = a_subscription(session, billed_through=TODAY)
    preview = subscriptions.preview_plan(session, signed.id, "premium", "monthly", TODAY)
    tomorrow = date(2026, 11, 17)
    with pytest.raises(StalePreview):
        subscriptions.change_plan(
            session,
            signed.id,
            "premium",
            "monthly",
            preview.fingerprint,
            tomorrow,
            noon(tomorrow),
            CLAIRE,
            LINK,
        )


def test_a_cheaper_plan_is_scheduled_then_applied_and_billed_on_its_date(session):
    signed = a_subscription(session, billed_through=TODAY)
    done = confirm(session, signed.id, "essentiel")
    assert done.document is None
    change = session.get(ScheduledChange, done.scheduled_id)
    assert (change.effective_on, change.requested_by) == (date(2027, 3, 1), "Claire Janssens")
    issued = billing.bill_due(session, signed.id, date(2027, 3, 1), noon(date(2027, 3, 1)))
    assert [invoice.net_cents for invoice in issued] == [7900, 7900, 7900, 3900]
    assert change.status == "applied"


def test_a_scheduled_change_is_undone_once(session):
    signed = a_subscription(session, billed_through=TODAY)
    done = confirm(session, signed.id, "essentiel")
    scheduling.undo(session, signed.id, done.scheduled_id, TODAY, CLAIRE, noon(TODAY))
    assert contracts.load(session, signed.id).contract.changes == ()
    with pytest.raises(ChangeAlreadyDone):
        scheduling.undo(session, signed.id, done.scheduled_id, TODAY, CLAIRE, noon(TODAY))


def test_coming_back_the_same_day_is_a_credit_note_that_lands_on_zero(session):
    signed = a_subscription(session, establishments=2, billed_through=TODAY)
    before = total_billed(session, signed.account_id)
    assert confirm(session, signed.id, "premium").document.total_cents == 2783
    back = confirm(session, signed.id, "pro").document
    assert (back.kind, back.number, back.total_cents) == ("credit_note", "NC2026-00001", -2783)
    assert total_billed(session, signed.account_id) == before


def test_credit_pays_open_invoices_first_then_the_next_one(session):
    signed = a_subscription(session, billed_through=TODAY)
    for invoice in session.scalars(select(Invoice).where(Invoice.account_id == signed.account_id)):
        builders.pays(session, invoice, invoice.total_cents, "transfer", TODAY)
    upgrade = confirm(session, signed.id, "premium").document
    builders.pays(session, upgrade, upgrade.total_cents, "card", TODAY)
    back = confirm(session, signed.id, "pro").document
    assert invoicing.credit_of(session, signed.account_id, "EUR").cents == -back.total_cents == 4235
    [december] = billing.bill_due(session, signed.id, date(2026, 12, 1), noon(date(2026, 12, 1)))
    assert december.paid_cents == 4235
    assert invoicing.credit_of(session, signed.account_id, "EUR").cents == 0
    assert session.scalar(select(func.count()).select_from(CreditBalanceEntry)) == 2


def test_a_change_on_the_billing_day_before_the_run_bills_the_period_first(session):
    signed = a_subscription(session, billed_through=date(2026, 11, 30))
    first = date(2026, 12, 1)
    preview = subscriptions.preview_plan(session, signed.id, "premium", "monthly", first)
    assert [draft.total.cents for draft in preview.arrears] == [9559]
    done = confirm(session, signed.id, "premium", today=first)
    assert done.document.net_cents == 7000
    issued = session.scalars(select(Invoice).where(Invoice.issued_on == first).order_by(Invoice.id)).all()
    assert [invoice.net_cents for invoice in issued] == [7900, 7000]


def test_a_plan_or_a_price_that_is_not_on_sale_is_refused(session):
    signed = a_subscription(session, billed_through=TODAY)
    with pytest.raises(PlanNotForSale):
        subscriptions.preview_plan(session, signed.id, "unknown", "monthly", TODAY)
    with pytest.raises(PlanNotForSale):
        subscriptions.preview_plan(session, signed.id, "premium", "weekly", TODAY)


def test_a_resellers_client_is_sent_to_its_partner(session):
    reseller = a_reseller(session)
    a_subscription(session)
    signed = a_subscription(session, reseller=reseller, billed_through=TODAY)
    with pytest.raises(ContactPartner) as refused:
        subscriptions.preview_plan(session, signed.id, "premium", "monthly", TODAY)
    assert refused.value.partner == "HorecaPlus"


def test_a_change_of_plan_leaves_an_audit_line_with_before_and_after(session):
    signed = a_subscription(session, billed_through=TODAY)
    confirm(session, signed.id, "premium")
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "subscription.plan_changed")).one()
    assert (entry.actor_name, entry.before["plan"], entry.after["plan"]) == (
        "Claire Janssens",
        "pro",
        "premium",
    )


def test_going_annual_and_back_the_same_day_restores_the_month(session):
    signed = a_subscription(session, options=[NewOption("emails", 4)], billed_through=TODAY)
    before = total_billed(session, signed.account_id)
    confirm(session, signed.id, "pro", "annual")
    assert session.get(Subscription, signed.id).billed_until == date(2027, 11, 16)
    confirm(session, signed.id, "pro", "monthly")
    restored = session.get(Subscription, signed.id)
    assert (restored.billed_until, restored.anchor_on) == (date(2026, 12, 1), date(2026, 3, 1))
    assert total_billed(session, signed.account_id) == before


def test_details_that_cannot_make_a_valid_invoice_refuse_before_a_number_is_drawn(session):
    """B4: complete by our own checks before it may be issued."""
    signed = a_subscription(session, billed_through=TODAY)
    signed.account.billing_details.city = ""
    session.flush()
    numbers = session.scalar(select(Series.last_number))
    with pytest.raises(IncompleteDetails) as refused:
        confirm(session, signed.id, "premium")
    assert refused.value.fields == ("buyer.city",)
    assert session.scalar(select(Series.last_number)) == numbers
