"""gunicorn as it is run, without its words between two measures."""

worker_class = "sync"
preload_app = True
loglevel = "error"
