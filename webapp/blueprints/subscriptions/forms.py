"""The forms of a subscription's pages."""

from wtforms import HiddenField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length, Regexp

from webapp.forms import PortalForm
from webapp.i18n import _


class ContactForm(PortalForm):
    """A message to the support. `page` is where the writer came from."""

    idempotency_key = HiddenField(validators=[InputRequired(), Regexp(r"^[0-9a-f]{32}$")])
    page = HiddenField(validators=[Length(max=500)])
    message = TextAreaField(
        _("Votre message"),
        [
            DataRequired(_("Écrivez votre message.")),
            Length(max=5000, message=_("Votre message est trop long : 5 000 caractères au plus.")),
        ],
    )
