"""How amounts, dates and numbers are written in each language: the filters of the templates.

Each is a plain function of a value and a language, cached, and identical to Babel but for what Babel does not know:
the French "1er", the sign of a credit, and the last day of a half-open period.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Protocol

from babel.dates import format_time
from babel.numbers import format_currency, format_decimal, format_percent
from markupsafe import Markup
from stdnum import iban as iban_number

from webapp.i18n import FORMATS, _, date_text, gettext

MINUS, HARD_SPACE = "\N{MINUS SIGN}", "\N{NO-BREAK SPACE}"
MASK = "••••"


class HasCents(Protocol):
    @property
    def cents(self) -> int: ...
    @property
    def currency(self) -> str: ...


class HasRate(Protocol):
    @property
    def category(self) -> str: ...
    @property
    def percent(self) -> str: ...


class HasEdges(Protocol):
    @property
    def start(self) -> date: ...
    @property
    def end(self) -> date: ...


# ── Amounts ──────────────────────────────────────────────────────────────────────────────────────────────────────


@lru_cache(maxsize=32768)
def _amount(cents: int, currency: str, locale: str) -> str:
    return format_currency(Decimal(cents).scaleb(-2), currency, locale=FORMATS[locale])


@lru_cache(maxsize=32768)
def _signed_amount(cents: int, currency: str, locale: str) -> str:
    if cents == 0:
        return _amount(0, currency, locale)
    sign = "+" if cents > 0 else MINUS
    return sign + ("" if locale == "en" else HARD_SPACE) + _amount(abs(cents), currency, locale)


_are_withheld: ContextVar[bool] = ContextVar("are_withheld", default=False)
WITHHELD = "\N{EM DASH}"


def withhold_amounts(wanted: bool) -> None:
    """Say no amount from here on, in this request: a reseller may keep prices from its clients (R1).

    Amounts are written here and nowhere else, so that a page nobody thought of keeps quiet as well.
    """
    _are_withheld.set(wanted)


@contextmanager
def amounts(*, said: bool) -> Iterator[None]:
    """Inside, amounts are said or withheld whatever the request asks: documents say theirs, mails as their reader may."""
    token = _are_withheld.set(not said)
    try:
        yield
    finally:
        _are_withheld.reset(token)


def money(value: int | HasCents, locale: str, currency: str = "EUR") -> str:
    """1 234,50 € · € 1.234,50 · €1,234.50. Cents, or Money; a credit has its minus in front: − 39,50 €."""
    if _are_withheld.get():
        return WITHHELD
    cents, currency = (value, currency) if isinstance(value, int) else (value.cents, value.currency)
    return _amount(cents, currency, locale) if cents >= 0 else _signed_amount(cents, currency, locale)


def signed_money(value: int | HasCents, locale: str, currency: str = "EUR") -> str:
    """+ 24,00 € or − 39,50 €, for what is added to or taken off a total."""
    if _are_withheld.get():
        return WITHHELD
    cents, currency = (value, currency) if isinstance(value, int) else (value.cents, value.currency)
    return _signed_amount(cents, currency, locale)


@lru_cache(maxsize=1024)
def percent(value: str | int | Decimal, locale: str) -> str:
    """A rate in percent, as text or number: 21 % · 21% · 5,5 %."""
    return format_percent(Decimal(value) / 100, locale=FORMATS[locale], decimal_quantization=False)


# What stands where an invoice says its VAT, alone and with its base; by category, as a rate of zero never says why.
VAT_WORDS = {
    "S": (_("TVA %(rate)s"), _("TVA %(rate)s sur %(base)s")),
    "AE": (_("Autoliquidation"), _("Autoliquidation sur %(base)s")),
    "E": (_("Franchise de taxe"), _("Franchise de taxe sur %(base)s")),
    "EX": (_("Exonéré de TVA"), _("Exonéré de TVA sur %(base)s")),
}
VAT_OTHERWISE = _("Exonéré de TVA"), _("Exonéré de TVA sur %(base)s")


def vat(rate: HasRate, locale: str, base: HasCents | None = None) -> str:
    """TVA 21 % · TVA 21 % sur 103,00 € · Autoliquidation."""
    return _vat_words(rate.category, rate.percent, locale, money(base, locale) if base else "")


@lru_cache(maxsize=8192)
def _vat_words(category: str, percentage: str, locale: str, base: str) -> str:
    alone, with_base = VAT_WORDS.get(category, VAT_OTHERWISE)
    rate = percent(percentage, locale)
    if base:
        return gettext(with_base, locale, rate=rate, base=base)
    return gettext(alone, locale, rate=rate)


@lru_cache(maxsize=1024)
def number(value: int | Decimal, locale: str) -> str:
    return format_decimal(value, locale=FORMATS[locale])


# ── Dates ────────────────────────────────────────────────────────────────────────────────────────────────────────


@lru_cache(maxsize=8192)
def _date_markup(day: date, locale: str, pattern: str) -> str:
    text = date_text(day, locale, pattern)
    if locale == "fr" and "1er" in text:
        return Markup(text.replace("1er", "1<sup>er</sup>", 1))  # nosec B704: built from a date
    return text


def date_long(day: date, locale: str) -> str:
    """1<sup>er</sup> mars 2026, for a page. In a mail's text, a title or an attribute: `date_text`."""
    return _date_markup(day, locale, "long")


def short_date(day: date, locale: str) -> str:
    """1<sup>er</sup> nov. 2026, for tables only."""
    return _date_markup(day, locale, "medium")


def day_and_month(day: date, locale: str) -> str:
    """1<sup>er</sup> décembre, when the year is plain from the page."""
    return _date_markup(day, locale, "d MMMM")


def weekday_date(day: date, locale: str) -> str:
    """lundi 16 novembre 2026"""
    return _date_markup(day, locale, "EEEE d MMMM y")


@lru_cache(maxsize=1024)
def month(day: date, locale: str) -> str:
    """décembre 2026"""
    return date_text(day.replace(day=2), locale, "LLLL y")


@lru_cache(maxsize=512)
def short_month(day: date, locale: str) -> str:
    """déc., for the marks of a timeline."""
    return date_text(day.replace(day=2), locale, "LLL")


@lru_cache(maxsize=512)
def month_letter(day: date, locale: str) -> str:
    """D, for the marks of a timeline on a phone."""
    return date_text(day.replace(day=2), locale, "LLLLL").upper()


def day_before(day: date) -> date:
    """The last day included, from the first day that is not."""
    return day - timedelta(days=1)


def moment(instant: datetime, locale: str) -> str:
    """16 novembre 2026 à 14:02, as the given datetime's own zone says; plain text."""
    return gettext(
        "%(date)s à %(time)s",
        locale,
        date=date_text(instant.date(), locale),
        time=format_time(instant, "HH:mm", locale=FORMATS[locale]),
    )


@lru_cache(maxsize=4096)
def _period(start: date, end: date, locale: str, markup: bool) -> str:
    written = _date_markup if markup else date_text
    last = day_before(end)
    if last == start:
        sentence, values = gettext("le %(date)s", locale), {"date": written(start, locale, "long")}
    else:
        pattern = "long"
        if start.year == last.year:
            pattern = "d" if start.month == last.month else "d MMMM"
        sentence = gettext("du %(start)s au %(end)s", locale)
        values = {"start": written(start, locale, pattern), "end": written(last, locale, "long")}
    return Markup(sentence) % values if markup else sentence % values  # nosec B704: our own sentence


def _edges(value: date | HasEdges, end: date | None) -> tuple[date, date]:
    if isinstance(value, date):
        if end is None:
            raise TypeError("period needs both edges: line.period_start|period(line.period_end)")
        return value, end
    return value.start, value.end


def period(value: date | HasEdges, locale: str, end: date | None = None) -> str:
    """du 1<sup>er</sup> au 30 novembre 2026. A Period, or its first day and the first day after it."""
    return _period(*_edges(value, end), locale, True)


def period_text(value: date | HasEdges, locale: str, end: date | None = None) -> str:
    """The same as plain text."""
    return _period(*_edges(value, end), locale, False)


# ── Numbers people read aloud ────────────────────────────────────────────────────────────────────────────────────


def vat_number(compact: str) -> str:
    """BE 0876.543.270; other countries: FR 40303265045."""
    country, digits = compact[:2], compact[2:]
    if country == "BE" and len(digits) == 10:
        digits = f"{digits[:4]}.{digits[4:7]}.{digits[7:]}"
    return f"{country}{HARD_SPACE}{digits}"


def iban(account: str) -> str:
    """BE68 5390 0754 7034, which never wraps."""
    return str(iban_number.format(account)).replace(" ", HARD_SPACE)


def ogm(digits: str) -> str:
    """+++261/0000/01247+++, which never wraps: a structured communication as people copy it."""
    return f"+++{digits[:3]}/{digits[3:7]}/{digits[7:]}+++"


def iban_masked(account: str) -> str:
    """BE21 0012 •••• 7803"""
    compact = iban_number.compact(account)
    return HARD_SPACE.join((compact[:4], compact[4:8], MASK, compact[-4:]))


def ordinal(rank: int, locale: str) -> str:
    """5<sup>e</sup> · 5e · 5th"""
    if locale == "fr":
        return Markup(f"{int(rank)}<sup>{'er' if rank == 1 else 'e'}</sup>")  # nosec B704: a number
    return ordinal_text(rank, locale)


def ordinal_text(rank: int, locale: str) -> str:
    """The same as plain text."""
    if locale == "fr":
        return f"{rank}{'er' if rank == 1 else 'e'}"
    if locale == "nl":
        return f"{rank}e"
    teens = rank % 100 in (11, 12, 13)
    return f"{rank}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(rank % 10, 'th')}"


def initials(name: str) -> str:
    """BP for Brasserie du Parc: the capitals of its first and last words, for the disc beside the name."""
    words = [word for word in name.split() if word[0].isupper()] or name.split()
    return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper() if words else ""


IN_A_LANGUAGE: dict[str, Callable[..., Any]] = {
    "money": money,
    "signed_money": signed_money,
    "percent": percent,
    "vat": vat,
    "number": number,
    "date": date_long,
    "date_text": date_text,
    "short_date": short_date,
    "day_and_month": day_and_month,
    "weekday_date": weekday_date,
    "month": month,
    "short_month": short_month,
    "month_letter": month_letter,
    "moment": moment,
    "period": period,
    "period_text": period_text,
    "ordinal": ordinal,
}
ALIKE: dict[str, Callable[..., Any]] = {
    "day_before": day_before,
    "vat_number": vat_number,
    "iban": iban,
    "iban_masked": iban_masked,
    "ogm": ogm,
    "initials": initials,
}
# In a text (a mail's text part) there is no markup: the same names give plain words.
AS_TEXT: dict[str, Callable[..., Any]] = {
    "date": date_text,
    "short_date": lambda day, locale: date_text(day, locale, "medium"),
    "day_and_month": lambda day, locale: date_text(day, locale, "d MMMM"),
    "weekday_date": lambda day, locale: date_text(day, locale, "EEEE d MMMM y"),
    "period": period_text,
}


def for_language(locale: str, *, markup: bool) -> dict[str, Callable[..., Any]]:
    """The filters of one language, for pages or for texts."""
    chosen = IN_A_LANGUAGE if markup else IN_A_LANGUAGE | AS_TEXT
    return ALIKE | {name: _speaking(written, locale) for name, written in chosen.items()}


def _speaking(written: Callable[..., Any], locale: str) -> Callable[..., Any]:
    def filtered(value: Any, *others: Any) -> Any:
        return written(value, locale, *others)

    return filtered
