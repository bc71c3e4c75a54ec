"""Texts kept beside the tests, compared word for word: `UPDATE_SNAPSHOTS=1 pytest …` writes what is said now.

A difference is read like any other change of the code: in the commit that makes it.
"""

import os
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "snapshots"


def agrees(name: str, text: str) -> None:
    """Compare with tests/snapshots/<name>, or write it when asked to."""
    file = FOLDER / name
    if os.environ.get("UPDATE_SNAPSHOTS") == "1":
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert file.exists(), f"{file.name} is absent: run once with UPDATE_SNAPSHOTS=1, read it, and commit it"
    assert text == file.read_text(encoding="utf-8"), f"{file.name} says something else"
