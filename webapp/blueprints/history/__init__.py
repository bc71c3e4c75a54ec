"""What happened in an account, newest first."""

from flask import Blueprint

bp = Blueprint("history", __name__)

from webapp.blueprints.history import messages, views  # noqa: E402, F401  # the routes register on `bp`
