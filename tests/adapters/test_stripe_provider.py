"""The Stripe adapter: charges, refusals and signed notices against localstripe, a process of its own; the page of a
Checkout Session, Bancontact and disputes, which it has not, against a Stripe of our own."""

import hashlib
import hmac
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
import requests
from flask import Flask, request
from werkzeug.serving import make_server

from tests.support.fake_stripe import FakeStripe
from webapp.adapters.payment_provider import (
    AskedCharge,
    AskedPayment,
    AskedRefund,
    AskedSetUp,
    BadSignature,
    Payer,
    ProviderUnavailable,
    ReferenceUnknown,
    Way,
)
from webapp.adapters.stripe_provider import StripeProvider
from webapp.domain.money import Money

WAY = Way("https://p.example/back", "https://p.example/up", "https://p.example/webhooks/stripe")
PAYER = Payer("CA-1", "Brasserie du Parc SRL", "compta@exemple.example", "fr")
TODAY = date(2026, 11, 16)
SECRET, FORMER = "whsec_present", "whsec_former"


def serving(app) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def stripe():
    return FakeStripe()


@pytest.fixture
def provider(stripe):
    for url in serving(stripe.app):
        yield StripeProvider("sk_test_1", [SECRET, FORMER], url)


# ── The page ─────────────────────────────────────────────────────────────────────────────────────────────────────


def pay_page(provider, key="pay-1"):
    return provider.start_payment(AskedPayment(key, PAYER, Money(18_755), "CentralApp F2026-1", WAY))


def test_a_payment_from_its_page_to_the_money(provider, stripe):
    opened = pay_page(provider)
    assert pay_page(provider) == opened  # the same key is the same page
    asked = stripe.things[opened.reference]
    assert asked["line_items"]["0"]["price_data"]["unit_amount"] == "18755"
    assert asked["allowed_payment_method_types"] == {"0": "card", "1": "bancontact"}
    before = provider.fetch(opened.reference)
    assert (before.state, before.key, before.paid, before.address) == ("open", "pay-1", None, opened.address)
    stripe.pay(opened.reference)
    paid = provider.fetch(opened.reference)
    assert (paid.state, paid.paid, paid.paid_on) == ("paid", Money(18_755), TODAY)
    # A notice about the payment itself leads to the same outcome.
    same = provider.fetch(paid.payment)
    assert (same.key, same.payment, same.paid) == (paid.key, paid.payment, paid.paid)


def test_a_page_that_nobody_used_is_closed(provider, stripe):
    opened = pay_page(provider)
    provider.abandon(opened.reference)
    provider.abandon(opened.reference)
    assert provider.fetch(opened.reference).state == "expired"


@pytest.mark.parametrize("status", ["warning_needs_response", "needs_response", "lost", "won"])
def test_a_dispute_takes_the_money_unless_it_is_only_a_question(provider, stripe, status):
    opened = pay_page(provider)
    stripe.pay(opened.reference)
    stripe.dispute(provider.fetch(opened.reference).payment, status)
    back = provider.fetch(opened.reference).back
    if status.startswith("warning"):
        assert back == ()
    else:
        assert [(each.amount, each.reason) for each in back] == [(Money(18_755), "chargeback")]
        assert back[0].regained_on == (date(2026, 12, 16) if status == "won" else None)


def test_a_card_is_given_for_later(provider, stripe):
    opened = provider.start_setup(AskedSetUp("set_up-1", PAYER, "card", Money(0), "CentralApp", WAY))
    stripe.pay(opened.reference)
    given = provider.fetch(opened.reference)
    assert (given.state, given.paid) == ("paid", None)
    assert (given.saved.kind, given.saved.label) == ("card", "Visa •••• 4242")
    assert given.saved.expires_on == date(2028, 1, 1)


def test_bancontact_is_kept_as_the_mandate_that_it_creates(provider, stripe):
    opened = provider.start_setup(AskedSetUp("set_up-2", PAYER, "bancontact", Money(0), "CentralApp", WAY))
    stripe.pay(opened.reference, "bancontact")
    saved = provider.fetch(opened.reference).saved
    assert (saved.kind, saved.label, saved.mandate) == ("direct_debit", "BE •••• 6769", "ABC123")
    assert stripe.things[saved.reference]["type"] == "sepa_debit"


def test_a_charge_whose_answer_was_lost_is_found_by_its_key(provider, stripe):
    opened = provider.start_payment(
        AskedPayment("F2026-00001", Payer("CA-1", "x", "x@y.example", "fr", "cus_9"), Money(5_929), "x", WAY)
    )
    stripe.pay(opened.reference)
    payer = Payer("CA-1", "x", "x@y.example", "fr", "cus_9")
    asked = AskedCharge("F2026-00001", payer, Money(5_929), "x", "pm_1", TODAY, "")
    assert provider.find_charge(asked).paid == Money(5_929)
    other = AskedCharge("F2026-00002", payer, Money(5_929), "x", "pm_1", TODAY, "")
    assert provider.find_charge(other) is None


# ── Notices ──────────────────────────────────────────────────────────────────────────────────────────────────────


def signed(body: bytes, secret: str = SECRET, at: float | None = None) -> dict[str, str]:
    moment = int(at if at is not None else time.time())
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={moment},v1={digest}"}


def an_event(kind: str, told: dict[str, object]) -> bytes:
    return json.dumps({"id": "evt_1", "object": "event", "type": kind, "data": {"object": told}}).encode()


@pytest.mark.parametrize(
    ("told", "names"),
    [
        ({"object": "checkout.session", "id": "cs_1"}, "cs_1"),
        ({"object": "payment_intent", "id": "pi_1"}, "pi_1"),
        ({"object": "charge", "id": "ch_1", "payment_intent": "pi_1"}, "pi_1"),
        ({"object": "refund", "id": "re_1", "payment_intent": "pi_1"}, "pi_1"),
        ({"object": "dispute", "id": "dp_1", "payment_intent": "pi_1"}, "pi_1"),
        ({"object": "customer", "id": "cus_1"}, None),
    ],
)
def test_a_notice_names_the_payment_that_it_is_about(told, names):
    body = an_event("something.happened", told)
    notice = StripeProvider("sk", [SECRET]).verify_webhook(body, signed(body), {})
    assert (notice.event_id, notice.reference, notice.repeats) == ("evt_1", names, False)


def test_the_former_secret_is_still_believed_and_nothing_else():
    provider = StripeProvider("sk", [SECRET, FORMER])
    body = an_event("x", {"object": "payment_intent", "id": "pi_1"})
    assert provider.verify_webhook(body, signed(body, FORMER), {}).reference == "pi_1"
    replayed = signed(body, at=time.time() - 3600)
    for headers in ({}, signed(body, "whsec_other"), signed(b"{}"), replayed, {"Stripe-Signature": "x"}):
        with pytest.raises(BadSignature):
            provider.verify_webhook(body, headers, {})


# ── localstripe ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def localstripe() -> Iterator[str]:
    """localstripe, started as a separate process (GPL-3: a tool beside us, nothing of the portal)."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).parent / "localstripe"), "--port", str(port), "--from-scratch"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _attempt in range(150):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            time.sleep(0.1)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait()


@pytest.fixture
def local(localstripe):
    return StripeProvider("sk_test_12345", [SECRET], localstripe)


def a_card(local: StripeProvider, number: str) -> AskedCharge:
    customer = local._customer(PAYER, f"card-{number}-{time.time_ns()}")
    card = {"number": number, "exp_month": 12, "exp_year": 2030, "cvc": "123"}
    method = local.client.v1.payment_methods.create({"type": "card", "card": card})
    local.client.v1.payment_methods.attach(method.id, {"customer": customer})
    payer = Payer("CA-1", "x", "x@y.example", "fr", customer)
    return AskedCharge(f"F-{time.time_ns()}", payer, Money(5_929), "F2026-00001", method.id, TODAY, "")


def test_a_card_is_charged_and_refunded(local):
    asked = a_card(local, "4242424242424242")
    charged = local.charge(asked)
    assert (charged.state, charged.key, charged.paid) == ("paid", asked.key, Money(5_929))
    local.refund(AskedRefund(f"refund-{asked.key}", charged.payment, Money(1_000), TODAY))
    told = local.fetch(charged.payment)
    assert (told.key, told.paid) == (asked.key, Money(5_929))
    assert [(each.amount, each.reason) for each in told.back] == [(Money(1_000), "refund")]


def test_a_declined_card_is_an_outcome_and_not_an_error(local):
    outcome = local.charge(a_card(local, "4000000000000341"))
    assert (outcome.state, outcome.failure, outcome.paid) == ("failed", "card_declined", None)


def test_a_bank_that_wants_its_customer_there_refuses_a_charge(local):
    asked = a_card(local, "4000000000003220")
    outcome = local.charge(asked)
    assert (outcome.state, outcome.failure) == ("failed", "authentication_required")
    assert local.fetch(outcome.reference).state == "expired"  # closed: nobody can confirm it later


def test_what_it_does_not_know_and_when_it_does_not_answer(local):
    with pytest.raises(ReferenceUnknown):
        local.fetch("pi_unknown")
    with pytest.raises(ProviderUnavailable):
        StripeProvider("sk_test_12345", [SECRET], "http://127.0.0.1:9").fetch("pi_1")


def test_its_own_signed_notices_are_believed(local, localstripe):
    """localstripe posts to us what it signed."""
    received: list[tuple[bytes, dict[str, str]]] = []
    app = Flask("receiver")

    @app.post("/webhooks/stripe")
    def receive() -> str:
        received.append((request.get_data(), dict(request.headers)))
        return ""

    for url in serving(app):
        config = {"url": f"{url}/webhooks/stripe", "secret": SECRET}
        requests.post(f"{localstripe}/_config/webhooks/portal", json=config, timeout=5).raise_for_status()
        charged = local.charge(a_card(local, "4242424242424242"))
        for _attempt in range(100):
            notices = [local.verify_webhook(body, headers, {}) for body, headers in received]
            if charged.payment in [notice.reference for notice in notices]:
                break
            time.sleep(0.05)
    assert charged.payment in [notice.reference for notice in notices]
