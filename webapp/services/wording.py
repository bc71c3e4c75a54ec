"""What lines and changes are called, in the language of whoever reads: one wording for previews and documents."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from webapp import filters
from webapp.domain.option_change import Move, MoveKind
from webapp.domain.pricing import DISCOUNT, DraftLine, LineGroup, discount_number, discounted
from webapp.i18n import date_text, gettext
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
        return plan_line(situation.plans[line.key.ref], locale)
    if line.key.item == DISCOUNT:
        return _discount_name(line, situation, locale)
    address = situation.addresses.get(line.key.establishment_id or "")
    if line.key.item == "establishment":
        return establishment_line(address.name if address else line.key.ref, locale)
    return option_name(line.key.ref, line.key.establishment_id, situation, locale)


def _discount_name(line: DraftLine, situation: Situation, locale: str) -> str:
    """ "Remise de 20 % sur Formule Pro", "Offert : Boîtes mail", "Remise sur Formule Pro"."""
    name = line_name(replace(line, key=discounted(line.key)), situation, locale)
    number = discount_number(line.key)
    found = next((each for each in situation.contract.discounts if each.id == number), None)
    if found is None or found.share is None:
        return gettext("Remise sur %(line)s", locale, line=name)
    if found.share == 1:
        return gettext("Offert : %(line)s", locale, line=name)
    if 10_000 % found.share.denominator:  # a special price can be a share that no percentage says
        return gettext("Remise sur %(line)s", locale, line=name)
    exact = filters.percent(Decimal(found.share.numerator * 100) / found.share.denominator, locale)
    return gettext("Remise de %(percent)s sur %(line)s", locale, percent=exact, line=name)


def plan_line(names: Mapping[str, Any], locale: str) -> str:
    return gettext("Formule %(plan)s", locale, plan=text(names, locale))


def establishment_line(name: str, locale: str) -> str:
    return gettext("Établissement en plus : %(establishment)s", locale, establishment=name)


def option_line(option: str, establishment: str | None, locale: str) -> str:
    if establishment is None:
        return option
    return gettext("%(option)s, %(establishment)s", locale, option=option, establishment=establishment)


def line_description(line: DraftLine, situation: Situation, locale: str) -> str:
    """The name as a document prints it: what gives back says so."""
    name = line_name(line, situation, locale)
    if line.root_id is None:
        return name
    if line.key.item == DISCOUNT:
        if line.net.cents > 0:
            return gettext("Remise reprise pour jours non utilisés : %(line)s", locale, line=name)
        return gettext("Remise rendue : %(line)s", locale, line=name)
    if line.net.cents < 0:
        return gettext("Crédit pour jours non utilisés : %(line)s", locale, line=name)
    return gettext("Crédit annulé : %(line)s", locale, line=name)


def option_name(code: str, establishment_id: str | None, situation: Situation, locale: str) -> str:
    """ "Réservation en ligne, Le Petit Parc": an option, with its establishment when it has one."""
    option = text(situation.options[code].names, locale)
    address = situation.addresses.get(establishment_id or "")
    return option_line(option, address.name if address else None, locale)


def moves_in_words(moves: Sequence[Move], situation: Situation, locale: str) -> list[str]:
    """One sentence per option of a save: what it becomes and when."""
    return [_move_in_words(move, situation, locale) for move in moves]


def _move_in_words(move: Move, situation: Situation, locale: str) -> str:
    name = option_name(move.code, move.establishment_id, situation, locale)
    until = date_text(move.effective_on - timedelta(days=1), locale)
    words = situation.options[move.code]
    match move.kind:
        case MoveKind.ADDED if words.unit_names:
            return gettext(
                "%(option)s : %(units)s, dès aujourd’hui",
                locale,
                option=name,
                units=units(words, move.after, locale),
            )
        case MoveKind.ADDED:
            return gettext("%(option)s : ajoutée, active dès aujourd’hui", locale, option=name)
        case MoveKind.INCREASED:
            return gettext(
                "%(option)s : %(before)s puis %(after)s dès aujourd’hui", locale,
                option=name, before=move.before, after=units(words, move.after, locale),
            )  # fmt: skip
        case MoveKind.KEPT:
            return gettext("%(option)s : gardée", locale, option=name)
        case MoveKind.CANCELLED:
            return gettext("%(option)s : l’ajout de ce jour est annulé", locale, option=name)
        case MoveKind.DECREASED:
            return gettext(
                "%(option)s : %(before)s jusqu’au %(date)s, puis %(after)s", locale,
                option=name, before=move.before, date=until, after=units(words, move.after, locale),
            )  # fmt: skip
        case _:
            return gettext("%(option)s : retirée, active jusqu’au %(date)s", locale, option=name, date=until)


def group_name(group: LineGroup, situation: Situation, locale: str) -> str:
    """The name of lines shown together: several extra establishments, one option at several addresses."""
    line = group.lines[0]
    if line.key.item == "establishment":
        return gettext("Établissements en plus", locale)
    if line.key.item in ("option", "one_off"):
        return text(situation.options[line.key.ref].names, locale)
    return line_name(line, situation, locale)
