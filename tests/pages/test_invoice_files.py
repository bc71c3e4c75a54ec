"""The files of documents over HTTP: the PDF and the XML of one, the archive and the CSV of a period."""

import csv
import hashlib
import io
import zipfile
from datetime import date

import pytest
from lxml import etree
from sqlalchemy import func, select

from tests.builders import a_subscription, a_user, an_account
from tests.pages.test_invoices import as_role, billed_monthly, parc, the_list  # noqa: F401
from tests.support.page import Page
from tests.support.page_linter import problems
from tests.support.signing_in import sign_in
from webapp.domain.access import Role
from webapp.models.documents import InvoiceDocument
from webapp.models.invoices import Invoice
from webapp.services import accounting


def address(signed, name: str) -> str:
    return f"/abonnements/{signed.id}/factures/{name}"


def csv_rows(client, signed, **asked):
    answer = client.get(address(signed, "export.csv"), query_string=asked)
    text = answer.get_data().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";"))


@pytest.mark.parametrize("role", Role)
def test_every_member_takes_the_pdf_and_the_xml_away(client, session, parc, role):  # noqa: F811
    as_role(client, session, parc, role)
    pdf, xml = (client.get(address(parc, f"F2026-00001.{kind}")) for kind in ("pdf", "xml"))
    assert pdf.data.startswith(b"%PDF-") and pdf.content_type == "application/pdf"
    assert "F2026-00001" in etree.fromstring(xml.data).xpath("string(/*/*[local-name()='ID'])")
    for answer, kind in ((pdf, "pdf"), (xml, "xml")):
        assert answer.headers["Content-Disposition"] == f"attachment; filename=F2026-00001.{kind}"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert answer.headers["Cache-Control"] == "no-store"


def test_a_file_is_made_once_and_is_the_same_ever_after(client, session, parc):  # noqa: F811
    as_role(client, session, parc)
    first, again = (client.get(address(parc, "F2026-00002.pdf")).data for _ in range(2))
    kept = session.scalars(select(InvoiceDocument)).one()
    assert first == again and kept.pdf_sha256 == hashlib.sha256(first).hexdigest()


def test_another_tenant_finds_no_file(client, session, parc):  # noqa: F811
    other = a_subscription(session, account=an_account(session, "Chez Rosa"))
    sign_in(client, session, a_user(session, other.account))
    for name in ("F2026-00001.pdf", "F2026-00001.xml"):
        assert client.get(address(other, name)).status_code == 404
    for name in ("F2026-00001.pdf", "export.zip", "export.csv"):
        assert client.get(address(parc, name)).status_code == 404
    assert session.scalar(select(func.count()).select_from(InvoiceDocument)) == 0


def test_the_archive_holds_both_files_of_each_document_of_the_period(client, session, parc):  # noqa: F811
    reference = parc.account.reference
    as_role(client, session, parc, Role.ACCOUNTANT)
    answer = client.get(address(parc, "export.zip"), query_string={"annee": "2026", "mois": "10"})
    assert answer.headers["Content-Disposition"] == f"attachment; filename={reference}-2026-10.zip"
    with zipfile.ZipFile(io.BytesIO(answer.data)) as packed:
        assert packed.testzip() is None
        assert packed.namelist() == ["F2026-00002.pdf", "F2026-00002.xml"]
        assert packed.read("F2026-00002.pdf") == client.get(address(parc, "F2026-00002.pdf")).data
    whole = client.get(address(parc, "export.zip"), query_string={"annee": "2026"})
    assert len(zipfile.ZipFile(io.BytesIO(whole.data)).namelist()) == 6
    empty = client.get(address(parc, "export.zip"), query_string={"annee": "2020"})
    assert zipfile.ZipFile(io.BytesIO(empty.data)).namelist() == []


def test_an_archive_too_long_asks_for_a_shorter_period(client, session, parc, monkeypatch):  # noqa: F811
    as_role(client, session, parc)
    monkeypatch.setattr(accounting, "MOST_FILES", 2)
    page = Page.get(client, address(parc, "export.zip"), annee="2026")
    assert page.status == 422 and "compte 3 documents" in page.text("main")
    assert problems(page.html) == []


@pytest.mark.parametrize("asked", [{"annee": "2026", "mois": "13"}, {"annee": "x"}, {"annee": "99999"}])
def test_a_period_that_no_calendar_has_is_not_found(client, session, parc, asked):  # noqa: F811
    as_role(client, session, parc)
    assert client.get(address(parc, "export.csv"), query_string=asked).status_code == 404


def test_the_csv_has_its_documented_columns_and_adds_up(client, session, parc):  # noqa: F811
    as_role(client, session, parc, Role.ACCOUNTANT)
    answer = client.get(address(parc, "export.csv"))
    assert answer.data.startswith(b"\xef\xbb\xbfnumero;type;date;")
    rows = csv_rows(client, parc, annee="2026")
    assert tuple(rows[0]) == accounting.COLUMNS
    november = rows[-1]
    assert (november["numero"], november["type"], november["date"]) == (
        "F2026-00003",
        "facture",
        "2026-11-01",
    )
    assert (november["base_htva"], november["tva"], november["total_tvac"]) == ("103,00", "21,63", "124,63")
    assert (november["periode_fin"], november["taux_tva"]) == ("2026-11-30", "21")
    assert [row["reste_a_payer"] for row in rows] == ["0,00", "74,63", "124,63"]
    assert csv_rows(client, parc, annee="2026", decimale="point")[0]["base_htva"] == "103.00"
    documented = [line.split("`")[1] for line in _documented() if line.startswith("| ") and "`" in line]
    assert tuple(documented) == accounting.COLUMNS


def _documented() -> list[str]:
    from pathlib import Path

    return (Path(__file__).parents[2] / "docs" / "accountant-csv.md").read_text().splitlines()


def test_no_name_becomes_a_formula(client, session, clock):
    account = an_account(session, legal_name='=HYPERLINK("https://evil.test";"x")', buyer_reference="+32 2")
    signed = a_subscription(
        session, starts_on=date(2026, 10, 1), account=account, billed_through=date(2026, 10, 1)
    )
    as_role(client, session, signed)
    row = csv_rows(client, signed)[0]
    assert row["client"].startswith("'=HYPERLINK") and row["reference_client"] == "'+32 2"
    assert not row["communication"].startswith("+")


def test_the_list_leads_to_each_file_and_to_the_exports(client, session, parc):  # noqa: F811
    as_role(client, session, parc, Role.ACCOUNTANT)
    page = the_list(client, parc)
    files = [link for link in page.all(".row-actions a") if "/payer" not in link.get("href")]
    assert len(files) == 2 * session.scalar(select(func.count()).select_from(Invoice))
    assert page.one("#export button[formaction]").get("formaction").endswith("/export.csv")
    assert problems(page.html) == []
    document = Page.get(client, address(parc, "F2026-00001"))
    assert [link.get("href") for link in document.all(".page-header .actions a")] == [
        address(parc, "F2026-00001.pdf"),
        address(parc, "F2026-00001.xml"),
    ]
