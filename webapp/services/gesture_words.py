"""A gesture in one sentence, the same in the client's history, in the mail and on the team's pages (S2, U3)."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from webapp import filters
from webapp.i18n import Sentence, _, date_text, gettext, ngettext

Facts = Mapping[str, Any]
Names = Mapping[str, str]  # of plans and options, by code, in the language of the sentence
Telling = Callable[[Facts, str, Names], str]

METHODS: dict[str, Sentence] = {"transfer": _("virement"), "card": _("carte")}
FREQUENCIES: dict[str, Sentence] = {"monthly": _("mensuelle"), "annual": _("annuelle")}
RENEWALS: dict[str, Sentence] = {
    "same_term": _("reconduction tacite pour la même durée"),
    "monthly": _("poursuite de mois en mois"),
    "ends": _("fin sans reconduction"),
}


def sentence(kind: str, facts: Facts, locale: str, names: Names) -> str:
    """What was done, dates and amounts written out. What another version of the portal noted is told by its name."""
    telling = TOLD.get(kind)
    try:
        if telling is not None:
            return telling(facts, locale, names)
    except KeyError:
        pass
    return gettext(_("Geste « %(kind)s »."), locale, kind=kind)


def notice(count: int, unit: str, locale: str) -> str:
    """ "2 mois", "30 jours", "aucun"."""
    if count == 0:
        return gettext(_("aucun"), locale)
    if unit == "days":
        return ngettext("%(count)s jour", "%(count)s jours", count, locale)
    return ngettext("%(count)s mois", "%(count)s mois", count, locale)


def commitment(months: int, locale: str) -> str:
    """ "12 mois", "aucun"."""
    return notice(months, "months", locale)


def what(item: str | None, ref: str | None, locale: str, names: Names) -> str:
    """What a discount lessens: "tout l’abonnement", "la formule Pro", "Boîtes mail"."""
    if item is None:
        return gettext(_("tout l’abonnement"), locale)
    if ref is None:
        words = _("la formule") if item == "plan" else _("toutes les options")
        return gettext(words, locale)
    name = names.get(ref, ref)
    return gettext(_("la formule %(plan)s"), locale, plan=name) if item == "plan" else name


def off(discount: Facts, locale: str, currency: str = "EUR") -> str:
    """ "20 %", "5,00 € par mois"."""
    if discount["share"] is None:
        return gettext(
            _("%(amount)s par mois"),
            locale,
            amount=filters.money(discount["monthly_cents"], locale, currency),
        )
    share = Fraction(discount["share"])
    exact = Decimal(share.numerator * 100) / share.denominator
    return filters.percent(round(exact, 2).normalize(), locale)


def _days(discount: Facts, locale: str) -> dict[str, str]:
    until = discount["until_on"]
    last = date.fromisoformat(until) - timedelta(days=1) if until else None
    return {
        "start": date_text(date.fromisoformat(discount["from_on"]), locale),
        "end": date_text(last, locale) if last else "",
    }


def _lessened(facts: Facts, locale: str, names: Names) -> dict[str, str]:
    discount = facts["discount"]
    return {"what": what(discount["item"], discount["ref"], locale, names), **_days(discount, locale)}


def _discount(facts: Facts, locale: str, names: Names) -> str:
    amount = off(facts["discount"], locale, facts.get("currency", "EUR"))
    words = _("Remise de %(off)s sur %(what)s, du %(start)s au %(end)s.")
    return gettext(words, locale, off=amount, **_lessened(facts, locale, names))


def _free(facts: Facts, locale: str, names: Names) -> str:
    return gettext(_("Offert du %(start)s au %(end)s : %(what)s."), locale, **_lessened(facts, locale, names))


def _price(facts: Facts, locale: str, names: Names) -> str:
    price = filters.money(facts["price_cents"], locale, facts.get("currency", "EUR"))
    words = _("Prix spécial de %(price)s HTVA pour %(what)s, du %(start)s au %(end)s.")
    return gettext(words, locale, price=price, **_lessened(facts, locale, names))


def _plan(facts: Facts, locale: str, names: Names) -> str:
    frequency = FREQUENCIES[facts["frequency"]]
    return gettext(
        _("Passage à la formule %(plan)s, facturation %(frequency)s, le %(date)s."),
        locale,
        plan=names.get(facts["plan"], facts["plan"]),
        frequency=gettext(frequency, locale),
        date=date_text(date.fromisoformat(facts["effective_on"]), locale),
    )


def _terms(facts: Facts, locale: str, names: Names) -> str:
    after = facts["after"]
    renewal = RENEWALS[after["renewal"]]
    return gettext(
        _("Conditions changées : engagement %(commitment)s, préavis %(notice)s, %(renewal)s."),
        locale,
        commitment=commitment(after["commitment_months"], locale),
        notice=notice(after["notice_count"], after["notice_unit"], locale),
        renewal=gettext(renewal, locale),
    )


def _money(facts: Facts, locale: str) -> dict[str, str]:
    method = METHODS[facts["method"]]
    return {
        "amount": filters.money(facts["amount_cents"], locale, facts["currency"]),
        "method": gettext(method, locale),
        "date": date_text(date.fromisoformat(facts["on"]), locale),
        "reference": facts["reference"],
    }


def _payment(facts: Facts, locale: str, names: Names) -> str:
    words = _("Paiement de %(amount)s reçu le %(date)s par %(method)s, noté par notre équipe.")
    return gettext(words, locale, **_money(facts, locale))


def _refund(facts: Facts, locale: str, names: Names) -> str:
    words = _("Remboursement de %(amount)s le %(date)s par %(method)s, référence %(reference)s.")
    return gettext(words, locale, **_money(facts, locale))


def _card_refund(facts: Facts, locale: str, names: Names) -> str:
    amount = filters.money(facts["amount_cents"], locale, facts["currency"])
    words = _("Remboursement de %(amount)s sur la carte ou le compte qui avait payé.")
    return gettext(words, locale, amount=amount)


def _due_date(facts: Facts, locale: str, names: Names) -> str:
    return gettext(
        _("Échéance de la facture %(invoice)s reportée au %(date)s."),
        locale,
        invoice=facts["invoice"],
        date=date_text(date.fromisoformat(facts["until"]), locale),
    )


TOLD: dict[str, Telling] = {
    "discount": _discount,
    "free_months": _free,
    "free_option": _free,
    "price": _price,
    "plan": _plan,
    "terms": _terms,
    "payment": _payment,
    "refund": _refund,
    "card_refund": _card_refund,
    "due_date": _due_date,
}
