"""What lines and changes are called, in the language of whoever reads: one wording for previews and documents."""

from collections.abc import Mapping
from typing import Any

from webapp.domain.pricing import DraftLine, LineGroup
from webapp.i18n import gettext
from webapp.services.contracts import OptionWords, Situation


def text(texts: Mapping[str, Any], locale: str) -> str:
    """A name of the catalogue in `locale`; the catalogue check asks for all three languages (C6)."""
    return str(texts[locale])


def units(option: OptionWords, quantity: int, locale: str) -> str:
    """ "4 boîtes", as the catalogue names one and several units."""
    names = option.unit_names.get(locale)
    if not names:
        return str(quantity)
    # French counts zero and one as one, Dutch and English only one; an option in use has at least one unit.
    return f"{quantity} {names[0] if quantity == 1 else names[1]}"


def line_name(line: DraftLine, situation: Situation, locale: str) -> str:
    """ "Formule Pro", "Établissement en plus : Le Petit Parc", "Réservation en ligne, Le Petit Parc"."""
    if line.key.item == "plan":
        return gettext("Formule %(plan)s", locale, plan=text(situation.plans[line.key.ref], locale))
    address = situation.addresses.get(line.key.establishment_id or "")
    if line.key.item == "establishment":
        name = address.name if address else line.key.ref
        return gettext("Établissement en plus : %(establishment)s", locale, establishment=name)
    option = text(situation.options[line.key.ref].names, locale)
    if address is None:
        return option
    return gettext("%(option)s, %(establishment)s", locale, option=option, establishment=address.name)


def line_description(line: DraftLine, situation: Situation, locale: str) -> str:
    """The name as a document prints it: what gives back says so."""
    name = line_name(line, situation, locale)
    if line.root_id is None:
        return name
    if line.net.cents < 0:
        return gettext("Crédit pour jours non utilisés : %(line)s", locale, line=name)
    return gettext("Crédit annulé : %(line)s", locale, line=name)


def group_name(group: LineGroup, situation: Situation, locale: str) -> str:
    """The name of lines shown together: several extra establishments, one option at several addresses."""
    line = group.lines[0]
    if line.key.item == "establishment":
        return gettext("Établissements en plus", locale)
    if line.key.item in ("option", "one_off"):
        return text(situation.options[line.key.ref].names, locale)
    return line_name(line, situation, locale)
