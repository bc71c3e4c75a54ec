"""The mails of direct debits and of payments made online, word for word, in each language: tests/snapshots/mails."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tests.builders import CLAIRE, a_subscription, a_user, an_account, noon
from tests.services.test_mail_texts import seen
from tests.support.banking import LINKS, a_mandate
from tests.support.snapshots import agrees
from webapp.adapters.demo_provider import DemoProvider
from webapp.adapters.payment_provider import Way
from webapp.domain.access import Role
from webapp.domain.money import Money
from webapp.models.accounts import Account
from webapp.models.invoices import Invoice
from webapp.models.payments import CheckoutSession, Collection
from webapp.models.records import OutboxMessage
from webapp.services import billing, checkout, collections, debit_batches, invoicing, payments, standing
from webapp.services.payments import Receipt

STARTS, TODAY = date(2026, 1, 1), date(2026, 5, 4)  # a Monday
WAY = Way("http://localhost/back", "http://localhost/back", "http://localhost/webhooks/demo")


def the_invoices(session: Session) -> list[Invoice]:
    return list(session.scalars(select(Invoice).order_by(Invoice.id)))


def sent(session: Session, account: Account) -> Collection:
    mandate = a_mandate(session, account, reference="CAPP000418")
    collection = collections.plan(session, the_invoices(session)[0], mandate.method, TODAY, noon(TODAY))
    assert collection is not None
    collection.state, collection.sequence = "sent", "FRST"
    session.flush()
    return collection


def announced(session: Session, account: Account) -> None:
    a_mandate(session, account, reference="CAPP000418", notice=14)
    debit_batches.plan_due(session, the_invoices(session)[0].id, TODAY, noon(TODAY), LINKS)


def refused(code: str) -> Callable[[Session, Account], None]:
    def act(session: Session, account: Account) -> None:
        found = sent(session, account)
        collections.failed(session, found, code, TODAY, TODAY, noon(TODAY), links=LINKS)

    return act


def returned(code: str) -> Callable[[Session, Account], None]:
    def act(session: Session, account: Account) -> None:
        found = sent(session, account)
        collections.settled(session, found, TODAY, TODAY, noon(TODAY))
        collections.failed(session, found, code, TODAY, TODAY, noon(TODAY), links=LINKS)

    return act


DEBITS = [
    ("collection-announced", "collection_announced", announced),
    ("collection-refused-retried", "collection_failed", refused("AM04")),
    ("collection-returned-account-closed", "collection_failed", returned("AC04")),
    ("collection-returned-no-mandate", "collection_failed", returned("MD01")),
    ("collection-refunded", "collection_failed", returned("MD06")),
]


@pytest.mark.parametrize("language", ["fr", "nl", "en"])
@pytest.mark.parametrize(("name", "template", "act"), DEBITS, ids=[each[0] for each in DEBITS])
def test_a_mail_of_a_direct_debit_says_this_in_this_language(
    session: Session, name: str, template: str, act: Callable[[Session, Account], None], language: str
) -> None:
    account = an_account(session, language=language)
    a_subscription(session, account=account, starts_on=STARTS, billed_through=STARTS)
    a_user(session, account, language=language)
    act(session, account)
    mail = session.scalars(select(OutboxMessage).where(OutboxMessage.template == template)).one()
    assert mail.language == language
    known(session, name, mail, language)


def test_the_desk_reads_a_return_in_its_own_language(session: Session) -> None:
    account = an_account(session, language="nl")
    a_subscription(session, account=account, starts_on=STARTS, billed_through=STARTS)
    returned("MD01")(session, account)
    template = OutboxMessage.template == "collection_for_staff"
    mail = session.scalars(select(OutboxMessage).where(template)).one()
    assert mail.language == "fr"
    known(session, "collection-for-staff", mail, "fr")


def known(session: Session, name: str, mail: OutboxMessage, language: str) -> None:
    changing = {str(each): "0" for each in session.scalars(select(Invoice.subscription_id)) if each}
    changing |= dict.fromkeys(session.scalars(select(Account.reference)), "CA-10001")
    text, html = f"{mail.subject}\n\n{mail.text_body}", seen(mail.html_body)
    for what, instead in changing.items():
        text, html = text.replace(what, instead), html.replace(what, instead)
    agrees(f"mails/{name}.{language}.txt", text)
    agrees(f"mails/{name}.{language}.html.txt", html)


# ── Paid online ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def provider(tmp_path: Path) -> DemoProvider:
    return DemoProvider(tmp_path / "demo", ["a key for the notices of the demo"])


def pays_online(session: Session, provider: DemoProvider, count: int, *, first: int = 0) -> str:
    """Open the page for the oldest `count` invoices, have `first` cents of them paid meanwhile by transfer, and pay."""

    @contextmanager
    def transaction() -> Iterator[Session]:
        with Session(session.get_bind()) as own, own.begin():
            yield own

    account_id = session.scalars(select(Account.id)).one()
    session.commit()
    with transaction() as own:
        numbers = [each.number for each in invoicing.open_invoices(own, account_id)][:count]
    page_id = checkout.start_payment(
        transaction,
        provider,
        account_id,
        numbers,
        lambda _id, _key: WAY,
        lambda found: " ".join(found),
        TODAY,
        lambda: noon(TODAY),
        CLAIRE,
    )
    with transaction() as own:
        page = checkout.page(own, account_id, page_id)
        assert page is not None
        reference = own.get_one(CheckoutSession, page_id).provider_reference
        if first:
            transfer = Receipt(account_id, Money(first), "transfer", "bank:1", TODAY)
            payments.receive(own, transfer, TODAY, noon(TODAY))
    provider.accept(str(reference), TODAY)
    for _ in range(3):  # the return of the payer, then notices of the same payment
        checkout.learn(transaction, provider, str(reference), TODAY, lambda: noon(TODAY))
    return str(reference)


@pytest.mark.parametrize("language", ["fr", "nl", "en"])
@pytest.mark.parametrize(
    ("name", "months", "first"), [("restored", 4, 0), ("with-credit", 1, 2000)], ids=["restored", "credit"]
)
def test_a_payment_online_is_answered_once_by_a_mail_that_says_this(
    session: Session, provider: DemoProvider, name: str, months: int, first: int, language: str
) -> None:
    account = an_account(session, language=language)
    signed = a_subscription(session, account=account, starts_on=STARTS)
    for month in range(1, months + 1):
        day = date(2026, month, 1)
        billing.bill_due(session, signed.id, day, noon(day))
    owner = a_user(session, account, language=language)
    colleague = a_user(session, account, role=Role.VIEWER)
    standing.review(session, account.id, TODAY, noon(TODAY))
    assert (account.suspended_on is not None) == (name == "restored")
    email, colleagues_email = owner.email, colleague.email
    pays_online(session, provider, 2 if months > 1 else 1, first=first)
    mail = session.scalars(select(OutboxMessage).where(OutboxMessage.template == "payment_received")).one()
    assert (mail.recipient, mail.language) == (email, language)
    assert mail.recipient != colleagues_email
    known(session, f"payment-received-{name}", mail, language)


def test_a_transfer_of_the_bank_and_a_debit_have_no_such_mail(session: Session) -> None:
    """The bank's own statement tells its customer; the invoice had announced the debit."""
    account = an_account(session)
    a_subscription(session, account=account, starts_on=STARTS, billed_through=date(2026, 2, 1))
    a_user(session, account)
    collections.settled(session, sent(session, account), TODAY, TODAY, noon(TODAY))
    transfer = Receipt(account.id, Money(1000), "transfer", "bank:1", TODAY)
    payments.receive(session, transfer, TODAY, noon(TODAY))
    count = select(func.count()).where(OutboxMessage.template == "payment_received")
    assert session.scalar(count) == 0
