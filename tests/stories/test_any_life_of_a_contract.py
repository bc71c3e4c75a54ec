"""Whatever an owner does, in whatever order, over the months: no day of service is billed twice, none is left out,
nothing is given back beyond what was billed. Values only: the same functions as the pages and the billing run."""

from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.domain.contracts import Ledger, contract, establishment, option, tariff
from webapp.domain.contract import ChangeKind, Contract, HeldOption, OptionKind
from webapp.domain.discounts import Discount
from webapp.domain.establishment_change import change_of_establishments, removal_undone
from webapp.domain.option_change import OptionTerms, Wish, change_of_options
from webapp.domain.periods import boundary
from webapp.domain.plan_change import change_of_plan
from webapp.domain.pricing import DISCOUNT, Draft, Item, recurring_charges
from webapp.domain.proration import BilledLine, mirrored, settlement, upcoming
from webapp.domain.refusals import Refusal
from webapp.domain.vat import STANDARD
from webapp.services.billing import next_step

CODES = ("emails", "booking", "signage", "reviews")


def terms_of(code: str) -> OptionTerms:
    held = option(code)
    return OptionTerms(
        code=code,
        kind=held.kind,
        version_id=1,
        units=held.units,
        once=None,
        offered_by=held.offered_by,
        included_by=held.included_by,
        requires=frozenset(),
        excludes=frozenset(),
        min_quantity=1,
        max_quantity=20,
    )


TERMS = {code: terms_of(code) for code in CODES}
Asked = dict[tuple[Item, int], int]


class LifeOfAContract(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.asked: dict[date, Asked] = {}
        self.ids = 100

    @initialize(
        starts_on=st.dates(date(2027, 11, 1), date(2028, 3, 31)),
        plan=st.sampled_from(["essentiel", "pro", "premium"]),
        often=st.sampled_from(["monthly", "annual"]),
        addresses=st.integers(1, 4),
    )
    def sign(self, starts_on: date, plan: str, often: str, addresses: int) -> None:
        self.today = starts_on
        self.contract = contract(
            tariff(plan, often),
            starts_on=starts_on,
            paid_until=starts_on,
            establishments=tuple(establishment(n, since=starts_on) for n in range(1, addresses + 1)),
        )
        self.bill()

    # ── What time does ───────────────────────────────────────────────────────────────────────────────────────────

    def bill(self) -> None:
        """What the run does: every step due, each issued as it was announced."""
        while True:
            announced = upcoming(self.contract, self.ledger.billed(self.today), STANDARD)
            step = next_step(self.contract, self.ledger.billed(self.today), self.today, STANDARD)
            if step is None:
                break
            if step.draft is not None and step.draft.lines:
                assert announced is not None
                assert step.draft.lines == announced.lines, "the next invoice shown is the one issued"
                self.check(step.draft)
                self.ledger.issue(step.draft)
            self.contract = step.contract
        self.contract = self.contract.on(self.today)

    @rule(days=st.integers(1, 45))
    def time_passes(self, days: int) -> None:
        for _day in range(days):
            self.asked[self.today] = asked_for(self.contract, self.today)
            self.today += timedelta(days=1)
            self.bill()

    # ── What the owner does ──────────────────────────────────────────────────────────────────────────────────────

    @rule(plan=st.sampled_from(["essentiel", "pro", "premium"]), often=st.sampled_from(["monthly", "annual"]))
    def changes_plan(self, plan: str, often: str) -> None:
        morning = self.contract.signature_before(self.today)
        try:
            change = change_of_plan(
                self.contract, tariff(plan, often), self.ledger.billed(self.today), self.today, STANDARD
            )
        except Refusal:
            return
        self.confirm(change.due_now)
        self.contract = self.numbered(replace(change.contract_after, day_start=(self.today, morning)))

    @rule(code=st.sampled_from(CODES), quantity=st.integers(0, 5), place=st.integers(0, 3))
    def changes_an_option(self, code: str, quantity: int, place: int) -> None:
        kind = TERMS[code].kind
        active = self.contract.establishments_active_on(self.today)
        at = active[place % len(active)].id if kind is OptionKind.PER_ESTABLISHMENT else None
        wish = Wish(code, quantity if kind is OptionKind.PER_UNIT else min(quantity, 1), at)
        try:
            change = change_of_options(
                self.contract, TERMS, [wish], self.ledger.billed(self.today), self.today, STANDARD
            )
        except Refusal:
            return
        self.confirm(change.due_now)
        self.contract = self.numbered(change.contract_after)

    @rule()
    def adds_an_establishment(self) -> None:
        self.ids += 1
        change = change_of_establishments(
            self.contract,
            [(f"e{self.ids}", "Nouvelle adresse")],
            [],
            self.ledger.billed(self.today),
            self.today,
            STANDARD,
        )
        self.confirm(change.due_now)
        self.contract = change.contract_after

    @rule(place=st.integers(0, 5))
    def removes_an_establishment(self, place: int) -> None:
        active = self.contract.establishments_active_on(self.today)
        try:
            change = change_of_establishments(
                self.contract,
                [],
                [active[place % len(active)].id],
                self.ledger.billed(self.today),
                self.today,
                STANDARD,
            )
        except Refusal:
            return
        self.confirm(change.due_now)
        self.contract = change.contract_after

    @precondition(lambda self: any(each.active_until == self.today for each in self.contract.establishments))
    @rule()
    def brings_it_back_the_same_day(self) -> None:
        gone = next(each for each in self.contract.establishments if each.active_until == self.today)
        after = removal_undone(self.contract, gone.id, self.today)
        due = settlement(after, self.ledger.billed(self.today), self.today, STANDARD)
        self.confirm(due)
        self.contract = after

    @rule(
        percent=st.sampled_from([10, 33, 50, 100]),
        what=st.sampled_from([(None, None), ("plan", None), ("option", "emails"), ("establishment", None)]),
        periods=st.integers(0, 3),
        is_from_next=st.booleans(),
    )
    def is_granted_a_discount(
        self, percent: int, what: tuple[str | None, str | None], periods: int, is_from_next: bool
    ) -> None:
        """From today or from the next period, until the end of a period or without end."""
        signature = self.contract.signature
        self.ids += 1
        since = signature.billed_until if is_from_next else self.today
        until = boundary(signature.billed_until, periods * signature.frequency.months) if periods else None
        discount = Discount(self.ids, since, until, share=Fraction(percent, 100), item=what[0], ref=what[1])
        self.regrant((*self.contract.discounts, discount))

    @precondition(lambda self: self.contract.discounts)
    @rule(place=st.integers(0, 5))
    def loses_a_discount(self, place: int) -> None:
        chosen = self.contract.discounts[place % len(self.contract.discounts)]
        kept = tuple(each for each in self.contract.discounts if each is not chosen)
        if chosen.from_on < self.today:
            kept = (*kept, replace(chosen, until_on=min(self.today, chosen.until_on or self.today)))
        self.regrant(kept)

    def regrant(self, discounts: tuple[Discount, ...]) -> None:
        after = replace(self.contract, discounts=tuple(sorted(discounts, key=lambda each: each.id)))
        self.confirm(settlement(after, self.ledger.billed(self.today), self.today, STANDARD))
        self.contract = after

    @precondition(lambda self: self.contract.changes)
    @rule(place=st.integers(0, 5))
    def undoes_a_scheduled_change(self, place: int) -> None:
        changes = self.contract.changes
        chosen = changes[place % len(changes)]
        kept = replace(self.contract, changes=tuple(each for each in changes if each is not chosen))
        if settlement(kept, self.ledger.billed(self.today), self.today, STANDARD).lines:
            return  # it would cost something: the portal refuses, and sends to the preview
        self.contract = kept

    # ── What must always hold ────────────────────────────────────────────────────────────────────────────────────

    def confirm(self, due: Draft) -> None:
        self.check(due)
        self.ledger.issue(due, changed_on=self.today)

    def check(self, draft: Draft) -> None:
        assert draft.total == draft.net + draft.vat
        assert draft.net.cents == sum(line.net.cents for line in draft.lines)
        charged = [
            (line.key, line.service, line.unit, line.quantity, line.net)
            for line in draft.lines
            if line.net.cents > 0
        ]
        back = [
            (line.key, line.service, line.unit, line.quantity, -line.net)
            for line in draft.lines
            if line.net.cents < 0
        ]
        assert not set(charged) & set(back), "pairs that cancel out are never shown"

    def numbered(self, held: Contract) -> Contract:
        """Rows get their ids from the database: give each temporary one an id of its own."""
        ids: dict[int, int] = {}
        options: list[HeldOption] = []
        for each in held.options:
            if each.id < 0:
                self.ids += 1
                ids[each.id] = self.ids
            options.append(replace(each, id=ids.get(each.id, each.id)))
        changes = []
        for change in held.changes:
            if change.id <= 0:
                self.ids += 1
                change = replace(change, id=self.ids)
            if change.kind is ChangeKind.OPTION and change.option_id in ids:
                change = replace(change, option_id=ids[change.option_id])
            changes.append(change)
        return replace(held, options=tuple(options), changes=tuple(changes))

    @invariant()
    def nothing_is_given_back_beyond_what_was_billed(self) -> None:
        for line in self.ledger.billed(self.today):
            assert 0 <= upright(line).left.cents <= upright(line).net.cents

    @invariant()
    def nothing_is_left_to_settle_today(self) -> None:
        left = settlement(self.contract, self.ledger.billed(self.today), self.today, STANDARD)
        assert left.lines == ()

    @invariant()
    def each_day_of_service_is_billed_once_and_none_left_out(self) -> None:
        for day, asked in list(self.asked.items())[-40:]:
            assert covered(self.ledger, day) == asked, day


def asked_for(held: Contract, day: date) -> Asked:
    """What the contract asks for on one day, as (what, unit price in cents) -> quantity."""
    whole = held.signature.paid_period
    asked: Asked = {}
    for charge in recurring_charges(held, day, whole):
        if day in charge.service:
            place = (charge.key, charge.unit.cents)
            asked[place] = asked.get(place, 0) + charge.quantity
    return asked


def covered(ledger: Ledger, day: date) -> Asked:
    """What the issued lines cover on one day, what was given back taken off."""
    found: Asked = {}
    for line in ledger.billed(date.max):
        units = upright(line).quantity_covered_this_morning(day)
        if units:
            place = (line.key, line.unit.cents)
            found[place] = found.get(place, 0) + units
    return {place: quantity for place, quantity in found.items() if quantity}


def upright(line: BilledLine) -> BilledLine:
    """A discount is a charge below zero: in a mirror it is held to what every charge is held to."""
    return mirrored(line) if line.key.item == DISCOUNT else line


TestAnyLifeOfAContract = LifeOfAContract.TestCase
TestAnyLifeOfAContract.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
