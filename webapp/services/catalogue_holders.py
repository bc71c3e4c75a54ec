"""Who holds what of the catalogue: running subscriptions by version and by the price they signed (C1, S3)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from webapp.domain.catalogue import PriceKey
from webapp.models.accounts import Account
from webapp.models.catalogue import Option as OptionRow
from webapp.models.catalogue import OptionVersion, Plan, PlanPrice, PlanVersion
from webapp.models.subscriptions import Subscription, SubscriptionOption
from webapp.services.catalogue_published import price_key, resellers, slugs_of


@dataclass(frozen=True)
class Held:
    """`count` subscriptions that run on one version at one signed price, for a whole period, VAT excluded."""

    kind: str  # plan or option
    code: str
    number: int  # of the version
    key: PriceKey
    amount_cents: int | None  # None: quoted to each
    count: int


def holders(session: Session, today: date) -> list[Held]:
    """Of every plan and option. Three statements, whatever the number of subscriptions."""
    slugs = slugs_of(resellers(session))
    plans = (
        select(Plan.code, PlanVersion.number, PlanPrice, func.count())
        .join(PlanPrice, PlanPrice.id == Subscription.plan_price_id)
        .join(PlanVersion, PlanVersion.id == Subscription.plan_version_id)
        .join(Plan, Plan.id == PlanVersion.plan_id)
        .where(Subscription.status == "active")
        .group_by(Plan.code, PlanVersion.number, PlanPrice.id)
        .order_by(Plan.code, PlanVersion.number, PlanPrice.id)
        .select_from(Subscription)
    )
    found = [
        Held("plan", code, number, price_key(price, slugs), price.amount_cents, count)
        for code, number, price, count in session.execute(plans)
    ]
    held = SubscriptionOption
    signed = (held.monthly_cents, held.annual_cents, held.once_cents)
    groups = (
        OptionRow.code,
        OptionRow.kind,
        OptionVersion.number,
        Subscription.frequency,
        Subscription.currency,
        Account.reseller_id,
        *signed,
    )
    options = (
        select(*groups, func.count(Subscription.id.distinct()))
        .join(OptionVersion, OptionVersion.id == held.option_version_id)
        .join(OptionRow, OptionRow.id == OptionVersion.option_id)
        .join(Subscription, Subscription.id == held.subscription_id)
        .join(Account, Account.id == Subscription.account_id)
        .where(Subscription.status == "active", held.starts_on <= today)
        .where(or_(held.ends_on.is_(None), held.ends_on > today))
        .group_by(*groups)
        .order_by(OptionRow.code, OptionVersion.number, Subscription.frequency, held.monthly_cents)
        .select_from(held)
    )
    for code, kind, number, frequency, currency, reseller, monthly, annual, once, count in session.execute(
        options
    ):
        often = "once" if kind == "one_off" else frequency
        amount = {"monthly": monthly, "annual": annual, "once": once}[often]
        found.append(Held("option", code, number, PriceKey(often, currency, slugs[reseller]), amount, count))
    return found


def count_of(
    held: Iterable[Held], kind: str, code: str, number: int | None = None, key: PriceKey | None = None
) -> int:
    """Subscriptions that hold it, of that version and price when they are given."""
    return sum(
        each.count
        for each in held
        if (each.kind, each.code) == (kind, code)
        and number in (None, each.number)
        and key in (None, each.key)
    )
