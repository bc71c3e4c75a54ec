"""A price rise for 1 200 subscribers of an old version, in Dutch: simulated, published, told, and later applied."""

import uuid
from datetime import UTC, date, datetime
from pathlib import Path

from playwright.sync_api import expect
from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from tests.browser.conftest import NewPage, Server, axe_violations
from tests.browser.test_billing_room import SLOW, TEAM, enter, rows
from tests.builders import CATALOGUE
from webapp.models.accounts import Account, BillingDetails, Membership, User
from webapp.models.catalogue import Plan, PlanPrice, PlanVersion
from webapp.models.engine import make_engine
from webapp.models.subscriptions import Establishment, Subscription

MANY = 1200
NOW = datetime(2026, 11, 16, 9, tzinfo=UTC)
PAID_UNTIL = date(2027, 1, 1)
RISEN = (
    CATALOGUE.read_text()
    .replace("amount: 95.00", "amount: 99.00")
    .replace("pour une saison ou", "pour l’été ou")
)


def sign_many(server: Server) -> None:
    """So many subscribers of Flex, which binds nobody, paid until the new year: rows, because signing each takes long."""
    folder = Path(server.environment["PORTAL_INSTANCE"])
    made = {"account": [], "details": [], "user": [], "member": [], "subscription": [], "place": []}  # type: ignore[var-annotated]
    with Session(make_engine(f"sqlite:///{folder / 'portal.sqlite3'}")) as session:
        price = session.scalars(
            select(PlanPrice)
            .join(PlanVersion)
            .join(Plan)
            .where(Plan.code == "flex", PlanPrice.reseller_id.is_(None))
        ).one()
        session.execute(  # the demo's own subscriber of Flex is none of these
            update(Subscription)
            .where(Subscription.plan_version_id == price.plan_version_id)
            .values(status="ended", ended_on=date(2026, 11, 1), due_on=None)
        )
        for number in range(MANY):
            account, user, subscription = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
            street = {"street": "Kerkstraat 1", "postcode": "9000", "city": "Gent"}
            name, mail = f"Zaak {number}", f"zaak{number}@exemple.example"
            made["account"].append(
                {
                    "id": account,
                    "reference": f"M-{number:05}",
                    "name": name,
                    "language": "nl",
                    "created_at": NOW,
                }
            )
            made["details"].append(
                {
                    "account_id": account,
                    "legal_name": f"{name} BV",
                    "invoice_email": mail,
                    "vat_number": "BE0876543270",
                    "enterprise_number": "0876543270",
                    **street,
                }
            )
            made["user"].append(
                {"id": user, "email": mail, "full_name": name, "language": "nl", "created_at": NOW}
            )
            made["member"].append(
                {"user_id": user, "account_id": account, "role": "owner", "created_at": NOW}
            )
            made["subscription"].append({
                "id": subscription, "account_id": account, "starts_on": date(2026, 3, 1), "frequency": "monthly",
                "currency": "EUR", "anchor_on": date(2026, 3, 1), "billed_until": PAID_UNTIL, "settled_on": date(2026, 12, 1),
                "due_on": PAID_UNTIL, "plan_version_id": price.plan_version_id, "plan_price_id": price.id,
                "commitment_starts_on": date(2026, 3, 1), "commitment_months": 0, "notice_count": 30, "notice_unit": "days",
                "renewal": "monthly", "signed_on": date(2026, 3, 1), "changed_at": NOW,
            })  # fmt: skip
            made["place"].append(
                {
                    "id": uuid.uuid4(),
                    "subscription_id": subscription,
                    "position": 1,
                    "name": name,
                    "active_from": date(2026, 3, 1),
                    "charged_from": date(2026, 3, 1),
                    **street,
                }
            )
        models = (Account, BillingDetails, User, Membership, Subscription, Establishment)
        for model, values in zip(models, made.values(), strict=True):
            session.execute(insert(model), values)
        assert (
            session.scalar(select(func.count()).select_from(Account).where(Account.reference.like("M-%")))
            == MANY
        )
        session.commit()


def test_a_price_rise_for_many_is_simulated_published_told_and_later_applied(
    own_server: Server, new_page: NewPage, tmp_path: Path
) -> None:
    sign_many(own_server)
    file = tmp_path / "catalogue.yaml"
    file.write_text(RISEN)
    own_server.flask("catalogue", "publish", str(file))
    [(version,)] = rows(
        own_server,
        "SELECT max(v.id) FROM plan_versions v JOIN plans p ON p.id = v.plan_id WHERE p.code = 'flex'",
    )
    rows(own_server, "UPDATE users SET staff_role = 'admin' WHERE email = ?", TEAM)
    page = new_page(locale="nl-BE")
    enter(page, own_server, "nl")
    page.goto(f"{own_server.address}/equipe/migrations?version={version}")
    page.locator("#reason_fr").fill("Les coûts d’hébergement ont augmenté.")
    page.locator("#reason_nl").fill("De hostingkosten zijn gestegen.")
    page.locator("#reason_en").fill("Hosting costs have risen.")
    page.locator("#ask button[type=submit]").click()
    expect(page.locator("#totals .value").first).to_have_text("1.200", timeout=SLOW)
    expect(page.locator("#totals")).to_contain_text("€ 114.000,00")
    expect(page.locator("#totals")).to_contain_text("€ 118.800,00")
    page.locator("#letter-nl summary").click()
    expect(page.locator("#letter-nl")).to_contain_text(
        "€ 99,00 excl. btw per maand kosten, in plaats van € 95,00"
    )
    assert axe_violations(page) == []
    assert rows(own_server, "SELECT count(*) FROM plan_moves") == [(0,)]

    page.locator("#confirm button").click()
    expect(page.locator("#migration .badge")).to_have_text(
        "Aangekondigd", timeout=3 * SLOW
    )  # it asks by itself
    assert axe_violations(page) == []
    told = "SELECT count(*), count(DISTINCT recipient) FROM outbox_messages WHERE template = 'migration_announced'"
    assert rows(own_server, told) == [(MANY, MANY)]

    own_server.flask("renew", "--on", PAID_UNTIL.isoformat())
    page.reload()
    expect(page.locator("#migration .badge")).to_have_text("Klaar")
    expect(page.locator("#counts")).to_contain_text("Wijziging van kracht1.200")
    applied = (
        "SELECT count(*) FROM subscriptions s JOIN plan_prices p ON p.id = s.plan_price_id"
        " WHERE p.amount_cents = 9900 AND s.commitment_months = 0"
    )
    assert rows(own_server, applied) == [(MANY,)]
