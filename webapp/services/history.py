"""The account's history in plain sentences, from the audit trail behind it (U3).

Each action that the code records has its sentence here: a test looks for those that have none.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.i18n import _, _n, date_text, gettext, ngettext, one_of
from webapp.models.catalogue import Option, OptionVersion, Plan, PlanVersion
from webapp.models.records import AuditEntry

PAGE = 25

# What the reader may ask for, with the word it has in the address.
THEMES = {
    "formule": _("Formule et engagement"),
    "options": _("Options"),
    "etablissements": _("Établissements"),
    "facturation": _("Facturation"),
    "utilisateurs": _("Utilisateurs"),
    "demandes": _("Demandes et devis"),
    "donnees": _("Données du compte"),
}
FREQUENCIES = {"monthly": _("mensuelle"), "annual": _("annuelle")}
ROLES = {
    "owner": _("propriétaire"),
    "administrator": _("administrateur"),
    "viewer": _("lecteur"),
    "accountant": _("comptable"),
}
FIELDS = {
    "name": _("nom"),
    "kind": _("type de client"),
    "language": _("langue des documents"),
    "legal_name": _("nom sur la facture"),
    "street": _("rue"),
    "postcode": _("code postal"),
    "city": _("localité"),
    "country": _("pays"),
    "vat_number": _("numéro de TVA"),
    "enterprise_number": _("numéro d’entreprise"),
    "buyer_reference": _("bon de commande"),
    "peppol_id": _("identifiant Peppol"),
    "invoice_emails": _("adresses pour les factures"),
    "accountant_email": _("adresse du comptable"),
    "vat_treatment": _("TVA appliquée"),
    "vat_check": _("vérification du numéro de TVA"),
    "vat_consultation": _("référence de cette vérification"),
    "number": _("numéro d’établissement"),
}
MOVES = {
    "added": _("%(option)s ajoutée"),
    "increased": _("quantité de %(option)s augmentée"),
    "decreased": _("quantité de %(option)s réduite à partir du %(date)s"),
    "removed": _("%(option)s retirée à partir du %(date)s"),
    "kept": _("%(option)s gardée"),
    "cancelled": _("ajout de %(option)s annulé"),
}
UNDONE = {
    "plan": _("Le changement de formule prévu le %(effective_on)s est annulé."),
    "option": _("Le changement d’option prévu le %(effective_on)s est annulé."),
    "establishment": _("Le changement d’établissement prévu le %(effective_on)s est annulé."),
    "termination": _("La résiliation qui prenait effet le %(effective_on)s est annulée."),
}
ADDED = _n(
    "Établissement ajouté : %(names)s, compté à partir du %(date)s.",
    "Établissements ajoutés : %(names)s, comptés à partir du %(date)s.",
)
REMOVED = _n("Établissement retiré : %(names)s.", "Établissements retirés : %(names)s.")


@dataclass(frozen=True)
class Reader:
    """Who reads: the language, and the names of plans and options by code."""

    locale: str
    names: Mapping[str, str]

    def words(self, msgid: str, /, **values: object) -> str:
        return gettext(msgid, self.locale, **values)

    def day(self, text: str | None) -> str:
        return date_text(date.fromisoformat(text), self.locale) if text else ""

    def name(self, code: str | None) -> str:
        return self.names.get(code or "", code or "")


Telling = Callable[[AuditEntry, Reader], str]


@dataclass(frozen=True)
class Line:
    """One act, as the page shows it. `by` is empty when nobody did it: a billing run, a renewal."""

    id: int
    at: datetime
    by: str
    is_staff: bool
    sentence: str
    theme: str


@dataclass(frozen=True)
class Page:
    lines: tuple[Line, ...]
    number: int
    pages: int
    count: int


def names(session: Session, locale: str) -> dict[str, str]:
    """The present names of plans and options by code, those no longer sold included."""
    found: dict[str, str] = {}
    plans = select(Plan.code, PlanVersion.names).join(PlanVersion, PlanVersion.plan_id == Plan.id)
    options = select(Option.code, OptionVersion.names).join(
        OptionVersion, OptionVersion.option_id == Option.id
    )
    for statement in (plans.order_by(PlanVersion.id), options.order_by(OptionVersion.id)):
        found |= {code: str(texts[locale]) for code, texts in session.execute(statement)}
    return found


def page(
    session: Session,
    account_id: uuid.UUID,
    reader: Reader,
    *,
    theme: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    number: int = 1,
) -> Page:
    """One page of the history, newest first. `since` is included, `until` is not; an unknown `theme` shows all."""
    wanted = [AuditEntry.account_id == account_id]
    if theme in THEMES:
        wanted.append(AuditEntry.action.in_([action for action, told in TOLD.items() if told[0] == theme]))
    if since is not None:
        wanted.append(AuditEntry.at >= since)
    if until is not None:
        wanted.append(AuditEntry.at < until)
    count = session.scalar(select(func.count()).select_from(AuditEntry).where(*wanted)) or 0
    pages = max(1, -(-count // PAGE))
    number = min(max(1, number), pages)
    rows = session.scalars(
        select(AuditEntry)
        .where(*wanted)
        .order_by(AuditEntry.at.desc(), AuditEntry.id.desc())
        .offset((number - 1) * PAGE)
        .limit(PAGE)
    )
    return Page(tuple(_line(row, reader) for row in rows), number, pages, count)


def sentence(entry: AuditEntry, reader: Reader) -> str:
    """What happened, in words. An action of another version of the portal is told by its name."""
    told = TOLD.get(entry.action)
    if told is None:
        return reader.words(_("Autre modification : %(action)s."), action=entry.action)
    telling = told[1]
    return telling(entry, reader) if callable(telling) else reader.words(telling, **_facts(entry, reader))


def _line(entry: AuditEntry, reader: Reader) -> Line:
    theme = TOLD[entry.action][0] if entry.action in TOLD else ""
    return Line(
        entry.id,
        entry.at,
        "" if entry.actor_kind == "system" else entry.actor_name,
        entry.actor_kind == "staff",
        sentence(entry, reader),
        theme,
    )


def _facts(entry: AuditEntry, reader: Reader) -> dict[str, object]:
    """The values that sentences name. What an entry of another version lacks is left blank."""
    after, before = entry.after, entry.before
    both = before | after
    effective = both.get("effective_on") or both.get("on")
    last = date.fromisoformat(effective) - timedelta(days=1) if effective else None
    role = ROLES.get(both.get("role") or "")
    former_role = ROLES.get(before.get("role") or "")
    frequency = FREQUENCIES.get(after.get("frequency") or "")
    return {
        "subject": entry.subject,
        "name": reader.name(entry.subject),
        "plan": reader.name(after.get("plan") or entry.subject),
        "former_plan": reader.name(before.get("plan")),
        "frequency": reader.words(frequency) if frequency else "",
        "starts_on": reader.day(after.get("starts_on")),
        "effective_on": reader.day(effective),
        "last_day": date_text(last, reader.locale) if last else "",
        "until": reader.day(after.get("until")),
        "email": both.get("email") or entry.subject,
        "role": reader.words(role) if role else "",
        "former_role": reader.words(former_role) if former_role else "",
    }


# --- Those that need more than one sentence --------------------------------------------------------------------


def _undone(entry: AuditEntry, reader: Reader) -> str:
    msgid = UNDONE.get(entry.subject, _("Un changement prévu le %(effective_on)s est annulé."))
    return reader.words(msgid, **_facts(entry, reader))


def _options(entry: AuditEntry, reader: Reader) -> str:
    parts = [
        reader.words(
            MOVES[move["kind"]], option=reader.name(move["code"]), date=reader.day(move["effective_on"])
        )
        for move in entry.after.get("moves", [])
        if move.get("kind") in MOVES
    ]
    if not parts:
        return reader.words(_("Options modifiées."))
    return reader.words(_("Options : %(changes)s."), changes=one_of(parts, reader.locale))


def _establishments(entry: AuditEntry, reader: Reader) -> str:
    added, removed = entry.after.get("added") or [], entry.before.get("removed") or []
    parts = []
    if added:
        parts.append(
            ngettext(
                *ADDED,
                len(added),
                reader.locale,
                names=one_of(added, reader.locale),
                date=reader.day(entry.after.get("charged_from")),
            )
        )
    if removed:
        parts.append(ngettext(*REMOVED, len(removed), reader.locale, names=one_of(removed, reader.locale)))
    return " ".join(parts) or reader.words(_("Établissements modifiés."))


def _billing(entry: AuditEntry, reader: Reader) -> str:
    fields = [reader.words(FIELDS.get(name, name)) for name in entry.after]
    return reader.words(
        _("Coordonnées de facturation modifiées : %(fields)s."), fields=one_of(fields, reader.locale)
    )


def _credited(entry: AuditEntry, reader: Reader) -> str:
    return reader.words(
        _("Note de crédit %(document)s sur la facture %(subject)s (motif : %(reason)s)."),
        document=entry.after.get("document") or "",
        subject=entry.subject,
        reason=entry.after.get("reason") or "",
    )


def _renewed(entry: AuditEntry, reader: Reader) -> str:
    if entry.after.get("until"):
        return reader.words(
            _("Abonnement reconduit jusqu’au %(date)s."),
            date=date_text(date.fromisoformat(entry.after["until"]) - timedelta(days=1), reader.locale),
        )
    return reader.words(_("Abonnement poursuivi sans nouvel engagement."))


# --- Every action, its theme and its sentence ------------------------------------------------------------------

PLAN, OPTIONS, PLACES, BILLING = "formule", "options", "etablissements", "facturation"
PEOPLE, REQUESTS, DATA, OWN = "utilisateurs", "demandes", "donnees", "soi"

TOLD: dict[str, tuple[str, str | Telling]] = {
    "subscription.signed": (PLAN, _("Abonnement signé : formule %(plan)s, à partir du %(starts_on)s.")),
    "subscription.plan_changed": (
        PLAN,
        _("Formule %(former_plan)s remplacée par %(plan)s, facturation %(frequency)s."),
    ),
    "subscription.plan_scheduled": (
        PLAN,
        _("Passage à la formule %(plan)s, facturation %(frequency)s, prévu le %(effective_on)s."),
    ),
    "subscription.plan_applied": (PLAN, _("La formule prévue est entrée en vigueur le %(effective_on)s.")),
    "subscription.change_undone": (PLAN, _undone),
    "subscription.renewed": (PLAN, _renewed),
    "subscription.termination_scheduled": (
        PLAN,
        _("Résiliation demandée : le dernier jour de l’abonnement est le %(last_day)s."),
    ),
    "subscription.termination_applied": (PLAN, _("L’abonnement a pris fin : dernier jour le %(last_day)s.")),
    "subscription.withdrawn": (PLAN, _("Rétractation : le contrat est annulé.")),
    "subscription.options_changed": (OPTIONS, _options),
    "subscription.option_added": (OPTIONS, _("Option ajoutée : %(name)s.")),
    "subscription.option_scheduled": (OPTIONS, _("Option retirée à la fin de la période payée : %(name)s.")),
    "subscription.option_applied": (
        OPTIONS,
        _("Un changement d’option prévu a pris effet le %(effective_on)s."),
    ),
    "subscription.establishments_changed": (PLACES, _establishments),
    "subscription.establishment_added": (PLACES, _("Établissement ajouté : %(subject)s.")),
    "subscription.establishment_applied": (
        PLACES,
        _("Un changement d’établissement prévu a pris effet le %(effective_on)s."),
    ),
    "establishment.edited": (PLACES, _("Coordonnées de l’établissement %(subject)s corrigées.")),
    "establishment.brought_back": (PLACES, _("Établissement %(subject)s remis en service le jour même.")),
    "billing_details.changed": (BILLING, _billing),
    "invoice.credited": (BILLING, _credited),
    "invoice.mailed": (BILLING, _("%(subject)s envoyée par e-mail.")),
    "accountant_email.check_sent": (
        BILLING,
        _("Lien de confirmation envoyé à l’adresse du comptable : %(subject)s."),
    ),
    "accountant_email.check_cancelled": (BILLING, _("Adresse du comptable abandonnée : %(subject)s.")),
    "accountant_email.confirmed": (BILLING, _("Adresse du comptable confirmée : %(subject)s.")),
    "user.invited": (PEOPLE, _("Invitation envoyée à %(email)s, comme %(role)s.")),
    "user.invitation_sent_again": (PEOPLE, _("Invitation renvoyée à %(email)s, comme %(role)s.")),
    "user.invitation_revoked": (PEOPLE, _("Invitation de %(email)s reprise.")),
    "user.joined": (PEOPLE, _("%(subject)s a rejoint le compte, comme %(role)s.")),
    "user.role_changed": (PEOPLE, _("Rôle de %(subject)s : %(former_role)s, puis %(role)s.")),
    "user.removed": (PEOPLE, _("Accès de %(subject)s retiré.")),
    "quotation.requested": (REQUESTS, _("Devis demandé : %(name)s.")),
    "quotation.answered": (REQUESTS, _("Devis reçu : %(name)s.")),
    "quotation.accepted": (REQUESTS, _("Devis accepté : %(name)s.")),
    "quotation.declined": (REQUESTS, _("Devis refusé : %(name)s.")),
    "support.written": (REQUESTS, _("Message envoyé à notre équipe.")),
    "data.exported": (DATA, _("Données du compte téléchargées.")),
    "account.closed": (DATA, _("Compte clôturé : ce que la loi n’impose pas de garder est effacé.")),
    # What concerns a person and no account, and the operator's own acts.
    "user.signed_in": (OWN, _("Connexion.")),
    "user.signed_out": (OWN, _("Déconnexion.")),
    "user.locked_out": (OWN, _("Connexion bloquée un quart d’heure après plusieurs échecs.")),
    "user.password_changed": (OWN, _("Mot de passe changé.")),
    "user.second_factor_added": (OWN, _("Double vérification activée.")),
    "user.second_factor_removed": (OWN, _("Double vérification retirée.")),
    "user.recovery_codes_renewed": (OWN, _("Nouveaux codes de secours.")),
    "session.revoked": (OWN, _("Une session fermée.")),
    "sessions.revoked": (OWN, _("Toutes les autres sessions fermées.")),
    "catalogue.published": (OWN, _("Catalogue publié.")),
}
