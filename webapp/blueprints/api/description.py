"""The description of the interface: OpenAPI 3.1, written by hand and held to the addresses by the tests.

Schemas allow no member that is not described, so that an answer that gains one fails its test until it is.
"""

from collections.abc import Mapping
from typing import Any

from webapp.blueprints.api.presenters import REFERENCE
from webapp.services import api_keys
from webapp.services.entitlements import ACTIVE, ENDED, NOT_INCLUDED, SUSPENDED
from webapp.services.events import CATALOGUE, Kind

VERSION = "1.0.0"
MOST_ROWS = 200
LATEST = 10**18 - 1  # beyond any position
KINDS = tuple(CATALOGUE)

Schema = Mapping[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "integer"}
FLAG: Schema = {"type": "boolean"}
DAY: Schema = {"type": "string", "format": "date"}
UUID: Schema = {"type": "string", "format": "uuid"}


def _or_null(schema: Schema, meaning: str = "") -> Schema:
    kinds = [schema["type"], "null"] if isinstance(schema["type"], str) else [*schema["type"], "null"]
    made = dict(schema) | {"type": kinds}
    if "enum" in schema:
        made["enum"] = [*schema["enum"], None]
    return _said(made, meaning)


def _said(schema: Schema, meaning: str) -> Schema:
    return dict(schema) | ({"description": meaning} if meaning else {})


def _word(*words: str) -> Schema:
    return {"type": "string", "enum": list(words)}


def _object(properties: Mapping[str, Schema], meaning: str = "") -> Schema:
    return _said(
        {
            "type": "object",
            "required": list(properties),
            "additionalProperties": False,
            "properties": {name: dict(schema) for name, schema in properties.items()},
        },
        meaning,
    )


def _list(of: Schema) -> Schema:
    return {"type": "array", "items": dict(of)}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


SERVICE = _object(
    {
        "service": _said(TEXT, "code of the service, such as website or booking"),
        "on": _said(FLAG, "whether the contract gives it today"),
        "served": _said(FLAG, "whether it is to be delivered today: serve this, and nothing else"),
        "cause": _or_null(_word(NOT_INCLUDED, SUSPENDED, ENDED), "why it is not served; null when it is"),
        "from": _or_null(DAY, "first day under the present terms"),
        "until": _or_null(DAY, "first day without it; null when no end is known"),
        "quantity": _or_null(NUMBER, "how many, for what is bought by the unit"),
    }
)
SUBSCRIPTION = _object(
    {
        "id": UUID,
        "plan": _said(TEXT, "code of the plan"),
        "frequency": _word("monthly", "annual"),
        "starts_on": DAY,
        "ends_on": _or_null(DAY, "first day without service, when it is known"),
        "next_invoice_on": _or_null(DAY, "null when nothing more will be invoiced"),
        "establishments": _said(NUMBER, "in service today"),
    }
)
ACCOUNT = _object(
    {
        "reference": TEXT,
        "name": TEXT,
        "status": _word(ACTIVE, SUSPENDED, ENDED),
        "suspended_on": _or_null(DAY, "first day of the suspension at hand"),
        "suspension_cause": _or_null(TEXT, "unpaid, or staff when the operator’s team decided"),
        "ended_on": _or_null(DAY, "first day without service"),
        "reseller": _or_null(TEXT, "code of its reseller; null for the operator’s own clients"),
        "subscriptions": _list(_ref("Subscription")),
    }
)
PLACE = _object(
    {
        "id": UUID,
        "name": TEXT,
        "number": _or_null(TEXT, "establishment number of the register of businesses"),
        "postcode": TEXT,
        "city": TEXT,
        "active_from": DAY,
        "active_until": _or_null(DAY, "first day out of service, when it is known"),
        "services": _list(_ref("Service")),
    }
)
SERVICES = _object(
    {
        "account": TEXT,
        "status": _word(ACTIVE, SUSPENDED, ENDED),
        "suspended_on": _or_null(DAY),
        "as_of": _said(DAY, "the business day of this answer, in Brussels"),
        "services": _said(_list(_ref("Service")), "of the whole account"),
        "establishments": _list(_ref("Establishment")),
    }
)
_SUMMARY: Mapping[str, Schema] = {
    "number": _said(TEXT, "as printed"),
    "kind": _word("invoice", "credit_note"),
    "account": TEXT,
    "subscription": _or_null(UUID),
    "state": _word("open", "partly_paid", "overdue", "paid", "credit_note"),
    "issued_on": DAY,
    "due_on": DAY,
    "period_start": DAY,
    "period_end": _said(DAY, "first day after the period"),
    "currency": TEXT,
    "net_cents": _said(NUMBER, "VAT excluded; negative on a credit note"),
    "vat_cents": NUMBER,
    "total_cents": NUMBER,
    "left_cents": _said(NUMBER, "still to be paid"),
    "structured_communication": _said(TEXT, "twelve digits"),
}
SUMMARY = _object(_SUMMARY)
LINE = _object(
    {
        "item": _said(TEXT, "plan, option, establishment or adjustment"),
        "ref": _said(TEXT, "code of the plan or option, or identifier of the establishment"),
        "establishment": _or_null(UUID),
        "description": _said(TEXT, "in the language of the document"),
        "quantity": NUMBER,
        "unit_cents": _said(NUMBER, "for one unit and one whole period"),
        "net_cents": NUMBER,
        "vat_rate": _said(TEXT, "percent"),
        "period_start": DAY,
        "period_end": DAY,
    }
)
INVOICE = _object(
    {
        **_SUMMARY,
        "buyer": _object({"legal_name": TEXT, "vat_number": _or_null(TEXT)}, "frozen when it was issued"),
        "vat": _list(_object({"category": TEXT, "rate": TEXT, "base_cents": NUMBER, "vat_cents": NUMBER})),
        "lines": _list(LINE),
    }
)
INVOICES = _object(
    {
        "invoices": _list(_ref("InvoiceSummary")),
        "next_cursor": _or_null(TEXT, "give it as `cursor` for the next page; null on the last one"),
    }
)
PROBLEM = _object(
    {
        "type": TEXT,
        "title": TEXT,
        "status": NUMBER,
        "code": _said(TEXT, "a word that does not change"),
        "detail": TEXT,
    },
    "RFC 9457",
)
FEED = _object(
    {
        "events": _list(_ref("Event")),
        "next_after": _said(NUMBER, "give it as `after` to go on from here, now or later"),
        "has_more": FLAG,
    }
)


def _event(kind: Kind) -> Schema:
    return _object(
        {
            "id": _said(UUID, "the same at each try and in the feed: drop what you have seen"),
            "type": {"type": "string", "const": kind.code},
            "timestamp": {"type": "string", "format": "date-time", "description": "when it happened"},
            "sequence": _said(NUMBER, "its place in the feed: of two events, the later one is higher"),
            "data": dict(kind.schema),
        },
        f"Sent when {kind.when}.",
    )


def _event_name(kind: str) -> str:
    """account.suspended → AccountSuspended, as the components of the description are called."""
    return "".join(word.capitalize() for word in kind.replace(".", "_").split("_"))


def _answers(schema: str, *problems: int, headers: bool = True) -> dict[str, Any]:
    made: dict[str, Any] = {
        "200": {
            "description": "Found.",
            "headers": {"ETag": {"schema": dict(TEXT)}} | (_ALLOWANCE if headers else {}),
            "content": {"application/json": {"schema": dict(_ref(schema))}},
        },
        "304": {"description": "Nothing has changed since the ETag given in If-None-Match."},
    }
    for status in problems:
        made[str(status)] = {"$ref": f"#/components/responses/{_PROBLEMS[status][0]}"}
    return made


_ALLOWANCE: dict[str, Any] = {
    f"RateLimit-{name}": {"schema": dict(NUMBER), "description": meaning}
    for name, meaning in (
        ("Limit", "requests per minute"),
        ("Remaining", "requests left in this minute"),
        ("Reset", "seconds until the next minute"),
    )
}
_PROBLEMS = {
    400: ("BadRequest", "A parameter is unknown, repeated or out of bounds."),
    401: ("Unauthorized", "No key, or a key that is not in use."),
    403: ("Forbidden", "The key lacks the scope."),
    404: ("NotFound", "Nothing of that name, or not for this key."),
    429: ("TooManyRequests", "The key has used up its minute: see Retry-After."),
}
_MATCH: dict[str, Any] = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "schema": dict(TEXT),
    "description": "the ETag of the answer you have: 304 if it still holds",
}


def _in_path(name: str, pattern: str, meaning: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": {"type": "string", "pattern": f"^{pattern}$"},
        "description": meaning,
    }


def _in_query(name: str, schema: Schema, meaning: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": dict(schema), "description": meaning}


_REFERENCE = _in_path("reference", REFERENCE, "reference of the account, such as CA-10234")
_NUMBER = r"[A-Z]{1,4}[0-9]{4}-[0-9]{1,9}"
_LIMIT = _in_query(
    "limit", {"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": 50}, "rows of a page"
)


def _operation(
    name: str,
    scope: str,
    summary: str,
    schema: str,
    parameters: list[dict[str, Any]],
    *problems: int,
) -> dict[str, Any]:
    return {
        "get": {
            "operationId": name,
            "summary": summary,
            "description": f"Needs the scope `{scope}`.",
            "security": [{"key": []}],
            "parameters": [*parameters, _MATCH],
            "responses": _answers(schema, *problems),
        }
    }


def document(base_url: str) -> dict[str, Any]:
    """The whole description, for an installation at `base_url`."""
    scopes = ", ".join(api_keys.SCOPES)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Portal: entitlements, documents and events",
            "version": VERSION,
            "description": (
                "Reading only. Amounts are whole cents; days are those of Brussels; a period ends on the first day "
                f"after it. A key is given the scopes {scopes}, and a reseller’s key finds its own clients only."
            ),
        },
        "servers": [{"url": f"{base_url}/api/v1"}],
        "paths": {
            "/accounts/{reference}": _operation(
                "getAccount", "accounts", "Where an account stands", "Account", [_REFERENCE], 400, 401, 403, 404, 429
            ),
            "/accounts/{reference}/services": _operation(
                "getServices", "services", "What is to be served today, establishment by establishment",
                "Services", [_REFERENCE], 400, 401, 403, 404, 429,
            ),
            "/accounts/{reference}/invoices": _operation(
                "listInvoices", "invoices", "The documents of an account, latest first", "Invoices",
                [
                    _REFERENCE,
                    _in_query(
                        "cursor", {"type": "string", "pattern": f"^{_NUMBER}$"},
                        "`next_cursor` of the page before; unknown to the account, it is not found",
                    ),
                    _LIMIT,
                ],
                400, 401, 403, 404, 429,
            ),
            "/invoices/{number}": _operation(
                "getInvoice", "invoices", "One document with its lines", "Invoice",
                [_in_path("number", _NUMBER, "as printed, such as F2026-00012")], 400, 401, 403, 404, 429,
            ),
            "/events": _operation(
                "listEvents", "events", "What happened, in order: the messages of the webhooks", "Feed",
                [
                    _in_query(
                        "after", {"type": "integer", "minimum": 0, "maximum": LATEST, "default": 0},
                        "the last `sequence` you have",
                    ),
                    _LIMIT,
                    _in_query("type", _word(*KINDS), "only this kind"),
                    _in_query(
                        "account", {"type": "string", "pattern": f"^{REFERENCE}$"}, "only this account"
                    ),
                ],
                400, 401, 403, 429,
            ),
            "/openapi.json": {
                "get": {
                    "operationId": "getDescription",
                    "summary": "This description",
                    "security": [],
                    "parameters": [_MATCH],
                    "responses": {
                        "200": {
                            "description": "This document.",
                            "headers": {"ETag": {"schema": dict(TEXT)}},
                            "content": {"application/json": {"schema": {"type": "object"}}},
                        },
                        "304": {"description": "Nothing has changed."},
                    },
                }
            },
        },
        "webhooks": {
            kind.code: {
                "post": {
                    "operationId": f"on{_event_name(kind.code)}",
                    "summary": f"Sent when {kind.when}",
                    "requestBody": {
                        "required": True,
                        "content": {
                            "application/json": {"schema": dict(_ref(_event_name(kind.code)))}
                        },
                    },
                    "responses": {"2XX": {"description": "Taken; anything else is tried again."}},
                }
            }
            for kind in CATALOGUE.values()
        },
        "components": {
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "a key, ptl_…"}
            },
            "responses": {
                name: {
                    "description": meaning,
                    "content": {"application/problem+json": {"schema": dict(_ref("Problem"))}},
                }
                | ({"headers": {"Retry-After": {"schema": dict(NUMBER)}}} if status == 429 else {})
                for status, (name, meaning) in _PROBLEMS.items()
            },
            "schemas": {
                "Account": dict(ACCOUNT),
                "Subscription": dict(SUBSCRIPTION),
                "Service": dict(SERVICE),
                "Services": dict(SERVICES),
                "Establishment": dict(PLACE),
                "InvoiceSummary": dict(SUMMARY),
                "Invoices": dict(INVOICES),
                "Invoice": dict(INVOICE),
                "Feed": dict(FEED),
                "Event": {"oneOf": [dict(_ref(_event_name(code))) for code in CATALOGUE]},
                **{_event_name(kind.code): dict(_event(kind)) for kind in CATALOGUE.values()},
                "Problem": dict(PROBLEM),
            },
        },
    }  # fmt: skip
