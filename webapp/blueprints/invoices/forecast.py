"""The next twelve months, as a picture and as a table (B7)."""

import uuid
from dataclasses import dataclass
from datetime import date

from flask.typing import ResponseReturnValue

from webapp import clock
from webapp.auth import requires
from webapp.blueprints.invoices import bp
from webapp.domain.access import May
from webapp.domain.money import Money, total
from webapp.domain.periods import boundary
from webapp.extensions import db
from webapp.rendering import current_locale, render
from webapp.services import contracts, forecasts, invoices
from webapp.services.differences import is_calendar_month
from webapp.services.forecasts import Forecast, Foreseen

HEIGHT, TOP, BOTTOM = 170, 24, 26  # of the picture, in pixels: room above for an amount, below for the months


@dataclass(frozen=True, slots=True)
class Bar:
    """What one calendar month comes to, VAT included. Places across are percentages, heights pixels."""

    month: date
    amount: Money
    x: str
    width: str
    middle: str
    y: int
    height: int


@dataclass(frozen=True, slots=True)
class ForecastPage:
    subscription_id: uuid.UUID
    forecast: Forecast
    bars: list[Bar]
    zero: int  # where bars stand
    credit: Money

    @property
    def documents(self) -> tuple[Foreseen, ...]:
        return self.forecast.documents

    @property
    def highest(self) -> Bar:
        return max(self.bars, key=lambda bar: bar.amount.cents)

    def is_month(self, document: Foreseen) -> bool:
        return document.kind == "period" and is_calendar_month(document.draft.period)


@bp.get("/previsions")
@requires(May.READ_SUBSCRIPTION)
def forecast(subscription_id: uuid.UUID) -> ResponseReturnValue:
    session, today = db.session(), clock.today()
    situation = contracts.load(session, subscription_id)
    foreseen = forecasts.forecast(session, situation, today, current_locale())
    credit = invoices.glance(session, subscription_id, today, limit=1).credit
    bars, zero = bars_of(foreseen)
    return render("invoices/forecast.html", page=ForecastPage(subscription_id, foreseen, bars, zero, credit))


def bars_of(foreseen: Forecast) -> tuple[list[Bar], int]:
    """One bar a month from the first document on, and the height of zero: credits go below it."""
    if not foreseen.documents:
        return [], HEIGHT - BOTTOM
    first, last = foreseen.documents[0].on.replace(day=1), foreseen.documents[-1].on.replace(day=1)
    count = max(forecasts.MONTHS, (last.year - first.year) * 12 + last.month - first.month + 1)
    months = [boundary(first, number) for number in range(count)]
    currency = foreseen.situation.currency
    amounts = [
        total((each.draft.total for each in foreseen.documents if each.on.replace(day=1) == month), currency)
        for month in months
    ]
    top = max(0, *(amount.cents for amount in amounts))
    depth = max(0, *(-amount.cents for amount in amounts))
    room = HEIGHT - TOP - BOTTOM
    zero = TOP + room * top // max(1, top + depth)
    step = 100 / count  # a place on the screen, no amount
    bars = []
    for number, (month, amount) in enumerate(zip(months, amounts, strict=True)):
        height = room * abs(amount.cents) // max(1, top + depth)
        bars.append(
            Bar(
                month,
                amount,
                f"{number * step + step * 0.12:.2f}%",
                f"{step * 0.76:.2f}%",
                f"{number * step + step / 2:.2f}%",
                zero - height if amount.cents > 0 else zero,
                height,
            )
        )
    return bars, zero
