"""How invoices are paid: see it, sign a mandate, choose a card or transfers, take a method back."""

from flask import Blueprint

bp = Blueprint("payment", __name__, url_prefix="/abonnements/<uuid:subscription_id>/moyen-de-paiement")

from webapp.blueprints.payment import views  # noqa: E402, F401  # the routes register on `bp`
