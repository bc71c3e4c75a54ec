"""Factures: the list, filtered by state and year, and one document as a page."""

import uuid

from flask import abort, request
from flask.typing import ResponseReturnValue

from webapp import auth, clock, htmx
from webapp.auth import requires
from webapp.blueprints.invoices import bp, presenters
from webapp.domain.access import May
from webapp.extensions import db
from webapp.rendering import render
from webapp.services import invoices


@bp.get("")
@requires(May.READ_INVOICES)
def index(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """A filter that is not known is left out: the page says which are on."""
    session, today, account_id = db.session(), clock.today(), _account_id()
    state = request.args.get("statut", "")
    years = invoices.years(session, account_id)
    year = request.args.get("annee", type=int)
    chosen = presenters.FILTERS.get(state, ())
    listed = invoices.listed(
        session,
        account_id,
        today,
        states=chosen,
        year=year if year in years else None,
        page=request.args.get("page", 1, type=int),
    )
    page = presenters.invoice_list(
        subscription_id,
        listed,
        state if chosen else "",
        year if year in years else None,
        years,
        invoices.unpaid(session, account_id, today),
    )
    return htmx.page_or_fragment("invoices/index.html", "invoices/_list.html", page=page)


@bp.get("/<number>")
@requires(May.READ_INVOICES)
def show(subscription_id: uuid.UUID, number: str) -> ResponseReturnValue:
    document = invoices.by_number(db.session(), _account_id(), number, clock.today())
    if document is None:
        abort(404)
    return render("invoices/show.html", page=presenters.document(subscription_id, document))


def _account_id() -> uuid.UUID:
    account_id = auth.current().account_id
    if account_id is None:
        abort(404)
    return account_id
