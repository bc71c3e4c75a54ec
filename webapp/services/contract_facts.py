"""What `subscriptions` and its JSON columns hold of a contract, to domain values and back: terms, signature, discounts."""

from collections.abc import Mapping
from datetime import date
from fractions import Fraction
from typing import Any

from webapp.domain.contract import PlanTariff, Signature
from webapp.domain.discounts import Discount
from webapp.domain.money import Money
from webapp.domain.terms import Commitment, Notice, NoticeUnit, Renewal, Terms


def terms_of(commitment_months: int, notice_count: int, notice_unit: str, renewal: str) -> Terms:
    return Terms(commitment_months, Notice(notice_count, NoticeUnit(notice_unit)), Renewal(renewal))


def signature_of(facts: Mapping[str, Any], tariff: PlanTariff) -> Signature:
    terms = terms_of(
        facts["commitment_months"], facts["notice_count"], facts["notice_unit"], facts["renewal"]
    )
    return Signature(
        tariff,
        date.fromisoformat(facts["anchor_on"]),
        date.fromisoformat(facts["billed_until"]),
        Commitment(date.fromisoformat(facts["commitment_starts_on"]), terms),
        date.fromisoformat(facts["settled_on"]),
    )


def discount_of(facts: Mapping[str, Any], currency: str) -> Discount:
    until_on, monthly = facts["until_on"], facts["monthly_cents"]
    return Discount(
        id=facts["id"],
        from_on=date.fromisoformat(facts["from_on"]),
        until_on=date.fromisoformat(until_on) if until_on else None,
        share=Fraction(facts["share"]) if facts["share"] else None,
        monthly=Money(monthly, currency) if monthly is not None else None,
        item=facts["item"],
        ref=facts["ref"],
    )


def discount_facts(discount: Discount) -> dict[str, Any]:
    """A discount as `subscriptions.discounts` holds it: dates as ISO text, the share as an exact fraction."""
    return {
        "id": discount.id,
        "from_on": discount.from_on.isoformat(),
        "until_on": discount.until_on.isoformat() if discount.until_on else None,
        "share": str(discount.share) if discount.share is not None else None,
        "monthly_cents": discount.monthly.cents if discount.monthly is not None else None,
        "item": discount.item,
        "ref": discount.ref,
    }


def signature_facts(signature: Signature) -> dict[str, Any]:
    """A signature as the columns of `subscriptions` hold it, dates as dates."""
    terms = signature.commitment.terms
    return {
        "plan_price_id": signature.tariff.price_id,
        "anchor_on": signature.anchor_on,
        "billed_until": signature.billed_until,
        "settled_on": signature.settled_on,
        "commitment_starts_on": signature.commitment.starts_on,
        "commitment_months": terms.commitment_months,
        "notice_count": terms.notice.count,
        "notice_unit": terms.notice.unit.value,
        "renewal": terms.renewal.value,
    }
