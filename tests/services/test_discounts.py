"""A discount on a subscription: billed by the run, in words, and valid as a document."""

from datetime import date
from fractions import Fraction

import pytest
from sqlalchemy import select

from tests.builders import CLAIRE, NewOption, a_subscription, noon
from webapp.domain.discounts import Discount
from webapp.domain.money import Money
from webapp.models.invoices import Invoice
from webapp.services import billing, contracts, credit_notes, documents, invariants, subscriptions
from webapp.services.contract_facts import discount_facts
from webapp.services.credit_notes import Wish

START = date(2026, 11, 1)
MIDDLE = date(2026, 11, 16)


def discount(**more):
    values = {"id": 1, "from_on": START, "until_on": None, "share": Fraction(1, 5), "item": "plan"}
    return Discount(**(values | more))


@pytest.fixture
def signed(session):
    return a_subscription(session, starts_on=START, options=[NewOption("emails", 4)])


def grant(session, signed, *discounts):
    signed.subscription.discounts = [discount_facts(each) for each in discounts]
    session.flush()


def lines(invoice):
    return [(" ".join(line.description.split()), line.net_cents) for line in invoice.lines]


@pytest.mark.parametrize(
    "one",
    [
        discount(),
        discount(share=Fraction(1, 3), until_on=date(2027, 1, 1), item=None),
        discount(share=None, monthly=Money(1000), ref="pro"),
    ],
)
def test_what_is_kept_is_what_is_read(session, signed, one):
    grant(session, signed, one)
    assert contracts.load(session, signed.id).contract.discounts == (one,)


def test_the_run_leaves_discounted_subscriptions_to_the_whole_calculation(app, session, signed, clock):
    grant(session, signed, discount())
    a_subscription(session, starts_on=START)
    session.commit()
    done = app.test_cli_runner().invoke(args=["bill", "--on", "2026-11-16"])
    assert done.exit_code == 0, done.output
    invoice = session.scalars(select(Invoice).where(Invoice.account_id == signed.account_id)).one()
    assert [cents for _, cents in lines(invoice)] == [7900, 1000, -1580]
    assert lines(invoice)[-1][0] == "Remise de 20 % sur Formule Pro"
    assert invoice.net_cents == 7320
    assert (
        session.scalars(select(Invoice.net_cents).where(Invoice.account_id != signed.account_id)).one()
        == 7900
    )


def test_an_upgrade_in_a_discounted_month_gives_back_what_was_paid(session, signed):
    grant(session, signed, discount())
    billing.bill_due(session, signed.id, START, noon(START))
    shown = subscriptions.preview_plan(session, signed.id, "premium", "monthly", MIDDLE)
    assert shown.change.due_now.net == Money(7450 - 3950 - 1490 + 790)
    assert invariants.broken(session) == []


def test_the_words_say_how_much(session, signed):
    grant(
        session,
        signed,
        discount(share=Fraction(1), item="option", ref="emails"),
        discount(id=2, share=None, monthly=Money(500)),
    )
    invoice = billing.bill_due(session, signed.id, START, noon(START))[0]
    words = [words for words, cents in lines(invoice) if cents < 0]
    assert any(each.startswith("Offert : ") for each in words)
    assert any(each.startswith("Remise sur Formule Pro") for each in words)


def test_the_document_is_valid_by_the_official_rules(session, signed, peppol_rules):
    grant(session, signed, discount())
    invoice = billing.bill_due(session, signed.id, START, noon(START))[0]
    assert peppol_rules.check(documents.ubl_of(session, invoice, noon(START))) == ()


def test_a_full_credit_gives_back_what_was_paid_and_not_the_list_price(session, signed):
    grant(session, signed, discount())
    invoice = billing.bill_due(session, signed.id, START, noon(START))[0]
    shown = credit_notes.preview(session, invoice.number, Wish(), MIDDLE)
    assert shown.draft.net == Money(-invoice.net_cents)
    credit_notes.issue(
        session, invoice.number, Wish(), shown.fingerprint, "une erreur", MIDDLE, noon(MIDDLE), CLAIRE
    )
    assert [line.left for line in credit_notes.lines_of(session, invoice)] == [Money(0), Money(0)]
    assert invariants.broken(session) == []


def test_a_discount_taken_back_breaks_no_rule_of_the_documents(session, signed):
    grant(session, signed, discount())
    billing.bill_due(session, signed.id, START, noon(START))
    shown = subscriptions.preview_plan(session, signed.id, "premium", "monthly", MIDDLE)
    subscriptions.change_plan(
        session, signed.id, "premium", "monthly", shown.fingerprint, MIDDLE, noon(MIDDLE), CLAIRE, link=""
    )
    assert invariants.broken(session) == []
    upgrade = session.scalars(select(Invoice).order_by(Invoice.id.desc())).first()
    assert ("Remise reprise pour jours non utilisés : Remise de 20 % sur Formule Pro", 790) in lines(upgrade)
