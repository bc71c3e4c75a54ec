"""Rows made ready for the pages of people."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from flask import current_app, url_for
from ua_parser import parse

from webapp.domain.access import May, Role, is_allowed
from webapp.i18n import Sentence, _
from webapp.models.accounts import LoginSession
from webapp.services.people import AccountChoice

ROLES = {
    Role.OWNER: _("Propriétaire"),
    Role.ADMINISTRATOR: _("Administrateur"),
    Role.VIEWER: _("Lecteur"),
    Role.ACCOUNTANT: _("Comptable"),
}


@dataclass(frozen=True)
class SessionCard:
    id: int
    device: str
    ip_address: str
    created_at: datetime
    last_seen_at: datetime
    is_current: bool


@dataclass(frozen=True)
class AccountCard:
    name: str
    reference: str
    role: Sentence
    address: str | None  # None: this role has no page to open yet


def session_card(row: LoginSession, current_id: int) -> SessionCard:
    return SessionCard(
        row.id,
        device_name(row.user_agent),
        row.ip_address,
        row.created_at,
        row.last_seen_at,
        row.id == current_id,
    )


@lru_cache(maxsize=512)
def device_name(user_agent: str) -> str:
    """Chrome sur Windows, as far as the browser tells the truth; a sentence to translate when shown."""
    seen = parse(user_agent)
    browser = seen.user_agent.family if seen.user_agent else ""
    system = seen.os.family if seen.os else ""
    if browser and system:
        return _("%(browser)s sur %(system)s") % {"browser": browser, "system": system}
    return browser or system or _("Navigateur inconnu")


def account_card(choice: AccountChoice) -> AccountCard:
    return AccountCard(choice.name, choice.reference, ROLES[Role(choice.role)], first_page(choice))


def first_page(choice: AccountChoice) -> str | None:
    """Where an account opens for this role: its overview, or for an accountant its invoices, if they are found here."""
    if choice.subscription_id is None:
        return None
    for may, endpoint in (
        (May.READ_SUBSCRIPTION, "subscriptions.overview"),
        (May.READ_INVOICES, "invoices.index" if choice.reads_documents else "billing_details.edit"),
    ):
        if is_allowed(Role(choice.role), may) and endpoint in current_app.view_functions:
            return url_for(endpoint, subscription_id=choice.subscription_id)
    return None
