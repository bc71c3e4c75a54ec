"""The operator's own team: for now, the quotations to answer."""

from flask import Blueprint

bp = Blueprint("staff", __name__, url_prefix="/equipe")

from webapp.blueprints.staff import views  # noqa: E402, F401  # the routes register on `bp`
