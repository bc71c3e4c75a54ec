"""Notices of the demo's payment provider handled in a process of its own, which may be told to die.

python -m tests.support.killable_notices URL FOLDER KEY DAY [POINT]: dies as `kill -9` would on reaching POINT.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

from sqlalchemy.orm import Session

from webapp.adapters.demo_provider import DemoProvider
from webapp.models.engine import make_engine
from webapp.services import provider_events

POINTS = ("kept", "fetched", "applied", "before_commit", "after_commit")


def main(url: str, folder: str, key: str, day: str, point: str = "") -> None:
    engine = make_engine(url)

    @contextmanager
    def transaction() -> Iterator[Session]:
        with Session(engine) as session, session.begin():
            yield session

    def reached(name: str) -> None:
        if name == point:
            os._exit(9)

    done = provider_events.handle_waiting(
        transaction,
        DemoProvider(Path(folder), [key]),
        date.fromisoformat(day),
        lambda: datetime.now(UTC),
        reached=reached,
    )
    sys.exit(1 if done.failed else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
