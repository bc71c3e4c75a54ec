"""What the pages about the bank ask for."""

from flask_wtf.file import FileField
from wtforms import HiddenField, SelectField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length

from webapp.domain.collection_codes import NEXT_STEPS
from webapp.forms import PortalForm
from webapp.i18n import _
from webapp.services.bank_reasons import REASONS


class BankFileForm(PortalForm):
    file = FileField(
        _("Fichier de la banque"),
        description=_(
            "CODA, camt.053, camt.054 ou pain.002, 1 Mo et 2000 mouvements au plus. Pour un fichier plus long : "
            "flask bank-file."
        ),
    )


class AssignForm(PortalForm):
    """A button beside an invoice."""

    number = HiddenField(validators=[InputRequired(), Length(max=40)])


class ReturnForm(PortalForm):
    """A button beside a receipt, with the reason that the bank gave in words of its own."""

    source = HiddenField(validators=[InputRequired(), Length(max=180)])
    reason = SelectField(
        _("Raison"),
        choices=[
            SelectChoice(code, words)
            for code, words in REASONS.items()
            if code in NEXT_STEPS and code.isupper()
        ],
        default="MS03",
    )


class IgnoreForm(PortalForm):
    note = TextAreaField(
        _("Ce que c’est"),
        [DataRequired(_("Écrivez ce que c’est : la note est gardée avec le mouvement.")), Length(max=500)],
    )


class ButtonForm(PortalForm):
    """A button that says all."""


class BatchForm(PortalForm):
    """The button under a preview: what it showed."""

    preview = HiddenField(validators=[InputRequired(), Length(max=64)])
