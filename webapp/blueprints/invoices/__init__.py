"""The account's documents: the list and each of them."""

from flask import Blueprint

bp = Blueprint("invoices", __name__, url_prefix="/abonnements/<uuid:subscription_id>/factures")

from webapp.blueprints.invoices import forecast, views  # noqa: E402, F401  # the routes register on `bp`
