"""The forms of a draft of the catalogue, of a plan and of its tariffs: from the fields of the file to what is typed, and back."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from wtforms import (
    DateField,
    HiddenField,
    IntegerField,
    SelectField,
    StringField,
)
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Optional
from wtforms.widgets import HiddenInput

from webapp.adapters.catalogue_tree import term
from webapp.blueprints.staff.catalogue_fields import (
    CODE_FIELD,
    EntryForm,
    Fields,
    Group,
    chosen,
    decimal_of,
    key_fields,
    made_of,
    shown_in,
    text_of,
    texts_in,
    typed,
    written,
)
from webapp.blueprints.staff.forms import AmountField
from webapp.domain.catalogue import RENEWALS, PriceKey
from webapp.forms import PortalForm
from webapp.i18n import _
from webapp.services import catalogue_words

HIGHLIGHTS, TIERS = 6, 4  # rows offered at least: an entry with more shows each of its own and one to fill
TERM = re.compile(r"(\d+) (day|month)s?")


class NewDraftForm(PortalForm):
    name = StringField(
        _("Nom du brouillon"),
        [DataRequired(_("Donnez-lui un nom.")), Length(max=80)],
        description=_("Pour l’équipe : par exemple « Tarifs 2027 »."),
    )


class DraftForm(PortalForm):
    """The draft itself."""

    version = IntegerField(widget=HiddenInput(), validators=[InputRequired()])
    name = StringField(_("Nom du brouillon"), [DataRequired(_("Donnez-lui un nom.")), Length(max=80)])
    starts_on = DateField(_("En vente dès le"), [Optional()])


class ButtonForm(PortalForm):
    """A button of a draft: the version of the page that shows it."""

    version = IntegerField(widget=HiddenInput(), validators=[InputRequired()])


class EntryButtonForm(ButtonForm):
    """A button beside a plan or an option of a draft."""

    kind = HiddenField(validators=[InputRequired()])
    code = HiddenField(validators=[InputRequired()])


# ── A plan ───────────────────────────────────────────────────────────────────────────────────────────────────────


def rows_for(present: Sequence[object], least: int) -> range:
    """The rows of a form for a list that has `present`: what a form does not show, saving would take away."""
    return range(max(least, len(present) + 1))


def plan_form(entry: Mapping[str, Any], features: Sequence[tuple[str, str]], is_new: bool) -> type[EntryForm]:
    """Of the content of a plan; `features` are the compared services, (code, name in the reader's language)."""
    fields: dict[str, Any] = {"code": CODE_FIELD} if is_new else {}
    fields |= {
        "rank": IntegerField(
            _("Rang"),
            [Optional()],
            description=_("Le niveau : plus il est haut, plus la formule comprend."),
        ),
        "included_establishments": IntegerField(_("Établissements inclus"), [Optional()]),
    }
    groups = [Group(_("Place"), list(fields))]
    places = {name: name for name in fields}
    for name, words, long in (("name", _("Nom"), False), ("description", _("Description"), True)):
        more, where, group = texts_in(name, name, words, long)
        fields, places = fields | more, places | where
        groups.append(group)
    for row in rows_for(entry.get("highlights", ()), HIGHLIGHTS):
        words = _("Point fort %(number)s") % {"number": row + 1}
        more, where, group = texts_in(f"highlight{row}", f"highlights[{row}]", words)
        fields, places = fields | more, places | where
        hint = _("Une ligne de la carte dans les trois langues, ou dans aucune.")
        groups.append(group._replace(hint=hint, card=_("Points forts")))
    for code, name in features:
        more, where, group = texts_in(f"feature_{code}", f"features.{code}", _("Service"))
        choice = SelectField(
            _("Dans cette formule"),
            choices=chosen(
                ("no", _("Non compris")), ("yes", _("Compris")), ("text", _("Compris, précisé ici"))
            ),
        )
        fields |= {f"feature_{code}": choice, **more}
        places |= {f"features.{code}": f"feature_{code}", **where}
        groups.append(Group(name, [f"feature_{code}", *more], card=_("Services compris")))
    return made_of("PlanForm", EntryForm, fields, groups=groups, places=places)


def plan_shown(entry: Mapping[str, Any], features: Sequence[tuple[str, str]]) -> Fields:
    """The content of a plan as its form shows it."""
    shown: Fields = {
        "rank": entry.get("rank"),
        "included_establishments": entry.get("included_establishments"),
        **shown_in("name", entry.get("name")),
        **shown_in("description", entry.get("description")),
    }
    for row, texts in enumerate(entry.get("highlights", ())):
        shown |= shown_in(f"highlight{row}", texts)
    for code, _name in features:
        value = entry.get("features", {}).get(code, False)
        is_text = isinstance(value, Mapping)
        shown[f"feature_{code}"] = "text" if is_text else "yes" if value else "no"
        shown |= shown_in(f"feature_{code}", value if is_text else None)
    return shown


def plan_entry(form: EntryForm, entry: Mapping[str, Any], features: Sequence[tuple[str, str]]) -> Fields:
    """The entry with the content typed; its prices stay."""
    rows = [typed(form, f"highlight{row}") for row in rows_for(entry.get("highlights", ()), HIGHLIGHTS)]
    given = {code: form[f"feature_{code}"].data for code, _name in features}
    made: Fields = {
        "code": text_of(form, "code") if "code" in form else entry["code"],
        "rank": form["rank"].data,
        "name": typed(form, "name"),
        "description": typed(form, "description"),
        "highlights": [row for row in rows if any(row.values())],
        "included_establishments": form["included_establishments"].data,
        # What the form does not show stays: a service that is not compared any more, or one left out, which means no.
        "features": {
            code: typed(form, f"feature_{code}") if choice == "text" else choice == "yes"
            for code, choice in given.items()
            if choice != "no" or code in entry.get("features", {})
        },
    }
    return made | ({"prices": entry["prices"]} if "prices" in entry else {})


# ── A tariff of a plan ───────────────────────────────────────────────────────────────────────────────────────────


class PlanPriceForm(EntryForm):
    amount = AmountField(_("Prix de la période, HTVA"), [Optional()])
    commitment = IntegerField(
        _("Engagement, en mois"), [Optional(), NumberRange(0, 999)], description=_("0 : sans engagement.")
    )
    notice_count = IntegerField(
        _("Préavis"), [Optional(), NumberRange(0, 999)], description=_("0 : sans préavis.")
    )
    notice_unit = SelectField(
        _("Préavis compté en"), choices=chosen(("months", _("mois")), ("days", _("jours")))
    )
    renewal = SelectField(
        _("À la fin de l’engagement"),
        choices=chosen(*((code, catalogue_words.RENEWALS[code]) for code in RENEWALS)),
    )


def plan_price_form(price: Mapping[str, Any]) -> type[EntryForm]:
    rows = rows_for(price.get("establishments", ()), TIERS)
    fields: dict[str, Any] = {}
    for row in rows:
        fields[f"tier{row}_from"] = IntegerField(_("Dès l’établissement numéro"), [Optional()])
        fields[f"tier{row}_amount"] = AmountField(_("Prix de chacun, HTVA"), [Optional()])
    groups = [
        Group(_("Prix"), ["amount"]),
        Group(
            _("Établissements en plus"),
            list(fields),
            _(
                "Ceux qui ne sont pas inclus, par tranches qui vont en augmentant. Laissez vides les lignes de trop."
            ),
        ),
        Group(_("Conditions"), ["commitment", "notice_count", "notice_unit", "renewal"]),
    ]
    places = {
        "amount": "amount",
        "commitment": "commitment",
        "notice": "notice_count",
        "renewal": "renewal",
        "establishments": "tier0_from",
    }
    for row in rows:
        places |= {
            f"establishments[{row}]": f"tier{row}_from",
            f"establishments[{row}].amount": f"tier{row}_amount",
        }
    return made_of("PlanPriceForm", PlanPriceForm, fields, groups=groups, places=places)


def plan_price_shown(price: Mapping[str, Any]) -> Fields:
    months, _unit = term_of(price.get("commitment", "none"))
    count, unit = term_of(price.get("notice", "none"))
    shown: Fields = {
        "amount": decimal_of(price.get("amount")),
        "commitment": months,
        "notice_count": count,
        "notice_unit": unit,
        "renewal": price.get("renewal", "same_term"),
    }
    for row, tier in enumerate(price.get("establishments", ())):
        shown |= {f"tier{row}_from": tier.get("from"), f"tier{row}_amount": decimal_of(tier.get("amount"))}
    return shown


def plan_price_entry(form: EntryForm, key: PriceKey, price: Mapping[str, Any]) -> Fields:
    """The tariff typed, as the file writes it; `price` is the one that the form was made for."""
    numbers = rows_for(price.get("establishments", ()), TIERS)
    rows = [(form[f"tier{row}_from"].data, form[f"tier{row}_amount"].data) for row in numbers]
    tiers = [
        {"from": first, "amount": written(cost)} for first, cost in rows if (first, cost) != (None, None)
    ]
    return key_fields(key) | {
        "amount": written(form["amount"].data),
        "establishments": tiers,
        "commitment": term(form["commitment"].data or 0, "months"),
        "notice": term(form["notice_count"].data or 0, str(form["notice_unit"].data)),
        "renewal": form["renewal"].data,
    }


def term_of(written: str) -> tuple[int, str]:
    """(12, months) of "12 months"; none is (0, months)."""
    found = TERM.fullmatch(written)
    return (int(found[1]), f"{found[2]}s") if found else (0, "months")
