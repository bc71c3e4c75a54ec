"""The pages of a subscription, as the side menu and the bar of phones list them.

A page that is not built, or that the visitor's role may not open, is left out.
"""

from dataclasses import dataclass

from flask import current_app, request, url_for

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
)


def links(visit: Visit | None) -> list[Link]:
    """What this visitor may open, in order; nothing while no subscription is looked at."""
    if visit is None or visit.subscription_id is None:
        return []
    return [
        Link(
            place,
            url_for(place.endpoint, subscription_id=visit.subscription_id),
            is_current=request.blueprint == place.endpoint.partition(".")[0],
        )
        for place in PLACES
        if place.endpoint in current_app.view_functions and is_allowed(visit.role, place.may)
    ]
