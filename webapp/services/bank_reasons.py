"""The reason of a refused or returned collection, in words: on the invoice, in the history and in the mails (D3)."""

from webapp.i18n import _, gettext

REASONS = {
    "AM04": _("solde insuffisant sur le compte"),
    "AC01": _("numéro de compte inconnu de la banque"),
    "AC04": _("compte clôturé"),
    "AC06": _("compte bloqué"),
    "AC13": _("compte de particulier, refusé pour ce type de domiciliation"),
    "MD01": _("mandat inconnu de la banque ou annulé auprès d’elle"),
    "MD06": _("remboursement demandé à la banque par le titulaire du compte"),
    "MD07": _("titulaire du compte décédé"),
    "MS02": _("domiciliation refusée par le titulaire du compte"),
    "SL01": _("domiciliation bloquée par un service de la banque"),
    "MS03": _("refus de la banque, sans raison donnée"),
    "AG01": _("domiciliation impossible sur ce compte"),
    "RC01": _("banque mal désignée"),
    "FF01": _("fichier refusé par la banque"),
    "BE05": _("créancier non reconnu par la banque"),
    "insufficient_funds": _("solde insuffisant"),
    "expired_card": _("carte expirée"),
    "card_declined": _("carte refusée par sa banque"),
    "authentication_required": _("la banque demande que vous confirmiez ce paiement vous-même"),
    "mandate_invalid": _("mandat annulé"),
    "refund": _("remboursement"),
    "recorded_in_error": _("paiement noté par erreur"),
    "chargeback": _("paiement contesté auprès de la banque"),
    "processing_error": _("erreur du prestataire de paiement"),
}


def reason_text(code: str | None, locale: str) -> str:
    """A group of words without capital or full stop. A code that has no words is shown as the bank gave it."""
    if not code:
        return gettext(_("raison inconnue"), locale)
    if code not in REASONS:
        return gettext(_("raison %(code)s donnée par la banque"), locale, code=code)
    return gettext(REASONS[code], locale)
