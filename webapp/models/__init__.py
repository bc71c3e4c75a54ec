"""The rows. Importing this package registers every table on `Base.metadata`."""

from webapp.models import (
    accounts,
    billing_runs,
    catalogue,
    documents,
    dunning,
    events,
    gestures,
    invoices,
    jobs,
    payments,
    records,
    requests,
    resellers,
    revenue,
    subscriptions,
    team,
    terminations,
)
from webapp.models.base import Base

__all__ = [
    "Base",
    "accounts",
    "billing_runs",
    "catalogue",
    "documents",
    "dunning",
    "events",
    "gestures",
    "invoices",
    "jobs",
    "payments",
    "records",
    "requests",
    "resellers",
    "revenue",
    "subscriptions",
    "team",
    "terminations",
]
