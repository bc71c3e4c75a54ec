"""Gestures of the team over HTTP: shown, made once with a reason, told to the client, undone."""

from datetime import date

import pytest
from sqlalchemy import select

from tests.builders import NewOption, a_subscription, a_user, ladders, pays
from tests.support.page import Page
from tests.support.page_linter import problems
from tests.support.signing_in import sign_in
from webapp.domain.access import Role
from webapp.models.accounts import User
from webapp.models.gestures import Gesture
from webapp.models.invoices import Invoice, Payment
from webapp.models.records import OutboxMessage
from webapp.models.subscriptions import Subscription
from webapp.services import invariants, invoicing, standing

STARTS = date(2026, 11, 1)
TODAY = date(2026, 11, 16)  # of the clock fixture: 15 of the 30 days of November are left


@pytest.fixture
def signed(session, clock):
    ladders(session)
    signed = a_subscription(
        session, starts_on=STARTS, options=[NewOption("emails", 4)], billed_through=STARTS
    )
    a_user(session, signed.account, email="claire@exemple.example")
    session.commit()
    return signed


def as_team(client, session, role="billing", **person):
    sign_in(client, session, a_user(session, staff_role=role, **person))


def reference_of(session, signed):
    session.refresh(signed.account)
    reference = signed.account.reference
    session.rollback()
    return reference


def ask(client, address, word, /, **asked) -> Page:
    return Page.get(client, f"/equipe/comptes/{address}/gestes/{word}", apercu="1", **asked)


def made(session) -> list[Gesture]:
    session.expire_all()
    found = list(session.scalars(select(Gesture).order_by(Gesture.id)))
    for each in found:
        session.expunge(each)
    session.rollback()  # SQLite has one writer: the portal's turn
    return found


def documents(session) -> list[tuple[str, int]]:
    session.expire_all()
    found = [
        (row.number, row.net_cents)
        for row in session.execute(select(Invoice.number, Invoice.net_cents).order_by(Invoice.id))
    ]
    assert invariants.broken(session) == []
    session.rollback()
    return found


def confirm(page: Page, reason: str = "Panne du 12 novembre", **more) -> Page:
    return page.form("confirm").fill(reason=reason, **more).submit()


def test_the_team_sees_every_gesture_and_the_page_is_sound(client, session, signed):
    as_team(client, session)
    page = Page.get(client, f"/equipe/comptes/{reference_of(session, signed)}/gestes")
    assert problems(page.html) == []
    assert "Aucun geste" in page.text("#made")
    for words in (
        "Accorder une remise",
        "Offrir des mois",
        "Changer les conditions",
        "Noter un remboursement",
    ):
        form = page.follow(words)
        assert form.status == 200 and problems(form.html) == [], words


def test_support_reads_what_was_done_and_reaches_no_money_by_address(client, session, signed):
    reference = reference_of(session, signed)
    as_team(client, session, "support")
    page = Page.get(client, f"/equipe/comptes/{reference}/gestes")
    assert page.status == 200 and not page.has("#kinds")
    assert ask(client, reference, "remise").status == 403


def test_a_discount_from_today_is_shown_given_told_and_undone(client, session, signed):
    reference = reference_of(session, signed)
    as_team(client, session)
    page = ask(
        client, reference, "remise",
        on="plan:pro", unit="percent", percent="20", amount="", starts="today", until="2026-12-31",
    )  # fmt: skip
    assert page.status == 200 and problems(page.html) == []
    assert "À votre crédit" in page.text("#price-summary h2")
    assert "9,56 €" in page.text("#price-summary .due")  # a fifth of 79,00 €, for half a month, with VAT
    assert "au lieu de107,69 €" in page.text("#price-summary")
    refused = page.form("confirm").submit()
    assert refused.status == 422 and "Écrivez le motif" in refused.text("#confirm") and made(session) == []
    done = confirm(refused)
    assert "C’est fait" in done.text("#flashes")
    [gesture] = made(session)
    assert gesture.documents == ["NC2026-00001"] and gesture.reason == "Panne du 12 novembre"
    assert documents(session) == [("F2026-00001", 8900), ("NC2026-00001", -790)]
    assert "Remise de 20 % sur la formule Pro, du 16 novembre 2026 au 31 décembre 2026." in done.text("#made")
    mails = session.scalars(select(OutboxMessage).where(OutboxMessage.template == "gesture")).all()
    assert len(mails) == 1 and "Remise de 20" in mails[0].text_body and "NC2026-00001" in mails[0].text_body
    session.rollback()
    undone = confirm(done.follow("Annuler"), "Accordée par erreur")
    assert "Le geste est annulé" in undone.text("#flashes")
    assert documents(session)[-1][1] == 790
    assert made(session)[0].undone_reason == "Accordée par erreur"
    assert not undone.has("#made a.btn")


def test_confirmed_twice_it_is_made_once(client, session, signed):
    reference = reference_of(session, signed)
    as_team(client, session)
    form = ask(client, reference, "mois-offerts", on="", months="2").form("confirm").fill(reason="Fidélité")
    for _ in range(2):
        assert form.submit().status == 200
    [gesture] = made(session)
    assert (gesture.facts["discount"]["from_on"], gesture.facts["discount"]["until_on"]) == (
        "2026-12-01",
        "2027-02-01",
    )


def test_a_page_that_is_behind_shows_the_figures_of_now(client, session, signed):
    reference = reference_of(session, signed)
    as_team(client, session)
    asked = {"on": "option:emails", "starts": "next", "until": "2027-01-31"}
    late = ask(client, reference, "option-offerte", **asked).form("confirm").fill(reason="Geste")
    confirm(
        ask(
            client,
            reference,
            "remise",
            on="",
            unit="percent",
            percent="50",
            starts="next",
            until="2027-01-31",
        )
    )
    page = late.submit()
    assert page.status == 409 and "Cette page n’est plus à jour" in page.text("main")
    assert len(made(session)) == 1


@pytest.mark.parametrize(
    ("word", "asked", "sentence"),
    [
        ("remise", {"unit": "percent", "percent": "20", "starts": "next", "until": "2026-11-20"}, "commence le 1er décembre 2026"),
        ("remise", {"unit": "percent", "percent": "120", "starts": "next", "until": "2027-01-31"}, "De 0,01 à 100"),
        ("remise", {"unit": "amount", "amount": "5", "starts": "next", "until": "2027-01-31"}, "choisissez laquelle"),
        ("prix", {"on": "plan:pro", "price": "80", "starts": "next", "until": "2027-01-31"}, "pas plus bas"),
        ("mois-offerts", {"months": "0"}, "De 1 à 24 mois"),
        ("echeance", {"invoice": "F2026-00001", "until": "2026-11-10"}, "Choisissez un jour du 16 novembre 2026"),
        ("paiement", {"amount": "12", "on": "2026-11-17", "method": "transfer"}, "douze derniers mois"),
        ("remboursement", {"amount": "5", "of": "credit", "on": "2026-11-16", "method": "transfer", "reference": "R1"}, "Choisissez une des valeurs"),
    ],
)  # fmt: skip
def test_bad_input_is_said_beside_its_field_and_kept(client, session, signed, word, asked, sentence):
    as_team(client, session)
    page = ask(client, reference_of(session, signed), word, **asked)
    assert page.status == 422 and not page.has("#confirm")
    assert sentence in page.text("#choose"), page.text("#choose")
    assert problems(page.html) == []


def test_a_special_price_is_billed_until_its_last_day(client, session, signed, clock):
    reference = reference_of(session, signed)
    as_team(client, session)
    page = ask(client, reference, "prix", on="plan:pro", price="59,50", starts="next", until="2026-12-31")
    assert "− 19,50 €" not in page.text("#price-summary") and "au lieu de" in page.text("#price-summary")
    confirm(page)
    runner = client.application.test_cli_runner()
    assert runner.invoke(args=["bill", "--on", "2027-01-01"]).exit_code == 0
    assert [cents for _, cents in documents(session)] == [8900, 5950 + 1000, 8900]


def test_the_plan_is_changed_for_the_client_and_undone_while_it_is_to_come(client, session, signed):
    reference = reference_of(session, signed)
    as_team(client, session)
    page = ask(client, reference, "formule", plan="essentiel:monthly")
    assert page.status == 200, page.text("main")
    done = confirm(page, "Demandé au téléphone")
    assert "Passage à la formule" in done.text("#made")
    told = confirm(done.follow("Annuler"), "Il a changé d’avis")
    assert "Le geste est annulé" in told.text("#flashes")
    session.expire_all()
    assert session.scalars(select(Subscription.due_on)).one() == date(2026, 12, 1)


def test_terms_less_good_for_the_client_need_an_agreement_in_words(client, session, signed):
    reference = reference_of(session, signed)
    as_team(client, session)
    asked = {"commitment": "36", "notice": "3", "unit": "months", "renewal": "same_term"}
    page = ask(client, reference, "conditions", **asked, consent="")
    assert "l’engagement est plus long" in page.text("#effect").lower()
    refused = confirm(page, "Contrat de trois ans")
    assert refused.status == 422 and "notez son accord" in refused.text("#choose") and made(session) == []
    page = ask(
        client, reference, "conditions", **asked, consent="Claire Janssens, par téléphone le 16 novembre"
    )
    done = confirm(page, "Contrat de trois ans")
    assert "engagement 36 mois, préavis 3 mois" in done.text("#made")
    session.expire_all()
    row = session.scalars(select(Subscription)).one()
    assert (row.commitment_months, row.notice_count, row.notice_unit) == (36, 3, "months")
    session.rollback()
    confirm(done.follow("Annuler"), "Erreur")
    session.expire_all()
    assert session.scalars(select(Subscription.commitment_months)).one() == 12


def test_a_payment_noted_by_hand_settles_and_is_taken_back(client, session, signed):
    reference = reference_of(session, signed)
    as_team(client, session)
    page = ask(
        client, reference, "paiement", amount="120,00", on="2026-11-14", method="transfer", reference="BNP 12"
    )
    assert "12,31 €" in page.text("#effect")  # 120,00 € less 107,69 € becomes credit
    done = confirm(page, "Versé sur un autre compte")
    session.expire_all()
    assert session.scalars(select(Invoice)).one().paid_cents == 10769
    assert invoicing.credit_of(session, signed.account_id, "EUR").cents == 1231
    session.rollback()
    confirm(done.follow("Annuler"), "Ce n’était pas lui")
    session.expire_all()
    assert session.scalars(select(Invoice)).one().paid_cents == 0
    assert invoicing.credit_of(session, signed.account_id, "EUR").cents == 0


def test_credit_is_refunded_up_to_what_there_is(client, session, signed):
    reference = reference_of(session, signed)
    invoice = session.scalars(select(Invoice)).one()
    pays(session, invoice, 15000, on=TODAY)
    session.commit()
    as_team(client, session)
    asked = {"of": "credit", "on": "2026-11-16", "method": "transfer", "reference": "KBC 778"}
    assert ask(client, reference, "remboursement", amount="50", **asked).status == 422
    page = ask(client, reference, "remboursement", amount="42,31", **asked)
    done = confirm(page, "Double versement")
    assert "Remboursement de 42,31 €" in done.text("#made") and not done.has("#made a.btn")
    session.expire_all()
    assert invoicing.credit_of(session, signed.account_id, "EUR").cents == 0
    assert session.scalars(select(Payment.amount_cents).order_by(Payment.id.desc())).first() == -4231


def test_a_refunded_payment_opens_its_invoice_again(client, session, signed):
    reference = reference_of(session, signed)
    invoice = session.scalars(select(Invoice)).one()
    [paid] = pays(session, invoice, 10769, on=TODAY)
    source = paid.source
    session.commit()
    as_team(client, session)
    page = ask(
        client,
        reference,
        "remboursement",
        of=source,
        amount="107,69",
        on="2026-11-16",
        method="card",
        reference="re_1",
    )
    assert "F2026-00001" in page.text("#effect")
    confirm(page, "Carte d’un autre client")
    session.expire_all()
    assert session.scalars(select(Invoice)).one().paid_cents == 0


def test_a_later_due_date_is_said_to_the_client_and_nothing_is_late_before(client, session, signed, clock):
    reference = reference_of(session, signed)
    as_team(client, session)
    page = ask(client, reference, "echeance", invoice="F2026-00001", until="2026-12-10")
    assert "15 novembre 2026" in page.text("#effect") and "10 décembre 2026" in page.text("#effect")
    done = confirm(page, "Trésorerie")
    assert "reportée au 10 décembre 2026" in done.text("#made")
    session.expire_all()
    assert session.scalars(select(Invoice)).one().due_on == date(2026, 11, 15)
    assert standing.of_account(session, signed.account_id, date(2026, 12, 10)).unpaid == ()
    assert len(standing.of_account(session, signed.account_id, date(2026, 12, 11)).unpaid) == 1
    session.rollback()
    owner = client.application.test_client()
    sign_in(owner, session, a_user(session, signed.account, Role.OWNER))
    shown = Page.get(owner, f"/abonnements/{signed.id}/factures/F2026-00001")
    assert "10 décembre 2026" in shown.text("main") and "le document porte le 15 novembre 2026" in shown.text(
        "main"
    )
    listed = Page.get(owner, f"/abonnements/{signed.id}/factures")
    assert "En retard" not in listed.text("tbody")
    told = Page.get(owner, f"/abonnements/{signed.id}/historique")
    assert "Échéance de la facture F2026-00001 reportée au 10 décembre 2026. Motif : Trésorerie" in told.text(
        "main"
    )
    confirm(done.follow("Annuler"), "Erreur de facture")
    session.expire_all()
    assert session.scalars(select(Invoice.extended_until)).one() is None


@pytest.mark.parametrize("language", ["nl", "en"])
def test_every_page_is_in_the_language_of_the_reader(client, session, signed, language):
    reference = reference_of(session, signed)
    as_team(client, session, language=language)
    page = ask(
        client, reference, "remise", on="", unit="percent", percent="12,5", starts="today", until="2027-01-31"
    )
    assert page.status == 200 and problems(page.html) == []
    words = {"nl": "Wat er verandert", "en": "What changes"}
    assert words[language] in page.text("#effect")


def test_a_payment_by_card_is_given_back_by_the_provider_once_and_the_client_is_mailed(
    app, client, session, signed
):
    reference = reference_of(session, signed)
    owner = sign_in(app.test_client(), session, session.scalars(select(User)).one())
    leaving = Page.get(owner, f"/abonnements/{signed.id}/payer").form("online").submit()
    page = Page.get(owner, leaving.headers["Refresh"].removeprefix("0; url="))
    page.form("demonstration").submit("Accepter")
    session.rollback()
    source = session.scalars(select(Payment.source)).one()
    session.rollback()
    as_team(client, session)
    assert ask(client, reference, "remboursement-carte", of=source, amount="200").status == 422
    page = ask(client, reference, "remboursement-carte", of=source, amount="20")
    assert page.status == 200 and problems(page.html) == []
    assert "Reste à payer de F2026-00001" in page.text("#effect") and "20,00 €" in page.text("#effect")
    done = confirm(page, "Payé deux fois")
    assert "Remboursement de 20,00 € sur la carte" in done.text("#made") and "Rendu" in done.text("#made")
    assert not done.has("#made a.btn")
    confirm(page, "Payé deux fois")
    session.expire_all()
    assert session.scalars(select(Payment.amount_cents).order_by(Payment.id)).all() == [10769, -2000]
    [mail] = session.scalars(select(OutboxMessage).where(OutboxMessage.template == "gesture"))
    assert (
        "Remboursement de 20,00\u00a0€ sur la carte" in mail.text_body and "Payé deux fois" in mail.text_body
    )
    session.rollback()
    told = Page.get(owner, f"/abonnements/{signed.id}/historique")
    assert "Remboursement de 20,00 € sur la carte ou le compte qui avait payé." in told.text("main")
