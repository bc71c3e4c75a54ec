"""Servers to measure, and wrk to measure them with: the same gunicorn, the same number of workers, kept alive."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import urlopen


@dataclass(frozen=True, slots=True)
class Load:
    """One measure. Times in milliseconds; `cpu` is what the server's processes used for one request."""

    p50: float
    p99: float
    per_second: float
    errors: int
    cpu: float


@dataclass(frozen=True, slots=True)
class Form:
    """What is posted instead of a plain GET."""

    fields: Mapping[str, str]
    headers: Mapping[str, str]


_serving_at: dict[str, int] = {}  # the process to watch, by host and port


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def serving(app: str, environment: Mapping[str, str] | None = None, workers: int = 2) -> Iterator[str]:
    """The address of a gunicorn that serves `app` until the end of the block."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--config", "python:bench.quiet", "--workers", str(workers)]
    server = subprocess.Popen(
        [*command, "--bind", f"127.0.0.1:{port}", app], env=os.environ | (environment or {})
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/")
        _serving_at[f"127.0.0.1:{port}"] = server.pid
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(20)


def _wait_for(address: str) -> None:
    for _attempt in range(600):
        try:
            urlopen(address, timeout=2).close()
            return
        except (URLError, OSError) as error:
            if getattr(error, "code", None) is not None:
                return  # an answer, whatever it says
            time.sleep(0.1)
    raise SystemExit(f"{address} does not answer")


def _cpu_seconds(address: str) -> float:
    """What the workers of the server at `address` have used so far, as Linux counts it."""
    parent = _serving_at[urlsplit(address).netloc]
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    ticks = 0
    for child in children:
        fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])  # utime and stime: see proc(5)
    return ticks / os.sysconf("SC_CLK_TCK")


def measure(address: str, clients: int, seconds: int, cookie: str = "", form: Form | None = None) -> Load:
    """wrk on one address, a GET or the POST of `form`. Answers other than 2xx count as errors."""
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is missing: `make bench` installs it from the Debian packages")
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--latency", "-H", "Accept-Language: fr"]
    if cookie:
        command += ["-H", f"Cookie: {cookie}"]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        if form is not None:
            script.write(f'wrk.method = "POST"\nwrk.body = {json.dumps(urlencode(form.fields))}\n')
            headers = {"Content-Type": "application/x-www-form-urlencoded", **form.headers}
            script.writelines(
                f"wrk.headers[{json.dumps(name)}] = {json.dumps(each)}\n" for name, each in headers.items()
            )
            script.flush()
            command += ["-s", script.name]
        used = _cpu_seconds(address)
        said = subprocess.run([*command, address], capture_output=True, text=True, check=True).stdout
        used = _cpu_seconds(address) - used
    return Load(
        p50=_milliseconds(said, r"\n +50%\s+(\S+)"),
        p99=_milliseconds(said, r"\n +99%\s+(\S+)"),
        per_second=float(_found(said, r"Requests/sec:\s+(\S+)")),
        errors=int(_found(said, r"Non-2xx or 3xx responses: (\d+)", "0")),
        cpu=used * 1000 / max(1, int(_found(said, r"(\d+) requests in"))),
    )


def _found(said: str, pattern: str, default: str | None = None) -> str:
    match = re.search(pattern, said)
    if match:
        return match[1]
    if default is None:
        raise SystemExit(f"wrk said something else:\n{said}")
    return default


def _milliseconds(said: str, pattern: str) -> float:
    text = _found(said, pattern)
    for unit, factor in (("us", 0.001), ("ms", 1.0), ("s", 1000.0)):
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * factor
    raise SystemExit(f"not a time: {text}")
