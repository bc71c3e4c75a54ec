"""A subscription's life: signed, previewed, changed, changed back (spec P1-P8, M4-M7)."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain.access import Actor
from webapp.domain.catalogue import OptionOffer, PlanOffer
from webapp.domain.contract import ChangeKind, Frequency, PlanTariff
from webapp.domain.plan_change import PlanChange, change_of_plan
from webapp.domain.pricing import Draft
from webapp.domain.proration import BilledLine, upcoming
from webapp.domain.refusals import ContactPartner, PlanNotForSale, Refusal, StalePreview, SubscriptionEnded
from webapp.models.catalogue import Plan, PlanPrice, PlanVersion
from webapp.models.invoices import Invoice
from webapp.models.subscriptions import Establishment, Subscription, SubscriptionOption
from webapp.services import (
    audit,
    billing,
    catalogue,
    contracts,
    events,
    invoicing,
    notices,
    previews,
    scheduling,
)
from webapp.services.contract_facts import signature_facts
from webapp.services.contracts import Situation
from webapp.services.wording import text

CHANGE_PLAN = "change_plan"  # the action, as a reseller's policy names it


@dataclass(frozen=True, slots=True)
class NewEstablishment:
    name: str
    street: str
    postcode: str
    city: str
    number: str | None = None


@dataclass(frozen=True, slots=True)
class NewOption:
    """An option to sign. `at` is the position of its establishment, counted from 1, for options per establishment."""

    code: str
    quantity: int = 1
    at: int | None = None


def sign(
    session: Session,
    account_id: uuid.UUID,
    plan_price_id: int,
    starts_on: date,
    establishments: Sequence[NewEstablishment],
    options: Sequence[NewOption],
    actor: Actor,
    now: datetime,
    reseller_id: uuid.UUID | None = None,
) -> Subscription:
    """Sign a plan from `starts_on`, which becomes the billing day; nothing is billed yet (`billing.bill_due`). Flushes."""
    tariff, _names = contracts.tariffs(session, [plan_price_id])[plan_price_id]
    price = session.get_one(PlanPrice, plan_price_id)
    subscription = Subscription(
        account_id=account_id,
        status="active",
        starts_on=starts_on,
        frequency=tariff.frequency.value,
        currency=tariff.price.currency,
        anchor_on=starts_on,
        billed_until=starts_on,
        settled_on=starts_on,
        due_on=starts_on,
        plan_version_id=price.plan_version_id,
        plan_price_id=plan_price_id,
        commitment_starts_on=starts_on,
        commitment_months=tariff.terms.commitment_months,
        notice_count=tariff.terms.notice.count,
        notice_unit=tariff.terms.notice.unit.value,
        renewal=tariff.terms.renewal.value,
        signed_on=starts_on,
        changed_at=now,
    )
    session.add(subscription)
    session.flush()
    rows = [
        Establishment(
            subscription_id=subscription.id,
            position=position,
            name=each.name,
            street=each.street,
            postcode=each.postcode,
            city=each.city,
            number=each.number,
            active_from=starts_on,
            charged_from=starts_on,
        )
        for position, each in enumerate(establishments, start=1)
    ]
    session.add_all(rows)
    session.flush()
    offered = {offer.code: offer for offer in catalogue.options_for_sale(session, reseller_id, starts_on)}
    for option in options:
        offer = offered[option.code]
        session.add(
            SubscriptionOption(
                subscription_id=subscription.id,
                option_version_id=offer.version_id,
                establishment_id=rows[option.at - 1].id if option.at else None,
                quantity=option.quantity,
                starts_on=starts_on,
                **offer.signed_prices(),
            )
        )
    audit.record(
        session, actor, account_id, "subscription.signed", tariff.plan_code, {},
        {"plan": tariff.plan_code, "frequency": tariff.frequency.value, "starts_on": starts_on.isoformat()}, now,
    )  # fmt: skip
    events.of_subscription(
        session, "subscription.signed", subscription, now,
        plan=tariff.plan_code, frequency=tariff.frequency.value, on=starts_on.isoformat(),
    )  # fmt: skip
    session.flush()
    return subscription


@dataclass(frozen=True, slots=True)
class PlanPreview:
    """A change of plan as it would be confirmed now. `fingerprint` stands for every figure and date on it (P1)."""

    situation: Situation
    change: PlanChange
    arrears: tuple[Draft, ...]  # periods due and not billed yet, issued with the confirmation

    @property
    def fingerprint(self) -> str:
        change = self.change
        return previews.fingerprint(
            self.situation,
            change.today,
            [change.due_now, *self.arrears, change.next_after],
            change.timing.effective_on,
            change.timing.reason,
            change.tariff.price_id,
        )


def next_invoice(session: Session, situation: Situation, today: date) -> Draft | None:
    """The next invoice: the very draft that the billing run will issue. None when the contract ends before it.

    What has been billed is read only inside a paid year with an establishment that came or went: only then can a
    document come before the next period. It is read as of that day: what today billed is then one line among others.
    """
    billed: list[BilledLine] = []
    if renewals := situation.contract.renewals_to_settle():
        billed = contracts.billed_lines(session, situation.subscription_id, renewals[0], since=today)
    return upcoming(situation.contract, billed, situation.customer.vat)


def for_sale(session: Session, situation: Situation, today: date) -> list[PlanOffer]:
    """The plans this account may choose today: its reseller's, or the operator's own."""
    partner = situation.partner
    return catalogue.plans_for_sale(session, partner.id if partner else None, today, situation.currency)


def ensure_self_service(situation: Situation, action: str) -> None:
    """Raises ContactPartner when the reseller keeps this action for itself (P8)."""
    partner = situation.partner
    if partner is not None and action not in partner.allowed_actions:
        raise ContactPartner(partner.name, partner.email, partner.phone)


def ensure_running(situation: Situation, today: date) -> None:
    """Raises SubscriptionEnded once the contract is over: its invoices can be read, and that is all (T4)."""
    ended_on = situation.contract.on(today).ended_on
    if ended_on is not None:
        raise SubscriptionEnded(ended_on)


def chosen_tariff(
    session: Session, situation: Situation, plan_code: str, frequency: str, today: date
) -> PlanTariff:
    """The tariff of a plan and frequency on sale today, or the one signed. Raises PlanNotForSale."""
    signed = situation.contract.signature_before(today).tariff
    if (signed.plan_code, signed.frequency) == (plan_code, frequency):
        return signed  # going back to what one has keeps the price signed, whatever is on sale (C1)
    for offer in for_sale(session, situation, today):
        for price in offer.prices:
            if (offer.code, price.frequency) == (plan_code, frequency):
                return contracts.tariffs(session, [price.id])[price.id][0]
    raise PlanNotForSale()


def preview_plan(
    session: Session,
    subscription_id: uuid.UUID,
    plan_code: str,
    frequency: str,
    today: date,
    *,
    on_behalf: bool = False,
) -> PlanPreview:
    """Work out a change of plan without writing anything. Raises the refusals of `change_of_plan`.

    `on_behalf`: the operator's team does it, whatever the reseller leaves to its clients.
    """
    situation = contracts.load(session, subscription_id)
    situation = replace(situation, plans={**plan_names(session), **situation.plans})
    if not on_behalf:
        ensure_self_service(situation, CHANGE_PLAN)
    tariff = chosen_tariff(session, situation, plan_code, frequency, today)
    billed = contracts.billed_lines(session, subscription_id, today, since=today)
    situation, billed, arrears = previews.caught_up(situation, billed, today)
    change = change_of_plan(situation.contract, tariff, billed, today, situation.customer.vat)
    return PlanPreview(situation, change, arrears)


@dataclass(frozen=True, slots=True)
class PlanChoice:
    """A plan as this account may choose it: what the change would be, or why not."""

    offer: PlanOffer
    tariff: PlanTariff
    change: PlanChange | None
    refusal: Refusal | None
    is_current: bool


def plan_choices(
    session: Session, situation: Situation, frequency: Frequency, today: date
) -> list[PlanChoice]:
    """Every plan on sale at `frequency`, lowest first, each worked out for this account as its preview will be."""
    offers = for_sale(session, situation, today)
    billed = contracts.billed_lines(session, situation.subscription_id, today, since=today)
    situation, billed, _arrears = previews.caught_up(situation, billed, today)
    signed = situation.contract.tariff
    sold = contracts.tariffs(session, [price.id for offer in offers for price in offer.prices])
    choices = []
    for offer in offers:
        price = next((price for price in offer.prices if price.frequency == frequency), None)
        if price is None:
            continue
        is_current = (signed.plan_code, signed.frequency) == (offer.code, frequency)
        tariff = signed if is_current else sold[price.id][0]
        change, refusal = None, None
        try:
            ensure_self_service(situation, CHANGE_PLAN)
            change = change_of_plan(situation.contract, tariff, billed, today, situation.customer.vat)
        except Refusal as refused:
            refusal = refused
        choices.append(PlanChoice(offer, tariff, change, refusal, is_current))
    return choices


def options_on_sale(session: Session, situation: Situation, today: date) -> list[OptionOffer]:
    partner = situation.partner
    return catalogue.options_for_sale(session, partner.id if partner else None, today, situation.currency)


def features_of(session: Session, tariff: PlanTariff) -> Mapping[str, Any]:
    """What the plan version of a tariff includes, by feature code: true, false, or texts."""
    statement = select(PlanVersion.features).join(PlanPrice, PlanPrice.plan_version_id == PlanVersion.id)
    found: Mapping[str, Any] = session.scalars(statement.where(PlanPrice.id == tariff.price_id)).one()
    return found


def names_by_code(session: Session, subscription_id: uuid.UUID, locale: str) -> dict[str, str]:
    """The names of plans and of the options in use, by code, for the sentence of a refusal."""
    situation = contracts.load(session, subscription_id)
    plans = {code: str(texts[locale]) for code, texts in plan_names(session).items()}
    return plans | {code: str(words.names[locale]) for code, words in situation.options.items()}


def document(session: Session, subscription_id: uuid.UUID, number: str) -> Invoice | None:
    """A document of this subscription by its number."""
    statement = select(Invoice).where(Invoice.subscription_id == subscription_id, Invoice.number == number)
    return session.scalars(statement).first()


def plan_names(session: Session) -> dict[str, Mapping[str, Any]]:
    """The latest name of every plan ever sold, by code."""
    rows = session.execute(
        select(Plan.code, PlanVersion.names)
        .join(PlanVersion, PlanVersion.plan_id == Plan.id)
        .order_by(PlanVersion.number)
    )
    return {row.code: row.names for row in rows}


@dataclass(frozen=True, slots=True)
class ConfirmedChange:
    """What a confirmation did: the document of the day if any, and the preview it kept to."""

    preview: PlanPreview
    document: Invoice | None
    scheduled_id: int | None


def change_plan(
    session: Session,
    subscription_id: uuid.UUID,
    plan_code: str,
    frequency: str,
    fingerprint: str,
    today: date,
    now: datetime,
    actor: Actor,
    link: str,
    *,
    on_behalf: bool = False,
    reason: str = "",
    tells: bool = True,
) -> ConfirmedChange:
    """Confirm a change of plan: exactly what was previewed, or StalePreview and nothing (P1). Flushes.

    Periods due are billed first. What is due is issued, the plan is signed or scheduled, a former scheduled plan is
    replaced (P6), and the owners are told by mail, with the `link` to the subscription. The team, `on_behalf`, keeps its
    `reason` and may leave the mail out.
    """
    subscription = scheduling.lock(session, subscription_id)
    preview = preview_plan(session, subscription_id, plan_code, frequency, today, on_behalf=on_behalf)
    if preview.fingerprint != fingerprint:
        raise StalePreview()
    if preview.arrears:
        previewed = preview.change.due_now.total
        billing.bill_due(session, subscription_id, today, now)
        preview = preview_plan(session, subscription_id, plan_code, frequency, today, on_behalf=on_behalf)
        if preview.change.due_now.total != previewed:
            raise StalePreview()
    change, situation = preview.change, preview.situation
    issued = None
    if change.due_now.lines:
        issued = invoicing.issue(session, change.due_now, situation, "plan_change", today, now)
    before = situation.contract.signature
    _remember_the_morning(subscription, situation, today)
    scheduling.write_signature(session, subscription, change.contract_after.signature)
    subscription.signed_on = today
    replaced = [each.id for each in situation.contract.changes if each.kind is ChangeKind.PLAN]
    scheduling.close(session, replaced, "replaced", now)
    scheduled_id = None
    if not change.is_now:
        facts = {"plan_price_id": change.tariff.price_id}
        scheduled = scheduling.schedule(
            session, subscription, ChangeKind.PLAN, change.timing.effective_on, facts, actor, now
        )
        scheduled_id = scheduled.id
    else:
        scheduling.reopen_migration(session, subscription, today)
    scheduling.touch(session, subscription, now)
    audit.record(
        session,
        actor,
        subscription.account_id,
        "subscription.plan_changed" if change.is_now else "subscription.plan_scheduled",
        change.tariff.plan_code,
        {"plan": before.tariff.plan_code, "frequency": before.frequency.value},
        {
            "plan": change.tariff.plan_code,
            "frequency": change.tariff.frequency.value,
            "effective_on": change.timing.effective_on.isoformat(),
            "due_cents": change.due_now.total.cents,
            "document": issued.number if issued else None,
        }
        | ({"reason": reason} if reason else {}),
        now,
    )
    told: dict[str, str] = {"plan": change.tariff.plan_code, "on": change.timing.effective_on.isoformat()}
    if change.is_now:
        told["frequency"] = change.tariff.frequency.value
    else:
        told["change"] = ChangeKind.PLAN.value
    events.of_subscription(
        session,
        "subscription.changed" if change.is_now else "subscription.change_scheduled",
        subscription,
        now,
        **told,
    )
    if tells:
        notices.tell_owners(
            session,
            situation.customer,
            "plan_changed",
            now,
            lambda language: {
                "plan_before": text(situation.plans[before.tariff.plan_code], language),
                "plan_after": text(situation.plans[change.tariff.plan_code], language),
            },
            effective_on=change.timing.effective_on,
            is_now=change.is_now,
            document=issued_as_told(issued),
            link=link,
        )
    session.flush()
    return ConfirmedChange(preview, issued, scheduled_id)


def issued_as_told(issued: Invoice | None) -> dict[str, Any] | None:
    """A document as a mail names it."""
    if issued is None:
        return None
    return {"number": issued.number, "cents": issued.total_cents, "currency": issued.currency}


def _remember_the_morning(subscription: Subscription, situation: Situation, today: date) -> None:
    """Keep what was signed when the day began, so that another change today rewrites the day (M5)."""
    morning = signature_facts(situation.contract.signature_before(today))
    subscription.day_start_on = today
    subscription.day_start = {
        name: value.isoformat() if isinstance(value, date) else value for name, value in morning.items()
    }
