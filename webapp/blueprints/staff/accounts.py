"""Finding an account: one box, whatever the caller says; one answer leads straight to its desk."""

from flask import request, url_for
from flask.typing import ResponseReturnValue

from webapp.auth import requires
from webapp.blueprints.staff import bp
from webapp.domain.access import May
from webapp.extensions import db
from webapp.htmx import redirect_to
from webapp.i18n import _
from webapp.rendering import render
from webapp.services import account_search

LONGEST_SEARCH = 120

# Why an account is among the answers.
WHY = {
    "reference": _("Référence"),
    "name": _("Nom"),
    "company": _("Société"),
    "vat": _("TVA"),
    "enterprise": _("Numéro d’entreprise"),
    "email": _("E-mail"),
    "person": _("Utilisateur"),
    "iban": _("Compte bancaire"),
    "establishment": _("Établissement"),
    "establishment_number": _("Numéro d’établissement"),
    "city": _("Localité"),
    "invoice": _("Facture"),
    "ogm": _("Communication structurée"),
}


@bp.get("/comptes")
@requires(May.HELP_ACCOUNTS)
def accounts() -> ResponseReturnValue:
    """What was typed, and the accounts that match it. A single one is opened at once."""
    typed = " ".join(request.args.get("q", "").split())[:LONGEST_SEARCH]
    found = account_search.find(db.session(), typed)
    if found.only is not None and not found.is_more:
        return redirect_to(url_for(".account", reference=found.only.reference))
    return render(
        "staff/accounts.html",
        searched=typed,
        found=found,
        why=WHY,
        is_short=bool(typed) and not account_search.is_enough(typed),
        most=account_search.MOST,
    )
