"""Which invoices to pay, and of which method to give the details: names and codes, never an amount to be believed."""

from typing import Any

from wtforms import HiddenField, IntegerField, SelectField, SelectMultipleField
from wtforms.validators import InputRequired, ValidationError

from webapp.forms import PortalForm

MOST = 200  # invoices in one payment


class _Numbers(SelectMultipleField):  # type: ignore[misc]  # WTForms has no types
    """Numbers of invoices. Whether they are this account's is the service's to say."""

    def pre_validate(self, form: Any) -> None:
        if not self.data or len(self.data) > MOST:
            raise ValidationError


class TransferForm(PortalForm):
    facture = _Numbers(choices=[], validate_choice=False)


class PayForm(TransferForm):
    """`shown` is the amount that was on the page, in cents: what is asked may not differ from it unseen."""

    shown = IntegerField(validators=[InputRequired()])


class SetUpForm(PortalForm):
    kind = SelectField(choices=["card", "bancontact"])


class DemoForm(PortalForm):
    answer = SelectField(choices=["accept", "refuse", "check", "later", "lose"])
    card = HiddenField()
