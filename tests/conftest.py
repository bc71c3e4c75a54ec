"""What every test may ask for. Fixtures that touch the database mark their test for PostgreSQL too."""

import os
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from sqlalchemy.orm import Session

from tests.support import postgres, told_events
from tests.support.database import Cleaner, create_schema
from webapp import clock as business_clock
from webapp import create_app
from webapp.config import Settings
from webapp.extensions import db

if TYPE_CHECKING:
    from webapp.adapters.peppol_rules import Rules

DATABASE = os.environ.get("TEST_DATABASE", "sqlite")
POSTGRES = os.environ.get("TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test")
PEPPOL_RULES = os.environ.get("PEPPOL_RULES_FOLDER", "")
SKIPS_ALLOWED = os.environ.get("ALLOW_SKIPS", "1") != "0"
BRUSSELS = ZoneInfo("Europe/Brussels")
SECRET_KEY = "a key for the tests, as long as it must be"


# ── The run itself ───────────────────────────────────────────────────────────────────────────────────────────────


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if "empty_database" in getattr(item, "fixturenames", ()) and not item.get_closest_marker(
            "any_database"
        ):
            item.add_marker(pytest.mark.database)
    if not PEPPOL_RULES:
        checked = [item for item in items if "peppol_rules" in getattr(item, "fixturenames", ())]
        items[:] = [item for item in items if item not in checked]
        config.hook.pytest_deselected(items=checked)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not PEPPOL_RULES:
        terminalreporter.write_line(
            "PEPPOL_RULES_FOLDER is not set: documents are not checked by the official rules"
        )
    if not SKIPS_ALLOWED and terminalreporter.stats.get("skipped"):
        terminalreporter.write_line("ALLOW_SKIPS=0: a skipped test fails the run", red=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not SKIPS_ALLOWED and exitstatus == 0 and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


# ── The application and its database ─────────────────────────────────────────────────────────────────────────────


told_events.watch()


@pytest.fixture(scope="session")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("instance")


@pytest.fixture(scope="session")
def engine_url(instance: Path, worker_id: str) -> Iterator[str]:
    """A database of this worker alone."""
    if DATABASE == "sqlite":
        yield f"sqlite:///{instance / 'test.sqlite3'}"
        return
    name = f"portal_test_{os.getpid()}_{worker_id}"
    yield postgres.fresh_database(POSTGRES, name)
    postgres.drop_database(POSTGRES, name)


@pytest.fixture(scope="session")
def settings(instance: Path, engine_url: str) -> Settings:
    return Settings(
        instance=instance,
        database_url=engine_url,
        secret_key=SECRET_KEY,
        mail_backend="file",
        mail_folder=instance / "mail",
        base_url="http://localhost",
        payment_provider="demo",
        staff_two_factor="optional",  # tests/pages/test_team_second_step.py asks for it
    )


@pytest.fixture(scope="session")
def built_app(settings: Settings) -> Iterator[Flask]:
    """Built once per worker. Tests ask for `app`, which also gives them a clean database."""
    app = create_app(settings)
    app.testing = True
    app.config["PROPAGATE_EXCEPTIONS"] = False  # an error must show the page that a customer would see
    create_schema(app)
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture(scope="session")
def cleaner(built_app: Flask) -> Cleaner:
    with built_app.app_context():
        return Cleaner(db.engine)


@pytest.fixture
def empty_database(cleaner: Cleaner) -> Cleaner:
    cleaner.clean()
    return cleaner


@pytest.fixture
def app(built_app: Flask, empty_database: Cleaner) -> Flask:
    built_app.extensions.pop("portal_operator", None)  # kept by the process, not by this test's database
    return built_app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def session(app: Flask) -> Iterator[Session]:
    """A session of one's own, for services and for arranging rows: commit before asking for a page."""
    with app.app_context():
        engine = db.engine
    with Session(engine) as opened:
        yield opened
        opened.rollback()


@pytest.fixture(scope="session")
def peppol_folder() -> Path:
    return Path(PEPPOL_RULES)


@pytest.fixture(scope="session")
def peppol_rules(peppol_folder: Path) -> "Rules":
    """The official rules, loaded once per worker. Without their folder, the tests that ask for them are left out."""
    from webapp.adapters.peppol_rules import Rules

    return Rules(peppol_folder)


# ── The clock ────────────────────────────────────────────────────────────────────────────────────────────────────


class Clock:
    """Moves the business clock. A date means ten in the morning in Brussels."""

    def set(self, moment: date | datetime) -> None:
        if not isinstance(moment, datetime):
            moment = datetime.combine(moment, time(10), tzinfo=BRUSSELS)
        business_clock.freeze(moment.astimezone(UTC))

    @property
    def today(self) -> date:
        return business_clock.today()


@pytest.fixture
def clock() -> Clock:
    """Stands on Monday 16 November 2026 until the test sets it."""
    clock = Clock()
    clock.set(date(2026, 11, 16))
    return clock


@pytest.fixture(autouse=True)
def _clock_runs_again() -> Iterator[None]:
    yield
    business_clock.freeze(None)


@pytest.fixture
def statements(app: Flask) -> Iterator[list[str]]:
    """The SQL statements sent so far, without transaction control: clear the list before what is measured."""
    seen: list[str] = []
    with app.app_context():
        engine = db.engine

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)
