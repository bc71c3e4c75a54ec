"""Handing documents over to a folder in a process of its own, which may be told to die:
python -m tests.support.killable_sending URL FOLDER NOW [WHERE].

Killed by SIGKILL at WHERE ("before deposit", "after release" …): no rollback, no goodbye.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session

from webapp.adapters.access_point import FolderDrop
from webapp.domain.einvoice import Endpoint
from webapp.models.engine import make_engine
from webapp.services import dispatch


class DyingDrop(FolderDrop):
    where = ""

    def deposit(self, ubl: bytes, key: str) -> str:
        self._reach("before deposit")
        left = super().deposit(ubl, key)
        self._reach("after deposit")
        return left

    def release(self, transmission_id: str, receiver: Endpoint) -> None:
        super().release(transmission_id, receiver)
        self._reach("after release")

    def _reach(self, point: str) -> None:
        if point == self.where:
            os.kill(os.getpid(), signal.SIGKILL)


def main(url: str, folder: str, now: str, where: str = "") -> None:
    engine = make_engine(url)

    @contextmanager
    def transaction() -> Iterator[Session]:
        with Session(engine) as session, session.begin():
            yield session

    drop = DyingDrop(Path(folder))
    drop.where = where
    done = dispatch.send(transaction, drop, lambda: datetime.fromisoformat(now))
    sys.exit(0 if done.moved else 3)


if __name__ == "__main__":
    main(*sys.argv[1:])
