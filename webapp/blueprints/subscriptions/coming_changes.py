"""The changes to come, each with what undoing it keeps and who may undo it."""

from dataclasses import dataclass, replace
from datetime import date

from webapp import clock
from webapp.auth import Visit
from webapp.blueprints.subscriptions.in_use import Shown, period_price
from webapp.domain.access import May, is_allowed
from webapp.domain.contract import ChangeKind, Contract, Frequency, HeldOption, PlanTariff
from webapp.domain.money import Money
from webapp.services.contracts import MIGRATION, PendingChange, Situation
from webapp.services.establishments import CHANGE_ESTABLISHMENTS
from webapp.services.options import CHANGE_OPTIONS
from webapp.services.subscriptions import CHANGE_PLAN
from webapp.services.wording import option_name, text, units

# Who may undo what here, and the action by which a reseller's policy names it. A termination is taken back on the
# page of the contract, which says what that means.
TO_UNDO: dict[ChangeKind, tuple[May, str]] = {
    ChangeKind.PLAN: (May.CHANGE_PLAN, CHANGE_PLAN),
    ChangeKind.OPTION: (May.CHANGE_OPTIONS, CHANGE_OPTIONS),
    ChangeKind.ESTABLISHMENT: (May.CHANGE_ESTABLISHMENTS, CHANGE_ESTABLISHMENTS),
}


@dataclass(frozen=True, slots=True)
class Pending:
    """A change to come. `kind`: plan, billing (same plan, other frequency), option_ends, option_quantity, termination, or
    migration: decided by the operator, for a `reason`, the client being free to leave until `leave_until` if set."""

    id: int
    kind: str
    effective_on: date
    requested_by: str
    requested_on: date
    can_undo: bool
    is_partners: bool  # to be undone by the reseller
    name: str = ""  # of the plan or option that changes
    kept: str = ""  # what undoing keeps, in words
    amount: Money | None = None  # per period: of the plan to come, or of the option if kept
    is_annual: bool = False
    reason: str = ""
    leave_until: date | None = None


def pending(
    contract: Contract, situation: Situation, visit: Visit, shown: Shown, today: date, locale: str
) -> list[Pending]:
    held = {option.id: option for option in contract.options}
    tariffs = {change.id: change.tariff for change in contract.changes}
    asked = {change.id: change for change in situation.pending}
    rows = []
    for change in sorted(contract.changes, key=lambda change: change.order):
        row = asked.get(change.id)
        if row is None or row.effective_on <= today:
            continue
        if row.kind is ChangeKind.OPTION:
            option = held.get(change.option_id or 0)
            if option is not None:
                rows.append(
                    _pending_option(row, option, change.quantity, contract, situation, visit, shown, locale)
                )
        elif row.kind is ChangeKind.PLAN:
            rows.append(_pending_plan(row, tariffs[row.id], contract, situation, visit, shown, locale))
        elif row.kind is ChangeKind.TERMINATION:
            rows.append(_pending_row(row, "termination", situation, visit))
    return rows


def _pending_row(
    row: PendingChange,
    kind: str,
    situation: Situation,
    visit: Visit,
    name: str = "",
    kept: str = "",
    amount: Money | None = None,
    is_annual: bool = False,
) -> Pending:
    may, action = TO_UNDO.get(row.kind, (May.TERMINATE, ""))
    is_partners = (
        bool(action) and situation.partner is not None and action not in situation.partner.allowed_actions
    )
    return Pending(
        id=row.id,
        kind=kind,
        effective_on=row.effective_on,
        requested_by=row.requested_by,
        requested_on=clock.local(row.requested_at).date(),
        can_undo=not is_partners and is_allowed(visit.role, may),
        is_partners=is_partners,
        name=name,
        kept=kept,
        amount=amount,
        is_annual=is_annual,
    )


def _pending_plan(
    row: PendingChange, tariff: PlanTariff | None, contract: Contract, situation: Situation, visit: Visit, shown: Shown,
    locale: str,
) -> Pending:  # fmt: skip
    assert tariff is not None  # a change of plan has its tariff
    if MIGRATION in row.facts:
        until = row.facts["leave_until"]
        return replace(
            _pending_row(
                row, "migration", situation, visit, name=text(situation.plans[tariff.plan_code], locale)
            ),
            can_undo=False,
            is_partners=False,
            amount=shown(tariff.price),
            is_annual=tariff.frequency is Frequency.ANNUAL,
            reason=text(row.facts["reasons"], locale),
            leave_until=date.fromisoformat(until) if until else None,
        )
    return _pending_row(
        row,
        "billing" if tariff.plan_code == contract.plan_code else "plan",
        situation,
        visit,
        name=text(situation.plans[tariff.plan_code], locale),
        kept=text(situation.plans[contract.plan_code], locale),
        amount=shown(tariff.price),
        is_annual=tariff.frequency is Frequency.ANNUAL,
    )


def _pending_option(
    row: PendingChange, option: HeldOption, quantity: int, contract: Contract, situation: Situation, visit: Visit,
    shown: Shown, locale: str,
) -> Pending:  # fmt: skip
    words = situation.options[option.code]
    price = period_price(option, contract.tariff)
    return _pending_row(
        row,
        "option_quantity" if quantity else "option_ends",
        situation,
        visit,
        name=option_name(option.code, option.establishment_id, situation, locale),
        kept=units(words, quantity, locale) if quantity else "",
        amount=shown(price) if price else None,
        is_annual=contract.frequency is Frequency.ANNUAL,
    )
