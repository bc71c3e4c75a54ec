"""Electronic documents before the team: what to look at, why, what to mend, and the buttons that act once."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import func, select

from tests.builders import a_subscription, a_user, an_account
from tests.support.page import Page
from tests.support.page_linter import problems
from tests.support.signing_in import sign_in
from webapp.models.documents import InvoiceDocument
from webapp.models.invoices import Invoice
from webapp.models.records import AuditEntry
from webapp.services import deliveries, documents, rule_words

STARTS = date(2026, 11, 1)
NOW = datetime(2026, 11, 16, 9, tzinfo=UTC)
FINDING = {
    "rule": "PEPPOL-COMMON-R043", "flag": "fatal", "text": "Belgian enterprise number MUST be stated",
    "location": "/Invoice[1]/AccountingCustomerParty[1]/Party[1]/PartyLegalEntity[1]/CompanyID[1]",
}  # fmt: skip
WARNING = {
    "rule": "UNKNOWN-1",
    "flag": "warning",
    "text": "Something else",
    "location": "/Invoice[1]/InvoiceLine[3]",
}


@pytest.fixture
def arranged(session, clock):
    """One document in each state that needs somebody, and one delivered: F2026-00001 to 00004."""
    states = {
        "Held": {"state": "held", "findings": [FINDING, WARNING], "rules_version": "rules 3.0.21", "checked_at": NOW},
        "Failed": {"state": "failed", "problem": "receiver_unknown", "last_error": "nobody receives invoices at 0208:1",
                   "rules_version": "rules 3.0.21", "checked_at": NOW, "closed_at": NOW, "attempts": 1},
        "Rejected": {"state": "rejected", "last_error": "unknown order", "rules_version": "rules 3.0.21",
                     "checked_at": NOW, "sent_at": NOW, "closed_at": NOW, "transmission_id": "doc_1"},
        "Delivered": {"state": "delivered", "rules_version": "rules 3.0.21", "checked_at": NOW, "closed_at": NOW},
    }  # fmt: skip
    for name, values in states.items():
        signed = a_subscription(
            session, starts_on=STARTS, billed_through=STARTS, account=an_account(session, name)
        )
        invoice = session.scalars(select(Invoice).where(Invoice.account_id == signed.account_id)).one()
        kept = documents.stored(session, invoice, NOW)
        for field, value in values.items():
            setattr(kept, field, value)
    session.commit()


@pytest.fixture
def with_everything(app, monkeypatch, tmp_path):
    """An installation that checks and sends."""
    changed = replace(
        app.extensions["portal_settings"], access_point="folder", access_point_folder=tmp_path,
        peppol_rules_folder=tmp_path,
    )  # fmt: skip
    monkeypatch.setitem(app.extensions, "portal_settings", changed)


def as_team(client, session, role="billing", **person):
    sign_in(client, session, a_user(session, staff_role=role, **person))


def the_list(client, **asked) -> Page:
    return Page.get(client, "/equipe/documents", **asked)


def numbers(page: Page) -> list[str]:
    return page.texts("#documents tbody th a")


def state_of(session, number: str) -> str:
    found = session.scalar(
        select(InvoiceDocument.state)
        .join(Invoice, Invoice.id == InvoiceDocument.invoice_id)
        .where(Invoice.number == number)
    )
    session.rollback()
    return str(found)


def entries(session) -> int:
    asked = AuditEntry.action.in_(["invoice.sent_again", "invoice.checked_again", "invoice.handed_over"])
    count = session.scalar(select(func.count()).select_from(AuditEntry).where(asked))
    session.rollback()
    return int(count or 0)


def test_what_needs_somebody_comes_first_with_its_rule_its_field_and_its_remedy(
    client, session, arranged, with_everything
):
    as_team(client, session)
    page = the_list(client)
    assert numbers(page) == ["F2026-00003", "F2026-00002", "F2026-00001"]
    rejected, failed, held = page.texts("#documents tbody tr")
    for words in (
        "Retenue", "PEPPOL-COMMON-R043", "Client, numéro d’entreprise", "chiffres de contrôle",
        "Corrigez les coordonnées de facturation du client", "Un autre constat",
    ):  # fmt: skip
        assert words in held, words
    assert (
        "Non remise" in failed
        and "n’est pas inscrit sur Peppol" in failed
        and "Un e-mail ne remplace pas" in failed
    )
    assert "Refusée" in rejected and "Contactez le client" in rejected
    assert problems(page.html) == []


def test_one_document_says_everything_in_words_and_keeps_the_official_text(
    client, session, arranged, with_everything
):
    as_team(client, session)
    page = the_list(client).follow("F2026-00001")
    for words in ("rules 3.0.21", "Belgian enterprise number MUST be stated", "/Invoice[1]/InvoiceLine[3]", "Ligne 3",
                  "avertissement, ne retient pas le document"):  # fmt: skip
        assert words in page.text("#findings"), words
    assert problems(page.html) == []
    failed = Page.get(client, "/equipe/documents/F2026-00002")
    assert "nobody receives invoices at 0208:1" in failed.text("main")
    assert problems(failed.html) == []


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ({"etat": "retenues"}, ["F2026-00001"]),
        ({"etat": "remises"}, ["F2026-00004"]),
        ({"etat": "en-cours"}, []),
        ({"etat": "toutes"}, ["F2026-00004", "F2026-00003", "F2026-00002", "F2026-00001"]),
        ({"etat": "toutes", "q": "deliv"}, ["F2026-00004"]),
        ({"etat": "toutes", "q": "2026-00002"}, ["F2026-00002"]),
        ({"etat": "inconnu"}, ["F2026-00003", "F2026-00002", "F2026-00001"]),
    ],
)
def test_the_list_is_filtered_and_searched_with_and_without_scripts(client, session, arranged, asked, shown):
    as_team(client, session)
    page = the_list(client, **asked)
    assert numbers(page) == shown and problems(page.html) == []
    form = page.form("filters")
    assert form.submit(htmx=True).piece("documents") == form.submit().piece("documents")


def test_pages_keep_the_filter(client, session, arranged, monkeypatch):
    monkeypatch.setattr(deliveries, "PAGE_SIZE", 2)
    as_team(client, session)
    page = the_list(client, etat="toutes", q="2026")
    assert "Documents 1 à 2 sur 4" in page.text(".pagination")
    second = page.follow("Suivante")
    assert numbers(second) == ["F2026-00002", "F2026-00001"]
    assert second.one("#etat option[selected]").get("value") == "toutes"


def test_sent_again_it_is_in_line_once_however_often_the_button_is_pressed(
    client, session, arranged, with_everything
):
    as_team(client, session)
    page = Page.get(client, "/equipe/documents/F2026-00003")
    form = page.form(action="/equipe/documents/F2026-00003/envoi")
    done = form.submit()
    assert "F2026-00003 partira au prochain passage" in done.text("#flashes")
    assert "En cours d’envoi" in done.text(".page-header")
    again = form.submit()
    assert again.status == 200 and "Rien n’a été fait" not in again.text("main")
    assert state_of(session, "F2026-00003") == "queued" and entries(session) == 1


def test_a_button_on_a_page_that_is_behind_does_nothing_and_says_so(
    client, session, arranged, with_everything
):
    as_team(client, session)
    form = Page.get(client, "/equipe/documents/F2026-00002").form(
        action="/equipe/documents/F2026-00002/envoi"
    )
    kept = session.scalars(select(InvoiceDocument).where(InvoiceDocument.state == "failed")).one()
    kept.state = "delivered"
    session.commit()
    assert "Rien n’a été fait" in form.submit().text("#flashes")
    assert state_of(session, "F2026-00002") == "delivered" and entries(session) == 0


def test_checked_again_a_held_document_waits_for_the_next_round(client, session, arranged, with_everything):
    as_team(client, session, "admin")
    page = Page.get(client, "/equipe/documents/F2026-00001")
    assert not page.has("form[action$='/envoi']"), "what is held is never sent"
    done = page.form(action="/equipe/documents/F2026-00001/verification").submit()
    assert "sera vérifiée au prochain passage" in done.text("#flashes")
    assert state_of(session, "F2026-00001") == "ready" and entries(session) == 1


def test_without_access_point_nothing_can_be_sent_and_the_files_are_there(client, session, arranged):
    as_team(client, session)
    page = Page.get(client, "/equipe/documents/F2026-00003")
    assert "Aucun point d’accès n’est configuré" in page.text("main")
    assert not page.has("main form[action$='/envoi']")
    for kind, begins in (("pdf", b"%PDF-"), ("xml", b"<?xml")):
        answer = client.get(f"/equipe/documents/F2026-00003.{kind}")
        assert answer.data.startswith(begins)
        assert answer.headers["Content-Disposition"] == f"attachment; filename=F2026-00003.{kind}"


def test_without_access_point_a_document_given_by_hand_is_noted_once(client, session, arranged):
    as_team(client, session)
    form = Page.get(client, "/equipe/documents/F2026-00002").form(action="/remise")
    done = form.submit()
    assert "F2026-00002 est notée comme remise à la main" in done.text("#flashes")
    assert "Remise à la main" in done.text("#way") and not done.has("main form[action$='/remise']")
    assert "Rien n’a été fait" not in form.submit().text("main")
    assert state_of(session, "F2026-00002") == "delivered" and entries(session) == 1


def test_what_a_rule_holds_is_not_given_by_hand_nor_what_an_access_point_carries(
    app, client, session, arranged, monkeypatch
):
    as_team(client, session)
    assert not Page.get(client, "/equipe/documents/F2026-00001").has("main form[action$='/remise']")
    form = Page.get(client, "/equipe/documents/F2026-00002").form(action="/remise")
    settings = app.extensions["portal_settings"]
    monkeypatch.setitem(app.extensions, "portal_settings", replace(settings, access_point="rest"))
    assert "Rien n’a été fait" in form.submit().text("#flashes")
    assert state_of(session, "F2026-00002") == "failed" and entries(session) == 0


def test_what_was_not_checked_does_not_leave_by_a_button_either(client, session, arranged, with_everything):
    as_team(client, session)
    form = Page.get(client, "/equipe/documents/F2026-00002").form(
        action="/equipe/documents/F2026-00002/envoi"
    )
    kept = session.scalars(select(InvoiceDocument).where(InvoiceDocument.state == "failed")).one()
    kept.rules_version = kept.checked_at = None
    session.commit()
    refused = form.submit()
    assert "n’est pas vérifié" in refused.text("#flashes")
    assert "n’a pas été vérifié" in refused.text("#findings") and not refused.has("form[action$='/envoi']")
    assert state_of(session, "F2026-00002") == "failed" and entries(session) == 0


def test_support_reads_and_does_not_act(client, session, arranged, with_everything):
    as_team(client, session, "support")
    page = Page.get(client, "/equipe/documents/F2026-00003")
    assert page.status == 200 and not page.has("main form[method=post]")
    assert "Créditer" not in page.text("main")


@pytest.mark.parametrize("language", ["fr", "nl", "en"])
def test_the_pages_are_well_made_in_each_language(client, session, arranged, with_everything, language):
    as_team(client, session, language=language)
    for address in (
        "/equipe/documents",
        "/equipe/documents/F2026-00001",
        "/equipe/documents/F2026-00002",
        "/equipe/factures",
    ):
        page = Page.get(client, address)
        assert page.one("html").get("lang") == language and problems(page.html) == []
        if language != "fr":
            assert "Corrigez" not in page.text("main") and "Vérifi" not in page.text("main")


# ── Finding any document ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("typed", ["F2026-00002", "00002", "+++261/0000/00250+++", "failed srl"])
def test_any_document_is_found_and_leads_to_its_credit_note(client, session, arranged, typed):
    as_team(client, session)
    form = Page.get(client, "/equipe/factures").form("find").fill(q=typed)
    page = form.submit()
    assert page.texts("#found tbody th") == ["F2026-00002"] and problems(page.html) == []
    assert form.submit(htmx=True).ids == ["found"]
    assert page.one("#found .row-actions a").get("href") == "/equipe/factures/F2026-00002/avoir"


def test_what_is_not_found_says_how_to_look(client, session, arranged):
    as_team(client, session)
    page = Page.get(client, "/equipe/factures", q="100%")
    assert "Aucun document ne correspond" in page.text("#found") and problems(page.html) == []


# ── The words of the rules ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("rule", "path", "where", "says"),
    [
        ("PEPPOL-EN16931-R010", "/Invoice[1]/AccountingCustomerParty[1]/Party[1]", "Client, identifiant Peppol", "L’adresse Peppol du client manque."),
        ("BR-CO-15", "/Invoice[1]/LegalMonetaryTotal[1]", "Document, total TVAC", "n’est pas la somme"),
        ("BR-S-08", "/Invoice[1]/TaxTotal[1]/TaxSubtotal[1]", "Document, TVA par taux", "n’est pas la somme"),
        ("PEPPOL-EN16931-R110", "/Invoice[1]/InvoiceLine[12]/InvoicePeriod[1]", "Ligne 12", "sort de celle du document"),
        ("BR-CO-09", "/Invoice[1]/AccountingSupplierParty[1]/Party[1]/PartyTaxScheme[1]", "Vendeur, numéro de TVA", "code de son pays"),
        ("NEW-RULE-2027", "/CreditNote[1]", "Document", "son texte est ci-dessous"),
    ],
)  # fmt: skip
def test_a_finding_is_told_by_its_field(rule, path, where, says):
    told = rule_words.explain({"rule": rule, "flag": "fatal", "location": path, "text": "official"}, "fr")
    assert told.where == where and says in told.sentence and told.official == "official"


def test_what_the_seller_must_mend_is_not_asked_of_the_customer():
    path = "/Invoice[1]/AccountingSupplierParty[1]/Party[1]/PartyLegalEntity[1]/CompanyID[1]"
    told = rule_words.explain(
        {"rule": "PEPPOL-COMMON-R043", "flag": "fatal", "location": path, "text": ""}, "fr"
    )
    assert told.where.startswith("Vendeur") and "société émettrice" in told.mend


def test_every_rule_that_our_checker_refuses_in_the_published_files_has_a_sentence(
    peppol_folder, peppol_rules
):
    expected = json.loads((peppol_folder / "expected.json").read_text())["invalid"]
    for name in expected:
        for finding in peppol_rules.check((peppol_folder / name).read_bytes()):
            told = rule_words.explain(
                {
                    "rule": finding.rule,
                    "flag": finding.flag,
                    "location": finding.location,
                    "text": finding.text,
                },
                "fr",
            )
            assert told.sentence != rule_words.OTHERWISE.sentence, finding.rule
