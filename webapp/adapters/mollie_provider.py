"""Mollie, by its own library mollie-api-py.

Its notices hold an id and no signature: the address that we give for them is signed instead, with the key of the payment.
A way to pay is saved by a first payment (docs.mollie.com/docs/recurring-payments): nothing by card, two cents by
Bancontact, which creates a SEPA mandate; those cents are the account's credit.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlencode
from zoneinfo import ZoneInfo

import httpx
from mollie import ClientSDK
from mollie.models import (
    ClientError,
    EntityCustomer,
    PaymentRequest,
    PaymentResponse,
    RefundRequest,
    Security,
)
from mollie.utils import BackoffStrategy, RetryConfig

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
TIMEOUT_MS = 10_000
METHODS: dict[MethodKind, str] = {"card": "creditcard", "bancontact": "bancontact"}
LOCALES = {"fr": "fr_BE", "nl": "nl_BE", "en": "en_GB"}
STATES: dict[str, State] = {
    "open": OPEN,
    "pending": PENDING,
    "authorized": PENDING,
    "paid": PAID,
    "canceled": EXPIRED,
    "expired": EXPIRED,
    "failed": FAILED,
}
# What Mollie says of a card, in the words that providers share (domain.collection_codes). Mandates have the bank's codes.
FAILURES = {
    "insufficient_funds": "insufficient_funds",
    "card_expired": "expired_card",
    "authentication_required": "authentication_required",
    "authentication_abandoned": "authentication_required",
    "authentication_failed": "authentication_required",
}


class MollieProvider:
    name = "mollie"
    capabilities = Capabilities(pays_by=("card", "bancontact"), set_up_cents={"card": 0, "bancontact": 2})

    def __init__(
        self, key: str, secrets: Sequence[str], url: str = "", zone: str = "Europe/Brussels"
    ) -> None:
        # Another try within seconds, under the same key, when its servers stumble; then it is ours to ask again.
        retries = RetryConfig("backoff", BackoffStrategy(200, 1000, 1.5, 3000), False)
        self.client = ClientSDK(
            security=Security(api_key=key),
            server_url=url or None,
            timeout_ms=TIMEOUT_MS,
            retry_config=retries,
        )
        self.keys = [hashlib.sha256(b"mollie notices " + secret.encode()).digest() for secret in secrets]
        self.zone = ZoneInfo(zone)

    def start_setup(self, asked: AskedSetUp) -> Opened:
        first = {
            "sequence_type": "first",
            "customer_id": self._customer(asked.payer, asked.key),
            "method": METHODS[asked.kind],
        }
        return self._open(asked, asked.payer, **first)

    def start_payment(self, asked: AskedPayment) -> Opened:
        return self._open(asked, asked.payer, method=[METHODS[kind] for kind in self.capabilities.pays_by])

    def charge(self, asked: AskedCharge) -> Outcome:
        body = {
            "amount": _amount(asked.amount),
            "description": asked.description,
            "webhook_url": self._signed_address(asked.notices_to, asked.key),
            "metadata": {"key": asked.key},
            "sequence_type": "recurring",
            "customer_id": asked.payer.customer,
            "mandate_id": asked.method,
        }
        return self._outcome(
            _ask(
                lambda: self.client.payments.create(
                    payment_request=PaymentRequest.model_validate(body), idempotency_key=asked.key
                )
            )
        )

    def find_charge(self, asked: AskedCharge) -> Outcome | None:
        """Among the customer's latest payments: the charge that was lost is one of them, if it is anywhere."""
        listed = _ask(
            lambda: self.client.customers.list_payments(customer_id=asked.payer.customer, limit=250)
        )
        for payment in (listed.result.embedded.payments if listed is not None else None) or ():
            if _key(payment) == asked.key:
                return self.fetch(payment.id)
        return None

    def refund(self, asked: AskedRefund) -> Back:
        body = {"amount": _amount(asked.amount), "description": asked.key, "metadata": {"key": asked.key}}
        made = _ask(
            lambda: self.client.refunds.create(
                payment_id=asked.payment,
                refund_request=RefundRequest.model_validate(body),
                idempotency_key=asked.key,
            )
        )
        return Back(made.id, _money(made.amount), "refund", self._day(made.created_at))

    def fetch(self, reference: str) -> Outcome:
        return self._outcome(_ask(lambda: self.client.payments.get(payment_id=reference)))

    def abandon(self, reference: str) -> None:
        """Most methods cannot be cancelled: the page closes by itself within the quarter of an hour."""
        payment = _ask(lambda: self.client.payments.get(payment_id=reference))
        if payment.is_cancelable and _word(payment.status) == "open":
            _ask(lambda: self.client.payments.cancel(payment_id=reference))

    def verify_webhook(self, body: bytes, headers: Mapping[str, str], query: Mapping[str, str]) -> Notice:
        given, key = query.get("signature", ""), query.get("for", "")
        if not any(hmac.compare_digest(given, _signature(secret, key)) for secret in self.keys):
            raise BadSignature
        ids = parse_qs(body.decode(errors="replace")).get("id", [])
        if len(ids) != 1 or not ids[0].replace("_", "").isalnum():
            raise BadSignature
        return Notice(ids[0], ids[0], repeats=True)

    # --- What it says ------------------------------------------------------------------------------------------

    def _outcome(self, payment: PaymentResponse) -> Outcome:
        state = STATES.get(_word(payment.status), PENDING)
        amount = _money(payment.amount)
        is_paid = state == PAID and amount.cents > 0
        details = payment.details or None
        checkout = getattr(payment.links, "checkout", None)
        return Outcome(
            key=_key(payment),
            reference=payment.id,
            state=state,
            payment=payment.id if is_paid else "",
            paid=amount if is_paid else None,
            paid_on=self._day(payment.paid_at) if payment.paid_at else None,
            method_kind="direct_debit" if _word(payment.method) == "directdebit" else "card",
            failure=_failure(details) if state == FAILED else "",
            address=checkout.href if state == OPEN and checkout else "",
            saved=self._saved(payment) if state == PAID and _word(payment.sequence_type) == "first" else None,
            back=self._back(payment) if is_paid else (),
        )

    def _saved(self, payment: PaymentResponse) -> SavedMethod | None:
        if not payment.mandate_id or not payment.customer_id:
            return None
        customer, mandate_id = payment.customer_id, str(payment.mandate_id)
        mandate = _ask(lambda: self.client.mandates.get(customer_id=customer, mandate_id=mandate_id))
        details = mandate.details
        if _word(mandate.method) == "creditcard":
            number = str(details.card_number or "")[-4:]
            return SavedMethod(
                "card",
                mandate.id,
                customer,
                f"{_word(details.card_label)} •••• {number}",
                number,
                expires_on=_stops_on(details.card_expiry_date),
            )
        account = str(details.consumer_account or "")
        return SavedMethod(
            "direct_debit",
            mandate.id,
            customer,
            f"{account[:4]} •••• {account[-4:]}",
            account[-4:],
            mandate=str(mandate.mandate_reference or mandate.id),
            signed_on=date.fromisoformat(mandate.signature_date) if mandate.signature_date else None,
        )

    def _back(self, payment: PaymentResponse) -> tuple[Back, ...]:
        found: list[Back] = []
        if payment.amount_refunded and _money(payment.amount_refunded).cents:
            refunds = _ask(lambda: self.client.refunds.list(payment_id=payment.id, limit=250))
            for each in refunds.result.embedded.refunds if refunds is not None else ():
                if _word(each.status) not in ("failed", "canceled"):
                    found.append(Back(each.id, _money(each.amount), "refund", self._day(each.created_at)))
        if payment.amount_charged_back and _money(payment.amount_charged_back).cents:
            contested = _ask(lambda: self.client.chargebacks.list(payment_id=payment.id, limit=250))
            for lost in contested.result.embedded.chargebacks if contested is not None else ():
                regained = self._day(lost.reversed_at) if lost.reversed_at else None
                found.append(
                    Back(lost.id, _money(lost.amount), "chargeback", self._day(lost.created_at), regained)
                )
        return tuple(found)

    # --- What it is asked --------------------------------------------------------------------------------------

    def _open(self, asked: AskedSetUp | AskedPayment, payer: Payer, **more: object) -> Opened:
        body = {
            "amount": _amount(asked.amount),
            "description": asked.description,
            "redirect_url": asked.way.back_to,
            "cancel_url": asked.way.given_up,
            "webhook_url": self._signed_address(asked.way.notices_to, asked.key),
            "locale": LOCALES.get(payer.language, "fr_BE"),
            "metadata": {"key": asked.key},
            **more,
        }
        made = _ask(
            lambda: self.client.payments.create(
                payment_request=PaymentRequest.model_validate(body), idempotency_key=asked.key
            )
        )
        return Opened(made.id, made.links.checkout.href if made.links.checkout else asked.way.back_to)

    def _customer(self, payer: Payer, key: str) -> str:
        if payer.customer:
            return payer.customer
        body = {"name": payer.name, "email": payer.email, "metadata": {"account": payer.reference}}
        made = _ask(
            lambda: self.client.customers.create(
                entity_customer=EntityCustomer.model_validate(body), idempotency_key=f"{key}-customer"
            )
        )
        return str(made.id)

    def _signed_address(self, address: str, key: str) -> str:
        return f"{address}?{urlencode({'for': key, 'signature': _signature(self.keys[0], key)})}"

    def _day(self, moment: Any) -> date:
        return datetime.fromisoformat(str(moment)).astimezone(self.zone).date()


def _ask(question: Callable[[], Answer]) -> Answer:
    try:
        return question()
    except ClientError as error:
        if error.status_code in (404, 410):
            raise ReferenceUnknown(str(error)) from error
        if error.status_code == 429 or error.status_code >= 500:
            raise ProviderUnavailable(str(error)) from error
        raise ProviderRefused(str(error)) from error
    except httpx.HTTPError as error:
        raise ProviderUnavailable(str(error)) from error


def _key(payment: Any) -> str:
    told = payment.metadata
    return str(told.get("key", "")) if isinstance(told, dict) else ""


def _failure(details: Any) -> str:
    """A mandate is refused with the bank's own code, AM04 or MD01; a card with Mollie's words."""
    code = getattr(details, "bank_reason_code", None)
    return str(code) if code else FAILURES.get(_word(getattr(details, "failure_reason", "")), "card_declined")


def _word(value: Any) -> str:
    """Of an enumeration that may hold words newer than the library."""
    return str(getattr(value, "value", value) or "")


def _amount(amount: Money) -> dict[str, str]:
    return {"currency": amount.currency, "value": f"{amount.cents // 100}.{amount.cents % 100:02d}"}


def _money(amount: Any) -> Money:
    whole, _, cents = str(amount.value).partition(".")
    return Money(abs(int(whole)) * 100 + int(cents.ljust(2, "0")[:2] or 0), amount.currency)


def _stops_on(expiry: Any) -> date | None:
    if not expiry:
        return None
    year, month, *_rest = str(expiry).split("-")
    return card_stops_on(int(year), int(month))


def _signature(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
