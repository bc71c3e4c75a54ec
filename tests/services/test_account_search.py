"""Finding an account: by whatever is said of it, and by words that follow every change."""

from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from tests.builders import CLAIRE, a_mandate, a_subscription, a_user, an_account, noon
from webapp.domain.access import Role
from webapp.models.accounts import BillingDetails, Membership, User
from webapp.models.invoices import Invoice
from webapp.models.subscriptions import Establishment
from webapp.models.team import SearchTerm
from webapp.services import account_search, memberships, personal_data, search_terms
from webapp.services.search_terms import compact, fold

TODAY = date(2026, 11, 16)


@pytest.fixture
def parc(session):
    """Brasserie du Parc: two establishments, an owner, a mandate, invoices; and two others beside it."""
    account = an_account(
        session, "Brasserie du Parc", legal_name="Parc Horeca SRL", invoice_email="compta@parc.example"
    )
    signed = a_subscription(
        session, account=account, starts_on=date(2026, 9, 1), establishments=2, billed_through=TODAY
    )
    places = session.scalars(
        select(Establishment)
        .where(Establishment.subscription_id == signed.id)
        .order_by(Establishment.position)
    ).all()
    places[1].name, places[1].city, places[1].number = "Comptoir d’Évère", "Liège", "2.123.456.789"
    a_user(session, account, email="claire@parc.example", full_name="Claire Janssens")
    a_mandate(session, signed.id)
    an_account(session, "Guinguette du Parc", vat_number="FR40303265045", enterprise_number=None)
    an_account(session, "Œuf à la coque", vat_number=None, enterprise_number="0403170701", city="Namur")
    session.commit()
    return signed


def names(session, typed):
    return [match.name for match in account_search.find(session, typed).matches]


@pytest.mark.parametrize(
    "typed",
    [
        "Brasserie du Parc",
        "brass",
        "BRASSERIE DU",
        "parc brasserie",
        "parc horeca",
        "claire@parc.example",
        "compta@PARC",
        "parc.example",
        "janssens",
        "claire jan",
        "comptoir d'evere",
        "comptoir liège",
        "LIEGE",
        "2.123.456.789",
        "2123456789",
        "6769",
        "BE71 0961 2345 6769",
        "be71096123456769",
    ],
)
def test_an_account_is_found_by_what_a_caller_says(session, parc, typed):
    assert names(session, typed) == ["Brasserie du Parc"]


def test_its_numbers_find_it_however_they_are_typed(session, parc):
    details = session.get_one(BillingDetails, parc.account_id)
    details.vat_number, details.enterprise_number = "BE0203201340", "0203201340"
    session.commit()
    for typed in (
        "BE0203201340", "BE 0203.201.340", "be 0203 201 340", "0203.201.340", "0203201340", "203201340",
        "203.201.340", "0203.20",
    ):  # fmt: skip
        assert names(session, typed) == ["Brasserie du Parc"], typed
    assert names(session, "FR 40 303265045") == ["Guinguette du Parc"]
    assert names(session, "40303265045") == ["Guinguette du Parc"]
    assert names(session, "0403170701") == ["Œuf à la coque"]


def test_its_reference_finds_it(session, parc):
    reference = session.get_one(BillingDetails, parc.account_id).account.reference
    for typed in (reference, reference.lower(), reference.replace("-", ""), reference.replace("-", " ")):
        found = account_search.find(session, typed)
        assert found.only is not None and found.only.reference == reference, typed


def test_its_documents_find_it(session, parc):
    invoice = session.scalars(select(Invoice).where(Invoice.account_id == parc.account_id)).first()
    number, ogm = invoice.number, invoice.ogm
    for typed in (number, number.lower(), number.replace("-", ""), f"{number[:6]}{int(number[6:])}"):
        found = account_search.find(session, typed)
        assert [match.name for match in found.matches] == ["Brasserie du Parc"], typed
        assert found.matches[0].reasons[0].kind == "invoice"
    for typed in (ogm, f"+++{ogm[:3]}/{ogm[3:7]}/{ogm[7:]}+++", f"*** {ogm[:3]} {ogm[3:7]} {ogm[7:]} ***"):
        found = account_search.find(session, typed)
        assert [match.name for match in found.matches] == ["Brasserie du Parc"], typed
        assert found.matches[0].reasons[0].kind == "ogm"


def test_accents_ligatures_and_apostrophes_do_not_matter(session, parc):
    assert names(session, "oeuf a la coque") == ["Œuf à la coque"]
    assert names(session, "ŒUF") == ["Œuf à la coque"]
    assert fold("L’Éclair, Cœur de Liège") == "l eclair coeur de liege"
    assert compact("BE 0876.543-270") == "be0876543270"


def test_several_accounts_come_with_why_each_was_found_the_surest_first(session, parc):
    an_account(session, "Parc")
    session.commit()
    found = account_search.find(session, "parc")
    assert [match.name for match in found.matches] == ["Parc", "Brasserie du Parc", "Guinguette du Parc"]
    assert {reason.kind for reason in found.matches[1].reasons} >= {"name", "company"}
    assert not found.is_more


@pytest.mark.parametrize("typed", ["", " ", "x", "…", "é", "%", "_%", "zzz", "' or 1=1 --", "\x00ab", "🍺🍺"])
def test_what_says_nothing_finds_nothing(session, parc, typed):
    assert names(session, typed) == []


def test_twenty_are_shown_and_more_are_said(session, empty_database):
    for number in range(25):
        an_account(session, f"Friterie {number:02}")
    session.commit()
    found = account_search.find(session, "friterie")
    assert len(found.matches) == account_search.MOST
    assert found.is_more
    assert found.matches[0].name == "Friterie 00"


def test_a_thousand_establishments_of_one_account_hide_no_other(session, parc):
    for number in range(account_search.BOUND + 200):
        session.add(
            Establishment(
                subscription_id=parc.id,
                position=number + 10,
                name=f"Kiosk {number}",
                street="Rue Haute 1",
                postcode="1000",
                city="Bruxelles",
                active_from=TODAY,
                charged_from=TODAY,
            )
        )
    an_account(session, "Kiosk")
    session.commit()
    assert names(session, "kiosk") == ["Kiosk", "Brasserie du Parc"]


def test_a_search_takes_one_statement(session, parc, statements):
    for typed in (
        "parc",
        "brasserie du parc",
        "parc brasserie",
        "0876.543.270",
        "F2026-1",
        "claire@parc.example",
    ):
        statements.clear()
        account_search.find(session, typed)
        assert len(statements) == 1, typed


# ── Words that follow ────────────────────────────────────────────────────────────────────────────────────────────


def kept(session, account_id):
    rows = select(SearchTerm.kind, SearchTerm.term, SearchTerm.shown).where(
        SearchTerm.account_id == account_id
    )
    return sorted(tuple(row) for row in session.execute(rows))


def test_a_new_name_is_found_and_the_former_is_not(session, parc):
    parc.account.name = "Taverne du Lac"
    session.commit()
    assert names(session, "taverne") == ["Taverne du Lac"]
    assert names(session, "brasserie du parc") == []


def test_what_is_rolled_back_was_never_found(session, parc):
    parc.account.name = "Taverne du Lac"
    session.flush()
    session.rollback()
    assert names(session, "taverne") == []
    assert names(session, "brasserie") == ["Brasserie du Parc"]


def test_a_person_who_leaves_is_no_longer_found(session, parc):
    other = a_user(session, parc.account, Role.VIEWER, email="leo@ailleurs.example", full_name="Léo Dubois")
    session.commit()
    assert names(session, "dubois") == ["Brasserie du Parc"]
    membership = session.scalars(select(Membership.id).where(Membership.user_id == other.id)).one()
    memberships.remove(session, parc.account_id, membership, actor=CLAIRE, now=noon(TODAY))
    session.commit()
    assert names(session, "dubois") == []
    assert names(session, "leo@ailleurs.example") == []


def test_a_person_renamed_is_found_in_each_of_their_accounts(session, parc):
    second = an_account(session, "Le Quai")
    claire = session.scalars(select(User).where(User.email == "claire@parc.example")).one()
    session.add(Membership(user_id=claire.id, account_id=second.id, role="viewer", created_at=noon(TODAY)))
    session.commit()
    claire.full_name = "Claire Verhaegen"
    session.commit()
    assert names(session, "verhaegen") == ["Brasserie du Parc", "Le Quai"]
    assert names(session, "janssens") == []


def test_an_account_that_is_closed_is_found_by_no_person(session, parc):
    from webapp.models.subscriptions import Subscription

    session.get_one(Subscription, parc.id).status = "ended"
    session.flush()
    personal_data.close(session, parc.account_id, parc.account.reference, actor=CLAIRE, now=noon(TODAY))
    session.commit()
    assert names(session, "janssens") == []
    assert names(session, "claire@parc.example") == []
    assert names(session, "compta@parc.example") == []
    assert names(session, "6769") == []
    found = account_search.find(session, "brasserie")
    assert [match.is_closed for match in found.matches] == [True]


def test_a_password_or_a_suspension_costs_no_word(session, parc, statements):
    parc.account.suspended_on = TODAY
    session.scalars(select(User).where(User.email == "claire@parc.example")).one().password_hash = "x"
    session.flush()
    statements.clear()
    session.commit()
    assert [each for each in statements if "search_terms" in each] == []


def test_making_them_all_again_changes_nothing(app, session, parc):
    before = kept(session, parc.account_id)
    session.commit()
    answer = app.test_cli_runner().invoke(args=["reindex"])
    assert (answer.exit_code, answer.output.strip()) == (0, "3 accounts can be found")
    assert kept(session, parc.account_id) == before
    session.execute(SearchTerm.__table__.delete())
    session.commit()
    assert app.test_cli_runner().invoke(args=["reindex"]).exit_code == 0
    assert kept(session, parc.account_id) == before


NAMES = st.text(alphabet="aàbçé œL’-'.d0 ", min_size=1, max_size=12)
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("name"), NAMES),
        st.tuples(st.just("legal_name"), NAMES),
        st.tuples(st.just("city"), NAMES),
        st.tuples(st.just("vat_number"), st.sampled_from([None, "BE0876543270", "FR40303265045"])),
        st.tuples(st.just("invoice_email"), st.sampled_from(["", "a@b.example", "Ç@b.example"])),
        st.tuples(st.just("place"), NAMES),
        st.tuples(st.just("drop"), st.just("")),
        st.tuples(st.just("undo"), st.just("")),
    ),
    min_size=1,
    max_size=6,
)


@given(changes=CHANGES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_changes_the_words_kept_are_those_of_the_rows(session, parc, changes):
    account_id, subscription_id = parc.account_id, parc.id
    for what, value in changes:
        details = session.get_one(BillingDetails, account_id)
        if what == "name":
            details.account.name = value
        elif what == "place":
            session.add(
                Establishment(
                    subscription_id=subscription_id,
                    position=99,
                    name=value,
                    street="Rue Haute 1",
                    postcode="1000",
                    city="Bruxelles",
                    active_from=TODAY,
                    charged_from=TODAY,
                )
            )
        elif what == "drop":
            place = session.scalars(select(Establishment).where(Establishment.position == 99)).first()
            if place is not None:
                session.delete(place)
        elif what == "undo":
            details.account.name = "Ne sera jamais"
            session.flush()
            session.rollback()
        else:
            setattr(details, what, value)
        session.commit()
    now = kept(session, account_id)
    session.execute(SearchTerm.__table__.delete())
    search_terms.refresh(session, [account_id])
    assert kept(session, account_id) == now
    session.rollback()


@given(typed=st.text(max_size=40))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_that_can_be_typed_breaks_the_search(session, parc, typed):
    account_search.find(session, typed)
