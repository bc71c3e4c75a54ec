"""Ending a subscription in the database: given, acknowledged, taken back, applied; announced and renewed once."""

from datetime import date, timedelta
from io import BytesIO

import pytest
from pypdf import PdfReader
from sqlalchemy import func, select

from tests.builders import CLAIRE, Signed, a_reseller, a_subscription, a_user, an_account, noon
from webapp.domain.access import Role
from webapp.domain.contract import Frequency
from webapp.domain.option_change import Wish
from webapp.domain.refusals import (
    AlreadyTerminated,
    ChangeAlreadyDone,
    ContactPartner,
    StalePreview,
    SubscriptionEnded,
    TerminationPending,
)
from webapp.domain.termination import EndReason
from webapp.models.invoices import Invoice
from webapp.models.records import AuditEntry, OutboxAttachment, OutboxMessage
from webapp.models.subscriptions import ScheduledChange, Subscription
from webapp.models.terminations import Acknowledgement, Announcement
from webapp.services import announcements, billing, contracts, options, renewals, subscriptions, terminations

TODAY = date(2026, 11, 16)
END = date(2027, 3, 1)
LINK = "http://localhost/abonnements/x/engagement"


def a_signed(session, **values) -> Signed:
    signed = a_subscription(session, **({"billed_through": TODAY} | values))
    a_user(session, signed.account)
    return signed


def a_consumer(session, **values) -> Signed:
    account = an_account(session, "Marie Petit", vat_number=None, enterprise_number=None)
    account.kind = "consumer"
    return a_signed(session, account=account, **values)


def terminate(session, signed, today=TODAY, reason="price", comment=""):
    shown = terminations.preview(session, signed.id, today)
    return terminations.terminate(
        session, signed.id, reason, comment, shown.fingerprint, today, noon(today), CLAIRE, LINK
    )


def mails(session, template):
    return list(session.scalars(select(OutboxMessage).where(OutboxMessage.template == template)))


def actions(session):
    return list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))


def row(session, signed) -> Subscription:
    return session.get_one(Subscription, signed.id, populate_existing=True)


# ── Giving notice ────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_documents_previewed_are_those_that_are_issued(session):
    signed = a_signed(session, establishments=2)
    shown = terminations.preview(session, signed.id, TODAY)
    assert [draft.period.start for draft in shown.documents] == [
        date(2026, 12, 1),
        date(2027, 1, 1),
        date(2027, 2, 1),
    ]
    terminate(session, signed)
    issued = billing.bill_due(session, signed.id, date(2027, 6, 1), noon(date(2027, 6, 1)))
    assert [each.total_cents for each in issued] == [draft.total.cents for draft in shown.documents]
    assert sum(each.total_cents for each in issued) == shown.total.cents


def test_notice_schedules_the_end_and_says_why_people_leave(session):
    signed = a_signed(session)
    terminate(session, signed, comment="  Nous fermons le dimanche.  ")
    change = session.scalars(select(ScheduledChange)).one()
    assert (change.kind, change.effective_on, change.status) == ("termination", END, "pending")
    assert (change.facts["reason"], change.facts["comment"]) == ("price", "Nous fermons le dimanche.")
    assert "subscription.termination_scheduled" in actions(session)
    assert row(session, signed).status == "active"


def test_notice_is_given_once(session):
    signed = a_signed(session)
    terminate(session, signed)
    with pytest.raises(AlreadyTerminated):
        terminations.preview(session, signed.id, TODAY)


def test_a_preview_of_another_day_is_stale(session):
    signed = a_signed(session)
    shown = terminations.preview(session, signed.id, TODAY)
    late = date(2027, 1, 2)
    with pytest.raises(StalePreview):
        terminations.terminate(session, signed.id, "", "", shown.fingerprint, late, noon(late), CLAIRE, LINK)
    assert session.scalars(select(ScheduledChange)).first() is None


@pytest.mark.parametrize(
    ("language", "subject", "sentence", "title"),
    [
        ("fr", "Votre résiliation est enregistrée", "dernier jour de l’abonnement est le 28 février 2027", "Accusé de réception"),
        ("nl", "Uw opzegging is geregistreerd", "laatste dag van het abonnement is 28 februari 2027", "Ontvangstbewijs"),
        ("en", "Your termination is recorded", "last day of the subscription is 28 February 2027", "Acknowledgement"),
    ],
)  # fmt: skip
def test_the_acknowledgement_leaves_with_its_document_in_each_language(
    session, language, subject, sentence, title
):
    account = an_account(session, language=language)
    signed = a_subscription(session, account=account, billed_through=TODAY)
    a_user(session, account, language=language)
    change_id = terminate(session, signed).change_id
    [mail] = mails(session, "termination_received")
    assert mail.subject == subject
    assert sentence in mail.text_body
    assert sentence in mail.html_body
    letter = session.scalars(select(Acknowledgement).where(Acknowledgement.change_id == change_id)).one()
    attached = session.scalars(select(OutboxAttachment).where(OutboxAttachment.message_id == mail.id)).one()
    assert attached.content == letter.content
    assert letter.language == language
    words = " ".join(PdfReader(BytesIO(letter.content)).pages[0].extract_text().split())
    assert title in words
    assert sentence in words


def test_the_document_speaks_the_language_of_the_account_whoever_reads(session):
    account = an_account(session, language="nl")
    signed = a_subscription(session, account=account, billed_through=TODAY)
    a_user(session, account, language="fr")
    terminate(session, signed)
    [mail] = mails(session, "termination_received")
    assert mail.language == "fr"
    assert session.scalars(select(Acknowledgement.language)).one() == "nl"


def test_another_subscription_has_no_such_document(session):
    signed, other = a_signed(session), a_signed(session)
    change_id = terminate(session, signed).change_id
    assert terminations.acknowledgement(session, signed.id, change_id) is not None
    assert terminations.acknowledgement(session, other.id, change_id) is None


def test_a_plan_planned_for_the_end_is_replaced_and_one_before_it_is_kept(session):
    signed = a_signed(session)
    plan = subscriptions.preview_plan(session, signed.id, "essentiel", Frequency.MONTHLY, TODAY)
    subscriptions.change_plan(
        session, signed.id, "essentiel", Frequency.MONTHLY, plan.fingerprint, TODAY, noon(TODAY), CLAIRE, LINK
    )
    shown = terminations.preview(session, signed.id, TODAY)
    assert [each.effective_on for each in shown.replaced] == [END]
    late = terminations.preview(session, signed.id, date(2027, 1, 15))
    assert [each.effective_on for each in late.kept] == [END]
    terminate(session, signed)
    assert sorted(session.scalars(select(ScheduledChange.status))) == ["pending", "replaced"]


def test_a_resellers_client_ends_with_its_partner(session):
    signed = a_signed(session, reseller=a_reseller(session))
    with pytest.raises(ContactPartner):
        terminations.preview(session, signed.id, TODAY)


# ── Taking it back ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_termination_is_taken_back_until_its_eve_and_the_owner_is_told(session):
    signed = a_signed(session)
    change_id = terminate(session, signed).change_id
    terminations.cancel(session, signed.id, change_id, TODAY, noon(TODAY), CLAIRE, LINK)
    assert contracts.load(session, signed.id).contract.termination() is None
    [mail] = mails(session, "termination_cancelled")
    assert "1er janvier 2027" in mail.text_body
    with pytest.raises(ChangeAlreadyDone):
        terminations.cancel(session, signed.id, change_id, TODAY, noon(TODAY), CLAIRE, LINK)
    assert terminate(session, signed).change_id != change_id


def test_on_the_day_it_takes_effect_it_is_too_late_to_take_it_back(session):
    signed = a_signed(session)
    change_id = terminate(session, signed).change_id
    with pytest.raises(ChangeAlreadyDone):
        terminations.cancel(session, signed.id, change_id, END, noon(END), CLAIRE, LINK)


# ── The end ──────────────────────────────────────────────────────────────────────────────────────────────────────


def ended(session) -> Signed:
    signed = a_signed(session)
    terminate(session, signed)
    billing.bill_due(session, signed.id, END, noon(END))
    return signed


def test_after_the_end_nothing_is_billed_and_invoices_stay(session):
    signed = ended(session)
    found = row(session, signed)
    assert (found.status, found.ended_on, found.due_on) == ("ended", END, None)
    before = session.scalar(select(func.count()).select_from(Invoice))
    assert billing.bill_due(session, signed.id, date(2028, 1, 1), noon(date(2028, 1, 1))) == []
    assert billing.subscriptions_due(session, date(2028, 1, 1)) == []
    assert session.scalar(select(func.count()).select_from(Invoice)) == before == 12


def test_after_the_end_every_change_is_refused(session):
    signed = ended(session)
    after = END + timedelta(days=1)
    with pytest.raises(SubscriptionEnded):
        terminations.preview(session, signed.id, after)
    with pytest.raises(SubscriptionEnded):
        subscriptions.preview_plan(session, signed.id, "premium", Frequency.MONTHLY, after)
    with pytest.raises(SubscriptionEnded):
        options.preview(session, signed.id, [Wish("signage", 1)], after)


def test_between_the_end_and_the_night_run_it_is_over_already(session):
    signed = a_signed(session)
    terminate(session, signed)
    with pytest.raises(SubscriptionEnded):
        subscriptions.preview_plan(session, signed.id, "premium", Frequency.MONTHLY, END)


def test_a_plan_change_says_to_take_the_termination_back_first(session):
    signed = a_signed(session)
    terminate(session, signed)
    with pytest.raises(TerminationPending):
        subscriptions.preview_plan(session, signed.id, "premium", Frequency.MONTHLY, TODAY)


# ── Consumers ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_consumer_who_withdraws_gets_the_unused_days_back_at_once(session):
    signing = date(2026, 11, 2)
    signed = a_consumer(session, starts_on=signing, billed_through=signing)
    shown = terminations.preview_withdrawal(session, signed.id, TODAY)
    assert shown.ending.reason is EndReason.WITHDRAWAL
    done = terminations.withdraw(session, signed.id, shown.fingerprint, TODAY, noon(TODAY), CLAIRE, LINK)
    # Pro for 30 days, 14 used and 16 given back: 79,00 × 16/30 = 42,13 net, 50,98 with VAT
    assert done.document is not None
    assert (done.document.kind, done.document.total_cents) == ("credit_note", -5098)
    assert shown.total.cents == done.document.total_cents
    assert row(session, signed).status == "ended"
    [mail] = mails(session, "termination_withdrawal")
    assert done.document.number in mail.text_body


def test_withdrawing_before_the_first_invoice_costs_nothing(session):
    signed = a_consumer(session, starts_on=TODAY, billed_through=None)
    shown = terminations.preview_withdrawal(session, signed.id, TODAY)
    done = terminations.withdraw(session, signed.id, shown.fingerprint, TODAY, noon(TODAY), CLAIRE, LINK)
    assert done.document is None
    assert session.scalar(select(func.count()).select_from(Invoice)) == 0
    assert row(session, signed).status == "ended"


def test_a_consumer_who_leaves_inside_a_paid_year_is_credited_on_the_last_day(session):
    signed = a_consumer(session, frequency="annual", starts_on=date(2025, 1, 15), billed_through=TODAY)
    shown = terminations.preview(session, signed.id, TODAY)
    assert shown.ending.reason is EndReason.AFTER_RENEWAL
    assert shown.ending.ends_on == date(2027, 1, 15)
    early = date(2026, 6, 1)
    shown = terminations.preview(session, signed.id, early)
    assert shown.ending.ends_on == date(2026, 7, 15)
    [refund] = shown.documents
    terminate(session, signed, early)
    [note] = billing.bill_due(session, signed.id, date(2026, 7, 15), noon(date(2026, 7, 15)))
    assert note.kind == "credit_note"
    assert note.total_cents == refund.total.cents == shown.total.cents < 0
    open_invoice = session.scalars(
        select(Invoice).where(Invoice.kind == "invoice").order_by(Invoice.id)
    ).first()
    assert open_invoice.paid_cents == -note.total_cents  # it is set against what is open first (M6)
    assert row(session, signed).ended_on == date(2026, 7, 15)


# ── The turn of the terms ────────────────────────────────────────────────────────────────────────────────────────


def turn(session, signed, on):
    return renewals.turn(session, signed.id, on, noon(on), LINK)


def test_a_renewal_is_written_down_once_and_mailed(session):
    signed = a_signed(session, billed_through=date(2027, 2, 28))
    assert renewals.subscriptions_to_turn(session, date(2027, 2, 28)) == []
    assert renewals.subscriptions_to_turn(session, END) == [signed.id]
    assert turn(session, signed, END).renewed_on == END
    assert turn(session, signed, END).renewed_on is None
    assert turn(session, signed, date(2027, 9, 1)).renewed_on is None
    assert renewals.subscriptions_to_turn(session, date(2027, 9, 1)) == []
    assert actions(session).count("subscription.renewed") == 1
    [mail] = mails(session, "renewal_done")
    assert "du 1er mars 2027 au 29 février 2028" in mail.text_body
    assert turn(session, signed, date(2028, 3, 1)).renewed_on == date(2028, 3, 1)


def test_a_renewal_found_long_after_is_written_down_without_disturbing_anybody(session):
    signed = a_signed(session)
    assert turn(session, signed, date(2027, 9, 1)).renewed_on == END
    assert mails(session, "renewal_done") == []


def test_the_end_is_applied_by_the_turn_and_is_no_renewal(session):
    signed = a_signed(session, billed_through=date(2027, 2, 1))
    terminate(session, signed, date(2026, 12, 1))
    assert turn(session, signed, END).ended_on == END
    assert row(session, signed).status == "ended"
    assert "subscription.renewed" not in actions(session)
    assert renewals.subscriptions_to_turn(session, date(2028, 1, 1)) == []


def test_a_scheduled_plan_begins_on_its_day_and_its_term_is_new(session):
    signed = a_signed(session, billed_through=date(2027, 2, 1))
    on = date(2027, 2, 10)
    plan = subscriptions.preview_plan(session, signed.id, "essentiel", Frequency.MONTHLY, on)
    subscriptions.change_plan(
        session, signed.id, "essentiel", Frequency.MONTHLY, plan.fingerprint, on, noon(on), CLAIRE, LINK
    )
    assert turn(session, signed, date(2027, 2, 28)).applied == 0
    turned = turn(session, signed, END)
    assert (turned.applied, turned.renewed_on) == (1, None)
    assert contracts.load(session, signed.id).contract.plan_code == "essentiel"


def test_a_change_waits_for_the_invoices_before_it(session):
    signed = a_signed(session)  # December, January and February are not billed yet
    plan = subscriptions.preview_plan(session, signed.id, "essentiel", Frequency.MONTHLY, TODAY)
    subscriptions.change_plan(
        session, signed.id, "essentiel", Frequency.MONTHLY, plan.fingerprint, TODAY, noon(TODAY), CLAIRE, LINK
    )
    assert turn(session, signed, END).waits
    billing.bill_due(session, signed.id, END, noon(END))
    assert contracts.load(session, signed.id).contract.plan_code == "essentiel"


def test_a_contract_that_is_not_renewed_ends_by_itself(session):
    signed = a_signed(session, billed_through=date(2027, 2, 1))
    row(session, signed).renewal = "ends"
    session.flush()
    assert renewals.subscriptions_to_turn(session, END) == [signed.id]
    assert turn(session, signed, END).ended_on == END
    assert billing.bill_due(session, signed.id, date(2027, 6, 1), noon(END)) == []


# ── Announcements ────────────────────────────────────────────────────────────────────────────────────────────────


def announce(session, on, days=(60, 30, 7)):
    return [
        announcements.announce(session, each, on, noon(on), LINK)
        for each in announcements.due(session, on, days)
    ]


def test_each_announcement_leaves_once_on_its_day(session):
    a_signed(session)  # the last day to give notice is 1 January 2027
    days = [date(2026, 11, 1) + timedelta(days=n) for n in range(70)]
    sent = [day for day in days for _ in announce(session, day)]
    assert sent == [date(2026, 11, 2), date(2026, 12, 2), date(2026, 12, 25)]
    assert len(mails(session, "notice_last_day")) == 3
    assert announce(session, date(2026, 12, 25)) == []


def test_a_day_that_was_missed_is_caught_up_with_one_mail(session):
    a_signed(session)
    assert announce(session, date(2026, 12, 10)) == [True]  # 60 and 30 have passed
    assert announce(session, date(2026, 12, 11)) == []
    assert len(mails(session, "notice_last_day")) == 1
    noted = session.execute(select(Announcement.days_before, Announcement.sent_at.is_not(None)))
    assert sorted(map(tuple, noted)) == [(30, True), (60, False)]


def test_nothing_is_announced_after_the_deadline_or_of_a_contract_that_ends(session):
    signed = a_signed(session)
    assert announcements.due(session, date(2027, 1, 2)) == []
    terminate(session, signed)
    assert announcements.due(session, date(2026, 12, 2)) == []


def test_the_days_are_data(session):
    a_signed(session)
    assert announce(session, date(2026, 12, 18), days=(15,)) == [True]
    assert announcements.due(session, date(2026, 12, 18), days=(10,)) == []


def test_only_owners_are_told(session):
    signed = a_signed(session)
    a_user(session, signed.account, Role.VIEWER)
    a_user(session, signed.account, Role.ADMINISTRATOR)
    announce(session, date(2026, 12, 2))
    assert len(mails(session, "notice_last_day")) == 1


@pytest.mark.parametrize(
    ("language", "subject", "sentence"),
    [
        ("fr", "Dernier jour de préavis : 1er janvier 2027", "au plus tard le 1er janvier 2027 : il vous reste 30 jours"),
        ("nl", "Laatste dag om op te zeggen: 1 januari 2027", "uiterlijk op 1 januari 2027 op: u hebt nog 30 dagen"),
        ("en", "Last day to give notice: 1 January 2027", "on 1 January 2027 at the latest: you have 30 days left"),
    ],
)  # fmt: skip
def test_the_announcement_speaks_each_language(session, language, subject, sentence):
    account = an_account(session, language=language)
    a_subscription(session, account=account, billed_through=TODAY)
    a_user(session, account, language=language)
    announce(session, date(2026, 12, 2))
    [mail] = mails(session, "notice_last_day")
    assert mail.subject.replace("\N{NO-BREAK SPACE}", " ") == subject
    for body in (mail.text_body, mail.html_body):
        plain = body.replace("\N{NO-BREAK SPACE}", " ").replace("<sup>er</sup>", "er")
        assert sentence in plain
