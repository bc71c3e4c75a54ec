"""The interface for programs: what an account is entitled to, its documents, what happened. Reading only."""

from flask import Blueprint

bp = Blueprint("api", __name__, url_prefix="/api/v1")

from webapp.blueprints.api import views  # noqa: E402, F401  # the routes register on `bp`
