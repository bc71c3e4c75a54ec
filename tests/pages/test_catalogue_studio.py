"""The catalogue studio over HTTP: the catalogue read, a draft changed and checked, compared, and published on a day (S3)."""

import copy
from datetime import date

import pytest
from sqlalchemy import func, select

from tests import builders
from tests.support.page import Page
from tests.support.page_linter import problems
from tests.support.signing_in import sign_in
from webapp.models.catalogue import CatalogueDraft, PlanPrice, PlanVersion
from webapp.models.records import AuditEntry
from webapp.services import catalogue

PRO_MONTHLY = "/formules/pro/tarifs/mensuel"

# (address in the draft, what is typed, the field that says why, what it says)
WRONG = [
    (PRO_MONTHLY, {"amount": "beaucoup"}, "amount", "Écrivez un montant"),
    (PRO_MONTHLY, {"amount": "999999,00"}, "amount", "trop grand"),
    (PRO_MONTHLY, {"amount": ""}, "amount", "manque"),
    (PRO_MONTHLY, {"tier1_from": "2"}, "tier1_from", "en augmentant"),
    (PRO_MONTHLY, {"tier0_from": "3"}, "tier0_from", "ni inclus ni tarifé"),
    (PRO_MONTHLY, {"tier1_amount": ""}, "tier1_amount", "manque"),
    ("/formules/pro", {"name_nl": ""}, "name_nl", "vide"),
    ("/formules/pro", {"rank": "30"}, "rank", "déjà celui de la formule « premium »"),
    ("/formules/pro", {"highlight0_en": ""}, "highlight0_en", "vide"),
    ("/formules/pro", {"feature_reviews": "text"}, "feature_reviews_fr", "vide"),
    ("/formules", {"code": "Pro Max"}, "code", "n’est pas un code"),
    ("/formules", {"code": "pro"}, "code", "déjà pris"),
    ("/options/emails", {"unit_nl_many": ""}, "unit_nl_one", "deux mots"),
    ("/options/emails", {"smallest": "60"}, "largest", "plus petit que le minimum"),
    ("/options/emails", {"price_annual_horecaplus": ""}, "price_annual_horecaplus", "par an (HorecaPlus)"),
    ("/options/booking", {"other_collect": "requires"}, "other_emails", "en boucle"),
    ("/services/website", {"name_en": ""}, "name_en", "vide"),
]  # fmt: skip

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def signed(session):
    signed = builders.a_subscription(session, starts_on=date(2026, 10, 1))
    session.commit()
    return signed


def as_team(app, session, role="catalogue", **person):
    return sign_in(app.test_client(), session, builders.a_user(session, staff_role=role, **person))


@pytest.fixture
def team(app, session, signed):
    return as_team(app, session, full_name="Joris Maes")


@pytest.fixture
def draft(team):
    """The address of a draft just begun."""
    page = Page.get(team, "/equipe/catalogue").form("start").fill(name="Tarifs 2027").submit()
    return page.address


def kept(session):
    """The draft as it is kept now."""
    found = session.scalars(select(CatalogueDraft).execution_options(populate_existing=True)).one()
    session.expunge(found)
    session.rollback()  # SQLite has one writer: the portal's turn
    return found


def entry(found, section, code):
    return next(each for each in found.content[section] if each["code"] == code)


def test_the_catalogue_shows_what_is_on_sale_and_who_holds_it(team):
    page = Page.get(team, "/equipe/catalogue")
    assert problems(page.html) == []
    pro = next(row for row in page.texts("#plans tbody tr") if row.startswith("Pro"))
    assert "79,00 € par mois" in pro and "89,00 € par mois (HorecaPlus)" in pro and pro.endswith("1")
    past = Page.get(team, "/equipe/catalogue", le="2019-01-01")
    assert "À venir" in past.text("#plans tbody")


def test_every_version_of_an_entry_is_shown_with_its_tariffs(team):
    for address in ("formules/pro", "formules/salle", "options/emails", "options/concierge"):
        page = Page.get(team, f"/equipe/catalogue/{address}")
        assert problems(page.html) == [] and "En vente" in page.text("#version-1"), address


def test_the_pages_of_a_draft_are_whole(team, draft):
    for address in (
        "", "/formules", "/formules/pro", PRO_MONTHLY, "/options", "/options?kind=per_unit", "/options/emails",
        "/options/concierge", "/services", "/services/website", "/publication",
    ):  # fmt: skip
        assert problems(Page.get(team, draft + address).html) == [], address


def test_a_form_saved_untouched_changes_nothing(team, session, draft):
    before = kept(session)
    for address in (
        "/formules/essentiel", "/formules/premium", "/formules/premium/tarifs/annuel",
        "/formules/pro/tarifs/mensuel?revendeur=horecaplus", "/options/emails", "/options/collect", "/options/logo",
        "/options/concierge", "/services/website",
    ):  # fmt: skip
        Page.get(team, draft + address).form("entry").submit()
        after = kept(session)
        assert (after.content, after.version) == (before.content, before.version), address


def test_an_entry_longer_than_its_form_offers_keeps_all_of_it(team, session, draft):
    row = session.scalars(select(CatalogueDraft)).one()
    content = copy.deepcopy(row.content)
    pro = entry(row, "plans", "pro")
    place = content["plans"].index(pro)
    content["plans"][place]["highlights"] = [
        {"fr": f"Point {number}", "nl": f"Punt {number}", "en": f"Point {number}"} for number in range(9)
    ]
    content["plans"][place]["prices"][0]["establishments"] = [
        {"from": number, "amount": f"{40 - number}.00"} for number in range(2, 9)
    ]
    row.content = content
    session.commit()
    for address in ("/formules/pro", PRO_MONTHLY):
        Page.get(team, draft + address).form("entry").submit()
        assert entry(kept(session), "plans", "pro") == content["plans"][place], address


def test_an_amount_is_typed_as_people_write_it_and_kept_as_the_file_writes_it(team, session, draft):
    form = Page.get(team, draft + PRO_MONTHLY).form("entry")
    page = form.fill(amount="1 084,5", notice_count="30", notice_unit="days").submit()
    assert "1 084,50 €" in page.text("#prices") and "C’est enregistré" in page.text("#flashes")
    price = entry(kept(session), "plans", "pro")["prices"][0]
    assert (price["amount"], price["notice"], price["commitment"]) == ("1084.50", "30 days", "12 months")


def test_a_wrong_field_says_why_and_keeps_what_was_typed(team, session, draft):
    before = kept(session).content
    for address, typed, field, said in WRONG:
        page = Page.get(team, draft + address).form("entry").fill(**typed).submit()
        assert page.status == 422, (address, typed)
        form = page.form("entry")
        assert said in form.error(field), (address, typed, form.error(field))
        assert {name: form.values[name] for name in typed} == {name: [value] for name, value in typed.items()}
        assert problems(page.html) == [], typed
    assert kept(session).content == before


def test_a_draft_saved_by_a_colleague_meanwhile_is_refused_and_the_words_typed_stay(
    app, team, session, draft
):
    slow = Page.get(team, draft + PRO_MONTHLY).form("entry").fill(amount="81,00")
    other = as_team(app, session, full_name="Ilse Peeters")
    Page.get(other, draft + "/formules/flex/tarifs/mensuel").form("entry").fill(amount="96,00").submit()
    page = slow.submit()
    assert page.status == 409 and "Ilse Peeters a enregistré ce brouillon" in page.text("#error-summary")
    assert page.form("entry").values["amount"] == ["81,00"]
    assert page.form("entry").submit().status == 200
    saved = kept(session)
    amounts = [entry(saved, "plans", code)["prices"][0]["amount"] for code in ("pro", "flex")]
    assert amounts == ["81.00", "96.00"]


def test_a_new_plan_asks_for_its_tariffs_before_it_can_be_published(team, draft):
    typed = {
        f"{name}_{language}": "Solo" for name in ("name", "description") for language in ("fr", "nl", "en")
    }
    form = Page.get(team, draft + "/formules").form("entry")
    page = form.fill(code="solo", rank="5", included_establishments="1", **typed).submit()
    assert page.address == f"{draft}/formules/solo" and "Aucun tarif" in page.text("#prices")
    publication = Page.get(team, draft + "/publication")
    assert "Formule Solo" in publication.text("#to-mend") and not publication.all("#confirm")
    price = Page.get(team, draft + "/formules/solo/tarifs/mensuel").form("entry")
    price.fill(amount="19,00", commitment="0", notice_count="1", tier0_from="2", tier0_amount="9,00").submit()
    comparison = Page.get(team, draft + "/publication").text("#plan-solo")
    assert "Nouveau" in comparison and "19,00 €" in comparison and "dès le 2e : 9,00 €" in comparison


def test_a_new_option_is_first_asked_how_it_is_sold(team, session, draft):
    page = Page.get(team, draft + "/options").form("kind-form").fill(kind="one_off").submit()
    typed = {
        f"{name}_{language}": "Menu" for name in ("name", "description") for language in ("fr", "nl", "en")
    }
    page = page.form("entry").fill(
        code="menu-imprime", place="1", price_once_="120,00", plan_pro="offered_by", **typed
    )
    assert page.submit().status == 200
    made = kept(session).content["options"][0]
    assert (made["code"], made["kind"], made["offered_by"]) == ("menu-imprime", "one_off", ["pro"])
    assert made["prices"] == [{"frequency": "once", "currency": "EUR", "amount": "120.00"}]


def test_a_plan_taken_off_sale_leaves_the_options_that_named_it_and_comes_back(team, session, draft):
    page = Page.get(team, draft)
    button = next(form for form in page.all("#plans form") if form.cssselect("[value=flex]"))
    button.set("id", "withdraw-flex")
    page = page.form("withdraw-flex").submit()
    assert entry(kept(session), "options", "signage")["offered_by"] == ["essentiel", "pro", "premium"]
    section = Page.get(team, draft + "/publication").text("#plan-flex")
    assert (
        "Plus en vente" in section
        and "Plus aucun client ne peut la choisir dès le 16 novembre 2026" in section
    )
    back = next(form for form in page.all("#plans form") if form.cssselect("[value=flex]"))
    back.set("id", "restore-flex")
    page.form("restore-flex").submit()
    assert entry(kept(session), "plans", "flex")["rank"] == 25


def test_a_price_is_compared_published_on_its_day_and_signed_prices_stay(app, team, session, draft, signed):
    Page.get(team, draft + PRO_MONTHLY).form("entry").fill(amount="84,00").submit()
    page = Page.get(team, draft + "/publication", le="2027-01-01")
    assert problems(page.html) == []
    section = page.text("#plan-pro")
    assert "79,00 €" in section and "84,00 €" in section and "1 garde 79,00 €" in section
    assert "Les nouveaux clients paient ces tarifs dès le 1er janvier 2027" in section
    again = page.form("confirm")
    page = again.submit()
    assert "Publié" in page.text("#flashes") and "84,00 €" in page.text("#plans")
    assert "Formule pro : nouveaux tarifs dès le 1er janvier 2027" in page.text("#publications")
    assert again.submit().status == 200  # the same key: the same answer, nothing done twice
    row = session.get(type(signed.subscription), signed.id)
    assert row.plan_price.amount_cents == 7900
    prices = select(func.count()).where(PlanPrice.amount_cents == 8400)
    assert session.scalar(prices) == 1
    actions = set(session.scalars(select(AuditEntry.action).where(AuditEntry.action.like("catalogue%"))))
    session.rollback()
    assert actions >= {"catalogue.published", "catalogue_draft.started", "catalogue_draft.changed",
                       "catalogue_draft.published"}  # fmt: skip
    assert "84,00 €" not in Page.get(team, "/equipe/catalogue", le="2026-12-31").text("#plans")
    closed = Page.get(team, draft + PRO_MONTHLY)
    assert not closed.all("#entry button") and "clos" in Page.get(team, draft + "/publication").text(
        "#closed"
    )


def test_a_change_of_content_makes_a_version_and_says_that_what_was_sold_stays(team, session, draft):
    Page.get(team, draft + "/formules/pro").form("entry").fill(included_establishments="2").submit()
    page = Page.get(team, draft + "/publication")
    assert "Nouvelle version 2" in page.text("#plan-pro")
    assert "1 abonné garde ce qu’il a signé" in page.text("#plan-pro")
    page.form("confirm").submit()
    versions = session.scalars(select(PlanVersion.included_establishments).order_by(PlanVersion.id)).all()
    session.rollback()
    assert versions[-1] == 2 and 1 in versions


def test_a_draft_changed_after_it_was_compared_is_compared_again(team, draft):
    Page.get(team, draft + PRO_MONTHLY).form("entry").fill(amount="84,00").submit()
    confirm = Page.get(team, draft + "/publication").form("confirm")
    Page.get(team, draft + PRO_MONTHLY).form("entry").fill(amount="85,00").submit()
    page = confirm.submit()
    assert (
        page.status == 409
        and "n’est plus à jour" in page.text("#preview")
        and "85,00 €" in page.text("#plan-pro")
    )


def test_a_day_that_is_past_is_refused_beside_its_field(team, draft):
    Page.get(team, draft + PRO_MONTHLY).form("entry").fill(amount="84,00").submit()
    page = Page.get(team, draft + "/publication", le="2026-11-15")
    assert page.status == 422 and "choisissez aujourd’hui" in page.form("choose").error("le")
    assert not page.all("#confirm")


def test_what_is_published_meanwhile_is_taken_up_before_publishing(app, team, session, draft):
    Page.get(team, draft + PRO_MONTHLY).form("entry").fill(amount="84,00").submit()
    other = Page.get(team, "/equipe/catalogue").form("start").fill(name="Flex").submit().address
    Page.get(team, other + "/formules/flex/tarifs/mensuel").form("entry").fill(amount="99,00").submit()
    Page.get(team, other + "/publication", le="2026-12-01").form("confirm").submit()
    assert not Page.get(team, draft + "/publication", le="2026-12-01").all("#confirm")
    page = Page.get(team, draft)
    rebase = page.one("#outdated form")
    rebase.set("id", "rebase")
    page.form("rebase").submit()
    section = Page.get(team, draft + "/publication", le="2026-12-01")
    assert "84,00 €" in section.text("#plan-pro") and not section.all("#plan-flex")


def test_a_draft_and_the_catalogue_leave_as_the_file_that_the_command_reads(team, session, draft, tmp_path):
    Page.get(team, draft + PRO_MONTHLY).form("entry").fill(amount="84,00").submit()
    for address, cents in (("/equipe/catalogue/fichier", 7900), (f"{draft}/fichier", 8400)):
        file = tmp_path / "catalogue.yaml"
        file.write_bytes(team.get(address).data)
        found = catalogue.check(session, file)
        assert next(plan for plan in found.plans if plan.code == "pro").prices[0].amount_cents == cents


def test_a_draft_given_up_is_read_and_changes_no_more(team, session, draft):
    page = Page.get(team, draft)
    page.one("#abandon form").set("id", "give-up")
    page = page.form("give-up").submit()
    assert "Abandonné par Joris Maes" in page.text("#closed") and not page.all("#settings")
    assert "Rien n’en a été publié" in page.text("#closed")


def test_support_reads_the_catalogue_and_cannot_prepare_it(app, session, signed):
    support = as_team(app, session, "support")
    page = Page.get(support, "/equipe/catalogue")
    assert page.all("#plans") and not page.all("#drafts")
    assert not Page.get(support, "/equipe/catalogue/formules/pro").all("#version-1 a")


def test_a_version_that_is_held_leads_to_the_move_of_its_subscribers(team):
    page = Page.get(team, "/equipe/catalogue/formules/pro").follow("#version-1 a")
    assert page.status == 200 and page.address.startswith("/equipe/migrations")
