"""What keeps a document from being issued: one fact per field to mend, and sums right to the cent."""

from dataclasses import replace

import pytest

from tests.support.documents import (
    BUYER,
    DIRECT_DEBIT,
    DUTCH_BUYER,
    REDUCED,
    SELLER,
    TRANSFER,
    a_document,
    a_line,
)
from webapp.domain.einvoice import Problem, channel_for, endpoint_for, problems
from webapp.domain.money import euros
from webapp.domain.vat import FRANCHISE, REVERSE_CHARGE


def test_a_right_document_has_no_problem():
    assert problems(a_document()) == ()
    assert problems(a_document([a_line("79.00"), a_line("12.35", vat=REDUCED)])) == ()
    assert problems(a_document([a_line("-39.50")])) == ()
    assert problems(a_document([a_line("79.00", vat=REVERSE_CHARGE)], buyer=DUTCH_BUYER)) == ()
    assert problems(a_document([a_line("79.00", vat=FRANCHISE)])) == ()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"buyer": replace(BUYER, street=" ")}, Problem("buyer", "street", "missing")),
        ({"buyer": replace(BUYER, city="Liège\x07")}, Problem("buyer", "city", "unprintable")),
        (
            {"buyer": replace(BUYER, wrong_numbers=frozenset({"vat_number"}))},
            Problem("buyer", "vat_number", "wrong_number"),
        ),
        ({"buyer": replace(BUYER, endpoint=None)}, Problem("buyer", "enterprise_number", "missing")),
        ({"seller": replace(SELLER, vat_number=None)}, Problem("seller", "vat_number", "missing")),
        ({"buyer_reference": ""}, Problem("buyer", "buyer_reference", "missing")),
        ({"means": DIRECT_DEBIT._replace(mandate="")}, Problem("buyer", "payment_reference", "missing")),
        ({"means": DIRECT_DEBIT._replace(creditor_id="")}, Problem("seller", "creditor_id", "missing")),
        ({"means": TRANSFER._replace(iban="")}, Problem("seller", "iban", "missing")),
        ({"prepaid": euros("500.00")}, Problem("document", "prepaid", "not_allowed")),
        ({"kind": "credit_note"}, Problem("document", "kind", "not_allowed")),
    ],
    ids=lambda value: f"{value.subject} {value.field}" if isinstance(value, Problem) else "",
)
def test_each_thing_to_mend_is_named(change, problem):
    assert problems(a_document(**change)) == (problem,)


def test_a_cent_of_vat_too_much_is_a_problem_though_the_official_rules_take_it():
    document = a_document()
    group = document.groups[0]
    wrong = replace(
        document,
        groups=(group._replace(vat=group.vat + euros("0.01")),),
        vat=document.vat + euros("0.01"),
        total=document.total + euros("0.01"),
    )
    assert {problem.field for problem in problems(wrong)} == {"vat_breakdown", "vat"}


def test_vat_is_rounded_once_per_rate_and_not_per_line():
    document = a_document([a_line("1.45")] * 4)
    assert document.vat == euros("1.22")
    assert problems(document) == ()


def test_reverse_charge_asks_for_a_vat_number_of_another_country():
    lines = [a_line("79.00", vat=REVERSE_CHARGE)]
    assert problems(a_document(lines)) == (Problem("buyer", "vat_treatment", "not_allowed"),)
    without = replace(DUTCH_BUYER, vat_number=None)
    assert problems(a_document(lines, buyer=without)) == (Problem("buyer", "vat_number", "missing"),)


def test_a_consumer_needs_no_address_on_peppol():
    consumer = replace(BUYER, vat_number=None, enterprise_number=None, endpoint=None)
    assert problems(a_document(buyer=consumer, channel="mail")) == ()


def test_the_channel_follows_the_law():
    assert channel_for("business", "BE", False) == "peppol"
    assert channel_for("business", "FR", False) == "mail"
    assert channel_for("business", "FR", True) == "peppol"
    assert channel_for("consumer", "BE", False) == "mail"


def test_the_address_on_peppol_is_the_one_given_or_made_of_a_number():
    assert endpoint_for("0009:12345678900012", "FR", None, "FR40303265045") == ("0009", "12345678900012")
    assert endpoint_for(None, "BE", None, "BE0876543270") is None
    assert endpoint_for(None, "LU", None, "LU26375245") == ("9938", "LU26375245")
