"""Where no VAT is charged, the pages say why instead of a rate of zero."""

from datetime import date

import pytest

from tests.builders import a_subscription, a_user, an_account
from tests.support.page import Page
from tests.support.signing_in import sign_in
from webapp import filters
from webapp.domain.money import euros
from webapp.domain.vat import EXEMPT, FRANCHISE, REVERSE_CHARGE, STANDARD, VatRate

ABROAD = {
    "country": "LU",
    "vat_number": "LU26375245",
    "enterprise_number": None,
    "vat_treatment": "reverse_charge",
}
WORDS = {"fr": "Autoliquidation", "nl": "Btw verlegd", "en": "Reverse charge"}


def signed_in(client, session, language="fr", **details):
    signed = a_subscription(
        session,
        starts_on=date(2026, 11, 1),
        account=an_account(session, language=language, **details),
        billed_through=date(2026, 11, 1),
    )
    sign_in(client, session, a_user(session, signed.account, language=language))
    return f"/abonnements/{signed.id}"


@pytest.mark.parametrize("language", WORDS)
def test_reverse_charge_is_said_on_the_overview_on_previews_and_on_the_document(
    client, session, clock, language
):
    home = signed_in(client, session, language, **ABROAD)
    overview = Page.get(client, home)
    preview = Page.get(client, f"{home}/formules/premium/apercu", frequence="mensuelle")
    document = Page.get(client, f"{home}/factures/F2026-00001")
    for page, where in ((overview, "#next-invoice"), (preview, "#preview"), (document, "#totals")):
        shown = page.text(where)
        assert WORDS[language] in shown and "0 %" not in shown and "0%" not in shown, where


def test_a_document_says_the_mention_that_it_bears(client, session, clock):
    home = signed_in(client, session, **ABROAD)
    shown = Page.get(client, f"{home}/factures/F2026-00001").text("#totals")
    assert "Autoliquidation sur 79,00 €" in shown and "article 21, § 2 du Code de la TVA" in shown


def test_franchise_is_said_on_the_overview_and_on_the_document(client, session, clock):
    home = signed_in(client, session, vat_treatment="franchise")
    assert "Franchise de taxe" in Page.get(client, home).text("#next-invoice")
    shown = Page.get(client, f"{home}/factures/F2026-00001").text("#totals")
    assert "Franchise de taxe sur 79,00 €" in shown and "Régime particulier de la franchise de taxe." in shown


@pytest.mark.parametrize(
    ("language", "word", "mention"),
    [
        ("fr", "Exonéré de TVA", "article 42, § 3 du Code de la TVA"),
        ("nl", "Vrijgesteld van btw", "artikel 42, § 3 van het btw-wetboek"),
        ("en", "Exempt from VAT", "article 42, § 3 of the Belgian VAT Code"),
    ],
)
def test_an_exemption_is_said_with_its_article_and_stays_when_the_details_change(
    client, session, clock, language, word, mention
):
    home = signed_in(client, session, language, vat_treatment="exempt")
    assert word in Page.get(client, home).text("#next-invoice")
    shown = Page.get(client, f"{home}/factures/F2026-00001").text("#totals")
    assert word in shown and mention in shown
    assert mention.partition(",")[0] in Page.get(client, f"{home}/coordonnees").text("main")


def test_what_is_charged_keeps_its_rate(client, session, clock):
    home = signed_in(client, session)
    assert "TVA 21 %" in Page.get(client, home).text("#next-invoice")


@pytest.mark.parametrize(
    ("rate", "said"),
    [
        (STANDARD, "TVA 21\N{NO-BREAK SPACE}%"),
        (VatRate("S", "5.5"), "TVA 5,5\N{NO-BREAK SPACE}%"),
        (REVERSE_CHARGE, "Autoliquidation"),
        (FRANCHISE, "Franchise de taxe"),
        (EXEMPT, "Exonéré de TVA"),
        (VatRate("O", "0"), "Exonéré de TVA"),
    ],
)
def test_each_category_has_its_words(rate, said):
    assert filters.vat(rate, "fr") == said
    with_base = filters.vat(rate, "fr", euros("103.00"))
    assert with_base.startswith(said) and with_base.endswith("sur 103,00\N{NO-BREAK SPACE}€")
