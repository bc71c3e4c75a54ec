"""A subscription: its overview, and changing its plan."""

from flask import Blueprint

bp = Blueprint("subscriptions", __name__, url_prefix="/abonnements/<uuid:subscription_id>")

from webapp.blueprints.subscriptions import contact, overview, plan_change  # noqa: E402, F401  # the routes register on `bp`
