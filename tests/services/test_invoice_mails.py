"""New documents by mail: once each, to who is meant to have them, with the PDF."""

from datetime import date

from sqlalchemy import select

from tests.builders import a_subscription, an_account, noon
from webapp.models.accounts import BillingDetails
from webapp.models.invoices import Invoice
from webapp.models.records import OutboxAttachment, OutboxMessage
from webapp.services import documents, invoice_mails

TODAY = date(2026, 11, 16)


def test_a_new_document_leaves_once_for_every_address_with_its_pdf(session):
    account = an_account(
        session, invoice_email="compta@parc.example", accountant_email="anne@verlinden.example"
    )
    session.get_one(BillingDetails, account.id).other_invoice_emails = [
        "gerant@parc.example",
        "compta@parc.example",
    ]
    a_subscription(session, starts_on=date(2026, 11, 10), account=account, billed_through=date(2026, 11, 10))
    invoice = session.scalars(select(Invoice)).one()
    assert invoice_mails.waiting(session, TODAY) == [invoice.id]
    assert invoice_mails.mail(session, invoice.id, noon(TODAY)) == 3
    messages = list(session.scalars(select(OutboxMessage).order_by(OutboxMessage.id)))
    assert [each.recipient for each in messages] == [
        "compta@parc.example",
        "gerant@parc.example",
        "anne@verlinden.example",
    ]
    assert messages[0].subject == f"Facture {invoice.number}, Brasserie du Parc"
    kept = list(session.scalars(select(OutboxAttachment.content).order_by(OutboxAttachment.id)))
    assert kept == [documents.pdf_of(session, invoice, noon(TODAY))] * 3
    assert invoice_mails.mail(session, invoice.id, noon(TODAY)) == 0
    assert invoice_mails.waiting(session, TODAY) == []


def test_an_old_document_is_history_and_is_not_mailed(session):
    a_subscription(session, starts_on=date(2026, 10, 1), billed_through=date(2026, 10, 1))
    assert invoice_mails.waiting(session, TODAY) == []


def test_the_command_sends_what_waits_and_then_nothing(app, session, clock):
    a_subscription(session, starts_on=date(2026, 11, 10), billed_through=date(2026, 11, 10))
    session.commit()
    runner = app.test_cli_runner()
    assert runner.invoke(args=["send-invoices"]).output == "1 mails written, 0 documents failed\n"
    assert runner.invoke(args=["send-invoices"]).output == "0 mails written, 0 documents failed\n"
