"""The catalogue in words: what a publication did, how tariffs and terms are called, what is to be mended in a draft."""

from collections.abc import Mapping, Sequence
from typing import Any

from webapp import filters
from webapp.adapters.yaml_file import Problem
from webapp.domain.catalogue import CataloguePlanPrice, Change, PlanPriceOffer, PriceKey
from webapp.i18n import Sentence, _, date_text, gettext
from webapp.services import gesture_words

DONE = {
    ("plan", "created"): _("Formule %(code)s : première version, en vente dès le %(day)s."),
    ("plan", "version"): _("Formule %(code)s : version %(number)s, en vente dès le %(day)s."),
    ("plan", "price"): _("Formule %(code)s : nouveaux tarifs dès le %(day)s."),
    ("plan", "withdrawn"): _("Formule %(code)s : plus en vente dès le %(day)s ; ses abonnés la gardent."),
    ("plan", "texts"): _("Formule %(code)s : nouveau rang."),
    ("option", "created"): _("Option %(code)s : première version, en vente dès le %(day)s."),
    ("option", "version"): _("Option %(code)s : version %(number)s, en vente dès le %(day)s."),
    ("option", "price"): _("Option %(code)s : nouveaux tarifs dès le %(day)s."),
    ("option", "withdrawn"): _("Option %(code)s : plus en vente dès le %(day)s ; ses abonnés la gardent."),
    ("option", "texts"): _("Option %(code)s : nouvel ordre ou nouvelle icône."),
    ("feature", "created"): _("Service %(code)s : ajouté à la comparaison."),
    ("feature", "texts"): _("Service %(code)s : nouveau libellé ou nouvel ordre."),
}
KINDS: dict[str, Sentence] = {
    "one_off": _("Facturée une fois"),
    "recurring": _("Récurrente, pour le compte"),
    "per_unit": _("Récurrente, par unité"),
    "per_establishment": _("Récurrente, par établissement"),
    "on_quotation": _("Sur devis"),
}
FREQUENCIES: dict[str, Sentence] = {
    "monthly": _("par mois"),
    "annual": _("par an"),
    "once": _("une fois"),
}
RENEWALS = gesture_words.RENEWALS
Names = Mapping[str, str]  # of resellers, by slug


def told(change: Change, locale: str) -> str:
    """One thing that a publication did."""
    day = date_text(change.on, locale)
    return gettext(DONE[change.kind, change.what], locale, code=change.code, number=change.number, day=day)


def seller(slug: str | None, names: Names, locale: str) -> str:
    """ "vente directe", or the reseller's name."""
    return gettext(_("vente directe"), locale) if slug is None else names.get(slug, slug)


def tariff(key: PriceKey, names: Names, locale: str) -> str:
    """ "par mois (HorecaPlus)", "par an"."""
    words = gettext(FREQUENCIES[key.frequency], locale)
    if key.reseller is None:
        return words
    return gettext(
        _("%(often)s (%(reseller)s)"), locale, often=words, reseller=seller(key.reseller, names, locale)
    )


def tiers(of: Sequence[Mapping[str, int]], locale: str, currency: str = "EUR") -> str:
    """ "dès le 2e : 24,00 €, dès le 6e : 19,00 €": the price of each establishment from that one on."""
    return ", ".join(
        gettext(
            _("dès le %(rank)s : %(amount)s"),
            locale,
            rank=filters.ordinal_text(tier["from_unit"], locale),
            amount=filters.money(tier["amount_cents"], locale, currency),
        )
        for tier in of
    )


def terms(price: CataloguePlanPrice | PlanPriceOffer, locale: str) -> str:
    """ "engagement 12 mois, préavis 2 mois, reconduction tacite pour la même durée"."""
    return gettext(
        _("engagement : %(commitment)s ; préavis : %(notice)s ; %(renewal)s"),
        locale,
        commitment=gesture_words.commitment(price.commitment_months, locale),
        notice=gesture_words.notice(price.notice_count, price.notice_unit, locale),
        renewal=gettext(RENEWALS[price.renewal], locale),
    )


def complaint(problem: Problem, names: Names, locale: str) -> str:
    """What is to be mended, as the checks of the file say it, tariffs in words."""
    facts = {name: _fact(value, names, locale) for name, value in problem.facts.items()}
    return gettext(problem.message, locale, **facts)


def _fact(value: Any, names: Names, locale: str) -> Any:
    if isinstance(value, PriceKey):
        return tariff(value, names, locale)
    return gettext(value, locale) if isinstance(value, Sentence) else value
