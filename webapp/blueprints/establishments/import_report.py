"""What a file of establishments holds, line by line, before anything is added."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from webapp.adapters.establishments_csv import BrokenCsv
from webapp.establishment_words import WRONG
from webapp.i18n import _, gettext, one_of, translate
from webapp.services.establishments import ImportedLine

_UNREADABLE = {
    "empty": _("Choisissez un fichier CSV qui contient au moins une ligne d’en-têtes."),
    "too_big": _("Ce fichier dépasse 1 Mo. Coupez-le en plusieurs fichiers."),
    "too_many_lines": _("Ce fichier dépasse 2 000 lignes. Coupez-le en plusieurs fichiers."),
    "not_utf8": _("Ce fichier n’est pas en UTF-8. Dans votre tableur, enregistrez-le comme « CSV UTF-8 »."),
    "not_csv": _("Ce fichier n’est pas un CSV lisible. Repartez de notre modèle."),
    "columns": _("Il manque des colonnes : %(columns)s. Repartez de notre modèle."),
}
_COLUMN_NAMES = {
    "name": _("Nom"),
    "street": _("Rue et numéro"),
    "postcode": _("Code postal"),
    "city": _("Commune"),
}


def why_unreadable(broken: BrokenCsv, locale: str) -> str:
    missing = one_of([gettext(_COLUMN_NAMES[each], locale) for each in broken.missing], locale)
    return gettext(_UNREADABLE[broken.reason], locale, columns=missing)


@dataclass(frozen=True, slots=True)
class ReportLine:
    number: int
    name: str
    address: str
    outcome: str
    reasons: list[str]


@dataclass(frozen=True, slots=True)
class Report:
    lines: list[ReportLine]
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def added(self) -> int:
        return self.counts["added"]

    @property
    def skipped(self) -> int:
        return self.counts["known"] + self.counts["twice"]

    @property
    def refused(self) -> int:
        return self.counts["refused"]


def report(lines: Sequence[ImportedLine], locale: str) -> Report:
    """What to look at first: refused, then skipped, then what would be added, each in the order of the file."""
    order = {"refused": 0, "twice": 1, "known": 1, "added": 2}
    shown = [
        ReportLine(
            line.number,
            line.details.name,
            " ".join(filter(None, [_comma(line.details.street), line.details.postcode, line.details.city])),
            line.outcome,
            [translate(WRONG[each], locale) for each in line.problems],
        )
        for line in sorted(lines, key=lambda line: (order[line.outcome], line.number))
    ]
    counts: dict[str, Any] = {each: sum(line.outcome == each for line in lines) for each in order}
    return Report(shown, counts)


def _comma(street: str) -> str:
    return f"{street}," if street else ""
