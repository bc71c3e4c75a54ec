"""What an account is entitled to, as other systems ask it: its standing, its services at each establishment, its
documents (D5, D6). Reading only; the same contract as the pages read, so that both always say the same.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain.contract import Contract, HeldOption
from webapp.models.accounts import Account, Reseller
from webapp.models.catalogue import Feature, Option, OptionVersion
from webapp.models.invoices import Invoice, InvoiceLine
from webapp.models.subscriptions import Establishment, Subscription
from webapp.services import contracts, subscriptions
from webapp.services.contracts import Situation
from webapp.services.invoices import State, state_of

ACTIVE, SUSPENDED, ENDED = "active", "suspended", "ended"
NOT_INCLUDED = "not_included"


class NotFound(LookupError):
    """No such account or document, or it is another reseller's: the door answers 404 for both."""


@dataclass(frozen=True, slots=True)
class Contracted:
    """One subscription, today."""

    id: uuid.UUID
    plan: str
    frequency: str
    starts_on: date
    ends_on: date | None  # first day without service, when it is known
    next_invoice_on: date | None
    establishments: int


@dataclass(frozen=True, slots=True)
class AccountStanding:
    """`suspended_on` and `ended_on` are the first days without service."""

    reference: str
    name: str
    status: str
    suspended_on: date | None
    suspension_cause: str | None
    ended_on: date | None
    reseller: str | None
    subscriptions: tuple[Contracted, ...]


@dataclass(frozen=True, slots=True)
class Service:
    """A service of an account or of one establishment.

    `is_on` is what the contract gives today, `is_served` what is to be delivered: what is suspended is on and not
    served. `since` is the first day, `until` the first day without, None when no end is known. `quantity` counts what
    is bought by the unit.
    """

    code: str
    is_on: bool
    is_served: bool
    cause: str | None  # why it is not served: not_included, suspended or ended
    since: date | None
    until: date | None
    quantity: int | None


@dataclass(frozen=True, slots=True)
class Place:
    """An establishment in service today, or at the end of the contract."""

    id: uuid.UUID
    name: str
    number: str | None  # of the register of businesses
    postcode: str
    city: str
    active_from: date
    active_until: date | None
    services: tuple[Service, ...]


@dataclass(frozen=True, slots=True)
class Entitlements:
    standing: AccountStanding
    services: tuple[Service, ...]  # of the whole account
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class DocumentPage:
    rows: tuple[Invoice, ...]
    next_cursor: str | None


# ── Accounts ─────────────────────────────────────────────────────────────────────────────────────────────────────


def standing(session: Session, reference: str, reseller_id: uuid.UUID | None, today: date) -> AccountStanding:
    """Where an account stands. A reseller finds its own clients only. Raises NotFound."""
    return _read(session, reference, reseller_id, today)[0]


def services(session: Session, reference: str, reseller_id: uuid.UUID | None, today: date) -> Entitlements:
    """Every service of an account, establishment by establishment, in a number of statements that does not depend on
    how many it has. Raises NotFound."""
    found, situations, signed_on = _read(session, reference, reseller_id, today)
    sold = _what_is_sold(session)
    details = _details(session, [each.subscription_id for each in situations])
    account: list[Service] = []
    places: list[Place] = []
    for situation in situations:
        made = _Services(session, situation, sold, signed_on[situation.subscription_id], found, today)
        account.extend(made.of_account())
        places.extend(
            Place(
                row.id,
                row.name,
                row.number,
                row.postcode,
                row.city,
                row.active_from,
                made.earliest(row.active_until, made.ends_on),
                made.at(row.id.hex, row.active_from, row.active_until),
            )
            for row in details
            if row.subscription_id == situation.subscription_id
            and row.active_from <= today
            and (row.active_until is None or today < row.active_until)
        )
    return Entitlements(found, tuple(account), tuple(places))


def _read(
    session: Session, reference: str, reseller_id: uuid.UUID | None, today: date
) -> tuple[AccountStanding, list[Situation], dict[uuid.UUID, date]]:
    """The account, the subscriptions that count (those running, or the last one), and the day each plan was signed."""
    statement = (
        select(Account, Reseller.slug)
        .outerjoin(Reseller, Reseller.id == Account.reseller_id)
        .where(Account.reference == reference)
    )
    if reseller_id is not None:
        statement = statement.where(Account.reseller_id == reseller_id)
    found = session.execute(statement).first()
    if found is None:
        raise NotFound(reference)
    account, reseller = found
    rows = session.execute(
        select(Subscription.id, Subscription.status, Subscription.signed_on)
        .where(Subscription.account_id == account.id)
        .order_by(Subscription.starts_on, Subscription.id)
    ).all()
    running = [row for row in rows if row.status == "active"] or list(rows[-1:])
    situations = [contracts.load(session, row.id) for row in running]
    contracted = tuple(_contracted(session, each, today) for each in situations)
    status, ended_on = ACTIVE, None
    if all(each.ends_on is not None and each.ends_on <= today for each in contracted):
        status, ended_on = ENDED, max((each.ends_on for each in contracted if each.ends_on), default=None)
    elif account.suspended_on is not None and account.suspended_on <= today:
        status = SUSPENDED
    is_suspended = status == SUSPENDED
    told = AccountStanding(
        account.reference,
        account.name,
        status,
        account.suspended_on if is_suspended else None,
        account.suspension_cause if is_suspended else None,
        ended_on,
        reseller,
        contracted,
    )
    return told, situations, {row.id: row.signed_on for row in running}


def _contracted(session: Session, situation: Situation, today: date) -> Contracted:
    contract = situation.contract.on(today)
    draft = None
    if contract.ended_on is None:
        draft = subscriptions.next_invoice(session, situation, today)
    return Contracted(
        situation.subscription_id,
        contract.plan_code,
        contract.frequency.value,
        contract.starts_on,
        contract.ends_on(),
        draft.period.start if draft is not None else None,
        len(contract.establishments_active_on(today)),
    )


# ── Services ─────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Sold:
    """What the catalogue knows of services: which there are, which belong to an address, which option gives which."""

    codes: tuple[str, ...]
    of_places: frozenset[str]
    by_option: Mapping[str, str]  # service of each option; the option's own code when it gives no feature
    included: Mapping[str, frozenset[str]]  # plans that give a service free through its option


def _what_is_sold(session: Session) -> _Sold:
    """Two statements."""
    features = session.execute(
        select(Feature.code, Feature.is_per_establishment).order_by(Feature.position, Feature.code)
    ).all()
    versions = session.execute(
        select(Option.code, Option.kind, OptionVersion.feature_code, OptionVersion.included_by)
        .join(Option, Option.id == OptionVersion.option_id)
        .order_by(Option.position, Option.code, OptionVersion.number)
    ).all()
    latest = {row.code: row for row in versions}
    by_option = {code: row.feature_code or code for code, row in latest.items()}
    of_places = {row.code for row in features if row.is_per_establishment}
    of_places |= {by_option[code] for code, row in latest.items() if row.kind == "per_establishment"}
    included: dict[str, set[str]] = {}
    for code, row in latest.items():
        included.setdefault(by_option[code], set()).update(row.included_by)
    delivered = [
        by_option[code] for code, row in latest.items() if row.kind not in ("one_off", "on_quotation")
    ]
    codes = dict.fromkeys([row.code for row in features] + delivered)
    return _Sold(
        tuple(codes),
        frozenset(of_places),
        by_option,
        {code: frozenset(plans) for code, plans in included.items()},
    )


@dataclass(slots=True)
class _Span:
    """Days on which something gives a service: from `since`, up to `until` when it is known."""

    since: date
    until: date | None
    quantity: int | None = None


@dataclass(slots=True)
class _Services:
    """The services of one subscription today: what the plan gives, what each option gives, and until when."""

    session: Session
    situation: Situation
    sold: _Sold
    signed_on: date
    standing: AccountStanding
    today: date
    contract: Contract = field(init=False)
    ends_on: date | None = field(init=False)
    _plan: dict[str, _Span] = field(init=False)
    _options: dict[tuple[str, str | None], list[_Span]] = field(init=False)

    def __post_init__(self) -> None:
        self.contract = self.situation.contract.on(self.today)
        self.ends_on = self.contract.ends_on()
        self._plan = self._of_plan()
        self._options = {}
        for option in self._held():
            code = self.sold.by_option.get(option.code, option.code)
            span = _Span(option.starts_on, self.earliest(option.ends_on, self.ends_on), option.quantity)
            self._options.setdefault((code, option.establishment_id), []).append(span)

    def of_account(self) -> list[Service]:
        codes = [code for code in self.sold.codes if code not in self.sold.of_places]
        held = [code for code, place in self._options if place is None]
        own = [
            code
            for code in dict.fromkeys([*codes, *held])
            if code in codes or (code not in self.sold.codes and code not in self.sold.of_places)
        ]
        return [self._service(code, self._spans(code, None)) for code in own]

    def at(self, establishment_id: str, active_from: date, active_until: date | None) -> tuple[Service, ...]:
        codes = [code for code in self.sold.codes if code in self.sold.of_places]
        held = [code for code, place in self._options if place == establishment_id]
        found = []
        for code in dict.fromkeys([*codes, *held]):
            spans = [
                _Span(
                    max(span.since, active_from),
                    self.earliest(span.until, active_until),
                    span.quantity if place else None,
                )
                for place in (establishment_id, None)
                for span in self._spans(code, place)
            ]
            found.append(self._service(code, spans))
        return tuple(found)

    @staticmethod
    def earliest(*days: date | None) -> date | None:
        return min((day for day in days if day is not None), default=None)

    def _spans(self, code: str, establishment_id: str | None) -> list[_Span]:
        """What gives a service at one place, or to the whole account with the plan's own."""
        spans = list(self._options.get((code, establishment_id), ()))
        if establishment_id is None and code in self._plan:
            spans.append(self._plan[code])
        return spans

    def _service(self, code: str, spans: Sequence[_Span]) -> Service:
        status = self.standing.status
        if not spans or status == ENDED or self.contract.ended_on is not None:
            is_over = bool(spans) and (status == ENDED or self.contract.ended_on is not None)
            cause = ENDED if is_over else NOT_INCLUDED
            since = min((span.since for span in spans), default=None)
            return Service(code, False, False, cause, since, self.ends_on if is_over else None, None)
        ends = [span.until for span in spans]
        until = None if None in ends else max(end for end in ends if end is not None)
        counted = [span.quantity for span in spans if span.quantity is not None]
        is_served = status == ACTIVE
        return Service(
            code,
            True,
            is_served,
            None if is_served else SUSPENDED,
            min(span.since for span in spans),
            until,
            sum(counted) if counted else None,
        )

    def _of_plan(self) -> dict[str, _Span]:
        """What the present plan gives, until the plan that is scheduled takes it away."""
        switch = self.contract.plan_switch()
        given = self._given(self.contract.plan_code, self._features())
        kept = given
        if switch is not None and switch.tariff is not None:
            later = subscriptions.features_of(self.session, switch.tariff)
            kept = self._given(switch.tariff.plan_code, later)
        return {
            code: _Span(
                self.signed_on,
                self.ends_on
                if code in kept or switch is None
                else self.earliest(self.ends_on, switch.effective_on),
            )
            for code in given
        }

    def _features(self) -> Mapping[str, Any]:
        """Of the plan in force today, which a change that is due and not yet written may have replaced."""
        if self.contract.tariff.price_id == self.situation.contract.tariff.price_id:
            return self.situation.plan.features
        return subscriptions.features_of(self.session, self.contract.tariff)

    def _given(self, plan: str, features: Mapping[str, Any]) -> set[str]:
        included = {code for code, plans in self.sold.included.items() if plan in plans}
        return {code for code, value in features.items() if value} | included

    def _held(self) -> Iterable[HeldOption]:
        """The options in use today, with the ends that the changes to come will give them."""
        horizon = max((change.effective_on for change in self.contract.changes), default=self.today)
        later = {(each.id, each.starts_on): each.ends_on for each in self.contract.on(horizon).options}
        if self.contract.ended_on is not None:
            held = list(self.contract.options_on(self.contract.ended_on - timedelta(days=1)))
        else:
            held = list(self.contract.options_on(self.today))
        for option in held:
            ends_on = later.get((option.id, option.starts_on), option.ends_on)
            yield replace(option, ends_on=ends_on)


def _details(session: Session, subscription_ids: Sequence[uuid.UUID]) -> Sequence[Any]:
    statement = (
        select(
            Establishment.id,
            Establishment.subscription_id,
            Establishment.name,
            Establishment.number,
            Establishment.postcode,
            Establishment.city,
            Establishment.active_from,
            Establishment.active_until,
        )
        .where(Establishment.subscription_id.in_(subscription_ids))
        .order_by(Establishment.subscription_id, Establishment.position)
    )
    return session.execute(statement).all()


# ── Documents ────────────────────────────────────────────────────────────────────────────────────────────────────


def documents(
    session: Session, reference: str, reseller_id: uuid.UUID | None, after: str | None, limit: int
) -> DocumentPage:
    """The documents of an account, latest first, those older than the one numbered `after`. Two or three statements.

    Raises NotFound for the account, and for a cursor that is no document of it.
    """
    account_id = _account_id(session, reference, reseller_id)
    statement = (
        select(Invoice)
        .where(Invoice.account_id == account_id)
        .order_by(Invoice.issued_on.desc(), Invoice.id.desc())
        .limit(limit + 1)
    )
    if after is not None:
        last = session.execute(
            select(Invoice.issued_on, Invoice.id).where(
                Invoice.account_id == account_id, Invoice.number == after
            )
        ).first()
        if last is None:
            raise NotFound(after)
        statement = statement.where(
            (Invoice.issued_on < last.issued_on)
            | ((Invoice.issued_on == last.issued_on) & (Invoice.id < last.id))
        )
    rows = list(session.scalars(statement))
    return DocumentPage(tuple(rows[:limit]), rows[limit - 1].number if len(rows) > limit else None)


def document(
    session: Session, number: str, reseller_id: uuid.UUID | None
) -> tuple[Invoice, str, tuple[InvoiceLine, ...]]:
    """A document with the reference of its account and its lines. Raises NotFound."""
    statement = (
        select(Invoice, Account.reference)
        .join(Account, Account.id == Invoice.account_id)
        .where(Invoice.number == number)
    )
    if reseller_id is not None:
        statement = statement.where(Account.reseller_id == reseller_id)
    found = session.execute(statement).first()
    if found is None:
        raise NotFound(number)
    lines = session.scalars(
        select(InvoiceLine).where(InvoiceLine.invoice_id == found[0].id).order_by(InvoiceLine.position)
    )
    return found[0], found[1], tuple(lines)


def state(invoice: Invoice, today: date) -> State:
    return state_of(invoice.kind, invoice.total_cents, invoice.paid_cents, invoice.payable_until, today)


def _account_id(session: Session, reference: str, reseller_id: uuid.UUID | None) -> uuid.UUID:
    statement = select(Account.id).where(Account.reference == reference)
    if reseller_id is not None:
        statement = statement.where(Account.reseller_id == reseller_id)
    account_id = session.scalar(statement)
    if account_id is None:
        raise NotFound(reference)
    return account_id
