"""Paying now, through the pages: by the provider's page, by transfer, from one invoice to all of them."""

import re
from datetime import date, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from tests import builders
from tests.builders import Signed, a_subscription, a_user, noon
from tests.support.page import Page
from tests.support.page_linter import problems
from tests.support.signing_in import sign_in
from webapp.domain.access import Role
from webapp.domain.money import Money
from webapp.models.accounts import Account
from webapp.models.invoices import CreditBalanceEntry, Invoice, Payment
from webapp.models.payments import CheckoutSession, ProviderEvent, TransferAnnouncement
from webapp.services import standing

START, TODAY = date(2026, 8, 1), date(2026, 11, 20)


@pytest.fixture
def late(session: Session, clock, client: FlaskClient) -> Signed:
    """Four monthly invoices of 59.29 €, none paid, all past due: the account is suspended. Its owner is signed in."""
    signed = a_subscription(session, starts_on=START, billed_through=date(2026, 11, 2))
    clock.set(TODAY)
    standing.review(session, signed.account_id, TODAY, noon(TODAY))
    sign_in(client, session, a_user(session, signed.account))
    session.commit()
    return signed


def seen(session: Session, statement: Select[Any]) -> list[Any]:
    """What the database holds now, without keeping a transaction open: on SQLite it would stop the next request."""
    session.rollback()
    found = list(session.scalars(statement))
    session.rollback()
    return found


def numbers(session: Session) -> list[str]:
    return seen(session, select(Invoice.number).order_by(Invoice.id))


def left(session: Session) -> list[int]:
    return seen(session, select(Invoice.total_cents - Invoice.paid_cents).order_by(Invoice.id))


def the_page(session: Session) -> Any:
    return seen(session, select(CheckoutSession.id))[0]


def count(session: Session, model: type) -> int:
    return int(seen(session, select(func.count()).select_from(model))[0])


def paying_page(client: FlaskClient, signed: Signed, **query: object) -> Page:
    return Page.get(client, f"/abonnements/{signed.id}/payer", **query)


def at_the_provider(client: FlaskClient, page: Page) -> Page:
    """From the button that pays to the provider's page, as a browser follows the header Refresh."""
    leaving = page.form("online").submit()
    assert leaving.text("h1") == "Vers la page de paiement", leaving.text("main")
    target = leaving.headers["Refresh"].removeprefix("0; url=")
    assert leaving.one("#leave a.primary").get("href") == target
    return Page.get(client, target)


def answer(page: Page, button: str) -> Page:
    return page.form("demonstration").submit(button)


def is_suspended(session: Session, signed: Signed) -> bool:
    return seen(session, select(Account.suspended_on).where(Account.id == signed.account_id)) != [None]


def test_everything_past_due_is_paid_at_once_and_the_sites_come_back(client, session, late):
    page = paying_page(client, late)
    due = left(session)
    assert len(page.all("#total dl.lines > div")) == len(due) == 4
    assert "Vos sites sont suspendus" in page.text("#suspended")
    back = answer(at_the_provider(client, page), "Accepter")
    assert "est reçu" in back.text("#outcome-title")
    assert "Vos sites et vos services sont accessibles." in back.text("#outcome")
    assert left(session) == [0] * 4
    assert not is_suspended(session, late)
    assert len(set(seen(session, select(Payment.source)))) == 1
    assert problems(back.html) == []


def test_one_invoice_is_paid_alone(client, session, late):
    second = numbers(session)[1]
    page = paying_page(client, late, facture=second)
    assert page.texts("#transfer h3") == [f"Facture {second}"]
    answer(at_the_provider(client, page), "Accepter")
    assert [cents == 0 for cents in left(session)] == [False, True, False, False]


def test_the_total_follows_the_boxes_with_and_without_scripts(client, session, late):
    form = paying_page(client, late).form("choose").fill(facture=numbers(session)[:2])
    plain, swapped = form.submit(), form.submit(htmx=True)
    assert swapped.ids == ["pay-page"]
    assert swapped.piece("pay-page") == plain.piece("pay-page")
    assert plain.text("#total h2") == "2 factures"


def test_a_refused_card_leaves_everything_as_it_was(client, session, late):
    before = left(session)
    back = answer(at_the_provider(client, paying_page(client, late)), "Refuser")
    assert back.text("#outcome-title") == "Le paiement n’a pas abouti"
    assert "carte refusée par sa banque" in back.text("#outcome")
    assert left(session) == before
    assert is_suspended(session, late)
    assert back.follow("Recommencer").text("#total .amount") == paying_page(client, late).text(
        "#total .amount"
    )


def test_the_banks_check_comes_first_when_it_is_asked_for(client, session, late):
    check = answer(
        at_the_provider(client, paying_page(client, late)),
        "Accepter après la vérification de la banque (3-D Secure)",
    )
    assert "Votre banque demande si c’est bien vous." in check.text("main")
    assert left(session) != [0] * 4
    assert "est reçu" in answer(check, "C’est bien moi").text("#outcome-title")


def test_while_the_bank_is_silent_the_page_asks_again_and_a_second_payment_is_refused(client, session, late):
    provider = at_the_provider(client, paying_page(client, late))
    waiting = answer(provider, "Laisser la banque répondre plus tard")
    assert waiting.text("#outcome-title") == "Votre banque n’a pas encore répondu"
    link = waiting.one("#outcome a[hx-get]")
    assert link.get("hx-trigger") == "load delay:2s, click"
    swapped = Page.get(client, link.get("hx-get"), htmx=True)
    assert swapped.ids == ["outcome"]
    refused = paying_page(client, late).form("online").submit()
    assert refused.status == 409
    assert "déjà en cours" in refused.text("#error-summary")
    answer(provider.reload(), "Accepter")
    assert "est reçu" in waiting.reload().text("#outcome-title")
    assert left(session) == [0] * 4


def test_coming_back_proves_nothing(client, session, late):
    """The return address is opened by hand before anything was paid."""
    at_the_provider(client, paying_page(client, late))
    page_id = the_page(session)
    back = Page.get(
        client, f"/abonnements/{late.id}/payer/{page_id}", status="success", redirect_status="succeeded"
    )
    assert back.text("#outcome-title") == "Nous attendons la confirmation du paiement"
    assert left(session) != [0] * 4


def test_a_payment_whose_notice_is_lost_is_found_by_whoever_comes_back(client, session, late):
    lost = answer(at_the_provider(client, paying_page(client, late)), "Payer, puis fermer sans revenir")
    assert "flask provider-events" in lost.text("main")
    page_id = the_page(session)
    assert left(session) != [0] * 4
    back = Page.get(client, f"/abonnements/{late.id}/payer/{page_id}")
    assert "est reçu" in back.text("#outcome-title")
    assert left(session) == [0] * 4


def test_a_payment_whose_notice_is_lost_is_found_by_the_command(app, client, session, late, clock):
    answer(at_the_provider(client, paying_page(client, late)), "Payer, puis fermer sans revenir")
    clock.set(TODAY + timedelta(days=1))
    result = app.test_cli_runner().invoke(args=["provider-events"])
    assert result.output == "1 handled, 0 failed\n"
    assert left(session) == [0] * 4
    assert not is_suspended(session, late)
    assert app.test_cli_runner().invoke(args=["provider-events"]).output == "0 handled, 0 failed\n"


def test_two_clicks_and_two_tabs_lead_to_one_page_and_one_payment(client, session, late):
    first, second = paying_page(client, late), paying_page(client, late)
    one, other = at_the_provider(client, first), at_the_provider(client, second)
    assert one.address == other.address
    due = sum(left(session))
    answer(one, "Accepter")
    again = answer(other, "Accepter")  # the tab that stayed open, or the back button
    assert "est reçu" in again.text("#outcome-title")
    assert sum_of(session) == due
    assert count(session, CheckoutSession) == 1


def test_another_choice_closes_the_page_that_was_open(client, session, late):
    whole = at_the_provider(client, paying_page(client, late))
    answer(at_the_provider(client, paying_page(client, late, facture=numbers(session)[0])), "Accepter")
    closed = whole.reload()
    assert "Cette page a déjà servi." in closed.text("main")
    assert [cents == 0 for cents in left(session)] == [True, False, False, False]


def test_an_amount_that_moved_since_the_page_was_shown_is_shown_again_before_anything_is_asked(
    client, session, late
):
    page = paying_page(client, late)
    first = session.scalars(select(Invoice).order_by(Invoice.id)).first()
    builders.pays(session, first, 1000, on=TODAY)
    session.commit()
    stale = page.form("online").submit()
    assert stale.status == 409
    assert stale.text("#error-summary h2") == "Les montants ont changé"
    assert count(session, CheckoutSession) == 0
    answer(at_the_provider(client, stale), "Accepter")
    assert left(session) == [0] * 4


def test_money_that_arrives_twice_settles_other_invoices_then_stays_as_credit(client, session, late):
    """The transfer arrives while the provider's page is open."""
    (first, *_others) = seen(session, select(Invoice).order_by(Invoice.id))
    number, cents = numbers(session)[0], left(session)[0]
    rest = sum(left(session)) - cents
    provider = at_the_provider(client, paying_page(client, late, facture=number))
    builders.pays(session, session.merge(first), cents, on=TODAY)
    session.commit()
    answer(provider, "Accepter")
    assert sum(left(session)) == rest - cents
    provider = at_the_provider(client, paying_page(client, late, lot="toutes"))
    for invoice in session.scalars(select(Invoice).where(Invoice.paid_cents < Invoice.total_cents)).all():
        builders.pays(session, invoice, invoice.total_cents - invoice.paid_cents, on=TODAY)
    session.commit()
    answer(provider, "Accepter")
    assert seen(session, select(func.sum(CreditBalanceEntry.amount_cents))) == [rest - cents]
    assert "Votre crédit de" in paying_page(client, late).text("main")


def test_a_transfer_has_its_amount_its_communication_and_a_code_to_scan(client, session, late):
    page = paying_page(client, late)
    cards = page.all("#transfer section.card[id^=transfer-]")
    assert len(cards) == 4
    text = page.text("#transfer")
    for ogm in seen(session, select(Invoice.ogm)):
        assert f"+++{ogm[:3]}/{ogm[3:7]}/{ogm[7:]}+++" in text
    assert text.count("BE68 5390 0754 7034") == 4
    assert len(page.all("#transfer .qr svg")) == 4
    assert (
        page.all("#transfer button[data-copy]")[0].get("data-copy")
        == f"{left(session)[0] // 100},{left(session)[0] % 100:02d}"
    )
    assert "Faites un virement par facture" in text
    assert problems(page.html) == []


def test_a_transfer_that_is_announced_stops_the_clock_and_restores(client, session, late):
    done = paying_page(client, late, lot="echues").form("announce").submit()
    assert "nous attendons vos virements jusqu’au 25 novembre 2026" in done.text("#flashes")
    assert not is_suspended(session, late)
    again = paying_page(client, late)
    assert not again.has("#announce form")
    assert "votre virement est annoncé" in again.text("#announce")


def test_a_transfer_is_announced_twice_at_most(client, session, late, clock):
    number = numbers(session)[0]
    form = paying_page(client, late, facture=number).form("announce")
    form.submit()
    refused = form.submit()
    assert refused.status == 409
    assert "déjà annoncé" in refused.text("#error-summary")

    def later(days: int) -> Page:
        clock.set(TODAY + timedelta(days=days))
        sign_in(client, session, a_user(session, session.get_one(Account, late.account_id)))
        session.commit()
        return form.submit()

    assert later(6).status == 200  # the first one has run out
    refused = later(12)
    assert refused.status == 409
    assert "2 fois" in refused.text("#error-summary")
    assert "déjà été annoncé deux fois" in refused.text("#announce")
    assert count(session, TransferAnnouncement) == 2


@pytest.mark.parametrize("role", [Role.VIEWER, Role.ACCOUNTANT])
def test_who_only_reads_sees_how_to_pay_by_transfer_and_no_button(app, session, late, role):
    reader = sign_in(app.test_client(), session, a_user(session, late.account, role))
    session.commit()
    page = paying_page(reader, late)
    assert not page.has("#online")
    assert not page.has("#announce")
    assert page.has("#transfer .qr")
    assert "Seuls le propriétaire et les administrateurs" in page.text("#total")


def test_nothing_of_another_account_is_paid_or_seen(app, client, session, late):
    other = a_subscription(session, starts_on=START, billed_through=START)
    session.commit()
    (theirs,) = seen(session, select(Invoice.number).where(Invoice.account_id == other.account_id))
    page = paying_page(client, late, facture=theirs)
    assert theirs not in page.text("main")
    form = page.form("online").fill(facture=[theirs])
    assert form.submit().status == 409
    at_the_provider(client, paying_page(client, late))
    page_id = the_page(session)
    stranger = sign_in(app.test_client(), session, a_user(session, other.account))
    session.commit()
    assert stranger.get(f"/abonnements/{other.id}/payer/{page_id}").status_code == 404
    assert stranger.get(f"/abonnements/{other.id}/payer/{page_id}/page").status_code == 404


def test_everything_paid_says_so(client, session, late):
    answer(at_the_provider(client, paying_page(client, late)), "Accepter")
    page = paying_page(client, late)
    assert page.text("#pay-page h2") == "Tout est payé"


# ── Notices ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def paid_unseen(app, client, session, late):
    """Paid at the provider, which has told nobody yet: its reference."""
    answer(at_the_provider(client, paying_page(client, late)), "Payer, puis fermer sans revenir")
    (reference,) = seen(session, select(CheckoutSession.provider_reference))
    return app.extensions["portal_payment_provider"], reference


def test_a_signed_notice_is_kept_raw_answered_and_handled_once(app, session, late, paid_unseen):
    provider, reference = paid_unseen
    body, headers = provider.notice(reference)
    for _ in range(3):
        answered = app.test_client().post("/webhooks/demo", data=body, headers=headers)
        assert (answered.status_code, answered.data) == (200, b"")
        answered.close()  # as a server does once it is sent: only then is it handled
    session.rollback()
    event = session.scalars(select(ProviderEvent)).one()
    assert (event.body, event.attempts) == (body, 1)
    assert event.handled_at is not None
    assert left(session) == [0] * 4


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda body, headers: (body + b" ", headers), 400),
        (lambda body, headers: (body, {}), 400),
        (lambda body, headers: (body, {"Demo-Signature": "0" * 64}), 400),
        (lambda body, headers: (b"x" * 70_000, headers), 413),
    ],
)
def test_what_the_provider_did_not_sign_leaves_nothing(app, session, late, paid_unseen, change, status):
    provider, reference = paid_unseen
    body, headers = change(*provider.notice(reference))
    assert app.test_client().post("/webhooks/demo", data=body, headers=headers).status_code == status
    assert count(session, ProviderEvent) == 0
    assert left(session) != [0] * 4


def test_notices_of_another_provider_are_refused(app):
    assert app.test_client().post("/webhooks/stripe", data=b"{}").status_code == 400


def test_a_notice_may_not_be_sent_by_a_page(app, session, late, paid_unseen):
    provider, reference = paid_unseen
    body, headers = provider.notice(reference)
    foreign = headers | {"Sec-Fetch-Site": "cross-site"}
    assert app.test_client().post("/webhooks/demo", data=body, headers=foreign).status_code == 403


def test_a_refund_reopens_what_was_paid_and_suspends_again(app, client, session, late, paid_unseen):
    provider, reference = paid_unseen
    app.test_cli_runner().invoke(args=["provider-events"])
    notify(app, provider, reference)
    assert not is_suspended(session, late)
    provider.give_back(reference, "litige", Money(sum_of(session)), "chargeback", TODAY)
    notify(app, provider, reference)
    assert all(left(session))
    assert is_suspended(session, late)


def notify(app, provider, reference: str) -> None:
    body, headers = provider.notice(reference)
    app.test_client().post("/webhooks/demo", data=body, headers=headers).close()


def sum_of(session: Session) -> int:
    return int(seen(session, select(func.sum(Payment.amount_cents)))[0] or 0)


def test_the_page_has_one_address_and_no_amount_in_it(client, late):
    page = paying_page(client, late)
    assert re.fullmatch(r"/abonnements/[0-9a-f-]{36}/payer", page.form("online").element.get("action"))
