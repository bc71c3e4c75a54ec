"""The script that a reseller's page loads. Its bytes never change under its address: pages name their hash."""

import base64
import hashlib
from functools import cache
from pathlib import Path

PATH = Path(__file__).parent / "static" / "embed" / "loader.v1.js"


@cache
def integrity() -> str:
    """As the attribute `integrity` of a script says it."""
    return "sha384-" + base64.b64encode(hashlib.sha384(PATH.read_bytes()).digest()).decode()
