"""The mails of lateness: a reminder, a suspension, a restoration. To the owners, and to the address for invoices.

Each names the invoices, what is left of each, how to pay it and what comes next, and leads to the very page.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain import dunning
from webapp.domain.dunning import Debt, Thresholds
from webapp.domain.late_costs import Claim, Costs
from webapp.domain.money import Money, total
from webapp.models.accounts import Account, BillingDetails
from webapp.models.invoices import Invoice, Issuer
from webapp.models.subscriptions import Establishment, Subscription
from webapp.services import links, notices, outbox, support


@dataclass(frozen=True, slots=True)
class Bill:
    """An unpaid invoice as a mail shows it, with the communication that pays it."""

    number: str
    due_on: date
    left: Money
    communication: str
    link: str


@dataclass(frozen=True, slots=True)
class Payee:
    """The bank account to pay, and who asks: what the law wants named in a reminder to a consumer."""

    legal_name: str
    iban: str
    bic: str
    enterprise_number: str


@dataclass(frozen=True, slots=True)
class Cap:
    """What a consumer could be asked up to a balance, or without `up_to` beyond the last one, and at most."""

    up_to: Money | None
    base: Money
    percent: str
    most: Money


def reminder(
    session: Session,
    account: Account,
    template: str,
    late: Sequence[Debt],
    suspends_on: date | None,
    claim: Claim | None,
    costs: Costs,
    delay_ends_on: date | None,
    now: datetime,
) -> None:
    """`template` is the text of the ladder's step; `delay_ends_on` the last day on which a consumer owes no more, after
    which `costs` say what could be asked."""
    _send(
        session,
        account,
        "reminder",
        late,
        now,
        tone=template,
        suspends_on=suspends_on,
        suspended_on=account.suspended_on,
        claim=claim,
        caps=[] if costs.is_off else _caps(costs, _currency(late)),
        delay_ends_on=delay_ends_on,
    )


def _caps(costs: Costs, currency: str) -> list[Cap]:
    return [
        Cap(
            Money(each.up_to_cents, currency) if each.up_to_cents is not None else None,
            Money(each.base_cents, currency),
            str(Decimal(each.percent.numerator) / each.percent.denominator) if each.percent else "",
            Money(costs.cap_most_cents or 0, currency),
        )
        for each in costs.caps
    ]


def suspended(
    session: Session,
    account: Account,
    late: Sequence[Debt],
    thresholds: Thresholds,
    cause: str,
    today: date,
    now: datetime,
) -> None:
    enough = dunning.to_restore(late, today, thresholds)
    _send(
        session,
        account,
        "sites_suspended",
        late,
        now,
        suspended_on=today,
        is_by_staff=cause != "unpaid",
        to_restore=total((debt.left for debt in enough), _currency(late)),
        restore_count=len(enough),
        sites=_sites(session, account.id),
    )


def restored(
    session: Session, account: Account, late: Sequence[Debt], passed_until: date | None, now: datetime
) -> None:
    """`late` is what is still unpaid; `passed_until` the last day of the time that the team gave."""
    _send(
        session,
        account,
        "sites_restored",
        late,
        now,
        passed_until=passed_until,
        sites=_sites(session, account.id),
    )


def _send(
    session: Session, account: Account, template: str, late: Sequence[Debt], now: datetime, **values: Any
) -> None:
    """One mail to each owner, in their language, and one to the address for invoices when it is nobody of them."""
    subscription_id = _subscription(session, account.id)
    if subscription_id is None:
        return
    bills = _bills(session, account.id, subscription_id, late)
    for email, name, language in _readers(session, account):
        outbox.queue(
            session,
            template,
            recipient=email,
            language=language,
            account_id=account.id,
            now=now,
            full_name=name,
            account=account.name,
            bills=bills,
            total=total((bill.left for bill in bills), _currency(late)),
            payee=_payee(session),
            desk=support.desk(session, subscription_id),
            link=_link(session, subscription_id, late, by_staff=bool(values.get("is_by_staff"))),
            **values,
        )


def _link(session: Session, subscription_id: uuid.UUID, late: Sequence[Debt], *, by_staff: bool) -> str:
    """To the page that mends it: what the team suspended is not mended by paying."""
    if by_staff:
        return links.unpaid(session, subscription_id)
    return (links.pay if late else links.overview)(session, subscription_id)


def _readers(session: Session, account: Account) -> list[tuple[str, str, str]]:
    readers = [
        (owner.email, owner.full_name, owner.language or account.language)
        for owner in notices.owners(session, account.id)
    ]
    details = session.get(BillingDetails, account.id)
    known = {email.lower() for email, _name, _language in readers}
    if details is not None and details.invoice_email and details.invoice_email.lower() not in known:
        readers.append((details.invoice_email, account.name, account.language))
    return readers


def _bills(
    session: Session, account_id: uuid.UUID, subscription_id: uuid.UUID, late: Sequence[Debt]
) -> list[Bill]:
    numbers = [debt.number for debt in late]
    statement = select(Invoice.number, Invoice.ogm).where(
        Invoice.account_id == account_id, Invoice.number.in_(numbers)
    )
    ogm = {row.number: row.ogm for row in session.execute(statement)}
    return [
        Bill(
            debt.number,
            debt.due_on,
            debt.left,
            _structured(ogm[debt.number]),
            links.invoice(session, subscription_id, debt.number),
        )
        for debt in late
    ]


def _structured(digits: str) -> str:
    return f"+++{digits[:3]}/{digits[3:7]}/{digits[7:]}+++"


def _payee(session: Session) -> Payee:
    columns = Issuer.legal_name, Issuer.iban, Issuer.bic, Issuer.enterprise_number
    row = session.execute(select(*columns).order_by(Issuer.id).limit(1)).first()
    return Payee(*row) if row else Payee("", "", "", "")


def _subscription(session: Session, account_id: uuid.UUID) -> uuid.UUID | None:
    """The subscription whose pages these mails lead to: the one that runs, else the last."""
    statement = (
        select(Subscription.id)
        .where(Subscription.account_id == account_id)
        .order_by(Subscription.status, Subscription.starts_on.desc())  # active before ended
        .limit(1)
    )
    return session.scalars(statement).first()


def _sites(session: Session, account_id: uuid.UUID) -> list[str]:
    """The establishments in service, by name."""
    statement = (
        select(Establishment.name)
        .join(Subscription, Subscription.id == Establishment.subscription_id)
        .where(
            Subscription.account_id == account_id,
            Subscription.status == "active",
            Establishment.active_until.is_(None),
        )
        .order_by(Establishment.position)
    )
    return list(session.scalars(statement))


def _currency(late: Sequence[Debt]) -> str:
    return late[0].left.currency if late else "EUR"
