"""The words of migrations: versions, what keeps a subscriber, and what decides on a day."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from webapp.domain.migration import Staying, Waits
from webapp.i18n import Sentence, _
from webapp.rendering import current_locale, say, say_count
from webapp.services import plan_moves
from webapp.services.plan_migrations import Offered, Simulation
from webapp.services.wording import text
from webapp.templating import render_for

STAYS: dict[str, Sentence] = {
    Staying.ENDED: _("Contrat terminé"),
    Staying.TERMINATION: _("Résiliation en cours"),
    Staying.OWN_CHANGE: _("Changement de formule choisi par le client"),
    Staying.MIGRATION: _("Une autre migration lui est annoncée"),
    Staying.RESELLER: _("Client d’un revendeur, aux prix du revendeur"),
    Staying.NO_PRICE: _("Pas de tarif à sa fréquence dans la nouvelle version"),
    Staying.NOTHING: _("Rien ne changerait pour lui"),
    Staying.ENDS_FIRST: _("Le contrat s’arrête avant, sans être reconduit"),
    Staying.SPECIAL_PRICE: _("Prix spécial promis jusqu’à un jour plus tardif"),
    Staying.OPTIONS: _("Utilise une option que la nouvelle version ne propose pas"),
    plan_moves.FAILED: _("Erreur technique, à reprendre"),
}
WAITS: dict[Waits, Sentence] = {
    Waits.WISH: _("Date souhaitée"),
    Waits.NOTICE: _("Délai d’annonce"),
    Waits.COMMITMENT: _("Fin de l’engagement"),
}
LANGUAGES = {"fr": _("Français"), "nl": _("Néerlandais"), "en": _("Anglais")}


class Letter(NamedTuple):
    """The announcement in one language, as its first reader would get it."""

    language: str
    name: Sentence
    subject: str
    body: str


def choices(offered: Iterable[Offered]) -> list[tuple[int, str]]:
    """The versions as a list offers them: "Pro, version 2 (1 200 abonnés)"."""
    return [
        (
            each.version.id,
            say_count(
                "%(plan)s, version %(number)s (%(count)s abonné)",
                "%(plan)s, version %(number)s (%(count)s abonnés)",
                each.subscribers,
                plan=text(each.version.names, current_locale()),
                number=each.version.number,
            ),
        )
        for each in offered
    ]


def staying(counts: Mapping[str, int]) -> list[tuple[Sentence, int]]:
    """How many stay, by what keeps them, the greatest number first."""
    rows = [(STAYS[reason], count) for reason, count in counts.items()]
    return sorted(rows, key=lambda row: -row[1])


def letters(shown: Simulation, brand: str) -> list[Letter]:
    """The announcement in each language, with the figures of the first subscriber who would get it."""
    if not shown.moved:
        return []
    one, moved = shown.moved[0]
    found = []
    for language, name in LANGUAGES.items():
        written = render_for(
            language,
            "emails/migration_announced.txt",
            brand=brand,
            full_name=say("(nom du destinataire)"),
            account=one.name,
            link="…",
            leave="…",
            **plan_moves.figures(moved),
            **plan_moves.words(shown.asked.reasons, shown.to_version.names, shown.served, language),
        )
        subject, _line, body = written.partition("\n")
        found.append(Letter(language, name, subject.strip(), body.strip()))
    return found
