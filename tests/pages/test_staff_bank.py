"""The bank's pages of the team: files, movements that nobody recognised, direct debit files."""

import io
from datetime import date

import pytest
from sqlalchemy import func, select

from tests.builders import a_subscription, a_user
from tests.support.bank_files import Line, camt
from tests.support.banking import VAULT, a_mandate
from tests.support.page import Page
from tests.support.page_linter import problems
from tests.support.signing_in import sign_in
from webapp.adapters import pain008
from webapp.models.invoices import Invoice, Payment
from webapp.models.payments import BankEntry, Collection, DebitBatch
from webapp.models.records import AuditEntry

TODAY = date(2026, 11, 16)  # where the clock of the tests stands


@pytest.fixture
def billed(session, clock):
    signed = a_subscription(session, starts_on=date(2026, 9, 1), billed_through=date(2026, 11, 1))
    session.commit()
    return signed


def as_team(client, session, role="billing", **person):
    sign_in(client, session, a_user(session, staff_role=role, **person))


def invoices(session):
    session.expire_all()
    rows = list(session.scalars(select(Invoice).order_by(Invoice.id)))
    session.expunge_all()
    session.rollback()  # SQLite has one writer: the portal's turn
    return rows


def upload(client, content, name="releve.xml") -> Page:
    form = Page.get(client, "/equipe/banque").form("upload")
    data = {each: values[0] for each, values in form.values.items()} | {"file": (io.BytesIO(content), name)}
    sent = {"data": data, "content_type": "multipart/form-data", "headers": {"Sec-Fetch-Site": "same-origin"}}
    return Page(client, client.post("/equipe/banque", follow_redirects=True, **sent))


def a_line(invoice, **values):
    return Line(invoice.total_cents, TODAY, **({"ogm": invoice.ogm, "reference": "T1"} | values))


def test_a_file_is_read_once_and_its_movements_are_shown(client, session, billed):
    as_team(client, session)
    first = invoices(session)[0]
    content = camt([a_line(first), Line(5000, TODAY, text="merci", name="Inconnu SA")])
    page = upload(client, content)
    assert "Mouvements nouveaux : 2 ; rapprochés : 1 ; à regarder : 1." in page.text("#flashes")
    assert (
        page.texts("#entries tbody tr")[0].count("À rapprocher")
        + page.texts("#entries tbody tr")[1].count("À rapprocher")
        == 1
    )
    assert problems(page.html) == [] and "BE21001275217803" not in page.html
    assert invoices(session)[0].paid_cents == first.total_cents
    assert "déjà été lu" in upload(client, content).text("#flashes")
    assert problems(Page.get(client, "/equipe/banque").html) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"n'importe quoi", "ni un CODA"),
        (camt([Line(100, TODAY)])[:-40], "incomplet ou abîmé"),
        (camt([Line(100, TODAY)], iban="BE71096123456769"), "un autre compte bancaire"),
    ],
)
def test_a_wrong_file_says_why_and_changes_nothing(client, session, billed, content, words):
    as_team(client, session)
    page = upload(client, content)
    assert page.status == 422 and words in page.text("#error-summary")
    assert session.scalar(select(func.count()).select_from(BankEntry)) == 0
    session.rollback()
    assert problems(page.html) == []


def test_no_file_at_all_says_so(client, session, billed):
    as_team(client, session)
    assert "Choisissez un fichier" in Page.get(client, "/equipe/banque").form("upload").submit().text(
        "#error-summary"
    )


def test_a_movement_has_its_candidates_and_is_assigned_then_taken_back(client, session, billed):
    as_team(client, session)
    first, second, *_ = invoices(session)
    near = second.ogm[:5] + str((int(second.ogm[5]) + 1) % 10) + second.ogm[6:]
    upload(
        client,
        camt([Line(second.total_cents, TODAY, text=f"communication {near}", name="BRASSERIE DU PARC")]),
    )
    entry = session.scalars(select(BankEntry)).one().id
    session.rollback()
    page = Page.get(client, f"/equipe/banque/mouvements/{entry}")
    best = page.texts("#candidates .rows > li")[0]
    assert second.number in best and "Communication à un chiffre près" in best
    assert "Nom proche" in best and "Même montant" in best
    assert problems(page.html) == []
    done = page.form(f"candidate-{second.id}").submit()
    assert f"rapproché de {second.number}" in done.text("#flashes")
    assert [each.paid_cents for each in invoices(session)][:2] == [0, second.total_cents]
    undone = done.form(action="reprendre").submit()
    assert "attend de nouveau" in undone.text("#flashes")
    assert all(each.paid_cents == 0 for each in invoices(session))
    again = Page.get(client, f"/equipe/banque/mouvements/{entry}", q=first.number)
    again.form(f"found-{first.id}").submit()
    assert [each.paid_cents for each in invoices(session)][:2] == [first.total_cents, 0]
    total = session.scalar(select(func.sum(Payment.amount_cents)))
    session.rollback()
    assert total == second.total_cents


def test_a_button_pressed_twice_assigns_once(client, session, billed):
    as_team(client, session)
    first = invoices(session)[0]
    upload(client, camt([Line(first.total_cents, TODAY, text="rien")]))
    entry = session.scalars(select(BankEntry)).one().id
    session.rollback()
    form = Page.get(client, f"/equipe/banque/mouvements/{entry}").form(f"candidate-{first.id}")
    form.submit()
    assert "a déjà décidé" in form.submit().text("#flashes")
    assert session.scalar(select(func.count()).select_from(Payment)) == 1
    session.rollback()


def test_a_movement_is_put_aside_with_a_reason(client, session, billed):
    as_team(client, session)
    upload(client, camt([Line(777, TODAY, text="remboursement d’assurance")]))
    entry = session.scalars(select(BankEntry)).one().id
    session.rollback()
    page = Page.get(client, f"/equipe/banque/mouvements/{entry}")
    assert "Écrivez ce que c’est" in page.form("ignore").submit().text("#error-summary")
    page.form("ignore").fill(note="Assurance").submit()
    shown = Page.get(client, "/equipe/banque/mouvements", etat="ecartes")
    assert "777" not in shown.text("main") or "7,77" in shown.text("main")
    assert "7,77" in shown.text("#entries") and problems(shown.html) == []


def test_a_recalled_transfer_is_tied_to_the_one_it_gives_back(client, session, billed):
    as_team(client, session)
    first = invoices(session)[0]
    upload(client, camt([a_line(first)]))
    upload(
        client, camt([Line(-first.total_cents, TODAY, text="", reason="MS02")], statement="S2"), "deux.xml"
    )
    entry = session.scalars(select(BankEntry).where(BankEntry.state == "unmatched")).one().id
    session.rollback()
    page = Page.get(client, f"/equipe/banque/mouvements/{entry}")
    assert problems(page.html) == []
    done = page.form(action="retour").submit()
    assert "de nouveau ouvertes" in done.text("#flashes")
    assert invoices(session)[0].paid_cents == 0


@pytest.fixture
def ready(session, clock):
    """An invoice to be collected tomorrow, its debtor told."""
    signed = a_subscription(session, starts_on=date(2026, 11, 1))
    a_mandate(session, signed.account)
    from webapp.services import billing, debit_batches

    billing.bill_due(session, signed.id, date(2026, 11, 1), _at(date(2026, 11, 1)))
    invoice = session.scalars(select(Invoice)).one()
    debit_batches.plan_due(session, invoice.id, date(2026, 11, 13), _at(date(2026, 11, 13)))
    session.commit()
    return signed


def _at(day):
    from tests.builders import noon

    return noon(day)


def test_the_next_file_is_shown_made_once_and_downloaded_twice_the_same(client, session, ready):
    as_team(client, session)
    page = Page.get(client, "/equipe/banque/prelevements")
    assert "Premiers (FRST)" in page.text("#next") and problems(page.html) == []
    form = page.form("make")
    made = form.submit()
    assert "DD20261116-1" in made.text("h1") and problems(made.html) == []
    assert form.submit().status == 409
    assert session.scalar(select(func.count()).select_from(DebitBatch)) == 1
    kept = session.scalars(select(DebitBatch)).one()
    sealed, sha = kept.content, kept.sha256
    session.rollback()
    assert b"BE21001275217803" not in sealed
    files = [
        client.post("/equipe/banque/prelevements/DD20261116-1", data=made.form("download").values)
        for _ in "ab"
    ]
    assert files[0].data == files[1].data and files[0].headers["Cache-Control"] == "no-store"
    pain008.check(files[0].data)
    assert b"BE21001275217803" in files[0].data and VAULT.open(sealed.decode()).encode() == files[0].data
    import hashlib

    assert hashlib.sha256(files[0].data).hexdigest() == sha
    seen = session.scalars(
        select(AuditEntry.action).where(AuditEntry.action == "debit_batch.downloaded")
    ).all()
    session.rollback()
    assert len(seen) == 2


def test_a_preview_that_is_behind_shows_the_new_total(client, session, ready):
    as_team(client, session)
    form = Page.get(client, "/equipe/banque/prelevements").form("make")
    invoice = session.scalars(select(Invoice)).one()
    invoice.paid_cents = 100
    session.commit()
    page = form.submit()
    assert page.status == 409 and "n’est plus à jour" in page.text("main")
    assert session.scalars(select(Collection.state)).one() == "planned"
    session.rollback()


def test_support_reads_and_may_not_act(client, session, ready):
    as_team(client, session, "support")
    page = Page.get(client, "/equipe/banque/prelevements")
    assert page.status == 200 and not page.has("#make")
    assert not Page.get(client, "/equipe/banque").has("#upload")


@pytest.mark.parametrize("language", ["nl", "en"])
def test_they_are_told_in_the_readers_language(client, session, ready, language):
    as_team(client, session, language=language)
    for path in ("/equipe/banque", "/equipe/banque/mouvements", "/equipe/banque/prelevements"):
        page = Page.get(client, path)
        assert problems(page.html) == [] and page.one("html").get("lang") == language
        assert "Prélèvement" not in page.text("main") and "Mouvement" not in page.text("main")
