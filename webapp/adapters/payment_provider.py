"""Paying by card or Bancontact: one small class per provider, chosen by the settings (D1).

The portal owns invoices, VAT and reminders; a provider saves a way to pay, moves an amount once, gives it back, and
says how it ended. Card numbers are typed on its page, never on ours.

What a provider pushes is only a hint: a notice names the payment, and `fetch` asks what it has become. The answer holds
the whole present state, refunds and chargebacks included, so that notices may come twice, late, in any order or never.
Every payment carries a `key` of ours, given as idempotency key and kept by the provider: asked twice, it is one payment.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal, Protocol

from webapp.domain.money import Money

State = Literal["open", "pending", "paid", "failed", "expired"]
# Its page waits for the customer; the bank's answer is awaited; it succeeded (a set-up too); it did not; nobody came.
OPEN: Final = "open"
PENDING: Final = "pending"
PAID: Final = "paid"
FAILED: Final = "failed"
EXPIRED: Final = "expired"
MethodKind = Literal["card", "bancontact"]


class ProviderError(Exception):
    """The provider did not do it. The text is for the people who run the portal, never for customers."""


class ProviderUnavailable(ProviderError):
    """It did not answer, or not in time: nobody knows whether it was done. The same key may be asked again."""


class ProviderRefused(ProviderError):
    """It answered no, and will again: a wrong key, an unknown reference, an amount that it does not take."""


class ReferenceUnknown(ProviderRefused):
    """It knows no payment and no set-up of that name."""


class BadSignature(Exception):
    """A notice that the provider did not sign, or too long ago. Nothing of it is kept."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a provider can do.

    `set_up_cents` gives, for each kind that it can save for later, what must be paid to do so: 0 when it is free.
    """

    pays_by: tuple[MethodKind, ...]
    set_up_cents: Mapping[MethodKind, int]
    refunds: bool = True


@dataclass(frozen=True, slots=True)
class Payer:
    """Whom the provider deals with. `customer` is its own name of the account, empty when it has none yet."""

    reference: str  # of the account, such as CA-10001
    name: str
    email: str
    language: str
    customer: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """Where the browser goes back to, and where the provider tells. Whole addresses."""

    back_to: str
    given_up: str
    notices_to: str


@dataclass(frozen=True, slots=True)
class AskedSetUp:
    """A way to pay to be saved for later charges. `amount` is what the capabilities say that it costs."""

    key: str
    payer: Payer
    kind: MethodKind
    amount: Money
    description: str
    way: Way


@dataclass(frozen=True, slots=True)
class AskedPayment:
    """An amount to be paid now by somebody who is there."""

    key: str
    payer: Payer
    amount: Money
    description: str
    way: Way


@dataclass(frozen=True, slots=True)
class AskedCharge:
    """An amount to take from a way to pay that was saved, nobody being there. `key` is the end-to-end id."""

    key: str
    payer: Payer
    amount: Money
    description: str
    method: str  # the provider's own name of it: PaymentMethod.provider_reference
    on: date
    notices_to: str


@dataclass(frozen=True, slots=True)
class AskedRefund:
    """Part or all of a payment to give back."""

    key: str
    payment: str  # the provider's own name of it
    amount: Money
    on: date


@dataclass(frozen=True, slots=True)
class Opened:
    """The provider's page: its reference, and the address the browser is sent to."""

    reference: str
    address: str


@dataclass(frozen=True, slots=True)
class SavedMethod:
    """A way to pay that the provider keeps. `kind` is card, or direct_debit for the mandate that Bancontact creates.

    `expires_on` is the first day on which a card no longer works. `mandate` and `signed_on` belong to direct debits.
    """

    kind: Literal["card", "direct_debit"]
    reference: str
    customer: str
    label: str  # Visa •••• 4242
    last_four: str = ""
    expires_on: date | None = None
    mandate: str = ""
    signed_on: date | None = None


@dataclass(frozen=True, slots=True)
class Back:
    """Money of a payment that left again. `reason` is refund, chargeback or the provider's own code.

    `regained_on` is the day on which a contested amount came back after all.
    """

    reference: str
    amount: Money
    reason: str
    on: date
    regained_on: date | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a payment or a set-up has become, as a whole: asked again later, it only tells more.

    `key` is ours. `payment` is the provider's name of the payment, empty when no money moved. `paid` is what it took
    before anything went back. `failure` is a code such as card_declined, when `state` is failed.
    `address` is its page, while it is open.
    """

    key: str
    reference: str
    state: State
    payment: str = ""
    paid: Money | None = None
    paid_on: date | None = None
    method_kind: Literal["card", "direct_debit"] = "card"
    failure: str = ""
    address: str = ""
    saved: SavedMethod | None = None
    back: tuple[Back, ...] = ()


@dataclass(frozen=True, slots=True)
class Notice:
    """A webhook whose signature is right: something happened to `reference`, None when it is not about a payment.

    `repeats` when the provider says every change with the same `event_id`: each of them must then be handled.
    """

    event_id: str
    reference: str | None
    repeats: bool = False


class PaymentProvider(Protocol):
    name: str
    capabilities: Capabilities

    def start_setup(self, asked: AskedSetUp) -> Opened:
        """Open its page on which a way to pay is given. Raises ProviderError."""

    def start_payment(self, asked: AskedPayment) -> Opened:
        """Open its page on which an amount is paid. Raises ProviderError."""

    def charge(self, asked: AskedCharge) -> Outcome:
        """Take an amount, nobody being there. A refusal by the bank is an Outcome; raises ProviderError otherwise."""

    def find_charge(self, asked: AskedCharge) -> Outcome | None:
        """What became of a charge that was asked for with this key, when the answer was lost; None when there is none.

        Idempotency keys are forgotten after a day: this is what keeps a charge from being made twice. Raises ProviderError.
        """

    def refund(self, asked: AskedRefund) -> Back:
        """Give money back. Raises ProviderError."""

    def fetch(self, reference: str) -> Outcome:
        """What has become of it. Raises ReferenceUnknown, ProviderError."""

    def abandon(self, reference: str) -> None:
        """Close a page that is still open, where the provider can; nothing when it cannot. Raises ProviderUnavailable."""

    def verify_webhook(self, body: bytes, headers: Mapping[str, str], query: Mapping[str, str]) -> Notice:
        """Read a notice whose signature is right. Raises BadSignature, without asking anybody."""
