"""Factures: the list, searched and filtered by state and year, one document as a page, and the files of both."""

import uuid

from flask import abort, request
from flask.typing import ResponseReturnValue
from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from webapp import auth, clock, htmx
from webapp.auth import requires
from webapp.blueprints.invoices import bp, presenters
from webapp.domain.access import May
from webapp.domain.periods import Period
from webapp.downloads import download
from webapp.extensions import db
from webapp.lateness import lateness
from webapp.rendering import render
from webapp.services import accounting, deliveries, documents, invoice_search, invoices, standing
from webapp.transactions import own_transaction, sessions_for_a_stream


@bp.get("")
@requires(May.READ_INVOICES)
def index(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """A filter that is not known is left out: the page says which are on."""
    session, today, account_id = db.session(), clock.today(), _account_id()
    state = request.args.get("statut", "")
    years = invoices.years(session, account_id)
    year = request.args.get("annee", type=int)
    chosen, typed = presenters.FILTERS.get(state, ()), _typed()
    listed = invoices.listed(
        session,
        account_id,
        today,
        states=chosen,
        year=year if year in years else None,
        also=[invoice_search.matching(session, account_id, typed)] if typed else [],
        page=request.args.get("page", 1, type=int),
    )
    page = presenters.invoice_list(
        subscription_id,
        listed,
        presenters.Asked(state if chosen else "", year if year in years else None, typed),
        years,
        lateness(standing.of_account(session, account_id, today), today),
        deliveries.states_of(session, [row.number for row in listed.rows]),
    )
    fragments = ["invoices/_list.html", "invoices/_exports.html"]
    return htmx.page_or_fragment("invoices/index.html", fragments, page=page)


@bp.get("/<number>")
@requires(May.READ_INVOICES)
def show(subscription_id: uuid.UUID, number: str) -> ResponseReturnValue:
    session = db.session()
    document = invoices.by_number(session, _account_id(), number, clock.today())
    if document is None:
        abort(404)
    kept = deliveries.states_of(session, [number]).get(number)
    return render("invoices/show.html", page=presenters.document(subscription_id, document, kept))


# ── Files ────────────────────────────────────────────────────────────────────────────────────────────────────────


@bp.get("/<number>.pdf")
@requires(May.READ_INVOICES)
def pdf(subscription_id: uuid.UUID, number: str) -> ResponseReturnValue:
    return download(_files(number)[0], "application/pdf", f"{number}.pdf")


@bp.get("/<number>.xml")
@requires(May.READ_INVOICES)
def ubl(subscription_id: uuid.UUID, number: str) -> ResponseReturnValue:
    """The Peppol BIS Billing 3.0 document, with its PDF inside."""
    return download(_files(number)[1], "application/xml", f"{number}.xml")


@bp.get("/export.zip")
@requires(May.READ_INVOICES)
def archive(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """Every PDF and XML of a year or a month, or those found in it, sent while it is made."""
    session, account_id, period = db.session(), _account_id(), _period()
    try:
        ids = accounting.documents_of(session, account_id, period, _found(session, account_id))
    except accounting.TooManyDocuments as refused:
        page = render(
            "invoices/too_many.html",
            subscription_id=subscription_id,
            count=refused.count,
            most=accounting.MOST_FILES,
        )
        return page, 422
    pieces = accounting.archive(*sessions_for_a_stream(), ids, clock.now())
    return download(pieces, "application/zip", f"{_export_name(period)}.zip")


@bp.get("/export.csv")
@requires(May.READ_INVOICES)
def accountant_csv(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """The rows of a year or a month, or those found in it: docs/accountant-csv.md."""
    session, account_id, period = db.session(), _account_id(), _period()
    also, with_point = _found(session, account_id), request.args.get("decimale") == "point"
    lines = accounting.rows(session, account_id, period, also, decimal_point=with_point)
    return download("".join(lines), "text/csv; charset=utf-8", f"{_export_name(period)}.csv")


def _files(number: str) -> tuple[bytes, bytes]:
    session = db.session()
    document = invoices.by_number(session, _account_id(), number, clock.today())
    if document is None:
        abort(404)
    return documents.files(session, document.invoice, clock.now(), own_transaction)


def _typed() -> str:
    """What is searched for, as it stays in the field."""
    return " ".join(request.args.get("q", "").split())[:80]


def _found(session: Session, account_id: uuid.UUID) -> list[ColumnElement[bool]]:
    """What the list was filtered by, for its exports: the state and the search; the year is that of the export."""
    conditions = []
    if states := presenters.FILTERS.get(request.args.get("statut", "")):
        conditions.append(invoices.in_states(states, clock.today()))
    if typed := _typed():
        conditions.append(invoice_search.matching(session, account_id, typed))
    return conditions


def _period() -> Period | None:
    """`annee` and `mois`; what no calendar has is not found."""
    asked = request.args.get("annee") or None, request.args.get("mois") or None
    try:
        year, month = (int(each) if each else None for each in asked)
        return accounting.whole(year, month)
    except ValueError:
        abort(404)


def _export_name(period: Period | None) -> str:
    """CA-10001-2026-11, CA-10001-2026 or CA-10001."""
    reference = str(auth.current().account_reference)
    if period is None:
        return reference
    return f"{reference}-{period.start:%Y-%m}" if period.days < 32 else f"{reference}-{period.start:%Y}"


def _account_id() -> uuid.UUID:
    account_id = auth.current().account_id
    if account_id is None:
        abort(404)
    return account_id
