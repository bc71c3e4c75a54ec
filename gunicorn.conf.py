"""How the portal is served, by `make run` and in production alike. Command line options override it."""

import gc
import multiprocessing
import os

bind = os.environ.get("PORTAL_BIND", "127.0.0.1:8000")
# Browsers open connections ahead of need. Each of them would hold a worker that reads one connection at a time, for
# as long as `timeout`: two idle ones stopped the whole portal.
worker_class = "gthread"
threads = 4
workers = int(os.environ.get("PORTAL_WORKERS", min(multiprocessing.cpu_count(), 4)))
preload_app = True  # templates and catalogues are read once; no connection is opened before the fork
max_requests = 10_000
max_requests_jitter = 500
timeout = 30
control_socket_disable = True
accesslog = None  # mailed links are in addresses: the proxy in front decides what it keeps


def when_ready(_server: object) -> None:
    """What was read before the fork lives as long as the process: the collector need not walk it, which would also
    copy its pages into each worker. A page makes some ten thousand objects and nearly no cycle: collecting every
    700 of them took a quarter of its time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
