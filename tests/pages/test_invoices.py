"""Documents over HTTP: the list with its filters and pages, and each document with all it must say."""

from datetime import date

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests import builders
from tests.builders import CLAIRE, Signed, a_subscription, a_user, an_account, noon
from tests.support.page import Page
from tests.support.page_linter import problems
from tests.support.signing_in import sign_in
from webapp.domain.access import Role
from webapp.filters import vat_number
from webapp.models.invoices import Invoice
from webapp.services import billing, subscriptions

TODAY = date(2026, 11, 16)


def billed_monthly(session: Session, signed: Signed, until: date = TODAY) -> list[Invoice]:
    """Each period billed on its first day."""
    issued = []
    start = signed.subscription.starts_on
    months = (until.year - start.year) * 12 + until.month - start.month
    for number in range(months + 1):
        year, month = divmod(start.month - 1 + number, 12)
        on = date(start.year + year, month + 1, start.day)
        issued += billing.bill_due(session, signed.id, on, noon(on))
    return issued


@pytest.fixture
def parc(session: Session, clock) -> Signed:
    """Pro since 1 September, two addresses: September paid, October half paid, November due since yesterday."""
    signed = a_subscription(session, starts_on=date(2026, 9, 1), establishments=2)
    september, october, _november = billed_monthly(session, signed)
    builders.pays(session, september, september.total_cents, "transfer", date(2026, 9, 9))
    builders.pays(session, october, 5000, "transfer", date(2026, 10, 9))
    session.commit()
    return signed


def as_role(client: FlaskClient, session: Session, signed: Signed, role: Role = Role.OWNER, **person) -> None:
    sign_in(client, session, a_user(session, signed.account, role, **person))


def the_list(client: FlaskClient, signed: Signed, **filters: object) -> Page:
    return Page.get(client, f"/abonnements/{signed.id}/factures", **filters)


def the_document(client: FlaskClient, signed: Signed, number: str) -> Page:
    return Page.get(client, f"/abonnements/{signed.id}/factures/{number}")


def numbers(page: Page) -> list[str]:
    return page.texts("#invoice-list tbody th a")


def test_the_list_says_what_each_document_costs_and_where_it_stands(client, session, parc):
    as_role(client, session, parc)
    page = the_list(client, parc)
    assert numbers(page) == ["F2026-00003", "F2026-00002", "F2026-00001"]
    first = page.text("#invoice-list tbody tr:first-child")
    for words in ("Novembre 2026", "103,00 €", "21,63 €", "124,63 €", "En retard de 1 jour", "15 nov. 2026"):
        assert words in first
    assert page.texts("#invoice-list .badge") == ["En retard de 1 jour", "En retard de 32 jours", "Payée"]
    assert "reste 74,63 €" in page.text("#invoice-list tbody tr:nth-child(2)")
    assert page.text("#unpaid h2") == "2 factures échues, 199,26 € TVAC à payer"


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        ("payee", ["F2026-00001"]),
        ("en-retard", ["F2026-00003", "F2026-00002"]),
        ("a-payer", ["F2026-00003", "F2026-00002"]),
        ("note-de-credit", []),
        ("inconnu", ["F2026-00003", "F2026-00002", "F2026-00001"]),
    ],
)
def test_the_list_is_filtered_by_state(client, session, parc, state, shown):
    as_role(client, session, parc)
    assert numbers(the_list(client, parc, statut=state)) == shown


def test_the_filter_works_with_and_without_scripts(client, session, parc):
    as_role(client, session, parc)
    form = the_list(client, parc).form("filters").fill(statut="payee")
    plain, swapped = form.submit(), form.submit(htmx=True)
    assert swapped.ids == ["invoice-list", "exports"]
    assert swapped.piece("invoice-list") == plain.piece("invoice-list")
    assert plain.one("select[name=statut] option[selected]").get("value") == "payee"


def test_a_year_without_documents_is_left_out_of_the_filter(client, session, parc):
    as_role(client, session, parc)
    page = the_list(client, parc, annee="1999")
    assert page.texts("#filters select[name=annee] option") == ["Toutes", "2026"]
    assert len(numbers(page)) == 3


def test_long_lists_have_pages_of_twenty_five(client, session, clock):
    signed = a_subscription(session, starts_on=date(2024, 6, 1))
    billed_monthly(session, signed)
    as_role(client, session, signed)
    page = the_list(client, signed)
    assert len(numbers(page)) == 25
    assert "Factures 1 à 25 sur 30" in page.text(".pagination")
    second = page.follow("Suivante")
    assert len(numbers(second)) == 5
    assert numbers(the_list(client, signed, page="99")) == numbers(second)
    assert len(numbers(the_list(client, signed, annee="2025"))) == 12


def test_the_accountant_reads_the_documents_and_nothing_else(client, session, parc):
    as_role(client, session, parc, Role.ACCOUNTANT)
    page = the_list(client, parc)
    assert page.status == 200
    assert not page.has(f"a[href='/abonnements/{parc.id}']")
    assert page.follow("F2026-00001").status == 200


def test_a_document_says_all_that_an_invoice_must(client, session, parc):
    as_role(client, session, parc)
    invoice = session.scalars(select(Invoice).where(Invoice.number == "F2026-00003")).one()
    page = the_document(client, parc, "F2026-00003")
    assert page.text("h1") == "Facture F2026-00003"
    for words in (
        "CentralApp SA",
        vat_number(str(invoice.seller["vat_number"])).replace("\N{NO-BREAK SPACE}", " "),
        "Brasserie du Parc SRL",
        "BE 0876.543.270",
        "1er novembre 2026",
        "15 novembre 2026",
        "Formule Pro",
        "du 1er au 30 novembre 2026",
    ):
        assert words in page.text("main"), words
    assert page.text("#totals .amount") == "124,63 €"
    assert "TVA 21 % sur 103,00 €" in page.text("#totals")
    shown = page.text("#pay")
    digits = "".join(sign for sign in shown.split("+++")[1] if sign.isdigit())
    assert digits == invoice.ogm
    assert "BE68 5390 0754 7034" in shown


def test_a_prorated_line_shows_how_it_is_worked_out(client, session, parc):
    preview = subscriptions.preview_plan(session, parc.id, "premium", "monthly", TODAY)
    done = subscriptions.change_plan(
        session,
        parc.id,
        "premium",
        "monthly",
        preview.fingerprint,
        TODAY,
        noon(TODAY),
        CLAIRE,
        link="https://x",
    )
    number = done.document.number
    as_role(client, session, parc)
    page = the_document(client, parc, number)
    assert "149,00 € × 15/30" in page.text("main")
    assert "Crédit pour jours non utilisés" in page.text("main")


def test_what_paid_a_document_is_listed(client, session, parc):
    as_role(client, session, parc)
    assert "50,00 €" in the_document(client, parc, "F2026-00002").text("#settled")
    paid = the_document(client, parc, "F2026-00001")
    assert "Virement" in paid.text("#settled") and "9 septembre 2026" in paid.text("#settled")
    assert not paid.has("#pay")


def test_another_account_s_document_does_not_exist(client, session, parc):
    other = a_subscription(session, account=an_account(session, "Ailleurs"), billed_through=TODAY)
    number = session.scalars(select(Invoice.number).where(Invoice.account_id == other.account_id)).first()
    as_role(client, session, parc)
    assert the_document(client, parc, number).status == 404
    assert the_document(client, parc, "F1999-00001").status == 404


def test_a_document_keeps_its_language_whoever_looks(client, session, parc):
    as_role(client, session, parc, language="nl")
    page = the_document(client, parc, "F2026-00003")
    assert page.text("h1") == "Factuur F2026-00003"
    assert "Formule Pro" in page.texts("tbody [lang=fr]")


@pytest.mark.parametrize("language", ["fr", "nl", "en"])
def test_the_pages_are_well_made(client, session, parc, language):
    as_role(client, session, parc, language=language)
    page = the_list(client, parc)
    assert list(problems(page.html)) == []
    for number in numbers(page):
        assert list(problems(the_document(client, parc, number).html)) == []
    assert list(problems(the_list(client, parc, statut="note-de-credit").html)) == []
