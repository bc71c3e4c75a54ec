"""What the pages of the team ask for."""

import re
from decimal import Decimal, InvalidOperation

from wtforms import DateField, DecimalField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange

from webapp.domain.money import Money
from webapp.forms import PortalForm
from webapp.i18n import _

_AMOUNT = (
    InputRequired(_("Indiquez un montant.")),
    NumberRange(min=Decimal("0.01"), max=Decimal("99999.99")),
)


class AmountField(DecimalField):  # type: ignore[misc]  # WTForms has no types
    """An amount as people type it, with a comma or a point, and cents at most: 1 234,50."""

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
            raise ValueError(_("Écrivez un montant en euros, comme 49,00."))
        self.data = amount


class AnswerForm(PortalForm):
    monthly = AmountField(_("Prix par mois, HTVA"), _AMOUNT)
    annual = AmountField(_("Prix par an, HTVA"), _AMOUNT)
    valid_until = DateField(_("Valable jusqu’au"), [InputRequired(_("Indiquez une date."))])
    message = TextAreaField(
        _("Ce que vous proposez"),
        [DataRequired(_("Décrivez ce que vous proposez.")), Length(max=4000)],
        description=_("Le client lira ce texte avec le prix."),
    )


def as_money(amount: Decimal | None, currency: str) -> Money:
    """Two decimals and no more: the field has checked the range."""
    return Money(int(((amount or Decimal(0)) * 100).to_integral_value()), currency)
