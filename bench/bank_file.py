"""A bank file of 100 000 movements against the plain parse of the same file: its time, and whether memory stays flat.

Each movement is a transfer that names an open invoice; one in fifty is a direct debit's, one in a hundred names nothing.
The plain parse is `lxml.etree.iterparse` for camt.053 and `coda.CODA` for CODA, doing nothing with what they read. Each
measure has a process of its own, so that its memory is its own.

`python -m bench.bank_file --sizes 10000 100000`.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

ON = date(2026, 11, 16)
NOW = datetime(2026, 11, 16, 9, tzinfo=UTC)
KEY = "a key for the bench, as long as it must be"
DATABASE = "bench.sqlite3"


def arrange(folder: Path, size: int) -> None:
    """A database with `size` open invoices, one per account, and the two files that pay them."""
    from sqlalchemy import insert, select
    from sqlalchemy.orm import Session

    from tests.builders import a_seller, a_subscription
    from tests.support.bank_files import Line, camt_parts, coda_parts
    from webapp import create_app
    from webapp.config import Settings
    from webapp.models.accounts import Account, BillingDetails
    from webapp.models.invoices import Invoice
    from webapp.services.invoicing import structured_communication

    from alembic import command  # isort: skip
    from tests.support.database import alembic_config  # isort: skip

    app = create_app(
        Settings(
            instance=folder,
            database_url=f"sqlite:///{folder / DATABASE}",
            secret_key=KEY,
            mail_backend="file",
        )
    )
    with app.app_context():
        command.upgrade(alembic_config(app), "head")
        from webapp.extensions import db

        with Session(db.engine) as session, session.begin():
            a_seller(session)
            first = a_subscription(session, starts_on=date(2026, 10, 1), billed_through=date(2026, 10, 1))
            model = session.scalars(select(Invoice)).one()
            details = session.get_one(BillingDetails, first.account_id)
            columns = {c.key: getattr(model, c.key) for c in Invoice.__table__.columns if c.key != "id"}
            theirs = {c.key: getattr(details, c.key) for c in BillingDetails.__table__.columns}
            accounts, rows, billing = [], [], []
            import uuid

            for number in range(2, size + 2):
                ident = uuid.UUID(int=number)
                accounts.append(
                    {"id": ident, "reference": f"B{number}", "name": f"Client {number}", "kind": "business",
                     "language": "fr", "created_at": NOW}
                )  # fmt: skip
                billing.append(theirs | {"account_id": ident})
                rows.append(
                    columns
                    | {
                        "account_id": ident, "subscription_id": None, "series_number": number,
                        "number": f"F2026-{number:07d}", "run_kind": None, "run_on": None,
                        "ogm": structured_communication(2026, "invoice", number), "due_on": date(2026, 11, 30),
                    }
                )  # fmt: skip
            for table, values in ((Account, accounts), (BillingDetails, billing), (Invoice, rows)):
                for start in range(0, size, 5000):
                    session.execute(insert(table), values[start : start + 5000])
            total = model.total_cents

        def lines() -> Iterator[Line]:
            for number in range(2, size + 2):
                ogm = structured_communication(2026, "invoice", number)
                iban = f"BE{number % 90 + 10}{number:012d}"
                named = {"text": f"client {number}"} if number % 100 == 0 else {"ogm": ogm}
                yield Line(
                    total, ON, name=f"Client {number}", iban=iban, reference=f"REF{number:012d}", **named
                )

        with (folder / "camt.xml").open("w", encoding="utf-8") as file:
            file.writelines(camt_parts(lines(), version="08", message="053", statement="S1"))
        with (folder / "coda.txt").open("w", encoding="windows-1252", newline="") as file:
            file.writelines(coda_parts(lines(), on=ON))


def plain(folder: Path, form: str) -> dict[str, float]:
    start = time.perf_counter()
    if form == "camt":
        from lxml import etree

        for _event, element in etree.iterparse(str(folder / "camt.xml"), tag="{*}Ntry"):
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]
    else:
        from coda import CODA

        CODA(str(folder / "coda.txt"))
    return _measured(start)


def taken_in(folder: Path, form: str) -> dict[str, float]:
    """The whole of it: read, sealed, kept, matched, settled, told in history and events, committed page by page."""
    from sqlalchemy.orm import Session

    from webapp.adapters.vault import Purpose, Vault
    from webapp.domain.access import SYSTEM
    from webapp.models.engine import make_engine
    from webapp.services import bank_files

    engine = make_engine(f"sqlite:///{folder / DATABASE}")

    @contextmanager
    def transaction() -> Iterator[Session]:
        with Session(engine) as session, session.begin():
            yield session

    file = folder / ("camt.xml" if form == "camt" else "coda.txt")
    marks: dict[str, float] = {}

    def reached(point: str) -> None:
        marks[point] = time.perf_counter()
        marks["own_mb"] = max(marks.get("own_mb", 0), _own_memory())

    start = time.perf_counter()
    report = bank_files.take_in(
        transaction,
        file,
        file.name,
        Vault([KEY], Purpose.BANK_ACCOUNTS),
        ON,
        lambda: NOW,
        SYSTEM,
        reached=reached,
    )
    found = _measured(start)
    found |= {"parsed": marks["begun"] - start, "kept": marks["written"] - marks["begun"]}
    found |= {"matched": report.matched, "entries": report.entries, "own_mb": marks["own_mb"]}
    return found


def _own_memory() -> float:
    """What the process holds itself, in MB: SQLite maps its file into memory besides, up to 256 MB of it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    return 0


def _measured(start: float) -> dict[str, float]:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds, processor = time.perf_counter() - start, time.process_time()
    return {"seconds": round(seconds, 2), "processor": round(processor, 2), "peak_mb": round(peak, 1)}


def _apart(what: str, folder: Path, form: str) -> dict[str, float]:
    command = [
        sys.executable,
        "-m",
        "bench.bank_file",
        "--measure",
        what,
        "--folder",
        str(folder),
        "--form",
        form,
    ]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    return dict(json.loads(answer.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", type=int, default=[10_000, 100_000])
    parser.add_argument("--measure", choices=["arrange", "plain", "taken_in"])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--form", default="camt")
    parser.add_argument("--size", type=int, default=0)
    chosen = parser.parse_args()
    if chosen.measure == "arrange":
        arrange(chosen.folder, chosen.size)
        return
    if chosen.measure:
        print(json.dumps({"plain": plain, "taken_in": taken_in}[chosen.measure](chosen.folder, chosen.form)))
        return
    for size in chosen.sizes:
        for form in ("camt", "coda"):
            with tempfile.TemporaryDirectory() as made:
                folder = Path(made)
                subprocess.run(
                    [
                        sys.executable,
                        "-m",
                        "bench.bank_file",
                        "--measure",
                        "arrange",
                        "--folder",
                        made,
                        "--size",
                        str(size),
                    ],
                    check=True,
                )
                parse, whole = _apart("plain", folder, form), _apart("taken_in", folder, form)
                ratio = whole["seconds"] / parse["seconds"]
                print(
                    f"{form} {size:>7}: plain {parse['seconds']:6.2f} s {parse['peak_mb']:6.1f} MB · "
                    f"taken in {whole['seconds']:7.2f} s, {whole['processor']:.2f} s of processor with the start, "
                    f"{whole['peak_mb']:6.1f} MB, {whole['own_mb']:.1f} its own "
                    f"(read {whole['parsed']:.2f} s, kept {whole['kept']:.2f} s) · ratio {ratio:.1f}, "
                    f"{whole['matched']:.0f} of {whole['entries']:.0f} matched",
                    flush=True,
                )


if __name__ == "__main__":
    main()
