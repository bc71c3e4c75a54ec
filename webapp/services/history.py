"""The account's history in plain sentences, from the audit trail behind it (U3).

Each action that the code records has its sentence here: a test looks for those that have none.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import func, literal, select, union_all
from sqlalchemy.orm import Session

from webapp import filters
from webapp.i18n import _, _n, date_text, gettext, ngettext, one_of
from webapp.models.catalogue import Option, OptionVersion, Plan, PlanVersion
from webapp.models.records import AuditEntry
from webapp.services import gesture_words
from webapp.services.bank_reasons import reason_text

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
METHOD_KINDS = {"transfer": _("virement"), "direct_debit": _("domiciliation"), "card": _("carte")}
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
    plans = select(Plan.code, PlanVersion.names, literal(0).label("kind"), PlanVersion.id.label("version"))
    options = select(Option.code, OptionVersion.names, literal(1), OptionVersion.id)
    both = union_all(
        plans.join(PlanVersion, PlanVersion.plan_id == Plan.id),
        options.join(OptionVersion, OptionVersion.option_id == Option.id),
    )
    found: dict[str, str] = {}
    for code, texts, _kind, _version in session.execute(
        both.order_by("kind", "version")
    ):  # the latest version last
        found[code] = str(texts[locale])
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


def _amount(entry: AuditEntry, reader: Reader) -> str:
    return filters.money(int(entry.after.get("amount_cents") or 0), reader.locale)


def _paid(entry: AuditEntry, reader: Reader) -> str:
    settled = ", ".join(entry.after.get("settled") or ())
    if not settled:
        return reader.words(
            _("Paiement de %(amount)s reçu, gardé comme crédit du compte."), amount=_amount(entry, reader)
        )
    return reader.words(
        _("Paiement de %(amount)s reçu pour %(invoices)s."), amount=_amount(entry, reader), invoices=settled
    )


def _collection(entry: AuditEntry, reader: Reader) -> str:
    return reader.words(
        _("Prélèvement de %(amount)s demandé à la banque pour le %(date)s (facture %(subject)s)."),
        amount=_amount(entry, reader),
        date=reader.day(entry.after.get("on")),
        subject=entry.subject,
    )


def _collection_failed(entry: AuditEntry, reader: Reader) -> str:
    sentence = reader.words(
        _("Le paiement de %(amount)s pour %(subject)s n’a pas abouti : %(reason)s."),
        amount=_amount(entry, reader),
        subject=entry.subject,
        reason=reason_text(entry.after.get("reason_code"), reader.locale),
    )
    again = entry.after.get("retry_on")
    if not again:
        return sentence
    return f"{sentence} {reader.words(_('Nouvel essai le %(date)s.'), date=reader.day(again))}"


def _returned(entry: AuditEntry, reader: Reader) -> str:
    reopened = ", ".join(entry.after.get("reopened") or ())
    if not reopened:
        return reader.words(_("Paiement de %(amount)s rendu."), amount=_amount(entry, reader))
    return reader.words(
        _("Paiement de %(amount)s revenu impayé ou rendu : %(invoices)s à payer."),
        amount=_amount(entry, reader),
        invoices=reopened,
    )


def _transfer_announced(entry: AuditEntry, reader: Reader) -> str:
    return reader.words(
        _("Virement annoncé pour %(invoices)s, attendu jusqu’au %(until)s."),
        invoices=", ".join(entry.after.get("invoices") or ()),
        until=reader.day(entry.after.get("until")),
    )


def _method(entry: AuditEntry, reader: Reader) -> str:
    """A method as its owner knows it: what it is, then its masked number, if it has one."""
    kind = METHOD_KINDS.get(entry.after.get("kind") or "")
    words = reader.words(kind) if kind else ""
    return f"{words} {entry.subject}".strip()


def _about_method(sentence: str) -> Telling:
    def telling(entry: AuditEntry, reader: Reader) -> str:
        return reader.words(
            sentence, method=_method(entry, reader), code=entry.after.get("reason_code") or ""
        )

    return telling


def _amended(entry: AuditEntry, reader: Reader) -> str:
    return reader.words(
        _("Mandat %(reference)s : le compte %(former)s est remplacé par %(label)s."),
        reference=entry.subject,
        former=entry.before.get("label") or "",
        label=entry.after.get("label") or "",
    )


def _signed(entry: AuditEntry, reader: Reader) -> str:
    return reader.words(
        _("Mandat %(reference)s signé pour le compte %(label)s."),
        reference=entry.subject,
        label=entry.after.get("label") or "",
    )


def _suspended(entry: AuditEntry, reader: Reader) -> str:
    if entry.after.get("cause") != "unpaid":
        return _with_reason(reader.words(_("Sites suspendus par notre équipe.")), entry, reader)
    return reader.words(
        _("Sites suspendus : %(invoices)s impayées."), invoices=", ".join(entry.after.get("invoices") or ())
    )


def _restored(entry: AuditEntry, reader: Reader) -> str:
    return _with_reason(reader.words(_("Sites rétablis.")), entry, reader)


def _reminded(entry: AuditEntry, reader: Reader) -> str:
    return reader.words(
        _("Rappel de paiement envoyé : %(invoices)s."), invoices=", ".join(entry.after.get("invoices") or ())
    )


def _decided(msgid: str) -> Telling:
    """A decision of the team, with its reason."""
    return lambda entry, reader: _with_reason(reader.words(msgid, **_facts(entry, reader)), entry, reader)


def _with_reason(sentence: str, entry: AuditEntry, reader: Reader) -> str:
    """What the team wrote of why, after what it did."""
    reason = entry.after.get("reason")
    return f"{sentence} {reader.words(_('Motif : %(reason)s'), reason=reason)}" if reason else sentence


def _gesture(entry: AuditEntry, reader: Reader) -> str:
    kind = entry.action.partition(".")[2]
    told = gesture_words.sentence(kind, entry.after, reader.locale, reader.names)
    return _with_reason(told, entry, reader)


def _gesture_undone(entry: AuditEntry, reader: Reader) -> str:
    told = gesture_words.sentence(entry.after.get("kind") or "", entry.before, reader.locale, reader.names)
    return _with_reason(reader.words(_("Annulé : %(gesture)s"), gesture=told), entry, reader)


def _refund_refused(entry: AuditEntry, reader: Reader) -> str:
    return reader.words(
        _("Remboursement de %(amount)s refusé par le prestataire de paiement : rien n’a changé."),
        amount=_amount(entry, reader),
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
        _decided(_("Formule %(former_plan)s remplacée par %(plan)s, facturation %(frequency)s.")),
    ),
    "subscription.plan_scheduled": (
        PLAN,
        _decided(_("Passage à la formule %(plan)s, facturation %(frequency)s, prévu le %(effective_on)s.")),
    ),
    "subscription.plan_applied": (PLAN, _("La formule prévue est entrée en vigueur le %(effective_on)s.")),
    "subscription.migration_scheduled": (
        PLAN,
        _(
            "Changement de la formule %(plan)s décidé par l’opérateur, prévu le %(effective_on)s : annoncé par e-mail."
        ),
    ),
    "subscription.migration_cancelled": (
        PLAN,
        _("Le changement de formule annoncé pour le %(effective_on)s n’aura pas lieu."),
    ),
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
    "payment.received": (BILLING, _paid),
    "payment.returned": (BILLING, _returned),
    "collection.sent": (BILLING, _collection),
    "collection.failed": (BILLING, _collection_failed),
    "bank_entry.assigned": (BILLING, _("Paiement de la banque rapproché de %(subject)s par notre équipe.")),
    "bank_entry.taken_back": (BILLING, _("Rapprochement de %(subject)s repris par notre équipe.")),
    "transfer.announced": (BILLING, _transfer_announced),
    "payment_method.added": (BILLING, _about_method(_("Moyen de paiement ajouté : %(method)s."))),
    "payment_method.made_primary": (
        BILLING,
        _about_method(_("Vos factures se paient maintenant par %(method)s.")),
    ),
    "payment_method.blocked": (
        BILLING,
        _about_method(_("Moyen de paiement refusé : %(method)s (code %(code)s).")),
    ),
    "payment_method.expired": (BILLING, _about_method(_("Moyen de paiement arrivé à sa fin : %(method)s."))),
    "payment_method.closed": (BILLING, _about_method(_("Moyen de paiement retiré : %(method)s."))),
    "mandate.signed": (BILLING, _signed),
    "mandate.amended": (BILLING, _amended),
    "account.suspended": (BILLING, _suspended),
    "account.restored": (BILLING, _restored),
    "dunning.reminded": (BILLING, _reminded),
    "dunning.hold": (BILLING, _decided(_("Rappels mis en pause jusqu’au %(until)s."))),
    "dunning.dispute": (BILLING, _decided(_("Contestation notée : %(subject)s ne compte plus."))),
    "dunning.resume": (
        BILLING,
        _decided(_("Fin d’une pause ou d’une contestation : les rappels reprennent.")),
    ),
    "dunning.pass": (BILLING, _decided(_("Du temps accordé pour payer, jusqu’au %(until)s."))),
    "dunning.suspend": (BILLING, _decided(_("Suspension décidée par notre équipe, en plus des impayés."))),
    "dunning.lift": (
        BILLING,
        _decided(_("Suspension de notre équipe levée ; les impayés suspendent encore.")),
    ),
    "gesture.discount": (BILLING, _gesture),
    "gesture.free_months": (BILLING, _gesture),
    "gesture.free_option": (BILLING, _gesture),
    "gesture.price": (BILLING, _gesture),
    "gesture.terms": (PLAN, _gesture),
    "gesture.payment": (BILLING, _gesture),
    "gesture.refund": (BILLING, _gesture),
    "gesture.card_refund": (BILLING, _gesture),
    "gesture.due_date": (BILLING, _gesture),
    "gesture.undone": (BILLING, _gesture_undone),
    "provider_refund.refused": (BILLING, _refund_refused),
    "invoice.mailed": (BILLING, _("%(subject)s envoyée par e-mail.")),
    "invoice.checked_again": (BILLING, _("Nouvelle vérification demandée pour %(subject)s.")),
    "invoice.sent_again": (BILLING, _("Envoi de %(subject)s par Peppol demandé.")),
    "invoice.handed_over": (BILLING, _("%(subject)s notée comme remise à la main.")),
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
    "request.answered": (REQUESTS, _("Notre équipe a répondu à la demande %(subject)s.")),
    "request.replied": (REQUESTS, _("Réponse envoyée à notre équipe, demande %(subject)s.")),
    "request.closed": (REQUESTS, _("Demande %(subject)s close.")),
    "request.reopened": (REQUESTS, _("Demande %(subject)s rouverte.")),
    "data.exported": (DATA, _("Données du compte téléchargées.")),
    "account.viewed": (DATA, _("Notre équipe a consulté votre compte, sans rien y changer.")),
    "account.closed": (DATA, _("Compte clôturé : ce que la loi n’impose pas de garder est effacé.")),
    # What concerns a person and no account, and the operator's own acts.
    "user.signed_in": (OWN, _("Connexion.")),
    "user.signed_out": (OWN, _("Déconnexion.")),
    "user.locked_out": (OWN, _("Connexion bloquée un quart d’heure après plusieurs échecs.")),
    "user.password_changed": (OWN, _("Mot de passe changé.")),
    "user.second_factor_added": (OWN, _("Double vérification activée.")),
    "user.second_factor_removed": (OWN, _("Double vérification retirée.")),
    "user.recovery_codes_renewed": (OWN, _("Nouveaux codes de secours.")),
    "user.provider_bound": (OWN, _("Compte du fournisseur d’identité lié.")),
    "user.provider_unbound": (OWN, _("Compte du fournisseur d’identité délié.")),
    "session.revoked": (OWN, _("Une session fermée.")),
    "sessions.revoked": (OWN, _("Toutes les autres sessions fermées.")),
    "debit_batch.downloaded": (OWN, _("Fichier de prélèvements %(subject)s téléchargé.")),
    "request.assigned": (OWN, _("Demande %(subject)s attribuée.")),
    "saved_reply.kept": (OWN, _("Réponse type « %(subject)s » gardée.")),
    "saved_reply.removed": (OWN, _("Réponse type « %(subject)s » retirée.")),
    "migration.published": (OWN, _("Migration %(subject)s publiée.")),
    "migration.cancelled": (OWN, _("Migration %(subject)s annulée.")),
    "catalogue.published": (OWN, _("Catalogue publié.")),
    "reseller.opened": (OWN, _("Revendeur ouvert : %(subject)s.")),
    "reseller.suspended": (OWN, _("Revendeur suspendu : %(subject)s.")),
    "reseller.resumed": (OWN, _("Revendeur rétabli : %(subject)s.")),
    "reseller.policy_changed": (OWN, _("Règles du revendeur %(subject)s changées.")),
    "reseller.contact_changed": (OWN, _("Contact du revendeur %(subject)s changé.")),
    "reseller.origins_changed": (OWN, _("Sites du revendeur %(subject)s changés.")),
    "reseller.theme_changed": (OWN, _("Apparence du revendeur %(subject)s changée.")),
    "reseller.key_added": (OWN, _("Clé créée pour %(subject)s.")),
    "reseller.key_revoked": (OWN, _("Clé de %(subject)s révoquée.")),
    "reseller.account_named": (OWN, _("Compte facturé du revendeur %(subject)s choisi.")),
    "reseller.wholesale_priced": (OWN, _("Prix de gros du revendeur %(subject)s publiés.")),
    "reseller.client_added": (OWN, _("Client %(name)s ajouté par %(subject)s.")),
    "reseller.billed": (BILLING, _("Facture mensuelle de revendeur émise.")),
    "reseller.user_invited": (OWN, _("Invitation à l’espace partenaire envoyée à %(email)s.")),
    "reseller.user_invitation_sent_again": (OWN, _("Invitation à l’espace partenaire renvoyée à %(email)s.")),
    "reseller.user_invitation_revoked": (OWN, _("Invitation de %(email)s reprise.")),
    "reseller.user_joined": (OWN, _("%(subject)s a rejoint l’espace partenaire.")),
    "reseller.user_role_changed": (OWN, _("Rôle de %(subject)s changé dans l’espace partenaire.")),
    "reseller.user_removed": (OWN, _("Accès de %(subject)s retiré.")),
    "catalogue_draft.started": (OWN, _("Brouillon de catalogue commencé : %(subject)s.")),
    "catalogue_draft.changed": (OWN, _("Brouillon de catalogue %(subject)s changé.")),
    "catalogue_draft.abandoned": (OWN, _("Brouillon de catalogue %(subject)s abandonné.")),
    "catalogue_draft.published": (OWN, _("Brouillon de catalogue %(subject)s publié.")),
    "integration.opened": (OWN, _("Système connecté ajouté : %(subject)s.")),
    "integration.closed": (OWN, _("Système connecté fermé : %(subject)s.")),
    "integration.key_made": (OWN, _("Clé créée pour %(subject)s.")),
    "integration.key_revoked": (OWN, _("Clé de %(subject)s révoquée.")),
    "integration.endpoint_added": (OWN, _("Adresse à prévenir ajoutée pour %(subject)s.")),
    "integration.endpoint_disabled": (OWN, _("Envois à une adresse de %(subject)s arrêtés.")),
    "integration.endpoint_enabled": (OWN, _("Envois à une adresse de %(subject)s repris.")),
    "integration.secret_renewed": (OWN, _("Secret d’une adresse de %(subject)s renouvelé.")),
    "integration.former_secret_dropped": (OWN, _("Ancien secret d’une adresse de %(subject)s retiré.")),
    "integration.tested": (OWN, _("Message d’essai envoyé à %(subject)s.")),
    "integration.replayed": (OWN, _("Messages renvoyés à %(subject)s.")),
    "job.asked": (OWN, _("Travail lancé : %(subject)s.")),
    "job.paused": (OWN, _("Travail mis en pause : %(subject)s.")),
    "job.resumed": (OWN, _("Travail repris : %(subject)s.")),
    "dunning.published": (OWN, _("Échelles de rappel publiées.")),
}
