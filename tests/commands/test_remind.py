"""`flask remind` and `flask dunning`: what a day asks, once, one account's failure told and not fatal."""

import json
from datetime import date

from sqlalchemy import func, select

from tests import builders
from tests.builders import noon
from webapp.models.dunning import DunningPolicy, DunningStep
from webapp.models.records import OutboxMessage
from webapp.services import billing, dunning


def late(session, months=1, name="Brasserie du Parc"):
    """Billed on the 1st of September and of the months after, due on the 15th."""
    account = builders.an_account(session, name)
    signed = builders.a_subscription(session, account=account, starts_on=date(2026, 9, 1))
    for month in range(9, 9 + months):
        billing.bill_due(session, signed.id, date(2026, month, 1), noon(date(2026, month, 1)))
    return account


def count(session, table):
    found = session.scalar(select(func.count()).select_from(table))
    session.rollback()
    return found


def test_ladders_are_checked_then_published_once(app, session, clock):
    builders.a_reseller(session)
    session.commit()
    runner, file = app.test_cli_runner(), str(builders.LADDERS)
    assert "3 échelles, 2 taux" in runner.invoke(args=["dunning", "check", file]).output
    assert count(session, DunningPolicy) == 0
    assert "5 échelles ou taux nouveaux" in runner.invoke(args=["dunning", "publish", file]).output
    assert "déjà publiées" in runner.invoke(args=["dunning", "publish", file]).output
    assert count(session, DunningPolicy) == 3


def test_a_file_with_a_mistake_says_its_line_and_writes_nothing(app, session, clock, tmp_path):
    builders.a_reseller(session)
    session.commit()
    file = tmp_path / "dunning.yaml"
    file.write_text(builders.LADDERS.read_text().replace("template: last", "template: dernier", 1))
    answer = app.test_cli_runner().invoke(args=["dunning", "publish", str(file)])
    assert answer.exit_code == 1 and f"{file}:13: policies[0].steps[dernier].template" in answer.output
    assert count(session, DunningPolicy) == 0


def test_a_day_twice_sends_once_and_a_rehearsal_sends_nothing(app, session, clock):
    builders.ladders(session)
    late(session)
    late(session, 1, "Café Central")
    session.commit()
    runner = app.test_cli_runner()
    rehearsed = json.loads(runner.invoke(args=["remind", "--on", "2026-09-18", "--dry-run", "--json"]).stdout)
    assert (rehearsed["reminded"], count(session, DunningStep), count(session, OutboxMessage)) == (2, 0, 0)
    done = runner.invoke(args=["remind", "--on", "2026-09-18"])
    assert (done.exit_code, "2 envoyés" in done.output) == (0, True), done.output
    assert "0 envoyés" in runner.invoke(args=["remind", "--on", "2026-09-18"]).output
    assert count(session, DunningStep) == 2


def test_one_account_may_be_reminded_alone(app, session, clock):
    builders.ladders(session)
    reference = late(session).reference
    late(session, 1, "Café Central")
    session.commit()
    runner = app.test_cli_runner()
    assert "1 envoyés" in runner.invoke(args=["remind", "--on", "2026-09-18", "--account", reference]).output
    unknown = runner.invoke(args=["remind", "--account", "CA-0"])
    assert unknown.exit_code == 1 and "Aucun compte n’a la référence CA-0." in unknown.output


def test_one_accounts_failure_is_told_and_stops_no_other(app, session, clock):
    """The ladder of one kind of account names a text that no mail has: as a file of another version might."""
    builders.ladders(session)
    broken = late(session)
    broken.kind = "public"
    reference = broken.reference
    late(session, 1, "Café Central")
    steps = [{"after_days": 3, "template": "x" * 61}]
    session.add(
        DunningPolicy(
            account_kind="public",
            reseller_id=None,
            valid_from=date(2026, 1, 1),
            ladder={"steps": steps, "suspend_at": "three"},
            created_at=noon(date(2026, 1, 1)),
        )
    )
    session.commit()
    answer = app.test_cli_runner().invoke(args=["remind", "--on", "2026-09-18"])
    assert answer.exit_code == 1, answer.output
    assert reference in answer.output and "1 envoyés" in answer.output and "1 en échec" in answer.output


def test_pages_are_walked_to_the_end(app, session, clock):
    builders.ladders(session)
    for number in range(5):
        late(session, 1, f"Café {number}")
    session.commit()
    from contextlib import contextmanager

    from sqlalchemy.orm import Session

    @contextmanager
    def transaction():
        with Session(session.get_bind()) as opened:
            yield opened
            opened.commit()

    report = dunning.run(transaction, date(2026, 10, 20), lambda: noon(date(2026, 10, 20)), page_size=2)
    assert (report.looked_at, report.reminded) == (5, 5)
