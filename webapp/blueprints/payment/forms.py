"""The mandate's form, and its signature."""

from typing import Any

from wtforms import BooleanField, StringField
from wtforms.validators import DataRequired, InputRequired, Length, ValidationError

from webapp.adapters.bank_accounts import BankAccount, WrongIban, bank_account
from webapp.confirming import ConfirmForm
from webapp.forms import PortalForm
from webapp.i18n import _
from webapp.services.mandates import Debtor

LONGEST_NAME = 70  # of a debtor, in the files that banks take (EPC guidelines for pain.008)
_WRONG_IBAN = {
    "format": _("Un IBAN commence par deux lettres et deux chiffres, comme BE68 5390 0754 7034."),
    "length": _(
        "Cet IBAN n’a pas la bonne longueur. Un IBAN belge a seize signes, comme BE68 5390 0754 7034."
    ),
    "checksum": _("Un chiffre de cet IBAN n’est pas juste. Recopiez-le depuis votre application bancaire."),
    "country": _("La domiciliation européenne n’existe pas dans ce pays. Donnez un compte de la zone SEPA."),
}


def _tidied(text: str | None) -> str:
    return " ".join((text or "").split())


class _Account:
    """The two fields of a mandate; `account` is set once the IBAN is checked. What was typed stays on the field."""

    account: BankAccount | None = None
    holder = StringField(
        _("Titulaire du compte"),
        [DataRequired(_("Indiquez au nom de qui est le compte.")), Length(max=LONGEST_NAME)],
        filters=[_tidied],
        description=_("Tel qu’il figure sur vos extraits de compte"),
    )
    iban = StringField(
        _("IBAN"),
        [DataRequired(_("Indiquez le numéro du compte à débiter.")), Length(max=60)],
        filters=[_tidied],
        description=_("Le compte doit permettre les domiciliations : un compte d’épargne ne convient pas."),
    )

    def validate_iban(self, field: Any) -> None:
        try:
            self.account = bank_account(field.data)
        except WrongIban as wrong:
            raise ValidationError(_WRONG_IBAN[wrong.reason]) from None

    @property
    def debtor(self) -> Debtor | None:
        """What was asked, once the form is valid; read alone, since a signature may lack its tick."""
        if self.account is None or self.holder.errors or not self.holder.data:
            return None
        return Debtor(str(self.holder.data), self.account)


class AccountForm(_Account, PortalForm):
    """Whose account is to be debited."""


class SignatureForm(_Account, ConfirmForm):
    """The signature: the account again, since nothing is kept before it, and the tick."""

    signed = BooleanField(
        _("J’ai lu ce mandat et je le signe."),
        [InputRequired(_("Cochez cette case pour signer le mandat."))],
    )
