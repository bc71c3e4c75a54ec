"""A billing run in a process of its own, which may be told to die: python -m tests.support.killable_run URL DAY [POINT NTH].

Dies as `kill -9` would, at the NTH time that it reaches POINT: no rollback, no goodbye.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime

from sqlalchemy.orm import Session

from webapp.models.engine import make_engine
from webapp.services import billing_run

POINTS = ("before_numbers", "after_numbers", "after_lines", "before_commit", "after_commit")


def main(url: str, day: str, point: str = "", nth: str = "1") -> None:
    engine = make_engine(url)
    times = 0

    @contextmanager
    def transaction() -> Iterator[Session]:
        with Session(engine) as session, session.begin():
            yield session

    def reached(name: str) -> None:
        nonlocal times
        times += name == point
        if name == point and times == int(nth):
            os._exit(9)

    report = billing_run.run(
        transaction, date.fromisoformat(day), lambda: datetime.now(UTC), page_size=7, reached=reached
    )
    sys.exit(1 if report.failed else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
