"""The operator's own team: accounts found and helped, documents, the bank, late accounts, quotations, requests, other systems."""

from flask import Blueprint

bp = Blueprint("staff", __name__, url_prefix="/equipe")

from webapp.blueprints.staff import (  # noqa: E402, F401  # the routes register on `bp`
    accounts,
    banking,
    billing,
    catalogue,
    catalogue_drafts,
    catalogue_editing,
    catalogue_publication,
    credit_notes,
    dashboard,
    desk,
    documents,
    dunning,
    gestures,
    integrations,
    invoices,
    migrations,
    rehearsal,
    requests,
    resellers,
    saved_replies,
    viewing,
    views,
)
