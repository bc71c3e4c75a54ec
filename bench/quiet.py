"""gunicorn as it is run, without its words between two measures: the floor and the portal alike."""

import runpy
from pathlib import Path

globals().update(
    (name, value)
    for name, value in runpy.run_path(str(Path(__file__).parents[1] / "gunicorn.conf.py")).items()
    if not name.startswith("__")
)
loglevel = "error"
max_requests = 0  # a measure sends more than a worker serves before it is renewed
