"""The catalogue: read with care, published in versions, never edited once sold (C1-C6)."""

import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.adapters.catalogue_file import read_catalogue
from webapp.adapters.yaml_file import BrokenFile
from webapp.domain.access import SYSTEM
from webapp.domain.refusals import OptionKindFixed, PublicationTooEarly
from webapp.i18n import t
from webapp.models.accounts import Reseller
from webapp.models.catalogue import OptionVersion, PlanPrice, PlanVersion
from webapp.models.records import AuditEntry
from webapp.services import catalogue

DEMO = Path(catalogue.__file__).parent.parent / "demo" / "catalogue.yaml"
NOW = datetime(2026, 11, 16, 9, tzinfo=UTC)
JANUARY, JUNE, SEPTEMBER = date(2026, 1, 1), date(2026, 6, 1), date(2026, 9, 1)

SMALL = """\
features:
  - code: website
    group: {fr: Services, nl: Diensten, en: Services}
    name: {fr: Site web, nl: Website, en: Website}
plans:
  - code: pro
    rank: 20
    name: {fr: Pro, nl: Pro, en: Pro}
    description: {fr: Un site, nl: Een website, en: A website}
    included_establishments: 1
    features: {website: true}
    prices:
      - frequency: monthly
        amount: 79.10
        establishments: [{from: 2, amount: 24.00}, {from: 6, amount: 19.00}]
        commitment: 12 months
        notice: 30 days
        renewal: same_term
      - frequency: annual
        amount: 791.00
        establishments: [{from: 2, amount: 240.00}]
        commitment: 12 months
        notice: 2 months
        renewal: same_term
options:
  - code: emails
    kind: per_unit
    icon: mail
    name: {fr: E-mails, nl: E-mail, en: E-mail}
    description: {fr: À votre nom, nl: Op uw naam, en: In your name}
    unit: {fr: [boîte, boîtes], nl: [mailbox, mailboxen], en: [mailbox, mailboxes]}
    quantity: {min: 1, max: 50}
    offered_by: [pro]
    prices:
      - {frequency: monthly, amount: 2.50}
      - {frequency: annual, amount: 25.00}
"""


def line_of(text: str) -> int:
    return SMALL[: SMALL.index(text)].count("\n") + 1


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "catalogue.yaml"


def complaints(file: Path, content: str | bytes) -> list[tuple[int, str, str]]:
    """(line, field, French sentence) of every problem."""
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BrokenFile) as broken:
        read_catalogue(file, ["horecaplus"])
    return [
        (problem.line, problem.path, t("fr", problem.message, **problem.facts))
        for problem in broken.value.problems
    ]


# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_amount_typed_with_two_decimals_is_kept_to_the_cent(file: Path) -> None:
    file.write_text(SMALL)
    monthly, annual = read_catalogue(file, []).plans[0].prices
    assert (monthly.amount_cents, annual.amount_cents) == (7910, 79100)
    assert monthly.establishment_tiers[1] == {"from_unit": 6, "amount_cents": 1900}
    assert (monthly.commitment_months, monthly.notice_count, monthly.notice_unit) == (12, 30, "days")


@pytest.mark.parametrize(
    ("typed", "instead", "field", "said"),
    [
        ("amount: 79.10", "amount: -79.10", "plans[pro].prices[0].amount", "n’est pas un montant"),
        ("amount: 79.10", "amount: 79.1", "plans[pro].prices[0].amount", "n’est pas un montant"),
        ("amount: 79.10", "amount: 7.91e1", "plans[pro].prices[0].amount", "n’est pas un montant"),
        ("amount: 79.10", "amount: 790000.00", "plans[pro].prices[0].amount", "trop grand"),
        ("amount: 79.10", "amount: '79,10'", "plans[pro].prices[0].amount", "79.00"),
        ("from: 6", "from: 2", "plans[pro].prices[0].establishments[1].from", "en augmentant"),
        ("from: 2", "from: 3", "plans[pro].prices[0].establishments[0].from", "ni inclus ni tarifé"),
        ("commitment: 12 months", "commitment: a year", "plans[pro].prices[0].commitment", "n’est pas une durée"),
        ("commitment: 12 months", "commitment: 30 days", "plans[pro].prices[0].commitment", "en mois"),
        ("renewal: same_term", "renewal: same-term", "plans[pro].prices[0].renewal", "« same_term »"),
        ("[{from: 2, amount: 240.00}]", "[]", "plans[pro].prices[1].establishments", "au moins une tranche"),
        ("nl: Website, en", "en", "features[website].name.nl", "manque"),
        ("nl: Website, en", "nl: '', en", "features[website].name.nl", "vide"),
        ("rank: 20", "rank: high", "plans[pro].rank", "entier de 1 à 1000"),
        ("rank: 20", "ranc: 20", "plans[pro].ranc", "« rank »"),
        ("{website: true}", "{websit: true}", "plans[pro].features.websit", "« website »"),
        ("{website: true}", "{website: 1}", "plans[pro].features.website", "true ou false"),
        ("frequency: annual\n        amount: 791.00", "frequency: monthly\n        amount: 791.00",
         "plans[pro].prices[1].frequency", "déjà plus haut"),
        ("offered_by: [pro]", "offered_by: [por]", "options[emails].offered_by[0]", "« pro »"),
        ("offered_by: [pro]", "offered_by: pro", "options[emails].offered_by", "une liste de codes"),
        ("offered_by: [pro]", "included_by: [pro]\n    offered_by: [pro]", "options[emails].included_by", "inclut déjà"),
        ("offered_by: [pro]", "offered_by: []", "options[emails].offered_by", "Aucune formule"),
        ("offered_by: [pro]", "offered_by: [pro]\n    requires: [booking]", "options[emails].requires[0]", "« booking »"),
        ("offered_by: [pro]", "offered_by: [pro]\n    requires: [emails]", "options[emails].requires", "en boucle"),
        ("offered_by: [pro]", "offered_by: [pro]\n    excludes: [emails]", "options[emails].excludes", "elle-même"),
        ("offered_by: [pro]", "offered_by: [pro]\n    feature: site", "options[emails].feature", "« site »"),
        ("      - {frequency: annual, amount: 25.00}\n", "", "options[emails].prices", "frequency: annual"),
        ("[boîte, boîtes]", "boîte", "options[emails].unit.fr", "le pluriel"),
        ("max: 50", "max: 0", "options[emails].quantity.max", "entier de 1"),
        ("icon: mail", "icon: mail\n    icon: star", "options[emails].icon", "deux fois"),
        ("kind: per_unit", "kind: per-unit", "options[emails].kind", "« per_unit »"),
        ("code: emails", "code: E-mails", "options[emails].code", "n’est pas un code"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_line_its_field_and_what_is_expected(
    file: Path, typed: str, instead: str, field: str, said: str
) -> None:
    field = field if instead != "code: E-mails" else "options[0].code"
    problems = complaints(file, SMALL.replace(typed, instead, 1))
    found = [(line, sentence) for line, path, sentence in problems if path == field]
    assert found, problems
    assert said.replace("« ", "«\xa0").replace(" »", "\xa0»") in found[0][1] or said in found[0][1]
    if "\n" not in typed + instead:
        assert found[0][0] == line_of(typed)


def test_every_mistake_of_the_file_is_told_at_once_in_the_order_of_the_lines(file: Path) -> None:
    content = SMALL.replace("79.10", "79").replace("rank: 20", "rank: 0").replace("[pro]", "[por]")
    lines = [line for line, _path, _sentence in complaints(file, content)]
    assert len(lines) >= 3
    assert lines == sorted(lines)


def test_a_code_taken_twice_names_the_line_of_the_first(file: Path) -> None:
    entry = SMALL[SMALL.index("  - code: website") : SMALL.index("plans:")]
    (problem,) = complaints(file, SMALL.replace(entry, entry + entry))
    assert problem[0] == 5
    assert "ligne 2" in problem[2]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("", 1),
        ("- pro\n", 1),
        ("plans: [\nfeatures: {", 2),
        ("features: []\n---\nplans: []\n", 2),
        (b"features: []\nplans: \xff\xfe", 2),
        ("a: &a [*a]\nplans: *a\nfeatures: []\n", 1),
        ("a: " + "[" * 5000, 1),
        ("a: \x01", 1),
        ("x" * 1_000_001, 1),
    ],
)  # fmt: skip
def test_what_is_not_a_catalogue_is_refused_with_a_line(file: Path, content: str | bytes, line: int) -> None:
    assert complaints(file, content)[0][0] == line


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokenFile):
        read_catalogue(tmp_path / "nowhere.yaml", [])
    with pytest.raises(BrokenFile):
        read_catalogue(tmp_path, [])


def test_an_option_needs_a_plan_that_sells_what_it_demands(file: Path) -> None:
    content = DEMO.read_text().replace(
        "offered_by: [salle, pro, flex]", "offered_by: [salle, pro, essentiel]"
    )
    (problem,) = complaints(file, content)
    assert problem[1] == "options[collect].requires"
    assert "essentiel" in problem[2]


# ── Publishing ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def partner(session: Session) -> Reseller:
    reseller = Reseller(
        slug="horecaplus",
        name="HorecaPlus",
        contact_name="Sofie Claes",
        contact_email="sofie@horecaplus.example",
        contact_phone="",
        allowed_actions=[],
        created_at=NOW,
    )
    session.add(reseller)
    session.flush()
    return reseller


@pytest.fixture
def edited(partner: Reseller, tmp_path: Path) -> Path:
    return Path(shutil.copy(DEMO, tmp_path / "edited.yaml"))


def publish(session: Session, path: Path, day: date) -> list[tuple[str, str, str]]:
    publication = catalogue.publish(session, catalogue.check(session, path), day, SYSTEM, NOW)
    return [(change.kind, change.code, change.what) for change in publication.changes]


def replace(path: Path, text: str, instead: str) -> None:
    content = path.read_text()
    assert text in content
    path.write_text(content.replace(text, instead, 1))


def offer(session: Session, code: str, on: date) -> tuple[int, list[int]]:
    """(version number, amounts) of a plan sold directly."""
    found = next(plan for plan in catalogue.plans_for_sale(session, None, on) if plan.code == code)
    return found.version_number, [price.amount_cents for price in found.prices]


def test_publishing_twice_changes_nothing(session: Session, edited: Path) -> None:
    assert ("plan", "pro", "created") in publish(session, edited, JANUARY)
    rows = session.scalar(select(func.count()).select_from(PlanPrice))
    assert publish(session, edited, JUNE) == []
    assert session.scalar(select(func.count()).select_from(PlanPrice)) == rows
    assert session.scalar(select(func.count()).select_from(AuditEntry)) == 1


def test_new_content_is_a_new_version_and_the_sold_one_stays_as_it_was(
    session: Session, edited: Path
) -> None:
    publish(session, edited, JANUARY)
    sold = session.scalars(select(PlanVersion).join(PlanVersion.plan).where(PlanVersion.number == 1)).all()
    before = {
        version.id: (version.names, version.features, version.included_establishments) for version in sold
    }
    replace(
        edited, "included_establishments: 3", "included_establishments: 3 # now four\n".replace("3 #", "4 #")
    )
    replace(edited, "{from: 4, amount: 24.00}", "{from: 5, amount: 24.00}")
    replace(edited, "{from: 4, amount: 240.00}", "{from: 5, amount: 240.00}")
    assert publish(session, edited, JUNE) == [("plan", "premium", "version")]
    session.expire_all()
    for version in sold:
        assert before[version.id] == (version.names, version.features, version.included_establishments)
    assert offer(session, "premium", date(2026, 5, 31))[0] == 1
    assert offer(session, "premium", JUNE)[0] == 2


def test_a_changed_price_alone_is_a_new_dated_price_of_the_same_version(
    session: Session, edited: Path
) -> None:
    publish(session, edited, JANUARY)
    replace(edited, "amount: 79.00", "amount: 82.00")
    assert publish(session, edited, JUNE) == [("plan", "pro", "price")]
    assert offer(session, "pro", date(2026, 5, 31)) == (1, [7900, 79000])
    assert offer(session, "pro", JUNE) == (1, [8200, 79000])
    assert publish(session, edited, SEPTEMBER) == []


def test_a_price_corrected_on_the_day_it_begins_is_a_new_version_of_that_day(
    session: Session, edited: Path
) -> None:
    publish(session, edited, JANUARY)
    replace(edited, "amount: 79.00", "amount: 97.00")
    publish(session, edited, JUNE)
    replace(edited, "amount: 97.00", "amount: 79.50")
    assert publish(session, edited, JUNE) == [("plan", "pro", "version")]
    assert offer(session, "pro", JUNE) == (2, [7950, 79000])


def test_what_the_file_no_longer_names_is_withdrawn_and_may_come_back(session: Session, edited: Path) -> None:
    publish(session, edited, JANUARY)
    whole = edited.read_text()
    start, end = whole.index("  - code: studio\n    kind"), len(whole)
    edited.write_text(whole[:start] + whole[end:])
    assert publish(session, edited, JUNE) == [("option", "studio", "withdrawn")]
    assert publish(session, edited, JUNE) == []
    sold = [option.code for option in catalogue.options_for_sale(session, None, JUNE)]
    assert "studio" not in sold
    assert "emails" in sold
    edited.write_text(whole)
    assert publish(session, edited, SEPTEMBER) == [("option", "studio", "version")]


def test_history_is_not_rewritten(session: Session, edited: Path) -> None:
    publish(session, edited, JUNE)
    replace(edited, "Un site complet et toutes les options", "Un beau site et toutes les options")
    with pytest.raises(PublicationTooEarly) as refused:
        publish(session, edited, JANUARY)
    assert refused.value.begins_on == JUNE


def test_an_option_never_turns_into_another_kind(session: Session, edited: Path) -> None:
    publish(session, edited, JANUARY)
    replace(edited, "code: signage\n    kind: recurring", "code: signage\n    kind: per_establishment")
    with pytest.raises(OptionKindFixed):
        publish(session, edited, JUNE)


def test_an_unknown_partner_is_told_with_the_ones_that_exist(session: Session, edited: Path) -> None:
    replace(edited, "reseller: horecaplus", "reseller: horecaplu")
    with pytest.raises(BrokenFile) as broken:
        catalogue.check(session, edited)
    assert broken.value.problems[0].facts["close"] == "horecaplus"


# ── What is for sale ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_partner_s_clients_see_its_prices_alone(session: Session, edited: Path, partner: Reseller) -> None:
    publish(session, edited, JANUARY)
    direct = {plan.code: plan for plan in catalogue.plans_for_sale(session, None, JUNE)}
    resold = {plan.code: plan for plan in catalogue.plans_for_sale(session, partner.id, JUNE)}
    assert list(direct) == ["essentiel", "pro", "flex", "premium"]
    assert list(resold) == ["salle", "pro", "premium"]
    assert [price.amount_cents for price in resold["pro"].prices] == [8900, 89000]
    codes = [option.code for option in catalogue.options_for_sale(session, partner.id, JUNE)]
    assert codes == ["emails", "booking", "reviews", "collect"]


def test_reading_what_is_for_sale_takes_one_statement_each(
    session: Session, edited: Path, statements: list[str]
) -> None:
    publish(session, edited, JANUARY)
    session.commit()
    statements.clear()
    catalogue.plans_for_sale(session, None, JUNE)
    catalogue.options_for_sale(session, None, JUNE)
    catalogue.features_compared(session)
    assert len(statements) == 3


def test_nothing_is_for_sale_before_its_day(session: Session, edited: Path) -> None:
    publish(session, edited, JUNE)
    assert catalogue.plans_for_sale(session, None, date(2026, 5, 31)) == []
    assert catalogue.options_for_sale(session, None, date(2026, 5, 31)) == []


def test_the_demo_prices_a_year_at_ten_months(session: Session, edited: Path) -> None:
    publish(session, edited, JANUARY)
    plans, options = (
        catalogue.plans_for_sale(session, None, JUNE),
        catalogue.options_for_sale(session, None, JUNE),
    )
    for each in [*plans, *options]:
        monthly, annual = each.price("monthly"), each.price("annual")
        if monthly and annual and monthly.frequency == "monthly":
            assert annual.amount_cents == 10 * monthly.amount_cents
    versions = session.scalar(select(func.count()).select_from(OptionVersion))
    assert versions == len(options)
