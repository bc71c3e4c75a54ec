"""Options over HTTP: a draft that is priced as it goes, previewed, saved once; with and without scripts.

Pro on monthly billing since 1 March, one address, four mailboxes. On 10 November, 21 of the 30 days are left: a mailbox
costs 2,50 × 21/30 = 1,75, customer reviews 19,00 × 21/30 = 13,30.
"""

from datetime import date

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tests.builders import Signed, a_reseller, a_subscription, a_user
from tests.conftest import Clock
from tests.support.page import Page
from tests.support.signing_in import sign_in
from webapp.domain.access import Role
from webapp.models.invoices import Invoice
from webapp.models.records import AuditEntry, OutboxMessage
from webapp.models.subscriptions import Quotation, ScheduledChange, SubscriptionOption
from webapp.services.subscriptions import NewOption

TODAY = date(2026, 11, 10)


@pytest.fixture
def parc(session: Session, clock: Clock) -> Signed:
    clock.set(TODAY)
    signed = a_subscription(session, options=[NewOption("emails", quantity=4)], billed_through=TODAY)
    session.commit()
    return signed


def as_role(client: FlaskClient, session: Session, signed: Signed, role: Role = Role.OWNER) -> FlaskClient:
    return sign_in(client, session, a_user(session, signed.account, role))


def options_of(client: FlaskClient, signed: Signed) -> Page:
    return Page.get(client, f"/abonnements/{signed.id}/options")


def save_words(page: Page) -> str:
    return page.text("#price-summary .btn.primary")


def preview_of(page: Page, **choices: object) -> Page:
    """From the page to its preview as without scripts: the total is asked for first."""
    drawn = page.form("options-form").fill(**choices).submit("Mettre à jour le total")
    return drawn.form("options-form").submit(save_words(drawn))


def saved(page: Page, **choices: object) -> Page:
    return preview_of(page, **choices).form("confirm").submit()


def rows(session: Session, model: type) -> int:
    number = session.scalar(select(func.count()).select_from(model))
    session.rollback()  # SQLite has one writer, and it is the portal's turn
    return number or 0


def test_three_mailboxes_and_a_logo_are_one_invoice(client, session, parc):
    as_role(client, session, parc)
    preview = preview_of(options_of(client, parc), **{"emails-quantity": 7, "logo": True})
    assert preview.texts("#preview .data.stacks tbody .money") == ["5,25 €", "290,00 €"]
    done = preview.form("confirm").submit()
    assert done.text("h1") == "Vos options sont enregistrées"
    assert done.texts("#document dd") == ["5,25 €", "290,00 €", "295,25 €", "62,00 €"]
    assert done.text("#document .amount") == "357,25 €"
    mail = session.scalars(select(OutboxMessage).where(OutboxMessage.template == "options_changed")).one()
    assert "357,25" in mail.text_body and "4 puis 7 boîtes" in mail.text_body
    actions = session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
    assert actions.count("subscription.options_changed") == 1


def test_the_draft_writes_nothing(client, session, parc):
    as_role(client, session, parc)
    before = rows(session, Invoice), rows(session, SubscriptionOption), rows(session, AuditEntry)
    preview_of(options_of(client, parc), **{"emails-quantity": 7, "logo": True, "reviews": True})
    assert (rows(session, Invoice), rows(session, SubscriptionOption), rows(session, AuditEntry)) == before
    assert options_of(client, parc).one("#qty-emails").get("value") == "4"


def test_each_change_of_the_draft_swaps_its_card_and_the_summary(client, session, parc):
    page = options_of(as_role(client, session, parc), parc)
    swapped = page.form("options-form").fill(reviews=True).submit(htmx=True)
    assert swapped.ids == ["price-summary", "paybar", "options-notice", "option-reviews"]
    assert "13,30 € HTVA pour 21 jours, jusqu’au 30 novembre 2026" in swapped.text("#option-reviews")
    assert swapped.text("#price-summary .amount") == "16,09 €"  # 13,30 and its VAT of 2,79
    assert swapped.one("#price-summary").get("aria-live") == "polite"


def test_the_swapped_card_is_the_card_of_the_page(client, session, parc):
    page = options_of(as_role(client, session, parc), parc)
    swapped = page.form("options-form").fill(**{"emails-quantity": 6}).submit(htmx=True)
    drawn = page.form("options-form").fill(**{"emails-quantity": 6}).submit("Mettre à jour le total")
    assert swapped.piece("price-summary") == drawn.piece("price-summary")
    card = swapped.one("#option-emails")
    del card.attrib["hx-swap-oob"]
    assert swapped.piece("option-emails") == drawn.piece("option-emails")


def test_the_buttons_of_the_stepper_work_with_and_without_scripts(client, session, parc):
    page = options_of(as_role(client, session, parc), parc)
    more = page.form("options-form").submit("adjust=emails-plus")
    assert more.one("#qty-emails").get("value") == "5"
    again = more.form("options-form").submit("adjust=emails-plus", htmx=True)
    assert again.one("#qty-emails").get("value") == "6"
    assert "2 boîtes de plus : 3,50 € HTVA" in again.text("#option-emails")
    assert "puis 15,00 € par mois en tout" in again.text("#option-emails")
    less = more.form("options-form").submit("adjust=emails-minus")
    assert "Aucune modification" in less.text("#price-summary")


def test_switching_off_keeps_the_quantity_for_switching_on_again(client, session, parc):
    page = options_of(as_role(client, session, parc), parc)
    off = page.form("options-form").fill(emails=None).submit("Mettre à jour le total")
    assert "Retrait à enregistrer" in off.text("#option-emails")
    assert off.one("#qty-emails").get("value") == "4"
    on = off.form("options-form").fill(emails=True).submit("Mettre à jour le total")
    assert "Aucune modification" in on.text("#price-summary")


@pytest.mark.parametrize("typed", ["-3", "abc", "2.5", "", "99999999999999999999", "51", "1e3", "٣", "<b>"])
def test_a_quantity_that_is_none_is_said_beside_its_field_and_kept(client, session, parc, typed):
    as_role(client, session, parc)
    page = options_of(client, parc)
    form = page.form("options-form").fill(**{"emails-quantity": typed, "reviews": True})
    for answer in (form.submit("Mettre à jour le total"), form.submit(htmx=True)):
        assert "choisissez une quantité de 1 à 50" in answer.text("#option-emails .error")
        assert answer.one("#qty-emails").get("value") == typed
        assert answer.one("#qty-emails").get("aria-invalid") == "true"
        assert "ne peuvent pas être enregistrées" in answer.text("#price-summary")
        assert not answer.has("#price-summary .btn.primary")
        assert answer.one("#switch-reviews").get("checked") is not None
    form.element.set("action", f"/abonnements/{parc.id}/options/apercu")
    assert form.submit("Mettre à jour le total").status == 422
    assert rows(session, Invoice) == 9


def test_zero_mailboxes_is_switching_them_off(client, session, parc):
    page = options_of(as_role(client, session, parc), parc)
    off = page.form("options-form").fill(**{"emails-quantity": 0}).submit("Mettre à jour le total")
    assert "Retrait à enregistrer" in off.text("#option-emails")


def test_what_an_option_needs_is_explained_and_enforced(client, session, parc):
    as_role(client, session, parc)
    page = options_of(client, parc)
    assert "Demande aussi Réservation en ligne" in page.text("#option-collect")
    at = page.one("#switch-collect").get("value")
    alone = page.form("options-form").fill(collect=at).submit("Mettre à jour le total")
    assert "Click & collect demande Réservation en ligne" in alone.text("#option-collect .error")
    both = alone.form("options-form").fill(booking=at).submit("Mettre à jour le total")
    assert save_words(both) == "Enregistrer 2 modifications"
    done = both.form("options-form").submit(save_words(both)).form("confirm").submit()
    assert done.texts("#document dd")[:2] == ["10,50 €", "17,50 €"]  # 15 and 25 × 21/30
    without = options_of(client, parc).form("options-form").fill(booking=None)
    assert "a besoin de Réservation en ligne" in without.submit("Mettre à jour le total").text(
        "#option-booking"
    )


def test_removing_keeps_it_until_the_end_of_the_paid_period_and_putting_it_back_is_free(
    client, session, parc
):
    as_role(client, session, parc)
    done = saved(options_of(client, parc), emails=None)
    assert not done.has("#document")
    assert "active jusqu’au 30 novembre 2026" in done.text("main")
    page = options_of(client, parc)
    assert "Jusqu’au 30 nov. 2026" in page.text("#option-emails h3")
    assert "Retirée le 10 novembre 2026, encore active jusqu’au 30 novembre 2026 au soir" in page.text(
        "#option-emails"
    )
    again = saved(page, emails=True)
    assert not again.has("#document")
    assert "Jusqu’au" not in options_of(client, parc).text("#option-emails h3")
    assert rows(session, Invoice) == 9
    pending = session.scalars(select(ScheduledChange.status)).all()
    assert pending == ["undone"]


def test_on_off_and_on_the_same_day_bills_once(client, session, parc):
    as_role(client, session, parc)
    assert saved(options_of(client, parc), reviews=True).text("#document .amount") == "16,09 €"
    off = saved(options_of(client, parc), reviews=None)
    assert off.text("#document h2").startswith("Note de crédit")
    assert off.text("#document .amount") == "16,09 €"
    assert saved(options_of(client, parc), reviews=True).text("#document .amount") == "16,09 €"
    total = session.scalar(select(func.sum(Invoice.total_cents)).where(Invoice.reason == "options"))
    assert total == 1609


def test_a_logo_of_today_can_be_taken_back_and_one_of_before_cannot(client, session, parc, clock):
    as_role(client, session, parc)
    saved(options_of(client, parc), logo=True)
    page = options_of(client, parc)
    assert "vous pouvez encore la retirer" in page.text("#option-logo")
    back = saved(page, logo=None)
    assert back.text("#document h2").startswith("Note de crédit")
    saved(options_of(client, parc), logo=True)
    clock.set(date(2026, 11, 12))
    as_role(client, session, parc)  # the session of two days ago is over
    later = options_of(client, parc)
    assert "Commandée le 10 novembre 2026" in later.text("#option-logo")
    assert later.one("#switch-logo").get("checked") is None


def test_two_tabs_the_second_keeps_its_choices_and_takes_nothing_back(client, session, parc):
    as_role(client, session, parc)
    first, second = options_of(client, parc), options_of(client, parc)
    saved(first, **{"emails-quantity": 6})
    drawn = second.form("options-form").fill(reviews=True).submit("Mettre à jour le total")
    assert "Vos options ont changé entre-temps" in drawn.text("#options-notice")
    assert drawn.one("#qty-emails").get("value") == "6"
    assert save_words(drawn) == "Enregistrer 1 modification"
    swapped = second.form("options-form").fill(reviews=True).submit(htmx=True)
    assert "option-emails" in swapped.ids


def test_two_tabs_a_stale_preview_shows_the_new_figures(client, session, parc):
    as_role(client, session, parc)
    stale = preview_of(options_of(client, parc), reviews=True)
    saved(options_of(client, parc), **{"emails-quantity": 6})
    again = stale.form("confirm").submit()
    assert again.status == 409
    assert "n’est plus à jour" in again.text("#preview")
    assert rows(session, Invoice) == 10
    assert again.form("confirm").submit().text("#document .amount") == "16,09 €"


def test_saving_twice_saves_once_and_answers_the_same(client, session, parc):
    as_role(client, session, parc)
    form = preview_of(options_of(client, parc), reviews=True).form("confirm")
    first, second = form.submit(), form.submit()
    assert first.address == second.address
    assert rows(session, Invoice) == 10


def test_a_key_used_for_other_choices_is_refused(client, session, parc):
    as_role(client, session, parc)
    form = preview_of(options_of(client, parc), reviews=True).form("confirm")
    form.submit()
    answer = form.fill(wish="logo=1").submit()
    assert answer.status == 422
    assert "autres choix" in answer.text("#preview")


def test_scripts_confirm_in_place(client, session, parc):
    as_role(client, session, parc)
    form = preview_of(options_of(client, parc), reviews=True).form("confirm")
    answer = form.submit(htmx=True)
    assert "confirmation?facture=" in answer.headers["HX-Redirect"]


@pytest.mark.parametrize(
    "wish",
    [
        "reviews=7",
        "studio=1",
        "inconnue=1",
        "emails=9999",
        "concierge=1",
        "booking=1",
        "booking@" + "0" * 32 + "=1",
    ],
)
def test_a_forged_wish_is_refused_in_words(client, session, parc, wish):
    as_role(client, session, parc)
    form = preview_of(options_of(client, parc), reviews=True).form("confirm").fill(wish=wish)
    answer = form.submit()
    assert answer.status == 422
    assert rows(session, Invoice) == 9


def test_coming_back_from_the_preview_keeps_the_draft(client, session, parc):
    preview = preview_of(
        options_of(as_role(client, session, parc), parc), **{"emails-quantity": 6, "logo": True}
    )
    page = preview.form(action="/brouillon").submit()
    assert page.one("#qty-emails").get("value") == "6"
    assert save_words(page) == "Enregistrer 2 modifications"


def test_cancelling_the_draft_returns_to_what_stands(client, session, parc):
    page = options_of(as_role(client, session, parc), parc)
    drawn = page.form("options-form").fill(logo=True).submit("Mettre à jour le total")
    assert drawn.one("#price-summary").get("data-draft-form")
    back = drawn.form("options-form").submit("Tout annuler")
    assert back.address == page.address
    assert back.one("#switch-logo").get("checked") is None
    assert back.one("#price-summary").get("data-draft-form") is None


def test_a_viewer_sees_everything_changes_nothing_and_sees_why(client, session, parc):
    page = options_of(as_role(client, session, parc, Role.VIEWER), parc)
    assert "Seuls le propriétaire et les administrateurs" in page.text("#options-notice")
    assert {each.get("disabled") is not None for each in page.all("#options-form input[type=checkbox]")} == {
        True
    }
    assert page.one("#qty-emails").get("disabled") is not None
    assert not page.has("#price-summary button")
    assert page.form("options-form").submit().status in {400, 403}


def test_an_administrator_may_save(client, session, parc):
    as_role(client, session, parc, Role.ADMINISTRATOR)
    assert saved(options_of(client, parc), reviews=True).text("h1") == "Vos options sont enregistrées"


def test_an_option_of_another_plan_says_which(client, session, parc):
    page = options_of(as_role(client, session, parc), parc)
    assert "Réservée à Premium" in page.text("#option-studio")
    assert page.one("#option-studio input").get("disabled") is not None


def test_an_option_of_the_plan_is_not_sold(client, session, clock):
    clock.set(TODAY)
    signed = a_subscription(session, plan="premium", billed_through=TODAY)
    page = options_of(as_role(client, session, signed), signed)
    assert "Votre formule Premium la comprend" in page.text("#option-reviews")
    assert not page.has("#option-reviews input")


def test_each_establishment_has_its_box_and_beyond_twelve_the_page_says_where(client, session, clock):
    clock.set(TODAY)
    three = a_subscription(session, establishments=3, billed_through=TODAY)
    as_role(client, session, three)
    page = options_of(client, three)
    assert page.texts("#option-booking .places label") == ["Adresse 1", "Adresse 2", "Adresse 3"]
    at = [each.get("value") for each in page.all("#option-booking input[type=checkbox]")]
    done = saved(page, booking=at[:2])
    assert done.texts("#document dd")[:2] == ["10,50 €", "10,50 €"]
    many = a_subscription(session, establishments=13, billed_through=TODAY)
    as_role(client, session, many)
    assert "plus de 12 établissements" in options_of(client, many).text("#option-booking")


def test_a_reseller_that_keeps_options_to_itself_is_named(client, session, clock):
    clock.set(TODAY)
    partner = a_reseller(session, slug="horecaplus", allowed_actions=())
    signed = a_subscription(session, reseller=partner, billed_through=TODAY)
    as_role(client, session, signed)
    page = options_of(client, signed)
    assert "aide@horecaplus.example" in page.text("#options-notice")
    assert page.one("#switch-reviews").get("disabled") is not None
    client.application.config["WTF_CSRF_ENABLED"] = False
    try:
        answer = Page(
            client, client.post(f"/abonnements/{signed.id}/options/apercu", data={"wish": "reviews=1"})
        )
    finally:
        client.application.config["WTF_CSRF_ENABLED"] = True
    assert answer.status == 422
    assert rows(session, SubscriptionOption) == 0


def test_another_tenants_options_are_not_found(client, session, parc):
    other = a_subscription(session)
    as_role(client, session, other)
    assert options_of(client, parc).status == 404
    assert Page.get(client, f"/abonnements/{parc.id}/options/confirmation").status == 404


def test_another_accounts_document_is_not_shown_as_ones_own(client, session, parc):
    other = a_subscription(session, billed_through=TODAY)
    number = session.scalars(select(Invoice.number).where(Invoice.subscription_id == other.id)).first()
    as_role(client, session, parc)
    page = Page.get(client, f"/abonnements/{parc.id}/options/confirmation", facture=number)
    assert page.status == 404


def test_annual_billing_prices_the_days_of_the_year(client, session, clock):
    clock.set(date(2026, 9, 1))
    signed = a_subscription(session, frequency="annual", billed_through=date(2026, 9, 1))
    as_role(client, session, signed)
    preview = preview_of(options_of(client, signed), reviews=True)
    # 181 of the 365 days from 1 March 2026 are left: 190,00 × 181/365
    assert preview.texts("#preview .data.stacks tbody .money") == ["94,22 €"]


def test_the_page_keeps_to_its_statements(client, session, parc, statements):
    as_role(client, session, parc)
    page = options_of(client, parc)
    statements.clear()
    options_of(client, parc)
    assert len(statements) <= 6, statements
    statements.clear()
    page.form("options-form").fill(reviews=True).submit(htmx=True)
    assert len(statements) <= 6, statements


# ── Quotations ───────────────────────────────────────────────────────────────────────────────────────────────────


def asked(client: FlaskClient, signed: Signed) -> Page:
    page = options_of(client, signed).follow("Demander un devis")
    return page.form("ask").fill(description="Tenir notre site à jour chaque semaine").submit()


def answered(app, session: Session, **values: object) -> Page:
    """A member of the operator's team answers the first request of the list."""
    team = sign_in(app.test_client(), session, a_user(session, staff_role="support", full_name="Nora Maes"))
    form = Page.get(team, "/equipe/devis").follow("Brasserie du Parc").form("answer")
    given = {
        "monthly": "60,00",
        "annual": "600,00",
        "valid_until": "2026-11-30",
        "message": "Deux heures par semaine.",
    }
    return form.fill(**(given | values)).submit()


def test_a_quotation_lives_from_its_request_to_its_invoice(app, client, session, parc):
    as_role(client, session, parc)
    page = asked(client, parc)
    assert page.text("h1") == "Devis : Service concierge sur mesure"
    assert "Demande envoyée" in options_of(client, parc).text("#option-concierge")
    answered(app, session)
    offer = options_of(client, parc).follow("Voir le devis")
    assert "60,00 €" in offer.text(".ticket") and "30 novembre 2026" in offer.text(".ticket")
    preview = offer.follow("Voir ce qui sera facturé")
    assert preview.texts("#preview .data.stacks tbody .money") == ["42,00 €"]  # 60,00 × 21/30
    done = preview.form("confirm").submit()
    assert done.text("#document .amount") == "50,82 €"
    card = options_of(client, parc)
    assert card.text("#option-concierge .price b") == "60,00 €"
    assert card.one("#switch-concierge").get("checked") is not None
    removed = saved(card, concierge=None)
    assert removed.text("#document h2").startswith("Note de crédit")


def test_a_quotation_can_be_declined_and_asked_for_again(app, client, session, parc):
    as_role(client, session, parc)
    asked(client, parc)
    answered(app, session)
    page = options_of(client, parc).follow("Voir le devis").form("decline").submit()
    assert "Refusé" in page.text("main")
    assert page.follow("Demander un nouveau devis").status == 200
    client_side = session.scalars(select(Quotation.status)).all()
    session.rollback()
    assert client_side == ["declined"]


def test_after_the_end_an_offer_is_neither_declined_nor_offered_to_be(app, client, session, parc, clock):
    as_role(client, session, parc)
    asked(client, parc)
    answered(app, session)
    offer = options_of(client, parc).follow("Voir le devis")
    Page.get(client, f"/abonnements/{parc.id}/resilier").form("confirm").fill(understood=True).submit()
    clock.set(date(2027, 3, 1))
    assert app.test_cli_runner().invoke(args=["bill", "--on", "2027-03-01"]).exit_code == 0
    as_role(client, session, parc)
    refused = offer.form("decline").submit()
    assert refused.status == 422
    assert "Cet abonnement est terminé depuis le 1er mars 2027" in refused.text("main")
    assert session.scalars(select(Quotation.status)).all() == ["quoted"]
    session.rollback()
    assert not Page.get(client, offer.address).all("form#decline")


def test_an_offer_that_has_expired_is_refused(app, client, session, parc, clock):
    as_role(client, session, parc)
    asked(client, parc)
    answered(app, session)
    preview = options_of(client, parc).follow("Voir le devis").follow("Voir ce qui sera facturé")
    clock.set(date(2026, 12, 1))
    as_role(client, session, parc)  # the session of November is over
    form = preview.form("confirm").fill(
        csrf_token=options_of(client, parc).form("options-form").values["csrf_token"]
    )
    answer = form.submit()
    assert answer.status == 422
    assert "valable jusqu’au 30 novembre 2026" in answer.text("#preview")


def test_accepting_twice_bills_once(app, client, session, parc):
    as_role(client, session, parc)
    asked(client, parc)
    answered(app, session)
    form = options_of(client, parc).follow("Voir le devis").follow("Voir ce qui sera facturé").form("confirm")
    first, second = form.submit(), form.submit()
    assert first.address == second.address
    assert rows(session, Invoice) == 10


def test_a_request_without_words_is_said_beside_its_field(client, session, parc):
    page = options_of(as_role(client, session, parc), parc).follow("Demander un devis")
    again = page.form("ask").submit()
    assert again.status == 422
    assert "Décrivez" in again.form("ask").error("description")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("monthly", "-5"),
        ("monthly", "abc"),
        ("annual", "0"),
        ("annual", "NaN"),
        ("valid_until", "2026-11-01"),
    ],
)
def test_an_answer_that_makes_no_sense_is_not_sent(app, client, session, parc, field, value):
    as_role(client, session, parc)
    asked(client, parc)
    assert answered(app, session, **{field: value}).status == 422
    assert session.scalars(select(Quotation.status)).all() == ["requested"]


def test_a_viewer_reads_the_quotation_and_cannot_answer_it(app, client, session, parc):
    as_role(client, session, parc)
    address = asked(client, parc).address
    answered(app, session)
    as_role(client, session, parc, Role.VIEWER)
    page = Page.get(client, address)
    assert "60,00 €" in page.text("main")
    assert not page.has("#decline")


def test_another_tenants_quotation_is_not_found(app, client, session, parc):
    as_role(client, session, parc)
    number = asked(client, parc).address.rsplit("/", 1)[1]
    other = a_subscription(session)
    as_role(client, session, other)
    assert Page.get(client, f"/abonnements/{other.id}/options/devis/{number}").status == 404
    assert Page.get(client, f"/abonnements/{other.id}/options/devis/{number}/apercu").status == 404
