"""Gestures in words: what each changes, and the list of those that were made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from webapp import filters
from webapp.amounts import NamedLine, due_now, named_lines
from webapp.domain.money import Money
from webapp.domain.pricing import Draft
from webapp.i18n import Sentence, _, date_text, gettext
from webapp.models.gestures import Gesture
from webapp.services import gesture_words, gestures
from webapp.services.contracts import Customer
from webapp.services.gesture_effects import Effect, Row, Value

LABELS: dict[str, Sentence] = {
    "from_on": _("Premier jour"),
    "last_day": _("Dernier jour"),
    "plan": _("Formule"),
    "price": _("Prix d’une période"),
    "option_ends": _("Option qui s’arrête"),
    "commitment": _("Engagement"),
    "notice": _("Préavis"),
    "renewal": _("À la fin de l’engagement"),
    "earliest_end": _("Fin possible au plus tôt, préavis donné ce jour"),
    "left": _("Reste à payer de %(of)s"),
    "credit": _("Crédit du compte"),
    "unpaid": _("Factures qui comptent pour la suspension"),
    "suspended_on": _("Sites"),
    "suspends_on": _("Suspension prévue"),
    "due_on": _("Échéance de %(of)s"),
}
# What a refund asked of the payment provider has become; the tone of its badge.
REFUNDS: dict[str, tuple[Sentence, str]] = {
    "asked": (_("Demandé au prestataire"), "plain"),
    "unsure": (_("Sans réponse du prestataire : à vérifier chez lui"), "warn"),
    "sent": (_("Accepté, pas encore rendu"), "plain"),
    "done": (_("Rendu"), "good"),
    "refused": (_("Refusé par le prestataire : rien n’a changé"), "bad"),
}
WORSE: dict[str, Sentence] = {
    "longer": _("l’engagement est plus long"),
    "notice": _("le préavis est à donner plus tôt"),
    "renewal": _("la fin de l’engagement se passe autrement"),
    "later_end": _("le contrat pourrait finir plus tard"),
}


@dataclass(frozen=True, slots=True)
class ShownRow:
    label: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class EffectPage:
    """What `components/preview.html` needs, and the rows above it."""

    rows: list[ShownRow]
    worse: list[str]
    has_documents: bool  # whether invoices come into it at all
    due: Draft | None
    due_lines: list[NamedLine]
    arrears: tuple[Draft, ...]
    due_now: Money
    next_before: Draft | None
    next_after: Draft | None
    customer: Customer
    pay_by: date
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Made:
    id: int
    sentence: str
    reason: str
    made_by: str
    made_at: datetime
    documents: list[str]
    undone_by: str | None
    undone_at: datetime | None
    undone_reason: str | None
    may_undo: bool
    state: tuple[str, str] | None = None  # of a refund: its words and the tone of its badge


def listed(
    made: Sequence[Gesture],
    names: Mapping[str, str],
    today: date,
    locale: str,
    *,
    may_act: bool,
    refunds: Mapping[int, str] | None = None,
) -> list[Made]:
    """Those that were made, in words. `refunds` are the states of what a provider was asked, by gesture."""
    states = {
        gesture_id: (gettext(REFUNDS[state][0], locale), REFUNDS[state][1])
        for gesture_id, state in (refunds or {}).items()
    }
    return [
        Made(
            each.id,
            gesture_words.sentence(each.kind, each.facts, locale, names),
            each.reason,
            each.made_by,
            each.made_at,
            each.documents,
            each.undone_by,
            each.undone_at,
            each.undone_reason,
            may_undo=may_act and gestures.is_undoable(each, today),
            state=states.get(each.id),
        )
        for each in made
    ]


def effect_page(effect: Effect, names: Mapping[str, str], locale: str) -> EffectPage:
    customer, currency = effect.situation.customer, effect.situation.currency
    due = effect.due
    empty = Draft((), effect.situation.contract.signature.next_period, currency)
    return EffectPage(
        rows=[_shown(row, names, locale) for row in effect.rows],
        worse=[gettext(WORSE[each.value], locale) for each in effect.worse],
        has_documents=bool(due or effect.arrears or effect.next_before or effect.next_after),
        due=due,
        due_lines=named_lines(due, effect.situation, locale) if due else [],
        arrears=effect.arrears,
        due_now=due_now(due or empty, effect.arrears),
        next_before=effect.next_before,
        next_after=effect.next_after,
        customer=customer,
        pay_by=effect.today + timedelta(days=customer.payment_term_days),
        fingerprint=effect.fingerprint,
    )


def _shown(row: Row, names: Mapping[str, str], locale: str) -> ShownRow:
    return ShownRow(
        gettext(LABELS[row.what], locale, of=row.of),
        _said(row.what, row.before, names, locale),
        _said(row.what, row.after, names, locale),
    )


def _said(what: str, value: Value, names: Mapping[str, str], locale: str) -> str:
    if what == "suspended_on":
        if isinstance(value, date):
            return gettext(_("Suspendus depuis le %(date)s"), locale, date=date_text(value, locale))
        return gettext(_("Servis"), locale)
    if value is None:
        return "–"
    if isinstance(value, Money):
        return filters.money(value, locale)
    if isinstance(value, date):
        return date_text(value, locale)
    if what == "commitment":
        return gesture_words.commitment(int(value), locale)
    if what == "notice":
        count, _space, unit = str(value).partition(" ")
        return gesture_words.notice(int(count), unit, locale)
    if what == "renewal":
        return gettext(gesture_words.RENEWALS[str(value)], locale)
    if what == "plan":
        code, _space, frequency = str(value).partition(" ")
        return gettext(
            _("%(plan)s, facturation %(frequency)s"),
            locale,
            plan=names.get(code, code),
            frequency=gettext(gesture_words.FREQUENCIES[frequency], locale),
        )
    return names.get(str(value), str(value))
