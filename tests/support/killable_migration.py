"""A migration carried out in a process of its own, which dies: python -m tests.support.killable_migration ID POINT NTH.

Settings come from the environment; pages are of two subscribers. It dies as `kill -9` would, at the NTH time that it
reaches POINT: told (a change and its mail are written), sending (all is kept, no mail has left).
"""

import os
import sys
from collections.abc import Callable
from typing import Any

from webapp import create_app, mailing, migrating
from webapp.services import notices

POINTS = {
    "told": (notices, "tell_owners"),
    "sending": (mailing, "deliver"),
}


def main(migration_id: str, point: str, nth: str) -> None:
    module, name = POINTS[point]
    original: Callable[..., Any] = getattr(module, name)
    times = 0

    def dying(*args: Any, **values: Any) -> Any:
        nonlocal times
        times += 1
        if point == "sending" and times == int(nth):
            os._exit(9)
        answer = original(*args, **values)
        if times == int(nth):
            os._exit(9)
        return answer

    setattr(module, name, dying)
    with create_app().app_context():
        migrating.carry_out(int(migration_id), size=2)


if __name__ == "__main__":
    main(*sys.argv[1:])
