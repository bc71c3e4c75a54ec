"""The rows of a page of the billing run: read plain, billed plain, written in bulk.

Five reads and three writes for a page, whatever its size. What is written is what `invoicing.issue` writes, from the
same words, numbers and frozen parties; what is not plain is handed back, for `billing.bill_due`.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import count
from json.encoder import encode_basestring_ascii
from operator import itemgetter
from typing import Any, NamedTuple, cast

from sqlalchemy import Dialect, Select, Table, bindparam, func, or_, select
from sqlalchemy.orm import Session

from webapp.adapters.bulk_rows import BulkRows, among, as_text
from webapp.domain.contract import Frequency, OptionKind
from webapp.domain.einvoice import Problem
from webapp.domain.plain_billing import (
    PlainContract,
    PlainEstablishment,
    PlainOption,
    PlainPeriod,
    PlainTariff,
    has_plain_details,
    plain_period,
)
from webapp.domain.reselling import BilledParty
from webapp.domain.terms import Renewal
from webapp.domain.vat import VatRate, rate_for
from webapp.models.accounts import Account, BillingDetails, Reseller
from webapp.models.catalogue import Option, OptionVersion, Plan, PlanPrice, PlanVersion
from webapp.models.invoices import CreditBalanceEntry, Invoice, InvoiceLine
from webapp.models.subscriptions import Establishment, ScheduledChange, Subscription, SubscriptionOption
from webapp.services import documents, invoicing, wording

SUBSCRIPTIONS, INVOICES, LINES = (
    cast(Table, model.__table__) for model in (Subscription, Invoice, InvoiceLine)
)
INVOICE_COLUMNS = [
    "id",
    "account_id",
    "subscription_id",
    "issuer_id",
    "series_id",
    "series_number",
    "number",
    "kind",
    "reason",
    "run_kind",
    "run_on",
    "issued_on",
    "due_on",
    "period_start",
    "period_end",
    "currency",
    "language",
    "net_cents",
    "vat_cents",
    "total_cents",
    "paid_cents",
    "ogm",
    "seller",
    "buyer",
    "vat_breakdown",
    "payment",
    "places",
    "created_at",
]
LINE_COLUMNS = [
    "invoice_id",
    "subscription_id",
    "position",
    "item",
    "ref",
    "establishment_id",
    "description",
    "quantity",
    "unit_cents",
    "period_start",
    "period_end",
    "whole_start",
    "whole_end",
    "net_cents",
    "vat_rate",
    "vat_category",
]
NEXT_VERSION = SUBSCRIPTIONS.c.version + 1
# What `plain_billing.has_plain_details` asks about, in its order.
DETAILS = [
    "kind", "legal_name", "street", "postcode", "city", "country", "vat_number", "enterprise_number", "peppol_id"
]  # fmt: skip
_details_of = itemgetter(*map(invoicing.BUYER_FIELDS.index, DETAILS))
KIND, REFERENCE, BUYER_REFERENCE = map(invoicing.BUYER_FIELDS.index, ("kind", "reference", "buyer_reference"))
PAYMENT_FIELDS = ["method", "label", "reference"]


class Due(NamedTuple):
    """A subscription of the page, locked: the columns of `_core`, in their order."""

    id: str
    account_id: str
    currency: str
    anchor_on: date
    billed_until: date
    settled_on: date
    plan_price_id: int
    commitment_months: int
    renewal: str
    language: str
    vat_treatment: str
    payment_term_days: int
    has_discounts: bool
    is_resold: bool | None  # its reseller is billed instead
    payment_values: tuple[str | None, ...]  # in the order of PAYMENT_FIELDS
    buyer_values: tuple[str | None, ...]  # in the order of BUYER_FIELDS

    @property
    def payment(self) -> dict[str, Any]:
        """As the invoice freezes it."""
        return dict(zip(PAYMENT_FIELDS, self.payment_values, strict=True))

    @property
    def buyer(self) -> dict[str, Any]:
        return dict(zip(invoicing.BUYER_FIELDS, self.buyer_values, strict=True))

    @property
    def reference(self) -> str:
        return self.buyer_values[REFERENCE] or ""


class Billed(NamedTuple):
    due: Due
    period: PlainPeriod
    descriptions: list[str]
    places: str  # the establishments of its lines, as JSON


Numbered = tuple[int, int, Billed]  # the key, then the number


@dataclass(slots=True)
class Written:
    """What a page issued."""

    documents: int = 0
    net_cents: int = 0
    vat_cents: int = 0


class _Catalogue:
    """Prices and names of everything ever sold, read once for a run, and again when something new was signed."""

    def __init__(self) -> None:
        self.tariffs: dict[int, tuple[PlainTariff, Mapping[str, Any]]] = {}
        self.options: dict[int, tuple[int, int, str, bool, frozenset[str], Mapping[str, Any]]] = {}

    def read(self, session: Session) -> None:
        prices = select(
            PlanPrice.id, Plan.code, PlanPrice.frequency, PlanPrice.amount_cents,
            PlanVersion.included_establishments, PlanPrice.establishment_tiers, PlanVersion.names,
        ).join(PlanVersion, PlanVersion.id == PlanPrice.plan_version_id).join(Plan, Plan.id == PlanVersion.plan_id)  # fmt: skip
        for price_id, code, frequency, cents, included, tiers, names in session.execute(prices):
            steps = tuple((each["from_unit"], each["amount_cents"]) for each in tiers)
            tariff = PlainTariff(code, Frequency(frequency).months, cents, included, steps)
            self.tariffs[price_id] = (tariff, names)
        versions = select(
            OptionVersion.id,
            Option.position,
            Option.code,
            Option.kind,
            OptionVersion.included_by,
            OptionVersion.names,
        ).join(Option, Option.id == OptionVersion.option_id)
        for version_id, position, code, kind, included_by, names in session.execute(versions):
            is_recurring = kind != OptionKind.ONE_OFF.value
            self.options[version_id] = (
                position,
                version_id,
                code,
                is_recurring,
                frozenset(included_by),
                names,
            )


class Page:
    """The subscriptions of one page, locked until the end of the transaction, with what they hold."""

    def __init__(self, rows: BulkRows, ids: Sequence[str], on: date, waits: bool) -> None:
        statements, day = _statements(rows.dialect), rows.days
        core = statements["core" if waits else "core, skipping"]
        found = {row[0]: _due(row, day) for row in rows.read(core, ids=rows.ids(ids), on=on)}
        self.due = [found[ident] for ident in ids if ident in found]
        self.changes: dict[str, date] = {}
        self.options: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
        self.establishments: defaultdict[str, list[PlainEstablishment]] = defaultdict(list)
        self._establishments: dict[str, tuple[Any, ...]] = {}  # by id, their rows: few are named by a line
        self.with_credit: set[str] = set()
        if not self.due:
            return
        held = rows.ids([due.id for due in self.due])
        for subscription_id, first_on in rows.read(statements["changes"], ids=held):
            self.changes[subscription_id] = day[first_on]
        since = min(due.billed_until for due in self.due)
        for row in rows.read(statements["options"], ids=held, since=since):
            self.options[row[0]].append((*row[1:6], day[row[6]], day[row[7]], row[8]))
        for row in rows.read(statements["establishments"], ids=held):
            self._establishments[row[1]] = row
            self.establishments[row[0]].append((row[1], day[row[2]], day[row[3]]))
        accounts = rows.ids(list({due.account_id for due in self.due}))
        self.with_credit = {account for (account,) in rows.read(statements["credit"], ids=accounts)}

    def name(self, establishment_id: str) -> str:
        return str(self._establishments[establishment_id][4])

    def places(self, period: PlainPeriod) -> str:
        """The establishments that the lines name, as the invoice freezes them."""
        named = {at for _item, _ref, at, _unit, _quantity in period.lines if at}
        if not named:
            return "{}"
        shown = [f'"{_ref(at)}": {_object(PLACE_JSON, self._establishments[at][4:])}' for at in named]
        return "{" + ", ".join(shown) + "}"


def _due(row: tuple[Any, ...], day: Mapping[Any, Any]) -> Due:
    """A row of the core statement: the driver's texts, but for its three dates."""
    return Due._make((*row[:3], day[row[3]], day[row[4]], day[row[5]], *row[6:14], row[14:17], row[17:]))


class PlainBilling:
    """Bills pages of subscriptions for one run. `seller` is frozen on each of its documents."""

    def __init__(self, session: Session, on: date) -> None:
        issuer = invoicing.the_issuer(session)
        self.on = on
        self.issuer_id = issuer.id
        self.seller = invoicing.frozen_seller(issuer)
        self.seller_json = json.dumps(self.seller)
        self.selling = documents.party(self.seller)
        self._is_seller_ready: dict[tuple[str | None, str, str | None, bool], bool] = {}
        self._plan_words: dict[tuple[int, str], str] = {}  # by price and language: said for every subscriber
        self.catalogue = _Catalogue()
        self.catalogue.read(session)

    def problems(self, due: Due) -> tuple[Problem, ...]:
        """What keeps an account from being billed: the question of `documents.account_problems`, asked quickly."""
        if due.is_resold:
            return ()  # nothing is issued to it
        values, payment = due.buyer_values, due.payment_values
        if (
            has_plain_details(*_details_of(values))
            and (values[BUYER_REFERENCE] or values[REFERENCE] or "").strip()
        ):
            # Nothing is wrong with this buyer: what is left to ask is the same for all who pay and are taxed alike.
            alike = (values[KIND], due.vat_treatment, payment[0], bool(payment[2]))
            is_ready = self._is_seller_ready.get(alike)
            if is_ready is None:
                is_ready = self._is_seller_ready[alike] = not self._problems(due)
            if is_ready:
                return ()
        return self._problems(due)

    def _problems(self, due: Due) -> tuple[Problem, ...]:
        return documents.account_problems(
            seller=self.selling,
            seller_details=self.seller,
            buyer=due.buyer,
            payment=due.payment,
            rate=rate_for(due.vat_treatment),
        )

    def bill(self, session: Session, page: Page, wanted: Iterable[Due]) -> tuple[list[Billed], list[Due]]:
        """What is plain among `wanted`, worked out and not yet written, and what is not."""
        plain, others = [], []
        missing = {due.plan_price_id for due in page.due} - self.catalogue.tariffs.keys()
        versions = {option[0] for options in page.options.values() for option in options}
        if missing or versions - self.catalogue.options.keys():
            self.catalogue.read(session)
        for due in wanted:
            billed = self._one(page, due)
            if billed is None:
                others.append(due)
            else:
                plain.append(billed)
        return plain, others

    def _one(self, page: Page, due: Due) -> Billed | None:
        if due.account_id in page.with_credit or due.has_discounts or due.is_resold:
            return None
        tariff, plan_names = self.catalogue.tariffs[due.plan_price_id]
        options = self._options(page.options.get(due.id, ()), tariff)
        contract = PlainContract(
            tariff,
            due.anchor_on,
            due.billed_until,
            due.settled_on,
            due.commitment_months > 0 and due.renewal == Renewal.ENDS,
            page.changes.get(due.id),
        )
        establishments = page.establishments.get(due.id, ())
        period = plain_period(
            contract,
            establishments,
            [option for option, _names in options],
            rate_for(due.vat_treatment),
            self.on,
        )
        if period is None:
            return None
        language, place_name = due.language, page.name
        option_names = {option[0]: texts for option, texts in options}
        descriptions = []
        for item, ref, at, _unit, _quantity in period.lines:
            if item == "plan":
                words = self._plan_words.get((due.plan_price_id, language))
                if words is None:
                    words = wording.plan_line(plan_names, language)
                    self._plan_words[due.plan_price_id, language] = words
                descriptions.append(words)
            elif item == "establishment":
                descriptions.append(wording.establishment_line(place_name(ref), language))
            else:
                place = place_name(at) if at else None
                descriptions.append(
                    wording.option_line(wording.text(option_names[ref], language), place, language)
                )
        return Billed(due, period, descriptions, page.places(period))

    def _options(
        self, held: Iterable[tuple[Any, ...]], tariff: PlainTariff
    ) -> list[tuple[PlainOption, Mapping[str, Any]]]:
        """In the order of the catalogue, then of arrival, which is the order of their lines."""
        found = []
        known, plan_code = self.catalogue.options, tariff.plan_code
        for version_id, ident, establishment_id, monthly, annual, starts_on, ends_on, quantity in held:
            position, _version, code, is_recurring, included_by, names = known[version_id]
            if is_recurring:
                price = 0 if plan_code in included_by else (monthly if tariff.months == 1 else annual)
                option = (code, establishment_id, price, quantity, starts_on, ends_on)
                found.append((position, ident, option, names))
        if len(found) > 1:
            found.sort(key=lambda each: each[:2])
        return [(option, names) for _position, _ident, option, names in found]

    def write(
        self,
        session: Session,
        rows: BulkRows,
        billed: Sequence[Billed],
        now: datetime,
        reached: Callable[[str], None],
    ) -> Written:
        """Draw the block of numbers, then write the documents, their lines, and how far each subscription is billed."""
        if not billed:
            return Written()
        prefix = invoicing.PREFIXES["invoice"]
        reached("before_numbers")
        series_id, number, issued_on = invoicing.draw_number(
            session, self.issuer_id, prefix, self.on, len(billed)
        )
        session.flush()
        reached("after_numbers")
        ids = rows.take_ids(INVOICES, len(billed))
        at = rows.stored(INVOICES.c.created_at, now)
        numbered = list(zip(ids, count(number), billed, strict=False))
        rows.insert(INVOICES, INVOICE_COLUMNS, self._invoices(rows, numbered, series_id, issued_on, at))
        rows.insert(LINES, LINE_COLUMNS, _lines(rows, numbered))
        reached("after_lines")
        for (until, settled_on, due_on), moved in _moves(billed).items():
            values = {
                "billed_until": rows.day(until),
                "settled_on": rows.day(settled_on),
                "due_on": rows.day(due_on),
                "version": NEXT_VERSION,
                "changed_at": at,
            }
            rows.update(SUBSCRIPTIONS, values, moved)
        periods = [each.period for each in billed]
        return Written(
            len(billed),
            sum(period.net_cents for period in periods),
            sum(period.vat_cents for period in periods),
        )

    def _invoices(
        self, rows: BulkRows, numbered: Iterable[Numbered], series_id: int, issued_on: date, at: Any
    ) -> Iterator[tuple[Any, ...]]:
        day, year, prefix = rows.day, issued_on.year, invoicing.PREFIXES["invoice"]
        issued, issuer_id, seller = day(issued_on), self.issuer_id, self.seller_json
        for invoice_id, number, (due, period, _descriptions, places) in numbered:
            start, end = day(period.start), day(period.end)
            net, vat = period.net_cents, period.vat_cents
            yield (
                invoice_id, due.account_id, due.id, issuer_id, series_id, number,
                invoicing.printed_number(prefix, year, number), "invoice", "period", "period", start, issued,
                day(issued_on + timedelta(days=due.payment_term_days)), start, end, due.currency, due.language,
                net, vat, net + vat, 0, invoicing.structured_communication(year, "invoice", number), seller,
                _object(BUYER_JSON, due.buyer_values),
                _breakdown(rate_for(due.vat_treatment), net, vat, due.language),
                _object(PAYMENT_JSON, due.payment_values), places, at,
            )  # fmt: skip


def _lines(rows: BulkRows, numbered: Iterable[Numbered]) -> Iterator[tuple[Any, ...]]:
    for invoice_id, _number, (due, period, descriptions, _places) in numbered:
        rate = rate_for(due.vat_treatment)
        category, percent = rate.category, rate.percent
        start, end = rows.day(period.start), rows.day(period.end)
        charged = zip(period.lines, descriptions, strict=True)
        for position, ((item, ref, establishment_id, unit, quantity), description) in enumerate(charged, 1):
            yield (
                invoice_id, due.id, position, item, _ref(ref) if item == "establishment" else ref, establishment_id,
                description, quantity, unit, start, end, start, end, unit * quantity, percent, category,
            )  # fmt: skip


def _moves(billed: Iterable[Billed]) -> dict[tuple[date, date, date], list[str]]:
    """The subscriptions by what they become, a few days for a whole page: billed until, settled on, next due on."""
    found: dict[tuple[date, date, date], list[str]] = {}
    for due, period, _descriptions, _places in billed:
        found.setdefault((period.end, period.start, period.due_on), []).append(due.id)
    return found


def _ref(establishment_id: str) -> str:
    """The id without hyphens, as contracts and lines name an establishment."""
    return establishment_id.replace("-", "")


def _json_template(names: Iterable[str]) -> str:
    return "{" + ", ".join(f'"{name}": %s' for name in names) + "}"


BUYER_JSON, PAYMENT_JSON, PLACE_JSON = map(
    _json_template, (invoicing.BUYER_FIELDS, PAYMENT_FIELDS, invoicing.PLACE_FIELDS)
)


def _object(template: str, texts: Iterable[str | None]) -> str:
    """A flat object of texts, as `json.dumps` writes it in four times as long."""
    return template % tuple(["null" if each is None else encode_basestring_ascii(each) for each in texts])


def _breakdown(rate: VatRate, net: int, vat: int, language: str) -> str:
    if rate.category == "S":  # nearly all of them: no mention to freeze
        return f'[{{"category": "S", "rate": "{rate.percent}", "base_cents": {net}, "vat_cents": {vat}}}]'
    group = {"category": rate.category, "rate": rate.percent, "base_cents": net, "vat_cents": vat}
    return json.dumps([group | documents.exemption(rate, language)])


@lru_cache(maxsize=4)
def _statements(dialect: Dialect) -> dict[str, Select[Any]]:
    """What a page reads. Each is one statement for any number of subscriptions."""

    def text(column: Any) -> Any:
        return as_text(column, dialect)

    details = BillingDetails.__table__.c
    account = {"name": Account.name, "reference": Account.reference, "kind": Account.kind}
    core = (
        select(
            text(SUBSCRIPTIONS.c.id),
            text(SUBSCRIPTIONS.c.account_id),
            Subscription.currency,
            Subscription.anchor_on,
            Subscription.billed_until,
            Subscription.settled_on,
            Subscription.plan_price_id,
            Subscription.commitment_months,
            Subscription.renewal,
            Account.language,
            details.vat_treatment,
            details.payment_term_days,
            SUBSCRIPTIONS.c.discounts.is_not(None).label("has_discounts"),
            (Reseller.billed_party == BilledParty.RESELLER.value).label("is_resold"),
            details.payment_method,
            details.payment_label,
            details.payment_reference,
            *(account[name] if name in account else details[name] for name in invoicing.BUYER_FIELDS),
        )
        .join(Account, Account.id == Subscription.account_id)
        .join(BillingDetails, BillingDetails.account_id == Account.id)
        .outerjoin(Reseller, Reseller.id == Account.reseller_id)
        .where(among(SUBSCRIPTIONS.c.id, dialect))
    )
    if dialect.name == "postgresql":
        # Another hand may have billed one since its key was read. Not on SQLite, where the transaction that read the
        # keys holds the only pen, and where asking again would walk through everything due, for each page.
        core = core.where(
            Subscription.status == "active",
            Subscription.due_on <= bindparam("on", type_=SUBSCRIPTIONS.c.due_on.type),
        )
    options = SubscriptionOption.__table__.c
    places = Establishment.__table__.c
    changes = ScheduledChange.__table__.c
    credit = CreditBalanceEntry.__table__.c
    return {
        "core": core.with_for_update(of=Subscription),
        "core, skipping": core.with_for_update(of=Subscription, skip_locked=True),
        "changes": select(text(changes.subscription_id), func.min(changes.effective_on))
        .where(among(changes.subscription_id, dialect), changes.status == "pending")
        .group_by(changes.subscription_id),
        "options": select(
            text(options.subscription_id),
            options.option_version_id,
            options.id,
            text(options.establishment_id),
            options.monthly_cents,
            options.annual_cents,
            options.starts_on,
            options.ends_on,
            options.quantity,
        ).where(
            among(options.subscription_id, dialect),
            or_(options.ends_on.is_(None), options.ends_on > bindparam("since", type_=options.ends_on.type)),
        ),
        "establishments": select(
            text(places.subscription_id),
            text(places.id),
            places.charged_from,
            places.charged_until,
            *(places[name] for name in invoicing.PLACE_FIELDS),
        )
        .where(among(places.subscription_id, dialect))
        .order_by(places.subscription_id, places.position),
        "credit": select(text(credit.account_id))
        .where(among(credit.account_id, dialect))
        .group_by(credit.account_id)
        .having(func.sum(credit.amount_cents) != 0),
    }
