"""Publishing at work: what a catalogue says becomes versions and dated prices. `catalogue.publish` is its door."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain.catalogue import (
    CatalogueFeature,
    CatalogueOption,
    CatalogueOptionPrice,
    CataloguePlan,
    CataloguePlanPrice,
    Change,
    PriceKey,
)
from webapp.domain.catalogue_changes import Effect, check_withdrawal, effect
from webapp.models.catalogue import (
    Feature,
    Option,
    OptionPrice,
    OptionVersion,
    Plan,
    PlanPrice,
    PlanVersion,
)
from webapp.services.catalogue_published import Last, last_options, last_plans, resellers, slugs_of


class Publishing:
    """One publication at work: what it reads once, and what it did so far."""

    def __init__(self, session: Session, available_from: date, now: datetime) -> None:
        self.session = session
        self.available_from = available_from
        self.now = now
        self.resellers = resellers(session)
        self.slugs = slugs_of(self.resellers)
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
        known = last_plans(self.session, self.slugs)
        for plan in plans:
            last = known.get(plan.code)
            done = effect(plan, last.standing if last else None, self.available_from)
            if last is None:
                owner = Plan(code=plan.code, rank=plan.rank)
                self.session.add(owner)
                self.session.flush()
            else:
                owner = last.owner
                if _set(owner, {"rank": plan.rank}):
                    self.tell("plan", plan.code, "texts")
            self.apply("plan", plan, last, done, self.plan_version(owner, plan, done), self.plan_price)
        self.withdraw("plan", known, {plan.code for plan in plans})

    def options(self, options: tuple[CatalogueOption, ...]) -> None:
        known = last_options(self.session, self.slugs)
        for position, option in enumerate(options, start=1):
            last = known.get(option.code)
            done = effect(option, last.standing if last else None, self.available_from)
            if last is None:
                owner = Option(code=option.code, kind=option.kind, position=position, icon=option.icon)
                self.session.add(owner)
                self.session.flush()
            else:
                owner = last.owner
                if _set(owner, {"position": position, "icon": option.icon}):
                    self.tell("option", option.code, "texts")
            version = self.option_version(owner, option, done)
            self.apply("option", option, last, done, version, self.option_price)
        self.withdraw("option", known, {option.code for option in options})

    # Versions

    def apply(
        self, kind: str, entry: Any, last: Last[Any, Any] | None, done: Effect, version: Any, price_row: Any
    ) -> None:
        """Write what `effect` decided: nothing, prices of the version that stands, or `version` with its prices."""
        if done.what == "none":
            return
        if done.what == "price":
            assert last is not None
            version = last.version
        else:
            if last is not None and last.version.available_until is None:
                last.version.available_until = self.available_from
            self.session.add(version)
            self.session.flush()
        for price in done.prices:
            self.session.add(price_row(version, price))
        self.tell(kind, entry.code, done.what, done.number)

    def withdraw(self, kind: str, known: Mapping[str, Last[Any, Any]], named: set[str]) -> None:
        """What the file no longer names is not sold any more; its subscribers keep it."""
        for code, last in known.items():
            if code not in named and last.standing.is_on_sale:
                check_withdrawal(code, last.standing, self.available_from)
                last.version.available_until = self.available_from
                self.tell(kind, code, "withdrawn", last.standing.number)

    def plan_version(self, owner: Plan, plan: CataloguePlan, done: Effect) -> PlanVersion:
        return PlanVersion(
            plan_id=owner.id,
            number=done.number,
            available_from=self.available_from,
            published_at=self.now,
            content_hash=plan.content_hash,
            names=dict(plan.names),
            descriptions=dict(plan.descriptions),
            highlights=[dict(texts) for texts in plan.highlights],
            features=dict(plan.features),
            included_establishments=plan.included_establishments,
        )

    def option_version(self, owner: Option, option: CatalogueOption, done: Effect) -> OptionVersion:
        return OptionVersion(
            option_id=owner.id,
            number=done.number,
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

    def plan_price(self, version: PlanVersion, price: CataloguePlanPrice) -> PlanPrice:
        return PlanPrice(
            plan_version_id=version.id,
            establishment_tiers=[dict(tier) for tier in price.establishment_tiers],
            commitment_months=price.commitment_months,
            notice_count=price.notice_count,
            notice_unit=price.notice_unit,
            renewal=price.renewal,
            **self.dated(price.key, price.amount_cents),
        )

    def option_price(self, version: OptionVersion, price: CatalogueOptionPrice) -> OptionPrice:
        return OptionPrice(option_version_id=version.id, **self.dated(price.key, price.amount_cents))

    def dated(self, key: PriceKey, amount_cents: int) -> dict[str, Any]:
        return {
            "frequency": key.frequency,
            "currency": key.currency,
            "reseller_id": self.resellers[key.reseller] if key.reseller else None,
            "valid_from": self.available_from,
            "amount_cents": amount_cents,
        }

    def tell(self, kind: str, code: str, what: str, number: int | None = None) -> None:
        self.changes.append(Change(kind, code, what, self.available_from, number))


def _set(row: Any, wanted: Mapping[str, Any]) -> bool:
    """Give `row` these values; whether that changed anything."""
    changed = {name: value for name, value in wanted.items() if getattr(row, name) != value}
    for name, value in changed.items():
        setattr(row, name, value)
    return bool(changed)
