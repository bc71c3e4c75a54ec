"""What is wrong with a field of an establishment, in words: the same in each form and in the report of a file."""

from collections.abc import Mapping

from webapp.i18n import _

WRONG: Mapping[str, str] = {
    "name": _("Donnez un nom, de 120 caractères au plus."),
    "street": _("Écrivez la rue et le numéro, en 120 caractères au plus."),
    "postcode": _("Un code postal belge compte quatre chiffres, par exemple 1060."),
    "city": _("Écrivez la commune, en 120 caractères au plus."),
    "number": _(
        "Un numéro d’établissement compte dix chiffres et commence par 2 à 8, par exemple 2.123.456.791. "
        "Laissez vide si vous ne l’avez pas."
    ),
}
