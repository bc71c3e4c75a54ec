"""A night of reminders against the plain read of the same rows: `python -m bench.reminders --sizes 5000 20000`.

Every account is late with two invoices. *quiet*: each had its reminder today, so that the round looks at all of them and
does nothing; its floor is one SELECT of the invoices past due, fetched. *busy*: a reminder leaves for the first 500, with
its step, its line of history and its mail; told per reminder, since no plain statement does the same. Each measure has a
process of its own, so that its memory is its own: the peak says whether it grows with the number of accounts.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import Engine, create_engine, insert, select
from sqlalchemy.orm import Session

ON, NOW = date(2026, 11, 30), datetime(2026, 11, 30, 5, tzinfo=UTC)
BUSY = 500
ROUNDS = 3
BATCH = 2000


def arrange(file: Path, size: int) -> None:
    """`size` accounts with two invoices past due and a first reminder of today."""
    from tests.builders import a_subscription, ladders
    from tests.support.database import create_schema
    from webapp import create_app
    from webapp.config import Settings
    from webapp.extensions import db
    from webapp.models.accounts import Account, BillingDetails
    from webapp.models.dunning import DunningCase, DunningStep
    from webapp.models.invoices import Invoice
    from webapp.models.subscriptions import Subscription

    app = create_app(Settings(instance=file.parent, database_url=f"sqlite:///{file}", secret_key="x" * 40))
    create_schema(app)
    with app.app_context():
        engine = db.engine
    with Session(engine) as session, session.begin():
        ladders(session)
        model = a_subscription(session, starts_on=date(2026, 9, 1), billed_through=date(2026, 10, 1))
        read = {
            table: [
                dict(row._mapping)
                for row in session.execute(select(table.__table__).where(table.__table__.c[key] == ident))
            ]
            for table, key, ident in (
                (Account, "id", model.account_id),
                (BillingDetails, "account_id", model.account_id),
                (Subscription, "id", model.id),
                (Invoice, "subscription_id", model.id),
            )
        }
        paid = Invoice.__table__.update().values(paid_cents=Invoice.total_cents)
        session.execute(paid)  # the model itself is not late
    for first in range(0, size, BATCH):
        made: dict[Any, list[dict[str, Any]]] = {each: [] for each in (*read, DunningCase, DunningStep)}
        for number in range(first, min(first + BATCH, size)):
            account_id, subscription_id = uuid.uuid4(), uuid.uuid4()
            made[Account].append(read[Account][0] | {"id": account_id, "reference": f"B-{number}"})
            made[BillingDetails].append(read[BillingDetails][0] | {"account_id": account_id})
            made[Subscription].append(
                read[Subscription][0] | {"id": subscription_id, "account_id": account_id}
            )
            for position, invoice in enumerate(read[Invoice]):
                serial = 1_000 + 2 * number + position
                made[Invoice].append(
                    invoice
                    | {
                        "id": serial,
                        "account_id": account_id,
                        "subscription_id": subscription_id,
                        "series_number": serial,
                        "number": f"B2026-{serial}",
                    }
                )
            made[DunningCase].append(
                {"id": number + 1, "account_id": account_id, "opened_on": ON, "anchored_on": date(2026, 10, 15), "round": 1}
            )  # fmt: skip
            made[DunningStep].append(
                {
                    "case_id": number + 1,
                    "account_id": account_id,
                    "round": 1,
                    "position": 1,
                    "template": "first",
                    "sent_on": ON,
                    "sent_at": NOW,
                    "invoices": [],
                    "legal": {},
                }
            )
        with engine.begin() as connection:
            for table, rows in made.items():
                connection.execute(insert(table.__table__), rows)


def measure(file: Path, what: str) -> dict[str, float]:
    """One measure, in this process alone."""
    from webapp.models.dunning import DunningCase, DunningStep
    from webapp.models.invoices import IS_OPEN, Invoice
    from webapp.services import dunning

    engine = create_engine(f"sqlite:///{file}")
    if what == "busy":
        with engine.begin() as connection:
            connection.execute(DunningStep.__table__.delete().where(DunningStep.__table__.c.case_id <= BUSY))
            connection.execute(DunningCase.__table__.delete().where(DunningCase.__table__.c.id <= BUSY))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, cpu = time.perf_counter(), time.process_time()
    done = 0
    if what == "floor":
        with engine.connect() as connection:
            rows = connection.execute(
                select(
                    Invoice.account_id,
                    Invoice.number,
                    Invoice.due_on,
                    Invoice.total_cents,
                    Invoice.paid_cents,
                    Invoice.currency,
                ).where(IS_OPEN, Invoice.due_on < ON)
            )
            done = sum(1 for _row in rows)
    else:
        report = dunning.run(lambda: _kept(engine), ON, lambda: NOW)
        if report.failed:
            raise SystemExit(str(report.failures[:3]))
        done = report.reminded if what == "busy" else report.looked_at
        if what == "quiet" and report.reminded:
            raise SystemExit("a quiet night reminded somebody")
    return {
        "seconds": time.perf_counter() - started,
        "cpu": time.process_time() - cpu,
        "done": done,
        "grown_mb": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024,
    }


@contextmanager
def _kept(engine: Engine) -> Iterator[Session]:
    with Session(engine) as session:
        yield session
        session.commit()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[5_000, 20_000])
    parser.add_argument("--measure", nargs=2, metavar=("FILE", "WHAT"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(measure(Path(asked.measure[0]), asked.measure[1])))
        return
    for size in asked.sizes:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "bench.sqlite3"
            arrange(file, size)
            rounds: dict[str, list[dict[str, float]]] = {"floor": [], "quiet": []}
            for _ in range(ROUNDS):
                for what, found in rounds.items():
                    found.append(_apart(file, what))
            busy = _apart(file, "busy")
        floor, quiet = (median(each["cpu"] for each in rounds[what]) for what in ("floor", "quiet"))
        print(
            f"{size} accounts: plain read {floor:.2f} s, quiet night {quiet:.2f} s, ratio {quiet / floor:.1f}, "
            f"{1e6 * quiet / size:.0f} µs an account, memory +{rounds['quiet'][-1]['grown_mb']:.0f} MB "
            f"(plain read +{rounds['floor'][-1]['grown_mb']:.0f} MB); "
            f"busy night {1e3 * busy['cpu'] / BUSY:.1f} ms a reminder"
        )


def _apart(file: Path, what: str) -> dict[str, float]:
    done = subprocess.run(  # its errors are shown as they come
        [sys.executable, "-m", "bench.reminders", "--measure", str(file), what],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
