"""Every address tried by everybody: anonymous, another tenant, and each role, against `tests/support/access_table.py`."""

from collections.abc import Iterator

import pytest
from flask import Flask, url_for
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from tests.builders import a_colleague, a_reseller, a_subscription, a_user, an_account
from tests.support.access_table import (
    ALL_MEMBERS,
    DOORS,
    EVERYBODY,
    PARTNERS,
    SIGNED_IN,
    STAFF,
    Door,
    Who,
)
from tests.support.signing_in import sign_in
from webapp import create_app
from webapp.auth import WHO_MAY
from webapp.config import Settings
from webapp.domain.access import (
    RESELLER_MAY,
    ROLE_MAY,
    STAFF_MAY,
    May,
    ResellerRole,
    Role,
    StaffRole,
    is_for_resellers,
    is_for_staff,
    is_staff_allowed,
)
from webapp.extensions import db
from webapp.models.records import AuditEntry

pytestmark = pytest.mark.any_database
TABLE = pytest.mark.parametrize("door", DOORS, ids=str)
# Those of the embed ask for an assertion or a session before they look at a form: see tests/pages/test_embed.py.
UNSAFE = pytest.mark.parametrize(
    "door",
    [door for door in DOORS if door.method == "POST" and not door.endpoint.startswith("embed.")],
    ids=str,
)


@pytest.fixture
def without_csrf(app: Flask) -> Iterator[None]:
    """The token is tried apart: here, who may enter is the question."""
    app.config["WTF_CSRF_ENABLED"] = False
    yield
    app.config["WTF_CSRF_ENABLED"] = True


def side(*visitors: Who) -> str:
    """To which of three sides they all belong: the team, a reseller's people, or the accounts."""
    for name, people in (("team", STAFF), ("partners", PARTNERS)):
        if people.issuperset(visitors):
            return name
    return "accounts"


def names_a_subscription(app: Flask, door: Door) -> bool:
    return any("subscription_id" in rule.arguments for rule in app.url_map.iter_rules(door.endpoint))


def address(app: Flask, door: Door, subscription_id: object) -> str:
    values = dict(door.values)
    if names_a_subscription(app, door):
        values["subscription_id"] = subscription_id
    with app.test_request_context():
        return url_for(door.endpoint, **values)


def knock(client: FlaskClient, door: Door, path: str, **headers: str) -> TestResponse:
    sent = {"Sec-Fetch-Site": "same-origin"} | headers
    return client.open(path, method=door.method, data=door.form or None, headers=sent)


@pytest.fixture
def visitors(app: Flask, session: Session) -> dict[Who, FlaskClient]:
    """A browser for each kind of visitor; the members all belong to the account of `contract`."""
    reseller = a_reseller(session)
    contract = a_subscription(session)
    session.info["contract"] = contract.id
    clients = {Who.ANONYMOUS: app.test_client()}
    stranger = a_user(session, an_account(session, "Ailleurs"))
    clients[Who.STRANGER] = sign_in(app.test_client(), session, stranger)
    for place in StaffRole:
        clients[Who(place.value)] = sign_in(
            app.test_client(), session, a_user(session, staff_role=place.value)
        )
    for post in ResellerRole:
        clients[Who(post.value)] = sign_in(app.test_client(), session, a_colleague(session, reseller, post))
    for role in Role:
        member = a_user(session, contract.account, role)
        clients[Who(role.value)] = sign_in(app.test_client(), session, member)
    return clients


def test_every_address_has_its_row_and_every_row_its_address(built_app: Flask) -> None:
    served = {
        f"{method} {rule.endpoint}"
        for rule in built_app.url_map.iter_rules()
        if rule.endpoint in built_app.view_functions
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    listed = [str(door) for door in DOORS]
    assert len(listed) == len(set(listed)), "an address is listed twice"
    assert served - set(listed) == set(), "add these to tests/support/access_table.py, from the specification"
    assert set(listed) - served == set(), (
        "these are in the table and not in the portal: remove them or build them"
    )


@TABLE
def test_the_view_asks_for_what_the_table_says(built_app: Flask, door: Door) -> None:
    may: May = built_app.view_functions[door.endpoint].requires  # type: ignore[attr-defined]
    if may is May.ANYONE:
        granted = EVERYBODY
    elif is_for_staff(may):
        granted = frozenset(Who(place.value) for place in StaffRole if may in STAFF_MAY[place])
    elif is_for_resellers(may):
        granted = frozenset(Who(post.value) for post in ResellerRole if may in RESELLER_MAY[post])
    elif may is May.SIGNED_IN:
        granted = ALL_MEMBERS if names_a_subscription(built_app, door) else SIGNED_IN
    else:
        granted = frozenset(Who(role.value) for role in Role if may in ROLE_MAY[role])
    assert door.admitted == granted, f"{door} requires {may}"


@TABLE
def test_each_visitor_gets_the_answer_of_the_table(
    app: Flask, session: Session, visitors: dict[Who, FlaskClient], without_csrf: None, door: Door
) -> None:
    path = address(app, door, session.info["contract"])
    before = session.scalar(select(func.count()).select_from(AuditEntry))
    session.commit()
    for who in sorted(EVERYBODY - door.admitted):
        answer = knock(visitors[who], door, path)
        if who is Who.ANONYMOUS:
            assert answer.status_code in (302, 303), f"{who}: {answer.status}"
            assert answer.headers["Location"].startswith("/connexion")
            swapped = knock(visitors[who], door, path, **{"HX-Request": "true"})
            assert (swapped.status_code, swapped.get_data()) == (401, b"")
            assert swapped.headers["HX-Redirect"].startswith("/connexion")
        elif who is Who.STRANGER or side(who) != side(*door.admitted):
            assert answer.status_code == 404, f"{who}: what belongs to others does not exist"
        else:
            assert answer.status_code == 403, f"{who}: {answer.status}"
    after = session.scalar(select(func.count()).select_from(AuditEntry))
    session.commit()
    assert after == before, "a refused visitor changed something"
    for who in sorted(door.admitted):
        answer = knock(visitors[who], door, path)
        assert answer.status_code in door.answers, f"{who}: {answer.status}"
        if who is not Who.ANONYMOUS and door.endpoint != "account.logout":
            assert not answer.headers.get("Location", "").startswith("/connexion"), who


@TABLE
def test_another_method_is_refused(built_app: Flask, door: Door) -> None:
    rules = list(built_app.url_map.iter_rules(door.endpoint))
    path = address(built_app, door, "00000000-0000-0000-0000-000000000000")
    same_address = {
        method
        for rule in built_app.url_map.iter_rules()
        if rule.rule == rules[0].rule
        for method in rule.methods or set()
    }
    for method in {"PUT", "PATCH", "DELETE", "TRACE"} | {"GET", "POST"} - same_address:
        answer = built_app.test_client().open(path, method=method, headers={"Sec-Fetch-Site": "same-origin"})
        assert answer.status_code in (400, 405), f"{method} {path}: {answer.status}"
        assert answer.status_code == 405 or method not in ("GET", "TRACE")


@UNSAFE
def test_a_form_without_its_token_is_refused(
    app: Flask, visitors: dict[Who, FlaskClient], session: Session, door: Door
) -> None:
    path = address(app, door, session.info["contract"])
    assert knock(visitors[Who.OWNER], door, path).status_code == 400


@UNSAFE
def test_a_form_of_another_site_is_refused(
    app: Flask, visitors: dict[Who, FlaskClient], session: Session, without_csrf: None, door: Door
) -> None:
    path = address(app, door, session.info["contract"])
    answer = knock(visitors[Who.OWNER], door, path, **{"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403


def test_support_reaches_no_money_by_any_address(built_app: Flask) -> None:
    """What the support team may send, written from the specification: it helps, and moves no money (S2)."""
    may_send = {
        "staff.add_note",
        "staff.view_as",
        "staff.stop_viewing",
        "staff.answer_quotation",
        "staff.request_answer",
        "staff.request_note",
        "staff.request_assign",
        "staff.request_state",
    }
    sent = {
        rule.endpoint
        for rule in built_app.url_map.iter_rules()
        if rule.endpoint.startswith("staff.")
        and (rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}
        and is_staff_allowed(StaffRole.SUPPORT, built_app.view_functions[rule.endpoint].requires)  # type: ignore[attr-defined]
    }
    assert sent == may_send, "the support team can send what the specification does not give it"


def test_a_view_that_says_nothing_is_closed(settings: Settings, app: Flask) -> None:
    hasty = create_app(settings)
    hasty.add_url_rule("/oubliee", "forgotten", lambda: "secret")
    assert hasty.test_client().get("/oubliee").status_code == 403
    with hasty.app_context():
        db.engine.dispose()


def test_each_permission_that_not_everybody_has_says_who_has_it() -> None:
    for may in set(May) - {May.ANYONE, May.SIGNED_IN, May.STAFF}:
        if is_for_staff(may) or (is_for_resellers(may) and may is not May.READ_CONSOLE):
            assert may in WHO_MAY, f"{may}: say in auth.WHO_MAY who may"
        if is_for_staff(may) or is_for_resellers(may):
            continue
        roles = {role for role in Role if may in ROLE_MAY[role]}
        if roles == set(Role):
            continue
        assert may in WHO_MAY, f"{may}: say in auth.WHO_MAY who may"
        if roles == {Role.OWNER}:
            assert WHO_MAY[may].startswith("Seul le propriétaire"), may
        elif roles == {Role.OWNER, Role.ADMINISTRATOR}:
            assert WHO_MAY[may].startswith("Seuls le propriétaire et les administrateurs"), may
