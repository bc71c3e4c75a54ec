"""The demo: real histories on any day, and loading twice changes nothing (C7)."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.adapters import passwords
from webapp.adapters.operator_files import MonthsAgo, read_accounts, read_issuer
from webapp.adapters.reseller_file import read_resellers
from webapp.adapters.vault import Purpose, Vault
from webapp.adapters.yaml_file import BrokenFile
from webapp.models import Base
from webapp.models.accounts import Account, Membership, User
from webapp.models.invoices import Invoice, InvoiceLine, Series
from webapp.models.records import OutboxMessage
from webapp.models.subscriptions import Establishment, ScheduledChange, Subscription, SubscriptionOption
from webapp.services import announcements, demo

MONDAY = date(2026, 11, 16)
VAULT = Vault(["a key for the tests, as long as it must be"], Purpose.BANK_ACCOUNTS)


def load(session: Session, today: date) -> demo.Loaded:
    return demo.load(session, today, datetime.combine(today, time(10), tzinfo=UTC), VAULT)


def counted(session: Session) -> dict[str, int | None]:
    return {
        name: session.scalar(select(func.count()).select_from(table))
        for name, table in Base.metadata.tables.items()
    }


def invoices_of(session: Session, reference: str) -> list[Invoice]:
    statement = (
        select(Invoice).join(Account, Account.id == Invoice.account_id).where(Account.reference == reference)
    )
    return list(session.scalars(statement.order_by(Invoice.id)))


def test_loading_twice_changes_nothing(session: Session) -> None:
    assert len(load(session, MONDAY).references) >= 8
    before = counted(session)
    assert load(session, date(2027, 2, 3)) == demo.Loaded((), 0)
    assert counted(session) == before


def test_an_account_that_is_missing_is_added_beside_the_others(session: Session, tmp_path: Path) -> None:
    for name in ("catalogue.yaml", "dunning.yaml", "issuer.yaml", "resellers.yaml"):
        (tmp_path / name).write_text((demo.FOLDER / name).read_text())
    whole = (demo.FOLDER / "accounts.yaml").read_text()
    now = datetime(2026, 11, 16, 10, tzinfo=UTC)
    (tmp_path / "accounts.yaml").write_text(whole[: whole.index("  # In Dutch.")])
    first = demo.load(session, MONDAY, now, VAULT, tmp_path)
    (tmp_path / "accounts.yaml").write_text(whole)
    second = demo.load(session, MONDAY, now, VAULT, tmp_path)
    assert "CA-10234" in first.references
    assert second.references == ("CA-10420", "CA-10433", "CA-10445")


def test_the_brasserie_is_the_one_of_the_screens(session: Session) -> None:
    load(session, MONDAY)
    invoices = invoices_of(session, "CA-10234")
    assert [invoice.total_cents for invoice in invoices] == [10769] * 4 + [17303] * 2 + [18755] * 3
    assert all(invoice.paid_cents == invoice.total_cents for invoice in invoices)
    subscription = session.scalars(
        select(Subscription).join(Account).where(Account.reference == "CA-10234")
    ).one()
    assert (subscription.starts_on, subscription.billed_until) == (date(2026, 3, 1), date(2026, 12, 1))
    newest = subscription.establishments[2]
    assert (newest.name, newest.active_from, newest.charged_from) == (
        "Comptoir du Parc",
        date(2026, 11, 9),
        date(2026, 12, 1),
    )
    (leaving,) = subscription.changes
    assert (leaving.kind, leaving.effective_on, leaving.requested_by) == (
        "option",
        date(2026, 12, 1),
        "Claire Janssens",
    )
    assert (
        session.get_one(SubscriptionOption, leaving.facts["option_id"]).option_version.option.code
        == "signage"
    )


@pytest.mark.parametrize(
    "today",
    [MONDAY, date(2026, 11, 1), date(2026, 12, 31), date(2027, 1, 5), date(2028, 2, 29)],
)
def test_the_demo_is_believable_on_any_day(session: Session, today: date) -> None:
    load(session, today)
    for subscription in session.scalars(select(Subscription)):
        assert subscription.starts_on <= today < subscription.billed_until
    numbered: dict[int, list[int]] = {}
    for invoice in session.scalars(select(Invoice).order_by(Invoice.id)):
        assert invoice.issued_on <= today
        numbered.setdefault(invoice.series_id, []).append(invoice.series_number)
    for series in session.scalars(select(Series)):
        assert numbered[series.id] == list(range(1, series.last_number + 1))
    dates = session.scalars(
        select(Invoice.issued_on).where(Invoice.kind == "invoice").order_by(Invoice.id)
    ).all()
    assert list(dates) == sorted(dates)
    overdue = [
        i for i in invoices_of(session, "CA-10277") if i.due_on < today and i.paid_cents < i.total_cents
    ]
    assert len(overdue) == 2
    kinds = session.execute(select(ScheduledChange.kind, ScheduledChange.effective_on)).all()
    assert sorted(kind for kind, _day in kinds if _day > today) == ["option", "plan"]
    newest = session.scalars(select(Establishment).where(Establishment.name == "Comptoir du Parc")).one()
    assert newest.active_from <= today < newest.charged_from
    near = [each.deadline_on for each in announcements.due(session, today, (60,))]
    assert near and min(near) <= today + timedelta(days=45)


def test_the_situations_that_the_pages_must_show_are_there(session: Session) -> None:
    load(session, MONDAY)
    rows = session.scalars(select(Subscription)).all()
    assert {row.frequency for row in rows} == {"monthly", "annual"}
    assert any(row.commitment_months == 0 for row in rows)
    assert any(len(row.establishments) >= 20 for row in rows)
    assert any(row.account.reseller_id for row in rows)
    assert {row.account.kind for row in rows} == {"business", "consumer"}
    assert {row.account.language for row in rows} == {"fr", "nl", "en"}
    assert set(session.scalars(select(Membership.role))) == {"owner", "administrator", "viewer", "accountant"}
    several = select(Membership.user_id).group_by(Membership.user_id).having(func.count() > 1)
    assert len(session.scalars(several).all()) >= 2
    assert session.scalar(select(func.count()).select_from(Invoice).where(Invoice.reason == "plan_change"))
    assert session.scalars(select(InvoiceLine.vat_category).distinct()).all() != ["S"]


def test_who_may_sign_in_is_who_is_loaded(session: Session) -> None:
    assert demo.logins(session)[1] == []
    load(session, MONDAY)
    password, found = demo.logins(session)
    users = {user.email: user for user in session.scalars(select(User))}
    assert {login.email for login in found} == set(users)
    assert passwords.matches(users["claire@brasserieduparc.example"].password_hash, password)
    passwords.check_strength(password)


def test_no_mail_of_the_past_leaves(session: Session) -> None:
    load(session, MONDAY)
    assert (
        session.scalar(select(func.count()).select_from(OutboxMessage).where(OutboxMessage.sent_at.is_(None)))
        == 0
    )


def test_the_31st_is_looked_for_further_back_in_a_month_without_it() -> None:
    assert MonthsAgo(9, 31).before(MONDAY) == date(2026, 1, 31)
    assert MonthsAgo(0, 20).before(MONDAY) == date(2026, 10, 20)
    assert MonthsAgo(8, 1).before(MONDAY) == date(2026, 3, 1)


@pytest.mark.parametrize(
    ("name", "typed", "instead", "field"),
    [
        ("issuer.yaml", "iban: BE68 5390", "iban: BE68 5391", "iban"),
        ("issuer.yaml", "vat_number: BE 0765.432.146", "vat_number: BE 0765.432.147", "vat_number"),
        ("issuer.yaml", "BE16ZZZ0765432146", "BE17ZZZ0765432146", "creditor_id"),
        ("resellers.yaml", "[options,", "[optons,", "resellers[horecaplus].allowed_actions"),
        ("accounts.yaml", "vat_number: BE 0876.543.270", "vat_number: BE 0876.543.271", "accounts[0].billing.vat_number"),
        ("accounts.yaml", "role: owner", "role: boss", "accounts[0].users[0].role"),
        ("accounts.yaml", "claire@brasserieduparc.example", "claire", "accounts[0].billing.invoice_email"),
        ("accounts.yaml", "reference: CA-10091", "reference: CA-10234", "accounts[1].reference"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_files_is_told_with_its_line(
    tmp_path: Path, name: str, typed: str, instead: str, field: str
) -> None:
    whole = (demo.FOLDER / name).read_text()
    (tmp_path / name).write_text(whole.replace(typed, instead, 1))
    read = {"issuer.yaml": read_issuer, "resellers.yaml": read_resellers, "accounts.yaml": read_accounts}[
        name
    ]
    with pytest.raises(BrokenFile) as broken:
        read(tmp_path / name)
    line = whole[: whole.index(typed)].count("\n") + 1
    assert (line, field) in [(problem.line, problem.path) for problem in broken.value.problems]
