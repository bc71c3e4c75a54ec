"""One account, with all that its life depends on, copied into another database: to look ahead without touching it.

Every table says how its rows are chosen, or why it stays behind; a test looks for one that does not. Rows are copied
as they are, keys included, so that what is computed on the copy is what would be computed on the original.
"""

import uuid
from collections.abc import Callable, Iterable

from sqlalchemy import ColumnElement, Engine, Table, create_engine, insert, select
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from webapp.models.base import Base

# What is sold, who sells, how reminders go: the same for everybody, copied whole.
SHARED = frozenset(
    {
        "issuers",
        "series",
        "resellers",
        "wholesale_prices",
        "plans",
        "plan_versions",
        "plan_prices",
        "features",
        "options",
        "option_versions",
        "option_prices",
        "dunning_policies",
        "late_interest_rates",
    }
)
LEFT_BEHIND = {
    "sign_in_attempts": "nobody signs in to a copy",
    "login_sessions": "nobody signs in to a copy",
    "embed_assertions": "nobody signs in to a copy",
    "embed_refusals": "nobody signs in to a copy",
    "embed_sessions": "nobody signs in to a copy",
    "embed_tickets": "go with their session",
    "mailed_links": "nobody signs in to a copy",
    "second_factors": "a secret, and nobody signs in to a copy",
    "recovery_codes": "a secret, and nobody signs in to a copy",
    "oidc_identities": "nobody signs in to a copy",
    "email_checks": "links that wait for a reader",
    "invitations": "links that wait for a reader",
    "catalogue_drafts": "what is not published is not sold",
    "idempotent_replies": "answers to forms of the real portal",
    "gestures": "what they changed is kept on what they changed",
    "audit_entries": "what was done is not done again",
    "help_answers": "opinions change nothing",
    "search_terms": "nobody searches a copy",
    "revenue_days": "what is measured decides nothing",
    "revenue_points": "what is measured decides nothing",
    "revenue_moves": "what is measured decides nothing",
    "account_notes": "what colleagues tell each other changes nothing",
    "client_requests": "nobody answers a copy",
    "request_entries": "go with their request",
    "saved_replies": "nobody answers a copy",
    "outbox_messages": "what was sent is not sent again; the copy begins with an empty one",
    "outbox_attachments": "go with their message",
    "billing_runs": "the operator's own",
    "billing_run_failures": "go with their run",
    "jobs": "the operator's own",
    "job_runs": "go with their job",
    "plan_migrations": "the operator's own; what they change stands in scheduled_changes",
    "plan_moves": "go with their migration",
    "bank_files": "the bank knows nothing of a copy",
    "bank_entries": "the bank knows nothing of a copy",
    "debit_batches": "the bank knows nothing of a copy",
    "provider_events": "the provider knows nothing of a copy",
    "provider_refunds": "the provider knows nothing of a copy",
    "checkout_sessions": "the provider knows nothing of a copy",
    "reseller_memberships": "nobody signs in to a copy",
    "reseller_keys": "nobody signs for a copy",
    "reseller_accounts": "who pays for another account has nothing to do with this one",
    "reseller_invoices": "the documents of another account",
    "reseller_themes": "colours decide nothing",
    "publishing_marks": "nobody is told of a copy",
    "events": "nobody is told of a copy; it begins with none",
    "api_consumers": "nobody is told of a copy",
    "api_keys": "nobody is told of a copy",
    "webhook_endpoints": "nobody is told of a copy",
    "webhook_deliveries": "nobody is told of a copy",
    "invoice_documents": "files of documents already issued decide nothing",
    "mandate_documents": "files of mandates already signed decide nothing",
    "acknowledgements": "files of notices already given decide nothing",
}
# Rows that belong to the account by another row: the column, and the table whose copied keys it names.
BY_PARENT = {
    "users": ("id", "memberships", "user_id"),
    "method_announcements": ("method_id", "payment_methods", "id"),
}
NAMED = frozenset({"id", "user_id"})  # the keys by which other rows are chosen


class Unplaced(RuntimeError):
    """A table that says neither how its rows are chosen nor why it stays behind. The text names it."""


def empty_copy() -> Engine:
    """A database in memory with every table and no row, for one rehearsal: it vanishes with its engine."""
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    Base.metadata.create_all(engine)
    return engine


def copy_account(source: Session, target: Session, account_id: uuid.UUID) -> None:
    """Copy the account's rows and the shared ones into `target`, which holds none. Flushes nothing of `source`.

    Reads in the transaction at hand: the copy is of one moment. Raises Unplaced.
    """
    keys: dict[str, dict[str, set[object]]] = {}
    for table in _in_order():
        chosen = choice_of(table)
        if chosen is None:
            continue
        statement = select(table)
        condition = chosen(account_id, keys)
        if condition is not None:
            statement = statement.where(condition)
        rows = [dict(row) for row in source.execute(statement).mappings()]
        keys[table.name] = {name: {row[name] for row in rows} for name in NAMED & set(table.c.keys())}
        if rows:
            target.execute(insert(table), rows)


Choice = Callable[[uuid.UUID, dict[str, dict[str, set[object]]]], ColumnElement[bool] | None]


def choice_of(table: Table) -> Choice | None:
    """How the rows of a table are chosen; None when it stays behind. Raises Unplaced."""
    if table.name in LEFT_BEHIND:
        return None
    if table.name in SHARED:
        return lambda account_id, keys: None
    if table.name == "accounts":
        return lambda account_id, keys: table.c.id == account_id
    if table.name in BY_PARENT:
        column, parent, key = BY_PARENT[table.name]
        return lambda account_id, keys: table.c[column].in_(keys[parent][key])
    if "account_id" in table.c:
        return lambda account_id, keys: table.c.account_id == account_id
    for column, parent in (("subscription_id", "subscriptions"), ("invoice_id", "invoices")):
        if column in table.c:
            return _under(table, column, parent)
    raise Unplaced(table.name)


def _under(table: Table, column: str, parent: str) -> Choice:
    return lambda account_id, keys: table.c[column].in_(keys[parent]["id"])


def _in_order() -> Iterable[Table]:
    """Those that name others by key come after them; users after the memberships that choose them."""
    tables = list(Base.metadata.sorted_tables)
    users = next(table for table in tables if table.name == "users")
    tables.remove(users)
    return [*tables, users]
