"""What publishing a catalogue would do to what is on sale, and what one catalogue says otherwise than another (C1, C2, S3).

Publishing asks the same questions as the comparison that is shown before it: what was announced is what is done.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from webapp.domain.catalogue import (
    LANGUAGES,
    Catalogue,
    CatalogueFeature,
    CatalogueOption,
    CataloguePlan,
    PriceKey,
)
from webapp.domain.refusals import OptionKindFixed, PublicationTooEarly

CatalogueEntry = CataloguePlan | CatalogueOption


@dataclass(frozen=True)
class Standing:
    """What is published of a plan or an option: its last version, and the last price of each key.

    `content_hash` is of the entry that the version was published from; `begins` gives the first day of each price.
    """

    entry: CatalogueEntry
    number: int
    available_from: date
    available_until: date | None
    content_hash: str
    begins: Mapping[PriceKey, date]

    @property
    def is_on_sale(self) -> bool:
        return self.available_until is None

    @property
    def prices(self) -> dict[PriceKey, Any]:
        return {price.key: price for price in self.entry.prices}


@dataclass(frozen=True)
class Effect:
    """What publishing an entry does. `what`: created, version, price, or none; `prices` are those to write.

    `number` is of the version that holds those prices.
    """

    what: str
    number: int
    prices: tuple[Any, ...]


def effect(entry: CatalogueEntry, standing: Standing | None, on: date) -> Effect:
    """What publishing `entry` from `on` does to what stands.

    Changed content makes a new version; changed amounts alone make new prices of the same version, but for a price that
    is taken away, or that begins on the day on which another of its key does: those need a new version too.
    Raises PublicationTooEarly when what stands begins later, OptionKindFixed for an option of another kind.
    """
    if standing is None:
        return Effect("created", 1, entry.prices)
    kind = getattr(standing.entry, "kind", None)
    if kind != getattr(entry, "kind", None):
        raise OptionKindFixed(entry.code, str(kind))
    if standing.is_on_sale and standing.content_hash == entry.content_hash:
        new = _new_prices(entry, standing, on)
        if new == ():
            return Effect("none", standing.number, ())
        if new is not None:
            _check_day(entry.code, standing, on)
            return Effect("price", standing.number, new)
    _check_day(entry.code, standing, on)
    return Effect("version", standing.number + 1, entry.prices)


def check_withdrawal(code: str, standing: Standing, on: date) -> None:
    """Raises PublicationTooEarly when the entry would leave before it begins."""
    _check_day(code, standing, on)


def _check_day(code: str, standing: Standing, on: date) -> None:
    if standing.available_from > on:
        raise PublicationTooEarly(code, standing.available_from)


def _new_prices(entry: CatalogueEntry, standing: Standing, on: date) -> tuple[Any, ...] | None:
    """The prices to add to the version; None when it takes a new version."""
    present = standing.prices
    if set(present) - {price.key for price in entry.prices}:
        return None
    changed = tuple(price for price in entry.prices if present.get(price.key) != price)
    begun = [standing.begins[price.key] for price in changed if price.key in present]
    return None if any(day >= on for day in begun) else changed


# ── What is said otherwise ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class FieldChange:
    """One thing said otherwise. `path` begins with name, description, highlight, feature, price…; None: not there.

    A path of texts ends with the language, one of a feature with its code, one of a price with its key.
    """

    path: tuple[Any, ...]
    before: Any
    after: Any


@dataclass(frozen=True)
class Difference:
    """One plan, option or compared service that a draft says otherwise.

    `what` is an effect's, withdrawn, or texts for what is shown at once (rank, icon, order, names of services).
    `number` is of the version that the change makes, or that it prices anew.
    """

    kind: str  # plan, option or feature
    code: str
    entry: CatalogueEntry | CatalogueFeature
    what: str
    number: int | None
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True)
class Published:
    """The catalogue as it was last published, what begins later included; codes give what stands of each entry."""

    catalogue: Catalogue  # what is still on sale
    plans: Mapping[str, Standing]
    options: Mapping[str, Standing]


def differences(published: Published, draft: Catalogue, on: date) -> list[Difference]:
    """What publishing `draft` from `on` changes, in the order of the draft; what it withdraws comes last.

    Raises PublicationTooEarly or OptionKindFixed, as publishing would.
    """
    found = list(_feature_differences(published.catalogue.features, draft.features))
    for kind, standings, entries, former in (
        ("plan", published.plans, draft.plans, published.catalogue.plans),
        ("option", published.options, draft.options, published.catalogue.options),
    ):
        found += _entry_differences(kind, standings, entries, on)
        named = {entry.code for entry in entries}
        for code, standing in standings.items():
            if standing.is_on_sale and code not in named:
                check_withdrawal(code, standing, on)
                found.append(Difference(kind, code, standing.entry, "withdrawn", standing.number, ()))
        kept = [entry.code for entry in former if entry.code in named]
        if kind == "option" and kept != [entry.code for entry in entries if entry.code in kept]:
            found += _moved(former, entries, {each.code for each in found if each.kind == kind})
    return found


def _entry_differences(
    kind: str, standings: Mapping[str, Standing], entries: tuple[CatalogueEntry, ...], on: date
) -> Iterator[Difference]:
    for entry in entries:
        standing = standings.get(entry.code)
        done = effect(entry, standing, on)
        fields = changes(standing.entry if standing and standing.is_on_sale else None, entry)
        if done.what != "none" or fields:
            what = "texts" if done.what == "none" else done.what
            yield Difference(kind, entry.code, entry, what, done.number, fields)


def _moved(
    before: tuple[CatalogueEntry, ...], after: tuple[CatalogueEntry, ...], told: set[str]
) -> Iterator[Difference]:
    """Options that stand elsewhere in the list, when nothing else is said of them."""
    places = {entry.code: place for place, entry in enumerate(before, start=1)}
    for place, entry in enumerate(after, start=1):
        if entry.code in places and places[entry.code] != place and entry.code not in told:
            moved = FieldChange(("position",), places[entry.code], place)
            yield Difference("option", entry.code, entry, "texts", None, (moved,))


def _feature_differences(
    before: tuple[CatalogueFeature, ...], after: tuple[CatalogueFeature, ...]
) -> Iterator[Difference]:
    known = {feature.code: (place, feature) for place, feature in enumerate(before, start=1)}
    for place, feature in enumerate(after, start=1):
        was_at, former = known.get(feature.code, (None, None))
        fields = _compared(_feature_values(former) if former else {}, _feature_values(feature))
        if former is None:
            yield Difference("feature", feature.code, feature, "created", None, fields)
            continue
        if was_at != place:
            fields = (*fields, FieldChange(("position",), was_at, place))
        if fields:
            yield Difference("feature", feature.code, feature, "texts", None, fields)


def changes(before: CatalogueEntry | None, after: CatalogueEntry) -> tuple[FieldChange, ...]:
    """What `after` says otherwise than `before`, field by field; everything when there was nothing before."""
    return _compared(_values(before) if before else {}, _values(after))


def _compared(before: Mapping[Any, Any], after: Mapping[Any, Any]) -> tuple[FieldChange, ...]:
    paths = dict.fromkeys([*after, *before])
    return tuple(
        FieldChange(path, before.get(path), after.get(path))
        for path in paths
        if before.get(path) != after.get(path)
    )


def _values(entry: CatalogueEntry) -> dict[tuple[Any, ...], Any]:
    return _plan_values(entry) if isinstance(entry, CataloguePlan) else _option_values(entry)


def _plan_values(plan: CataloguePlan) -> dict[tuple[Any, ...], Any]:
    values: dict[tuple[Any, ...], Any] = {("rank",): plan.rank}
    values |= _texts("name", plan.names) | _texts("description", plan.descriptions)
    for language in LANGUAGES:
        values["highlights", language] = tuple(texts[language] for texts in plan.highlights) or None
    values["included_establishments",] = plan.included_establishments
    # Left out and false are the same to whoever reads the comparison.
    values |= {("feature", code): value or None for code, value in plan.features.items()}
    return values | {("price", price.key): price for price in plan.prices}


def _option_values(option: CatalogueOption) -> dict[tuple[Any, ...], Any]:
    values: dict[tuple[Any, ...], Any] = {("kind",): option.kind, ("icon",): option.icon}
    values |= _texts("name", option.names) | _texts("description", option.descriptions)
    values |= _texts("unit", {language: tuple(words) for language, words in option.unit_names.items()})
    if option.kind == "per_unit":
        values["quantity",] = (option.min_quantity, option.max_quantity)
    for name in ("offered_by", "included_by", "requires", "excludes"):
        values[name,] = tuple(getattr(option, name)) or None
    values["switches_on",] = option.feature_code
    return values | {("price", price.key): price for price in option.prices}


def _feature_values(feature: CatalogueFeature) -> dict[tuple[Any, ...], Any]:
    values = _texts("name", feature.names) | _texts("group", feature.group_names)
    return values | {("per_establishment",): feature.is_per_establishment}


def _texts(name: str, texts: Mapping[str, Any]) -> dict[tuple[Any, ...], Any]:
    return {(name, language): texts.get(language) for language in LANGUAGES}
