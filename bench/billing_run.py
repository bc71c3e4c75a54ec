"""The billing run against a raw insert of the same rows: one plan, one option per unit, one establishment each.

For each size and database, in every round: a copy of one arranged database is billed by the real run, and another copy
receives the very rows that the run wrote, ready made, by executemany (SQLite) or COPY (PostgreSQL). What counts is the
ratio of the two within a round. Each measure has a process of its own, so that its memory is its own.

`make bench-billing`, or `python -m bench.billing_run --sizes 20000 200000`.
"""

import argparse
import json
import os
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import bindparam, create_engine, func, select, text, update
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

ON = date(2026, 11, 1)
NOW = datetime(2026, 11, 1, 4, tzinfo=UTC)
POSTGRES = os.environ.get("TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test")
LINES = 3  # of each document: the plan, four mailboxes, one establishment
NAME = f"portal_bench_billing_{os.getpid()}"


# ── Arranging ────────────────────────────────────────────────────────────────────────────────────────────────────


def arrange(url: str, folder: Path, size: int) -> None:
    """`size` subscriptions due on one day, each of an account of its own."""
    from tests.builders import a_subscription
    from tests.support.database import create_schema
    from webapp import create_app
    from webapp.config import Settings
    from webapp.extensions import db
    from webapp.models.accounts import Account, BillingDetails
    from webapp.models.subscriptions import Establishment, Subscription, SubscriptionOption
    from webapp.services.subscriptions import NewOption

    app = create_app(Settings(instance=folder, database_url=url, secret_key="x" * 40))
    create_schema(app)
    with app.app_context():
        engine = db.engine
    with Session(engine) as session, session.begin():
        model = a_subscription(
            session,
            starts_on=date(2026, 10, 1),
            establishments=2,
            options=[NewOption("emails", 4)],
            billed_through=date(2026, 10, 1),
        )
        models = {
            Account: model.account_id,
            BillingDetails: model.account_id,
            Subscription: model.id,
            Establishment: model.id,
            SubscriptionOption: model.id,
        }
        multiply(session, size, models)
        # The model itself is not billed again.
        session.execute(update(Subscription).where(Subscription.id == model.id).values(status="ended"))
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
    else:
        with engine.connect() as connection:
            connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()


def multiply(session: Session, size: int, models: dict[Any, uuid.UUID]) -> None:
    """Copy the rows of a model `size` times inside the database: a million takes it a minute, and Python twenty."""
    is_postgres = session.get_bind().dialect.name == "postgresql"
    if is_postgres:
        fresh, series, counting = "gen_random_uuid()", f"generate_series(1, {size}) AS series(number)", ""
    else:
        fresh, series = "lower(hex(randomblob(16)))", "series"
        counting = (
            "WITH RECURSIVE series(number) AS "
            f"(SELECT 1 UNION ALL SELECT number + 1 FROM series WHERE number < {size}) "
        )
    session.execute(
        text(
            f"CREATE TEMPORARY TABLE made AS {counting}"
            f"SELECT number, {fresh} AS account_id, {fresh} AS subscription_id FROM {series}"
        )
    )
    # Ten digits, the last two 97 minus the first eight modulo 97.
    eight = "8000000 + made.number"
    enterprise = (
        f"lpad(({eight})::text, 8, '0') || lpad((97 - ({eight}) % 97)::text, 2, '0')"
        if is_postgres
        else f"printf('%08d%02d', {eight}, 97 - ({eight}) % 97)"
    )
    told = {
        "accounts": {
            "id": "made.account_id",
            "reference": "'B-' || made.number",
            "name": "'Commerce ' || made.number",
        },
        "billing_details": {
            "legal_name": "'Commerce ' || made.number || ' SRL'",
            "enterprise_number": enterprise,
            "vat_number": f"'BE' || {enterprise}",
        },
        "subscriptions": {"id": "made.subscription_id"},
        "establishments": {"id": fresh, "name": "model.name || ' ' || made.number"},
        "subscription_options": {},
    }
    for entity, ident in models.items():
        table = entity.__table__
        new = {"account_id": "made.account_id", "subscription_id": "made.subscription_id", **told[table.name]}
        names = [column.name for column in table.c if column.name in new or column.name != "id"]
        key = {"accounts": "id", "subscriptions": "id", "billing_details": "account_id"}.get(
            table.name, "subscription_id"
        )
        session.execute(
            text(
                f"INSERT INTO {table.name} ({', '.join(names)}) "
                f"SELECT {', '.join(new.get(name, f'model.{name}') for name in names)} "
                f"FROM made CROSS JOIN {table.name} AS model WHERE model.{key} = :model"
            ).bindparams(bindparam("model", ident, table.c[key].type))
        )
    session.execute(text("DROP TABLE made"))


@contextmanager
def databases(kind: str, folder: Path, size: int) -> Iterator[Callable[[str], str]]:
    """Gives the address of a fresh copy of the arranged database, by name."""
    if kind == "sqlite":
        model = folder / f"{size}.sqlite3"
        arrange(f"sqlite:///{model}", folder, size)

        def copied(name: str) -> str:
            file = folder / f"{size}-{name}.sqlite3"
            for old in folder.glob(f"{file.name}*"):
                old.unlink()
            shutil.copyfile(model, file)
            return f"sqlite:///{file}"

        yield copied
        for old in folder.glob(f"{size}*"):
            old.unlink()
        return
    from tests.support import postgres

    arrange(postgres.fresh_database(POSTGRES, NAME), folder, size)
    made = set()

    def cloned(name: str) -> str:
        made.add(f"{NAME}_{name}")
        postgres.drop_database(POSTGRES, f"{NAME}_{name}")
        postgres._on_server(POSTGRES, f'CREATE DATABASE "{NAME}_{name}" TEMPLATE "{NAME}"')
        return str(make_url(POSTGRES).set(drivername="postgresql+psycopg", database=f"{NAME}_{name}"))

    try:
        yield cloned
    finally:
        for name in (*made, NAME):
            postgres.drop_database(POSTGRES, name)


# ── What is measured, each in its own process ────────────────────────────────────────────────────────────────────


def measure_run(url: str, page_size: int | None, profile: str) -> dict[str, float]:
    from webapp import i18n
    from webapp.models.engine import make_engine
    from webapp.models.invoices import Invoice, InvoiceLine
    from webapp.services import billing_run, invariants

    i18n.init_app(None)  # as the application does when it starts, before any command
    engine = make_engine(url)

    @contextmanager
    def transaction() -> Iterator[Session]:
        with Session(engine) as session, session.begin():
            yield session

    if profile:
        import cProfile

        profiler = cProfile.Profile()
        profiler.enable()
    started, cpu = time.perf_counter(), time.process_time()
    report = billing_run.run(transaction, ON, lambda: NOW, page_size=page_size, is_checked=False)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    if profile:
        profiler.disable()
        profiler.dump_stats(profile)
    peak = peak_memory()
    started = time.perf_counter()
    with transaction() as session:
        broken = invariants.broken(session)
        lines = session.scalar(
            select(func.count()).select_from(InvoiceLine).join(Invoice).where(Invoice.run_on == ON)
        )
    if broken or report.failed or lines != LINES * report.documents:
        raise SystemExit(f"{lines} lines of {report.documents} documents, {broken} {report.failures[:3]}")
    return {
        "seconds": seconds,
        "cpu": cpu,
        "documents": report.documents,
        "lines": lines,
        "rss": peak,
        "invariants": time.perf_counter() - started,
    }


def peak_memory() -> float:
    """MiB at the most since this program began. `ru_maxrss` would be that of whoever started it: it survives an exec."""
    if sys.platform == "linux":
        kib = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
        assert kib is not None
        return int(kib[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


TABLES = ("invoices", "invoice_lines")


def ready_rows(url: str, folder: Path) -> None:
    """Keep what a run wrote, as a raw insert takes it: tuples on SQLite, bytes of COPY on PostgreSQL."""
    if url.startswith("sqlite"):
        return  # read from the database itself, before the clock starts
    engine = create_engine(url)
    with engine.connect() as connection:
        driver = connection.connection.dbapi_connection
        for table in TABLES:
            with (
                (folder / table).open("wb") as file,
                driver.cursor().copy(f"COPY ({_of_the_run(table)}) TO STDOUT") as copy,
            ):
                for block in copy:
                    file.write(block)
    engine.dispose()


def _of_the_run(table: str) -> str:
    of = "invoice_id" if table == "invoice_lines" else "id"
    names = ", ".join(_columns(table))
    return f"SELECT {names} FROM {table} WHERE {of} IN (SELECT id FROM invoices WHERE run_on = '{ON}')"


def _columns(table: str) -> list[str]:
    from webapp.services.billing_rows import INVOICE_COLUMNS, LINE_COLUMNS

    return LINE_COLUMNS if table == "invoice_lines" else INVOICE_COLUMNS


def measure_floor(url: str, source: str, folder: Path) -> dict[str, float]:
    import webapp.models  # noqa: F401
    from webapp.models.engine import make_engine
    from webapp.models.invoices import Invoice, InvoiceLine, Series

    del Invoice, InvoiceLine, Series
    engine = make_engine(url)
    ready: list[Any] = []
    for table in TABLES:
        if url.startswith("sqlite"):
            with sqlite3.connect(make_url(source).database or "") as held:
                ready.append(held.execute(_of_the_run(table)).fetchall())
        else:
            ready.append((folder / table).read_bytes())
    started = cpu = 0.0
    with engine.begin() as connection:
        driver = connection.connection.dbapi_connection
        assert driver is not None
        started, cpu = time.perf_counter(), time.process_time()
        for table, rows in zip(TABLES, ready, strict=True):
            names = _columns(table)
            if url.startswith("sqlite"):
                marks = ", ".join("?" * len(names))
                driver.cursor().executemany(
                    f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", rows
                )
            else:
                with driver.cursor().copy(f"COPY {table} ({', '.join(names)}) FROM STDIN") as copy:
                    view = memoryview(rows)
                    for start in range(0, len(view), 1 << 20):
                        copy.write(view[start : start + (1 << 20)])
        written = time.perf_counter() - started
    # What the run wrote is committed within its time: so is this.
    return {
        "seconds": time.perf_counter() - started,
        "before_commit": written,
        "cpu": time.process_time() - cpu,
    }


def in_a_process(*arguments: str) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.billing_run", *arguments]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[str, float] = json.loads(said.splitlines()[-1])
    return found


# ── The table ────────────────────────────────────────────────────────────────────────────────────────────────────


def measure(kind: str, size: int, rounds: int, page_size: int | None, folder: Path) -> dict[str, Any]:
    measured = []
    with databases(kind, folder, size) as copy:
        for _round in range(rounds):
            billed = copy("run")
            sized = ["--page-size", str(page_size)] if page_size else []
            run = in_a_process("--one", "run", "--url", billed, *sized)
            ready_rows(billed, folder)
            floor = in_a_process(
                "--one", "floor", "--url", copy("floor"), "--source", billed, "--folder", str(folder)
            )
            measured.append((run, floor))
    ratios = [floor["seconds"] / run["seconds"] for run, floor in measured]
    without_commit = [floor["before_commit"] / run["seconds"] for run, floor in measured]
    return {
        "database": kind,
        "subscriptions": size,
        "invoices_per_second": median(size / run["seconds"] for run, _floor in measured),
        "floor_per_second": median(size / floor["seconds"] for _run, floor in measured),
        "ratio": median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
        "ratio_before_the_floor_commits": median(without_commit),
        "client_cpu_us": median(1e6 * run["cpu"] / size for run, _floor in measured),
        # On SQLite the database is in the client: steadier than seconds on a machine that others use.
        "floor_cpu_us": median(1e6 * floor["cpu"] / size for _run, floor in measured),
        "peak_rss_mib": max(run["rss"] for run, _floor in measured),
        "invariants_seconds": median(run["invariants"] for run, _floor in measured),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[20_000, 200_000])
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgres"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--page-size", type=int, help="else that of the run")
    parser.add_argument("--profile", default="", help="with --one run: write a profile there")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--one", choices=["run", "floor"], help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--source", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one == "run":
        print(json.dumps(measure_run(asked.url, asked.page_size, asked.profile)))
        return
    if asked.one == "floor":
        print(json.dumps(measure_floor(asked.url, asked.source, asked.folder)))
        return
    table = []
    print(
        f"{'database':>9} {'size':>8} {'invoices/s':>11} {'raw/s':>8} {'ratio (min–max)':>19} {'uncommitted':>11} {'CPU (floor)':>13} {'RSS':>8} invariants"
    )
    with tempfile.TemporaryDirectory() as folder:
        for kind in asked.databases:
            for size in asked.sizes:
                row = measure(kind, size, asked.rounds, asked.page_size, Path(folder))
                table.append(row)
                ratio = f"{row['ratio']:.2f} ({row['ratio_min']:.2f}–{row['ratio_max']:.2f})"
                print(
                    f"{kind:>9} {size:>8} {row['invoices_per_second']:>11.0f} {row['floor_per_second']:>8.0f} {ratio:>19} {row['ratio_before_the_floor_commits']:>11.2f} "
                    f"{row['client_cpu_us']:>5.0f} ({row['floor_cpu_us']:.0f}) µs {row['peak_rss_mib']:>4.0f} MiB {row['invariants_seconds']:.1f} s",
                    flush=True,
                )
    if asked.json:
        asked.json.write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
