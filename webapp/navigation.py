"""The pages of a subscription, as the side menu and the bar of phones list them.

A page that is not built, or that the visitor's role may not open, is left out.
"""

from dataclasses import dataclass

from flask import current_app, request

from webapp.addresses import address
from webapp.auth import Visit
from webapp.domain.access import May, is_allowed
from webapp.i18n import _


@dataclass(frozen=True)
class Place:
    """One page: where it is, how it is called, and whether the phone's bar of four has room for it."""

    endpoint: str
    icon: str
    label: str
    may: May
    short_label: str = ""
    on_phone_bar: bool = True


@dataclass(frozen=True)
class Link:
    place: Place
    address: str
    is_current: bool


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
    Place("staff.quotation_list", "concierge-bell", _("Devis à répondre"), May.STAFF, short_label=_("Devis")),
    Place("account.sessions", "monitor", _("Sessions ouvertes"), May.SIGNED_IN, short_label=_("Sessions")),
)


def links(visit: Visit | None) -> list[Link]:
    """What this visitor may open from here, in order; nothing when nobody is signed in."""
    if visit is None:
        return []
    if visit.subscription_id is None:
        return [
            Link(place, address(place.endpoint), place.endpoint == request.endpoint)
            for place in _open(OWN_PLACES, visit)
        ]
    return [
        Link(
            place,
            address(place.endpoint, subscription_id=visit.subscription_id),
            is_current=request.blueprint == place.endpoint.partition(".")[0],
        )
        for place in _open(PLACES, visit)
    ]


def _open(places: tuple[Place, ...], visit: Visit) -> list[Place]:
    built = current_app.view_functions
    return [
        place
        for place in places
        if place.endpoint in built
        and (visit.staff_role is not None if place.may is May.STAFF else is_allowed(visit.role, place.may))
    ]
