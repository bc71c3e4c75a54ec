"""What the pages of people ask for. Whether it is right is for the services to say."""

from wtforms import EmailField, PasswordField, RadioField
from wtforms.validators import DataRequired, Length

from webapp.forms import PortalForm
from webapp.i18n import LANGUAGES, _

BROWSER = "navigateur"

_GIVE_EMAIL = DataRequired(_("Indiquez votre adresse e-mail."))
_SHORT_EMAIL = Length(max=254)


class SignInForm(PortalForm):
    email = EmailField(_("Adresse e-mail"), [_GIVE_EMAIL, _SHORT_EMAIL])
    password = PasswordField(_("Mot de passe"), [DataRequired(_("Indiquez votre mot de passe."))])


class AddressForm(PortalForm):
    email = EmailField(
        _("Adresse e-mail"),
        [_GIVE_EMAIL, _SHORT_EMAIL],
        description=_("Celle que vous utilisez pour vous connecter"),
    )


class ChoosePasswordForm(PortalForm):
    password = PasswordField(
        _("Nouveau mot de passe"),
        [DataRequired(_("Choisissez un mot de passe."))],
        description=_("Au moins 12 caractères. Quelques mots sans lien entre eux se retiennent bien."),
    )


class ChangePasswordForm(ChoosePasswordForm):
    current = PasswordField(
        _("Mot de passe actuel"), [DataRequired(_("Indiquez votre mot de passe actuel."))]
    )


class PreferencesForm(PortalForm):
    language = RadioField(_("Langue"), choices={BROWSER: _("Celle du navigateur"), **LANGUAGES})
    price_display = RadioField(_("Affichage des prix"), choices={"htva": _("HTVA"), "tvac": _("TVAC")})
