"""What the pages of the team ask for."""

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from wtforms import DateField, DecimalField, RadioField, SelectMultipleField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Optional

from webapp.confirming import ConfirmForm
from webapp.domain.money import Money
from webapp.forms import PortalForm
from webapp.i18n import _
from webapp.rendering import current_locale

_AMOUNT = (
    InputRequired(_("Indiquez un montant.")),
    NumberRange(min=Decimal("0.01"), max=Decimal("99999.99")),
)


class AmountField(DecimalField):  # type: ignore[misc]  # WTForms has no types
    """An amount as people type it, with a comma or a point, and cents at most: 1 234,50."""

    wrong = _("Écrivez un montant en euros, comme 49,00.")

    def _value(self) -> str:
        """As it was typed; what the form proposes has the comma of French and Dutch."""
        shown = str(super()._value())
        return shown if self.raw_data or current_locale() == "en" else shown.replace(".", ",")

    def process_formdata(self, valuelist: list[str]) -> None:
        if not valuelist or not valuelist[0].strip():
            return
        typed = re.sub(r"[\s\u202f\u00a0]", "", valuelist[0]).replace(",", ".")
        try:
            amount = Decimal(typed)
        except InvalidOperation:
            amount = Decimal("NaN")
        if not amount.is_finite() or amount != round(amount, 2):
            self.data = None
            raise ValueError(self.wrong)
        self.data = amount


class PercentField(AmountField):
    """A percentage, typed the same way: 12,5."""

    wrong = _("Écrivez un pourcentage, comme 20 ou 12,5.")


class AnswerForm(PortalForm):
    monthly = AmountField(_("Prix par mois, HTVA"), _AMOUNT)
    annual = AmountField(_("Prix par an, HTVA"), _AMOUNT)
    valid_until = DateField(_("Valable jusqu’au"), [InputRequired(_("Indiquez une date."))])
    message = TextAreaField(
        _("Ce que vous proposez"),
        [DataRequired(_("Décrivez ce que vous proposez.")), Length(max=4000)],
        description=_("Le client lira ce texte avec le prix."),
    )


class CreditForm(PortalForm):
    """What to credit of an invoice: shown with GET, so it has no token of its own."""

    scope = RadioField(
        _("Que créditer ?"),
        [InputRequired(_("Choisissez ce qui est à créditer."))],
        choices=[
            SelectChoice("full", _("Tout ce qui reste de la facture")),
            SelectChoice("lines", _("Les lignes cochées, en entier")),
            SelectChoice("amount", _("Un montant, réparti sur les lignes cochées ou sur toutes")),
        ],
        default="full",
    )
    lines = SelectMultipleField(_("Lignes"), coerce=int, choices=[], validate_choice=False)
    amount = AmountField(_("Montant, HTVA"), [Optional(), *_AMOUNT[1:]])

    def validate(self, extra_validators: Any = None) -> bool:
        is_valid = bool(super().validate(extra_validators))
        if is_valid and self.scope.data == "amount" and self.amount.data is None:
            self.amount.errors = [_("Indiquez un montant.")]
            return False
        return is_valid


class ConfirmCreditForm(ConfirmForm):
    """The confirmation, and why the credit note is issued."""

    reason = TextAreaField(
        _("Motif"),
        [DataRequired(_("Écrivez le motif : il est gardé avec la note de crédit.")), Length(max=500)],
        description=_("Le client le lit dans son historique."),
    )


def as_money(amount: Decimal | None, currency: str) -> Money:
    """Two decimals and no more: the field has checked the range."""
    return Money(int(((amount or Decimal(0)) * 100).to_integral_value()), currency)
