"""Vendored files are the published ones: their hashes are those written beside them."""

import hashlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (ROOT / "webapp/static/vendor", ROOT / "tests/support/vendor")
ROW = re.compile(r"^\| (\S+) \|.*\| ([0-9a-f]{64}) \|$", re.MULTILINE)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parent.name)
def test_each_vendored_script_is_listed_with_its_hash(folder):
    listed = dict(ROW.findall((folder / "VENDOR.md").read_text()))
    found = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.glob("*.js")}
    assert found == listed, (
        "replace the file by the published one, or update VENDOR.md with its source and version"
    )


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parent.name)
def test_each_vendored_folder_holds_a_licence(folder):
    assert list(folder.glob("LICENSE*"))


def test_our_own_script_stays_small_enough_to_be_read():
    script = ROOT / "webapp/static/app.js"
    assert script.stat().st_size <= 3 * 1024, "app.js only helps htmx: move the rest to the server"
