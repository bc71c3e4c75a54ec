"""The services of each establishment: their columns, a cell for each address, and what to check."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from webapp.domain import coverage
from webapp.domain.catalogue import FeatureOffer, OptionOffer
from webapp.domain.contract import Contract, HeldEstablishment, HeldOption
from webapp.domain.money import Money
from webapp.i18n import gettext, one_of
from webapp.services.contracts import Situation
from webapp.services.wording import option_name, text, units

FEW = 3  # names in a sentence before "and n others"
IDLE = "hors-service"  # the mend that ends what is paid where nobody is in service


@dataclass(frozen=True, slots=True)
class Column:
    """One service. `kind` is plan, account or own (switched at each establishment, for `price` a period)."""

    code: str
    name: str
    kind: str
    note: str = ""
    price: Money | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    column: Column
    place: str = ""  # what its switch sends
    is_on: bool = False
    is_gap: bool = False
    until: date | None = None  # the first day without it, once removed
    needs: str = ""  # the name of a service to have first
    can_switch: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """A service to check: `places` lack it, or pay for it out of service. One press mends it."""

    code: str
    service: str
    places: str
    number: int
    is_idle: bool = False


def service_columns(
    situation: Situation,
    contract: Contract,
    offers: Sequence[OptionOffer],
    features: Sequence[FeatureOffer],
    today: date,
    locale: str,
) -> list[Column]:
    """The services that differ from one establishment to another, and the account's: plan first, then own, then
    what serves the whole account."""
    by_feature = {offer.feature_code: offer for offer in offers if offer.feature_code}
    held = {each.code: each for each in contract.options_on(today)}
    plan_columns, own, account = [], [], []
    for feature in features:
        value = situation.plan.features.get(feature.code, False)
        offer = by_feature.get(feature.code)
        included = offer is not None and contract.plan_code in offer.included_by
        if feature.is_per_establishment and (value or included):
            note = text(value, locale) if isinstance(value, Mapping) else ""
            plan_columns.append(Column(feature.code, text(feature.names, locale), "plan", note))
    for offer in offers:
        if offer.kind != "per_establishment" or contract.plan_code in offer.included_by:
            continue
        price = offer.price(contract.frequency)
        is_sold = contract.plan_code in offer.offered_by and price is not None
        if is_sold and price is not None:
            own.append(
                Column(
                    offer.code,
                    text(offer.names, locale),
                    "own",
                    price=Money(price.amount_cents, price.currency),
                )
            )
    for option in held.values():
        if option.establishment_id is not None:
            if option.code not in {column.code for column in own} and not _is_included(option, contract):
                own.append(Column(option.code, text(situation.options[option.code].names, locale), "own"))
            continue
        words = situation.options[option.code]
        note = units(words, option.quantity, locale) if words.unit_names else ""
        account.append(Column(option.code, text(words.names, locale), "account", note))
    return [*plan_columns, *own, *account]


def _is_included(option: HeldOption, contract: Contract) -> bool:
    return contract.plan_code in option.included_by


class Matrix:
    """The cells of the establishments shown: what is held is looked up once for all rows."""

    def __init__(
        self,
        situation: Situation,
        contract: Contract,
        offers: Sequence[OptionOffer],
        columns: Sequence[Column],
        gaps: Sequence[coverage.Gap],
        today: date,
        locale: str,
    ) -> None:
        self.columns = columns
        self.held = {c.code: coverage.held_at(contract, c.code, today) for c in columns if c.kind == "own"}
        self.gaps = {gap.code: set(gap.establishment_ids) for gap in gaps}
        self.leaving = {each.option_id: each.effective_on for each in contract.changes if not each.quantity}
        self.requires = {
            offer.code: [need for need in offer.requires if need in self.held] for offer in offers
        }
        self.sold = {column.code for column in columns if column.price is not None}

    def cells(self, establishment: HeldEstablishment, can_switch: bool) -> list[Cell]:
        return [self._cell(column, establishment.id, can_switch) for column in self.columns]

    def _cell(self, column: Column, establishment_id: str, can_switch: bool) -> Cell:
        if column.kind != "own":
            return Cell(column, is_on=True)
        option = self.held[column.code].get(establishment_id)
        until = (option.ends_on or self.leaving.get(option.id)) if option is not None else None
        missing = [
            need
            for need in self.requires.get(column.code, ())
            if option is None and establishment_id not in self.held[need]
        ]
        name = next((other.name for other in self.columns if missing and other.code == missing[0]), "")
        return Cell(
            column,
            place=f"{column.code}@{establishment_id}",
            is_on=option is not None and until is None,
            is_gap=establishment_id in self.gaps.get(column.code, ()),
            until=until,
            needs=name,
            can_switch=can_switch and (column.code in self.sold or option is not None),
        )


def findings(
    situation: Situation,
    contract: Contract,
    columns: Sequence[Column],
    gaps: Sequence[coverage.Gap],
    today: date,
    locale: str,
) -> list[Finding]:
    names = {column.code: column.name for column in columns}
    sold = {column.code for column in columns if column.price is not None}
    found = [
        Finding(
            gap.code,
            names[gap.code],
            some_of([situation.addresses[each].name for each in gap.establishment_ids], locale),
            len(gap.establishment_ids),
        )
        for gap in gaps
        if gap.code in sold
    ]
    idle = coverage.idle(contract, today)
    if idle:
        said = some_of(
            [option_name(each.code, each.establishment_id, situation, locale) for each in idle], locale
        )
        found.append(Finding(IDLE, "", said, len(idle), is_idle=True))
    return found


def some_of(names: Sequence[str], locale: str) -> str:
    """ "Le Petit Parc, Comptoir du Parc et 12 autres" """
    if len(names) <= FEW + 1:
        return one_of(list(names), locale)
    rest = gettext("%(number)s autres", locale, number=len(names) - FEW)
    return one_of([*names[:FEW], rest], locale)
