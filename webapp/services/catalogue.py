"""The catalogue: published from a file, never edited once sold (C1, C2), and what is for sale on a day."""

import uuid
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from webapp.adapters.catalogue_file import read_catalogue
from webapp.domain.access import Actor
from webapp.domain.catalogue import (
    Catalogue,
    CatalogueFeature,
    CatalogueOption,
    CatalogueOptionPrice,
    CataloguePlan,
    CataloguePlanPrice,
    Change,
    FeatureOffer,
    OptionOffer,
    OptionPriceOffer,
    PlanOffer,
    PlanPriceOffer,
    PriceKey,
    Publication,
)
from webapp.domain.refusals import OptionKindFixed, PublicationTooEarly
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
from webapp.services import audit


def check(session: Session, path: Path) -> Catalogue:
    """The catalogue of a file, valid as it stands. Nothing is written. Raises BrokenFile with every problem."""
    return read_catalogue(path, list(_resellers(session)))


def publish(
    session: Session, catalogue: Catalogue, available_from: date, actor: Actor, now: datetime
) -> Publication:
    """Bring the catalogue on sale to what the file says, from a day on; publishing it again changes nothing.

    Changed content makes a new version and closes the former one on that day. A changed price alone makes a new
    dated price of the same version. What the file no longer names is withdrawn. Subscribers keep what they signed.
    Raises PublicationTooEarly when a version or a price already begins later, OptionKindFixed when the file turns an
    option into another kind.
    """
    publishing = _Publishing(session, available_from, now)
    publishing.features(catalogue.features)
    publishing.plans(catalogue.plans)
    publishing.options(catalogue.options)
    publication = Publication(tuple(publishing.changes))
    if publication:
        told = [
            {"kind": c.kind, "code": c.code, "what": c.what, "number": c.number} for c in publication.changes
        ]
        after = {"from": available_from.isoformat(), "changes": told}
        audit.record(session, actor, None, "catalogue.published", "", {}, after, now)
    session.flush()
    return publication


def plans_for_sale(
    session: Session, reseller_id: uuid.UUID | None, on: date, currency: str = "EUR"
) -> list[PlanOffer]:
    """The plans that may be signed that day, lowest first, each with its tariffs. One statement.

    A reseller's clients see the reseller's tariffs only, never the direct ones (R2).
    """
    statement = (
        select(Plan.code, Plan.rank, PlanVersion.__table__, PlanPrice.__table__)
        .join(PlanVersion, PlanVersion.plan_id == Plan.id)
        .join(PlanPrice, PlanPrice.plan_version_id == PlanVersion.id)
        .where(
            _on_sale(PlanVersion, on), _sold_to(PlanPrice, reseller_id, currency), PlanPrice.valid_from <= on
        )
        .order_by(Plan.rank, Plan.id, PlanPrice.valid_from, PlanPrice.id)
    )
    found: dict[int, tuple[Any, dict[str, PlanPriceOffer]]] = {}
    version, price = PlanVersion.__table__.c, PlanPrice.__table__.c
    for row in session.execute(statement).mappings():
        _version, prices = found.setdefault(row[version.id], (row, {}))
        prices[row[price.frequency]] = (
            PlanPriceOffer(  # a later price of the same frequency replaces an earlier one
                id=row[price.id],
                frequency=row[price.frequency],
                currency=row[price.currency],
                amount_cents=row[price.amount_cents],
                establishment_tiers=tuple(row[price.establishment_tiers]),
                commitment_months=row[price.commitment_months],
                notice_count=row[price.notice_count],
                notice_unit=row[price.notice_unit],
                renewal=row[price.renewal],
            )
        )
    return [
        PlanOffer(
            plan_id=row[version.plan_id],
            version_id=row[version.id],
            version_number=row[version.number],
            code=row[Plan.code],
            rank=row[Plan.rank],
            names=row[version.names],
            descriptions=row[version.descriptions],
            highlights=tuple(row[version.highlights]),
            features=row[version.features],
            included_establishments=row[version.included_establishments],
            prices=tuple(sorted(prices.values(), key=lambda offer: offer.frequency, reverse=True)),
        )
        for row, prices in found.values()
    ]


def options_for_sale(
    session: Session, reseller_id: uuid.UUID | None, on: date, currency: str = "EUR"
) -> list[OptionOffer]:
    """The options that may be taken that day, in the order of the catalogue. One statement.

    Which plans offer or include each is left to the caller. On quotation: no price, and for direct clients only,
    since a reseller quotes for itself.
    """
    sold = _sold_to(OptionPrice, reseller_id, currency)
    statement = (
        select(
            Option.code,
            Option.kind,
            Option.position,
            Option.icon,
            OptionVersion.__table__,
            OptionPrice.__table__,
        )
        .join(OptionVersion, OptionVersion.option_id == Option.id)
        .outerjoin(
            OptionPrice,
            (OptionPrice.option_version_id == OptionVersion.id) & sold & (OptionPrice.valid_from <= on),
        )
        .where(_on_sale(OptionVersion, on))
        .order_by(Option.position, Option.id, OptionPrice.valid_from, OptionPrice.id)
    )
    found: dict[int, tuple[Any, dict[str, OptionPriceOffer]]] = {}
    version, price = OptionVersion.__table__.c, OptionPrice.__table__.c
    for row in session.execute(statement).mappings():
        is_quoted_here = row[Option.kind] == "on_quotation" and reseller_id is None
        if row[price.id] is None and not is_quoted_here:
            continue
        _version, prices = found.setdefault(row[version.id], (row, {}))
        if row[price.id] is not None:
            prices[row[price.frequency]] = OptionPriceOffer(
                row[price.id], row[price.frequency], row[price.currency], row[price.amount_cents]
            )
    return [
        OptionOffer(
            option_id=row[version.option_id],
            version_id=row[version.id],
            version_number=row[version.number],
            code=row[Option.code],
            kind=row[Option.kind],
            position=row[Option.position],
            icon=row[Option.icon],
            names=row[version.names],
            descriptions=row[version.descriptions],
            unit_names=row[version.unit_names],
            offered_by=tuple(row[version.offered_by]),
            included_by=tuple(row[version.included_by]),
            requires=tuple(row[version.requires]),
            excludes=tuple(row[version.excludes]),
            min_quantity=row[version.min_quantity],
            max_quantity=row[version.max_quantity],
            feature_code=row[version.feature_code],
            prices=tuple(prices.values()),
        )
        for row, prices in found.values()
    ]


def features_compared(session: Session) -> list[FeatureOffer]:
    """The lines of the comparison table, in order. One statement."""
    statement = select(Feature.code, Feature.group_names, Feature.names, Feature.is_per_establishment)
    rows = session.execute(statement.order_by(Feature.position, Feature.code))
    return [FeatureOffer(*row) for row in rows]


def _on_sale(version: type[PlanVersion] | type[OptionVersion], on: date) -> Any:
    is_open = or_(version.available_until.is_(None), version.available_until > on)
    return (version.available_from <= on) & is_open


def _sold_to(price: type[PlanPrice] | type[OptionPrice], reseller_id: uuid.UUID | None, currency: str) -> Any:
    buyer = price.reseller_id.is_(None) if reseller_id is None else price.reseller_id == reseller_id
    return buyer & (price.currency == currency)


def _resellers(session: Session) -> dict[str, uuid.UUID]:
    statement = select(Reseller.slug, Reseller.id).order_by(Reseller.slug)
    return dict(session.execute(statement).all())


class _Publishing:
    """One publication at work: what it reads once, and what it did so far."""

    def __init__(self, session: Session, available_from: date, now: datetime) -> None:
        self.session = session
        self.available_from = available_from
        self.now = now
        self.resellers = _resellers(session)
        self.slugs = {key: slug for slug, key in self.resellers.items()}
        self.changes: list[Change] = []

    def features(self, features: tuple[CatalogueFeature, ...]) -> None:
        """Labels of the comparison. A feature that the file no longer names stays, for the versions that show it."""
        known = {row.code: row for row in self.session.scalars(select(Feature))}
        for position, feature in enumerate(features, start=1):
            row = known.get(feature.code)
            wanted = {
                "position": position,
                "group_names": dict(feature.group_names),
                "names": dict(feature.names),
                "is_per_establishment": feature.is_per_establishment,
            }
            if row is None:
                self.session.add(Feature(code=feature.code, **wanted))
                self.tell("feature", feature.code, "created")
            elif _set(row, wanted):
                self.tell("feature", feature.code, "texts")
        self.session.flush()

    def plans(self, plans: tuple[CataloguePlan, ...]) -> None:
        known = {row.code: row for row in self.session.scalars(select(Plan))}
        latest = self.latest(PlanVersion, PlanVersion.plan_id)
        prices = self.prices_of(PlanPrice, PlanPrice.plan_version_id, latest.values())
        for plan in plans:
            row = known.get(plan.code)
            if row is None:
                row = Plan(code=plan.code, rank=plan.rank)
                self.session.add(row)
                self.session.flush()
            elif _set(row, {"rank": plan.rank}):
                self.tell("plan", plan.code, "texts")
            version = latest.get(row.id)
            if self.keeps(version, plan.content_hash):
                assert version is not None
                new = self.new_prices(plan.prices, prices.get(version.id, {}), _plan_terms)
                if new is not None:
                    self.add_prices("plan", plan.code, version, new, self.plan_price)
                    continue
            self.add_version("plan", plan, version, self.plan_version(row, plan, version), self.plan_price)
        named = {plan.code for plan in plans}
        self.withdraw(
            "plan", [(code, latest.get(row.id)) for code, row in known.items() if code not in named]
        )

    def options(self, options: tuple[CatalogueOption, ...]) -> None:
        known = {row.code: row for row in self.session.scalars(select(Option))}
        latest = self.latest(OptionVersion, OptionVersion.option_id)
        prices = self.prices_of(OptionPrice, OptionPrice.option_version_id, latest.values())
        for position, option in enumerate(options, start=1):
            row = known.get(option.code)
            if row is None:
                row = Option(code=option.code, kind=option.kind, position=position, icon=option.icon)
                self.session.add(row)
                self.session.flush()
            elif row.kind != option.kind:
                raise OptionKindFixed(option.code, row.kind)
            elif _set(row, {"position": position, "icon": option.icon}):
                self.tell("option", option.code, "texts")
            version = latest.get(row.id)
            if self.keeps(version, option.content_hash):
                assert version is not None
                new = self.new_prices(option.prices, prices.get(version.id, {}), _option_terms)
                if new is not None:
                    self.add_prices("option", option.code, version, new, self.option_price)
                    continue
            self.add_version(
                "option", option, version, self.option_version(row, option, version), self.option_price
            )
        named = {option.code for option in options}
        self.withdraw(
            "option", [(code, latest.get(row.id)) for code, row in known.items() if code not in named]
        )

    # Versions

    def latest(self, model: Any, owner: Any) -> dict[int, Any]:
        """The last version of each plan or option."""
        rows = self.session.scalars(select(model).order_by(owner, model.number))
        return {getattr(row, owner.key): row for row in rows}

    def keeps(self, version: PlanVersion | OptionVersion | None, content_hash: str) -> bool:
        return (
            version is not None and version.available_until is None and version.content_hash == content_hash
        )

    def add_version(self, kind: str, entry: Any, former: Any, version: Any, price_row: Any) -> None:
        if former is not None:
            if former.available_from > self.available_from:
                raise PublicationTooEarly(entry.code, former.available_from)
            if former.available_until is None:
                former.available_until = self.available_from
        self.session.add(version)
        self.session.flush()
        for price in entry.prices:
            self.session.add(price_row(version, price))
        self.tell(kind, entry.code, "version" if former is not None else "created", version.number)

    def withdraw(self, kind: str, unnamed: Iterable[tuple[str, Any]]) -> None:
        """What the file no longer names is not sold any more; its subscribers keep it."""
        for code, version in unnamed:
            if version is not None and version.available_until is None:
                if version.available_from > self.available_from:
                    raise PublicationTooEarly(code, version.available_from)
                version.available_until = self.available_from
                self.tell(kind, code, "withdrawn", version.number)

    def plan_version(self, row: Plan, plan: CataloguePlan, former: PlanVersion | None) -> PlanVersion:
        return PlanVersion(
            plan_id=row.id,
            number=former.number + 1 if former else 1,
            available_from=self.available_from,
            published_at=self.now,
            content_hash=plan.content_hash,
            names=dict(plan.names),
            descriptions=dict(plan.descriptions),
            highlights=[dict(texts) for texts in plan.highlights],
            features=dict(plan.features),
            included_establishments=plan.included_establishments,
        )

    def option_version(
        self, row: Option, option: CatalogueOption, former: OptionVersion | None
    ) -> OptionVersion:
        return OptionVersion(
            option_id=row.id,
            number=former.number + 1 if former else 1,
            available_from=self.available_from,
            published_at=self.now,
            content_hash=option.content_hash,
            names=dict(option.names),
            descriptions=dict(option.descriptions),
            unit_names=dict(option.unit_names),
            offered_by=list(option.offered_by),
            included_by=list(option.included_by),
            requires=list(option.requires),
            excludes=list(option.excludes),
            min_quantity=option.min_quantity,
            max_quantity=option.max_quantity,
            feature_code=option.feature_code,
        )

    # Prices

    def prices_of(self, model: Any, owner: Any, versions: Iterable[Any]) -> dict[int, dict[PriceKey, Any]]:
        """The last price of each version and key."""
        keys = [version.id for version in versions]
        found: dict[int, dict[PriceKey, Any]] = {}
        for row in self.session.scalars(
            select(model).where(owner.in_(keys)).order_by(model.valid_from, model.id)
        ):
            reseller = self.slugs[row.reseller_id] if row.reseller_id else None
            found.setdefault(getattr(row, owner.key), {})[PriceKey(row.frequency, row.currency, reseller)] = (
                row
            )
        return found

    def new_prices(
        self, wanted: tuple[Any, ...], present: Mapping[PriceKey, Any], terms: Any
    ) -> list[Any] | None:
        """The prices to add to the version; None when it takes a new version.

        A price cannot be taken away from a version, nor begin on the day on which another one of the same key does.
        """
        if set(present) - {price.key for price in wanted}:
            return None
        changed = [
            price for price in wanted if price.key not in present or terms(price) != terms(present[price.key])
        ]
        begun = [present[price.key].valid_from for price in changed if price.key in present]
        return None if any(day >= self.available_from for day in begun) else changed

    def add_prices(self, kind: str, code: str, version: Any, prices: list[Any], price_row: Any) -> None:
        if prices and version.available_from > self.available_from:
            raise PublicationTooEarly(code, version.available_from)
        for price in prices:
            self.session.add(price_row(version, price))
        if prices:
            self.tell(kind, code, "price", version.number)

    def plan_price(self, version: PlanVersion, price: CataloguePlanPrice) -> PlanPrice:
        return PlanPrice(plan_version_id=version.id, **self.dated(price.key), **_plan_terms(price))

    def option_price(self, version: OptionVersion, price: CatalogueOptionPrice) -> OptionPrice:
        return OptionPrice(option_version_id=version.id, **self.dated(price.key), **_option_terms(price))

    def dated(self, key: PriceKey) -> dict[str, Any]:
        return {
            "frequency": key.frequency,
            "currency": key.currency,
            "reseller_id": self.resellers[key.reseller] if key.reseller else None,
            "valid_from": self.available_from,
        }

    def tell(self, kind: str, code: str, what: str, number: int | None = None) -> None:
        self.changes.append(Change(kind, code, what, self.available_from, number))


def _plan_terms(price: CataloguePlanPrice | PlanPrice) -> dict[str, Any]:
    """What a tariff comes to, from the file or from its row."""
    return {
        "amount_cents": price.amount_cents,
        "establishment_tiers": [dict(tier) for tier in price.establishment_tiers],
        "commitment_months": price.commitment_months,
        "notice_count": price.notice_count,
        "notice_unit": price.notice_unit,
        "renewal": price.renewal,
    }


def _option_terms(price: CatalogueOptionPrice | OptionPrice) -> dict[str, Any]:
    return {"amount_cents": price.amount_cents}


def _set(row: Any, wanted: Mapping[str, Any]) -> bool:
    """Give `row` these values; whether that changed anything."""
    changed = {name: value for name, value in wanted.items() if getattr(row, name) != value}
    for name, value in changed.items():
        setattr(row, name, value)
    return bool(changed)
