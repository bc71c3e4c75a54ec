"""What the reseller itself is billed: one document a month at wholesale prices, as PDF, XML and CSV."""

from flask import abort
from flask.typing import ResponseReturnValue

from webapp import auth, clock
from webapp.auth import requires
from webapp.blueprints.reseller import bp
from webapp.domain.access import May
from webapp.domain.reselling import BilledParty
from webapp.downloads import download
from webapp.extensions import db
from webapp.models.invoices import Invoice
from webapp.rendering import render
from webapp.services import documents, reseller_invoices, resellers
from webapp.transactions import own_transaction


@bp.get("/factures")
@requires(May.READ_RESALE)
def bills() -> ResponseReturnValue:
    session, partner = db.session(), auth.partner()
    billed = resellers.policy_of(resellers.by_slug(session, partner.slug)).billed
    return render(
        "reseller/bills.html",
        bills=reseller_invoices.bills(session, partner.id),
        pays_for_clients=billed is BilledParty.RESELLER,
    )


@bp.get("/factures/<number>.pdf")
@requires(May.READ_RESALE)
def bill_pdf(number: str) -> ResponseReturnValue:
    return download(_files(number)[0], "application/pdf", f"{number}.pdf")


@bp.get("/factures/<number>.xml")
@requires(May.READ_RESALE)
def bill_xml(number: str) -> ResponseReturnValue:
    """The Peppol BIS Billing 3.0 document, with its PDF inside."""
    return download(_files(number)[1], "application/xml", f"{number}.xml")


@bp.get("/factures/<number>.csv")
@requires(May.READ_RESALE)
def bill_csv(number: str) -> ResponseReturnValue:
    """A row for each line, per client and establishment, with what the client pays beside."""
    lines = reseller_invoices.csv_of(db.session(), _bill(number))
    return download("".join(lines).encode(), "text/csv; charset=utf-8", f"{number}.csv")


def _bill(number: str) -> Invoice:
    found = reseller_invoices.bill(db.session(), auth.partner().id, number)
    if found is None:
        abort(404)
    return found


def _files(number: str) -> tuple[bytes, bytes]:
    return documents.files(db.session(), _bill(number), clock.now(), own_transaction)
