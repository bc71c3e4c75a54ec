"""Saves of options in the rows: what is written is what was worked out, and the billing run goes on from it."""

from datetime import date

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tests.builders import CLAIRE, Signed, a_subscription, a_user, noon
from webapp.domain.option_change import Wish
from webapp.domain.refusals import NothingToSave, StalePreview
from webapp.models.invoices import Invoice, InvoiceLine
from webapp.models.records import AuditEntry, OutboxMessage
from webapp.models.subscriptions import ScheduledChange, SubscriptionOption
from webapp.services import billing, contracts, options, scheduling, subscriptions
from webapp.services.options import SavedOptions
from webapp.services.subscriptions import NewOption

TENTH = date(2026, 11, 10)


def signed(session: Session, *held: NewOption, plan: str = "pro") -> Signed:
    made = a_subscription(session, plan=plan, options=held, billed_through=TENTH)
    a_user(session, made.account)
    return made


def save(session: Session, of: Signed, today: date, *wishes: Wish) -> SavedOptions:
    shown = options.preview(session, of.id, wishes, today)
    saved = options.save(session, of.id, wishes, shown.fingerprint, today, noon(today), CLAIRE, link="")
    assert saved.preview.change.due_now.total.cents == (saved.document.total_cents if saved.document else 0)
    assert options.preview(session, of.id, (), today).change.due_now.lines == ()
    return saved


def test_one_save_is_one_document_one_audit_entry_and_one_mail(session: Session) -> None:
    of = signed(session, NewOption("emails", quantity=4))
    before = session.scalar(select(func.count()).select_from(OutboxMessage))
    saved = save(session, of, TENTH, Wish("emails", 7), Wish("logo", 1))
    assert saved.document is not None
    assert [line.net_cents for line in saved.document.lines] == [525, 29000]
    entries = session.scalars(
        select(AuditEntry).where(AuditEntry.action == "subscription.options_changed")
    ).all()
    assert [entry.after["options"] for entry in entries] == [{"emails": 7, "logo": 1}]
    assert session.scalar(select(func.count()).select_from(OutboxMessage)) == (before or 0) + 1


def test_the_next_invoice_told_is_the_one_that_is_issued(session: Session) -> None:
    of = signed(session, NewOption("emails", quantity=4), NewOption("signage"))
    told = save(
        session, of, TENTH, Wish("emails", 6), Wish("signage", 0), Wish("reviews", 1)
    ).preview.change.next_after
    december = date(2026, 12, 1)
    [issued] = billing.bill_due(session, of.id, december, noon(december))
    assert told is not None and issued.total_cents == told.total.cents
    assert issued.net_cents == 7900 + 1500 + 1900
    rows = session.scalars(select(SubscriptionOption).where(SubscriptionOption.ends_on == december)).all()
    assert [row.option_version.option.code for row in rows] == ["signage"]


def test_on_off_and_on_the_same_day_leaves_one_row_and_one_price(session: Session) -> None:
    of = signed(session)
    for quantity in (1, 0, 1):
        save(session, of, TENTH, Wish("reviews", quantity))
    assert session.scalar(select(func.count()).select_from(SubscriptionOption)) == 1
    lines = select(func.sum(InvoiceLine.net_cents)).where(InvoiceLine.ref == "reviews")
    assert session.scalar(lines) == 1330


def test_removing_and_putting_back_over_days_writes_one_scheduled_change_and_undoes_it(
    session: Session,
) -> None:
    of = signed(session, NewOption("signage"))
    save(session, of, TENTH, Wish("signage", 0))
    save(session, of, date(2026, 11, 12), Wish("signage", 1))
    assert session.scalars(select(ScheduledChange.status)).all() == ["undone"]
    save(session, of, date(2026, 11, 13), Wish("signage", 0))
    pending = session.scalars(select(ScheduledChange).where(ScheduledChange.status == "pending")).one()
    scheduling.undo(session, of.id, pending.id, date(2026, 11, 14), CLAIRE, noon(date(2026, 11, 14)))
    assert contracts.load(session, of.id).contract.changes == ()


def test_a_save_before_the_billing_run_bills_the_period_first(session: Session) -> None:
    of = signed(session)
    second = date(2026, 12, 2)
    save(session, of, second, Wish("reviews", 1))
    found = session.scalars(
        select(Invoice.net_cents).where(Invoice.subscription_id == of.id).order_by(Invoice.id.desc()).limit(2)
    ).all()
    assert sorted(found) == [1839, 7900]  # 19,00 × 30/31


def test_an_upgrade_that_includes_an_option_already_paid_gives_its_days_back(session: Session) -> None:
    of = signed(session)
    save(session, of, TENTH, Wish("reviews", 1))
    later = date(2026, 11, 16)
    shown = subscriptions.preview_plan(session, of.id, "premium", "monthly", later)
    nets = {line.key.ref: line.net.cents for line in shown.change.due_now.lines}
    assert nets == {"premium": 7450, "pro": -3950, "reviews": -950}  # 15 of the 30 days
    subscriptions.change_plan(
        session, of.id, "premium", "monthly", shown.fingerprint, later, noon(later), CLAIRE, link=""
    )
    assert options.preview(session, of.id, (), later).change.due_now.lines == ()


def test_a_stale_fingerprint_and_an_empty_save_write_nothing(session: Session) -> None:
    of = signed(session)
    shown = options.preview(session, of.id, [Wish("reviews", 1)], TENTH)
    save(session, of, TENTH, Wish("logo", 1))
    with pytest.raises(StalePreview):
        options.save(
            session, of.id, [Wish("reviews", 1)], shown.fingerprint, TENTH, noon(TENTH), CLAIRE, link=""
        )
    empty = options.preview(session, of.id, [Wish("reviews", 0)], TENTH)
    with pytest.raises(NothingToSave):
        options.save(
            session, of.id, [Wish("reviews", 0)], empty.fingerprint, TENTH, noon(TENTH), CLAIRE, link=""
        )
    assert session.scalar(select(func.count()).select_from(SubscriptionOption)) == 1
