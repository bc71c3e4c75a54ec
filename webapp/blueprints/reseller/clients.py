"""The clients of the reseller: found, and one of them read."""

from dataclasses import dataclass
from datetime import date

from flask import abort, request, url_for
from flask.typing import ResponseReturnValue

from webapp import auth, clock, htmx
from webapp.auth import requires
from webapp.blueprints.reseller import bp
from webapp.domain.access import May
from webapp.domain.contract import ChangeKind, Frequency
from webapp.extensions import db
from webapp.i18n import _, translate
from webapp.inviting import ROLES
from webapp.rendering import current_locale, render, say
from webapp.services import reseller_clients
from webapp.services.contracts import Situation
from webapp.services.reseller_clients import ClientNotFound
from webapp.services.wording import option_name, text

LONGEST_SEARCH = 80
# In addresses, the words people read; then those of the list.
STATES = {
    "": ("", _("Tous")),
    "actifs": ("active", _("Actifs")),
    "suspendus": ("suspended", _("Suspendus")),
    "termines": ("ended", _("Terminés")),
}
# A state in a word, and the tone of its badge.
BADGES = {
    "active": (_("Actif"), "good"),
    "suspended": (_("Suspendu"), "bad"),
    "terminating": (_("Résilié"), "warn"),
    "ended": (_("Terminé"), "plain"),
    "none": (_("Sans abonnement"), "plain"),
}


@dataclass(frozen=True, slots=True)
class Coming:
    """A change to come, in words."""

    words: str
    on: date
    asked_by: str


@bp.get("/")
@requires(May.READ_CONSOLE)
def clients() -> ResponseReturnValue:
    """The clients, found by name, company, reference or address, and by state."""
    typed = " ".join(request.args.get("q", "").split())[:LONGEST_SEARCH]
    word = request.args.get("etat", "")
    word = word if word in STATES else ""
    number = max(1, request.args.get("page", 1, type=int))
    locale, today = current_locale(), clock.today()
    found = reseller_clients.listed(
        db.session(), auth.partner().id, today, typed=typed, state=STATES[word][0], number=number
    )

    def at(page: int) -> str:
        return url_for(".clients", q=typed or None, etat=word or None, page=page if page > 1 else None)

    return htmx.page_or_fragment(
        "reseller/clients.html",
        "reseller/_clients.html",
        found=found,
        may_add=auth.visit_allows(May.ADD_CLIENTS),
        names={each.reference: _plan(each.situation, today, locale) for each in found.rows},
        changes={
            each.reference: _coming(each.situation, today, locale)
            for each in found.rows
            if each.situation is not None
        },
        typed=typed,
        word=word,
        states={each: words for each, (_state, words) in STATES.items()},
        badges=BADGES,
        pages=[(page, at(page), page == number) for page in range(1, found.pages + 1)],
    )


@bp.get("/clients/<reference>")
@requires(May.READ_CONSOLE)
def client(reference: str) -> ResponseReturnValue:
    """One client: its contract, what is to come, its details, its people."""
    today, locale = clock.today(), current_locale()
    try:
        sheet = reseller_clients.sheet(db.session(), auth.partner().id, reference, today)
    except ClientNotFound:
        abort(404)
    situation = sheet.client.situation
    return render(
        "reseller/client.html",
        sheet=sheet,
        client=sheet.client,
        details=sheet.details,
        contract=situation.contract.on(today) if situation else None,
        is_annual=situation is not None and situation.contract.frequency is Frequency.ANNUAL,
        plan=_plan(situation, today, locale),
        addresses=_addresses(situation, today),
        options=_options(situation, today, locale),
        changes=_coming(situation, today, locale) if situation else [],
        badges=BADGES,
        roles=ROLES,
    )


def _plan(situation: Situation | None, today: date, locale: str) -> str:
    if situation is None:
        return ""
    return text(situation.plans[situation.contract.on(today).plan_code], locale)


def _addresses(situation: Situation | None, today: date) -> list[str]:
    if situation is None:
        return []
    held = situation.contract.establishments_active_on(today)
    return [situation.addresses[each.id].name for each in held]


def _options(situation: Situation | None, today: date, locale: str) -> list[str]:
    if situation is None:
        return []
    return [
        option_name(each.code, each.establishment_id, situation, locale)
        for each in situation.contract.options_on(today)
    ]


def _coming(situation: Situation, today: date, locale: str) -> list[Coming]:
    return [
        Coming(_words(change.kind, change.id, situation, locale), change.effective_on, change.requested_by)
        for change in reseller_clients.coming(situation, today)
    ]


def _words(kind: ChangeKind, change_id: int, situation: Situation, locale: str) -> str:
    change = next((each for each in situation.contract.changes if each.id == change_id), None)
    if kind is ChangeKind.PLAN and change is not None and change.tariff is not None:
        if change.tariff.plan_code == situation.contract.plan_code:
            return say("Passage à une autre fréquence de facturation")
        return say(
            "Passage à la formule %(plan)s", plan=text(situation.plans[change.tariff.plan_code], locale)
        )
    if kind is ChangeKind.OPTION and change is not None:
        held = next((each for each in situation.contract.options if each.id == change.option_id), None)
        if held is not None:
            name = option_name(held.code, held.establishment_id, situation, locale)
            return (
                say("%(option)s : changement de quantité", option=name)
                if change.quantity
                else say("%(option)s : arrêt", option=name)
            )
    return translate(OTHERS[kind], locale)


OTHERS = {
    ChangeKind.PLAN: _("Changement de formule"),
    ChangeKind.OPTION: _("Changement d’option"),
    ChangeKind.ESTABLISHMENT: _("Changement d’établissement"),
    ChangeKind.TERMINATION: _("Fin de l’abonnement"),
}
