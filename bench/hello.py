"""The floor of a page: a bare Flask view behind the same server."""

from flask import Flask

app = Flask(__name__)


@app.get("/")
def hello() -> str:
    return "<!doctype html><title>hello</title><h1>hello</h1>"
