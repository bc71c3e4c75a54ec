"""Options: a draft that is priced as it goes, previewed and saved as one change; quotations for what has no price."""

from flask import Blueprint

bp = Blueprint("options", __name__, url_prefix="/abonnements/<uuid:subscription_id>/options")

from webapp.blueprints.options import quotation_views, views  # noqa: E402, F401  # the routes register on `bp`
