"""What the pages of a change of plan show, worked out from the services' answers: templates only lay it out."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from webapp.amounts import NamedLine, due_now, named_lines
from webapp.domain.catalogue import FeatureOffer, OptionOffer
from webapp.domain.contract import Frequency, HeldOption, PlanTariff
from webapp.domain.money import Money, total
from webapp.domain.plan_change import Reason
from webapp.domain.pricing import Draft
from webapp.domain.refusals import ContactPartner, OptionsNotOffered, TerminationPending
from webapp.domain.vat import with_vat
from webapp.i18n import explain
from webapp.models.invoices import Invoice
from webapp.services.contracts import Customer, PendingChange, Situation
from webapp.services.subscriptions import PlanChoice, PlanPreview
from webapp.services.wording import text

_MONTH = Fraction(1, 12)  # of a year, for comparison only


# ── Comparing ────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class PlanCard:
    code: str
    name: str
    highlights: list[str]
    net: Money
    gross: Money
    per_month: Money | None  # of a yearly price, for comparison
    is_current: bool
    is_picked: bool
    can_choose: bool
    refusal: str | None
    reason: Reason | None
    effective_on: date | None
    is_now: bool
    settled: Money | None  # a whole period with the options and addresses in use, VAT excluded
    settled_from: date | None


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the comparison: included, absent, in words, or an amount."""

    kind: str  # yes, no, text, money, months, days
    value: Any = None


@dataclass(frozen=True, slots=True)
class Row:
    label: str
    cells: list[Cell]
    is_per_establishment: bool = False

    @property
    def differs(self) -> bool:
        return any(cell != self.cells[0] for cell in self.cells[1:])


@dataclass(frozen=True, slots=True)
class Comparison:
    subscription_id: uuid.UUID
    frequency: Frequency
    word: str
    cards: list[PlanCard]
    current: int | None  # the place of the present plan among the cards
    different: list[Row]  # differences first, what is the same everywhere after
    alike: list[Row]
    tiers: list[Row]
    included: list[int]
    terms: list[PlanTariff]
    may_change: bool
    partner_says: str | None
    has_annual: bool


def comparison(
    situation: Situation,
    choices: Sequence[PlanChoice],
    options: Sequence[OptionOffer],
    features: Sequence[FeatureOffer],
    frequency: Frequency,
    today: date,
    locale: str,
    may_change: bool,
) -> Comparison:
    names = {choice.offer.code: text(choice.offer.names, locale) for choice in choices}
    names |= {code: text(words.names, locale) for code, words in situation.options.items()}
    picked = _pick(situation, choices, today)
    cards = [_card(situation, choice, names, locale, choice is picked) for choice in choices]
    rows = [_feature_row(feature, choices, options, frequency, locale) for feature in features]
    partner = next((c.refusal for c in choices if isinstance(c.refusal, ContactPartner)), None)
    return Comparison(
        subscription_id=situation.subscription_id,
        frequency=frequency,
        word="annuelle" if frequency is Frequency.ANNUAL else "mensuelle",
        cards=cards,
        current=next((place for place, card in enumerate(cards) if card.is_current), None),
        different=[row for row in rows if row.differs],
        alike=[row for row in rows if not row.differs],
        tiers=_tier_rows(choices),
        included=[choice.tariff.included_establishments for choice in choices],
        terms=[choice.tariff for choice in choices],
        may_change=may_change,
        partner_says=explain(partner, locale) if partner else None,
        has_annual=frequency is Frequency.ANNUAL
        or any(price.frequency == Frequency.ANNUAL for choice in choices for price in choice.offer.prices),
    )


def _pick(situation: Situation, choices: Sequence[PlanChoice], today: date) -> PlanChoice | None:
    """The plan to which the account's own situation points: it includes every address where the present one charges
    some. Nothing else is ever put forward."""
    active = len(situation.contract.establishments_active_on(today))
    if active <= situation.contract.tariff.included_establishments:
        return None
    for choice in choices:
        if (
            choice.change is not None
            and choice.change.is_now
            and choice.tariff.included_establishments >= active
        ):
            return choice
    return None


def _card(
    situation: Situation, choice: PlanChoice, names: Mapping[str, str], locale: str, is_picked: bool
) -> PlanCard:
    tariff, change = choice.tariff, choice.change
    refusal = None
    if isinstance(choice.refusal, OptionsNotOffered | TerminationPending):
        refusal = explain(choice.refusal, locale, names)
    settled = change.settled if change else None
    return PlanCard(
        code=choice.offer.code,
        name=text(choice.offer.names, locale),
        highlights=[text(each, locale) for each in choice.offer.highlights],
        net=tariff.price,
        gross=with_vat(tariff.price, situation.customer.vat),
        per_month=tariff.price.share(_MONTH) if tariff.frequency is Frequency.ANNUAL else None,
        is_current=choice.is_current,
        is_picked=is_picked,
        can_choose=change is not None,
        refusal=refusal,
        reason=change.timing.reason if change else None,
        effective_on=change.timing.effective_on if change else None,
        is_now=change.is_now if change else False,
        settled=settled.net if settled else None,
        settled_from=settled.period.start if settled else None,
    )


def _feature_row(
    feature: FeatureOffer,
    choices: Sequence[PlanChoice],
    options: Sequence[OptionOffer],
    frequency: Frequency,
    locale: str,
) -> Row:
    option = next((option for option in options if option.feature_code == feature.code), None)
    cells = [
        _feature_cell(choice.offer.features.get(feature.code), choice, option, frequency, locale)
        for choice in choices
    ]
    return Row(text(feature.names, locale), cells, feature.is_per_establishment)


def _feature_cell(
    value: Any, choice: PlanChoice, option: OptionOffer | None, frequency: Frequency, locale: str
) -> Cell:
    if isinstance(value, Mapping):
        return Cell("text", text(value, locale))
    if value is True or (option is not None and choice.offer.code in option.included_by):
        return Cell("yes")
    if option is not None and choice.offer.code in option.offered_by:
        price = option.price(frequency)
        if price is not None:
            return Cell("money", Money(price.amount_cents, price.currency))
    return Cell("no")


def _tier_rows(choices: Sequence[PlanChoice]) -> list[Row]:
    """One row per step of the tiers: the number from which it counts, and its price in each plan."""
    steps = sorted({tier.from_unit for choice in choices for tier in choice.tariff.tiers})
    rows = []
    for number, first in enumerate(steps):
        last = steps[number + 1] - 1 if number + 1 < len(steps) else None
        cells = []
        for choice in choices:
            position = max(first, choice.tariff.included_establishments + 1)
            if last is not None and position > last:
                cells.append(Cell("yes"))
            else:
                cells.append(Cell("money", choice.tariff.establishment_price(position)))
        rows.append(Row(str(last) if last else "", cells))
    return rows


# ── Previewing ───────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class SwapRow:
    """Before and after of one thing. `kind` tells the template which words to use."""

    kind: str
    label: str
    before: Any = None
    after: Any = None
    is_same: bool = False


@dataclass(frozen=True, slots=True)
class PreviewPage:
    subscription_id: uuid.UUID
    plan_code: str
    plan_before: str
    plan_after: str
    is_same_plan: bool
    tariff_before: PlanTariff
    tariff_after: PlanTariff
    swaps: list[SwapRow]
    reason: Reason
    effective_on: date
    today: date
    is_now: bool
    due: Draft
    due_lines: list[NamedLine]
    whole_days: int | None  # when every line counts for the same share: "15 of the 30 days"
    left_days: int | None
    arrears: tuple[Draft, ...]
    next_before: Draft | None
    next_after: Draft | None
    settled: Draft | None
    settled_before: Draft | None
    commitment_end: date | None
    last_notice_day: date | None
    keeps_commitment: bool
    pay_by: date
    customer: Customer
    fingerprint: str
    replaces: list[PendingChange] = field(default_factory=list)

    @property
    def due_now(self) -> Money:
        """Everything the confirmation issues, VAT included."""
        return due_now(self.due, self.arrears)


def preview_page(
    preview: PlanPreview, features_after: Mapping[str, Any], features: Sequence[FeatureOffer], locale: str
) -> PreviewPage:
    change, situation = preview.change, preview.situation
    before, after = change.contract_before, change.contract_after.on(change.timing.effective_on)
    due_lines = named_lines(change.due_now, situation, locale)
    shares = {(each.line.service.days, each.line.whole.days) for each in due_lines}
    left_days, whole_days = shares.pop() if len(shares) == 1 else (None, None)
    term = after.signature.commitment.term_on(max(change.timing.effective_on, change.today))
    return PreviewPage(
        subscription_id=situation.subscription_id,
        plan_code=change.tariff.plan_code,
        plan_before=text(situation.plans[before.plan_code], locale),
        plan_after=text(situation.plans[change.tariff.plan_code], locale),
        is_same_plan=before.plan_code == change.tariff.plan_code,
        tariff_before=before.tariff,
        tariff_after=change.tariff,
        swaps=_swaps(preview, features_after, features, locale),
        reason=change.timing.reason,
        effective_on=change.timing.effective_on,
        today=change.today,
        is_now=change.is_now,
        due=change.due_now,
        due_lines=due_lines,
        whole_days=whole_days if left_days != whole_days else None,
        left_days=left_days,
        arrears=preview.arrears,
        next_before=change.next_before,
        next_after=change.next_after,
        settled=change.settled,
        settled_before=change.next_before,
        commitment_end=term.last_day if term else None,
        last_notice_day=after.signature.commitment.terms.notice.last_day_before(term.end) if term else None,
        keeps_commitment=after.signature.commitment == before.signature.commitment,
        pay_by=change.today + timedelta(days=situation.customer.payment_term_days),
        customer=situation.customer,
        fingerprint=preview.fingerprint,
        replaces=[each for each in situation.pending if each.kind == "plan"],
    )


def _swaps(
    preview: PlanPreview, features_after: Mapping[str, Any], features: Sequence[FeatureOffer], locale: str
) -> list[SwapRow]:
    """What differs, in the order of importance; what stays the same comes last."""
    change, situation = preview.change, preview.situation
    before, after = change.contract_before, change.tariff
    rows = [SwapRow("price", "", before.tariff, after)]
    active = len(before.establishments_active_on(change.today))
    rows.append(
        SwapRow(
            "establishments",
            "",
            {"included": before.tariff.included_establishments, "active": active, "tariff": before.tariff},
            {"included": after.included_establishments, "active": active, "tariff": after},
            is_same=before.tariff.included_establishments == after.included_establishments
            and before.tariff.tiers == after.tiers,
        )
    )
    ending = {option.code for option in change.options_ending}
    included = {option.code for option in change.options_included}
    charged = {option.code for option in change.options_charged}
    in_use = change.contract_after.on(change.timing.effective_on).options_on(change.timing.effective_on)
    leaving = {
        each.option_id: each.effective_on for each in before.changes if each.option_id and not each.quantity
    }
    for code, held in _by_code(before.options_on(change.today)).items():
        name = text(situation.options[code].names, locale)
        staying = [option for option in held if option.id not in leaving]
        for option in held:
            if leaving.get(option.id, date.max) <= change.timing.effective_on or (
                option.id in leaving and change.is_now
            ):
                rows.append(SwapRow("option_leaving", name, leaving[option.id], is_same=True))
        if not staying:
            continue
        cost = total(option.unit_under(before.tariff) * option.quantity for option in staying)
        later = total(option.unit_under(after) * option.quantity for option in in_use if option.code == code)
        if code in ending:
            rows.append(SwapRow("option_ends", name, cost, change.timing.effective_on))
        elif code in included:
            rows.append(SwapRow("option_included", name, cost))
        else:
            kind = "option_charged" if code in charged else "option"
            rows.append(SwapRow(kind, name, cost, later, is_same=cost == later))
    for feature in features:
        old, new = situation.plan.features.get(feature.code, False), features_after.get(feature.code, False)
        if old != new:
            rows.append(
                SwapRow("feature", text(feature.names, locale), _said(old, locale), _said(new, locale))
            )
    return sorted(rows, key=lambda row: (row.is_same, row.kind != "price"))


def _by_code(options: Sequence[HeldOption]) -> dict[str, list[HeldOption]]:
    held: dict[str, list[HeldOption]] = {}
    for option in options:
        held.setdefault(option.code, []).append(option)
    return held


def _said(value: Any, locale: str) -> Cell:
    if isinstance(value, Mapping):
        return Cell("text", text(value, locale))
    return Cell("yes" if value else "no")


# ── Done ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class DonePage:
    subscription_id: uuid.UUID
    plan: str
    document: Invoice | None
    scheduled: PendingChange | None
    scheduled_plan: str
    customer: Customer


def done(situation: Situation, document: Invoice | None, change_id: int | None, locale: str) -> DonePage:
    scheduled = next((each for each in situation.pending if each.id == change_id), None)
    switch = situation.contract.plan_switch()
    tariff = switch.tariff if switch is not None and scheduled is not None else None
    return DonePage(
        subscription_id=situation.subscription_id,
        plan=text(situation.plans[situation.contract.plan_code], locale),
        document=document,
        scheduled=scheduled,
        scheduled_plan=text(situation.plans[tariff.plan_code], locale) if tariff else "",
        customer=situation.customer,
    )
