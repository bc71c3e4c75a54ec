"""What the interface answers, as JSON says it: amounts in cents, days as ISO text, identifiers as text."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from webapp.domain.vat import category_code
from webapp.models.invoices import Invoice, InvoiceLine
from webapp.services import entitlements
from webapp.services.entitlements import AccountStanding, DocumentPage, Entitlements, Service
from webapp.services.events import Message

REFERENCE = r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}"


def account(found: AccountStanding) -> dict[str, Any]:
    return {
        "reference": found.reference,
        "name": found.name,
        "status": found.status,
        "suspended_on": _day(found.suspended_on),
        "suspension_cause": found.suspension_cause,
        "ended_on": _day(found.ended_on),
        "reseller": found.reseller,
        "subscriptions": [
            {
                "id": str(each.id),
                "plan": each.plan,
                "frequency": each.frequency,
                "starts_on": _day(each.starts_on),
                "ends_on": _day(each.ends_on),
                "next_invoice_on": _day(each.next_invoice_on),
                "establishments": each.establishments,
            }
            for each in found.subscriptions
        ],
    }


def services(found: Entitlements, today: date) -> dict[str, Any]:
    return {
        "account": found.standing.reference,
        "status": found.standing.status,
        "suspended_on": _day(found.standing.suspended_on),
        "as_of": _day(today),
        "services": _services(found.services),
        "establishments": [
            {
                "id": str(place.id),
                "name": place.name,
                "number": place.number,
                "postcode": place.postcode,
                "city": place.city,
                "active_from": _day(place.active_from),
                "active_until": _day(place.active_until),
                "services": _services(place.services),
            }
            for place in found.places
        ],
    }


def _services(found: Iterable[Service]) -> list[dict[str, Any]]:
    return [
        {
            "service": each.code,
            "on": each.is_on,
            "served": each.is_served,
            "cause": each.cause,
            "from": _day(each.since),
            "until": _day(each.until),
            "quantity": each.quantity,
        }
        for each in found
    ]


def documents(page: DocumentPage, reference: str, today: date) -> dict[str, Any]:
    return {
        "invoices": [_summary(each, reference, today) for each in page.rows],
        "next_cursor": page.next_cursor,
    }


def document(found: Invoice, reference: str, lines: Sequence[InvoiceLine], today: date) -> dict[str, Any]:
    return _summary(found, reference, today) | {
        "buyer": {
            "legal_name": found.buyer.get("legal_name", ""),
            "vat_number": found.buyer.get("vat_number"),
        },
        "vat": [
            {
                "category": category_code(group["category"]),
                "rate": str(group["rate"]),
                "base_cents": group["base_cents"],
                "vat_cents": group["vat_cents"],
            }
            for group in found.vat_breakdown
        ],
        "lines": [
            {
                "item": line.item,
                "ref": line.ref,
                "establishment": str(line.establishment_id) if line.establishment_id else None,
                "description": line.description,
                "quantity": line.quantity,
                "unit_cents": line.unit_cents,
                "net_cents": line.net_cents,
                "vat_rate": line.vat_rate,
                "period_start": _day(line.period_start),
                "period_end": _day(line.period_end),
            }
            for line in lines
        ],
    }


def _summary(found: Invoice, reference: str, today: date) -> dict[str, Any]:
    is_invoice = found.kind == "invoice"
    return {
        "number": found.number,
        "kind": found.kind,
        "account": reference,
        "subscription": str(found.subscription_id) if found.subscription_id else None,
        "state": entitlements.state(found, today).value,
        "issued_on": _day(found.issued_on),
        "due_on": _day(found.payable_until),
        "period_start": _day(found.period_start),
        "period_end": _day(found.period_end),
        "currency": found.currency,
        "net_cents": found.net_cents,
        "vat_cents": found.vat_cents,
        "total_cents": found.total_cents,
        "left_cents": found.total_cents - found.paid_cents if is_invoice else 0,
        "structured_communication": found.ogm,
    }


def feed(found: Sequence[Message], limit: int, after: int) -> dict[str, Any]:
    """One message more than `limit` was read: it says that there is more. `next_after` is where to go on, always."""
    shown = [message.as_json() for message in found[:limit]]
    return {
        "events": shown,
        "next_after": shown[-1]["sequence"] if shown else after,
        "has_more": len(found) > limit,
    }


def _day(day: date | None) -> str | None:
    return day.isoformat() if day is not None else None
