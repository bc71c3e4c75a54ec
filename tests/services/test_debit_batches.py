"""Direct debit files: what is collected, announced, asked of the bank once, and never what should not be (D3)."""

from datetime import date, timedelta

import pytest
from lxml import etree
from sqlalchemy import func, select

from tests.builders import a_subscription, a_user, noon, pays
from tests.support.banking import LINKS, VAULT, a_mandate
from webapp.adapters import bank_days, pain008
from webapp.adapters.pain008 import Creditor, Debit, InvalidFile
from webapp.adapters.sepa_text import ALLOWED, sepa_text
from webapp.domain.money import Money
from webapp.models.accounts import BillingDetails
from webapp.models.dunning import DunningHold
from webapp.models.invoices import Invoice
from webapp.models.payments import Collection, DebitBatch, TransferAnnouncement
from webapp.models.records import OutboxMessage
from webapp.services import billing, debit_batches, invoice_mails
from webapp.services.debit_batches import ChangedSince

START = date(2026, 11, 2)  # a Monday; due on Monday 16
NS = f"{{{pain008.NAMESPACE}}}"


@pytest.fixture
def signed(session):
    """An account with an active mandate, its first invoice naming it, due on 16 November."""
    found = a_subscription(session, starts_on=START)
    a_user(session, found.account)
    a_mandate(session, found.account)
    billing.bill_due(session, found.id, START, noon(START))
    return found


def the_invoice(session):
    return session.scalars(select(Invoice).order_by(Invoice.id)).first()


def collect(session, on, **options):
    """What the command does on a day."""
    for invoice_id in debit_batches.due(session, on):
        debit_batches.plan_due(session, invoice_id, on, noon(on), LINKS)
    return debit_batches.make(session, on, noon(on), VAULT, **options)


def transactions(batch):
    root = etree.fromstring(VAULT.open(batch.content.decode()).encode())
    return list(root.iter(f"{NS}DrctDbtTxInf"))


def test_the_file_leaves_two_bank_days_before_and_once(session, signed):
    assert collect(session, date(2026, 11, 11)) is None
    assert session.scalars(select(Collection.state)).all() == []
    assert collect(session, date(2026, 11, 12)) is not None  # Thursday: Monday is two bank days away
    assert collect(session, date(2026, 11, 12)) is None
    assert collect(session, date(2026, 11, 13)) is None
    assert session.scalar(select(func.count()).select_from(DebitBatch)) == 1


def test_a_debit_says_who_how_much_when_and_for_what(session, signed):
    batch = collect(session, date(2026, 11, 12))
    invoice = the_invoice(session)
    (debit,) = transactions(batch)
    assert debit.findtext(f"{NS}PmtId/{NS}EndToEndId") == invoice.number
    assert debit.findtext(f"{NS}InstdAmt") == f"{invoice.total_cents / 100:.2f}"
    assert debit.findtext(f"{NS}RmtInf/{NS}Strd/{NS}CdtrRefInf/{NS}Ref") == invoice.ogm
    assert debit.findtext(f"{NS}DbtrAcct/{NS}Id/{NS}IBAN") == "BE21001275217803"
    payment = debit.getparent()
    assert payment.findtext(f"{NS}PmtTpInf/{NS}SeqTp") == "FRST"
    assert payment.findtext(f"{NS}ReqdColltnDt") == "2026-11-16"
    assert payment.findtext(f"{NS}CdtrSchmeId/{NS}Id/{NS}PrvtId/{NS}Othr/{NS}Id") == "BE16ZZZ0765432146"
    assert (batch.count, batch.total_cents) == (1, invoice.total_cents)


def test_the_second_debit_of_a_mandate_is_recurrent(session, signed):
    collect(session, date(2026, 11, 12))
    billing.bill_due(session, signed.id, date(2026, 12, 2), noon(date(2026, 12, 2)))
    batch = collect(session, date(2026, 12, 14))
    assert transactions(batch)[0].getparent().findtext(f"{NS}PmtTpInf/{NS}SeqTp") == "RCUR"


def test_the_mail_of_the_invoice_announces_the_debit(session, signed):
    invoice_mails.mail(session, the_invoice(session).id, noon(START))
    mail = session.scalars(select(OutboxMessage).where(OutboxMessage.template == "invoice_issued")).one()
    assert "le 16 novembre 2026" in mail.text_body and "7803" in mail.text_body
    collect(session, date(2026, 11, 12))
    assert session.scalars(select(Collection.notified_at)).one() == noon(START)
    assert session.scalar(select(func.count()).where(OutboxMessage.template == "collection_announced")) == 0


def test_what_no_mail_announced_has_one_of_its_own_and_waits_for_it(session, signed):
    signed.account.billing_details.payment_method = "transfer"
    mandate = session.scalars(select(Collection)).first()
    assert mandate is None
    from webapp.models.payments import Mandate

    session.scalars(select(Mandate)).one().pre_notification_days = 14
    on = date(2026, 11, 12)
    assert collect(session, on) is None
    collection = session.scalars(select(Collection)).one()
    assert collection.requested_on == date(2026, 11, 26) and collection.notified_at == noon(on)
    mail = session.scalars(
        select(OutboxMessage).where(OutboxMessage.template == "collection_announced")
    ).one()
    assert "26 novembre 2026" in mail.text_body and "BE16ZZZ0765432146" in mail.text_body


@pytest.mark.parametrize(
    "what", ["paid", "held", "disputed", "announced", "transfer", "blocked", "other currency"]
)
def test_what_must_not_be_collected_is_not(session, signed, what):
    invoice = the_invoice(session)
    on = date(2026, 11, 12)
    debit_batches.plan_due(session, invoice.id, on, noon(on), LINKS)
    collection = session.scalars(select(Collection)).one()
    if what == "paid":
        pays(session, invoice, invoice.total_cents, on=on)
    elif what in ("held", "disputed"):
        session.add(
            DunningHold(
                account_id=signed.account_id,
                invoice_id=invoice.id if what == "disputed" else None,
                kind="dispute" if what == "disputed" else "hold",
                from_on=on,
                reason="x",
                made_by="x",
                made_at=noon(on),
            )
        )
    elif what == "announced":
        session.add(
            TransferAnnouncement(
                account_id=signed.account_id,
                invoice_id=invoice.id,
                announced_on=on,
                until_on=on + timedelta(days=5),
                announced_by="x",
                created_at=noon(on),
            )
        )
    elif what == "transfer":
        from tests.builders import CLAIRE
        from webapp.services import payment_methods

        payment_methods.choose_transfer(session, signed.account_id, noon(on), CLAIRE)
    elif what == "blocked":
        from webapp.services import payment_methods

        payment_methods.block(session, payment_methods.primary(session, signed.account_id), "AC04", noon(on))
    else:
        invoice.currency = "USD"
        collection.state, collection.is_open = "cancelled", False
    session.flush()
    assert collect(session, on) is None
    session.refresh(collection)
    # What only waits is kept for later; what is over is over.
    assert collection.state == ("planned" if what in ("held", "disputed", "announced") else "cancelled")


def test_the_amount_is_what_is_left_at_that_moment(session, signed):
    invoice = the_invoice(session)
    debit_batches.plan_due(session, invoice.id, date(2026, 11, 12), noon(START), LINKS)
    pays(session, invoice, 1000, on=date(2026, 11, 12))
    batch = collect(session, date(2026, 11, 12))
    assert batch.total_cents == invoice.total_cents - 1000
    assert session.scalars(select(Collection.amount_cents)).one() == batch.total_cents


def test_run_late_it_asks_for_the_first_day_that_the_bank_still_takes(session, signed):
    batch = collect(session, date(2026, 12, 24))  # Thursday; the 25th and the week-end are closed
    assert transactions(batch)[0].getparent().findtext(f"{NS}ReqdColltnDt") == "2026-12-28"


def test_a_change_of_account_is_declared_once(session, signed):
    from webapp.models.payments import Mandate

    mandate = session.scalars(select(Mandate)).one()
    mandate.amendment = {"former_iban_sealed": VAULT.seal("BE71096123456769")}
    batch = collect(session, date(2026, 11, 12))
    path = f"{NS}DrctDbtTx/{NS}MndtRltdInf/{NS}AmdmntInfDtls/{NS}OrgnlDbtrAcct/{NS}Id/{NS}IBAN"
    assert transactions(batch)[0].findtext(path) == "BE71096123456769"
    assert mandate.amendment is None and mandate.last_used_on == date(2026, 11, 16)


def test_a_mandate_unused_for_36_months_collects_nothing(session, signed):
    from webapp.models.payments import Mandate

    mandate = session.scalars(select(Mandate)).one()
    mandate.signed_on = date(2023, 11, 10)
    assert collect(session, date(2026, 11, 12)) is None
    assert mandate.status == "expired"
    assert session.get(BillingDetails, signed.account_id).payment_method == "transfer"


def test_a_preview_that_is_behind_makes_nothing(session, signed):
    debit_batches.plan_due(session, the_invoice(session).id, date(2026, 11, 12), noon(START), LINKS)
    shown = debit_batches.preview(session, date(2026, 11, 12))
    assert [(each.sequence, each.count) for each in shown.groups] == [("FRST", 1)]
    pays(session, the_invoice(session), 1, on=date(2026, 11, 12))
    with pytest.raises(ChangedSince):
        collect(session, date(2026, 11, 12), fingerprint=shown.fingerprint)
    assert session.scalar(select(func.count()).select_from(DebitBatch)) == 0


def test_the_database_refuses_two_open_attempts(session, signed):
    from webapp.services import collections, payment_methods

    method = payment_methods.primary(session, signed.account_id)
    invoice = the_invoice(session)
    assert collections.plan(session, invoice, method, START, noon(START)) is not None
    assert collections.plan(session, invoice, method, START, noon(START)) is None


# ── The file itself ──────────────────────────────────────────────────────────────────────────────────────────────

CREDITOR = Creditor("CentralApp SA & Fils", "BE68539007547034", "GKCCBEBB", "BE16ZZZ0765432146")


def a_debit(**values):
    facts = {
        "end_to_end_id": "F2026-00001",
        "amount": Money(12100),
        "sequence": "FRST",
        "on": date(2026, 11, 16),
        "mandate": "CA10234M01",
        "signed_on": date(2026, 1, 1),
        "debtor": "Café « L’Œuvre » & Cie",
        "iban": "BE21001275217803",
    }
    return Debit(**(facts | values))


def test_a_file_groups_by_day_and_sequence_and_adds_up():
    debits = [
        a_debit(),
        a_debit(end_to_end_id="F2", sequence="RCUR", amount=Money(5)),
        a_debit(end_to_end_id="F3", on=date(2026, 11, 17)),
        a_debit(end_to_end_id="F4", former_reference="OLD1", bic="GEBABEBB", ogm="261000001260"),
    ]
    root = etree.fromstring(pain008.build("M1", noon(START), CREDITOR, debits))
    groups = [
        (each.findtext(f"{NS}ReqdColltnDt"), each.findtext(f"{NS}PmtTpInf/{NS}SeqTp"), each.findtext(f"{NS}NbOfTxs"), each.findtext(f"{NS}CtrlSum"))
        for each in root.iter(f"{NS}PmtInf")
    ]  # fmt: skip
    assert groups == [
        ("2026-11-16", "FRST", "2", "242.00"),
        ("2026-11-16", "RCUR", "1", "0.05"),
        ("2026-11-17", "FRST", "1", "121.00"),
    ]
    assert root.findtext(f".//{NS}GrpHdr/{NS}CtrlSum") == "363.05"
    assert root.findtext(f".//{NS}Dbtr/{NS}Nm") == "Cafe ' L'OEuvre ' + Cie"


def test_the_same_debits_give_the_same_bytes():
    assert pain008.build("M1", noon(START), CREDITOR, [a_debit()]) == pain008.build(
        "M1", noon(START), CREDITOR, [a_debit()]
    )


@pytest.mark.parametrize("wrong", [{"iban": "not an account"}, {"mandate": "x" * 36}, {"bic": "nope"}])
def test_what_the_schema_refuses_never_leaves(wrong):
    with pytest.raises(InvalidFile):
        pain008.build("M1", noon(START), CREDITOR, [a_debit(**wrong)])


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Société Générale", "Societe Generale"),
        ("Łódź ŒUVRE straße", "Lodz OEUVRE strasse"),
        ("/bar//baz/", "bar/baz"),
        ("名前 Ω", ".. ."),
        ("a" * 80, "a" * 70),
    ],
)
def test_text_is_written_in_the_letters_of_sepa(text, written):
    assert sepa_text(text, 70) == written
    assert set(written) <= ALLOWED


@pytest.mark.parametrize(
    ("day", "is_open"),
    [
        (date(2026, 4, 3), False),  # Good Friday
        (date(2026, 4, 6), False),  # Easter Monday
        (date(2026, 5, 1), False),
        (date(2026, 7, 21), True),  # the Belgian national day is a bank day
        (date(2026, 12, 26), False),
        (date(2026, 11, 16), True),
        (date(2026, 11, 15), False),
    ],
)
def test_bank_days_are_those_of_target(day, is_open):
    assert bank_days.is_bank_day(day) is is_open
