"""Establishments written down: what a confirmation does to rows, documents, mails and the next billing runs."""

import uuid
from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import func, select

from tests.builders import CLAIRE, a_subscription, addresses, noon
from webapp.domain.option_change import Wish
from webapp.domain.refusals import (
    NothingToSave,
    OptionRequired,
    ReturnCosts,
    StalePreview,
    TooLateToUndo,
    UnknownEstablishment,
)
from webapp.models.invoices import Invoice
from webapp.models.records import AuditEntry, OutboxMessage
from webapp.models.subscriptions import Establishment
from webapp.services import billing, contracts, establishments, options, subscriptions
from webapp.services.subscriptions import NewEstablishment, NewOption

TODAY = date(2026, 3, 10)
PETIT_PARC = NewEstablishment("Le Petit Parc", "Chaussée d’Alsemberg 418", "1180", "Uccle")


def save(session, signed, adding=(), removing=(), along=(), today=TODAY):
    wishes = [Wish(code, 0) for code in along]
    shown = establishments.preview(session, signed.id, adding, removing, today, wishes)
    return establishments.save(
        session, signed.id, adding, removing, shown.fingerprint, today, noon(today), CLAIRE, "lien", wishes
    )


def row(session, signed, place):
    statement = select(Establishment).where(
        Establishment.subscription_id == signed.id, Establishment.position == place
    )
    return session.scalars(statement).one()


def bill(session, signed, on):
    return billing.bill_due(session, signed.id, on, noon(on))


def cents(documents):
    return [
        document.net_cents if document.kind == "invoice" else -abs(document.net_cents)
        for document in documents
    ]


# ── Billing ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_monthly_two_more_are_on_the_invoice_of_1_april(session):
    signed = a_subscription(session, billed_through=TODAY)
    save(session, signed, [PETIT_PARC, replace(PETIT_PARC, name="Comptoir")])
    assert cents(bill(session, signed, date(2026, 3, 31))) == []
    assert cents(bill(session, signed, date(2026, 4, 1))) == [79_00 + 2 * 24_00]


def test_annual_the_months_left_are_invoiced_at_the_monthly_renewal_and_the_year_at_its_end(session):
    signed = a_subscription(session, frequency="annual", starts_on=date(2026, 1, 15), billed_through=TODAY)
    shown = establishments.preview(session, signed.id, [PETIT_PARC], [], TODAY)
    save(session, signed, [PETIT_PARC])
    issued = bill(session, signed, date(2026, 3, 15))
    assert cents(issued) == [201_21]  # 240,00 × 306/365
    assert issued[0].total_cents == shown.change.next_after.total.cents
    assert cents(bill(session, signed, date(2027, 1, 15))) == [1030_00]


def test_annual_what_leaves_is_given_back_by_a_credit_note_at_the_monthly_renewal(session):
    signed = a_subscription(
        session, frequency="annual", starts_on=date(2026, 1, 15), establishments=2, billed_through=TODAY
    )
    save(session, signed, removing=[row(session, signed, 2).id.hex])
    (credit,) = bill(session, signed, date(2026, 3, 15))
    assert credit.kind == "credit_note"
    assert cents([credit]) == [-201_21]
    assert cents(bill(session, signed, date(2027, 1, 15))) == [790_00]


def test_annual_its_own_options_are_given_back_with_it(session):
    signed = a_subscription(
        session,
        frequency="annual",
        starts_on=date(2026, 1, 15),
        establishments=2,
        options=[NewOption("booking", at=2)],
        billed_through=TODAY,
    )
    save(session, signed, removing=[row(session, signed, 2).id.hex])
    # 240,00 and 150,00 for 306 of 365 days: 201,21 + 125,75
    assert cents(bill(session, signed, date(2026, 3, 15))) == [-326_96]


def test_brought_back_the_same_day_nothing_is_ever_given_back(session):
    signed = a_subscription(
        session,
        frequency="annual",
        starts_on=date(2026, 1, 15),
        establishments=2,
        options=[NewOption("booking", at=2)],
        billed_through=TODAY,
    )
    gone = row(session, signed, 2).id
    save(session, signed, removing=[gone.hex])
    establishments.undo_removal(session, signed.id, gone, TODAY, noon(TODAY), CLAIRE)
    assert bill(session, signed, date(2027, 1, 14)) == []
    assert cents(bill(session, signed, date(2027, 1, 15))) == [790_00 + 240_00 + 150_00]


@pytest.mark.parametrize("frequency", ["monthly", "annual"])
def test_brought_back_an_option_on_its_way_out_is_still_on_its_way_out(session, frequency):
    signed = a_subscription(
        session,
        frequency=frequency,
        establishments=2,
        options=[NewOption("booking", at=2)],
        billed_through=TODAY,
    )
    gone = row(session, signed, 2).id
    wishes = [Wish("booking", 0, gone.hex)]
    shown = options.preview(session, signed.id, wishes, TODAY)
    options.save(session, signed.id, wishes, shown.fingerprint, TODAY, noon(TODAY), CLAIRE, "")
    before = contracts.load(session, signed.id).contract
    save(session, signed, removing=[gone.hex])
    establishments.undo_removal(session, signed.id, gone, TODAY, noon(TODAY), CLAIRE)
    assert contracts.load(session, signed.id).contract == before
    save(session, signed, removing=[gone.hex])
    bill(session, signed, date(2027, 3, 1))
    assert contracts.load(session, signed.id).contract.options[0].ends_on == date(2026, 4, 1)


def test_brought_back_after_a_switch_to_annual_billing_it_is_added_with_a_preview(session):
    signed = a_subscription(session, establishments=2, billed_through=TODAY)
    gone = row(session, signed, 2).id
    save(session, signed, removing=[gone.hex])
    shown = subscriptions.preview_plan(session, signed.id, "pro", "annual", TODAY)
    subscriptions.change_plan(
        session, signed.id, "pro", "annual", shown.fingerprint, TODAY, noon(TODAY), CLAIRE, link=""
    )
    with pytest.raises(ReturnCosts):
        establishments.undo_removal(session, signed.id, gone, TODAY, noon(TODAY), CLAIRE)


def test_on_the_billing_day_before_the_run_what_is_due_is_issued_first(session):
    signed = a_subscription(session, billed_through=date(2026, 3, 31))
    on = date(2026, 4, 1)
    saved = save(session, signed, [PETIT_PARC], today=on)
    assert saved.preview.change.renewal_on == date(2026, 5, 1)
    assert session.scalar(select(func.count()).select_from(Invoice)) == 2
    assert cents(bill(session, signed, date(2026, 5, 1))) == [103_00]


# ── Confirming ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_two_hundred_come_in_one_go_with_one_entry_and_one_mail_per_owner(session):
    signed = a_subscription(session, billed_through=TODAY)
    from tests.builders import a_user

    a_user(session, signed.account)
    saved = save(session, signed, addresses(200))
    assert len(saved.added) == 200
    assert [each.position for each in saved.added] == list(range(2, 202))
    kept = select(func.count()).select_from(AuditEntry).where(
        AuditEntry.action == "subscription.establishments_changed"
    )  # fmt: skip
    assert session.scalar(kept) == 1
    mail = session.scalars(select(OutboxMessage)).one()
    assert "200 établissements sont en service" in mail.text_body


def test_another_change_in_between_makes_the_preview_stale(session):
    signed = a_subscription(session, billed_through=TODAY)
    shown = establishments.preview(session, signed.id, [PETIT_PARC], [], TODAY)
    save(session, signed, [replace(PETIT_PARC, name="Comptoir")])
    with pytest.raises(StalePreview):
        establishments.save(
            session, signed.id, [PETIT_PARC], [], shown.fingerprint, TODAY, noon(TODAY), CLAIRE, ""
        )


def test_nothing_asked_is_nothing_saved(session):
    with pytest.raises(NothingToSave):
        save(session, a_subscription(session, billed_through=TODAY))


def test_an_option_that_another_one_needs_does_not_go_along(session):
    signed = a_subscription(
        session, establishments=2, options=[NewOption("booking", at=1), NewOption("collect", at=1)],
        billed_through=TODAY,
    )  # fmt: skip
    wish = Wish("booking", 0, row(session, signed, 1).id.hex)
    with pytest.raises(OptionRequired):
        establishments.preview(session, signed.id, [], [row(session, signed, 2).id.hex], TODAY, [wish])


def test_the_next_day_is_too_late_to_bring_back(session):
    signed = a_subscription(session, establishments=2, billed_through=TODAY)
    gone = row(session, signed, 2).id
    save(session, signed, removing=[gone.hex])
    tomorrow = date(2026, 3, 11)
    with pytest.raises(TooLateToUndo):
        establishments.undo_removal(session, signed.id, gone, tomorrow, noon(tomorrow), CLAIRE)


def test_an_address_is_corrected_once_in_the_audit_trail_and_never_on_what_was_issued(session):
    signed = a_subscription(session, establishments=2, billed_through=TODAY)
    issued = session.scalars(select(Invoice)).first()
    before = [line.description for line in issued.lines]
    second = row(session, signed, 2).id
    for _twice in range(2):
        establishments.edit(session, signed.id, second, PETIT_PARC, TODAY, noon(TODAY), CLAIRE)
    assert establishments.find(session, signed.id, second) == PETIT_PARC
    edits = select(func.count()).select_from(AuditEntry).where(AuditEntry.action == "establishment.edited")
    assert session.scalar(edits) == 1
    session.refresh(issued)
    assert [line.description for line in issued.lines] == before


def test_an_establishment_of_another_subscription_is_unknown(session):
    signed, other = a_subscription(session), a_subscription(session)
    theirs = row(session, other, 1).id
    for act in (
        lambda: establishments.find(session, signed.id, theirs),
        lambda: establishments.find(session, signed.id, uuid.uuid4()),
        lambda: establishments.edit(session, signed.id, theirs, PETIT_PARC, TODAY, noon(TODAY), CLAIRE),
        lambda: establishments.undo_removal(session, signed.id, theirs, TODAY, noon(TODAY), CLAIRE),
        lambda: establishments.preview(session, signed.id, [], [theirs.hex], TODAY),
    ):
        with pytest.raises(UnknownEstablishment):
            act()


# ── What is typed ────────────────────────────────────────────────────────────────────────────────────────────────

GOOD = {"name": "Café", "street": "Rue Haute 9", "postcode": "1000", "city": "Bruxelles"}


@pytest.mark.parametrize(
    ("cells", "wrong"),
    [
        ({}, ()),
        ({"number": "2.123.456.791"}, ()),
        ({"number": "2 123 456 791"}, ()),
        ({"number": "2123456790"}, ("number",)),
        ({"number": "0765432192"}, ("number",)),  # an enterprise number
        ({"number": "9.123.456.791"}, ("number",)),
        ({"postcode": "B-1000"}, ("postcode",)),
        ({"postcode": "१०००"}, ("postcode",)),
        ({"name": " \t ", "city": ""}, ("name", "city")),
        ({"street": "x" * 121}, ("street",)),
    ],
)
def test_one_rule_for_what_is_typed_in_forms_and_files(cells, wrong):
    assert establishments.checked(GOOD | cells)[1] == wrong


def test_what_is_kept_is_tidy():
    details, _wrong = establishments.checked(GOOD | {"name": "  Café\u200b \n du\x00  Coin ", "number": ""})
    assert (details.name, details.number) == ("Café du Coin", None)


def test_lines_are_read_against_what_is_in_service(session):
    signed = a_subscription(session, establishments=2, billed_through=TODAY)
    save(session, signed, removing=[row(session, signed, 2).id.hex])
    situation = contracts.load(session, signed.id)
    file = [
        {"name": "adresse  1", "street": "RUE HAUTE 1", "postcode": "1000", "city": "x"},  # in service
        {
            "name": "Adresse 2",
            "street": "Rue Haute 2",
            "postcode": "1000",
            "city": "x",
        },  # removed: may come again
        {"name": "Adresse 2", "street": "rue haute 2", "postcode": "1000", "city": "x"},
        {"name": "Adresse 2", "street": "rue haute 2", "postcode": "10", "city": "x"},
    ]
    report = establishments.sort_lines(situation, list(enumerate(file, start=2)), TODAY)
    assert [line.outcome for line in report] == ["known", "added", "twice", "refused"]
