"""The Mollie adapter against a Mollie of our own, over HTTP."""

import threading
from datetime import date
from urllib.parse import parse_qsl, urlsplit

import pytest
from werkzeug.serving import make_server

from tests.support.fake_mollie import FakeMollie
from webapp.adapters.mollie_provider import MollieProvider
from webapp.adapters.payment_provider import (
    AskedCharge,
    AskedPayment,
    AskedRefund,
    AskedSetUp,
    BadSignature,
    Payer,
    ProviderRefused,
    ProviderUnavailable,
    ReferenceUnknown,
    Way,
)
from webapp.domain.money import Money

WAY = Way("https://p.example/back", "https://p.example/back", "https://p.example/webhooks/mollie")
PAYER = Payer("CA-1", "Brasserie du Parc SRL", "compta@exemple.example", "fr")
TODAY = date(2026, 11, 16)


@pytest.fixture
def mollie():
    fake = FakeMollie()
    server = make_server("127.0.0.1", 0, fake.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}"
    yield fake
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def provider(mollie):
    return MollieProvider("test_key", ["present secret", "former secret"], mollie.url)


def pay_page(provider, key="pay-1", cents=18_755):
    return provider.start_payment(AskedPayment(key, PAYER, Money(cents), "CentralApp F2026-1", WAY))


def a_card(provider, mollie, kind="card"):
    cost = Money(provider.capabilities.set_up_cents[kind])
    opened = provider.start_setup(AskedSetUp(f"set_up-{kind}", PAYER, kind, cost, "CentralApp", WAY))
    mollie.pay(opened.reference, "creditcard" if kind == "card" else "bancontact")
    return provider.fetch(opened.reference)


def charge(provider, saved, key="F2026-00001"):
    payer = Payer("CA-1", "x", "x@y.example", "fr", customer=saved.customer)
    return AskedCharge(key, payer, Money(5_929), key, saved.reference, TODAY, WAY.notices_to)


def test_a_payment_from_its_page_to_the_money(provider, mollie):
    opened = pay_page(provider)
    assert opened.address == f"https://www.mollie.test/checkout/{opened.reference}"
    assert mollie.payments[opened.reference]["amount"] == {"currency": "EUR", "value": "187.55"}
    before = provider.fetch(opened.reference)
    assert (before.state, before.key, before.paid, before.address) == ("open", "pay-1", None, opened.address)
    mollie.pay(opened.reference)
    paid = provider.fetch(opened.reference)
    assert (paid.state, paid.paid, paid.payment) == ("paid", Money(18_755), opened.reference)
    assert paid.paid_on == date(2026, 11, 17)  # half past midnight in Brussels
    assert paid.saved is None


def test_the_same_key_is_the_same_page(provider, mollie):
    assert pay_page(provider) == pay_page(provider)
    assert len(mollie.payments) == 1
    assert mollie.asked["pay-1"] == 2


def test_a_card_is_saved_for_nothing_and_charged_later(provider, mollie):
    given = a_card(provider, mollie)
    assert (given.state, given.paid) == ("paid", None)
    saved = given.saved
    assert (saved.kind, saved.label, saved.last_four) == ("card", "Visa •••• 4242", "4242")
    assert saved.expires_on == date(2028, 1, 1)
    outcome = provider.charge(charge(provider, saved))
    assert (outcome.state, outcome.key, outcome.paid) == ("paid", "F2026-00001", Money(5_929))
    assert provider.charge(charge(provider, saved)).payment == outcome.payment


def test_bancontact_costs_two_cents_and_leaves_a_mandate_that_the_bank_answers_later(provider, mollie):
    given = a_card(provider, mollie, "bancontact")
    assert given.paid == Money(2)
    saved = given.saved
    assert (saved.kind, saved.label, saved.mandate) == ("direct_debit", "BE71 •••• 6769", "500-0050-1234")
    assert saved.signed_on == TODAY
    waiting = provider.charge(charge(provider, saved))
    assert (waiting.state, waiting.paid) == ("pending", None)
    mollie.fail(waiting.reference, bankReasonCode="AM04")
    refused = provider.fetch(waiting.reference)
    assert (refused.state, refused.failure) == ("failed", "AM04")


@pytest.mark.parametrize(
    ("said", "means"),
    [
        ("insufficient_funds", "insufficient_funds"),
        ("card_expired", "expired_card"),
        ("possible_fraud", "card_declined"),
        ("a_word_of_next_year", "card_declined"),
    ],
)
def test_a_refused_charge_says_why_in_shared_words(provider, mollie, said, means):
    saved = a_card(provider, mollie).saved
    mollie.refuses_charges_with = said
    outcome = provider.charge(charge(provider, saved))
    assert (outcome.state, outcome.failure, outcome.paid) == ("failed", means, None)


def test_a_charge_whose_answer_was_lost_is_found_by_its_key(provider, mollie):
    saved = a_card(provider, mollie).saved
    asked = charge(provider, saved)
    assert provider.find_charge(asked) is None
    made = provider.charge(asked)
    assert provider.find_charge(asked) == made


def test_refunds_and_chargebacks_are_told_with_the_payment(provider, mollie):
    opened = pay_page(provider)
    mollie.pay(opened.reference)
    asked = AskedRefund("refund-1", opened.reference, Money(5_000), TODAY)
    assert provider.refund(asked) == provider.refund(asked)
    mollie.charge_back(opened.reference, "100.00")
    told = provider.fetch(opened.reference)
    assert [(each.amount.cents, each.reason) for each in told.back] == [
        (5_000, "refund"),
        (10_000, "chargeback"),
    ]
    assert told.back[1].on == date(2026, 11, 20)


def test_a_page_that_nobody_used_is_closed(provider, mollie):
    opened = pay_page(provider)
    provider.abandon(opened.reference)
    assert provider.fetch(opened.reference).state == "expired"


def test_a_notice_is_believed_by_the_address_that_was_signed_for_it(provider, mollie):
    opened = pay_page(provider)
    given = mollie.payments[opened.reference]["webhookUrl"]
    query = dict(parse_qsl(urlsplit(given).query))
    body = f"id={opened.reference}".encode()
    notice = provider.verify_webhook(body, {}, query)
    assert (notice.reference, notice.repeats) == (opened.reference, True)
    rotated = MollieProvider("test_key", ["newer secret", "present secret"], mollie.url)
    assert rotated.verify_webhook(body, {}, query) == notice
    for wrong in ({}, query | {"for": "pay-2"}, query | {"signature": "0" * 64}):
        with pytest.raises(BadSignature):
            provider.verify_webhook(body, {}, wrong)
    for nonsense in (b"", b"id=a&id=b", b"id=../../x", b"\xff"):
        with pytest.raises(BadSignature):
            provider.verify_webhook(nonsense, {}, query)


def test_errors_are_told_apart(provider, mollie):
    with pytest.raises(ReferenceUnknown):
        provider.fetch("tr_unknown")
    with pytest.raises(ProviderRefused):
        MollieProvider("wrong", ["s"], mollie.url).fetch("tr_1")
    with pytest.raises(ProviderUnavailable):
        MollieProvider("test_key", ["s"], "http://127.0.0.1:9").fetch("tr_1")
