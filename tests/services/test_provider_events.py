"""What a payment provider tells, however it arrives: the same final state; and charges, which take no invoice twice."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tests import builders
from tests.builders import CLAIRE, noon
from tests.support.killable_notices import POINTS
from webapp.adapters.demo_provider import DemoProvider
from webapp.adapters.payment_provider import (
    AskedCharge,
    AskedRefund,
    BadSignature,
    Outcome,
    ProviderUnavailable,
    SavedMethod,
    Way,
)
from webapp.domain.money import Money
from webapp.models.accounts import Account, BillingDetails
from webapp.models.events import Event
from webapp.models.invoices import CreditBalanceEntry, Invoice, Payment
from webapp.models.payments import CheckoutSession, Collection, PaymentMethod, ProviderEvent
from webapp.services import (
    charges,
    checkout,
    invoicing,
    payment_methods,
    provider_events,
    standing,
    transfers,
)

START, TODAY = date(2026, 1, 1), date(2026, 5, 1)
KEY = "a key for the notices of the demo"
WAY = Way("http://localhost/back", "http://localhost/back", "http://localhost/webhooks/demo")
NOW = noon(TODAY)


@pytest.fixture
def provider(tmp_path) -> DemoProvider:
    return DemoProvider(tmp_path / "demo", [KEY])


@pytest.fixture
def transaction(session: Session):
    engine = session.get_bind()

    @contextmanager
    def opened() -> Iterator[Session]:
        with Session(engine) as own, own.begin():
            yield own

    return opened


def a_late_account(transaction):
    """Four monthly invoices, none paid, all past due on 1 May 2026: suspended."""
    with transaction() as session:
        account_id = builders.a_subscription(
            session, starts_on=START, billed_through=date(2026, 4, 2)
        ).account_id
        standing.review(session, account_id, TODAY, NOW)
        return account_id


def numbers(transaction, account_id) -> list[str]:
    with transaction() as session:
        return [each.number for each in invoicing.open_invoices(session, account_id)]


def a_page(transaction, provider, account_id, wanted) -> str:
    """A page opened at the provider's for these invoices: the provider's own name of it."""
    page_id = checkout.start_payment(
        transaction,
        provider,
        account_id,
        wanted,
        lambda _id, _key: WAY,
        lambda found: " ".join(found),
        TODAY,
        lambda: NOW,
        CLAIRE,
    )
    with transaction() as session:
        return str(session.get_one(CheckoutSession, page_id).provider_reference)


def deliver(transaction, provider, told: tuple[bytes, dict[str, str]]) -> None:
    """A notice as the door takes it, then its handling."""
    body, headers = told
    with transaction() as session:
        notice = provider.verify_webhook(body, headers, {})
        provider_events.keep(session, provider.name, notice, body, NOW)
    provider_events.handle_waiting(transaction, provider, TODAY, lambda: NOW)


def state(transaction, account_id) -> dict[str, Any]:
    """All that matters in the end: what each invoice lacks, the credit, the money of each movement, the sites."""
    with transaction() as session:
        rows = session.execute(
            select(Payment.source, func.sum(Payment.amount_cents))
            .where(Payment.account_id == account_id)
            .group_by(Payment.source)
        )
        return {
            "left": [
                each.total_cents - each.paid_cents
                for each in session.scalars(
                    select(Invoice).where(Invoice.account_id == account_id).order_by(Invoice.id)
                )
            ],
            "credit": session.scalar(
                select(func.sum(CreditBalanceEntry.amount_cents)).where(
                    CreditBalanceEntry.account_id == account_id
                )
            ),
            "money": sorted(int(cents) for _source, cents in rows),
            "suspended": session.get_one(Account, account_id).suspended_on is not None,
            "page": session.scalars(
                select(CheckoutSession.state).where(CheckoutSession.account_id == account_id)
            ).all(),
        }


def events_of(transaction, account_id) -> list[str]:
    with transaction() as session:
        found = select(Event.kind).where(Event.account_id == account_id).order_by(Event.id)
        return [kind for kind in session.scalars(found) if kind.startswith(("payment.", "account."))]


# ── Any order ────────────────────────────────────────────────────────────────────────────────────────────────────

PARTIAL = Money(3_000)
# What happens at the provider, in its own order. Each step is followed by a notice.
STEPS: list[Callable[[DemoProvider, str], object]] = [
    lambda provider, page: provider.keep_waiting(page),
    lambda provider, page: provider.accept(page, TODAY),
    lambda provider, page: provider.refund(AskedRefund(f"geste-{page}", page, PARTIAL, TODAY)),
    lambda provider, page: provider.give_back(
        page, f"litige-{page}", whole(provider, page) - PARTIAL, "chargeback", TODAY + timedelta(days=3)
    ),
]


def whole(provider: DemoProvider, page: str) -> Money:
    return Money(provider.shown(page)["amount_cents"])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), steps=st.integers(1, len(STEPS)))
def test_notices_doubled_reordered_forged_or_lost_end_in_the_same_state(transaction, provider, data, steps):
    """Told step by step is the measure. Then the same life with notices that come twice, late, forged, or never."""
    measured, other = a_late_account(transaction), a_late_account(transaction)
    page = a_page(transaction, provider, measured, numbers(transaction, measured))
    for step in STEPS[:steps]:
        step(provider, page)
        deliver(transaction, provider, provider.notice(page))
    page = a_page(transaction, provider, other, numbers(transaction, other))
    notices = []
    for step in STEPS[:steps]:
        step(provider, page)
        notices.append(provider.notice(page))
        if data.draw(st.booleans(), label="early"):  # of those told so far, any, any number of times
            deliver(transaction, provider, data.draw(st.sampled_from(notices)))
    arriving = data.draw(st.permutations(notices * 2).map(lambda all_: all_[: len(all_) // 2]))
    for body, headers in arriving:
        with pytest.raises(BadSignature):
            deliver(transaction, provider, (body + b" ", headers))
        deliver(transaction, provider, (body, headers))
    # What was lost is asked for: pages by each round, what was paid before by the weekly one.
    later = NOW + timedelta(minutes=5)
    caught = provider_events.catch_up(
        transaction, provider, TODAY, lambda: later, look_back=timedelta(days=60)
    )
    assert caught.failed == 0
    assert state(transaction, other) == state(transaction, measured)
    with transaction() as session:
        assert session.scalars(select(ProviderEvent.id).where(ProviderEvent.handled_at.is_(None))).all() == []


def test_clicks_at_the_same_moment_open_one_page(transaction, provider):
    account_id = a_late_account(transaction)
    wanted = numbers(transaction, account_id)
    with ThreadPoolExecutor(4) as clicks:
        pages = list(clicks.map(lambda _click: a_page(transaction, provider, account_id, wanted), range(4)))
    assert len(set(pages)) == 1
    assert state(transaction, account_id)["page"] == ["open"]


def test_notices_handled_at_the_same_moment_settle_once(transaction, provider):
    account_id = a_late_account(transaction)
    page = a_page(transaction, provider, account_id, numbers(transaction, account_id))
    provider.accept(page, TODAY)
    due = whole(provider, page).cents
    with ThreadPoolExecutor(4) as workers:
        list(
            workers.map(
                lambda _worker: checkout.learn(transaction, provider, page, TODAY, lambda: NOW), range(4)
            )
        )
    assert state(transaction, account_id)["money"] == [due]
    assert events_of(transaction, account_id).count("account.restored") == 1


def test_a_contested_amount_that_comes_back_is_money_received(transaction, provider):
    account_id = a_late_account(transaction)
    page = a_page(transaction, provider, account_id, numbers(transaction, account_id))
    provider.accept(page, TODAY)
    deliver(transaction, provider, provider.notice(page))
    settled = state(transaction, account_id)
    provider.give_back(page, "litige", whole(provider, page), "chargeback", TODAY)
    deliver(transaction, provider, provider.notice(page))
    assert state(transaction, account_id)["suspended"]
    outcome = provider.fetch(page)
    won = replace(outcome, back=(replace(outcome.back[0], regained_on=TODAY),))
    for _again in range(2):
        with transaction() as session:
            checkout.apply(session, provider.name, won, TODAY, NOW)
    assert state(transaction, account_id)["left"] == settled["left"] == [0, 0, 0, 0]
    assert not state(transaction, account_id)["suspended"]


def test_a_payment_of_another_system_changes_nothing(transaction, provider):
    account_id = a_late_account(transaction)
    before = state(transaction, account_id)
    with transaction() as session:
        stranger = Outcome("somebody-else", "demo_x", "paid", "demo_x", Money(5_000), TODAY)
        assert not checkout.apply(session, provider.name, stranger, TODAY, NOW)
    assert state(transaction, account_id) == before


def test_a_notice_that_cannot_be_handled_waits_and_keeps_no_other(transaction, provider, monkeypatch):
    first, second = a_late_account(transaction), a_late_account(transaction)
    pages = [a_page(transaction, provider, each, numbers(transaction, each)) for each in (first, second)]
    for page in pages:
        provider.accept(page, TODAY)
        body, headers = provider.notice(page)
        with transaction() as session:
            notice = provider.verify_webhook(body, headers, {})
            provider_events.keep(session, provider.name, notice, body, NOW)
    fetch = provider.fetch

    def silent_about_the_first(reference: str) -> Outcome:
        if reference == pages[0]:
            raise ProviderUnavailable("timed out")
        return fetch(reference)

    monkeypatch.setattr(provider, "fetch", silent_about_the_first)
    done = provider_events.handle_waiting(transaction, provider, TODAY, lambda: NOW)
    assert (done.handled, done.failed) == (1, 1)
    assert state(transaction, first)["suspended"]
    assert not state(transaction, second)["suspended"]
    with transaction() as session:
        waiting = session.scalars(select(ProviderEvent).where(ProviderEvent.handled_at.is_(None))).one()
        assert (waiting.attempts, waiting.last_error) == (1, "ProviderUnavailable: timed out")
    monkeypatch.setattr(provider, "fetch", fetch)
    assert provider_events.handle_waiting(transaction, provider, TODAY, lambda: NOW).handled == 1
    assert not state(transaction, first)["suspended"]


@pytest.mark.parametrize("point", POINTS)
def test_killed_between_payment_and_restoration_it_is_restored_after_the_restart_and_once(
    transaction, provider, engine_url, point
):
    account_id = a_late_account(transaction)
    page = a_page(transaction, provider, account_id, numbers(transaction, account_id))
    provider.accept(page, TODAY)
    body, headers = provider.notice(page)
    with transaction() as session:
        notice = provider.verify_webhook(body, headers, {})
        provider_events.keep(session, provider.name, notice, body, NOW)
    command = [sys.executable, "-m", "tests.support.killable_notices", engine_url]
    command += [str(provider.folder), KEY, TODAY.isoformat()]
    assert subprocess.run([*command, point], check=False).returncode == 9
    is_over = point == "after_commit"
    assert state(transaction, account_id)["suspended"] is not is_over  # all of it, or nothing of it
    assert (sum(state(transaction, account_id)["left"]) == 0) is is_over
    for _restart in range(2):
        assert subprocess.run(command, check=False).returncode == 0
    final = state(transaction, account_id)
    assert (final["left"], final["suspended"], final["page"]) == ([0] * 4, False, ["done"])
    assert events_of(transaction, account_id).count("account.restored") == 1
    assert events_of(transaction, account_id).count("payment.received") == 1


# ── Charges ──────────────────────────────────────────────────────────────────────────────────────────────────────


def a_card(transaction, account_id, choice: str = "valid", **more: Any) -> None:
    """Given on the provider's page, and primary since."""
    saved = SavedMethod("card", f"card_{choice}_x", "demo_customer", "Visa •••• 4242", "4242", **more)
    with transaction() as session:
        method = payment_methods.add(
            session,
            account_id,
            saved.kind,
            saved.label,
            NOW,
            CLAIRE,
            state="active",
            provider="demo",
            provider_customer=saved.customer,
            provider_reference=saved.reference,
            expires_on=saved.expires_on,
        )
        payment_methods.make_primary(session, method, NOW, CLAIRE)


def charge(transaction, provider, on: date = TODAY, **more: Any) -> charges.Report:
    return charges.run(transaction, provider, on, lambda: noon(on), lambda _key: "http://localhost", **more)


def test_what_is_due_is_taken_from_the_card_and_the_sites_come_back(transaction, provider):
    account_id = a_late_account(transaction)
    a_card(transaction, account_id)
    assert charge(transaction, provider) == charges.Report(paid=4)
    assert state(transaction, account_id)["left"] == [0] * 4
    assert not state(transaction, account_id)["suspended"]
    assert charge(transaction, provider) == charges.Report()
    with transaction() as session:
        rows = session.scalars(select(Collection).where(Collection.account_id == account_id)).all()
        assert {row.state for row in rows} == {"settled"}
        assert set(session.scalars(select(Payment.method))) == {"card"}


def test_an_invoice_is_not_taken_before_its_due_date(transaction, provider):
    with transaction() as session:
        signed = builders.a_subscription(session, starts_on=START, billed_through=START)
        invoice = session.scalars(select(Invoice).where(Invoice.account_id == signed.account_id)).one()
        due_on, account_id = invoice.due_on, signed.account_id
    a_card(transaction, account_id)
    assert charge(transaction, provider, due_on - timedelta(days=1)) == charges.Report()
    assert charge(transaction, provider, due_on) == charges.Report(paid=1)


def test_without_money_on_the_account_it_is_tried_once_more_a_week_later(transaction, provider):
    account_id = a_late_account(transaction)
    a_card(transaction, account_id, "without-funds")
    assert charge(transaction, provider) == charges.Report(refused=4)
    assert charge(transaction, provider) == charges.Report()  # not every day
    with transaction() as session:
        planned = session.scalars(select(Collection).where(Collection.state == "planned")).all()
        assert [row.attempt for row in planned] == [2, 2, 2, 2]
        again = planned[0].requested_on
        assert again >= TODAY + timedelta(days=7)
    assert charge(transaction, provider, again) == charges.Report(refused=4)
    assert charge(transaction, provider, again + timedelta(days=30)) == charges.Report()
    assert state(transaction, account_id)["suspended"]


def test_a_card_past_its_month_is_not_tried_and_invoices_ask_for_a_transfer(transaction, provider):
    account_id = a_late_account(transaction)
    a_card(transaction, account_id, expires_on=TODAY)
    assert charge(transaction, provider) == charges.Report()
    with transaction() as session:
        assert session.scalars(select(PaymentMethod.state)).all() == ["expired"]
        assert session.get_one(BillingDetails, account_id).payment_method == "transfer"
        assert session.scalar(select(func.count()).select_from(Collection)) == 0


def test_a_new_card_is_tried_for_what_the_former_one_did_not_pay(transaction, provider):
    account_id = a_late_account(transaction)
    a_card(transaction, account_id, "without-funds")
    charge(transaction, provider)
    a_card(transaction, account_id)
    assert charge(transaction, provider) == charges.Report(paid=4)
    assert state(transaction, account_id)["left"] == [0] * 4


def test_a_charge_that_is_given_back_reopens_its_invoice(transaction, provider):
    account_id = a_late_account(transaction)
    a_card(transaction, account_id)
    charge(transaction, provider)
    with transaction() as session:
        collection = session.scalars(select(Collection).order_by(Collection.id)).first()
        reference, cents = collection.provider_reference, collection.amount_cents
    provider.give_back(reference, "litige", Money(cents), "chargeback", TODAY)
    for _twice in range(2):
        deliver(transaction, provider, provider.notice(reference))
    assert state(transaction, account_id)["left"] == [cents, 0, 0, 0]
    with transaction() as session:
        first = session.scalars(select(Collection).order_by(Collection.id)).first()
        assert (first.state, first.reason_code) == ("refunded", "chargeback")


class Killed(BaseException):
    """The process ends here."""


class Forgetful(DemoProvider):
    """Its idempotency keys are forgotten: asked twice, it charges twice. A crash may last longer than a day."""

    charged = 0

    def charge(self, asked: AskedCharge) -> Outcome:
        self.charged += 1
        if self.charged > 1:
            raise AssertionError("the card was charged twice")
        return super().charge(asked)


@pytest.mark.parametrize("point", ["sent", "charged", "before_commit", "after_commit"])
def test_a_charge_whose_answer_was_lost_is_looked_up_before_it_is_asked_again(transaction, tmp_path, point):
    with transaction() as session:
        account_id = builders.a_subscription(session, starts_on=START, billed_through=START).account_id
    a_card(transaction, account_id)
    provider = Forgetful(tmp_path / "demo", [KEY])

    def reached(name: str) -> None:
        if name == point:
            raise Killed

    with pytest.raises(Killed):
        charge(transaction, provider, reached=reached)
    for _restart in range(2):
        charge(transaction, provider)
    assert provider.charged == 1
    assert state(transaction, account_id)["left"] == [0]


def test_a_provider_that_does_not_answer_leaves_the_charge_to_the_next_run(
    transaction, provider, monkeypatch
):
    account_id = a_late_account(transaction)
    a_card(transaction, account_id)

    def silent(_asked: AskedCharge) -> Outcome:
        raise ProviderUnavailable("timed out")

    monkeypatch.setattr(provider, "charge", silent)
    assert charge(transaction, provider) == charges.Report(unsure=4)
    monkeypatch.undo()
    assert charge(transaction, provider) == charges.Report(paid=4)


def test_what_is_announced_by_transfer_is_left_alone_until_that_has_run_out(transaction, provider):
    account_id = a_late_account(transaction)
    a_card(transaction, account_id)
    wanted = numbers(transaction, account_id)[:1]
    with transaction() as session:
        until = transfers.announce(session, account_id, wanted, TODAY, NOW, CLAIRE)
    assert charge(transaction, provider) == charges.Report(paid=3)
    assert charge(transaction, provider, until) == charges.Report()
    assert charge(transaction, provider, until + timedelta(days=1)) == charges.Report(paid=1)
