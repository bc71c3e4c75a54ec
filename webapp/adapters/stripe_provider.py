"""Stripe, by its own library.

People pay, and give a card, on the page of a Checkout Session, which takes cards and Bancontact and works without our
scripts; charges are PaymentIntents confirmed off session. Bancontact is single use: what it saves is the SEPA mandate it
creates (docs.stripe.com/payments/bancontact/set-up-payment).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import stripe
from stripe import StripeClient

from webapp.adapters.payment_provider import (
    EXPIRED,
    FAILED,
    OPEN,
    PAID,
    PENDING,
    AskedCharge,
    AskedPayment,
    AskedRefund,
    AskedSetUp,
    Back,
    BadSignature,
    Capabilities,
    MethodKind,
    Notice,
    Opened,
    Outcome,
    Payer,
    ProviderRefused,
    ProviderUnavailable,
    ReferenceUnknown,
    SavedMethod,
    State,
)
from webapp.domain.money import Money
from webapp.domain.payment_methods import card_stops_on

Answer = TypeVar("Answer")
TOLERANCE = 300  # seconds between the signature of a notice and its arrival: older ones are replays
TIMEOUT = 10  # seconds
METHODS: dict[MethodKind, str] = {"card": "card", "bancontact": "bancontact"}
LOCALES = {"fr": "fr", "nl": "nl", "en": "en"}
PAYMENT = ["payment_intent.latest_charge"]
SET_UP = ["setup_intent.payment_method", "setup_intent.latest_attempt", "setup_intent.mandate"]
# The decline codes that mean something else than a refused card (docs.stripe.com/declines/codes), in shared words.
FAILURES = {
    "insufficient_funds": "insufficient_funds",
    "expired_card": "expired_card",
    "authentication_required": "authentication_required",
    "payment_intent_authentication_failure": "authentication_required",
    "setup_intent_authentication_failure": "authentication_required",
    "processing_error": "processing_error",
    "charge_exceeds_source_limit": "insufficient_funds",
    "debit_not_authorized": "mandate_invalid",
    "payment_method_bank_account_blocked": "mandate_invalid",
}
# Of a dispute: lost for now or for good; an inquiry (warning_…) has taken nothing yet.
TAKEN = frozenset({"needs_response", "under_review", "lost", "won"})


class StripeProvider:
    name = "stripe"
    capabilities = Capabilities(pays_by=("card", "bancontact"), set_up_cents={"card": 0, "bancontact": 0})

    def __init__(
        self, key: str, webhook_secrets: Sequence[str], url: str = "", zone: str = "Europe/Brussels"
    ) -> None:
        addresses: Any = {"api": url} if url else {}
        self.client = StripeClient(
            key,
            base_addresses=addresses,
            max_network_retries=2,  # under the same idempotency key
            http_client=stripe.RequestsClient(timeout=TIMEOUT),
        )
        self.webhook_secrets = tuple(webhook_secrets)
        self.zone = ZoneInfo(zone)

    def start_setup(self, asked: AskedSetUp) -> Opened:
        return self._open(
            asked.key,
            asked.payer,
            {
                "mode": "setup",
                "customer": self._customer(asked.payer, asked.key),
                "currency": asked.amount.currency.lower(),
                "allowed_payment_method_types": [METHODS[asked.kind]],
                "setup_intent_data": {"metadata": {"key": asked.key}, "description": asked.description},
                "success_url": asked.way.back_to,
                "cancel_url": asked.way.given_up,
            },
        )

    def start_payment(self, asked: AskedPayment) -> Opened:
        item = {
            "quantity": 1,
            "price_data": {
                "currency": asked.amount.currency.lower(),
                "unit_amount": asked.amount.cents,
                "product_data": {"name": asked.description},
            },
        }
        who = (
            {"customer": asked.payer.customer}
            if asked.payer.customer
            else {"customer_email": asked.payer.email}
        )
        return self._open(
            asked.key,
            asked.payer,
            {
                "mode": "payment",
                "line_items": [item],
                "allowed_payment_method_types": [METHODS[kind] for kind in self.capabilities.pays_by],
                "payment_intent_data": {"metadata": {"key": asked.key}, "description": asked.description},
                "success_url": asked.way.back_to,
                "cancel_url": asked.way.given_up,
            }
            | who,
        )

    def charge(self, asked: AskedCharge) -> Outcome:
        try:
            made = _ask(
                lambda: self.client.v1.payment_intents.create(
                    {
                        "amount": asked.amount.cents,
                        "currency": asked.amount.currency.lower(),
                        "customer": asked.payer.customer,
                        "payment_method": asked.method,
                        "off_session": True,
                        "confirm": True,
                        "metadata": {"key": asked.key, "invoice": asked.description},
                        "expand": ["latest_charge"],
                    },
                    {"idempotency_key": asked.key},
                )
            )
        except _Declined as declined:
            return Outcome(
                asked.key, declined.reference, FAILED, failure=FAILURES.get(declined.code, "card_declined")
            )
        if made.status == "requires_action":  # the bank wants its customer there, and nobody is
            _ask(lambda: self.client.v1.payment_intents.cancel(made.id))
            return Outcome(asked.key, made.id, FAILED, failure="authentication_required")
        return self._payment(made, asked.key, made.id)

    def find_charge(self, asked: AskedCharge) -> Outcome | None:
        """Among the customer's payments: unlike a search, the list is never late."""
        listed = _ask(
            lambda: self.client.v1.payment_intents.list({"customer": asked.payer.customer, "limit": 100})
        )
        for intent in listed.auto_paging_iter():
            if _key(intent) == asked.key:
                return self.fetch(intent.id)
        return None

    def refund(self, asked: AskedRefund) -> Back:
        made = _ask(
            lambda: self.client.v1.refunds.create(
                {
                    "payment_intent": asked.payment,
                    "amount": asked.amount.cents,
                    "metadata": {"key": asked.key},
                },
                {"idempotency_key": asked.key},
            )
        )
        return Back(made.id, Money(made.amount, made.currency.upper()), "refund", self._day(made.created))

    def fetch(self, reference: str) -> Outcome:
        if reference.startswith("cs_"):
            return self._session(
                _ask(
                    lambda: self.client.v1.checkout.sessions.retrieve(
                        reference, {"expand": [*PAYMENT, *SET_UP]}
                    )
                )
            )
        intent = _ask(
            lambda: self.client.v1.payment_intents.retrieve(reference, {"expand": ["latest_charge"]})
        )
        return self._payment(intent, _key(intent), reference)

    def abandon(self, reference: str) -> None:
        session = _ask(lambda: self.client.v1.checkout.sessions.retrieve(reference))
        if session.status == "open":
            _ask(lambda: self.client.v1.checkout.sessions.expire(reference))

    def verify_webhook(self, body: bytes, headers: Mapping[str, str], query: Mapping[str, str]) -> Notice:
        signature = {name.lower(): value for name, value in headers.items()}.get("stripe-signature", "")
        for secret in self.webhook_secrets:
            try:
                event = stripe.Webhook.construct_event(body, signature, secret, tolerance=TOLERANCE)
            except (stripe.SignatureVerificationError, ValueError):
                continue
            return Notice(event.id, _named(event))
        raise BadSignature

    # --- What it says ------------------------------------------------------------------------------------------

    def _session(self, session: Any) -> Outcome:
        key = str(_get(_get(session, "metadata"), "key") or "")
        address = str(session.url or "") if session.status == "open" else ""
        if session.status == "expired":
            return Outcome(key, session.id, EXPIRED)
        if session.status == "open":
            return Outcome(key, session.id, OPEN, address=address)
        if session.mode == "setup":
            return self._set_up(session.setup_intent, key, session.id)
        return self._payment(session.payment_intent, key, session.id)

    def _payment(self, intent: Any, key: str, reference: str) -> Outcome:
        state = _state(intent.status)
        charge = _get(intent, "latest_charge")
        is_paid = state == PAID
        kind = _get(_get(charge, "payment_method_details"), "type")
        return Outcome(
            key=key,
            reference=reference,
            state=state,
            payment=intent.id if is_paid else "",
            paid=Money(_get(intent, "amount_received") or intent.amount, intent.currency.upper())
            if is_paid
            else None,
            paid_on=self._day(_get(charge, "created") or intent.created) if is_paid else None,
            method_kind="direct_debit" if kind == "sepa_debit" else "card",
            failure=_failure(_get(intent, "last_payment_error")) if state == FAILED else "",
            back=self._back(intent.id, charge) if is_paid else (),
        )

    def _back(self, payment: str, charge: Any) -> tuple[Back, ...]:
        found: list[Back] = []
        if _get(charge, "amount_refunded"):
            refunds = _ask(lambda: self.client.v1.refunds.list({"payment_intent": payment, "limit": 100}))
            for refund in refunds.auto_paging_iter():
                if refund.status not in ("failed", "canceled"):
                    amount = Money(refund.amount, refund.currency.upper())
                    found.append(Back(refund.id, amount, "refund", self._day(refund.created)))
        if _get(charge, "disputed"):
            disputes = _ask(lambda: self.client.v1.disputes.list({"payment_intent": payment, "limit": 100}))
            for dispute in disputes.auto_paging_iter():
                if dispute.status in TAKEN:
                    regained = self._regained_on(dispute) if dispute.status == "won" else None
                    amount = Money(dispute.amount, dispute.currency.upper())
                    found.append(Back(dispute.id, amount, "chargeback", self._day(dispute.created), regained))
        return tuple(found)

    def _regained_on(self, dispute: Any) -> date:
        """The last of its movements gives the money back; without one yet, the day it was contested."""
        moved = [each.created for each in _get(dispute, "balance_transactions") or ()]
        return self._day(max(moved, default=dispute.created))

    def _set_up(self, intent: Any, key: str, reference: str) -> Outcome:
        state = _state(intent.status)
        if state != PAID:
            failure = _failure(_get(intent, "last_setup_error")) if state == FAILED else ""
            return Outcome(key, reference, state, failure=failure)
        return Outcome(key, reference, PAID, saved=self._saved(intent))

    def _saved(self, intent: Any) -> SavedMethod:
        method, customer = intent.payment_method, str(intent.customer)
        if method.type == "card":
            card = method.card
            return SavedMethod(
                "card",
                method.id,
                customer,
                f"{str(card.brand).capitalize()} •••• {card.last4}",
                card.last4,
                expires_on=card_stops_on(card.exp_year, card.exp_month),
            )
        # Bancontact: the debit that it has made possible, named by the attempt.
        made = _get(_get(_get(intent, "latest_attempt"), "payment_method_details"), "bancontact")
        debit_id = str(_get(made, "generated_sepa_debit") or method.id)
        debit = _ask(lambda: self.client.v1.payment_methods.retrieve(debit_id))
        mandate_id = str(_get(made, "generated_sepa_debit_mandate") or "")
        mandate = _ask(lambda: self.client.v1.mandates.retrieve(mandate_id)) if mandate_id else None
        umr = _get(_get(_get(mandate, "payment_method_details"), "sepa_debit"), "reference")
        country, last_four = (
            str(_get(debit.sepa_debit, "country") or ""),
            str(_get(debit.sepa_debit, "last4") or ""),
        )
        return SavedMethod(
            "direct_debit",
            debit.id,
            customer,
            f"{country} •••• {last_four}".strip(),
            last_four,
            mandate=str(umr or mandate_id),
            signed_on=self._day(intent.created),
        )

    # --- What it is asked --------------------------------------------------------------------------------------

    def _open(self, key: str, payer: Payer, body: dict[str, Any]) -> Opened:
        body |= {"metadata": {"key": key}, "locale": LOCALES.get(payer.language, "auto")}
        asked: Any = body
        made = _ask(lambda: self.client.v1.checkout.sessions.create(asked, {"idempotency_key": key}))
        return Opened(made.id, str(made.url))

    def _customer(self, payer: Payer, key: str) -> str:
        if payer.customer:
            return payer.customer
        made = _ask(
            lambda: self.client.v1.customers.create(
                {"name": payer.name, "email": payer.email, "metadata": {"account": payer.reference}},
                {"idempotency_key": f"{key}-customer"},
            )
        )
        return str(made.id)

    def _day(self, seconds: int) -> date:
        return datetime.fromtimestamp(seconds, UTC).astimezone(self.zone).date()


class _Declined(Exception):
    """The card was refused: an outcome, not an error."""

    def __init__(self, code: str, reference: str) -> None:
        super().__init__(code)
        self.code, self.reference = code, reference


def _ask(question: Callable[[], Answer]) -> Answer:
    try:
        return question()
    except stripe.CardError as error:
        body: Any = error.json_body or {}
        told = body.get("error", {})
        intent = told.get("payment_intent") or {}
        raise _Declined(
            str(told.get("decline_code") or told.get("code") or ""), str(intent.get("id") or "")
        ) from error
    except (stripe.APIConnectionError, stripe.RateLimitError, stripe.APIError) as error:
        raise ProviderUnavailable(str(error)) from error
    except stripe.InvalidRequestError as error:
        if error.http_status == 404:
            raise ReferenceUnknown(str(error)) from error
        raise ProviderRefused(str(error)) from error
    except stripe.StripeError as error:
        raise ProviderRefused(str(error)) from error


def _named(event: Any) -> str | None:
    """The payment or the page that an event is about: one that we asked for carries our key."""
    told = event.data.object
    kind = str(_get(told, "object") or "")
    if kind in ("checkout.session", "payment_intent"):
        return str(told.id)
    if kind in ("charge", "refund", "dispute"):
        intent = _get(told, "payment_intent")
        return str(_get(intent, "id") or intent) if intent else None
    return None


def _state(status: str) -> State:
    states: dict[str, State] = {
        "succeeded": PAID,
        "processing": PENDING,
        "requires_action": PENDING,
        "requires_capture": PENDING,
        "requires_confirmation": PENDING,
        "requires_payment_method": FAILED,
        "canceled": EXPIRED,
    }
    return states.get(status, PENDING)


def _failure(error: Any) -> str:
    code = str(_get(error, "decline_code") or _get(error, "code") or "")
    return FAILURES.get(code, "card_declined")


def _key(intent: Any) -> str:
    return str(_get(_get(intent, "metadata"), "key") or "")


def _get(value: Any, name: str) -> Any:
    """A member that may be missing, of an object that may be."""
    if value is None or isinstance(value, str):
        return None
    return getattr(value, name, None)
