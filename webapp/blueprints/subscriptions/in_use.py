"""What the subscription uses today, as the overview lists it: options and establishments, each with its price."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from webapp.domain.contract import ChangeKind, Contract, HeldOption, PlanTariff
from webapp.domain.money import Money, total
from webapp.services.contracts import Situation
from webapp.services.wording import text, units

ESTABLISHMENTS_SHOWN = 5
NAMES_SHOWN = 3
Shown = Callable[[Money], Money]


@dataclass(frozen=True, slots=True)
class OptionRow:
    code: str
    icon: str
    name: str
    units: str
    places: list[str]
    more_places: int
    price: Money | None  # None when included
    ends_on: date | None
    then: str  # the quantity to come, in words
    then_on: date | None


@dataclass(frozen=True, slots=True)
class EstablishmentRow:
    name: str
    street: str
    postcode: str
    city: str
    price: Money | None  # None while included
    active_from: date
    charged_from: date
    is_charged: bool
    active_until: date | None  # first day without it


def period_price(option: HeldOption, tariff: PlanTariff) -> Money | None:
    """For a whole period; None when the plan includes it."""
    if tariff.plan_code in option.included_by or not option.is_sold_under(tariff):
        return None
    return option.unit_under(tariff) * option.quantity


def option_rows(
    contract: Contract, situation: Situation, shown: Shown, today: date, locale: str
) -> list[OptionRow]:
    """One row per option, at all its establishments; what stops or shrinks has a row of its own."""
    changes = {change.option_id: change for change in contract.changes if change.kind is ChangeKind.OPTION}
    rows: dict[tuple[str, date | None, int], list[HeldOption]] = {}
    for option in contract.options_on(today):
        change = changes.get(option.id)
        on = change.effective_on if change else option.ends_on
        rows.setdefault((option.code, on, change.quantity if change else 0), []).append(option)
    return [
        _option_row(code, held, on, quantity, contract, situation, shown, locale)
        for (code, on, quantity), held in rows.items()
    ]


def _option_row(
    code: str, held: Sequence[HeldOption], on: date | None, then: int, contract: Contract, situation: Situation,
    shown: Shown, locale: str,
) -> OptionRow:  # fmt: skip
    words = situation.options[code]
    prices = [price for price in (period_price(option, contract.tariff) for option in held) if price]
    ids = [option.establishment_id for option in held if option.establishment_id]
    places = [situation.addresses[each].name for each in ids[:NAMES_SHOWN] if each in situation.addresses]
    quantity = sum(option.quantity for option in held)
    return OptionRow(
        code=code,
        icon=words.icon,
        name=text(words.names, locale),
        units=units(words, quantity, locale) if words.unit_names else "",
        places=places,
        more_places=len(ids) - len(places),
        price=shown(total(prices, situation.currency)) if prices else None,
        ends_on=on if not then else None,
        then=units(words, then, locale) if then else "",
        then_on=on if then else None,
    )


def establishment_rows(
    contract: Contract, situation: Situation, shown: Shown, today: date
) -> tuple[list[EstablishmentRow], int]:
    """The first ones, and how many there are. The price is that of the place each has, or will have, in the order."""
    active = contract.establishments_active_on(today)
    places: dict[date, dict[str, int]] = {}
    rows = []
    for each in active[:ESTABLISHMENTS_SHOWN]:
        day = max(today, each.charged_from)
        if day not in places:
            charged = contract.establishments_charged_on(day)
            places[day] = {one.id: place for place, one in enumerate(charged, start=1)}
        place = places[day].get(each.id)
        price = contract.tariff.establishment_price(place) if place else None
        address = situation.addresses[each.id]
        rows.append(
            EstablishmentRow(
                name=address.name,
                street=address.street,
                postcode=address.postcode,
                city=address.city,
                price=shown(price) if price else None,
                active_from=each.active_from,
                charged_from=each.charged_from,
                is_charged=each.charged_from <= today,
                active_until=each.active_until,
            )
        )
    return rows, len(active)
