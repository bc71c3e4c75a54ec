"""The rules of subscriptions and billing. Standard library only: no Flask, no SQLAlchemy, no translated text."""
