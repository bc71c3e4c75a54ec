"""A catalogue as the fields of its file: what a draft holds, and what is exported. `catalogue_file` reads it back."""

from collections.abc import Mapping
from typing import Any

from webapp.adapters.yaml_tree import written
from webapp.domain.catalogue import (
    Catalogue,
    CatalogueFeature,
    CatalogueOption,
    CatalogueOptionPrice,
    CataloguePlan,
    CataloguePlanPrice,
    PriceKey,
)

Fields = dict[str, Any]


def fields_of(catalogue: Catalogue) -> Fields:
    """Every field of the file, in its order; what is left out means what the file's default means."""
    return {
        "currency": "EUR",
        "features": [feature_fields(feature) for feature in catalogue.features],
        "plans": [plan_fields(plan) for plan in catalogue.plans],
        "options": [option_fields(option) for option in catalogue.options],
    }


def file_text(fields: Mapping[str, Any]) -> str:
    """The file, as `flask catalogue check` and `publish` read it."""
    return written(fields)


def feature_fields(feature: CatalogueFeature) -> Fields:
    return {
        "code": feature.code,
        "group": dict(feature.group_names),
        "name": dict(feature.names),
        "per_establishment": feature.is_per_establishment,
    }


def plan_fields(plan: CataloguePlan) -> Fields:
    return {
        "code": plan.code,
        "rank": plan.rank,
        "name": dict(plan.names),
        "description": dict(plan.descriptions),
        "highlights": [dict(texts) for texts in plan.highlights],
        "included_establishments": plan.included_establishments,
        "features": {
            code: value if isinstance(value, bool) else dict(value) for code, value in plan.features.items()
        },
        "prices": [plan_price_fields(price) for price in plan.prices],
    }


def plan_price_fields(price: CataloguePlanPrice) -> Fields:
    fields = _key_fields(price.key) | {"amount": amount(price.amount_cents)}
    if price.establishment_tiers:
        fields["establishments"] = [
            {"from": tier["from_unit"], "amount": amount(tier["amount_cents"])}
            for tier in price.establishment_tiers
        ]
    return fields | {
        "commitment": term(price.commitment_months, "months"),
        "notice": term(price.notice_count, price.notice_unit),
        "renewal": price.renewal,
    }


def option_fields(option: CatalogueOption) -> Fields:
    fields: Fields = {
        "code": option.code,
        "kind": option.kind,
        "icon": option.icon,
        "name": dict(option.names),
        "description": dict(option.descriptions),
    }
    if option.kind == "per_unit":
        fields["unit"] = {language: list(words) for language, words in option.unit_names.items()}
        fields["quantity"] = {"min": option.min_quantity, "max": option.max_quantity}
    for name in ("offered_by", "included_by", "requires", "excludes"):
        if codes := getattr(option, name):
            fields[name] = list(codes)
    if option.feature_code:
        fields["feature"] = option.feature_code
    if option.prices:
        fields["prices"] = [option_price_fields(price) for price in option.prices]
    return fields


def option_price_fields(price: CatalogueOptionPrice) -> Fields:
    return _key_fields(price.key) | {"amount": amount(price.amount_cents)}


def amount(cents: int) -> str:
    """As the file writes amounts.

    >>> amount(7905)
    '79.05'
    """
    return f"{cents // 100}.{cents % 100:02}"


def term(count: int, unit: str) -> str:
    """As the file writes durations.

    >>> term(0, "months"), term(1, "months"), term(30, "days")
    ('none', '1 month', '30 days')
    """
    if count == 0:
        return "none"
    return f"{count} {unit if count > 1 else unit[:-1]}"


def _key_fields(key: PriceKey) -> Fields:
    fields = {"reseller": key.reseller} if key.reseller else {}
    return fields | {"frequency": key.frequency, "currency": key.currency}
