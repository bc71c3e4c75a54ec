"""The portal inside a reseller's page, over HTTP: how it opens, what it shows, and every attack that it refuses."""

import base64
import hmac
import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient
from joserfc.jwk import ECKey, OctKey, OKPKey
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tests.builders import a_reseller, a_subscription, a_user, an_account
from tests.support.embedding import ORIGIN, Framed, Signer, open_frame, register
from tests.support.page import Page
from tests.support.page_linter import problems
from tests.support.signing_in import sign_in
from webapp import clock as business_clock
from webapp.adapters.vault import Purpose
from webapp.domain.access import Role
from webapp.embed_doors import FILES, HOSTED_BLUEPRINTS, NOWHERE, OPEN, OPEN_BLUEPRINTS, is_hosted, is_open
from webapp.embedding import stay_in_the_frame
from webapp.models.accounts import Membership
from webapp.models.embedding import EmbedAssertion, EmbedSession
from webapp.models.records import AuditEntry
from webapp.models.resellers import ResellerKey
from webapp.mounting import KEY, Mount
from webapp.services import billing, embed_sessions
from webapp.vaults import vault


@pytest.fixture
def reseller(session: Session, clock):
    return a_reseller(session)


@pytest.fixture
def contract(session: Session, reseller):
    return a_subscription(session, "salle", reseller=reseller)


@pytest.fixture
def signer(session: Session, reseller, contract) -> Signer:
    owner = a_user(session, contract.account, Role.OWNER)
    made = Signer(reseller.slug, contract.account.reference, owner.email)
    register(session, reseller, made)
    return made


@pytest.fixture
def framed(client: FlaskClient, signer: Signer) -> Framed:
    return Framed.of(client, open_frame(client, signer.slug, signer.token()))


def code_of(answer) -> str:
    assert answer.status_code in (403, 429), answer.status
    assert "Set-Cookie" not in answer.headers
    return Page(None, answer).text("#embed-code")


# ── Opening ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_assertion_opens_the_portal_under_the_look_of_the_reseller(
    client, signer, framed, session, contract
):
    assert framed.start == f"/embed/horecaplus/abonnements/{contract.id}"
    answer = framed.get()
    assert answer.status_code == 200 and "Set-Cookie" not in answer.headers
    page = Page(client, answer)
    assert problems(page.html) == []
    assert page.text("head > title").endswith("– HorecaPlus")
    assert page.text(".site-foot").startswith("Sofie Peeters, HorecaPlus")
    assert not page.has(".side") and not page.has("form[action$='/deconnexion']")
    outside = [
        link.get("href")
        for link in page.all("a[href], form[action]")
        if link.get("href", "/embed/").startswith("/")
        and not link.get("href", "/embed/").startswith("/embed/horecaplus/")
    ]
    assert outside == []
    kept = session.scalars(select(EmbedSession)).one()
    assert framed.token not in (kept.token_hash, json.dumps(kept.state))


def test_the_page_that_carries_the_token_is_kept_nowhere(client, signer):
    answer = open_frame(client, signer.slug, signer.token())
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer.headers
    assert "X-Frame-Options" not in answer.headers
    policy = answer.headers["Content-Security-Policy"]
    assert f"frame-ancestors {ORIGIN};" in policy and "require-trusted-types-for 'script'" in policy
    assert problems(answer.text) == []


def test_no_answer_below_the_embed_may_be_framed_by_others(client, signer, framed):
    for answer in (
        framed.get(),
        framed.get("/embed/horecaplus/nulle-part"),
        client.get("/embed/horecaplus/"),
    ):
        assert f"frame-ancestors {ORIGIN};" in answer.headers["Content-Security-Policy"]
        assert "X-Frame-Options" not in answer.headers
    unknown = client.get("/embed/personne/")
    assert (
        unknown.status_code == 404 and "frame-ancestors 'none';" in unknown.headers["Content-Security-Policy"]
    )
    assert client.get("/connexion").headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize(("locale", "title"), [("nl", "Facturen"), ("en", "Invoices"), ("de", "Factures")])
def test_the_page_speaks_the_language_that_the_reseller_asks_for(client, signer, locale, title):
    framed = Framed.of(client, open_frame(client, signer.slug, signer.token(locale=locale)))
    assert Page(client, framed.get(f"{framed.start}/factures")).text("h1") == title


def test_the_frame_comes_back_to_the_page_that_it_showed(client, signer, contract):
    def start(path: str) -> str:
        answer = client.post(
            "/embed/horecaplus/session",
            data={"assertion": signer.token(), "path": path},
            headers={"Origin": ORIGIN, "Sec-Fetch-Dest": "iframe"},
        )
        return Framed.of(client, answer).start

    home = f"/embed/horecaplus/abonnements/{contract.id}"
    assert start(f"{home}/factures?annee=2026") == f"{home}/factures?annee=2026"
    for elsewhere in (
        "https://evil.example/",
        "//evil.example",
        "/comptes",
        "/embed/autre/",
        "/embed/horecaplus/../x",
    ):
        assert start(elsewhere) == home


@pytest.mark.parametrize("algorithm", ["ES256", "HS256"])
def test_other_algorithms_open_it_too(client, session, app, reseller, contract, signer, algorithm):
    if algorithm == "ES256":
        other = replace(signer, key=ECKey.generate_key("P-256"), kid="es", algorithm="ES256")
        register(session, reseller, other)
    else:
        secret = "s" * 43
        other = replace(signer, key=OctKey.import_key(secret), kid="hs", algorithm="HS256")
        with app.app_context():
            sealed = vault(Purpose.RESELLER_KEYS).seal(secret)
        session.add(
            ResellerKey(
                reseller_id=reseller.id,
                kid="hs",
                algorithm="HS256",
                sealed_secret=sealed,
                created_by="tests",
                created_at=business_clock.now(),
            )
        )
        session.commit()
    assert open_frame(client, signer.slug, other.token()).status_code == 200


def test_an_accountant_begins_with_what_it_reads(client, signer, contract):
    framed = Framed.of(client, open_frame(client, signer.slug, signer.token(role="accountant")))
    led = framed.get()
    assert (framed.start, led.status_code) == ("/embed/horecaplus/", 302)
    assert led.headers["Location"] == f"/embed/horecaplus/abonnements/{contract.id}/factures"
    assert framed.get(f"/embed/horecaplus/abonnements/{contract.id}").status_code == 403


# ── Assertions that open nothing ─────────────────────────────────────────────────────────────────────────────────


def test_an_assertion_opens_once(client, signer, session):
    token = signer.token()
    assert open_frame(client, signer.slug, token).status_code == 200
    assert code_of(open_frame(client, signer.slug, token)) == "replayed"
    assert session.scalar(select(func.count()).select_from(EmbedSession)) == 1
    assert session.scalar(select(func.count()).select_from(EmbedAssertion)) == 1


def test_claims_that_do_not_hold_are_told_by_their_code(client, signer, session, reseller):
    now = int(business_clock.now().timestamp())
    direct = a_subscription(session, "pro").account.reference
    theirs = an_account(session, "Chez l’autre", a_reseller(session, "autre-revendeur")).reference
    session.commit()
    for changed, code in (
        ({"exp": now - 6, "iat": now - 60}, "expired"),
        ({"iat": now + 60, "exp": now + 90}, "not_yet"),
        ({"exp": now + 61}, "life_too_long"),
        ({"aud": "https://autre.example"}, "audience"),
        ({"iss": "autre-revendeur"}, "issuer"),
        ({"origin": "https://evil.example"}, "origin_claim"),
        ({"role": "owner"}, "role_above_cap"),
        ({"sub": direct}, "account"),  # of the operator's own
        ({"sub": theirs}, "account"),  # of another reseller
        ({"sub": "CA-0"}, "account"),
        ({"user": "inconnue@exemple.example"}, "user"),
    ):
        assert code_of(open_frame(client, signer.slug, signer.token(**changed))) == code
    assert session.scalar(select(func.count()).select_from(EmbedSession)) == 0


def forged_by_hand(signer: Signer, algorithm: str, secret: bytes = b"") -> str:
    """What a library refuses to write: no signature, or one made with the public key as if it were a shared secret."""

    def part(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).decode().rstrip("=")

    header = {"alg": algorithm, "typ": "pf-embed+jwt", "kid": signer.kid}
    signed = f"{part(json.dumps(header).encode())}.{part(json.dumps(signer.claims()).encode())}"
    made = hmac.digest(secret, signed.encode(), "sha256") if secret else b""
    return f"{signed}.{part(made)}"


def test_a_signature_that_does_not_hold_is_told_nothing(client, signer, session, reseller):
    stolen = replace(signer, key=OKPKey.generate_key("Ed25519"))
    forged = [
        stolen.token(),  # another key under our kid
        replace(signer, kid="inconnue").token(),
        forged_by_hand(signer, "HS256", signer.public_key.encode()),
        forged_by_hand(signer, "none"),
        signer.token(headers={"typ": "JWT"}),
        signer.token(headers={"jku": "https://evil.example/keys"}),
        signer.token(headers={"jwk": stolen.key.as_dict(private=False)}),
        signer.token()[:-4] + "AAAA",
    ]
    answers = [open_frame(client, signer.slug, token) for token in forged]
    assert {code_of(answer) for answer in answers} == {"not_accepted"}
    assert signer.kid not in answers[0].text and "inconnue" not in answers[1].text
    for token, code in (
        ("", "missing"),
        ("a.b.c", "malformed"),
        ("é", "malformed"),
        ("x" * 5000, "malformed"),
    ):
        assert code_of(open_frame(client, signer.slug, token)) == code


def test_the_page_that_posts_must_be_one_of_the_reseller(client, signer):
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": None},
        {"Sec_Fetch_Dest": "document"},
    ):
        assert code_of(open_frame(client, signer.slug, signer.token(), **headers)) == "not_accepted"
    assert open_frame(client, "personne", signer.token()).status_code == 404


def test_the_key_of_another_reseller_opens_nothing_here(client, signer, session, reseller, contract):
    theirs = Signer("autre-revendeur", signer.reference, signer.person)
    register(session, a_reseller(session, theirs.slug), theirs)
    assert code_of(open_frame(client, signer.slug, theirs.token())) == "not_accepted"
    assert code_of(open_frame(client, theirs.slug, theirs.token())) == "account"


def test_a_revoked_key_opens_nothing(client, signer, session):
    session.scalars(select(ResellerKey)).one().revoked_at = business_clock.now()
    session.commit()
    assert code_of(open_frame(client, signer.slug, signer.token())) == "not_accepted"


def test_those_who_guess_are_stopped_and_those_who_sign_are_not(client, signer):
    for _ in range(30):
        open_frame(client, signer.slug, "a.b.c")
    answer = open_frame(client, signer.slug, signer.token())
    assert (code_of(answer), answer.headers["Retry-After"]) == ("too_many", "60")
    elsewhere = client.application.test_client()
    answer = elsewhere.post(
        f"/embed/{signer.slug}/session",
        data={"assertion": signer.token()},
        headers={"Origin": ORIGIN},
        environ_base={"REMOTE_ADDR": "192.0.2.7"},
    )
    assert answer.status_code == 200


def test_a_reseller_opens_six_hundred_sessions_a_minute(client, signer, session, monkeypatch):
    monkeypatch.setattr(embed_sessions, "OPENED_PER_MINUTE", 2)
    answers = [open_frame(client, signer.slug, signer.token()) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]


# ── The session ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_neither_cookie_nor_bearer_opens_the_door_of_the_other(app: Flask, session, signer, framed, contract):
    owner = a_user(session, contract.account, Role.OWNER)
    browser = sign_in(app.test_client(), session, owner)
    assert browser.get(f"/abonnements/{contract.id}").status_code == 200
    assert browser.get(framed.start).status_code == 401
    assert browser.get(framed.start, headers={"HX-Request": "true"}).get_data() == b""
    answer = framed.get(f"/abonnements/{contract.id}")
    assert answer.status_code == 401 and answer.headers["HX-Redirect"].startswith("/connexion")


def test_the_token_is_of_one_reseller(client, session, framed, contract):
    a_reseller(session, "autre-revendeur")
    session.commit()
    assert framed.get(f"/embed/autre-revendeur/abonnements/{contract.id}").status_code == 401


def test_what_is_not_of_the_account_does_not_exist(session, framed, reseller):
    own = a_subscription(session, "pro")
    sibling = a_subscription(session, "salle", reseller=reseller)  # another client of the same reseller
    session.commit()
    for other in (own, sibling):
        assert framed.get(f"/embed/horecaplus/abonnements/{other.id}").status_code == 404
        assert framed.get(f"/embed/horecaplus/abonnements/{other.id}/factures").status_code == 404


@pytest.mark.parametrize(("idle", "ends"), [(True, timedelta(minutes=15)), (False, timedelta(hours=8))])
def test_a_session_ends_by_itself(clock, session, framed, idle, ends):
    kept = session.scalars(select(EmbedSession)).one()
    begun: datetime = kept.created_at
    if not idle:  # used all along
        kept.last_seen_at = begun + ends - timedelta(seconds=2)
        session.commit()
    clock.set(begun + ends - timedelta(seconds=1))
    assert framed.get().status_code == 200
    kept = session.scalars(select(EmbedSession).execution_options(populate_existing=True)).one()
    clock.set(begun + ends if not idle else kept.last_seen_at + ends)
    session.rollback()
    assert framed.get().status_code == 401


def test_a_session_dies_with_what_it_stands_on(session, framed, reseller, contract, client, signer):
    def dies(arrange) -> None:
        opened = Framed.of(client, open_frame(client, signer.slug, signer.token()))
        assert opened.get().status_code == 200
        arrange()
        session.commit()
        assert opened.get().status_code == 401

    def no_origin() -> None:
        reseller.allowed_origins = []

    def no_key() -> None:
        reseller.allowed_origins = [ORIGIN]
        session.scalars(select(ResellerKey)).one().revoked_at = business_clock.now()

    dies(lambda: embed_sessions.revoke(session, reseller.id, now=business_clock.now()))
    dies(no_origin)
    reseller.allowed_origins = [ORIGIN]
    session.commit()
    dies(no_key)


def test_a_person_who_leaves_the_account_leaves_the_frame(session, framed):
    session.delete(session.scalars(select(Membership)).one())
    session.commit()
    assert framed.get().status_code == 401


def test_the_role_is_the_least_of_three(session, client, reseller, contract, signer):
    session.scalars(select(Membership)).one().role = Role.VIEWER.value
    session.commit()
    framed = Framed.of(client, open_frame(client, signer.slug, signer.token()))
    assert framed.post(f"{framed.start}/options/apercu", {}).status_code == 403


# ── Pages ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_form_needs_its_token_and_a_page_of_ours(framed):
    path = f"{framed.start}/aide"
    assert framed.post(path, {}, X_CSRFToken="").status_code == 400
    assert framed.post(path, {}, Sec_Fetch_Site="cross-site").status_code == 403


def test_what_is_said_once_survives_without_a_cookie(framed, client, contract):
    page = Page(client, framed.get(f"{framed.start}/contact"))
    form = page.form()
    sent = {name: value for name, values in form.values.items() for value in values}
    answer = framed.post(form.element.get("action"), sent | {"message": "Bonjour, une question."})
    while answer.status_code in (302, 303):
        answer = framed.get(answer.headers["Location"])
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers


def test_where_htmx_is_sent_elsewhere_it_fetches_the_page_itself(app):
    with app.test_request_context("/", environ_overrides={KEY: Mount("horecaplus", "/embed/horecaplus")}):
        answer = stay_in_the_frame(Response(headers={"HX-Redirect": "/embed/horecaplus/abonnements"}))
    assert "HX-Redirect" not in answer.headers
    assert json.loads(answer.headers["HX-Location"]) == {
        "path": "/embed/horecaplus/abonnements",
        "target": "body",
        "replace": "true",
    }


@pytest.mark.parametrize("page", ["utilisateurs", "payer", "moyen-de-paiement/domiciliation"])
def test_what_is_risky_opens_in_the_portal_after_a_new_sign_in(app, client, session, framed, contract, page):
    answer = framed.get(f"{framed.start}/{page}")
    assert answer.status_code == 200, answer.status
    shown = Page(client, answer)
    link = shown.one("main .btn.primary")
    assert link.get("target") == "_blank"
    assert link.get("href").startswith(f"http://localhost/connexion?next=/abonnements/{contract.id}/")
    browser = sign_in(app.test_client(), session, a_user(session, contract.account))
    assert browser.get(link.get("href")).status_code == 200  # the sign-in page, though signed in
    assert framed.post(f"{framed.start}/{page}", {}).status_code in (403, 405)


@pytest.mark.parametrize(
    "path",
    ["/comptes", "/compte/preferences", "/equipe/", "/api/v1/openapi.json", "/connexion", "/themes/x.css"],
)
def test_what_is_not_of_the_embed_does_not_exist_there(framed, path):
    assert framed.get(f"/embed/horecaplus{path}").status_code == 404


def test_the_lists_of_the_embed_name_addresses_that_exist(built_app):
    endpoints = set(built_app.view_functions)
    blueprints = {endpoint.partition(".")[0] for endpoint in endpoints}
    assert endpoints >= OPEN | FILES | NOWHERE
    assert blueprints >= OPEN_BLUEPRINTS | HOSTED_BLUEPRINTS
    assert all(is_open(endpoint) for endpoint in FILES)
    closed = {
        endpoint.partition(".")[0]
        for endpoint in endpoints
        if not is_open(endpoint) and not is_hosted(endpoint)
    }
    assert {"staff", "api"} <= closed


# ── Files ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_comes_by_an_address_that_works_once(framed, client, contract, session):
    billing.bill_due(session, contract.id, business_clock.today(), business_clock.now())
    session.commit()
    page = Page(client, framed.get(f"{framed.start}/factures"))
    link = page.all("a[data-file][href$='.pdf']")[0].get("href")
    asked = json.loads(framed.ticket(link).text)["address"]
    got = client.get(asked)
    assert got.status_code == 200 and got.mimetype == "application/pdf"
    assert got.headers["Content-Disposition"].startswith("attachment")
    assert client.get(asked).status_code == 410


def test_a_ticket_lives_half_a_minute(framed, client, clock):
    address = json.loads(framed.ticket(f"{framed.start}/engagement.ics").text)["address"]
    clock.set(business_clock.now() + timedelta(seconds=30))
    assert client.get(address).status_code == 410


def test_a_ticket_opens_files_of_this_embed_alone(framed, contract):
    for address in (
        framed.start,  # a page
        f"/abonnements/{contract.id}/factures",  # not below the embed
        "https://evil.example/x.pdf",
        "/embed/autre/abonnements/x",
        "",
    ):
        assert framed.ticket(address).status_code == 400
    other = Framed(framed.client, "x" * 43, framed.csrf, framed.start)
    assert other.ticket(framed.start).status_code == 401


def test_a_ticket_of_a_session_that_is_over_opens_nothing(framed, session, client, reseller):
    address = json.loads(framed.ticket(f"{framed.start}/factures/export.csv").text)["address"]
    embed_sessions.revoke(session, reseller.id, now=business_clock.now())
    session.commit()
    assert client.get(address).status_code == 401


# ── Who did it, and the loader ───────────────────────────────────────────────────────────────────────────────────


def test_the_trail_says_through_whom_somebody_came(session, framed, contract, client):
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "user.signed_in")).one()
    assert entry.after["means"] == "embed" and entry.after["reseller"] == "horecaplus"


def test_the_loader_is_read_across_origins(client):
    answer = client.get("/embed/loader.v1.js")
    assert answer.mimetype == "text/javascript"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
