"""The clients of a reseller never read wholesale or direct prices, other tenants, nor the documents of their reseller.

Canary amounts and names are planted, then everything that an owner can reach is read: pages, files, mails.
"""

from datetime import date

import pytest
from sqlalchemy import select, update

from tests.builders import CLAIRE, LONG_AGO, PASSWORD, a_reseller, a_subscription, a_user, an_account, noon  # noqa: F401
from tests.support.embedding import Framed, Signer, open_frame, register
from tests.support.leak_crawl import amount, crawl, leaks, mails_of, of_the_embed, of_the_portal, text_of
from tests.support.page import Page
from tests.support.signing_in import sign_in
from webapp.domain.access import SYSTEM, Role
from webapp.domain.colours import Colour
from webapp.domain.money import Money
from webapp.domain.resale import WholesalePrice
from webapp.domain.themes import Tokens
from webapp.models.accounts import Reseller
from webapp.models.catalogue import OptionPrice, PlanPrice
from webapp.services import billing, invoice_mails, resale, reseller_invoices, resellers
from webapp.services.subscriptions import NewOption

DAY = date(2026, 3, 10)
# Amounts that nothing adds up to by chance, in cents.
WHOLESALE, WHOLESALE_OPTION, DIRECT, DIRECT_OPTION = 361_37, 201_93, 783_71, 102_89
OTHER_RETAIL, RETAIL = 897_53, 591_17
NAMES = {"another reseller": ["Zébulon Distribution"], "another client": ["Auberge Canari"]}


@pytest.fixture
def client_of_a_reseller(session, clock):
    """The owner of a client of HorecaPlus, beside a direct client and the client of another reseller."""
    clock.set(DAY)
    reseller = a_reseller(session, allowed_actions=["change_plan", "options", "establishments", "terminate"])
    other = Reseller(
        slug="zebulon",
        name="Zébulon Distribution",
        contact_name="Zoé",
        contact_email="zoe@zebulon.example",
        allowed_actions=[],
        created_at=noon(LONG_AGO),
    )
    session.add(other)
    session.flush()
    direct = a_subscription(session, account=an_account(session, "Auberge Canari"), billed_through=DAY)
    plant(session, reseller, other)
    company = an_account(session, "HorecaPlus SA", vat_number="BE0654321913", enterprise_number="0654321913")
    reseller_invoices.set_account(session, reseller, company.id, noon(LONG_AGO), SYSTEM)
    resellers.publish_theme(session, reseller, Tokens(Colour.parse("#a3195b")), None, noon(LONG_AGO), SYSTEM)
    signed = a_subscription(
        session,
        starts_on=date(2026, 1, 10),
        account=an_account(session, "Chez Marcel", reseller=reseller),
        reseller=reseller,
        options=[NewOption("emails", quantity=2)],
        establishments=2,
    )
    owner = a_user(session, signed.account, language="fr")
    session.flush()
    return reseller, signed, owner, direct


def plant(session, reseller, other) -> None:
    """Canary prices: direct, wholesale, of another reseller, and the reseller's own, which may show."""
    direct, mine = PlanPrice.reseller_id.is_(None), PlanPrice.reseller_id == reseller.id
    session.execute(update(PlanPrice).where(direct).values(amount_cents=DIRECT))
    session.execute(update(PlanPrice).where(mine).values(amount_cents=RETAIL))
    session.execute(
        update(OptionPrice).where(OptionPrice.reseller_id.is_(None)).values(amount_cents=DIRECT_OPTION)
    )
    price = session.scalars(select(PlanPrice).where(mine)).first()
    session.add(
        PlanPrice(
            **{
                column.name: getattr(price, column.name)
                for column in PlanPrice.__table__.c
                if column.name not in ("id", "reseller_id", "amount_cents")
            },
            reseller_id=other.id,
            amount_cents=OTHER_RETAIL,
        )
    )
    wanted = [
        WholesalePrice("plan", plan, "monthly", 1, LONG_AGO, Money(WHOLESALE)) for plan in ("pro", "salle")
    ]
    wanted.append(WholesalePrice("option", "emails", "monthly", 1, LONG_AGO, Money(WHOLESALE_OPTION)))
    resale.publish_prices(session, reseller, wanted, noon(LONG_AGO), SYSTEM)


def everything_read(client, session, signed, owner) -> dict[str, str]:
    """A change of plan and of options, then all that the owner of the account can read."""
    session.commit()
    here = f"/abonnements/{signed.id}"
    sign_in(client, session, owner)
    preview = Page.get(client, f"{here}/formules/salle/apercu", facturation="mensuelle")
    texts = {"preview": preview.html, "changed": preview.form("confirm").submit().html}
    export = Page.get(client, f"{here}/donnees").form(action=f"{here}/donnees/telecharger")
    archive = client.post(export.element.action, data=dict(export.values))
    texts["archive"] = text_of(archive.data, archive.mimetype)
    starts = [here, f"{here}/donnees", f"{here}/factures", f"{here}/moyen-de-paiement", "/comptes"]
    texts |= crawl(of_the_portal(client), starts)
    session.expire_all()
    return texts | mails_of(session, signed.account_id)


def test_the_clients_of_a_billed_reseller_read_no_other_amount_and_no_document(
    client, session, client_of_a_reseller
):
    reseller, signed, owner, _direct = client_of_a_reseller
    reseller.billed_party, reseller.invoices_shown = "reseller", "reseller"
    for month in (1, 2, 3):
        billing.bill_due(session, signed.id, date(2026, month, 10), noon(date(2026, month, 10)))
    invoice = reseller_invoices.issue(session, reseller.id, DAY, noon(DAY))
    texts = everything_read(client, session, signed, owner)
    assert len(texts) > 25
    assert leaks(texts, {"its own price": amount(RETAIL)})  # the crawl sees what may show
    canaries = NAMES | {
        "wholesale": amount(WHOLESALE),
        "wholesale of an option": amount(WHOLESALE_OPTION),
        "direct": amount(DIRECT),
        "direct price of an option": amount(DIRECT_OPTION),
        "price of another reseller": amount(OTHER_RETAIL),
        "document of the reseller": [invoice.number, str(invoice.ogm)],
    }
    assert leaks(texts, canaries) == {}
    here = f"/abonnements/{signed.id}"
    for path in (
        "factures",
        f"factures/{invoice.number}",
        f"factures/{invoice.number}.pdf",
        "factures.csv",
        "paiement",
    ):
        assert client.get(f"{here}/{path}").status_code == 404
    menu = Page.get(client, here)
    assert not [link for link in menu.all("nav a") if "/factures" in link.get("href", "")]


def test_without_prices_no_page_file_or_mail_says_an_amount(client, session, client_of_a_reseller):
    reseller, signed, owner, _direct = client_of_a_reseller
    reseller.billed_party, reseller.invoices_shown, reseller.prices_shown = "reseller", "none", "none"
    billing.bill_due(session, signed.id, DAY, noon(DAY))
    texts = everything_read(client, session, signed, owner)
    canaries = {"retail": amount(RETAIL), "wholesale": amount(WHOLESALE), "direct": amount(DIRECT)}
    assert leaks(texts, canaries) == {}
    assert [path for path, text in texts.items() if "€" in text] == []


@pytest.mark.parametrize("prices", ["reseller_retail", "none"])
def test_the_embed_shows_no_more_than_the_portal(client, session, client_of_a_reseller, prices):
    reseller, signed, owner, _direct = client_of_a_reseller
    reseller.billed_party, reseller.invoices_shown, reseller.prices_shown = "reseller", "none", prices
    billing.bill_due(session, signed.id, DAY, noon(DAY))
    signer = Signer(reseller.slug, signed.account.reference, owner.email)
    register(session, reseller, signer)
    framed = Framed.of(client, open_frame(client, signer.slug, signer.token()))
    texts = crawl(
        of_the_embed(framed), [framed.start, f"{framed.start}/factures", f"{framed.start}/moyen-de-paiement"]
    )
    assert len(texts) > 15
    canaries = NAMES | {
        "wholesale": amount(WHOLESALE),
        "wholesale of an option": amount(WHOLESALE_OPTION),
        "direct": amount(DIRECT),
        "direct price of an option": amount(DIRECT_OPTION),
        "price of another reseller": amount(OTHER_RETAIL),
    }
    assert leaks(texts, canaries) == {}
    says_its_price = bool(leaks(texts, {"its own price": amount(RETAIL)}))
    assert says_its_price is (prices != "none")
    assert any("€" in text for text in texts.values()) is (prices != "none")
    assert framed.get(f"{framed.start}/factures").status_code == 404


def test_a_client_who_is_billed_reads_its_own_documents_and_nothing_direct(
    client, session, client_of_a_reseller
):
    _reseller, signed, owner, _direct = client_of_a_reseller
    issued = billing.bill_due(session, signed.id, DAY, noon(DAY))
    for each in issued:
        invoice_mails.mail(session, each.id, noon(DAY))
    texts = everything_read(client, session, signed, owner)
    assert leaks(texts, {"its invoice": [issued[0].number]})
    canaries = NAMES | {
        "wholesale": amount(WHOLESALE),
        "direct": amount(DIRECT),
        "direct price of an option": amount(DIRECT_OPTION),
        "price of another reseller": amount(OTHER_RETAIL),
    }
    assert leaks(texts, canaries) == {}


def test_what_one_request_withholds_is_not_the_next_ones_affair(client, session, client_of_a_reseller):
    reseller, signed, owner, direct = client_of_a_reseller
    reseller.prices_shown = "none"
    someone = a_user(session, direct.account)
    session.commit()
    sign_in(client, session, owner)
    assert "€" not in Page.get(client, f"/abonnements/{signed.id}").html
    sign_in(client, session, someone)
    assert "€" in Page.get(client, f"/abonnements/{direct.id}").html


def test_an_accountant_without_documents_arrives_at_the_billing_details(
    client, session, client_of_a_reseller
):
    reseller, signed, _owner, _direct = client_of_a_reseller
    reseller.billed_party = "reseller"
    accountant = a_user(session, signed.account, role=Role.ACCOUNTANT)
    session.commit()
    sign_in(client, session, accountant)
    assert Page.get(client, "/").address.endswith("/coordonnees")
