"""What the forms of a draft of the catalogue share: texts in three languages, notation, and complaints put beside fields.

A form turns amounts and dates into the notation of the file and says what cannot be read at all; every rule is checked
by the reading of the file, whose complaints come back beside the field that they name.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any, NamedTuple

from wtforms import (
    IntegerField,
    StringField,
    TextAreaField,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired
from wtforms.widgets import HiddenInput

from webapp.adapters.catalogue_tree import amount
from webapp.adapters.yaml_file import CODE, Problem
from webapp.domain.catalogue import LANGUAGES, PriceKey
from webapp.forms import PortalForm
from webapp.i18n import Sentence, _

Fields = dict[str, Any]
Said = Callable[[Problem], str]
IN_LANGUAGE: dict[str, Sentence] = {"fr": _("En français"), "nl": _("En néerlandais"), "en": _("En anglais")}


class Group(NamedTuple):
    """Fields that stand together on the page, under one legend."""

    legend: str | Sentence
    names: list[str]
    hint: Sentence | str = ""
    card: Sentence | str = ""  # the title of the card, when several groups share one


class Card(NamedTuple):
    """Groups shown in one card; alone, a group gives the card its legend."""

    title: str | Sentence
    hint: Sentence | str
    groups: list[Group]


def chosen(*pairs: tuple[str, str]) -> list[SelectChoice]:
    """The choices of a list: (value, words)."""
    return [SelectChoice(value, words) for value, words in pairs]


class EntryForm(PortalForm):
    """One entry of the draft. `places` gives the field that a path of the file stands for, longest path first."""

    version = IntegerField(widget=HiddenInput(), validators=[InputRequired()])
    groups: Sequence[Group] = ()
    places: Mapping[str, str] = {}

    @property
    def cards(self) -> list[Card]:
        """The groups as the page shows them, those that share a card together."""
        parts = [
            list(of) for _title, of in groupby(self.groups, key=lambda group: group.card or group.legend)
        ]
        return [Card(of[0].card or of[0].legend, of[0].hint, of) for of in parts]

    def blame(self, problems: Sequence[Problem], prefixes: Sequence[str], said: Said) -> bool:
        """Put each complaint about these entries beside its field; whether there was one for a field of this form."""
        found = False
        for problem in problems:
            for prefix in prefixes:
                name = self._field_of(problem, prefix)
                if name is not None:
                    field = self[name]
                    field.errors = [*field.errors, said(problem)]
                    found = True
                    break
        return found

    def _field_of(self, problem: Problem, prefix: str) -> str | None:
        if not problem.path.startswith(f"{prefix}."):
            return None
        path = problem.path.removeprefix(f"{prefix}.")
        wanted = problem.facts.get("wanted")
        if isinstance(wanted, PriceKey) and (name := price_name(wanted)) in self:
            return name
        whole = (
            place for place in self.places if path == place or re.match(rf"{re.escape(place)}[.\[]", path)
        )
        longest = max(whole, key=len, default=None)
        return self.places[longest] if longest is not None else None


def prefixes_of(section: str, code: str, index: int) -> list[str]:
    """How the checks call an entry: by its code, or by its place while the code is not one."""
    return [f"{section}[{code}]"] if CODE.fullmatch(code) else [f"{section}[{index}]"]


def made_of(name: str, base: type[EntryForm], fields: Mapping[str, Any], **more: Any) -> type[EntryForm]:
    return type(name, (base,), {**fields, **more})


def texts_in(
    name: str, path: str, words: Sentence, long: bool = False
) -> tuple[dict[str, Any], dict[str, str], Group]:
    """A text in the three languages: its fields, their places, and their group."""
    kind = TextAreaField if long else StringField
    fields = {f"{name}_{language}": kind(IN_LANGUAGE[language]) for language in LANGUAGES}
    return (
        fields,
        {f"{path}.{language}": f"{name}_{language}" for language in LANGUAGES},
        Group(words, list(fields)),
    )


def typed(form: EntryForm, name: str) -> dict[str, str]:
    return {language: text_of(form, f"{name}_{language}") for language in LANGUAGES}


def text_of(form: EntryForm, name: str) -> str:
    """The text typed, on one line; the hard spaces that languages ask for stay."""
    return re.sub(r"[ \t\r\n]+", " ", str(form[name].data or "")).strip(" ")


def shown_in(name: str, texts: Mapping[str, Any] | None) -> dict[str, str]:
    return {f"{name}_{language}": str((texts or {}).get(language, "")) for language in LANGUAGES}


CODE_FIELD = StringField(
    _("Code"),
    description=_("Ne change plus ensuite. Des minuscules, des chiffres et des traits d’union."),
)


def key_of(price: Mapping[str, Any]) -> PriceKey:
    return PriceKey(price["frequency"], price.get("currency", "EUR"), price.get("reseller"))


def key_fields(key: PriceKey) -> Fields:
    fields = {"reseller": key.reseller} if key.reseller else {}
    return fields | {"frequency": key.frequency, "currency": key.currency}


def written(typed: Decimal | None) -> str | None:
    """An amount as the file writes it; below zero, as it was typed, for the checks to refuse it."""
    if typed is None or typed < 0:
        return None if typed is None else str(typed)
    return amount(int(typed * 100))


def decimal_of(written: str | None) -> Decimal | None:
    return Decimal(written) if written else None


def price_name(key: PriceKey) -> str:
    """The field that holds the price of an option for this key."""
    return f"price_{key.frequency}_{key.reseller or ''}"
