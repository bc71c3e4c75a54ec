"""Amounts and dates as people read them: Babel's, cached, but for what Babel does not know."""

from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from babel.dates import format_date
from babel.numbers import format_currency
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from webapp import filters
from webapp.domain.money import Money
from webapp.domain.periods import Period
from webapp.i18n import FORMATS, LANGUAGES, date_text
from webapp.templating import make_environment

NARROW, HARD = "\u202f", "\u00a0"
languages = st.sampled_from(sorted(LANGUAGES))
days = st.dates(date(1990, 1, 1), date(2120, 12, 31))


@settings(max_examples=2000, deadline=None)
@given(cents=st.integers(0, 10**12), currency=st.sampled_from(["EUR", "CHF", "USD"]), language=languages)
def test_amounts_are_those_of_babel_to_the_cent(cents: int, currency: str, language: str) -> None:
    expected = format_currency(Decimal(cents) / 100, currency, locale=FORMATS[language])
    assert filters.money(cents, language, currency) == expected
    assert filters.money(Money(cents, currency), language) == expected
    if cents:
        assert filters.signed_money(cents, language, currency).lstrip("+" + HARD) == expected
        assert filters.money(-cents, language, currency).lstrip("−" + HARD) == expected


@settings(max_examples=2000, deadline=None)
@given(day=days, language=languages, pattern=st.sampled_from(["long", "medium", "d MMMM", "EEEE d MMMM y"]))
def test_dates_are_those_of_babel_but_for_the_first_of_the_month_in_french(
    day: date, language: str, pattern: str
) -> None:
    expected = format_date(day, pattern, FORMATS[language])
    if language == "fr" and day.day == 1:
        expected = expected.replace("1 ", "1er ", 1)
    assert date_text(day, language, pattern) == expected


@pytest.mark.parametrize(
    ("cents", "fr", "nl", "en"),
    [
        (123450, f"1{NARROW}234,50{HARD}€", f"€{HARD}1.234,50", "€1,234.50"),
        (-3950, f"−{HARD}39,50{HARD}€", f"−{HARD}€{HARD}39,50", "−€39.50"),
        (0, f"0,00{HARD}€", f"€{HARD}0,00", "€0.00"),
    ],
)
def test_an_amount_follows_the_readers_habits(cents: int, fr: str, nl: str, en: str) -> None:
    assert [filters.money(cents, language) for language in ("fr", "nl", "en")] == [fr, nl, en]


def test_what_is_added_has_its_sign_and_nothing_has_none() -> None:
    assert filters.signed_money(2400, "fr") == f"+{HARD}24,00{HARD}€"
    assert filters.signed_money(-1200, "fr") == f"−{HARD}12,00{HARD}€"
    assert filters.signed_money(0, "fr") == f"0,00{HARD}€"


def test_rates_are_read_from_the_text_of_the_invoice() -> None:
    assert [filters.percent(rate, "fr") for rate in ("21", "5.5", "0")] == [
        f"21{HARD}%",
        f"5,5{HARD}%",
        f"0{HARD}%",
    ]
    assert filters.percent("21", "nl") == filters.percent(Decimal(21), "en") == "21%"


def test_the_first_of_the_month_is_raised_on_a_page_and_plain_elsewhere() -> None:
    first = date(2026, 3, 1)
    assert filters.date_long(first, "fr") == Markup("1<sup>er</sup> mars 2026")
    assert date_text(first, "fr") == "1er mars 2026"
    assert filters.short_date(date(2026, 11, 1), "fr") == Markup("1<sup>er</sup> nov. 2026")
    assert filters.date_long(date(2026, 11, 11), "fr") == "11 novembre 2026"
    assert filters.date_long(first, "nl") == "1 maart 2026"
    assert filters.date_long(first, "en") == "1 March 2026"
    assert filters.month(first, "fr") == "mars 2026"


@pytest.mark.parametrize(
    ("start", "end", "fr", "nl", "en"),
    [
        (
            date(2026, 11, 1),
            date(2026, 12, 1),
            "du 1er au 30 novembre 2026",
            "van 1 tot en met 30 november 2026",
            "from 1 to 30 November 2026",
        ),
        (
            date(2026, 11, 16),
            date(2027, 2, 16),
            "du 16 novembre 2026 au 15 février 2027",
            "van 16 november 2026 tot en met 15 februari 2027",
            "from 16 November 2026 to 15 February 2027",
        ),
        (
            date(2026, 3, 31),
            date(2026, 4, 30),
            "du 31 mars au 29 avril 2026",
            "van 31 maart tot en met 29 april 2026",
            "from 31 March to 29 April 2026",
        ),
        (date(2026, 3, 1), date(2026, 3, 2), "le 1er mars 2026", "op 1 maart 2026", "on 1 March 2026"),
    ],
)
def test_a_period_is_shown_with_its_last_day_included(
    start: date, end: date, fr: str, nl: str, en: str
) -> None:
    period = Period(start, end)
    assert [filters.period_text(period, language) for language in ("fr", "nl", "en")] == [fr, nl, en]
    assert filters.period(start, "fr", end) == Markup(fr.replace("1er", "1<sup>er</sup>"))


def test_a_mail_has_plain_words_where_a_page_has_markup() -> None:
    source = "{{ day|date }} / {{ period|period }} / {{ day|short_date }}"
    values = {"day": date(2026, 3, 1), "period": Period(date(2026, 3, 1), date(2026, 4, 1))}
    page = make_environment("fr", markup=True).from_string(source).render(values)
    mail = make_environment("fr", markup=False).from_string(source).render(values)
    assert page == ("1<sup>er</sup> mars 2026 / du 1<sup>er</sup> au 31 mars 2026 / 1<sup>er</sup> mars 2026")
    assert mail == "1er mars 2026 / du 1er au 31 mars 2026 / 1er mars 2026"


def test_a_moment_says_the_hour_of_its_own_zone() -> None:
    moment = datetime(2026, 11, 16, 14, 2, tzinfo=ZoneInfo("Europe/Brussels"))
    assert filters.moment(moment, "fr") == "16 novembre 2026 à 14:02"
    assert filters.moment(moment, "nl") == "16 november 2026 om 14:02"
    assert filters.moment(moment, "en") == "16 November 2026 at 14:02"


def test_numbers_people_read_aloud_are_grouped_as_they_say_them() -> None:
    assert filters.vat_number("BE0876543270") == f"BE{HARD}0876.543.270"
    assert filters.vat_number("FR40303265045") == f"FR{HARD}40303265045"
    assert filters.iban("BE68539007547034") == f"BE68{HARD}5390{HARD}0754{HARD}7034"
    assert filters.iban_masked("BE68 5390 0754 7034") == f"BE68{HARD}5390{HARD}••••{HARD}7034"
    assert [filters.ordinal(rank, "fr") for rank in (1, 6)] == ["1<sup>er</sup>", "6<sup>e</sup>"]
    assert [filters.ordinal(rank, "en") for rank in (1, 2, 3, 6, 11, 22)] == [
        "1st",
        "2nd",
        "3rd",
        "6th",
        "11th",
        "22nd",
    ]
    assert [filters.initials(name) for name in ("Brasserie du Parc", "le petit", "", "Café")] == [
        "BP",
        "LP",
        "",
        "C",
    ]
