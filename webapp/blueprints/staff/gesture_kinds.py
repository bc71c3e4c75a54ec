"""The kinds of gestures, each with its form, by the word of its address."""

from typing import NamedTuple

from webapp import paying
from webapp.blueprints.staff.gesture_forms import (
    DiscountForm,
    DueDateForm,
    FreeMonthsForm,
    FreeOptionForm,
    GestureForm,
    GiveBackForm,
    PaymentForm,
    PlanForm,
    PriceForm,
    RefundForm,
    TermsForm,
)
from webapp.i18n import Sentence, _


class Kind(NamedTuple):
    """A kind of gesture: its form, and how it is called on the page and by the button that makes it."""

    form: type[GestureForm]
    icon: str
    title: Sentence
    lead: Sentence
    button: Sentence


KINDS = {
    "remise": Kind(
        DiscountForm,
        "hand-coins",
        _("Accorder une remise"),
        _("Un pourcentage ou un montant en moins, jusqu’à un jour. Les prix du catalogue ne changent pas."),
        _("Accorder la remise"),
    ),
    "mois-offerts": Kind(
        FreeMonthsForm,
        "gift",
        _("Offrir des mois"),
        _("Des périodes à venir sont facturées à zéro ; ce qui est déjà facturé ne change pas."),
        _("Offrir ces mois"),
    ),
    "option-offerte": Kind(
        FreeOptionForm,
        "star",
        _("Offrir une option"),
        _("Une option que le client utilise déjà ne lui coûte rien, jusqu’à un jour."),
        _("Offrir l’option"),
    ),
    "prix": Kind(
        PriceForm,
        "receipt-text",
        _("Fixer un prix spécial"),
        _("La formule ou une option à un prix plus bas, jusqu’à un jour."),
        _("Fixer ce prix"),
    ),
    "formule": Kind(
        PlanForm,
        "layers",
        _("Changer de formule pour le client"),
        _("Les mêmes règles et le même aperçu que sur la page du client."),
        _("Changer de formule"),
    ),
    "conditions": Kind(
        TermsForm,
        "pen-tool",
        _("Changer les conditions"),
        _("Engagement, préavis et reconduction de ce contrat. Le catalogue ne change pas."),
        _("Changer les conditions"),
    ),
    "paiement": Kind(
        PaymentForm,
        "plus",
        _("Noter un paiement"),
        _(
            "De l’argent arrivé qu’aucun fichier de la banque ne dira. Il paie les factures, le reste devient du crédit."
        ),
        _("Noter ce paiement"),
    ),
    "remboursement": Kind(
        RefundForm,
        "arrow-left-right",
        _("Noter un remboursement"),
        _(
            "Le crédit du compte, ou un paiement dont les factures redeviennent à payer. Rien n’est viré d’ici."
        ),
        _("Noter ce remboursement"),
    ),
    "remboursement-carte": Kind(
        GiveBackForm,
        "credit-card",
        _("Rembourser sur la carte"),
        _(
            "Le prestataire de paiement rend l’argent à la carte ou au compte qui a payé ; les factures changent quand il "
            "l’a confirmé."
        ),
        _("Rembourser"),
    ),
    "echeance": Kind(
        DueDateForm,
        "calendar-days",
        _("Reporter une échéance"),
        _("Plus de temps pour une facture ouverte : elle n’est en retard qu’après ce jour."),
        _("Reporter l’échéance"),
    ),
}


def offered_here() -> dict[str, Kind]:
    """Those that can be made here: nothing is given back by a provider that there is not."""
    found = paying.provider()
    gives_back = found is not None and found.capabilities.refunds
    return {word: kind for word, kind in KINDS.items() if gives_back or kind.form is not GiveBackForm}
