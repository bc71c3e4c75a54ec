"""Billing details: who is invoiced, where the invoices go, and what they must mention."""

from flask import Blueprint

bp = Blueprint("billing_details", __name__)

from webapp.blueprints.billing_details import views  # noqa: E402, F401  # the routes register on `bp`
