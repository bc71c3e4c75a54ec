"""The form of billing details, for every door that asks for them: each number is checked as its register writes it, each
message says what to do."""

from collections.abc import Callable
from typing import Any

from email_validator import EmailNotValidError, validate_email
from wtforms import BooleanField, EmailField, HiddenField, RadioField, SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired, Email, Length, Optional, Regexp, StopValidation, ValidationError

from webapp.adapters import numbers
from webapp.domain.vat_treatment import EU_COUNTRIES
from webapp.forms import PortalForm
from webapp.i18n import FORMATS, LANGUAGES, _
from webapp.inviting import stripped
from webapp.services.billing_details import Details

KINDS = {
    "business": _("Une entreprise ou une association"),
    "consumer": _("Un particulier"),
    "public": _("Un organisme public"),
}
KIND_NOTES = {
    "business": _("Avec un numéro d’entreprise ou de TVA."),
    "consumer": _("Pour un usage privé, sans numéro de TVA."),
    "public": _("Commune, école, CPAS : souvent avec un bon de commande."),
}
MOST_ADDRESSES = 5

_WRONG_VAT = {
    "country": _("Ce numéro est celui d’un autre pays. Changez le pays de l’adresse ou le numéro."),
    "checksum": _("Un chiffre de ce numéro de TVA n’est pas juste. Vérifiez-le sur une de vos factures."),
    "format": _("Ce n’est pas un numéro de TVA de ce pays. En Belgique, il ressemble à BE 0876.543.270."),
}
_WRONG_ENTERPRISE = {
    "checksum": _("Un chiffre de ce numéro d’entreprise n’est pas juste. Vérifiez-le à la Banque-Carrefour."),
    "format": _("Un numéro d’entreprise a dix chiffres et commence par 0 ou 1, comme 0876.543.270."),
}
_WRONG_PEPPOL = {
    "checksum": _("Un chiffre de cet identifiant n’est pas juste."),
    "format": _("Un identifiant Peppol ressemble à 0208:0876543270."),
}


def or_none(text: str | None) -> str | None:
    return stripped(text) or None


def country_choices(locale: str) -> dict[str, str]:
    """The countries of the Union in the reader's language, Belgium first."""
    names = FORMATS[locale].territories
    others = sorted((code for code in EU_COUNTRIES if code != "BE"), key=lambda code: str(names[code]))
    return {code: str(names[code]) for code in ("BE", *others)}


class BillingDetailsForm(PortalForm):
    addresses: tuple[str, ...] = ()  # those of `invoice_emails`, once checked
    version = HiddenField()
    kind = RadioField(_("Qui est facturé"), choices=KINDS)
    name = StringField(
        _("Nom de l’établissement ou du commerce"),
        [DataRequired(_("Indiquez le nom sous lequel vous êtes connu.")), Length(max=120)],
        filters=[stripped],
    )
    legal_name = StringField(
        _("Nom de la société ou de la personne"),
        [DataRequired(_("Indiquez le nom à mettre sur la facture.")), Length(max=120)],
        filters=[stripped],
        description=_("Tel qu’il doit figurer sur la facture, avec sa forme juridique"),
    )
    street = StringField(
        _("Rue et numéro"),
        [DataRequired(_("Indiquez la rue et le numéro.")), Length(max=120)],
        filters=[stripped],
    )
    postcode = StringField(
        _("Code postal"), [DataRequired(_("Indiquez le code postal.")), Length(max=12)], filters=[stripped]
    )
    city = StringField(
        _("Localité"), [DataRequired(_("Indiquez la localité.")), Length(max=80)], filters=[stripped]
    )
    country = SelectField(
        _("Pays"), description=_("Hors de l’Union européenne, écrivez-nous : la TVA y est différente.")
    )
    enterprise_number = StringField(_("Numéro d’entreprise"), [Optional()], filters=[or_none])
    vat_number = StringField(_("Numéro de TVA"), [Optional()], filters=[or_none])
    peppol_id = StringField(
        _("Identifiant Peppol"),
        [Optional()],
        filters=[or_none],
        description=_("L’adresse où arrivent vos factures électroniques"),
    )
    use_enterprise_number = BooleanField(_("Utiliser celui de mon numéro d’entreprise"))
    buyer_reference = StringField(
        _("Bon de commande ou référence"),
        [Optional(), Length(max=60)],
        filters=[or_none],
        description=_("Rappelé sur chaque facture"),
    )
    invoice_emails = TextAreaField(
        _("Adresses e-mail pour les factures"),
        [DataRequired(_("Indiquez au moins une adresse où envoyer vos factures."))],
        description=_("Une adresse par ligne, cinq au plus. La première reçoit aussi les rappels."),
    )
    accountant_email = EmailField(
        _("Adresse e-mail de votre comptable"),
        [Optional(), Email(), Length(max=254)],
        filters=[or_none],
        description=_("Reçoit une copie de chaque facture, une fois l’adresse confirmée par un lien"),
    )
    language = SelectField(_("Langue des documents"), choices=LANGUAGES)

    def details(self) -> Details:
        """As they will be kept; once valid."""
        plain = ("name", "kind", "language", "legal_name", "street", "postcode", "city", "country")
        return Details(
            **{name: self[name].data for name in plain},
            vat_number=self.clean.get("vat_number"),
            enterprise_number=self.clean.get("enterprise_number") or self.enterprise_number.data,
            peppol_id=self.clean.get("peppol_id"),
            buyer_reference=self.buyer_reference.data,
            invoice_emails=self.addresses,
        )

    def validate_postcode(self, field: Any) -> None:
        if self.country.data == "BE":
            Regexp(r"[1-9]\d{3}$", message=_("En Belgique, un code postal a quatre chiffres."))(self, field)

    def validate_vat_number(self, field: Any) -> None:
        if self.kind.data == "consumer":
            raise ValidationError(_("Un particulier n’a pas de numéro de TVA : videz ce champ."))
        if self.country.data in EU_COUNTRIES:
            self._clean(field, lambda text: numbers.vat_number(text, self.country.data), _WRONG_VAT)

    def validate_enterprise_number(self, field: Any) -> None:
        if self.kind.data == "consumer":
            raise ValidationError(_("Un particulier n’a pas de numéro d’entreprise : videz ce champ."))
        if self.country.data == "BE":
            self._clean(field, numbers.enterprise_number, _WRONG_ENTERPRISE)
        elif len(field.data) > 30:
            raise ValidationError(_("Ce numéro est trop long."))

    def validate_peppol_id(self, field: Any) -> None:
        self._clean(field, numbers.peppol_id, _WRONG_PEPPOL)

    def validate_use_enterprise_number(self, field: Any) -> None:
        """The identifier proposed, from the numbers as they are typed now."""
        if not field.data or self.peppol_id.data:
            return
        known = self.clean.get("enterprise_number") or self.clean.get("vat_number", "").removeprefix("BE")
        proposed = numbers.proposed_peppol_id(known) if self.country.data == "BE" else None
        if proposed is None:
            raise ValidationError(_("Indiquez d’abord votre numéro d’entreprise belge."))
        self.clean["peppol_id"] = proposed

    def validate_invoice_emails(self, field: Any) -> None:
        lines = [line.strip() for line in field.data.replace(",", "\n").replace(";", "\n").splitlines()]
        addresses = list(dict.fromkeys(line.lower() for line in lines if line))
        if len(addresses) > MOST_ADDRESSES:
            raise ValidationError(_("Indiquez cinq adresses au plus."))
        for address in addresses:
            try:
                validate_email(address, check_deliverability=False)
            except EmailNotValidError:
                raise StopValidation(
                    _("« %(address)s » n’est pas une adresse e-mail complète.") % {"address": address}
                ) from None
        self.addresses = tuple(addresses)

    def _clean(self, field: Any, check: Callable[[str], str], sentences: dict[str, Any]) -> None:
        """Keep what was typed on the field; the compact number goes to `clean`, by field name."""
        try:
            self.clean[field.name] = check(field.data)
        except numbers.WrongNumber as wrong:
            raise ValidationError(sentences.get(wrong.reason, sentences["format"])) from None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.clean: dict[str, str] = {}
        super().__init__(*args, **kwargs)
