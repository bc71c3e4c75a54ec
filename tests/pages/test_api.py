"""The interface for programs: who may read what, what it says, and that it says the same as the pages."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from tests.builders import CLAIRE, Signed, a_reseller, a_subscription, an_account, noon
from webapp.domain.access import SYSTEM
from webapp.domain.option_change import Wish
from webapp.models.events import ApiKey
from webapp.models.invoices import Invoice
from webapp.services import api_keys, billing, establishments, options, subscriptions, terminations
from webapp.services.subscriptions import NewOption

pytestmark = pytest.mark.usefixtures("clock")
STARTS, TODAY = date(2026, 11, 1), date(2026, 11, 16)


class Reader:
    """A system with a key."""

    def __init__(self, client: FlaskClient, key: str) -> None:
        self.client = client
        self.headers = {"Authorization": f"Bearer {key}"}

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.client.get(f"/api/v1{path}", headers=self.headers | headers)

    def json(self, path: str) -> Any:
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json


Open = Callable[..., Reader]


@pytest.fixture
def open_for(app: Flask, session: Session) -> Open:
    def opened(*scopes: str, reseller: str | None = None, name: str = "Sites") -> Reader:
        consumer = api_keys.open_consumer(session, name, reseller, noon(STARTS), SYSTEM)
        _key, clear = api_keys.make(session, consumer.id, scopes or api_keys.SCOPES, noon(STARTS), SYSTEM)
        session.commit()
        return Reader(app.test_client(), clear)

    return opened


@pytest.fixture
def contract(session: Session) -> Signed:
    return a_subscription(session, starts_on=STARTS, billed_through=STARTS, establishments=2)


# ── Who may ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "given",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer ptl_",
        "Basic YTpi",
        "Bearer ptl_" + "A" * 43,
        "Bearer " + "x" * 5000,
        "ptl_a",
    ],
)
def test_without_a_key_in_use_nothing_is_said(
    client: FlaskClient, contract: Signed, session: Session, given: str
) -> None:
    reference = contract.account.reference
    session.commit()
    for path in (f"/accounts/{reference}", "/accounts/CA-0", f"/accounts/{reference}/services", "/events"):
        answer = client.get(f"/api/v1{path}", headers={"Authorization": given} if given else {})
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert answer.mimetype == "application/problem+json"
        assert answer.json is not None and answer.json["code"] == "unauthorized"


def test_only_the_hash_of_a_key_is_kept(open_for: Open, session: Session) -> None:
    reader = open_for()
    clear = reader.headers["Authorization"].removeprefix("Bearer ")
    key = session.scalars(select(ApiKey)).one()
    assert clear.startswith(key.prefix) and len(clear) == 47
    assert all(clear not in str(value) for value in vars(key).values())


def test_a_revoked_key_and_a_closed_system_read_nothing(
    open_for: Open, session: Session, contract: Signed
) -> None:
    one, other = open_for(name="Un"), open_for(name="Deux")
    path = f"/accounts/{contract.account.reference}"
    session.commit()
    keys = {key.consumer_id: key for key in session.scalars(select(ApiKey))}
    first, second = sorted(keys)
    session.rollback()
    assert one.get(path).status_code == other.get(path).status_code == 200
    api_keys.revoke(session, keys[first].id, noon(TODAY), CLAIRE)
    api_keys.close_consumer(session, second, noon(TODAY), CLAIRE)
    session.commit()
    assert one.get(path).status_code == other.get(path).status_code == 401


@pytest.mark.parametrize(
    ("scope", "path"),
    [
        ("accounts", "/accounts/{reference}"),
        ("services", "/accounts/{reference}/services"),
        ("invoices", "/accounts/{reference}/invoices"),
        ("invoices", "/invoices/F2026-00001"),
        ("events", "/events"),
    ],
)
def test_a_key_reads_what_its_scopes_say(
    open_for: Open, contract: Signed, session: Session, scope: str, path: str
) -> None:
    path = path.format(reference=contract.account.reference)
    assert open_for(scope).get(path).status_code == 200
    others = [each for each in api_keys.SCOPES if each != scope]
    refused = open_for(*others, name="Autre").get(path)
    assert refused.status_code == 403
    assert refused.json is not None and refused.json["code"] == "scope_missing"
    assert f'scope="{scope}"' in refused.headers["WWW-Authenticate"]


def test_a_reseller_finds_its_own_clients_and_no_other(
    open_for: Open, contract: Signed, session: Session
) -> None:
    client = a_subscription(
        session, plan="salle", starts_on=STARTS, billed_through=STARTS, reseller=a_reseller(session)
    )
    number = session.scalars(select(Invoice.number).where(Invoice.account_id == client.account_id)).one()
    theirs, ours = client.account.reference, contract.account.reference
    session.commit()
    reader = open_for(reseller="horecaplus")
    for path in (
        f"/accounts/{theirs}",
        f"/accounts/{theirs}/services",
        f"/accounts/{theirs}/invoices",
        f"/invoices/{number}",
    ):
        assert reader.get(path).status_code == 200
    for path in (
        f"/accounts/{ours}",
        f"/accounts/{ours}/services",
        f"/accounts/{ours}/invoices",
        "/invoices/F2026-00001",
    ):
        hidden, missing = reader.get(path), reader.get(path.replace(ours, "CA-0").replace("00001", "99999"))
        assert hidden.status_code == missing.status_code == 404
        assert hidden.json == missing.json
    assert {event["data"]["account"] for event in reader.json("/events")["events"]} == {theirs}


def test_it_gives_no_cookie_opens_to_no_other_site_and_only_reads(
    open_for: Open, contract: Signed, session: Session
) -> None:
    reader, path = open_for(), f"/accounts/{contract.account.reference}"
    session.commit()
    answer = reader.get(path, Origin="https://evil.test")
    assert "Set-Cookie" not in answer.headers
    assert not [name for name, _value in answer.headers.items() if name.startswith("Access-Control")]
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        refused = reader.client.open(f"/api/v1{path}", method=method, headers=reader.headers)
        assert refused.status_code == 405 and refused.mimetype == "application/problem+json"
        assert "GET" in refused.headers["Allow"]
    assert reader.get("/nothing").mimetype == "application/problem+json"


def test_a_key_has_so_many_requests_a_minute(
    open_for: Open, app: Flask, clock: Any, contract: Signed, session: Session
) -> None:
    reader, other = open_for(), open_for(name="Autre")
    path = f"/accounts/{contract.account.reference}"
    session.commit()
    kept = app.extensions["portal_settings"]
    app.extensions["portal_settings"] = replace(kept, api_rate=3)
    try:
        clock.set(datetime(2026, 11, 16, 9, 0, 20, tzinfo=UTC))
        left = [reader.get(path).headers["RateLimit-Remaining"] for _ in range(3)]
        assert left == ["2", "1", "0"]
        refused = reader.get(path)
        assert refused.status_code == 429 and refused.headers["Retry-After"] == "40"
        assert other.get(path).status_code == 200
        clock.set(datetime(2026, 11, 16, 9, 1, tzinfo=UTC))
        assert reader.get(path).status_code == 200
    finally:
        app.extensions["portal_settings"] = kept
    session.rollback()
    assert session.scalars(select(ApiKey.last_used_at).order_by(ApiKey.id)).first() == datetime(
        2026, 11, 16, 9, 1, tzinfo=UTC
    )


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=ten",
        "limit=1.5",
        "limit=-1",
        "limit=",
        "limit=1&limit=2",
        "page=2",
        "cursor=x",
    ],
)
def test_a_query_that_is_not_described_is_refused(
    open_for: Open, contract: Signed, session: Session, query: str
) -> None:
    reference = contract.account.reference
    session.commit()
    answer = open_for().get(f"/accounts/{reference}/invoices?{query}")
    assert answer.status_code == 400
    assert answer.json is not None and answer.json["code"] == "bad_query"


# ── What it says ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_account_stands_as_its_contract_says(open_for: Open, contract: Signed, session: Session) -> None:
    reader, reference = open_for(), contract.account.reference
    session.commit()
    assert reader.json(f"/accounts/{reference}") == {
        "reference": reference,
        "name": "Brasserie du Parc",
        "status": "active",
        "suspended_on": None,
        "suspension_cause": None,
        "ended_on": None,
        "reseller": None,
        "subscriptions": [
            {
                "id": str(contract.id),
                "plan": "pro",
                "frequency": "monthly",
                "starts_on": "2026-11-01",
                "ends_on": None,
                "next_invoice_on": "2026-12-01",
                "establishments": 2,
            }
        ],
    }


def by_code(services: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    found = {each["service"]: each for each in services}
    assert len(found) == len(services), "a service is said once"
    return found


def test_services_come_from_the_plan_the_account_and_each_establishment(
    open_for: Open, session: Session
) -> None:
    signed = a_subscription(
        session,
        starts_on=STARTS,
        establishments=2,
        options=[NewOption("booking", at=1), NewOption("emails", 4)],
        billed_through=STARTS,
    )
    reader, reference = open_for(), signed.account.reference
    session.commit()
    found = reader.json(f"/accounts/{reference}/services")
    account = by_code(found["services"])
    assert account["mailboxes"] == {
        "service": "mailboxes", "on": True, "served": True, "cause": None, "from": "2026-11-01", "until": None, "quantity": 4,
    }  # fmt: skip
    assert account["signage"]["on"] is False and account["signage"]["cause"] == "not_included"
    assert "website" not in account and "booking" not in account
    first, second = (by_code(place["services"]) for place in found["establishments"])
    assert first["website"]["served"] and second["website"]["served"]
    assert (first["booking"]["served"], second["booking"]["served"]) == (True, False)
    assert [place["name"] for place in found["establishments"]] == ["Adresse 1", "Adresse 2"]


def test_a_service_that_leaves_says_its_first_day_without(open_for: Open, session: Session) -> None:
    signed = a_subscription(
        session,
        starts_on=STARTS,
        options=[NewOption("signage"), NewOption("emails", 3)],
        billed_through=STARTS,
    )
    wishes = [Wish("signage", 0)]
    shown = options.preview(session, signed.id, wishes, TODAY)
    options.save(session, signed.id, wishes, shown.fingerprint, TODAY, noon(TODAY), CLAIRE, "")
    reader, reference = open_for(), signed.account.reference
    session.commit()
    account = by_code(reader.json(f"/accounts/{reference}/services")["services"])
    assert account["signage"]["served"] and account["signage"]["until"] == "2026-12-01"
    assert account["mailboxes"]["until"] is None


def test_a_plan_to_come_says_what_it_takes_away(open_for: Open, session: Session, clock: Any) -> None:
    signed = a_subscription(session, plan="premium", starts_on=STARTS, billed_through=STARTS)
    shown = subscriptions.preview_plan(session, signed.id, "essentiel", "monthly", TODAY)
    subscriptions.change_plan(
        session, signed.id, "essentiel", "monthly", shown.fingerprint, TODAY, noon(TODAY), CLAIRE, ""
    )
    on = shown.change.timing.effective_on
    reader, reference = open_for(), signed.account.reference
    session.commit()
    [place] = reader.json(f"/accounts/{reference}/services")["establishments"]
    services = by_code(place["services"])
    assert services["campaigns"]["served"] and services["campaigns"]["until"] == on.isoformat()
    assert services["website"]["until"] is None
    clock.set(on)
    billing.bill_due(session, signed.id, on, noon(on))
    session.commit()
    [place] = reader.json(f"/accounts/{reference}/services")["establishments"]
    services = by_code(place["services"])
    assert not services["campaigns"]["on"] and services["website"]["from"] == on.isoformat()


def test_what_is_suspended_is_on_and_not_served(open_for: Open, contract: Signed, session: Session) -> None:
    contract.account.suspended_on, contract.account.suspension_cause = TODAY, "unpaid"
    reader, reference = open_for(), contract.account.reference
    session.commit()
    standing = reader.json(f"/accounts/{reference}")
    assert (standing["status"], standing["suspended_on"], standing["suspension_cause"]) == (
        "suspended",
        "2026-11-16",
        "unpaid",
    )
    found = reader.json(f"/accounts/{reference}/services")
    services = [
        *found["services"],
        *(each for place in found["establishments"] for each in place["services"]),
    ]
    assert not any(each["served"] for each in services)
    assert {each["cause"] for each in services if each["on"]} == {"suspended"}
    assert {each["cause"] for each in services if not each["on"]} == {"not_included"}


def test_what_has_ended_says_so(open_for: Open, session: Session, clock: Any) -> None:
    signed = a_subscription(session, plan="flex", starts_on=STARTS, billed_through=STARTS)
    shown = terminations.preview(session, signed.id, TODAY)
    terminations.terminate(session, signed.id, "price", "", shown.fingerprint, TODAY, noon(TODAY), CLAIRE, "")
    end = shown.ending.ends_on
    reader, reference = open_for(), signed.account.reference
    session.commit()
    standing = reader.json(f"/accounts/{reference}")
    assert standing["status"] == "active" and standing["subscriptions"][0]["ends_on"] == end.isoformat()
    [place] = reader.json(f"/accounts/{reference}/services")["establishments"]
    assert by_code(place["services"])["website"]["until"] == end.isoformat()
    clock.set(end)  # before the command that writes it: the contract says it already
    for _ in range(2):
        standing = reader.json(f"/accounts/{reference}")
        assert (standing["status"], standing["ended_on"]) == ("ended", end.isoformat())
        assert standing["subscriptions"][0]["next_invoice_on"] is None
        found = reader.json(f"/accounts/{reference}/services")
        website = by_code(found["establishments"][0]["services"])["website"]
        assert (website["on"], website["served"], website["cause"]) == (False, False, "ended")
        billing.bill_due(session, signed.id, end, noon(end))
        session.commit()


def test_an_establishment_that_left_is_gone_and_one_that_came_is_there(
    open_for: Open, contract: Signed, session: Session
) -> None:
    gone = contract.subscription.establishments[0].id.hex
    shown = establishments.preview(session, contract.id, [], [gone], TODAY)
    establishments.save(session, contract.id, [], [gone], shown.fingerprint, TODAY, noon(TODAY), CLAIRE, "")
    reader, reference = open_for(), contract.account.reference
    session.commit()
    places = reader.json(f"/accounts/{reference}/services")["establishments"]
    assert [place["name"] for place in places] == ["Adresse 2"]


def test_documents_are_read_page_by_page_latest_first(open_for: Open, session: Session) -> None:
    signed = a_subscription(session, starts_on=date(2026, 6, 1), billed_through=STARTS)
    reader, path = open_for(), f"/accounts/{signed.account.reference}/invoices"
    session.commit()
    read, cursor, pages = [], "", 0
    while cursor is not None:
        page = reader.json(f"{path}?limit=4" + (f"&cursor={cursor}" if cursor else ""))
        read += [each["number"] for each in page["invoices"]]
        cursor, pages = page["next_cursor"], pages + 1
    assert read == [f"F2026-0000{number}" for number in range(6, 0, -1)] and pages == 2
    assert reader.get(f"{path}?cursor=F2026-99999").status_code == 404
    invoice = reader.json(f"/invoices/{read[-1]}")
    assert invoice["state"] == "overdue" and invoice["left_cents"] == invoice["total_cents"] == 9559
    assert sum(line["net_cents"] for line in invoice["lines"]) == invoice["net_cents"] == 7900
    assert invoice["vat"] == [{"category": "S", "rate": "21", "base_cents": 7900, "vat_cents": 1659}]


def test_the_feed_is_whole_though_nobody_has_published(open_for: Open, session: Session) -> None:
    reader = open_for()
    signed = a_subscription(session, starts_on=STARTS, billed_through=STARTS)
    session.commit()
    first = reader.json("/events?limit=1")
    assert first["has_more"] and len(first["events"]) == 1
    rest = reader.json(f"/events?after={first['next_after']}")
    assert not rest["has_more"]
    kinds = [each["type"] for each in first["events"] + rest["events"]]
    assert sorted(kinds) == ["invoice.issued", "subscription.signed"]
    assert reader.json(f"/events?after={rest['next_after']}") == {
        "events": [], "next_after": rest["next_after"], "has_more": False,
    }  # fmt: skip
    only = reader.json(f"/events?type=invoice.issued&account={signed.account.reference}")
    assert [each["type"] for each in only["events"]] == ["invoice.issued"]


# ── Asked again ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_has_not_changed_is_not_sent_again(open_for: Open, contract: Signed, session: Session) -> None:
    reader, reference = open_for(), contract.account.reference
    session.commit()
    for path in (
        f"/accounts/{reference}",
        f"/accounts/{reference}/services",
        f"/accounts/{reference}/invoices",
        "/invoices/F2026-00001",
        "/events",
        "/openapi.json",
    ):
        first = reader.get(path)
        again = reader.get(path, **{"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b""), path
        assert again.headers["ETag"] == first.headers["ETag"]
    services = reader.get(f"/accounts/{reference}/services")
    contract.account.suspended_on = TODAY
    session.commit()
    changed = reader.get(f"/accounts/{reference}/services", **{"If-None-Match": services.headers["ETag"]})
    assert changed.status_code == 200
    assert changed.headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("path", ["", "/services", "/invoices"])
def test_five_hundred_establishments_cost_the_statements_of_one(
    open_for: Open, session: Session, statements: list[str], path: str
) -> None:
    reader, counts = open_for(), []
    for number in (1, 500):
        signed = a_subscription(
            session,
            starts_on=STARTS,
            billed_through=STARTS,
            establishments=number,
            account=an_account(session),
        )
        reference = signed.account.reference
        session.commit()
        reader.get(f"/accounts/{reference}{path}")
        statements.clear()
        assert reader.get(f"/accounts/{reference}{path}").status_code == 200
        counts.append(len(statements))
    assert counts[0] == counts[1] <= 11, statements


def test_the_feed_asks_little(
    open_for: Open, contract: Signed, session: Session, statements: list[str]
) -> None:
    reader = open_for()
    reader.get("/events")
    statements.clear()
    reader.get("/events")
    assert len(statements) <= 8
