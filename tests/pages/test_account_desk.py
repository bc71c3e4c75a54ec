"""The desk of an account and the box that leads to it, over HTTP."""

import io
import json
import zipfile
from datetime import date, timedelta

import pytest
from sqlalchemy import select

from tests.builders import (
    CLAIRE,
    a_mandate,
    a_subscription,
    a_user,
    an_account,
    ladders,
    noon,
    pays,
)
from tests.support.page import HTMX, Page
from tests.support.page_linter import problems
from tests.support.signing_in import sign_in
from webapp.domain.access import Role
from webapp.models.invoices import Invoice
from webapp.models.records import AuditEntry, OutboxMessage
from webapp.models.subscriptions import ScheduledChange, SubscriptionOption
from webapp.models.team import AccountNote
from webapp.services import audit, billing
from webapp.services.subscriptions import NewOption

TODAY = date(2026, 11, 16)


@pytest.fixture
def parc(session, clock):
    clock.set(TODAY)
    ladders(session)
    signed = a_subscription(
        session,
        starts_on=date(2026, 8, 1),
        establishments=3,
        options=[NewOption("emails", 4), NewOption("booking", at=1), NewOption("booking", at=2)],
    )
    for month in (8, 9, 10, 11):
        first = date(2026, month, 1)
        billing.bill_due(session, signed.id, first, noon(first))
    a_user(session, signed.account, email="claire@parc.example", full_name="Claire Janssens")
    a_user(session, signed.account, Role.ACCOUNTANT, email="compta@parc.example", full_name="Anne Verlinden")
    a_mandate(session, signed.id)
    session.commit()
    return signed


@pytest.fixture
def team(app, session, parc):
    user = a_user(session, staff_role="billing", full_name="Nora Maes")
    return sign_in(app.test_client(), session, user)


@pytest.fixture
def address(session, parc):
    found = f"/equipe/comptes/{parc.account.reference}"
    session.commit()
    return found


# ── The box ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_box_stands_on_every_page_of_the_team_and_works_without_scripts(session, team, address):
    for path in ("/equipe/factures", "/equipe/impayes", "/equipe/comptes", address):
        page = Page.get(team, path)
        assert page.form("team-search").element.get("method") == "get", path
    page = page.form("team-search").fill(q="janssens").submit()
    assert page.address == address


def test_one_answer_opens_its_desk_and_several_say_why(session, team, address):
    an_account(session, "Guinguette du Parc", invoice_email="bar@parc.example")
    session.commit()
    page = Page.get(team, "/equipe/comptes", q="parc")
    assert page.texts("#found b") == ["Brasserie du Parc", "Guinguette du Parc"]
    assert page.one("#team-q").get("value") == "parc"
    assert problems(page.html) == []
    page = Page.get(team, "/equipe/comptes", q="bar@parc")
    assert page.text("h1") == "Guinguette du Parc"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "Qui cherchez-vous"),
        ("x", "Écrivez au moins deux signes"),
        ("introuvable", "Rien ne correspond à « introuvable »"),
        ("<script>", "Rien ne correspond à « <script> »"),
        ("a" * 500, "Rien ne correspond"),
    ],
)
def test_what_finds_nothing_says_what_to_try(team, typed, said):
    page = Page.get(team, "/equipe/comptes", q=typed)
    assert (page.status, said in page.text("#found")) == (200, True)
    assert problems(page.html) == []


def test_a_catalogue_editor_has_no_box(app, session, parc):
    editor = sign_in(app.test_client(), session, a_user(session, staff_role="catalogue"))
    assert not Page.get(editor, "/equipe/devis").has("#team-search")
    assert editor.get("/equipe/comptes").status_code == 403


@pytest.mark.parametrize(
    "typed", ["parc", "parc brasserie", "0876.543.270", "F2026-1", "claire@parc.example"]
)
def test_a_search_takes_three_statements(team, statements, address, typed):
    team.get("/equipe/comptes", query_string={"q": typed})
    statements.clear()
    team.get("/equipe/comptes", query_string={"q": typed})
    assert len(statements) <= 3


# ── The desk ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_everything_about_the_account_is_on_one_page(team, address):
    page = Page.get(team, address)
    assert page.status == 200
    assert problems(page.html) == []
    assert page.text("h1") == "Brasserie du Parc"
    subscription = page.text("#subscription")
    for words in ("Formule Pro 79,00 €", "Actif", "Prochaine facture, TVAC"):
        assert words in subscription, words
    assert "préavis de 2 mois" in page.text("#terms")
    assert "3 établissements" in page.text("#places")
    details = page.text("#details")
    assert "•••• 6769" in details
    assert "BE71 0961 2345 6769" not in page.text()
    assert page.texts("#people b") == ["Claire Janssens", "Anne Verlinden"]


def test_the_prices_shown_are_those_of_the_next_invoice(team, address):
    page = Page.get(team, address)
    rows = [row.text_content().split()[0] for row in page.all("#subscription tbody td.num .money")]
    total = sum(int(each.replace(",", "").replace("\u202f", "")) for each in rows)
    shown = page.texts("#subscription .lines dd")[0]
    assert shown == f"{total // 100},{total % 100:02} €"


def test_open_invoices_say_how_late_they_are(session, team, address, parc):
    page = Page.get(team, address)
    assert page.texts("#open-invoices tbody th") == [
        each.number for each in session.scalars(select(Invoice).order_by(Invoice.id))
    ]
    session.rollback()
    assert "En retard de 93 jours" in page.text("#open-invoices")
    assert "4 factures échues" in page.text("#arrears")
    for invoice in session.scalars(select(Invoice)).all():
        pays(session, invoice, invoice.total_cents, on=TODAY)
    session.commit()
    page = Page.get(team, address)
    assert not page.has("#arrears")
    assert "Tout est payé." in page.text("#open-invoices")


def test_what_is_to_come_stands_beside_what_it_changes(session, team, address, parc):
    held = session.scalars(select(SubscriptionOption)).first()
    session.add(
        ScheduledChange(
            subscription_id=parc.id,
            kind="option",
            effective_on=date(2026, 12, 1),
            facts={"option_id": held.id, "quantity": 1},
            requested_by="Claire Janssens",
            requested_at=noon(TODAY),
        )
    )
    session.commit()
    page = Page.get(team, address)
    assert "Demandé par Claire Janssens" in page.text("#pending")
    assert "1 à partir du 1er décembre 2026" in page.text("#subscription")


def test_an_account_whose_subscription_has_ended_or_never_began_has_its_desk(session, team):
    bare = an_account(session, "Nouveau").reference
    ended = a_subscription(session, account=an_account(session, "Parti"), starts_on=date(2025, 1, 1))
    ended.subscription.status, ended.subscription.ended_on = "ended", date(2026, 1, 1)
    gone = ended.account.reference
    session.commit()
    page = Page.get(team, f"/equipe/comptes/{bare}")
    assert "n’a pas encore d’abonnement" in page.text("#subscription")
    assert problems(page.html) == []
    page = Page.get(team, f"/equipe/comptes/{gone}")
    assert "dernier jour le 31 décembre 2025" in page.text("#subscription")
    assert not page.has("#terms")
    assert team.get("/equipe/comptes/CA-0").status_code == 404


def test_another_language_says_it_all(session, team, address):
    from webapp.models.accounts import User

    session.scalars(select(User).where(User.full_name == "Nora Maes")).one().language = "nl"
    session.commit()
    page = Page.get(team, address)
    words = page.text("main")
    for dutch in (
        "Contractvoorwaarden",
        "Openstaande facturen",
        "Nota’s voor collega’s",
        "Taal van de klant: Frans.",
    ):
        assert dutch in words, dutch
    assert problems(page.html) == []


# ── Its cost ─────────────────────────────────────────────────────────────────────────────────────────────────────


def a_large_account(session, establishments, invoices):
    """As many establishments and open invoices as asked, with people, notes, mails and acts to match."""
    signed = a_subscription(
        session,
        account=an_account(session, f"Chaîne {establishments}"),
        starts_on=date(2026, 11, 1),
        establishments=establishments,
        billed_through=TODAY,
    )
    first = session.scalars(select(Invoice).where(Invoice.account_id == signed.account_id)).one()
    copied = {
        column.name: getattr(first, column.name)
        for column in Invoice.__table__.columns
        if column.name != "id"
    }
    for number in range(1, invoices):
        due = TODAY - timedelta(days=number)
        changed = {
            "series_number": establishments * 1000 + 50_000 + number,
            "number": f"F{establishments}-{number:05}",
            "run_kind": None,
            "run_on": None,
        }
        session.add(Invoice(**(copied | changed | {"due_on": due, "ogm": f"{number:012}"})))
    for number in range(20):
        a_user(session, signed.account, Role.VIEWER)
        session.add(
            OutboxMessage(
                account_id=signed.account_id,
                created_at=noon(TODAY),
                recipient="a@b.example",
                language="fr",
                template="reminder",
                subject=f"Rappel {number}",
                text_body="",
                html_body="",
            )
        )
    session.commit()
    return f"/equipe/comptes/{signed.account.reference}"


def test_the_desk_takes_eight_statements_whatever_it_holds(session, team, statements):
    counts = {}
    for size in ((1, 12), (500, 200)):
        path = a_large_account(session, *size)
        session.commit()
        team.get(path)
        statements.clear()
        answer = team.get(path)
        assert answer.status_code == 200
        counts[size] = len(statements)
        assert len(answer.data) < 60_000, "lists are shown some rows at a time"
    assert counts[(1, 12)] == counts[(500, 200)]
    assert max(counts.values()) <= 8


def test_long_lists_are_read_page_by_page(session, team):
    path = a_large_account(session, 20, 25)
    page = Page.get(team, path)
    assert len(page.all("#open-invoices tbody tr")) == 10
    assert len(page.all("#places li .disc")) == 8
    page = Page.get(team, path, ouvertes=3, lieux=2)
    assert len(page.all("#open-invoices tbody tr")) == 5
    assert "Adresse 9" in page.text("#places")
    assert Page.get(team, path, ouvertes=99, lieux=-4).status == 200
    assert Page.get(team, path, ouvertes="x").status == 200


# ── Notes ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_note_is_kept_for_colleagues_with_and_without_scripts(session, team, address):
    page = Page.get(team, address).form("note").fill(text="Préfère être appelée le matin.").submit()
    assert page.address == address
    assert "La note est gardée." in page.text("#flashes")
    swapped = page.form("note").fill(text="A reçu l’offre <b>Premium</b>.\nÀ rappeler.").submit(htmx=True)
    assert swapped.ids == ["account-notes"]
    page = page.reload()
    assert swapped.piece("account-notes") == page.piece("account-notes")
    notes = page.texts("#account-notes li p")
    assert notes == ["A reçu l’offre <b>Premium</b>. À rappeler.", "Préfère être appelée le matin."]
    assert "Nora Maes" in page.text("#account-notes")
    assert session.scalars(select(AuditEntry).where(AuditEntry.action.like("%note%"))).all() == []


def test_an_empty_note_is_refused_with_what_was_typed(session, team, address):
    for htmx in (False, True):
        page = Page.get(team, address).form("note").fill(text="   ").submit(htmx=htmx)
        assert (page.status, page.form("note").error("text")) == (422, "Écrivez la note.")
    page = Page.get(team, address).form("note").fill(text="é" * 4001).submit()
    assert page.status == 422
    assert session.scalars(select(AccountNote)).all() == []


def test_the_client_never_sees_a_note_nor_takes_it_away(app, session, team, address, parc):
    from webapp.models.accounts import User

    Page.get(team, address).form("note").fill(text="Client difficile, rester calme").submit()
    owner = session.scalars(select(User).where(User.email == "claire@parc.example")).one()
    client = sign_in(app.test_client(), session, owner)
    for end in ("", "/historique", "/donnees"):
        assert "rester calme" not in client.get(f"/abonnements/{parc.id}{end}").get_data(as_text=True)
    page = Page.get(client, f"/abonnements/{parc.id}/donnees")
    form = page.form(action="/telecharger")
    archive = client.post(
        form.element.get("action"), data=form.values, headers={"Sec-Fetch-Site": "same-origin"}
    )
    data = zipfile.ZipFile(io.BytesIO(archive.get_data())).read("donnees.json").decode()
    assert "rester calme" not in json.dumps(json.loads(data), ensure_ascii=False)


# ── History ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def acts(session, parc):
    account = parc.account_id
    told = [
        ("payment.received", {"amount_cents": 18755, "settled": ["F2026-1"]}),
        ("dunning.reminded", {"invoices": ["F2026-2"]}),
        ("support.written", {}),
    ]
    for days, (action, after) in enumerate(told):
        audit.record(session, CLAIRE, account, action, "", {}, after, noon(TODAY + timedelta(days=days)))
    session.add(
        OutboxMessage(
            account_id=account,
            created_at=noon(TODAY + timedelta(days=9)),
            recipient="claire@parc.example",
            language="fr",
            template="reminder",
            subject="Votre facture",
            text_body="",
            html_body="",
        )
    )
    session.commit()


def test_the_history_merges_acts_and_mails_newest_first(team, address, acts):
    lines = Page.get(team, address).texts("#account-history li")
    assert lines[0].startswith("E-mail « Votre facture » Pas encore parti à claire@parc.example")
    assert lines[1].startswith("Message envoyé à notre équipe.")
    assert lines[2].startswith("Rappel de paiement envoyé : F2026-2.")
    assert lines[3].startswith("Paiement de 187,55 € reçu pour F2026-1.")


@pytest.mark.parametrize(
    ("genre", "first"),
    [
        ("changements", "Message envoyé à notre équipe."),
        ("emails", "E-mail « Votre facture »"),
        ("paiements", "Paiement de 187,55 €"),
        ("rappels", "Rappel de paiement"),
        ("n-importe", "E-mail « Votre facture »"),
    ],
)
def test_the_history_is_read_by_genre(team, address, acts, genre, first):
    whole = Page.get(team, f"{address}/historique", genre=genre)
    swapped = Page.get(team, f"{address}/historique", genre=genre, htmx=True)
    assert whole.text("h1") == "Brasserie du Parc"
    assert swapped.ids == ["account-history"]
    assert swapped.piece("account-history") == whole.piece("account-history")
    assert swapped.texts("li strong")[0].startswith(first)


def test_the_history_is_read_page_by_page(session, team, address, parc, acts):
    for number in range(40):
        moment = noon(date(2026, 1, 1) + timedelta(days=number))
        audit.record(session, CLAIRE, parc.account_id, "support.written", "", {}, {}, moment)
    session.commit()
    seen = []
    page = Page.get(team, address)
    while True:
        seen += page.texts("#account-history li")
        older = [
            link for link in page.all("#account-history footer a") if "Plus anciens" in link.text_content()
        ]
        if not older:
            break
        page = Page.get(team, older[0].get("href"))
    assert len(seen) > 40
    assert len(page.all("#account-history footer a")) == 1
    assert team.get(f"{address}/historique?page=9999", headers=HTMX).status_code == 200


def test_every_genre_knows_its_acts():
    from webapp.services import account_desk, history

    assert set(account_desk.PAYMENTS) | set(account_desk.REMINDERS) <= set(history.TOLD)
    assert not set(account_desk.PAYMENTS) & set(account_desk.REMINDERS)
