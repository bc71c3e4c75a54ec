"""The looks of resellers: style sheets and logos, each at the address that its content gives it."""

from flask import Blueprint

bp = Blueprint("themes", __name__)

from webapp.blueprints.themes import views  # noqa: E402, F401  # the routes register on `bp`
