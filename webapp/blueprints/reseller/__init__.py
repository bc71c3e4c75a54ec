"""The console of a reseller: its clients, its documents, what opens the embed and how it looks, its own people.

No address names the reseller: it is the one for which the visitor works, so that another's things cannot be asked for.
"""

from flask import Blueprint

bp = Blueprint("reseller", __name__, url_prefix="/partenaire")

from webapp.blueprints.reseller import (  # noqa: E402, F401  # the routes register on `bp`
    additions,
    bills,
    clients,
    colleagues,
    connection,
    look,
    testing,
)
