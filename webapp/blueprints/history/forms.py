"""The filters of the history, in its address."""

from wtforms import DateField, SelectField
from wtforms.validators import Optional

from webapp.forms import PortalForm
from webapp.i18n import _
from webapp.services.history import THEMES


class FilterForm(PortalForm):
    class Meta(PortalForm.Meta):
        csrf = False  # it reads, and its address can be shared

    theme = SelectField(_("Sujet"), [Optional()], choices={"": _("Tous les sujets"), **THEMES})
    since = DateField(_("Depuis le"), [Optional()], name="du")
    until = DateField(_("Jusqu’au"), [Optional()], name="au")
