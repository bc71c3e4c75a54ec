"""A reseller that is billed itself: one document a month, at wholesale prices, for all that its clients use."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tests.builders import CLAIRE, LONG_AGO, a_reseller, a_subscription, an_account, noon
from webapp.adapters.sheet import MARK
from webapp.domain.access import SYSTEM
from webapp.domain.money import Money
from webapp.domain.proration import BilledLine
from webapp.domain.resale import WholesalePrice
from webapp.extensions import db
from webapp.models.invoices import Invoice, InvoiceLine
from webapp.models.records import OutboxAttachment, OutboxMessage
from webapp.models.resellers import ResaleLine, ResellerInvoice
from webapp.services import (
    billing,
    billing_run,
    contracts,
    documents,
    invariants,
    invoice_mails,
    outbox,
    resale,
    reseller_invoices,
    subscriptions,
)
from webapp.services.subscriptions import NewOption

pytestmark = pytest.mark.database

PRICES = [("plan", "pro", 6_000), ("plan", "salle", 5_000), ("option", "emails", 200)]


@pytest.fixture
def reseller(session):
    """HorecaPlus, billed itself, with an account of its own and wholesale prices."""
    found = a_reseller(session)
    found.billed_party, found.invoices_shown = "reseller", "reseller"
    company = an_account(session, "HorecaPlus", vat_number="BE0654321913", enterprise_number="0654321913")
    reseller_invoices.set_account(session, found, company.id, noon(LONG_AGO), SYSTEM)
    wanted = [WholesalePrice(item, ref, "monthly", 1, LONG_AGO, Money(cents)) for item, ref, cents in PRICES]
    resale.publish_prices(session, found, wanted, noon(LONG_AGO), SYSTEM)
    return found


@pytest.fixture
def bill(app, session):
    @contextmanager
    def opened() -> Iterator[Session]:
        with app.app_context():
            engine = db.engine
        with Session(engine) as inner, inner.begin():
            yield inner

    def billed(on: date, **more: object) -> billing_run.Report:
        session.commit()
        report = billing_run.run(opened, on, lambda: noon(on), **more)
        session.expire_all()
        return report

    return billed


def documents_of(session: Session) -> list[Invoice]:
    return list(session.scalars(select(Invoice).order_by(Invoice.id)))


def test_two_clients_of_a_month_make_one_document_at_wholesale_prices(session, reseller, bill):
    emails = [NewOption("emails", quantity=3)]
    first = a_subscription(session, options=emails, starts_on=date(2026, 3, 1), reseller=reseller)
    second = a_subscription(session, "salle", starts_on=date(2026, 3, 12), reseller=reseller)
    direct = a_subscription(session, starts_on=date(2026, 3, 1))
    for day in (1, 12):
        bill(date(2026, 3, day))
    [own] = documents_of(session)
    assert own.account_id == direct.account_id  # nothing was issued to the clients, nor yet to the reseller

    bill(date(2026, 4, 1))
    bill(date(2026, 4, 1))
    mine = [
        each
        for each in documents_of(session)
        if each.account_id == reseller_invoices.account_of(session, reseller.id)
    ]
    [invoice] = mine
    assert (invoice.net_cents, invoice.vat_cents) == (6_000 + 600 + 5_000, 2_436)
    assert [(line.description, line.net_cents) for line in invoice.lines] == [
        (f"Brasserie du Parc ({first.account.reference})\xa0: Formule Pro", 6_000),
        (f"Brasserie du Parc ({first.account.reference})\xa0: E-mails professionnels", 600),
        (f"Brasserie du Parc ({second.account.reference})\xa0: Formule Salle", 5_000),
    ]
    assert invariants.broken(session) == []
    assert documents.stored(session, invoice, noon(date(2026, 4, 1))).pdf.startswith(b"%PDF")


def test_each_month_has_one_document_whenever_the_run_is_started_again(session, reseller, bill):
    signed = a_subscription(session, starts_on=date(2026, 3, 1), reseller=reseller)
    for day in (date(2026, 3, 1), date(2026, 4, 1), date(2026, 4, 2), date(2026, 5, 1), date(2026, 5, 1)):
        bill(day)
    months = session.scalars(select(ResellerInvoice.month).order_by(ResellerInvoice.month)).all()
    assert months == [date(2026, 3, 1), date(2026, 4, 1)]
    recorded = session.execute(
        select(ResaleLine.run_on, func.count())
        .where(ResaleLine.subscription_id == signed.id)
        .group_by(ResaleLine.run_on)
    )
    assert sorted(map(tuple, recorded)) == [(date(2026, month, 1), 1) for month in (3, 4, 5)]
    assert len({each.number for each in documents_of(session)}) == 2


def test_a_run_killed_before_it_keeps_the_document_bills_it_the_next_time(session, reseller, bill):
    a_subscription(session, starts_on=date(2026, 3, 1), billed_through=date(2026, 3, 1), reseller=reseller)

    def stop(point: str) -> None:
        if point == "before_commit" and killed.append(point) is None and len(killed) == 2:
            raise KeyboardInterrupt  # the first page is kept, the reseller's document is not

    killed: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        bill(date(2026, 4, 1), reached=stop)
    session.expire_all()
    assert documents_of(session) == []
    bill(date(2026, 4, 1))
    [invoice] = documents_of(session)
    assert invoice.number == "F2026-00001"
    assert invoice.net_cents == 6_000


def test_the_database_refuses_a_period_recorded_twice(session, reseller):
    signed = a_subscription(session, billed_through=date(2026, 3, 1), reseller=reseller)
    [line] = session.scalars(select(ResaleLine).where(ResaleLine.subscription_id == signed.id))
    values = {column.name: getattr(line, column.name) for column in ResaleLine.__table__.c}
    values.pop("id")
    session.add(ResaleLine(**values))
    with pytest.raises(IntegrityError):
        session.flush()


def billed_lines(session, signed) -> list[BilledLine]:
    return contracts.billed_lines(session, signed.id, date(2026, 3, 16), since=date(2026, 3, 1))


def test_a_change_of_plan_gives_back_and_charges_both_sides_by_the_same_days(session, reseller):
    signed = a_subscription(session, "salle", billed_through=date(2026, 3, 1), reseller=reseller)
    day = date(2026, 3, 17)  # fifteen days of thirty-one are left
    reseller.allowed_actions = ["options", "change_plan"]
    shown = subscriptions.preview_plan(session, signed.id, "pro", "monthly", day)
    done = subscriptions.change_plan(
        session,
        signed.id,
        "pro",
        "monthly",
        shown.fingerprint,
        day,
        noon(day),
        CLAIRE,
        "https://exemple.example",
    )
    assert done.document is None
    rows = session.scalars(
        select(ResaleLine).where(ResaleLine.charged_on == day).order_by(ResaleLine.position)
    ).all()
    assert sum(row.net_cents for row in rows) == shown.change.due_now.net.cents
    # 69 and 89 € at the client's tariffs, 50 and 60 € wholesale, for 15/31 of the month
    assert {row.ref: (row.net_cents, row.wholesale_cents) for row in rows} == {
        "salle": (-3_339, -2_419),
        "pro": (4_306, 2_903),
    }
    assert [(line.key.ref, line.left) for line in billed_lines(session, signed)] == [
        ("salle", Money(3_561)),
        ("pro", Money(4_306)),
    ]
    assert session.scalar(select(func.count()).select_from(Invoice)) == 0


def test_what_is_given_back_after_the_month_names_the_document_that_charged_it(session, reseller, bill):
    signed = a_subscription(session, "salle", starts_on=date(2026, 3, 12), reseller=reseller)
    bill(date(2026, 3, 12))
    bill(date(2026, 4, 1))
    [march] = documents_of(session)
    reseller.allowed_actions = ["change_plan"]
    day = date(2026, 4, 2)
    shown = subscriptions.preview_plan(session, signed.id, "pro", "monthly", day)
    subscriptions.change_plan(
        session,
        signed.id,
        "pro",
        "monthly",
        shown.fingerprint,
        day,
        noon(day),
        CLAIRE,
        "https://exemple.example",
    )
    bill(date(2026, 4, 12))
    bill(date(2026, 5, 1))
    _march, april = documents_of(session)
    back = next(line for line in april.lines if line.net_cents < 0)
    assert session.get_one(InvoiceLine, back.root_id).invoice_id == march.id
    assert invariants.broken(session) == []


def test_a_client_whose_reseller_begins_to_be_billed_is_given_back_by_its_own_document(session, reseller):
    reseller.billed_party = "client"
    signed = a_subscription(session, "salle", billed_through=date(2026, 3, 1), reseller=reseller)
    [invoice] = documents_of(session)
    reseller.billed_party, reseller.allowed_actions = "reseller", ["change_plan"]
    day = date(2026, 3, 17)
    shown = subscriptions.preview_plan(session, signed.id, "pro", "monthly", day)
    done = subscriptions.change_plan(
        session,
        signed.id,
        "pro",
        "monthly",
        shown.fingerprint,
        day,
        noon(day),
        CLAIRE,
        "https://exemple.example",
    )
    assert done.document.kind == "credit_note"
    assert [(line.net_cents, line.root_id) for line in done.document.lines] == [(-3_339, invoice.lines[0].id)]
    [charged] = session.scalars(select(ResaleLine))
    assert (charged.ref, charged.net_cents, charged.wholesale_cents) == ("pro", 4_306, 2_903)


def test_a_reseller_without_an_account_waits_and_the_others_are_billed(session, reseller, bill, caplog):
    other = a_reseller(session, "ailleurs")
    session.execute(ResaleLine.__table__.delete())
    signed = a_subscription(session, billed_through=date(2026, 3, 1), reseller=reseller)
    line = session.scalars(select(ResaleLine).where(ResaleLine.subscription_id == signed.id)).one()
    values = {column.name: getattr(line, column.name) for column in ResaleLine.__table__.c}
    session.add(
        ResaleLine(**values | {"id": None, "run_kind": None, "run_on": None, "reseller_id": other.id})
    )
    report = bill(date(2026, 4, 1))
    assert report.documents == 1
    assert "ailleurs" in caplog.text
    assert len(documents_of(session)) == 1


def test_the_document_says_whose_each_establishment_is(session, reseller, bill):
    account = an_account(session, "Chez Marcel", reseller=reseller)
    a_subscription(
        session, establishments=2, billed_through=date(2026, 3, 1), reseller=reseller, account=account
    )
    bill(date(2026, 4, 1))
    [invoice] = documents_of(session)
    assert [place["name"] for place in invoice.places.values()] == ["Chez Marcel, Adresse 2"]
    placed = [line.place.name for line in documents.document_of(session, invoice).lines if line.place]
    assert placed == ["Chez Marcel, Adresse 2"]


def test_the_csv_says_each_line_with_the_clients_own_amounts(session, reseller, bill):
    signed = a_subscription(session, billed_through=date(2026, 3, 1), reseller=reseller)
    bill(date(2026, 4, 1))
    [invoice] = documents_of(session)
    header, row = "".join(reseller_invoices.csv_of(session, invoice)).removeprefix(MARK).splitlines()
    assert header.split(";") == list(reseller_invoices.COLUMNS)
    found = dict(zip(header.split(";"), row.split(";"), strict=True))
    assert (found["document"], found["client"]) == (invoice.number, signed.account.reference)
    assert (found["wholesale_net"], found["client_net"]) == ("60,00", "89,00")
    assert (found["period_start"], found["period_end"], found["days"]) == ("2026-03-01", "2026-04-01", "31")


def test_its_document_is_mailed_with_its_pdf_and_its_csv(session, reseller, bill):
    a_subscription(session, billed_through=date(2026, 3, 1), reseller=reseller)
    bill(date(2026, 4, 1))
    [invoice] = documents_of(session)
    assert invoice_mails.mail(session, invoice.id, noon(date(2026, 4, 1))) == 1
    sent = session.scalars(select(OutboxMessage).where(OutboxMessage.template == "invoice_issued")).one()
    files = session.scalars(select(OutboxAttachment).where(OutboxAttachment.message_id == sent.id))
    assert sorted(each.filename for each in files) == [f"{invoice.number}.csv", f"{invoice.number}.pdf"]
    assert (sent.account_id, sent.reply_to) == (invoice.account_id, None)


def test_a_mail_to_a_client_is_in_the_name_of_its_reseller(session, reseller):
    signed = a_subscription(session, reseller=reseller)
    mail = outbox.queue(
        session,
        "termination_cancelled",
        recipient="claire@exemple.example",
        language="fr",
        account_id=signed.account_id,
        now=noon(LONG_AGO),
        full_name="Claire",
        account="Chez Marcel",
        plan="Salle",
        renews_on=None,
        last_notice_day=None,
        is_late=False,
        link="https://exemple.example",
    )
    assert mail.reply_to == "aide@horecaplus.example"
    assert mail.text_body.rstrip().endswith("HorecaPlus")
    assert "CentralApp" not in mail.text_body + mail.html_body


def test_a_wholesale_price_is_added_once_and_never_overwritten(session, reseller):
    again = [WholesalePrice("plan", "pro", "monthly", 1, LONG_AGO, Money(1))]
    assert resale.publish_prices(session, reseller, again, noon(LONG_AGO), SYSTEM) == 0
    later = [WholesalePrice("plan", "pro", "monthly", 1, date(2026, 6, 1), Money(5_500))]
    assert resale.publish_prices(session, reseller, later, noon(LONG_AGO), SYSTEM) == 1
    assert sorted(price.amount.cents for price in resale.prices_of(session, reseller.id)) == [
        200, 5_000, 5_500, 6_000,
    ]  # fmt: skip


def test_a_client_that_is_not_a_customer_needs_no_details_to_invoice(session, reseller, bill):
    account = an_account(session, reseller=reseller, street="", city="")
    a_subscription(session, account=account, reseller=reseller, starts_on=date(2026, 3, 1))
    assert bill(date(2026, 3, 1)).failed == 0
    assert billing.subscriptions_due(session, date(2026, 3, 1)) == []
