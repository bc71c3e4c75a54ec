"""The rows. Importing this package registers every table on `Base.metadata`."""

from webapp.models import accounts, catalogue, invoices, records, subscriptions
from webapp.models.base import Base

__all__ = ["Base", "accounts", "catalogue", "invoices", "records", "subscriptions"]
