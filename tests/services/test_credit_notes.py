"""Credit notes of the team: capped line by line, to the cent, whatever the order in which they are given."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from tests import builders
from tests.builders import CLAIRE, a_subscription, noon
from webapp.domain.money import Money, total
from webapp.domain.option_change import Wish as OptionWish
from webapp.domain.periods import Period
from webapp.domain.pricing import Item
from webapp.domain.refusals import StalePreview
from webapp.domain.vat import REVERSE_CHARGE, STANDARD
from webapp.models.invoices import CreditBalanceEntry, Invoice
from webapp.models.records import AuditEntry
from webapp.services import (
    billing,
    credit_notes,
    invariants,
    invoicing,
    options,
    subscriptions,
)
from webapp.services.credit_notes import Creditable, MoreThanLeft, NothingToCredit, Wish, draft_of
from webapp.services.documents import document_of
from webapp.services.subscriptions import NewOption

TODAY = date(2026, 11, 16)
NOVEMBER = Period(date(2026, 11, 1), date(2026, 12, 1))


def billed(session, **more):
    """Pro with two addresses and four mailboxes, November invoiced and still open."""
    more = {"starts_on": date(2026, 11, 1), "establishments": 2, "options": [NewOption("emails", 4)]} | more
    signed = a_subscription(session, billed_through=date(2026, 11, 1), **more)
    return signed, session.scalars(select(Invoice)).one()


def credit(session, invoice, wish=None, reason="Geste commercial"):
    wish = wish or Wish()
    shown = credit_notes.preview(session, invoice.number, wish, TODAY)
    return credit_notes.issue(
        session, invoice.number, wish, shown.fingerprint, reason, TODAY, noon(TODAY), CLAIRE
    )


def test_a_full_credit_lands_on_zero_and_pays_the_invoice(session):
    _signed, invoice = billed(session)
    note = credit(session, invoice)
    assert (note.net_cents, note.vat_cents, note.total_cents) == (
        -invoice.net_cents,
        -invoice.vat_cents,
        -invoice.total_cents,
    )
    assert invoice.paid_cents == invoice.total_cents and note.paid_cents == -note.total_cents
    assert all(line.left.cents == 0 for line in credit_notes.lines_of(session, invoice))
    assert [each.number for each in document_of(session, note).corrects] == [invoice.number]
    assert all(line.description.startswith("Crédit\u00a0: ") for line in note.lines)
    with pytest.raises(NothingToCredit):
        credit_notes.preview(session, invoice.number, Wish(), TODAY)
    assert invariants.broken(session) == []


def test_what_is_paid_already_becomes_the_accounts_credit(session):
    signed, invoice = billed(session)
    builders.pays(session, invoice, invoice.total_cents, "transfer", TODAY)
    note = credit(session, invoice, Wish(amount=Money(1000)))
    assert note.total_cents == -1210
    assert invoicing.credit_of(session, signed.account_id, "EUR") == Money(1210)
    following = billing.bill_due(session, signed.id, date(2026, 12, 1), noon(date(2026, 12, 1)))[0]
    assert following.paid_cents == 1210 and following.net_cents == invoice.net_cents
    assert session.scalar(select(func.sum(CreditBalanceEntry.amount_cents))) == 0


def test_one_line_is_credited_and_the_others_are_not(session):
    _signed, invoice = billed(session)
    first, *others = credit_notes.lines_of(session, invoice)
    note = credit(session, invoice, Wish(lines=frozenset({first.id})))
    assert note.net_cents == -first.net.cents and [line.root_id for line in note.lines] == [first.id]
    assert [line.left for line in credit_notes.lines_of(session, invoice)[1:]] == [
        line.net for line in others
    ]


def test_more_than_what_is_left_is_refused_with_what_is(session):
    _signed, invoice = billed(session)
    credit(session, invoice, Wish(amount=Money(1000)))
    with pytest.raises(MoreThanLeft) as refused:
        credit_notes.preview(session, invoice.number, Wish(amount=Money(invoice.net_cents)), TODAY)
    assert refused.value.left == Money(invoice.net_cents - 1000)


def test_a_gesture_changes_nothing_of_what_is_served(session):
    """Everything given back, then two more mailboxes: only those are charged, and nothing is given back twice."""
    signed, invoice = billed(session)
    credit(session, invoice)
    shown = options.preview(session, signed.id, [OptionWish("emails", 6)], TODAY)
    assert [(line.key.ref, line.quantity) for line in shown.change.due_now.lines] == [("emails", 2)]
    plan = subscriptions.preview_plan(session, signed.id, "premium", "monthly", TODAY)
    assert all(line.net.cents > 0 for line in plan.change.due_now.lines)


def test_what_moved_since_the_preview_is_not_confirmed(session):
    _signed, invoice = billed(session)
    wish = Wish(amount=Money(1000))
    shown = credit_notes.preview(session, invoice.number, wish, TODAY)
    credit(session, invoice, Wish(amount=Money(500)))
    with pytest.raises(StalePreview):
        credit_notes.issue(
            session, invoice.number, wish, shown.fingerprint, "Geste", TODAY, noon(TODAY), CLAIRE
        )


def test_the_reason_is_asked_for_and_kept(session):
    _signed, invoice = billed(session)
    with pytest.raises(ValueError, match="reason"):
        credit(session, invoice, reason="  ")
    note = credit(session, invoice, reason="Panne du 12 novembre")
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "invoice.credited")).one()
    assert entry.subject == invoice.number
    assert (entry.after["document"], entry.after["reason"]) == (note.number, "Panne du 12 novembre")


# ── Any sequence ─────────────────────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=200, deadline=None)
@given(
    nets=st.lists(st.tuples(st.integers(1, 20_000), st.booleans()), min_size=1, max_size=6),
    wishes=st.lists(st.tuples(st.integers(1, 30_000), st.sets(st.integers(1, 6))), max_size=8),
)
def test_no_sequence_of_credits_exceeds_and_all_of_them_land_on_zero(nets, wishes):
    lefts = {number: Money(cents) for number, (cents, _) in enumerate(nets, start=1)}
    rates = {
        number: STANDARD if is_domestic else REVERSE_CHARGE
        for number, (_, is_domestic) in enumerate(nets, start=1)
    }

    def lines():
        return [
            Creditable(
                number,
                "",
                Item("option", str(number)),
                NOVEMBER,
                Money(nets[number - 1][0]),
                left,
                rates[number],
            )
            for number, left in lefts.items()
        ]

    def give(wish):
        draft = draft_of(lines(), wish, NOVEMBER, "EUR")
        if wish.amount is not None:
            assert draft.net == -wish.amount
        for line in draft.lines:
            assert line.net.cents < 0 and line.vat == rates[line.root_id]
            lefts[line.root_id] += line.net
            assert lefts[line.root_id].cents >= 0
        return draft.net

    given_back = Money(0)
    for cents, chosen in wishes:
        try:
            given_back += give(Wish(Money(cents), frozenset(chosen) or None))
        except (MoreThanLeft, NothingToCredit):
            continue
    if total(lefts.values()).cents:
        given_back += give(Wish())
    assert given_back == -Money(sum(cents for cents, _ in nets))
    assert all(left.cents == 0 for left in lefts.values())
