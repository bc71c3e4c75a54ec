"""The contract over HTTP: its dates, its calendar file, giving notice, taking it back; with and without scripts."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
import vobject
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tests.builders import Signed, a_reseller, a_subscription, a_user, an_account
from tests.conftest import Clock
from tests.support.page import Page
from tests.support.signing_in import sign_in
from webapp.domain.access import Role
from webapp.models.records import AuditEntry, OutboxMessage
from webapp.models.subscriptions import Establishment, ScheduledChange, Subscription

TODAY = date(2026, 11, 16)
BRUSSELS = ZoneInfo("Europe/Brussels")


@pytest.fixture
def parc(session: Session, clock: Clock) -> Signed:
    """Three addresses on Pro since 1 March, November billed."""
    signed = a_subscription(session, establishments=3, billed_through=TODAY)
    session.commit()
    return signed


def as_role(
    client: FlaskClient, session: Session, signed: Signed, role: Role = Role.OWNER, language: str = "fr"
) -> FlaskClient:
    user = a_user(session, signed.account, role, language=language)
    sign_in(client, session, user)
    return client


def at(signed: Signed, path: str) -> str:
    return f"/abonnements/{signed.id}/{path}"


def pending(session: Session, signed: Signed) -> list[str]:
    rows = session.scalars(select(ScheduledChange.status).where(ScheduledChange.subscription_id == signed.id))
    found = list(rows)
    session.rollback()  # SQLite has one writer, and it is the portal's turn
    return found


def confirm(page: Page, htmx: bool = False, **fields: object) -> Page:
    return page.form("confirm").fill(understood=True, **fields).submit("Confirmer la résiliation", htmx=htmx)


# ── The dates ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_contract_says_its_dates_in_words_and_in_a_picture(client, session, parc):
    page = Page.get(as_role(client, session, parc), at(parc, "engagement"))
    assert page.text("#last-notice-day dd") == "1er janvier 2027encore 46 jours, ce jour-là compris"
    assert "1er mars 2027" in page.text("#renewal dd")
    assert page.texts("ol.dates time") == ["1er décembre 2026", "1er janvier 2027", "1er mars 2027"]
    assert (
        page.texts("#leaving p")[0]
        == "Un préavis donné aujourd’hui mettrait fin à l’abonnement le 28 février 2027 au soir."
    )


@pytest.mark.parametrize(
    ("language", "last_day"),
    [
        ("fr", "Dernier jour de préavis"),
        ("nl", "Laatste dag om op te zeggen"),
        ("en", "Last day to give notice"),
    ],
)
def test_the_calendar_file_is_read_back_with_the_same_dates(client, session, parc, language, last_day):
    as_role(client, session, parc, language=language)
    answer = client.get(at(parc, "engagement.ics"))
    assert answer.mimetype == "text/calendar"
    assert "attachment" in answer.headers["Content-Disposition"]
    events = vobject.readOne(answer.get_data(as_text=True)).vevent_list
    assert [event.dtstart.value for event in events] == [
        date(2026, 12, 1),
        date(2027, 1, 1),
        date(2027, 3, 1),
    ]
    assert [event.dtend.value for event in events] == [date(2026, 12, 2), date(2027, 1, 2), date(2027, 3, 2)]
    assert events[1].summary.value.startswith(last_day)
    assert len({event.uid.value for event in events}) == 3


def test_the_events_keep_their_identity_from_one_download_to_the_next(client, session, parc, clock):
    clock.set(datetime(2026, 11, 16, 22, tzinfo=BRUSSELS))
    as_role(client, session, parc)

    def events() -> dict[str, int]:
        text = client.get(at(parc, "engagement.ics")).get_data(as_text=True)
        return {each.uid.value: int(each.sequence.value) for each in vobject.readOne(text).vevent_list}

    first = events()
    clock.set(datetime(2026, 11, 17, 1, tzinfo=BRUSSELS))
    assert events() == first
    confirm(Page.get(client, at(parc, "resilier")))
    after = events()
    assert set(after) < set(first)  # the end takes the place of the renewal, and no event is added
    assert min(after.values()) > max(first.values())


# ── Before asking ────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_page_says_the_date_and_why_before_asking(client, session, parc):
    page = Page.get(as_role(client, session, parc), at(parc, "resilier"))
    assert page.text("#end-title") == "28 février 2027 au soir"
    assert "donné à temps : le dernier jour est le 1er janvier 2027" in page.text("#why").replace("\xa0", " ")
    assert "fin le 29 février 2028" in page.text(".figures")
    assert len(page.all("#left > dl.lines:first-of-type > div")) == 3
    assert pending(session, parc) == []


def test_late_notice_moves_the_end_to_the_next_term(client, session, parc, clock):
    clock.set(datetime(2027, 1, 2, 0, 30, tzinfo=BRUSSELS))
    page = Page.get(as_role(client, session, parc), at(parc, "resilier"))
    assert page.text("#end-title") == "29 février 2028 au soir"
    assert "Le dernier jour de préavis était le 1er janvier 2027" in page.text("#why")
    assert page.has("#left details.disclosure")


def test_at_the_last_minute_notice_is_in_time(client, session, parc, clock):
    clock.set(datetime(2027, 1, 1, 23, 59, tzinfo=BRUSSELS))
    page = Page.get(as_role(client, session, parc), at(parc, "resilier"))
    assert page.text("#end-title") == "28 février 2027 au soir"
    assert "C’est aujourd’hui le dernier jour" in page.text("#why")


@pytest.mark.parametrize(
    ("language", "end"),
    [
        ("fr", "28 février 2027 au soir"),
        ("nl", "28 februari 2027 ’s avonds"),
        ("en", "End of day, 28 February 2027"),
    ],
)
def test_the_end_is_said_in_each_language(client, session, parc, language, end):
    page = Page.get(as_role(client, session, parc, language=language), at(parc, "resilier"))
    assert page.text("#end-title") == end


# ── Giving notice ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("htmx", [False, True])
def test_notice_is_given_with_and_without_scripts_and_taken_back(client, session, parc, htmx):
    as_role(client, session, parc)
    done = confirm(Page.get(client, at(parc, "resilier")), htmx=htmx, reason="closing", comment="Merci")
    if htmx:
        done = Page.get(client, done.headers["HX-Redirect"])
    assert "se termine le 28 février 2027 au soir" in done.text("#pending")
    assert pending(session, parc) == ["pending"]
    [link] = [each for each in done.all("#pending a") if "Accusé de réception" in (each.text_content() or "")]
    letter = client.get(link.get("href"))
    assert letter.mimetype == "application/pdf"
    assert letter.get_data().startswith(b"%PDF-")
    assert "attachment" in letter.headers["Content-Disposition"]
    back = done.form("cancel-termination").submit(htmx=htmx)
    if htmx:
        back = Page.get(client, back.headers["HX-Redirect"])
    assert "est annulée" in back.text("#flashes")
    assert not back.has("#pending")
    assert pending(session, parc) == ["undone"]


def test_the_date_must_be_agreed_to_and_what_was_typed_is_kept(client, session, parc):
    as_role(client, session, parc)
    page = (
        Page.get(client, at(parc, "resilier"))
        .form("confirm")
        .fill(comment="Merci à tous")
        .submit("Confirmer la résiliation")
    )
    assert page.status == 422
    assert "Cochez cette case" in page.text("#confirm")
    assert page.text("#confirm textarea") == "Merci à tous"
    assert pending(session, parc) == []


def test_a_forged_reason_is_refused(client, session, parc):
    as_role(client, session, parc)
    assert confirm(Page.get(client, at(parc, "resilier")), reason="<script>").status == 422
    assert pending(session, parc) == []


def test_confirming_twice_gives_notice_once(client, session, parc):
    as_role(client, session, parc)
    form = Page.get(client, at(parc, "resilier")).form("confirm").fill(understood=True)
    first, second = form.submit("Confirmer la résiliation"), form.submit("Confirmer la résiliation")
    assert first.address == second.address
    assert first.text("#flashes") == second.text("#flashes") != ""
    assert pending(session, parc) == ["pending"]
    mails = session.scalar(select(func.count()).where(OutboxMessage.template == "termination_received"))
    assert mails == 1


def test_a_page_from_yesterday_shows_the_new_date_and_keeps_what_was_typed(client, session, parc, clock):
    clock.set(datetime(2027, 1, 1, 23, 50, tzinfo=BRUSSELS))
    as_role(client, session, parc)
    form = Page.get(client, at(parc, "resilier")).form("confirm").fill(understood=True, comment="Au revoir")
    clock.set(datetime(2027, 1, 2, 0, 10, tzinfo=BRUSSELS))
    page = form.submit("Confirmer la résiliation")
    assert page.status == 409
    assert "n’est plus à jour" in page.text("#termination")
    assert page.text("#end-title") == "29 février 2028 au soir"
    assert page.text("#confirm textarea") == "Au revoir"
    assert not page.one("#confirm input[name=understood]").get("checked")
    assert pending(session, parc) == []


def test_the_fragment_is_the_piece_of_the_page(client, session, parc):
    as_role(client, session, parc)
    page = Page.get(client, at(parc, "resilier"))
    fragment = page.form("confirm").submit("Confirmer la résiliation", htmx=True)
    assert fragment.status == 422
    assert fragment.ids == ["termination"]


def test_the_page_of_a_termination_pending_leads_to_it(client, session, parc):
    as_role(client, session, parc)
    confirm(Page.get(client, at(parc, "resilier")))
    assert Page.get(client, at(parc, "resilier")).address == at(parc, "engagement")


def test_a_change_of_plan_offers_to_take_the_termination_back_first(client, session, parc):
    as_role(client, session, parc)
    confirm(Page.get(client, at(parc, "resilier")))
    refused = Page.get(client, at(parc, "formules/premium/apercu"))
    assert refused.status == 422
    assert refused.follow("Annuler la résiliation").has("#cancel-termination")


def test_cancelling_what_is_not_pending_is_refused_in_words(client, session, parc):
    as_role(client, session, parc)
    page = confirm(Page.get(client, at(parc, "resilier")))
    form = page.form("cancel-termination")
    form.submit()
    again = form.submit()
    assert again.status == 409
    assert "plus en attente" in again.text("#termination")


# ── The end ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def over(app: Flask, client: FlaskClient, session: Session, parc: Signed, clock: Clock) -> Signed:
    """Notice was given in November, every invoice issued, and the last day has passed."""
    as_role(client, session, parc)
    confirm(Page.get(client, at(parc, "resilier")))
    runner = app.test_cli_runner()
    clock.set(date(2027, 3, 1))
    assert runner.invoke(args=["bill", "--on", "2027-03-01"]).exit_code == 0
    assert runner.invoke(args=["renew", "--on", "2027-03-01"]).exit_code == 0
    as_role(client, session, parc)
    return parc


def test_the_day_after_the_end_the_contract_is_read_only(client, session, over):
    assert session.get_one(Subscription, over.id).status == "ended"
    session.rollback()
    page = Page.get(client, at(over, "engagement"))
    assert "a pris fin le 28 février 2027 au soir" in page.text("#ended")
    assert not page.all("main form")
    refused = Page.get(client, at(over, "resilier"))
    assert refused.status == 422
    assert "plus rien ne peut être modifié" in refused.text("#termination")
    assert Page.get(client, at(over, "formules/premium/apercu")).status == 422


# What a tab left open would send: an address of each door, and fields that its form takes.
REFUSED_AFTER_THE_END = [
    ("options", {"emails-quantity": "2", "preview": "0" * 64}),
    ("etablissements/ajouter", {"name": "Café", "street": "Rue Haute 9", "postcode": "1000", "city": "Bruxelles"}),
    ("etablissements/{place}/modifier", {"name": "Café", "street": "Rue 9", "postcode": "1000", "city": "Bruxelles"}),
    ("etablissements/{place}/retirer", {"preview": "0" * 64}),
    ("options/concierge/devis", {"description": "Tenir notre site à jour chaque semaine"}),
    ("formules/premium/confirmer", {"preview": "0" * 64}),
    ("resilier/confirmer", {"preview": "0" * 64, "understood": "1"}),
]  # fmt: skip


@pytest.mark.parametrize(("path", "fields"), REFUSED_AFTER_THE_END)
def test_after_the_end_every_form_is_refused_in_words(client, session, over, path, fields):
    page = Page.get(client, at(over, "engagement"))
    before = session.scalar(select(func.count()).select_from(AuditEntry))
    place = session.scalars(
        select(Establishment.id)
        .where(Establishment.subscription_id == over.id)
        .order_by(Establishment.position)
    ).first()
    session.rollback()
    token = page.one("meta[name='csrf-token']").get("content")
    values = {"csrf_token": token, "idempotency_key": "0" * 32, **fields}
    refused = Page(client, client.post(at(over, path.format(place=place)), data=values))
    assert refused.status in (409, 422)
    assert "est terminé depuis le 1er mars 2027" in refused.text("main"), refused.text("main")
    session.expire_all()
    assert session.scalar(select(func.count()).select_from(AuditEntry)) == before
    session.rollback()


def test_after_the_end_billing_details_can_be_read_and_no_longer_changed(client, session, parc, clock, over):
    page = Page.get(client, at(parc, "coordonnees"))
    assert page.status == 200
    assert "est terminé depuis" in page.text("#billing-details")
    assert not page.all("#billing-details input")


def test_what_is_only_read_stays_after_the_end(client, session, over):
    for path in (
        "",
        "options",
        "etablissements",
        "coordonnees",
        "historique",
        "aide",
        "utilisateurs",
        "donnees",
    ):
        page = Page.get(client, at(over, path).rstrip("/"))
        assert page.status == 200, path


def test_its_invoices_stay(client, session, over):
    page = Page.get(client, at(over, "factures"))
    assert page.status == 200
    assert "2026" in page.text("main")


# ── Consumers ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("htmx", [False, True])
def test_a_consumer_withdraws_and_gets_the_unused_days_back(client, session, clock, htmx):
    account = an_account(session, "Marie Petit", vat_number=None)
    account.kind = "consumer"
    marie = a_subscription(session, account=account, starts_on=date(2026, 11, 2), billed_through=TODAY)
    as_role(client, session, marie)
    page = Page.get(client, at(marie, "engagement"))
    assert "Jusqu’au 16 novembre 2026 compris" in page.text("#withdrawal")
    asked = page.follow("Me rétracter")
    assert "50,98" in asked.text("#left .grand, #left .sum")
    done = asked.form("confirm").submit("Confirmer la rétractation", htmx=htmx)
    if htmx:
        done = Page.get(client, done.headers["HX-Redirect"])
    assert done.has("#ended")


def test_a_business_has_nothing_to_withdraw(client, session, clock):
    signed = a_subscription(session, starts_on=date(2026, 11, 2), billed_through=TODAY)
    as_role(client, session, signed)
    assert not Page.get(client, at(signed, "engagement")).has("#withdrawal")
    page = Page.get(client, at(signed, "retractation"))
    assert page.status == 422
    assert "réservée aux consommateurs" in page.text("#termination")


# ── Who may ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.VIEWER])
def test_a_reader_sees_the_dates_and_is_told_who_may_end(client, session, parc, role):
    as_role(client, session, parc, role)
    page = Page.get(client, at(parc, "engagement"))
    assert "Seul le propriétaire peut résilier l’abonnement" in page.text("#leaving")
    refused = Page.get(client, at(parc, "resilier"))
    assert refused.status == 403
    assert "Seul le propriétaire peut résilier" in refused.text("main")


def test_another_tenants_contract_is_not_found(client, session, parc):
    other = a_subscription(session)
    as_role(client, session, other)
    for path in (
        "engagement",
        "engagement.ics",
        "resilier",
        "retractation",
        "resilier/1/accuse-de-reception",
    ):
        assert Page.get(client, at(parc, path)).status == 404
    form = Page.get(client, at(other, "resilier")).form("confirm").fill(understood=True)
    form.element.set("action", at(parc, "resilier/confirmer"))
    assert form.submit("Confirmer la résiliation").status == 404
    assert pending(session, parc) == []


@pytest.mark.parametrize("path", ["resilier/confirmer", "resilier/1/annuler", "retractation/confirmer"])
def test_get_never_ends_anything(client, session, parc, path):
    as_role(client, session, parc)
    assert client.get(at(parc, path)).status_code == 405


def test_a_resellers_client_sees_whom_to_contact(client, session, clock):
    signed = a_subscription(session, reseller=a_reseller(session), billed_through=TODAY)
    as_role(client, session, signed)
    assert "aide@horecaplus.example" in Page.get(client, at(signed, "engagement")).text("#leaving")
    assert Page.get(client, at(signed, "resilier")).status == 422


# ── Commands ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_commands_say_what_they_did_and_twice_changes_nothing(app, client, session, parc):
    as_role(client, session, parc)
    runner = app.test_cli_runner()
    assert "1 annonces" in runner.invoke(args=["announce", "--on", "2026-12-02"]).output
    assert "0 annonces" in runner.invoke(args=["announce", "--on", "2026-12-02"]).output
    runner.invoke(args=["bill", "--on", "2027-03-01"])
    assert "1 reconductions" in runner.invoke(args=["renew", "--on", "2027-03-01"]).output
    assert "0 reconductions" in runner.invoke(args=["renew", "--on", "2027-03-01"]).output
    link = session.scalars(
        select(OutboxMessage.text_body).where(OutboxMessage.template == "renewal_done")
    ).one()
    assert f"http://localhost/abonnements/{parc.id}/engagement" in link
