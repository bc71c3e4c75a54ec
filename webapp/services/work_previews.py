"""What the work of a night would do if it were started now, in numbers: the work itself, in transactions that keep nothing.

What only counts is counted. Nothing is mailed, asked of a provider or given to the bank: that comes after the commit.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.domain.refusals import Refusal
from webapp.models.records import OutboxMessage
from webapp.services import (
    announcements,
    charges,
    debit_batches,
    dispatch,
    documents,
    dunning,
    invoice_mails,
    method_ends,
    outbox,
    renewals,
)

Discarding = Callable[[], AbstractContextManager[Session]]  # a transaction undone at its end


@dataclass(frozen=True, slots=True)
class Figure:
    """One line: `what` names it, `cents` is the amount with VAT, None where there is none."""

    what: str
    count: int
    cents: int | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """The day and the settings of the work that is looked at. `provider` is empty when none takes cards."""

    on: date
    now: datetime
    announce_days: Sequence[int]
    provider: str


def look(kind: str, transaction: Discarding, this: Round) -> list[Figure]:
    """The figures of one command of `jobs.COMMANDS`. Raises KeyError for another, and what stops the command itself."""
    return LOOKS[kind](transaction, this)


def _renew(transaction: Discarding, this: Round) -> list[Figure]:
    with transaction() as session:
        ids = renewals.subscriptions_to_turn(session, this.on)
    applied = renewed = ended = waiting = refused = 0
    for subscription_id in ids:
        try:
            with transaction() as session:
                turned = renewals.turn(session, subscription_id, this.on, this.now, "")
        except Refusal:
            refused += 1
            continue
        applied += turned.applied
        renewed += turned.renewed_on is not None
        ended += turned.ended_on is not None
        waiting += turned.waits
    return [
        Figure("changes", applied),
        Figure("renewals", renewed),
        Figure("ends", ended),
        Figure("not_billed_yet", waiting),
        Figure("refused", refused),
    ]


def _announce(transaction: Discarding, this: Round) -> list[Figure]:
    with transaction() as session:
        notices = announcements.due(session, this.on, this.announce_days)
        ending, over = method_ends.due(session, this.on), method_ends.to_end(session, this.on)
    return [
        Figure("notices", len(notices)),
        Figure("method_ends", len(ending)),
        Figure("methods_over", len(over)),
    ]


def _send_invoices(transaction: Discarding, this: Round) -> list[Figure]:
    with transaction() as session:
        count = sum(1 for _id in _all(lambda last: invoice_mails.waiting(session, this.on, after=last)))
    return [Figure("documents_to_mail", count)]


def _collect(transaction: Discarding, this: Round) -> list[Figure]:
    """One transaction for all: what is planned now may be in the file of today."""
    planned = cents = 0
    with transaction() as session:
        for invoice_id in _all(lambda last: debit_batches.due(session, this.on, after=last)):
            found = debit_batches.plan_due(session, invoice_id, this.on, this.now)
            if found is not None:
                planned, cents = planned + 1, cents + found.amount_cents
        file = debit_batches.preview(session, this.on)
        return [
            Figure("debits", planned, cents),
            Figure("debits_of_the_file", len(file.ready), file.total.cents),
        ]


def _charge(transaction: Discarding, this: Round) -> list[Figure]:
    count = cents = 0
    if this.provider:
        count, cents = charges.rehearse(transaction, this.provider, this.on, this.now)
    return [Figure("charges", count, cents)]


def _remind(transaction: Discarding, this: Round) -> list[Figure]:
    report = dunning.run(transaction, this.on, lambda: this.now)
    return [
        Figure("accounts_late", report.looked_at),
        Figure("reminders", report.reminded),
        Figure("suspensions", report.suspended),
        Figure("restorations", report.restored),
        Figure("in_error", report.failed),
    ]


def _send_documents(transaction: Discarding, this: Round) -> list[Figure]:
    with transaction() as session:
        made = sum(1 for _id in _all(lambda last: documents.without_files(session, last)))
        counts = dispatch.counts(session, this.now)
    return [Figure("files", made), *(Figure(f"documents_{name}", count) for name, count in counts.items())]


def _send_mail(transaction: Discarding, this: Round) -> list[Figure]:
    with transaction() as session:
        waiting = select(func.count()).select_from(OutboxMessage)
        waiting = waiting.where(
            OutboxMessage.sent_at.is_(None), OutboxMessage.attempts < outbox.MOST_ATTEMPTS
        )
        return [Figure("mails", session.scalar(waiting) or 0)]


def _all(page: Callable[[int], Sequence[int]]) -> Iterator[int]:
    """Every id, page after page, in order."""
    last = 0
    while ids := page(last):
        yield from ids
        last = ids[-1]


LOOKS: dict[str, Callable[[Discarding, Round], list[Figure]]] = {
    "renew": _renew,
    "announce": _announce,
    "send-invoices": _send_invoices,
    "collect": _collect,
    "charge": _charge,
    "remind": _remind,
    "send-documents": _send_documents,
    "send-mail": _send_mail,
}
