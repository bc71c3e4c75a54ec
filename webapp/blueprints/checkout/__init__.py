"""Paying now: by the page of a payment provider or by transfer; and the notices that the provider sends."""

from flask import Blueprint

bp = Blueprint("checkout", __name__)

from webapp.blueprints.checkout import demonstration, notices, views  # noqa: E402, F401  # the routes register on `bp`
