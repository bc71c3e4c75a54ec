"""Voir comme: the team reads a client's own pages, and can change nothing there, by any address."""

import uuid
from datetime import date, datetime, timedelta

import pytest
from flask import url_for
from sqlalchemy import select

from tests.builders import a_mandate, a_subscription, a_user, an_account
from tests.support.access_table import DOORS, Door, Who
from tests.support.page import HTMX, Page
from tests.support.page_linter import problems
from tests.support.signing_in import sign_in
from webapp import clock as business_clock
from webapp.auth import OF_THE_CLIENT_ALONE
from webapp.domain.access import Role
from webapp.models.accounts import LoginSession, User
from webapp.models.base import Base
from webapp.models.payments import MandateDocument
from webapp.models.records import AuditEntry
from webapp.services import viewing

pytestmark = pytest.mark.any_database
TODAY = date(2026, 11, 16)
ANY_VALUE = {
    "UUIDConverter": uuid.UUID(int=0),
    "IntegerConverter": 0,
    "UnicodeConverter": "inconnu",
    "PathConverter": "inconnu",
}
# And what reads no cookie: keys for programs, sessions of the embed. Nobody looks at an account from there.
THE_TEAM_AND_ITS_OWN = {"staff", "account", "api", "embed"}
OTHERS = THE_TEAM_AND_ITS_OWN | {"reseller"}  # a console is read by its own people alone
OF_CLIENTS = [door for door in DOORS if door.endpoint.partition(".")[0] not in OTHERS]
READ = [
    door
    for door in OF_CLIENTS
    if door.method == "GET"
    and Who.ANONYMOUS not in door.admitted
    and door.endpoint not in OF_THE_CLIENT_ALONE
]
# The list of people aside: it says "you" to its reader.
SAME = (
    "subscriptions.overview", "options.edit", "establishments.index", "invoices.index", "contract.show",
    "payment.edit", "billing_details.edit", "history.index", "personal_data.index",
)  # fmt: skip
# What is printed when it is first asked for, from what was frozen the day it was issued.
PRINTED = {"invoice_documents"}


@pytest.fixture
def parc(session, clock):
    clock.set(TODAY)
    signed = a_subscription(session, starts_on=date(2026, 9, 1), establishments=3, billed_through=TODAY)
    for role in Role:
        a_user(session, signed.account, role, full_name=f"Claire {role.value}")
    a_mandate(session, signed.id)
    session.commit()
    return signed


@pytest.fixture
def team(app, session, parc):
    """A browser of somebody of the support."""
    return sign_in(app.test_client(), session, a_user(session, staff_role="support", full_name="Nora Maes"))


@pytest.fixture
def reference(session, parc):
    found = parc.account.reference
    session.commit()
    return found


def look(client, reference, role="owner", reason=""):
    page = Page.get(client, f"/equipe/comptes/{reference}")
    return page.form(action="/voir-comme").fill(role=role, reason=reason).submit()


def address(app, door, subscription_id):
    values = dict(door.values)
    if any("subscription_id" in rule.arguments for rule in app.url_map.iter_rules(door.endpoint)):
        values["subscription_id"] = subscription_id
    with app.test_request_context():
        return url_for(door.endpoint, **values)


def everything(session):
    """Every row of every table."""
    session.rollback()
    rows = {}
    for table in Base.metadata.sorted_tables:
        rows[table.name] = sorted(map(repr, session.execute(select(table)).all()))
    session.rollback()
    return rows


def test_the_client_s_own_page_is_read_under_a_watermark(session, team, reference, parc):
    page = look(team, reference)
    assert page.address == f"/abonnements/{parc.id}"
    assert page.text("h1") == "Formule et facturation"
    assert "Vous voyez ce que voit Brasserie du Parc, comme propriétaire" in page.text("#viewing")
    assert page.one("body").get("data-watermark") == "CentralApp, lecture seule"
    assert problems(page.html) == []


def test_it_is_the_page_of_the_client_word_for_word(app, session, team, reference, parc):
    owner = session.scalars(select(User).where(User.full_name == "Claire owner")).one()
    client = sign_in(app.test_client(), session, owner)
    look(team, reference)
    for endpoint in SAME:
        with app.test_request_context():
            path = url_for(endpoint, subscription_id=parc.id)
        mine, theirs = (Page.get(each, path) for each in (client, team))
        assert (mine.status, theirs.status) == (200, 200), endpoint
        assert mine.texts("main h1") == theirs.texts("main h1")
        for section in mine.all("main section[id].card, main section[id].ticket, main section[id].plaque"):
            same = section.get("id")
            assert mine.piece(same) == theirs.piece(same), f"{endpoint} #{same}"


@pytest.mark.parametrize("role", list(Role), ids=str)
@pytest.mark.parametrize("door", READ, ids=str)
def test_each_page_opens_to_the_role_chosen_and_to_no_other(app, session, team, reference, parc, door, role):
    look(team, reference, role.value)
    answer = team.get(address(app, door, parc.id))
    if Who(role.value) in door.admitted or Who.STRANGER in door.admitted:
        assert answer.status_code in door.answers
    else:
        assert answer.status_code == 403


def unsafe_addresses(app, subscription_id) -> list[tuple[str, str, Door | None]]:
    """Every address of the portal that may change something, read from its routes, the team's own and API keys' aside.

    With the values and the form of its row in the access table; any values when a new route has none.
    """
    rows = {(door.method, door.endpoint): door for door in DOORS}
    found = []
    for rule in app.url_map.iter_rules():
        if rule.endpoint.partition(".")[0] in THE_TEAM_AND_ITS_OWN:
            continue
        for method in sorted(rule.methods - {"GET", "HEAD", "OPTIONS"}):
            door = rows.get((method, rule.endpoint))
            values = {name: ANY_VALUE[type(rule._converters[name]).__name__] for name in rule.arguments}
            values |= dict(door.values) if door else {}
            if "subscription_id" in rule.arguments:
                values["subscription_id"] = subscription_id
            with app.test_request_context():
                found.append((method, url_for(rule.endpoint, **values), door))
    return found


def test_nothing_can_be_changed_by_any_address(app, session, team, reference, parc):
    look(team, reference)
    app.config["WTF_CSRF_ENABLED"] = False  # the token is tried apart: with or without it, nothing happens
    try:
        before = everything(session)
        addresses = unsafe_addresses(app, parc.id)
        assert len(addresses) > 40
        for method, path, door in addresses:
            for more in ({}, HTMX):
                headers = {"Sec-Fetch-Site": "same-origin"} | more
                data = door.form if door else None
                answer = team.open(path, method=method, data=data or None, headers=headers)
                assert answer.status_code == 403, f"{method} {path} {more}: {answer.status}"
                assert "rien ne s’y change d’ici" in answer.get_data(as_text=True), path
        assert everything(session) == before
    finally:
        app.config["WTF_CSRF_ENABLED"] = True


def test_pages_asked_for_change_nothing_either(app, session, team, reference, parc):
    look(team, reference)
    before = everything(session)
    for door in OF_CLIENTS:
        if door.method == "GET":
            team.get(address(app, door, parc.id))
    after = everything(session)
    assert {name for name in after if after[name] != before[name]} - PRINTED == set()


def test_the_whole_iban_stays_the_client_s_own(app, session, team, reference, parc):
    document = session.scalars(select(MandateDocument.id)).one()
    session.commit()
    look(team, reference)
    with app.test_request_context():
        page = url_for("payment.edit", subscription_id=parc.id)
        path = url_for("payment.mandate_file", subscription_id=parc.id, document_id=document)
    assert "BE71096123456769" not in Page.get(team, page).html.replace(" ", "").replace("\xa0", "")
    answer = team.get(path)
    assert answer.status_code == 403
    assert "%PDF" not in answer.get_data(as_text=True)[:10]


def test_the_files_of_an_invoice_may_be_opened(session, team, reference, parc):
    look(team, reference)
    page = Page.get(team, f"/abonnements/{parc.id}/factures")
    pdf = next(link.get("href") for link in page.all("a[href$='.pdf']"))
    answer = team.get(pdf)
    assert (answer.status_code, answer.mimetype) == (200, "application/pdf")


def test_each_look_is_kept_once_and_the_client_reads_it(app, session, team, reference, parc):
    look(team, reference, "viewer", "Appel sur une facture")
    for _time in range(3):
        team.get(f"/abonnements/{parc.id}")
    rows = session.scalars(select(AuditEntry).where(AuditEntry.action == "account.viewed")).all()
    assert [(row.actor_kind, row.actor_name, row.after) for row in rows] == [
        ("staff", "Nora Maes", {"role": "viewer", "reason": "Appel sur une facture"})
    ]
    owner = session.scalars(select(User).where(User.full_name == "Claire owner")).one()
    client = sign_in(app.test_client(), session, owner)
    told = Page.get(client, f"/abonnements/{parc.id}/historique").text("main")
    assert "Notre équipe a consulté votre compte, sans rien y changer." in told
    assert "Appel sur une facture" not in told


def test_it_ends_with_a_button(session, team, reference, parc):
    page = look(team, reference).form("stop-viewing").submit()
    assert page.address == f"/equipe/comptes/{reference}"
    assert team.get(f"/abonnements/{parc.id}").status_code == 404
    assert team.get("/equipe/voir-comme/fin").status_code == 405


def test_it_ends_by_itself_after_half_an_hour(session, team, reference, parc):
    look(team, reference)
    begun = session.scalars(
        select(LoginSession.viewing_since).where(LoginSession.viewing_since.is_not(None))
    ).one()
    session.rollback()
    business_clock.freeze(begun + viewing.LASTS - timedelta(seconds=1))
    assert team.get(f"/abonnements/{parc.id}").status_code == 200
    business_clock.freeze(begun + viewing.LASTS)
    answer = team.get(f"/abonnements/{parc.id}")
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/equipe/comptes/{reference}")
    swapped = team.get(f"/abonnements/{parc.id}/historique", headers=HTMX)
    assert (swapped.status_code, swapped.headers["HX-Redirect"]) == (401, f"/equipe/comptes/{reference}")


def test_it_opens_that_account_and_no_other(session, team, reference, parc):
    other = a_subscription(session, account=an_account(session, "Ailleurs"))
    elsewhere = other.account.reference
    session.commit()
    look(team, reference)
    assert team.get(f"/abonnements/{other.id}").status_code == 404
    page = look(team, elsewhere)
    assert page.address == f"/abonnements/{other.id}"
    assert team.get(f"/abonnements/{parc.id}").status_code == 404


def test_it_is_of_that_browser_alone(app, session, team, reference, parc):
    look(team, reference)
    nora = session.scalars(select(User).where(User.full_name == "Nora Maes")).one()
    elsewhere = sign_in(app.test_client(), session, nora)
    assert elsewhere.get(f"/abonnements/{parc.id}").status_code == 404


def test_who_leaves_the_team_sees_nothing_more(session, team, reference, parc):
    look(team, reference)
    nora = session.scalars(select(User).where(User.full_name == "Nora Maes")).one()
    for place in ("catalogue", None):
        nora.staff_role = place
        session.commit()
        assert team.get(f"/abonnements/{parc.id}").status_code in (302, 404)
        assert "Formule et facturation" not in team.get(f"/abonnements/{parc.id}").get_data(as_text=True)


def test_who_owns_the_account_too_only_reads_it_meanwhile(app, session, team, reference, parc):
    nora = session.scalars(select(User).where(User.full_name == "Nora Maes")).one()
    from webapp.models.accounts import Membership

    session.add(
        Membership(
            user_id=nora.id, account_id=parc.account_id, role="owner", created_at=datetime.now().astimezone()
        )
    )
    session.commit()
    look(team, reference, "viewer")
    assert team.get(f"/abonnements/{parc.id}/donnees").status_code == 403
    Page.get(team, f"/abonnements/{parc.id}").form("stop-viewing").submit()
    assert team.get(f"/abonnements/{parc.id}/donnees").status_code == 200


def test_the_team_s_own_pages_stay_open_beside_it(session, team, reference, parc):
    look(team, reference)
    page = Page.get(team, f"/equipe/comptes/{reference}")
    kept = page.form("note").fill(text="A appelé ce matin.").submit()
    assert "A appelé ce matin." in kept.text("#account-notes")
    page = Page.get(team, "/compte/preferences")
    assert page.status == 200


def test_an_account_that_never_signed_has_nothing_to_look_at(session, team):
    bare = an_account(session, "Nouveau").reference
    session.commit()
    page = Page.get(team, f"/equipe/comptes/{bare}")
    assert page.status == 200
    assert not page.has("form[action$='/voir-comme']")
    other = Page.get(team, "/equipe/comptes")
    token = other.one("meta[name=csrf-token]").get("content")
    answer = team.post(
        f"/equipe/comptes/{bare}/voir-comme",
        data={"csrf_token": token, "role": "owner"},
        headers={"Sec-Fetch-Site": "same-origin"},
        follow_redirects=True,
    )
    assert "son client n’a aucune page à montrer" in answer.get_data(as_text=True)


def test_a_role_that_is_none_is_refused(session, team, reference):
    page = look(team, reference, "god")
    assert page.address == f"/equipe/comptes/{reference}"
    assert "Choisissez un des rôles" in page.text("#flashes")
