"""Files of the bank settle and reopen, each movement once, in whatever order and format it is told (D3)."""

from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from tests.builders import a_subscription, a_user, noon
from tests.support.bank_files import Line, camt, coda
from tests.support.banking import LINKS, VAULT, a_mandate, give
from webapp.adapters.bank_errors import BrokenStatement
from webapp.domain.money import Money
from webapp.models.accounts import Account
from webapp.models.dunning import DunningHold
from webapp.models.invoices import Invoice, Payment
from webapp.models.payments import BankEntry, BankFile, Collection, Mandate, PaymentMethod
from webapp.models.records import OutboxMessage
from webapp.services import bank_files, collections, debit_batches, invoicing, payments
from webapp.services.payments import Arrival, Receipt

TODAY = date(2026, 5, 4)  # a Monday


@pytest.fixture
def billed(session):
    """Four monthly invoices of 2026, January to April, none paid."""
    return a_subscription(session, starts_on=date(2026, 1, 1), billed_through=date(2026, 4, 2))


def invoices(session, account_id):
    rows = session.scalars(select(Invoice).where(Invoice.account_id == account_id).order_by(Invoice.id))
    return list(rows)


def entry(session) -> BankEntry:
    return session.scalars(select(BankEntry).order_by(BankEntry.id.desc())).first()


def a_transfer(invoice, cents=None, **values) -> Line:
    values = {"reference": f"T{invoice.number}", "ogm": invoice.ogm} | values
    return Line(invoice.total_cents if cents is None else cents, TODAY, **values)


def sent(session, invoice, mandate, on=TODAY) -> Collection:
    """A debit of this invoice that the bank already has."""
    found = collections.plan(session, invoice, mandate.method, on, noon(on))
    found.state, found.sequence = "sent", "FRST"
    mandate.first_used_on = mandate.last_used_on = on
    session.flush()
    return found


def collected(collection, **values) -> Line:
    values = {"reference": f"C{collection.end_to_end_id}", "mandate": "M1"} | values
    return Line(collection.amount_cents, TODAY, end_to_end=collection.end_to_end_id, **values)


def returned(collection, code, on=TODAY, **values) -> Line:
    values = {"reference": f"R{collection.end_to_end_id}", "mandate": "M1"} | values
    return Line(-collection.amount_cents, on, end_to_end=collection.end_to_end_id, reason=code, **values)


# ── Transfers ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("form", ["camt.053", "camt.053 old", "camt.054", "coda", "typed"])
def test_a_transfer_settles_the_invoice_of_its_communication(session, billed, form):
    _first, second, *_ = invoices(session, billed.account_id)
    line = a_transfer(second)
    if form == "typed":
        line = a_transfer(
            second, ogm="", text=f"mars ***{second.ogm[:3]}/{second.ogm[3:7]}/{second.ogm[7:]}***"
        )
    content = {
        "camt.053": lambda: camt([line]),
        "camt.053 old": lambda: camt([line], version="02"),
        "camt.054": lambda: camt([line], message="054"),
        "coda": lambda: coda([line], on=TODAY),
        "typed": lambda: camt([line]),
    }[form]()
    report = give(session, content, TODAY)
    assert (report.entries, report.new, report.matched) == (1, 1, 1)
    assert second.paid_cents == second.total_cents
    row = session.scalars(select(Payment)).one()
    assert (row.method, row.received_on, row.source) == ("transfer", TODAY, f"bank:{entry(session).key}")
    assert (entry(session).state, entry(session).account_id) == ("matched", billed.account_id)


def test_the_end_to_end_id_settles_when_no_communication_does(session, billed):
    first = invoices(session, billed.account_id)[0]
    give(session, camt([a_transfer(first, ogm="", end_to_end=first.number)]), TODAY)
    assert first.paid_cents == first.total_cents


@pytest.mark.parametrize(
    "line",
    [
        Line(12100, TODAY, ogm="261999999912"),  # holds together, and is nobody's
        Line(12100, TODAY, text="Facture de mars"),
        Line(12100, TODAY, text="261000001248"),  # its last digits are wrong
    ],
)
def test_what_names_nothing_waits_for_the_team(session, billed, line):
    assert give(session, camt([line]), TODAY).states == {"unmatched": 1}
    assert session.scalar(select(func.count()).select_from(Payment)) == 0


def test_money_that_leaves_for_others_is_none_of_ours(session, billed):
    assert give(session, camt([Line(-5000, TODAY, text="loyer")]), TODAY).states == {"ignored": 1}


def test_another_currency_waits_for_the_team(session, billed):
    first = invoices(session, billed.account_id)[0]
    report = give(session, camt([a_transfer(first, currency="USD")]), TODAY)
    assert report.states == {"unmatched": 1} and first.paid_cents == 0


def test_part_too_much_and_twice_go_where_they_should(session, billed):
    first, second, *others = invoices(session, billed.account_id)
    give(session, camt([a_transfer(first, 100)]), TODAY)
    assert (first.paid_cents, second.paid_cents) == (100, 0)
    give(session, camt([a_transfer(first, reference="T2")], statement="S2"), TODAY)
    assert (first.paid_cents, second.paid_cents) == (first.total_cents, 100)
    due = sum(each.total_cents - each.paid_cents for each in (second, *others))
    give(session, camt([a_transfer(first, due + 250, reference="T3")], statement="S3"), TODAY)
    assert invoicing.credit_of(session, billed.account_id, "EUR") == Money(250)


def test_a_payment_of_the_file_restores_the_sites(session, billed):
    from webapp.services import standing

    standing.review(session, billed.account_id, TODAY, noon(TODAY))
    assert session.get(Account, billed.account_id).suspended_on == TODAY
    first, second, *_ = invoices(session, billed.account_id)
    give(session, camt([a_transfer(first), a_transfer(second)]), TODAY)
    assert session.get(Account, billed.account_id).suspended_on is None


# ── Once ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_read_twice_changes_nothing(session, billed):
    content = camt([a_transfer(invoices(session, billed.account_id)[0])])
    assert not give(session, content, TODAY).is_known
    before = session.scalar(select(func.count()).select_from(Payment))
    assert give(session, content, TODAY).is_known
    assert session.scalar(select(func.count()).select_from(Payment)) == before
    assert session.scalar(select(func.count()).select_from(BankFile)) == 1


def test_what_a_notice_told_is_not_told_again_by_the_statement_nor_by_coda(session, billed):
    first = invoices(session, billed.account_id)[0]
    give(session, camt([a_transfer(first)], message="054"), TODAY)
    assert give(session, camt([a_transfer(first)], statement="S2"), TODAY).new == 0
    assert give(session, coda([a_transfer(first)], on=TODAY), TODAY).new == 0
    assert first.paid_cents == first.total_cents
    assert invoicing.credit_of(session, billed.account_id, "EUR") == Money(0)


def test_two_alike_in_one_statement_are_two(session, billed):
    first = invoices(session, billed.account_id)[0]
    line = a_transfer(first, 500, reference="")
    assert give(session, camt([line, line]), TODAY).new == 2
    assert first.paid_cents == 1000


def test_the_bank_s_own_charge_stays_apart(session, billed):
    """A return booked with the bank's charge: the debtor owes the invoice, not the charge."""
    first = invoices(session, billed.account_id)[0]
    collection = sent(session, first, a_mandate(session, billed.account))
    give(session, camt([collected(collection)]), TODAY)
    content = camt([returned(collection, "MD06")], statement="S2").decode()
    whole = f"{first.total_cents / 100:.2f}"
    content = content.replace(whole, f"{first.total_cents / 100 + 4:.2f}", 1)
    report = give(session, content.encode(), TODAY)
    assert report.states == {"matched": 1, "ignored": 1}
    assert first.paid_cents == 0


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"hello", "unknown_format"),
        (b"<html></html>", "unknown_format"),
        (camt([Line(100, TODAY)])[:-30], "not_xml"),
        (camt([Line(100, TODAY)], iban="BE71096123456769"), "other_account"),
        (coda([Line(100, TODAY)], on=TODAY, iban="BE71096123456769"), "other_account"),
        (coda([Line(100, TODAY), Line(200, TODAY)], on=TODAY)[: 130 * 5], "cut"),
        (coda([Line(100, TODAY)], on=TODAY).replace(b"1000" + b"0" * 0, b"1000", 1)[:-130], "cut"),
        (camt([Line(100, TODAY)]).replace(b"1.00", b"1.001"), "amount"),
        (
            camt([Line(100, TODAY)]).replace(
                b"<Document", b'<!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/passwd">]><Document'
            ),
            "doctype",
        ),
    ],
)
def test_a_broken_file_is_refused_whole(session, billed, content, code):
    with pytest.raises(BrokenStatement) as refused:
        give(session, content, TODAY)
    assert refused.value.code == code
    assert session.scalar(select(func.count()).select_from(BankEntry)) == 0


def test_a_total_that_does_not_add_up_is_refused(session, billed):
    content = coda([Line(100, TODAY), Line(200, TODAY)], on=TODAY)
    with pytest.raises(BrokenStatement, match="totals"):
        give(session, content.replace(b"0000000000003000", b"0000000000004000"), TODAY)


def test_a_file_too_long_for_a_page_is_left_to_the_command(session, billed):
    with pytest.raises(bank_files.TooLong):
        give(session, camt([Line(100, TODAY), Line(200, TODAY)]), TODAY, most=1)


def test_killed_in_the_middle_it_goes_on_from_there(session, billed):
    lines = [a_transfer(each) for each in invoices(session, billed.account_id)]

    class Killed(BaseException):
        pass

    def dies(point):
        if point == "written":
            raise Killed

    with pytest.raises(Killed):
        give(session, camt(lines), TODAY, reached=dies)
    assert session.scalars(select(BankFile)).one().finished_at is None
    report = give(session, camt(lines), TODAY)
    assert (report.new, report.matched, report.is_known) == (4, 4, False)
    assert all(each.paid_cents == each.total_cents for each in invoices(session, billed.account_id))


# ── Direct debits ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_batch_booked_as_one_entry_settles_each_debit(session, billed):
    mandate = a_mandate(session, billed.account)
    sent_ones = [sent(session, each, mandate) for each in invoices(session, billed.account_id)]
    report = give(session, camt([collected(each, batch="B1") for each in sent_ones]), TODAY)
    assert report.matched == 4
    assert {each.state for each in sent_ones} == {"settled"} and not any(each.is_open for each in sent_ones)
    methods = session.scalars(select(Payment.method).distinct()).all()
    assert methods == ["direct_debit"]


def test_a_debit_settled_after_a_transfer_pays_the_next_invoice(session, billed):
    first, second, *_ = invoices(session, billed.account_id)
    collection = sent(session, first, a_mandate(session, billed.account))
    give(session, camt([a_transfer(first)]), TODAY)
    give(session, camt([collected(collection)], statement="S2"), TODAY)
    assert (first.paid_cents, second.paid_cents) == (first.total_cents, first.total_cents)
    assert collection.state == "settled"


def test_insufficient_funds_are_tried_once_more_a_week_later(session, billed):
    first = invoices(session, billed.account_id)[0]
    a_user(session, billed.account)
    mandate = a_mandate(session, billed.account)
    collection = sent(session, first, mandate)
    give(session, camt([collected(collection)]), TODAY)
    give(session, camt([returned(collection, "AM04")], statement="S2"), TODAY)
    assert (collection.state, collection.reason_code, collection.retry_on) == (
        "returned",
        "AM04",
        date(2026, 5, 11),
    )
    again = session.scalars(select(Collection).where(Collection.state == "planned")).one()
    assert (again.end_to_end_id, again.requested_on) == (f"{first.number}-2", date(2026, 5, 11))
    mail = session.scalars(select(OutboxMessage).where(OutboxMessage.template == "collection_failed")).one()
    assert "solde insuffisant sur le compte" in mail.text_body and "11 mai 2026" in mail.text_body
    again.state = "sent"
    give(session, camt([returned(again, "AM04")], statement="S3"), TODAY)
    assert again.state == "refused" and again.retry_on is None
    assert mandate.status == "active"
    assert debit_batches.due(session, TODAY + timedelta(days=30)) == [
        each.id for each in invoices(session, billed.account_id)[1:]
    ]


@pytest.mark.parametrize(
    ("code", "state", "status"),
    [
        ("AC04", "returned", "suspended"),
        ("MS02", "returned", "suspended"),
        ("MD01", "returned", "cancelled"),
        ("MD06", "refunded", "active"),
    ],
)
def test_each_reason_has_its_consequence(session, billed, code, state, status):
    first, second, *_ = invoices(session, billed.account_id)
    a_user(session, billed.account)
    mandate = a_mandate(session, billed.account)
    collection = sent(session, first, mandate)
    planned = collections.plan(session, second, mandate.method, TODAY, noon(TODAY))
    give(session, camt([collected(collection)]), TODAY)
    give(session, camt([returned(collection, code)], statement="S2"), TODAY)
    assert (collection.state, mandate.status, first.paid_cents) == (state, status, 0)
    assert planned.state == ("planned" if status == "active" else "cancelled")
    assert session.get(PaymentMethod, mandate.method_id).state == (
        "active" if status == "active" else "blocked"
    )
    reversal = session.scalars(select(Payment).where(Payment.amount_cents < 0)).one()
    assert (reversal.reason_code, reversal.reversal_of_id is not None) == (code, True)


def test_a_death_stops_every_reminder_and_writes_to_nobody_but_us(session, billed):
    a_user(session, billed.account)
    collection = sent(session, invoices(session, billed.account_id)[0], a_mandate(session, billed.account))
    give(session, camt([returned(collection, "MD07")]), TODAY)
    hold = session.scalars(select(DunningHold)).one()
    assert (hold.kind, hold.invoice_id, hold.until_on) == ("hold", None, None)
    assert [each.recipient for each in session.scalars(select(OutboxMessage))] == [
        "facturation@centralapp.example"
    ]


def test_a_technical_reason_is_an_alert_for_us_alone(session, billed):
    a_user(session, billed.account)
    collection = sent(session, invoices(session, billed.account_id)[0], a_mandate(session, billed.account))
    assert give(session, camt([returned(collection, "BE05")]), TODAY).states == {"alert": 1}
    assert collection.state == "refused"
    assert [each.template for each in session.scalars(select(OutboxMessage))] == ["collection_for_staff"]


def test_refused_before_any_money_moved_the_mandate_begins_again(session, billed):
    mandate = a_mandate(session, billed.account)
    collection = sent(session, invoices(session, billed.account_id)[0], mandate)
    collection.amendment = {"former_reference": "OLD1"}
    give(session, camt([returned(collection, "AM04")]), TODAY)
    assert (mandate.first_used_on, mandate.amendment) == (None, {"former_reference": "OLD1"})


def test_a_return_of_what_we_never_asked_waits_for_the_team(session, billed):
    line = Line(-100, TODAY, end_to_end="X", mandate="M1", reason="AM04")
    assert give(session, camt([line]), TODAY).states == {"unmatched": 1}


def test_a_refused_order_of_a_status_report_is_read_too(session, billed):
    collection = sent(session, invoices(session, billed.account_id)[0], a_mandate(session, billed.account))
    report = give(session, STATUS.format(e2e=collection.end_to_end_id).encode(), TODAY)
    assert (report.kind, report.matched, collection.state) == ("pain.002", 1, "refused")
    assert give(session, camt([returned(collection, "AM04")]), TODAY).matched == 1
    assert session.scalar(select(func.count()).select_from(Payment)) == 0


STATUS = """<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt>
<GrpHdr><MsgId>P1</MsgId><CreDtTm>2026-05-04T08:00:00</CreDtTm></GrpHdr>
<OrgnlGrpInfAndSts><OrgnlMsgId>DD1</OrgnlMsgId><OrgnlMsgNmId>pain.008</OrgnlMsgNmId></OrgnlGrpInfAndSts>
<OrgnlPmtInfAndSts><OrgnlPmtInfId>DD1-1</OrgnlPmtInfId><TxInfAndSts><OrgnlEndToEndId>{e2e}</OrgnlEndToEndId>
<TxSts>RJCT</TxSts><StsRsnInf><Rsn><Cd>AM04</Cd></Rsn></StsRsnInf></TxInfAndSts>
<TxInfAndSts><OrgnlEndToEndId>OTHER</OrgnlEndToEndId><TxSts>ACCP</TxSts></TxInfAndSts></OrgnlPmtInfAndSts>
</CstmrPmtStsRpt></Document>"""


# ── What came back when it had been used already ─────────────────────────────────────────────────────────────────


def test_credit_that_was_used_since_is_taken_out_of_what_it_paid(session, billed):
    rows = invoices(session, billed.account_id)
    due = sum(each.total_cents for each in rows)
    give(session, camt([a_transfer(rows[0], due + 5000)]), TODAY)
    from webapp.services import billing

    billing.bill_due(session, billed.id, date(2026, 5, 4), noon(TODAY))
    fifth = invoices(session, billed.account_id)[-1]
    assert fifth.paid_cents == 5000
    source = f"bank:{entry(session).key}"
    taken = payments.TakenBack(source, Money(due + 5000), "bank:back", "refund", TODAY)
    payments.take_back(session, taken, TODAY, noon(TODAY))
    assert [each.paid_cents for each in invoices(session, billed.account_id)] == [0] * 5
    assert invoicing.credit_of(session, billed.account_id, "EUR") == Money(0)


def test_credit_pays_what_a_return_reopens(session, billed):
    rows = invoices(session, billed.account_id)
    collection = sent(session, rows[0], a_mandate(session, billed.account))
    give(session, camt([collected(collection)]), TODAY)
    give(session, camt([a_transfer(each, reference=f"D{each.id}") for each in rows], statement="S2"), TODAY)
    assert invoicing.credit_of(session, billed.account_id, "EUR") == Money(rows[0].total_cents)
    give(session, camt([returned(collection, "MD06")], statement="S3"), TODAY)
    assert all(each.paid_cents == each.total_cents for each in rows)
    assert invoicing.credit_of(session, billed.account_id, "EUR") == Money(0)


# ── In any order ─────────────────────────────────────────────────────────────────────────────────────────────────


def summary(session, account_id):
    rows = invoices(session, account_id)
    states = session.execute(
        select(
            Collection.end_to_end_id, Collection.state, Collection.reason_code, Collection.retry_on
        ).order_by(Collection.end_to_end_id)
    )
    return (
        [each.paid_cents for each in rows],
        invoicing.credit_of(session, account_id, "EUR").cents,
        [tuple(row) for row in states],
        session.scalars(select(Mandate.status)).all(),
        session.scalar(
            select(func.coalesce(func.sum(Payment.amount_cents), 0)).where(Payment.method != "credit")
        ),
        sorted(session.scalars(select(BankEntry.key + " " + BankEntry.state)).all()),
    )


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_the_same_lines_in_any_order_leave_the_same_state(session, billed, data):
    with session.begin_nested() as example:
        rows = invoices(session, billed.account_id)
        mandate = a_mandate(session, billed.account)
        debits = [sent(session, rows[0], mandate), sent(session, rows[1], mandate)]
        code = data.draw(st.sampled_from(["AM04", "MD06", "AC04", "MD01"]))
        lines = [
            collected(debits[0]),
            returned(debits[0], code),
            collected(debits[1]),
            a_transfer(rows[2], data.draw(st.integers(1, rows[2].total_cents + 3000))),
            a_transfer(rows[3]),
            Line(777, TODAY, text="?"),
        ]
        found = []
        for _ in range(2):
            with session.begin_nested() as one:
                shuffled = data.draw(st.permutations(lines))
                give(session, camt(shuffled), TODAY)
                found.append(summary(session, billed.account_id))
                one.rollback()
            session.expire_all()
        assert found[0] == found[1]
        example.rollback()
    session.expire_all()


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_told_by_several_files_in_any_order_a_debit_ends_the_same(session, billed, data):
    """The return may be in a file that is read before that of the settlement: money in and out, once each."""
    with session.begin_nested() as example:
        rows = invoices(session, billed.account_id)
        collection = sent(session, rows[0], a_mandate(session, billed.account))
        code = data.draw(st.sampled_from(["AM04", "MD06", "AC04"]))
        tellings = [
            camt([collected(collection)], statement="S1"),
            camt([returned(collection, code)], statement="S2"),
            coda([collected(collection, reference="other")], on=TODAY),
            camt([returned(collection, code)], message="054", statement="N2"),
            camt([a_transfer(rows[1])], statement="S3"),
        ]
        for content in data.draw(st.permutations(tellings)):
            give(session, content, TODAY)
        session.expire_all()
        assert collection.state == ("refunded" if code == "MD06" else "returned")
        assert collection.reason_code == code
        paid = [each.paid_cents for each in invoices(session, billed.account_id)]
        assert paid == [0, rows[1].total_cents, 0, 0]
        money = select(func.sum(Payment.amount_cents)).where(Payment.method == "direct_debit")
        assert session.scalar(money) == 0
        example.rollback()
    session.expire_all()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_receiving_many_at_once_is_receiving_each(session, billed, data):
    rows = invoices(session, billed.account_id)
    arrivals = [
        Arrival(Receipt(billed.account_id, Money(cents), "transfer", f"bank:{number}", TODAY), rows[at].id)
        for number, (cents, at) in enumerate(
            data.draw(st.lists(st.tuples(st.integers(1, 20_000), st.integers(0, 3)), min_size=1, max_size=5))
        )
    ]

    def state():
        session.expire_all()
        kept = select(Payment.source, Payment.invoice_id, Payment.amount_cents).order_by(Payment.id)
        return (
            [each.paid_cents for each in invoices(session, billed.account_id)],
            invoicing.credit_of(session, billed.account_id, "EUR"),
            [tuple(row) for row in session.execute(kept)],
        )

    with session.begin_nested() as one:
        payments.receive_all(session, arrivals, TODAY, noon(TODAY))
        together = state()
        one.rollback()
    session.expire_all()
    with session.begin_nested() as other:
        for each in arrivals:
            payments.receive(session, each.receipt, TODAY, noon(TODAY), first=[each.invoice_id])
        apart = state()
        other.rollback()
    session.expire_all()
    assert together == apart


def test_no_account_number_is_kept_in_clear(session, billed):
    give(session, camt([a_transfer(invoices(session, billed.account_id)[0])]), TODAY)
    row = entry(session)
    assert (
        row.counterpart_last_four == "7803" and VAULT.open(row.counterpart_iban_sealed) == "BE21001275217803"
    )
    kept = [str(getattr(row, name.key)) for name in BankEntry.__table__.columns]
    assert not any("BE21001275217803" in text for text in kept)
    assert LINKS.team
