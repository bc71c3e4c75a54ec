"""The pages of a subscription, as the side menu and the bar of phones list them.

A page that is not built, or that the visitor's role may not open, is left out.
"""

from collections.abc import Callable
from dataclasses import dataclass

from flask import current_app, request
from sqlalchemy.orm import Session

from webapp import mounting
from webapp.addresses import address
from webapp.auth import OF_THE_PLATFORM, TEAM, Visit
from webapp.domain.access import May, is_allowed, is_for_resellers, is_for_staff, is_staff_allowed
from webapp.embed_doors import is_open
from webapp.extensions import db
from webapp.i18n import _
from webapp.services import requests


@dataclass(frozen=True)
class Place:
    """One page: where it is, how it is called, and whether the phone's bar of four has room for it."""

    endpoint: str
    icon: str
    label: str
    may: May
    short_label: str = ""
    on_phone_bar: bool = True
    covers: tuple[str, ...] = ()  # beginnings of the endpoints that stand under this page of the team
    counts: Callable[[Session], int] | None = None  # what waits there, said beside its name


@dataclass(frozen=True)
class Link:
    place: Place
    address: str
    is_current: bool
    count: int = 0


PLACES = (
    Place(
        "subscriptions.overview",
        "layers",
        _("Formule et facturation"),
        May.READ_SUBSCRIPTION,
        short_label=_("Formule"),
    ),
    Place("options.edit", "sliders-horizontal", _("Options"), May.READ_SUBSCRIPTION),
    Place("establishments.index", "store", _("Multi-établissements"), May.READ_SUBSCRIPTION),
    Place("invoices.index", "receipt-text", _("Factures"), May.READ_INVOICES),
    Place(
        "payment.edit", "credit-card", _("Moyen de paiement"), May.READ_BILLING_DETAILS, on_phone_bar=False
    ),
    Place(
        "billing_details.edit",
        "building-2",
        _("Coordonnées de facturation"),
        May.READ_BILLING_DETAILS,
        on_phone_bar=False,
    ),
    Place("users.index", "users", _("Utilisateurs"), May.READ_SUBSCRIPTION, on_phone_bar=False),
    Place("history.index", "history", _("Historique"), May.READ_SUBSCRIPTION, on_phone_bar=False),
    Place("personal_data.index", "folder-archive", _("Données"), May.MANAGE_DATA, on_phone_bar=False),
    Place("help.article", "circle-help", _("Aide"), May.CONTACT_SUPPORT, on_phone_bar=False),
)
# Pages that belong to no subscription: the same frame holds what belongs to the person.
OWN_PLACES = (
    Place("account.accounts", "store", _("Vos comptes"), May.SIGNED_IN, short_label=_("Comptes")),
    Place("account.preferences", "settings", _("Préférences"), May.SIGNED_IN),
    Place("staff.home", "shield-check", _("Espace équipe"), May.STAFF, short_label=_("Équipe")),
    Place(
        "reseller.clients", "handshake", _("Espace partenaire"), May.READ_CONSOLE, short_label=_("Partenaire")
    ),
    Place("account.sessions", "monitor", _("Sessions ouvertes"), May.SIGNED_IN, short_label=_("Sessions")),
)
# The pages of the operator's own team. Each covers those that are reached from it: `covers` names their endpoints.
TEAM_PLACES = (
    Place("staff.dashboard", "chart-no-axes-column", _("Tableau de bord"), May.STAFF, short_label=_("Bord")),
    Place(
        "staff.accounts",
        "users",
        _("Comptes"),
        May.HELP_ACCOUNTS,
        covers=("staff.account", "staff.add_note", "staff.gesture", "staff.rehearsal"),
    ),
    Place(
        "staff.billing_room",
        "receipt-text",
        _("Facturation"),
        May.HELP_ACCOUNTS,
        covers=("staff.billing", "staff.number"),
    ),
    Place("staff.invoices", "search", _("Retrouver une facture"), May.HELP_ACCOUNTS, on_phone_bar=False),
    Place(
        "staff.documents",
        "send",
        _("Factures électroniques"),
        May.HELP_ACCOUNTS,
        on_phone_bar=False,
        covers=("staff.document",),
    ),
    Place(
        "staff.bank_files",
        "landmark",
        _("Banque"),
        May.HELP_ACCOUNTS,
        on_phone_bar=False,
        covers=("staff.bank", "staff.batch"),
    ),
    Place(
        "staff.arrears",
        "hand-coins",
        _("Impayés"),
        May.HELP_ACCOUNTS,
        on_phone_bar=False,
        covers=("staff.arrears", "staff.dunning"),
    ),
    Place(
        "staff.requests",
        "inbox",
        _("Demandes"),
        May.HELP_ACCOUNTS,
        covers=("staff.request",),
        counts=requests.waiting,
    ),
    Place(
        "staff.quotation_list",
        "concierge-bell",
        _("Devis"),
        May.STAFF,
        on_phone_bar=False,
        covers=("staff.quotation", "staff.answer_quotation"),
    ),
    Place(
        "staff.catalogue",
        "layers",
        _("Catalogue"),
        May.STAFF,
        on_phone_bar=False,
        covers=("staff.catalogue",),
    ),
    Place(
        "staff.migrations",
        "calendar-clock",
        _("Migrations"),
        May.EDIT_CATALOGUE,
        on_phone_bar=False,
        covers=("staff.migration",),
    ),
    Place(
        "staff.resellers",
        "handshake",
        _("Revendeurs"),
        May.STAFF,
        on_phone_bar=False,
        covers=("staff.reseller",),
    ),
    Place(
        "staff.integrations",
        "arrow-left-right",
        _("Intégrations"),
        May.CORRECT_MONEY,
        on_phone_bar=False,
        covers=("staff.integration",),
    ),
)
# The console of a reseller, for its own people.
CONSOLE_PLACES = (
    Place("reseller.clients", "store", _("Clients"), May.READ_CONSOLE, covers=("reseller.client",)),
    Place("reseller.bills", "receipt-text", _("Factures"), May.READ_RESALE),
    Place(
        "reseller.connection",
        "lock",
        _("Clés et sites"),
        May.READ_CONSOLE,
        short_label=_("Clés"),
        covers=("reseller.key", "reseller.origin"),
    ),
    Place("reseller.embed_test", "monitor", _("Essai et usage"), May.READ_CONSOLE, on_phone_bar=False),
    Place("reseller.look", "pen-tool", _("Apparence"), May.READ_CONSOLE, covers=("reseller.look",)),
    Place(
        "reseller.colleagues",
        "users",
        _("Utilisateurs"),
        May.READ_CONSOLE,
        on_phone_bar=False,
        covers=("reseller.colleague",),
    ),
)
CONSOLE = "reseller"  # the blueprint of the pages of a reseller's people


def in_team_space() -> bool:
    """Whether the page at hand is one of the operator's own team."""
    return request.blueprint == TEAM


def in_console() -> bool:
    """Whether the page at hand is one of a reseller's console."""
    return request.blueprint == CONSOLE


def finds_accounts(visit: Visit | None) -> bool:
    """Whether this visitor may look for an account, from the top of each page of the team."""
    return visit is not None and is_staff_allowed(visit.staff_role, May.HELP_ACCOUNTS)


def links(visit: Visit | None) -> list[Link]:
    """What this visitor may open from here, in order; nothing when nobody is signed in."""
    if visit is None:
        return []
    if in_team_space():
        return [
            Link(
                place,
                address(place.endpoint),
                _covers(place, request.endpoint or ""),
                place.counts(db.session()) if place.counts else 0,
            )
            for place in _open(TEAM_PLACES, visit)
        ]
    if in_console():
        return [
            Link(place, address(place.endpoint), _covers(place, request.endpoint or ""))
            for place in _open(CONSOLE_PLACES, visit)
        ]
    if visit.subscription_id is None:
        return [
            Link(place, address(place.endpoint), place.endpoint == request.endpoint)
            for place in _open(OWN_PLACES, visit)
        ]
    return [
        Link(
            place,
            address(place.endpoint, subscription_id=visit.subscription_id),
            is_current=request.blueprint == _blueprint(place),
        )
        for place in _open(PLACES, visit)
        if visit.showing.platform_invoices or _blueprint(place) not in OF_THE_PLATFORM
    ]


def _blueprint(place: Place) -> str:
    return place.endpoint.partition(".")[0]


def _open(places: tuple[Place, ...], visit: Visit) -> list[Place]:
    built, in_embed = current_app.view_functions, mounting.mount() is not None
    return [
        place
        for place in places
        if place.endpoint in built and _grants(visit, place.may) and (not in_embed or is_open(place.endpoint))
    ]


def _grants(visit: Visit, may: May) -> bool:
    if is_for_resellers(may):
        return visit.partner is not None and visit.partner.may(may)
    return is_staff_allowed(visit.staff_role, may) if is_for_staff(may) else is_allowed(visit.role, may)


def team_home(visit: Visit) -> str | None:
    """The first page of the team's space that this place in the team opens; None for who is not of the team."""
    opened = _open(TEAM_PLACES, visit)
    return address(opened[0].endpoint) if opened else None


def _covers(place: Place, endpoint: str) -> bool:
    return endpoint == place.endpoint or endpoint.startswith(place.covers or ("-",))
