"""When a mandate dies, what it is called, when a card stops: rules that need no app (D1, D2)."""

import re
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.domain.payment_methods import (
    MandateLife,
    announcements_due,
    card_stops_on,
    is_amendment,
    notice_days,
    reference_of_mandate,
    same_debtor,
    sequence,
)

days = st.dates(date(2020, 1, 1), date(2040, 12, 31))


@given(signed=days, used=st.none() | days, today=days)
def test_a_mandate_lives_36_months_from_its_latest_collection(signed, used, today):
    life = MandateLife(signed, used)
    since = used or signed
    assert (life.dead_on.year - since.year) * 12 + life.dead_on.month - since.month == 36
    assert life.is_dead(today) == (today >= life.dead_on)


def test_only_the_first_collection_is_said_to_be_the_first():
    assert (sequence(None), sequence(date(2026, 3, 1))) == ("FRST", "RCUR")


@given(account=st.text(min_size=1, max_size=60), number=st.integers(1, 120))
def test_a_reference_is_letters_and_digits_that_every_bank_takes(account, number):
    assert re.fullmatch(r"[A-Z0-9]{3,35}", reference_of_mandate(account, number))


@given(account=st.from_regex(r"CA-\d{5}", fullmatch=True), one=st.integers(1, 150), other=st.integers(1, 150))
def test_two_mandates_never_share_a_reference(account, one, other):
    assert (reference_of_mandate(account, one) == reference_of_mandate(account, other)) == (one == other)


@given(agreed=st.integers(1, 14), term=st.integers(0, 90))
def test_the_notice_fits_between_the_invoice_and_its_due_date(agreed, term):
    assert 1 <= notice_days(agreed, term) <= agreed
    assert notice_days(agreed, term) <= max(term, 1)


@pytest.mark.parametrize(
    ("is_usable", "is_same_debtor", "is_same_account", "amends"),
    [
        (True, True, False, True),  # the same holder moves to another bank
        (True, True, True, False),  # nothing to change
        (True, False, False, False),  # another holder
        (False, True, False, False),  # refused by the bank: a new one
    ],
)
def test_who_may_go_on_with_the_same_mandate(is_usable, is_same_debtor, is_same_account, amends):
    assert is_amendment(is_usable, is_same_debtor, is_same_account) is amends


def test_a_holder_is_the_same_whatever_capitals_and_spaces():
    assert same_debtor("Parc  Horeca SRL", " PARC HORECA srl ")
    assert not same_debtor("Parc Horeca SRL", "Claire Janssens")


@given(year=st.integers(2020, 2040), month=st.integers(1, 12))
def test_a_card_is_good_until_the_last_day_of_its_month(year, month):
    last_day = card_stops_on(year, month) - timedelta(days=1)
    assert (last_day.year, last_day.month) == (year, month)
    assert card_stops_on(year, month).day == 1


@given(stops_on=days, before=st.integers(-40, 60))
def test_an_end_is_announced_before_it_comes_and_never_after(stops_on, before):
    today = stops_on - timedelta(days=before)
    due = announcements_due(stops_on, today, (30, 7))
    assert due == tuple(step for step in (7, 30) if 0 < before <= step)
