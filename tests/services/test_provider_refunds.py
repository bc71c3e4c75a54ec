"""Money given back through the provider: asked once whatever happens on the way, written when the provider tells it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tests.builders import CLAIRE, a_subscription, a_user, noon
from webapp.adapters.demo_provider import DemoProvider
from webapp.adapters.payment_provider import (
    AskedRefund,
    Back,
    ProviderRefused,
    ProviderUnavailable,
    SavedMethod,
    Way,
)
from webapp.domain.access import Actor
from webapp.domain.money import Money
from webapp.domain.refusals import MoreThanCanBeRefunded
from webapp.models.invoices import Invoice, Payment
from webapp.models.payments import CheckoutSession, Collection, PaymentMethod, ProviderRefund
from webapp.models.records import AuditEntry, OutboxMessage
from webapp.services import charges, checkout, gestures, payments, provider_refunds
from webapp.services.gestures import Why
from webapp.services.money_gestures import GiveBack

START, TODAY = date(2026, 11, 1), date(2026, 11, 20)
NOW = noon(TODAY)
NORA = Actor(kind="staff", id="nora", name="Nora Maes")
WHY = Why("Payé deux fois", tells=True, link="http://localhost/abonnements/0")
KEY = "0" * 32
WAY = Way("http://localhost/back", "http://localhost/back", "http://localhost/webhooks/demo")


class Unsure(DemoProvider):
    """Gives the money back, and its answer is lost, so many times."""

    silent = 0

    def refund(self, asked: AskedRefund) -> Back:
        back = super().refund(asked)
        if self.silent:
            self.silent -= 1
            raise ProviderUnavailable("no answer")
        return back


@pytest.fixture
def provider(tmp_path) -> Unsure:
    return Unsure(tmp_path / "demo", ["a key for the notices of the demo"])


@pytest.fixture
def transaction(session: Session):
    engine = session.get_bind()

    @contextmanager
    def opened() -> Iterator[Session]:
        with Session(engine) as own, own.begin():
            yield own

    return opened


@pytest.fixture
def signed(transaction):
    """A subscription whose first invoice, of 95.59 €, is to pay."""
    with transaction() as session:
        made = a_subscription(session, starts_on=START, billed_through=START)
        a_user(session, made.account)
        account_id, subscription_id = made.account_id, made.id
    return account_id, subscription_id


@pytest.fixture
def paid(transaction, provider, signed) -> str:
    """The invoice was paid on the provider's page: the source of its payment."""
    account_id, _subscription_id = signed
    with transaction() as session:
        numbers = list(session.scalars(select(Invoice.number).order_by(Invoice.id)))
    page_id = checkout.start_payment(
        transaction,
        provider,
        account_id,
        numbers,
        lambda _id, _key: WAY,
        " ".join,
        TODAY,
        lambda: NOW,
        CLAIRE,
    )
    with transaction() as session:
        reference = str(session.get_one(CheckoutSession, page_id).provider_reference)
    provider.accept(reference, TODAY)
    checkout.learn(transaction, provider, reference, TODAY, lambda: NOW)
    return f"demo:{reference}"


def ask(transaction, signed, source, cents=2_000, key=KEY) -> int:
    with transaction() as session:
        wish = GiveBack(Money(cents), source)
        shown = gestures.preview(session, signed[1], wish, TODAY)
        made = gestures.make(session, signed[1], wish, shown.fingerprint, WHY, key, TODAY, NOW, NORA)
        return made.id


def send(transaction, provider, now=NOW) -> int:
    return provider_refunds.send_waiting(
        transaction,
        provider,
        TODAY,
        lambda: now,
        lambda payment: checkout.learn(transaction, provider, payment, TODAY, lambda: now),
    )


def state(transaction) -> tuple[str, int, int, int]:
    """Of the refund; what the invoice lacks; how often money went back; how many mails of a gesture."""
    with transaction() as session:
        left = session.scalar(select(func.sum(Invoice.total_cents - Invoice.paid_cents)))
        back = session.scalar(select(func.count()).where(Payment.reason_code == "refund"))
        mails = session.scalar(select(func.count()).where(OutboxMessage.template == "gesture"))
        return (
            str(session.scalar(select(ProviderRefund.state))),
            int(left or 0),
            int(back or 0),
            int(mails or 0),
        )


def at_the_provider(provider, source) -> list[int]:
    return [each["cents"] for each in provider.shown(source.partition(":")[2])["back"]]


def test_it_is_asked_sent_told_and_mailed_once(transaction, provider, signed, paid):
    ask(transaction, signed, paid)
    assert state(transaction) == ("asked", 0, 0, 0)
    assert send(transaction, provider) == 0
    assert state(transaction) == ("done", 2_000, 1, 1)
    assert send(transaction, provider) == 0
    checkout.learn(transaction, provider, paid.partition(":")[2], TODAY, lambda: NOW)
    assert state(transaction) == ("done", 2_000, 1, 1)
    assert at_the_provider(provider, paid) == [2_000]


def test_an_answer_that_was_lost_is_asked_for_again_under_the_same_key(transaction, provider, signed, paid):
    ask(transaction, signed, paid)
    provider.silent = 1
    assert send(transaction, provider) == 1
    assert state(transaction)[0] == "asked"
    assert send(transaction, provider) == 0
    assert state(transaction) == ("done", 2_000, 1, 1)
    assert at_the_provider(provider, paid) == [2_000]


def test_a_notice_that_comes_before_the_answer_is_enough(transaction, provider, signed, paid):
    ask(transaction, signed, paid)
    provider.silent = 1
    send(transaction, provider)
    checkout.learn(transaction, provider, paid.partition(":")[2], TODAY, lambda: NOW)
    assert state(transaction) == ("done", 2_000, 1, 1)
    assert send(transaction, provider) == 0
    assert at_the_provider(provider, paid) == [2_000]


def test_after_a_day_nobody_asks_again_and_people_are_told(transaction, provider, signed, paid):
    ask(transaction, signed, paid)
    assert send(transaction, provider, NOW + timedelta(hours=21)) == 1
    assert state(transaction) == ("unsure", 0, 0, 0)
    assert send(transaction, provider, NOW + timedelta(hours=22)) == 0
    assert at_the_provider(provider, paid) == []


def test_a_refusal_changes_nothing_and_frees_the_amount(transaction, provider, signed, paid, monkeypatch):
    ask(transaction, signed, paid, 9_559)

    def refuse(_asked: AskedRefund) -> Back:
        raise ProviderRefused("too late")

    with monkeypatch.context() as patched:
        patched.setattr(provider, "refund", refuse)
        assert send(transaction, provider) == 0
    assert state(transaction) == ("refused", 0, 0, 0)
    with transaction() as session:
        noted = select(AuditEntry).where(AuditEntry.action == "provider_refund.refused")
        assert session.scalars(noted).one().after == {"amount_cents": 9_559, "currency": "EUR"}
    ask(transaction, signed, paid, 9_559, "1" * 32)
    send(transaction, provider)
    assert at_the_provider(provider, paid) == [9_559]


def test_what_is_asked_already_cannot_be_asked_twice(transaction, provider, signed, paid):
    ask(transaction, signed, paid, 5_000)
    with pytest.raises(MoreThanCanBeRefunded) as refused:
        ask(transaction, signed, paid, 4_560, "1" * 32)
    assert refused.value.left == Money(4_559)
    ask(transaction, signed, paid, 4_559, "1" * 32)
    send(transaction, provider)
    assert sorted(at_the_provider(provider, paid)) == [4_559, 5_000]
    with transaction() as session:
        assert payments.movements(session, signed[0]) == []


def test_two_refunds_of_the_same_amount_are_told_apart(transaction, provider, signed, paid):
    ask(transaction, signed, paid, 1_000)
    send(transaction, provider)
    ask(transaction, signed, paid, 1_000, "1" * 32)
    send(transaction, provider)
    with transaction() as session:
        rows = session.scalars(select(ProviderRefund)).all()
        assert [row.state for row in rows] == ["done", "done"]
        assert len({row.provider_reference for row in rows}) == 2
    assert state(transaction) == ("done", 2_000, 2, 2)


def test_one_made_on_the_provider_s_own_pages_is_nobody_s_here(transaction, provider, signed, paid):
    provider.refund(AskedRefund("by hand", paid.partition(":")[2], Money(500), TODAY))
    checkout.learn(transaction, provider, paid.partition(":")[2], TODAY, lambda: NOW)
    assert state(transaction) == ("None", 500, 1, 0)


def test_a_charge_given_back_whole_says_so_on_its_attempt(transaction, provider, signed):
    with transaction() as session:
        saved = SavedMethod("card", "card_valid_demo", "cus_1", "Visa •••• 4242", "4242")
        checkout._save(session, "demo", signed[0], saved, None, NOW, CLAIRE)
        assert session.scalars(select(PaymentMethod)).one().is_primary
    charges.run(transaction, provider, date(2026, 12, 1), lambda: NOW, lambda _key: WAY.notices_to)
    with transaction() as session:
        source = str(session.scalars(select(Payment.source)).one())
    ask(transaction, signed, source, 9_559)
    send(transaction, provider)
    assert state(transaction) == ("done", 9_559, 1, 1)
    with transaction() as session:
        assert session.scalars(select(Collection.state)).one() == "refunded"
    charges.run(transaction, provider, date(2026, 12, 2), lambda: NOW, lambda _key: WAY.notices_to)
    assert state(transaction)[1] == 9_559, "what was given back is not taken again"
