"""A catalogue as its file says it, and the offers made from what was published (spec C1-C6).

Amounts are whole cents, VAT excluded; texts are mappings with the keys fr, nl and en.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

LANGUAGES = ("fr", "nl", "en")
FREQUENCIES = ("monthly", "annual")
OPTION_KINDS = ("one_off", "recurring", "per_unit", "per_establishment", "on_quotation")
RENEWALS = ("same_term", "monthly", "ends")

Texts = Mapping[str, Any]


@dataclass(frozen=True)
class CatalogueFeature:
    """A service that the comparison shows."""

    code: str
    group_names: Texts
    names: Texts
    is_per_establishment: bool


@dataclass(frozen=True)
class PriceKey:
    """What makes two prices of one entry concurrent: the later one replaces the earlier one."""

    frequency: str
    currency: str
    reseller: str | None  # slug; None: sold directly

    def __str__(self) -> str:
        """As the catalogue file writes it, to be copied there."""
        parts = [f"frequency: {self.frequency}", f"currency: {self.currency}"]
        if self.reseller:
            parts.append(f"reseller: {self.reseller}")
        return "{" + ", ".join(parts) + "}"


@dataclass(frozen=True)
class CataloguePlanPrice:
    key: PriceKey
    amount_cents: int
    establishment_tiers: tuple[Mapping[str, int], ...]  # {"from_unit": 2, "amount_cents": 2400}
    commitment_months: int
    notice_count: int
    notice_unit: str
    renewal: str


@dataclass(frozen=True)
class CataloguePlan:
    code: str
    rank: int
    names: Texts
    descriptions: Texts
    highlights: tuple[Texts, ...]
    features: Mapping[str, Any]  # feature code -> true, false or Texts
    included_establishments: int
    prices: tuple[CataloguePlanPrice, ...]

    @property
    def content_hash(self) -> str:
        """Of all that a version freezes; the rank only orders plans and the prices have dates of their own."""
        return _hash(self, without=("code", "rank", "prices"))


@dataclass(frozen=True)
class CatalogueOptionPrice:
    key: PriceKey
    amount_cents: int


@dataclass(frozen=True)
class CatalogueOption:
    code: str
    kind: str
    icon: str
    names: Texts
    descriptions: Texts
    unit_names: Texts
    offered_by: tuple[str, ...]
    included_by: tuple[str, ...]
    requires: tuple[str, ...]
    excludes: tuple[str, ...]
    min_quantity: int
    max_quantity: int
    feature_code: str | None
    prices: tuple[CatalogueOptionPrice, ...]

    @property
    def content_hash(self) -> str:
        """Of all that a version freezes; the icon only decorates and the prices have dates of their own."""
        return _hash(self, without=("code", "kind", "icon", "prices"))


@dataclass(frozen=True)
class Catalogue:
    """A whole catalogue file, valid."""

    features: tuple[CatalogueFeature, ...]
    plans: tuple[CataloguePlan, ...]
    options: tuple[CatalogueOption, ...]


def _hash(entry: Any, without: tuple[str, ...]) -> str:
    content = {name: value for name, value in asdict(entry).items() if name not in without}
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class PlanPriceOffer:
    """A tariff that may be signed. `amount_cents` is for one whole period of `frequency`."""

    id: int
    frequency: str
    currency: str
    amount_cents: int
    establishment_tiers: tuple[Mapping[str, int], ...]
    commitment_months: int
    notice_count: int
    notice_unit: str
    renewal: str


@dataclass(frozen=True)
class PlanOffer:
    """A plan version that may be signed, with its tariffs, monthly first."""

    plan_id: int
    version_id: int
    version_number: int
    code: str
    rank: int
    names: Texts
    descriptions: Texts
    highlights: tuple[Texts, ...]
    features: Mapping[str, Any]
    included_establishments: int
    prices: tuple[PlanPriceOffer, ...]

    def price(self, frequency: str) -> PlanPriceOffer | None:
        return next((price for price in self.prices if price.frequency == frequency), None)


@dataclass(frozen=True)
class OptionPriceOffer:
    """`amount_cents` is per unit or establishment, and per whole period of `frequency` (once: one-off)."""

    id: int
    frequency: str
    currency: str
    amount_cents: int


@dataclass(frozen=True)
class OptionOffer:
    """An option version that may be taken. On quotation: no price."""

    option_id: int
    version_id: int
    version_number: int
    code: str
    kind: str
    position: int
    icon: str
    names: Texts
    descriptions: Texts
    unit_names: Texts
    offered_by: tuple[str, ...]
    included_by: tuple[str, ...]
    requires: tuple[str, ...]
    excludes: tuple[str, ...]
    min_quantity: int
    max_quantity: int
    feature_code: str | None
    prices: tuple[OptionPriceOffer, ...]

    def price(self, frequency: str) -> OptionPriceOffer | None:
        """The price at which a subscription billed at `frequency` takes it; a one-off has a single price."""
        wanted = "once" if self.kind == "one_off" else frequency
        return next((price for price in self.prices if price.frequency == wanted), None)

    def signed_prices(self) -> dict[str, int | None]:
        """What a subscription that takes the option keeps of it, whatever the catalogue becomes."""
        cents = {price.frequency: price.amount_cents for price in self.prices}
        return {f"{often}_cents": cents.get(often) for often in ("monthly", "annual", "once")}


@dataclass(frozen=True)
class FeatureOffer:
    """A line of the comparison table."""

    code: str
    group_names: Texts
    names: Texts
    is_per_establishment: bool


@dataclass(frozen=True)
class Change:
    """One thing that a publication did. `what` is created, version, price, withdrawn or texts."""

    kind: str  # plan, option or feature
    code: str
    what: str
    on: date
    number: int | None = None  # of the version concerned


@dataclass(frozen=True)
class Publication:
    """What publishing did; empty when the file was published already."""

    changes: tuple[Change, ...] = field(default_factory=tuple)

    def __bool__(self) -> bool:
        return bool(self.changes)
