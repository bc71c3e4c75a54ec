"""What the pages of a contract ask for."""

from wtforms import BooleanField, SelectField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, Optional

from webapp.confirming import ConfirmForm
from webapp.i18n import _
from webapp.services.terminations import LONGEST_COMMENT


class TerminationForm(ConfirmForm):
    reason = SelectField(
        _("Pourquoi partez-vous ?"),
        [Optional()],
        choices=[
            SelectChoice("", _("Je préfère ne pas le dire")),
            SelectChoice("closing", _("Je ferme ou je cède mon établissement")),
            SelectChoice("price", _("C’est trop cher")),
            SelectChoice("missing", _("Un service me manque")),
            SelectChoice("unused", _("Je ne m’en sers pas assez")),
            SelectChoice("other", _("Une autre raison")),
        ],
    )
    comment = TextAreaField(
        _("Voulez-vous ajouter quelque chose ?"),
        [Optional(), Length(max=LONGEST_COMMENT)],
    )
    understood = BooleanField(validators=[InputRequired(_("Cochez cette case pour confirmer la date."))])
