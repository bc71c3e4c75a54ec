"""Addresses of our pages in mails that no request asked for: a suspension decided by a bank file, a reminder at night.

Where a door or a command calls a service for one mail, it gives the link itself. What these mails tell may be decided
anywhere, so the paths are here; tests/services/test_links.py holds them to the addresses of the doors. The address of
the portal itself is told once to its database engine: it reaches every session of that portal, and no other.
"""

import uuid

from sqlalchemy.orm import Session

BASE_URL = "portal_base_url"  # among the engine's execution options
LOCAL = "http://localhost:8000"


def unpaid(session: Session, subscription_id: uuid.UUID) -> str:
    """Where the unpaid invoices are, each with the way to pay it."""
    return f"{overview(session, subscription_id)}/factures?statut=en-retard"


def invoice(session: Session, subscription_id: uuid.UUID, number: str) -> str:
    return f"{overview(session, subscription_id)}/factures/{number}"


def pay(session: Session, subscription_id: uuid.UUID) -> str:
    """Where everything past due is paid at once."""
    return f"{overview(session, subscription_id)}/payer?lot=echues"


def overview(session: Session, subscription_id: uuid.UUID) -> str:
    base_url = session.get_bind().get_execution_options().get(BASE_URL, LOCAL)
    return f"{base_url.rstrip('/')}/abonnements/{subscription_id}"
