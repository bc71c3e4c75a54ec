"""The embed: a reseller's page opens a session, asks for files, and loads the small script that does both."""

from flask import Blueprint

bp = Blueprint("embed", __name__)

from webapp.blueprints.embed import views  # noqa: E402, F401  # the routes register on `bp`
