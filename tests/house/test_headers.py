"""What every answer carries, and which requests are refused before any view."""

import re

import pytest

from webapp import create_app
from webapp.extensions import db


def test_the_content_policy_allows_our_own_files_and_nothing_inline(client):
    policy = client.get("/nulle-part").headers["Content-Security-Policy"]
    nonce = re.search(r"'nonce-([\w-]{22})'", policy)
    assert nonce
    assert policy.replace(nonce.group(1), "N") == (
        "default-src 'none'; script-src 'self' 'nonce-N'; style-src 'self'; img-src 'self'; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types htmx"
    )


def test_the_nonce_is_new_for_each_answer_and_is_the_one_of_its_scripts(client):
    first, second = client.get("/nulle-part"), client.get("/nulle-part")
    nonces = [
        re.search(r"'nonce-([^']+)'", each.headers["Content-Security-Policy"]).group(1)
        for each in (first, second)
    ]
    assert nonces[0] != nonces[1]
    assert set(re.findall(r'nonce="([^"]+)"', first.text)) == {nonces[0]}


def test_a_page_is_not_kept_by_caches_and_its_fragment_is_another_answer(client):
    headers = client.get("/nulle-part").headers
    assert headers["Cache-Control"] == "no-store"
    assert "HX-Request" in headers["Vary"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "Strict-Transport-Security" not in headers


def test_https_is_remembered_and_keeps_its_cookies_to_itself(settings):
    from dataclasses import replace

    app = create_app(replace(settings, base_url="https://abonnement.example.be"))
    answer = app.test_client().get("/nulle-part", base_url="https://abonnement.example.be")
    with app.app_context():
        db.engine.dispose()  # a second application on the same file must not keep it open
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")
    for cookie in answer.headers.getlist("Set-Cookie"):
        assert cookie.startswith("__Host-")
        assert "Secure" in cookie
        assert "HttpOnly" in cookie


@pytest.mark.parametrize(
    ("headers", "is_refused"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, True),
        ({"Sec-Fetch-Site": "same-site"}, True),
        ({"Origin": "http://localhost"}, False),
        ({"Origin": "https://evil.test"}, True),
        ({"Origin": "null"}, True),
        ({}, False),
    ],
)
def test_a_form_sent_from_another_site_is_refused_before_anything_else(client, headers, is_refused):
    answer = client.post("/connexion", headers=headers)
    assert (answer.status_code == 403) is is_refused


def test_a_form_without_its_token_is_told_in_a_sentence(client):
    answer = client.post("/connexion", data={"email": "claire@example.be"})
    assert answer.status_code == 400
    assert "Rechargez la page" in answer.text


def test_static_files_are_kept_for_ever_under_an_address_that_changes_with_them(client):
    sheet = re.search(r'href="(/static/\w{12}/css/portal\.css)"', client.get("/nulle-part").text).group(1)
    answer = client.get(sheet, headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Cache-Control"] == "max-age=315360000, public, immutable"
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert client.get(sheet.replace("portal.css", "fonts/figtree-latin.woff2")).status_code == 200
