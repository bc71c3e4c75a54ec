"""What localstripe has not of Stripe: Checkout Sessions, Bancontact and its mandate, disputes, payments by customer.

Shapes of docs.stripe.com/api, version 2026-10-28. `pay` and `dispute` do what people and banks do.
"""

from itertools import count
from typing import Any

from flask import Flask, Response, json, request

CREATED = 1_794_826_800  # 16 November 2026, 09:00 UTC


class FakeStripe:
    def __init__(self) -> None:
        self.numbers = count(1)
        self.things: dict[str, dict[str, Any]] = {}
        self.answers: dict[str, dict[str, Any]] = {}
        self.app = self._app()

    def pay(self, session_id: str, kind: str = "card") -> None:
        """The customer accepts on the page: by card, by bancontact, or `declined` for a method that never works."""
        session = self.things[session_id]
        session |= {"status": "complete", "url": None}
        where = "payment_intent" if session["mode"] == "payment" else "setup_intent"
        intent = {
            "id": self._id("pi" if session["mode"] == "payment" else "seti"),
            "object": where,
            "status": "succeeded",
            "created": CREATED,
            "customer": session.get("customer"),
            "metadata": session.get(f"{where}_data", {}).get("metadata", {}),
        }
        if session["mode"] == "payment":
            amount = int(session["line_items"]["0"]["price_data"]["unit_amount"])
            charge = {"id": self._id("ch"), "object": "charge", "created": CREATED, "amount_refunded": 0}
            charge |= {"disputed": False, "payment_method_details": {"type": kind}}
            intent |= {
                "amount": amount,
                "amount_received": amount,
                "currency": "eur",
                "latest_charge": charge,
            }
        else:
            intent |= self._given(kind)
        self.things[intent["id"]] = intent
        session[where] = intent

    def dispute(self, payment_id: str, status: str) -> None:
        intent = self.things[payment_id]
        intent["latest_charge"]["disputed"] = True
        moved = [{"created": CREATED}] + ([{"created": CREATED + 30 * 86_400}] if status == "won" else [])
        self.things[f"dp_of_{payment_id}"] = {
            "id": f"dp_of_{payment_id}",
            "object": "dispute",
            "amount": intent["amount"],
            "currency": "eur",
            "status": status,
            "created": CREATED,
            "payment_intent": payment_id,
            "balance_transactions": moved,
        }

    def _given(self, kind: str) -> dict[str, Any]:
        if kind == "card":
            card = {"brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2027}
            return {"payment_method": {"id": self._id("pm"), "type": "card", "card": card}}
        debit = {"id": self._id("pm"), "object": "payment_method", "type": "sepa_debit"}
        debit |= {"sepa_debit": {"country": "BE", "last4": "6769"}}
        mandate = {"id": self._id("mandate"), "object": "mandate"}
        mandate |= {"payment_method_details": {"type": "sepa_debit", "sepa_debit": {"reference": "ABC123"}}}
        self.things |= {debit["id"]: debit, mandate["id"]: mandate}
        made = {"generated_sepa_debit": debit["id"], "generated_sepa_debit_mandate": mandate["id"]}
        attempt = {"payment_method_details": {"type": "bancontact", "bancontact": made}}
        return {
            "payment_method": {"id": self._id("pm"), "type": "bancontact", "bancontact": {}},
            "latest_attempt": attempt,
        }

    def _id(self, prefix: str) -> str:
        return f"{prefix}_{next(self.numbers)}"

    def _app(self) -> Flask:
        app = Flask("fake_stripe")

        def answer(told: object, status: int = 200) -> Response:
            return Response(json.dumps(told), status, content_type="application/json")

        def keep(prefix: str, **facts: Any) -> Response:
            key = request.headers.get("Idempotency-Key", "")
            if key not in self.answers:
                made = {"id": self._id(prefix), "created": CREATED} | _nested(request.form) | facts
                self.answers[key] = self.things[made["id"]] = made
            return answer(self.answers[key])

        @app.post("/v1/customers")
        def customer() -> Response:
            return keep("cus", object="customer")

        @app.post("/v1/checkout/sessions")
        def session() -> Response:
            return keep(
                "cs_test", object="checkout.session", status="open", url="https://checkout.stripe.test/c/1"
            )

        @app.post("/v1/checkout/sessions/<session_id>/expire")
        def expire(session_id: str) -> Response:
            self.things[session_id] |= {"status": "expired", "url": None}
            return answer(self.things[session_id])

        @app.get("/v1/payment_intents")
        def payments() -> Response:
            found = [
                each
                for each in self.things.values()
                if each["object"] == "payment_intent" and each["customer"] == request.args["customer"]
            ]
            return answer(_list(found))

        @app.get("/v1/<any(refunds,disputes):kind>")
        def back(kind: str) -> Response:
            found = [
                each
                for each in self.things.values()
                if each["object"] == kind[:-1] and each["payment_intent"] == request.args["payment_intent"]
            ]
            return answer(_list(found))

        @app.get("/v1/<path:where>")
        def get(where: str) -> Response:
            found = self.things.get(where.rpartition("/")[2])
            missing = {"error": {"type": "invalid_request_error", "code": "resource_missing", "message": "?"}}
            return answer(found) if found else answer(missing, 404)

        return app


def _list(found: list[Any]) -> dict[str, Any]:
    return {"object": "list", "data": found, "has_more": False, "url": "/v1/x"}


def _nested(form: Any) -> dict[str, Any]:
    """metadata[key]=x&line_items[0][quantity]=1, as objects; the lists stay objects of numbers."""
    told: dict[str, Any] = {}
    for name, value in form.items():
        place, *path = name.replace("]", "").split("[")
        holder, last = told, place
        for step in path:
            holder, last = holder.setdefault(last, {}), step
        holder[last] = value
    return told
