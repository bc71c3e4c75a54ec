"""The requests inbox over HTTP: what clients ask, who answers, what the client reads and writes again (S6, P9)."""

import io
import zipfile
from datetime import date, timedelta

import pytest
from sqlalchemy import select

from tests import builders
from tests.builders import noon
from tests.support.page import Page
from tests.support.page_linter import problems
from tests.support.signing_in import sign_in
from webapp.domain.access import Role
from webapp.models.accounts import User
from webapp.models.records import AuditEntry, OutboxMessage
from webapp.models.requests import ClientRequest, RequestEntry, SavedReply
from webapp.services import billing_details, personal_data, requests, terminations

TODAY = date(2026, 11, 16)
DUTCH = {"language": "nl", "full_name": "Joris Maes", "email": "joris@equipe.example"}

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def signed(session):
    signed = builders.a_subscription(session, starts_on=date(2026, 10, 1), billed_through=date(2026, 11, 1))
    session.commit()
    return signed


def as_client(app, session, signed, role=Role.OWNER, **person):
    return sign_in(app.test_client(), session, builders.a_user(session, signed.account, role, **person))


def as_team(app, session, role="support", **person):
    return sign_in(app.test_client(), session, builders.a_user(session, staff_role=role, **person))


def ask(client, signed, message, page="", **form):
    contact = Page.get(client, f"/abonnements/{signed.id}/contact", depuis=page)
    return contact.form("contact").fill(message=message).submit()


def the_request(session):
    found = session.scalars(select(ClientRequest).execution_options(populate_existing=True)).one()
    session.expunge(found)
    session.rollback()  # SQLite has one writer: the portal's turn
    return found


def written(session, template):
    found = list(session.scalars(select(OutboxMessage).where(OutboxMessage.template == template)))
    for each in found:
        session.expunge(each)
    session.rollback()
    return found


def actions(session):
    found = set(session.scalars(select(AuditEntry.action).where(AuditEntry.action.like("request.%"))))
    session.rollback()
    return found


def a_saved_reply(app, session, name="Facture expliquée"):
    admin = as_team(app, session, "admin")
    page = Page.get(admin, "/equipe/demandes/reponses")
    return (
        page.form("add")
        .fill(
            name=name,
            fr="Bonjour {name}, votre formule {plan} ({reference}).",
            nl="Dag {name}, uw formule {plan} ({reference}).",
            en="Hello {name}, your plan {plan} ({reference}).",
        )
        .submit()
    )


def test_a_message_is_answered_read_on_the_portal_answered_again_and_closed(app, session, signed, clock):
    """The whole life of a request, the team in Dutch, the client in French."""
    a_saved_reply(app, session)
    reference = session.merge(signed.account).reference
    session.rollback()
    client = as_client(app, session, signed, email="claire@parc.example")
    ask(client, signed, "Pourquoi deux lignes", f"/abonnements/{signed.id}/formule")
    asked = the_request(session)
    clock.set(TODAY + timedelta(days=3))
    team = as_team(app, session, **DUTCH)

    page = Page.get(team, "/equipe/demandes")
    assert page.text("h1") == "Aanvragen" and "3 dagen" in page.text("#requests tbody")
    assert page.texts(".mainnav a[aria-current=page] .count")[0].startswith("1")
    assert problems(page.html) == []
    page = page.follow("#requests th a")
    assert "Pro" in page.text("#context") and f"/abonnements/{signed.id}/formule" in page.text("#context")
    assert "Pourquoi deux lignes" in page.text("#conversation") and problems(page.html) == []

    page = page.form("take").submit()
    assert the_request(session).state == "assigned"
    page = page.form("pick").submit()
    words = page.form("answer-form").values["text"][0].strip()
    assert words == f"Bonjour Claire Janssens, votre formule Pro ({reference})."
    page = page.form("answer-form").submit()
    assert words in page.text("#conversation") and the_request(session).state == "answered"
    [mail] = written(session, "request_answered")
    assert (mail.recipient, mail.language, mail.thread) == (
        "claire@parc.example",
        "fr",
        f"demande-{asked.id}",
    )
    assert f"D-{asked.id}" in mail.subject and words in mail.text_body
    assert mail.reply_to == "facturation@centralapp.example"

    client = sign_in(app.test_client(), session, session.get(User, asked.asked_by_id))
    page = Page.get(client, f"/abonnements/{signed.id}/aide").follow("Vos demandes")
    assert "Répondue" in page.text("#requests") and problems(page.html) == []
    page = page.follow("#requests th a")
    assert words in page.text("#conversation") and problems(page.html) == []
    Page.get(team, f"/equipe/demandes/{asked.id}").form("change-state").submit()
    assert the_request(session).state == "closed"
    page = page.reload()
    assert "la rouvre" in page.text("#reply")
    page = page.form("reply-form").fill(message="Merci, mais laquelle ?").submit()
    assert "Merci, mais laquelle ?" in page.text("#conversation")
    again = the_request(session)
    assert again.state == "assigned" and again.waiting_since is not None and again.closed_at is None
    [told] = written(session, "request_replied")
    assert (told.recipient, told.reply_to) == ("facturation@centralapp.example", "claire@parc.example")
    assert f"/equipe/demandes/{asked.id}" in told.text_body

    page = Page.get(team, "/equipe/demandes", vue="les-miennes")
    assert len(page.all("#requests tbody tr")) == 1
    page.follow("#requests th a").form("change-state").submit()
    assert Page.get(team, "/equipe/demandes").all("#requests tbody tr") == []
    assert actions(session) == {"request.assigned", "request.answered", "request.replied", "request.closed"}
    history = Page.get(client, f"/abonnements/{signed.id}/historique").text("main")
    assert f"Notre équipe a répondu à la demande D-{asked.id}." in history and "attribuée" not in history


def test_a_client_who_reads_dutch_is_answered_in_dutch(app, session, signed):
    a_saved_reply(app, session)
    client = as_client(app, session, signed, language="nl", full_name="An Peeters")
    ask(client, signed, "Waarom twee lijnen?")
    asked = the_request(session)
    team = as_team(app, session)
    saved = session.scalars(select(SavedReply.id)).one()
    session.rollback()
    page = Page.get(team, f"/equipe/demandes/{asked.id}", htmx=True, reponse=saved)
    assert page.ids == ["answer"] and "Nederlands" in page.text("#answer")
    assert page.form("answer-form").values["text"][0].strip().startswith("Dag An Peeters, uw formule Pro")
    whole = Page.get(team, f"/equipe/demandes/{asked.id}", reponse=saved)
    assert whole.piece("answer") == page.piece("answer")
    page = whole.form("answer-form").fill(awaits_client=True).submit()
    assert the_request(session).state == "waiting"
    [mail] = written(session, "request_answered")
    assert mail.language == "nl" and mail.subject.startswith("Ons antwoord")
    assert "Wij wachten" in Page.get(client, f"/abonnements/{signed.id}/aide/demandes/{asked.id}").text(
        "main"
    )


def test_the_button_pressed_twice_answers_once_and_a_stale_page_says_so(app, session, signed):
    client = as_client(app, session, signed)
    ask(client, signed, "Une question")
    asked = the_request(session)
    team = as_team(app, session)
    page = Page.get(team, f"/equipe/demandes/{asked.id}")
    form = page.form("answer-form").fill(text="Voici la réponse")
    form.submit()
    assert form.submit().status == 200
    assert len(written(session, "request_answered")) == 1
    stale = page.form("answer-form").fill(text="Une autre réponse", idempotency_key="0" * 32).submit()
    assert stale.status == 409 and "n’est pas partie" in stale.text("main")
    assert stale.form("answer-form").values["text"][0].strip() == "Une autre réponse"
    assert len(written(session, "request_answered")) == 1
    stale.form("answer-form").submit()
    assert len(written(session, "request_answered")) == 2


def test_an_empty_answer_is_refused_beside_its_field(app, session, signed):
    ask(as_client(app, session, signed), signed, "Une question")
    team = as_team(app, session)
    page = Page.get(team, f"/equipe/demandes/{the_request(session).id}").form("answer-form").submit()
    assert page.status == 422 and "Écrivez votre réponse." in page.text("#answer")
    assert written(session, "request_answered") == [] and problems(page.html) == []


def test_a_note_is_for_colleagues_alone(app, session, signed):
    client = as_client(app, session, signed)
    ask(client, signed, "Une question")
    asked = the_request(session)
    page = Page.get(as_team(app, session), f"/equipe/demandes/{asked.id}")
    page = page.form("note-form").fill(note="Client pressé").submit()
    assert "Client pressé" in page.text("#conversation")
    assert "Client pressé" not in Page.get(client, f"/abonnements/{signed.id}/aide/demandes/{asked.id}").html
    taken = personal_data.export(session, signed.account_id, actor=builders.CLAIRE, now=noon(TODAY))
    session.rollback()
    with zipfile.ZipFile(io.BytesIO(taken)) as archive:
        told = b"".join(archive.read(name) for name in archive.namelist() if name.endswith(".json")).decode()
    assert "Une question" in told and "pressé" not in told


def test_members_read_their_own_requests_and_the_owner_all_of_them(app, session, signed):
    owner = as_client(app, session, signed)
    accountant = as_client(app, session, signed, Role.ACCOUNTANT)
    ask(owner, signed, "Entre nous")
    asked = the_request(session)
    address = f"/abonnements/{signed.id}/aide/demandes"
    assert Page.get(accountant, address).all("#requests tbody tr") == []
    assert Page.get(accountant, f"{address}/{asked.id}").status == 404
    ask(accountant, signed, "Une question de compte")
    session.rollback()
    assert len(Page.get(owner, address).all("#requests tbody tr")) == 2
    assert len(Page.get(accountant, address).all("#requests tbody tr")) == 1


def test_another_account_reads_nothing_of_it(app, session, signed):
    ask(as_client(app, session, signed), signed, "Entre nous")
    asked = the_request(session)
    other = builders.a_subscription(session, starts_on=date(2026, 10, 1))
    session.commit()
    stranger = as_client(app, session, other)
    assert Page.get(stranger, f"/abonnements/{other.id}/aide/demandes/{asked.id}").status == 404
    sent = stranger.post(
        f"/abonnements/{other.id}/aide/demandes/{asked.id}",
        data={"message": "x", "idempotency_key": "0" * 32},
    )
    assert sent.status_code in (400, 404)
    assert session.scalars(select(RequestEntry.text)).all() == ["Entre nous"]


def test_what_a_partner_answers_does_not_wait_for_the_team(app, session):
    partner = builders.a_reseller(session)
    signed = builders.a_subscription(
        session, account=builders.an_account(session, reseller=partner), starts_on=date(2026, 10, 1)
    )
    session.commit()
    ask(as_client(app, session, signed), signed, "Pour mon partenaire")
    asked = the_request(session)
    assert (asked.kind, asked.waiting_since) == ("partner", None)
    team = as_team(app, session)
    assert Page.get(team, "/equipe/demandes").all("#requests tbody tr") == []
    assert (
        len(Page.get(team, "/equipe/demandes", vue="toutes", type="partner").all("#requests tbody tr")) == 1
    )


def test_another_vat_number_is_looked_at_by_the_team_and_a_street_is_not(app, session, signed):
    user = builders.a_user(session, signed.account)
    session.commit()
    actor = builders.Actor(kind="user", id=str(user.id), name=user.full_name)

    def save(**changed):
        known = billing_details.read(session, signed.account_id, noon(TODAY)).details
        wanted = billing_details.replace(known, **changed)
        billing_details.save(
            session, signed.account_id, wanted, "", version=known.version, check_vat=lambda _country, _number: None,
            address_of=str, actor=actor, today=TODAY, now=noon(TODAY),
        )  # fmt: skip
        session.commit()

    save(street="Rue Neuve 2")
    assert session.scalars(select(ClientRequest)).all() == []
    session.rollback()
    save(vat_number="BE0403170701")
    asked = the_request(session)
    assert asked.kind == "details" and asked.facts["changed"]["vat_number"][1] == "BE0403170701"
    page = Page.get(as_team(app, session), f"/equipe/demandes/{asked.id}")
    assert "BE0403170701" in page.text("#context") and problems(page.html) == []
    client = sign_in(app.test_client(), session, session.merge(user))
    address = f"/abonnements/{signed.id}/aide/demandes"
    assert Page.get(client, address).all("#requests tbody tr") == []  # nothing was said yet
    page.form("answer-form").fill(text="Votre numéro est vérifié.").submit()
    assert "Votre numéro est vérifié." in Page.get(client, address).follow("#requests th a").text("main")


def test_a_termination_is_seen_and_leaves_the_inbox_when_it_is_taken_back(app, session, signed):
    user = builders.a_user(session, signed.account)
    actor = builders.Actor(kind="user", id=str(user.id), name=user.full_name)
    shown = terminations.preview(session, signed.id, TODAY)
    done = terminations.terminate(
        session,
        signed.id,
        "price",
        "Trop cher pour l’hiver",
        shown.fingerprint,
        TODAY,
        noon(TODAY),
        actor,
        "x",
    )
    session.commit()
    asked = the_request(session)
    team = as_team(app, session)
    page = Page.get(team, f"/equipe/demandes/{asked.id}")
    assert "C’est trop cher" in page.text("#context") and "Trop cher pour l’hiver" in page.text(
        "#conversation"
    )
    terminations.cancel(session, signed.id, done.change_id, TODAY, noon(TODAY), actor, "x")
    session.commit()
    assert the_request(session).state == "closed"


def test_only_who_answers_may_be_given_a_request(app, session, signed):
    client = as_client(app, session, signed)
    ask(client, signed, "Une question")
    asked = the_request(session)
    seller = builders.a_user(session, staff_role="catalogue", full_name="Karim du catalogue")
    session.commit()
    chosen = str(seller.id)
    session.rollback()
    page = Page.get(as_team(app, session), f"/equipe/demandes/{asked.id}")
    assert "Karim" not in page.text("#assign")
    assert page.form("assign").fill(assignee=chosen).submit().status == 404
    assert the_request(session).assignee_id is None


def test_saved_replies_need_every_language_and_known_braces(app, session):
    page = a_saved_reply(app, session)
    assert "Facture expliquée" in page.text("#replies") and problems(page.html) == []
    form = page.form("add").fill(name="Facture expliquée", fr="Bonjour {prix}", nl="Dag", en="")
    refused = form.submit()
    assert refused.status == 422
    assert "« {prix} »" in refused.form("add").error("fr") and refused.form("add").error("en")
    twice = refused.form("add").fill(fr="Bonjour", en="Hello").submit()
    assert twice.status == 422 and "porte déjà ce nom" in twice.form("add").error("name")
    session.rollback()
    one = page.follow("#replies .end a")
    assert problems(one.html) == []
    one.form("change").fill(name="Une autre", fr="Bonsoir").submit()
    assert session.scalars(select(SavedReply.name)).all() == ["Une autre"]
    session.rollback()
    Page.get(page.client, one.address).form("remove").submit()
    assert session.scalars(select(SavedReply)).all() == []


def test_the_inbox_costs_the_same_whatever_it_holds(app, session, signed, statements):
    actor = builders.CLAIRE
    for number in range(3):
        requests.open_one(
            session, "message", signed.account_id, actor, noon(TODAY), text=f"Question {number}"
        )
    session.commit()
    team = as_team(app, session)
    Page.get(team, "/equipe/demandes")  # what the process keeps is read once
    statements.clear()
    Page.get(team, "/equipe/demandes")
    few = len(statements)
    for number in range(60):
        requests.open_one(session, "message", signed.account_id, actor, noon(TODAY), text=f"Autre {number}")
    session.commit()
    statements.clear()
    page = Page.get(team, "/equipe/demandes")
    assert len(statements) == few <= 4, statements
    assert len(page.all("#requests tbody tr")) == requests.PAGE and "63 demandes" in page.text("#requests h2")
    assert "Question 0" in page.texts("#requests tbody tr")[0]
    older = Page.get(team, "/equipe/demandes", page=3)
    assert len(older.all("#requests tbody tr")) == 13
    swapped = Page.get(team, "/equipe/demandes", htmx=True, page=3)
    assert swapped.ids == ["requests"] and swapped.piece("requests") == older.piece("requests")


def test_requests_go_with_the_account(session, signed):
    requests.open_one(session, "message", signed.account_id, builders.CLAIRE, noon(TODAY), text="Bonjour")
    requests.erase(session, signed.account_id)
    assert session.scalars(select(RequestEntry)).all() == session.scalars(select(ClientRequest)).all() == []
