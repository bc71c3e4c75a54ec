"""Lives of late payers, told in dates, through the commands and the pages (D4, D5)."""

import re
from datetime import date

import pytest
from sqlalchemy import select

from tests import builders
from tests.support.page import Page
from tests.support.page_linter import problems
from tests.support.signing_in import sign_in
from webapp.domain.access import Role
from webapp.models.accounts import Account
from webapp.models.events import Event
from webapp.models.records import OutboxMessage
from webapp.services import invoicing

STARTS = date(2026, 6, 1)


@pytest.fixture
def told(app, session, clock):
    """Runs the day's commands as a timer would: what is due is billed, on the 1st of each month, then reminded."""
    builders.ladders(session)
    billed = []

    def day(on: date) -> str:
        session.rollback()  # SQLite has one writer: the commands' turn
        runner = app.test_cli_runner()
        for month in range(STARTS.month, on.month + 1):
            if month not in billed:
                clock.set(date(on.year, month, 1))
                assert runner.invoke(args=["bill"]).exit_code == 0
                billed.append(month)
        clock.set(on)
        answer = runner.invoke(args=["remind"])
        assert answer.exit_code == 0, answer.output
        return answer.output.replace("\xa0", " ").splitlines()[-1]

    return day


def a_client(session, name, kind="business", reseller=None):
    account = builders.an_account(session, name, reseller=reseller)
    account.kind = kind
    signed = builders.a_subscription(session, account=account, starts_on=STARTS, reseller=reseller)
    owner = builders.a_user(session, account, email=f"{signed.id.hex[:8]}@parc.example")
    session.commit()
    return signed, owner


def subjects(session, owner):
    found = session.scalars(
        select(OutboxMessage.subject).where(OutboxMessage.recipient == owner.email).order_by(OutboxMessage.id)
    ).all()
    session.rollback()
    return [re.sub(r"[\xa0\u202f]", " ", each) for each in found]


def suspended_on(session, signed):
    found = session.scalar(select(Account.suspended_on).where(Account.id == signed.account_id))
    session.rollback()
    return found


def test_three_unpaid_suspend_and_one_payment_restores(client, session, told, clock):
    signed, owner = a_client(session, "Brasserie du Parc")
    day = told
    # June, July and August are billed on the 1st and due on the 15th; nothing is paid.
    assert "0 envoyés" in day(date(2026, 6, 15))
    assert "1 envoyés" in day(date(2026, 6, 18))
    assert "1 envoyés" in day(date(2026, 6, 25))
    assert "1 envoyés" in day(date(2026, 7, 6))
    day(date(2026, 7, 16))
    assert suspended_on(session, signed) is None
    sign_in(client, session, owner)
    page = Page.get(client, f"/abonnements/{signed.id}")
    assert "2 factures échues, 191,18 € TVAC" in page.text("#unpaid")
    assert "Ce serait le 16 août 2026" in page.text("#unpaid") and problems(page.html) == []
    assert "0 comptes suspendus" in day(date(2026, 8, 15))
    assert "1 comptes suspendus" in day(date(2026, 8, 16))
    assert suspended_on(session, signed) == date(2026, 8, 16)
    assert "0 comptes suspendus" in day(date(2026, 8, 17))
    sign_in(client, session, owner)
    page = Page.get(client, f"/abonnements/{signed.id}/factures")
    assert "payez 95,59 € TVAC pour les rétablir" in page.text("#unpaid")
    # One of them is paid on the 20th: the sites are back in that very transaction.
    oldest = invoicing.open_invoices(session, signed.account_id)[0]
    clock.set(date(2026, 8, 20))
    builders.pays(session, oldest, oldest.total_cents, on=date(2026, 8, 20))
    session.commit()
    assert suspended_on(session, signed) is None
    sign_in(client, session, owner)
    assert not Page.get(client, f"/abonnements/{signed.id}/options").has("#suspended")
    # The ladder begins again from the payment; September's invoice, due on the 15th, suspends again on the 16th.
    assert "0 envoyés" in day(date(2026, 8, 22))
    assert "1 envoyés" in day(date(2026, 8, 23))
    assert "1 comptes suspendus" in day(date(2026, 9, 16))
    assert subjects(session, owner) == [
        "Rappel : 95,59 € à payer",
        "Deuxième rappel : 95,59 € à payer",
        "Dernier rappel : 95,59 € à payer",
        "Vos sites sont suspendus",
        "Vos sites sont rétablis",
        "Rappel : 191,18 € à payer",
        "Vos sites sont suspendus",
    ]
    turns = session.scalars(select(Event.kind).where(Event.kind.like("account.%")).order_by(Event.id)).all()
    assert turns == ["account.suspended", "account.restored", "account.suspended"]


def test_a_consumer_is_reminded_free_of_charge_then_left_two_weeks(client, session, told):
    signed, owner = a_client(session, "Julie Petit", kind="consumer")
    day = told
    assert "0 envoyés" in day(date(2026, 6, 19))
    assert "1 envoyés" in day(date(2026, 6, 20))
    for quiet in (date(2026, 6, 27), date(2026, 7, 4)):
        assert "0 envoyés" in day(quiet)
    assert "1 envoyés" in day(date(2026, 7, 5))
    assert subjects(session, owner) == [
        "Premier rappel, sans frais : 95,59 € à payer",
        "Deuxième rappel : 95,59 € à payer",
    ]
    sign_in(client, session, owner)
    page = Page.get(client, f"/abonnements/{signed.id}/historique/messages").follow(
        "Premier rappel, sans frais : 95,59 € à payer"
    )
    text = page.text("#message")
    assert "Payez 95,59 € au plus tard le 4 juillet 2026" in text and "numéro d’entreprise 0765432146" in text


def test_a_resellers_client_has_its_ladder_its_threshold_and_its_contact(client, session, told):
    reseller = builders.a_reseller(session)
    signed, owner = a_client(session, "Chez Lambert", reseller=reseller)
    day = told
    assert "0 envoyés" in day(date(2026, 6, 18))
    assert "1 envoyés" in day(date(2026, 6, 22))
    mail = session.scalars(
        select(OutboxMessage.text_body).where(OutboxMessage.recipient == owner.email)
    ).one()
    assert "HorecaPlus : aide@horecaplus.example" in mail.replace("\xa0", " ")
    day(date(2026, 7, 16))
    day(date(2026, 8, 16))
    assert suspended_on(session, signed) is None
    sign_in(client, session, owner)
    assert len(Page.get(client, f"/abonnements/{signed.id}/factures").all("#unpaid .gauge i")) == 4
    assert "1 comptes suspendus" in day(date(2026, 9, 16))
    assert suspended_on(session, signed) == date(2026, 9, 16)


def test_an_announced_transfer_stops_the_clock_the_time_that_the_bank_takes(client, session, told, clock):
    signed, _owner = a_client(session, "Brasserie du Parc")
    day = told
    day(date(2026, 8, 1))
    clock.set(date(2026, 8, 15))
    sign_in(client, session, builders.a_user(session, signed.account, Role.ADMINISTRATOR))
    oldest = invoicing.open_invoices(session, signed.account_id)[0].number
    session.rollback()
    page = Page.get(client, f"/abonnements/{signed.id}/payer", facture=oldest)
    done = page.form(action="/payer/virement").submit()
    assert done.status == 200, done.text()
    for quiet in (date(2026, 8, 16), date(2026, 8, 20)):
        assert "0 comptes suspendus" in day(quiet)
    assert suspended_on(session, signed) is None
    assert "1 comptes suspendus" in day(date(2026, 8, 21))
