"""The help, true for the account that reads it."""

from flask import Blueprint

bp = Blueprint("help", __name__)

from webapp.blueprints.help import requests, views  # noqa: E402, F401  # the routes register on `bp`
