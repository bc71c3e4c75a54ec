"""Hands the built application to the server."""

from webapp import create_app

app = create_app()
