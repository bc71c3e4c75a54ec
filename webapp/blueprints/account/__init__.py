"""People's own pages: sign in, passwords, sessions, preferences, and the choice of an account."""

from flask import Blueprint

bp = Blueprint("account", __name__)

from webapp.blueprints.account import oidc, second_factor, views  # noqa: E402, F401  # the routes register on `bp`
