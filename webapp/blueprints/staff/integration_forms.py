"""What the pages of the integrations ask for."""

from wtforms import SelectField, SelectMultipleField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length

from webapp.forms import PortalForm
from webapp.i18n import _

SCOPES = {
    "accounts": _("L’état des comptes"),
    "services": _("Les services par établissement"),
    "invoices": _("Les factures et notes de crédit"),
    "events": _("Le fil des événements"),
}

# Each kind of event in a few words; its facts are in docs/webhooks.md.
KINDS = {
    "account.suspended": _("Sites suspendus"),
    "account.restored": _("Sites rétablis"),
    "invoice.issued": _("Facture émise"),
    "credit_note.issued": _("Note de crédit émise"),
    "payment.received": _("Paiement reçu"),
    "payment.returned": _("Paiement repris"),
    "subscription.signed": _("Abonnement signé"),
    "subscription.changed": _("Formule changée"),
    "subscription.change_scheduled": _("Changement ou résiliation prévu"),
    "subscription.change_cancelled": _("Changement ou résiliation annulé"),
    "subscription.renewed": _("Engagement reconduit"),
    "subscription.ended": _("Abonnement terminé"),
    "subscription.options_changed": _("Options changées"),
    "subscription.establishments_changed": _("Établissements changés"),
    "endpoint.test": _("Message d’essai"),
}


class ConsumerForm(PortalForm):
    name = StringField(
        _("Nom du système"),
        [DataRequired(_("Donnez un nom à ce système.")), Length(max=120)],
        description=_("Celui que votre équipe reconnaîtra, comme « Hébergement des sites »."),
    )
    reseller = SelectField(
        _("À qui est ce système ?"),
        choices=[SelectChoice("", _("À nous : il voit tous les clients"))],
        description=_("Le système d’un revendeur ne voit que ses propres clients."),
    )


class KeyForm(PortalForm):
    scopes = SelectMultipleField(
        _("Ce que la clé permet de lire"),
        [InputRequired(_("Choisissez ce que la clé permet de lire."))],
        choices=[SelectChoice(value, label) for value, label in SCOPES.items()],
    )


class EndpointForm(PortalForm):
    url = StringField(
        _("Adresse"),
        [DataRequired(_("Indiquez l’adresse à prévenir."))],
        description=_("Une adresse publique en https, comme https://exemple.be/notifications."),
    )
    kinds = SelectMultipleField(
        _("Événements"),
        choices=[],
        validate_choice=False,
        description=_("Sans choix, tous les événements lui sont envoyés."),
    )
