"""The account's data: take all of it away, close the account."""

from flask import Blueprint

bp = Blueprint("personal_data", __name__)

from webapp.blueprints.personal_data import views  # noqa: E402, F401  # the routes register on `bp`
