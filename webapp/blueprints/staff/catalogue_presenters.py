"""A comparison of catalogues in words and amounts: what changes, for whom from which day, and who keeps what."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from webapp import filters
from webapp.domain.catalogue import CataloguePlanPrice, PriceKey
from webapp.domain.catalogue_changes import Difference, FieldChange
from webapp.i18n import Sentence, _, date_text, gettext, ngettext
from webapp.services import catalogue_words, gesture_words
from webapp.services.catalogue_holders import Held, count_of
from webapp.services.catalogue_words import Names
from webapp.services.wording import text

NOTHING = "–"
TITLES: dict[str, Sentence] = {
    "plan": _("Formule %(name)s"),
    "option": _("Option %(name)s"),
    "feature": _("Service comparé %(name)s"),
}
EFFECTS: dict[str, Sentence] = {
    "created": _("Nouveau"),
    "version": _("Nouvelle version %(number)s"),
    "price": _("Nouveaux tarifs, version %(number)s"),
    "withdrawn": _("Plus en vente"),
    "texts": _("Affichage"),
}
TONES = {"created": "good", "version": "accent", "price": "accent", "withdrawn": "warn", "texts": "plain"}
LABELS: dict[str, Sentence] = {
    "rank": _("Rang"),
    "kind": _("Comment elle se vend"),
    "icon": _("Pictogramme"),
    "included_establishments": _("Établissements inclus"),
    "quantity": _("Quantité"),
    "offered_by": _("Vendue par"),
    "included_by": _("Incluse dans"),
    "requires": _("Demande"),
    "excludes": _("Exclut"),
    "switches_on": _("Service activé"),
    "position": _("Place dans la liste"),
    "per_establishment": _("Montré établissement par établissement"),
}
# Said once per language: the label takes the name of the language.
TEXTS: dict[str, Sentence] = {
    "name": _("Nom (%(language)s)"),
    "description": _("Description (%(language)s)"),
    "highlights": _("Points forts (%(language)s)"),
    "unit": _("Une unité (%(language)s)"),
    "group": _("Groupe (%(language)s)"),
}
LANGUAGES_SAID: dict[str, Sentence] = {"fr": _("français"), "nl": _("néerlandais"), "en": _("anglais")}


@dataclass(frozen=True)
class Row:
    """One line of a comparison. `held`: who signed what the line changes, and keeps it; None where nobody signs it."""

    label: str
    before: str
    after: str
    held: int | None = None
    kept: str = ""  # "12 gardent 79,00 €"


@dataclass(frozen=True)
class Section:
    """One entry of a comparison: what happens to it, its lines, and the sentences for new clients and present ones."""

    id: str
    title: str
    code: str
    effect: str
    tone: str
    held: int | None
    sentences: tuple[str, ...]
    rows: tuple[Row, ...]


class Wording:
    """One reader's language, with the names of what the comparison mentions."""

    def __init__(
        self, locale: str, names: Mapping[str, Mapping[str, str]], resellers: Names, held: Sequence[Held]
    ) -> None:
        """`names`: of plans, options and features, each by code, in the reader's language."""
        self.locale, self.names, self.resellers, self.held = locale, names, resellers, held

    def sections(self, differences: Sequence[Difference], on: date) -> list[Section]:
        return [self.section(each, on) for each in differences]

    def section(self, one: Difference, on: date) -> Section:
        held = None if one.kind == "feature" else count_of(self.held, one.kind, one.code)
        return Section(
            id=f"{one.kind}-{one.code}",
            title=self.say(TITLES[one.kind], name=text(one.entry.names, self.locale)),
            code=one.code,
            effect=self.say(EFFECTS[one.what], number=one.number),
            tone=TONES[one.what],
            held=held,
            sentences=tuple(self.sentences(one, held or 0, on)),
            rows=tuple(row for change in one.fields for row in self.rows(one, change)),
        )

    def sentences(self, one: Difference, held: int, on: date) -> Iterator[str]:
        """For new clients, then for those who hold it."""
        day = date_text(on, self.locale)
        match one.what:
            case "created" if one.kind == "feature":
                yield self.say(_("Ajouté à la comparaison dès la publication."))
            case "created":
                yield self.say(_("En vente dès le %(day)s."), day=day)
            case "version":
                yield self.say(
                    _(
                        "Ce qui a été vendu ne change pas : les nouveaux clients signent la version %(number)s dès le %(day)s."
                    ),
                    number=one.number,
                    day=day,
                )
            case "price":
                yield self.say(_("Les nouveaux clients paient ces tarifs dès le %(day)s."), day=day)
            case "withdrawn":
                yield self.say(_("Plus aucun client ne peut la choisir dès le %(day)s."), day=day)
            case _:
                yield self.say(_("Visible par tous dès la publication, sans attendre la date."))
        if one.what in ("version", "price", "withdrawn") and held:
            yield ngettext(
                "%(count)s abonné garde ce qu’il a signé, prix compris.",
                "%(count)s abonnés gardent ce qu’ils ont signé, prix compris.",
                held,
                self.locale,
            )

    # One line

    def rows(self, one: Difference, change: FieldChange) -> Iterator[Row]:
        name = change.path[0]
        if name == "price":
            yield from self.price_rows(one, change)
            return
        versioned = name not in ("rank", "icon", "position", "group", "per_establishment")
        held = None
        if versioned and one.kind != "feature" and one.what != "created":
            held = count_of(self.held, one.kind, one.code)
        yield Row(
            self.label(change), self.value(change, change.before), self.value(change, change.after), held
        )

    def price_rows(self, one: Difference, change: FieldChange) -> Iterator[Row]:
        key: PriceKey = change.path[1]
        often = self.say(catalogue_words.FREQUENCIES[key.frequency])
        seller = catalogue_words.seller(key.reseller, self.resellers, self.locale)
        present = [
            each for each in self.held if (each.kind, each.code, each.key) == (one.kind, one.code, key)
        ]
        held = sum(each.count for each in present) if one.what != "created" else None
        kept = ", ".join(self.kept(each) for each in _by_amount(present)) if held else ""
        before, after = change.before, change.after
        for label, said in self.price_parts(before or after):
            was, becomes = said(before) if before else NOTHING, said(after) if after else NOTHING
            if was != becomes:
                yield Row(self.say(label, often=often, seller=seller), was, becomes, held, kept)
                kept = ""  # said once per tariff

    def price_parts(self, price: Any) -> list[tuple[Sentence, Callable[[Any], str]]]:
        """What makes up a tariff: the label of its line, and how it is said."""
        locale = self.locale
        parts: list[tuple[Sentence, Callable[[Any], str]]] = [
            (_("Tarif %(often)s, %(seller)s"), lambda p: filters.money(p.amount_cents, locale))
        ]
        if isinstance(price, CataloguePlanPrice):
            parts += [
                (
                    _("Tarif %(often)s, %(seller)s : établissements en plus"),
                    lambda p: catalogue_words.tiers(p.establishment_tiers, locale),
                ),
                (
                    _("Tarif %(often)s, %(seller)s : engagement"),
                    lambda p: gesture_words.commitment(p.commitment_months, locale),
                ),
                (
                    _("Tarif %(often)s, %(seller)s : préavis"),
                    lambda p: gesture_words.notice(p.notice_count, p.notice_unit, locale),
                ),
                (
                    _("Tarif %(often)s, %(seller)s : à la fin de l’engagement"),
                    lambda p: self.say(catalogue_words.RENEWALS[p.renewal]),
                ),
            ]
        return parts

    def kept(self, held: Held) -> str:
        return ngettext(
            "%(count)s garde %(amount)s",
            "%(count)s gardent %(amount)s",
            held.count,
            self.locale,
            amount=filters.money(held.amount_cents or 0, self.locale, held.key.currency),
        )

    def label(self, change: FieldChange) -> str:
        name = change.path[0]
        if name in TEXTS:
            return self.say(TEXTS[name], language=self.say(LANGUAGES_SAID[change.path[1]]))
        if name == "feature":
            return self.names["feature"].get(change.path[1], change.path[1])
        return self.say(LABELS[name])

    def value(self, change: FieldChange, value: Any) -> str:
        """One side of a line."""
        name = change.path[0]
        if value in (None, "", ()):
            return self.say(_("Non compris")) if name == "feature" else NOTHING
        match name:
            case "feature":
                return self.say(_("Compris")) if value is True else " / ".join(map(str, value.values()))
            case "kind":
                return self.say(catalogue_words.KINDS[value])
            case "per_establishment":
                return self.say(_("Oui") if value else _("Non"))
            case "quantity":
                return self.say(_("de %(least)s à %(most)s"), least=value[0], most=value[1])
            case "highlights":
                return " · ".join(value)
            case "unit":
                return ", ".join(value)
            case "offered_by" | "included_by":
                return ", ".join(self.names["plan"].get(code, code) for code in value)
            case "requires" | "excludes":
                return ", ".join(self.names["option"].get(code, code) for code in value)
            case "switches_on":
                return self.names["feature"].get(value, value)
            case _:
                return str(value)

    def say(self, sentence: str, **values: object) -> str:
        return gettext(sentence, self.locale, **values)


def names_of(entries: Sequence[Any], locale: str) -> dict[str, str]:
    """Names by code, in the reader's language."""
    return {entry.code: text(entry.names, locale) for entry in entries}


def _by_amount(held: Sequence[Held]) -> list[Held]:
    """One for each amount signed, whatever the version."""
    found: dict[int | None, Held] = {}
    for each in held:
        former = found.get(each.amount_cents)
        count = each.count + (former.count if former else 0)
        found[each.amount_cents] = Held(each.kind, each.code, each.number, each.key, each.amount_cents, count)
    return list(found.values())
