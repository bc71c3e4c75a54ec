"""What the pages of the team ask for."""

from decimal import Decimal

from wtforms import DateField, DecimalField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange

from webapp.domain.money import Money
from webapp.forms import PortalForm
from webapp.i18n import _

_AMOUNT = (
    InputRequired(_("Indiquez un montant.")),
    NumberRange(min=Decimal("0.01"), max=Decimal("99999.99")),
)


class AnswerForm(PortalForm):
    monthly = DecimalField(_("Prix par mois, HTVA"), _AMOUNT, places=2)
    annual = DecimalField(_("Prix par an, HTVA"), _AMOUNT, places=2)
    valid_until = DateField(_("Valable jusqu’au"), [InputRequired(_("Indiquez une date."))])
    message = TextAreaField(
        _("Ce que vous proposez"),
        [DataRequired(_("Décrivez ce que vous proposez.")), Length(max=4000)],
        description=_("Le client lira ce texte avec le prix."),
    )


def as_money(amount: Decimal | None, currency: str) -> Money:
    """Two decimals and no more: the field has checked the range."""
    return Money(int(((amount or Decimal(0)) * 100).to_integral_value()), currency)
