"""The billing run against a raw insert of the same rows: one plan, one option per unit, one establishment each.

For each size and database, in every round: a copy of one arranged database is billed by the real run, and another copy
receives the very rows that the run wrote, ready made, by executemany (SQLite) or COPY (PostgreSQL). What counts is the
ratio of the two within a round. Each measure has a process of its own, so that its memory is its own.

`make bench-billing`, or `python -m bench.billing_run --sizes 20000 200000`.
"""

import argparse
import json
import os
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

from sqlalchemy import create_engine, insert, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

ON = date(2026, 11, 1)
NOW = datetime(2026, 11, 1, 4, tzinfo=UTC)
POSTGRES = os.environ.get("TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test")
NAME = f"portal_bench_billing_{os.getpid()}"
BATCH = 5000


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

        def rows(table: Any, of: str, ident: uuid.UUID) -> list[dict[str, Any]]:
            found = session.execute(select(table).where(table.c[of] == ident))
            return [dict(row._mapping) for row in found]

        tables = [
            each.__table__
            for each in (Account, BillingDetails, Subscription, Establishment, SubscriptionOption)
        ]
        account, details, subscription, places, options = (
            rows(table, of, ident)
            for table, of, ident in zip(
                tables,
                ("id", "account_id", "id", "subscription_id", "subscription_id"),
                (model.account_id, model.account_id, model.id, model.id, model.id),
                strict=True,
            )
        )
        session.execute(tables[2].update().values(status="ended"))  # the model itself is not billed again
    for option in options:
        del option["id"]
    for first in range(0, size, BATCH):
        made: list[list[dict[str, Any]]] = [[], [], [], [], []]
        for number in range(first, min(first + BATCH, size)):
            account_id, subscription_id = uuid.uuid4(), uuid.uuid4()
            enterprise = f"{8_000_000 + number:08d}"
            enterprise += f"{97 - int(enterprise) % 97:02d}"
            made[0].append(
                account[0] | {"id": account_id, "reference": f"B-{number}", "name": f"Commerce {number}"}
            )
            made[1].append(
                details[0]
                | {
                    "account_id": account_id,
                    "legal_name": f"Commerce {number} SRL",
                    "enterprise_number": enterprise,
                    "vat_number": f"BE{enterprise}",
                    "invoice_email": f"compta{number}@exemple.example",
                }
            )
            made[2].append(subscription[0] | {"id": subscription_id, "account_id": account_id})
            made[3] += [
                place
                | {
                    "id": uuid.uuid4(),
                    "subscription_id": subscription_id,
                    "name": f"{place['name']} {number}",
                }
                for place in places
            ]
            made[4] += [option | {"subscription_id": subscription_id} for option in options]
        with engine.begin() as connection:
            for table, new in zip(tables, made, strict=True):
                connection.execute(insert(table), new)
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
    else:
        with engine.connect() as connection:
            connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()


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


def measure_run(url: str, page_size: int, profile: str) -> dict[str, float]:
    from webapp.models.engine import make_engine
    from webapp.services import billing_run, invariants

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
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    started = time.perf_counter()
    with transaction() as session:
        broken = invariants.broken(session)
    if broken or report.failed:
        raise SystemExit(f"{broken} {report.failures[:3]}")
    return {
        "seconds": seconds,
        "cpu": cpu,
        "documents": report.documents,
        "lines": 3 * report.documents,
        "rss": peak,
        "invariants": time.perf_counter() - started,
    }


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
    with engine.begin() as connection:
        driver = connection.connection.dbapi_connection
        assert driver is not None
        started = time.perf_counter()
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
    return {"seconds": time.perf_counter() - started}


def in_a_process(*arguments: str) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.billing_run", *arguments]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[str, float] = json.loads(said.splitlines()[-1])
    return found


# ── The table ────────────────────────────────────────────────────────────────────────────────────────────────────


def measure(kind: str, size: int, rounds: int, folder: Path) -> dict[str, Any]:
    measured = []
    with databases(kind, folder, size) as copy:
        for _round in range(rounds):
            billed = copy("run")
            run = in_a_process("--one", "run", "--url", billed)
            ready_rows(billed, folder)
            floor = in_a_process(
                "--one", "floor", "--url", copy("floor"), "--source", billed, "--folder", str(folder)
            )
            measured.append((run, floor))
    ratios = [floor["seconds"] / run["seconds"] for run, floor in measured]
    return {
        "database": kind,
        "subscriptions": size,
        "invoices_per_second": median(size / run["seconds"] for run, _floor in measured),
        "floor_per_second": median(size / floor["seconds"] for _run, floor in measured),
        "ratio": median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
        "client_cpu_us": median(1e6 * run["cpu"] / size for run, _floor in measured),
        "peak_rss_mib": max(run["rss"] for run, _floor in measured),
        "invariants_seconds": median(run["invariants"] for run, _floor in measured),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[20_000, 200_000])
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgres"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--page-size", type=int, default=2000)
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
        f"{'database':>9} {'size':>8} {'invoices/s':>11} {'raw/s':>8} {'ratio (min–max)':>19} {'CPU':>8} {'RSS':>8} invariants"
    )
    with tempfile.TemporaryDirectory() as folder:
        for kind in asked.databases:
            for size in asked.sizes:
                row = measure(kind, size, asked.rounds, Path(folder))
                table.append(row)
                ratio = f"{row['ratio']:.2f} ({row['ratio_min']:.2f}–{row['ratio_max']:.2f})"
                print(
                    f"{kind:>9} {size:>8} {row['invoices_per_second']:>11.0f} {row['floor_per_second']:>8.0f} {ratio:>19} "
                    f"{row['client_cpu_us']:>5.0f} µs {row['peak_rss_mib']:>4.0f} MiB {row['invariants_seconds']:.1f} s",
                    flush=True,
                )
    if asked.json:
        asked.json.write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
