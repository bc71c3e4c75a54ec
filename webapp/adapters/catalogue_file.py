"""The catalogue, from its file or from a draft: checked entry by entry and as a whole, turned into domain values.

docs/catalogue.md explains the file to those who edit it; a draft holds the same fields, so one reading checks both.
"""

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from webapp.adapters.catalogue_checks import check_together
from webapp.adapters.yaml_file import BrokenFile, Document, Entry
from webapp.adapters.yaml_tree import Tree
from webapp.domain.catalogue import (
    FREQUENCIES,
    LANGUAGES,
    OPTION_KINDS,
    RENEWALS,
    Catalogue,
    CatalogueFeature,
    CatalogueOption,
    CatalogueOptionPrice,
    CataloguePlan,
    CataloguePlanPrice,
    PriceKey,
)
from webapp.i18n import _

__all__ = ["BrokenFile", "read_catalogue", "read_draft"]

CURRENCIES = ("EUR",)
MOST_QUANTITY = 10_000
TERM = re.compile(r"(\d{1,3}) (days?|months?)")


def read_catalogue(path: Path, resellers: Collection[str]) -> Catalogue:
    """Read and check a catalogue file. `resellers`: the slugs that prices may name. Raises BrokenFile."""
    return _read(Document(path), resellers)


def read_draft(values: Mapping[str, Any], resellers: Collection[str]) -> Catalogue:
    """Check a draft, which holds the fields of the file: the same complaints, under the same paths. Raises BrokenFile."""
    return _read(Tree(values), resellers)


def _read(document: Document, resellers: Collection[str]) -> Catalogue:
    catalogue = _Reading(document.root(), resellers).catalogue()
    document.finish()
    return catalogue


class _Reading:
    """One reading of one file: what was declared so far, to check what refers to it."""

    def __init__(self, root: Entry, resellers: Collection[str]) -> None:
        self.root = root
        self.resellers = resellers
        self.currency = root.choice("currency", CURRENCIES, default="EUR")
        self.feature_codes: list[str] = []
        self.plan_codes: list[str] = []
        self.option_codes: list[str] = []

    def catalogue(self) -> Catalogue:
        feature_entries = self.root.entries("features")
        plan_entries = self.root.entries("plans")
        option_entries = self.root.entries("options", required=False)
        self.feature_codes = _distinct_codes(feature_entries)
        self.plan_codes = _distinct_codes(plan_entries)
        self.option_codes = _distinct_codes(option_entries)
        if not plan_entries and self.root.has("plans"):
            self.root.complain("plans", _("La liste est vide. Attendu : au moins une formule."))
        features = tuple(self.feature(entry) for entry in feature_entries)
        plans = tuple(self.plan(entry) for entry in plan_entries)
        options = tuple(self.option(entry) for entry in option_entries)
        check_together(plan_entries, plans, option_entries, options)
        self.root.close()
        return Catalogue(features, plans, options)

    # One entry of each sort

    def feature(self, entry: Entry) -> CatalogueFeature:
        feature = CatalogueFeature(
            code=entry.code(),
            group_names=entry.texts("group"),
            names=entry.texts("name"),
            is_per_establishment=entry.flag("per_establishment"),
        )
        entry.close()
        return feature

    def plan(self, entry: Entry) -> CataloguePlan:
        highlights = []
        for item in entry.entries("highlights", required=False):
            highlights.append({language: item.text(language) for language in LANGUAGES})
            item.close()
        plan = CataloguePlan(
            code=entry.code(),
            rank=entry.integer("rank", 1, 1000),
            names=entry.texts("name"),
            descriptions=entry.texts("description"),
            highlights=tuple(highlights),
            included_establishments=entry.integer("included_establishments", 1, 1000),
            features=self.plan_features(entry),
            prices=(),
        )
        prices = self.prices(entry, lambda price: self.plan_price(price, plan.included_establishments))
        entry.close()
        return CataloguePlan(**{**plan.__dict__, "prices": prices})

    def plan_features(self, entry: Entry) -> dict[str, Any]:
        """Feature code → true, false, or what it comes to in that plan ("1 page")."""
        given = entry.entry("features")
        if given is None:
            return {}
        values: dict[str, Any] = {}
        for code, node in given.fields.items():
            given.has(code)
            if code not in self.feature_codes:
                given.unknown(node, given.at(code), code, self.feature_codes)
            elif isinstance(node, MappingNode):
                values[code] = given.texts(code)
            else:
                values[code] = given.flag(code)
        return values

    def plan_price(self, entry: Entry, included: int) -> CataloguePlanPrice:
        commitment, unit = self.term(entry, "commitment", ("none", "12 months"))
        if unit == "days":
            entry.complain(
                "commitment", _("Un engagement se compte en mois. Attendu : none, ou par exemple 12 months.")
            )
        notice, notice_unit = self.term(entry, "notice", ("none", "1 month", "30 days"))
        return CataloguePlanPrice(
            key=self.price_key(entry, FREQUENCIES),
            amount_cents=entry.cents("amount"),
            establishment_tiers=self.tiers(entry, included),
            commitment_months=commitment,
            notice_count=notice,
            notice_unit=notice_unit,
            renewal=entry.choice("renewal", RENEWALS),
        )

    def term(self, entry: Entry, name: str, examples: tuple[str, ...]) -> tuple[int, str]:
        """A duration: none, 30 days, 1 month, 12 months."""
        value = entry.text(name)
        if value in ("none", ""):
            return 0, "months"
        written = TERM.fullmatch(value)
        if written is None or int(written[1]) == 0:
            entry.complain(
                name,
                _("« %(value)s » n’est pas une durée. Attendu, par exemple : %(examples)s."),
                value=value,
                examples=", ".join(examples),
            )
            return 0, "months"
        return int(written[1]), written[2].rstrip("s") + "s"

    def tiers(self, entry: Entry, included: int) -> tuple[dict[str, int], ...]:
        """Prices of the establishments that are not included, from the first of them on."""
        tiers: list[dict[str, int]] = []
        for item in entry.entries("establishments", label="from"):
            tier = {"from_unit": item.integer("from", 2, MOST_QUANTITY), "amount_cents": item.cents("amount")}
            if tiers and tier["from_unit"] <= tiers[-1]["from_unit"]:
                item.complain(
                    "from",
                    _(
                        "Les tranches doivent aller en augmentant : celle-ci commence au %(this)se "
                        "établissement, la précédente au %(previous)se."
                    ),
                    this=tier["from_unit"],
                    previous=tiers[-1]["from_unit"],
                )
            elif not tiers and tier["from_unit"] > included + 1:
                item.complain(
                    "from",
                    _(
                        "Le %(first)se établissement n’est ni inclus ni tarifé. "
                        "Attendu : une première tranche dès le %(first)se, ou plus tôt."
                    ),
                    first=included + 1,
                )
            item.close()
            tiers.append(tier)
        if not tiers and isinstance(entry.fields.get("establishments"), SequenceNode):
            entry.complain("establishments", _("La liste est vide. Attendu : au moins une tranche."))
        return tuple(tiers)

    def option(self, entry: Entry) -> CatalogueOption:
        code = entry.code()
        kind = entry.choice("kind", OPTION_KINDS)
        smallest, largest = self.quantity(entry, kind)
        offered_by = self.known(entry, "offered_by", self.plan_codes)
        included_by = self.known(entry, "included_by", self.plan_codes)
        for plan_code in sorted(set(offered_by) & set(included_by)):
            entry.complain(
                "included_by",
                _("La formule « %(plan)s » inclut déjà l’option : elle ne la vend pas en plus."),
                plan=plan_code,
            )
        if not offered_by and not included_by:
            entry.complain("offered_by", _("Aucune formule ne propose ni n’inclut cette option."))
        feature = entry.text("feature", default="") or None
        if feature is not None and feature not in self.feature_codes:
            entry.unknown(entry.fields["feature"], entry.at("feature"), feature, self.feature_codes)
        frequencies = ("once",) if kind == "one_off" else FREQUENCIES
        option = CatalogueOption(
            code=code,
            kind=kind,
            icon=entry.text("icon", most=60),
            names=entry.texts("name"),
            descriptions=entry.texts("description"),
            unit_names=self.unit_names(entry, kind),
            offered_by=offered_by,
            included_by=included_by,
            requires=self.known(entry, "requires", self.option_codes),
            excludes=self.known(entry, "excludes", self.option_codes),
            min_quantity=smallest,
            max_quantity=largest,
            feature_code=feature,
            prices=self.prices(
                entry, lambda price: self.option_price(price, frequencies), kind != "on_quotation"
            ),
        )
        if kind == "on_quotation" and option.prices:
            entry.complain("prices", _("Une option sur devis n’a pas de tarif."))
        entry.close()
        return option

    def option_price(self, entry: Entry, frequencies: tuple[str, ...]) -> CatalogueOptionPrice:
        return CatalogueOptionPrice(self.price_key(entry, frequencies), entry.cents("amount"))

    def quantity(self, entry: Entry, kind: str) -> tuple[int, int]:
        """How many units may be held; only a per_unit option counts them."""
        if kind != "per_unit":
            return 1, 1
        limits = entry.entry("quantity")
        if limits is None:
            return 1, 1
        smallest = limits.integer("min", 1, MOST_QUANTITY, default=1)
        largest = limits.integer("max", 1, MOST_QUANTITY)
        if largest < smallest:
            limits.complain(
                "max",
                _("Le maximum %(most)s est plus petit que le minimum %(least)s."),
                most=largest,
                least=smallest,
            )
        limits.close()
        return smallest, largest

    def unit_names(self, entry: Entry, kind: str) -> dict[str, list[str]]:
        """[singular, plural] in every language: boîte, boîtes."""
        units = entry.entry("unit", required=kind == "per_unit")
        if units is None:
            return {}
        names: dict[str, list[str]] = {}
        for language in LANGUAGES:
            if not units.has(language):
                units.complain(
                    language,
                    _("Le champ manque. Attendu : %(expected)s."),
                    expected=_("deux mots, le singulier et le pluriel : [boîte, boîtes]"),
                )
                continue
            words = getattr(units.fields[language], "value", None)
            if (
                isinstance(words, list)
                and len(words) == 2
                and all(isinstance(word, ScalarNode) and word.value.strip() for word in words)
            ):
                names[language] = [word.value.strip() for word in words]
            else:
                units.complain(
                    language,
                    _("Valeur inattendue. Attendu : %(expected)s."),
                    expected=_("deux mots, le singulier et le pluriel : [boîte, boîtes]"),
                )
        units.close()
        return names

    # What entries share

    def prices(self, entry: Entry, read: Callable[[Entry], Any], required: bool = True) -> tuple[Any, ...]:
        prices, seen = [], set()
        for item in entry.entries("prices", required=required, label="-"):
            price = read(item)
            if price.key in seen:
                item.complain(
                    "frequency",
                    _("Ce tarif existe déjà plus haut : même fréquence, même devise et même revendeur."),
                )
            seen.add(price.key)
            prices.append(price)
            item.close()
        return tuple(prices)

    def price_key(self, entry: Entry, frequencies: tuple[str, ...]) -> PriceKey:
        reseller = entry.text("reseller", default="") or None
        if reseller is not None and reseller not in self.resellers:
            entry.unknown(entry.fields["reseller"], entry.at("reseller"), reseller, self.resellers)
        return PriceKey(
            frequency=entry.choice("frequency", frequencies),
            currency=entry.choice("currency", CURRENCIES, default=self.currency),
            reseller=reseller,
        )

    def known(self, entry: Entry, name: str, choices: Collection[str]) -> tuple[str, ...]:
        """A list of codes declared in this file."""
        codes: list[str] = []
        for code, node in entry.codes(name):
            path = f"{entry.at(name)}[{len(codes)}]"
            if code in codes:
                entry.document.complain(node, path, _("« %(value)s » est écrit deux fois."), value=code)
            elif code not in choices:
                entry.unknown(node, path, code, choices)
            codes.append(code)
        return tuple(codes)


def _distinct_codes(entries: list[Entry]) -> list[str]:
    """The codes declared, complaining of those declared twice. Malformed ones complain when read."""
    first_lines: dict[str, int] = {}
    for entry in entries:
        node = entry.fields.get("code")
        if not isinstance(node, ScalarNode):
            continue
        if node.value in first_lines and entry.document.has_lines:
            entry.complain(
                "code",
                _("Le code « %(value)s » est déjà pris, à la ligne %(line)s."),
                value=node.value,
                line=first_lines[node.value],
            )
        elif node.value in first_lines:
            entry.complain("code", _("Le code « %(value)s » est déjà pris."), value=node.value)
        first_lines.setdefault(node.value, int(node.start_mark.line) + 1)
    return list(first_lines)
