"""A real server on a free port with a database of its own, and the Chromium of the system."""

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Frame, Page, Playwright, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
AXE = next((ROOT / "tests/support/vendor").glob("axe-*.min.js"))
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CLOCK = "2026-11-16"  # the Monday of the design kit
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WCAG = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
CONTRAST = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="Chromium is absent: run make browser"))


@dataclass
class Server:
    """A portal that runs: its address, and the environment with which its commands are run."""

    address: str
    environment: dict[str, str]

    def flask(self, *arguments: str) -> str:
        """Run `flask --app wsgi …` on the database of this server, and give what it printed."""
        return run_flask(self.environment, *arguments)


def run_flask(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"flask {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
    return done.stdout


def start_server(
    folder: Path, seeded: Path | None = None, today: str = CLOCK
) -> tuple[Server, subprocess.Popen[bytes]]:
    """Migrate and seed a new database in `folder`, or copy one that is, then serve it as `make run` does."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port = asked.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"} | {
        "PORTAL_INSTANCE": str(folder),
        "PORTAL_CLOCK": today,
        "PORTAL_BASE_URL": address,
        "PAYMENT_PROVIDER": "demo",
        "PORTAL_STAFF_TWO_FACTOR": "optional",
        "MAIL_BACKEND": "file",
        "MAIL_FOLDER": str(folder / "mail"),
    }
    server = Server(address, environment)
    if seeded is None:
        server.flask("db", "upgrade")
        server.flask("seed", "demo")
    else:
        for name in (seeded.name, "secret_key"):  # the key that has sealed what is in the database
            shutil.copy(seeded.with_name(name), folder / name)
    gunicorn = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "2", "wsgi:app"]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(gunicorn, cwd=ROOT, env=environment, stdout=log, stderr=log)
    _wait_for(address, process, folder / "server.log")
    return server, process


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        assert process.poll() is None, f"the server stopped:\n{log.read_text()}"
        try:
            urllib.request.urlopen(f"{address}/connexion", timeout=2).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"the server does not answer:\n{log.read_text()}")


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's database, made once per worker: each server gets a copy."""
    folder = tmp_path_factory.mktemp("seeded")
    environment = os.environ | {"PORTAL_INSTANCE": str(folder), "PORTAL_CLOCK": CLOCK}
    environment.pop("DATABASE_URL", None)
    run_flask(environment, "db", "upgrade")
    run_flask(environment, "seed", "demo")
    with closing(sqlite3.connect(folder / "portal.sqlite3")) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return folder / "portal.sqlite3"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, seeded: Path) -> Iterator[Server]:
    """One portal for all tests that only look. Tests that change something ask for `own_server`."""
    yield from _serving(tmp_path_factory.mktemp("portal"), seeded)


@pytest.fixture
def own_server(tmp_path: Path, seeded: Path) -> Iterator[Server]:
    """A portal for this test alone, freshly seeded."""
    yield from _serving(tmp_path, seeded)


@pytest.fixture
def late_server(tmp_path: Path, seeded: Path) -> Iterator[Server]:
    """The same on 2 January 2027, the day after the brasserie's last day to give notice."""
    yield from _serving(tmp_path, seeded, "2027-01-02")


def _serving(folder: Path, seeded: Path, today: str = CLOCK) -> Iterator[Server]:
    server, process = start_server(folder, seeded, today)
    yield server
    process.terminate()
    process.wait(timeout=20)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """One driver per worker: a second one in the same thread is refused."""
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
    yield browser
    browser.close()


NewPage = Callable[..., Page]
expect.set_options(timeout=10_000)


@pytest.fixture
def new_page(chromium: Browser) -> Iterator[NewPage]:
    """Opens pages: `new_page(width=390, scheme="dark", locale="nl-BE", scripts=False)`.

    At the end of the test, no page may have broken the content policy or thrown an error.
    """
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def open_page(
        width: int = 1280, scheme: str = "light", locale: str = "fr-BE", *, scripts: bool = True
    ) -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": 844 if width < 600 else 900},
            color_scheme=scheme,  # type: ignore[arg-type]
            locale=locale,
            reduced_motion="reduce",
            java_script_enabled=scripts,
            bypass_csp=False,
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.set_default_navigation_timeout(
            30_000
        )  # a busy machine may take its time to answer, and only that
        page.on("pageerror", lambda error: faults.append(f"error in the page: {error}"))
        page.on("console", lambda line: _note_fault(faults, line.type, line.text))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not faults, faults


def _note_fault(faults: list[str], kind: str, text: str) -> None:
    if kind in {"error", "warning"} and any(
        sign in text for sign in ("Content Security", "hx-csp", "TrustedHTML")
    ):
        faults.append(text)


@pytest.fixture
def page(new_page: NewPage) -> Page:
    """A page of 1280 px, light, in French."""
    return new_page()


def axe_violations(page: Page | Frame, only: dict[str, object] | None = None) -> list[str]:
    """What axe finds against WCAG 2.2 AA and good practice, one line per rule and place; or `only` some rules."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text())
    found = page.evaluate("rules => axe.run(document, {runOnly: rules})", only or WCAG)
    return [
        f"{rule['id']}: {rule['help']} at {' '.join(map(str, node['target']))}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]
