"""The operator's own team: the quotations to answer, the credit notes."""

from flask import Blueprint

bp = Blueprint("staff", __name__, url_prefix="/equipe")

from webapp.blueprints.staff import credit_notes, views  # noqa: E402, F401  # the routes register on `bp`
