"""Gestures for one account: choose, read what each changes, confirm with a reason, undo."""

import uuid
from collections.abc import Callable
from datetime import date
from typing import NamedTuple

from flask import abort, request, url_for
from flask.typing import ResponseReturnValue

from webapp import auth, clock, confirming
from webapp.auth import requires
from webapp.blueprints.staff import bp
from webapp.blueprints.staff.gesture_forms import (
    DiscountForm,
    DueDateForm,
    FreeMonthsForm,
    FreeOptionForm,
    GestureForm,
    MakeForm,
    Offered,
    PaymentForm,
    PlanForm,
    PriceForm,
    RefundForm,
    TermsForm,
)
from webapp.blueprints.staff.gesture_presenters import effect_page, listed
from webapp.confirming import Given
from webapp.domain.access import May
from webapp.domain.contract import Frequency
from webapp.domain.refusals import ConsentNeeded, Refusal
from webapp.extensions import db
from webapp.filters import money
from webapp.i18n import Sentence, _, date_text, explain
from webapp.models.accounts import Account
from webapp.models.gestures import Gesture
from webapp.rendering import current_locale, render, say
from webapp.services import (
    contracts,
    discount_gestures,
    gestures,
    history,
    invoicing,
    money_gestures,
    payments,
    subscriptions,
)
from webapp.services.contracts import Situation
from webapp.services.gestures import NoSubscription, Why
from webapp.services.wording import text
from webapp.transactions import commits


class Kind(NamedTuple):
    """A kind of gesture: its form, and how it is called on the page and by the button that makes it."""

    form: type[GestureForm]
    icon: str
    title: Sentence
    lead: Sentence
    button: Sentence


# By the word of their address.
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
    "echeance": Kind(
        DueDateForm,
        "calendar-days",
        _("Reporter une échéance"),
        _("Plus de temps pour une facture ouverte : elle n’est en retard qu’après ce jour."),
        _("Reporter l’échéance"),
    ),
}
MOST_PAYMENTS = 20  # offered for a refund
ON_ITS_FIELD = {
    "NothingTakenOff": ("on",),
    "GestureTooShort": ("until",),
    "PriceNotLower": ("price",),
    "DueDateOutOfRange": ("until",),
    "DebitSent": ("invoice",),
    "MoreThanCanBeRefunded": ("amount",),
    "ConsentNeeded": ("consent",),
}


class _Case(NamedTuple):
    """The account at hand and its subscription."""

    account: Account
    subscription_id: uuid.UUID


@bp.get("/comptes/<reference>/gestes", endpoint="gestures")
@requires(May.HELP_ACCOUNTS)
def gestures_made(reference: str) -> ResponseReturnValue:
    """What was done for this account, and what can be."""
    case, session, today, locale = _case(reference), db.session(), clock.today(), current_locale()
    may_act = auth.visit_allows(May.CORRECT_MONEY)
    made = gestures.made_for(session, case.account.id)
    return render(
        "staff/gestures.html",
        account=case.account,
        kinds=KINDS.items() if may_act else [],
        rows=listed(made, history.names(session, locale), today, locale, may_act=may_act),
        may_act=may_act,
    )


@bp.get("/comptes/<reference>/gestes/<kind>")
@requires(May.CORRECT_MONEY)
def gesture(reference: str, kind: str) -> ResponseReturnValue:
    """What is to be said, and once it is, what it changes, when and for how much. Nothing is written."""
    return _page(_case(reference), _kind(kind))


@bp.post("/comptes/<reference>/gestes/<kind>")
@requires(May.CORRECT_MONEY)
@commits
def make_gesture(reference: str, kind: str) -> ResponseReturnValue:
    """Make it once, exactly as it was shown, with its reason."""
    case, chosen = _case(reference), _kind(kind)
    offered, confirmation = _offered(case), MakeForm()
    form = _form(chosen, offered)
    if not form.validate() or not confirmation.validate_on_submit():
        return _page(case, chosen, confirmation, 422)
    wish, why = form.wish(offered), _why(case, confirmation)

    def act(given: Given) -> None:
        gestures.make(
            given.session, case.subscription_id, wish, given.fingerprint, why,
            str(confirmation.idempotency_key.data), given.today, given.now, given.actor,
        )  # fmt: skip

    return _once(
        case,
        confirmation,
        ("gesture", kind, wish),
        act,
        lambda status, refusal=None: _page(case, chosen, confirmation, status, refusal=refusal),
        say("C’est fait : le geste est dans l’historique du client."),
    )


@bp.get("/comptes/<reference>/gestes/<int:gesture_id>/annuler")
@requires(May.CORRECT_MONEY)
def gesture_undo(reference: str, gesture_id: int) -> ResponseReturnValue:
    """What undoing it would do today."""
    case = _case(reference)
    return _undo_page(case, _gesture(case, gesture_id))


@bp.post("/comptes/<reference>/gestes/<int:gesture_id>/annuler")
@requires(May.CORRECT_MONEY)
@commits
def undo_gesture(reference: str, gesture_id: int) -> ResponseReturnValue:
    """Undo it once, exactly as it was shown, with its reason."""
    case, confirmation, session = _case(reference), MakeForm(), db.session()
    found = _gesture(case, gesture_id)
    if not confirmation.validate_on_submit():
        return _undo_page(case, found, confirmation, 422)

    why = _why(case, confirmation)

    def act(given: Given) -> None:
        key = str(confirmation.idempotency_key.data)
        gestures.undo(session, found, given.fingerprint, why, key, given.today, given.now, given.actor)

    return _once(
        case,
        confirmation,
        ("gesture_undo", gesture_id),
        act,
        lambda status, refusal=None: _undo_page(
            case, _gesture(case, gesture_id), confirmation, status, refusal=refusal
        ),
        say("Le geste est annulé."),
    )


def _once(
    case: _Case,
    confirmation: MakeForm,
    asked: tuple[object, ...],
    act: Callable[[Given], None],
    show: Callable[..., ResponseReturnValue],
    said: str,
) -> ResponseReturnValue:
    """Do it once per key, then back to the gestures of the account. `show` is told the refusal, if there was one."""
    location = url_for(".gestures", reference=case.account.reference)

    def act_then_leave(given: Given) -> str:
        act(given)
        return location

    def refuse(_subscription_id: uuid.UUID, refusal: Refusal) -> ResponseReturnValue:
        return show(422 if isinstance(refusal, ConsentNeeded) else 409, refusal)

    return confirming.once(
        case.subscription_id,
        confirmation,
        asked,
        act_then_leave,
        show=show,
        refuse=refuse,
        said=said,
        account_id=case.account.id,
    )


def _why(case: _Case, confirmation: MakeForm) -> Why:
    return Why(
        str(confirmation.reason.data).strip(),
        bool(confirmation.tells.data),
        url_for("subscriptions.overview", subscription_id=case.subscription_id, _external=True),
    )


def _case(reference: str) -> _Case:
    try:
        return _Case(*gestures.subscription_of(db.session(), reference))
    except NoSubscription:
        abort(404)


def _kind(word: str) -> Kind:
    return KINDS.get(word) or abort(404)


def _gesture(case: _Case, gesture_id: int) -> Gesture:
    return gestures.find(db.session(), case.account.id, gesture_id) or abort(404)


def _form(chosen: Kind, offered: Offered) -> GestureForm:
    asked = request.form if request.method == "POST" else request.args
    form = chosen.form(asked if asked.get("apercu") or request.method == "POST" else None)
    form.offer(offered)
    return form


def _offered(case: _Case) -> Offered:
    """What this account has to choose from, in the reader's words."""
    session, today, locale = db.session(), clock.today(), current_locale()
    situation = contracts.load(session, case.subscription_id)
    is_over = situation.contract.on(today).ended_on is not None
    return Offered(
        today,
        situation.currency,
        charged=[] if is_over else _charged(situation, today, locale),
        plans=[] if is_over else _plans(situation, today, locale),
        invoices=[
            (
                each.number,
                say(
                    "%(number)s, reste %(amount)s, échéance du %(date)s",
                    number=each.number,
                    amount=money(each.total_cents - each.paid_cents, locale, each.currency),
                    date=date_text(each.payable_until, locale),
                ),
            )
            for each in money_gestures.open_invoices(session, case.account.id)
        ],
        sources=_sources(case.account.id, situation.currency, locale),
        terms=situation.contract.signature.commitment.terms,
    )


def _charged(situation: Situation, today: date, locale: str) -> list[tuple[str, str]]:
    names = history.names(db.session(), locale)
    found = []
    for item, ref, unit in discount_gestures.charged(situation.contract, today):
        name = names.get(ref, ref)
        called = say("Formule %(plan)s", plan=name) if item == "plan" else name
        words = say("%(name)s, %(price)s HTVA", name=called, price=money(unit, locale))
        found.append((f"{item}:{ref}", words))
    return found


def _plans(situation: Situation, today: date, locale: str) -> list[tuple[str, str]]:
    """Those on sale for this client, but the one that is signed."""
    signed, found = situation.contract.tariff, []
    for offer in subscriptions.for_sale(db.session(), situation, today):
        for price in offer.prices:
            if (offer.code, price.frequency) == (signed.plan_code, signed.frequency.value):
                continue
            amount = money(price.amount_cents, locale, price.currency)
            values = {"plan": text(offer.names, locale), "price": amount}
            if price.frequency == Frequency.ANNUAL:
                words = say("%(plan)s, %(price)s par an", **values)
            else:
                words = say("%(plan)s, %(price)s par mois", **values)
            found.append((f"{offer.code}:{price.frequency}", words))
    return found


def _sources(account_id: uuid.UUID, currency: str, locale: str) -> list[tuple[str, str]]:
    """What can be refunded: the account's credit, then its latest payments."""
    session = db.session()
    found = [
        (
            each.source,
            say(
                "Paiement du %(date)s, reste %(amount)s",
                date=date_text(each.received_on, locale),
                amount=money(each.left, locale),
            ),
        )
        for each in payments.movements(session, account_id)[:MOST_PAYMENTS]
    ]
    credit = invoicing.credit_of(session, account_id, currency)
    if credit.cents > 0:
        words = say("Crédit du compte, %(amount)s", amount=money(credit, locale))
        found.insert(0, (money_gestures.CREDIT, words))
    return found


def _page(
    case: _Case,
    chosen: Kind,
    confirmation: MakeForm | None = None,
    status: int = 200,
    *,
    refusal: Refusal | None = None,
) -> ResponseReturnValue:
    is_stale = status == 409 and refusal is None
    session, today, locale = db.session(), clock.today(), current_locale()
    offered = _offered(case)
    form = _form(chosen, offered)
    is_asked = request.method == "POST" or bool(request.args.get("apercu"))
    effect = None
    if is_asked and form.validate():
        try:
            effect = gestures.preview(session, case.subscription_id, form.wish(offered), today)
        except Refusal as refused:
            refusal = refused
            status = 422 if status == 200 else status
    elif is_asked and status == 200:
        status = 422
    if refusal is not None:
        _say_on_field(form, refusal)
    word = next(word for word, kind in KINDS.items() if kind is chosen)
    page = render(
        "staff/gesture.html",
        account=case.account,
        chosen=chosen,
        address=url_for(".gesture", reference=case.account.reference, kind=word),
        form=form,
        asked=[(each.name, value) for each in form for value in _typed(each.name)],
        page=effect_page(effect, history.names(session, locale), locale) if effect else None,
        confirmation=confirmation or MakeForm(formdata=None),
        key=confirming.new_key(),
        is_stale=is_stale,
    )
    return page, status


def _typed(name: str) -> list[str]:
    return (request.form if request.method == "POST" else request.args).getlist(name)


def _say_on_field(form: GestureForm, refusal: Refusal) -> None:
    """The sentence of a refusal, beside the field that can mend it; above the form when none can."""
    session, locale = db.session(), current_locale()
    sentence = explain(refusal, locale, history.names(session, locale))
    field = next((form[name] for name in ON_ITS_FIELD.get(refusal.code, ()) if name in form), None)
    if field is not None:
        field.errors = [sentence]
    else:
        form.form_errors.append(sentence)


def _undo_page(
    case: _Case,
    found: Gesture,
    confirmation: MakeForm | None = None,
    status: int = 200,
    *,
    refusal: Refusal | None = None,
) -> ResponseReturnValue:
    is_stale = status == 409 and refusal is None
    session, today, locale = db.session(), clock.today(), current_locale()
    names, effect = history.names(session, locale), None
    try:
        effect = gestures.preview_undo(session, found, today)
    except Refusal as refused:
        refusal, status = refused, 409
    [row] = listed([found], names, today, locale, may_act=True)
    page = render(
        "staff/gesture_undo.html",
        account=case.account,
        row=row,
        address=url_for(".gesture_undo", reference=case.account.reference, gesture_id=found.id),
        refused=explain(refusal, locale, names) if refusal else "",
        page=effect_page(effect, names, locale) if effect else None,
        confirmation=confirmation or MakeForm(formdata=None),
        key=confirming.new_key(),
        is_stale=is_stale,
    )
    return page, status
