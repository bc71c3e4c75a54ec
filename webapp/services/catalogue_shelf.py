"""What the team reads of the catalogue: every version with its dated prices, and how many hold each (S3)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from webapp.domain.catalogue import CatalogueOption, CataloguePlan, PriceKey
from webapp.models.catalogue import Option, OptionPrice, OptionVersion, Plan, PlanPrice, PlanVersion
from webapp.models.records import AuditEntry
from webapp.services.catalogue_holders import Held, count_of, holders
from webapp.services.catalogue_published import (
    Slugs,
    option_entry,
    option_price,
    plan_entry,
    plan_price,
    price_key,
    resellers,
    slugs_of,
)

PUBLICATIONS_SHOWN = 12


@dataclass(frozen=True)
class DatedPrice:
    """A tariff from its first day to the day on which another of its key begins. `count`: who signed it or its like."""

    key: PriceKey
    price: Any  # CataloguePlanPrice or CatalogueOptionPrice
    valid_from: date
    valid_until: date | None
    count: int

    def is_valid(self, on: date) -> bool:
        return self.valid_from <= on and (self.valid_until is None or on < self.valid_until)


@dataclass(frozen=True)
class ShelfVersion:
    """One version, on sale from a day to another. `count`: running subscriptions that hold it."""

    id: int
    number: int
    available_from: date
    available_until: date | None
    entry: CataloguePlan | CatalogueOption
    prices: tuple[DatedPrice, ...]
    count: int

    def is_on_sale(self, on: date) -> bool:
        return self.available_from <= on and (self.available_until is None or on < self.available_until)

    def prices_on(self, on: date) -> tuple[DatedPrice, ...]:
        return tuple(price for price in self.prices if price.is_valid(on))


@dataclass(frozen=True)
class ShelfEntry:
    """A plan or an option with all its versions, the latest first."""

    kind: str  # plan or option
    code: str
    versions: tuple[ShelfVersion, ...]

    def on_sale(self, on: date) -> ShelfVersion | None:
        return next((version for version in self.versions if version.is_on_sale(on)), None)

    @property
    def count(self) -> int:
        return sum(version.count for version in self.versions)


@dataclass(frozen=True)
class Shelf:
    plans: tuple[ShelfEntry, ...]
    options: tuple[ShelfEntry, ...]

    def entry(self, kind: str, code: str) -> ShelfEntry | None:
        entries = self.plans if kind == "plan" else self.options
        return next((entry for entry in entries if entry.code == code), None)


def shelf(session: Session, today: date) -> Shelf:
    """The whole catalogue, past and to come, in its order; who holds what is counted today. A handful of statements."""
    slugs, held = slugs_of(resellers(session)), holders(session, today)
    plans = session.execute(
        select(Plan, PlanVersion)
        .join(PlanVersion, PlanVersion.plan_id == Plan.id)
        .options(joinedload(PlanVersion.prices))
        .order_by(Plan.rank, Plan.id, PlanVersion.number.desc())
    ).unique()
    options = session.execute(
        select(Option, OptionVersion)
        .join(OptionVersion, OptionVersion.option_id == Option.id)
        .options(joinedload(OptionVersion.prices))
        .order_by(Option.position, Option.id, OptionVersion.number.desc())
    ).unique()
    return Shelf(_entries("plan", plans, slugs, held), _entries("option", options, slugs, held))


def publications(session: Session) -> list[AuditEntry]:
    """The last publications, whoever made them, the latest first."""
    statement = select(AuditEntry).where(AuditEntry.action == "catalogue.published")
    return list(session.scalars(statement.order_by(AuditEntry.id.desc()).limit(PUBLICATIONS_SHOWN)))


def _entries(kind: str, rows: Any, slugs: Slugs, held: Sequence[Held]) -> tuple[ShelfEntry, ...]:
    return tuple(
        ShelfEntry(kind, code, tuple(_version(kind, owner, version, slugs, held) for owner, version in group))
        for code, group in groupby(rows, key=lambda row: str(row[0].code))
    )


def _version(kind: str, owner: Any, version: Any, slugs: Slugs, held: Sequence[Held]) -> ShelfVersion:
    prices = _dated(kind, owner.code, version, slugs, held)
    entry: CataloguePlan | CatalogueOption
    if isinstance(owner, Plan):
        entry = plan_entry(owner, version, [each.price for each in prices])
    else:
        entry = option_entry(owner, version, [each.price for each in prices])
    return ShelfVersion(
        version.id,
        version.number,
        version.available_from,
        version.available_until,
        entry,
        prices,
        count_of(held, kind, owner.code, version.number),
    )


def _dated(kind: str, code: str, version: Any, slugs: Slugs, held: Sequence[Held]) -> tuple[DatedPrice, ...]:
    """Each price with the day on which the next one of its key begins, sold directly first, monthly first."""
    found: list[DatedPrice] = []
    last: dict[PriceKey, int] = {}
    for row in sorted(version.prices, key=lambda row: (row.valid_from, row.id)):
        key = price_key(row, slugs)
        if key in last:
            found[last[key]] = replace(found[last[key]], valid_until=row.valid_from)
        last[key] = len(found)
        price = plan_price(key, row) if isinstance(row, PlanPrice) else option_price(key, row)
        found.append(
            DatedPrice(key, price, row.valid_from, None, _signed(kind, code, version, key, row, held))
        )
    return tuple(
        sorted(
            found, key=lambda each: (each.key.reseller or "", each.key.frequency == "annual", each.valid_from)
        )
    )


def _signed(
    kind: str, code: str, version: Any, key: PriceKey, row: PlanPrice | OptionPrice, held: Sequence[Held]
) -> int:
    same = [each for each in held if each.amount_cents == row.amount_cents]
    return count_of(same, kind, code, version.number, key)
