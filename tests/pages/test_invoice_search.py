"""Factures: what people have at hand finds the document, and the exports take what was found."""

import csv
import io
import zipfile
from datetime import date

import pytest
from sqlalchemy import select

from tests.builders import a_subscription, an_account
from tests.pages.test_invoices import as_role, billed_monthly, numbers, parc, the_list  # noqa: F401
from tests.support.page import Page
from tests.support.page_linter import problems
from webapp.domain.access import Role
from webapp.models.invoices import Invoice
from webapp.models.subscriptions import Establishment

ALL = ["F2026-00003", "F2026-00002", "F2026-00001"]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("F2026-00002", ["F2026-00002"]),
        ("2026-00002", ["F2026-00002"]),
        ("f2026", ALL),
        ("124,63", ALL),
        ("124.63 €", ALL),
        ("103", ALL),
        ("103,01", []),
        ("adresse 2", ALL),
        ("ADRESSE  2", ALL),
        ("100%", []),
        ("_", []),
        ("rien de tel", []),
    ],
)
def test_a_number_an_amount_or_an_establishment_finds_its_documents(client, session, parc, typed, found):  # noqa: F811
    as_role(client, session, parc)
    page = the_list(client, parc, q=typed)
    assert numbers(page) == found and problems(page.html) == []
    assert page.one("#q").get("value") == " ".join(typed.split())


def test_a_communication_finds_its_document_however_it_is_written(client, session, parc):  # noqa: F811
    ogm = session.scalars(select(Invoice.ogm).where(Invoice.number == "F2026-00002")).one()
    as_role(client, session, parc)
    for typed in (f"+++{ogm[:3]}/{ogm[3:7]}/{ogm[7:]}+++", ogm, f"{ogm[:3]} {ogm[3:7]} {ogm[7:]}", ogm[4:]):
        assert numbers(the_list(client, parc, q=typed)) == ["F2026-00002"], typed


def test_a_credit_note_is_found_by_its_amount_and_an_accent_is_no_obstacle(client, session, parc):  # noqa: F811
    place = session.scalars(select(Establishment).where(Establishment.name == "Adresse 2")).one()
    place.name = "L’Évêché"
    session.commit()
    as_role(client, session, parc)
    assert numbers(the_list(client, parc, q="eveche")) == ALL, "by the name of today"
    assert numbers(the_list(client, parc, q="adresse 2")) == ALL, "and by the one on the document"


def test_the_search_goes_with_the_filters_and_stays_in_the_address(client, session, parc):  # noqa: F811
    as_role(client, session, parc)
    form = the_list(client, parc).form("filters").fill(q="124,63", statut="payee")
    plain, swapped = form.submit(), form.submit(htmx=True)
    assert numbers(plain) == ["F2026-00001"]
    assert swapped.ids == ["invoice-list", "exports"]
    assert swapped.piece("invoice-list") == plain.piece("invoice-list")
    assert "q=124,63" in plain.address and "statut=payee" in plain.address


def test_pages_keep_the_search(client, session, clock):
    signed = a_subscription(session, starts_on=date(2024, 6, 1))
    billed_monthly(session, signed)
    as_role(client, session, signed)
    page = the_list(client, signed, q="79")
    assert "Factures 1 à 25 sur 30" in page.text(".pagination")
    second = page.follow("Suivante")
    assert len(numbers(second)) == 5 and second.one("#q").get("value") == "79"


def test_the_exports_take_what_was_found(client, session, parc):  # noqa: F811
    as_role(client, session, parc, Role.ACCOUNTANT)
    page = the_list(client, parc, q="124,63", statut="en-retard")
    assert "Seuls les documents trouvés" in page.text("#exports")
    form = page.form("export")
    packed = client.get(form.element.get("action"), query_string=dict(form._fields()))
    names = zipfile.ZipFile(io.BytesIO(packed.data)).namelist()
    assert names == ["F2026-00002.pdf", "F2026-00002.xml", "F2026-00003.pdf", "F2026-00003.xml"]
    answer = client.get(f"/abonnements/{parc.id}/factures/export.csv", query_string={"q": "F2026-00002"})
    rows = list(csv.DictReader(io.StringIO(answer.get_data().decode("utf-8-sig"), newline=""), delimiter=";"))
    assert [row["numero"] for row in rows] == ["F2026-00002"]


def test_nobody_finds_what_is_not_theirs(client, session, parc):  # noqa: F811
    a_subscription(
        session,
        account=an_account(session, "Chez Rosa"),
        starts_on=date(2026, 11, 1),
        billed_through=date(2026, 11, 1),
    )
    as_role(client, session, parc)
    assert numbers(the_list(client, parc, q="F2026-00004")) == []
    assert numbers(the_list(client, parc, q="79")) == []


def test_a_search_costs_one_statement_more_whatever_it_finds(client, session, parc, statements):  # noqa: F811
    as_role(client, session, parc)
    the_list(client, parc)
    statements.clear()
    the_list(client, parc)
    without = len(statements)
    statements.clear()
    the_list(client, parc, q="adresse 2")
    assert len(statements) == without + 1


@pytest.mark.parametrize("language", ["nl", "en"])
def test_the_field_is_in_the_readers_language(client, session, parc, language):  # noqa: F811
    as_role(client, session, parc, language=language)
    page = the_list(client, parc, q="rien")
    assert "Numéro" not in page.one("#q").get("placeholder") and problems(page.html) == []
    assert isinstance(page, Page)
