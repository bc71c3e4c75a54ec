"""A bank in a process of its own (the `mock-bank` package), on a clock that the test moves."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

CREDITOR_IBAN = "NL41MOCK0000000001"  # the account that this bank keeps for us
CREDITOR_BIC = "MOCKNL2A"


class MockBank:
    def __init__(self, address: str) -> None:
        self.address = address

    def ask(self, method: str, path: str, body: bytes = b"") -> str:
        request = Request(f"{self.address}{path}", data=body or None, method=method)
        with urlopen(request, timeout=10) as answer:
            return str(answer.read().decode())

    def take(self, file: bytes) -> Any:
        """Hand over a direct debit file."""
        return json.loads(self.ask("POST", "/payments", file))

    def move_to(self, day: date) -> None:
        self.ask("POST", f"/_mock/advance?to={day}", b"{}")

    def refuse(self, end_to_end_id: str, reason: str) -> None:
        """The debtor's bank says no: before the settlement or after it, as the clock stands."""
        body = json.dumps({"reason": reason}).encode()
        self.ask("POST", f"/_mock/collections/{end_to_end_id}/refuse", body)

    def collect(self, kind: str) -> list[bytes]:
        """The messages of a kind that were not collected yet: pain.002, camt.054, camt.053."""
        found = json.loads(self.ask("GET", f"/_mock/mailbox?type={kind}"))
        return [each["body"].encode() for each in found]


@contextmanager
def running(on: date) -> Iterator[MockBank]:
    """The bank, its clock at eight in the morning of that day."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mockbank", "--port", str(port), "--clock", f"{on}T08:00", "--quiet"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    bank = MockBank(f"http://127.0.0.1:{port}")
    try:
        for _ in range(100):
            try:
                bank.ask("GET", "/_mock/health")
                break
            except URLError:
                time.sleep(0.1)
        yield bank
    finally:
        process.terminate()
        process.wait(timeout=10)
