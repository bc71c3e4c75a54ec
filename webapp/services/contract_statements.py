"""The statements that read a subscription, made once, on tables: every page begins with them."""

from sqlalchemy import Text, and_, bindparam, cast, select, union_all

from webapp.models.accounts import Account, BillingDetails, Reseller
from webapp.models.catalogue import Option, OptionVersion, Plan, PlanPrice, PlanVersion
from webapp.models.invoices import Invoice, InvoiceLine
from webapp.models.reading import rows_as_json
from webapp.models.resellers import ResaleLine
from webapp.models.subscriptions import Establishment, ScheduledChange, Subscription, SubscriptionOption

_SUBSCRIPTION, _OPTION, _PLACE = (
    Subscription.__table__.c,
    SubscriptionOption.__table__.c,
    Establishment.__table__.c,
)
_PRICE, _VERSION, _PLAN = PlanPrice.__table__.c, PlanVersion.__table__.c, Plan.__table__.c
_ACCOUNT, _DETAILS, _RESELLER = Account.__table__.c, BillingDetails.__table__.c, Reseller.__table__.c
_SOLD, _SOLD_VERSION = Option.__table__.c, OptionVersion.__table__.c
_CHANGE, _LINE, _INVOICE = ScheduledChange.__table__.c, InvoiceLine.__table__.c, Invoice.__table__.c
_RESOLD = ResaleLine.__table__.c
_THIS = bindparam("subscription_id", type_=_SUBSCRIPTION.id.type)

# What the subscription holds comes in the same statement, as JSON: a thousand options are read in one go, and what
# their versions say is read once for each version.
_HELD_OPTIONS = (
    select(
        rows_as_json(
            _OPTION.id,
            _OPTION.option_version_id,
            _OPTION.establishment_id,
            _OPTION.quantity,
            _OPTION.starts_on,
            _OPTION.ends_on,
            _OPTION.chosen_on,
            _OPTION.replaces_id,
            _OPTION.monthly_cents,
            _OPTION.annual_cents,
            _OPTION.once_cents,
        )
    )
    .where(_OPTION.subscription_id == _SUBSCRIPTION.id)
    .correlate(Subscription.__table__)
    .scalar_subquery()
)
_HELD_VERSIONS = (
    select(
        rows_as_json(
            _SOLD_VERSION.id,
            _SOLD.position,
            _SOLD.code,
            _SOLD.kind,
            _SOLD.icon,
            cast(_SOLD_VERSION.names, Text),
            cast(_SOLD_VERSION.unit_names, Text),
            cast(_SOLD_VERSION.offered_by, Text),
            cast(_SOLD_VERSION.included_by, Text),
        )
    )
    .join_from(OptionVersion.__table__, Option.__table__, _SOLD.id == _SOLD_VERSION.option_id)
    .where(
        _SOLD_VERSION.id.in_(
            select(_OPTION.option_version_id)
            .where(_OPTION.subscription_id == _SUBSCRIPTION.id)
            .correlate(Subscription.__table__)
        )
    )
    .correlate(Subscription.__table__)
    .scalar_subquery()
)
_HELD_PLACES = (
    select(
        rows_as_json(
            _PLACE.id,
            _PLACE.position,
            _PLACE.name,
            _PLACE.street,
            _PLACE.postcode,
            _PLACE.city,
            _PLACE.active_from,
            _PLACE.charged_from,
            _PLACE.active_until,
            _PLACE.charged_until,
        )
    )
    .where(_PLACE.subscription_id == _SUBSCRIPTION.id)
    .correlate(Subscription.__table__)
    .scalar_subquery()
)
# One row for each pending change, or one without: what is scheduled comes in the same statement.
_CORES = (
    select(
        *_SUBSCRIPTION,
        _PRICE.amount_cents.label("price_amount_cents"),
        _PRICE.establishment_tiers.label("price_establishment_tiers"),
        _PRICE.commitment_months.label("price_commitment_months"),
        _PRICE.notice_count.label("price_notice_count"),
        _PRICE.notice_unit.label("price_notice_unit"),
        _PRICE.renewal.label("price_renewal"),
        _VERSION.names,
        _VERSION.descriptions,
        _VERSION.highlights,
        _VERSION.features,
        _VERSION.included_establishments,
        _PLAN.code.label("plan_code"),
        _PLAN.rank,
        _ACCOUNT.name.label("account_name"),
        _ACCOUNT.reference,
        _ACCOUNT.kind,
        _ACCOUNT.language,
        _ACCOUNT.reseller_id,
        *(column for column in _DETAILS if column.name != "account_id"),
        _RESELLER.name.label("reseller_name"),
        _RESELLER.contact_email,
        _RESELLER.contact_phone,
        _RESELLER.allowed_actions,
        _RESELLER.billed_party,
        _RESELLER.prices_shown,
        _RESELLER.invoices_shown,
        _RESELLER.languages.label("reseller_languages"),
        _CHANGE.id.label("change_id"),
        _CHANGE.kind.label("change_kind"),
        _CHANGE.effective_on.label("change_effective_on"),
        _CHANGE.facts.label("change_facts"),
        _CHANGE.requested_by.label("change_requested_by"),
        _CHANGE.requested_at.label("change_requested_at"),
        _HELD_OPTIONS.label("held_options"),
        _HELD_VERSIONS.label("held_versions"),
        _HELD_PLACES.label("held_places"),
    )
    .join_from(Subscription.__table__, PlanPrice.__table__, _PRICE.id == _SUBSCRIPTION.plan_price_id)
    .join(PlanVersion.__table__, _VERSION.id == _PRICE.plan_version_id)
    .join(Plan.__table__, _PLAN.id == _VERSION.plan_id)
    .join(Account.__table__, _ACCOUNT.id == _SUBSCRIPTION.account_id)
    .join(BillingDetails.__table__, _DETAILS.account_id == _ACCOUNT.id)
    .outerjoin(Reseller.__table__, _RESELLER.id == _ACCOUNT.reseller_id)
    .outerjoin(
        ScheduledChange.__table__,
        and_(_CHANGE.subscription_id == _SUBSCRIPTION.id, _CHANGE.status == "pending"),
    )
    .order_by(_CHANGE.effective_on, _CHANGE.id)
)
CORE = _CORES.where(_SUBSCRIPTION.id == _THIS)
SOME_CORES = _CORES.where(
    _SUBSCRIPTION.id.in_(bindparam("subscription_ids", type_=_SUBSCRIPTION.id.type, expanding=True))
)
TARIFFS = (
    select(*_PRICE, _VERSION.included_establishments, _VERSION.names, _PLAN.code, _PLAN.rank)
    .join_from(PlanPrice.__table__, PlanVersion.__table__, _VERSION.id == _PRICE.plan_version_id)
    .join(Plan.__table__, _PLAN.id == _VERSION.plan_id)
    .where(_PRICE.id.in_(bindparam("price_ids", expanding=True)))
)
# What was billed: the lines of documents, and those that a reseller is billed instead, numbered below zero.
_BILLED_FIELDS = [
    "item", "ref", "establishment_id", "quantity", "unit_cents", "period_start", "period_end", "whole_start",
    "whole_end", "net_cents", "vat_rate", "vat_category",
]  # fmt: skip
_SINCE = bindparam("since", type_=_LINE.period_end.type)
BILLED = union_all(
    select(
        _LINE.id, _LINE.root_id, *(_LINE[name] for name in _BILLED_FIELDS), _INVOICE.issued_on, _INVOICE.reason,
        _INVOICE.currency, _LINE.id.label("place"),
    )
    .join_from(InvoiceLine.__table__, Invoice.__table__, _INVOICE.id == _LINE.invoice_id)
    .where(_LINE.subscription_id == _THIS, _LINE.period_end > _SINCE),
    select(
        -_RESOLD.id, -_RESOLD.root_id, *(_RESOLD[name] for name in _BILLED_FIELDS), _RESOLD.charged_on,
        _RESOLD.reason, _RESOLD.currency, _RESOLD.id,
    ).where(_RESOLD.subscription_id == _THIS, _RESOLD.period_end > _SINCE),
).order_by("place")  # fmt: skip
# An account as its documents name it, with or without a subscription.
CUSTOMER = (
    select(
        _ACCOUNT.id.label("account_id"),
        _ACCOUNT.name.label("account_name"),
        _ACCOUNT.reference,
        _ACCOUNT.kind,
        _ACCOUNT.language,
        *(column for column in _DETAILS if column.name != "account_id"),
    )
    .join_from(Account.__table__, BillingDetails.__table__, _DETAILS.account_id == _ACCOUNT.id)
    .where(_ACCOUNT.id == bindparam("account_id", type_=_ACCOUNT.id.type))
)
