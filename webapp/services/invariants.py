"""What must hold of the issued documents, as queries that answer the rows that break it: none, always.

The billing run asks before it starts and after it ends. The database itself refuses most of this; these are the
questions an auditor would ask of a copy restored from elsewhere.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from webapp.models.invoices import Invoice, InvoiceLine, Series

MOST_ROWS = 20


@dataclass(frozen=True, slots=True)
class Broken:
    """An invariant that does not hold, with the first rows that break it."""

    name: str
    rows: tuple[tuple[Any, ...], ...]

    def __str__(self) -> str:
        return f"{self.name}: " + "; ".join(", ".join(map(str, row)) for row in self.rows)


def broken(session: Session) -> list[Broken]:
    """Every invariant that does not hold. Reads all the documents: seconds for a million."""
    found = []
    for name, statement in _invariants().items():
        rows = session.execute(statement.limit(MOST_ROWS)).all()
        if rows:
            found.append(Broken(name, tuple(tuple(row) for row in rows)))
    return found


def _invariants() -> dict[str, Select[Any]]:
    lines = (
        select(InvoiceLine.invoice_id, func.sum(InvoiceLine.net_cents).label("net"))
        .group_by(InvoiceLine.invoice_id)
        .subquery()
    )
    given_back = (
        select(InvoiceLine.root_id, func.sum(InvoiceLine.net_cents).label("net"))
        .where(InvoiceLine.root_id.is_not(None))
        .group_by(InvoiceLine.root_id)
        .subquery()
    )
    drawn = (
        select(
            Invoice.series_id,
            func.count().label("count"),
            func.min(Invoice.series_number).label("first"),
            func.max(Invoice.series_number).label("last"),
        )
        .group_by(Invoice.series_id)
        .subquery()
    )
    in_order = select(
        Invoice.number,
        Invoice.issued_on,
        func.lag(Invoice.issued_on)
        .over(partition_by=Invoice.series_id, order_by=Invoice.series_number)
        .label("issued_before"),
    ).subquery()
    periods = (
        select(
            Invoice.number,
            Invoice.subscription_id,
            Invoice.period_start,
            func.lag(Invoice.period_end)
            .over(partition_by=Invoice.subscription_id, order_by=Invoice.run_on)
            .label("billed_until"),
        )
        .where(Invoice.run_kind == "period")
        .subquery()
    )
    root = aliased(InvoiceLine)
    return {
        "total is net and VAT": select(
            Invoice.number, Invoice.net_cents, Invoice.vat_cents, Invoice.total_cents
        ).where(Invoice.total_cents != Invoice.net_cents + Invoice.vat_cents),
        "lines make the net": select(Invoice.number, Invoice.net_cents, lines.c.net)
        .outerjoin(lines, lines.c.invoice_id == Invoice.id)
        .where(or_(lines.c.net.is_(None), lines.c.net != Invoice.net_cents)),
        "numbers have no gap": select(
            Series.prefix, Series.year, Series.last_number, drawn.c.count, drawn.c.first, drawn.c.last
        )
        .outerjoin(drawn, drawn.c.series_id == Series.id)
        .where(
            func.coalesce(drawn.c.count, 0) + func.coalesce(drawn.c.last, 0) + func.coalesce(drawn.c.first, 1)
            != 2 * Series.last_number + 1
        ),
        "dates follow numbers": select(
            in_order.c.number, in_order.c.issued_on, in_order.c.issued_before
        ).where(in_order.c.issued_on < in_order.c.issued_before),
        "a period is billed once": select(
            periods.c.number, periods.c.subscription_id, periods.c.period_start, periods.c.billed_until
        ).where(periods.c.period_start < periods.c.billed_until),
        "paid within the total": select(Invoice.number, Invoice.paid_cents, Invoice.total_cents).where(
            or_(Invoice.paid_cents < 0, Invoice.paid_cents > func.abs(Invoice.total_cents))
        ),
        "no line gives back more than it charged": select(root.id, root.net_cents, given_back.c.net)
        .join(given_back, given_back.c.root_id == root.id)
        .where(
            # A discount is a charge below zero: what takes it back is above, up to nothing left of it.
            or_(
                and_(root.net_cents >= 0, or_(root.net_cents + given_back.c.net < 0, given_back.c.net > 0)),
                and_(root.net_cents < 0, or_(root.net_cents + given_back.c.net > 0, given_back.c.net < 0)),
            )
        ),
    }
