"""The forms of an option and of a compared service: from the fields of the file to what is typed, and back."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from wtforms import (
    BooleanField,
    IntegerField,
    SelectField,
    StringField,
)
from wtforms.validators import InputRequired, NumberRange, Optional

from webapp.blueprints.staff.catalogue_fields import (
    CODE_FIELD,
    IN_LANGUAGE,
    EntryForm,
    Fields,
    Group,
    chosen,
    decimal_of,
    key_fields,
    key_of,
    made_of,
    price_name,
    shown_in,
    text_of,
    texts_in,
    typed,
    written,
)
from webapp.blueprints.staff.forms import AmountField
from webapp.domain.catalogue import FREQUENCIES, LANGUAGES, OPTION_KINDS, PriceKey
from webapp.forms import PortalForm
from webapp.i18n import Sentence, _
from webapp.services import catalogue_words

ICONS = re.findall(
    r'<symbol[^>]*\bid="([a-z0-9-]+)"',
    (Path(__file__).parents[2] / "static" / "icons" / "sprite.svg").read_text(encoding="utf-8"),
)
OFTEN: dict[str, Sentence] = {
    "monthly": _("Par mois, HTVA"),
    "annual": _("Par an, HTVA"),
    "once": _("Une fois, HTVA"),
}


# ── An option ────────────────────────────────────────────────────────────────────────────────────────────────────


class Shelf(NamedTuple):
    """What an option may refer to, each as (code, name): plans, other options, compared services, resellers."""

    plans: Sequence[tuple[str, str]]
    options: Sequence[tuple[str, str]]
    features: Sequence[tuple[str, str]]
    sellers: Sequence[tuple[str | None, str]]  # None: sold directly


def option_form(shelf: Shelf, kind: str, is_new: bool) -> type[EntryForm]:
    """Of an option; an option keeps its kind, so a new one is asked for it first."""
    fields: dict[str, Any] = {"code": CODE_FIELD} if is_new else {}
    fields |= {
        "place": IntegerField(
            _("Place dans la liste"), [InputRequired(_("Indiquez une place.")), NumberRange(1, 999)]
        ),
        "icon": SelectField(_("Pictogramme"), choices=chosen(*((name, name) for name in ICONS))),
        "feature": SelectField(_("Service activé"), choices=chosen(("", _("Aucun")), *shelf.features)),
    }
    groups = [Group(_("Place"), list(fields))]
    places = {name: name for name in fields}
    for name, words, long in (("name", _("Nom"), False), ("description", _("Description"), True)):
        more, where, group = texts_in(name, name, words, long)
        fields, places = fields | more, places | where
        groups.append(group)
    if kind == "per_unit":
        units = {
            f"unit_{language}_{number}": StringField(words)
            for language in LANGUAGES
            for number, words in (("one", IN_LANGUAGE[language]), ("many", _("Au pluriel")))
        }
        limits = {
            "smallest": IntegerField(_("Quantité minimale"), [Optional()]),
            "largest": IntegerField(_("Quantité maximale"), [Optional()]),
        }
        fields |= units | limits
        places |= {f"unit.{language}": f"unit_{language}_one" for language in LANGUAGES}
        places |= {"quantity.min": "smallest", "quantity.max": "largest"}
        groups += [Group(_("Une unité"), list(units)), Group(_("Quantité"), list(limits))]
    sold = {
        f"plan_{code}": SelectField(
            name,
            choices=chosen(
                ("", _("Ne la propose pas")),
                ("offered_by", _("La vend")),
                ("included_by", _("L’inclut")),
            ),
        )
        for code, name in shelf.plans
    }
    others = {
        f"other_{code}": SelectField(
            name,
            choices=chosen(("", _("Sans lien")), ("requires", _("La demande")), ("excludes", _("L’exclut"))),
        )
        for code, name in shelf.options
    }
    fields |= sold | others
    first = next(iter(sold), "icon")
    places |= {"offered_by": first, "included_by": first}
    places |= {name: next(iter(others), "icon") for name in ("requires", "excludes")}
    groups.append(
        Group(
            _("Formules"),
            list(sold),
            _("Chaque formule la vend, l’inclut sans supplément, ou ne la propose pas."),
        )
    )
    if others:
        groups.append(Group(_("Autres options"), list(others), _("Ce que cette option demande ou exclut.")))
    prices = option_price_keys(shelf, kind)
    for key in prices:
        fields[price_name(key)] = AmountField(OFTEN[key.frequency], [Optional()])
    for seller, name in shelf.sellers:
        own = [price_name(key) for key in prices if key.reseller == seller]
        if own:
            groups.append(Group(name, own, _("Laissez vide ce qui n’est pas vendu ainsi.")))
    if prices:
        places["prices"] = price_name(prices[0])
    return made_of("OptionForm", EntryForm, fields, groups=groups, places=places)


def option_price_keys(shelf: Shelf, kind: str) -> list[PriceKey]:
    """The tariffs that an option of this kind may have."""
    often = {"one_off": ("once",), "on_quotation": ()}.get(kind, FREQUENCIES)
    return [PriceKey(each, "EUR", seller) for seller, _name in shelf.sellers for each in often]


def option_shown(entry: Mapping[str, Any], place: int) -> Fields:
    shown: Fields = {
        "place": place,
        "icon": entry.get("icon"),
        "feature": entry.get("feature", ""),
        **shown_in("name", entry.get("name")),
        **shown_in("description", entry.get("description")),
    }
    for language, words in entry.get("unit", {}).items():
        shown |= {f"unit_{language}_one": words[0], f"unit_{language}_many": words[1]}
    limits = entry.get("quantity", {})
    shown |= {"smallest": limits.get("min", 1), "largest": limits.get("max", 1)}
    for name in ("offered_by", "included_by"):
        shown |= {f"plan_{code}": name for code in entry.get(name, ())}
    for name in ("requires", "excludes"):
        shown |= {f"other_{code}": name for code in entry.get(name, ())}
    for price in entry.get("prices", ()):
        shown[price_name(key_of(price))] = decimal_of(price["amount"])
    return shown


def option_entry(form: EntryForm, entry: Mapping[str, Any], shelf: Shelf, kind: str) -> Fields:
    """The option typed, as the file writes it."""
    made: Fields = {
        "code": text_of(form, "code") if "code" in form else entry["code"],
        "kind": kind,
        "icon": form["icon"].data,
        "name": typed(form, "name"),
        "description": typed(form, "description"),
    }
    if kind == "per_unit":
        made["unit"] = {
            language: [text_of(form, f"unit_{language}_one"), text_of(form, f"unit_{language}_many")]
            for language in LANGUAGES
        }
        limits = {"min": form["smallest"].data, "max": form["largest"].data}
        made["quantity"] = {name: value for name, value in limits.items() if value is not None}
    for name, codes, prefix in (
        ("offered_by", shelf.plans, "plan_"),
        ("included_by", shelf.plans, "plan_"),
        ("requires", shelf.options, "other_"),
        ("excludes", shelf.options, "other_"),
    ):
        chosen = [code for code, _name in codes if form[f"{prefix}{code}"].data == name]
        if chosen:
            # In the order already written, so that an unchanged list makes no new version.
            former = list(entry.get(name, ()))
            made[name] = [code for code in former if code in chosen] + [
                code for code in chosen if code not in former
            ]
    if form["feature"].data:
        made["feature"] = form["feature"].data
    prices = [
        key_fields(key) | {"amount": written(form[price_name(key)].data)}
        for key in option_price_keys(shelf, kind)
        if form[price_name(key)].data is not None
    ]
    return made | ({"prices": prices} if prices else {})


def kind_form() -> type[PortalForm]:
    """The kind of an option to come."""
    field = SelectField(
        _("Comment elle se vend"),
        choices=chosen(*((code, catalogue_words.KINDS[code]) for code in OPTION_KINDS)),
    )

    class KindForm(PortalForm):
        class Meta(PortalForm.Meta):
            csrf = False

        kind = field

    return KindForm


# ── A compared service ───────────────────────────────────────────────────────────────────────────────────────────


def feature_form(is_new: bool) -> type[EntryForm]:
    fields: dict[str, Any] = {"code": CODE_FIELD} if is_new else {}
    fields |= {
        "place": IntegerField(
            _("Place dans la liste"), [InputRequired(_("Indiquez une place.")), NumberRange(1, 999)]
        ),
        "per_establishment": BooleanField(_("Montré établissement par établissement")),
    }
    groups, places = [Group(_("Place"), list(fields))], {name: name for name in fields}
    for name, words in (("name", _("Nom")), ("group", _("Groupe"))):
        more, where, group = texts_in(name, name, words)
        fields, places = fields | more, places | where
        groups.append(group)
    return made_of("FeatureForm", EntryForm, fields, groups=groups, places=places)


def feature_shown(entry: Mapping[str, Any], place: int) -> Fields:
    return {
        "place": place,
        "per_establishment": entry.get("per_establishment", False),
        **shown_in("name", entry.get("name")),
        **shown_in("group", entry.get("group")),
    }


def feature_entry(form: EntryForm, entry: Mapping[str, Any]) -> Fields:
    return {
        "code": text_of(form, "code") if "code" in form else entry["code"],
        "group": typed(form, "group"),
        "name": typed(form, "name"),
        "per_establishment": bool(form["per_establishment"].data),
    }
