"""The forms of the establishments' pages. What a field may hold is said once, in `services.establishments.checked`."""

import re
from collections.abc import Sequence
from typing import Any

from flask_wtf.file import FileField
from wtforms import HiddenField, StringField
from wtforms.validators import InputRequired, Optional

from webapp.confirming import ConfirmForm
from webapp.domain.option_change import Wish
from webapp.establishment_words import WRONG
from webapp.forms import PortalForm
from webapp.i18n import _
from webapp.services import establishments
from webapp.services.subscriptions import NewEstablishment


class EstablishmentForm(PortalForm):
    name = StringField(_("Nom"), validators=[InputRequired(_("Donnez un nom à l’établissement."))])
    street = StringField(_("Rue et numéro"), validators=[InputRequired(_("Écrivez la rue et le numéro."))])
    postcode = StringField(_("Code postal"), validators=[InputRequired(WRONG["postcode"])])
    city = StringField(_("Commune"), validators=[InputRequired(_("Écrivez la commune."))])
    number = StringField(
        _("Numéro d’établissement"),
        description=_("Celui de la Banque-Carrefour des Entreprises : 2.xxx.xxx.xxx."),
        validators=[Optional()],
    )

    def validate(self, extra_validators: Any = None) -> bool:
        is_valid = bool(super().validate(extra_validators))
        _details, wrong = establishments.checked(self._cells())
        for name in wrong:
            if not self[name].errors:
                self[name].errors = [WRONG[name]]
        return is_valid and not wrong

    def details(self) -> NewEstablishment:
        """As it will be kept; once valid."""
        return establishments.checked(self._cells())[0]

    def _cells(self) -> dict[str, str]:
        return {name: self[name].data or "" for name in ("name", "street", "postcode", "city", "number")}


class ConfirmAdditionForm(EstablishmentForm, ConfirmForm):
    """The address shown, sent again with its confirmation."""


class ImportForm(PortalForm):
    file = FileField(
        _("Fichier CSV"),
        description=_(
            "En UTF-8, séparé par des points-virgules ou des virgules, 2 000 lignes et 1 Mo au plus. "
            "La première ligne nomme les colonnes."
        ),
    )


class ConfirmImportForm(ConfirmForm):
    lines = HiddenField(validators=[InputRequired()])


# ── The services of each establishment ───────────────────────────────────────────────────────────────────────────

_WISH = re.compile(r"^([a-z0-9_-]{1,60})@([0-9a-f]{32})(?:=([01]))?$")
MOST_WISHES = 5_000


def asked_services(shown: Sequence[str], chosen: Sequence[str]) -> list[Wish]:
    """What the switches of a page ask for: those shown and not chosen are off. Forged values are left out."""
    on = set(chosen)
    wishes = []
    for place in shown[:MOST_WISHES]:
        found = _WISH.match(place)
        if found is not None:
            wishes.append(Wish(found[1], int(place in on), found[2]))
    return wishes


def wishes_as_text(wishes: Sequence[Wish]) -> str:
    return " ".join(f"{each.code}@{each.establishment_id}={each.quantity}" for each in wishes)


def wishes_from_text(text: str) -> list[Wish]:
    found = (_WISH.match(each) for each in text.split()[:MOST_WISHES])
    return [Wish(each[1], int(each[3]), each[2]) for each in found if each is not None and each[3]]
