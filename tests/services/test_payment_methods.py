"""Methods and mandates beyond their pages: what stops one, what is announced, what is sealed, what is said word for word."""

import io
import json
import zipfile
from datetime import date, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tests.builders import CLAIRE, Signed, a_mandate, a_subscription, a_user, an_account, noon
from tests.support.snapshots import agrees
from webapp.adapters.bank_accounts import bank_account
from webapp.adapters.vault import Purpose, Unreadable, Vault
from webapp.domain.refusals import MethodNotUsable
from webapp.models import Base
from webapp.models.accounts import BillingDetails, SecondFactor
from webapp.models.events import ApiConsumer, WebhookEndpoint
from webapp.models.payments import BankEntry, BankFile, Mandate, MandateDocument, PaymentMethod
from webapp.models.records import OutboxMessage
from webapp.services import mandates, method_ends, payment_methods, personal_data, sealed
from webapp.services.mandates import Debtor, Signer
from webapp.services.payment_methods import Card

TODAY = date(2026, 11, 16)
KEYS = ["a key for the tests, as long as it must be"]
VAULT = Vault(KEYS, Purpose.BANK_ACCOUNTS)


@pytest.fixture
def parc(session: Session) -> Signed:
    signed = a_subscription(session, starts_on=date(2026, 3, 1))
    a_user(session, signed.account)
    return signed


def visa(month: int = 12, reference: str = "pm_1") -> Card:
    return Card("demo", "cus_1", reference, "Visa", "1881", (2026, month))


def details(session: Session, signed: Signed) -> BillingDetails:
    return session.get_one(BillingDetails, signed.account_id)


def count(session: Session, template: str) -> int:
    statement = select(func.count()).select_from(OutboxMessage).where(OutboxMessage.template == template)
    return session.scalar(statement) or 0


# ── One primary, one of each kind ────────────────────────────────────────────────────────────────────────────────


def test_one_method_is_primary_and_one_of_each_kind_is_kept(session, parc):
    old = payment_methods.add_card(session, parc.account_id, visa(), noon(TODAY), CLAIRE)
    payment_methods.make_primary(session, old, noon(TODAY), CLAIRE)
    mandate = a_mandate(session, parc.id)
    new = payment_methods.add_card(session, parc.account_id, visa(reference="pm_2"), noon(TODAY), CLAIRE)
    payment_methods.make_primary(session, new, noon(TODAY), CLAIRE)
    states = {
        each.id: (each.state, each.is_primary) for each in payment_methods.all_of(session, parc.account_id)
    }
    assert states == {
        old.id: ("closed", False),
        mandate.method_id: ("active", False),
        new.id: ("active", True),
    }
    assert details(session, parc).payment_label == "Visa •••• 1881"


def test_a_card_told_twice_by_its_provider_is_one_card(session, parc):
    one = payment_methods.add_card(session, parc.account_id, visa(), noon(TODAY), CLAIRE)
    again = payment_methods.add_card(session, parc.account_id, visa(month=11), noon(TODAY), CLAIRE)
    assert one.id == again.id and again.expires_on == date(2026, 12, 1)


@pytest.mark.parametrize("state", ["pending", "blocked", "expired", "closed"])
def test_what_does_not_work_cannot_be_chosen(session, parc, state):
    method = payment_methods.add(session, parc.account_id, "card", "Visa", noon(TODAY), CLAIRE, state=state)
    with pytest.raises(MethodNotUsable):
        payment_methods.make_primary(session, method, noon(TODAY), CLAIRE)


# ── What stops one ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("code", "status"), [("MD01", "cancelled"), ("AC04", "suspended"), ("MS02", "suspended")]
)
def test_a_refusal_by_the_bank_makes_invoices_ask_for_a_transfer(session, parc, code, status):
    mandate = a_mandate(session, parc.id)
    payment_methods.block(session, mandate.method, code, noon(TODAY))
    assert (mandate.status, mandate.method.state, mandate.method.blocked_reason) == (status, "blocked", code)
    assert mandate.method.is_primary
    assert details(session, parc).payment_method == "transfer"
    assert details(session, parc).payment_problem == "mandate_blocked"
    assert payment_methods.usable_mandate(session, parc.account_id, TODAY) is None


def test_a_mandate_that_is_refused_then_unknown_to_the_bank_is_cancelled(session, parc):
    mandate = a_mandate(session, parc.id)
    payment_methods.block(session, mandate.method, "MS02", noon(TODAY))
    payment_methods.block(session, mandate.method, "AC04", noon(TODAY))  # the first reason stays
    assert (mandate.status, mandate.method.blocked_reason) == ("suspended", "MS02")
    payment_methods.block(session, mandate.method, "MD01", noon(TODAY))
    assert (mandate.status, mandate.method.blocked_reason) == ("cancelled", "MD01")


def test_a_working_method_ends_the_problem(session, parc):
    payment_methods.block(session, a_mandate(session, parc.id).method, "MS02", noon(TODAY))
    card = payment_methods.add_card(session, parc.account_id, visa(), noon(TODAY), CLAIRE)
    payment_methods.make_primary(session, card, noon(TODAY), CLAIRE)
    assert details(session, parc).payment_problem is None
    assert details(session, parc).payment_method == "card"


# ── Announced, then ended ────────────────────────────────────────────────────────────────────────────────────────


def announce_on(session: Session, day: date) -> int:
    sent = sum(
        method_ends.announce(session, each, day, noon(day), "http://localhost")
        for each in method_ends.due(session, day)
    )
    for method_id in method_ends.to_end(session, day):
        method_ends.end(session, method_id, noon(day))
    return sent


def test_a_card_is_announced_30_and_7_days_before_once_each_then_ends(session, parc):
    card = payment_methods.add_card(session, parc.account_id, visa(), noon(TODAY), CLAIRE)
    payment_methods.make_primary(session, card, noon(TODAY), CLAIRE)
    sent_on = []
    day = date(2026, 11, 20)
    while day <= date(2027, 1, 3):
        for _twice in range(2):
            if announce_on(session, day):
                sent_on.append(day)
        day += timedelta(days=1)
    assert sent_on == [date(2026, 12, 2), date(2026, 12, 25)]
    assert count(session, "payment_method_ends") == 2
    assert card.state == "expired"
    assert details(session, parc).payment_problem == "card_expired"


def test_a_missed_day_is_caught_up_by_one_mail(session, parc):
    card = payment_methods.add_card(session, parc.account_id, visa(), noon(TODAY), CLAIRE)
    payment_methods.make_primary(session, card, noon(TODAY), CLAIRE)
    assert announce_on(session, date(2026, 12, 28)) == 1
    assert announce_on(session, date(2026, 12, 29)) == 0


def test_a_mandate_unused_for_36_months_is_announced_and_dies(session, parc):
    mandate = a_mandate(session, parc.id, signed_on=date(2026, 8, 31))
    payment_methods.mark_used(mandate, date(2026, 10, 31))
    dies = date(2029, 10, 31)
    assert announce_on(session, dies - timedelta(days=31)) == 0
    assert announce_on(session, dies - timedelta(days=30)) == 1
    payment_methods.mark_used(mandate, dies - timedelta(days=20))  # it serves again: no end any more
    assert announce_on(session, dies - timedelta(days=7)) == 0
    assert mandate.status == "active"
    dies = date(2032, 10, 11)
    assert announce_on(session, dies) == 0
    assert (mandate.status, mandate.method.state) == ("expired", "expired")


def test_a_method_that_does_not_pay_disturbs_nobody(session, parc):
    payment_methods.add_card(session, parc.account_id, visa(), noon(TODAY), CLAIRE)
    assert announce_on(session, date(2026, 12, 28)) == 0
    assert announce_on(session, date(2027, 1, 1)) == 0
    assert session.scalars(select(PaymentMethod.state)).one() == "expired"


# ── Sealed ───────────────────────────────────────────────────────────────────────────────────────────────────────


def vaults(*keys: str):
    return lambda purpose: Vault(list(keys), purpose)


def test_every_sealed_column_is_resealed():
    """What a former key sealed is lost with it: a new column whose name ends so must be listed."""
    listed = {(column.class_.__tablename__, column.key) for column in sealed.COLUMNS}
    present = {
        (table.name, column.name)
        for table in Base.metadata.tables.values()
        for column in table.columns
        if column.name.endswith("_sealed")
    }
    assert present <= listed
    assert {(column.class_, name) for column, (name, _purpose) in sealed.INSIDE.items()} >= {
        (Mandate, "former_iban_sealed")
    }


def test_after_a_new_key_everything_is_read_with_it_alone(session, parc):
    old, new = "the former key, as long as it must be", "the present key, as long as it must be"
    before = vaults(old)
    mandate = a_mandate(session, parc.id, vault=before(Purpose.BANK_ACCOUNTS))
    mandate.amendment = {"former_iban_sealed": before(Purpose.BANK_ACCOUNTS).seal("BE43068999999501")}
    user = a_user(session)
    session.add(
        SecondFactor(
            user_id=user.id, secret=before(Purpose.SECOND_FACTORS).seal("JBSWY3DP"), created_at=noon(TODAY)
        )
    )
    bank_file = BankFile(
        kind="coda",
        filename="x.cod",
        sha256="0" * 64,
        received_at=noon(TODAY),
        received_by="",
        entry_count=1,
        new_count=1,
        matched_count=0,
    )
    consumer = ApiConsumer(name="site", created_at=noon(TODAY))
    session.add_all([bank_file, consumer])
    session.flush()
    entry = BankEntry(
        file_id=bank_file.id,
        key="1",
        booked_on=TODAY,
        valued_on=TODAY,
        amount_cents=1,
        state="unmatched",
        counterpart_iban_sealed=before(Purpose.BANK_ACCOUNTS).seal("BE68539007547034"),
    )
    endpoint = WebhookEndpoint(
        consumer_id=consumer.id,
        url="https://exemple.example",
        kinds=[],
        secret_sealed=before(Purpose.WEBHOOKS).seal("whsec_1"),
        created_at=noon(TODAY),
    )
    session.add_all([entry, endpoint])
    session.flush()
    assert sealed.reseal(session, vaults(new, old)) == (6, 0)
    session.expire_all()
    now = vaults(new)
    assert now(Purpose.BANK_ACCOUNTS).open(mandate.iban_sealed) == "BE71096123456769"
    assert now(Purpose.BANK_ACCOUNTS).open(mandate.amendment["former_iban_sealed"]) == "BE43068999999501"
    document = session.scalars(select(MandateDocument)).one()
    assert "Mandat" in now(Purpose.BANK_ACCOUNTS).open(document.text_sealed)
    assert now(Purpose.BANK_ACCOUNTS).open(entry.counterpart_iban_sealed) == "BE68539007547034"
    assert now(Purpose.WEBHOOKS).open(endpoint.secret_sealed) == "whsec_1"
    assert now(Purpose.SECOND_FACTORS).open(session.get_one(SecondFactor, user.id).secret) == "JBSWY3DP"
    assert sealed.reseal(session, vaults("a key of elsewhere, as long as it must be")) == (0, 6)
    session.refresh(mandate)
    assert now(Purpose.BANK_ACCOUNTS).open(mandate.iban_sealed) == "BE71096123456769"


def test_what_is_sealed_for_one_purpose_is_not_opened_for_another():
    with pytest.raises(Unreadable):
        Vault(KEYS, Purpose.WEBHOOKS).open(VAULT.seal("BE71096123456769"))


def test_an_account_does_not_show_its_iban_when_written_down():
    assert "2345" not in repr(bank_account("BE71096123456769"))
    assert "2345" not in repr(Debtor("Parc", bank_account("BE71096123456769")))


# ── Taken away, and closed ───────────────────────────────────────────────────────────────────────────────────────


def test_what_is_taken_away_tells_methods_by_their_masked_label(session, parc):
    mandate = a_mandate(session, parc.id)
    mandate.amendment = {"former_iban_sealed": VAULT.seal("BE43068999999501")}
    archive = zipfile.ZipFile(
        io.BytesIO(personal_data.export(session, parc.account_id, actor=CLAIRE, now=noon(TODAY)))
    )
    text = archive.read("donnees.json").decode()
    data = json.loads(text)
    assert [each["label"] for each in data["payment_methods"]] == ["BE71 0961 •••• 6769"]
    assert [each["reference"] for each in data["mandates"]] == [mandate.reference]
    assert [each["evidence"]["ip"] for each in data["signed_documents"]] == ["127.0.0.1"]
    assert "_sealed" not in text and mandate.iban_sealed not in text


def test_a_closed_account_keeps_its_mandates_as_proofs_and_no_way_to_a_card(session, parc):
    mandate = a_mandate(session, parc.id)
    card = payment_methods.add_card(session, parc.account_id, visa(), noon(TODAY), CLAIRE)
    parc.subscription.status, parc.subscription.ended_on = "ended", TODAY
    session.flush()
    shown = personal_data.preview_closure(session, parc.account_id)
    personal_data.close(session, parc.account_id, parc.account.reference, actor=CLAIRE, now=noon(TODAY))
    assert shown.mandates == 1
    assert (mandate.status, mandate.method.state) == ("cancelled", "closed")
    assert VAULT.open(mandate.iban_sealed) == "BE71096123456769"
    assert (card.state, card.provider_customer, card.provider_reference) == ("closed", "", "")
    assert details(session, parc).payment_method == "transfer"


# ── Word for word ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("language", ["fr", "nl", "en"])
@pytest.mark.parametrize("kind", ["new", "amended"])
def test_the_text_of_a_mandate_is_that_of_its_version(session, language, kind):
    """A change of words is a new TEXT_VERSION, and a new snapshot beside the former one, which stays."""
    account = an_account(session, payment_term_days=14)
    account.reference = "CA-10234"
    signed = a_subscription(session, account=account, starts_on=date(2026, 3, 1))
    if kind == "amended":
        a_mandate(session, signed.id, "BE43068999999501", reference="CAPP000418")
    shown = mandates.preview(
        session,
        signed.id,
        Debtor("Parc Horeca SRL", bank_account("BE71096123456769")),
        Signer("Claire Janssens", "claire@exemple.example", "127.0.0.1", "tests", language),
        VAULT,
        14,
        TODAY,
    )
    agrees(f"mandates/{mandates.TEXT_VERSION}-{kind}.{language}.txt", shown.text)
