"""A payment provider of make-believe, so that `make run` shows the whole way offline. No money, no card, no network.

It behaves as a real one does: its page belongs to it, what it pushes is signed and may be lost, what it is asked twice
with the same key it does once, and `fetch` is what is believed. Its memory is a file per payment, in the instance folder.
"""

import hashlib
import hmac
import json
import os
import tempfile
from calendar import monthrange
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Any, Literal

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
    Notice,
    Opened,
    Outcome,
    ProviderRefused,
    ReferenceUnknown,
    SavedMethod,
)
from webapp.domain.money import Money

SIGNATURE = "Demo-Signature"
NAME = "demo"


@dataclass(frozen=True, slots=True)
class Card:
    """A way to pay that the demo's page proposes. `refused` is what the bank answers to later charges."""

    label: str
    last_four: str
    months: int = 36  # until it expires, the present one included
    refused: str = ""
    kind: Literal["card", "direct_debit"] = "card"


CARDS = {
    "valid": Card("Visa •••• 4242", "4242"),
    "expiring": Card("Visa •••• 0069", "0069", months=1),
    "without-funds": Card("Mastercard •••• 9995", "9995", refused="insufficient_funds"),
    "bancontact": Card("BE71 •••• 6769", "6769", kind="direct_debit"),
}


class DemoProvider:
    name = NAME
    capabilities = Capabilities(
        pays_by=("card", "bancontact"), set_up_cents={"card": 0, "bancontact": 0}, refunds=True
    )

    def __init__(self, folder: Path, keys: Sequence[str]) -> None:
        self.folder = folder
        self.keys = [hashlib.sha256(b"demo notices " + key.encode()).digest() for key in keys]

    # --- The port ----------------------------------------------------------------------------------------------

    def start_setup(self, asked: AskedSetUp) -> Opened:
        return self._open(
            "set_up",
            asked.key,
            asked.amount,
            asked.description,
            asked.way.back_to,
            asked.way.given_up,
            kind=asked.kind,
            customer=asked.payer.customer or f"demo_customer_{asked.payer.reference}",
        )

    def start_payment(self, asked: AskedPayment) -> Opened:
        return self._open(
            "pay", asked.key, asked.amount, asked.description, asked.way.back_to, asked.way.given_up
        )

    def charge(self, asked: AskedCharge) -> Outcome:
        card = CARDS.get(asked.method.split("_")[1] if asked.method.startswith("card_") else "")
        if card is None:
            raise ProviderRefused(f"no such way to pay: {asked.method}")
        reference = _charge_reference(asked)
        with self._locked():
            if self._read(reference) is None:
                facts = _facts("charge", asked.key, asked.amount, asked.description)
                facts |= {"method_kind": card.kind, "failure": card.refused}
                facts |= {"state": FAILED if card.refused else PAID, "paid_on": asked.on.isoformat()}
                self._write(reference, facts)
        return self.fetch(reference)

    def find_charge(self, asked: AskedCharge) -> Outcome | None:
        try:
            return self.fetch(_charge_reference(asked))
        except ReferenceUnknown:
            return None

    def refund(self, asked: AskedRefund) -> Back:
        return self.give_back(asked.payment, asked.key, asked.amount, "refund", asked.on)

    def fetch(self, reference: str) -> Outcome:
        return _outcome(reference, self._known(reference))

    def abandon(self, reference: str) -> None:
        with self._locked():
            facts = self._known(reference)
            if facts["state"] == OPEN:
                self._write(reference, facts | {"state": EXPIRED})

    def verify_webhook(self, body: bytes, headers: Mapping[str, str], query: Mapping[str, str]) -> Notice:
        given = headers.get(SIGNATURE, "")
        if not any(hmac.compare_digest(given, _signed(key, body)) for key in self.keys):
            raise BadSignature
        told = json.loads(body)
        return Notice(told["id"], told["reference"])

    # --- What its page does ------------------------------------------------------------------------------------

    def shown(self, reference: str) -> dict[str, Any]:
        """What its page shows: purpose, amount, description, state, addresses. Raises ReferenceUnknown."""
        return self._known(reference)

    def accept(self, reference: str, on: date, choice: str = "valid") -> None:
        """The customer pays, or gives the card `choice`. What is over stays as it is."""
        card = CARDS[choice]
        with self._locked():
            facts = self._known(reference)
            if facts["state"] not in (OPEN, PENDING):
                return
            facts |= {"state": PAID, "paid_on": on.isoformat(), "method_kind": card.kind}
            if facts["purpose"] == "set_up":
                facts["saved"] = {
                    "choice": choice,
                    "signed_on": on.isoformat(),
                    "expires_on": _months_later(on, card.months).isoformat(),
                }
            self._write(reference, facts)

    def refuse(self, reference: str, failure: str = "card_declined") -> None:
        with self._locked():
            facts = self._known(reference)
            if facts["state"] in (OPEN, PENDING):
                self._write(reference, facts | {"state": FAILED, "failure": failure})

    def keep_waiting(self, reference: str) -> None:
        """The bank has not answered yet."""
        with self._locked():
            facts = self._known(reference)
            if facts["state"] == OPEN:
                self._write(reference, facts | {"state": PENDING})

    def give_back(self, reference: str, key: str, amount: Money, reason: str, on: date) -> Back:
        """A refund or a chargeback. The same key is the same one. Raises ProviderRefused beyond what is left."""
        with self._locked():
            facts = self._known(reference)
            known = {each["key"]: each for each in facts["back"]}
            if key not in known:
                left = facts["amount_cents"] - sum(each["cents"] for each in facts["back"])
                if facts["state"] != PAID or not 0 < amount.cents <= left:
                    raise ProviderRefused(f"{reference}: {left} cents are left to give back")
                told = {"key": key, "cents": amount.cents, "reason": reason, "on": on.isoformat()}
                facts["back"].append(told)
                self._write(reference, facts)
        return next(
            back for back in self.fetch(reference).back if back.reference == _reference(key, "demo_back")
        )

    def notice(self, reference: str) -> tuple[bytes, dict[str, str]]:
        """What it would post to the portal now: a body and its headers."""
        facts = self._known(reference)
        told = {"id": f"{reference}:{facts['state']}:{len(facts['back'])}", "reference": reference}
        body = json.dumps(told).encode()
        return body, {SIGNATURE: _signed(self.keys[0], body)}

    # --- Its memory --------------------------------------------------------------------------------------------

    def _open(
        self,
        purpose: str,
        key: str,
        amount: Money,
        description: str,
        back_to: str,
        given_up: str,
        **more: str,
    ) -> Opened:
        reference = _reference(key)
        with self._locked():
            if self._read(reference) is None:
                facts = _facts(purpose, key, amount, description)
                self._write(reference, facts | {"back_to": back_to, "given_up": given_up} | more)
        return Opened(reference, _address(reference))

    def _known(self, reference: str) -> dict[str, Any]:
        facts = self._read(reference)
        if facts is None:
            raise ReferenceUnknown(reference)
        return facts

    def _read(self, reference: str) -> dict[str, Any] | None:
        if not reference.replace("_", "").isalnum():
            return None
        try:
            facts: dict[str, Any] = json.loads((self.folder / f"{reference}.json").read_text())
        except FileNotFoundError:
            return None
        return facts

    def _write(self, reference: str, facts: dict[str, Any]) -> None:
        handle, name = tempfile.mkstemp(dir=self.folder)
        with os.fdopen(handle, "w") as file:
            json.dump(facts, file)
        Path(name).replace(self.folder / f"{reference}.json")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One process at a time: the portal has several."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as file:
            flock(file, LOCK_EX)
            yield


def _reference(key: str, prefix: str = "demo") -> str:
    """The same key leads to the same payment."""
    return f"{prefix}_{hashlib.sha256(key.encode()).hexdigest()[:24]}"


def _charge_reference(asked: AskedCharge) -> str:
    """Numbers of invoices begin again with a new database: the card, whose name is unique, tells them apart."""
    return _reference(f"{asked.method} {asked.key}")


def _address(reference: str) -> str:
    return f"/demonstration/{reference}"


def _facts(purpose: str, key: str, amount: Money, description: str) -> dict[str, Any]:
    return {
        "purpose": purpose,
        "key": key,
        "amount_cents": amount.cents,
        "currency": amount.currency,
        "description": description,
        "state": OPEN,
        "failure": "",
        "method_kind": "card",
        "kind": "",
        "customer": "",
        "paid_on": None,
        "saved": None,
        "back": [],
    }


def _outcome(reference: str, facts: dict[str, Any]) -> Outcome:
    state, amount = facts["state"], Money(facts["amount_cents"], facts["currency"])
    is_paid = state == PAID and amount.cents > 0
    return Outcome(
        key=facts["key"],
        reference=reference,
        state=state,
        payment=reference if is_paid else "",
        paid=amount if is_paid else None,
        paid_on=_day(facts["paid_on"]) if facts["paid_on"] else None,
        method_kind=facts["method_kind"],
        failure=facts["failure"],
        address=_address(reference) if state == OPEN and facts["purpose"] != "charge" else "",
        saved=_saved(reference, facts),
        back=tuple(
            Back(
                _reference(each["key"], "demo_back"),
                Money(each["cents"], facts["currency"]),
                each["reason"],
                _day(each["on"]),
            )
            for each in facts["back"]
        ),
    )


def _saved(reference: str, facts: dict[str, Any]) -> SavedMethod | None:
    saved = facts["saved"]
    if saved is None:
        return None
    card = CARDS[saved["choice"]]
    return SavedMethod(
        kind=card.kind,
        reference=f"card_{saved['choice']}_{reference}",
        customer=facts["customer"],
        label=card.label,
        last_four=card.last_four,
        expires_on=_day(saved["expires_on"]) if card.kind == "card" else None,
        mandate=f"DEMO{reference[-12:].upper()}" if card.kind == "direct_debit" else "",
        signed_on=_day(saved["signed_on"]) if card.kind == "direct_debit" else None,
    )


def _months_later(day: date, months: int) -> date:
    """The first day after the last month printed on the card."""
    year, month = divmod(day.year * 12 + day.month - 1 + months - 1, 12)
    return date(year, month + 1, monthrange(year, month + 1)[1]) + timedelta(days=1)


def _day(text: str) -> date:
    return date.fromisoformat(text)


def _signed(key: bytes, body: bytes) -> str:
    return hmac.new(key, body, hashlib.sha256).hexdigest()
