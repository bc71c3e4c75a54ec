"""Inviting somebody, giving a role, answering an invitation."""

from wtforms import EmailField, PasswordField, RadioField, SelectField, StringField
from wtforms.validators import DataRequired, Email, Length

from webapp.domain.access import Role
from webapp.forms import PortalForm
from webapp.i18n import _

ROLES = {
    Role.OWNER.value: _("Propriétaire"),
    Role.ADMINISTRATOR.value: _("Administrateur"),
    Role.VIEWER.value: _("Lecteur"),
    Role.ACCOUNTANT.value: _("Comptable"),
}
ROLE_NOTES = {
    Role.OWNER.value: _("Tout : formule, paiement, résiliation et utilisateurs."),
    Role.ADMINISTRATOR.value: _("Consulte tout, change les options et les établissements."),
    Role.VIEWER.value: _("Consulte tout, ne change rien."),
    Role.ACCOUNTANT.value: _("Consulte les factures et les coordonnées de facturation."),
}


def stripped(text: str | None) -> str:
    return (text or "").strip()


class InviteForm(PortalForm):
    email = EmailField(
        _("Adresse e-mail"),
        [DataRequired(_("Indiquez l’adresse e-mail de la personne.")), Email(), Length(max=254)],
        filters=[stripped],
    )
    role = RadioField(_("Rôle"), [DataRequired(_("Choisissez un rôle."))], choices=ROLES)


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
