"""Mollie, as far as the portal uses it: payments, customers, mandates, refunds and chargebacks, in memory.

Its answers have the shapes of docs.mollie.com/reference. `pay`, `fail`, `charge_back` do what people and banks do.
Idempotency keys are honoured, and counted.
"""

from collections import Counter
from itertools import count
from typing import Any

from flask import Flask, Response, abort, json, request

CREATED = "2026-11-16T09:00:00+00:00"
CARD = {
    "cardHolder": "C. Janssens",
    "cardNumber": "4242",
    "cardLabel": "Visa",
    "cardFingerprint": "x",
    "cardExpiryDate": "2027-12-31",
}
ACCOUNT = {"consumerName": "C. Janssens", "consumerAccount": "BE71096123456769", "consumerBic": "GKCCBEBB"}


class FakeMollie:
    def __init__(self) -> None:
        self.numbers = count(1)
        self.payments: dict[str, dict[str, Any]] = {}
        self.mandates: dict[str, dict[str, Any]] = {}
        self.back: dict[str, list[dict[str, Any]]] = {"refunds": [], "chargebacks": []}
        self.customers = 0
        self.asked: Counter[str] = Counter()
        self.answers: dict[str, dict[str, Any]] = {}
        self.refuses_charges_with = ""
        self.app = self._app()

    def pay(self, payment_id: str, method: str = "creditcard") -> None:
        payment = self.payments[payment_id]
        payment |= {"status": "paid", "method": method, "paidAt": "2026-11-16T23:30:00+00:00"}
        if payment["sequenceType"] == "first":
            kind = "creditcard" if method == "creditcard" else "directdebit"
            mandate = {
                "resource": "mandate",
                "id": f"mdt_{next(self.numbers)}",
                "mode": "test",
                "method": kind,
                "details": CARD if kind == "creditcard" else ACCOUNT,
                "signatureDate": "2026-11-16",
                "mandateReference": "" if kind == "creditcard" else "500-0050-1234",
                "status": "valid",
                "customerId": payment["customerId"],
                "createdAt": CREATED,
                "_links": _self("mandates"),
            }
            self.mandates[mandate["id"]] = mandate
            payment["mandateId"] = mandate["id"]

    def fail(self, payment_id: str, **details: str) -> None:
        self.payments[payment_id] |= {"status": "failed", "details": details}

    def charge_back(self, payment_id: str, value: str) -> None:
        self._give_back("chargebacks", "chargeback", payment_id, value, "amountChargedBack")

    def _give_back(self, where: str, kind: str, payment_id: str, value: str, total: str) -> dict[str, Any]:
        told = {
            "resource": kind,
            "id": f"{where[:2]}_{next(self.numbers)}",
            "mode": "test",
            "amount": {"currency": "EUR", "value": value},
            "description": "",
            "metadata": None,
            "status": "pending",
            "paymentId": payment_id,
            "createdAt": "2026-11-20T09:00:00+00:00",
            "_links": _self(where),
        }
        self.back[where].append(told)
        self.payments[payment_id][total] = {"currency": "EUR", "value": value}
        return told

    def _app(self) -> Flask:
        app = Flask("fake_mollie")

        def answer(told: object, status: int = 200) -> Response:
            return Response(json.dumps(told), status, content_type="application/hal+json")

        def once(make: Any) -> Response:
            key = request.headers.get("Idempotency-Key", "")
            self.asked[key] += 1
            if key not in self.answers:
                self.answers[key] = make()
            return answer(self.answers[key], 201)

        @app.before_request
        def check() -> Response | None:
            if request.headers.get("Authorization") != "Bearer test_key":
                return answer(_error(401, "Unauthorized"), 401)
            return None

        @app.post("/v2/customers")
        def create_customer() -> Response:
            self.customers += 1
            return once(
                lambda: (
                    {"resource": "customer", "id": f"cst_{next(self.numbers)}", "mode": "test"}
                    | {"name": "", "email": "", "locale": None, "metadata": None, "createdAt": CREATED}
                    | {"_links": _self("customers") | {"dashboard": _link("dashboard")}}
                )
            )

        @app.post("/v2/payments")
        def create_payment() -> Response:
            return once(lambda: self._made(request.get_json()))

        @app.get("/v2/payments/<payment_id>")
        def get_payment(payment_id: str) -> Response:
            found = self.payments.get(payment_id)
            return answer(found) if found else answer(_error(404, "Not Found"), 404)

        @app.delete("/v2/payments/<payment_id>")
        def cancel(payment_id: str) -> Response:
            self.payments[payment_id]["status"] = "canceled"
            return answer(self.payments[payment_id])

        @app.post("/v2/payments/<payment_id>/refunds")
        def refund(payment_id: str) -> Response:
            value = request.get_json()["amount"]["value"]
            return once(lambda: self._give_back("refunds", "refund", payment_id, value, "amountRefunded"))

        @app.get("/v2/payments/<payment_id>/<any(refunds,chargebacks):where>")
        def listed(payment_id: str, where: str) -> Response:
            found = [each for each in self.back[where] if each["paymentId"] == payment_id]
            return answer(_list(where, found))

        @app.get("/v2/customers/<customer_id>/payments")
        def of_customer(customer_id: str) -> Response:
            found = [each for each in self.payments.values() if each.get("customerId") == customer_id]
            return answer(_list("payments", found))

        @app.get("/v2/customers/<customer_id>/mandates/<mandate_id>")
        def get_mandate(customer_id: str, mandate_id: str) -> Response:
            found = self.mandates.get(mandate_id) or abort(404)
            return answer(found)

        return app

    def _made(self, asked: dict[str, Any]) -> dict[str, Any]:
        payment_id = f"tr_{next(self.numbers)}"
        recurring = asked.get("sequenceType") == "recurring"
        status = "open"
        if recurring:
            is_card = self.mandates[asked["mandateId"]]["method"] == "creditcard"
            status = "failed" if self.refuses_charges_with else "paid" if is_card else "pending"
        payment = {
            "resource": "payment",
            "id": payment_id,
            "mode": "test",
            "status": status,
            "isCancelable": not recurring,
            "method": None,
            "sequenceType": "oneoff",
            "profileId": "pfl_1",
            "createdAt": CREATED,
            "details": {"failureReason": self.refuses_charges_with} if status == "failed" else None,
            "_links": _self("payments") | {"dashboard": _link("dashboard")},
        } | {key: value for key, value in asked.items() if key not in ("method", "locale")}
        if status == "paid":
            payment["paidAt"] = CREATED
        if not recurring:
            payment["_links"] |= {"checkout": _link(f"checkout/{payment_id}")}
        self.payments[payment_id] = payment
        return payment


def _link(path: str) -> dict[str, str]:
    return {"href": f"https://www.mollie.test/{path}", "type": "text/html"}


def _self(path: str) -> dict[str, Any]:
    links = ("documentation", "payment", "customer", "mandate")
    return {"self": _link(path)} | {name: _link(name) for name in links}


def _list(where: str, found: list[Any]) -> dict[str, Any]:
    links = _self(where) | {"previous": None, "next": None}
    return {"count": len(found), "_embedded": {where: found}, "_links": links}


def _error(status: int, title: str) -> dict[str, Any]:
    return {"status": status, "title": title, "detail": title, "_links": {"documentation": _link("docs")}}
