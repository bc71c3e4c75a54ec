"""Whose portal this is: the name on every page and the legal mention at its foot."""

from dataclasses import dataclass

from flask import current_app
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from webapp.extensions import db
from webapp.models.invoices import Issuer


@dataclass(frozen=True)
class Operator:
    """The selling company as pages show it; empty until an issuer is recorded."""

    brand: str = "Plan et facturation"
    legal_name: str = ""
    vat_number: str = ""


def current() -> Operator:
    """Read once per process: the company does not change its name between two requests.

    A page that cannot reach the database, such as an error page, still has a name.
    """
    known = current_app.extensions.get("portal_operator")
    if isinstance(known, Operator):
        return known
    columns = Issuer.brand, Issuer.legal_name, Issuer.vat_number
    try:
        row = db.session.execute(select(*columns).order_by(Issuer.id).limit(1)).first()
    except SQLAlchemyError:
        db.session.rollback()
        return Operator()
    if row is None:
        return Operator()
    current_app.extensions["portal_operator"] = found = Operator(*row)
    return found
