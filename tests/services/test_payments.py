"""Money received settles, restores, and is taken back without ever editing a row (D3, D5, M9)."""

from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tests import builders
from tests.builders import noon
from webapp.domain.money import Money
from webapp.models.accounts import Account
from webapp.models.events import Event
from webapp.models.invoices import Invoice, Payment
from webapp.services import invoicing, payments, standing
from webapp.services.payments import Receipt, TakenBack

START = date(2026, 1, 1)
LATER = date(2026, 5, 1)


@pytest.fixture
def late(session):
    """An account with four monthly invoices, none paid, on 1 May 2026: those of January to April are past due."""
    return builders.a_subscription(session, starts_on=START, billed_through=date(2026, 4, 2)).account


def open_of(session, account_id):
    return invoicing.open_invoices(session, account_id)


def kinds(session):
    return list(session.scalars(select(Event.kind).order_by(Event.id)))


def test_the_third_unpaid_invoice_suspends_and_the_payment_restores_in_the_same_transaction(session, late):
    assert standing.review(session, late.id, LATER, noon(LATER)).suspended_on == LATER
    assert session.get(Account, late.id).suspended_on == LATER
    due = open_of(session, late.id)
    two = Money(sum(each.total_cents for each in due[:2]))
    payments.receive(session, Receipt(late.id, two, "transfer", "bank:1", LATER), LATER, noon(LATER))
    assert session.get(Account, late.id).suspended_on is None
    assert kinds(session)[-3:] == ["account.suspended", "payment.received", "account.restored"]


def test_the_same_money_told_twice_settles_once(session, late):
    first = open_of(session, late.id)[0]
    receipt = Receipt(late.id, Money(first.total_cents), "transfer", "bank:1", LATER)
    once = payments.receive(session, receipt, LATER, noon(LATER))
    again = payments.receive(session, receipt, LATER, noon(LATER))
    assert [row.id for row in once] == [row.id for row in again]
    assert len(open_of(session, late.id)) == 3


def test_money_beyond_what_is_due_becomes_credit_and_is_given_back_first(session, late):
    due = sum(each.total_cents for each in open_of(session, late.id))
    payments.receive(
        session, Receipt(late.id, Money(due + 500), "transfer", "bank:1", LATER), LATER, noon(LATER)
    )
    assert invoicing.credit_of(session, late.id, "EUR") == Money(500)
    taken = TakenBack("bank:1", Money(700), "bank:2", "MD06", LATER)
    payments.take_back(session, taken, LATER, noon(LATER))
    assert invoicing.credit_of(session, late.id, "EUR") == Money(0)
    assert [each.total_cents - each.paid_cents for each in open_of(session, late.id)] == [200]


def test_more_than_was_received_cannot_be_taken_back(session, late):
    first = open_of(session, late.id)[0]
    payments.receive(
        session, Receipt(late.id, Money(first.total_cents), "transfer", "bank:1", LATER), LATER, noon(LATER)
    )
    with pytest.raises(ValueError, match="more than is left"):
        payments.take_back(
            session,
            TakenBack("bank:1", Money(first.total_cents + 1), "bank:2", "MD06", LATER),
            LATER,
            noon(LATER),
        )


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cents=st.lists(st.integers(1, 40_000), min_size=1, max_size=5), back=st.integers(0, 4))
def test_what_came_in_and_stayed_is_settled_or_credit_to_the_cent(session, late, cents, back):
    with session.begin_nested() as example:
        for number, amount in enumerate(cents):
            receipt = Receipt(late.id, Money(amount), "transfer", f"bank:{number}", LATER)
            payments.receive(session, receipt, LATER + timedelta(days=number), noon(LATER))
        kept = sum(cents)
        if back < len(cents):
            taken = TakenBack(f"bank:{back}", Money(cents[back]), "bank:back", "MD06", LATER)
            payments.take_back(session, taken, LATER, noon(LATER))
            kept -= cents[back]
        moved = select(func.sum(Payment.amount_cents)).where(Payment.method != "credit")
        assert session.scalar(moved) == kept
        settled = session.scalar(select(func.sum(Invoice.paid_cents)))
        assert settled + invoicing.credit_of(session, late.id, "EUR").cents == kept
        example.rollback()


@pytest.mark.parametrize("at_once", [True, False])
def test_what_another_hand_settled_after_we_read_the_invoice_is_not_forgotten(session, at_once):
    """A card pays part of an invoice while a bank file, which has read that invoice already, waits for the account."""
    engine = session.get_bind()
    january = date(2026, 1, 1)
    account_id = builders.a_subscription(session, starts_on=january, billed_through=january).account_id
    invoice = session.scalars(select(Invoice).where(Invoice.account_id == account_id)).one()
    invoice_id, total = invoice.id, invoice.total_cents
    session.commit()
    assert session.get_one(Invoice, invoice_id).paid_cents == 0  # read, before the other hand
    if engine.dialect.name == "sqlite":
        session.commit()  # whoever has begun there is alone: the other hand comes once we are out of the way
    with Session(engine) as other, other.begin():
        card = Receipt(account_id, Money(1000), "card", "stripe:1", january)
        payments.receive(other, card, january, noon(january))
    transfer = Receipt(account_id, Money(total), "transfer", "bank:1", january)
    if at_once:
        payments.receive_all(session, [payments.Arrival(transfer, invoice_id)], january, noon(january))
    else:
        payments.receive(session, transfer, january, noon(january))
    session.expire_all()
    assert session.get_one(Invoice, invoice_id).paid_cents == total
    assert invoicing.credit_of(session, account_id, "EUR") == Money(1000)
