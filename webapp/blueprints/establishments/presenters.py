"""What the establishments' pages show, worked out from the services' answers: templates only lay it out."""

import unicodedata
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from webapp.adapters.establishments_csv import BrokenCsv
from webapp.amounts import NamedLine, due_now, named_lines
from webapp.blueprints.establishments.forms import WRONG
from webapp.domain import coverage
from webapp.domain.catalogue import FeatureOffer, OptionOffer
from webapp.domain.contract import Contract, Frequency, HeldEstablishment, HeldOption, PlanTariff
from webapp.domain.money import Money
from webapp.domain.pricing import Draft
from webapp.domain.refusals import ContactPartner
from webapp.domain.vat import with_vat
from webapp.i18n import _, explain, gettext, one_of, translate
from webapp.services.contracts import Address, Customer, Situation
from webapp.services.establishments import CHANGE_ESTABLISHMENTS, EstablishmentsPreview, ImportedLine
from webapp.services.options import CHANGE_OPTIONS, OptionsPreview
from webapp.services.subscriptions import ensure_self_service
from webapp.services.wording import moves_in_words, option_name, text, units

PER_PAGE = 25
FEW = 3  # names in a sentence before "and n others"
IDLE = "hors-service"  # the mend that ends what is paid where nobody is in service


# ── The list and the services ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Column:
    """One service. `kind` is plan, account or own (switched at each establishment, for `price` a period)."""

    code: str
    name: str
    kind: str
    note: str = ""
    price: Money | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    column: Column
    place: str = ""  # what its switch sends
    is_on: bool = False
    is_gap: bool = False
    until: date | None = None  # the first day without it, once removed
    needs: str = ""  # the name of a service to have first
    can_switch: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    id: str
    uuid: uuid.UUID
    address: Address
    since: date
    price: Money  # for one whole period; nothing while included
    charged_from: date | None  # when that is still to come
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class Finding:
    """A service to check: `places` lack it, or pay for it out of service. One press mends it."""

    code: str
    service: str
    places: str
    number: int
    is_idle: bool = False


@dataclass(frozen=True, slots=True)
class Gone:
    uuid: uuid.UUID
    name: str


@dataclass(frozen=True, slots=True)
class IndexPage:
    subscription_id: uuid.UUID
    plan: str
    is_annual: bool
    active: int
    included: int
    extra_units: list[tuple[int, Money]]  # how many at which price
    next_tier: tuple[int, Money] | None  # from which number on the price changes
    rows: list[Row]
    columns: list[Column]
    findings: list[Finding]
    gone_today: list[Gone]
    typed: str
    found: int
    first: int
    last: int
    number: int
    numbers: list[int]  # pages to link; 0 stands for the ones left out
    pages: int
    may_change: bool
    can_change: bool
    can_switch: bool
    partner_says: str | None

    @property
    def has_switches(self) -> bool:
        return self.can_switch and any(cell.can_switch for row in self.rows for cell in row.cells)


def index_page(
    situation: Situation,
    offers: Sequence[OptionOffer],
    features: Sequence[FeatureOffer],
    today: date,
    locale: str,
    search: str,
    typed: str,
    number: int,
    may_change: bool,
    may_switch: bool,
) -> IndexPage:
    contract = situation.contract.on(today)
    active = contract.establishments_active_on(today)
    found = [each for each in active if _matches(situation.addresses[each.id], search)]
    pages = max(1, -(-len(found) // PER_PAGE))
    number = min(max(1, number), pages)
    first = (number - 1) * PER_PAGE
    shown = found[first : first + PER_PAGE]
    columns = service_columns(situation, contract, offers, features, today, locale)
    own = [column.code for column in columns if column.kind == "own"]
    gaps = coverage.gaps(contract, own, today)
    partner_says = _partner_says(situation, CHANGE_ESTABLISHMENTS, locale)
    is_over = contract.ended_on is not None
    can_switch = may_switch and not is_over and _partner_says(situation, CHANGE_OPTIONS, locale) is None
    prices = _prices(contract, active, today)
    matrix = _Matrix(situation, contract, offers, columns, gaps, today, locale)
    charged = [unit for unit, _from in prices.values() if unit]
    tariff = contract.tariff
    return IndexPage(
        subscription_id=situation.subscription_id,
        plan=text(situation.plans[contract.plan_code], locale),
        is_annual=contract.frequency is Frequency.ANNUAL,
        active=len(active),
        included=len(active) - len(charged),
        extra_units=[(charged.count(unit), unit) for unit in sorted(set(charged), key=lambda u: -u.cents)],
        next_tier=_next_tier(tariff, len(active)),
        rows=[
            Row(
                each.id,
                uuid.UUID(each.id),
                situation.addresses[each.id],
                each.active_from,
                *prices[each.id],
                matrix.cells(each, can_switch),
            )
            for each in shown
        ],
        columns=columns,
        findings=_findings(situation, contract, columns, gaps, today, locale),
        gone_today=[
            Gone(uuid.UUID(each.id), situation.addresses[each.id].name)
            for each in contract.establishments
            if each.active_until == today
        ],
        typed=typed,
        found=len(found),
        first=first + 1,
        last=first + len(shown),
        number=number,
        numbers=_page_numbers(number, pages),
        pages=pages,
        may_change=may_change,
        can_change=may_change and not is_over and partner_says is None,
        can_switch=can_switch,
        partner_says=partner_says,
    )


def _next_tier(tariff: PlanTariff, active: int) -> tuple[int, Money] | None:
    """The first number after those in service whose price is another; inside what the plan includes, the first paid."""
    first_paid = tariff.included_establishments + 1
    if active < first_paid:
        return first_paid, tariff.establishment_price(first_paid)
    return next(((tier.from_unit, tier.unit) for tier in tariff.tiers if tier.from_unit > active), None)


def _matches(address: Address, search: str) -> bool:
    if not search:
        return True
    whole = unicodedata.normalize(
        "NFKD", f"{address.name} {address.street} {address.postcode} {address.city}".casefold()
    )
    bare = "".join(sign for sign in whole if not unicodedata.combining(sign))
    return all(word in bare for word in search.split())


def _page_numbers(number: int, pages: int) -> list[int]:
    """1 … 4 5 6 … 20"""
    near = sorted({1, number - 1, number, number + 1, pages} & set(range(1, pages + 1)))
    numbers: list[int] = []
    for each in near:
        if numbers and each - numbers[-1] > 1:
            numbers.append(0)
        numbers.append(each)
    return numbers


def _partner_says(situation: Situation, action: str, locale: str) -> str | None:
    try:
        ensure_self_service(situation, action)
    except ContactPartner as refusal:
        return explain(refusal, locale)
    return None


def _prices(
    contract: Contract, active: Sequence[HeldEstablishment], today: date
) -> dict[str, tuple[Money, date | None]]:
    """What each costs for a whole period, and from when if that is to come: its place in the list decides (E2)."""
    places: dict[date, dict[str, int]] = {}
    prices = {}
    for each in active:
        day = max(today, each.charged_from)
        if day not in places:
            charged = contract.establishments_charged_on(day)
            places[day] = {other.id: place for place, other in enumerate(charged, start=1)}
        unit = contract.on(day).tariff.establishment_price(places[day][each.id])
        prices[each.id] = (unit, each.charged_from if each.charged_from > today and unit else None)
    return prices


def service_columns(
    situation: Situation,
    contract: Contract,
    offers: Sequence[OptionOffer],
    features: Sequence[FeatureOffer],
    today: date,
    locale: str,
) -> list[Column]:
    """The services that differ from one establishment to another, and the account's: plan first, then own, then
    what serves the whole account."""
    by_feature = {offer.feature_code: offer for offer in offers if offer.feature_code}
    held = {each.code: each for each in contract.options_on(today)}
    plan_columns, own, account = [], [], []
    for feature in features:
        value = situation.plan.features.get(feature.code, False)
        offer = by_feature.get(feature.code)
        included = offer is not None and contract.plan_code in offer.included_by
        if feature.is_per_establishment and (value or included):
            note = text(value, locale) if isinstance(value, Mapping) else ""
            plan_columns.append(Column(feature.code, text(feature.names, locale), "plan", note))
    for offer in offers:
        if offer.kind != "per_establishment" or contract.plan_code in offer.included_by:
            continue
        price = offer.price(contract.frequency)
        is_sold = contract.plan_code in offer.offered_by and price is not None
        if is_sold and price is not None:
            own.append(
                Column(
                    offer.code,
                    text(offer.names, locale),
                    "own",
                    price=Money(price.amount_cents, price.currency),
                )
            )
    for option in held.values():
        if option.establishment_id is not None:
            if option.code not in {column.code for column in own} and not _is_included(option, contract):
                own.append(Column(option.code, text(situation.options[option.code].names, locale), "own"))
            continue
        words = situation.options[option.code]
        note = units(words, option.quantity, locale) if words.unit_names else ""
        account.append(Column(option.code, text(words.names, locale), "account", note))
    return [*plan_columns, *own, *account]


def _is_included(option: HeldOption, contract: Contract) -> bool:
    return contract.plan_code in option.included_by


class _Matrix:
    """The cells of the establishments shown: what is held is looked up once for all rows."""

    def __init__(
        self,
        situation: Situation,
        contract: Contract,
        offers: Sequence[OptionOffer],
        columns: Sequence[Column],
        gaps: Sequence[coverage.Gap],
        today: date,
        locale: str,
    ) -> None:
        self.columns = columns
        self.held = {c.code: coverage.held_at(contract, c.code, today) for c in columns if c.kind == "own"}
        self.gaps = {gap.code: set(gap.establishment_ids) for gap in gaps}
        self.leaving = {each.option_id: each.effective_on for each in contract.changes if not each.quantity}
        self.requires = {
            offer.code: [need for need in offer.requires if need in self.held] for offer in offers
        }
        self.sold = {column.code for column in columns if column.price is not None}

    def cells(self, establishment: HeldEstablishment, can_switch: bool) -> list[Cell]:
        return [self._cell(column, establishment.id, can_switch) for column in self.columns]

    def _cell(self, column: Column, establishment_id: str, can_switch: bool) -> Cell:
        if column.kind != "own":
            return Cell(column, is_on=True)
        option = self.held[column.code].get(establishment_id)
        until = (option.ends_on or self.leaving.get(option.id)) if option is not None else None
        missing = [
            need
            for need in self.requires.get(column.code, ())
            if option is None and establishment_id not in self.held[need]
        ]
        name = next((other.name for other in self.columns if missing and other.code == missing[0]), "")
        return Cell(
            column,
            place=f"{column.code}@{establishment_id}",
            is_on=option is not None and until is None,
            is_gap=establishment_id in self.gaps.get(column.code, ()),
            until=until,
            needs=name,
            can_switch=can_switch and (column.code in self.sold or option is not None),
        )


def _findings(
    situation: Situation,
    contract: Contract,
    columns: Sequence[Column],
    gaps: Sequence[coverage.Gap],
    today: date,
    locale: str,
) -> list[Finding]:
    names = {column.code: column.name for column in columns}
    sold = {column.code for column in columns if column.price is not None}
    found = [
        Finding(
            gap.code,
            names[gap.code],
            some_of([situation.addresses[each].name for each in gap.establishment_ids], locale),
            len(gap.establishment_ids),
        )
        for gap in gaps
        if gap.code in sold
    ]
    idle = coverage.idle(contract, today)
    if idle:
        said = some_of(
            [option_name(each.code, each.establishment_id, situation, locale) for each in idle], locale
        )
        found.append(Finding(IDLE, "", said, len(idle), is_idle=True))
    return found


def some_of(names: Sequence[str], locale: str) -> str:
    """ "Le Petit Parc, Comptoir du Parc et 12 autres" """
    if len(names) <= FEW + 1:
        return one_of(list(names), locale)
    rest = gettext("%(number)s autres", locale, number=len(names) - FEW)
    return one_of([*names[:FEW], rest], locale)


# ── Previews ─────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Costs:
    """The amounts of a preview, the same for every kind of change."""

    due: Draft
    due_lines: list[NamedLine]
    next_before: Draft | None
    next_after: Draft | None
    next_lines: list[
        NamedLine
    ]  # of a settlement inside a paid year; a whole period is not repeated line by line
    arrears: tuple[Draft, ...]
    customer: Customer
    pay_by: date
    is_annual: bool
    period_before: Draft | None = None
    period_after: Draft | None = None

    @property
    def due_now(self) -> Money:
        """Everything the confirmation issues, VAT included."""
        return due_now(self.due, self.arrears)

    @property
    def is_settlement(self) -> bool:
        """Whether the next document is a monthly renewal inside a paid year, not a whole period."""
        return bool(self.next_lines)


def _costs(
    situation: Situation,
    contract: Contract,
    due: Draft,
    next_before: Draft | None,
    next_after: Draft | None,
    arrears: tuple[Draft, ...],
    today: date,
    locale: str,
    **periods: Draft | None,
) -> Costs:
    inside = next_after is not None and next_after.period.start < contract.signature.billed_until
    return Costs(
        due=due,
        due_lines=named_lines(due, situation, locale),
        next_before=next_before,
        next_after=next_after,
        next_lines=named_lines(next_after, situation, locale) if next_after is not None and inside else [],
        arrears=arrears,
        customer=situation.customer,
        pay_by=today + timedelta(days=situation.customer.payment_term_days),
        is_annual=contract.frequency is Frequency.ANNUAL,
        **periods,
    )


@dataclass(frozen=True, slots=True)
class ComingPage:
    subscription_id: uuid.UUID
    today: date
    renewal_on: date
    plan: str
    included: int  # by the plan
    place: int  # of the first that comes, counted from 1
    rates: list[
        tuple[int, Money, Money]
    ]  # how many, at which price, and that price with VAT; nothing: included
    costs: Costs
    fingerprint: str

    @property
    def unit(self) -> Money:
        return self.rates[0][1]

    @property
    def gross(self) -> Money:
        return self.rates[0][2]


def coming_page(preview: EstablishmentsPreview, locale: str) -> ComingPage:
    change, situation = preview.change, preview.situation
    units_ = [each.unit for each in change.added]
    contract = change.contract_after
    active = len(change.contract_before.establishments_active_on(change.today))
    return ComingPage(
        subscription_id=situation.subscription_id,
        today=change.today,
        renewal_on=change.renewal_on,
        plan=text(situation.plans[contract.plan_code], locale),
        included=contract.tariff.included_establishments,
        place=active + 1,
        rates=[
            (units_.count(unit), unit, with_vat(unit, situation.customer.vat))
            for unit in dict.fromkeys(units_)
        ],
        costs=_establishment_costs(preview, locale),
        fingerprint=preview.fingerprint,
    )


def _establishment_costs(preview: EstablishmentsPreview, locale: str) -> Costs:
    change = preview.change
    return _costs(
        preview.situation,
        change.contract_before,
        change.due_now,
        change.next_before,
        change.next_after,
        preview.arrears,
        change.today,
        locale,
        period_before=change.period_before,
        period_after=change.period_after,
    )


@dataclass(frozen=True, slots=True)
class AccountOption:
    """An option of the whole account that may go along."""

    code: str
    name: str
    price: Money
    is_ticked: bool


@dataclass(frozen=True, slots=True)
class LeavingPage:
    subscription_id: uuid.UUID
    name: str
    address: Address
    today: date
    renewal_on: date
    is_charged: bool  # today, so that the end of the charge is worth a date
    own_options: list[str]
    account_options: list[AccountOption]
    moves: list[str]
    costs: Costs
    fingerprint: str


def leaving_page(preview: EstablishmentsPreview, locale: str) -> LeavingPage:
    change, situation = preview.change, preview.situation
    gone, contract = change.removed[0], change.contract_before
    ticked = {each.code for each in preview.option_wishes}
    leaving = {each.option_id for each in contract.changes if not each.quantity}
    return LeavingPage(
        subscription_id=situation.subscription_id,
        name=situation.addresses[gone.id].name,
        address=situation.addresses[gone.id],
        today=change.today,
        renewal_on=change.renewal_on,
        is_charged=gone.charged_from <= change.today,
        own_options=[text(situation.options[each.code].names, locale) for each in change.options_ending],
        account_options=[
            AccountOption(
                each.code,
                text(situation.options[each.code].names, locale),
                each.unit_under(contract.tariff) * each.quantity,
                each.code in ticked,
            )
            for each in contract.options_on(change.today)
            if each.establishment_id is None and each.id not in leaving
        ],
        moves=moves_in_words(preview.moves, situation, locale),
        costs=_establishment_costs(preview, locale),
        fingerprint=preview.fingerprint,
    )


@dataclass(frozen=True, slots=True)
class ServicesPage:
    subscription_id: uuid.UUID
    moves: list[str]
    costs: Costs
    fingerprint: str


def services_page(preview: OptionsPreview, locale: str) -> ServicesPage:
    change = preview.change
    return ServicesPage(
        subscription_id=preview.situation.subscription_id,
        moves=moves_in_words(change.moves, preview.situation, locale),
        costs=_costs(
            preview.situation, change.contract_before, change.due_now, change.next_before, change.next_after,
            preview.arrears, change.today, locale,
        ),
        fingerprint=preview.fingerprint,
    )  # fmt: skip


# ── Importing ────────────────────────────────────────────────────────────────────────────────────────────────────

_UNREADABLE = {
    "empty": _("Choisissez un fichier CSV qui contient au moins une ligne d’en-têtes."),
    "too_big": _("Ce fichier dépasse 1 Mo. Coupez-le en plusieurs fichiers."),
    "too_many_lines": _("Ce fichier dépasse 2 000 lignes. Coupez-le en plusieurs fichiers."),
    "not_utf8": _("Ce fichier n’est pas en UTF-8. Dans votre tableur, enregistrez-le comme « CSV UTF-8 »."),
    "not_csv": _("Ce fichier n’est pas un CSV lisible. Repartez de notre modèle."),
    "columns": _("Il manque des colonnes : %(columns)s. Repartez de notre modèle."),
}
_COLUMN_NAMES = {
    "name": _("Nom"),
    "street": _("Rue et numéro"),
    "postcode": _("Code postal"),
    "city": _("Commune"),
}


def why_unreadable(broken: BrokenCsv, locale: str) -> str:
    missing = one_of([gettext(_COLUMN_NAMES[each], locale) for each in broken.missing], locale)
    return gettext(_UNREADABLE[broken.reason], locale, columns=missing)


@dataclass(frozen=True, slots=True)
class ReportLine:
    number: int
    name: str
    address: str
    outcome: str
    reasons: list[str]


@dataclass(frozen=True, slots=True)
class Report:
    lines: list[ReportLine]
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def added(self) -> int:
        return self.counts["added"]

    @property
    def skipped(self) -> int:
        return self.counts["known"] + self.counts["twice"]

    @property
    def refused(self) -> int:
        return self.counts["refused"]


def report(lines: Sequence[ImportedLine], locale: str) -> Report:
    """What to look at first: refused, then skipped, then what would be added, each in the order of the file."""
    order = {"refused": 0, "twice": 1, "known": 1, "added": 2}
    shown = [
        ReportLine(
            line.number,
            line.details.name,
            " ".join(filter(None, [_comma(line.details.street), line.details.postcode, line.details.city])),
            line.outcome,
            [translate(WRONG[each], locale) for each in line.problems],
        )
        for line in sorted(lines, key=lambda line: (order[line.outcome], line.number))
    ]
    counts: dict[str, Any] = {each: sum(line.outcome == each for line in lines) for each in order}
    return Report(shown, counts)


def _comma(street: str) -> str:
    return f"{street}," if street else ""
