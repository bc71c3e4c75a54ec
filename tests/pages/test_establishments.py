"""Establishments over HTTP: the list and its services, adding, removing, importing; with and without scripts."""

import io
from datetime import date

import pytest
from sqlalchemy import func, select

from tests.builders import Signed, a_reseller, a_subscription, a_user
from tests.support.page import HTMX, Page
from tests.support.signing_in import sign_in
from webapp.domain.access import Role
from webapp.models.invoices import Invoice
from webapp.models.records import AuditEntry, OutboxMessage
from webapp.models.subscriptions import Establishment
from webapp.services.subscriptions import NewOption

TODAY = date(2026, 3, 10)
PETIT_PARC = {
    "name": "Le Petit Parc",
    "street": "Chaussée d’Alsemberg 418",
    "postcode": "1180",
    "city": "Uccle",
}


@pytest.fixture
def parc(session, clock) -> Signed:
    """One address on Pro, monthly from 1 March; the day is 10 March."""
    clock.set(TODAY)
    signed = a_subscription(session, establishments=1, billed_through=TODAY)
    session.commit()
    return signed


@pytest.fixture
def three(session, clock) -> Signed:
    """Three addresses; the first two take bookings."""
    clock.set(TODAY)
    signed = a_subscription(
        session,
        establishments=3,
        options=[NewOption("booking", at=1), NewOption("booking", at=2), NewOption("signage")],
        billed_through=TODAY,
    )
    session.commit()
    return signed


def as_role(client, session, signed, role=Role.OWNER):
    sign_in(client, session, a_user(session, signed.account, role))
    return client


def at(signed, path=""):
    return f"/abonnements/{signed.id}/etablissements{path}"


def the_list(client, signed, **query):
    return Page.get(client, at(signed), **query)


def previewed(client, signed, **details):
    form = Page.get(client, at(signed, "/ajouter")).form("add")
    return form.fill(**(PETIT_PARC | details)).submit()


def rows(session, signed):
    """Plain rows: SQLite has one writer, and it is the portal's turn."""
    found = session.execute(
        select(Establishment.id, Establishment.name)
        .where(Establishment.subscription_id == signed.id)
        .order_by(Establishment.position)
    ).all()
    session.rollback()
    return found


def count(session, of, **where):
    statement = select(func.count()).select_from(of).filter_by(**where)
    number = session.scalar(statement)
    session.rollback()
    return number


def removal(client, session, signed, place):
    row = rows(session, signed)[place - 1]
    return Page.get(client, at(signed, f"/{row.id}/retirer"))


# ── Adding ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_second_establishment_is_in_service_today_and_charged_from_1_april(client, session, parc):
    as_role(client, session, parc)
    preview = previewed(client, parc)
    assert "24,00 € HTVA par mois (29,04 € TVAC)" in preview.text("#rates")
    assert preview.text("#price-summary .amount") == "0,00 €"
    assert "Facture du 1er avril 2026" in preview.text("#price-summary")
    assert "103,00 € HTVA" in preview.text("#price-summary")  # 79 + 24
    done = preview.form("confirm").submit()
    assert "Le Petit Parc est ajouté" in done.text("#flashes")
    assert done.texts("#establishment-list tbody td.num") == ["Inclus", "24,00 €dès le 1er avril 2026"]


def test_inside_a_paid_year_the_months_left_are_invoiced_at_the_next_monthly_renewal(client, session, clock):
    clock.set(TODAY)
    signed = a_subscription(session, frequency="annual", starts_on=date(2026, 1, 15), billed_through=TODAY)
    as_role(client, session, signed)
    preview = previewed(client, signed)
    # 15 March to 14 January: 306 of the 365 days of 240,00 €.
    assert "240,00 € × 306/365" in preview.text("main")
    assert "201,21 €" in preview.text("main")
    assert "Facture du 15 mars 2026" in preview.text("#price-summary")
    assert "1 030,00 € HTVA" in preview.text("#price-summary")  # 790 + 240 from the next year on


def test_the_fifth_costs_24_and_the_sixth_19(client, session, clock):
    clock.set(TODAY)
    signed = a_subscription(session, establishments=4, billed_through=TODAY)
    as_role(client, session, signed)
    page = previewed(client, signed)
    assert "24,00 € HTVA par mois" in page.text("#rates")
    page.form("confirm").submit()
    assert "19,00 € HTVA par mois (22,99 € TVAC)" in previewed(client, signed).text("#rates")


def test_an_included_establishment_costs_nothing(client, session, clock):
    clock.set(TODAY)
    signed = a_subscription(session, plan="premium", billed_through=TODAY)
    as_role(client, session, signed)
    assert previewed(client, signed).text("#rates") == "Inclus dans Premium : rien à payer."


def test_confirming_twice_adds_one_establishment_and_sends_one_mail(client, session, parc):
    as_role(client, session, parc)
    form = previewed(client, parc).form("confirm")
    first, second = form.submit(), form.submit()
    assert first.address == second.address
    assert len(rows(session, parc)) == 2
    assert count(session, OutboxMessage, template="establishments_changed") == 1
    assert count(session, AuditEntry, action="subscription.establishments_changed") == 1


def test_two_tabs_the_later_one_is_shown_the_new_figures(client, session, parc):
    as_role(client, session, parc)
    tabs = previewed(client, parc).form("confirm"), previewed(client, parc, name="Comptoir").form("confirm")
    tabs[0].submit()
    again = tabs[1].submit()
    assert again.status == 409
    assert "n’est plus à jour" in again.text("#preview")
    assert len(rows(session, parc)) == 2
    assert "Comptoir" in again.form("confirm").submit().text("#flashes")


def test_with_scripts_the_confirmation_leads_to_the_same_list(client, session, parc):
    as_role(client, session, parc)
    answer = previewed(client, parc).form("confirm").submit(htmx=True)
    assert answer.headers["HX-Redirect"] == at(parc)


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("name", "", "Donnez un nom"),
        ("postcode", "10600", "quatre chiffres"),
        ("postcode", "0100", "quatre chiffres"),
        ("number", "2.123.456.742", "dix chiffres"),
        ("number", "0.876.543.270", "dix chiffres"),
        ("city", "x" * 121, "120 caractères"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_what_was_typed_is_kept(
    client, session, parc, field, typed, said
):
    page = previewed(as_role(client, session, parc), parc, **{field: typed})
    assert page.status == 422
    assert said in page.form("add").error(field)
    assert page.form("add").values[field] == [typed]


def test_the_address_can_be_corrected_from_the_preview(client, session, parc):
    as_role(client, session, parc)
    page = previewed(client, parc, number="2.123.456.791")
    back = page.form(action="/ajouter").submit("correct=1")
    assert back.form("add").values["name"] == ["Le Petit Parc"]
    assert back.form("add").values["number"] == ["2123456791"]


def test_a_forged_confirmation_adds_nothing(client, session, parc):
    as_role(client, session, parc)
    form = previewed(client, parc).form("confirm")
    assert form.fill(preview="0" * 32).submit().status == 409
    assert form.fill(postcode="nulle part").submit().status == 422
    assert len(rows(session, parc)) == 1


def test_a_name_that_looks_like_markup_or_a_formula_is_text(client, session, parc):
    as_role(client, session, parc)
    name = "=HYPERLINK(1)<script>alert(1)</script>"
    previewed(client, parc, name=name).form("confirm").submit()
    page = the_list(client, parc)
    assert name in page.texts("#establishment-list tbody th")
    assert "<script>alert" not in page.html


# ── Correcting, removing, bringing back ──────────────────────────────────────────────────────────────────────────


def test_a_name_and_an_address_are_corrected(client, session, parc):
    as_role(client, session, parc)
    form = the_list(client, parc).follow("Modifier Adresse 1").form("edit")
    page = form.fill(name="Brasserie", city="Ixelles", postcode="1050").submit()
    assert "Brasserie" in page.text("#establishment-list")
    assert "1050 Ixelles" in page.text("#establishment-list")


def test_removing_says_what_goes_with_it_and_what_the_next_invoice_becomes(client, session, three):
    as_role(client, session, three)
    page = removal(client, session, three, 2)
    assert "Réservation en ligne s’arrête avec l’établissement" in page.text("#preview")
    # 79 + 12 + 15 + 24 instead of 79 + 12 + 30 + 48
    assert "130,00 € HTVA" in page.text("#price-summary")
    assert "204,49 €" in page.text("#price-summary")
    done = page.form("confirm").submit()
    assert "Adresse 2 n’est plus en service" in done.text("#flashes")
    assert done.texts("#establishment-list tbody th") == ["Adresse 1", "Adresse 3"]


def test_options_of_the_account_may_go_along(client, session, three):
    as_role(client, session, three)
    page = removal(client, session, three, 2).form("along").fill(avec="signage").submit()
    assert "Affichage digital : retirée, active jusqu’au 31 mars 2026" in page.text("#preview")
    assert "118,00 € HTVA" in page.text("#price-summary")
    page.form("confirm").submit()
    session.rollback()
    mail = session.scalars(
        select(OutboxMessage).where(OutboxMessage.template == "establishments_changed")
    ).one()
    assert "retirée, active jusqu’au 31 mars 2026" in mail.text_body


def test_an_option_chosen_today_that_goes_along_is_given_back(client, session, three, clock):
    from tests.builders import CLAIRE, noon
    from webapp.domain.option_change import Wish
    from webapp.services import options

    wishes = [Wish("reviews", 1)]
    shown = options.preview(session, three.id, wishes, TODAY)
    options.save(session, three.id, wishes, shown.fingerprint, TODAY, noon(TODAY), CLAIRE, "")
    session.commit()
    as_role(client, session, three)
    page = removal(client, session, three, 3).form("along").fill(avec="reviews").submit()
    assert page.text("#price-summary h2") == "À votre crédit"
    page.form("confirm").submit()
    session.rollback()
    cents = session.scalars(select(Invoice.total_cents).order_by(Invoice.id.desc()).limit(2)).all()
    assert sum(cents) == 0


def test_a_removal_is_undone_the_same_day_and_costs_nothing(client, session, three):
    as_role(client, session, three)
    before = count(session, Invoice)
    done = removal(client, session, three, 2).form("confirm").submit()
    back = done.form(action="/remettre").submit()
    assert "Adresse 2 est de nouveau en service" in back.text("#flashes")
    assert back.texts("#establishment-list tbody th") == ["Adresse 1", "Adresse 2", "Adresse 3"]
    assert len(back.all("#matrix input[name=service][checked]")) == 2  # its booking is back
    assert count(session, Invoice) == before
    again = done.form(action="/remettre").submit()  # the other tab
    assert again.status == 200


def test_the_next_day_a_removal_stands(client, session, three, clock):
    as_role(client, session, three)
    done = removal(client, session, three, 2).form("confirm").submit()
    clock.set(date(2026, 3, 11))
    as_role(client, session, three)  # last night's session is over
    assert not the_list(client, three).all("form[action$='/remettre']")
    assert done.form(action="/remettre").submit().status == 422


def test_the_last_establishment_stays(client, session, parc):
    as_role(client, session, parc)
    assert not the_list(client, parc).all("a[href$='/retirer']")
    page = removal(client, session, parc, 1)
    assert page.status == 422
    assert "garde au moins un établissement" in page.text("#preview")


# ── Services ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_matrix_says_where_each_service_is_and_what_is_missing(client, session, three):
    page = the_list(as_role(client, session, three), three)
    assert page.texts("#matrix thead th")[0] == "Établissement"
    assert any(each.startswith("Réservation en ligne") for each in page.texts("#matrix thead th"))
    assert "Absent ici seulement" in page.text("#matrix tbody tr:nth-child(3)")
    assert "Réservation en ligne manque ici seulement : Adresse 3." in page.text("#coverage")


def test_one_press_mends_a_gap_after_a_preview(client, session, three):
    as_role(client, session, three)
    page = the_list(client, three).form("coverage").submit()
    assert "Réservation en ligne, Adresse 3 : ajoutée" in page.text("#preview")
    assert page.text("#price-summary .amount") == "12,89 €"  # 15,00 × 22/31 = 10,65, and 2,24 of VAT
    done = page.form("confirm").submit()
    assert not done.has("#coverage")
    assert len(done.all("#matrix input[name=service][checked]")) == 3


def test_mending_adds_what_the_service_needs(client, session, clock):
    clock.set(TODAY)
    options = [NewOption("booking", at=1), NewOption("collect", at=1)]
    signed = a_subscription(session, establishments=2, options=options, billed_through=TODAY)
    page = the_list(as_role(client, session, signed), signed)
    form = next(form for form in page.all("#coverage form") if "Click" in form.text_content())
    code = form.cssselect("button")[0].get("value")
    assert code == "collect"
    preview = Page(
        client,
        client.post(
            form.get("action"),
            data={"mend": code, "csrf_token": form.cssselect("input[name=csrf_token]")[0].get("value")},
            headers={"Sec-Fetch-Site": "same-origin"},
        ),
    )
    assert "Réservation en ligne, Adresse 2" in preview.text("#preview")
    assert "Click & collect, Adresse 2" in preview.text("#preview")


def test_switches_are_a_draft_until_confirmed(client, session, three):
    as_role(client, session, three)
    form = the_list(client, three).form("services")
    ids = [row.id.hex for row in rows(session, three)]
    form.fill(service=[f"booking@{ids[0]}", f"booking@{ids[2]}"])  # off at 2, on at 3
    page = form.submit()
    assert "Réservation en ligne, Adresse 2 : retirée, active jusqu’au 31 mars 2026" in page.text("#preview")
    assert "Réservation en ligne, Adresse 3 : ajoutée" in page.text("#preview")
    assert (
        len(the_list(client, three).all("#matrix input[name=service][checked]")) == 2
    )  # nothing written yet
    done = page.form("confirm").submit()
    assert "Vos services sont enregistrés" in done.text("#flashes")
    assert "Jusqu’au 31 mars 2026" in done.text("#matrix tbody tr:nth-child(2)")


def test_switches_left_alone_change_nothing(client, session, three):
    page = the_list(as_role(client, session, three), three).form("services").submit()
    assert "rien à enregistrer" in page.text("#flashes")


def test_switches_of_another_tenant_are_refused(client, session, three):
    other = a_subscription(session)
    session.commit()
    theirs = rows(session, other)[0].id.hex
    as_role(client, session, three)
    form = the_list(client, three).form("services")
    form.fill(shown=f"booking@{theirs}", service=f"booking@{theirs}")
    assert form.submit().status == 422


# ── Who ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_viewer_sees_everything_changes_nothing_and_sees_why(client, session, three):
    page = the_list(as_role(client, session, three, Role.VIEWER), three)
    assert "Seuls le propriétaire et les administrateurs" in page.text("#read-only")
    assert page.has("#matrix") and page.has("#coverage")
    assert not page.all("main input[type=checkbox], main button[type=submit], main a.btn")
    assert Page.get(client, at(three, "/ajouter")).status == 403


def test_a_resellers_client_is_sent_to_the_partner(client, session, clock):
    clock.set(TODAY)
    signed = a_subscription(session, reseller=a_reseller(session, allowed_actions=()), billed_through=TODAY)
    as_role(client, session, signed)
    page = the_list(client, signed)
    assert "aide@horecaplus.example" in page.text("#read-only")
    assert not page.all("main a.btn")
    assert Page.get(client, at(signed, "/ajouter")).status == 422


def test_another_tenants_establishment_is_not_found(client, session, parc):
    other = a_subscription(session, establishments=2)
    session.commit()
    as_role(client, session, parc)
    theirs = rows(session, other)[1].id
    for action in ("modifier", "retirer"):
        assert Page.get(client, at(parc, f"/{theirs}/{action}")).status == 404
    assert Page.get(client, at(other)).status == 404
    form = the_list(client, parc).follow("Modifier Adresse 1").form("edit")
    form.element.set("action", at(parc, f"/{theirs}/modifier"))
    assert form.submit().status == 404


# ── Hundreds ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def hundred(session, clock) -> Signed:
    clock.set(TODAY)
    signed = a_subscription(session, establishments=100, billed_through=TODAY)
    session.commit()
    return signed


def test_the_list_is_paged_and_searched_without_scripts(client, session, hundred):
    as_role(client, session, hundred)
    page = the_list(client, hundred)
    assert len(page.all("#establishment-list tbody tr")) == 25
    assert "1 à 25 sur 100" in page.text(".pagination")
    assert page.follow("Suivante").texts("#establishment-list tbody th")[0] == "Adresse 26"
    found = page.form("search").fill(q="haute 77 BRUX").submit()
    assert found.texts("#establishment-list tbody th") == ["Adresse 77"]
    none = page.form("search").fill(q="Tombouctou").submit()
    assert "Aucun établissement trouvé" in none.text("#establishment-list")


def test_the_searched_fragment_is_the_one_of_the_page(client, session, hundred):
    as_role(client, session, hundred)
    swapped = the_list(client, hundred).form("search").fill(q="Adresse 7").submit(htmx=True)
    assert swapped.ids == ["establishments"]
    assert swapped.piece("establishments") == the_list(client, hundred, q="Adresse 7").piece("establishments")


@pytest.mark.parametrize("number", [1, 60])
def test_the_page_reads_the_same_few_statements_whatever_the_number(
    client, session, clock, statements, number
):
    clock.set(TODAY)
    options = [NewOption(code, at=place) for place in range(1, number + 1) for code in ("booking", "collect")]
    signed = a_subscription(session, establishments=number, options=options, billed_through=TODAY)
    as_role(client, session, signed)
    the_list(client, signed)
    statements.clear()
    client.get(at(signed), headers=HTMX)
    assert len(statements) <= 4


# ── Importing ────────────────────────────────────────────────────────────────────────────────────────────────────

HEADER = "Nom;Rue et numéro;Code postal;Commune;Numéro d’établissement"


def sent(client, signed, content):
    form = Page.get(client, at(signed, "/importer")).form("import")
    data = {name: values[0] for name, values in form.values.items() if name != "file"}
    if isinstance(content, str):
        content = content.encode()
    data["file"] = (io.BytesIO(content), "liste.csv")
    headers = {"Sec-Fetch-Site": "same-origin"}
    return Page(client, client.post(at(signed, "/importer"), data=data, headers=headers))


def two_hundred_with_seven_bad():
    lines = [f"Table {n};Rue Neuve {n};1000;Bruxelles;" for n in range(1, 201)]
    lines[9] = ";Rue Neuve 10;1000;Bruxelles;"
    lines[19] = "Table 20;;1000;Bruxelles;"
    lines[29] = "Table 30;Rue Neuve 30;100;Bruxelles;"
    lines[39] = "Table 40;Rue Neuve 40;1000;;"
    lines[49] = "Table 50;Rue Neuve 50;1000;Bruxelles;2.123.456.742"
    lines[59] = "Table 59;Rue Neuve 59;1000;Bruxelles;"  # the line before, again
    lines[69] = "ADRESSE 1;rue haute 1;1000;Bruxelles;"  # in service already
    return "\n".join([HEADER, *lines])


def test_an_import_is_reported_line_by_line_before_it_is_written_in_one_go(client, session, parc):
    as_role(client, session, parc)
    page = sent(client, parc, two_hundred_with_seven_bad())
    assert page.text("#counts") == "À ajouter : 193. Déjà là : 2. Refusées : 5."
    refused = page.texts("#report tr[data-outcome=refused]")
    assert refused[0].startswith("11")
    assert "Donnez un nom" in refused[0]
    assert len(rows(session, parc)) == 1  # nothing written yet
    assert "4 × 24,00 € HTVA par mois" in page.text("#rates")
    assert "189 × 19,00 € HTVA par mois" in page.text("#rates")
    # 79 + 4 × 24 + 189 × 19
    assert "3 766,00 € HTVA" in page.text("#price-summary")
    done = page.form("confirm").submit()
    assert "193 établissements sont ajoutés" in done.text("#flashes")
    assert len(rows(session, parc)) == 194
    assert count(session, AuditEntry, action="subscription.establishments_changed") == 1
    assert count(session, OutboxMessage, template="establishments_changed") == 1
    assert "194" in page.form("confirm").submit().text("main .lead")  # sent twice
    assert len(rows(session, parc)) == 194


@pytest.mark.parametrize(
    "content",
    [
        "name,street,postcode,city\nCafé,Rue Haute 9,1000,Bruxelles\n",
        "\ufeffNaam;Straat en nummer;Postcode;Gemeente\r\nCafé;Rue Haute 9;1000;Bruxelles\r\n",
        'NOM ; CP ; Localité ; Adresse ; Remarque\n"Café";1000;"Bruxelles";"Rue Haute 9";vide\n\n;;;;\n',
    ],
)
def test_spreadsheets_of_several_kinds_are_read(client, session, parc, content):
    page = sent(as_role(client, session, parc), parc, content)
    assert page.text("#counts") == "À ajouter : 1. Déjà là : 0. Refusées : 0."
    assert "Café" in page.text("#report")
    assert "Rue Haute 9, 1000 Bruxelles" in page.text("#report")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "Choisissez un fichier CSV"),
        (b"Nom;Rue;CP;Ville\nCaf\xe9;Rue 1;1000;Bruxelles", "CSV UTF-8"),
        ("Nom;Rue\nCafé;Rue 1", "Code postal et Commune"),
        (HEADER + "\nA;B;1000;C;" * 2001, "2 000 lignes"),
        (b"PK\x03\x04\x00\x00", "Repartez de notre modèle"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(client, session, parc, content, said):
    page = sent(as_role(client, session, parc), parc, content)
    assert page.status == 422
    assert said in page.text("#error-summary")


def test_the_template_is_a_file_that_can_be_imported(client, session, parc):
    as_role(client, session, parc)
    answer = client.get(at(parc, "/importer/modele.csv"))
    assert answer.headers["Content-Disposition"].startswith("attachment")
    filled = answer.data + "=Café;Rue Haute 9;1000;Bruxelles;2.123.456.791\r\n".encode()
    page = sent(client, parc, filled)
    page.form("confirm").submit()
    assert rows(session, parc)[1].name == "=Café"


def test_lines_that_were_not_checked_here_are_not_added(client, session, parc):
    as_role(client, session, parc)
    form = sent(client, parc, HEADER + "\nCafé;Rue Haute 9;1000;Bruxelles;").form("confirm")
    assert form.fill(lines=form.values["lines"][0][:-2] + "xx").submit().status == 400
    assert len(rows(session, parc)) == 1


def test_an_import_confirmed_after_another_change_is_shown_again(client, session, parc):
    as_role(client, session, parc)
    form = sent(client, parc, HEADER + "\nCafé;Rue Haute 9;1000;Bruxelles;").form("confirm")
    previewed(client, parc).form("confirm").submit()
    again = form.submit()
    assert again.status == 409
    again.form("confirm").submit()
    assert [row.name for row in rows(session, parc)] == ["Adresse 1", "Le Petit Parc", "Café"]


def test_a_subscription_that_ended_shows_its_list_and_no_actions(client, session, parc):
    parc.subscription.status, parc.subscription.ended_on = "ended", date(2026, 3, 5)
    session.commit()
    as_role(client, session, parc)
    page = the_list(client, parc)
    assert page.status == 200
    assert not page.all("main a.btn")
    assert Page.get(client, at(parc, "/ajouter")).status == 422
