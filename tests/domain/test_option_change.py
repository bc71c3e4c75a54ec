"""One save of options: the worked examples of the specification (O1-O6, M2, M5, M6), and what holds for any chain of saves.

Pro at 79 € from 1 March 2026, on monthly billing: on 10 November, 21 of the 30 days are left.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.contracts import Ledger, contract, establishment, option, tariff
from webapp.domain.contract import Contract, Frequency, HeldOption, OptionKind, PlanTariff
from webapp.domain.money import Money, euros
from webapp.domain.option_change import (
    MoveKind,
    OptionsChange,
    OptionTerms,
    Wish,
    change_of_options,
    standing,
)
from webapp.domain.plan_change import change_of_plan
from webapp.domain.pricing import period_draft
from webapp.domain.proration import settlement
from webapp.domain.refusals import (
    OptionAlreadyIncluded,
    OptionExcluded,
    OptionNotOffered,
    OptionRequired,
    OptionRequires,
    QuantityOutOfRange,
    Refusal,
    SubscriptionEnded,
    UnknownOption,
)
from webapp.domain.vat import STANDARD

NOVEMBER, TENTH, DECEMBER = date(2026, 11, 1), date(2026, 11, 10), date(2026, 12, 1)
_numbers = count(1)


def terms(
    code: str,
    kind: OptionKind = OptionKind.RECURRING,
    amount: str = "19.00",
    once: str | None = None,
    offered_by: str = "essentiel pro premium",
    included_by: str = "",
    requires: str = "",
    excludes: str = "",
    most: int = 50,
) -> OptionTerms:
    units = {Frequency.MONTHLY: euros(amount), Frequency.ANNUAL: euros(amount) * 10} if amount else {}
    return OptionTerms(
        code,
        kind,
        7,
        units,
        euros(once) if once else None,
        frozenset(offered_by.split()),
        frozenset(included_by.split()),
        frozenset(requires.split()),
        frozenset(excludes.split()),
        1,
        most,
    )


CATALOGUE = {
    each.code: each
    for each in (
        terms("emails", OptionKind.PER_UNIT, "2.50"),
        terms("booking", OptionKind.PER_ESTABLISHMENT, "15.00"),
        terms("collect", OptionKind.PER_ESTABLISHMENT, "25.00", requires="booking"),
        terms("signage", amount="12.00"),
        terms("reviews", amount="19.00", included_by="premium", offered_by="essentiel pro"),
        terms("studio", amount="45.00", offered_by="premium"),
        terms("rival", amount="5.00", excludes="signage"),
        terms("logo", OptionKind.ONE_OFF, "", once="290.00"),
        terms("concierge", OptionKind.ON_QUOTATION, ""),
    )
}


class Life:
    """A contract from save to save: what the rows and the billing run do, without a database."""

    def __init__(
        self, plan: PlanTariff | None = None, options: tuple[HeldOption, ...] = (), addresses: int = 1
    ) -> None:
        places = tuple(establishment(number) for number in range(1, addresses + 1))
        paid_until = NOVEMBER if plan is None or plan.frequency is Frequency.MONTHLY else date(2026, 3, 1)
        self.ledger = Ledger()
        self.contract = contract(plan, options=options, establishments=places, paid_until=paid_until)
        self.bill(NOVEMBER)

    def bill(self, until: date) -> None:
        while self.contract.signature.billed_until <= until:
            draft = period_draft(self.contract, STANDARD)
            assert draft is not None
            self.ledger.issue(draft)
            after = self.contract.on(draft.period.start)
            signature = replace(after.signature, billed_until=draft.period.end, settled_on=draft.period.start)
            self.contract = _numbered(replace(after, signature=signature))

    def work_out(self, today: date, *wishes: Wish, quoted: OptionTerms | None = None) -> OptionsChange:
        known = CATALOGUE if quoted is None else {**CATALOGUE, quoted.code: quoted}
        return change_of_options(self.contract, known, wishes, self.ledger.billed(today), today, STANDARD)

    def save(self, today: date, *wishes: Wish, quoted: OptionTerms | None = None) -> OptionsChange:
        change = self.work_out(today, *wishes, quoted=quoted)
        self.ledger.issue(change.due_now, changed_on=today)
        self.contract = _numbered(change.contract_after)
        return change


def _numbered(of: Contract) -> Contract:
    """As the database would: temporary ids become real ones, in every place that names them."""
    made = {each.id: 1_000_000 + next(_numbers) for each in of.options if each.id < 0}
    options, seen = [], set()
    for each in of.options:
        number = made.get(each.id, each.id)
        if number in seen:  # a scheduled quantity that has begun is a row of its own
            number = 1_000_000 + next(_numbers)
        seen.add(number)
        options.append(replace(each, id=number))
    changes = tuple(
        replace(
            each, id=abs(each.id) * 1000 + next(_numbers), option_id=made.get(each.option_id, each.option_id)
        )
        if each.id < 0
        else each
        for each in of.changes
    )
    return replace(of, options=tuple(options), changes=changes)


def nets(change: OptionsChange) -> list[Money]:
    return [line.net for line in change.due_now.lines]


# ── Adding and removing ──────────────────────────────────────────────────────────────────────────────────────────


def test_three_more_mailboxes_and_a_logo_on_the_tenth() -> None:
    life = Life(options=(option("emails", 4),))
    change = life.save(TENTH, Wish("emails", 7), Wish("logo", 1))
    assert nets(change) == [euros("5.25"), euros("290.00")]  # 3 × 2,50 × 21/30
    assert change.due_now.total == euros("357.25")
    assert change.next_after is not None and change.next_before is not None
    assert change.next_after.net - change.next_before.net == euros("7.50")
    assert settlement(life.contract, life.ledger.billed(TENTH), TENTH, STANDARD).lines == ()


def test_what_is_removed_stays_until_the_end_of_the_paid_period_then_is_not_billed() -> None:
    life = Life(options=(option("signage"),))
    change = life.save(TENTH, Wish("signage", 0))
    assert change.due_now.lines == ()
    assert [(move.kind, move.effective_on) for move in change.moves] == [(MoveKind.REMOVED, DECEMBER)]
    assert life.contract.options_on(date(2026, 11, 30)) != ()
    assert life.contract.on(DECEMBER).options_on(DECEMBER) == ()
    assert change.next_after is not None and change.next_after.net == euros("79.00")


def test_putting_back_what_was_removed_costs_nothing() -> None:
    life = Life(options=(option("signage"),))
    life.save(TENTH, Wish("signage", 0))
    change = life.save(date(2026, 11, 20), Wish("signage", 1))
    assert change.moves[0].kind is MoveKind.KEPT
    assert change.due_now.lines == ()
    assert life.contract.changes == ()


def test_more_after_fewer_charges_only_what_is_above_what_is_paid() -> None:
    life = Life(options=(option("emails", 4),))
    life.save(TENTH, Wish("emails", 2))
    change = life.save(TENTH, Wish("emails", 5))
    assert nets(change) == [euros("1.75")]  # one more than the four already paid
    assert life.contract.changes == ()


def test_fewer_after_more_the_same_day_takes_back_the_day_and_schedules_the_rest() -> None:
    life = Life(options=(option("emails", 4),))
    life.save(TENTH, Wish("emails", 6))
    change = life.save(TENTH, Wish("emails", 3))
    assert nets(change) == [euros("-3.50")]
    assert [(each.effective_on, each.quantity) for each in life.contract.changes] == [(DECEMBER, 3)]


def test_on_off_and_on_the_same_day_bills_once() -> None:
    life = Life()
    before = life.ledger.total
    for quantity in (1, 0, 1):
        life.save(TENTH, Wish("reviews", quantity))
    assert life.ledger.total - before == euros("13.30")


def test_a_logo_is_charged_once_and_given_back_the_same_day_only() -> None:
    life = Life()
    assert nets(life.save(TENTH, Wish("logo", 1))) == [euros("290.00")]
    assert nets(life.save(TENTH, Wish("logo", 0))) == [euros("-290.00")]
    life.save(TENTH, Wish("logo", 1))
    assert life.work_out(date(2026, 11, 11), Wish("logo", 0)).moves == ()
    life.bill(DECEMBER)
    assert life.ledger.total == euros("79.00") * 2 + euros("290.00")


def test_each_establishment_pays_for_its_own() -> None:
    life = Life(addresses=2)
    change = life.save(TENTH, Wish("booking", 1, "e1"), Wish("booking", 1, "e2"))
    assert nets(change) == [euros("10.50"), euros("10.50")]
    later = life.save(date(2026, 11, 20), Wish("booking", 0, "e2"))
    assert standing(life.contract, ("booking", "e1"), date(2026, 11, 20)).quantity_chosen == 1
    assert later.next_after is not None and later.next_after.net == euros("118.00")  # 79 + 24 + 15


def test_an_accepted_quotation_is_charged_by_day_at_the_price_quoted() -> None:
    life = Life()
    with pytest.raises(OptionNotOffered):
        life.work_out(TENTH, Wish("concierge", 1))
    quoted = replace(CATALOGUE["concierge"], units={Frequency.MONTHLY: euros("60.00")})
    assert nets(life.save(TENTH, Wish("concierge", 1), quoted=quoted)) == [euros("42.00")]
    removed = life.save(date(2026, 11, 20), Wish("concierge", 0))  # without the quotation at hand
    assert removed.moves[0].kind is MoveKind.REMOVED


def test_an_upgrade_that_includes_an_option_gives_its_days_back() -> None:
    life = Life(options=(option("reviews"),))
    change = change_of_plan(life.contract, tariff("premium"), life.ledger.billed(TENTH), TENTH, STANDARD)
    assert sorted(line.net.cents for line in change.due_now.lines) == [-5530, -1330, 10430]
    settled = change.contract_after
    with pytest.raises(OptionAlreadyIncluded):
        change_of_options(replace(settled, options=()), CATALOGUE, [Wish("reviews", 1)], [], TENTH, STANDARD)


def test_an_option_ordered_when_signing_is_not_todays_choice() -> None:
    ordered = replace(
        option("signage"), code="logo", kind=OptionKind.ONE_OFF, starts_on=NOVEMBER, once=euros("290.00")
    )
    life = Life(options=(ordered,))
    assert standing(life.contract, ("logo", None), NOVEMBER).now is None


# ── Refusals ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("wishes", "refusal"),
    [
        ([Wish("unknown", 1)], UnknownOption),
        ([Wish("studio", 1)], OptionNotOffered),
        ([Wish("concierge", 1)], OptionNotOffered),
        ([Wish("emails", 51)], QuantityOutOfRange),
        ([Wish("emails", -1)], QuantityOutOfRange),
        ([Wish("reviews", 2)], QuantityOutOfRange),
        ([Wish("booking", 1)], UnknownOption),
        ([Wish("booking", 1, "e9")], UnknownOption),
        ([Wish("reviews", 1, "e1")], UnknownOption),
        ([Wish("collect", 1, "e1")], OptionRequires),
        ([Wish("rival", 1), Wish("signage", 1)], OptionExcluded),
    ],
)
def test_what_the_rules_refuse_changes_nothing(wishes: Sequence[Wish], refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        Life().work_out(TENTH, *wishes)


def test_what_another_option_needs_is_removed_with_it_or_not_at_all() -> None:
    life = Life()
    life.save(TENTH, Wish("booking", 1, "e1"), Wish("collect", 1, "e1"))
    with pytest.raises(OptionRequired):
        life.work_out(TENTH, Wish("booking", 0, "e1"))
    assert len(life.work_out(TENTH, Wish("booking", 0, "e1"), Wish("collect", 0, "e1")).moves) == 2


def test_an_ended_subscription_is_read_and_not_changed() -> None:
    life = Life()
    life.contract = replace(life.contract, ended_on=NOVEMBER)
    assert life.work_out(TENTH).due_now.lines == ()
    with pytest.raises(SubscriptionEnded):
        life.work_out(TENTH, Wish("reviews", 1))


# ── Any chain of saves ───────────────────────────────────────────────────────────────────────────────────────────

WISHES = st.one_of(
    st.builds(Wish, st.just("emails"), st.integers(0, 9)),
    st.builds(Wish, st.sampled_from(["signage", "reviews", "logo"]), st.integers(0, 1)),
    st.builds(
        Wish, st.sampled_from(["booking", "collect"]), st.integers(0, 1), st.sampled_from(["e1", "e2"])
    ),
)
SAVES = st.lists(
    st.tuples(st.integers(0, 12), st.lists(WISHES, min_size=1, max_size=3)), min_size=1, max_size=8
)


@given(often=st.sampled_from(["monthly", "annual"]), saves=SAVES)
@settings(max_examples=150, deadline=None)
def test_a_chain_of_saves_never_bills_twice_and_never_gives_back_too_much(
    often: str, saves: list[tuple[int, list[Wish]]]
) -> None:
    life = Life(tariff("pro", often), options=(option("emails", 4), option("signage")), addresses=2)
    today = date(2026, 11, 2)
    for days, wishes in saves:
        today += timedelta(days=days)
        life.bill(today)
        try:
            change = life.save(today, *wishes)
        except Refusal:
            continue
        billed = life.ledger.billed(today)
        assert settlement(life.contract, billed, today, STANDARD).lines == (), (
            "a save leaves something to settle"
        )
        assert life.work_out(today, *wishes).moves == (), "the same save twice does something"
        assert all(line.left.cents >= 0 for line in billed), "more was given back than billed"
        assert change.next_after == period_draft(life.contract, STANDARD), (
            "the next invoice is not the one told"
        )
        assert _units_billed(life, today) == _units_held(life.contract, today)


def _units_billed(life: Life, day: date) -> dict[tuple[str, str | None], int]:
    """How many units of each option are billed for the night of `day`: a line given back in part counts for its rest."""
    units: dict[tuple[str, str | None], int] = {}
    for line in life.ledger.billed(day):
        if line.key.item == "option" and line.service.start <= day < line.service.end:
            place = (line.key.ref, line.key.establishment_id)
            units[place] = units.get(place, 0) + round(
                Fraction(line.quantity * line.left.cents, line.net.cents)
            )
    return {place: number for place, number in units.items() if number}


def _units_held(of: Contract, day: date) -> dict[tuple[str, str | None], int]:
    units: dict[tuple[str, str | None], int] = {}
    for each in of.options_on(day):
        units[each.code, each.establishment_id] = (
            units.get((each.code, each.establishment_id), 0) + each.quantity
        )
    return units


@given(
    often=st.sampled_from(["monthly", "annual"]),
    first=st.lists(WISHES, max_size=4),
    second=st.lists(WISHES, max_size=4),
)
@settings(max_examples=100, deadline=None)
def test_a_day_taken_back_costs_nothing(often: str, first: list[Wish], second: list[Wish]) -> None:
    life = Life(tariff("pro", often), options=(option("emails", 4), option("signage")), addresses=2)
    before = life.ledger.total
    for wishes in (first, second):
        try:
            life.save(TENTH, *wishes)
        except Refusal:
            continue
    codes = ["emails", "signage", "reviews", "logo"]
    back = [Wish(code, {"emails": 4, "signage": 1}.get(code, 0)) for code in codes]
    back += [Wish(code, 0, at) for code in ("collect", "booking") for at in ("e1", "e2")]
    life.save(TENTH, *back)
    assert life.ledger.total == before
    assert life.contract.changes == ()
