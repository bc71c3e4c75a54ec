"""The contract of a subscription: its calendar, its termination, a consumer's withdrawal."""

from flask import Blueprint

bp = Blueprint("contract", __name__, url_prefix="/abonnements/<uuid:subscription_id>")

from webapp.blueprints.contract import views  # noqa: E402, F401  # the routes register on `bp`
