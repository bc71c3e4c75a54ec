"""Establishments: their list, the services of each, adding, correcting, removing, importing from a file."""

from flask import Blueprint

bp = Blueprint("establishments", __name__, url_prefix="/abonnements/<uuid:subscription_id>/etablissements")

from webapp.blueprints.establishments import views  # noqa: E402, F401  # the routes register on `bp`
