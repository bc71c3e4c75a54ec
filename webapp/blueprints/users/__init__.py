"""The people of an account: who they are, what they may do, who is invited."""

from flask import Blueprint

bp = Blueprint("users", __name__)

from webapp.blueprints.users import views  # noqa: E402, F401  # the routes register on `bp`
