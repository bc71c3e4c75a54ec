"""`flask send-documents`, from new invoices to their receivers: by the command alone, through a folder and a server."""

import json
from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import select

from tests.adapters.test_access_point import FakeAccessPoint as Server
from tests.adapters.test_access_point import fake  # noqa: F401
from tests.builders import a_subscription
from webapp.models.documents import InvoiceDocument


@pytest.fixture
def billed(session, clock):
    """A business billed last spring, and one billed two weeks ago: their documents in that order."""
    a_subscription(session, starts_on=date(2026, 3, 1), billed_through=date(2026, 3, 1))
    a_subscription(session, starts_on=date(2026, 11, 1), billed_through=date(2026, 11, 1))
    session.commit()


@pytest.fixture
def settings_of(app, monkeypatch):
    """Settings for one test: the command reads them when it runs."""

    def use(**values):
        changed = replace(app.extensions["portal_settings"], **values)
        monkeypatch.setitem(app.extensions, "portal_settings", changed)

    return use


@pytest.fixture
def run(app):
    """Run the command; gives its report and its exit code."""

    def command(*arguments):
        result = app.test_cli_runner().invoke(args=["send-documents", "--json", *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return json.loads(result.output.splitlines()[-1]), result.exit_code

    return command


def states(session) -> list[str]:
    found = list(session.scalars(select(InvoiceDocument.state).order_by(InvoiceDocument.id)))
    session.rollback()
    return found


def moved(report) -> dict[str, int]:
    return {step: done["moved"] for step, done in report.items() if isinstance(done, dict)}


def test_without_rules_nor_access_point_files_are_made_and_nothing_leaves(session, billed, app):
    told = app.test_cli_runner().invoke(args=["send-documents"])
    assert told.exit_code == 0
    assert told.output.splitlines() == [
        "2 made, 0 could not be made",
        "not checked: PEPPOL_RULES_FOLDER is not set, nothing new leaves",
        "not sent: PEPPOL_ACCESS_POINT is download, people hand documents over",
    ]
    assert states(session) == ["ready", "ready"]


@pytest.mark.parametrize("kind", ["folder", "rest"])
def test_without_rules_nothing_leaves_by_itself(session, billed, run, settings_of, tmp_path, kind):
    settings_of(
        access_point=kind,
        access_point_folder=tmp_path,
        access_point_url="http://127.0.0.1:9",
        access_point_key="k",
    )
    report, code = run()
    assert (moved(report)["sent"], code) == (0, 0)
    assert states(session) == ["ready", "ready"] and list(tmp_path.iterdir()) == []


def test_by_explicit_setting_new_documents_leave_unchecked_and_old_ones_stay(
    session, billed, run, settings_of, tmp_path
):
    settings_of(access_point="folder", access_point_folder=tmp_path, sends_unchecked=True)
    report, code = run()
    assert moved(report) == {"made": 2, "checked": 0, "queued": 1, "sent": 1, "followed": 0}
    assert code == 0 and states(session) == ["ready", "sent"]
    [left] = tmp_path.iterdir()
    kept = session.scalars(select(InvoiceDocument).where(InvoiceDocument.state == "sent")).one()
    assert left.name.startswith("F2026-00002-") and left.read_bytes() == kept.ubl
    session.rollback()
    again, _code = run()
    assert moved(again) == dict.fromkeys(moved(report), 0)


def test_checked_by_the_official_rules_they_are_sent_and_followed(
    session,
    billed,
    run,
    settings_of,
    clock,
    peppol_folder,
    peppol_rules,
    fake: Server,  # noqa: F811
):
    settings_of(
        access_point="rest",
        access_point_url=fake.url,
        access_point_key="a key",
        peppol_rules_folder=peppol_folder,
    )
    report, code = run()
    assert report["rules"] == peppol_rules.version
    assert moved(report) == {"made": 2, "checked": 2, "queued": 1, "sent": 1, "followed": 0}
    assert (report["followed"]["waiting"], code) == (1, 0)
    assert [receiver for _id, receiver in fake.sent] == ["0208:0876543270"]
    fake.documents[fake.sent[0][0]]["state"] = "SENT"
    clock.set(date(2026, 11, 17))
    report, _code = run()
    assert moved(report)["followed"] == 1 and states(session) == ["validated", "delivered"]


def test_a_receiver_that_nobody_knows_is_left_to_people_and_the_exit_code_says_so(
    session,
    billed,
    run,
    settings_of,
    fake: Server,  # noqa: F811
):
    fake.registered = set()
    settings_of(
        access_point="rest", access_point_url=fake.url, access_point_key="a key", sends_unchecked=True
    )
    report, code = run()
    assert (report["sent"]["closed"], report["to_look_at"], code) == (1, 1, 1)
    assert states(session) == ["ready", "failed"] and fake.sent == []


def test_a_limit_holds_for_each_step_and_the_next_run_goes_on(session, billed, run):
    assert moved(run("--limit", "1")[0])["made"] == 1
    assert moved(run("--limit", "1")[0])["made"] == 1
    assert moved(run("--limit", "1")[0])["made"] == 0


def test_rules_that_cannot_be_run_say_so_and_nothing_is_sent(session, billed, app, settings_of, tmp_path):
    settings_of(
        peppol_rules_folder=tmp_path,
        access_point="folder",
        access_point_folder=tmp_path / "out",
        sends_unchecked=True,
    )
    result = app.test_cli_runner().invoke(args=["send-documents"])
    assert result.exit_code == 1 and "holds no .sch file" in result.output
    assert states(session) == ["ready", "ready"] and not (tmp_path / "out").exists()
