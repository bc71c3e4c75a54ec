"""How invoices are paid, over HTTP: the mandate signed and amended, another method chosen, one taken back."""

import hashlib
import io
import logging
from datetime import date, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from pypdf import PdfReader
from sqlalchemy import func, inspect, select, text
from sqlalchemy.orm import Session

from tests.builders import CLAIRE, Signed, a_reseller, a_subscription, a_user, noon, pays
from tests.conftest import BRUSSELS, SECRET_KEY, Clock
from tests.support.page import Page
from tests.support.signing_in import sign_in
from webapp.adapters.vault import Purpose, Vault
from webapp.domain.access import Role
from webapp.models.accounts import BillingDetails
from webapp.models.payments import Collection, Mandate, MandateDocument, PaymentMethod
from webapp.models.records import AuditEntry, OutboxMessage
from webapp.models.subscriptions import IdempotentReply
from webapp.services import billing, invoicing, payment_methods

TODAY = date(2026, 11, 16)
IBAN, OTHER_IBAN, UNKNOWN_BANK = "BE71096123456769", "BE43068999999501", "BE68539007547034"
LABEL, OTHER_LABEL = "BE71 0961 •••• 6769", "BE43 0689 •••• 9501"
VAULT = Vault([SECRET_KEY], Purpose.BANK_ACCOUNTS)


@pytest.fixture
def parc(session: Session, clock: Clock) -> Signed:
    """Pro since 1 March, the invoices of October and November open, that of October late."""
    signed = a_subscription(session, starts_on=date(2026, 10, 1), billed_through=date(2026, 10, 1))
    billing.bill_due(session, signed.id, TODAY, noon(TODAY))
    session.commit()
    return signed


def as_role(
    client: FlaskClient, session: Session, signed: Signed, role: Role = Role.OWNER, language: str = "fr"
) -> FlaskClient:
    user = a_user(session, signed.account, role, language=language, email=f"{role}@parc.example")
    return sign_in(client, session, user)


def at(signed: Signed, path: str = "") -> str:
    return f"/abonnements/{signed.id}/moyen-de-paiement{path}"


def read_mandate(
    client: FlaskClient, signed: Signed, iban: str = IBAN, holder: str = "Parc Horeca SRL"
) -> Page:
    page = Page.get(client, at(signed, "/domiciliation"))
    return page.form("account").fill(holder=holder, iban=iban).submit()


def sign(client: FlaskClient, signed: Signed, iban: str = IBAN, holder: str = "Parc Horeca SRL") -> Page:
    return read_mandate(client, signed, iban, holder).form("confirm").fill(signed=True).submit()


def use(session: Session, signed: Signed, on: date = TODAY) -> None:
    """A collection was asked of the bank on this mandate."""
    mandate = session.scalars(select(Mandate).where(Mandate.status == "active")).one()
    payment_methods.mark_used(mandate, on)
    session.commit()


def mails(session: Session) -> list[str]:
    found = list(session.scalars(select(OutboxMessage.template).order_by(OutboxMessage.id)))
    session.rollback()
    return found


# ── Signing ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_mandate_is_read_in_full_then_signed(client, session, parc):
    as_role(client, session, parc)
    shown = read_mandate(client, parc, "be71 0961 2345 6769")
    words = shown.text("#mandate-text")
    for expected in (
        "Mandat de domiciliation européenne SEPA",
        "CentralApp SA",
        "BE16ZZZ0765432146",
        "BE71 0961 2345 6769",
        "BELFIUS BANK",
        "(A) CentralApp SA",
        "8 semaines",
        "au moins 14 jours calendrier à l’avance",
        "16 novembre 2026",
    ):
        assert expected in words
    assert "Prélevée le 30 novembre 2026 au plus tôt" in shown.text("#what-changes")  # 14 days from today
    page = shown.form("confirm").fill(signed=True).submit()
    assert page.address == at(parc)
    assert page.text("#current-method .method") == f"SEPADomiciliation{LABEL}"
    assert "En service" in page.text("#current-method")
    assert mails(session) == ["payment_method_changed"]
    details = session.get_one(BillingDetails, parc.account_id)
    assert (details.payment_method, details.payment_label) == ("direct_debit", LABEL)
    assert details.payment_signed_on == TODAY


def test_the_proof_of_a_signature_is_who_when_where_and_the_exact_text(client, session, parc):
    as_role(client, session, parc, language="nl")
    shown = read_mandate(client, parc)
    for line in shown.all("#mandate-text br"):
        line.tail = f"\n{line.tail}"
    words = shown.text("#mandate-title") + " " + " ".join(shown.texts("#mandate-text p"))
    shown.form("confirm").fill(signed=True).submit(**{"User-Agent": "Firefox 140"})
    mandate = session.scalars(select(Mandate)).one()
    document = session.scalars(select(MandateDocument)).one()
    kept = VAULT.open(document.text_sealed)
    assert " ".join(kept.split()) == words
    assert "Mandaat Europese domiciliëring SEPA" in kept
    assert (
        document.evidence
        == mandate.evidence
        == {
            "name": "Claire Janssens",
            "email": "owner@parc.example",
            "ip": "127.0.0.1",
            "user_agent": "Firefox 140",
            "text_version": "2026-11",
            "language": "nl",
            "document_sha256": hashlib.sha256(kept.encode()).hexdigest(),
            "label": LABEL,
        }
    )
    assert mandate.reference == parc.account.reference.replace("-", "") + "M01"
    assert VAULT.open(mandate.iban_sealed) == IBAN


def test_the_signed_document_is_given_back_as_pdf_to_the_owner(client, session, parc):
    as_role(client, session, parc)
    page = sign(client, parc)
    answer = client.get(page.one("#papers a").get("href"))
    assert answer.mimetype == "application/pdf" and "no-store" in answer.headers["Cache-Control"]
    words = " ".join(
        " ".join(each.extract_text() for each in PdfReader(io.BytesIO(answer.data)).pages).split()
    )
    assert "BE71 0961 2345 6769" in words and "Claire Janssens" in words


def test_a_document_that_was_altered_is_not_given_as_signed(client, session, parc):
    as_role(client, session, parc)
    address = sign(client, parc).one("#papers a").get("href")
    document = session.scalars(select(MandateDocument)).one()
    document.text_sealed = VAULT.seal(VAULT.open(document.text_sealed).replace("14 jours", "1 jour"))
    session.commit()
    assert client.get(address).status_code == 500


@pytest.mark.parametrize(
    ("iban", "told"),
    [
        ("", "Indiquez le numéro du compte à débiter."),
        ("BE71 0961 2345 6768", "Un chiffre de cet IBAN n’est pas juste."),
        ("BE71 0961 2345", "n’a pas la bonne longueur"),
        ("mon compte", "Un IBAN commence par deux lettres et deux chiffres"),
        ("SA0380000000608010167519", "n’existe pas dans ce pays"),
    ],
)
def test_a_wrong_iban_is_told_beside_its_field_and_kept(client, session, parc, iban, told):
    page = read_mandate(as_role(client, session, parc), parc, iban)
    assert page.status == 422
    assert told in page.form("account").error("iban")
    assert page.one("#iban").get("value") == iban
    assert page.one("#holder").get("value") == "Parc Horeca SRL"


def test_a_bank_that_nobody_knows_is_no_error(client, session, parc):
    page = sign(as_role(client, session, parc), parc, UNKNOWN_BANK)
    assert "En service" in page.text("#current-method")
    assert not [each for each in page.texts("#current-method dt") if each == "Banque"]


def test_without_the_tick_nothing_is_signed(client, session, parc):
    as_role(client, session, parc)
    page = read_mandate(client, parc).form("confirm").submit()
    assert page.status == 422
    assert "Cochez cette case pour signer le mandat." in page.text("#error-summary")
    assert session.scalar(select(func.count()).select_from(Mandate)) == 0


def test_the_account_can_be_corrected_before_signing(client, session, parc):
    page = read_mandate(as_role(client, session, parc), parc).form("correct").submit("Corriger le compte")
    assert page.one("#iban").get("value") == "BE71 0961 2345 6769"
    assert not page.has("#error-summary")


def test_the_page_swaps_the_form_for_the_mandate_with_scripts(client, session, parc):
    as_role(client, session, parc)
    page = Page.get(client, at(parc, "/domiciliation"))
    swapped = page.form("account").fill(holder="Parc Horeca SRL", iban=IBAN).submit(htmx=True)
    assert swapped.ids == ["mandate"]
    signed = swapped.form("confirm").fill(signed=True).submit(htmx=True)
    assert signed.headers["HX-Redirect"] == at(parc)


def test_signing_twice_with_one_page_signs_once(client, session, parc):
    as_role(client, session, parc)
    form = read_mandate(client, parc).form("confirm").fill(signed=True)
    first, second = form.submit(), form.submit()
    assert first.address == second.address == at(parc)
    assert session.scalar(select(func.count()).select_from(MandateDocument)) == 1
    assert session.scalar(select(func.count()).select_from(OutboxMessage)) == 1


def test_a_mandate_read_yesterday_is_read_again_before_it_is_signed(client, session, parc, clock):
    clock.set(datetime(2026, 11, 16, 23, 50, tzinfo=BRUSSELS))
    as_role(client, session, parc)
    form = read_mandate(client, parc).form("confirm").fill(signed=True)
    clock.set(datetime(2026, 11, 17, 0, 10, tzinfo=BRUSSELS))
    page = form.submit()
    assert page.status == 409
    assert "17 novembre 2026" in page.text("#mandate-text")
    assert session.scalar(select(func.count()).select_from(Mandate)) == 0
    session.rollback()
    assert page.form("confirm").fill(signed=True).submit().address == at(parc)


def test_the_same_account_is_not_signed_for_twice(client, session, parc):
    as_role(client, session, parc)
    sign(client, parc)
    page = read_mandate(client, parc, holder="PARC  horeca srl")
    assert page.status == 422
    assert "est déjà signé pour ce compte et ce titulaire" in page.text("#preview")


# ── Another account, another mandate ─────────────────────────────────────────────────────────────────────────────


def test_another_account_of_the_same_holder_goes_under_the_same_mandate(client, session, parc):
    as_role(client, session, parc)
    sign(client, parc)
    use(session, parc)
    shown = read_mandate(client, parc, OTHER_IBAN)
    assert "Modification d’un mandat" in shown.text("#mandate-title")
    assert f"Ce compte remplace le compte {LABEL}" in shown.text("#mandate-text")
    page = shown.form("confirm").fill(signed=True).submit()
    assert OTHER_LABEL in page.text("#current-method")
    mandate = session.scalars(select(Mandate)).one()
    assert VAULT.open(mandate.iban_sealed) == OTHER_IBAN
    assert VAULT.open(mandate.amendment["former_iban_sealed"]) == IBAN
    kinds = list(session.scalars(select(MandateDocument.kind).order_by(MandateDocument.id)))
    assert kinds == ["signature", "amendment"]
    assert session.get_one(BillingDetails, parc.account_id).payment_label == OTHER_LABEL
    assert mails(session) == ["payment_method_changed"] * 2


def test_the_bank_is_told_of_the_account_it_knows_however_often_it_changed(client, session, parc):
    as_role(client, session, parc)
    sign(client, parc)
    use(session, parc)
    sign(client, parc, OTHER_IBAN)
    sign(client, parc, UNKNOWN_BANK)
    mandate = session.scalars(select(Mandate)).one()
    assert VAULT.open(mandate.amendment["former_iban_sealed"]) == IBAN
    session.rollback()
    sign(client, parc, IBAN)  # back to what the bank knows: nothing to tell
    session.refresh(mandate)
    assert mandate.amendment is None


def test_a_mandate_never_used_is_amended_without_telling_the_bank(client, session, parc):
    as_role(client, session, parc)
    sign(client, parc)
    sign(client, parc, OTHER_IBAN)
    assert session.scalars(select(Mandate)).one().amendment is None


def test_another_holder_signs_a_mandate_of_its_own(client, session, parc):
    as_role(client, session, parc)
    sign(client, parc)
    shown = read_mandate(client, parc, holder="Claire Janssens")
    assert "Ce mandat remplace le mandat" in shown.text("#signature")
    shown.form("confirm").fill(signed=True).submit()
    rows = session.execute(select(Mandate.reference, Mandate.status).order_by(Mandate.id)).all()
    assert [row.status for row in rows] == ["cancelled", "active"]
    assert rows[1].reference.endswith("M02")


def test_a_mandate_refused_by_the_bank_says_what_to_do_then_is_signed_anew(client, session, parc):
    as_role(client, session, parc)
    sign(client, parc)
    payment_methods.block(session, session.scalars(select(PaymentMethod)).one(), "MD01", noon(TODAY))
    session.commit()
    page = Page.get(client, at(parc))
    banner = page.text("#blocked")
    assert "mandat inconnu de la banque ou annulé auprès d’elle" in banner
    assert "lever l’opposition" in banner and "BE16ZZZ0765432146" in banner
    assert session.get_one(BillingDetails, parc.account_id).payment_method == "transfer"
    session.rollback()
    page = page.follow("Signer un nouveau mandat")
    shown = page.form("account").fill(holder="Parc Horeca SRL", iban=IBAN).submit()
    page = shown.form("confirm").fill(signed=True).submit()
    assert not page.has("#blocked") and "En service" in page.text("#current-method")
    assert [each.status for each in session.scalars(select(Mandate).order_by(Mandate.id))] == [
        "cancelled",
        "active",
    ]
    session.expire_all()
    assert session.get_one(BillingDetails, parc.account_id).payment_method == "direct_debit"


# ── Choosing and taking back ─────────────────────────────────────────────────────────────────────────────────────


def a_planned_collection(session: Session, signed: Signed) -> int:
    invoice = invoicing.open_invoices(session, signed.account_id)[0]
    method = payment_methods.primary(session, signed.account_id)
    row = Collection(
        account_id=signed.account_id,
        invoice_id=invoice.id,
        method_id=method.id,
        end_to_end_id=invoice.number,
        amount_cents=invoice.total_cents,
        requested_on=TODAY + timedelta(days=14),
        created_at=noon(TODAY),
    )
    session.add(row)
    session.flush()
    row_id = row.id
    session.commit()
    return row_id


def test_transfers_are_chosen_after_their_consequences_were_shown(client, session, parc):
    as_role(client, session, parc)
    sign(client, parc)
    planned = a_planned_collection(session, parc)
    page = Page.get(client, at(parc)).follow("Payer par virement")
    assert "À payer par virement : l’échéance du 15 octobre 2026 est passée" in page.text("#what-changes")
    assert "À partir de la facture du 1er décembre 2026" in page.text("#what-changes")
    assert f"{LABEL} reste disponible" in page.text("#confirmation")
    page = page.form("confirm").submit()
    assert "Virement" in page.text("#current-method .method")
    assert LABEL in page.text("#others")
    session.expire_all()
    assert session.get_one(Collection, planned).state == "cancelled"
    assert session.get_one(BillingDetails, parc.account_id).payment_method == "transfer"
    session.rollback()
    page = page.follow("Utiliser").form("confirm").submit("Payer par domiciliation")
    assert "Domiciliation" in page.text("#current-method .method")
    assert mails(session) == ["payment_method_changed"] * 3


def test_what_was_asked_of_the_bank_already_is_said_to_go_on(client, session, parc):
    as_role(client, session, parc)
    sign(client, parc)
    row = session.get_one(Collection, a_planned_collection(session, parc))
    row.state = "sent"
    session.commit()
    page = Page.get(client, at(parc, "/virement"))
    assert "Déjà demandée à votre banque : ce prélèvement suit son cours." in page.text("#what-changes")
    page.form("confirm").submit()
    session.refresh(row)
    assert row.state == "sent"


def test_a_payment_that_came_in_meanwhile_shows_the_change_again(client, session, parc):
    as_role(client, session, parc)
    sign(client, parc)
    form = Page.get(client, at(parc, "/virement")).form("confirm")
    invoice = invoicing.open_invoices(session, parc.account_id)[0]
    pays(session, invoice, invoice.total_cents, on=TODAY)
    session.commit()
    page = form.submit()
    assert page.status == 409
    assert "Cette page n’est plus à jour" in page.text("#preview")


def test_a_mandate_is_taken_back_for_good_and_its_document_stays(client, session, parc):
    as_role(client, session, parc)
    sign(client, parc)
    page = Page.get(client, at(parc)).follow("Retirer ce mandat")
    page = page.form("confirm").submit("Retirer ce mandat")
    assert "Virement" in page.text("#current-method .method")
    assert page.has("#papers") and LABEL in page.text("#former")
    assert session.scalars(select(Mandate.status)).one() == "cancelled"
    assert session.get_one(BillingDetails, parc.account_id).payment_method == "transfer"
    assert mails(session) == ["payment_method_changed", "payment_method_closed"]


def test_a_method_of_another_account_does_not_exist(client, session, parc):
    other = a_subscription(session, starts_on=date(2026, 10, 1))
    method = payment_methods.add(
        session, other.account_id, "card", "Visa •••• 1881", noon(TODAY), CLAIRE, state="active"
    )
    session.commit()
    as_role(client, session, parc)
    for path in ("choisir", "retirer"):
        assert Page.get(client, at(parc, f"/{method.id}/{path}")).status == 422
    assert session.get_one(PaymentMethod, method.id).state == "active"


# ── Who may, and what is said ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.VIEWER, Role.ACCOUNTANT])
def test_others_read_without_what_changes_or_gives_away(client, session, parc, role):
    sign(as_role(client, session, parc), parc)
    as_role(client, session, parc, role)
    page = Page.get(client, at(parc))
    assert "Seul le propriétaire peut changer le moyen de paiement." in page.text("#current-method")
    assert page.has("#papers") and not page.all("#papers a") and not page.has("#choices")
    assert not page.all("main form")


def test_a_reseller_that_keeps_payment_is_the_one_to_contact(client, session, clock):
    signed = a_subscription(session, starts_on=date(2026, 10, 1), reseller=a_reseller(session))
    as_role(client, session, signed)
    page = Page.get(client, at(signed))
    assert "aide@horecaplus.example" in page.text("#partner")
    assert not page.has("#choices")
    assert "HorecaPlus" in Page.get(client, at(signed, "/domiciliation")).text("#preview")


def test_the_history_tells_each_change_in_words(client, session, parc):
    as_role(client, session, parc)
    sign(client, parc)
    sign(client, parc, OTHER_IBAN)
    Page.get(client, at(parc, "/virement")).form("confirm").submit()
    words = Page.get(client, f"/abonnements/{parc.id}/historique").text("main")
    reference = parc.account.reference.replace("-", "") + "M01"
    assert f"Mandat {reference} signé pour le compte {LABEL}." in words
    assert f"Mandat {reference} : le compte {LABEL} est remplacé par {OTHER_LABEL}." in words
    assert "Vos factures se paient maintenant par virement." in words


def test_an_iban_is_nowhere_in_the_clear(client, session, parc, caplog):
    """Neither in a table, nor in a log, nor in a mail: only sealed, and on the mandate that its owner reads."""
    caplog.set_level(logging.DEBUG)
    as_role(client, session, parc)
    read_mandate(client, parc, f"{IBAN}1")  # refused
    sign(client, parc)
    use(session, parc)
    sign(client, parc, OTHER_IBAN)
    needles = [
        part
        for iban in (IBAN, OTHER_IBAN)
        for part in (iban, " ".join(iban[i : i + 4] for i in range(0, 16, 4)))
    ]
    for table in inspect(session.get_bind()).get_table_names():
        for row in session.execute(text(f'select * from "{table}"')):
            told = " ".join(map(str, row))
            assert not [needle for needle in needles if needle in told], table
    assert session.scalar(select(func.count()).select_from(AuditEntry)) > 0
    assert session.scalar(select(func.count()).select_from(IdempotentReply)) == 2
    assert not [needle for needle in needles if needle in caplog.text]
