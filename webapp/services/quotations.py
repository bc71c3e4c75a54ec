"""Options on quotation: the client asks, staff answers with a price, the client accepts or declines (spec C4)."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain.access import Actor
from webapp.domain.contract import Frequency, OptionKind
from webapp.domain.money import Money
from webapp.domain.option_change import OptionTerms, Wish
from webapp.domain.refusals import (
    OptionNotOffered,
    QuotationClosed,
    QuotationExpired,
    QuotationPending,
    UnknownOption,
)
from webapp.models.accounts import Account
from webapp.models.catalogue import Option, OptionVersion
from webapp.models.invoices import Issuer
from webapp.models.subscriptions import Quotation, Subscription
from webapp.services import audit, contracts, notices, options, outbox, scheduling
from webapp.services import requests as inbox
from webapp.services.contracts import Situation
from webapp.services.subscriptions import ensure_running, ensure_self_service, options_on_sale
from webapp.services.wording import text

OPEN = ("requested", "quoted")


class QuotationNotFound(LookupError):
    """No such quotation here: the door answers 404."""


@dataclass(frozen=True, slots=True)
class Request:
    """A quotation with what staff needs to know of who asks."""

    quotation: Quotation
    account: str
    reference: str
    option_names: dict[str, Any]


def open_ones(session: Session, subscription_id: uuid.UUID) -> dict[str, Quotation]:
    """The latest quotation under way of each option, by its code."""
    statement = (
        select(Option.code, Quotation)
        .join(OptionVersion, OptionVersion.id == Quotation.option_version_id)
        .join(Option, Option.id == OptionVersion.option_id)
        .where(Quotation.subscription_id == subscription_id, Quotation.status.in_(OPEN))
        .order_by(Quotation.id)
    )
    return {row.code: row.Quotation for row in session.execute(statement)}


def get(session: Session, subscription_id: uuid.UUID, quotation_id: int) -> Quotation:
    """One of this subscription. Raises QuotationNotFound."""
    quotation = session.get(Quotation, quotation_id)
    if quotation is None or quotation.subscription_id != subscription_id:
        raise QuotationNotFound(quotation_id)
    return quotation


def request(
    session: Session,
    subscription_id: uuid.UUID,
    option_code: str,
    description: str,
    today: date,
    now: datetime,
    actor: Actor,
    link: str,
    staff_link: Callable[[int], str],
) -> Quotation:
    """Ask for a price. Flushes.

    Raises UnknownOption, OptionNotOffered, QuotationPending, SubscriptionEnded and ContactPartner.
    """
    subscription = scheduling.lock(session, subscription_id)
    situation = contracts.load(session, subscription_id)
    ensure_self_service(situation, options.CHANGE_OPTIONS)
    ensure_running(situation, today)
    contract = situation.contract.on(today)
    offer = next(
        (each for each in options_on_sale(session, situation, today) if each.code == option_code), None
    )
    if offer is None or offer.kind != OptionKind.ON_QUOTATION.value:
        raise UnknownOption(option_code)
    if contract.plan_code not in offer.offered_by:
        raise OptionNotOffered(option_code, contract.plan_code)
    pending = open_ones(session, subscription_id).get(option_code)
    if pending is not None and not has_expired(pending, today):
        raise QuotationPending()
    quotation = Quotation(
        subscription_id=subscription.id,
        option_version_id=offer.version_id,
        status="requested",
        description=description,
        requested_by=actor.name,
        requested_at=now,
    )
    session.add(quotation)
    session.flush()
    _record(session, subscription, quotation, "requested", option_code, actor, now)
    _open_request(session, situation, quotation, offer.names, actor, today, now)
    notices.tell_owners(
        session,
        situation.customer,
        "quotation_requested",
        now,
        lambda language: {"option": text(offer.names, language)},
        description=description,
        link=link,
    )
    _tell_staff(session, situation, quotation, text(offer.names, "fr"), staff_link(quotation.id), now)
    session.flush()
    return quotation


def _open_request(
    session: Session,
    situation: Situation,
    quotation: Quotation,
    option_names: Mapping[str, str],
    actor: Actor,
    today: date,
    now: datetime,
) -> None:
    """In the inbox of the team, beside the list of quotations."""
    plan = situation.plans[situation.contract.on(today).plan_code]
    inbox.open_one(
        session,
        "quotation",
        situation.customer.account_id,
        actor,
        now,
        subscription_id=situation.subscription_id,
        text=quotation.description,
        facts={"plan": dict(plan), "option": dict(option_names)},
        quotation_id=quotation.id,
    )


def has_expired(quotation: Quotation, today: date) -> bool:
    return quotation.valid_until is not None and quotation.valid_until < today


def requests(session: Session) -> list[Request]:
    """What staff has to answer and what was answered: the oldest to answer first, then the rest."""
    rows = session.execute(
        _REQUESTS.order_by(Quotation.status != "requested", Quotation.id.desc()).limit(200)
    )
    return [Request(*row) for row in rows]


def get_request(session: Session, quotation_id: int) -> Request:
    """Raises QuotationNotFound."""
    row = session.execute(_REQUESTS.where(Quotation.id == quotation_id)).first()
    if row is None:
        raise QuotationNotFound(quotation_id)
    return Request(*row)


_REQUESTS = (
    select(Quotation, Account.name, Account.reference, OptionVersion.names)
    .join(Subscription, Subscription.id == Quotation.subscription_id)
    .join(Account, Account.id == Subscription.account_id)
    .join(OptionVersion, OptionVersion.id == Quotation.option_version_id)
)


def answer(
    session: Session,
    quotation_id: int,
    monthly: Money,
    annual: Money,
    message: str,
    valid_until: date,
    today: date,
    now: datetime,
    actor: Actor,
    link: str,
) -> Quotation:
    """Give a price per month and per year, VAT excluded, good until `valid_until` included; again until it is accepted.

    Raises QuotationNotFound, QuotationClosed, QuotationExpired for a day that has passed.
    """
    quotation = session.get(Quotation, quotation_id)
    if quotation is None:
        raise QuotationNotFound(quotation_id)
    subscription = scheduling.lock(session, quotation.subscription_id)
    if quotation.status not in OPEN:
        raise QuotationClosed()
    if valid_until < today:
        raise QuotationExpired(valid_until)
    quotation.status = "quoted"
    quotation.monthly_cents, quotation.annual_cents = monthly.cents, annual.cents
    quotation.answer, quotation.valid_until = message, valid_until
    quotation.quoted_by, quotation.quoted_at = actor.name, now
    session.flush()
    situation = contracts.load(session, subscription.id)
    version = quotation.option_version
    _record(session, subscription, quotation, "answered", version.option.code, actor, now)
    inbox.quotation_answered(session, quotation.id, message, actor, now)
    is_annual = situation.contract.frequency is Frequency.ANNUAL
    notices.tell_owners(
        session,
        situation.customer,
        "quotation_answered",
        now,
        lambda language: {"option": text(version.names, language)},
        price_cents=quotation.annual_cents if is_annual else quotation.monthly_cents,
        is_annual=is_annual,
        currency=situation.currency,
        message=message,
        valid_until=valid_until,
        link=link,
    )
    session.flush()
    return quotation


def terms(quotation: Quotation, situation: Situation) -> OptionTerms:
    """The option at the price quoted, as the rules read it: by the catalogue that the quotation was asked from."""
    version = quotation.option_version
    cents = {Frequency.MONTHLY: quotation.monthly_cents, Frequency.ANNUAL: quotation.annual_cents}
    return OptionTerms(
        code=version.option.code,
        kind=OptionKind.ON_QUOTATION,
        version_id=version.id,
        units={
            often: Money(amount, situation.currency) for often, amount in cents.items() if amount is not None
        },
        once=None,
        offered_by=frozenset(version.offered_by),
        included_by=frozenset(version.included_by),
        requires=frozenset(version.requires),
        excludes=frozenset(version.excludes),
        min_quantity=1,
        max_quantity=1,
    )


def preview_acceptance(
    session: Session, subscription_id: uuid.UUID, quotation_id: int, today: date
) -> options.OptionsPreview:
    """What accepting changes: the same preview as any option.

    Raises QuotationNotFound, QuotationClosed, QuotationExpired, and the refusals of a save.
    """
    quotation = get(session, subscription_id, quotation_id)
    _ensure_acceptable(quotation, today)
    quoted = terms(quotation, contracts.load(session, subscription_id))
    return options.preview(session, subscription_id, [Wish(quoted.code, 1)], today, quoted)


def accept(
    session: Session,
    subscription_id: uuid.UUID,
    quotation_id: int,
    fingerprint: str,
    today: date,
    now: datetime,
    actor: Actor,
    link: str,
) -> options.SavedOptions:
    """Take the option at the price quoted, from today, as it was previewed (O3). Flushes. Raises as the preview, and StalePreview."""
    subscription = scheduling.lock(session, subscription_id)
    quotation = get(session, subscription_id, quotation_id)
    _ensure_acceptable(quotation, today)
    quoted = terms(quotation, contracts.load(session, subscription_id))
    saved = options.save(
        session, subscription_id, [Wish(quoted.code, 1)], fingerprint, today, now, actor, link, quoted
    )
    _close(session, subscription, quotation, "accepted", actor, now)
    return saved


def decline(
    session: Session,
    subscription_id: uuid.UUID,
    quotation_id: int,
    today: date,
    now: datetime,
    actor: Actor,
    staff_link: str,
) -> Quotation:
    """Say no to the offer, or take the request back. Raises QuotationNotFound, SubscriptionEnded and QuotationClosed."""
    subscription = scheduling.lock(session, subscription_id)
    quotation = get(session, subscription_id, quotation_id)
    situation = contracts.load(session, subscription_id)
    ensure_running(situation, today)
    if quotation.status not in OPEN:
        raise QuotationClosed()
    _close(session, subscription, quotation, "declined", actor, now)
    _tell_staff(session, situation, quotation, text(quotation.option_version.names, "fr"), staff_link, now)
    session.flush()
    return quotation


def _ensure_acceptable(quotation: Quotation, today: date) -> None:
    if quotation.status != "quoted" or quotation.valid_until is None:
        raise QuotationClosed()
    if has_expired(quotation, today):
        raise QuotationExpired(quotation.valid_until)


def _close(
    session: Session,
    subscription: Subscription,
    quotation: Quotation,
    status: str,
    actor: Actor,
    now: datetime,
) -> None:
    quotation.status, quotation.closed_by, quotation.closed_at = status, actor.name, now
    session.flush()
    _record(session, subscription, quotation, status, quotation.option_version.option.code, actor, now)
    inbox.quotation_closed(session, quotation.id, now)


def _record(
    session: Session,
    subscription: Subscription,
    quotation: Quotation,
    step: str,
    option_code: str,
    actor: Actor,
    now: datetime,
) -> None:
    after = {
        "quotation": quotation.id,
        "monthly_cents": quotation.monthly_cents,
        "annual_cents": quotation.annual_cents,
        "valid_until": quotation.valid_until.isoformat() if quotation.valid_until else None,
    }
    audit.record(session, actor, subscription.account_id, f"quotation.{step}", option_code, {}, after, now)


def _tell_staff(
    session: Session, situation: Situation, quotation: Quotation, option: str, link: str, now: datetime
) -> None:
    """To the operator's own address, in its language: a request to answer, or an offer declined."""
    address = session.scalar(select(Issuer.email).order_by(Issuer.id).limit(1))
    if address:
        outbox.queue(
            session,
            "quotation_for_staff",
            recipient=address,
            language="fr",
            account_id=situation.customer.account_id,
            now=now,
            option=option,
            account=situation.customer.name,
            reference=situation.customer.reference,
            description=quotation.description,
            is_declined=quotation.status == "declined",
            link=link,
        )
