"""A client added by its reseller: previewed, opened once, billed to whom the two agreed on."""

import uuid
from datetime import date

import pytest
from sqlalchemy import func, select

from tests.builders import CLAIRE, a_catalogue, a_reseller, a_seller, a_subscription, an_account, noon
from webapp.adapters import vies
from webapp.domain.money import Money
from webapp.domain.refusals import PlanNotForSale, StalePreview
from webapp.domain.reselling import BilledParty
from webapp.models.accounts import Account, BillingDetails, Invitation
from webapp.models.invoices import Invoice
from webapp.models.records import AuditEntry
from webapp.models.resellers import ResaleLine
from webapp.services import client_openings, contracts
from webapp.services.billing_details import Details
from webapp.services.client_openings import NewClient
from webapp.services.subscriptions import NewEstablishment

TODAY = date(2026, 11, 16)
pytestmark = pytest.mark.database


def wanted(plan="pro", frequency="monthly", places=1) -> NewClient:
    details = Details(
        name="Chez Léon",
        kind="business",
        language="fr",
        legal_name="Léon SRL",
        street="Rue Haute 4",
        postcode="1000",
        city="Bruxelles",
        country="BE",
        vat_number="BE0876543270",
        enterprise_number=None,
        invoice_emails=("compta@leon.example",),
        buyer_reference=None,
        peppol_id=None,
    )
    addresses = tuple(
        NewEstablishment(f"Léon {n}", f"Rue Haute {n}", "1000", "Bruxelles") for n in range(places)
    )
    return NewClient(details, "leon@leon.example", addresses, plan, frequency)


def previewed(session, reseller, client):
    return client_openings.preview(
        session,
        reseller.id,
        client,
        check_vat=vies.not_configured,
        actor=CLAIRE,
        today=TODAY,
        now=noon(TODAY),
    )


def added(session, reseller, client, fingerprint):
    return client_openings.add(
        session,
        reseller.id,
        uuid.uuid4(),
        client,
        fingerprint,
        check_vat=vies.not_configured,
        address_of=lambda token: f"http://localhost/i/{token}",
        actor=CLAIRE,
        today=TODAY,
        now=noon(TODAY),
    )


@pytest.fixture
def reseller(session):
    a_seller(session)
    a_catalogue(session)
    return a_reseller(session)


def test_what_is_previewed_is_billed_and_its_owner_invited(session, reseller):
    client = wanted(places=3)
    shown = previewed(session, reseller, client)
    assert session.scalar(select(func.count()).select_from(Account)) == 0
    account = added(session, reseller, client, shown.fingerprint)
    invoice = session.scalars(select(Invoice).where(Invoice.account_id == account.id)).one()
    assert invoice.total_cents == shown.draft.total.cents
    assert invoice.issued_on == TODAY
    assert account.reseller_id == reseller.id
    assert session.get_one(BillingDetails, account.id).enterprise_number == "0876543270"
    invitation = session.scalars(select(Invitation)).one()
    assert (invitation.account_id, invitation.email, invitation.role) == (
        account.id,
        "leon@leon.example",
        "owner",
    )
    line = session.scalars(select(AuditEntry).where(AuditEntry.action == "reseller.client_added")).one()
    assert line.after == {"client": account.reference, "name": "Chez Léon", "plan": "pro"}


def test_a_billed_reseller_is_told_what_its_next_document_will_hold(session, reseller):
    reseller.billed_party = BilledParty.RESELLER.value
    session.flush()
    client = wanted()
    shown = previewed(session, reseller, client)
    account = added(session, reseller, client, shown.fingerprint)
    assert session.scalar(select(func.count()).select_from(Invoice)) == 0
    lines = session.scalars(select(ResaleLine).where(ResaleLine.account_id == account.id)).all()
    assert Money(sum(line.wholesale_cents for line in lines)) == client_openings.wholesale(session, shown)


def test_a_plan_that_is_not_of_this_reseller_is_refused(session, reseller):
    other = a_reseller(session, "brasserieplus")
    for seller, client in ((other, wanted()), (reseller, wanted(plan="inconnue"))):
        with pytest.raises(PlanNotForSale):
            previewed(session, seller, client)


def test_another_figure_than_the_one_shown_is_refused(session, reseller):
    shown = previewed(session, reseller, wanted())
    with pytest.raises(StalePreview):
        added(session, reseller, wanted(places=3), shown.fingerprint)


def test_a_client_added_is_priced_as_one_signed_otherwise(session, reseller):
    """The same tariff, by the door that the tests know."""
    known = a_subscription(
        session, starts_on=TODAY, account=an_account(session, reseller=reseller), reseller=reseller
    )
    tariff = contracts.load(session, known.id).contract.tariff
    assert previewed(session, reseller, wanted()).situation.contract.tariff == tariff
