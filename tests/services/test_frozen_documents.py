"""What a document shows is what was true the day it was issued, whenever its files are made."""

import io
from contextlib import contextmanager
from datetime import date

import pypdf
import pytest
from alembic import command
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import Session

from tests.builders import a_subscription, an_account, noon
from tests.support.database import alembic_config, create_schema
from webapp import create_app
from webapp.config import Settings
from webapp.extensions import db
from webapp.models.accounts import BillingDetails
from webapp.models.invoices import Invoice, Issuer
from webapp.models.subscriptions import Establishment
from webapp.services import billing, billing_run, documents
from webapp.services.subscriptions import NewOption

NOVEMBER = date(2026, 11, 1)
SECOND = {
    "name": "Adresse 2",
    "street": "Rue Haute 2",
    "postcode": "1000",
    "city": "Bruxelles",
    "number": None,
}


def by_the_run(session: Session, _signed) -> None:
    session.commit()
    engine = session.get_bind()

    @contextmanager
    def transaction():
        with Session(engine) as own, own.begin():
            yield own

    report = billing_run.run(transaction, NOVEMBER, lambda: noon(NOVEMBER))
    assert (report.documents, report.failed) == (1, 0)


def one_by_one(session: Session, signed) -> None:
    billing.bill_due(session, signed.id, NOVEMBER, noon(NOVEMBER))


BILLING = pytest.mark.parametrize("bill", [by_the_run, one_by_one])


def said(pdf: bytes) -> str:
    return " ".join(pypdf.PdfReader(io.BytesIO(pdf)).pages[0].extract_text().split())


@BILLING
def test_establishments_and_parties_stay_as_they_were_called(session, clock, bill):
    signed = a_subscription(session, starts_on=NOVEMBER, establishments=2)
    bill(session, signed)
    invoice = session.scalars(select(Invoice)).one()
    second = session.scalars(select(Establishment).where(Establishment.position == 2)).one()
    assert invoice.places == {second.id.hex: SECOND}
    second.name, second.street, second.number = "Le Nouveau Nom", "Rue Neuve 1", "2.123.456.718"
    session.get_one(BillingDetails, signed.account_id).legal_name = "Autre SRL"
    session.scalars(select(Issuer)).one().phone = "+32 2 999 99 99"
    session.flush()
    pdf, xml = documents.make(documents.document_of(session, invoice))
    assert "Adresse 2 Rue Haute 2, 1000 Bruxelles" in said(pdf)
    for later in ("Le Nouveau Nom", "Rue Neuve", "2.123.456.718", "Autre SRL", "999 99 99"):
        assert later not in said(pdf) and later not in xml.decode()


@BILLING
@pytest.mark.parametrize(
    ("language", "details", "code", "mention"),
    [
        ("fr", {"country": "LU", "vat_number": "LU26375245", "enterprise_number": None, "vat_treatment": "reverse_charge"},
         "VATEX-EU-AE", "Autoliquidation"),
        ("nl", {"country": "LU", "vat_number": "LU26375245", "enterprise_number": None, "vat_treatment": "reverse_charge"},
         "VATEX-EU-AE", "Btw verlegd"),
        ("fr", {"vat_treatment": "franchise"}, "", "Régime particulier de la franchise de taxe."),
        ("nl", {"vat_treatment": "exempt"}, "VATEX-EU-151", "Vrijgesteld van btw: artikel 42, § 3"),
    ],
)  # fmt: skip
def test_why_no_vat_is_charged_stays_as_it_was_said(
    session, clock, monkeypatch, bill, language, details, code, mention
):
    signed = a_subscription(
        session, starts_on=NOVEMBER, account=an_account(session, language=language, **details)
    )
    bill(session, signed)
    invoice = session.scalars(select(Invoice)).one()
    [group] = invoice.vat_breakdown
    assert group["exemption_code"] == code and group["exemption"].startswith(mention)
    monkeypatch.setattr(documents, "EXEMPTIONS", {})
    [shown] = documents.document_of(session, invoice).groups
    assert (shown.exemption_code, shown.exemption) == (code, group["exemption"])


def test_a_rate_that_is_charged_has_no_mention(session):
    a_subscription(session, starts_on=NOVEMBER, billed_through=NOVEMBER)
    assert session.scalars(select(Invoice.vat_breakdown)).one() == [
        {"category": "S", "rate": "21", "base_cents": 7900, "vat_cents": 1659}
    ]


def test_documents_issued_before_take_the_present_names(tmp_path):
    """The migration, down and up again, over a real invoice."""
    url = f"sqlite:///{tmp_path / 'portal.sqlite3'}"
    app = create_app(Settings(instance=tmp_path, database_url=url, secret_key="x" * 40))
    create_schema(app)
    with app.app_context():
        with Session(db.engine) as session, session.begin():
            abroad = an_account(
                session, country="LU", vat_number="LU26375245", enterprise_number=None, vat_treatment="reverse_charge"
            )  # fmt: skip
            a_subscription(
                session, starts_on=NOVEMBER, establishments=2, account=abroad,
                options=[NewOption("emails", 4)], billed_through=NOVEMBER,
            )  # fmt: skip
        frozen = _frozen(url)
        command.downgrade(alembic_config(app), "c1a645e24b5c")
        with create_engine(url).begin() as connection:
            connection.execute(text("UPDATE establishments SET name = 'Renommée' WHERE position = 2"))
            connection.execute(
                text("UPDATE invoices SET vat_breakdown = json_remove(vat_breakdown, '$[0].exemption', '$[0].exemption_code')")
            )  # fmt: skip
        command.upgrade(alembic_config(app), "head")
    places, breakdown = _frozen(url)
    assert list(places) == list(frozen[0])
    assert list(places.values()) == [SECOND | {"name": "Renommée"}]
    assert breakdown == frozen[1] and breakdown[0]["exemption"].startswith("Autoliquidation")


def _frozen(url: str):
    engine = create_engine(url)
    with Session(engine) as session:
        found = session.execute(select(Invoice.places, Invoice.vat_breakdown)).one()
    engine.dispose()
    return found
