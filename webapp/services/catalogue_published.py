"""The catalogue as it was last published, read back from its rows as the values of a file, and who holds what of it."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain.catalogue import (
    Catalogue,
    CatalogueFeature,
    CatalogueOption,
    CatalogueOptionPrice,
    CataloguePlan,
    CataloguePlanPrice,
    PriceKey,
)
from webapp.domain.catalogue_changes import Published, Standing
from webapp.models.accounts import Reseller
from webapp.models.catalogue import (
    Feature,
    Option,
    OptionPrice,
    OptionVersion,
    Plan,
    PlanPrice,
    PlanVersion,
)

Owner = TypeVar("Owner", Plan, Option)
Version = TypeVar("Version", PlanVersion, OptionVersion)
Slugs = Mapping[uuid.UUID | None, str | None]


@dataclass(frozen=True)
class Last(Generic[Owner, Version]):
    """A plan or an option, its last version, and what stands of it."""

    owner: Owner
    version: Version
    standing: Standing


def published(session: Session) -> Published:
    """What a new draft begins with, and what publishing is compared with. Five statements."""
    slugs = slugs_of(resellers(session))
    plans, options = last_plans(session, slugs), last_options(session, slugs)
    catalogue = Catalogue(
        features(session),
        tuple(each.standing.entry for each in plans.values() if each.standing.is_on_sale),  # type: ignore[misc]
        tuple(each.standing.entry for each in options.values() if each.standing.is_on_sale),  # type: ignore[misc]
    )
    return Published(
        catalogue,
        {code: each.standing for code, each in plans.items()},
        {code: each.standing for code, each in options.items()},
    )


def resellers(session: Session) -> dict[str, uuid.UUID]:
    """Their keys by slug, as prices name them."""
    statement = select(Reseller.slug, Reseller.id).order_by(Reseller.slug)
    return dict(session.execute(statement).all())


def reseller_names(session: Session) -> dict[str, str]:
    """What people call them, by slug."""
    return dict(session.execute(select(Reseller.slug, Reseller.name).order_by(Reseller.name)).all())


def slugs_of(keys: Mapping[str, uuid.UUID]) -> Slugs:
    return {None: None} | {key: slug for slug, key in keys.items()}


def features(session: Session) -> tuple[CatalogueFeature, ...]:
    rows = session.scalars(select(Feature).order_by(Feature.position, Feature.code))
    return tuple(
        CatalogueFeature(row.code, row.group_names, row.names, row.is_per_establishment) for row in rows
    )


def last_plans(session: Session, slugs: Slugs) -> dict[str, Last[Plan, PlanVersion]]:
    """By code, lowest first, withdrawn ones too. Two statements."""
    statement = select(Plan, PlanVersion).join(PlanVersion, PlanVersion.plan_id == Plan.id)
    rows = session.execute(statement.order_by(Plan.rank, Plan.id, PlanVersion.number))
    last = {plan.code: (plan, version) for plan, version in rows}
    prices = last_prices(
        session, PlanPrice, PlanPrice.plan_version_id, [v.id for _p, v in last.values()], slugs
    )
    found = {}
    for code, (plan, version) in last.items():
        present = prices.get(version.id, {})
        entry = plan_entry(plan, version, [plan_price(key, row) for key, row in present.items()])
        found[code] = Last(plan, version, _standing(entry, version, present))
    return found


def last_options(session: Session, slugs: Slugs) -> dict[str, Last[Option, OptionVersion]]:
    """By code, in the order of the catalogue, withdrawn ones too. Two statements."""
    statement = select(Option, OptionVersion).join(OptionVersion, OptionVersion.option_id == Option.id)
    rows = session.execute(statement.order_by(Option.position, Option.id, OptionVersion.number))
    last = {option.code: (option, version) for option, version in rows}
    keys = [version.id for _option, version in last.values()]
    prices = last_prices(session, OptionPrice, OptionPrice.option_version_id, keys, slugs)
    found = {}
    for code, (option, version) in last.items():
        present = prices.get(version.id, {})
        entry = option_entry(option, version, [option_price(key, row) for key, row in present.items()])
        found[code] = Last(option, version, _standing(entry, version, present))
    return found


def last_prices(
    session: Session, model: Any, owner: Any, versions: Iterable[int], slugs: Slugs
) -> dict[int, dict[PriceKey, Any]]:
    """The last price of each version and key."""
    statement = select(model).where(owner.in_(list(versions))).order_by(model.valid_from, model.id)
    found: dict[int, dict[PriceKey, Any]] = {}
    for row in session.scalars(statement):
        found.setdefault(getattr(row, owner.key), {})[price_key(row, slugs)] = row
    return found


def price_key(row: PlanPrice | OptionPrice, slugs: Slugs) -> PriceKey:
    return PriceKey(row.frequency, row.currency, slugs[row.reseller_id])


def plan_entry(plan: Plan, version: PlanVersion, prices: Iterable[CataloguePlanPrice]) -> CataloguePlan:
    """The entry of the file that the version was published from, with those prices."""
    return CataloguePlan(
        code=plan.code,
        rank=plan.rank,
        names=version.names,
        descriptions=version.descriptions,
        highlights=tuple(version.highlights),
        features=version.features,
        included_establishments=version.included_establishments,
        prices=tuple(prices),
    )


def option_entry(
    option: Option, version: OptionVersion, prices: Iterable[CatalogueOptionPrice]
) -> CatalogueOption:
    """The entry of the file that the version was published from, with those prices."""
    return CatalogueOption(
        code=option.code,
        kind=option.kind,
        icon=option.icon,
        names=version.names,
        descriptions=version.descriptions,
        unit_names=version.unit_names,
        offered_by=tuple(version.offered_by),
        included_by=tuple(version.included_by),
        requires=tuple(version.requires),
        excludes=tuple(version.excludes),
        min_quantity=version.min_quantity,
        max_quantity=version.max_quantity,
        feature_code=version.feature_code,
        prices=tuple(prices),
    )


def plan_price(key: PriceKey, row: PlanPrice) -> CataloguePlanPrice:
    return CataloguePlanPrice(
        key=key,
        amount_cents=row.amount_cents,
        establishment_tiers=tuple(dict(tier) for tier in row.establishment_tiers),
        commitment_months=row.commitment_months,
        notice_count=row.notice_count,
        notice_unit=row.notice_unit,
        renewal=row.renewal,
    )


def option_price(key: PriceKey, row: OptionPrice) -> CatalogueOptionPrice:
    return CatalogueOptionPrice(key, row.amount_cents)


def _standing(
    entry: CataloguePlan | CatalogueOption,
    version: PlanVersion | OptionVersion,
    prices: Mapping[PriceKey, PlanPrice | OptionPrice],
) -> Standing:
    return Standing(
        entry=entry,
        number=version.number,
        available_from=version.available_from,
        available_until=version.available_until,
        content_hash=version.content_hash,
        begins={key: row.valid_from for key, row in prices.items()},
    )
