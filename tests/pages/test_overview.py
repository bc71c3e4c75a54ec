"""Formule et facturation over HTTP: what it says, to whom, and undoing what is scheduled."""

from datetime import date

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests import builders
from tests.builders import CLAIRE, Signed, a_reseller, a_subscription, a_user, an_account, noon
from tests.conftest import Clock
from tests.support.page import Page
from tests.support.page_linter import problems
from tests.support.signing_in import sign_in
from webapp.domain.access import Role
from webapp.domain.contract import ChangeKind
from webapp.models.invoices import CreditBalanceEntry, Invoice
from webapp.models.records import AuditEntry, OutboxMessage
from webapp.models.subscriptions import Establishment, ScheduledChange, Subscription
from webapp.services import billing, contracts, scheduling, subscriptions
from webapp.services.subscriptions import NewOption

TODAY = date(2026, 11, 16)
MOST_STATEMENTS = 3


@pytest.fixture
def parc(session: Session, clock: Clock) -> Signed:
    """Brasserie du Parc: Pro since 1 March, two addresses, three options, everything paid."""
    signed = a_subscription(
        session,
        establishments=2,
        options=[
            NewOption("emails", 4),
            NewOption("booking", at=1),
            NewOption("booking", at=2),
            NewOption("signage"),
        ],
        billed_through=TODAY,
    )
    pay_all(session, signed)
    session.commit()
    return signed


def pay_all(session: Session, signed: Signed) -> None:
    for invoice in session.scalars(select(Invoice).where(Invoice.account_id == signed.account_id)):
        builders.pays(session, invoice, invoice.total_cents, "transfer", invoice.due_on)


def visit(
    client: FlaskClient, session: Session, signed: Signed, role: Role = Role.OWNER, **person: object
) -> Page:
    sign_in(client, session, a_user(session, signed.account, role, **person))
    return overview(client, signed)


def overview(client: FlaskClient, signed: Signed) -> Page:
    return Page.get(client, f"/abonnements/{signed.id}")


def schedule_plan(session: Session, signed: Signed, plan: str = "essentiel") -> int:
    preview = subscriptions.preview_plan(session, signed.id, plan, "monthly", TODAY)
    done = subscriptions.change_plan(
        session, signed.id, plan, "monthly", preview.fingerprint, TODAY, noon(TODAY), CLAIRE, link="https://x"
    )
    session.commit()
    assert done.scheduled_id is not None
    return done.scheduled_id


def stop_option(
    session: Session, signed: Signed, code_of: str = "signage", on: date = date(2026, 12, 1)
) -> int:
    subscription = scheduling.lock(session, signed.id)
    option = next(
        each for each in contracts.load(session, signed.id).contract.options if each.code == code_of
    )
    change = scheduling.schedule(
        session,
        subscription,
        ChangeKind.OPTION,
        on,
        {"option_id": option.id, "quantity": 0},
        CLAIRE,
        noon(TODAY),
    )
    change_id = change.id
    session.commit()
    return change_id


# ── What it says ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_page_says_the_plan_its_price_and_what_is_held(client, session, parc):
    page = visit(client, session, parc)
    assert page.text(".lead") == "Votre abonnement en un coup d’œil, au lundi 16 novembre 2026."
    assert page.text("#plan-title") == "Pro"
    assert page.text("#plan .price") == "79,00 €HTVA par mois, facturée chaque mois"
    assert page.texts("#plan .figures dd")[1:] == ["21 inclus, 1 en supplément", "3"]
    assert page.texts("#options-summary .end") == [
        "10,00 €HTVA par mois",
        "30,00 €HTVA par mois",
        "12,00 €HTVA par mois",
    ]


def test_the_commitment_gives_the_days_that_count(client, session, parc):
    page = visit(client, session, parc)
    assert "12 mois, du 1er mars 2026 au 28 février 2027. Reconduit tacitement pour 12 mois." in page.text(
        "#commitment"
    )
    assert page.texts("#commitment .dates li") == [
        "1Prochaine facture1er décembre 2026187,55 € TVAC",
        "2Dernier jour de préavis1er janvier 2027préavis de 2 mois, encore 46 jours",
        "3Reconduction1er mars 2027jusqu’au 29 février 2028",
    ]


def test_after_the_last_notice_day_the_page_says_for_when_notice_would_count(client, session, parc, clock):
    clock.set(date(2027, 1, 2))
    page = visit(client, session, parc)
    assert "préavis de 2 mois, délai passé" in page.text("#commitment")
    assert "Un préavis donné aujourd’hui vaudrait pour le 29 février 2028." in page.text("#commitment")


def test_without_commitment_the_page_says_when_one_could_leave(client, session, clock):
    signed = a_subscription(session, plan="flex", billed_through=TODAY)
    page = visit(client, session, signed)
    assert "Sans engagement, préavis de 30 jours." in page.text("#commitment")
    assert "mettrait fin à l’abonnement le 31 décembre 2026 au soir." in page.text("#commitment")
    assert not page.has("#commitment svg[role=img]")


def test_a_yearly_plan_shows_its_price_per_month_and_what_is_billed(client, session, clock):
    signed = a_subscription(session, frequency="annual", billed_through=TODAY)
    page = visit(client, session, signed)
    assert page.text("#plan .price") == "65,83 €HTVA par mois, facturée 790,00 € par an"
    assert page.text("#next-invoice .amount") == "955,90 €"


def test_the_next_invoice_shown_is_the_one_that_is_issued(client, session, parc):
    page = visit(client, session, parc)
    assert page.text("#next-invoice .amount") == "187,55 €"
    shown = ["79,00 €", "24,00 €", "10,00 €", "30,00 €", "12,00 €", "155,00 €", "32,55 €"]
    assert page.texts("#next-invoice .lines dd") == shown
    [issued] = billing.bill_due(session, parc.id, date(2026, 12, 1), noon(date(2026, 12, 1)))
    assert (issued.net_cents, issued.vat_cents, issued.total_cents) == (15500, 3255, 18755)


def test_the_account_s_credit_is_taken_off_what_is_to_pay(client, session, parc):
    invoice = session.scalars(select(Invoice).where(Invoice.account_id == parc.account_id)).first()
    session.add(
        CreditBalanceEntry(
            account_id=parc.account_id,
            amount_cents=2000,
            currency="EUR",
            invoice_id=invoice.id,
            created_at=noon(TODAY),
        )
    )
    page = visit(client, session, parc)
    assert page.text("#next-invoice .amount") == "167,55 €"
    assert page.texts("#next-invoice .lines dd")[-2:] == ["187,55 €", "− 20,00 €"]


def test_after_a_change_of_plan_the_next_invoice_says_why_it_differs(client, session, parc):
    preview = subscriptions.preview_plan(session, parc.id, "premium", "monthly", TODAY)
    subscriptions.change_plan(
        session,
        parc.id,
        "premium",
        "monthly",
        preview.fingerprint,
        TODAY,
        noon(TODAY),
        CLAIRE,
        link="https://x",
    )
    page = visit(client, session, parc)
    assert page.text("#next-invoice .why").startswith(
        "46,00 € HTVA de plus qu’en novembre : Premium devient votre"
    )


def test_the_difference_with_the_last_period_is_said_in_words_and_amounts(client, session, parc):
    stop_option(session, parc)
    session.add(
        Establishment(
            subscription_id=parc.id, position=3, name="Comptoir du Parc", street="Rue Gray 77", postcode="1040",
            city="Etterbeek", active_from=date(2026, 11, 9), charged_from=date(2026, 12, 1),
        )
    )  # fmt: skip
    page = visit(client, session, parc)
    assert page.text("#next-invoice .why") == (
        "12,00 € HTVA de plus qu’en novembre : "
        "Comptoir du Parc s’ajoute (+ 24,00 €), Affichage digital s’arrête (− 12,00 €)."
    )
    assert "24,00 €HTVA par moisdès le 1er déc. 2026" in page.texts("#establishments-summary .end")


def test_prices_vat_included_say_tvac(client, session, parc):
    page = visit(client, session, parc, price_display="tvac")
    assert page.text("#plan .price") == "95,59 €TVAC par mois, facturée chaque mois"
    assert "12,10 €TVAC par mois" in page.texts("#options-summary .end")
    assert "Total HTVA" in page.text("#next-invoice")


def test_only_the_first_establishments_are_listed(client, session, clock):
    signed = a_subscription(session, establishments=8, billed_through=TODAY)
    page = visit(client, session, signed)
    assert len(page.all("#establishments-summary .rows li")) == 5
    assert "et 3 autres établissements" in page.text("#establishments-summary")


def test_invoices_past_due_are_told_with_their_sum(client, session, clock):
    signed = a_subscription(session, starts_on=date(2026, 9, 1))
    for month in (9, 10, 11):
        billing.bill_due(session, signed.id, date(2026, month, 1), noon(date(2026, month, 1)))
    page = visit(client, session, signed)
    assert page.text("#unpaid h2") == "3 factures échues, 286,77 € TVAC à payer"
    assert "le 15 septembre 2026 au plus tard" in page.text("#unpaid")
    assert page.texts("#invoices-summary .badge")[0] == "En retard de 1 jour"


def test_an_ended_subscription_is_read_only_and_keeps_its_invoices(client, session, parc):
    subscription = session.get(Subscription, parc.id)
    subscription.status, subscription.ended_on = "ended", date(2026, 11, 1)
    page = visit(client, session, parc)
    assert page.text("#ended-title") == "Cet abonnement s’est terminé le 31 octobre 2026"
    assert not page.has("#next-invoice") and not page.has("#commitment") and not page.has("#plan .btn")
    assert len(page.all("#invoices-summary tbody tr")) == 3


# ── To whom ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.VIEWER])
def test_who_may_not_change_the_plan_reads_who_may(client, session, parc, role):
    page = visit(client, session, parc, role)
    assert "Seul le propriétaire peut changer de formule." in page.text("#plan")
    assert page.texts("#plan .btn") == ["Comparer les formules"]


def test_the_accountant_is_sent_to_the_invoices(client, session, parc):
    page = visit(client, session, parc, Role.ACCOUNTANT)
    assert page.status == 403
    assert Page.get(client, "/").text("h1") == "Factures"


def test_another_account_finds_nothing(client, session, parc):
    other = a_subscription(session, account=an_account(session, "Ailleurs"), billed_through=TODAY)
    assert visit(client, session, other).status == 200
    assert overview(client, parc).status == 404


def test_a_reseller_s_client_is_told_whom_to_contact(client, session, clock):
    reseller = a_reseller(session, allowed_actions=())
    signed = a_subscription(session, plan="salle", reseller=reseller, billed_through=TODAY)
    page = visit(client, session, signed)
    assert "Votre formule se change avec HorecaPlus : aide@horecaplus.example" in page.text("#plan")
    assert page.texts("#plan .btn.primary") == []
    assert "Comparer les formules" in page.texts("#plan .btn")


# ── What is scheduled ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_scheduled_plan_is_listed_with_its_date_and_undone(client, session, parc):
    schedule_plan(session, parc)
    page = visit(client, session, parc)
    assert page.text("#pending-changes h2") == "Essentiel commence le 1er mars 2027"
    assert "39,00 € HTVA par mois. Demandé par Claire Janssens le 16 novembre 2026." in page.text(
        "#pending-changes"
    )
    assert "Passage à Essentiel" in page.text("#commitment .dates")
    after = page.form("pending-changes").submit("Garder Pro")
    assert after.text("#flashes") == "C’est annulé : rien ne change à cette date."
    assert not after.has("#pending-changes")
    assert after.address == f"/abonnements/{parc.id}"


def test_an_option_on_its_way_out_can_be_kept(client, session, parc):
    stop_option(session, parc)
    page = visit(client, session, parc)
    assert page.text("#pending-changes h2") == "Affichage digital s’arrête le 30 novembre 2026 au soir"
    assert "Jusqu’au 30 nov. 2026" in page.text("#options-summary")
    assert "dont 1 qui s’arrête" in page.text("#plan")
    after = page.form("pending-changes").submit("Garder l’option")
    assert "Affichage digital" in after.text("#next-invoice")


def test_the_swapped_part_is_that_of_the_page(client, session, parc):
    stop_option(session, parc)
    page = visit(client, session, parc)
    swapped = page.form("pending-changes").submit(htmx=True)
    assert swapped.ids == ["overview", "flashes"]
    assert swapped.piece("overview") == page.reload().piece("overview")


def test_undoing_twice_says_that_it_is_done_and_shows_the_page_as_it_is(client, session, parc):
    stop_option(session, parc)
    form = visit(client, session, parc).form("pending-changes")
    form.submit()
    again = form.submit()
    assert again.status == 409
    assert "a déjà eu lieu ou a déjà été annulé" in again.text("#flashes")
    assert again.text("h1") == "Formule et facturation"


def test_a_termination_is_told_and_taken_back_on_the_page_of_the_contract(client, session, parc):
    subscription = scheduling.lock(session, parc.id)
    end = date(2026, 12, 1)
    change = scheduling.schedule(session, subscription, ChangeKind.TERMINATION, end, {}, CLAIRE, noon(TODAY))
    change_id = change.id
    page = visit(client, session, parc)
    assert page.text("#pending-changes h2") == "Votre abonnement se termine le 30 novembre 2026 au soir"
    assert not page.has("#pending-changes form")
    assert page.text("#next-invoice p") == "Aucune : l’abonnement se termine avant la période suivante."
    stop_option(session, parc, on=date(2026, 11, 20))
    form = page.reload().form("pending-changes")
    form.element.set("action", f"/abonnements/{parc.id}/changements/{change_id}/annuler")
    assert form.submit().status == 404


def test_a_change_of_another_subscription_cannot_be_undone(client, session, parc):
    other = a_subscription(session, account=an_account(session, "Ailleurs"), billed_through=TODAY)
    change_id = schedule_plan(session, other)
    page = visit(client, session, parc)
    stop_option(session, parc)
    form = page.reload().form("pending-changes")
    form.element.set("action", f"/abonnements/{parc.id}/changements/{change_id}/annuler")
    assert form.submit().status == 409
    session.rollback()
    assert session.get(ScheduledChange, change_id).status == "pending"


def test_an_administrator_undoes_options_but_not_plans(client, session, parc):
    stop_option(session, parc)
    change_id = schedule_plan(session, parc)
    page = visit(client, session, parc, Role.ADMINISTRATOR)
    assert "Seul le propriétaire peut l’annuler." in page.text(f"#change-{change_id}")
    form = page.form("pending-changes")
    form.element.set("action", f"/abonnements/{parc.id}/changements/{change_id}/annuler")
    assert form.submit().status == 403
    assert page.reload().has(f"#change-{change_id}")


# ── Writing to the support ───────────────────────────────────────────────────────────────────────────────────────


def test_a_message_reaches_the_operator_once_with_its_context(client, session, parc):
    page = visit(client, session, parc)
    form = page.follow("Contacter le support").form("contact").fill(message="Bonjour,\n\nUne question.")
    form.fill(page=f"/abonnements/{parc.id}/formules")
    assert "Votre message est parti." in form.submit().text("#flashes")
    form.submit()
    [mail] = session.scalars(select(OutboxMessage).where(OutboxMessage.template == "support_message"))
    assert mail.recipient == "facturation@centralapp.example"
    for fact in ("Une question.", "Brasserie du Parc", "Formule : Pro", "/formules", "Claire Janssens"):
        assert fact in " ".join(mail.text_body.split())
    assert session.scalars(select(AuditEntry).where(AuditEntry.action == "support.written")).one()


def test_an_empty_message_is_refused_beside_the_field(client, session, parc):
    page = visit(client, session, parc).follow("Contacter le support").form("contact").submit()
    assert page.status == 422
    assert page.form("contact").error("message") == "Écrivez votre message."


def test_a_reseller_s_client_writes_to_the_partner(client, session, clock):
    signed = a_subscription(session, plan="salle", reseller=a_reseller(session), billed_through=TODAY)
    page = visit(client, session, signed).follow("Contacter HorecaPlus")
    page.form("contact").fill(message="Bonjour").submit()
    [mail] = session.scalars(select(OutboxMessage).where(OutboxMessage.template == "support_message"))
    assert mail.recipient == "aide@horecaplus.example"


# ── How it is made ───────────────────────────────────────────────────────────────────────────────────────────────


def counted(client: FlaskClient, signed: Signed, statements: list[str]) -> int:
    overview(client, signed)  # what the process keeps is read once
    statements.clear()
    assert overview(client, signed).status == 200
    return len(statements)


def test_the_statements_do_not_grow_with_what_is_held(client, session, clock, statements):
    small = a_subscription(session, starts_on=date(2026, 11, 1), billed_through=TODAY)
    large = a_subscription(
        session,
        starts_on=date(2025, 12, 1),
        establishments=20,
        options=[
            NewOption("emails", 4),
            NewOption("signage"),
            *(NewOption("booking", at=n) for n in range(1, 7)),
        ],
        account=an_account(session, "Beaucoup"),
        billed_through=TODAY,
    )
    user = a_user(session, small.account)
    sign_in(client, session, user)
    few = counted(client, small, statements)
    sign_in(client, session, a_user(session, large.account))
    many = counted(client, large, statements)
    assert few == many <= MOST_STATEMENTS


@pytest.mark.parametrize("language", ["fr", "nl", "en"])
def test_every_state_of_the_page_is_well_made(client, session, parc, language):
    stop_option(session, parc)
    schedule_plan(session, parc)
    page = visit(client, session, parc, language=language)
    assert list(problems(page.html)) == []
    assert list(problems(page.follow("[href*='/contact']").html)) == []
