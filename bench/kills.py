"""Kill the billing run at each named point, over and over, two runs at once, then let it end: nothing may be missing.

`make kills`, or `python -m bench.kills --rounds 50`. Says the first thing that does not hold, and stops there.
"""

import argparse
import multiprocessing
import random
import tempfile
from datetime import date
from multiprocessing.process import BaseProcess
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bench.billing_run import ON, databases
from tests.support import killable_run
from tests.support.killable_run import POINTS
from webapp.models.engine import make_engine
from webapp.models.invoices import Invoice, InvoiceLine, Series
from webapp.services import invariants

FORKED = multiprocessing.get_context("fork")
PATIENCE = 300  # seconds


def start(url: str, on: date, *more: str) -> BaseProcess:
    """A run in a process of its own, forked while this one holds no connection: importing the portal anew for each
    of six hundred runs would take longer than the runs."""
    run = FORKED.Process(target=killable_run.main, args=(url, on.isoformat(), *more))
    run.start()
    return run


def ended(run: BaseProcess) -> int:
    """How it ended: 9 when it was killed. Raises SystemExit when it does not end."""
    run.join(PATIENCE)
    if run.exitcode is None:
        run.kill()
        raise SystemExit("a run that nobody killed hangs")
    return run.exitcode


def one_round(url: str, size: int, chance: random.Random) -> int:
    """How many runs were killed before the last two ended. Raises SystemExit when something is missing or double."""
    killed = 0
    for point in POINTS:
        pair = [start(url, ON, point, str(chance.randint(1, 3))) for _twice in range(2)]
        killed += sum(ended(run) == 9 for run in pair)
    for run in [start(url, ON), start(url, ON)]:
        if ended(run) != 0:
            raise SystemExit("a run that nobody killed did not end")
    engine = make_engine(url)
    with Session(engine) as session:
        billed = session.scalar(
            select(func.count(func.distinct(Invoice.subscription_id))).where(Invoice.run_on == ON)
        )
        documents = session.scalar(select(func.count()).where(Invoice.run_on == ON))
        lines = session.scalar(
            select(func.count()).select_from(InvoiceLine).join(Invoice).where(Invoice.run_on == ON)
        )
        last = session.scalar(select(func.max(Series.last_number)))
        broken = invariants.broken(session)
    engine.dispose()
    # One more document than those of the round: that of the model that was copied.
    if (billed, documents, lines, last, broken) != (size, size, 3 * size, size + 1, []):
        raise SystemExit(f"{size} expected: {billed=} {documents=} {lines=} {last=} {broken}")
    return killed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--size", type=int, default=60)
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgres"])
    parser.add_argument("--seed", type=int, default=20261101)
    asked = parser.parse_args()
    chance = random.Random(asked.seed)
    with tempfile.TemporaryDirectory() as folder:
        for kind in asked.databases:
            killed = 0
            with databases(kind, Path(folder), asked.size) as copy:
                for _round in range(asked.rounds):
                    killed += one_round(copy("kills"), asked.size, chance)
            print(
                f"{kind}: {asked.rounds} rounds, {killed} runs killed, nothing missing, double or gapped",
                flush=True,
            )


if __name__ == "__main__":
    main()
