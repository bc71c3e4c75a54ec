"""Roles in words, and the form that offers one by mail: for every door that invites somebody."""

from wtforms import EmailField, RadioField
from wtforms.validators import DataRequired, Email, Length

from webapp.domain.access import ResellerRole, Role
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
RESELLER_ROLES = {
    ResellerRole.ADMIN.value: _("Administrateur"),
    ResellerRole.AGENT.value: _("Agent"),
    ResellerRole.READER.value: _("Lecteur"),
}
RESELLER_ROLE_NOTES = {
    ResellerRole.ADMIN.value: _("Tout : clients, factures, clés, sites, couleurs et utilisateurs."),
    ResellerRole.AGENT.value: _("Consulte et ajoute des clients, sans voir ce que le partenaire paie."),
    ResellerRole.READER.value: _("Consulte tout, ne change rien."),
}


def stripped(text: str | None) -> str:
    return (text or "").strip()


class InviteForm(PortalForm):
    """Into an account."""

    email = EmailField(
        _("Adresse e-mail"),
        [DataRequired(_("Indiquez l’adresse e-mail de la personne.")), Email(), Length(max=254)],
        filters=[stripped],
    )
    role = RadioField(_("Rôle"), [DataRequired(_("Choisissez un rôle."))], choices=ROLES)


class InviteColleagueForm(InviteForm):
    """Among a reseller's people."""

    role = RadioField(_("Rôle"), [DataRequired(_("Choisissez un rôle."))], choices=RESELLER_ROLES)
