"""The form that adds a client: its billing details, the owner to invite, its first addresses, and one of the plans on sale."""

from collections.abc import Mapping
from typing import Any

from wtforms import EmailField, FieldList, Form, FormField, RadioField, StringField, TextAreaField
from wtforms.validators import DataRequired, Email, InputRequired, Length, Optional

from webapp.billing_form import BillingDetailsForm
from webapp.confirming import ConfirmForm
from webapp.establishment_words import WRONG
from webapp.forms import TRANSLATIONS
from webapp.i18n import _
from webapp.inviting import stripped
from webapp.services import establishments
from webapp.services.client_openings import MOST_ESTABLISHMENTS, NewClient
from webapp.services.subscriptions import NewEstablishment


class PlaceFields(Form):  # type: ignore[misc]  # WTForms has no types
    """One address. What it may hold is said once, in `services.establishments.checked`."""

    name = StringField(_("Nom"), [Optional()])
    street = StringField(_("Rue et numéro"), [Optional()])
    postcode = StringField(_("Code postal"), [Optional()])
    city = StringField(_("Commune"), [Optional()])
    number = StringField(_("Numéro d’établissement"), [Optional()])

    class Meta(Form.Meta):  # type: ignore[misc]
        def get_translations(self, form: object) -> object:
            return TRANSLATIONS

    @property
    def cells(self) -> dict[str, str]:
        return {name: str(field.data or "").strip() for name, field in self._fields.items()}


class NewClientForm(BillingDetailsForm):
    """Without an address typed, the client has one establishment, where it is billed."""

    # Asked of a client that has an account.
    version = None
    accountant_email = None
    use_enterprise_number = None
    name = StringField(
        _("Nom du client"),
        [DataRequired(_("Indiquez le nom du commerce ou de l’établissement.")), Length(max=120)],
        filters=[stripped],
    )
    peppol_id = StringField(
        _("Identifiant Peppol"),
        [Optional()],
        filters=[lambda text: stripped(text) or None],
        description=_("L’adresse où arrivent ses factures électroniques"),
    )
    invoice_emails = TextAreaField(
        _("Adresses e-mail pour les factures"),
        [DataRequired(_("Indiquez au moins une adresse où envoyer ses factures."))],
        description=_("Une adresse par ligne, cinq au plus. La première reçoit aussi les rappels."),
    )
    owner_email = EmailField(
        _("Adresse e-mail du propriétaire"),
        [DataRequired(_("Indiquez l’adresse e-mail du propriétaire.")), Email(), Length(max=254)],
        filters=[stripped],
        description=_("Il reçoit une invitation en votre nom, et gère ensuite son compte."),
    )
    tariff = RadioField(_("Formule et facturation"), [InputRequired(_("Choisissez une formule."))])
    establishments = FieldList(FormField(PlaceFields), min_entries=1, max_entries=MOST_ESTABLISHMENTS)
    places: tuple[NewEstablishment, ...] = ()  # those of `establishments`, once checked

    def validate(self, extra_validators: Any = None) -> bool:
        is_valid = bool(super().validate(extra_validators))
        entries = [entry.form for entry in self.establishments]
        typed = [each for each in entries if any(each.cells.values())]
        if typed:
            checks = [_checked(each, each.cells) for each in typed]
        else:
            cells = {name: str(self[name].data or "") for name in ("name", "street", "postcode", "city")}
            checks = [_checked(entries[0], cells)] if is_valid else []
        if any(wrong for _place, wrong in checks):
            self.form_errors.append(_("Complétez les établissements : chacun a une adresse en Belgique."))
            return False
        self.places = tuple(place for place, _wrong in checks)
        return is_valid

    def wanted(self) -> NewClient:
        """Once valid."""
        plan_code, _slash, frequency = str(self.tariff.data).partition("/")
        return NewClient(self.details(), str(self.owner_email.data), self.places, plan_code, frequency)


class ConfirmNewClientForm(NewClientForm, ConfirmForm):
    """The client shown, sent again with its confirmation."""


def _checked(fields: PlaceFields, cells: Mapping[str, str]) -> tuple[NewEstablishment, bool]:
    """The address as it will be kept, and whether something is wrong, then said beside each field."""
    place, wrong = establishments.checked(cells)
    for name in wrong:
        fields[name].errors = [WRONG[name]]
    return place, bool(wrong)
