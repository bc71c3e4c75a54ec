"""What the clients of a reseller use, recorded for the reseller's next document instead of being invoiced to them (R1)."""

import uuid
from collections.abc import Iterable, Sequence
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from webapp.domain import resale
from webapp.domain.access import Actor
from webapp.domain.money import Money
from webapp.domain.periods import Period
from webapp.domain.pricing import Draft, DraftLine
from webapp.domain.resale import RecordedLine, Wholesale
from webapp.models.accounts import Reseller
from webapp.models.resellers import ResaleLine, WholesalePrice
from webapp.services import audit
from webapp.services.contracts import Situation
from webapp.services.wording import line_description


def record(
    session: Session,
    draft: Draft,
    situation: Situation,
    reason: str,
    today: date,
    now: datetime,
    run_on: date | None = None,
) -> list[ResaleLine]:
    """Keep the lines of a draft with their wholesale side, in the place of `invoicing.issue`. Flushes.

    `reason` and `run_on` as there: the database refuses a period twice. Raises ValueError without a partner.
    """
    if situation.partner is None:
        raise ValueError("only the clients of a reseller are resold to")
    prices = prices_of(session, situation.partner.id)
    roots = _roots(session, [-line.root_id for line in draft.lines if line.root_id is not None])
    rows = []
    for position, line in enumerate(draft.lines, start=1):
        if line.root_id is None:
            side = resale.charged(line, draft, situation.contract, prices)
        else:
            root = roots[-line.root_id]
            side = resale.given_back(line, root)
            roots[-line.root_id] = root.less(line.net, side.net)
        rows.append(_row(line, side, position, situation, reason, today, now, run_on))
    session.add_all(rows)
    session.flush()
    return rows


def _row(
    line: DraftLine,
    side: Wholesale,
    position: int,
    situation: Situation,
    reason: str,
    today: date,
    now: datetime,
    run_on: date | None,
) -> ResaleLine:
    partner = situation.partner
    if partner is None:
        raise ValueError("only the clients of a reseller are resold to")
    establishment = line.key.establishment_id
    return ResaleLine(
        reseller_id=partner.id,
        account_id=situation.customer.account_id,
        subscription_id=situation.subscription_id,
        reason=reason,
        run_kind=reason if run_on is not None else None,
        run_on=run_on,
        charged_on=today,
        position=position,
        item=line.key.item,
        ref=line.key.ref,
        establishment_id=uuid.UUID(establishment) if establishment else None,
        description=line_description(line, situation, partner.language),
        quantity=line.quantity,
        period_start=line.service.start,
        period_end=line.service.end,
        whole_start=line.whole.start,
        whole_end=line.whole.end,
        currency=line.net.currency,
        unit_cents=line.unit.cents,
        net_cents=line.net.cents,
        wholesale_unit_cents=side.unit.cents,
        wholesale_cents=side.net.cents,
        vat_rate=line.vat.percent,
        vat_category=line.vat.category,
        root_id=None if line.root_id is None else -line.root_id,
        created_at=now,
    )


def _roots(session: Session, ids: Sequence[int]) -> dict[int, RecordedLine]:
    """The lines that are given back, with what was taken back of each already."""
    if not ids:
        return {}
    later = aliased(ResaleLine)
    rows = session.execute(
        select(
            ResaleLine,
            func.coalesce(func.sum(later.net_cents), 0),
            func.coalesce(func.sum(later.wholesale_cents), 0),
        )
        .outerjoin(later, later.root_id == ResaleLine.id)
        .where(ResaleLine.id.in_(ids))
        .group_by(ResaleLine.id)
    )
    found = {}
    for row, net, wholesale in rows:
        cents = row.net_cents, row.wholesale_unit_cents, row.wholesale_cents, int(net), int(wholesale)
        charged, unit, paid, taken, paid_back = (Money(each, row.currency) for each in cents)
        service = Period(row.period_start, row.period_end)
        found[row.id] = RecordedLine(charged, Wholesale(unit, paid), service, row.quantity, taken, paid_back)
    return found


# ── Wholesale prices ─────────────────────────────────────────────────────────────────────────────────────────────


def prices_of(session: Session, reseller_id: uuid.UUID) -> list[resale.WholesalePrice]:
    rows = session.scalars(select(WholesalePrice).where(WholesalePrice.reseller_id == reseller_id))
    return [
        resale.WholesalePrice(
            row.item,
            row.ref,
            row.frequency,
            row.from_unit,
            row.valid_from,
            Money(row.amount_cents, row.currency),
        )
        for row in rows.all()
    ]


def publish_prices(
    session: Session,
    reseller: Reseller,
    wanted: Iterable[resale.WholesalePrice],
    now: datetime,
    actor: Actor,
) -> int:
    """Add prices, each from its day on; those that are there already stay as they are. Answers how many. Flushes."""
    present = {
        (price.item, price.ref, price.frequency, price.amount.currency, price.from_unit, price.valid_from)
        for price in prices_of(session, reseller.id)
    }
    added = []
    for price in wanted:
        key = (
            price.item,
            price.ref,
            price.frequency,
            price.amount.currency,
            price.from_unit,
            price.valid_from,
        )
        if key not in present:
            present.add(key)
            added.append(
                WholesalePrice(
                    reseller_id=reseller.id,
                    item=price.item,
                    ref=price.ref,
                    frequency=price.frequency,
                    currency=price.amount.currency,
                    from_unit=price.from_unit,
                    valid_from=price.valid_from,
                    amount_cents=price.amount.cents,
                )
            )
    session.add_all(added)
    if added:
        facts = {"prices": len(added)}
        audit.record(session, actor, None, "reseller.wholesale_priced", reseller.slug, {}, facts, now)
    session.flush()
    return len(added)
