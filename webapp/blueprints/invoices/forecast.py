"""The next twelve months, as a picture and as a table (B7)."""

import uuid
from dataclasses import dataclass

from flask.typing import ResponseReturnValue

from webapp import clock
from webapp.auth import requires
from webapp.bars import Bars, bars_of
from webapp.blueprints.invoices import bp
from webapp.domain.access import May
from webapp.domain.money import Money, total
from webapp.domain.periods import boundary
from webapp.extensions import db
from webapp.rendering import current_locale, render
from webapp.services import contracts, forecasts, invoices
from webapp.services.differences import is_calendar_month
from webapp.services.forecasts import Forecast, Foreseen

HEIGHT = 180  # of the picture, in pixels


@dataclass(frozen=True, slots=True)
class ForecastPage:
    subscription_id: uuid.UUID
    forecast: Forecast
    chart: Bars
    credit: Money

    @property
    def documents(self) -> tuple[Foreseen, ...]:
        return self.forecast.documents

    def is_month(self, document: Foreseen) -> bool:
        return document.kind == "period" and is_calendar_month(document.draft.period)


@bp.get("/previsions")
@requires(May.READ_SUBSCRIPTION)
def forecast(subscription_id: uuid.UUID) -> ResponseReturnValue:
    session, today = db.session(), clock.today()
    situation = contracts.load(session, subscription_id)
    foreseen = forecasts.forecast(session, situation, today, current_locale())
    credit = invoices.glance(session, subscription_id, today, limit=1).credit
    return render(
        "invoices/forecast.html", page=ForecastPage(subscription_id, foreseen, _chart(foreseen), credit)
    )


def _chart(foreseen: Forecast) -> Bars:
    """One bar a month from the first document on, VAT included; credits hang below zero."""
    if not foreseen.documents:
        return bars_of([], HEIGHT)
    first, last = foreseen.documents[0].on.replace(day=1), foreseen.documents[-1].on.replace(day=1)
    count = max(forecasts.MONTHS, (last.year - first.year) * 12 + last.month - first.month + 1)
    currency = foreseen.situation.currency
    values = []
    for month in (boundary(first, number) for number in range(count)):
        documents = (each.draft.total for each in foreseen.documents if each.on.replace(day=1) == month)
        amount = total(documents, currency)
        values.append((month, amount, amount.cents))
    return bars_of(values, HEIGHT)
