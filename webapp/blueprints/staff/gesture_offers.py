"""What the fields of a gesture offer for one account: what it is charged, what is on sale, its invoices and payments."""

import uuid
from collections.abc import Sequence
from datetime import date

from webapp import clock, paying
from webapp.blueprints.staff.gesture_forms import Offered
from webapp.domain.contract import Frequency
from webapp.extensions import db
from webapp.filters import money
from webapp.i18n import date_text
from webapp.rendering import current_locale, say
from webapp.services import (
    contracts,
    discount_gestures,
    history,
    invoicing,
    money_gestures,
    payments,
    subscriptions,
)
from webapp.services.contracts import Situation
from webapp.services.payments import MovementLeft
from webapp.services.wording import text

MOST_PAYMENTS = 20  # offered for a refund


def offered_to(account_id: uuid.UUID, subscription_id: uuid.UUID) -> Offered:
    """What this account has to choose from, in the reader's words."""
    session, today, locale = db.session(), clock.today(), current_locale()
    situation = contracts.load(session, subscription_id)
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
            for each in money_gestures.open_invoices(session, account_id)
        ],
        sources=_sources(account_id, situation.currency, locale),
        charges=_payments(_given_back(account_id), locale),
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
    found = _payments(payments.movements(session, account_id), locale)
    credit = invoicing.credit_of(session, account_id, currency)
    if credit.cents > 0:
        words = say("Crédit du compte, %(amount)s", amount=money(credit, locale))
        found.insert(0, (money_gestures.CREDIT, words))
    return found


def _given_back(account_id: uuid.UUID) -> list[MovementLeft]:
    found = paying.provider()
    return money_gestures.refundable(db.session(), account_id, found.name) if found is not None else []


def _payments(found: Sequence[MovementLeft], locale: str) -> list[tuple[str, str]]:
    return [
        (
            each.source,
            say(
                "Paiement du %(date)s, reste %(amount)s",
                date=date_text(each.received_on, locale),
                amount=money(each.left, locale),
            ),
        )
        for each in found[:MOST_PAYMENTS]
    ]
