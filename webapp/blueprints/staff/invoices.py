"""Finding any document: from its number to its way on Peppol or to its credit note."""

from flask import request
from flask.typing import ResponseReturnValue

from webapp import auth, htmx
from webapp.auth import requires
from webapp.blueprints.staff import bp
from webapp.domain.access import May
from webapp.extensions import db
from webapp.services import invoice_search


@bp.get("/factures")
@requires(May.HELP_ACCOUNTS)
def invoices() -> ResponseReturnValue:
    """The field, and what it finds."""
    typed = " ".join(request.args.get("q", "").split())[:80]
    found = invoice_search.anywhere(db.session(), typed) if typed else []
    return htmx.page_or_fragment(
        "staff/invoices.html",
        "staff/_invoices.html",
        typed=typed,
        found=found,
        most=invoice_search.MOST,
        may_act=auth.visit_allows(May.CORRECT_MONEY),
    )
