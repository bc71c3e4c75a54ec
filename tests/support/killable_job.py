"""A job of the team in a process of its own, which may be told to die: python -m tests.support.killable_job ID [POINT NTH].

It is the process that the page starts, settings from the environment, with pages of two subscriptions. It dies as
`kill -9` would, at the NTH time that it reaches POINT of the billing run.
"""

import os
import sys

from tests.support.killable_run import POINTS
from webapp import create_app, executing


def main(job_id: str, point: str = "", nth: str = "1") -> None:
    assert point in ("", *POINTS)
    times = 0

    def reached(name: str) -> None:
        nonlocal times
        times += name == point
        if name == point and times == int(nth):
            os._exit(9)

    with create_app().app_context():
        executing.perform(int(job_id), page_size=2, reached=reached)


if __name__ == "__main__":
    main(*sys.argv[1:])
