"""The test page of a reseller: what the embed lacks, what was refused and why, how often it opened."""

import re
from datetime import date, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from tests.builders import CLAIRE, a_colleague, a_reseller, a_subscription, a_user, noon
from tests.support.embedding import ORIGIN, Signer, open_frame, register
from tests.support.page import Page
from tests.support.page_linter import problems
from tests.support.signing_in import sign_in
from webapp import embed_loader
from webapp.domain.access import Role
from webapp.domain.embedding import AssertionRefused, Why
from webapp.services import embed_usage, resellers

TODAY = date(2026, 11, 16)
pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def reseller(session: Session):
    return a_reseller(session)


@pytest.fixture
def sofie(app, session, reseller) -> FlaskClient:
    return sign_in(app.test_client(), session, a_colleague(session, reseller))


def test_what_is_missing_is_said_until_nothing_is(sofie, session, reseller):
    page = Page.get(sofie, "/partenaire/essai")
    assert len(page.texts("#lacking li")) == 3
    assert problems(page.html) == []
    assert f'integrity="{embed_loader.integrity()}"' in page.text("#snippet code")
    assert 'slug: "horecaplus"' in page.text("#snippet code")
    contract = a_subscription(session, "salle", reseller=reseller)
    owner = a_user(session, contract.account, Role.OWNER)
    register(session, reseller, Signer(reseller.slug, contract.account.reference, owner.email))
    assert Page.get(sofie, "/partenaire/essai").has("#ready")
    resellers.set_origins(session, reseller, [], noon(TODAY), CLAIRE)
    session.commit()
    assert "Aucun site" in Page.get(sofie, "/partenaire/essai").text("#lacking")


def test_openings_are_counted_and_refusals_told_in_words(client, sofie, session, reseller):
    contract = a_subscription(session, "salle", reseller=reseller)
    owner = a_user(session, contract.account, Role.OWNER)
    signer = Signer(reseller.slug, contract.account.reference, owner.email)
    register(session, reseller, signer)
    assert open_frame(client, signer.slug, signer.token()).status_code == 200
    for _again in range(2):
        assert open_frame(client, signer.slug, signer.token(without="jti")).status_code == 403
    assert (
        open_frame(client, signer.slug, signer.token(), Origin="https://ailleurs.example").status_code == 403
    )
    page = Page.get(sofie, "/partenaire/essai")
    assert problems(page.html) == []
    assert page.text("#usage header p") == "Une ouverture"
    assert [re.sub(r"\D", "", each) for each in page.texts("#usage td")] == ["1"]
    told = page.texts("#refused tbody tr")
    assert len(told) == 2
    assert "n’est pas un de vos sites autorisés" in told[0]
    assert "« jti »" in told[1].replace("\xa0", " ") and "2" in told[1]
    assert ORIGIN not in page.text("#refused")


@pytest.mark.database
def test_refusals_are_a_row_for_each_day_and_cause_and_go_after_a_month(session, reseller):
    other = a_reseller(session, "brasserieplus")
    old = TODAY - timedelta(days=embed_usage.DAYS)
    for day, why, of in (
        (old, Why.EXPIRED, reseller),
        (TODAY, Why.EXPIRED, reseller),
        (TODAY, Why.EXPIRED, reseller),
        (TODAY, Why.REPLAYED, other),
    ):
        embed_usage.count_refusal(session, of.id, AssertionRefused(why), day, noon(day))
    session.expire_all()
    found = embed_usage.refusals(session, reseller.id, old)
    assert [(row.on_day, row.why, row.times) for row in found] == [(TODAY, "expired", 2)]


@pytest.mark.database
def test_sessions_are_counted_from_one_start_to_the_next(session, reseller):
    starts = [noon(TODAY) - timedelta(days=ago) for ago in (2, 1, 0)]
    assert embed_usage.sessions_by_day(session, reseller.id, starts) == [0, 0, 0]
