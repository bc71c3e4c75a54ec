"""The mails of lateness, word for word, in each language: tests/snapshots/mails."""

from collections.abc import Callable
from datetime import date

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.builders import a_reseller, a_subscription, a_user, an_account, ladders, noon, pays
from tests.services.test_mail_texts import seen
from tests.support.snapshots import agrees
from webapp.models.accounts import Account
from webapp.models.dunning import DunningPolicy
from webapp.models.records import OutboxMessage
from webapp.services import billing, dunning, invoicing, standing

STARTS = date(2026, 1, 1)


def on(session: Session, account: Account, *days: date) -> None:
    for day in days:
        dunning.remind(session, account.id, day, noon(day))


def first(session: Session, account: Account) -> None:
    on(session, account, date(2026, 1, 18))


def second(session: Session, account: Account) -> None:
    on(session, account, date(2026, 2, 18), date(2026, 2, 25))


def last(session: Session, account: Account) -> None:
    on(session, account, date(2026, 2, 18), date(2026, 2, 25), date(2026, 3, 8))


def consumer_first(session: Session, account: Account) -> None:
    policy = session.scalars(select(DunningPolicy).where(DunningPolicy.account_kind == "consumer")).one()
    costs = policy.ladder["costs"] | {"charges_compensation": True, "charges_interest": True}
    policy.ladder = policy.ladder | {"costs": costs | {"free_reminders_per_year": 0}}
    on(session, account, date(2026, 1, 20))


def consumer_second(session: Session, account: Account) -> None:
    consumer_first(session, account)
    on(session, account, date(2026, 2, 10))


def suspended(session: Session, account: Account) -> None:
    on(session, account, date(2026, 3, 16))


def suspended_by_staff(session: Session, account: Account) -> None:
    from webapp.domain.access import Actor
    from webapp.services import holds

    day, odile = date(2026, 3, 2), Actor("staff", "1", "Odile")
    holds.do(session, account.id, holds.Wish(holds.SUSPEND), "Contenu", day, noon(day), odile)


def restored(session: Session, account: Account) -> None:
    suspended(session, account)
    oldest = invoicing.open_invoices(session, account.id)[0]
    pays(session, oldest, oldest.total_cents, on=date(2026, 3, 18))


MAILS = [
    ("reminder-first", "reminder", "business", 1, first),
    ("reminder-second", "reminder", "business", 2, second),
    ("reminder-last", "reminder", "business", 2, last),
    ("reminder-consumer", "reminder", "consumer", 1, consumer_first),
    ("reminder-consumer-costs", "reminder", "consumer", 1, consumer_second),
    ("suspended", "sites_suspended", "business", 3, suspended),
    ("suspended-by-staff", "sites_suspended", "business", 1, suspended_by_staff),
    ("restored", "sites_restored", "business", 3, restored),
    (
        "reminder-reseller",
        "reminder",
        "reseller",
        1,
        lambda session, account: on(session, account, date(2026, 1, 22)),
    ),
]


@pytest.mark.parametrize("language", ["fr", "nl", "en"])
@pytest.mark.parametrize(
    ("name", "template", "kind", "months", "act"), MAILS, ids=[each[0] for each in MAILS]
)
def test_a_mail_of_lateness_says_this_in_this_language(
    session: Session,
    name: str,
    template: str,
    kind: str,
    months: int,
    act: Callable[[Session, Account], None],
    language: str,
) -> None:
    ladders(session)
    reseller = a_reseller(session) if kind == "reseller" else None
    account = an_account(session, reseller=reseller, language=language)
    account.kind = "consumer" if kind == "consumer" else "business"
    signed = a_subscription(session, account=account, reseller=reseller, starts_on=STARTS)
    for month in range(1, months + 1):
        day = date(2026, month, 1)
        billing.bill_due(session, signed.id, day, noon(day))
    owner = a_user(session, account, language=language)
    act(session, account)
    mail = session.scalars(
        select(OutboxMessage)
        .where(OutboxMessage.template == template, OutboxMessage.recipient == owner.email)
        .order_by(OutboxMessage.id.desc())
        .limit(1)
    ).one()
    assert mail.language == language
    fixed = str(signed.id)
    agrees(f"mails/{name}.{language}.txt", f"{mail.subject}\n\n{mail.text_body}".replace(fixed, "0"))
    agrees(f"mails/{name}.{language}.html.txt", seen(mail.html_body).replace(fixed, "0"))


def test_who_pays_the_invoices_is_told_even_without_an_owner(session: Session) -> None:
    ladders(session)
    account = an_account(session, invoice_email="compta@parc.example")
    a_subscription(session, account=account, starts_on=STARTS, billed_through=STARTS)
    first(session, account)
    assert session.scalars(select(OutboxMessage.recipient)).all() == ["compta@parc.example"]
    assert standing.read(session, account, date(2026, 1, 18)).unpaid
