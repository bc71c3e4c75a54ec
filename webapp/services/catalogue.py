"""The catalogue: published from a file, never edited once sold (C1, C2), and what is for sale on a day."""

import uuid
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from webapp.adapters.catalogue_file import read_catalogue
from webapp.domain.access import Actor
from webapp.domain.catalogue import (
    Catalogue,
    FeatureOffer,
    OptionOffer,
    OptionPriceOffer,
    PlanOffer,
    PlanPriceOffer,
    Publication,
)
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
from webapp.services.catalogue_published import resellers
from webapp.services.catalogue_publishing import Publishing


def check(session: Session, path: Path) -> Catalogue:
    """The catalogue of a file, valid as it stands. Nothing is written. Raises BrokenFile with every problem."""
    return read_catalogue(path, list(resellers(session)))


def publish(
    session: Session, catalogue: Catalogue, available_from: date, actor: Actor, now: datetime
) -> Publication:
    """Bring the catalogue on sale to what the file says, from a day on; publishing it again changes nothing.

    Changed content makes a new version and closes the former one on that day. A changed price alone makes a new
    dated price of the same version. What the file no longer names is withdrawn. Subscribers keep what they signed.
    Raises PublicationTooEarly when a version or a price already begins later, OptionKindFixed when the file turns an
    option into another kind.
    """
    publishing = Publishing(session, available_from, now)
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
