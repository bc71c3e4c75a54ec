"""Giving a role, answering an invitation."""

from wtforms import PasswordField, SelectField, StringField
from wtforms.validators import DataRequired, Length

from webapp.forms import PortalForm
from webapp.i18n import _
from webapp.inviting import ROLES, stripped


class RoleForm(PortalForm):
    role = SelectField(_("Rôle"), choices=ROLES)


class JoinForm(PortalForm):
    full_name = StringField(
        _("Votre nom"), [DataRequired(_("Indiquez votre nom.")), Length(max=120)], filters=[stripped]
    )
    password = PasswordField(
        _("Mot de passe"),
        [DataRequired(_("Choisissez un mot de passe."))],
        description=_("Au moins 12 caractères. Quelques mots sans lien entre eux se retiennent bien."),
    )
